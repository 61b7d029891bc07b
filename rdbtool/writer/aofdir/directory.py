"""New logs: multi-part directories (format C4), and what takes the place of a log that is there.

A multi-part log is what its manifest names, so the manifest comes last: new files under new names, all of them on
the disk and checked, then one rename, then the old files go. Until that rename the old log is whole and afterwards
the new one is, wherever the process is stopped. A directory that is not there yet appears whole.

New files keep a temporary name beside their own until the manifest names them, and old ones get one before it no
longer does. So after a kill a temporary name says of a file that it was new or about to go, and the manifest says
whether it still has to (``clean_strays``). Where there are no hard links, files can remain under their own names then.

Nothing here finds out whether a server holds the files: see ``Guard``. A log is replaced by one run at a time.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from rdbtool.core.errors import USE_FORCE, InputError
from rdbtool.core.manifest import Manifest
from rdbtool.writer.aofdir.parts import (
    MANIFEST_SUFFIX,
    NewBase,
    fill_base,
    fill_manifest,
    format_parts,
    load,
    name_parts,
)
from rdbtool.writer.aofdir.replacing import Replaced, replace_file, replace_log
from rdbtool.writer.atomic.disk import Directory, failures_of
from rdbtool.writer.atomic.modes import group_in, permitted_mode
from rdbtool.writer.atomic.space import check_space
from rdbtool.writer.atomic.stale import remove_stale
from rdbtool.writer.atomic.strays import clean_strays
from rdbtool.writer.atomic.temporary import Temporary, TemporaryDirectory

__all__ = ["NewBase", "Replaced", "clean_strays", "create_log", "find_manifest", "replace_file", "replace_log"]


def create_log(
    directory: Path, base: NewBase, *, name: str = "appendonly.aof", force: bool = False, needs: int | None = None
) -> Manifest:
    """Make a log with this base and an empty increment; ``name`` is what a server calls ``appendfilename``.

    A directory that exists keeps its other files. If it holds a log, that one is replaced with ``force`` (see
    ``replace_log``), and else refused. ``needs``: see ``open_output``. Raises InputError.
    """
    shown = str(directory)
    with failures_of(shown):
        target = directory.resolve()
        is_there = os.path.lexists(target)
        if is_there and not target.is_dir():
            raise InputError(f"cannot write to {shown}: it is not a directory")
        found = find_manifest(target)
    if found is not None:
        with failures_of(shown):
            data = found.read_bytes()
        there = load(data, found)
        if not force:
            clean_strays(target, there)
            raise InputError(f"cannot write to {shown}: it holds a log", remedy=USE_FORCE)
        return replace_log(there, base, needs=needs).manifest
    if is_there:
        clean_strays(target)
        check_space(target, needs, shown)
        _make_log(target, shown, base, name)
    else:
        remove_stale(target)
        check_space(target.parent, needs, shown)
        with Directory(target.parent, shown) as parent, TemporaryDirectory(target, shown) as made:
            _make_log(made.path, shown, base, name)
            made.give_name()
            parent.sync()
    path = target / f"{name}{MANIFEST_SUFFIX}"
    return load(format_parts(name_parts(target, name, base, None), path), path)


def find_manifest(directory: Path) -> Path | None:
    """Return the manifest in a directory; None where there is none, or no directory. Raises InputError for several."""
    # Servers write a new manifest under a name with "temp-" and rename it.
    found = [path for path in sorted(directory.glob(f"*{MANIFEST_SUFFIX}")) if not path.name.startswith((".", "temp-"))]
    if len(found) > 1:
        raise InputError(f"cannot write to {directory}: it has {len(found)} manifests")
    return found[0] if found else None


def _make_log(directory: Path, shown: str, base: NewBase, name: str) -> None:
    """Make a log in a directory that has none."""
    entries = name_parts(directory, name, base, None)
    path = directory / f"{name}{MANIFEST_SUFFIX}"
    data = format_parts(entries, path)
    for entry in entries:
        if os.path.lexists(directory / entry.name):
            raise InputError(f"cannot write to {shown}: {entry.name} exists there, without a manifest")
    with failures_of(shown):
        mode = 0o666 & permitted_mode(base.sources, group_in(directory))
    with contextlib.ExitStack() as stack:
        synced = stack.enter_context(Directory(directory, shown))
        parts = [stack.enter_context(Temporary(directory / entry.name, shown, mode)) for entry in entries]
        new = stack.enter_context(Temporary(path, shown, mode))
        fill_base(parts[0], base, None)
        for part in parts[1:]:
            part.finish(None)
        fill_manifest(new, data, None)
        for part in parts:
            part.lend_name(lambda: new.has(path))
        synced.sync()
        new.give_name()
        synced.sync()
