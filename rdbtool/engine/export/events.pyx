# From the keyspace to a sink: the events that a decoder would have sent, without a record between the two.
#
# Compiled, because saving or printing a keyspace is a loop over all of it. Values that few logs hold many of (modules'
# values, arrays) go through the model instead.

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_Next
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from cpython.object cimport PyObject, PyObject_Hash
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset
from rdbtool._codec.decode.cursor cimport Bytes, FORM_RAW
from rdbtool._codec.decode.raw_commands cimport Word
from rdbtool._codec.filters.selection cimport Selection
from rdbtool._codec.sink cimport Consumer, Group, Head, LongString, Measure, Pending, Producers, Sink, StreamTail
from rdbtool.engine.streams.data cimport (
    StreamData, block_next, entries_block, entry_next_pair, entry_view
)
from rdbtool.engine.streams.pending cimport PendingEntries, pending_next, pending_row
from rdbtool.engine.values cimport HashData, ListData, SetData, ZSetData, next_entry, pack, pack_entry

from rdbtool._codec.replay_record import feed_record
from rdbtool.core.rdb_types import KINDS
from rdbtool.engine.export.key_records import kind_of, member_expiries, to_value
from rdbtool.engine.streams.ids import U64
from rdbtool.engine.values import StringData
from rdbtool.model import KeyRecord

include "../../_codec/_types.pxi"

cdef enum:
    KEYS_PER_REPORT = 4096
    LONG = 1 << 20              # bytes of a value from which on it is emitted as one that need not be held
    FAR = 24                    # keys after the current one whose objects are asked for
    NEAR = 8                    # and those whose elements are
    MARKS_PER_KEY = 32          # places of a filter for each key in it: one of so many other keys passes it

cdef extern from *:
    void ask_for "__builtin_prefetch"(const void *p) nogil

cdef extern from "../../_codec/escape.h" nogil:
    int rt_is_utf8(const uint8_t *p, size_t n)
    size_t rt_utf8_cut(const uint8_t *p, size_t n)


cdef inline Bytes at(bytes data):
    return <Bytes>PyBytes_AS_STRING(data)


# ---- what comes next -----------------------------------------------------------------------------
#
# The objects of a large keyspace are in no cache, and each would be waited for in its turn. So a loop over a dictionary
# asks for the memory of entries to come. Two more positions in the dictionary run before that of the loop: at the far
# one key and value are asked for, at the near one, where these have arrived, the elements of a collection.

cdef inline void ask_for_objects(dict keys, Py_ssize_t *position) noexcept:
    cdef PyObject *name
    cdef PyObject *value
    if PyDict_Next(keys, position, &name, &value):
        ask_for(name)
        ask_for(value)
        ask_for(<Bytes>value + 64)


cdef inline void ask_for_elements(dict keys, Py_ssize_t *position) noexcept:
    cdef PyObject *name
    cdef PyObject *value
    if PyDict_Next(keys, position, &name, &value):
        data = <object>value
        kind = type(data)
        if kind is HashData:
            ask_for_pack(&(<HashData>data).p)
        elif kind is SetData:
            ask_for_pack(&(<SetData>data).p)
        elif kind is ZSetData:
            ask_for_pack(&(<ZSetData>data).p)
        elif kind is ListData:
            ask_for_pack(&(<ListData>data).p)


cdef inline void ask_for_pack(const pack *p) noexcept:
    ask_for(p.offsets)
    ask_for(p.blob)
    ask_for(p.blob + 64)


cdef class KeyFilter:
    # Says of most keys that a dictionary does not have them, without looking into it: it has a bit for the hash of each
    # key, and these take a fraction of the dictionary's memory.

    cdef uint64_t *marks
    cdef uint64_t mask

    def __cinit__(self, dict keys not None):
        cdef PyObject *name
        cdef Py_ssize_t position = 0
        cdef uint64_t places = 64, at
        while places < <uint64_t>len(keys) * MARKS_PER_KEY:
            places *= 2
        self.mask = places - 1
        self.marks = <uint64_t *>PyMem_Calloc(places // 64, sizeof(uint64_t))
        if self.marks == NULL:
            raise MemoryError
        while PyDict_Next(keys, &position, &name, NULL):
            at = <uint64_t>PyObject_Hash(<object>name) & self.mask
            self.marks[at // 64] |= <uint64_t>1 << at % 64

    def __dealloc__(self):
        PyMem_Free(self.marks)

    cdef inline bint passes(self, bytes key) except -1:
        """Whether the dictionary may have a key."""
        cdef uint64_t at = <uint64_t>PyObject_Hash(key) & self.mask
        return self.marks[at // 64] >> at % 64 & 1


# ---- keys ----------------------------------------------------------------------------------------

def emit_db(int64_t db, dict keys not None, dict expires not None, Sink sink not None, Selection selection=None,
            progress=None):
    """Emit the keys of a database that ``selection`` takes, until that is full.

    Returns how many keys were looked at, how many of those expire, and how many there are by kind. ``progress`` is
    called now and then with 0.
    """
    cdef Head head
    cdef PyObject *name
    cdef PyObject *value
    cdef Py_ssize_t position = 0, near = 0, far = 0
    cdef uint64_t count = 0, expiring = 0
    cdef uint64_t[16] kinds
    cdef bytes key
    cdef KeyFilter may_expire = KeyFilter(expires) if 0 < len(expires) <= len(keys) // 2 else None
    # Most keys expire in the order in which they are there: the next one often needs no lookup.
    cdef Py_ssize_t expiry = 0
    cdef PyObject *next_name = NULL
    cdef PyObject *when = NULL
    memset(kinds, 0, sizeof(kinds))
    PyDict_Next(expires, &expiry, &next_name, &when)
    for _ in range(FAR):
        ask_for_objects(keys, &far)
    for _ in range(NEAR):
        ask_for_elements(keys, &near)
    try:
        while PyDict_Next(keys, &position, &name, &value):
            ask_for_objects(keys, &far)
            ask_for_elements(keys, &near)
            if selection is not None and 0 <= selection.limit <= selection.taken:
                break
            key = <bytes>name
            data = <object>value
            memset(&head, 0, sizeof(Head))
            head.db = db
            head.key = at(key)
            head.key_size = PyBytes_GET_SIZE(key)
            head.kind = kind_number(data)
            head.type_code = -1
            head.form = FORM_RAW
            head.idle_s = head.freq = head.start = -1
            expire_at_ms = None
            if name == next_name:
                expire_at_ms = <object>when
                PyDict_Next(expires, &expiry, &next_name, &when)
            elif expires and (may_expire is None or may_expire.passes(key)):
                expire_at_ms = expires.get(key)
            if expire_at_ms is not None:
                head.has_expire = True
                head.expire_at_ms = expire_at_ms
                expiring += 1
            kinds[head.kind] += 1
            count += 1
            if selection is None or selection.wants(&head):
                emit_key(&head, key, data, sink)
                if selection is not None:
                    selection.taken += 1
            if count % KEYS_PER_REPORT == 0 and progress is not None:
                progress(0)
    except BaseException:
        sink.rollback()
        sink.may_spill = sink.extent_ahead.is_known = False
        raise
    return count, expiring, {kind: kinds[number] for number, kind in enumerate(KINDS) if kinds[number]}


def select_version_dependent(dict keys not None):
    """Return the keys whose values not every version of every server holds as they are."""
    cdef PyObject *name
    cdef PyObject *value
    cdef Py_ssize_t position = 0, far = 0
    cdef dict found = {}
    for _ in range(FAR):
        ask_for_objects(keys, &far)
    while PyDict_Next(keys, &position, &name, &value):
        ask_for_objects(keys, &far)
        if not is_plain(<object>value):
            found[<object>name] = <object>value
    return found


cdef inline bint is_plain(data):
    """Whether every version of every server holds a value as it is: no stream, no field that expires."""
    kind = type(data)
    if kind is HashData:
        return (<HashData>data).expires is None
    if kind is SetData:
        return (<SetData>data).expires is None
    if kind is ZSetData:
        return (<ZSetData>data).expires is None
    return kind is bytes or kind is ListData or kind is StringData


cdef int kind_number(data) except -1:
    kind = type(data)
    if kind is bytes or kind is StringData:
        return KIND_STRING
    if kind is HashData:
        return KIND_HASH
    if kind is SetData:
        return KIND_SET
    if kind is ZSetData:
        return KIND_ZSET
    if kind is ListData:
        return KIND_LIST
    if kind is StreamData:
        return KIND_STREAM
    return KINDS.index(kind_of(data))


cdef int emit_key(Head *head, bytes key, data, Sink sink) except -1:
    """Emit a record and commit it."""
    cdef Measure measure
    if size_of(data) >= LONG:
        # It is in the keyspace, so it is sound, and can be emitted twice.
        measure = Measure()
        measure.start(sink.asks_extent)
        emit_value(head, data, measure)
        sink.extent_ahead = measure.extent
        sink.extent_ahead.stop = -1
        sink.may_spill = True
    if not emit_value(head, data, sink):
        expire_at_ms = head.expire_at_ms if head.has_expire else None
        sink.may_spill = True
        feed_record(KeyRecord(db=head.db, key=key, value=to_value(data), expire_at_ms=expire_at_ms), sink)
    else:
        sink.end_key(NULL, 0, -1)
        sink.commit()
    sink.may_spill = sink.extent_ahead.is_known = False
    return 0


cdef size_t size_of(data) except? 0:
    """Bytes of a value, 0 of one that is emitted as a record."""
    kind = type(data)
    if kind is bytes:
        return PyBytes_GET_SIZE(data)
    if kind is HashData:
        return (<HashData>data).p.used
    if kind is SetData:
        return (<SetData>data).p.used
    if kind is ZSetData:
        return (<ZSetData>data).p.used
    if kind is ListData:
        return (<ListData>data).p.used
    if kind is StreamData:
        return stream_size(<StreamData>data)
    return 0


cdef size_t stream_size(StreamData data) except? 0:
    """Bytes of the entries of a stream, and of what is pending."""
    cdef size_t total = 0
    cdef uint32_t i
    for group in data.groups.values():
        total += (<PendingEntries>group.pending).held.length * sizeof(pending_row)
    for i in range(data.held.first, data.held.first + data.held.count):
        total += data.held.blocks[i].used
    return total


cdef bint emit_value(Head *head, data, Sink sink) except -1:
    """Emit a value and what precedes it; False: it is emitted as a record."""
    kind = type(data)
    if kind is bytes:
        emit_string(head, <bytes>data, sink)
    elif kind is HashData:
        emit_hash(head, <HashData>data, sink)
    elif kind is SetData:
        emit_elements(head, &(<SetData>data).p, sink)
        if data.expires is not None:
            emit_expiries(data, sink)
    elif kind is ZSetData:
        emit_zset(head, &(<ZSetData>data).p, sink)
        if data.expires is not None:
            emit_expiries(data, sink)
    elif kind is ListData:
        emit_elements(head, &(<ListData>data).p, sink)
    elif kind is StringData:
        emit_string(head, bytes(data), sink)
    elif kind is StreamData:
        emit_stream(head, <StreamData>data, sink)
    else:
        return False
    return True


cdef int emit_string(Head *head, bytes data, Sink sink) except -1:
    cdef Bytes p = at(data)
    cdef size_t piece, left = PyBytes_GET_SIZE(data)
    cdef LongString text
    sink.begin_key(head)
    if not sink.may_spill or not sink.takes_pieces:
        return sink.string(p, left)
    text.size = left
    text.packed = 0
    text.is_utf8 = sink.asks_utf8 and rt_is_utf8(p, left)
    text.whole = p
    sink.begin_string(&text)
    while left:
        piece = min(left, <size_t>LONG)
        if piece < left:
            piece -= rt_utf8_cut(p, piece)
        sink.string_piece(p, piece)
        p += piece
        left -= piece
    return sink.end_string()


cdef int emit_elements(Head *head, const pack *p, Sink sink) except -1:
    cdef pack_entry entry
    cdef uint32_t at = 0
    sink.begin_key(head)
    while True:
        at = next_entry(p, at, &entry)
        if not at:
            return 0
        sink.element(entry.name, entry.name_size)


cdef int emit_expiries(data, Sink sink) except -1:
    cdef bytes member
    for member, when in member_expiries(data):
        sink.member_expiry(at(member), PyBytes_GET_SIZE(member), when)
    return 0


cdef int emit_zset(Head *head, const pack *p, Sink sink) except -1:
    cdef pack_entry entry
    cdef uint32_t at = 0
    cdef double score
    sink.begin_key(head)
    while True:
        at = next_entry(p, at, &entry)
        if not at:
            return 0
        memcpy(&score, entry.value, sizeof(double))
        sink.score(entry.name, entry.name_size, score)


cdef int emit_hash(Head *head, HashData data, Sink sink) except -1:
    cdef pack_entry entry
    cdef uint32_t at = 0
    cdef int64_t expire_at_ms = -1
    cdef dict expires = data.expires
    sink.begin_key(head)
    while True:
        at = next_entry(&data.p, at, &entry)
        if not at:
            return 0
        if expires is not None:
            found = expires.get((<char *>entry.name)[:entry.name_size])
            expire_at_ms = -1 if found is None else found
        sink.pair(entry.name, entry.name_size, entry.value, entry.value_size, expire_at_ms)


cdef int emit_stream(Head *head, StreamData data, Sink sink) except -1:
    cdef const entries_block *block
    cdef entry_view entry
    cdef Word name, value
    cdef size_t at, pair
    cdef uint32_t i
    sink.begin_key(head)
    for i in range(data.held.first, data.held.first + data.held.count):
        block = &data.held.blocks[i]
        at = block_next(block, block.start, &entry)
        while at:
            sink.entry(entry.ms, entry.seq, entry.pairs)
            for pair in range(entry.pairs):
                entry_next_pair(&entry, &name, &value)
                sink.entry_field(name.text, name.size, value.text, value.size)
            sink.end_entry()
            at = block_next(block, at, &entry)
    emit_tail(data, sink)
    for group_name, group in sorted(data.groups.items()):
        emit_group(group_name, group, sink)
    if data.producers is not None:
        emit_producers(data.producers, sink)
    return 0


cdef int emit_tail(StreamData data, Sink sink) except -1:
    cdef StreamTail tail
    memset(&tail, 0, sizeof(StreamTail))
    tail.version = 3 if data.is_counted else 1
    tail.counted = data.is_counted
    tail.length = data.held.length
    tail.last_ms = data.last.ms
    tail.last_seq = data.last.seq
    if data.is_counted:
        tail.first_ms = data.first.ms
        tail.first_seq = data.first.seq
        tail.max_deleted_ms = data.max_deleted.ms
        tail.max_deleted_seq = data.max_deleted.seq
        tail.entries_added = data.added
    return sink.stream_tail(&tail)


cdef int emit_group(bytes name, data, Sink sink) except -1:
    """Emit a group. Servers keep consumers by name, and what is pending by ID."""
    cdef Group group
    cdef Consumer consumer
    cdef Pending pending
    cdef PendingEntries entries = data.pending
    cdef pending_row *row
    cdef uint32_t block = 0, place = 0
    cdef bytes owner
    cdef dict owned = {}
    group.name = at(name)
    group.name_size = PyBytes_GET_SIZE(name)
    group.last_ms = data.last_id >> 64
    group.last_seq = data.last_id & U64
    group.counted = data.entries_read is not None
    group.entries_read = data.entries_read if group.counted else 0
    sink.begin_group(&group)
    row = pending_next(&entries.held, &block, &place)
    while row != NULL:
        if row.consumer != NULL:
            owned[<object>row.consumer] = owned.get(<object>row.consumer, 0) + 1
        row = pending_next(&entries.held, &block, &place)
    for owner, known in sorted(data.consumers.items()):
        consumer.name = at(owner)
        consumer.name_size = PyBytes_GET_SIZE(owner)
        consumer.has_seen = known.seen_at_ms is not None
        consumer.seen_at_ms = known.seen_at_ms if consumer.has_seen else 0
        consumer.has_active = known.active_at_ms is not None
        consumer.active_at_ms = known.active_at_ms if consumer.has_active else 0
        consumer.pending = owned.get(known, 0)
        sink.consumer(&consumer)
    block = place = 0
    row = pending_next(&entries.held, &block, &place)
    while row != NULL:
        pending.ms = row.ms
        pending.seq = row.seq
        pending.owned = row.consumer != NULL
        owner = (<object>row.consumer).name if pending.owned else b""
        pending.consumer = at(owner)
        pending.consumer_size = PyBytes_GET_SIZE(owner)
        pending.delivered_at_ms = row.delivered_at_ms
        pending.delivery_count = row.delivery_count
        sink.pending(&pending)
        row = pending_next(&entries.held, &block, &place)
    return sink.end_group()


cdef int emit_producers(data, Sink sink) except -1:
    cdef Producers producers
    cdef bytes name, text
    producers.duration_s = data.duration_s
    producers.max_entries = data.max_entries
    producers.ids_added = data.ids_added
    producers.ids_duplicate = data.ids_duplicate
    sink.begin_producers(&producers)
    for name, known in sorted(data.producers.items()):
        sink.producer(at(name), PyBytes_GET_SIZE(name), len(known))
        for text, entry_id in known.items():
            sink.producer_id(at(text), PyBytes_GET_SIZE(text), entry_id >> 64, entry_id & U64)
    return sink.end_producers()
