"""What a file is and holds, in a few numbers.

Counting means reading: every record is decoded and the checksum is compared, at the speed of the
codec. A damaged file still has a summary, of what precedes the damage.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from rdbtool._codec.sinks.requirements import Needs
from rdbtool.core.errors import FormatError, UncertainError
from rdbtool.core.products import Product
from rdbtool.core.progress import Progress
from rdbtool.core.rdb_types import ChecksumState, checksum_state
from rdbtool.core.servers import Rules, RulesChoice
from rdbtool.dataset.keys import refuse_places
from rdbtool.model.items import Aux, FunctionLibrary, Header
from rdbtool.operations.info.requirements import NeedsOfFile, needs_of
from rdbtool.reader.rdb import RdbReader, Totals

if TYPE_CHECKING:
    from rdbtool.engine.replay.places import Places
    from rdbtool.operations.replay.report import ReplayReport
    from rdbtool.reader.aof.reader import AofReader


class Summary(NamedTuple):
    """The numbers of one file. Sizes are in bytes.

    ``size`` is that of the RDB itself, None where it is not known because damage in a pipe or a compressed
    stream hides its end; ``compressed_size`` that of a compressed file. ``product`` is the writer where it is neither
    Redis nor Valkey itself. ``trailing`` counts bytes after the
    end mark. ``checksum`` is the stored CRC-64. ``choice`` tells whose rules apply to the data.
    """

    source: str
    size: int | None
    compression: str | None
    compressed_size: int | None
    header: Header
    aux: tuple[Aux, ...]
    functions: tuple[FunctionLibrary, ...]
    totals: Totals
    checksum: int | None
    checksum_state: ChecksumState
    trailing: int
    damage: FormatError | None
    choice: RulesChoice
    product: Product | None = None
    obstacle: UncertainError | None = None
    remarks: Sequence[str] = ()
    needs: NeedsOfFile = NeedsOfFile()


def summarize_any(
    reader: RdbReader | AofReader,
    rules: str | None = None,
    progress: Progress | None = None,
    *,
    places: Places | None = None,
    rename_commands: Mapping[str, str] | None = None,
) -> Summary | ReplayReport:
    """Read an RDB or replay a log, by the rules of a server, and return what it is and holds.

    ``places`` says where to stop and what to skip, ``rename_commands`` maps names of commands in the log to those that
    servers have. Raises PlaceError for a place that is not reached.
    """
    if isinstance(reader, RdbReader):
        refuse_places(reader, places)
        return summarize(reader, progress)
    from rdbtool.engine.replay.options import replay_options  # noqa: PLC0415 - the engine is for logs only
    from rdbtool.operations.replay.report import replay_reader  # noqa: PLC0415 - the engine is for logs only

    options = replay_options(reader.path or "-", places, rules=rules, rename_commands=rename_commands)
    return replay_reader(reader, options, digest=False, progress=progress)


def summarize(reader: RdbReader, progress: Progress | None = None, *, rules: str | None = None) -> Summary:
    """Read the rest of a file and return its summary. Damage is part of it; other errors are raised."""
    damage = None
    sink = Needs()
    try:
        reader.feed(sink, progress=progress)
    except FormatError as error:
        damage = error
    end = reader.end
    checksum = end.checksum if end else None
    source = reader.source
    choice = reader.choice if rules is None else RulesChoice(Rules.parse(rules), "named")
    return Summary(
        source=source.name,
        size=source.size if source.size is not None else end.span.stop + end.trailing if end else None,
        compression=source.compression,
        compressed_size=source.compressed_size,
        header=reader.header,
        aux=tuple(reader.aux),
        functions=tuple(reader.functions),
        totals=reader.totals,
        checksum=checksum,
        checksum_state=checksum_state(
            reader.header.version, checksum, is_wrong=damage is not None and damage.code == "RDB004"
        ),
        trailing=end.trailing if end else 0,
        damage=damage,
        choice=choice,
        needs=needs_of(sink.modules, sink.libraries),
        product=reader.product,
    )
