"""``rdbtool.stats``: memory statistics of a dataset."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Unpack

from rdbtool.api.arguments import (
    ArgumentError,
    ReadOptions,
    Source,
    check_flags,
    choice_of,
    count_of,
    replaying_of,
    rules_of,
    selection_of,
    source_of,
    takes,
)
from rdbtool.core.memory_models import ALLOCATORS
from rdbtool.operations.memory.gather import gather_stats
from rdbtool.operations.memory.stats import Stats, StatsOptions

if TYPE_CHECKING:
    from rdbtool._codec.filters.selection import Selection


@takes(ReadOptions)
def stats(
    source: Source,
    *,
    since: Source | None = None,
    allocator: str = ALLOCATORS[0],
    cluster: bool = False,
    compare: Iterable[str] = (),
    top: int = 10,
    separators: str | None = None,
    depth: int | None = None,
    prefix: str | bytes = b"",
    least: int = 65536,
    slots: bool = False,
    **options: Unpack[ReadOptions],
) -> Stats:
    """Return memory statistics of a server started from the data, in one pass and bounded memory.

    ``rules`` names the server; None: the one that wrote the file. ``since`` is an older dataset: ``growth`` then holds
    the differences, with keys of at least ``least`` bytes by name. ``compare`` names servers to calculate totals for as
    well. ``allocator`` and ``cluster`` are as in ``memory``. ``top`` is the number of largest keys to keep;
    ``separators`` are the characters that split keys into parts (None: guessed), ``depth`` is the number of parts to
    group by, and only keys that begin with ``prefix`` count. ``slots`` counts by cluster slot. For the other options
    see ``open``.

    Check ``doubt`` and ``damage`` of the result. Raises InputError, UnsupportedError, LimitError, PlaceError, and
    FormatError for damage before the first key.
    """
    target = source_of(source)
    older = [] if since is None else [source_of(since, "since")]
    choice_of("allocator", allocator, ALLOCATORS)
    check_flags(cluster=cluster, slots=slots)
    if isinstance(compare, str):
        raise TypeError("compare: expected several names of servers, found a single string")
    servers = tuple(name for name in map(rules_of, compare) if name is not None)
    if separators is not None and not (separators.isascii() and 0 < len(separators) <= 8):
        raise ArgumentError("separators", f"{separators!r} is not one to eight ASCII characters")
    how = replaying_of(options)
    wanted = StatsOptions(
        rules=how.rules,
        allocator=allocator,
        is_cluster=cluster,
        now_ms=how.now_ms,
        separators=None if separators is None else separators.encode(),
        depth=count_of("depth", depth, 1) or 0,
        prefix=os.fsencode(prefix) if isinstance(prefix, str) else prefix,
        top=count_of("top", top, 1) or 1,
        least=count_of("least", least, 1) or 1,
        with_slots=slots,
        compare=servers,
    )

    def select() -> Selection | None:
        return selection_of(options, how.now_ms)

    select()
    return gather_stats(
        [target],
        wanted,
        since=older,
        select=select,
        places=how.places,
        rename_commands=how.rename_commands,
        progress=how.progress,
    )
