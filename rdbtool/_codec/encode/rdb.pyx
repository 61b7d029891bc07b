# RDB encoder: records to RDB bytes, for a given version and magic.
#
# A value's type byte precedes its key and depends on the value, so the value is built first, in a buffer, and the
# record is written when it is complete. A large collection whose extent is known ahead is written as it arrives. The
# forms are those of the target's release (format A2), the thresholds the servers' defaults (format D7). What a target
# cannot hold is dropped before, by TargetFilter.

from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport INT32_MAX, INT32_MIN, int64_t, uint64_t, uint8_t
from libc.string cimport memcpy
from rdbtool._codec.decode.cursor cimport Bytes, grow, release, rt_parse_i64
from rdbtool._codec.encode.primitives cimport (
    Buffer, put_byte, put_bytes, put_le, put_length, put_string, refuse, rt_lzf_begin, rt_lzf_pack,
    rt_lzf_packing, trim
)
from rdbtool._codec.encode.collection cimport Collection
from rdbtool._codec.encode.stream cimport Stream
from rdbtool._codec.encode.encoder cimport Encoder, LARGE
from rdbtool._codec.encode.rdb_output cimport SnapshotOutput
from rdbtool._codec.sink cimport (
    ASKS_COUNTS, ArrayItem, Consumer, Group, Head, ITEM_DOUBLE, ITEM_INT, ITEM_STRING, LongString, Pending, Producers,
    StreamTail
)

from rdbtool.core.errors import InputError
from rdbtool.core.rdb_types import value_types

include "../_types.pxi"

cdef enum:
    DRAINED = 1 << 16           # bytes of a collection that are passed on at once
    HELD = 1 << 24              # bytes of a compressed string that are held: a longer one is compressed twice


#: Types whose stored values are copied: they mean the same in every file of a version that has them. Values that refer to
#: templates do not, streams have parts that depend on the target, and no release reads those of release candidates.
COPIED_KINDS = frozenset({"string", "list", "set", "zset", "hash"})
NEVER_COPIED = frozenset({
    "HASH_METADATA_PRE_GA", "HASH_LISTPACK_EX_PRE_GA", "HASH_TEMPLATE_LISTPACK", "HASH_TEMPLATE_LISTPACK_REF",
    "HASH_TEMPLATE_ARRAY", "HASH_TEMPLATE_ARRAY_REF",
})


class NotCopiedError(Exception):
    """A value was to be copied, but differs from the one that is stored: the record has to come again."""


cdef class Rdb(SnapshotOutput):
    """The bytes of an RDB, passed to ``write``: header, items, keys, end mark and checksum.

    ``magic`` and ``version`` say what is written. ``release`` (family, major, minor) is the server that it is for,
    where servers of one version differ. ``compress``: compress strings by LZF. ``sizes`` ({db: (keys, expires)}) are
    the table sizes to announce; None: those that are received. ``role`` is the role of the file for its aux fields
    (``rdb_types.ROLES``), None: unchanged. ``copies``: values are written as the source stores them, if it passes them
    on and the version has their type; it must be a file of the same ``magic``. Raises NotCopiedError for a record whose
    value turns out to be changed: it has to be rolled back and come again, and is encoded then. A ``TargetFilter`` has
    to drop what the version cannot hold; otherwise raises ValueError.
    """

    def __init__(self, write, *, str magic="REDIS", int version=11, release=None, bint compress=True,
                 bint checksum=True, sizes=None, str role=None, bint copies=False):
        super().__init__(write, magic=magic, version=version, release=release, compress=compress, checksum=checksum,
                         sizes=sizes, role=role)
        self.last_field_expiry = self.able.last_field_expiry
        self.cannot_hold[KIND_STREAM] = not self.able.streams
        self.cannot_hold[KIND_MODULE] = not self.able.modules
        self.cannot_hold[KIND_ARRAY] = not self.able.arrays
        self.collection = Collection()
        self.collection.form = self.form
        self.takes_pieces = True
        self.asks_extent = ASKS_COUNTS
        self.stream = Stream()
        self.stream.form = self.form
        if copies:
            for row in value_types(magic).values():
                self.copies[row.code] = (
                    row.kind in COPIED_KINDS and row.name not in NEVER_COPIED and row.since <= self.form.level
                )
            if self.form.valkey:
                self.copies[TYPE_HASH_2] = True
            # Without a checksum nothing would show that they arrive as they were.
            self.asks_stored = self.checksum
            memcpy(self.stores, self.copies, sizeof(self.stores))
            self.stores[OP_EXPIRETIME_MS] = self.able.milliseconds
            self.stores[OP_IDLE] = self.stores[OP_FREQ] = self.able.eviction

    def __dealloc__(self):
        release(&self.key.scratch)
        release(&self.value.scratch)

    # ---- keys ----------------------------------------------------------------------------------

    cdef int begin_key(self, Head *head) except -1:
        cdef int type_code
        self.start()
        if self.missing is not None:
            self.settle_role()
        self.kind = head.kind
        self.key_db = head.db
        self.written = self.collection.is_known = False
        # What is known to be complete may be large, and its stored form is not passed on in one piece.
        self.copied = head.type_code >= 0 and self.copies[head.type_code] and not (self.may_spill or self.encodes_next)
        self.type_code = head.type_code
        self.count = 0
        trim(&self.value)
        trim(&self.lead)
        trim(&self.key)
        put_string(&self.key, head.key, head.key_size, self.table)
        if self.cannot_hold[head.kind]:
            refuse("values of this kind")
        self.enter(head.db)
        if head.has_expire:
            self.put_expiry(head.expire_at_ms)
        if head.idle_s >= 0 or head.freq >= 0:
            self.put_eviction(head)
        if head.meta != NULL:
            if not self.able.meta:
                refuse("key metadata")
            put_byte(&self.lead, OP_KEY_META)
            put_bytes(&self.lead, head.meta, head.meta_size)
        if self.copied:
            return 0
        if head.kind == KIND_STREAM:
            self.stream.begin()
        elif head.kind != KIND_STRING and head.kind != KIND_MODULE and head.kind != KIND_ARRAY:
            self.collection.begin(head.kind)
            if self.may_spill:
                type_code = self.collection.begin_known(&self.extent_ahead)
                if type_code >= 0:
                    self.put_head(type_code)
                    self.put_buffer(&self.collection.prefix)
        return 0

    cdef int drain(self) except -1:
        """Write what there is of a collection that is written as it arrives."""
        if self.written and self.collection.body.size >= DRAINED:
            self.put_buffer(&self.collection.body)
            self.collection.body.size = 0
        return 0

    cdef int put_eviction(self, Head *head) except -1:
        if not self.able.eviction:
            refuse("idle times and access frequencies")
        if head.idle_s >= 0:
            put_byte(&self.lead, OP_IDLE)
            put_length(&self.lead, <uint64_t>head.idle_s)
        if head.freq >= 0:
            put_byte(&self.lead, OP_FREQ)
            put_byte(&self.lead, <uint8_t>head.freq)
        return 0

    cdef int put_expiry(self, int64_t expire_at_ms) except -1:
        if expire_at_ms == -1:
            refuse("an expiry time that means none")
        if self.able.milliseconds:
            put_byte(&self.lead, OP_EXPIRETIME_MS)
            return put_le(&self.lead, <uint64_t>expire_at_ms, 8)
        if expire_at_ms % 1000 or not INT32_MIN <= expire_at_ms // 1000 <= INT32_MAX:
            refuse("an expiry time of this precision or range")
        put_byte(&self.lead, OP_EXPIRETIME)
        return put_le(&self.lead, <uint64_t>(expire_at_ms // 1000), 4)

    cdef int put_head(self, int type_code) except -1:
        """Write what precedes a value: it is complete."""
        self.put_buffer(&self.lead)
        self.put_char(<char>type_code)
        self.put_buffer(&self.key)
        self.written = True
        return 0

    cdef int string(self, Bytes p, size_t size) except -1:
        cdef int64_t number
        if self.copied:
            return 0
        self.put_head(TYPE_STRING)
        if size <= 11 and rt_parse_i64(p, size, &number):
            put_string(&self.value, p, size, NULL)
            return self.put_buffer(&self.value)
        return self.put_blob(p, size)

    cdef int put_blob(self, Bytes p, size_t size) except -1:
        """Write a string that is not an integer, compressed if that is smaller. No second copy of it is held."""
        cdef rt_lzf_packing packing
        cdef uint8_t *out
        cdef size_t made, room = min(size, <size_t>HELD)
        if self.table != NULL and size > 20 and rt_lzf_begin(&packing, p, size, size - 4, self.table):
            grow(&self.value.scratch, room)
            out = self.value.scratch.data
            made = rt_lzf_pack(&packing, out, room)
            while packing.ip < size and not packing.fails:
                PyErr_CheckSignals()
                rt_lzf_pack(&packing, out, room)
            if not packing.fails:
                self.put_char(<char>0xC3)
                self.put_length(packing.made)
                self.put_length(size)
                if packing.made == made:
                    return self.put_whole(out, made)
                # Its size precedes it: only now it can be written.
                rt_lzf_begin(&packing, p, size, size - 4, self.table)
                while packing.ip < size:
                    PyErr_CheckSignals()
                    self.put_whole(out, rt_lzf_pack(&packing, out, room))
                return 0
        self.put_length(size)
        return self.put_whole(p, size)

    cdef int begin_string(self, LongString *text) except -1:
        self.copied = False
        self.is_whole = text.whole != NULL
        self.copies_packed = text.packed and self.table != NULL
        if self.is_whole:
            return self.string(text.whole, text.size)
        # Nothing is recompressed: what the source did not compress is not worth holding whole.
        self.put_head(TYPE_STRING)
        if self.copies_packed:
            self.put_char(<char>0xC3)
            self.put_length(text.packed)
        return self.put_length(text.size)

    cdef int string_piece(self, Bytes p, size_t size) except -1:
        return 0 if self.copies_packed or self.is_whole else self.put_whole(p, size)

    cdef int packed_piece(self, Bytes p, size_t size) except -1:
        return self.put_whole(p, size) if self.copies_packed else 0

    cdef int put_length(self, uint64_t number) except -1:
        self.lead.size = 0
        put_length(&self.lead, number)
        return self.put_buffer(&self.lead)

    cdef int opaque(self, Bytes module, Bytes raw, size_t raw_size) except -1:
        self.put_head(TYPE_MODULE_2)
        return self.put_whole(raw, raw_size)

    cdef int put_part(self, Bytes p, size_t size) except -1:
        """Write a part of a collection that is written as it arrives; a large one is not copied into its body."""
        if size < LARGE:
            return put_string(&self.collection.body, p, size, self.table)
        self.put_buffer(&self.collection.body)
        self.collection.body.size = 0
        return self.put_blob(p, size)

    cdef int element(self, Bytes p, size_t size) except -1:
        if self.copied:
            return 0
        if self.written and size >= LARGE:
            self.collection.count += 1
            return self.put_part(p, size)
        self.collection.element(p, size)
        return self.drain()

    cdef int score(self, Bytes member, size_t member_size, double score) except -1:
        if self.copied:
            return 0
        if self.written and member_size >= LARGE:
            self.collection.count += 1
            self.put_part(member, member_size)
            return self.collection.put_score(score)
        self.collection.score(member, member_size, score)
        return self.drain()

    cdef int pair(self, Bytes field, size_t field_size, Bytes value, size_t value_size, int64_t expire_at_ms) except -1:
        if expire_at_ms != -1 and not 0 <= expire_at_ms <= self.last_field_expiry:
            refuse("field expiries")
        if self.copied:
            return 0
        if self.written and (field_size >= LARGE or value_size >= LARGE):
            self.collection.begin_pair(expire_at_ms)
            self.put_part(field, field_size)
            self.put_part(value, value_size)
            return self.collection.end_pair(expire_at_ms)
        self.collection.pair(field, field_size, value, value_size, expire_at_ms)
        return self.drain()

    cdef int array_item(self, ArrayItem *item) except -1:
        cdef uint64_t bits
        self.count += 1
        put_length(&self.value, item.index)
        if item.tag == ITEM_INT:
            put_length(&self.value, ITEM_INT)
            return put_le(&self.value, <uint64_t>item.number, 8)
        if item.tag == ITEM_DOUBLE:
            put_length(&self.value, ITEM_DOUBLE)
            memcpy(&bits, &item.real, 8)
            return put_le(&self.value, bits, 8)
        put_length(&self.value, ITEM_STRING)      # short ones too: their tag is the server's choice
        return put_string(&self.value, item.text, item.text_size, self.table)

    cdef int array_end(self, bint has_insert, uint64_t insert_index) except -1:
        self.has_insert = has_insert
        self.insert_index = insert_index
        if self.count == 0:
            refuse("an array without items")
        return 0

    # ---- streams -------------------------------------------------------------------------------

    cdef int entry(self, uint64_t ms, uint64_t seq, uint64_t fields) except -1:
        return self.stream.entry(ms, seq)

    cdef int entry_field(self, Bytes field, size_t field_size, Bytes value, size_t value_size) except -1:
        return self.stream.entry_field(field, field_size, value, value_size)

    cdef int end_entry(self) except -1:
        return self.stream.end_entry()

    cdef int stream_tail(self, StreamTail *tail) except -1:
        return self.stream.stream_tail(tail)

    cdef int begin_group(self, Group *group) except -1:
        return self.stream.begin_group(group)

    cdef int consumer(self, Consumer *consumer) except -1:
        return self.stream.consumer(consumer)

    cdef int pending(self, Pending *pending) except -1:
        return self.stream.pending(pending)

    cdef int end_group(self) except -1:
        return self.stream.end_group()

    cdef int begin_producers(self, Producers *producers) except -1:
        return self.stream.begin_producers(producers)

    cdef int producer(self, Bytes name, size_t name_size, uint64_t ids) except -1:
        return self.stream.producer(name, name_size, ids)

    cdef int producer_id(self, Bytes name, size_t name_size, uint64_t ms, uint64_t seq) except -1:
        return self.stream.producer_id(name, name_size, ms, seq)

    cdef int put_stream(self) except -1:
        cdef Stream stream = self.stream
        cdef int type_code = stream.finish()
        self.put_head(type_code)
        self.put_buffer(&stream.prefix)
        self.put_buffer(&stream.nodes)
        self.put_buffer(&stream.tail)
        self.put_buffer(&stream.groups)
        return self.put_buffer(&stream.idempotency)

    # ---- records as they are stored ------------------------------------------------------------

    cdef const bint *takes_stored(self, int64_t db) noexcept:
        return self.stores

    cdef int stored(self, Bytes p, size_t size, int64_t db, uint64_t keys) except -1:
        self.start()
        if self.missing is not None:
            self.settle_role()
        trim(&self.lead)
        self.enter(db)
        self.put_buffer(&self.lead)
        self.stored_at = <int64_t>(self.handed_on + self.size)
        self.put_whole(p, size)
        self.entered(db)
        self.keys += keys
        return Encoder.commit(self)

    # ---- the end of a key ----------------------------------------------------------------------

    cdef int end_key(self, Bytes raw, size_t raw_size, int64_t stop) except -1:
        cdef int type_code
        if self.copied:
            if raw == NULL:
                self.encodes_next = True
                raise NotCopiedError
            self.put_head(self.type_code)
            return self.put_whole(raw, raw_size)
        if self.kind == KIND_STREAM:
            self.put_stream()
        elif self.kind == KIND_ARRAY:
            self.put_head(TYPE_ARRAY)
            self.put_length(self.count)
            self.put_length(self.has_insert)
            if self.has_insert:
                self.put_length(self.insert_index)
            self.put_buffer(&self.value)
        elif not self.written:
            type_code = self.collection.finish()
            self.put_head(type_code)
            self.put_buffer(&self.collection.prefix)
            self.put_buffer(&self.collection.body)
        elif self.collection.is_known:
            if self.collection.count != self.extent_ahead.elements:
                raise InputError("the source changed while it was read")
            self.put_buffer(&self.collection.body)
        return 0

    cdef int commit(self) except -1:
        if self.written:
            self.entered(self.key_db)
            self.keys += 1
            self.written = self.encodes_next = False
        return Encoder.commit(self)
