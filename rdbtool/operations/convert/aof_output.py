"""AOFs as outputs: a new directory, or the replacement of an existing AOF.

An existing AOF may belong to a running server. So it is guarded (``Guard``) from before it is looked at until the new
one is renamed into place; a server that starts meanwhile keeps the old one.
"""

from __future__ import annotations

import os
from pathlib import Path

from rdbtool.core.errors import USE_FORCE, InputError, Remedy
from rdbtool.core.light_typing import TYPE_CHECKING, Final
from rdbtool.core.manifest import read_manifest
from rdbtool.reader.open.files import LOG_DIRECTORY, SINGLE_LOG
from rdbtool.writer.aofdir.directory import NewBase, create_log, find_manifest, replace_file, replace_log
from rdbtool.writer.atomic.disk import real_path
from rdbtool.writer.exclusive.guard import Guard

if TYPE_CHECKING:
    from rdbtool.operations.convert.transfer import Transfer

_IN_PLACE: Final = Remedy(" (aof-rewrite --in-place can)", " (rdbtool.rewrite can, with in_place=True)")


def write_directory(
    transfer: Transfer, destination: str, *, source: str, force: bool, needs: int | None, server_stopped: bool
) -> bool:
    """Write a multi-part AOF to a directory, which may exist; return whether it was read back.

    An existing AOF is replaced only with ``force``, and never if it is the input.
    """
    directory = Path(destination)
    base = new_base(transfer, source)
    there = find_manifest(directory)
    if there is None:
        refuse_data_directory(directory)
        create_log(directory, base, force=force, needs=needs)
        return True
    if not force:
        raise InputError(f"cannot write to {destination}: it holds an AOF", remedy=USE_FORCE)
    if _is_within(source, directory):
        raise InputError(f"cannot write to {destination}: it is the input", remedy=_IN_PLACE)
    with Guard(directory, None, there, server_stopped=server_stopped) as guard:
        manifest = read_manifest(guard.read_commit(), there)
        transfer.watch(guard.check)
        replace_log(manifest, base, needs=needs, commit_guard=guard.check_unchanged, after_commit=guard.after_commit)
    return True


def write_log(
    transfer: Transfer, destination: str, *, source: str, force: bool, needs: int | None, server_stopped: bool
) -> bool:
    """Replace a file that may be a server's AOF; return whether it was read back."""
    path = Path(destination)
    if not force:
        raise InputError(f"cannot write to {destination}: it exists", remedy=USE_FORCE)
    if source != "-" and Path(source).exists() and path.samefile(source):
        raise InputError(f"cannot write to {destination}: it is the input", remedy=_IN_PLACE)
    with Guard(path.parent, [path], path, server_stopped=server_stopped) as guard:
        transfer.watch(guard.check)
        replace_file(
            path,
            new_base(transfer, source),
            needs=needs,
            commit_guard=guard.check_unchanged,
            after_commit=guard.after_commit,
            open_old=guard.open_commit,
        )
    return True


def new_base(transfer: Transfer, *sources: str) -> NewBase:
    """Return a transfer's output as a base of an AOF; ``sources`` are its input files."""
    return NewBase(
        "rdb" if transfer.encoding == "rdb" else "aof",
        lambda output: transfer.write(output.write),
        transfer.check,
        sources,
    )


def refuse_data_directory(directory: Path) -> None:
    """Raise InputError for a server's data directory, in which no server looks for AOF parts."""
    for name in (LOG_DIRECTORY, SINGLE_LOG):
        if os.path.lexists(directory / name):
            raise InputError(
                f"cannot write to {directory}: it contains {name}, so servers look for their AOF there; "
                f"choose another directory, such as {directory / LOG_DIRECTORY}"
            )


def _is_within(source: str, directory: Path) -> bool:
    """Return whether an input is a directory or a file in it."""
    if source == "-":
        return False
    path = real_path(source)
    return real_path(directory) in {path, path.parent, path / LOG_DIRECTORY}
