"""Random access to the bytes of a damaged input, and the ranges that are lost.

Salvage looks back and ahead, so the input must be readable at any offset: a regular file is read in place, anything
else (a pipe, a compressed file) is first copied to an anonymous temporary file. Lost ranges have place, size and, if
known, key.

Recent blocks are cached, so that looking back does not read twice; a walk over more than the cache holds reads into its
window. The checksum of all bytes is computed on the way.
"""

from __future__ import annotations

import os
import stat
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable
from types import TracebackType

from rdbtool._codec.decode.window import Window
from rdbtool.core.errors import FormatError, InputError
from rdbtool.core.light_typing import BinaryIO, Final, NamedTuple, Self
from rdbtool.io.source import Source, crc64, open_source
from rdbtool.reader.open.windows import MARK_SIZE, find_framing

#: Maximum memory in bytes per byte of a compressed input.
_HELD_PER_COMPRESSED_BYTE: Final = 20

#: Bytes read at once, and the number of cached blocks.
_PIECE: Final = 1 << 18
_REMEMBERED: Final = 64

#: Bytes read at once where nothing is cached.
_WIDE: Final = 1 << 19


class Lost(NamedTuple):
    """A byte range of a part that is missing or changed in the result.

    ``code`` is one of ``REP0xx``, or that of the finding for which it was dropped or changed. ``start`` and ``stop``
    are offsets in the part. ``db`` and ``key`` are None if unknown. ``is_kept`` means that the bytes, or their meaning,
    are in the result in some form: the range is then not written to ``--keep-damaged``.
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


class Shown(NamedTuple):
    """The contents of a stock: an open file that belongs to it, or bytes, and their number.

    They begin at offset ``begin`` of the file or the bytes. ``mark_at`` is the offset of a mark in the middle that is
    hidden, -1: there is none.
    """

    fd: int
    size: int
    data: bytes | None = None
    begin: int = 0
    mark_at: int = -1

    def close(self) -> None:
        """Close the file."""
        if self.fd >= 0:
            os.close(self.fd)


class Stock:
    """The bytes of an input. ``size`` is their number, ``compression`` that of the input.

    ``fault`` is what ended the decompression early, if anything. With ``unwraps``, what a master sends around an RDB is
    hidden: offsets are then those of the RDB and of what follows its mark, and ``has_stream`` is set if there is any.
    """

    def __init__(self, target: str | bytes, *, name: str | None = None, unwraps: bool = False) -> None:
        self.fault: FormatError | None = None
        self._source = open_source(target, name=name)
        self.name = self._source.name
        self.compression = self._source.compression
        self.has_stream = False
        self._shown = Shown(-1, 0)
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        #: The one byte that is corrected: its offset, and what it is XORed with.
        self._patched = (-1, 0)
        #: The checksum of everything before the last offset, and before some others.
        self._sums = [(0, 0)]
        self._summed = (0, 0)
        self._target = target
        #: Whether the contents are the regular file itself; and its state when it was closed temporarily.
        self._is_own_file = False
        self._resting: os.stat_result | None = None
        try:
            self._shown = self._open(target)
            if unwraps:
                self._unwrap()
        except BaseException:
            self.close()
            raise

    @property
    def size(self) -> int:
        """Number of bytes."""
        return self._shown.size

    @property
    def shown(self) -> Shown:
        """The contents."""
        return self._shown

    def _open(self, target: str | bytes) -> Shown:
        is_plain = self._source.compression is None
        if isinstance(target, bytes) and is_plain:
            return Shown(-1, len(target), target)
        if isinstance(target, str) and target != "-" and is_plain:
            try:
                fd = os.open(target, os.O_RDONLY | os.O_CLOEXEC)
                status = os.fstat(fd)
            except OSError as error:
                raise InputError(f"cannot open {self.name}: {error.strerror or error}") from error
            if stat.S_ISREG(status.st_mode):
                self._is_own_file = True
                return Shown(fd, status.st_size)
            os.close(fd)
        import tempfile  # noqa: PLC0415 - most inputs are regular files

        with tempfile.TemporaryFile() as file:
            return self._spool(self._source, file)

    def _spool(self, source: Source, file: BinaryIO) -> Shown:
        piece = memoryview(bytearray(_PIECE))
        size = 0
        try:
            while count := source.readinto(piece):
                file.write(piece[:count])
                size += count
            file.flush()
        except FormatError as fault:
            # What precedes the fault is worth saving too.
            file.flush()
            self.fault = fault
        except OSError as error:
            raise InputError(f"cannot copy {self.name} to a temporary file: {error.strerror or error}") from error
        return Shown(os.dup(file.fileno()), size)

    def show(self, shown: Shown) -> Shown:
        """Replace the contents and return the previous ones; the caller must show or close these."""
        self._wake()
        before, self._shown = self._shown, shown
        self._is_own_file = False
        self._forget()
        return before

    def patch(self, at: int, change: int) -> None:
        """Show the byte at an offset XORed with ``change``."""
        self._patched = at, change
        self._forget()

    def _forget(self) -> None:
        self._blocks.clear()
        self._sums = [(0, 0)]
        self._summed = (0, 0)

    def _unwrap(self) -> None:
        """Hide what a master sends around an RDB."""
        framing = find_framing(self.read(0, _PIECE))
        if framing is None:
            return
        begin, size = len(framing.text), self.size
        mark_at = self._find(framing.mark, begin) if framing.mark else -1
        if mark_at >= 0:
            self.has_stream = mark_at < size - MARK_SIZE
        elif framing.length is not None:
            self.has_stream = size > begin + framing.length
        shown = size - begin - (MARK_SIZE if mark_at >= 0 else 0)
        self._shown = self._shown._replace(size=shown, begin=begin, mark_at=mark_at)
        self._forget()

    def _find(self, text: bytes, at: int) -> int:
        kept = b""
        while piece := self.read(at, _PIECE):
            found = (kept + piece).find(text)
            if found >= 0:
                return at - len(kept) + found
            at += len(piece)
            kept = (kept + piece)[1 - len(text) :]
        return -1

    def read(self, at: int, size: int) -> bytes:
        """Return up to ``size`` bytes at offset ``at``, fewer only at the end."""
        stop = min(self.size, at + size)
        first = at // _PIECE
        if stop <= (first + 1) * _PIECE:
            start = first * _PIECE
            data = self._block(first)[at - start : stop - start] if at < stop else b""
        else:
            blocks = [self._block(index) for index in range(first, (stop - 1) // _PIECE + 1)]
            blocks[0] = blocks[0][at - first * _PIECE :]
            blocks[-1] = blocks[-1][: (stop - 1) % _PIECE + 1]
            data = b"".join(blocks)
        return data

    def _block(self, index: int) -> bytes:
        block = self._blocks.get(index)
        if block is None:
            block = self._blocks[index] = self._fetch(index * _PIECE)
            if len(self._blocks) > _REMEMBERED:
                self._blocks.popitem(last=False)
        else:
            self._blocks.move_to_end(index)
        return block

    def _fetch(self, start: int) -> bytes:
        """Read the block at ``start`` from its file or bytes."""
        self._wake()
        shown = self._shown
        stop = min(start + _PIECE, shown.size) + shown.begin
        begin = start + shown.begin
        if shown.mark_at < 0 or stop <= shown.mark_at:
            block = self._read(begin, stop)
        else:
            block = self._read(begin, shown.mark_at) + self._read(
                max(begin, shown.mark_at) + MARK_SIZE, stop + MARK_SIZE
            )
        at, change = self._patched
        if start <= at < start + len(block):
            at -= start
            block = block[:at] + bytes([block[at] ^ change]) + block[at + 1 :]
        if self._summed[0] == start:
            self._sum_up(block)
        return block

    def _read(self, start: int, stop: int) -> bytes:
        """Read a range of the file or the bytes."""
        if start >= stop:
            return b""
        if self._shown.data is not None:
            return self._shown.data[start:stop]
        try:
            return os.pread(self._shown.fd, stop - start, start)
        except OSError as error:
            raise InputError(f"cannot read {self.name}: {error.strerror or error}") from error

    def read_once(self, view: memoryview, at: int) -> int:
        """Fill the beginning of ``view`` with what is at an offset; return the number of bytes, 0 only at the end.

        Nothing is cached, nor copied in between, where that is possible.
        """
        self._wake()
        shown = self._shown
        if shown.fd < 0 or shown.mark_at >= 0 or self._patched[0] >= 0:
            data = self.read(at, min(len(view), _PIECE))
            view[: len(data)] = data
            return len(data)
        view = view[: max(0, min(_WIDE, shown.size - at))]
        try:
            return os.preadv(shown.fd, [view], shown.begin + at) if view else 0
        except OSError as error:
            raise InputError(f"cannot read {self.name}: {error.strerror or error}") from error

    def read_on(self, view: memoryview, at: int) -> int:
        """Do the same on the way through the data: sum up what was read, and cache it if all can be cached."""
        if self.size <= _REMEMBERED * _PIECE:
            data = self.read(at, min(len(view), _PIECE))
            view[: len(data)] = data
            return len(data)
        count = self.read_once(view, at)
        # Bytes that follow damage are read again.
        before = self._summed[0] - at
        if 0 <= before < count:
            self._sum_up(view[before:count])
        return count

    def _sum_up(self, block: bytes | memoryview) -> None:
        self._summed = self._summed[0] + len(block), crc64(block, self._summed[1])
        self._sums.append(self._summed)

    def checksum(self, stop: int) -> int:
        """Return the CRC-64 of everything before ``stop``, reading what was not read yet."""
        while self._summed[0] < stop:
            before = self._summed[0]
            piece = self.read(before, _PIECE - before % _PIECE)
            # Reading it may have summed it up.
            if self._summed[0] == before and piece:
                self._sum_up(piece)
            if not piece:
                raise InputError(f"cannot read {self.name}: it became shorter")
        at, total = self._sums[bisect_right(self._sums, (stop, 1 << 64)) - 1]
        return crc64(self.read(at, stop - at), total)

    def copy(self, start: int, stop: int, write: Callable[[bytes], object]) -> None:
        """Write a range with ``write``, in pieces."""
        while start < stop:
            piece = self.read(start, min(_PIECE, stop - start))
            if not piece:
                raise InputError(f"cannot read {self.name}: it became shorter")
            write(piece)
            start += len(piece)

    def view(
        self, at: int, stop: int | None = None, *, head: bytes = b"", limit: int | None = None, is_last: bool = False
    ) -> View:
        """Return a window over ``head`` and the bytes from ``at`` on (see ``View``); ``is_last``: cache nothing."""
        stop = self.size if stop is None else stop
        return View(self, at, stop, head, 1 << 62 if limit is None else limit, is_last=is_last)

    def limit(self, least: int) -> int:
        """Return the size limit of an item: the size of the data, or what a compressed input justifies."""
        read = self._source.compressed_read
        return 1 << 62 if read is None else max(least, _HELD_PER_COMPRESSED_BYTE * read)

    def check_unchanged(self) -> None:
        """Raise InputError if a regular file no longer holds what was opened."""
        self._wake()
        self._source.check_unchanged()

    def rest(self) -> None:
        """Close a regular file until it is read again: an AOF can have more files than a process has descriptors."""
        if not self._is_own_file or self._resting is not None:
            return
        self._source.check_unchanged()
        self._resting = os.fstat(self._shown.fd)
        self._shown.close()
        self._shown = self._shown._replace(fd=-1)
        self._source.close()
        self._blocks.clear()

    def _wake(self) -> None:
        """Reopen a file closed by ``rest``. Raises InputError if it was replaced."""
        if self._resting is None:
            return
        before, self._resting = self._resting, None
        assert isinstance(self._target, str)
        self._source = open_source(self._target, name=self.name)
        self._shown = self._shown._replace(fd=self._open(self._target).fd)
        if _identity(before) != _identity(os.fstat(self._shown.fd)):
            raise InputError(f"{self.name} changed while it was read")

    def close(self) -> None:
        """Close all files."""
        self._source.close()
        self._blocks.clear()
        self._shown.close()
        self._shown = Shown(-1, 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _identity(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


class View:
    """A window over ``head``, then the bytes between two offsets of a stock.

    Offsets in the window are those of the stock. ``limit`` is the maximum size of the window (bytes).
    """

    def __init__(self, stock: Stock, at: int, stop: int, head: bytes, limit: int, *, is_last: bool) -> None:
        self._filling = _Filling(stock, at, max(at, stop), head, is_last=is_last)
        self.window = Window(
            self._filling.readinto, crc64, lambda: limit, max(at, stop), at - len(head), self._filling.reread
        )

    @property
    def at(self) -> int:
        """Offset, in the stock, of the current item."""
        return self.window.at

    @property
    def read_up_to(self) -> int:
        """The offset of the stock up to which the window was filled."""
        return self._filling.at


class _Filling:
    """Fills a window without a reference to it: there are many windows, and unused ones must be freed at once."""

    def __init__(self, stock: Stock, at: int, stop: int, head: bytes, *, is_last: bool) -> None:
        self.at = at
        self._stock = stock
        self._stop = stop
        self._head = head
        self._is_last = is_last

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
        read = self._stock.read_once if self._is_last else self._stock.read_on
        count = read(view[: self._stop - self.at], self.at)
        self.at += count
        return count
