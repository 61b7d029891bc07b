# Our own fingerprint: 128 bits over everything that a file says of its keys, whatever their order.
#
# DEBUG DIGEST does not see a changed expiry time, a destroyed group or a lost function; this does.
# It is what a rewritten file is compared by, so every part of a record goes in, with its length.

from libc.stdint cimport int64_t, uint64_t, uint8_t
from libc.string cimport memcpy, memset
from rdbtool._codec.cursor cimport Bytes
from rdbtool._codec.sink cimport (
    ArrayItem, Consumer, Group, Head, ITEM_DOUBLE, ITEM_INT, Pending, Producers, Sink, StreamTail
)

from rdbtool.model.items import FunctionLibrary, ModuleAux

include "_types.pxi"

cdef extern from "hash128.h" nogil:
    ctypedef struct rt_hash128:
        uint64_t a
        uint64_t b
    void rt_hash_begin(rt_hash128 *state)
    void rt_hash_feed(rt_hash128 *state, const uint8_t *p, size_t size)
    void rt_hash_number(rt_hash128 *state, uint64_t v)
    void rt_hash_add(rt_hash128 *sum, const rt_hash128 *x)

cdef enum:
    # What follows in a hash, so that no two parts of a record can be taken for one another.
    TAG_ENTRY = 1
    TAG_TAIL = 2
    TAG_GROUP = 3
    TAG_CONSUMER = 4
    TAG_PENDING = 5
    TAG_PRODUCERS = 6
    TAG_PRODUCER = 7
    TAG_FUNCTION = 8
    TAG_MODULE_AUX = 9
    TAG_KEY = 10


cdef class Fingerprint(Sink):
    """Sums up 128-bit hashes of all records, functions and module data, independent of their order.

    Two files have the same fingerprint when every key has the same value, expiry, field expiries,
    stream ids, groups, pending entries, eviction data and metadata. Encodings do not count. ``signed_zeros``
    False: nor does the sign of a score of -0, which servers lose at times.
    """

    cdef readonly uint64_t keys
    cdef rt_hash128 total
    cdef rt_hash128 key
    cdef rt_hash128 parts           # sum over members that have no order
    cdef rt_hash128 group
    cdef rt_hash128 consumers
    cdef int kind
    cdef bint signed_zeros

    def __init__(self, *, bint signed_zeros=True):
        self.signed_zeros = signed_zeros

    def hexdigest(self):
        """Return the fingerprint of what was heard so far: 32 hex digits."""
        return f"{self.total.b:016x}{self.total.a:016x}"

    cdef int item(self, object item) except -1:
        cdef rt_hash128 hash
        cdef bytes data
        memset(&hash, 0, sizeof(rt_hash128))
        if isinstance(item, FunctionLibrary):
            data = item.code
            rt_hash_number(&hash, TAG_FUNCTION)
        elif isinstance(item, ModuleAux):
            data = item.raw
            rt_hash_number(&hash, TAG_MODULE_AUX)
        else:
            return 0
        rt_hash_feed(&hash, <Bytes>(<char *>data), len(data))
        rt_hash_add(&self.total, &hash)
        return 0

    cdef int begin_key(self, Head *head) except -1:
        memset(&self.key, 0, sizeof(rt_hash128))
        memset(&self.parts, 0, sizeof(rt_hash128))
        self.kind = head.kind
        rt_hash_number(&self.key, TAG_KEY)
        rt_hash_number(&self.key, head.db)
        rt_hash_number(&self.key, head.kind)
        rt_hash_feed(&self.key, head.key, head.key_size)
        rt_hash_number(&self.key, head.has_expire)
        rt_hash_number(&self.key, head.expire_at_ms if head.has_expire else 0)
        rt_hash_number(&self.key, head.idle_s)
        rt_hash_number(&self.key, head.freq)
        rt_hash_number(&self.key, head.meta != NULL)
        if head.meta != NULL:
            rt_hash_feed(&self.key, head.meta, head.meta_size)
        return 0

    cdef int string(self, Bytes p, size_t size) except -1:
        rt_hash_feed(&self.key, p, size)
        return 0

    cdef int element(self, Bytes p, size_t size) except -1:
        cdef rt_hash128 part
        if self.kind == KIND_LIST:
            rt_hash_feed(&self.key, p, size)
        else:
            rt_hash_begin(&part)
            rt_hash_feed(&part, p, size)
            rt_hash_add(&self.parts, &part)
        return 0

    cdef int pair(self, Bytes field, size_t field_size, Bytes value, size_t value_size, int64_t expire_at_ms) except -1:
        cdef rt_hash128 part
        rt_hash_begin(&part)
        rt_hash_feed(&part, field, field_size)
        rt_hash_feed(&part, value, value_size)
        rt_hash_number(&part, expire_at_ms)
        rt_hash_add(&self.parts, &part)
        return 0

    cdef int score(self, Bytes member, size_t member_size, double score) except -1:
        cdef rt_hash128 part
        cdef uint64_t bits = 0
        if score != score:
            bits = 0x7FF8000000000000       # all NaNs are one
        elif score != 0 or self.signed_zeros:
            memcpy(&bits, &score, 8)
        rt_hash_begin(&part)
        rt_hash_feed(&part, member, member_size)
        rt_hash_number(&part, bits)
        rt_hash_add(&self.parts, &part)
        return 0

    cdef int array_item(self, ArrayItem *item) except -1:
        cdef uint64_t bits
        rt_hash_number(&self.key, item.index)
        if item.tag == ITEM_INT:
            rt_hash_number(&self.key, ITEM_INT)
            rt_hash_number(&self.key, item.number)
        elif item.tag == ITEM_DOUBLE:
            memcpy(&bits, &item.real, 8)
            rt_hash_number(&self.key, ITEM_DOUBLE)
            rt_hash_number(&self.key, bits)
        else:
            rt_hash_number(&self.key, 0)
            rt_hash_feed(&self.key, item.text, item.text_size)
        return 0

    cdef int array_end(self, bint has_insert, uint64_t insert_index) except -1:
        rt_hash_number(&self.key, has_insert)
        rt_hash_number(&self.key, insert_index if has_insert else 0)
        return 0

    cdef int opaque(self, Bytes module, Bytes raw, size_t raw_size) except -1:
        rt_hash_feed(&self.key, raw, raw_size)
        return 0

    cdef int entry(self, uint64_t ms, uint64_t seq, uint64_t fields) except -1:
        rt_hash_number(&self.key, TAG_ENTRY)
        rt_hash_number(&self.key, ms)
        rt_hash_number(&self.key, seq)
        rt_hash_number(&self.key, fields)
        return 0

    cdef int entry_field(self, Bytes field, size_t field_size, Bytes value, size_t value_size) except -1:
        rt_hash_feed(&self.key, field, field_size)
        rt_hash_feed(&self.key, value, value_size)
        return 0

    cdef int stream_tail(self, StreamTail *tail) except -1:
        rt_hash_number(&self.key, TAG_TAIL)
        rt_hash_number(&self.key, tail.length)
        rt_hash_number(&self.key, tail.last_ms)
        rt_hash_number(&self.key, tail.last_seq)
        rt_hash_number(&self.key, tail.counted)
        rt_hash_number(&self.key, tail.first_ms)
        rt_hash_number(&self.key, tail.first_seq)
        rt_hash_number(&self.key, tail.max_deleted_ms)
        rt_hash_number(&self.key, tail.max_deleted_seq)
        rt_hash_number(&self.key, tail.entries_added)
        return 0

    cdef int begin_group(self, Group *group) except -1:
        memset(&self.group, 0, sizeof(rt_hash128))
        memset(&self.consumers, 0, sizeof(rt_hash128))
        rt_hash_number(&self.group, TAG_GROUP)
        rt_hash_feed(&self.group, group.name, group.name_size)
        rt_hash_number(&self.group, group.last_ms)
        rt_hash_number(&self.group, group.last_seq)
        rt_hash_number(&self.group, group.counted)
        rt_hash_number(&self.group, group.entries_read if group.counted else 0)
        return 0

    cdef int consumer(self, Consumer *consumer) except -1:
        cdef rt_hash128 part
        rt_hash_begin(&part)
        rt_hash_number(&part, TAG_CONSUMER)
        rt_hash_feed(&part, consumer.name, consumer.name_size)
        rt_hash_number(&part, consumer.has_seen)
        rt_hash_number(&part, consumer.seen_at_ms if consumer.has_seen else 0)
        rt_hash_number(&part, consumer.has_active)
        rt_hash_number(&part, consumer.active_at_ms if consumer.has_active else 0)
        rt_hash_add(&self.consumers, &part)
        return 0

    cdef int pending(self, Pending *pending) except -1:
        cdef rt_hash128 part
        rt_hash_begin(&part)
        rt_hash_number(&part, TAG_PENDING)
        rt_hash_number(&part, pending.ms)
        rt_hash_number(&part, pending.seq)
        rt_hash_number(&part, pending.owned)
        if pending.owned:
            rt_hash_feed(&part, pending.consumer, pending.consumer_size)
        rt_hash_number(&part, pending.delivered_at_ms)
        rt_hash_number(&part, pending.delivery_count)
        rt_hash_add(&self.consumers, &part)
        return 0

    cdef int end_group(self) except -1:
        rt_hash_number(&self.group, self.consumers.a)
        rt_hash_number(&self.group, self.consumers.b)
        rt_hash_add(&self.parts, &self.group)
        return 0

    cdef int begin_producers(self, Producers *producers) except -1:
        rt_hash_number(&self.key, TAG_PRODUCERS)
        rt_hash_number(&self.key, producers.duration_s)
        rt_hash_number(&self.key, producers.max_entries)
        rt_hash_number(&self.key, producers.ids_added)
        rt_hash_number(&self.key, producers.ids_duplicate)
        return 0

    cdef int producer(self, Bytes name, size_t name_size, uint64_t ids) except -1:
        rt_hash_number(&self.key, TAG_PRODUCER)
        rt_hash_feed(&self.key, name, name_size)
        rt_hash_number(&self.key, ids)      # where the ids end must not hang on what they are
        return 0

    cdef int producer_id(self, Bytes name, size_t name_size, uint64_t ms, uint64_t seq) except -1:
        rt_hash_feed(&self.key, name, name_size)
        rt_hash_number(&self.key, ms)
        rt_hash_number(&self.key, seq)
        return 0

    cdef int end_key(self, Bytes raw, size_t raw_size, int64_t stop) except -1:
        rt_hash_number(&self.key, self.parts.a)
        rt_hash_number(&self.key, self.parts.b)
        return 0

    cdef int commit(self) except -1:
        rt_hash_add(&self.total, &self.key)
        self.keys += 1
        return 0
