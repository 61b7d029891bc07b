# The base of sinks that hash records: key and value as 128 bits each.
#
# Ordered parts go into the hash as they arrive. Unordered parts (members, fields, items, groups) are hashed one by one,
# and the sum goes in at the end. Every part goes in with its length, and optional parts are announced, so that no two
# records are hashed from the same input. Encodings and the order of members depend on the writer, and do not count
# unless requested.
#
# All of these hashes are finished: in a sum, small differences of two members could otherwise make up for one another.
#
# Counters of streams that not every version stores are separate, so that a value can be compared without them.

from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy, memset
from rdbtool._codec.decode.cursor cimport Bytes
from rdbtool._codec.sink cimport (
    ArrayItem, Consumer, Group, Head, ITEM_DOUBLE, ITEM_INT, LongString, Pending, Producers, StreamTail
)

include "../_types.pxi"

cdef enum:
    # Tags of parts in a hash, so that no two parts of a record can be confused.
    TAG_ENTRY = 1
    TAG_TAIL = 2
    TAG_CONSUMER = 3
    TAG_PENDING = 4
    TAG_PRODUCERS = 5
    TAG_PRODUCER = 6
    TAG_MEMBER_EXPIRY = 7

    # Prefix of a value. Distinguished by where its hash begins: elements of a list could contain the same bytes.
    HAS_META = 1
    HAS_EXPIRY = 2
    HAS_IDLE = 4
    KIND = 8                # times the kind
    FREQ = 256              # times the frequency + 1


cdef class Prints(Sink):
    def __cinit__(self):
        self.signed_zeros = True
        self.field_expiries = True
        self.takes_pieces = True

    cdef int begin_key(self, Head *head) except -1:
        cdef uint64_t what
        hash_key(head.db, head.key, head.key_size, &self.key)
        memset(&self.parts, 0, sizeof(rt_hash128))
        self.has_counters = False
        self.kind = head.kind
        what = KIND * <uint64_t>head.kind + (HAS_META if head.meta != NULL else 0)
        if not self.whole:
            rt_hash_begin(&self.value, what)
        else:
            what += (HAS_EXPIRY if head.has_expire else 0) + (HAS_IDLE if head.idle_s != -1 else 0)
            rt_hash_begin(&self.value, what + <uint64_t>(head.freq + 1) * FREQ)
            rt_hash_add(&self.value, &self.key)
            if head.has_expire:
                rt_hash_number(&self.value, head.expire_at_ms)
            if head.idle_s != -1:
                rt_hash_number(&self.value, head.idle_s)
        if self.encodings:
            rt_hash_number(&self.value, <uint64_t>(head.type_code * 4 + head.form))
        if head.meta != NULL:
            rt_hash_feed(&self.value, head.meta, head.meta_size)
        return 0

    cdef int string(self, Bytes p, size_t size) except -1:
        rt_hash_feed(&self.value, p, size)
        return 0

    cdef int begin_string(self, LongString *text) except -1:
        memset(&self.pieces, 0, sizeof(rt_hash_pieces))
        return 0

    cdef int string_piece(self, Bytes p, size_t size) except -1:
        rt_hash_piece(&self.value, &self.pieces, p, size)
        return 0

    cdef int end_string(self) except -1:
        rt_hash_pieces_end(&self.value, &self.pieces)
        return 0

    cdef int element(self, Bytes p, size_t size) except -1:
        cdef rt_hash128 part
        if self.kind == KIND_LIST:
            rt_hash_feed(&self.value, p, size)
        else:
            rt_hash_begin(&part, 0)
            rt_hash_feed(&part, p, size)
            rt_hash_add_part(&self.parts, &part)
        return 0

    cdef int pair(self, Bytes field, size_t field_size, Bytes value, size_t value_size, int64_t expire_at_ms) except -1:
        cdef rt_hash128 part
        rt_hash_begin(&part, 0)
        rt_hash_feed(&part, field, field_size)
        rt_hash_feed(&part, value, value_size)
        if expire_at_ms != -1 and self.field_expiries:
            rt_hash_number(&part, expire_at_ms)
        rt_hash_add_part(&self.parts, &part)
        return 0

    cdef int score(self, Bytes member, size_t member_size, double score) except -1:
        cdef rt_hash128 part
        cdef uint64_t bits = 0
        if score != score:
            bits = 0x7FF8000000000000       # all NaNs are equal
        elif score != 0 or self.signed_zeros:
            memcpy(&bits, &score, 8)
        rt_hash_begin(&part, 0)
        rt_hash_number(&part, bits)
        rt_hash_feed(&part, member, member_size)
        rt_hash_add_part(&self.parts, &part)
        return 0

    cdef int member_expiry(self, Bytes member, size_t size, int64_t expire_at_ms) except -1:
        cdef rt_hash128 part
        if self.field_expiries:
            rt_hash_begin(&part, 0)
            rt_hash_number(&part, TAG_MEMBER_EXPIRY)
            rt_hash_number(&part, expire_at_ms)
            rt_hash_feed(&part, member, size)
            rt_hash_add_part(&self.parts, &part)
        return 0

    cdef int array_item(self, ArrayItem *item) except -1:
        cdef uint64_t bits
        cdef rt_hash128 part
        rt_hash_begin(&part, 0)
        rt_hash_number(&part, item.index)
        if item.tag == ITEM_INT:
            rt_hash_number(&part, ITEM_INT)
            rt_hash_number(&part, item.number)
        elif item.tag == ITEM_DOUBLE:
            memcpy(&bits, &item.real, 8)
            rt_hash_number(&part, ITEM_DOUBLE)
            rt_hash_number(&part, bits)
        else:
            rt_hash_number(&part, 0)
            rt_hash_feed(&part, item.text, item.text_size)
        rt_hash_add_part(&self.parts, &part)
        return 0

    cdef int array_end(self, bint has_insert, uint64_t insert_index) except -1:
        rt_hash_number(&self.value, has_insert)
        rt_hash_number(&self.value, insert_index if has_insert else 0)
        return 0

    cdef int opaque(self, Bytes module, Bytes raw, size_t raw_size) except -1:
        rt_hash_feed(&self.value, raw, raw_size)        # it begins with the module's ID
        return 0

    # ---- streams -------------------------------------------------------------------------------

    cdef int entry(self, uint64_t ms, uint64_t seq, uint64_t fields) except -1:
        rt_hash_number(&self.value, TAG_ENTRY)
        rt_hash_number(&self.value, ms)
        rt_hash_number(&self.value, seq)
        rt_hash_number(&self.value, fields)
        return 0

    cdef int entry_field(self, Bytes field, size_t field_size, Bytes value, size_t value_size) except -1:
        rt_hash_feed(&self.value, field, field_size)
        rt_hash_feed(&self.value, value, value_size)
        return 0

    cdef int stream_tail(self, StreamTail *tail) except -1:
        rt_hash_number(&self.value, TAG_TAIL)
        rt_hash_number(&self.value, tail.last_ms)
        rt_hash_number(&self.value, tail.last_seq)
        if self.whole:
            rt_hash_number(&self.value, tail.length)
        memset(&self.counters, 0, sizeof(rt_hash128))
        if tail.counted:
            self.has_counters = True
            rt_hash_number(&self.counters, tail.max_deleted_ms)
            rt_hash_number(&self.counters, tail.max_deleted_seq)
            rt_hash_number(&self.counters, tail.entries_added)
            if self.whole:
                rt_hash_number(&self.counters, tail.first_ms)
                rt_hash_number(&self.counters, tail.first_seq)
        return 0

    cdef int begin_group(self, Group *group) except -1:
        cdef rt_hash128 part
        rt_hash_begin(&self.group, 0)
        memset(&self.owned, 0, sizeof(rt_hash128))
        rt_hash_feed(&self.group, group.name, group.name_size)
        rt_hash_number(&self.group, group.last_ms)
        rt_hash_number(&self.group, group.last_seq)
        if group.counted:
            self.has_counters = True
            part = self.group
            rt_hash_number(&part, group.entries_read)
            rt_hash_add_part(&self.counters, &part)
        return 0

    cdef int consumer(self, Consumer *consumer) except -1:
        cdef rt_hash128 part
        rt_hash_begin(&part, 0)
        rt_hash_number(&part, TAG_CONSUMER)
        rt_hash_feed(&part, consumer.name, consumer.name_size)
        if self.whole:
            rt_hash_number(&part, consumer.has_seen)
            rt_hash_number(&part, consumer.seen_at_ms if consumer.has_seen else 0)
            rt_hash_number(&part, consumer.has_active)
            rt_hash_number(&part, consumer.active_at_ms if consumer.has_active else 0)
        rt_hash_add_part(&self.owned, &part)
        return 0

    cdef int pending(self, Pending *pending) except -1:
        cdef rt_hash128 part
        rt_hash_begin(&part, 0)
        rt_hash_number(&part, TAG_PENDING)
        rt_hash_number(&part, pending.ms)
        rt_hash_number(&part, pending.seq)
        rt_hash_number(&part, pending.owned)
        if pending.owned:
            rt_hash_feed(&part, pending.consumer, pending.consumer_size)
        rt_hash_number(&part, pending.delivered_at_ms)
        rt_hash_number(&part, pending.delivery_count)
        rt_hash_add_part(&self.owned, &part)
        return 0

    cdef int end_group(self) except -1:
        rt_hash_number(&self.group, self.owned.a)
        rt_hash_number(&self.group, self.owned.b)
        rt_hash_add_part(&self.parts, &self.group)
        return 0

    cdef int begin_producers(self, Producers *producers) except -1:
        rt_hash_number(&self.value, TAG_PRODUCERS)
        rt_hash_number(&self.value, producers.duration_s)
        rt_hash_number(&self.value, producers.max_entries)
        rt_hash_number(&self.value, producers.ids_added)
        rt_hash_number(&self.value, producers.ids_duplicate)
        return 0

    cdef int producer(self, Bytes name, size_t name_size, uint64_t ids) except -1:
        rt_hash_number(&self.value, TAG_PRODUCER)
        rt_hash_feed(&self.value, name, name_size)
        rt_hash_number(&self.value, ids)      # the end of the IDs must not depend on their contents
        return 0

    cdef int producer_id(self, Bytes name, size_t name_size, uint64_t ms, uint64_t seq) except -1:
        rt_hash_feed(&self.value, name, name_size)
        rt_hash_number(&self.value, ms)
        rt_hash_number(&self.value, seq)
        return 0

    # ---- the end of a key ----------------------------------------------------------------------

    cdef int end_key(self, Bytes raw, size_t raw_size, int64_t stop) except -1:
        if self.parts.a or self.parts.b:
            rt_hash_number(&self.value, self.parts.a)
            rt_hash_number(&self.value, self.parts.b)
        self.bare = self.value
        rt_hash_finish(&self.bare)
        if self.has_counters:
            rt_hash_number(&self.value, self.counters.a)
            rt_hash_number(&self.value, self.counters.b)
        rt_hash_finish(&self.value)
        return 0
