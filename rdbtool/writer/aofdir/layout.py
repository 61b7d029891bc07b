"""What new logs are made of: their base, the names and numbers of their files, and their manifest."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal, NamedTuple

from rdbtool.core.errors import FormatError, InputError, describe_error
from rdbtool.core.manifest import Entry, Kind, Manifest, format_manifest, read_manifest
from rdbtool.writer.atomic.disk import permitted_mode
from rdbtool.writer.atomic.output import Output, Unfinished
from rdbtool.writer.atomic.temporary import ANY_MODE, Temporary

MANIFEST_SUFFIX: Final = ".manifest"


class NewBase(NamedTuple):
    """What a log begins with: how it is written, and what raises when it, read back, is not what was meant.

    ``sources`` are what it is made of: it is never more open than they are.
    """

    form: Literal["rdb", "aof"]
    write: Callable[[Output], None]
    check: Callable[[str], None]
    sources: tuple[str, ...] = ()


def name_parts(directory: Path, name: str, base: NewBase, old: Manifest | None) -> tuple[Entry, Entry]:
    """Name a base and an increment with the next numbers whose names are free, and neither is in the old manifest."""
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
    """Return the manifest's bytes, once it is certain that they say what they should. Raises InputError."""
    data = format_manifest(entries)
    read = tuple(entry._replace(line=0, at=0) for entry in load(data, path).entries)
    if read != entries:
        raise InputError(f"cannot write to {path}: no manifest can hold these names and numbers")
    return data


def load(data: bytes, path: Path) -> Manifest:
    """Read a manifest that is to be replaced or written. Raises InputError."""
    try:
        return read_manifest(data, path)
    except FormatError as error:
        raise InputError(
            f"cannot write to {path}: it is no manifest that servers read: {describe_error(error)}"
        ) from error


def fill_base(temporary: Temporary, base: NewBase, like: os.stat_result | None) -> int:
    """Write a base into its temporary file, finish that with the owner of ``like`` and check it; return its bytes."""
    output = Unfinished(temporary)
    output.verify_with(base.check)
    base.write(output)
    permitted = ANY_MODE if like is None else permitted_mode(base.sources, like.st_gid)
    output.finish(like, owner_needed=True, permitted=permitted)
    return output.written


def fill_manifest(temporary: Temporary, data: bytes, like: os.stat_result | None) -> None:
    """Write a manifest into its temporary file, and finish that with the owner of ``like``."""
    output = Unfinished(temporary)
    output.write(data)
    output.finish(like, owner_needed=True)
