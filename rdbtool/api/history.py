"""``rdbtool.history``: every record of an AOF that touched a key, or one of several keys."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Unpack

from rdbtool.api.arguments import (
    ArgumentError,
    Patterns,
    ReplayOptions,
    Source,
    count_of,
    key_choice_of,
    key_of,
    replaying_of,
    source_of,
    takes,
)
from rdbtool.engine.replay.replay_options import replay_options
from rdbtool.operations.history.history import KeyHistory, Touch, read_history
from rdbtool.reader.open.dispatch import open_any


@takes(ReplayOptions)
def history(
    source: Source,
    key: str | bytes | None = None,
    *,
    exact_key: str | bytes | Iterable[str | bytes] | None = None,
    glob: str | bytes | Iterable[str | bytes] | None = None,
    regex: Patterns | None = None,
    db: int | None = None,
    **options: Unpack[ReplayOptions],
) -> KeyHistory:
    """Return every record of an AOF that touched ``key``, in ``db`` or in any database, and whether the key exists now.

    Several keys take one replay: ``exact_key`` are further keys, ``glob`` patterns as in KEYS, ``regex`` regular
    expressions that are searched for in keys. Each record has its ``key``, in the order of the AOF.

    The AOF is replayed, so commands that did not name the key are found too, such as FLUSHALL. Damage that ends the AOF
    is ``damage`` and not raised. Raises PlaceError, UnsupportedError, InputError.
    """
    target, only = source_of(source), count_of("db", db)
    chosen = key_choice_of(exact_key, glob, regex)
    if key is not None:
        chosen = chosen._replace(exact=tuple(dict.fromkeys((key_of(key), *chosen.exact))))
    if not any(chosen):
        raise ArgumentError("key", "give a key, or exact_key, glob or regex")
    how = replaying_of(options)
    replaying = replay_options(
        target, how.places, rules=how.rules, now_ms=how.now_ms, rename_commands=how.rename_commands
    )
    records: list[Touch] = []
    with open_any(target) as reader:
        found = read_history(reader, chosen, records.append, db=only, options=replaying, progress=how.progress)
    return found._replace(records=tuple(records))
