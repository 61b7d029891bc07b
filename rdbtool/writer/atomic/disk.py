"""System calls on files and names, with our errors, and fallbacks for file systems without some of them."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from rdbtool.core.errors import InputError
from rdbtool.core.light_typing import BinaryIO, Final, Self
from rdbtool.writer.atomic.failures import failures_of

#: Errors of file systems without hard links, or with too many; also for files that the user may not link.
_NO_LINKS: Final = {errno.EPERM, errno.EACCES, errno.EXDEV, errno.EMLINK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}

_NO_SYNC: Final = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EBADF}


def real_path(path: str | os.PathLike[str]) -> Path:
    """Return the absolute path that links lead to; a loop of links is left to what opens it.

    Raises InputError for a name that no file can have.
    """
    try:
        return Path(os.path.realpath(path))
    except ValueError:
        raise InputError(f"{os.fspath(path)}: no file can have such a name") from None


class Directory:
    """A directory whose entries will change; opened before, so that it can be synced afterwards."""

    def __init__(self, path: Path, name: str) -> None:
        self.path = path
        self.name = name
        self._descriptor = -1

    def __enter__(self) -> Self:
        with failures_of(self.name):
            self._descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        return self

    def sync(self) -> None:
        """Sync the directory entries. Raises InputError. Some file systems have no such call: that is ignored."""
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            if error.errno not in _NO_SYNC:
                # The entries may have changed already: the message must not say that nothing was written.
                raise InputError(f"cannot flush {self.path} to the disk: {error.strerror or error}") from error

    def __exit__(self, *_: object) -> None:
        self._descriptor = close_quietly(self._descriptor)


def link(path: Path, target: Path) -> bool:
    """Give a file a second name; False if impossible. Raises OSError, FileExistsError too."""
    try:
        target.hardlink_to(path)
    except OSError as error:
        if error.errno in _NO_LINKS:
            return False
        raise
    return True


def copy_file(path: Path, target: Path, open_source: Callable[[], BinaryIO] | None = None) -> None:
    """Copy a file to an unused name, with mode, times and, if allowed, owner; synced.

    ``open_source`` opens it where an ordinary open would break a lease. Raises OSError.
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
    """Open a file for reading; if a lease is held on it, raise BlockingIOError instead of waiting."""
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb", buffering=0)


def close_quietly(descriptor: int) -> int:
    """Close a descriptor, if it is one, and ignore errors; return the value of a closed one."""
    if descriptor >= 0:
        with contextlib.suppress(OSError):
            os.close(descriptor)
    return -1


def check_space(directory: Path, needs: int | None, name: str) -> None:
    """Raise InputError if ``needs`` bytes do not fit. None, and file systems without counts, pass.

    Space reserved for root counts as used. Quotas are not checked: writing meets them.
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


_OWNER: Final = 0o7700
_ALL: Final = 0o777

_STANDARD_INPUT: Final = 0

_MANIFESTS: Final = "*.manifest"


def permitted_mode(sources: Iterable[str], group: int) -> int:
    """Return the permission bits allowed for an output that belongs to ``group`` and is made of ``sources``.

    For a directory or a manifest, the files of the AOF count. What is not a file, or cannot be examined, allows all
    bits.
    """
    allowed = _ALL
    for source in sources:
        for status in _statuses(source):
            mode = stat.S_IMODE(status.st_mode) & _ALL
            if status.st_gid != group:
                # What others may not, this group may not.
                mode &= ~0o070 | (mode & 0o007) << 3
            allowed &= mode
    return allowed | _OWNER


def group_in(directory: Path) -> int:
    """Return the group that a new file in a directory will have."""
    status = directory.stat()
    return status.st_gid if status.st_mode & stat.S_ISGID else os.getegid()


def _statuses(source: str) -> Iterator[os.stat_result]:
    """Yield the status of each regular file of an input."""
    with contextlib.suppress(OSError):
        if source == "-":
            found = [os.fstat(_STANDARD_INPUT)]
        else:
            path = Path(source)
            files = _files_of(path) if path.is_dir() else [path]
            if path.match(_MANIFESTS):
                files = _files_of(real_path(path).parent)
            found = [file.stat() for file in files]
        yield from (status for status in found if stat.S_ISREG(status.st_mode))


def _files_of(directory: Path) -> list[Path]:
    """Return the files beside the manifests in a directory or one level below, else those of the directory."""
    manifests = [*directory.glob(_MANIFESTS), *directory.glob(f"*/{_MANIFESTS}")]
    homes = {manifest.parent for manifest in manifests} or {directory}
    return [file for home in homes for file in home.iterdir() if file.is_file()]
