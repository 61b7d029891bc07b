"""A file of a guarded log: held open for reading, leased, and remembered as it was.

Whoever wants its bytes reads them through the descriptor that the lease is on, since to open the file once more would
break the lease; a stream reads by offset, so any number of them do not disturb each other.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, Self

from rdbtool.core.errors import InputError
from rdbtool.writer.atomic.disk import close_quietly
from rdbtool.writer.exclusive.holders import HeldError, Identity
from rdbtool.writer.exclusive.leases import BusyError, Lease

_PIECE: Final = 1 << 16


class GuardedFile:
    """A file of the log: held open for reading, leased, and remembered as it was."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.descriptor = descriptor
        self.lease = Lease(descriptor)
        self._before = _state(os.fstat(descriptor))

    @classmethod
    @contextlib.contextmanager
    def open(cls, path: Path) -> Iterator[Self]:
        """Open a file for the length of a ``with`` block, which the lease outlives in no case."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        except OSError as error:
            if error.errno == errno.EWOULDBLOCK:
                raise HeldError(f"{path} is reserved by another process: wait for its end") from None
            raise InputError(f"cannot open {path}: {error.strerror or error}") from None
        try:
            file = cls(path, descriptor)
            try:
                yield file
            finally:
                file.lease.release()
        finally:
            # It was only read: nothing can be lost that closing could tell of.
            close_quietly(descriptor)

    @property
    def identity(self) -> Identity:
        """Device and inode."""
        return self._before[0], self._before[1]

    def stream(self) -> BinaryIO:
        """Return a stream over the file, from its beginning."""
        return io.BufferedReader(_Stream(os.dup(self.descriptor), str(self.path)), _PIECE)

    def let_read(self) -> None:
        """Turn the write lease into a read lease, if there is one. Raises HeldError if it was broken just now."""
        if self.lease.is_held:
            # Directly before: a reader that waits is let in and forgotten by the change.
            self.check_lease()
            # Who waits to write is counted as a writer already.
            with contextlib.suppress(BusyError):
                self.lease.take("read")
            self.check_lease()

    def check_lease(self) -> None:
        """Raise HeldError if the lease was broken."""
        if self.lease.is_broken():
            raise HeldError(f"another process, perhaps a server that starts, has begun to open {self.path}")

    def word_use(self) -> str:
        """Say what a file is open for after a write lease was refused: a read lease is refused only for writers."""
        try:
            self.lease.take("read")
        except BusyError:
            return " for writing"
        return ""

    def check_unchanged(self) -> None:
        """Raise HeldError if the name is now that of another file, or the file has another size or time."""
        try:
            # Of the name, through links, as a server would open it.
            now = _state(self.path.stat())
        except OSError as error:
            raise HeldError(f"{self.path} changed meanwhile: {error.strerror or error}") from None
        if now[:2] != self._before[:2]:
            raise HeldError(f"{self.path} was replaced by another file meanwhile: something writes to this log")
        if now != self._before:
            raise HeldError(f"{self.path} changed meanwhile: something writes to it")

    def read(self, limit: int | None = None) -> bytes:
        """Return all bytes of the file, or the first of them; opening it for that would break the lease."""
        data = bytearray()
        while limit is None or len(data) < limit:
            size = _PIECE if limit is None else limit - len(data)
            try:
                piece = os.pread(self.descriptor, size, len(data))
            except OSError as error:
                raise InputError(f"cannot read {self.path}: {error.strerror or error}") from None
            if not piece:
                break
            data += piece
        return bytes(data)


class _Stream(io.RawIOBase):
    """Reads by offset: the position of the descriptor is shared with all its duplicates."""

    def __init__(self, descriptor: int, name: str) -> None:
        self.name = name
        self._descriptor = descriptor
        self._at = 0

    def readable(self) -> bool:
        return True

    def readinto(self, view: memoryview, /) -> int:  # type: ignore[override]  # narrower than any buffer
        data = os.pread(self._descriptor, len(view), self._at)
        view[: len(data)] = data
        self._at += len(data)
        return len(data)

    def fileno(self) -> int:
        # Whoever asks would read from the shared position.
        raise io.UnsupportedOperation("fileno")

    def close(self) -> None:
        if not self.closed:
            close_quietly(self._descriptor)
        super().close()


def find_identity(path: Path) -> Identity | None:
    """Return device and inode of what a name stands for, None where that is nothing."""
    try:
        return _state(path.stat())[:2]
    except OSError:
        return None


def _state(status: os.stat_result) -> tuple[int, int, int, int]:
    # Not the time of the last change of the inode: hard links for a backup change it.
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
