"""Files and directories in the making: under a temporary name until everything about them is right.

They are gone when the ``with`` block ends, whatever ended it, unless they got their name by then. Whether they did is
asked of the file system, never remembered: a signal may arrive between a call and the note that it was made. How the
names look, and what becomes of them after a kill, is told in ``stale``.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

from rdbtool.core.errors import InputError
from rdbtool.writer.atomic.disk import close_quietly, copy_file, failed, failures_of, link
from rdbtool.writer.atomic.stale import is_named, lock, make_name, remove_path

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
