"""The summary of a file: what it is, and how much it holds.

Counting reads everything: every record is decoded and the checksum is compared, at the speed of the codec. The summary
of a damaged file covers what precedes the damage.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rdbtool._codec.sinks.requirements import Requirements
from rdbtool.core.errors import FormatError, UncertainError, json_bytes, json_name
from rdbtool.core.light_typing import TYPE_CHECKING, Any, NamedTuple
from rdbtool.core.progress import Progress
from rdbtool.core.rdb_types import ChecksumState, checksum_state
from rdbtool.core.servers import Product, Rules, RulesChoice
from rdbtool.dataset.loading import refuse_places
from rdbtool.model.items import Aux, FunctionLibrary, Header
from rdbtool.operations.info.requirements import NeedsOfFile, needs_of
from rdbtool.operations.json_shapes import aux_pairs, finding_json, needs_json, rules_json, totals_json
from rdbtool.reader.open.windows import check_rest
from rdbtool.reader.rdb import RdbReader, Totals

if TYPE_CHECKING:
    from rdbtool.engine.replay.places import Places
    from rdbtool.operations.replay.report import AofSummary
    from rdbtool.reader.aof.reader import AofReader
    from rdbtool.reader.open.dispatch import Target


class Summary(NamedTuple):
    """The numbers of one file. Sizes are in bytes.

    ``size`` is that of the RDB itself, None if unknown because damage in a pipe or a compressed stream hides its end;
    ``compressed_size`` that of a compressed file. ``product`` is the writer if it is neither Redis nor Valkey.
    ``trailing`` counts bytes after the end mark, and ``notes`` explain them, and bytes before the RDB. ``checksum`` is
    the stored CRC-64. ``choice`` is the server rules that apply to the data.
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
    notes: Sequence[str] = ()
    needs: NeedsOfFile = NeedsOfFile()

    def to_dict(self) -> dict[str, Any]:
        """Return the object of ``info --json`` for an RDB file."""
        return {
            "schema": 1,
            "source": json_name(self.source),
            "size": self.size,
            "compression": self.compression,
            "compressed_size": self.compressed_size,
            "magic": self.header.magic,
            "version": self.header.version,
            "product": None if self.product is None else self.product.name,
            **rules_json(self.choice),
            "checksum": {
                "state": self.checksum_state,
                "value": None if self.checksum is None else f"{self.checksum:#018x}",
            },
            "aux": aux_pairs(self.aux),
            "functions": [json_bytes(library.code) for library in self.functions],
            "needs": needs_json(self.needs),
            **totals_json(self.totals),
            "trailing": self.trailing,
            "notes": list(self.notes),
            "damage": None if self.damage is None else finding_json(self.damage, self.source),
        }


def summarize_any(
    reader: RdbReader | AofReader,
    rules: str | None = None,
    progress: Progress | None = None,
    *,
    places: Places | None = None,
    source: Target | None = None,
    now_ms: int = 0,
    rename_commands: Mapping[str, str] | None = None,
) -> Summary | AofSummary:
    """Read an RDB file or replay an AOF, by the rules of a server, and return its summary.

    ``places`` says where to stop and what to skip, ``source`` is what ``reader`` was opened from, ``now_ms`` (Unix ms)
    is the time for expiry, ``rename_commands`` maps renamed commands of the AOF to their original names. Raises
    PlaceError for a place that is not reached.
    """
    if isinstance(reader, RdbReader):
        refuse_places(reader, places)
        return summarize(reader, progress)
    from rdbtool.engine.replay.replay_options import replay_options  # noqa: PLC0415 - the engine is for AOFs only
    from rdbtool.operations.replay.report import AofSummary, replay_reader  # noqa: PLC0415 - the engine is for AOFs only

    again = source if source is not None else reader.path or "-"
    options = replay_options(again, places, rules=rules, now_ms=now_ms, rename_commands=rename_commands)
    return AofSummary(replay_reader(reader, options, digest=False, progress=progress))


def summarize(reader: RdbReader, progress: Progress | None = None, *, rules: str | None = None) -> Summary:
    """Read the rest of a file and return its summary. Damage is part of it; other errors are raised."""
    damage = None
    sink = Requirements()
    try:
        reader.feed(sink, progress=progress)
    except FormatError as error:
        damage = error
    end = reader.end
    rest = None if end is None else check_rest(end)
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
        remarks=reader.remarks,
        notes=[row.message for row in reader.around] + ([] if rest is None else [rest[3]]),
    )
