"""What salvage works on: the bytes of a damaged source at any place, and what it says of them.

Damage is dealt with by looking back and ahead, so a source has to be readable at any offset: a regular file is read
where it is, anything else (a pipe, a compressed file) is first copied to an anonymous temporary file. What was lost
is named by place, size and, where that is known, key.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable
from types import TracebackType
from typing import BinaryIO, Final, NamedTuple, Self

from rdbtool._codec.decode.window import Window
from rdbtool.core.errors import FormatError, InputError
from rdbtool.io.crc64 import crc64
from rdbtool.io.source import Source, open_source

#: Bytes read at once where bytes are looked through.
_PIECE: Final = 1 << 18


class Lost(NamedTuple):
    """A byte range of a part that is not in the result, or not as it was.

    ``code`` is one of ``REP0xx``, or that of the finding for which it was left out or changed. ``start`` and ``stop``
    are offsets in the part. ``db`` and ``key`` are None where nobody can tell whose bytes these were. ``is_kept``
    tells that the bytes, or what they mean, are in the result in some form: the range is then no part of what
    ``--keep-damaged`` gets.
    """

    code: str
    part: str
    start: int
    stop: int
    message: str
    db: int | None = None
    key: bytes | None = None
    is_kept: bool = False

    @property
    def size(self) -> int:
        """Number of bytes in the range."""
        return self.stop - self.start


class Stock:
    """The bytes of a source. ``size`` is their number, ``fault`` what ended the decompression early, if any did."""

    def __init__(self, target: str | bytes, *, name: str | None = None) -> None:
        self.fault: FormatError | None = None
        self._source = open_source(target, name=name)
        self.name = self._source.name
        self._data = target if isinstance(target, bytes) and self._source.compression is None else None
        self._file: BinaryIO | None = None
        self._fd = -1
        try:
            self._open(target)
        except BaseException:
            self.close()
            raise

    def _open(self, target: str | bytes) -> None:
        if self._data is not None:
            self.size = len(self._data)
            return
        if isinstance(target, str) and target != "-" and self._source.compression is None:
            try:
                self._fd = os.open(target, os.O_RDONLY | os.O_CLOEXEC)
                status = os.fstat(self._fd)
            except OSError as error:
                raise InputError(f"cannot open {self.name}: {error.strerror or error}") from error
            if stat.S_ISREG(status.st_mode):
                self.size = status.st_size
                return
            os.close(self._fd)
            self._fd = -1
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as this object
        self.size = self._spool(self._source, self._file)

    def _spool(self, source: Source, file: BinaryIO) -> int:
        piece = memoryview(bytearray(_PIECE))
        size = 0
        try:
            while count := source.readinto(piece):
                file.write(piece[:count])
                size += count
            file.flush()
        except FormatError as fault:
            # What came before it is worth saving too.
            file.flush()
            self.fault = fault
        except OSError as error:
            raise InputError(f"cannot copy {self.name} to a temporary file: {error.strerror or error}") from error
        self._fd = os.dup(file.fileno())
        return size

    def read(self, at: int, size: int) -> bytes:
        """Return up to ``size`` bytes at offset ``at``, fewer only at the end."""
        if self._data is not None:
            return self._data[at : at + size]
        try:
            return os.pread(self._fd, max(0, min(size, self.size - at)), at)
        except OSError as error:
            raise InputError(f"cannot read {self.name}: {error.strerror or error}") from error

    def copy(self, start: int, stop: int, write: Callable[[bytes], object]) -> None:
        """Hand a range to ``write``, in pieces."""
        while start < stop:
            piece = self.read(start, min(_PIECE, stop - start))
            if not piece:
                raise InputError(f"cannot read {self.name}: it became shorter")
            write(piece)
            start += len(piece)

    def view(self, at: int, stop: int | None = None, *, head: bytes = b"", limit: int | None = None) -> View:
        """Return a window over ``head`` and the bytes from ``at`` on (see ``View``)."""
        return View(self, at, self.size if stop is None else stop, head, 1 << 62 if limit is None else limit)

    def check_unchanged(self) -> None:
        """Raise InputError if a regular file no longer holds what was opened."""
        self._source.check_unchanged()

    def close(self) -> None:
        """Close what is open."""
        self._source.close()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class View:
    """A window that shows ``head`` and then the bytes between two offsets of a stock.

    Offsets in the window are those of the stock. ``limit`` is how large the window may grow (bytes).
    """

    def __init__(self, stock: Stock, at: int, stop: int, head: bytes, limit: int) -> None:
        self._filling = _Filling(stock, at, max(at, stop), head)
        self.window = Window(
            self._filling.readinto, crc64, lambda: limit, max(at, stop), at - len(head), self._filling.reread
        )

    @property
    def at(self) -> int:
        """Offset, in the stock, of the item at hand."""
        return self.window.at

    @property
    def read_up_to(self) -> int:
        """The offset of the stock up to which the window was filled."""
        return self._filling.at


class _Filling:
    """Fills a window, and does not hold it: one that nobody needs has to go at once, for there are many."""

    def __init__(self, stock: Stock, at: int, stop: int, head: bytes) -> None:
        self.at = at
        self._stock = stock
        self._stop = stop
        self._head = head

    def reread(self, view: memoryview, at: int) -> int:
        data = self._stock.read(at, min(len(view), self._stop - at))
        view[: len(data)] = data
        return len(data)

    def readinto(self, view: memoryview) -> int:
        if self._head:
            size = min(len(view), len(self._head))
            view[:size] = self._head[:size]
            self._head = self._head[size:]
            return size
        data = self._stock.read(self.at, min(len(view), self._stop - self.at))
        view[: len(data)] = data
        self.at += len(data)
        return len(data)
