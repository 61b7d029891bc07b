"""Guard for an AOF that is to be replaced: no server has its files open, and none starts using them meanwhile.

Three checks, from the strongest to the weakest:

* Leases (see ``leases``). At the start, the guard takes write leases on all files, so no process may have one of them
  open: neither a server that appends nor one that is loading. The file whose rename will be the commit (the manifest,
  or the single file) keeps its write lease, because every server opens it first; the others are reduced to read leases,
  so that they can be opened for reading while a server that wants to append is still detected.
* A scan of ``/proc``, which names the process, and finds processes with a deleted file open.
* Sizes, times and inodes of the files and the bytes of the manifest, compared before the swap.

A server that starts blocks in its first ``open`` until the guard ends (at most ``lease-break-time``, 45 seconds) and
then starts normally. The guard detects it at the next ``check``, and at every later one. Any other reader of the
manifest looks like a server that starts, even one that only validates the AOF.

Not detected: a server without ``appendonly`` (it has none of the files open; when appendonly is enabled, it writes its
own without opening the present one, which only the last comparison can detect), and one in another container that has a
deleted AOF open.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

from rdbtool.core.errors import InputError, Remedy
from rdbtool.core.light_typing import BinaryIO, Final, Self
from rdbtool.core.manifest import looks_like_manifest, read_manifest
from rdbtool.writer.atomic.disk import close_quietly
from rdbtool.writer.exclusive.holders import HeldError, Identity, find_holders
from rdbtool.writer.exclusive.leases import BusyError, Lease, NoLeasesError
from rdbtool.writer.exclusive.lock import lock_directory

#: Bytes needed to recognise a manifest.
_HEAD_SIZE: Final = 4096


_STOP_IT: Final = Remedy("; stop the server and say --server-stopped", "; stop the server and say server_stopped=True")


class Guard:
    """Keeps other processes from using an AOF for the length of a ``with`` block, and detects those that try.

    ``directory`` is where rdbtool's lock file is. ``commit`` is the file whose rename will be the commit: the manifest,
    or the single file. ``files`` are all base and incr files, or the single file again; None: those that a manifest
    names, or the single file if ``commit`` is not a manifest. None is preferable: opening a manifest before the lock is
    taken looks like a starting server to another run that guards it.

    When the block begins, no file may be open in this process either; until it ends, ``commit`` is read by
    ``read_commit`` or ``open_commit`` only, and no file is opened for writing: otherwise the guard takes its own
    process for a server.

    If leases are unavailable (``no_leases`` then says why: the user does not own the files, a network file system, not
    Linux), a starting server cannot be detected, so that is refused unless ``server_stopped`` asserts that none starts.

    Entering raises HeldError if a process has a file open or the manifest names others than ``files``, InputError if
    that cannot be determined or a file cannot be opened, FormatError for an invalid manifest. A guard is used once.
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
                # An empty manifest is invalid, not an empty AOF.
                is_manifest = self._path.suffix == ".manifest" or looks_like_manifest(self._commit.read(_HEAD_SIZE))
                self.is_single = not is_manifest
            if not self.is_single:
                self._content = self._commit.read()
                self._hold_parts(stack)
            # While all leases are write leases, so that a server between two of the files is caught.
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
        """Raise HeldError if a process has begun to open one of the files. Takes microseconds: call it in loops.

        Files that were renamed or deleted since are still watched: call it once more before old files are removed.
        """
        for file in self._files:
            file.check_lease()

    def check_unchanged(self) -> None:
        """Raise HeldError if a file is open elsewhere, changed or replaced; call it directly before the swap."""
        for file in self._files:
            file.check_unchanged()
        if not self.is_single and self._commit.read() != self._content:
            raise HeldError(f"{self._commit.path} changed meanwhile: something writes to it")
        self._check_without_leases()
        self.check()

    def after_commit(self) -> None:
        """Raise HeldError if a server began to open ``commit`` before it was replaced, so that the old one is restored.

        Call it directly after the rename. The server has opened the old file and blocks until the guard ends; so the
        old files must still exist, and preferably the old ``commit`` itself, kept by a hard link (which breaks no
        lease) and renamed back.
        """
        self._check_without_leases()
        self.check()

    def read_commit(self) -> bytes:
        """Return the manifest as it was when the guard began."""
        if self.is_single:
            raise ValueError("a single log is read by open_commit")
        return self._content

    def open_commit(self) -> BinaryIO:
        """Return a stream over the guarded file, from its beginning; closed by the caller, not seekable."""
        return self._commit.stream()

    @property
    def _commit(self) -> GuardedFile:
        return self._files[0]

    def _hold_parts(self, stack: contextlib.ExitStack) -> None:
        """Lease the other files. What the manifest names counts: a server may have rotated it since."""
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
    """A file of the AOF: open for reading, leased, with its initial status."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.descriptor = descriptor
        self.lease = Lease(descriptor)
        self._before = _state(os.fstat(descriptor))

    @classmethod
    @contextlib.contextmanager
    def open(cls, path: Path) -> Iterator[Self]:
        """Open a file for the length of a ``with`` block; the lease never outlives it."""
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
            # It was only read: errors on closing do not matter.
            close_quietly(descriptor)

    @property
    def identity(self) -> Identity:
        """Device and inode."""
        return self._before[0], self._before[1]

    def stream(self) -> BinaryIO:
        """Return a stream over the file, from its beginning."""
        return io.BufferedReader(_Stream(os.dup(self.descriptor), str(self.path)), _PIECE)

    def let_read(self) -> None:
        """Turn the write lease into a read lease, if there is one. Raises HeldError if it was just broken."""
        if self.lease.is_held:
            # Directly before: the change releases a waiting reader, and the break is no longer visible.
            self.check_lease()
            # A process that waits to write already counts as a writer.
            with contextlib.suppress(BusyError):
                self.lease.take("read")
            self.check_lease()

    def check_lease(self) -> None:
        """Raise HeldError if the lease was broken."""
        if self.lease.is_broken():
            raise HeldError(f"another process, perhaps a server that is starting, opened {self.path} meanwhile")

    def word_use(self) -> str:
        """Describe how a file is open after a write lease was refused: a read lease is refused only for writers."""
        try:
            self.lease.take("read")
        except BusyError:
            return " for writing"
        return ""

    def check_unchanged(self) -> None:
        """Raise HeldError if the name is now another file, or the file has another size or time."""
        try:
            # By name, through links, as a server would open it.
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
        # The caller would read from the shared position.
        raise io.UnsupportedOperation("fileno")

    def close(self) -> None:
        if not self.closed:
            close_quietly(self._descriptor)
        super().close()


def find_identity(path: Path) -> Identity | None:
    """Return device and inode of a name, None if it does not exist."""
    try:
        return _state(path.stat())[:2]
    except OSError:
        return None


def _state(status: os.stat_result) -> tuple[int, int, int, int]:
    # Not the inode's change time: hard links for a backup change it.
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
