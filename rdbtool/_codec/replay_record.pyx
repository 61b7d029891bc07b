# From the model to a sink: the events that a decoder would have sent, from finished records.

from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memset
from rdbtool._codec.decode.cursor cimport Bytes, FORM_INT, FORM_LZF, FORM_RAW
from rdbtool._codec.sink cimport (
    ArrayItem, Consumer, Group, Head, ITEM_DOUBLE, ITEM_INT, ITEM_STRING, Pending, Producers, Sink, StreamTail
)
from rdbtool.model.values cimport (
    ArrayValue, HashValue, KeyRecord, ListValue, OpaqueValue, PendingEntry, SetValue, StreamConsumer, StreamEntry,
    StreamGroup, StreamID, StreamProducers, StreamValue, StringValue, ZSetValue
)

from rdbtool.core.rdb_types import KINDS

include "_types.pxi"


cdef inline Bytes at(bytes data):
    return <Bytes>(<char *>data)


def feed_header(str magic not None, int version, Sink sink not None):
    """Announce to ``sink`` the file that follows."""
    sink.header(magic, version)


def feed_item(item, Sink sink not None):
    """Emit an item to ``sink`` that is not a record."""
    sink.item(item)


def feed_record(KeyRecord record not None, Sink sink not None, bytes raw=None):
    """Emit a record to ``sink`` and commit it. ``raw`` is the value as its file stores it, if there is a file."""
    feed_value(record, sink, raw)
    sink.commit()


def feed_value(KeyRecord record not None, Sink sink not None, bytes raw=None):
    """Emit a record to ``sink``, without the commit."""
    cdef Head head
    cdef bytes meta = record.meta
    memset(&head, 0, sizeof(Head))
    head.db = record.db
    head.key = at(record.key)
    head.key_size = len(record.key)
    head.type_code = record.type_code
    head.kind = KINDS.index(record.value.kind)
    head.form = FORM_INT if record.encoding == "int" else FORM_LZF if record.encoding == "lzf" else FORM_RAW
    head.has_expire = record.expire_at_ms is not None
    if head.has_expire:
        head.expire_at_ms = record.expire_at_ms
    head.idle_s = -1 if record.idle_s is None else record.idle_s
    head.freq = -1 if record.freq is None else record.freq
    if meta is not None:
        head.meta = at(meta)
        head.meta_size = len(meta)
    head.start = record.start
    sink.begin_key(&head)
    value = record.value
    if isinstance(value, StringValue):
        sink.string(at((<StringValue>value).data), len((<StringValue>value).data))
    elif isinstance(value, (ListValue, SetValue)):
        feed_elements(value.elements if isinstance(value, ListValue) else value.members, sink)
    elif isinstance(value, HashValue):
        feed_pairs((<HashValue>value).fields, sink)
    elif isinstance(value, ZSetValue):
        feed_scores((<ZSetValue>value).members, sink)
    elif isinstance(value, StreamValue):
        feed_stream(value, sink)
    elif isinstance(value, ArrayValue):
        feed_array(value, sink)
    else:
        feed_opaque(value, sink)
        raw = (<OpaqueValue?>value).raw
    if record.member_expiries is not None:
        feed_member_expiries(record.member_expiries, sink)
    sink.end_key(NULL if raw is None else at(raw), 0 if raw is None else len(raw), record.stop)


cdef int feed_elements(tuple elements, Sink sink) except -1:
    cdef bytes element
    for element in elements:
        sink.element(at(element), len(element))
    return 0


cdef int feed_pairs(tuple fields, Sink sink) except -1:
    cdef bytes field, value
    cdef int64_t expire
    for field, value, expire_at_ms in fields:
        expire = -1 if expire_at_ms is None else expire_at_ms
        sink.pair(at(field), len(field), at(value), len(value), expire)
    return 0


cdef int feed_scores(tuple members, Sink sink) except -1:
    cdef bytes member
    for member, score in members:
        sink.score(at(member), len(member), score)
    return 0


cdef int feed_member_expiries(tuple expiries, Sink sink) except -1:
    cdef bytes member
    for member, expire_at_ms in expiries:
        sink.member_expiry(at(member), len(member), expire_at_ms)
    return 0


cdef int feed_opaque(OpaqueValue value, Sink sink) except -1:
    cdef bytes name = value.module.encode("ascii")
    if len(name) != 9:
        raise ValueError(f"a module's name has 9 characters, not {value.module!r}")
    return sink.opaque(at(name), at(value.raw), len(value.raw))


cdef int feed_array(ArrayValue value, Sink sink) except -1:
    cdef ArrayItem item
    cdef bytes text
    for index, data in value.items:
        item.index = index
        if isinstance(data, bytes):
            text = data
            item.tag = ITEM_STRING
            item.text = at(text)
            item.text_size = len(text)
        elif isinstance(data, float):
            item.tag = ITEM_DOUBLE
            item.real = data
        else:
            item.tag = ITEM_INT
            item.number = data
        sink.array_item(&item)
    return sink.array_end(value.insert_index is not None, value.insert_index or 0)


cdef int feed_stream(StreamValue value, Sink sink) except -1:
    cdef StreamEntry entry
    cdef bytes name, text
    for entry in value.entries:
        sink.entry(entry.id.ms, entry.id.seq, len(entry.fields))
        for name, text in entry.fields:
            sink.entry_field(at(name), len(name), at(text), len(text))
        sink.end_entry()
    feed_stream_tail(value, value.length, sink)
    return 0


def feed_stream_tail(StreamValue value not None, uint64_t length, Sink sink not None):
    """Emit what follows the entries of a stream to ``sink``; ``length`` is their number."""
    cdef StreamGroup group
    cdef StreamID id
    cdef StreamTail tail
    memset(&tail, 0, sizeof(StreamTail))
    tail.version = 1 if value.entries_added is None else 3
    tail.counted = value.entries_added is not None
    tail.length = length
    tail.last_ms = value.last_id.ms
    tail.last_seq = value.last_id.seq
    if tail.counted:
        id = value.first_id if value.first_id is not None else StreamID(0, 0)
        tail.first_ms = id.ms
        tail.first_seq = id.seq
        id = value.max_deleted_id if value.max_deleted_id is not None else StreamID(0, 0)
        tail.max_deleted_ms = id.ms
        tail.max_deleted_seq = id.seq
        tail.entries_added = value.entries_added
    sink.stream_tail(&tail)
    for group in value.groups:
        feed_group(group, sink)
    if value.producers is not None:
        feed_producers(value.producers, sink)


cdef int feed_group(StreamGroup value, Sink sink) except -1:
    cdef Group group
    cdef Consumer consumer
    cdef Pending pending
    cdef StreamConsumer owner
    cdef PendingEntry entry
    cdef bytes name
    group.name = at(value.name)
    group.name_size = len(value.name)
    group.last_ms = value.last_id.ms
    group.last_seq = value.last_id.seq
    group.counted = value.entries_read is not None
    group.entries_read = value.entries_read if group.counted else 0
    sink.begin_group(&group)
    owned = {}
    for entry in value.pending:
        owned[entry.consumer] = owned.get(entry.consumer, 0) + 1
    for owner in value.consumers:
        consumer.name = at(owner.name)
        consumer.name_size = len(owner.name)
        consumer.has_seen = owner.seen_at_ms is not None
        consumer.seen_at_ms = owner.seen_at_ms if consumer.has_seen else 0
        consumer.has_active = owner.active_at_ms is not None
        consumer.active_at_ms = owner.active_at_ms if consumer.has_active else 0
        consumer.pending = owned.get(owner.name, 0)
        sink.consumer(&consumer)
    for entry in value.pending:
        pending.ms = entry.id.ms
        pending.seq = entry.id.seq
        pending.owned = entry.consumer is not None
        name = entry.consumer if pending.owned else b""
        pending.consumer = at(name)
        pending.consumer_size = len(name)
        pending.delivered_at_ms = entry.delivered_at_ms
        pending.delivery_count = entry.delivery_count
        sink.pending(&pending)
    return sink.end_group()


cdef int feed_producers(StreamProducers value, Sink sink) except -1:
    cdef Producers producers
    cdef StreamID id
    cdef bytes name, text
    producers.duration_s = value.duration_s
    producers.max_entries = value.max_entries
    producers.ids_added = value.ids_added
    producers.ids_duplicate = value.ids_duplicate
    sink.begin_producers(&producers)
    for name, ids in value.producers:
        sink.producer(at(name), len(name), len(ids))
        for text, id in ids:
            sink.producer_id(at(text), len(text), id.ms, id.seq)
    return sink.end_producers()
