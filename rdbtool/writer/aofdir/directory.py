"""Create multi-part AOFs (format C4), and replace existing AOFs.

A multi-part AOF is defined by its manifest, so the manifest comes last: new files under new names, all of them synced
and checked, then one rename, then the old files are removed. Before that rename the old AOF is complete, afterwards the
new one, wherever the process is killed. A new directory appears whole.

New files keep a temporary name as a second link until the manifest names them, and old ones get one before the manifest
drops them. So after a kill a temporary name marks a file as new or about to be removed, and the manifest says whether
to keep it (``clean_strays``). Without hard links, files can remain under their own names then.

This module does not detect servers that use the files: see ``Guard``. Only one run replaces an AOF at a time.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from rdbtool.core.errors import USE_FORCE, FormatError, InputError, describe_error
from rdbtool.core.light_typing import BinaryIO, Final, Literal, NamedTuple
from rdbtool.core.manifest import Entry, Kind, Manifest, format_manifest, read_manifest
from rdbtool.writer.aofdir.swap import Keeping, do_nothing, kept_files, swap
from rdbtool.writer.atomic.disk import Directory, check_space, group_in, permitted_mode, real_path
from rdbtool.writer.atomic.failures import failures_of
from rdbtool.writer.atomic.temporary import (
    ANY_MODE,
    SecondName,
    Temporary,
    TemporaryDirectory,
    clean_strays,
    remove_stale,
)
from rdbtool.writer.atomic.through import Output
from rdbtool.writer.atomic.whole_file import Unfinished

__all__ = ["NewBase", "Replaced", "clean_strays", "create_log", "find_manifest", "replace_file", "replace_log"]


def create_log(
    directory: Path, base: NewBase, *, name: str = "appendonly.aof", force: bool = False, needs: int | None = None
) -> Manifest:
    """Create an AOF with this base and an empty incr file; ``name`` is a server's ``appendfilename``.

    An existing directory keeps its other files. An AOF in it is replaced with ``force`` (see ``replace_log``), and
    refused without. ``needs``: see ``open_output``. Raises InputError.
    """
    shown = str(directory)
    with failures_of(shown):
        target = real_path(directory)
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
            raise InputError(f"cannot write to {shown}: it holds an AOF", remedy=USE_FORCE)
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
    """Return the manifest in a directory; None if there is none, or no directory. Raises InputError for several."""
    # Servers write a new manifest under a name with "temp-" and rename it.
    found = [path for path in sorted(directory.glob(f"*{MANIFEST_SUFFIX}")) if not path.name.startswith((".", "temp-"))]
    if len(found) > 1:
        raise InputError(f"cannot write to {directory}: it has {len(found)} manifests")
    return found[0] if found else None


def _make_log(directory: Path, shown: str, base: NewBase, name: str) -> None:
    """Create an AOF in a directory that has none."""
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


class Replaced(NamedTuple):
    """A replaced AOF: its ``manifest``, and the size of its base in bytes.

    The manifest of a single file has its path and no entries. ``kept`` is the directory with the old files, ``removed``
    are their names.
    """

    manifest: Manifest
    base_size: int
    kept: Path | None
    removed: tuple[str, ...]


def replace_log(
    manifest: Manifest,
    base: NewBase,
    *,
    keep_old: Path | None = None,
    needs: int | None = None,
    commit_guard: Callable[[], None] = do_nothing,
    after_commit: Callable[[], None] = do_nothing,
) -> Replaced:
    """Replace an AOF by a new base and an empty incr file, with the owners and modes of its files.

    The rename of the new manifest is the commit; ``commit_guard`` is called directly before it. ``after_commit`` is
    called directly after it and may still raise: then the old manifest is restored. If either raises, the old AOF stays
    and the new files are removed. Before that, the old files are linked or copied to a new directory within
    ``keep_old``; they are removed at the end. Raises InputError; if that happens after the commit, the error says so.
    """
    with failures_of(manifest.path):
        path = Path(manifest.path).resolve(strict=True)
        status = path.stat()
    directory, shown = path.parent, str(Path(manifest.path).parent)
    clean_strays(directory, manifest)
    check_space(directory, needs, shown)
    old = list(_existing(manifest, directory))
    prefix = path.name.removesuffix(MANIFEST_SUFFIX)
    entries = name_parts(directory, prefix, base, manifest)
    data = format_parts(entries, path)
    with contextlib.ExitStack() as stack:
        synced = stack.enter_context(Directory(directory, shown))
        way_back = SecondName(path, shown, copies=True)

        def is_replaced() -> bool:
            return not _is_old(path, status, way_back)

        def settle() -> None:
            # Only now may the old files be removed: the rename could be lost in a power failure.
            synced.sync()
            _remove(old, shown)
            # The second names are removed at the end, and by then the removal of the first ones must be synced.
            synced.sync()

        keeping = Keeping(old, {path.name: format_manifest(manifest.entries)})
        kept = stack.enter_context(kept_files(keeping, keep_old, prefix, is_replaced))
        parts = [stack.enter_context(Temporary(directory / entry.name, shown, 0o600)) for entry in entries]
        new = stack.enter_context(Temporary(path, shown, 0o600))
        size = fill_base(parts[0], base, _like(manifest.base, manifest, status))
        parts[1].finish(_like(manifest.incrs[-1] if manifest.incrs else None, manifest, status), owner_needed=True)
        fill_manifest(new, data, status)
        stack.enter_context(way_back)
        for name in old:
            stack.enter_context(SecondName(name, shown, copies=False, stays=is_replaced))
        for part in parts:
            part.lend_name(is_replaced)
        synced.sync()
        swap(new, way_back, synced, commit_guard=commit_guard, after_commit=after_commit, settle=settle)
    return Replaced(load(data, path), size, kept, tuple(name.name for name in old))


def replace_file(
    path: Path,
    base: NewBase,
    *,
    keep_old: Path | None = None,
    needs: int | None = None,
    commit_guard: Callable[[], None] = do_nothing,
    after_commit: Callable[[], None] = do_nothing,
    open_old: Callable[[], BinaryIO] | None = None,
) -> Replaced:
    """Replace a single-file AOF, as ``replace_log`` does; the rename is the commit.

    ``open_old`` opens the old one for a copy where links are impossible, if it must not be opened otherwise.
    """
    shown = str(path)
    with failures_of(shown):
        target = path.resolve(strict=True)
        status = target.stat()
    remove_stale(target)
    check_space(target.parent, needs, shown)
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(Directory(target.parent, shown))
        way_back = SecondName(target, shown, copies=True, open_source=open_old)

        def is_replaced() -> bool:
            return not _is_old(target, status, way_back)

        kept = stack.enter_context(kept_files(Keeping([target], {}, open_old), keep_old, target.name, is_replaced))
        temporary = stack.enter_context(Temporary(target, shown, 0o600))
        size = fill_base(temporary, base, status)
        stack.enter_context(way_back)
        swap(
            temporary,
            way_back,
            directory,
            commit_guard=commit_guard,
            after_commit=after_commit,
            settle=directory.sync,
        )
    return Replaced(Manifest(shown, ()), size, kept, (target.name,))


def _existing(manifest: Manifest, directory: Path) -> Iterator[Path]:
    """Yield the files of an AOF. Those of its history may be missing."""
    for name in dict.fromkeys(entry.name for entry in (*manifest.loaded, *manifest.history)):
        if os.path.lexists(directory / name):
            yield directory / name


def _like(entry: Entry | None, manifest: Manifest, otherwise: os.stat_result) -> os.stat_result:
    """Return the status of the file that a new one replaces, or of the manifest if there is none."""
    if entry is None:
        return otherwise
    path = Path(manifest.path).parent / entry.name
    with failures_of(str(path)):
        return path.stat()


def _is_old(path: Path, status: os.stat_result, way_back: SecondName) -> bool:
    """Return whether the old file still, or again, has its name. If unknown, False: then no new file is removed."""
    try:
        now = path.stat()
    except OSError:
        return False
    return os.path.samestat(now, status) or way_back.was(now)


def _remove(old: list[Path], shown: str) -> None:
    for path in old:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise InputError(f"cannot remove the old file {path.name} in {shown}: {error.strerror or error}") from error


MANIFEST_SUFFIX: Final = ".manifest"


class NewBase(NamedTuple):
    """The base of a new AOF: how to write it, and a check that raises unless it reads back correctly.

    ``sources`` are its inputs: it never gets wider permissions than they have.
    """

    form: Literal["rdb", "aof"]
    write: Callable[[Output], None]
    check: Callable[[str], None]
    sources: tuple[str, ...] = ()


def name_parts(directory: Path, name: str, base: NewBase, old: Manifest | None) -> tuple[Entry, Entry]:
    """Name a base and an incr file with the next numbers whose names are unused, also in the old manifest."""
    taken = set() if old is None else {entry.name for entry in old.entries}
    first_base = 1 if old is None or old.base is None else old.base.seq + 1
    first_incr = 1 if old is None or not old.incrs else old.incrs[-1].seq + 1

    def make(kind: Kind, seq: int, suffix: str) -> Entry:
        while True:
            candidate = f"{name}.{seq}.{kind}.{suffix}"
            if old is None or (candidate not in taken and not os.path.lexists(directory / candidate)):
                return Entry(candidate, seq, kind, None, None, 0, 0)
            seq += 1

    return make("base", first_base, base.form), make("incr", first_incr, "aof")


def format_parts(entries: tuple[Entry, ...], path: Path) -> bytes:
    """Return the manifest's bytes, after checking that they parse to the same entries. Raises InputError."""
    data = format_manifest(entries)
    read = tuple(entry._replace(line=0, at=0) for entry in load(data, path).entries)
    if read != entries:
        raise InputError(f"cannot write to {path}: no manifest can hold these names and numbers")
    return data


def load(data: bytes, path: Path) -> Manifest:
    """Read a manifest to be replaced or written. Raises InputError."""
    try:
        return read_manifest(data, path)
    except FormatError as error:
        raise InputError(
            f"cannot write to {path}: it is not a valid manifest: {describe_error(error, with_remedy=False)}"
        ) from error


def fill_base(temporary: Temporary, base: NewBase, like: os.stat_result | None) -> int:
    """Write a base to its temporary file, finish that with the owner of ``like``, check it; return its bytes."""
    output = Unfinished(temporary)
    output.verify_with(base.check)
    base.write(output)
    permitted = ANY_MODE if like is None else permitted_mode(base.sources, like.st_gid)
    output.finish(like, owner_needed=True, permitted=permitted)
    return output.written


def fill_manifest(temporary: Temporary, data: bytes, like: os.stat_result | None) -> None:
    """Write a manifest to its temporary file, and finish that with the owner of ``like``."""
    output = Unfinished(temporary)
    output.write(data)
    output.finish(like, owner_needed=True)
