"""Calls that change files and names, with the errors of this project, and with what some file systems lack."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final, Self

from rdbtool.core.errors import InputError

#: What file systems without hard links, or with enough of them, answer; also for files that are not ours to link.
_NO_LINKS: Final = {errno.EPERM, errno.EACCES, errno.EXDEV, errno.EMLINK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}

_NO_SYNC: Final = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EBADF}


def failed(name: str, error: OSError) -> InputError:
    """Return the error that says that ``name`` could not be written."""
    return InputError(f"cannot write to {name}: {error.strerror or error}")


@contextlib.contextmanager
def failures_of(name: str) -> Iterator[None]:
    """Turn a failing system call on an output into an InputError."""
    try:
        yield
    except OSError as error:
        raise failed(name, error) from error


class Directory:
    """A directory whose names are going to change; opened before they do, so that they can be flushed to the disk."""

    def __init__(self, path: Path, name: str) -> None:
        self.path = path
        self.name = name
        self._descriptor = -1

    def __enter__(self) -> Self:
        with failures_of(self.name):
            self._descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        return self

    def sync(self) -> None:
        """Flush the names to the disk. Raises InputError. Some file systems have no such call: that is fine."""
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            if error.errno not in _NO_SYNC:
                # The names may have changed already: this is not that nothing was written.
                raise InputError(f"cannot flush {self.path} to the disk: {error.strerror or error}") from error

    def __exit__(self, *_: object) -> None:
        self._descriptor = close_quietly(self._descriptor)


def link(path: Path, target: Path) -> bool:
    """Give a file a second name; False where that cannot be. Raises OSError, FileExistsError too."""
    try:
        target.hardlink_to(path)
    except OSError as error:
        if error.errno in _NO_LINKS:
            return False
        raise
    return True


def copy_file(path: Path, target: Path, open_source: Callable[[], BinaryIO] | None = None) -> None:
    """Copy a file to a name that must be free, with mode, times and, if that may be, owner; on the disk then.

    ``open_source`` opens it where another opening would disturb whoever watches over it (a lease). Raises OSError.
    """
    status = path.stat()
    with open_unwatched(path) if open_source is None else open_source() as source:
        copy = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            while data := source.read(1 << 20):
                rest = memoryview(data)
                while rest:
                    rest = rest[os.write(copy, rest) :]
            with contextlib.suppress(PermissionError):
                os.fchown(copy, status.st_uid, status.st_gid)
            os.fchmod(copy, stat.S_IMODE(status.st_mode))
            os.utime(copy, ns=(status.st_atime_ns, status.st_mtime_ns))
            os.fsync(copy)
        finally:
            os.close(copy)


def open_unwatched(path: Path) -> BinaryIO:
    """Open a file for reading; where somebody watches over that, raise BlockingIOError instead of waiting for them."""
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb", buffering=0)


def close_quietly(descriptor: int) -> int:
    """Close a descriptor that nothing depends on any more, if it is one; return what is none."""
    if descriptor >= 0:
        with contextlib.suppress(OSError):
            os.close(descriptor)
    return -1


def check_space(directory: Path, needs: int | None, name: str) -> None:
    """Refuse to begin where ``needs`` bytes do not fit. None, and a file system that does not count, say nothing.

    What only root may use counts as taken. Quotas are not seen: writing meets them. Raises InputError.
    """
    if needs is None:
        return
    try:
        system = os.statvfs(directory)
    except OSError as error:
        raise InputError(f"cannot write to {name}: {error.strerror or error}") from error
    free = system.f_bavail * system.f_frsize
    if system.f_blocks and needs > free:
        raise InputError(f"cannot write to {name}: it needs {needs} bytes, and {free} are free")
