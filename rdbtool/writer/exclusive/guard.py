"""Guards a log that is to be replaced: no server holds its files, and none begins to use them meanwhile.

Three witnesses, from the strongest to the weakest:

* Leases (see ``leases``). When the guard begins it takes write leases on all files, so nobody at all may have one of
  them open: neither a server that appends nor one that is loading. The file whose rename will be the commit
  (the manifest, or the single log) keeps its write lease, because every server opens it first; the others go
  down to read leases, so that they can be opened for reading while a server that wants to append is still noticed.
* A look through ``/proc``, which names who is in the way, and finds who holds a file that was deleted.
* Sizes, times and inodes of the files and the bytes of the manifest, compared before the swap.

A server that starts waits in its first ``open`` until the guard ends (at most ``lease-break-time``, 45 seconds) and
then starts as if nothing had been. The guard notices at the next ``check``, and goes on noticing afterwards.

Any other reader of the manifest looks like a server that comes, also one that only wants to validate the log.

Not to be found by any of this: a server without ``appendonly`` (it has none of the files open; told to
begin a log, it writes one of its own without opening the present one, which only the last comparison can show), and
one in another container that holds a deleted log.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

from rdbtool.core.errors import InputError, Remedy
from rdbtool.core.manifest import looks_like_manifest, read_manifest
from rdbtool.writer.atomic.disk import close_quietly
from rdbtool.writer.exclusive.holders import HeldError, Identity, find_holders
from rdbtool.writer.exclusive.leases import BusyError, Lease, NoLeasesError
from rdbtool.writer.exclusive.lock import lock_directory

#: Bytes from which a manifest is known.
_HEAD_SIZE: Final = 4096


_STOP_IT: Final = Remedy("; stop the server and say --server-stopped", "; stop the server and say server_stopped=True")


class Guard:
    """Keeps others off a log for the length of a ``with`` block, and notices those who come.

    ``directory`` is where the lock of rdbtool lies. ``commit`` is the file whose rename will be the commit: the
    manifest, or the single log. ``files`` are all base and incr files, or the single log once more; None stands for
    those that a manifest names, and for the single log where ``commit`` is no manifest. That is the better way: to open
    a manifest before the lock is taken is, for another run that guards it, a server that comes.

    When the block begins, no file may be open in this process either; until it ends, ``commit`` is read by
    ``read_commit`` or ``open_commit`` only, and no file is opened for writing: else the guard takes its own process for
    a server.

    Where leases cannot be had (``no_leases`` then says why: not the files' owner, a network file system, no Linux)
    nobody can tell whether a server comes, so that is refused unless ``server_stopped`` says that none will.

    Entering raises HeldError where somebody holds a file or the manifest names others than ``files``, InputError where
    that cannot be found out or a file cannot be opened, FormatError for a manifest that is none. A guard is used once.
    """

    def __init__(
        self, directory: Path, files: Sequence[Path] | None, commit: Path, *, server_stopped: bool = False
    ) -> None:
        self.no_leases: str | None = None
        self.is_single = files is not None and commit in files
        self._directory = directory
        self._path = commit
        self._paths = files
        self._server_stopped = server_stopped
        self._files: list[GuardedFile] = []
        self._content = b""
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.enter_context(lock_directory(self._directory))
            self._hold(self._path, stack)
            if self._paths is None:
                # An empty manifest is a wrong one, and no empty log.
                is_manifest = self._path.suffix == ".manifest" or looks_like_manifest(self._commit.read(_HEAD_SIZE))
                self.is_single = not is_manifest
            if not self.is_single:
                self._content = self._commit.read()
                self._hold_parts(stack)
            # While all leases are write leases, so that a server between two of the files runs into one.
            self._refuse_holders()
            if self.no_leases is not None and not self._server_stopped:
                raise InputError(
                    f"cannot find out whether a server holds {self._path}: no leases ({self.no_leases})",
                    remedy=_STOP_IT,
                )
            for file in self._files[1:]:
                file.let_read()
            self.check()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def check(self) -> None:
        """Raise HeldError if somebody has begun to open one of the files. A few microseconds: call it in loops.

        Files that were renamed or deleted since are still watched: call it once more before old files are removed.
        """
        for file in self._files:
            file.check_lease()

    def check_unchanged(self) -> None:
        """Raise HeldError if somebody holds, changed or replaced a file; nothing may come between this and the swap."""
        for file in self._files:
            file.check_unchanged()
        if not self.is_single and self._commit.read() != self._content:
            raise HeldError(f"{self._commit.path} changed meanwhile: something writes to it")
        self._check_without_leases()
        self.check()

    def after_commit(self) -> None:
        """Raise HeldError if a server began to open ``commit`` before it was replaced, so that the old one is put back.

        To be called right after the rename. The server waits with the old file in its hands, and goes on with
        it when the guard ends; so the old files have to be there, and best the old ``commit`` itself, kept by a hard
        link (which is no break) and renamed back.
        """
        self._check_without_leases()
        self.check()

    def read_commit(self) -> bytes:
        """Return the manifest as it was when the guard began."""
        if self.is_single:
            raise ValueError("a single log is read by open_commit")
        return self._content

    def open_commit(self) -> BinaryIO:
        """Return a stream over the guarded file, from its beginning; to be closed by the caller, seeking impossible."""
        return self._commit.stream()

    @property
    def _commit(self) -> GuardedFile:
        return self._files[0]

    def _hold_parts(self, stack: contextlib.ExitStack) -> None:
        """Take hold of the other files. What the manifest names counts: a server may have rotated it since."""
        manifest = read_manifest(self._content, self._path)
        named = [self._path.parent / entry.name for entry in manifest.loaded]
        for path in named if self._paths is None else self._paths:
            self._hold(path, stack)
        known = {file.identity for file in self._files}
        for path in named:
            if find_identity(path) not in known:
                raise HeldError(f"{self._path} changed meanwhile: it now names {path.name}")

    def _hold(self, path: Path, stack: contextlib.ExitStack) -> None:
        file = stack.enter_context(GuardedFile.open(path))
        self._files.append(file)
        try:
            file.lease.take("write")
        except BusyError:
            self._refuse_holders()
            raise HeldError(
                f"{path} is open{file.word_use()} in a process that cannot be seen from here, "
                "such as a server in a container: stop it first"
            ) from None
        except NoLeasesError as error:
            self.no_leases = str(error)

    def _check_without_leases(self) -> None:
        if self.no_leases is not None:
            self._refuse_holders()

    def _refuse_holders(self) -> None:
        files = {file.identity: file.path for file in self._files}
        holders = find_holders(files, self._path.parent, self._path.name.removesuffix(".manifest"))
        if holders:
            raise HeldError(holders[0].describe())


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
            raise HeldError(f"{self.path} was replaced by another file meanwhile: something writes to this AOF")
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
