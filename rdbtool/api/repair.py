"""``rdbtool.repair``: write what is intact of a damaged file to a new place."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from rdbtool.api.arguments import (
    FilePath,
    ReplayOptions,
    Source,
    check_flags,
    content_of,
    count_of,
    path_of,
    replaying_of,
)
from rdbtool.core.progress import Progress
from rdbtool.operations.repair.report import Repaired, RepairOptions
from rdbtool.operations.repair.run import repair as run


def repair(
    source: Source,
    destination: FilePath | None = None,
    *,
    keep_damaged: FilePath | None = None,
    force: bool = False,
    databases: int | None = None,
    rules: str | None = None,
    now: datetime | str | int | None = None,
    rename_commands: Mapping[str, str] | None = None,
    drop_unknown: bool = False,
    progress: Progress | None = None,
) -> Repaired:
    """Write what is intact of a damaged RDB or AOF to ``destination``, read it back, and list what is lost.

    ``destination`` None: dry run. ``keep_damaged`` is a file for the lost bytes, with an index beside it.
    ``databases``: skip keys of other databases than 0 to N-1. ``rules`` and ``now`` are for the digest.
    ``drop_unknown``: drop commands that no server has, instead of keeping them. Check ``is_saved``: it is False if
    nothing is left, and then nothing was written; and ``is_certain``: it is False if something kept could not be
    verified. Raises UnsupportedError if it is neither an RDB nor an AOF, InputError.
    """
    data = content_of(source)
    to = None if destination is None else path_of(destination)
    if to == "-":
        raise ValueError("destination: what is repaired is read back, which needs a file")
    kept = None if keep_damaged is None else path_of(keep_damaged, "keep_damaged")
    if kept is not None and (to is None or kept in {to, "-"}):
        raise ValueError("keep_damaged: needs a file of its own, and destination")
    check_flags(force=force, drop_unknown=drop_unknown)
    how = replaying_of(ReplayOptions(rules=rules, now=now, rename_commands=rename_commands, progress=progress))
    repairing = RepairOptions(
        keep_damaged=kept,
        force=force,
        databases=count_of("databases", databases, 1),
        rules=how.rules,
        now_ms=how.now_ms,
        rename_commands=how.rename_commands,
        drop_unknown=drop_unknown,
    )
    return run(data, to, repairing, how.progress)
