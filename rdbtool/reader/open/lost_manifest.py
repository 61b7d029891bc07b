"""Reconstruct an AOF without a usable manifest from file names: ``NAME.SEQ.base.rdb`` and ``NAME.SEQ.incr.aof``.

Servers number base and incr files separately. Each rewrite starts a new incr file and, if it succeeds, ends with a new
base, so an incr file after a base never has a lower number than the base. Which incr files a base already includes is
recorded in the manifest only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

from rdbtool.core.errors import FormatError
from rdbtool.core.light_typing import Final, Literal, NamedTuple
from rdbtool.core.location import Where
from rdbtool.core.manifest import Entry

SUFFIX: Final = ".manifest"

#: Prefix of files that are written and not renamed yet.
TEMPORARY: Final = "temp-"

_PART: Final = re.compile(r"(.+)\.(\d{1,18})\.(base|incr)\.(rdb|aof)", re.DOTALL)


class Rebuilt(NamedTuple):
    """The files of an AOF, as far as names tell.

    ``missing`` describes files that must have existed, ``left_out`` names files whose data is in others, and ``doubts``
    says what names do not tell.
    """

    entries: list[Entry]
    missing: list[str]
    left_out: list[str]
    doubts: list[str]


def find_orphans(directory: Path) -> list[Path]:
    """Return the manifests that the files in a directory belong to, none if one exists."""
    names = [path.name for path in directory.iterdir()] if directory.is_dir() else []
    stems: set[str] = set()
    for name in names:
        match = _PART.fullmatch(name)
        if match is not None and int(match[2]) and not name.startswith(TEMPORARY):
            stems.add(match[1])
    return [directory / (stem + SUFFIX) for stem in sorted(stems) if stem + SUFFIX not in names]


def no_manifest(path: Path) -> FormatError:
    """Return the error for AOF files without a manifest."""
    stem = path.name.removesuffix(SUFFIX)
    count = sum(1 for inner in path.parent.iterdir() if (match := _PART.fullmatch(inner.name)) and match[1] == stem)
    expected = f"the manifest {path}, without which a server starts empty and overwrites the base file"
    found = f"only the {count} file{'' if count == 1 else 's'} that it must list; a repair of the directory rebuilds it"
    return FormatError("MAN013", "reference", 0, expected, found, file_kind="manifest", where=Where(str(path)))


def rebuild(stem: str, names: Iterable[str]) -> Rebuilt:
    """Return which of the files ``names`` make up the AOF ``stem``, in loading order."""
    rows: dict[str, list[Entry]] = {"base": [], "incr": []}
    is_upgraded = False
    for name in sorted(names):
        is_upgraded = is_upgraded or name == stem
        match = _PART.fullmatch(name)
        if match is None or match[1] != stem or not int(match[2]):
            continue
        kind: Literal["base", "incr"] = "base" if match[3] == "base" else "incr"
        rows[kind].append(Entry(name, int(match[2]), kind, None, None, 0, 0))
    bases, incrs = (sorted(rows[kind], key=lambda entry: entry.seq) for kind in ("base", "incr"))
    if not bases and is_upgraded:
        # The single file of an older server became the base under its old name.
        bases = [Entry(stem, 1, "base", None, None, 0, 0)]
    return _choose(bases, incrs)


def _choose(bases: list[Entry], incrs: list[Entry]) -> Rebuilt:
    missing: list[str] = []
    doubts: list[str] = []
    base = bases[0] if bases else None
    if base is None:
        missing.append("the base file is missing: the data before the incr files is lost")
    elif len(bases) > 1 and not (incrs and incrs[0].seq == base.seq and _is_gapless(incrs)):
        base = bases[-1]
        if base.seq == bases[-2].seq or any(entry.seq > base.seq for entry in incrs):
            doubts.append(f"{len(bases)} base files exist, and names do not show which incr files {base.name} includes")
    least = 1 if base is None else base.seq
    loaded = [entry for entry in incrs if entry.seq >= least]
    last = None
    for entry in loaded:
        if last is not None and entry.seq == last.seq:
            doubts.append(f"{last.name} and {entry.name} have the same number")
        elif last is not None and entry.seq > last.seq + 1:
            missing.append(f"the increment{_span(last.seq + 1, entry.seq - 1)} missing")
        last = entry
    if loaded and loaded[0].seq > least and not doubts:
        span = _span(least, loaded[0].seq - 1)
        if least == 1:
            missing.append(f"the increment{span} missing")
        else:
            doubts.append(f"whether the increment{span} missing, or {base.name if base else ''} holds it already")
    unique = [entry for index, entry in enumerate(loaded) if not index or entry.seq != loaded[index - 1].seq]
    entries = ([] if base is None else [base]) + unique
    names = {entry.name for entry in entries}
    return Rebuilt(entries, missing, [entry.name for entry in (*bases, *incrs) if entry.name not in names], doubts)


def _is_gapless(incrs: list[Entry]) -> bool:
    return all(after.seq == before.seq + 1 for before, after in pairwise(incrs))


def _span(first: int, last: int) -> str:
    return f" {first} is" if first == last else f"s {first} to {last} are"
