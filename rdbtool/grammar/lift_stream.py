"""Conversion of a stream's fields to the model; see ``lift``."""

from __future__ import annotations

from collections.abc import Iterable

from rdbtool.core.light_typing import Any
from rdbtool.grammar.packed import entry_text
from rdbtool.grammar.primitives import U64_MAX, text
from rdbtool.grammar.stream_node import ValueCursor, walk_node
from rdbtool.model import (
    PendingEntry,
    StreamConsumer,
    StreamEntry,
    StreamGroup,
    StreamID,
    StreamProducers,
    StreamValue,
)


def lift_stream(body: Any) -> StreamValue:
    """Return the stream for the fields of any stream type."""
    versioned = "first_id" in body
    return StreamValue(
        [entry for node in body.node for entry in _entries(node)],
        length=body.length,
        last_id=StreamID(*body.last_id),
        first_id=StreamID(*body.first_id) if versioned else None,
        max_deleted_id=StreamID(*body.max_deleted_id) if versioned else None,
        entries_added=body.entries_added if versioned else None,
        groups=[_group(group) for group in body.group],
        producers=_producers(body) if "producer" in body else None,
    )


def _entries(node: Any) -> Iterable[StreamEntry]:
    """Yield the entries. Deltas are relative to the node's ID and wrap at 64 bits."""
    master = _raw_id(text(node.key))
    for record in walk_node(ValueCursor(node.listpack.entry)):
        if not record.deleted:
            entry_id = StreamID((master.ms + record.ms_delta) & U64_MAX, (master.seq + record.seq_delta) & U64_MAX)
            pairs = zip(record.fields[::2], record.fields[1::2], strict=True)
            yield StreamEntry(entry_id, [(entry_text(field), entry_text(value)) for field, value in pairs])


def _raw_id(raw: bytes) -> StreamID:
    return StreamID(int.from_bytes(raw[:8], "big"), int.from_bytes(raw[8:], "big"))


def _group(group: Any) -> StreamGroup:
    owners: dict[bytes, list[bytes | None]] = {}
    for consumer in group.consumer:
        for entry_id in consumer.pending:
            owners.setdefault(entry_id, []).append(text(consumer.name))
    nobody: list[bytes | None] = [None]
    entries_read = group.get("entries_read", U64_MAX)
    return StreamGroup(
        text(group.name),
        StreamID(*group.last_id),
        None if entries_read == U64_MAX else entries_read,
        [
            StreamConsumer(text(consumer.name), consumer.seen_time_ms, consumer.get("active_time_ms"))
            for consumer in group.consumer
        ],
        [
            PendingEntry(_raw_id(entry_id), owner, delivered_at, count)
            for entry_id, delivered_at, count in group.pending
            for owner in owners.get(entry_id, nobody)
        ],
    )


def _producers(body: Any) -> StreamProducers:
    producers = [
        (text(producer.pid), tuple((text(iid), StreamID(ms, seq)) for iid, ms, seq in producer.id))
        for producer in body.producer
    ]
    return StreamProducers(
        body.idmp_duration_s, body.idmp_max_entries, producers, body.iids_added, body.iids_duplicates
    )
