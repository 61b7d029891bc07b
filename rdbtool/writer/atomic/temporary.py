"""Files and directories under construction, under a temporary name until they are complete.

They are removed when the ``with`` block ends, for whatever reason, unless they were renamed into place. Whether they
were is asked of the file system, never remembered: a signal may arrive between a call and the record of it.

An unfinished file has a name like ``.dump.rdb.0123456789abcdef.rdbtool.tmp``, beside its target, and is locked (flock)
while its writer lives. A lock ends with its process: a name whose lock is free is a leftover. Names that end in
``.old`` are second names of files that are about to be replaced; they are not locked, because opening such a file could
break a lease: they belong to the writer of the others. Removing leftovers of killed runs is best effort: failures are
ignored.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

from rdbtool.core.errors import InputError
from rdbtool.core.light_typing import BinaryIO, Final, Literal, Self
from rdbtool.core.manifest import Manifest
from rdbtool.core.patterns import pattern
from rdbtool.writer.atomic.disk import close_quietly, copy_file, link
from rdbtool.writer.atomic.failures import failed, failures_of

#: How often a temporary file may be removed as a leftover between its creation and its lock before this is an error.
_ATTEMPTS: Final = 100

#: All permission bits.
ANY_MODE: Final = 0o7777


class Temporary:
    """A file that will become ``target``, created with ``mode`` less the umask. ``name`` is its name in errors.

    Its ``descriptor`` is for writing until ``finish``.
    """

    def __init__(self, target: Path, name: str, mode: int) -> None:
        self.target = target
        self.name = name
        self.path = make_name(target, "tmp")
        self.descriptor = -1
        self._mode = mode
        self._lock = -1
        self._status: os.stat_result | None = None
        self._keeps_loan: Callable[[], bool] | None = None
        # Only saves a system call: if a signal came before it was set, the name is looked up.
        self._is_renamed = False

    def __enter__(self) -> Self:
        # Inside the try: a signal may arrive as soon as the file exists.
        try:
            with failures_of(self.name):
                self._make()
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return self

    def _make(self) -> None:
        for _ in range(_ATTEMPTS):
            self.descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, self._mode)
            if lock(self.descriptor) is not False and is_named(self.descriptor, self.path):
                # The lock belongs to the open file: it lasts as long as one of its descriptors.
                self._lock = os.dup(self.descriptor)
                self._status = os.fstat(self.descriptor)
                return
            self._close()
            self.path = make_name(self.target, "tmp")
        raise InputError(f"cannot write to {self.name}: temporary files beside it keep vanishing")

    def finish(self, like: os.stat_result | None, *, owner_needed: bool = False, permitted: int = ANY_MODE) -> None:
        """End writing: set owner and mode as ``like`` has them, sync, close. Raises InputError.

        Only the mode bits in ``permitted`` are kept. If the owner cannot be set, ``owner_needed`` raises; else it
        raises only if the data would become readable to a group that could not read it.
        """
        with failures_of(self.name):
            if like is not None:
                _make_like(self.descriptor, like, self.name, owner_needed=owner_needed, permitted=permitted)
            os.fsync(self.descriptor)
            self._close()

    def has(self, path: Path) -> bool:
        """Whether this file has the name ``path``."""
        try:
            return self._status is not None and os.path.samestat(self._status, path.lstat())
        except OSError:
            return False

    def replace(self) -> None:
        """Rename over the target. Raises InputError."""
        with failures_of(self.name):
            self.path.replace(self.target)
        self._is_renamed = True

    def give_name(self) -> None:
        """Rename to the target, which must not exist. Raises InputError."""
        with failures_of(self.name):
            if not link(self.path, self.target):
                # A race remains between the look and the rename.
                if os.path.lexists(self.target):
                    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
                self.path.replace(self.target)
                self._is_renamed = True

    def lend_name(self, keep: Callable[[], bool]) -> None:
        """Rename to the target, which must not exist, until the block ends; for good if ``keep()`` is true then.

        With hard links, the temporary name remains beside it until then, and after a kill shows that the target was
        ours. Raises InputError.
        """
        self._keeps_loan = keep
        self.give_name()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            # The temporary name is removed last: if removing the other fails, it marks the file for the next run.
            if self._keeps_loan is not None and self.has(self.target) and not self._keeps_loan():
                self.target.unlink(missing_ok=True)
            if not self._is_renamed:
                self.path.unlink(missing_ok=True)
        except OSError as failure:
            if kind is None:
                raise failed(self.name, failure) from failure
        finally:
            self._lock = close_quietly(self._lock)
            self.descriptor = close_quietly(self.descriptor)

    def _close(self) -> None:
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


class TemporaryDirectory:
    """A directory that will become ``target``, containing only files."""

    def __init__(self, target: Path, name: str) -> None:
        self.target = target
        self.name = name
        self.path = make_name(target, "tmp")
        self._lock = -1
        self._status: os.stat_result | None = None
        self._is_renamed = False

    def __enter__(self) -> Self:
        try:
            with failures_of(self.name):
                self._make()
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return self

    def _make(self) -> None:
        for _ in range(_ATTEMPTS):
            self.path.mkdir()
            with contextlib.suppress(FileNotFoundError):
                self._lock = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                if lock(self._lock) is not False and is_named(self._lock, self.path):
                    self._status = os.fstat(self._lock)
                    return
                os.close(self._lock)
                self._lock = -1
            self.path = make_name(self.target, "tmp")
        raise InputError(f"cannot write to {self.name}: temporary directories beside it keep vanishing")

    def has(self, path: Path) -> bool:
        """Whether this directory has the name ``path``."""
        try:
            return self._status is not None and os.path.samestat(self._status, path.lstat())
        except OSError:
            return False

    def give_name(self) -> None:
        """Rename to the target, where nothing or an empty directory may exist. Raises InputError."""
        with failures_of(self.name):
            self.path.rename(self.target)
        self._is_renamed = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if not self._is_renamed:
                remove_path(self.path)
        except OSError as failure:
            if kind is None:
                raise failed(self.name, failure) from failure
        finally:
            self._lock = close_quietly(self._lock)


class SecondName:
    """A second name, for the length of a block, of a file that is about to be replaced or removed.

    It allows a rollback, and after a kill shows what the file was. Without hard links, ``path`` is a copy, made with
    ``open_source`` (see ``copy_file``), if ``copies``, else None. It stays when the block ends, for the next run to
    find, if the file still has its first name then and ``stays()`` is true.
    """

    def __init__(
        self,
        target: Path,
        name: str,
        *,
        copies: bool,
        open_source: Callable[[], BinaryIO] | None = None,
        stays: Callable[[], bool] | None = None,
    ) -> None:
        self.target = target
        self.name = name
        self.path: Path | None = make_name(target, "old")
        self.copies = copies
        self._open_source = open_source
        self._stays = stays
        self._status: os.stat_result | None = None

    def __enter__(self) -> Self:
        assert self.path is not None
        try:
            with failures_of(self.name):
                if not link(self.target, self.path):
                    if self.copies:
                        copy_file(self.target, self.path, self._open_source)
                    else:
                        self.path = None
                if self.path is not None:
                    self._status = self.path.lstat()
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return self

    def was(self, status: os.stat_result) -> bool:
        """Whether ``status`` is that of the file which has, or had, this name."""
        return self._status is not None and os.path.samestat(self._status, status)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            is_needed = self._stays is not None and os.path.lexists(self.target) and self._stays()
            if self.path is not None and not is_needed:
                self.path.unlink(missing_ok=True)
        except OSError as failure:
            if kind is None:
                raise failed(self.name, failure) from failure


def _make_like(
    descriptor: int, like: os.stat_result, name: str, *, owner_needed: bool, permitted: int = ANY_MODE
) -> None:
    """Set a file's owner, group and then, once these are certain, its mode, like another's."""
    mode = stat.S_IMODE(like.st_mode) & permitted
    made = os.fstat(descriptor)
    if (made.st_uid, made.st_gid) != (like.st_uid, like.st_gid) and not _chown(descriptor, like.st_uid, like.st_gid):
        if owner_needed:
            raise InputError(
                f"cannot write to {name}: its owner and group ({like.st_uid}:{like.st_gid}) cannot be kept: "
                "run as that user or as root"
            )
        is_group_kept = made.st_gid == like.st_gid or _chown(descriptor, -1, like.st_gid)
        # What the group may do and others may not.
        if not is_group_kept and mode >> 3 & ~mode & 0o7:
            raise InputError(
                f"cannot write to {name}: its group ({like.st_gid}) cannot be kept, and another group would get "
                "what was that group's alone"
            )
        mode &= 0o777
    if stat.S_IMODE(made.st_mode) != mode:
        os.fchmod(descriptor, mode)


def _chown(descriptor: int, user: int, group: int) -> bool:
    try:
        os.fchown(descriptor, user, group)
    except OSError as error:
        # EINVAL: an owner that does not exist within this container.
        if error.errno not in {errno.EPERM, errno.EINVAL}:
            raise
        return False
    return True


_SUFFIX: Final = pattern(r"\.[0-9a-f]{16}\.rdbtool\.(?:tmp|old)\Z")

#: Bytes of the target's name within a temporary one; some file systems allow 143 in total.
_LONGEST: Final = 100

#: Errors of file systems without such locks.
_NO_LOCKS: Final = {errno.EBADF, errno.EINVAL, errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}

#: Flags for opening a name that may be anything by now: neither follow nor block.
OPEN_CAREFULLY: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def make_name(target: Path, kind: Literal["tmp", "old"]) -> Path:
    """Return a new temporary name beside ``target``."""
    return target.with_name(f"{_beginning(target.name)}.{os.urandom(8).hex()}.rdbtool.{kind}")


def is_second_name(path: Path) -> bool:
    """Whether a temporary name is that of a file which was about to be replaced."""
    return path.name.endswith(".old")


def list_temporaries(directory: Path) -> list[Path]:
    """Return everything in ``directory`` that has a temporary name and belongs to this user (root: to anybody)."""
    try:
        names = sorted(entry.name for entry in os.scandir(directory) if _SUFFIX.search(entry.name))
    except OSError:
        return []
    return [path for name in names if name.startswith(".") and _is_own(path := directory / name)]


def remove_stale(target: Path) -> None:
    """Remove leftovers of killed runs that wrote ``target``. The target itself is not opened."""
    beginning = _beginning(target.name)
    found = [path for path in list_temporaries(target.parent) if _SUFFIX.sub("", path.name) == beginning]
    firsts = [path for path in found if not is_second_name(path)]
    are_dead = [remove_if_dead(path, watched=target) for path in firsts]
    # A live writer may need the second name.
    if all(are_dead):
        for path in found:
            if is_second_name(path):
                with contextlib.suppress(OSError):
                    path.unlink()


def remove_if_dead(path: Path, *, watched: Path) -> bool:
    """Remove the temporary ``path`` and return True, unless its writer lives.

    ``watched`` is not opened, by any name.
    """
    try:
        if is_same(path, watched):
            path.unlink()
            return True
        with lock_orphan(path) as is_dead:
            if is_dead:
                remove_path(path)
            return is_dead
    except OSError:
        return False


@contextlib.contextmanager
def lock_orphan(path: Path) -> Iterator[bool]:
    """Lock the temporary ``path``; False if another process has locked it, or locks are unsupported."""
    descriptor = os.open(path, OPEN_CAREFULLY)
    try:
        yield lock(descriptor) is True and is_named(descriptor, path)
    finally:
        os.close(descriptor)


def lock(descriptor: int) -> bool | None:
    """Lock an open file: True if it is locked now, False if another process has it, None if locks are unsupported."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return None
        raise
    return True


def is_named(descriptor: int, path: Path) -> bool:
    """Whether an open file still has the name ``path``."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


def is_same(one: Path, other: Path) -> bool:
    """Whether two names are the same file; False if one does not exist."""
    try:
        return os.path.samestat(one.lstat(), other.lstat())
    except OSError:
        return False


def remove_path(path: Path) -> None:
    """Remove a file, or a directory with its files. Raises OSError; a missing one is fine."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        # Errors for a directory: Linux the one, other systems the other.
        if error.errno not in {errno.EISDIR, errno.EPERM} or not path.is_dir():
            raise
        for inner in list(path.iterdir()):
            inner.unlink(missing_ok=True)
        path.rmdir()


def _beginning(name: str) -> str:
    cut = os.fsencode(name)
    return "." + (name if len(cut) <= _LONGEST else cut[:_LONGEST].decode("utf-8", "ignore"))


def _is_own(path: Path) -> bool:
    try:
        status = path.lstat()
    except OSError:
        return False
    is_ours = os.geteuid() in {0, status.st_uid}
    return is_ours and (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode))


def clean_strays(directory: Path, manifest: Manifest | None = None) -> None:
    """Remove leftovers of killed runs from an AOF's directory: temporary names, and files that only they account for.

    What ``manifest`` names stays. Without a manifest there is no AOF: new files for one are removed, old files that
    were about to be replaced stay. Failures are ignored.
    """
    named = set() if manifest is None else {Path(manifest.path).name, *(entry.name for entry in manifest.entries)}
    found = list_temporaries(directory)
    firsts = [path for path in found if not is_second_name(path)]
    are_dead = [_clean_first(path, directory, named) for path in firsts]
    # A live writer may need the second names.
    if all(are_dead):
        for path in found:
            if is_second_name(path):
                with contextlib.suppress(OSError):
                    _clean(path, directory, named, twins=manifest is not None)


def _clean_first(path: Path, directory: Path, named: set[str]) -> bool:
    """Remove a temporary name of a new file, and the file unless the AOF has it; False if its writer lives."""
    try:
        if any(is_same(path, directory / name) for name in named):
            # Not opened: that could break a lease.
            path.unlink()
            return True
        with lock_orphan(path) as is_dead:
            if is_dead:
                _clean(path, directory, named, twins=True)
            return is_dead
    except OSError:
        return False


def _clean(path: Path, directory: Path, named: set[str], *, twins: bool) -> None:
    """Remove a temporary name, and before it the file's other names unless an AOF has it."""
    if twins and path.lstat().st_nlink > 1 and not any(is_same(path, directory / name) for name in named):
        for entry in list(os.scandir(directory)):
            if entry.name != path.name and is_same(path, directory / entry.name):
                (directory / entry.name).unlink()
    remove_path(path)
