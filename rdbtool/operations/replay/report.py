"""The result of a replay: what an AOF consists of, the engine's findings, and the dataset.

Keys are counted and the digest is computed from the engine after the replay. Stopping before the last command of a name
reads the AOF twice, which is impossible for a pipe.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass

from rdbtool._codec.filters.tee import Tee
from rdbtool._codec.sinks.digest import Digest
from rdbtool._codec.sinks.requirements import Requirements
from rdbtool.core.errors import Finding, FormatError, UncertainError, json_bytes, json_name
from rdbtool.core.light_typing import Any, BinaryIO, NamedTuple
from rdbtool.core.progress import Progress
from rdbtool.core.servers import Rules
from rdbtool.engine.engine import Engine
from rdbtool.engine.export.engine_dataset import EngineDataset
from rdbtool.engine.replay.loader import Loaded, replay_log
from rdbtool.engine.replay.replay_options import Options
from rdbtool.engine.replay.stops import Extent
from rdbtool.model import Aux, FunctionLibrary, Header
from rdbtool.operations.info.requirements import NeedsOfFile, needs_of
from rdbtool.operations.json_shapes import (
    aux_pairs,
    command_finding_json,
    finding_json,
    needs_json,
    rules_json,
    skipped_json,
    stop_json,
    totals_json,
)
from rdbtool.reader.aof.batches import CommandBatch, read_time
from rdbtool.reader.aof.reader import AofReader
from rdbtool.reader.aof.tail import Tail
from rdbtool.reader.open.files import Part
from rdbtool.reader.rdb import RdbReader, Totals

Target = str | os.PathLike[str] | bytes | BinaryIO


class Snapshot(NamedTuple):
    """What the RDB preamble or base of an AOF says about itself."""

    header: Header
    aux: tuple[Aux, ...]
    keys: int

    def to_dict(self) -> dict[str, Any]:
        """Return the object for reports."""
        return {
            "magic": self.header.magic,
            "version": self.header.version,
            "keys": self.keys,
            "aux": aux_pairs(self.aux),
        }


class ReplayReport(NamedTuple):
    """An AOF and its dataset.

    ``parts`` are its files, ``part_commands`` counts the commands read of each. ``transactions`` counts those with an
    EXEC; ``first_time`` and ``last_time`` are annotated ones (Unix seconds). ``snapshot`` is None for an AOF without
    one. ``totals`` counts the keys of the dataset. ``digest`` is None if it was not requested, or if ``opaque_keys``
    hold values that only their server can digest.
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
        """The engine with the dataset: ``report.engine.records()``."""
        return self.loaded.replay.engine

    @property
    def rules(self) -> Rules:
        """The server rules that applied."""
        return self.loaded.rules

    @property
    def findings(self) -> list[Finding]:
        """The findings, at most a thousand."""
        return self.loaded.replay.findings

    @property
    def commands(self) -> int:
        """Commands that were read and executed, except those of an open transaction."""
        return self.loaded.replay.commands

    @property
    def damage(self) -> FormatError | None:
        """The damage that ended the AOF early."""
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
        """Remarks on the dataset."""
        return self.loaded.remarks

    @property
    def is_sound(self) -> bool:
        """Whether the AOF was read to its end or to the place to stop, and no finding makes the dataset uncertain."""
        return self.loaded.fault is None and self.loaded.doubt is None

    def to_dict(self) -> dict[str, Any]:
        """Return the object of ``replay --json``."""
        return {
            **self.summary_dict(),
            "findings": [command_finding_json(finding) for finding in self.findings],
            "finding_counts": dict(sorted(self.loaded.replay.counts.items())),
            "digest": self.digest,
            "keys_without_digest": self.opaque_keys,
        }

    def summary_dict(self) -> dict[str, Any]:
        """Return the part of it that ``info --json`` prints."""
        snapshot, fault, tail = self.snapshot, self.loaded.fault, self.loaded.tail
        part = "" if tail is None else self.parts[tail.part].name
        return {
            "schema": 1,
            "source": json_name(self.source),
            "product": None if self.engine.product is None else self.engine.product.name,
            **rules_json(self.loaded.choice),
            "parts": [
                {
                    "part": json_name(part.name),
                    "kind": part.kind,
                    "seq": part.number,
                    "format": part.format,
                    "size": part.size,
                    "commands": commands,
                }
                for part, commands in zip(self.parts, self.part_commands, strict=True)
            ],
            "snapshot": None if snapshot is None else snapshot.to_dict(),
            "notes": [row.message for row in self.loaded.around],
            "commands": self.commands,
            "transactions": self.transactions,
            "stopped": stop_json(self.extent),
            "skipped": skipped_json(self.extent),
            "first_time": self.first_time,
            "last_time": self.last_time,
            **totals_json(self.totals),
            "functions": [json_bytes(library.code) for library in self.functions],
            "needs": needs_json(self.needs),
            "tail": None if tail is None else _tail_dict(tail, part),
            "damage": None if fault is None else finding_json(fault, part),
        }


@dataclass(frozen=True)
class AofSummary:
    """What an AOF consists of, and the counts of its dataset; see ``report`` for more."""

    report: ReplayReport

    @property
    def source(self) -> str:
        """The name of the AOF."""
        return self.report.source

    @property
    def totals(self) -> Totals:
        """Key counts."""
        return self.report.totals

    @property
    def damage(self) -> FormatError | None:
        """The damage that ended the AOF early."""
        return self.report.damage

    @property
    def obstacle(self) -> UncertainError | None:
        """What makes the counted keys uncertain."""
        return self.report.obstacle

    @property
    def remarks(self) -> list[str]:
        """Remarks on the dataset."""
        return self.report.remarks

    def to_dict(self) -> dict[str, Any]:
        """Return the object of ``info --json`` for an AOF."""
        return self.report.summary_dict()


def replay_reader(
    reader: RdbReader | AofReader,
    options: Options,
    *,
    digest: bool,
    progress: Progress | None = None,
) -> ReplayReport:
    """Replay an open AOF and return the report."""
    tally = LogTally()
    loaded = replay_log(reader, options._replace(on_batch=tally, on_restart=tally.restart), progress)
    if isinstance(reader, RdbReader):
        parts = [Part(reader.name, None, "single", number=1, size=reader.size, format="rdb")]
    else:
        parts = loaded.parts
    _learn_sizes(loaded, parts)
    dataset = EngineDataset(loaded.replay.engine, loaded.header, module_aux=loaded.module_aux)
    first_time, last_time = tally.timeline.span_of(loaded.replay.commands)
    needs = Requirements()
    sums = Digest(loaded.rules, options.now_ms) if digest else None
    totals = dataset.feed(needs if sums is None else Tee(needs, sums))
    if sums is not None:
        sums.close()
    has_snapshot = any(part.format in {"rdb", "rdb+resp"} for part in parts)
    # The batch with the place to stop was counted whole.
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


def _tail_dict(tail: Tail, part: str) -> dict[str, Any]:
    return {
        "state": tail.state,
        "part": json_name(part),
        "good_up_to": tail.at,
        "bytes_behind": tail.size,
        "commands_lost": tail.lost,
        "next_good": tail.next_good,
    }


def _cut(counts: list[int], left: int) -> list[int]:
    """Reduce counts to a sum of ``left``, keeping the first ones."""
    kept = []
    for count in counts:
        kept.append(min(count, left))
        left -= kept[-1]
    return kept


def _learn_sizes(loaded: Loaded, parts: list[Part]) -> None:
    """Fill in the size of the file in which reading ended, if only reading could tell."""
    tail = loaded.tail
    if tail is not None and tail.size is not None and tail.part < len(parts) and parts[tail.part].size is None:
        parts[tail.part].size = tail.at + tail.size


class LogTally:
    """Counts the batches of an AOF.

    ``commands`` counts commands by the index of their file. ``timeline`` has the times.
    """

    def __init__(self) -> None:
        self.commands: Counter[int] = Counter()
        self.timeline = Timeline()

    def restart(self) -> None:
        """Reset everything: the AOF is read again."""
        self.commands.clear()
        self.timeline = Timeline()

    def __call__(self, batch: CommandBatch) -> None:
        """Count a batch."""
        self.commands[batch.part] += len(batch.argvs)
        self.timeline(batch)


class Timeline:
    """Records the annotated times of an AOF, by command number."""

    def __init__(self) -> None:
        self._numbers: list[int] = []
        self._times: list[int] = []

    def __call__(self, batch: CommandBatch) -> None:
        """Record the annotations of a batch."""
        for index, text in batch.annotations:
            time = read_time(text)
            if time is not None:
                self._numbers.append(batch.first_number + index)
                self._times.append(time)

    def span_of(self, commands: int) -> tuple[int | None, int | None]:
        """Return the first and the last time of the first commands, None if there is none."""
        last = self.time_of(commands)
        return (None if last is None else self._times[0]), last

    def time_of(self, number: int) -> int | None:
        """Return the time of a command by its number, in Unix seconds, None before the first annotation."""
        index = bisect_right(self._numbers, number)
        return self._times[index - 1] if index else None
