"""A source of bytes: a file, a pipe, an open binary stream or bytes, compressed or not.

One path serves all of them: ``readinto`` fills the caller's buffer by unbuffered reads. There is no
mmap (it cannot read pipes, and a file that is cut underneath ends the process) and no seek. The first
bytes, never the name, decide whether a stream is compressed; what is inside a compressed
stream is taken as it is. Whatever goes wrong is one of our errors.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import select
import shlex
import stat
from collections.abc import Callable
from functools import cache
from types import TracebackType
from typing import BinaryIO, Final, Protocol, Self

from rdbtool.core.distribution import install_words
from rdbtool.core.errors import FormatError, InputError, LimitError, Remedy, UnsupportedError
from rdbtool.core.location import Where
from rdbtool.io.decompress import (
    PEEK_SIZE,
    DamagedStreamError,
    UnknownWrapperError,
    Unpacker,
    WindowSizeError,
    detect_compression,
    lacking_package,
)

STANDARD_INPUT: Final = "standard input"

#: Bytes inflated at once: at least this many, so that small reads stay cheap, and at most that many.
_LEAST_PIECE: Final = 64 << 10
_LARGEST_PIECE: Final = 1 << 20

#: Named pipes elsewhere may have no writer and then never open; under these names they are a shell's or a caller's.
_PIPES_WELCOME: Final = ("/dev/", "/proc/")


class _Raw(Protocol):
    def readinto(self, view: memoryview, /) -> int | None: ...
    def close(self) -> None: ...


class _Reading:
    """Gives ``readinto`` to a caller's stream that has only ``read``."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def readinto(self, view: memoryview, /) -> int:
        data = self._stream.read(len(view))
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Leave the caller's stream open."""


class Source:
    """An open source. Made by ``open_source``; a context manager.

    ``name`` is what the user called it. ``size`` is the number of bytes that can be read, None
    where nobody knows (pipes, compressed files). ``compression`` is ``gzip``, ``zstd``, ``lz4``, ``xz``,
    ``bzip2``, ``vcs+lz4``, ``vcs+zstd`` or None; ``compressed_size`` is the size of a compressed file, None for pipes.
    ``mtime`` is the time of a regular file's last change (Unix seconds) or None. ``position`` is the
    number of bytes read so far.
    """

    def __init__(self, raw: _Raw, name: str, *, fd: int | None = None, path: str | None = None, owned: bool) -> None:
        self.name = name
        self.position = 0
        self.compression: str | None = None
        self.size: int | None = None
        self.compressed_size: int | None = None
        self.mtime: float | None = None
        self._raw = raw
        self._fd = fd
        self._path = path
        self._owned = owned
        self._head = b""
        self._pending = memoryview(b"")
        self._unpacker: Unpacker | None = None
        self._failure: FormatError | LimitError | None = None
        self._identity: tuple[int, int, int, int] | None = None
        self._begin = 0
        self._examine()
        self._detect()

    @property
    def compressed_read(self) -> int | None:
        """Bytes of the compressed file read so far, None where nothing is compressed."""
        return None if self._unpacker is None else self._unpacker.consumed

    @property
    def ignored_tail(self) -> int:
        """Bytes after the frame of a Valkey ``VCS`` file, which servers ignore. Known at the end."""
        return 0 if self._unpacker is None else self._unpacker.ignored_tail

    def readinto(self, view: memoryview) -> int:
        """Fill the beginning of ``view`` (writable, not empty) and return the number of bytes, 0 at the end.

        Fewer bytes than asked for do not mean the end. Raises InputError when reading fails,
        FormatError SRC001 when compressed data is damaged or ends early, LimitError when
        inflating needs more memory than there is, or than is allowed.
        """
        count = self._readinto_raw(view) if self._unpacker is None else self._readinto_unpacked(view)
        self.position += count
        return count

    @property
    def again(self) -> str | bytes | None:
        """What ``open_source`` opens the same data by: the path of a regular file, or bytes; None of anything else."""
        if not self._owned:
            return None
        if isinstance(self._raw, io.BytesIO):
            return self._raw.getvalue()
        return self._path if self._identity is not None else None

    def peek(self, size: int) -> bytes:
        """Return the next ``size`` bytes, fewer only at the end; nothing is consumed. Raises what ``readinto`` does."""
        piece = bytearray(size)
        filled = 0
        while filled < size and (count := self.readinto(memoryview(piece)[filled:])):
            filled += count
        data = bytes(piece[:filled])
        self.position -= filled
        if self._unpacker is None:
            self._head = data + self._head
        else:
            self._pending = memoryview(data + bytes(self._pending))
        return data

    @property
    def can_reread(self) -> bool:
        """Whether ``reread`` can be asked: of bytes, and of a regular file that is not compressed."""
        return self.compression is None and (isinstance(self._raw, io.BytesIO) or self._identity is not None)

    def reread(self, view: memoryview, at: int) -> int:
        """Fill the beginning of ``view`` with what stands at offset ``at``; return the number of bytes, 0 at the end.

        ``readinto`` goes on where it was. Raises InputError.
        """
        if isinstance(self._raw, io.BytesIO):
            with self._raw.getbuffer() as data:
                piece = data[self._begin + at : self._begin + at + len(view)]
                view[: len(piece)] = piece
                return len(piece)
        assert self._fd is not None
        try:
            return os.preadv(self._fd, [view], self._begin + at)
        except OSError as error:
            raise InputError(f"cannot read {self.name}: {_reason(error)}") from None

    def ending(self, size: int) -> bytes:
        """Return the last bytes of bytes or of a regular file that was opened by its path; of anything else none."""
        if self.compression is not None or not self._owned:
            return b""
        if isinstance(self._raw, io.BytesIO):
            return bytes(self._raw.getbuffer()[-size:])
        if self._fd is None or self._identity is None:
            return b""
        # Whoever reads it says why it cannot be read.
        with contextlib.suppress(OSError):
            return os.pread(self._fd, size, max(0, self._identity[2] - size))
        return b""

    def stand_for(self, origin: Source) -> None:
        """Show the sizes and the time of the source that the bytes of this one were made from."""
        self.size, self.compression, self.mtime = origin.size, origin.compression, origin.mtime
        self.compressed_size = origin.compressed_size

    def find(self, text: bytes, at: int) -> int | None:
        """Return where ``text`` stands from ``at`` on in bytes, or in a regular file opened by its path; -1: nowhere.

        None: this cannot be found out without consuming it. Raises InputError.
        """
        if self.compression is not None or not self._owned:
            return None
        if isinstance(self._raw, io.BytesIO):
            return self._raw.getvalue().find(text, at)
        if self._fd is None or self._identity is None:
            return None
        kept = b""
        try:
            while piece := os.pread(self._fd, _LARGEST_PIECE, at):
                found = (kept + piece).find(text)
                if found >= 0:
                    return at - len(kept) + found
                at += len(piece)
                kept = (kept + piece)[1 - len(text) :]
        except OSError as error:
            raise InputError(f"cannot read {self.name}: {_reason(error)}") from None
        return -1

    def renew(self) -> None:
        """Take a file of which nothing was consumed as it is now: it may have grown since it was opened."""
        if self._fd is None or self._identity is None:
            return
        status = os.fstat(self._fd)
        self._identity = _identity(status)
        self.mtime = status.st_mtime
        if self.compression is None:
            self.size = max(0, status.st_size + len(self._head) - os.lseek(self._fd, 0, os.SEEK_CUR))
        else:
            self.compressed_size = status.st_size

    def check_unchanged(self) -> None:
        """Raise InputError if a regular file is not, or no longer holds, what was opened."""
        if self._fd is None or self._identity is None:
            return
        try:
            held = _identity(os.fstat(self._fd))
            named = held if self._path is None else _identity(os.stat(self._path))  # noqa: PTH116 - bytes of any name
        except OSError as error:
            raise InputError(f"{self.name} changed while it was read: {_reason(error)}") from None
        if named[:2] != self._identity[:2]:
            raise InputError(f"{self.name} was replaced by another file while it was read")
        if held != self._identity:
            raise InputError(f"{self.name} changed while it was read")

    def close(self) -> None:
        """Close what ``open_source`` opened; standard input and a caller's stream stay open."""
        if self._owned:
            # Of a file that was only read, closing has nothing to say.
            with contextlib.suppress(OSError):
                self._raw.close()
        self._fd = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _examine(self) -> None:
        if isinstance(self._raw, io.BytesIO):
            self._begin = self._raw.tell()
            self.size = max(0, self._raw.getbuffer().nbytes - self._begin)
        if self._fd is None:
            return
        status = os.fstat(self._fd)
        if not stat.S_ISREG(status.st_mode):
            return
        self._identity = _identity(status)
        self.mtime = status.st_mtime
        # Standard input may be a file that someone has read a part of.
        self._begin = os.lseek(self._fd, 0, os.SEEK_CUR)
        self.size = max(0, status.st_size - self._begin)
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self._fd, 0, 0, os.POSIX_FADV_SEQUENTIAL)

    def _detect(self) -> None:
        head = memoryview(bytearray(PEEK_SIZE))
        filled = 0
        while filled < PEEK_SIZE:
            count = self._readinto_raw(head[filled:])
            if count == 0:
                break
            filled += count
        self._head = bytes(head[:filled])
        try:
            self.compression, skipped = detect_compression(self._head)
        except UnknownWrapperError as error:
            raise UnsupportedError(f"{self.name}: this release does not know {error}") from None
        except DamagedStreamError as error:
            raise self._format_error(error) from None
        if self.compression is None:
            return
        self._head = self._head[skipped:]
        self.compressed_size, self.size = self.size, None
        codec = self.compression.removeprefix("vcs+")
        if (extra := lacking_package(codec)) is not None:
            raise UnsupportedError(
                f"{self.name}: compressed with {codec}, which takes a package that is not installed: "
                f"{install_words(extra)}, or decompress the file"
            )
        self._unpacker = Unpacker(codec, self._readinto_raw, single=skipped > 0)
        self._unpacker.consumed = skipped

    def _readinto_raw(self, view: memoryview) -> int:
        if self._head:
            count = min(len(self._head), len(view))
            view[:count] = self._head[:count]
            self._head = self._head[count:]
            return count
        while True:
            try:
                count_or_none = self._raw.readinto(view)
            except OSError as error:
                raise InputError(f"cannot read {self.name}: {_reason(error)}") from None
            if count_or_none is not None:
                return count_or_none
            self._wait()

    def _wait(self) -> None:
        """Wait for a pipe that its owner made non-blocking."""
        if self._fd is None:
            raise InputError(f"cannot read {self.name}: it has no data yet and does not wait")
        waiting = select.poll()
        waiting.register(self._fd, select.POLLIN)
        waiting.poll()

    def _readinto_unpacked(self, view: memoryview) -> int:
        if not self._pending:
            self._pending = memoryview(self._inflate(min(max(len(view), _LEAST_PIECE), _LARGEST_PIECE)))
        count = min(len(self._pending), len(view))
        view[:count] = self._pending[:count]
        self._pending = self._pending[count:]
        return count

    def _inflate(self, limit: int) -> bytes:
        assert self._unpacker is not None
        if self._failure is not None:
            raise self._failure
        try:
            return self._unpacker.read(limit)
        except DamagedStreamError as error:
            self._failure = self._format_error(error)
        except WindowSizeError as error:
            from rdbtool.core.wrappers import INFLATERS  # noqa: PLC0415 - nearly never needed

            allowed = f"more than {error.allowed >> 20} MiB, the most that rdbtool takes for it"
            self._failure = LimitError(
                f"cannot read {self.name}: its {self.compression} data asks for a window of {allowed}",
                remedy=_inflate_with(INFLATERS[self._unpacker.codec], self.name),
            )
        except MemoryError:
            self._failure = LimitError(f"cannot read {self.name}: there is no memory to inflate its {self.compression}")
        raise self._failure

    def _format_error(self, error: DamagedStreamError) -> FormatError:
        where = Where(source=self.name)
        return FormatError(
            "SRC001", error.cause, self.position, error.expected, error.found, file_kind="compressed", where=where
        )


def open_source(target: str | os.PathLike[str] | BinaryIO | bytes, *, name: str | None = None) -> Source:
    """Open ``target`` for reading from its beginning to its end, once.

    ``target`` is a path, ``"-"`` for standard input, an open binary stream (read from where it
    stands, not closed) or bytes. ``name`` is what errors call it, by default the path as given.
    Raises InputError when it cannot be opened or read, UnsupportedError and FormatError for a ``VCS``
    header that is unknown or cut.
    """
    if isinstance(target, bytes):
        return Source(io.BytesIO(target), name or "bytes in memory", owned=True)
    if isinstance(target, str | os.PathLike):
        return _open_path(os.fspath(target), name)
    raw: _Raw = target if hasattr(target, "readinto") else _Reading(target)
    given = getattr(target, "name", None)
    return Source(raw, name or (given if isinstance(given, str) else "a stream"), owned=False)


def _open_path(path: str, name: str | None) -> Source:
    if path == "-":
        return _adopt(0, name or STANDARD_INPUT, path=None, owned=False)
    name = name or path
    try:
        # Not to wait for the writer of a named pipe that may never come.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot open {name}: {_reason(error)}") from None
    return _adopt(fd, name, path=path, owned=True)


def _adopt(fd: int, name: str, *, path: str | None, owned: bool) -> Source:
    """Make a source of an open file descriptor; if that fails, close it again where ``owned`` says so."""
    raw: io.FileIO | None = None
    source = None
    try:
        _refuse(os.fstat(fd).st_mode, fd, name, path)
        if owned:
            os.set_blocking(fd, True)
        raw = io.FileIO(fd, closefd=owned)
        source = Source(raw, name, fd=fd, path=path, owned=owned)
    except OSError as error:
        raise InputError(f"cannot open {name}: {_reason(error)}") from None
    finally:
        if source is None and owned:
            if raw is None:
                os.close(fd)
            else:
                raw.close()
    return source


def _refuse(mode: int, fd: int, name: str, path: str | None) -> None:
    if stat.S_ISDIR(mode):
        raise InputError(
            f"cannot open {name}: it is a directory, give the file in it, such as {name.rstrip('/')}/dump.rdb"
        )
    if path is None and os.isatty(fd):
        raise InputError(f"cannot read {name}: it is a terminal, give a file or pipe the data in")
    if stat.S_ISFIFO(mode) and path is not None and not path.startswith(_PIPES_WELCOME):
        raise InputError(f"cannot open {name}: it is a named pipe, give its data on standard input: - < {name}")


def _inflate_with(command: str, name: str) -> Remedy:
    return Remedy(f": {command} < {shlex.quote(name)} | rdbtool … -", f": inflate it first, as with {command}")


def _identity(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, OSError):
        if error.errno == errno.ENXIO:
            return "it is a socket or a device that is not there"
        if error.errno == errno.EWOULDBLOCK:
            return "another process holds it for itself, such as a rewrite in place"
        return error.strerror or str(error)
    return str(error)


@cache
def _calculate() -> Callable[[bytes | bytearray | memoryview, int], int]:
    from anycrc import Model  # type: ignore[import-untyped]  # noqa: PLC0415 - lazy: it takes 12 ms

    calculate: Callable[[bytes | bytearray | memoryview, int], int] = Model("CRC64-REDIS").calc
    return calculate


def crc64(data: bytes | bytearray | memoryview, previous: int = 0) -> int:
    """Return the checksum of ``data`` appended to bytes whose checksum is ``previous`` (0: nothing before it)."""
    return _calculate()(data, previous)
