"""``rdbtool.replay``: execute an AOF and return an engine with its dataset."""

from __future__ import annotations

from typing import Unpack

from rdbtool.api.arguments import (
    ReplayOptions,
    Source,
    check_flags,
    replaying_of,
    source_of,
    takes,
)
from rdbtool.engine.replay.replay_options import replay_options
from rdbtool.operations.replay.report import ReplayReport, replay_reader
from rdbtool.reader.open.dispatch import open_any


@takes(ReplayOptions)
def replay(
    source: Source, *, strict: bool = False, digest: bool = False, **options: Unpack[ReplayOptions]
) -> ReplayReport:
    """Replay an AOF (or load an RDB) and return the report; its ``engine`` has the dataset and executes more commands.

    ``digest`` computes the digest of the dataset; ``strict`` raises ReplayError at the first finding above a note.
    Damage that ends the AOF is ``damage`` and not raised, unless it precedes the place to stop; ``doubts`` are commands
    whose effect is unknown. Raises PlaceError for a place that is not reached, FormatError for a damaged RDB,
    UnsupportedError, InputError.
    """
    target = source_of(source)
    check_flags(strict=strict, digest=digest)
    how = replaying_of(options)
    replaying = replay_options(
        target, how.places, rules=how.rules, strict=strict, now_ms=how.now_ms, rename_commands=how.rename_commands
    )
    with open_any(target) as reader:
        return replay_reader(reader, replaying, digest=digest, progress=how.progress)
