"""The value of a stream key: entries, counters and groups.

An id is one int, ``ms << 64 | seq``: it takes a third of the room of a pair and compares faster. The entries
are in two parallel lists in the order of their ids. An entry that goes leaves a hole (None instead of
fields), and the lists are closed up when holes prevail, so that appending, trimming at the front
and deleting anywhere stay cheap. Counters follow the servers since Redis 7.0; a stream of an
older file has none until ``settle`` gives it those that a newer server would.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import islice

from rdbtool.core.light_typing import Final

U64: Final = (1 << 64) - 1
MAX_ID: Final = (1 << 128) - 1

#: Holes that are not worth closing up.
_FEW: Final = 1000

Fields = tuple[bytes, ...]


def show_id(entry_id: int) -> bytes:
    """Return the text of an id."""
    return b"%d-%d" % (entry_id >> 64, entry_id & U64)


class ConsumerData:
    """A consumer of a group; times are Unix ms, None if unknown."""

    __slots__ = ("active_at_ms", "name", "seen_at_ms")

    def __init__(self, name: bytes, seen_at_ms: int | None = None, active_at_ms: int | None = None) -> None:
        self.name = name
        self.seen_at_ms = seen_at_ms
        self.active_at_ms = active_at_ms


class PendingData:
    """A pending entry; ``consumer`` is None if it has no owner."""

    __slots__ = ("consumer", "delivered_at_ms", "delivery_count")

    def __init__(self, consumer: ConsumerData | None, delivered_at_ms: int, delivery_count: int) -> None:
        self.consumer = consumer
        self.delivered_at_ms = delivered_at_ms
        self.delivery_count = delivery_count


class GroupData:
    """A consumer group; ``entries_read`` is None where the server would not know it."""

    __slots__ = ("consumers", "entries_read", "last_id", "pending")

    def __init__(self, last_id: int, entries_read: int | None = None) -> None:
        self.last_id = last_id
        self.entries_read = entries_read
        self.consumers: dict[bytes, ConsumerData] = {}
        #: By id; in no particular order.
        self.pending: dict[int, PendingData] = {}

    def pending_from(self, start: int, consumer: ConsumerData | None = None) -> list[int]:
        """Return the pending ids from ``start`` on, ascending; with ``consumer`` only those it owns."""
        return sorted(
            entry_id
            for entry_id, pending in self.pending.items()
            if entry_id >= start and (consumer is None or pending.consumer is consumer)
        )


class ProducersData:
    """What a stream remembers of idempotent producers (Redis 8.6): per producer its ids, oldest first, and entries."""

    __slots__ = ("duration_s", "ids_added", "ids_duplicate", "max_entries", "producers")

    def __init__(self, duration_s: int = 100, max_entries: int = 100) -> None:
        self.duration_s = duration_s
        self.max_entries = max_entries
        self.ids_added = 0
        self.ids_duplicate = 0
        self.producers: dict[bytes, dict[bytes, int]] = {}

    def find(self, producer: bytes, name: bytes) -> int | None:
        """Return the entry that a producer added under a name."""
        return self.producers.get(producer, {}).get(name)

    def record(self, producer: bytes, name: bytes, entry_id: int) -> None:
        """Remember an entry; the oldest ones of the producer are forgotten."""
        known = self.producers.setdefault(producer, {})
        known[name] = entry_id
        self.ids_added += 1
        while len(known) > self.max_entries:
            del known[next(iter(known))]


class StreamData:
    """A stream. ``entries_added`` is None as long as its counters are unknown (see ``settle``).

    ``is_whole`` says that the oldest entry opens a node of the server's, and that no entry after it was ever
    deleted: then the limits between its nodes can be reckoned.
    """

    __slots__ = (
        "_fields",
        "_ids",
        "_start",
        "entries_added",
        "first_id",
        "first_node",
        "groups",
        "is_whole",
        "last_id",
        "length",
        "max_deleted_id",
        "producers",
    )

    def __init__(self) -> None:
        self._ids: list[int] = []
        self._fields: list[Fields | None] = []
        self._start = 0
        self.length = 0
        self.last_id = 0
        self.first_id = 0
        self.max_deleted_id = 0
        self.entries_added: int | None = 0
        self.groups: dict[bytes, GroupData] = {}
        self.producers: ProducersData | None = None
        self.is_whole = True
        #: Entries of the first node, once that is full and they were counted; else 0.
        self.first_node = 0

    # ---- reading -------------------------------------------------------------------------------

    def __contains__(self, entry_id: int) -> bool:
        return self._find(entry_id) is not None

    def entries(self, start: int = 0) -> Iterator[tuple[int, Fields]]:
        """Yield (id, (field, value, field, value, …)) from id ``start`` on, ascending."""
        at = self._start if start == 0 else bisect_left(self._ids, start, self._start)
        for entry_id, fields in zip(islice(self._ids, at, None), islice(self._fields, at, None), strict=True):
            if fields is not None:
                yield entry_id, fields

    def find(self, entry_id: int) -> Fields | None:
        """Return the fields and values of an entry, None where there is no such entry."""
        at = self._find(entry_id)
        return None if at is None else self._fields[at]

    def show_last_id(self) -> bytes:
        """Return the text of ``last_id``."""
        return show_id(self.last_id)

    def top(self) -> int:
        """Return the id of the newest entry, 0 if there is none."""
        for at in range(len(self._ids) - 1, self._start - 1, -1):
            if self._fields[at] is not None:
                return self._ids[at]
        return 0

    def count_before(self, entry_id: int) -> int:
        """Return how many entries have a smaller id."""
        stop = bisect_left(self._ids, entry_id, self._start)
        if len(self._ids) - self._start == self.length:
            return stop - self._start
        return sum(fields is not None for fields in islice(self._fields, self._start, stop))

    def is_referenced(self, entry_id: int) -> bool:
        """Return whether some group has still to deliver the entry, or to have it acknowledged."""
        return any(entry_id > group.last_id or entry_id in group.pending for group in self.groups.values())

    # ---- changing ------------------------------------------------------------------------------

    def load(self, ids: list[int], fields: list[Fields]) -> None:
        """Take the entries of a file into an empty stream, without counting them as added."""
        self._ids = ids
        self._fields = list(fields)
        self.length = len(ids)
        self.is_whole = not ids

    def append(self, entry_id: int, fields: Fields) -> None:
        """Add an entry whose id is greater than ``last_id``."""
        self._ids.append(entry_id)
        self._fields.append(fields)
        self.last_id = entry_id
        self.length += 1
        if self.length == 1:
            self.first_id = entry_id
        if self.entries_added is not None:
            self.entries_added = (self.entries_added + 1) & U64

    def delete(self, entry_id: int) -> bool:
        """Remove one entry as XDEL does; return whether it was there."""
        at = self._find(entry_id)
        if at is None:
            return False
        self._fields[at] = None
        self.length -= 1
        self.is_whole = False
        self.max_deleted_id = max(self.max_deleted_id, entry_id)
        self._tidy()
        if self.length == 0 or entry_id == self.first_id:
            self.first_id = self._first()
        return True

    def trim(self, count: int) -> None:
        """Remove the ``count`` oldest entries as XTRIM does."""
        fields = self._fields
        at = self._start
        self.length -= count
        self.is_whole = False
        while count:
            if fields[at] is not None:
                fields[at] = None
                count -= 1
            at += 1
        self._start = at
        self._tidy()
        self.first_id = self._first()

    def trim_node(self, count: int) -> None:
        """Remove the oldest entries where they are the whole first node."""
        self.trim(count)
        self.is_whole = True
        self.first_node = 0

    def trim_entry(self, entry_id: int) -> None:
        """Remove one entry as XTRIM does when it skips others."""
        before = self.max_deleted_id
        self.delete(entry_id)
        self.max_deleted_id = before

    def forget_references(self, entry_id: int) -> None:
        """Remove an entry from the pending lists of all groups."""
        for group in self.groups.values():
            group.pending.pop(entry_id, None)

    def settle(self) -> None:
        """Give counters to a stream that has none, as servers since Redis 7.0 do when they load it."""
        if self.entries_added is None:
            self.entries_added = self.length
            self.max_deleted_id = 0
            self.first_id = self._first()
            for group in self.groups.values():
                group.entries_read = self.count_reads(group.last_id)

    def without_entries(self) -> StreamData:
        """Return a stream with the same counters, and the same groups and producers: not for changing."""
        other = StreamData()
        for counter in ("last_id", "first_id", "max_deleted_id", "entries_added", "groups", "producers"):
            setattr(other, counter, getattr(self, counter))
        return other

    def __deepcopy__(self, memo: object) -> StreamData:
        return self.copy()

    def copy(self) -> StreamData:
        """Return a stream of the same content that shares nothing changeable."""
        other = StreamData()
        other._ids = self._ids[self._start :]
        other._fields = self._fields[self._start :]
        for counter in ("length", "last_id", "first_id", "max_deleted_id", "entries_added", "is_whole", "first_node"):
            setattr(other, counter, getattr(self, counter))
        for name, group in self.groups.items():
            twin = other.groups[name] = GroupData(group.last_id, group.entries_read)
            for consumer in group.consumers.values():
                twin.consumers[consumer.name] = ConsumerData(consumer.name, consumer.seen_at_ms, consumer.active_at_ms)
            for entry_id, pending in group.pending.items():
                owner = None if pending.consumer is None else twin.consumers[pending.consumer.name]
                twin.pending[entry_id] = PendingData(owner, pending.delivered_at_ms, pending.delivery_count)
        if self.producers is not None:
            other.producers = ProducersData(self.producers.duration_s, self.producers.max_entries)
            other.producers.ids_added = self.producers.ids_added
            other.producers.ids_duplicate = self.producers.ids_duplicate
            other.producers.producers = {name: dict(ids) for name, ids in self.producers.producers.items()}
        return other

    # ---- the counters of groups ----------------------------------------------------------------

    def count_reads(self, entry_id: int, *, strict: bool = False) -> int | None:
        """Return how many entries were ever added up to ``id``; None where the counters do not tell.

        ``strict``: by Redis 8, which also declines an id below a deleted one.
        """
        added = self.entries_added
        if not added:
            return 0
        if strict and self.length and 0 < entry_id < self.max_deleted_id:
            return None
        if entry_id == self.last_id or (self.length == 0 and entry_id < self.last_id):
            return added
        if entry_id < self.last_id and (self.max_deleted_id == 0 or self.max_deleted_id < self.first_id):
            if entry_id < self.first_id:
                return (added - self.length) & U64
            if entry_id == self.first_id:
                return (added - self.length + 1) & U64
        return None

    def has_deleted_since(self, entry_id: int, *, strict: bool = False) -> bool:
        """Return whether an entry from ``id`` on may have been deleted. ``strict`` as in ``count_reads``."""
        if self.length == 0 or self.max_deleted_id == 0:
            return False
        if not strict and self.first_id > self.max_deleted_id:
            return False
        return entry_id <= self.max_deleted_id

    # ---- the lists -----------------------------------------------------------------------------

    def _find(self, entry_id: int) -> int | None:
        at = bisect_left(self._ids, entry_id, self._start)
        if at < len(self._ids) and self._ids[at] == entry_id and self._fields[at] is not None:
            return at
        return None

    def _first(self) -> int:
        return self._ids[self._start] if self.length else 0

    def _tidy(self) -> None:
        """Restore that ``_start`` is the first entry, and close up the lists when holes prevail."""
        if self.length == 0:
            self._ids.clear()
            self._fields.clear()
            self._start = self.first_node = 0
            self.is_whole = True
            return
        fields = self._fields
        at = self._start
        while fields[at] is None:
            at += 1
        self._start = at
        if len(fields) > 2 * self.length + _FEW:
            live = [place for place in range(at, len(fields)) if fields[place] is not None]
            self._ids = [self._ids[place] for place in live]
            self._fields = [fields[place] for place in live]
            self._start = 0
