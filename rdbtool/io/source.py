"""Input streams: a file, a pipe, an open binary stream or bytes, compressed or not.

One path serves all of them: ``readinto`` fills the caller's buffer by unbuffered reads. No mmap (it cannot read pipes,
and a file truncated meanwhile kills the process) and no seek. Compression is detected by the first bytes, never by the
name, and only one layer is decompressed. Every failure is one of our errors.
"""

from __future__ import annotations

import errno
import io
import os
import stat

from rdbtool.core.cores import jobs, processes
from rdbtool.core.errors import FormatError, InputError, LimitError, Remedy, UnsupportedError
from rdbtool.core.light_tools import cache, partial, suppress
from rdbtool.core.light_typing import TYPE_CHECKING, BinaryIO, Final, Protocol, Self, TypeGuard, TypeVar
from rdbtool.core.location import Where
from rdbtool.io.decompress import (
    PEEK_SIZE,
    DamagedStreamError,
    EndedProcessError,
    UnknownWrapperError,
    Unpacker,
    WindowSizeError,
    detect_compression,
    lacking_package,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from rdbtool.io.ahead import Ahead
    from rdbtool.io.beside import Beside
    from rdbtool.io.shared import Shared

Piece = TypeVar("Piece")

STANDARD_INPUT: Final = "standard input"

#: Bytes decompressed at once: at least this many, so that small reads stay cheap, and at most that many.
_LEAST_PIECE: Final = 64 << 10
_LARGEST_PIECE: Final = 1 << 20

#: Decompressed bytes from which on pieces have one size, and are decompressed beside if there is a core for it.
_LONG: Final = 4 << 20
_PIECE: Final = 512 << 10

#: Bytes from which on a pipe gets a larger buffer: a user has only so much for all pipes.
_WIDE: Final = 1 << 20

#: Named pipes elsewhere may have no writer, and opening them would block; under these names they come from a shell or a
#: caller.
_PIPES_WELCOME: Final = ("/dev/", "/proc/")


#: Schemes of URLs, and the module that knows them: it is imported when one is met, for it stands on a higher floor.
#: It has ``snapshot_path(url)``, the path of a file with the data, and ``show_url(url)``, its name in messages.
OPENERS: Final = dict.fromkeys(("redis", "rediss", "valkey", "valkeys", "unix"), "rdbtool.live.url_source")


class _Raw(Protocol):
    def readinto(self, view: memoryview, /) -> int | None: ...
    def close(self) -> None: ...


class _Reading:
    """Adds ``readinto`` to a caller's stream that has only ``read``."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def readinto(self, view: memoryview, /) -> int:
        data = self._stream.read(len(view))
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Leave the caller's stream open."""


class Source:
    """An open input. Made by ``open_source``; a context manager.

    ``name`` is the user's name for it. ``size`` is the number of bytes that can be read, None if unknown (pipes,
    compressed files). ``compression`` is ``gzip``, ``zstd``, ``lz4``, ``xz``, ``bzip2``, ``vcs+lz4``, ``vcs+zstd`` or
    None; ``compressed_size`` is the size of a compressed file, None for pipes. ``mtime`` is the modification time of a
    regular file (Unix seconds) or None. ``position`` is the number of bytes read so far.
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
        self._ahead: Ahead | Beside | None = None
        self._shared: Shared | None = None
        self._shares = False
        self._failure: FormatError | InputError | LimitError | None = None
        self._identity: tuple[int, int, int, int] | None = None
        self._begin = 0
        self._read = 0
        self._is_wide = False
        self._examine()
        self._detect()

    @property
    def compressed_read(self) -> int | None:
        """Bytes of the compressed file read so far, None without compression."""
        if self._shared is not None:
            return self._shared.place
        if self._ahead is not None:
            return self._ahead.place
        return None if self._unpacker is None else self._unpacker.consumed

    @property
    def ignored_tail(self) -> int:
        """Bytes after the frame of a Valkey ``VCS`` file, which servers ignore. Known at the end."""
        return 0 if self._unpacker is None else self._unpacker.ignored_tail

    def readinto(self, view: memoryview) -> int:
        """Fill the beginning of ``view`` (writable, not empty) and return the number of bytes, 0 at the end.

        May return fewer bytes than requested before the end. Raises InputError if reading fails, FormatError SRC001 if
        compressed data is damaged or truncated, LimitError if decompressing needs more memory than available or
        allowed.
        """
        count = self._readinto_raw(view) if self._unpacker is None else self._readinto_unpacked(view)
        self.position += count
        return count

    @property
    def again(self) -> str | bytes | None:
        """Return what ``open_source`` needs to open the same data: the path of a regular file, or bytes; else None."""
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
        elif self._shared is None:
            self._pending = memoryview(data + bytes(self._pending))
        return data

    @property
    def can_reread(self) -> bool:
        """Whether ``reread`` is possible: for bytes, and for a regular file that is not compressed."""
        return self.compression is None and (isinstance(self._raw, io.BytesIO) or self._identity is not None)

    def share(self) -> bool:
        """Let copies of this process read what another one decompresses, soon; return False if that cannot be.

        From then on what ``holds`` can be read again, until ``need`` says that only what follows is needed.
        """
        unpacker = self._unpacker
        if unpacker is None or unpacker.is_single or self._ahead is not None or self._failure is not None:
            return False
        if self._identity is None or not self._owned or processes() == 1:
            return False
        from rdbtool.io.shared import can_share  # noqa: PLC0415 - for large files only

        self._shares = can_share()
        return self._shares

    def holds(self, at: int) -> bool:
        """Whether the data at offset ``at`` can be read again."""
        return self.can_reread or (self._shared is not None and self._shared.holds(at))

    def need(self, at: int) -> None:
        """Keep data from offset ``at`` on for reading again, none before it."""
        if self._shared is not None:
            self._shared.need(at)

    def enter(self, begin: int) -> None:
        """In a copy of the process, before it reads again from offset ``begin`` on: it needs what follows."""
        if self._shared is not None:
            self._shared.enter(begin)

    def reread(self, view: memoryview, at: int) -> int:
        """Fill the beginning of ``view`` with the data at offset ``at``; return the number of bytes, 0 at the end.

        Does not move the position of ``readinto``. Raises InputError.
        """
        if self._shared is not None:
            return self._shared.read(view, at)
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

    def seek(self, at: int) -> None:
        """Move to offset ``at`` of an input that can be read again. Raises InputError."""
        self._head = b""
        try:
            if self._shared is not None:
                pass
            elif isinstance(self._raw, io.BytesIO):
                self._raw.seek(self._begin + at)
            else:
                assert self._fd is not None
                os.lseek(self._fd, self._begin + at, os.SEEK_SET)
        except OSError as error:
            raise InputError(f"cannot read {self.name}: {_reason(error)}") from None
        self.position = at

    def ending(self, size: int) -> bytes:
        """Return the last bytes of bytes or of a regular file opened by path; nothing for other inputs."""
        if self.compression is not None or not self._owned:
            return b""
        if isinstance(self._raw, io.BytesIO):
            return bytes(self._raw.getbuffer()[-size:])
        if self._fd is None or self._identity is None:
            return b""
        # The later read reports why it cannot be read.
        with suppress(OSError):
            return os.pread(self._fd, size, max(0, self._identity[2] - size))
        return b""

    def report_as(self, origin: Source) -> None:
        """Report the sizes and the time of the file that this input's bytes were made from."""
        self.size, self.compression, self.mtime = origin.size, origin.compression, origin.mtime
        self.compressed_size = origin.compressed_size

    def find(self, text: bytes, at: int) -> int | None:
        """Return the offset of ``text`` from ``at`` on in bytes, or in a regular file opened by path; -1: not found.

        None if this would consume the input. Raises InputError.
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
        """Refresh the size of a file of which nothing was consumed: it may have grown since it was opened."""
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
        """Raise InputError if a regular file was replaced or changed since it was opened."""
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
        if self._ahead is not None:
            self._ahead.close()
            self._ahead = None
        if self._shared is not None:
            self._shared.close()
            self._shared = None
        if self._owned:
            # Errors on closing a file that was only read do not matter.
            with suppress(OSError):
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
        self._is_wide = True
        self.mtime = status.st_mtime
        # Standard input may be a file that was partly read.
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
            from rdbtool.core.distribution import install_words  # noqa: PLC0415 - for an error only

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
                self._read += count_or_none
                if self._read > _WIDE and self._fd is not None and not self._is_wide:
                    self._is_wide = True
                    from rdbtool.io.pipes import widen  # noqa: PLC0415 - for pipes only

                    widen(self._fd)
                return count_or_none
            self._wait()

    def _wait(self) -> None:
        """Wait for a pipe that its owner made non-blocking."""
        if self._fd is None:
            raise InputError(f"cannot read {self.name}: it has no data yet and does not wait")
        import select  # noqa: PLC0415 - for pipes only

        waiting = select.poll()
        waiting.register(self._fd, select.POLLIN)
        waiting.poll()

    def _readinto_unpacked(self, view: memoryview) -> int:
        if (shared := self._shared) is not None:
            return self._guarded(lambda: shared.read_on(view, self.position))
        if not self._pending:
            is_long = self.position >= _LONG
            if is_long and self._shares and self._begin_sharing():
                return self._readinto_unpacked(view)
            limit = _PIECE if is_long else min(max(len(view), _LEAST_PIECE), _LARGEST_PIECE)
            self._pending = memoryview(self._inflate(limit, may_wait=is_long))
        count = min(len(self._pending), len(view))
        view[:count] = self._pending[:count]
        self._pending = self._pending[count:]
        return count

    def _begin_sharing(self) -> bool:
        from rdbtool.io.shared import Shared  # noqa: PLC0415 - for large files only

        assert self._unpacker is not None
        unpacker = self._unpacker
        self._shares = False
        with suppress(OSError):
            self._shared = Shared(partial(unpacker.read, _PIECE), lambda: unpacker.consumed, self.position)
        return self._shared is not None

    def _inflate(self, limit: int, *, may_wait: bool) -> bytes:
        assert self._unpacker is not None
        # A thread that waits for a pipe could not be ended.
        if may_wait and self._ahead is None and self._identity is not None and self._owned and jobs() > 1:
            unpacker = self._unpacker
            # What follows the frame of a VCS file is counted where it is read.
            may_fork = not unpacker.is_single
            self._ahead = _read_ahead(partial(unpacker.read, _PIECE), lambda: unpacker.consumed, may_fork=may_fork)
        unpacker, ahead = self._unpacker, self._ahead
        return self._guarded(ahead.take if ahead is not None else lambda: unpacker.read(limit))

    def _guarded(self, read: Callable[[], Piece]) -> Piece:
        """Return what ``read`` does; if it raises, raise our error, now and whenever it is called again."""
        assert self._unpacker is not None
        if self._failure is not None:
            raise self._failure
        try:
            return read()
        except DamagedStreamError as error:
            self._failure = self._format_error(error)
        except WindowSizeError as error:
            from rdbtool.core.wrappers import INFLATERS  # noqa: PLC0415 - nearly never needed

            allowed = f"more than {error.allowed >> 20} MiB, the most that rdbtool allows"
            self._failure = LimitError(
                f"cannot read {self.name}: its {self.compression} data needs a window of {allowed}",
                remedy=_inflate_with(INFLATERS[self._unpacker.codec], self.name),
            )
        except EndedProcessError:
            self._failure = InputError(
                f"cannot read {self.name}: the process that decompresses it was ended, for lack of memory perhaps",
                remedy=Remedy(": --jobs 1 needs no other process", ""),
            )
        except MemoryError:
            self._failure = LimitError(
                f"cannot read {self.name}: not enough memory to decompress its {self.compression}"
            )
        raise self._failure

    def _format_error(self, error: DamagedStreamError) -> FormatError:
        where = Where(source=self.name)
        return FormatError(
            "SRC001", error.cause, self.position, error.expected, error.found, file_kind="compressed", where=where
        )


def _read_ahead(read: Callable[[], bytes], tell: Callable[[], int], *, may_fork: bool) -> Ahead | Beside:
    """Return what reads ahead: a process if there may be one, else a thread."""
    if may_fork and processes() > 1:
        from rdbtool.io.beside import Beside  # noqa: PLC0415 - for large files only

        with suppress(OSError):
            return Beside(read, tell)
    from rdbtool.io.ahead import Ahead  # noqa: PLC0415 - likewise

    return Ahead(read, tell)


def open_source(target: str | os.PathLike[str] | BinaryIO | bytes, *, name: str | None = None) -> Source:
    """Open ``target`` for reading from its beginning to its end, once.

    ``target`` is a path, ``"-"`` for standard input, an open binary stream (read from its position, not closed) or
    bytes. ``name`` is used in errors, by default the path as given. Raises InputError if it cannot be opened or read,
    UnsupportedError and FormatError for an unknown or truncated ``VCS`` header.
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
    if (opener := OPENERS.get(path.partition("://")[0])) is not None and "://" in path:
        from importlib import import_module  # noqa: PLC0415 - for URLs only

        module = import_module(opener)
        name = name if name not in {None, path} else module.show_url(path)
        path = module.snapshot_path(path)
    name = name or path
    try:
        # Do not block on a named pipe without a writer.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot open {name}: {_reason(error)}") from None
    return _adopt(fd, name, path=path, owned=True)


def _adopt(fd: int, name: str, *, path: str | None, owned: bool) -> Source:
    """Make an input of an open file descriptor; on failure, close it if ``owned``."""
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
    import shlex  # noqa: PLC0415 - for an error only

    return Remedy(f": {command} < {shlex.quote(name)} | rdbtool … -", f": decompress it first, as with {command}")


def _identity(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, OSError):
        if error.errno == errno.ENXIO:
            return "it is a socket or a device that is not there"
        if error.errno == errno.EWOULDBLOCK:
            return "another process holds it for itself, such as a rewrite in place"
        return error.strerror or str(error)
    # A zero byte, or what the encoding of file names lacks: each Python has its own words for it.
    return "no file can have such a name"


@cache
def _calculate() -> Callable[[bytes | bytearray | memoryview, int], int]:
    from rdbtool.io import own_crc64  # noqa: PLC0415 - not needed for every input

    if own_crc64.IS_FAST:
        return own_crc64.crc64
    from anycrc import Model  # type: ignore[import-untyped]  # noqa: PLC0415 - lazy: it takes 12 ms

    calculate: Callable[[bytes | bytearray | memoryview, int], int] = Model("CRC64-REDIS").calc
    return calculate


def is_directory(target: object) -> TypeGuard[str | os.PathLike[str]]:
    """Whether an input is the path of a directory."""
    return stat.S_ISDIR(_mode_of(target))


def is_regular(target: object) -> TypeGuard[str | os.PathLike[str]]:
    """Whether an input is the path of a regular file."""
    return stat.S_ISREG(_mode_of(target))


def _mode_of(target: object) -> int:
    """Return the mode of a path, 0 if there is none; without pathlib, which takes 2 ms to import."""
    if not isinstance(target, str | os.PathLike) or target == "-":
        return 0
    try:
        return os.stat(target).st_mode  # noqa: PTH116 - as above
    except (OSError, ValueError):
        return 0


def crc64(data: bytes | bytearray | memoryview, previous: int = 0) -> int:
    """Return the checksum of ``data`` appended to bytes whose checksum is ``previous`` (0: nothing before it)."""
    return _calculate()(data, previous)
