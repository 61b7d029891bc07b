"""Streams in lines of JSON: entries, counters, groups with their pending lists, idempotent producers.

What follows from the entries may be left out: the length, and the first id where entries are counted. Pending lists are
checked as in an RDB, where one list of a group and one of each consumer must fit each other.
"""

from __future__ import annotations

import re

from rdbtool.core.light_typing import Final
from rdbtool.model import (
    PendingEntry,
    StreamConsumer,
    StreamEntry,
    StreamGroup,
    StreamID,
    StreamProducers,
    StreamValue,
)
from rdbtool.reader.jsonl.line_fields import (
    I64_MAX,
    I64_MIN,
    U64_MAX,
    Members,
    Refusal,
    cell,
    cells,
    describe_json,
    each,
    each_or_none,
    member,
    octets,
    or_null,
    whole,
)

_ID: Final = re.compile(r"(\d{1,20})-(\d{1,20})", re.ASCII)
_ZERO: Final = StreamID(0, 0)

_STREAM: Final = Members(
    "entries",
    "last_id",
    optional=("length", "first_id", "entries_added", "max_deleted_id", "groups", "idmp"),
)
_GROUP: Final = Members("name", "last_id", optional=("entries_read", "consumers", "pending"))
_CONSUMER: Final = Members("name", optional=("seen_at_ms", "active_at_ms"))
_IDMP: Final = Members("duration_s", "max_entries", "ids_added", "ids_duplicate", "producers")

_u64 = whole(0, U64_MAX)
_i64 = whole(I64_MIN, I64_MAX)
#: The last number says in a file that the entries read are not known.
_entries_read = or_null(whole(0, U64_MAX - 1))


def stream_id(value: object) -> StreamID:
    """Return an entry id, ``ms-seq``."""
    found = _ID.fullmatch(value) if type(value) is str else None
    if found is None:
        raise Refusal("JSN005", "type", 'an id such as "5-1"', describe_json(value))
    ms, seq = int(found[1]), int(found[2])
    if ms > U64_MAX or seq > U64_MAX:
        raise Refusal("JSN006", "range", f"an id of two numbers up to {U64_MAX}", describe_json(value))
    return StreamID(ms, seq)


def read_stream(value: object) -> StreamValue:
    """Return the stream of a line. Raises Refusal."""
    row = _STREAM.of(value)
    entries = member(row, "entries", lambda rows: each(rows, _entry))
    added = member(row, "entries_added", or_null(_u64))
    first, deleted = (member(row, key, or_null(stream_id)) for key in ("first_id", "max_deleted_id"))
    if added is None:
        for key, given in (("first_id", first), ("max_deleted_id", deleted)):
            if given is not None:
                raise Refusal("JSN004", "member", f"entries_added beside {key}", "a stream without a count")
    else:
        first = first or (entries[0].id if entries else _ZERO)
        deleted = deleted or _ZERO
    length = member(row, "length", or_null(_u64))
    return StreamValue(
        entries,
        length=len(entries) if length is None else length,
        last_id=member(row, "last_id", stream_id),
        first_id=first,
        max_deleted_id=deleted,
        entries_added=added,
        groups=member(row, "groups", each_or_none(_group)),
        producers=member(row, "idmp", or_null(_producers)),
    )


def _entry(value: object) -> StreamEntry:
    row = cells(value, "id, fields", 2)
    return StreamEntry(cell(row, 0, stream_id), cell(row, 1, lambda rows: each(rows, _pair)))


def _pair(value: object) -> tuple[bytes, bytes]:
    row = cells(value, "field, value", 2)
    return cell(row, 0, octets), cell(row, 1, octets)


def _group(value: object) -> StreamGroup:
    row = _GROUP.of(value)
    consumers = member(row, "consumers", each_or_none(_consumer))
    ranks: dict[bytes, int] = {}
    for consumer in consumers:
        ranks.setdefault(consumer.name, len(ranks))
    pending = _Pending(ranks)
    return StreamGroup(
        member(row, "name", octets),
        member(row, "last_id", stream_id),
        member(row, "entries_read", _entries_read),
        consumers,
        member(row, "pending", each_or_none(pending.read)),
    )


def _consumer(value: object) -> StreamConsumer:
    row = _CONSUMER.of(value)
    return StreamConsumer(
        member(row, "name", octets),
        member(row, "seen_at_ms", or_null(_i64)),
        member(row, "active_at_ms", or_null(_i64)),
    )


class _Pending:
    """Reads the pending entries of one group.

    An entry that several consumers have occurs once for each of them, one row after the other in the order
    of the consumers, because the group's own list names it once.
    """

    def __init__(self, ranks: dict[bytes, int]) -> None:
        self._ranks = ranks
        self._seen: set[StreamID] = set()
        self._last: PendingEntry | None = None

    def read(self, value: object) -> PendingEntry:
        """Return a row."""
        row = cells(value, "id, consumer or null, delivered_at_ms, delivery_count", 4)
        entry = PendingEntry(
            cell(row, 0, stream_id), cell(row, 1, or_null(octets)), cell(row, 2, _i64), cell(row, 3, _u64)
        )
        if entry.consumer is not None:
            # One that is not named among the consumers comes after them.
            self._ranks.setdefault(entry.consumer, len(self._ranks))
        if entry.id in self._seen:
            self._check_again(entry)
        self._seen.add(entry.id)
        self._last = entry
        return entry

    def _check_again(self, entry: PendingEntry) -> None:
        last = self._last
        assert last is not None
        if last.id != entry.id or last.consumer is None or entry.consumer is None:
            raise Refusal(
                "JSN010", "twice", "each id once, or once for each of its consumers in a row", f"{entry.id} again"
            )
        if self._ranks[last.consumer] >= self._ranks[entry.consumer]:
            raise Refusal("JSN010", "order", "another consumer, in the order of consumers", f"{entry.id} again")
        if (last.delivered_at_ms, last.delivery_count) != (entry.delivered_at_ms, entry.delivery_count):
            raise Refusal("JSN010", "pending", f"the same time and count for all that have {entry.id}", "others")


def _producers(value: object) -> StreamProducers:
    row = _IDMP.of(value)
    return StreamProducers(
        member(row, "duration_s", _u64),
        member(row, "max_entries", _u64),
        member(row, "producers", lambda rows: each(rows, _producer)),
        member(row, "ids_added", _u64),
        member(row, "ids_duplicate", _u64),
    )


def _producer(value: object) -> tuple[bytes, tuple[tuple[bytes, StreamID], ...]]:
    row = cells(value, "producer, ids", 2)
    return cell(row, 0, octets), tuple(cell(row, 1, lambda rows: each(rows, _remembered)))


def _remembered(value: object) -> tuple[bytes, StreamID]:
    row = cells(value, "id of the producer, id of the entry", 2)
    return cell(row, 0, octets), cell(row, 1, stream_id)
