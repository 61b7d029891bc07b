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
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

from rdbtool.core.errors import InputError, Remedy
from rdbtool.core.manifest import looks_like_manifest, read_manifest
from rdbtool.writer.exclusive.guarded import GuardedFile, find_identity
from rdbtool.writer.exclusive.holders import HeldError, find_holders
from rdbtool.writer.exclusive.leases import BusyError, NoLeasesError
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
