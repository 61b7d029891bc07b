# RDB out: records to the bytes of a snapshot, for the version and magic that are asked for.
#
# A value's type byte stands before its key and depends on the value, so the value is built first, in a
# buffer, and the record is written when it is complete. The forms are those of the target's release
# (format A2), the thresholds the servers' defaults (format D7). What a target cannot hold is a loss: recorded,
# and refused unless losses are allowed; the record is then taken back whole.

from libc.stdint cimport INT32_MAX, INT32_MIN, int64_t, uint64_t, uint8_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memmove
from rdbtool._codec.cursor cimport Bytes, Scratch, grow, release, rt_parse_i64
from rdbtool._codec.encode cimport (
    Buffer, Form, put_byte, put_bytes, put_le, put_length, put_string, rt_lzf_deflate, rt_lzf_table, trim
)
from rdbtool._codec.encode_collection cimport Collection
from rdbtool._codec.encode_stream cimport Stream
from rdbtool._codec.output cimport LARGE, Output
from rdbtool._codec.sink cimport (
    ArrayItem, Consumer, Group, Head, ITEM_DOUBLE, ITEM_INT, ITEM_STRING, Pending, Producers,
    StreamTail
)

from rdbtool.errors import Loss, LossError
from rdbtool.model.items import Aux, FunctionLibrary, ModuleAux, ResizeDb, SelectDb, SlotImport, SlotInfo
from rdbtool.octets.crc64 import crc64
from rdbtool.types import FORK_AUX, VERSIONS

include "_types.pxi"

cdef enum:
    MOST_LOSSES = 10_000        # that are kept one by one
    MILLISECONDS = 3            # RDB versions that brought what is asked for here
    AUX_FIELDS = 7
    MODULES = 8
    EVICTION = 9
    STREAMS = 9
    FUNCTIONS = 10
    FIELD_EXPIRIES = 12
    SLOT_SIZES = 12
    KEY_METADATA = 13
    PRODUCERS = 13
    ARRAYS = 14
    UNOWNED_ENTRIES = 14
    VALKEY_LEVEL = 11           # whose forms Valkey's own numbering has

#: Aux fields that tell table sizes: wrong where not all keys are written.
cdef frozenset SIZE_AUX = frozenset({b"slot-info"})


cdef class Rdb(Output):
    """The bytes of an RDB, handed to ``write``: header, items, keys, end mark and checksum.

    ``magic`` and ``version`` say what is written. ``release`` (family, major, minor) is the server that it is for,
    where servers of one version differ. ``compress``: strings, by LZF. ``sizes`` ({db: (keys, expires)}) are the
    table sizes to announce; None: those that are heard. Raises LossError unless ``allow_loss``.
    """

    cdef readonly str magic
    cdef readonly int version
    cdef readonly bint allow_loss
    cdef readonly bint checksum
    cdef readonly uint64_t keys             # that are complete
    cdef readonly uint64_t handed_on        # bytes
    cdef Form form
    cdef rt_lzf_table *table
    cdef object crc
    cdef bint started
    cdef bint finished
    cdef int64_t db                         # -1: none was selected
    cdef int64_t heard_db
    cdef bint announces                     # table sizes are those that are heard
    cdef dict sizes
    cdef set announced
    cdef Collection collection
    cdef Stream stream
    cdef Buffer lead                        # of the record at hand: opcodes
    cdef Buffer key                         # its key, as STR
    cdef Scratch name                       # the same, plain
    cdef size_t name_size
    cdef int64_t key_db
    cdef int kind
    cdef bint skipped                       # the value cannot be written
    cdef bint written                       # it was, when it was heard
    cdef Buffer value                       # of a string its short or compressed form; of an array its items
    cdef uint64_t count                     # items of the array
    cdef bint has_insert
    cdef uint64_t insert_index
    cdef uint64_t field_expiries            # that are lost
    cdef uint64_t no_numbers                # scores that are none
    cdef list found                         # losses of the record at hand
    cdef list kept                          # losses
    cdef dict notes                         # by what is said: Loss

    def __cinit__(self):
        self.table = NULL

    def __init__(self, write, *, str magic="REDIS", int version=11, release=None, bint compress=True,
                 bint checksum=True, bint allow_loss=False, sizes=None):
        super().__init__(write)
        low, high = VERSIONS.get(magic, (0, -1))
        if not low <= version <= high:
            raise ValueError(f"no RDB version {version} of {magic} is known")
        self.magic = magic
        self.version = version
        self.checksum = checksum and version >= CHECKSUM_SINCE
        self.allow_loss = allow_loss
        if compress:
            self.table = <rt_lzf_table *>calloc(1, sizeof(rt_lzf_table))
            if self.table == NULL:
                raise MemoryError
        self.form.table = self.table
        self.form.valkey = magic == "VALKEY"
        self.form.level = VALKEY_LEVEL if self.form.valkey else version
        self.form.large_alone = self.form.valkey or version > VALKEY_LEVEL or (
            release is not None and release[0] == "valkey" and release[1] >= 8
        )
        self.collection = Collection()
        self.collection.form = self.form
        self.stream = Stream()
        self.stream.form = self.form
        self.crc = 0
        self.db = -1
        self.announces = sizes is None
        self.sizes = dict(sizes or {})
        self.announced = set()
        self.found = []
        self.kept = []
        self.notes = {}

    def __dealloc__(self):
        free(self.table)
        release(&self.lead.scratch)
        release(&self.key.scratch)
        release(&self.name)
        release(&self.value.scratch)

    @property
    def losses(self):
        """What the target cannot hold: each loss by its key, and each kind of note once, with a count."""
        return [*self.kept, *self.notes.values()]

    # ---- handing on ----------------------------------------------------------------------------

    cdef int pass_on(self, bytes piece) except -1:
        if self.checksum:
            self.crc = crc64(piece, self.crc)
        self.handed_on += len(piece)
        self.write(piece)
        return 0

    cdef int hand_on(self, size_t size) except -1:
        if size:
            self.pass_on(self.data[:size])
            memmove(self.data, self.data + size, self.size - size)
            self.size -= size
            self.committed = 0 if self.committed < size else self.committed - size
        return 0

    cdef int put_large(self, const char *p, size_t size) except -1:
        cdef size_t piece
        self.hand_on(self.size)
        while size:
            piece = min(size, <size_t>LARGE)
            self.pass_on(p[:piece])
            p += piece
            size -= piece
        return 0

    cdef int put_whole(self, const void *p, size_t size) except -1:
        """Put bytes of a record that is known to be complete: large ones are not held."""
        if size >= LARGE:
            return self.put_large(<const char *>p, size)
        return self.put(p, size)

    cdef int put_buffer(self, Buffer *buffer) except -1:
        return self.put_whole(buffer.scratch.data, buffer.size)

    cdef int start(self) except -1:
        cdef bytes head
        if not self.started:
            self.started = True
            head = f"{self.magic}{self.version:0{9 - len(self.magic)}}".encode()
            self.put(<char *>head, len(head))
            self.committed = self.size
        return 0

    cdef int header(self, str magic, int version) except -1:
        return self.start()

    cdef int finish(self) except -1:
        cdef bytes end
        if self.finished:
            return 0
        self.start()
        self.finished = True
        self.put_char(<char>0xFF)
        self.hand_on(self.size)
        if self.version >= CHECKSUM_SINCE:
            end = self.crc.to_bytes(8, "little")
            self.handed_on += 8
            self.write(end)
        return 0

    # ---- losses --------------------------------------------------------------------------------

    cdef int find(self, str what, str severity, uint64_t count, needs) except -1:
        """Remember that something of the record at hand cannot be written, or not as it is."""
        if count:
            self.found.append((what, severity, count, needs))
        return 0

    cdef int judge(self, db, key) except -1:
        """Refuse what was found, unless losses are allowed."""
        if self.found and not self.allow_loss:
            for what, severity, count, needs in self.found:
                if severity == "loss":
                    self.rollback()
                    raise LossError(Loss(db, key, what, severity, count, needs), self.magic, self.version)
        return 0

    cdef int record_losses(self, db, key) except -1:
        for what, severity, count, needs in self.found:
            if severity == "loss" and len(self.kept) < MOST_LOSSES:
                self.kept.append(Loss(db, key, what, severity, count, needs))
                continue
            # Notes, and losses beyond counting one by one: the first key stands for all.
            before = self.notes.get((what, severity))
            loss = Loss(db, key, what, severity, count, needs)
            self.notes[what, severity] = loss if before is None else before._replace(times=before.times + count)
        self.found = []
        return 0

    # ---- items ---------------------------------------------------------------------------------

    cdef int item(self, object item) except -1:
        cdef int level = self.form.level
        self.start()
        if isinstance(item, SelectDb):
            self.heard_db = item.db
            return 0
        if isinstance(item, ResizeDb):
            if self.announces:
                self.sizes[self.heard_db] = (item.keys, item.expires)
            return 0
        self.lead.size = 0
        if isinstance(item, Aux):
            self.put_aux(item)
        elif isinstance(item, FunctionLibrary):
            if level < FUNCTIONS:
                self.find("a function library", "loss", 1, FUNCTIONS)
            elif not item.released:
                self.find("a function library of a release candidate", "loss", 1, None)
            else:
                put_byte(&self.lead, OP_FUNCTION2)
                self.put_text_of(item.code)
        elif isinstance(item, ModuleAux):
            if level < EVICTION:
                self.find("module data beside the keys", "loss", 1, EVICTION)
            else:
                put_byte(&self.lead, OP_MODULE_AUX)
                put_bytes(&self.lead, <char *>(<bytes>item.raw), len(item.raw))
        elif isinstance(item, SlotInfo):
            if level < SLOT_SIZES or not self.announces:
                self.find("table sizes of slots", "note", 1, SLOT_SIZES)
            else:
                # They belong to the db that was selected before them.
                self.enter(self.heard_db)
                self.entered(self.heard_db)
                put_byte(&self.lead, OP_SLOT_INFO)
                put_length(&self.lead, item.slot)
                put_length(&self.lead, item.keys)
                put_length(&self.lead, item.expires)
        elif isinstance(item, SlotImport):
            if not self.form.valkey:
                self.find("a slot import", "loss", 1, None)
            else:
                put_byte(&self.lead, OP_SLOT_IMPORT)
                self.put_text_of(item.job)
                put_length(&self.lead, len(item.ranges))
                for first, last in item.ranges:
                    put_length(&self.lead, first)
                    put_length(&self.lead, last)
        self.judge(None, None)
        self.record_losses(None, None)
        self.put_buffer(&self.lead)
        return Output.commit(self)

    cdef int put_text_of(self, bytes data) except -1:
        return put_string(&self.lead, <Bytes>(<char *>data), len(data), self.table)

    cdef int put_aux(self, item) except -1:
        if self.form.level < AUX_FIELDS:
            return self.find("aux fields", "note", 1, AUX_FIELDS)
        if FORK_AUX.get(item.key) == "Dragonfly" or (item.key in SIZE_AUX and not self.announces):
            # It would say what is not true of this file: numbers that are Dragonfly's, or sizes of all keys.
            return self.find("aux fields", "note", 1, None)
        put_byte(&self.lead, OP_AUX)
        self.put_text_of(item.key)
        return self.put_text_of(item.value)

    cdef int enter(self, int64_t db) except -1:
        """Select a db and announce its size, once."""
        if db == self.db:
            return 0
        put_byte(&self.lead, OP_SELECTDB)
        put_length(&self.lead, <uint64_t>db)
        if self.form.level >= AUX_FIELDS and db in self.sizes and db not in self.announced:
            keys, expires = self.sizes[db]
            put_byte(&self.lead, OP_RESIZEDB)
            put_length(&self.lead, keys)
            put_length(&self.lead, expires)
        return 0

    cdef int entered(self, int64_t db) except -1:
        if db != self.db:
            self.announced.add(db)
            self.db = db
        return 0

    # ---- keys ----------------------------------------------------------------------------------

    cdef int begin_key(self, Head *head) except -1:
        cdef int level = self.form.level
        self.start()
        if self.found:
            self.found = []
        self.kind = head.kind
        self.key_db = head.db
        self.skipped = self.written = False
        self.field_expiries = self.no_numbers = self.count = 0
        trim(&self.value)
        trim(&self.lead)
        trim(&self.key)
        grow(&self.name, head.key_size + 1)
        memcpy(self.name.data, head.key, head.key_size)
        self.name_size = head.key_size
        put_string(&self.key, head.key, head.key_size, self.table)
        self.enter(head.db)
        if head.has_expire:
            self.put_expiry(head.expire_at_ms)
        if head.idle_s >= 0:
            if level < EVICTION:
                self.find("idle times", "note", 1, EVICTION)
            else:
                put_byte(&self.lead, OP_IDLE)
                put_length(&self.lead, <uint64_t>head.idle_s)
        if head.freq >= 0:
            if level < EVICTION:
                self.find("access frequencies", "note", 1, EVICTION)
            else:
                put_byte(&self.lead, OP_FREQ)
                put_byte(&self.lead, <uint8_t>head.freq)
        if head.meta != NULL:
            if level < KEY_METADATA:
                self.find("key metadata", "loss", 1, KEY_METADATA)
            else:
                put_byte(&self.lead, OP_KEY_META)
                put_bytes(&self.lead, head.meta, head.meta_size)
        if head.kind == KIND_STREAM:
            if level < STREAMS:
                self.skip("a stream", STREAMS)
            else:
                self.stream.begin()
        elif head.kind == KIND_MODULE:
            if level < MODULES:
                self.skip("a module's value", MODULES)
        elif head.kind == KIND_ARRAY:
            if level < ARRAYS:
                self.skip("an array", ARRAYS)
        elif head.kind != KIND_STRING:
            self.collection.begin(head.kind)
        return 0

    cdef int skip(self, str what, int needs) except -1:
        self.skipped = True
        return self.find(what, "loss", 1, needs)

    cdef int put_expiry(self, int64_t expire_at_ms) except -1:
        cdef int64_t seconds
        if self.version >= MILLISECONDS:
            # -1 would mean none.
            put_byte(&self.lead, OP_EXPIRETIME_MS)
            return put_le(&self.lead, <uint64_t>(expire_at_ms if expire_at_ms != -1 else -2), 8)
        seconds = expire_at_ms // 1000 - (expire_at_ms % 1000 < 0)
        if expire_at_ms % 1000:
            seconds += 1            # rather a moment late than early
            self.find("milliseconds of expiry times", "note", 1, MILLISECONDS)
        if not INT32_MIN <= seconds <= INT32_MAX:
            self.find("an expiry time after January 2038 or before 1902", "loss", 1, MILLISECONDS)
            seconds = INT32_MAX if seconds > 0 else INT32_MIN
        put_byte(&self.lead, OP_EXPIRETIME)
        return put_le(&self.lead, <uint64_t>seconds, 4)

    cdef int put_head(self, int type_code) except -1:
        """Write what stands before a value: it is complete, and nothing of it is lost that may not be."""
        self.judge(self.key_db, (<char *>self.name.data)[:self.name_size] if self.found else None)
        self.put_buffer(&self.lead)
        self.put_char(<char>type_code)
        self.put_buffer(&self.key)
        self.written = True
        return 0

    cdef int string(self, Bytes p, size_t size) except -1:
        cdef int64_t number
        cdef size_t packed
        self.put_head(TYPE_STRING)
        if size <= 20 or self.table == NULL:
            if size <= 11 and rt_parse_i64(p, size, &number):
                put_string(&self.value, p, size, NULL)
                return self.put_buffer(&self.value)
        else:
            grow(&self.value.scratch, size)
            packed = rt_lzf_deflate(p, size, self.value.scratch.data, size - 4, self.table)
            if packed:
                self.put_char(<char>0xC3)
                self.put_length(packed)
                self.put_length(size)
                return self.put_whole(self.value.scratch.data, packed)
        self.put_length(size)
        return self.put_whole(p, size)

    cdef int put_length(self, uint64_t number) except -1:
        self.lead.size = 0
        put_length(&self.lead, number)
        return self.put_buffer(&self.lead)

    cdef int opaque(self, Bytes module, Bytes raw, size_t raw_size) except -1:
        if self.skipped:
            return 0
        self.put_head(TYPE_MODULE_2)
        return self.put_whole(raw, raw_size)

    cdef int element(self, Bytes p, size_t size) except -1:
        return self.collection.element(p, size)

    cdef int score(self, Bytes member, size_t member_size, double score) except -1:
        self.no_numbers += score != score
        return self.collection.score(member, member_size, score)

    cdef int pair(self, Bytes field, size_t field_size, Bytes value, size_t value_size, int64_t expire_at_ms) except -1:
        if expire_at_ms >= 0 and not self.form.valkey and (
            self.form.level < FIELD_EXPIRIES or <uint64_t>expire_at_ms > MAX_FIELD_EXPIRE_MS
        ):
            self.field_expiries += 1
            expire_at_ms = -1
        if expire_at_ms < -1:
            expire_at_ms = -1
        return self.collection.pair(field, field_size, value, value_size, expire_at_ms)

    cdef int array_item(self, ArrayItem *item) except -1:
        cdef uint64_t bits
        if self.skipped:
            return 0
        self.count += 1
        put_length(&self.value, item.index)
        if item.tag == ITEM_INT:
            put_length(&self.value, ITEM_INT)
            return put_le(&self.value, <uint64_t>item.number, 8)
        if item.tag == ITEM_DOUBLE:
            put_length(&self.value, ITEM_DOUBLE)
            memcpy(&bits, &item.real, 8)
            return put_le(&self.value, bits, 8)
        put_length(&self.value, ITEM_STRING)      # short ones too: the tag for those is a choice of the server
        return put_string(&self.value, item.text, item.text_size, self.table)

    cdef int array_end(self, bint has_insert, uint64_t insert_index) except -1:
        self.has_insert = has_insert
        self.insert_index = insert_index
        if self.count == 0 and not self.skipped:
            self.skip("an array without items", ARRAYS)
        return 0

    # ---- streams -------------------------------------------------------------------------------

    cdef int entry(self, uint64_t ms, uint64_t seq, uint64_t fields) except -1:
        return 0 if self.skipped else self.stream.entry(ms, seq)

    cdef int entry_field(self, Bytes field, size_t field_size, Bytes value, size_t value_size) except -1:
        return 0 if self.skipped else self.stream.entry_field(field, field_size, value, value_size)

    cdef int end_entry(self) except -1:
        return 0 if self.skipped else self.stream.end_entry()

    cdef int stream_tail(self, StreamTail *tail) except -1:
        return 0 if self.skipped else self.stream.stream_tail(tail)

    cdef int begin_group(self, Group *group) except -1:
        return 0 if self.skipped else self.stream.begin_group(group)

    cdef int consumer(self, Consumer *consumer) except -1:
        return 0 if self.skipped else self.stream.consumer(consumer)

    cdef int pending(self, Pending *pending) except -1:
        return 0 if self.skipped else self.stream.pending(pending)

    cdef int end_group(self) except -1:
        return 0 if self.skipped else self.stream.end_group()

    cdef int begin_producers(self, Producers *producers) except -1:
        return 0 if self.skipped else self.stream.begin_producers(producers)

    cdef int producer(self, Bytes name, size_t name_size, uint64_t ids) except -1:
        return 0 if self.skipped else self.stream.producer(name, name_size, ids)

    cdef int producer_id(self, Bytes name, size_t name_size, uint64_t ms, uint64_t seq) except -1:
        return 0 if self.skipped else self.stream.producer_id(name, name_size, ms, seq)

    cdef int put_stream(self) except -1:
        cdef Stream stream = self.stream
        cdef int type_code = stream.finish()
        self.find("pending entries that nobody owns", "loss", stream.unowned, UNOWNED_ENTRIES)
        self.find("ids of idempotent producers", "loss", stream.producers_lost, PRODUCERS)
        if stream.has_producers and not stream.producers_lost and type_code < TYPE_STREAM_LISTPACKS_4:
            self.find("limits of idempotent producers", "note", 1, PRODUCERS)
        self.find("limits of idempotent producers", "note", stream.limits_made, None)
        self.find("stream counters", "note", stream.counters, FUNCTIONS)
        self.find("entries read by groups", "note", stream.entries_read, FUNCTIONS)
        self.find("times when consumers were seen", "note", stream.seen_times, None)
        self.find("times when consumers were active", "note", stream.active_times, VALKEY_LEVEL)
        self.find("owners of pending entries that were no consumers", "note", stream.consumers_made, None)
        self.put_head(type_code)
        self.put_buffer(&stream.prefix)
        self.put_buffer(&stream.nodes)
        self.put_buffer(&stream.tail)
        self.put_buffer(&stream.groups)
        return self.put_buffer(&stream.idempotency)

    # ---- the end of a key ----------------------------------------------------------------------

    cdef int end_key(self, Bytes raw, size_t raw_size, int64_t stop) except -1:
        cdef int type_code
        if self.skipped:
            self.judge(self.key_db, (<char *>self.name.data)[:self.name_size])
        elif self.kind == KIND_STREAM:
            self.put_stream()
        elif self.kind == KIND_ARRAY:
            self.put_head(TYPE_ARRAY)
            self.put_length(self.count)
            self.put_length(self.has_insert)
            if self.has_insert:
                self.put_length(self.insert_index)
            self.put_buffer(&self.value)
        elif not self.written:
            self.find("field expiries", "loss", self.field_expiries, FIELD_EXPIRIES)
            self.find("scores that are no number, which servers refuse", "note", self.no_numbers, None)
            type_code = self.collection.finish()
            self.put_head(type_code)
            self.put_buffer(&self.collection.prefix)
            self.put_buffer(&self.collection.body)
        return 0

    cdef int commit(self) except -1:
        if self.found:
            self.record_losses(self.key_db, (<char *>self.name.data)[:self.name_size])
        if self.written:
            self.entered(self.key_db)
            self.keys += 1
        return Output.commit(self)

    cdef int rollback(self) noexcept:
        self.found = []
        return Output.rollback(self)
