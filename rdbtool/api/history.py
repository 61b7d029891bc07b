"""``rdbtool.history``: every record of an AOF that touched a key."""

from __future__ import annotations

from typing import Unpack

from rdbtool.api.arguments import (
    ReplayOptions,
    Source,
    count_of,
    key_of,
    replaying_of,
    source_of,
    takes,
)
from rdbtool.engine.replay.replay_options import replay_options
from rdbtool.operations.history.history import KeyHistory, Touch, read_history
from rdbtool.reader.open.dispatch import open_any


@takes(ReplayOptions)
def history(source: Source, key: str | bytes, *, db: int | None = None, **options: Unpack[ReplayOptions]) -> KeyHistory:
    """Return every record of an AOF that touched ``key``, in ``db`` or in any database, and whether the key exists now.

    The AOF is replayed, so commands that did not name the key are found too, such as FLUSHALL. Damage that ends the AOF
    is ``damage`` and not raised. Raises PlaceError, UnsupportedError, InputError.
    """
    target, wanted, only = source_of(source), key_of(key), count_of("db", db)
    how = replaying_of(options)
    replaying = replay_options(
        target, how.places, rules=how.rules, now_ms=how.now_ms, rename_commands=how.rename_commands
    )
    records: list[Touch] = []
    with open_any(target) as reader:
        found = read_history(reader, wanted, records.append, db=only, options=replaying, progress=how.progress)
    return found._replace(records=tuple(records))
