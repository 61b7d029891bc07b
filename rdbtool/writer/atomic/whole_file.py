"""Regular files that are written under a temporary name in the directory of their target.

The file is synced, checked if requested, and renamed into place only if everything succeeded; then the directory is
synced, so that the name survives a power failure too. Any exception in the ``with`` block, including Ctrl-C or a
termination signal turned into one, removes the temporary file. Leftovers of a killed run are removed by the next one.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rdbtool.core.errors import USE_FORCE, InputError
from rdbtool.writer.atomic.disk import Directory, check_space, group_in, permitted_mode
from rdbtool.writer.atomic.failures import failed, failures_of
from rdbtool.writer.atomic.temporary import ANY_MODE, Temporary, TemporaryDirectory, remove_stale
from rdbtool.writer.atomic.through import Output, Through


class Unfinished(Through):
    """An output to a temporary file."""

    #: The file is read when it is complete: what is written at once may end within a record.
    takes_pages = True

    def __init__(self, temporary: Temporary) -> None:
        super().__init__(temporary.descriptor, temporary.name)
        self.temporary = temporary
        self._checks: list[Callable[[str], None]] = []

    def verify_with(self, check: Callable[[str], None], /) -> bool:
        """Register ``check``, called by ``finish``."""
        self._checks.append(check)
        return True

    def finish(self, like: os.stat_result | None, *, owner_needed: bool = False, permitted: int = ANY_MODE) -> None:
        """Finish the file (see ``Temporary``), then check it."""
        self.temporary.finish(like, owner_needed=owner_needed, permitted=permitted)
        for check in self._checks:
            check(str(self.temporary.path))


@contextlib.contextmanager
def open_part(made: TemporaryDirectory, name: str, *, sources: Sequence[str] = ()) -> Iterator[Output]:
    """Open a new file of a directory that has no name yet, for the length of a ``with`` block.

    There are no leftovers, no other process sees it, and the directory is synced once, by the caller: so the time for
    many files grows with their number only. ``sources``: see ``open_output``. Raises InputError.
    """
    target = made.path / name
    shown = str(made.target / name)
    with failures_of(shown):
        permitted = permitted_mode(sources, group_in(made.path))
    with Temporary(target, shown, 0o666 & permitted) as temporary:
        output = Unfinished(temporary)
        yield output
        output.finish(None, permitted=permitted)
        temporary.give_name()


@contextlib.contextmanager
def whole_file(
    path: str, target: Path, status: os.stat_result | None, *, force: bool, sources: Sequence[str], needs: int | None
) -> Iterator[Output]:
    """Open an output to the regular file ``target``, which ``path`` leads to: see ``open_output``.

    ``status``: of the file that is there, None without one.
    """
    if status is not None and any(_is_same_file(source, status) for source in sources):
        raise InputError(f"cannot write to {path}: it is the input")
    remove_stale(target)
    if status is not None and not force:
        raise InputError(f"cannot write to {path}: it exists", remedy=USE_FORCE)
    check_space(target.parent, needs, path)
    try:
        group = group_in(target.parent) if status is None else status.st_gid
    except OSError as error:
        raise failed(path, error) from error
    permitted = permitted_mode(sources, group)
    # A new file follows the umask; one that replaces another is private until it has its owner.
    with (
        Directory(target.parent, path) as directory,
        Temporary(target, path, 0o666 & permitted if status is None else 0o600) as temporary,
    ):
        output = Unfinished(temporary)
        yield output
        output.finish(status, permitted=permitted)
        if status is None:
            temporary.give_name()
        else:
            temporary.replace()
        directory.sync()


def _is_same_file(source: str, status: os.stat_result) -> bool:
    try:
        return os.path.samestat(Path(source).stat(), status)
    except OSError:
        return False
