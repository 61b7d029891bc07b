"""``rdbtool.info``: version, writer and key counts of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from rdbtool.api.arguments import (
    ReplayOptions,
    Source,
    replaying_of,
    source_of,
    takes,
)
from rdbtool.operations.info.summary import Summary, summarize_any
from rdbtool.reader.open.dispatch import open_any

if TYPE_CHECKING:
    from rdbtool.operations.replay.report import AofSummary


@takes(ReplayOptions)
def info(source: Source, **options: Unpack[ReplayOptions]) -> Summary | AofSummary:
    """Return the summary of an RDB or AOF: version, writer, checksum, counts, aux fields, functions.

    The whole file is read. Damage is ``damage`` and not raised: then everything before it is counted. Raises
    UnsupportedError, InputError, PlaceError.
    """
    target = source_of(source)
    how = replaying_of(options)
    with open_any(target) as reader:
        return summarize_any(
            reader,
            how.rules,
            how.progress,
            places=how.places,
            source=target,
            now_ms=how.now_ms,
            rename_commands=how.rename_commands,
        )
