"""Files and directories in the making: under a temporary name until everything about them is right.

They are gone when the ``with`` block ends, whatever ended it, unless they got their name by then. Whether they did is
asked of the file system, never remembered: a signal may arrive between a call and the note that it was made.

Whatever is not finished has a name like ``.dump.rdb.0123456789abcdef.rdbtool.tmp``, beside the name that it is going
to get, and is locked (flock) as long as its writer lives. A lock ends with its process, however that ends: a name
whose lock can be had is nobody's any more. Names that end in ``.old`` are second names of files that are about to
be replaced; they are not locked, since opening such a file could disturb whoever watches over it: they belong to
the writer of the others. Removing what a killed run left is a courtesy: where it fails, nothing is said.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Literal, Self

from rdbtool.core.errors import InputError
from rdbtool.core.manifest import Manifest
from rdbtool.writer.atomic.disk import close_quietly, copy_file, failed, failures_of, link

#: How often a name may be taken for a dead one's between its making and its lock before that is no coincidence.
_ATTEMPTS: Final = 100

#: Permission bits: all of them.
ANY_MODE: Final = 0o7777


class Temporary:
    """A file that is going to be ``target``, made with ``mode`` less the umask. ``name`` is what errors call it.

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
        # What spares a call, no more: where a signal came before it, the name is looked for.
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
                # The lock is that of the open file: it lasts while one of its descriptors does.
                self._lock = os.dup(self.descriptor)
                self._status = os.fstat(self.descriptor)
                return
            self._close()
            self.path = make_name(self.target, "tmp")
        raise InputError(f"cannot write to {self.name}: temporary files beside it keep vanishing")

    def finish(self, like: os.stat_result | None, *, owner_needed: bool = False, permitted: int = ANY_MODE) -> None:
        """End writing: owner and mode as ``like`` has them, flushed to the disk, closed. Raises InputError.

        Of the mode only bits that are ``permitted`` are kept.
        Where another's file cannot be had, ``owner_needed`` refuses that; else it is refused only if it would show
        the data to a group that could not read them.
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
        """Take the place of the target. Raises InputError."""
        with failures_of(self.name):
            self.path.replace(self.target)
        self._is_renamed = True

    def give_name(self) -> None:
        """Take the name of the target, which must be free. Raises InputError."""
        with failures_of(self.name):
            if not link(self.path, self.target):
                # The remaining window is the one between looking and renaming.
                if os.path.lexists(self.target):
                    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
                self.path.replace(self.target)
                self._is_renamed = True

    def lend_name(self, keep: Callable[[], bool]) -> None:
        """Take the name of the target, which must be free, until the block ends; for good if ``keep()`` says so then.

        Where there are hard links, the temporary name stays beside it until then, and tells after a kill that the
        target was ours. Raises InputError.
        """
        self._keeps_loan = keep
        self.give_name()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            # The temporary name goes last: should the other one not go, it tells the next run whose that is.
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
    """A directory that is going to be ``target``, with nothing but files in it."""

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
        """Take the name of the target, where nothing or an empty directory may be. Raises InputError."""
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
    """Another name, for the length of a block, of a file that is about to be replaced or removed.

    It leads back, and it tells after a kill what the file was. Where there are no hard links, ``path`` is a
    copy, made with ``open_source`` (see ``copy_file``), if ``copies``, else None. It stays when the block ends, for
    the next run to find, if the file still has its first name then and ``stays()`` says so.
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
    """Give a file the owner, the group and then, when it is clear who they are, the mode of another."""
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


_SUFFIX: Final = re.compile(r"\.[0-9a-f]{16}\.rdbtool\.(?:tmp|old)\Z")

#: Bytes of the target's name within a temporary one; some file systems allow 143 in all.
_LONGEST: Final = 100

#: What file systems without such locks answer.
_NO_LOCKS: Final = {errno.EBADF, errno.EINVAL, errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}

#: How a name is opened that may by now be anything: neither followed nor waited for.
OPEN_CAREFULLY: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def make_name(target: Path, kind: Literal["tmp", "old"]) -> Path:
    """Return a new temporary name beside ``target``."""
    return target.with_name(f"{_beginning(target.name)}.{os.urandom(8).hex()}.rdbtool.{kind}")


def is_second_name(path: Path) -> bool:
    """Whether a temporary name is that of a file which was about to be replaced."""
    return path.name.endswith(".old")


def list_temporaries(directory: Path) -> list[Path]:
    """Return everything in ``directory`` that has a temporary name and is this user's (root: anybody's)."""
    try:
        names = sorted(entry.name for entry in os.scandir(directory) if _SUFFIX.search(entry.name))
    except OSError:
        return []
    return [path for name in names if name.startswith(".") and _is_own(path := directory / name)]


def remove_stale(target: Path) -> None:
    """Remove what killed runs left beside ``target`` while they wrote it. The target itself is not opened."""
    beginning = _beginning(target.name)
    found = [path for path in list_temporaries(target.parent) if _SUFFIX.sub("", path.name) == beginning]
    firsts = [path for path in found if not is_second_name(path)]
    are_dead = [remove_if_dead(path, watched=target) for path in firsts]
    # A writer that lives may need the second name.
    if all(are_dead):
        for path in found:
            if is_second_name(path):
                with contextlib.suppress(OSError):
                    path.unlink()


def remove_if_dead(path: Path, *, watched: Path) -> bool:
    """Remove what has the temporary name ``path`` and return True, unless its writer lives.

    ``watched`` is not opened, by any name.
    """
    try:
        if is_same(path, watched):
            path.unlink()
            return True
        with hold_dead(path) as is_dead:
            if is_dead:
                remove_path(path)
            return is_dead
    except OSError:
        return False


@contextlib.contextmanager
def hold_dead(path: Path) -> Iterator[bool]:
    """Lock what has the temporary name ``path``; False where somebody else has locked it, or nothing can be."""
    descriptor = os.open(path, OPEN_CAREFULLY)
    try:
        yield lock(descriptor) is True and is_named(descriptor, path)
    finally:
        os.close(descriptor)


def lock(descriptor: int) -> bool | None:
    """Lock an open file: True if it is locked now, False if another has it, None where nothing can be locked."""
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
    """Whether two names are those of one file; False where there is none."""
    try:
        return os.path.samestat(one.lstat(), other.lstat())
    except OSError:
        return False


def remove_path(path: Path) -> None:
    """Remove a file, or a directory with the files in it. Raises OSError; nothing there is fine."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        # What systems say of a directory: Linux the one, the others the other.
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
    """Remove what killed runs left in a log's directory: temporary names, and files that only they account for.

    What ``manifest`` names stays. Without a manifest there is no log: new files that were to be one go, old
    files that were about to be replaced stay. Nothing is said where that fails.
    """
    named = set() if manifest is None else {Path(manifest.path).name, *(entry.name for entry in manifest.entries)}
    found = list_temporaries(directory)
    firsts = [path for path in found if not is_second_name(path)]
    are_dead = [_clean_first(path, directory, named) for path in firsts]
    # A writer that lives may need the second names.
    if all(are_dead):
        for path in found:
            if is_second_name(path):
                with contextlib.suppress(OSError):
                    _clean(path, directory, named, twins=manifest is not None)


def _clean_first(path: Path, directory: Path, named: set[str]) -> bool:
    """Remove a temporary name of a new file, and the file if the log does not have it; False if its writer lives."""
    try:
        if any(is_same(path, directory / name) for name in named):
            # Not opened: somebody may watch over the file.
            path.unlink()
            return True
        with hold_dead(path) as is_dead:
            if is_dead:
                _clean(path, directory, named, twins=True)
            return is_dead
    except OSError:
        return False


def _clean(path: Path, directory: Path, named: set[str], *, twins: bool) -> None:
    """Remove a temporary name, and before it the file's other names if no log has it."""
    if twins and path.lstat().st_nlink > 1 and not any(is_same(path, directory / name) for name in named):
        for entry in list(os.scandir(directory)):
            if entry.name != path.name and is_same(path, directory / entry.name):
                (directory / entry.name).unlink()
    remove_path(path)
