# The window and the loop.
#
# The window holds what was read and not yet consumed, and is refilled in large reads. An item (an
# opcode with its payload, or a key with its value) is decoded from the window in one go; where the
# window ends too early, everything heard of the item is rolled back, more is read, and the item
# starts again. So one path serves files, pipes and compressed input, and a sink never hears half a
# record. On bytes that are not sound the decoder stops in front of the item and returns DECLINED:
# the grammar then reads the same bytes and says what is wrong with them.

from cpython.memoryview cimport PyMemoryView_FromMemory
from libc.stdint cimport INT64_MAX, UINT64_MAX
from libc.stdlib cimport free, malloc, realloc
from libc.math cimport INFINITY, NAN
from libc.string cimport memcpy, memmove
from rdbtool._codec.cursor cimport (
    Bytes, FORM_INT, FORM_LZF, FORM_RAW, Str, decline, grow, load_le32, load_le64, need, read_double, read_i64,
    read_len, read_str, read_u8, release, rt_parse_double
)
from rdbtool._codec.packed cimport (
    Element, SHAPE_ELEMENTS, SHAPE_PAIRS, SHAPE_SCORES, SHAPE_TRIPLES, Walk, close_listpack, element_number,
    next_listpack, open_listpack, scan_intset, scan_listpack, scan_ziplist, scan_zipmap
)
from rdbtool._codec.sink cimport ArrayItem, Head, ITEM_DOUBLE, ITEM_INT, ITEM_SHORT_STRING

from rdbtool._codec.cursor import Declined, NeedMore, NeedValidation
from rdbtool.model.items import (
    Aux, End, FunctionLibrary, HashTemplate, ModuleAux, ResizeDb, SelectDb, SlotImport, SlotInfo
)
from rdbtool.span import Span
from rdbtool.types import FORK_AUX, KINDS, OPCODES, VALUE_TYPES, VERSIONS

include "_types.pxi"

cdef extern from "Python.h":
    int PyBUF_READ
    int PyBUF_WRITE

cdef enum:
    WINDOW = 1 << 19            # bytes to begin with
    SPILL = 1 << 22             # records from this size on are validated before a buffering sink hears them
    UNKNOWN = 255

#: What ``Decoder.run`` ended with.
ENDED, PAUSED, DECLINED, TOO_LARGE = range(4)

cdef char *MODULE_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


class WindowLimit(Exception):
    """The window may not grow as far as the item needs."""


cdef str module_name(uint64_t id):
    """The nine characters of a module id (format A14)."""
    cdef char name[9]
    cdef int i
    for i in range(9):
        name[i] = MODULE_ALPHABET[id >> (58 - 6 * i) & 63]
    return name[:9].decode("ascii")


cdef class Decoder:
    def __init__(self, readinto, crc64, window_limit, int64_t size, size_t max_inflate):
        self.readinto = readinto
        self.crc64 = crc64
        self.window_limit = window_limit
        self.size = size
        self.limits.max_inflate = max_inflate
        self.capacity = WINDOW
        if 0 <= size < WINDOW:
            self.capacity = <size_t>size + 16
        self.buffer = <uint8_t *>malloc(self.capacity)
        if self.buffer == NULL:
            raise MemoryError
        self.checksum = 0
        self.templates = {}
        self.db_counts = {}
        self.pending_start = self.idle_s = self.freq = -1
        self.streams = StreamReader()
        self.null = Sink()

    def __dealloc__(self):
        free(self.buffer)
        release(&self.meta)
        release(&self.key_text)
        release(&self.first)
        release(&self.second)

    # ---- for the reader ------------------------------------------------------------------------

    @property
    def at(self):
        """Source offset of the item at hand, in bytes."""
        return self.base + <int64_t>self.start

    @property
    def pending(self):
        """What the next key gets: (expire_at_ms, idle_s, freq, meta), None where nothing is pending."""
        return (
            self.expire_at_ms if self.has_expire else None,
            self.idle_s if self.idle_s >= 0 else None,
            self.freq if self.freq >= 0 else None,
            (<char *>self.meta.data)[:self.meta_size] if self.has_meta else None,
        )

    @pending.setter
    def pending(self, values):
        expire, idle, freq, meta = values
        self.has_expire = expire is not None
        self.expire_at_ms = expire if expire is not None else 0
        self.idle_s = idle if idle is not None else -1
        self.freq = freq if freq is not None else -1
        self.has_meta = meta is not None
        if meta is not None:
            self.keep_meta(<Bytes>(<char *>meta), len(meta))

    cdef int keep_meta(self, Bytes p, size_t size) except -1:
        grow(&self.meta, size + 1)
        memcpy(self.meta.data, p, size)
        self.meta_size = size
        return 0

    def peek(self, int64_t at, size_t size):
        """Return up to ``size`` bytes at offset ``at`` of the source, fewer only at its end."""
        cdef size_t offset
        if at < self.base + <int64_t>self.start:
            raise ValueError(f"offset {at} was consumed")
        while self.base + <int64_t>self.stop < at + <int64_t>size and not self.at_end:
            self.refill()
        if at >= self.base + <int64_t>self.stop:
            return b""
        offset = <size_t>(at - self.base)
        return (<char *>self.buffer)[offset:min(offset + size, self.stop)]

    def left(self, int64_t at):
        """Return the number of bytes from ``at`` to the end of the source, None where that is unknown."""
        if self.at_end:
            return max(0, self.base + <int64_t>self.stop - at)
        return max(0, self.size - at) if self.size >= 0 else None

    def skip_to(self, int64_t at):
        """Consume everything before ``at``, which lies in the window: the reader dealt with it."""
        self.start = <size_t>(at - self.base)

    def drain(self):
        """Consume the rest of the source and return its size in bytes."""
        cdef int64_t begin = self.base + <int64_t>self.start
        if self.size >= 0:
            return max(0, self.size - begin)
        while True:
            self.start = self.stop
            if self.at_end:
                return self.base + <int64_t>self.stop - begin
            self.refill()

    def checksum_up_to(self, int64_t at):
        """Return the CRC-64 of everything before ``at``, which lies in the window."""
        self.advance_checksum(<size_t>(at - self.base))
        return self.checksum

    def set_format(self, str magic, int version):
        """Say what the nine bytes at the beginning say; they are consumed."""
        cdef int i
        self.magic = magic
        self.version = version
        for i in range(256):
            self.kind_of[i] = UNKNOWN
            self.since[i] = UNKNOWN
        for row in VALUE_TYPES:
            if row.magic is None or row.magic == magic:
                self.kind_of[row.code] = KINDS.index(row.kind)
                self.since[row.code] = row.since
        for row in OPCODES:
            if row.magic is None or row.magic == magic:
                self.since[row.code] = row.since
        self.start += 9

    def read_header(self):
        """Read the nine magic bytes and return True, or False where they are not those of a known version."""
        cdef bytes head = self.peek(self.base + <int64_t>self.start, 9)
        for magic, (low, high) in VERSIONS.items():
            name = magic.encode()
            digits = head[len(name):]
            if head.startswith(name) and len(head) == 9 and all(48 <= digit < 58 for digit in digits):
                if low <= int(digits) <= high:
                    self.set_format(magic, int(digits))
                    return True
        return False

    def announce(self, Sink sink not None):
        """Tell a sink what file it is going to hear of."""
        sink.header(self.magic, self.version)

    def counts(self):
        """Return ({kind: keys}, {db: (keys, expires)}) of all records so far, selected or not."""
        self.enter_db(self.db)
        kinds = {kind: self.kinds[number] for number, kind in enumerate(KINDS) if self.kinds[number]}
        return kinds, {db: counts for db, counts in sorted(self.db_counts.items()) if counts[0]}

    def enter(self, int64_t db):
        """Select a db on behalf of an item that the reader handled itself."""
        self.enter_db(db)

    def finish(self):
        """Stop: the reader met the end itself."""
        self.finished = True

    def count_key(self, str kind, bint expires):
        """Count a record that the reader handled itself."""
        self.keys += 1
        self.db_keys += 1
        self.expires += expires
        self.db_expires += expires
        self.kinds[KINDS.index(kind)] += 1

    def run(self, Sink sink not None, Selection selection=None, progress=None):
        """Decode items into ``sink`` until the end, a full sink, or bytes that are not sound.

        Returns ENDED, PAUSED, DECLINED (the item at hand is not sound, or not known) or TOO_LARGE
        (it needs a larger window than allowed). ``progress`` is called with the source offset at
        each refill. The sink hears an item whole or not at all.
        """
        while not self.finished:
            try:
                self.steps(sink, selection)
                self.validate_first = False
                return PAUSED if not self.finished else ENDED
            except NeedMore:
                sink.rollback()
                # Retrying a large record is cheap for the null sink only.
                if self.stop - self.start >= SPILL:
                    self.validate_first = True
                try:
                    self.refill()
                except WindowLimit:
                    return TOO_LARGE
                if progress is not None:
                    progress(self.base + <int64_t>self.start)
            except NeedValidation:
                sink.rollback()
                self.validate_first = True
            except Declined:
                sink.rollback()
                self.validate_first = False
                return DECLINED
            except BaseException:
                sink.rollback()
                raise
        return ENDED

    # ---- the window ----------------------------------------------------------------------------

    cdef int refill(self) except -1:
        """Move the item at hand to the front and fill the window; double it when the item fills most of it."""
        cdef size_t kept = self.stop - self.start
        cdef size_t capacity = self.capacity
        cdef uint8_t *larger
        cdef Py_ssize_t count
        self.advance_checksum(self.start)
        if self.start:
            memmove(self.buffer, self.buffer + self.start, kept)
            self.base += <int64_t>self.start
            self.crc_at -= self.start
            self.stop = kept
            self.start = 0
        if kept > capacity // 2:
            capacity *= 2
            if capacity > WINDOW and capacity > <size_t>self.window_limit():
                raise WindowLimit
            larger = <uint8_t *>realloc(self.buffer, capacity)
            if larger == NULL:
                raise MemoryError
            self.buffer = larger
            self.capacity = capacity
        while self.stop < self.capacity:
            view = PyMemoryView_FromMemory(<char *>self.buffer + self.stop, self.capacity - self.stop, PyBUF_WRITE)
            count = self.readinto(view)
            if count <= 0:
                self.at_end = True
                break
            self.stop += count
        return 0

    cdef int advance_checksum(self, size_t upto) except -1:
        if upto > self.crc_at:
            view = PyMemoryView_FromMemory(<char *>self.buffer + self.crc_at, upto - self.crc_at, PyBUF_READ)
            self.checksum = self.crc64(view, self.checksum)
            self.crc_at = upto
        return 0

    # ---- items ---------------------------------------------------------------------------------

    cdef int steps(self, Sink sink, Selection selection) except -1:
        """Decode items until the window, the file or the sink's patience ends."""
        cdef Cursor c
        cdef uint8_t code
        while not (self.finished or sink.full or (selection is not None and 0 <= selection.limit <= selection.taken)):
            c.p = self.buffer + self.start
            c.end = self.buffer + self.stop
            c.final = self.at_end
            c.beyond = UINT64_MAX
            if self.size >= 0 and not self.at_end:
                c.beyond = <uint64_t>max(0, self.size - self.base - <int64_t>self.stop)
            read_u8(&c, &code)
            if self.since[code] == UNKNOWN or (self.version < CHECKSUM_SINCE and self.since[code] > self.version):
                return decline()
            if self.kind_of[code] != UNKNOWN:
                if self.fork is not None and code >= 22:
                    return decline()
                self.read_record(code, &c, sink, selection)
            else:
                self.read_opcode(code, &c, sink)
                if self.finished:
                    break
            self.start = c.p - self.buffer
        return 0

    cdef int enter_db(self, int64_t db) except -1:
        keys, expires = self.db_counts.get(self.db, (0, 0))
        self.db_counts[self.db] = (keys + self.db_keys, expires + self.db_expires)
        self.db_keys = self.db_expires = 0
        self.db = db
        return 0

    cdef int read_opcode(self, int code, Cursor *c, Sink sink) except -1:
        cdef uint64_t a, b, d
        cdef int64_t number
        cdef uint8_t byte
        cdef Str text, other
        cdef Bytes begin = c.p
        cdef int64_t at = self.base + (c.p - 1 - self.buffer)
        cdef object item = None
        if code == OP_EXPIRETIME_MS:
            read_i64(c, &number)
            self.has_expire = number != -1
            self.expire_at_ms = number
        elif code == OP_EXPIRETIME:
            need(c, 4)
            number = <int>load_le32(c.p)
            c.p += 4
            self.has_expire = number != -1
            self.expire_at_ms = number * 1000
        elif code == OP_FREQ:
            read_u8(c, &byte)
            self.freq = byte
        elif code == OP_IDLE:
            read_len(c, &a)
            if a > <uint64_t>INT64_MAX:
                return decline()
            self.idle_s = <int64_t>a
        elif code == OP_KEY_META and self.magic == "REDIS":
            read_len(c, &a)
            if a > 7:
                return decline()
            for b in range(a):
                need(c, 4)
                c.p += 4
                self.skip_module_data(c)
            self.has_meta = True
            self.keep_meta(begin, c.p - begin)
        elif code == OP_SELECTDB:
            read_len(c, &a)
            if a > 0x7FFFFFFF:
                return decline()
            self.enter_db(<int64_t>a)
            item = SelectDb(a, self.span(at, c.p))
        elif code == OP_RESIZEDB:
            read_len(c, &a)
            read_len(c, &b)
            item = ResizeDb(a, b, self.span(at, c.p))
        elif code == OP_AUX:
            read_str(c, &self.first, &self.limits, &text)
            read_str(c, &self.second, &self.limits, &other)
            key = (<char *>text.p)[:text.size]
            if key in FORK_AUX:
                self.fork = FORK_AUX[key]
            item = Aux(key, (<char *>other.p)[:other.size], self.span(at, c.p))
        elif code == OP_FUNCTION2:
            read_str(c, &self.first, &self.limits, &text)
            item = FunctionLibrary((<char *>text.p)[:text.size], True, self.span(at, c.p))
        elif code == OP_FUNCTION_PRE_GA:
            read_str(c, &self.first, &self.limits, &text)
            read_str(c, &self.first, &self.limits, &text)
            read_len(c, &a)
            if a > 1:
                return decline()
            if a:
                read_str(c, &self.first, &self.limits, &text)
            read_str(c, &self.first, &self.limits, &text)
            item = FunctionLibrary((<char *>text.p)[:text.size], False, self.span(at, c.p))
        elif code == OP_SLOT_INFO:
            read_len(c, &a)
            read_len(c, &b)
            read_len(c, &d)
            item = SlotInfo(a, b, d, self.span(at, c.p))
        elif code == OP_MODULE_AUX:
            read_len(c, &d)
            read_len(c, &a)
            read_len(c, &b)
            if a != 2:
                return decline()
            self.skip_module_data(c)
            item = ModuleAux(module_name(d), (<char *>begin)[:c.p - begin], self.span(at, c.p))
        elif code == OP_SLOT_IMPORT:
            read_str(c, &self.first, &self.limits, &text)
            read_len(c, &d)
            ranges = []
            for _ in range(d):
                read_len(c, &a)
                read_len(c, &b)
                if a > b or b >= 16384:
                    return decline()
                ranges.append((a, b))
            item = SlotImport((<char *>text.p)[:text.size], tuple(ranges), self.span(at, c.p))
        elif code == OP_HASH_TEMPLATE:
            read_len(c, &d)
            read_len(c, &a)
            fields = []
            before = None
            for _ in range(a):
                read_str(c, &self.first, &self.limits, &text)
                field = (<char *>text.p)[:text.size]
                if before is not None and before >= (len(field), field):
                    return decline()
                before = (len(field), field)
                fields.append(field)
            if a == 0 or d in self.templates:
                return decline()
            self.templates[d] = tuple(fields)
            item = HashTemplate(d, tuple(fields), self.span(at, c.p))
        elif code == OP_EOF:
            return self.read_end(c, sink)
        else:
            return decline()
        if item is None:
            if self.pending_start < 0:
                self.pending_start = at
            return 0
        if self.on_item is not None:
            self.on_item(item)
        return sink.item(item)

    cdef object span(self, int64_t at, Bytes stop):
        return Span(at, self.base + (stop - self.buffer))

    cdef int read_end(self, Cursor *c, Sink sink) except -1:
        cdef uint64_t stored
        cdef int64_t at = self.base + (c.p - 1 - self.buffer)
        checksum = None
        if self.version >= CHECKSUM_SINCE:
            need(c, 8)
            stored = load_le64(c.p)
            self.advance_checksum(c.p - self.buffer)
            if stored and stored != <uint64_t>self.checksum:
                return decline()
            c.p += 8
            checksum = stored
        elif not self.at_end and c.end - c.p < 9:
            need(c, 9)
        elif self.at_end and c.end - c.p == 8:
            return decline()    # a checksum where this version has none: the version is what is damaged
        span = self.span(at, c.p)
        self.start = c.p - self.buffer
        self.finished = True
        end = End(checksum, self.drain(), span)
        if self.on_item is not None:
            self.on_item(end)
        return sink.item(end)

    # ---- records -------------------------------------------------------------------------------

    cdef int read_record(self, int code, Cursor *c, Sink sink, Selection selection) except -1:
        cdef Head head
        cdef Str key
        cdef Bytes value
        cdef Cursor again
        cdef bint selected
        cdef int64_t at = self.base + (c.p - 1 - self.buffer)
        # Zero: nothing needs to be validated first, or it just was.
        self.limits.spill_at = SPILL if sink.buffered and not self.validate_first else 0
        read_str(c, &self.key_text, &self.limits, &key)
        head.db = self.db
        head.key = key.p
        head.key_size = key.size
        head.type_code = code
        head.kind = self.kind_of[code]
        head.form = FORM_RAW
        head.has_expire = self.has_expire
        head.expire_at_ms = self.expire_at_ms
        head.idle_s = self.idle_s
        head.freq = self.freq
        head.meta = self.meta.data if self.has_meta else NULL
        head.meta_size = self.meta_size if self.has_meta else 0
        head.start = self.pending_start if self.pending_start >= 0 else at
        if code == TYPE_STRING:
            need(c, 1)
            if c.p[0] == 0xC3:
                head.form = FORM_LZF
            elif c.p[0] >= 0xC0:
                head.form = FORM_INT
        selected = selection is None or selection.wants(&head)
        value = c.p
        if not selected:
            self.limits.spill_at = 0
            self.read_value(code, c, self.null)
        else:
            if self.validate_first and sink.buffered:
                again = c[0]
                self.read_value(code, &again, self.null)
            sink.may_spill = self.validate_first
            sink.begin_key(&head)
            self.read_value(code, c, sink)
            sink.end_key(value, c.p - value, self.base + (c.p - self.buffer))
            sink.commit()
            sink.may_spill = False
            if selection is not None:
                selection.taken += 1
        self.validate_first = False
        self.keys += 1
        self.db_keys += 1
        self.kinds[head.kind] += 1
        if self.has_expire:
            self.expires += 1
            self.db_expires += 1
        self.has_expire = self.has_meta = False
        self.pending_start = self.idle_s = self.freq = -1
        return 0

    cdef int read_value(self, int code, Cursor *c, Sink sink) except -1:
        cdef Str text
        if code == TYPE_STRING:
            read_str(c, &self.first, &self.limits, &text)
            return sink.string(text.p, text.size)
        if (code == TYPE_HASH_LISTPACK or code == TYPE_ZSET_LISTPACK or code == TYPE_SET_LISTPACK
                or code == TYPE_SET_INTSET or code == TYPE_HASH_ZIPLIST or code == TYPE_ZSET_ZIPLIST
                or code == TYPE_LIST_ZIPLIST or code == TYPE_HASH_ZIPMAP):
            return self.read_blob(code, c, sink)
        if code == TYPE_LIST_QUICKLIST_2 or code == TYPE_LIST_QUICKLIST:
            return self.read_quicklist(code, c, sink)
        if code == TYPE_SET or code == TYPE_LIST:
            return self.read_strings(c, sink)
        if code == TYPE_HASH:
            return self.read_pairs(c, sink)
        if code == TYPE_ZSET_2:
            return self.read_scores(c, sink)
        if code == TYPE_ZSET:
            return self.read_text_scores(c, sink)
        if code == TYPE_STREAM_LISTPACKS:
            return self.streams.read(c, &self.limits, 1, sink)
        if code == TYPE_STREAM_LISTPACKS_2:
            return self.streams.read(c, &self.limits, 2, sink)
        if code == TYPE_STREAM_LISTPACKS_3:
            return self.streams.read(c, &self.limits, 3, sink)
        if code == TYPE_STREAM_LISTPACKS_4:
            return self.streams.read(c, &self.limits, 4, sink)
        if code == TYPE_STREAM_LISTPACKS_5:
            return self.streams.read(c, &self.limits, 5, sink)
        if code == TYPE_MODULE_2:
            return self.read_module(c, sink)
        if code == TYPE_ARRAY:
            return self.read_array(c, sink)
        if code >= TYPE_HASH_TEMPLATE_LISTPACK and code <= TYPE_HASH_TEMPLATE_ARRAY_REF:
            return self.read_template_hash(code, c, sink)
        return self.read_expiring_pairs(code, c, sink)

    cdef int read_strings(self, Cursor *c, Sink sink) except -1:
        cdef uint64_t count, i
        cdef Str text
        read_len(c, &count)
        for i in range(count):
            read_str(c, &self.first, &self.limits, &text)
            sink.element(text.p, text.size)
        return 0

    cdef int read_pairs(self, Cursor *c, Sink sink) except -1:
        cdef uint64_t count, i
        cdef Str field, value
        read_len(c, &count)
        for i in range(count):
            read_str(c, &self.first, &self.limits, &field)
            read_str(c, &self.second, &self.limits, &value)
            sink.pair(field.p, field.size, value.p, value.size, -1)
        return 0

    cdef int read_scores(self, Cursor *c, Sink sink) except -1:
        cdef uint64_t count, i
        cdef Str member
        cdef double score
        read_len(c, &count)
        for i in range(count):
            read_str(c, &self.first, &self.limits, &member)
            read_double(c, &score)
            sink.score(member.p, member.size, score)
        return 0

    cdef int read_text_scores(self, Cursor *c, Sink sink) except -1:
        cdef uint64_t count, i
        cdef Str member
        cdef double score
        cdef uint8_t size
        read_len(c, &count)
        for i in range(count):
            read_str(c, &self.first, &self.limits, &member)
            read_u8(c, &size)
            if size == 253:
                score = NAN
            elif size == 254:
                score = INFINITY
            elif size == 255:
                score = -INFINITY
            else:
                need(c, size)
                if not rt_parse_double(c.p, size, &score):
                    return decline()
                c.p += size
            sink.score(member.p, member.size, score)
        return 0

    cdef int read_blob(self, int code, Cursor *c, Sink sink) except -1:
        cdef Str blob
        read_str(c, &self.first, &self.limits, &blob)
        if code == TYPE_HASH_LISTPACK:
            return scan_listpack(blob.p, blob.size, SHAPE_PAIRS, sink)
        if code == TYPE_ZSET_LISTPACK:
            return scan_listpack(blob.p, blob.size, SHAPE_SCORES, sink)
        if code == TYPE_SET_LISTPACK:
            return scan_listpack(blob.p, blob.size, SHAPE_ELEMENTS, sink)
        if code == TYPE_SET_INTSET:
            return scan_intset(blob.p, blob.size, sink)
        if code == TYPE_HASH_ZIPLIST:
            return scan_ziplist(blob.p, blob.size, SHAPE_PAIRS, sink)
        if code == TYPE_ZSET_ZIPLIST:
            return scan_ziplist(blob.p, blob.size, SHAPE_SCORES, sink)
        if code == TYPE_LIST_ZIPLIST:
            return scan_ziplist(blob.p, blob.size, SHAPE_ELEMENTS, sink)
        return scan_zipmap(blob.p, blob.size, sink)

    cdef int read_quicklist(self, int code, Cursor *c, Sink sink) except -1:
        cdef uint64_t nodes, i, container
        cdef Str blob
        read_len(c, &nodes)
        for i in range(nodes):
            container = 0
            if code == TYPE_LIST_QUICKLIST_2:
                read_len(c, &container)
                if container != 1 and container != 2:
                    return decline()
            read_str(c, &self.first, &self.limits, &blob)
            if blob.size == 0:
                return decline()
            if container == 1:
                sink.element(blob.p, blob.size)
            elif container == 2:
                scan_listpack(blob.p, blob.size, SHAPE_ELEMENTS, sink)
            else:
                scan_ziplist(blob.p, blob.size, SHAPE_ELEMENTS, sink)
        return 0

    cdef int read_expiring_pairs(self, int code, Cursor *c, Sink sink) except -1:
        """Hashes whose fields expire: Redis 7.4 (22 to 25) and Valkey 9 (22)."""
        cdef uint64_t count, i, ttl
        cdef int64_t base, expire
        cdef Str field, value
        cdef bint valkey = self.magic == "VALKEY"
        base = 0
        if code == TYPE_HASH_LISTPACK_EX or code == TYPE_HASH_LISTPACK_EX_PRE_GA:
            if code == TYPE_HASH_LISTPACK_EX:
                read_i64(c, &base)
            read_str(c, &self.first, &self.limits, &field)
            return scan_listpack(field.p, field.size, SHAPE_TRIPLES, sink)
        if code == TYPE_HASH_METADATA:
            read_i64(c, &base)
        read_len(c, &count)
        for i in range(count):
            ttl = 0
            if not valkey:
                read_len(c, &ttl)
            read_str(c, &self.first, &self.limits, &field)
            read_str(c, &self.second, &self.limits, &value)
            expire = -1
            if valkey:
                read_i64(c, &expire)
                if expire < -1:
                    return decline()
            elif ttl:
                # Wraps like the 64-bit sum it is; what wrapped is out of range.
                if code == TYPE_HASH_METADATA:
                    if ttl > <uint64_t>INT64_MAX or base > <int64_t>MAX_FIELD_EXPIRE_MS or base < -INT64_MAX:
                        return decline()
                    expire = <int64_t>(<uint64_t>base + ttl - 1)
                else:
                    expire = <int64_t>ttl if ttl <= MAX_FIELD_EXPIRE_MS else -1
                if expire < 0 or <uint64_t>expire > MAX_FIELD_EXPIRE_MS:
                    return decline()
            sink.pair(field.p, field.size, value.p, value.size, expire)
        return 0

    cdef int skip_module_data(self, Cursor *c) except -1:
        cdef uint64_t opcode, number
        cdef Str text
        while True:
            read_len(c, &opcode)
            if opcode == 0:
                return 0
            if opcode == 1 or opcode == 2:
                read_len(c, &number)
            elif opcode == 3:
                need(c, 4)
                c.p += 4
            elif opcode == 4:
                need(c, 8)
                c.p += 8
            elif opcode == 5:
                read_str(c, &self.first, &self.limits, &text)
            else:
                return decline()

    cdef int read_module(self, Cursor *c, Sink sink) except -1:
        cdef uint64_t id
        cdef Bytes begin = c.p
        cdef char name[9]
        cdef int i
        read_len(c, &id)
        for i in range(9):
            name[i] = MODULE_ALPHABET[id >> (58 - 6 * i) & 63]
        self.skip_module_data(c)
        return sink.opaque(<Bytes>name, begin, c.p - begin)

    cdef int read_array(self, Cursor *c, Sink sink) except -1:
        cdef uint64_t count, has_insert, insert = 0, tag, i
        cdef ArrayItem item
        cdef Str text
        read_len(c, &count)
        read_len(c, &has_insert)
        if count == 0 or has_insert > 1:
            return decline()
        if has_insert:
            read_len(c, &insert)
        for i in range(count):
            read_len(c, &item.index)
            read_len(c, &tag)
            if item.index == UINT64_MAX or tag > 3:
                return decline()
            item.tag = <int>tag
            if tag == ITEM_INT:
                read_i64(c, &item.number)
            elif tag == ITEM_DOUBLE:
                read_double(c, &item.real)
            else:
                read_str(c, &self.first, &self.limits, &text)
                if tag == ITEM_SHORT_STRING and text.size > 7:
                    return decline()
                item.text = text.p
                item.text_size = text.size
            sink.array_item(&item)
        return sink.array_end(has_insert, insert)

    cdef tuple read_template_fields(self, Cursor *c):
        """The field names that stand in the value itself (29, 31)."""
        cdef uint64_t format, count, i
        cdef Str text
        cdef Walk walk
        cdef Element element
        read_len(c, &format)
        fields = []
        if format == 0:
            read_str(c, &self.first, &self.limits, &text)
            open_listpack(text.p, text.size, &walk)
            while next_listpack(&walk, &element):
                fields.append((<char *>element.p)[:element.size])
            close_listpack(text.p, &walk)
        elif format == 1:
            read_len(c, &count)
            for i in range(count):
                read_str(c, &self.first, &self.limits, &text)
                fields.append((<char *>text.p)[:text.size])
        else:
            decline()
        return tuple(fields)

    cdef int read_template_hash(self, int code, Cursor *c, Sink sink) except -1:
        """Hashes that take their field names from a template (29 to 32)."""
        cdef uint64_t id
        cdef int64_t number
        cdef Str text
        cdef Walk walk
        cdef Element element
        cdef bytes field
        cdef tuple fields = None
        if code == TYPE_HASH_TEMPLATE_LISTPACK or code == TYPE_HASH_TEMPLATE_ARRAY:
            fields = self.read_template_fields(c)
        if code == TYPE_HASH_TEMPLATE_LISTPACK or code == TYPE_HASH_TEMPLATE_LISTPACK_REF:
            read_str(c, &self.first, &self.limits, &text)
            open_listpack(text.p, text.size, &walk)
            if not next_listpack(&walk, &element):
                return decline()
            element_number(&element, &number)
            if fields is None:
                fields = self.templates.get(number)
                if fields is None:
                    return decline()
            for field in fields:
                if not next_listpack(&walk, &element):
                    return decline()
                sink.pair(<Bytes>(<char *>field), len(field), element.p, element.size, -1)
            if next_listpack(&walk, &element):
                return decline()
            return close_listpack(text.p, &walk)
        if fields is None:
            read_len(c, &id)
            fields = self.templates.get(id)
            if fields is None:
                return decline()
        for field in fields:
            read_str(c, &self.first, &self.limits, &text)
            sink.pair(<Bytes>(<char *>field), len(field), text.p, text.size, -1)
        return 0
