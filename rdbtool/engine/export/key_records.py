"""Between the values of records and those of the keyspace.

Modules' values and arrays are the same on both sides. A stream of an older file keeps its missing counters
until a command touches it; so a record that goes in and is never touched comes out as it was.
"""

from __future__ import annotations

from collections.abc import Callable

from rdbtool.core.light_typing import Final
from rdbtool.engine.streams.consumers import ConsumerData, GroupData
from rdbtool.engine.streams.data import StreamData
from rdbtool.engine.streams.ids import U64
from rdbtool.engine.streams.pending import PendingData
from rdbtool.engine.streams.producers import ProducersData
from rdbtool.engine.values import HashData, ListData, SetData, StringData, ZSetData
from rdbtool.model import (
    ArrayValue,
    HashValue,
    KeyRecord,
    ListValue,
    OpaqueValue,
    PendingEntry,
    SetValue,
    StreamConsumer,
    StreamEntry,
    StreamGroup,
    StreamID,
    StreamProducers,
    StreamValue,
    StringValue,
    Value,
    ZSetValue,
)

Share = Callable[[bytes], bytes]


def to_data(value: Value, share: Share) -> object:
    """Return what the keyspace holds for a value; ``share`` gives equal names one object.

    Of the same member, field, id or name twice (no server writes that) the last one counts.
    """
    convert = _TO_DATA.get(type(value))
    return value if convert is None else convert(value, share)


def record_data(record: KeyRecord, share: Share) -> object:
    """Return what the keyspace holds for a record; see ``to_data``."""
    data = to_data(record.value, share)
    if type(data) is SetData and record.encoding == "listpack":
        data.keep_order()
    return data


def kind_of(data: object) -> str:
    """Return the logical type of what the keyspace holds, such as ``hash``."""
    return _KINDS[type(data)]


def member_expiries(data: object) -> list[tuple[bytes, int]]:
    """Return the members of a set or sorted set that expire, with Unix ms; those of a hash are in its value."""
    if not isinstance(data, SetData | ZSetData) or data.expires is None:
        return []
    expires = data.expires
    return [(member, expires[member]) for member in data if member in expires]


def to_value(data: object) -> Value:
    """Return the value of what the keyspace holds."""
    if isinstance(data, bytes):
        return StringValue(data)
    if isinstance(data, StringData):
        return StringValue(bytes(data))
    return _TO_VALUE[type(data)](data)


def _to_set(value: SetValue, share: Share) -> SetData:
    data = SetData()
    data.fill([share(member) for member in value.members])
    return data


def _to_zset(value: ZSetValue, share: Share) -> ZSetData:
    data = ZSetData()
    data.update([(share(member), score) for member, score in value.members])
    return data


# ---- hashes ------------------------------------------------------------------------------------


def _to_hash(value: HashValue, share: Share) -> HashData:
    data = HashData()
    expires: dict[bytes, int] = {}
    for name, text, expire_at_ms in value.fields:
        field = share(name)
        data[field] = text
        if expire_at_ms is not None:
            expires[field] = expire_at_ms
    if expires:
        data.expires = expires
    return data


def _from_hash(data: HashData) -> HashValue:
    if data.expires is None:
        return HashValue(data.items())
    expires = data.expires
    return HashValue([(field, text, expires.get(field)) for field, text in data.items()])


# ---- streams -----------------------------------------------------------------------------------


def _to_stream(value: StreamValue) -> StreamData:
    data = StreamData()
    data.load(
        (entry.id.ms, entry.id.seq, tuple([text for pair in entry.fields for text in pair])) for entry in value.entries
    )
    data.last_id = _number(value.last_id)
    data.entries_added = value.entries_added
    if value.first_id is not None:
        data.first_id = _number(value.first_id)
    elif value.entries:
        data.first_id = _number(value.entries[0].id)
    if value.max_deleted_id is not None:
        data.max_deleted_id = _number(value.max_deleted_id)
    for group in value.groups:
        data.groups[group.name] = _to_group(group)
    if value.producers is not None:
        producers = data.producers = ProducersData(value.producers.duration_s, value.producers.max_entries)
        producers.ids_added = value.producers.ids_added
        producers.ids_duplicate = value.producers.ids_duplicate
        for producer, known in value.producers.producers:
            producers.producers[producer] = {name: _number(entry_id) for name, entry_id in known}
    return data


def _to_group(value: StreamGroup) -> GroupData:
    group = GroupData(_number(value.last_id), value.entries_read)
    consumers = group.consumers
    for consumer in value.consumers:
        consumers[consumer.name] = ConsumerData(consumer.name, consumer.seen_at_ms, consumer.active_at_ms)
    for row in value.pending:
        owner = None
        if row.consumer is not None:
            owner = consumers.get(row.consumer)
            if owner is None:
                owner = consumers[row.consumer] = ConsumerData(row.consumer)
        group.pending[_number(row.id)] = PendingData(owner, row.delivered_at_ms, row.delivery_count)
    return group


def _from_stream(data: StreamData) -> StreamValue:
    is_counted = data.entries_added is not None
    return StreamValue(
        [
            StreamEntry(StreamID(entry_id >> 64, entry_id & U64), zip(fields[::2], fields[1::2], strict=True))
            for entry_id, fields in data.entries()
        ],
        last_id=_id(data.last_id),
        first_id=_id(data.first_id) if is_counted else None,
        max_deleted_id=_id(data.max_deleted_id) if is_counted else None,
        entries_added=data.entries_added,
        # Servers keep groups and consumers by name, and what is pending by id.
        groups=[_from_group(name, group) for name, group in sorted(data.groups.items())],
        producers=None if data.producers is None else _from_producers(data.producers),
    )


def _from_group(name: bytes, group: GroupData) -> StreamGroup:
    return StreamGroup(
        name,
        _id(group.last_id),
        group.entries_read,
        consumers=[
            StreamConsumer(name, consumer.seen_at_ms, consumer.active_at_ms)
            for name, consumer in sorted(group.consumers.items())
        ],
        pending=[
            PendingEntry(
                _id(entry_id),
                None if pending.consumer is None else pending.consumer.name,
                pending.delivered_at_ms,
                pending.delivery_count,
            )
            for entry_id, pending in group.pending.items()
        ],
    )


def _from_producers(data: ProducersData) -> StreamProducers:
    return StreamProducers(
        data.duration_s,
        data.max_entries,
        [
            (producer, tuple([(name, _id(entry_id)) for name, entry_id in known.items()]))
            for producer, known in sorted(data.producers.items())
        ],
        data.ids_added,
        data.ids_duplicate,
    )


def _number(entry_id: StreamID) -> int:
    return entry_id.ms << 64 | entry_id.seq


def _id(number: int) -> StreamID:
    return StreamID(number >> 64, number & U64)


def _same(value: Value) -> Value:
    return value


_TO_DATA: Final[dict[type, Callable[..., object]]] = {
    StringValue: lambda value, _: value.data,
    ListValue: lambda value, _: ListData(value.elements),
    SetValue: _to_set,
    ZSetValue: _to_zset,
    HashValue: _to_hash,
    StreamValue: lambda value, _: _to_stream(value),
}

_TO_VALUE: Final[dict[type, Callable[..., Value]]] = {
    HashData: _from_hash,
    StringData: lambda data: StringValue(bytes(data)),
    ListData: ListValue,
    SetData: SetValue,
    StreamData: _from_stream,
    ZSetData: lambda data: ZSetValue(data.items()),
    ArrayValue: _same,
    OpaqueValue: _same,
}

_KINDS: Final[dict[type, str]] = {
    bytes: "string",
    StringData: "string",
    ListData: "list",
    SetData: "set",
    ZSetData: "zset",
    HashData: "hash",
    StreamData: "stream",
    ArrayValue: "array",
    OpaqueValue: "module",
}
