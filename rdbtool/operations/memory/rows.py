"""Memory usage of each key: rows, the largest keys, and totals."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rdbtool._codec.sinks.key_rows import KeyRows
from rdbtool._codec.sinks.memory import MemorySink
from rdbtool.core.errors import json_bytes, json_name
from rdbtool.core.light_typing import TYPE_CHECKING, Any, Final, NamedTuple
from rdbtool.core.progress import Progress
from rdbtool.operations.memory.model import MemoryChoice

if TYPE_CHECKING:
    from rdbtool._codec.encode.memory_lines import MemoryLines
    from rdbtool._codec.filters.selection import Selection
    from rdbtool._codec.sinks.key_sizes import KeyObserver
    from rdbtool.core.errors import UncertainError
    from rdbtool.dataset.dataset import Dataset

#: The number of rows after which reading pauses.
_BATCH: Final = 1024


class KeyMemory(NamedTuple):
    """The memory usage of a key, in bytes, on a server started from the file.

    ``memory`` is the reply of MEMORY USAGE, ``allocated`` the bytes used in the allocator. ``serialized`` is the size
    of its record in the file, 0 if there is none. ``elements`` is 1 for a string; ``largest`` is the size of the
    largest element: a string, a field or a value, or the fields and values of a stream entry. ``encoding`` is the
    encoding in memory. ``at_least``: the sizes are lower bounds, as for arrays and module values, whose size only the
    module knows.
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
        """Return the object of a line of ``memory -f jsonl``."""
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


class MemoryTotals(NamedTuple):
    """Totals of all keys, in bytes.

    ``tables`` are the hash tables of keys and of expiries, which belong to no key. ``used_memory`` is the growth of the
    server's used_memory over an empty server: ``allocated`` plus ``tables``.
    """

    keys: int
    memory: int
    allocated: int
    tables: int
    used_memory: int
    serialized: int

    def to_dict(self) -> dict[str, int]:
        """Return the totals for JSON output."""
        return self._asdict()


class LargestKeys(NamedTuple):
    """The keys that use the most memory, largest first, and the totals of all keys; ``source`` names the input."""

    rows: tuple[KeyMemory, ...]
    totals: MemoryTotals
    choice: MemoryChoice
    source: str
    doubt: UncertainError | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the object that ``memory --json`` prints."""
        return {
            "schema": 1,
            "source": json_name(self.source),
            **self.choice.to_dict(),
            "totals": self.totals.to_dict(),
            "keys": [row.to_dict() for row in self.rows],
        }


class WantedRows(NamedTuple):
    """Which keys to report: the N ``largest`` (None: all), those of ``least`` bytes or more, or without expiry."""

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
    """Return the keys that use the most memory, and the totals of all keys. Raises the errors of reading."""
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
    """Write a line per key, in the order of the dataset, or largest first if only the largest are wanted.

    ``make_lines`` returns their writer for ``least`` and ``no_ttl``. If reading fails, the keys before the error are
    written before it is raised.
    """
    lines = make_lines(wanted.least, wanted.no_ttl)
    rows = None if wanted.largest is None else _rows_of(wanted)
    try:
        return _feed(dataset, choice, lines if rows is None else rows, selection, progress)
    finally:
        if rows is not None:
            rows.emit(lines)
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
    """Rows of keys in the order of the dataset, to be iterated once. ``totals`` covers the keys so far."""

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
        """The totals of all keys read so far."""
        return MemoryTotals(**self._sink.totals())

    def __iter__(self) -> Iterator[KeyMemory]:
        for _ in self._pauses():
            for row in self._rows.take():
                yield KeyMemory(*row)
            self._sink.go_on()

    def _pauses(self) -> Iterator[None]:
        """Feed the sink, and yield when rows are available."""
        from rdbtool.reader.rdb import RdbReader  # noqa: PLC0415 - loaded with any dataset

        dataset = self._dataset
        if isinstance(dataset, RdbReader):
            yield from dataset.pauses(self._sink, selection=self._selection, progress=self._progress)
            return
        # Other datasets have no packed values, so records give the same sizes.
        from rdbtool._codec.replay_record import feed_record  # noqa: PLC0415 - for other sources only

        for record in dataset.records(selection=self._selection, progress=self._progress):
            feed_record(record, self._sink)
            yield
