"""What each key takes in memory: rows, the largest of them, and what all take together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rdbtool._codec.sinks.key_rows import KeyRows
from rdbtool._codec.sinks.memory import MemorySink
from rdbtool.core.errors import json_bytes, json_name
from rdbtool.core.progress import Progress
from rdbtool.operations.memory.model import MemoryChoice

if TYPE_CHECKING:
    from rdbtool._codec.encode.memory_lines import MemoryLines
    from rdbtool._codec.filters.selection import Selection
    from rdbtool._codec.sinks.key_sizes import KeyObserver
    from rdbtool.core.errors import UncertainError
    from rdbtool.dataset.dataset import Dataset

#: Rows after which reading pauses.
_BATCH: Final = 1024


@dataclass(frozen=True, slots=True)
class KeyMemory:
    """What a key takes, in bytes, on a server that was started from the file.

    ``memory`` is what MEMORY USAGE answers, ``allocated`` what the allocator gives. ``serialized`` is its record in the
    file, 0 where there is none. ``elements`` is 1 for a string; ``largest`` is the largest element: a string, a field
    or a value, the fields and values of a stream's entry. ``encoding`` is that in memory. ``at_least``: it takes that
    much or more, for it is an array, or a module's value, whose size only the module knows.
    """

    db: int
    key: bytes
    type: str
    encoding: str
    memory: int
    allocated: int
    serialized: int
    elements: int
    largest: int
    expire_at_ms: int | None
    idle_s: int | None
    freq: int | None
    at_least: bool

    def to_dict(self) -> dict[str, Any]:
        """Return what a line of ``memory -f jsonl`` says."""
        return {
            "db": self.db,
            "key": json_bytes(self.key),
            "type": self.type,
            "encoding": self.encoding,
            "memory": self.memory,
            "allocated": self.allocated,
            "serialized": self.serialized,
            "elements": self.elements,
            "largest": self.largest,
            "expire_at_ms": self.expire_at_ms,
            "idle_s": self.idle_s,
            "freq": self.freq,
            "at_least": self.at_least,
        }


@dataclass(frozen=True, slots=True)
class MemoryTotals:
    """What the keys take together, in bytes.

    ``tables`` are those that lead to keys and to their expiries, which no key counts. ``used_memory`` is what the
    server's used_memory grows by over that of an empty one: ``allocated`` and ``tables``.
    """

    keys: int
    memory: int
    allocated: int
    tables: int
    used_memory: int
    serialized: int

    def to_dict(self) -> dict[str, int]:
        """Return them by name."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class LargestKeys:
    """The keys that take the most, the largest first, and what all keys take; ``source`` is what was read."""

    rows: tuple[KeyMemory, ...]
    totals: MemoryTotals
    choice: MemoryChoice
    source: str
    doubt: UncertainError | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON says of it."""
        return {
            "schema": 1,
            "source": json_name(self.source),
            **self.choice.to_dict(),
            "totals": self.totals.to_dict(),
            "keys": [row.to_dict() for row in self.rows],
        }


class WantedRows(NamedTuple):
    """Which keys are told: the ``largest`` so many (None: all), of ``least`` bytes of memory, or that never expire."""

    largest: int | None = None
    least: int = 0
    no_ttl: bool = False


def largest_keys(
    dataset: Dataset,
    choice: MemoryChoice,
    wanted: WantedRows,
    *,
    selection: Selection | None = None,
    progress: Progress | None = None,
) -> LargestKeys:
    """Return the keys that take the most memory, and what all take. Raises what reading raises."""
    rows = _rows_of(wanted)
    totals = _feed(dataset, choice, rows, selection, progress)
    return LargestKeys(
        tuple(KeyMemory(*row) for row in rows.rows),
        totals,
        choice,
        dataset.name,
        dataset.doubt,
    )


def write_rows(
    dataset: Dataset,
    choice: MemoryChoice,
    make_lines: Callable[[int, bool], MemoryLines],
    wanted: WantedRows,
    *,
    selection: Selection | None = None,
    progress: Progress | None = None,
) -> MemoryTotals:
    """Write a line a key, in the order of the dataset, or the largest first where only the largest are wanted.

    ``make_lines`` makes their writer from ``least`` and ``no_ttl``. When reading fails, what was read is written before
    the error goes on.
    """
    lines = make_lines(wanted.least, wanted.no_ttl)
    rows = None if wanted.largest is None else _rows_of(wanted)
    try:
        return _feed(dataset, choice, lines if rows is None else rows, selection, progress)
    finally:
        if rows is not None:
            rows.tell(lines)
        lines.close()


def _rows_of(wanted: WantedRows) -> KeyRows:
    return KeyRows(-1 if wanted.largest is None else wanted.largest, wanted.least, wanted.no_ttl)


def _feed(
    dataset: Dataset,
    choice: MemoryChoice,
    observer: KeyObserver,
    selection: Selection | None,
    progress: Progress | None,
) -> MemoryTotals:
    sink = MemorySink(choice.model, observer, choice.allocator, choice.is_cluster)
    dataset.feed(sink, selection=selection, progress=progress)
    return MemoryTotals(**sink.totals())


class MemoryRows:
    """A row a key, in the order of the dataset, once. ``totals`` are those of the rows so far."""

    def __init__(
        self,
        dataset: Dataset,
        choice: MemoryChoice,
        *,
        least: int = 0,
        no_ttl: bool = False,
        selection: Selection | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.choice = choice
        self._dataset = dataset
        self._selection = selection
        self._progress = progress
        self._rows = KeyRows(-1, least, no_ttl, _BATCH)
        self._sink = MemorySink(choice.model, self._rows, choice.allocator, choice.is_cluster)

    @property
    def totals(self) -> MemoryTotals:
        """What all keys that were read take together."""
        return MemoryTotals(**self._sink.totals())

    def __iter__(self) -> Iterator[KeyMemory]:
        for _ in self._pauses():
            for row in self._rows.take():
                yield KeyMemory(*row)
            self._sink.go_on()

    def _pauses(self) -> Iterator[None]:
        """Feed the sink, and yield whenever there are rows."""
        from rdbtool.reader.rdb import RdbReader  # noqa: PLC0415 - it is there when a dataset is

        dataset = self._dataset
        if isinstance(dataset, RdbReader):
            yield from dataset.pauses(self._sink, selection=self._selection, progress=self._progress)
            return
        # What has no packed values says the same record by record.
        from rdbtool._codec.replay_record import feed_record  # noqa: PLC0415 - for other sources only

        for record in dataset.records(selection=self._selection, progress=self._progress):
            feed_record(record, self._sink)
            yield
