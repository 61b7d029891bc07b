"""A replay as a result: what a log consists of, what the engine said of it, and the state that it leads to.

The state is counted and summed up from the engine's keys, after the replay. Whoever wants to stop in front of the last
command of a name has the log read twice, which a pipe cannot be.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import BinaryIO, NamedTuple

from rdbtool._codec.filters.tee import Tee
from rdbtool._codec.sinks.digest import Digest
from rdbtool._codec.sinks.requirements import Needs
from rdbtool.core.errors import FormatError, UncertainError
from rdbtool.core.findings import Finding
from rdbtool.core.servers import Rules
from rdbtool.engine.engine import Engine
from rdbtool.engine.export.engine_dataset import EngineDataset
from rdbtool.engine.replay.loader import Loaded, replay_log
from rdbtool.engine.replay.options import Options, replay_options
from rdbtool.engine.replay.places import Places
from rdbtool.engine.replay.stops import Extent
from rdbtool.model import Aux, FunctionLibrary, Header
from rdbtool.operations.info.requirements import NeedsOfFile, needs_of
from rdbtool.operations.replay.tally import LogTally
from rdbtool.reader.aof.reader import AofReader
from rdbtool.reader.open.dispatch import open_any
from rdbtool.reader.open.parts import Part
from rdbtool.reader.rdb import RdbReader, Totals

Progress = Callable[[int], object]
Target = str | os.PathLike[str] | bytes | BinaryIO


class Snapshot(NamedTuple):
    """What the RDB at the beginning of a log says of itself."""

    header: Header
    aux: tuple[Aux, ...]
    keys: int


class ReplayReport(NamedTuple):
    """A log and the state that it leads to.

    ``parts`` are its files, ``part_commands`` counts the commands read of each. ``transactions`` counts those with
    an EXEC; ``first_time`` and ``last_time`` are annotated ones (Unix seconds). ``snapshot`` is None for a log
    without one. ``totals`` counts the keys of the state. ``digest`` is that of the state; None where nobody asked
    for it, or where ``opaque_keys`` hold what only their server can sum up.
    """

    source: str
    loaded: Loaded
    parts: tuple[Part, ...]
    part_commands: tuple[int, ...]
    transactions: int
    first_time: int | None
    last_time: int | None
    snapshot: Snapshot | None
    totals: Totals
    functions: tuple[FunctionLibrary, ...]
    digest: str | None
    opaque_keys: int
    needs: NeedsOfFile = NeedsOfFile()

    @property
    def engine(self) -> Engine:
        """The engine with the state: ``report.engine.records()``."""
        return self.loaded.replay.engine

    @property
    def rules(self) -> Rules:
        """Whose rules applied."""
        return self.loaded.rules

    @property
    def findings(self) -> list[Finding]:
        """What was worth telling, the first thousand."""
        return self.loaded.replay.findings

    @property
    def commands(self) -> int:
        """Commands that were read and, unless a transaction around them has no end, executed."""
        return self.loaded.replay.commands

    @property
    def damage(self) -> FormatError | None:
        """What ended the log before its end."""
        return self.loaded.fault

    @property
    def doubts(self) -> list[Finding]:
        """What makes the dataset uncertain: the first commands whose effect, or whose order, is unknown."""
        return self.loaded.doubts

    @property
    def obstacle(self) -> UncertainError | None:
        """What makes the counted keys uncertain."""
        return self.loaded.obstacle

    @property
    def extent(self) -> Extent:
        """Where the replay stopped, and what it skipped."""
        return self.loaded.extent

    @property
    def remarks(self) -> list[str]:
        """What a reader of the dataset should know."""
        return self.loaded.remarks

    @property
    def is_sound(self) -> bool:
        """Whether the log was read to its end or to the place to stop, and no finding leaves the state in doubt."""
        return self.loaded.fault is None and self.loaded.doubt is None


def replay(
    source: Target,
    *,
    until: str | None = None,
    before: str | None = None,
    before_last: str | None = None,
    skip: Sequence[str] = (),
    rules: str | None = None,
    strict: bool = False,
    now_ms: int = 0,
    rename_commands: Mapping[str, str] | None = None,
    digest: bool = False,
) -> ReplayReport:
    """Replay a log, a manifest or a directory with one (an RDB is loaded), and return what came of it.

    ``until``, ``before``, ``before_last`` and ``skip``: see ``Places``.
    ``rules`` names a server, None: the writer of the snapshot. ``now_ms`` (Unix ms) is when. ``rename_commands`` maps
    names of commands in the log to those that servers have. Damage that ends the log
    is ``report.loaded.fault`` and not raised, unless it comes before the place to stop. Raises ValueError for a place
    or name that is none, PlaceError for a place that is not reached, InputError, UnsupportedError, FormatError for a
    damaged snapshot, ReplayError with ``strict``.
    """
    places = Places(until, before, before_last, tuple(skip))
    options = replay_options(source, places, rules=rules, strict=strict, now_ms=now_ms, rename_commands=rename_commands)
    with open_any(source) as reader:
        return replay_reader(reader, options, digest=digest)


def replay_reader(
    reader: RdbReader | AofReader,
    options: Options,
    *,
    digest: bool,
    progress: Progress | None = None,
) -> ReplayReport:
    """Replay an open source and return what came of it."""
    tally = LogTally()
    loaded = replay_log(reader, options._replace(on_batch=tally, on_restart=tally.restart), progress)
    if isinstance(reader, RdbReader):
        parts = [Part(reader.name, None, "single", number=1, size=reader.size, format="rdb")]
    else:
        parts = loaded.parts
    _learn_sizes(loaded, parts)
    dataset = EngineDataset(loaded.replay.engine, loaded.header, module_aux=loaded.module_aux)
    first_time, last_time = tally.timeline.span_of(loaded.replay.commands)
    needs = Needs()
    sums = Digest(loaded.rules, options.now_ms) if digest else None
    totals = dataset.feed(needs if sums is None else Tee(needs, sums))
    if sums is not None:
        sums.close()
    has_snapshot = any(part.format in {"rdb", "rdb+resp"} for part in parts)
    # Of the batch that holds the place to stop, what stands behind it was counted too.
    counts = [tally.commands[index] for index in range(len(parts))]
    if loaded.replay.stopped_at is not None:
        counts = _cut(counts, loaded.replay.commands)
    return ReplayReport(
        source=reader.name,
        loaded=loaded,
        parts=tuple(parts),
        part_commands=tuple(counts),
        transactions=loaded.replay.transactions,
        first_time=first_time,
        last_time=last_time,
        snapshot=Snapshot(loaded.header, tuple(loaded.aux), loaded.snapshot_keys) if has_snapshot else None,
        totals=totals,
        functions=tuple(dataset.functions),
        digest=None if sums is None or sums.opaque_keys else sums.hexdigest(),
        opaque_keys=0 if sums is None else sums.opaque_keys,
        needs=needs_of(needs.modules, needs.libraries),
    )


def _cut(counts: list[int], left: int) -> list[int]:
    """Return counts that sum up to ``left``, the first ones kept."""
    kept = []
    for count in counts:
        kept.append(min(count, left))
        left -= kept[-1]
    return kept


def _learn_sizes(loaded: Loaded, parts: list[Part]) -> None:
    """Fill in the size of the part in which reading ended, where only reading could tell."""
    tail = loaded.tail
    if tail is not None and tail.size is not None and tail.part < len(parts) and parts[tail.part].size is None:
        parts[tail.part].size = tail.at + tail.size
