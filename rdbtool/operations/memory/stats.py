"""Memory statistics: one pass over datasets in bounded memory, and its result.

Key sizes are counted by a ``KeyStats`` (``_codec/sinks/key_stats``), whose numbers are turned into a ``Stats`` here.
``memory`` is always the reply of MEMORY USAGE after a restart, ``allocated`` the bytes used in the allocator, and
``used_memory`` the growth of used_memory in INFO over an empty server.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rdbtool._codec.sinks.key_sizes import ENCODINGS
from rdbtool._codec.sinks.key_stats import LOOK, NEW, OLD, KeyStats
from rdbtool.core.errors import json_bytes, json_name
from rdbtool.core.light_typing import TYPE_CHECKING, Any, Final, NamedTuple
from rdbtool.core.memory_models import HASH_PACKED, SET_PACKED, ZSET_PACKED, MemoryModel, memory_model_of
from rdbtool.core.rdb_types import KINDS
from rdbtool.core.servers import Rules, product_of, writer_of
from rdbtool.operations.json_shapes import rules_json

if TYPE_CHECKING:
    from rdbtool._codec.filters.selection import Selection
    from rdbtool._codec.sinks.key_stats import Branch, Largest
    from rdbtool.core.errors import Finding, FormatError, UncertainError
    from rdbtool.core.progress import Progress
    from rdbtool.core.servers import RulesChoice
    from rdbtool.dataset.dataset import Dataset
    from rdbtool.operations.memory.aof_writes import AofStats

#: The default separators of the parts of keys.
_SEPARATORS: Final = (b":", b"/", b"|", b".", b"_", b"-")

#: The most nodes of the prefix tree in a result; smaller ones are summed up in their parent.
KEPT_PREFIXES: Final = 2000

#: The buckets of expiry and of idle time, in the order of ``KeyStats``.
EXPIRIES: Final = ("never", "past", "1h", "1d", "7d", "30d", "later")
IDLE: Final = ("1h", "1d", "7d", "30d", "longer")

#: The most elements, and bytes per element, of a collection in a compact encoding, by type.
LIMITS: Final = {"hash": HASH_PACKED, "zset": ZSET_PACKED, "set": SET_PACKED}

#: The encodings of collections above a limit.
_LARGE: Final = frozenset({"hashtable", "skiplist"})

#: The largest share of keys without an expiry for these to count as exceptions.
_FEW: Final = 0.1

#: The fewest keys of such a prefix, for the share to be meaningful.
_ENOUGH: Final = 20


class MemorySums(NamedTuple):
    """Totals of all keys, in bytes; ``used_memory`` is ``allocated`` plus ``tables``."""

    keys: int = 0
    memory: int = 0
    allocated: int = 0
    tables: int = 0
    used_memory: int = 0
    serialized: int = 0

    def __add__(self, other: tuple[int, ...]) -> MemorySums:  # type: ignore[override]
        return MemorySums(*(mine + its for mine, its in zip(self, other, strict=True)))


class SourceFacts(NamedTuple):
    """A counted dataset. ``saved_at`` is in Unix seconds, None if the file does not record it."""

    source: str
    kind: str
    size: int | None
    magic: str
    version: int
    writer: str | None
    saved_at: int | None
    choice: RulesChoice
    totals: MemorySums

    def to_dict(self) -> dict[str, Any]:
        """Return the object that ``stats --json`` prints."""
        return {
            "source": json_name(self.source),
            "kind": self.kind,
            "size": self.size,
            "magic": self.magic,
            "version": self.version,
            "writer": self.writer,
            "saved_at": self.saved_at,
            **rules_json(self.choice),
            "totals": self.totals._asdict(),
        }


class Prefix(NamedTuple):
    """Keys with a common prefix.

    ``parent`` is an index, None at the root; ``depth`` is the number of tokens. In ``path``, ``*`` represents folded
    tokens; ``folded`` counts the names folded below, and ``children`` includes those omitted from the result.
    ``is_partial``: some keys with this prefix are counted in ``*`` of its parent. ``p99`` is at most 1/16 too large.
    """

    parent: int | None
    depth: int
    path: bytes
    token: bytes
    is_partial: bool
    keys: int
    memory: int
    allocated: int
    no_ttl_keys: int
    no_ttl_memory: int
    p99: int
    max: int
    old_keys: int
    old_memory: int
    children: int
    folded: int
    own_keys: int

    @property
    def average(self) -> int:
        """The average memory of a key in bytes, rounded down."""
        return self.memory // self.keys if self.keys else 0

    @property
    def is_branch(self) -> bool:
        """Whether there are keys below this node."""
        return self.keys > self.own_keys

    @property
    def pattern(self) -> bytes:
        """The prefix as a key pattern, for display."""
        is_cut = self.keys > 1 and self.path[-1:] in _SEPARATORS
        return self.path + b"*" if self.is_branch or is_cut else self.path

    def to_dict(self, *, with_old: bool) -> dict[str, Any]:
        """Return the object that ``stats --json`` prints."""
        row = {
            "prefix": json_bytes(self.path),
            "parent": self.parent,
            "depth": self.depth,
            "keys": self.keys,
            "memory": self.memory,
            "allocated": self.allocated,
            "average": self.average,
            "p99": self.p99,
            "max": self.max,
            "no_ttl_keys": self.no_ttl_keys,
            "no_ttl_memory": self.no_ttl_memory,
            "children": self.children,
            "folded": self.folded,
            "at_least": self.is_partial,
        }
        if with_old:
            row |= {"old_keys": self.old_keys, "old_memory": self.old_memory}
        return row


class TypeRow(NamedTuple):
    """Keys of a type and an encoding in memory. ``largest`` is the size of the largest element in bytes."""

    kind: str
    encoding: str
    keys: int
    memory: int
    allocated: int
    serialized: int
    elements: int
    largest: int
    no_ttl_keys: int
    no_ttl_memory: int
    old_keys: int
    old_memory: int

    def to_dict(self) -> dict[str, Any]:
        """Return the object that ``stats --json`` prints."""
        row = self._asdict()
        return {"type": row.pop("kind"), **row}


class LargeKey(NamedTuple):
    """One of the largest keys. A long name is truncated; ``key_length`` is its full length."""

    db: int
    key: bytes
    key_length: int
    kind: str
    encoding: str
    memory: int
    allocated: int
    serialized: int
    elements: int
    largest: int
    expire_at_ms: int | None

    def to_dict(self) -> dict[str, Any]:
        """Return the object that ``stats --json`` prints."""
        row = self._asdict()
        return {"db": row.pop("db"), "key": json_bytes(row.pop("key")), "key_length": row.pop("key_length"),
                "type": row.pop("kind"), **row}  # fmt: skip


class Bucket(NamedTuple):
    """The number of keys in a class, and their memory."""

    name: str
    keys: int
    memory: int


class SizeBucket(NamedTuple):
    """Keys of at least ``least`` bytes and less than twice as many."""

    least: int
    keys: int
    memory: int


class DbRow(NamedTuple):
    """A database; -1 for all after the first 2,048."""

    db: int
    keys: int
    expires: int
    memory: int
    allocated: int


class SlotRow(NamedTuple):
    """A cluster slot."""

    slot: int
    keys: int
    memory: int


class Saving(NamedTuple):
    """A possible saving of memory, calculated from the data.

    ``what`` is ``entries`` or ``value`` (collections a little above an encoding limit that ``setting`` would raise),
    ``expired``, or ``no-ttl`` (keys without an expiry under a ``prefix`` where most keys have one). ``memory`` is the
    present size of ``keys``, ``saves`` the reduction; ``is_estimate``: sizes in the compact encoding are derived from
    those in the file.
    """

    what: str
    keys: int
    memory: int
    saves: int
    is_estimate: bool = False
    kind: str | None = None
    limit: int | None = None
    setting: str | None = None
    prefix: bytes | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the object that ``stats --json`` prints."""
        row = self._asdict()
        row["type"] = row.pop("kind")
        row["prefix"] = None if self.prefix is None else json_bytes(self.prefix)
        return row


class Compared(NamedTuple):
    """The totals of the same data on another server."""

    server: str
    totals: MemorySums


class KeyChange(NamedTuple):
    """A key of at least the requested size, now or before; ``memory`` or ``old_memory`` is None if it is missing."""

    db: int
    key: bytes
    key_length: int
    kind: str
    memory: int | None
    old_memory: int | None
    elements: int | None
    old_elements: int | None

    @property
    def grew(self) -> int:
        """The growth in bytes."""
        return (self.memory or 0) - (self.old_memory or 0)

    def to_dict(self) -> dict[str, Any]:
        """Return the object that ``stats --json`` prints."""
        row = self._asdict()
        return {"db": row.pop("db"), "key": json_bytes(row.pop("key")), "key_length": row.pop("key_length"),
                "type": row.pop("kind"), **row}  # fmt: skip


class Growth(NamedTuple):
    """Growth since an older dataset. ``keys`` are those of at least ``least`` bytes on one side, most change first.

    ``is_exact`` is False if there were too many such keys to track them all.
    """

    old: tuple[SourceFacts, ...]
    totals: MemorySums
    least: int
    keys: tuple[KeyChange, ...]
    is_exact: bool = True

    def to_dict(self) -> dict[str, Any]:
        """Return the object that ``stats --json`` prints."""
        return {
            "sources": [row.to_dict() for row in self.old],
            "totals": self.totals._asdict(),
            "least": self.least,
            "keys": [row.to_dict() for row in self.keys],
            "exact": self.is_exact,
        }


class StatsOptions(NamedTuple):
    """What to count, and the server to calculate memory for.

    ``rules`` is the name of a server, None for the writer of the file; ``allocator`` and ``is_cluster`` belong to that
    server. ``separators`` are bytes, None: guessed; ``depth`` is the number of tokens of a key to group by (0: 16).
    ``top`` is the number of largest keys to keep, ``least`` the least size of a key that growth reports by name.
    ``with_slots`` counts by cluster slot, ``compare`` names servers to calculate totals for as well.
    """

    rules: str | None = None
    allocator: str | None = None
    is_cluster: bool = False
    now_ms: int = 0
    separators: bytes | None = None
    depth: int = 0
    prefix: bytes = b""
    top: int = 10
    least: int = 64 << 10
    with_slots: bool = False
    compare: tuple[str, ...] = ()


class Stats(NamedTuple):
    """Memory statistics of one or several datasets.

    ``prefixes`` are the largest nodes of the tree, parents before children; the first is the root. ``largest`` holds
    the largest keys by ``memory``, ``elements`` and ``element`` (bytes of the largest element). ``savings`` are sorted,
    most first. ``findings`` are the limits that were exceeded. ``p50``, ``p90`` and ``p99`` are percentiles of the
    memory of a key. ``at_least`` counts keys of which only a lower bound is known, such as module values.
    """

    sources: tuple[SourceFacts, ...]
    options: StatsOptions
    model: str
    totals: MemorySums
    prefixes: tuple[Prefix, ...]
    types: tuple[TypeRow, ...]
    largest: dict[str, tuple[LargeKey, ...]]
    expiry: tuple[Bucket, ...]
    sizes: tuple[SizeBucket, ...]
    idle: tuple[Bucket, ...]
    freqs: tuple[tuple[int, int, int], ...]
    dbs: tuple[DbRow, ...]
    slots: tuple[SlotRow, ...]
    folded: int
    p50: int
    p90: int
    p99: int
    savings: tuple[Saving, ...] = ()
    compared: tuple[Compared, ...] = ()
    growth: Growth | None = None
    aof: AofStats | None = None
    findings: tuple[Finding, ...] = ()
    at_least: int = 0
    remarks: tuple[str, ...] = ()
    doubt: UncertainError | None = None
    damage: FormatError | None = None

    @property
    def no_ttl(self) -> Bucket:
        """The keys that never expire."""
        return self.expiry[0]

    def to_dict(self) -> dict[str, Any]:
        """Return the object that ``stats --json`` prints."""
        with_old = self.growth is not None
        return {
            "schema": 1,
            "sources": [row.to_dict() for row in self.sources],
            "model": self.model,
            "totals": self.totals._asdict(),
            "p50": self.p50,
            "p90": self.p90,
            "p99": self.p99,
            "no_ttl": {"keys": self.no_ttl.keys, "memory": self.no_ttl.memory},
            "prefixes": [row.to_dict(with_old=with_old) for row in self.prefixes],
            "folded": self.folded,
            "at_least": self.at_least,
            "types": [row.to_dict() for row in self.types],
            "largest": {name: [row.to_dict() for row in rows] for name, rows in self.largest.items()},
            "expiry": [row._asdict() for row in self.expiry],
            "sizes": [row._asdict() for row in self.sizes],
            "idle": [row._asdict() for row in self.idle],
            "lfu": [{"counter": counter, "keys": keys, "memory": memory} for counter, keys, memory in self.freqs],
            "dbs": [row._asdict() for row in self.dbs],
            "slots": [row._asdict() for row in self.slots],
            "savings": [row.to_dict() for row in self.savings],
            "compared": [{"server": row.server, "totals": row.totals._asdict()} for row in self.compared],
            "growth": None if self.growth is None else self.growth.to_dict(),
            "aof": None if self.aof is None else self.aof.to_dict(),
            "findings": [_finding_dict(row) for row in self.findings],
        }


class Measured(NamedTuple):
    """The result of feeding a dataset: its totals, those on other servers, and the server of the calculation.

    ``damage`` is the error that ended the dataset early.
    """

    totals: MemorySums
    compared: tuple[MemorySums, ...]
    model: str
    damage: FormatError | None = None


#: A function that feeds a dataset to an observer of key sizes.
Measure = Callable[["Dataset", KeyStats, StatsOptions, "Selection | None", "Progress | None"], Measured]


class Collector:
    """Counts datasets one by one, first the current ones, then the older ones, and computes the result."""

    def __init__(self, options: StatsOptions, measure: Measure, *, has_old: bool = False) -> None:
        self.options = options
        self._measure = measure
        self.stats = KeyStats(
            now_ms=options.now_ms,
            top=options.top,
            separators=options.separators,
            depth=options.depth,
            prefix=options.prefix,
            slots=options.with_slots,
            big_bytes=options.least if has_old else 0,
            limits={
                (KINDS.index(kind), ENCODINGS.index(encoding)): limit
                for kind, limit in LIMITS.items()
                for encoding in _LARGE
            },
        )
        self._sources: dict[int, list[SourceFacts]] = {NEW: [], OLD: []}
        self._compared = tuple(MemorySums() for _ in options.compare)
        self._models: list[str] = []
        self._remarks: list[str] = []
        self._doubt: UncertainError | None = None
        self._damage: FormatError | None = None

    def add(
        self,
        dataset: Dataset,
        *,
        is_old: bool = False,
        selection: Selection | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Count a dataset; all current ones precede the first older one. Raises the errors of reading."""
        side = OLD if is_old else NEW
        if is_old and self.stats.side == NEW:
            self.stats.end_side()
        self.stats.side = side
        dataset.read_preamble()
        totals, compared, model, damage = self._measure(dataset, self.stats, self.options, selection, progress)
        self._sources[side].append(_facts(dataset, totals))
        self._damage = self._damage or damage
        extent = dataset.extent
        remarks = [*(() if extent is None else extent.lines()), *dataset.remarks]
        self._remarks += [remark for remark in remarks if remark not in self._remarks]
        self._doubt = self._doubt or dataset.doubt
        if not is_old:
            self._compared = tuple(mine + its for mine, its in zip(self._compared, compared, strict=True))
            if model not in self._models:
                self._models.append(model)

    @property
    def wants_look(self) -> bool:
        """Whether the current datasets must be read again, as keys that were large are now smaller or missing."""
        return self.stats.unseen() > 0

    def look(self, dataset: Dataset, selection: Selection | None = None) -> None:
        """Read a current dataset again, for the keys that were large before."""
        self.stats.side = LOOK
        self._measure(dataset, self.stats, self.options, selection, None)

    def result(self, *, aof: AofStats | None = None) -> Stats:
        """Return the statistics of all datasets so far."""
        stats = self.stats
        branches = stats.branches(KEPT_PREFIXES)
        prefixes = tuple(_prefix_of(row, stats.prefix) for row in branches)
        new, old = self._sources[NEW], self._sources[OLD]
        types = tuple(_type_rows(stats))
        expiry = tuple(Bucket(name, *counts) for name, counts in zip(EXPIRIES, stats.expiry_counts(), strict=True))
        root = prefixes[0]
        return Stats(
            sources=tuple(new),
            options=self.options,
            model=", ".join(self._models),
            totals=_sum(new),
            prefixes=prefixes,
            types=types,
            largest={
                name: tuple(map(_large_key, stats.largest(by)))
                for by, name in enumerate(("memory", "elements", "element"))
            },
            expiry=expiry,
            sizes=tuple(SizeBucket(1 << power, keys, memory) for power, keys, memory in stats.size_counts()),
            idle=tuple(Bucket(name, *counts) for name, counts in zip(IDLE, stats.idle_counts(), strict=True)),
            freqs=tuple(stats.freq_counts()),
            dbs=tuple(DbRow(*row) for row in stats.db_counts()),
            slots=tuple(SlotRow(*row) for row in stats.slot_counts()),
            folded=root.folded,
            p50=stats.quantile(0.5, root.max),
            p90=stats.quantile(0.9, root.max),
            p99=root.p99,
            savings=tuple(sorted(_savings(stats, prefixes, expiry[1], self._model()), key=lambda row: -row.saves)),
            compared=tuple(
                Compared(name, totals) for name, totals in zip(self.options.compare, self._compared, strict=True)
            ),
            growth=self._growth(old) if old else None,
            aof=aof,
            at_least=stats.at_least,
            remarks=tuple(self._remarks),
            doubt=self._doubt,
            damage=self._damage,
        )

    def _model(self) -> MemoryModel:
        """Return the server whose settings the savings refer to: the requested one, or that of the first dataset."""
        rules = self.options.rules
        named = self._sources[NEW][0].choice.rules if rules is None else Rules.parse(rules)
        return memory_model_of(named)[0]

    def _growth(self, old: Sequence[SourceFacts]) -> Growth:
        rows = [
            KeyChange(
                db, key, length, KINDS[kind],
                memory if seen & 1 else None, before if seen & 2 else None,
                elements if seen & 1 else None, old_elements if seen & 2 else None,
            )
            for db, key, length, kind, memory, before, elements, old_elements, seen in self.stats.changed()
        ]  # fmt: skip
        rows.sort(key=lambda row: (-abs(row.grew), row.db, row.key))
        kept = rows[: max(self.options.top, 1)]
        return Growth(tuple(old), _sum(old), self.options.least, tuple(kept), is_exact=not self.stats.missed)


def _facts(dataset: Dataset, totals: MemorySums) -> SourceFacts:
    """Return the description of a dataset that was read."""
    aux = dataset.aux
    writer = writer_of(aux)
    product = product_of(aux)
    ctime = next((row.value for row in aux if row.key == b"ctime"), b"")
    if writer is not None and product is not None:
        writer = writer._replace(product=product)
    return SourceFacts(
        source=dataset.name,
        kind=dataset.kind,
        size=dataset.size,
        magic=dataset.header.magic,
        version=dataset.header.version,
        writer=writer.name if writer is not None else None if product is None else product.name,
        saved_at=int(ctime) if ctime.isdigit() and len(ctime) <= 12 else None,
        choice=dataset.choice,
        totals=totals,
    )


def _sum(rows: Sequence[SourceFacts]) -> MemorySums:
    totals = MemorySums()
    for row in rows:
        totals += row.totals
    return totals


def _prefix_of(row: Branch, prefix: bytes) -> Prefix:
    (parent, depth, path, token, _, is_late, *counts) = row
    return Prefix(None if parent < 0 else parent, depth, prefix + path, token, is_late, *counts)


def _type_rows(stats: KeyStats) -> list[TypeRow]:
    rows = [
        TypeRow(
            KINDS[kind], ENCODINGS[encoding], cell["keys"], cell["memory"], cell["allocated"], cell["serialized"],
            cell["elements"], cell["largest"], cell["no_ttl"], cell["no_ttl_memory"], cell["old_keys"],
            cell["old_memory"],
        )
        for kind, encoding, cell in stats.cells_of()
    ]  # fmt: skip
    return sorted(rows, key=lambda row: (-row.memory, row.kind, row.encoding))


def _large_key(row: Largest) -> LargeKey:
    db, key, length, kind, encoding, memory, allocated, serialized, elements, largest, expiry = row
    return LargeKey(
        db, key, length, KINDS[kind], ENCODINGS[encoding], memory, allocated, serialized, elements, largest,
        None if expiry == -1 else expiry,
    )  # fmt: skip


def _savings(stats: KeyStats, prefixes: Sequence[Prefix], past: Bucket, model: MemoryModel) -> list[Saving]:
    """Return the possible savings."""
    found = []
    if past.keys:
        found.append(Saving("expired", past.keys, past.memory, past.memory))
    for kind, _, cell in stats.cells_of():
        name = KINDS[kind]
        if name not in LIMITS or (name == "set" and not model.packs_sets):
            continue
        for index, what in enumerate(("entries", "value")):
            keys, memory = cell["near_keys"][index], cell["near_memory"][index]  # type: ignore[index]
            compact = cell["near_compact"][index]  # type: ignore[index]
            if keys:
                limit = LIMITS[name][index]
                packed = "listpack" if model.listpacks else "ziplist"
                setting = f"{name}-max-{packed}-{what} {2 * limit}"
                found.append(Saving(what, keys, memory, memory - compact, True, name, limit, setting))  # noqa: FBT003
    found += [
        Saving("no-ttl", row.no_ttl_keys, row.no_ttl_memory, row.no_ttl_memory, prefix=row.path)
        for row in _mostly_expiring(prefixes)
    ]
    return found


def _mostly_expiring(prefixes: Sequence[Prefix]) -> list[Prefix]:
    """Return prefixes in which nearly all keys, but not all, have an expiry; none is below another."""
    found = []
    taken: set[int] = set()
    for index, row in enumerate(prefixes):
        if row.parent in taken:
            taken.add(index)
        elif row.depth and row.keys >= _ENOUGH and 0 < row.no_ttl_keys <= row.keys * _FEW:
            taken.add(index)
            found.append(row)
    return sorted(found, key=lambda row: -row.no_ttl_memory)[:10]


def _finding_dict(row: Finding) -> dict[str, Any]:
    return {
        "code": row.code,
        "severity": row.severity,
        "db": row.db,
        "key": None if row.key is None else json_bytes(row.key),
        "message": row.message,
    }
