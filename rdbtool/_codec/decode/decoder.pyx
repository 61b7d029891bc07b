# The loop over a file: opcodes, records, the end.
#
# An item (an opcode with its payload, or a key with its value) is decoded from the window in one go; if the window ends
# too early, everything emitted for the item is rolled back, more is read, and the item starts again. So a sink never
# receives half a record. On invalid bytes the decoder stops before the item and returns DECLINED: the grammar then
# reads the same bytes and explains the fault.

from libc.stdint cimport INT64_MAX, UINT64_MAX
from libc.string cimport memcmp, memcpy, memset
from rdbtool._codec.decode.cursor cimport (
    Bytes, FORM_INT, FORM_LZF, FORM_RAW, Str, decline, grow, load_le32, load_le64, need, read_i64, read_len, read_str,
    read_u8, release, rt_parse_i64, skip_str
)
from rdbtool._codec.decode.member_expiries cimport MemberExpiries
from rdbtool._codec.sink cimport ASKS_COUNTS, ASKS_GONE, Head
from rdbtool._codec.decode.value_reader cimport module_name

from rdbtool._codec.decode.cursor import Declined, NeedMore, NeedValidation
from rdbtool._codec.decode.window import WindowLimitError
from rdbtool.model.items import (
    Aux, End, FunctionLibrary, HashTemplate, ModuleAux, ProductOpcode, ResizeDb, SelectDb, SlotImport, SlotInfo
)
from rdbtool.core.servers import PRODUCT_BY_NAME, PRODUCT_BY_OPCODE, KEYDB, product_of_aux
from rdbtool.core.limits import limits
from rdbtool.core.servers import PRODUCT_BY_NAME, PRODUCT_BY_OPCODE, KEYDB, product_of_aux
from rdbtool.core.rdb_types import (
    KINDS, MEMBER_EXPIRY_AUX, MEMBER_EXPIRY_KINDS, MEMBER_EXPIRY_VERSION, OPCODES, REDIS, VALUE_TYPES, VERSIONS
)

from rdbtool._codec.sink import Measure, Null

include "../_types.pxi"

cdef enum:
    SPILL = 1 << 22             # records from this size on are validated before a buffering sink receives them
    STORED = 1 << 12            # bytes of records that are passed on as they are stored: fewer are not worth a note
    UNKNOWN = 255

#: First bytes of the two aux fields in which KeyDB writes the expiry of a member. Servers store strings of up to 20
#: bytes, including these names, uncompressed.
cdef bytes MEMBER_KEY, MEMBER_WHEN
MEMBER_KEY, MEMBER_WHEN = [bytes([OP_AUX, len(name)]) + name for name in MEMBER_EXPIRY_AUX]

#: What ``Decoder.run`` returns.
ENDED, PAUSED, DECLINED, TOO_LARGE = range(4)

cdef bint follows(Cursor *c, bytes text, bint must) except -1:
    """Skip ``text``, if it is next.

    Raises NeedMore if the window is too short to tell, and Declined if the data ends inside it, except after a lone
    first byte, or, with ``must``, before it.
    """
    cdef size_t size = len(text)
    cdef size_t there = min(size, <size_t>(c.end - c.p))
    if memcmp(c.p, <char *>text, there) != 0:
        return False
    if there < size:
        if not c.final and c.beyond:
            raise NeedMore
        if there < 2 and not must:
            return False
        decline()
    c.p += size
    return True


cdef class Decoder:
    def __init__(self, Window window not None, size_t max_inflate):
        self.window = window
        self.limits.max_string = max_inflate
        self.limits.max_blob = min(max_inflate, <size_t>limits().blob)
        self.values = ValueReader()
        self.null = Null()
        self.measure = Measure()
        self.long_strings = LongStrings()
        self.long_collections = LongCollections()
        self.members = MemberExpiries()
        self.db_counts = {}
        self.pending_start = self.idle_s = self.freq = self.stops_at = -1

    def __dealloc__(self):
        release(&self.meta)
        release(&self.key_text)
        release(&self.first)
        release(&self.second)

    @property
    def templates(self):
        """Field names by template ID, as defined so far."""
        return self.values.templates

    # ---- for the reader ------------------------------------------------------------------------

    @property
    def pending(self):
        """What applies to the next key: (expire_at_ms, idle_s, freq, meta), None if nothing does."""
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

    def set_format(self, str magic, int version):
        """Set the format from the nine header bytes, which were consumed."""
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
        for i, kind in enumerate(KINDS):
            self.trails[i] = magic == REDIS and version == MEMBER_EXPIRY_VERSION and kind in MEMBER_EXPIRY_KINDS
        self.values.valkey = magic == "VALKEY"
        self.window.start += 9

    def read_header(self):
        """Read the nine magic bytes and return True, or False if they are not those of a known version."""
        cdef bytes head = self.window.peek(self.window.at, 9)
        for magic, (low, high) in VERSIONS.items():
            name = magic.encode()
            digits = head[len(name):]
            if head.startswith(name) and len(head) == 9 and all(48 <= digit < 58 for digit in digits):
                if low <= int(digits) <= high:
                    self.set_format(magic, int(digits))
                    return True
        return False

    def announce(self, Sink sink not None):
        """Send the header to a sink."""
        sink.header(self.magic, self.version)

    def counts(self):
        """Return ({kind: keys}, {db: (keys, expires)}) of all records so far, selected or not."""
        self.enter_db(self.db)
        kinds = {kind: self.kinds[number] for number, kind in enumerate(KINDS) if self.kinds[number]}
        return kinds, {db: counts for db, counts in sorted(self.db_counts.items()) if counts[0]}

    def take_counts(self):
        """Return {db: (keys, expires)} of all records since the last call; they are not counted again."""
        self.enter_db(self.db)
        counts, self.db_counts = self.db_counts, {}
        return {db: count for db, count in counts.items() if count[0]}

    def enter(self, int64_t db):
        """Select a db for an item that the reader handled itself."""
        self.enter_db(db)

    def finish(self):
        """Stop: the reader reached the end itself."""
        self.finished = True

    def is_at_key(self):
        """Return whether a key is next."""
        cdef bytes code = self.window.peek(self.window.at, 1)
        return len(code) == 1 and self.kind_of[<uint8_t>(<char *>code)[0]] != UNKNOWN

    def count_key(self, str kind, bint expires):
        """Count a record that the reader handled itself."""
        self.keys += 1
        self.db_keys += 1
        self.expires += expires
        self.db_expires += expires
        self.kinds[KINDS.index(kind)] += 1

    def tally(self):
        """Return the numbers of records so far: all, those that expire, and those of each kind."""
        return self.keys, self.expires, *(self.kinds[number] for number in range(len(KINDS)))

    def add_tally(self, keys, expires, *kinds):
        """Count records of the current db that another decoder read."""
        cdef int number
        self.keys += keys
        self.db_keys += keys
        self.expires += expires
        self.db_expires += expires
        for number in range(len(KINDS)):
            self.kinds[number] += kinds[number]

    def run(self, Sink sink not None, Selection selection=None, progress=None):
        """Decode items into ``sink`` until the end, a full sink, or invalid bytes.

        Returns ENDED, PAUSED, DECLINED (the current item is invalid or unknown) or TOO_LARGE (it needs a larger window
        than allowed). ``progress`` is called with the input offset at each refill. The sink receives an item whole or
        not at all.
        """
        while not self.finished:
            try:
                self.steps(sink, selection)
                self.validate_first = False
                return PAUSED if not self.finished else ENDED
            except NeedMore:
                sink.rollback()
                # Retrying a large record is cheap for the null sink only.
                if self.window.stop - self.window.start >= SPILL:
                    self.validate_first = True
                try:
                    self.window.refill()
                except WindowLimitError:
                    return TOO_LARGE
                if progress is not None:
                    progress(self.window.at)
            except NeedValidation:
                sink.rollback()
                self.validate_first = True
            except WindowLimitError:
                sink.rollback()
                return TOO_LARGE
            except Declined:
                sink.rollback()
                self.validate_first = False
                return DECLINED
            except BaseException:
                sink.rollback()
                raise
        return ENDED

    # ---- items ---------------------------------------------------------------------------------

    cdef int steps(self, Sink sink, Selection selection) except -1:
        """Decode items until the window, the file or the sink is done."""
        cdef Window window = self.window
        cdef Cursor c
        cdef uint8_t code
        while not (self.finished or sink.full or (selection is not None and 0 <= selection.limit <= selection.taken)):
            if 0 <= self.stops_at <= window.base + <int64_t>window.start:
                break
            c.p = window.buffer + window.start
            c.end = window.buffer + window.stop
            c.final = window.at_end
            c.beyond = UINT64_MAX
            if window.size >= 0 and not window.at_end:
                c.beyond = <uint64_t>max(0, window.size - window.base - <int64_t>window.stop)
            if sink.asks_stored and self.pending_start < 0 and self.pass_stored(&c, sink, selection):
                window.start = c.p - window.buffer
                continue
            read_u8(&c, &code)
            if self.since[code] == UNKNOWN or (self.version < CHECKSUM_SINCE and self.since[code] > self.version):
                return decline()
            if self.kind_of[code] != UNKNOWN:
                if self.stops_at_key:
                    break
                if code > TYPE_STREAM_LISTPACKS_3 and self.fork is not None and code in PRODUCT_BY_NAME[self.fork].unread:
                    return decline()
                self.read_record(code, &c, sink, selection)
            else:
                self.read_opcode(code, &c, sink)
                if self.finished:
                    break
            window.start = c.p - window.buffer
        return 0

    cdef bint pass_stored(self, Cursor *c, Sink sink, Selection selection) except -1:
        """Pass the records at the cursor on as they are stored, as far as the window and the sink go.

        Returns False if those are too few. Only the framing is read.
        """
        cdef const bint *wanted = sink.takes_stored(self.db)
        cdef Cursor ahead = c[0]
        cdef Bytes stop = c.p
        cdef uint64_t keys = 0, expires = 0, most = UINT64_MAX, number
        cdef uint64_t kinds[16]
        cdef int64_t expire_at_ms
        cdef bint has_expire
        cdef uint8_t code
        if wanted == NULL or self.fork is not None:
            return False
        if selection is not None:
            if not selection.wants_all():
                return False
            if selection.limit >= 0:
                most = <uint64_t>(selection.limit - selection.taken)
        memset(kinds, 0, sizeof(kinds))
        try:
            while keys < most:
                read_u8(&ahead, &code)
                has_expire = code == OP_EXPIRETIME_MS and wanted[code]
                if has_expire:
                    read_i64(&ahead, &expire_at_ms)
                    read_u8(&ahead, &code)
                    if expire_at_ms == -1:
                        break
                if code == OP_IDLE and wanted[code]:
                    read_len(&ahead, &number)
                    read_u8(&ahead, &code)
                elif code == OP_FREQ and wanted[code]:
                    need(&ahead, 1)
                    ahead.p += 1
                    read_u8(&ahead, &code)
                if not wanted[code] or self.kind_of[code] == UNKNOWN:
                    break
                skip_str(&ahead, self.limits.max_string)
                if not self.values.skip(code, &ahead, &self.limits):
                    break
                if self.trails[self.kind_of[code]] and (ahead.p == ahead.end or ahead.p[0] == AUX_BYTE):
                    break
                stop = ahead.p
                keys += 1
                expires += has_expire
                kinds[self.kind_of[code]] += 1
        except (Declined, NeedMore):
            # What follows is read in the usual way.
            pass
        if stop - c.p < STORED:
            return False
        sink.stored(c.p, stop - c.p, self.db, keys)
        c.p = stop
        self.keys += keys
        self.db_keys += keys
        self.expires += expires
        self.db_expires += expires
        for code in range(16):
            self.kinds[code] += kinds[code]
        if selection is not None:
            selection.taken += <int64_t>keys
        return True

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
        cdef char name[9]
        cdef Bytes begin = c.p
        cdef int64_t at = self.window.base + (c.p - 1 - self.window.buffer)
        cdef object item = None
        if code == OP_EXPIRETIME_MS:
            read_i64(c, &number)
            self.has_expire = number != -1
            self.expire_at_ms = number
        elif code == OP_EXPIRETIME:
            need(c, 4)
            number = <int>load_le32(c.p)
            c.p += 4
            self.has_expire = True
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
                self.values.skip_module_data(c, &self.limits)
            self.has_meta = True
            self.keep_meta(begin, c.p - begin)
        elif code == OP_SELECTDB:
            read_len(c, &a)
            if a > 0x7FFFFFFF:
                return decline()
            self.enter_db(<int64_t>a)
            item = SelectDb(a, self.window.span(at, c.p))
        elif code == OP_RESIZEDB:
            read_len(c, &a)
            read_len(c, &b)
            item = ResizeDb(a, b, self.window.span(at, c.p))
        elif code == OP_AUX:
            read_str(c, &self.first, &self.limits, &text)
            read_str(c, &self.second, &self.limits, &other)
            key = (<char *>text.p)[:text.size]
            item = Aux(key, (<char *>other.p)[:other.size], self.window.span(at, c.p))
            if self.fork is None:
                product = product_of_aux(key, item.value)
                if product is not None:
                    self.fork = product.name
        elif code == OP_FUNCTION2:
            read_str(c, &self.first, &self.limits, &text)
            item = FunctionLibrary((<char *>text.p)[:text.size], True, self.window.span(at, c.p))
        elif code == OP_FUNCTION_PRE_GA:
            read_str(c, &self.first, &self.limits, &text)
            read_str(c, &self.first, &self.limits, &text)
            read_len(c, &a)
            if a > 1:
                return decline()
            if a:
                read_str(c, &self.first, &self.limits, &text)
            read_str(c, &self.first, &self.limits, &text)
            item = FunctionLibrary((<char *>text.p)[:text.size], False, self.window.span(at, c.p))
        elif code == OP_SLOT_INFO:
            read_len(c, &a)
            read_len(c, &b)
            read_len(c, &d)
            item = SlotInfo(a, b, d, self.window.span(at, c.p))
        elif code == OP_MODULE_AUX:
            read_len(c, &d)
            read_len(c, &a)
            read_len(c, &b)
            if a != 2:
                return decline()
            self.values.skip_module_data(c, &self.limits)
            module_name(d, name)
            item = ModuleAux(name[:9].decode("ascii"), (<char *>begin)[:c.p - begin], self.window.span(at, c.p))
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
            item = SlotImport((<char *>text.p)[:text.size], tuple(ranges), self.window.span(at, c.p))
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
            if a == 0 or d in self.values.templates:
                return decline()
            self.values.templates[d] = tuple(fields)
            item = HashTemplate(d, tuple(fields), self.window.span(at, c.p))
        elif code == OP_RAM_LRU or code == OP_SLOT_NUM:
            # A file that has them has them from its first key on; elsewhere such a byte is damage.
            if self.fork is None and self.keys == 0 and not self.is_inside:
                self.fork = PRODUCT_BY_OPCODE[code].name
            elif self.fork != PRODUCT_BY_OPCODE[code].name:
                return decline()
            read_len(c, &a)
            item = ProductOpcode("RAM_LRU" if code == OP_RAM_LRU else "SLOT_NUM", a, self.window.span(at, c.p))
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

    cdef int read_end(self, Cursor *c, Sink sink) except -1:
        cdef uint64_t stored
        cdef int64_t at = self.window.base + (c.p - 1 - self.window.buffer)
        checksum = None
        if self.version >= CHECKSUM_SINCE:
            need(c, 8)
            stored = load_le64(c.p)
            self.window.advance_checksum(c.p - self.window.buffer)
            if stored and stored != <uint64_t>self.window.checksum:
                return decline()
            c.p += 8
            checksum = stored
        elif self.embedded:
            pass
        elif not self.window.at_end and c.end - c.p < 9:
            need(c, 9)
        elif self.window.at_end and c.end - c.p == 8:
            return decline()    # a checksum where this version has none: the version is what is damaged
        span = self.window.span(at, c.p)
        self.window.start = c.p - self.window.buffer
        self.finished = True
        trailing, padding, sample = (0, 0, b"") if self.embedded else self.window.drain_rest()
        end = End(checksum, trailing, span, padding, sample)
        if self.on_item is not None:
            self.on_item(end)
        return sink.item(end)

    # ---- records -------------------------------------------------------------------------------

    cdef dict read_expiries(self, Cursor *c):
        """Read the member expiries that follow a value; None if there are none. An incomplete pair is not consumed."""
        cdef Cursor ahead = c[0]
        cdef Str member, when
        cdef int64_t number
        cdef dict expiries = None
        while follows(&ahead, MEMBER_KEY, False):
            read_str(&ahead, &self.first, &self.limits, &member)
            if not follows(&ahead, MEMBER_WHEN, True):
                break
            read_str(&ahead, &self.second, &self.limits, &when)
            if not rt_parse_i64(when.p, when.size, &number) or number < 0:
                break
            if expiries is None:
                expiries = {}
                if self.fork is None:
                    self.fork = KEYDB.name
            expiries[(<char *>member.p)[:member.size]] = number
            c.p = ahead.p
        return expiries

    cdef int emit_expiring(self, Head *head, Cursor *value, Sink sink, dict expiries) except -1:
        """Emit a value whose members expire."""
        self.members.aim(sink, expiries)
        self.values.read(head.type_code, value, &self.limits, self.members)
        return self.members.emit()

    cdef int check_count(self, int code, Cursor *c) except -1:
        """Refuse a collection of which the elements that it declares can never be held."""
        cdef Cursor ahead = c[0]
        cdef uint64_t count
        if (code == TYPE_SET or code == TYPE_LIST or code == TYPE_HASH or code == TYPE_ZSET or code == TYPE_ZSET_2
                or code == TYPE_LIST_QUICKLIST or code == TYPE_LIST_QUICKLIST_2):
            read_len(&ahead, &count)
            # Two STRs, a STR and a double, or at least one byte.
            self.window.announce(count, 2 if code == TYPE_HASH else 9 if code == TYPE_ZSET_2 else 1)
        return 0

    cdef int keep_key(self, Head *head) except -1:
        """Keep a key: the window moves on while its value is emitted."""
        if head.key != self.key_text.data:
            grow(&self.key_text, head.key_size + 1)
            memcpy(self.key_text.data, head.key, head.key_size)
            head.key = self.key_text.data
        return 0

    cdef int read_long_collection(self, Head *head, Cursor *c, Sink sink) except -1:
        """Tell a record with a collection that is not held as a whole."""
        self.limits.spill_at = 0
        self.measure.start(sink.asks_extent)
        self.long_collections.check(
            self.window, c, head.type_code, &self.limits, self.values, self.measure if sink.asks_extent else self.null
        )
        self.keep_key(head)
        sink.extent_ahead = self.measure.extent
        sink.extent_ahead.stop = self.long_collections.stop
        sink.may_spill = True
        sink.begin_key(head)
        self.window.start = c.p - self.window.buffer
        self.long_collections.emit(self.window, c, head.type_code, &self.limits, self.values, sink)
        sink.end_key(NULL, 0, self.window.base + (c.p - self.window.buffer))
        sink.commit()
        sink.may_spill = sink.extent_ahead.is_known = False
        return 0

    cdef int read_long(self, Head *head, Cursor *c, Sink sink) except -1:
        """Emit a record with a long string, at which the cursor is."""
        self.long_strings.check(self.window, c, sink.asks_utf8)
        self.keep_key(head)
        sink.may_spill = True
        self.measure.start(sink.asks_extent)
        sink.extent_ahead = self.measure.extent
        sink.extent_ahead.elements = 1
        sink.extent_ahead.stop = self.window.base + (c.p - self.window.buffer) + <int64_t>self.long_strings.stored()
        sink.begin_key(head)
        self.long_strings.emit(self.window, c, sink)
        sink.end_key(NULL, 0, self.window.base + (c.p - self.window.buffer))
        sink.commit()
        sink.may_spill = sink.extent_ahead.is_known = False
        return 0

    cdef int read_record(self, int code, Cursor *c, Sink sink, Selection selection) except -1:
        cdef Head head
        cdef Str key
        cdef Bytes value
        cdef Bytes value_stop
        cdef Cursor again
        cdef bint selected
        cdef dict expiries = None
        cdef int64_t at = self.window.base + (c.p - 1 - self.window.buffer)
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
        if self.window.most >= 0:
            self.check_count(code, c)
        selected = selection is None or selection.wants(&head)
        value = c.p
        if (code == TYPE_STRING and (c.p[0] == 0xC3 or c.p[0] == 0x80 or c.p[0] == 0x81)
                and (not selected or sink.takes_pieces) and self.long_strings.meet(c, &self.limits)):
            self.read_long(&head, c, sink if selected else self.null)
            if selected and selection is not None:
                selection.taken += 1
        elif (self.validate_first and not self.trails[head.kind] and (not selected or sink.takes_pieces)
                and self.long_collections.meet(self.window, code)):
            self.read_long_collection(&head, c, sink if selected else self.null)
            if selected and selection is not None:
                selection.taken += 1
        elif not selected:
            self.limits.spill_at = 0
            if not (selection.skips and self.values.skip(code, c, &self.limits)):
                self.values.read(code, c, &self.limits, self.null)
            if self.may_trail(&head, c):
                self.read_expiries(c)
        else:
            if self.validate_first and sink.buffered:
                again = c[0]
                self.measure.start(min(sink.asks_extent, ASKS_COUNTS))
                self.values.read(code, &again, &self.limits, self.measure if sink.asks_extent else self.null)
                if sink.asks_extent == ASKS_GONE and self.measure.extent.gone:
                    # There are pending entries: only now it matters which IDs the stream has.
                    again = c[0]
                    self.measure.start(ASKS_GONE)
                    self.values.read(code, &again, &self.limits, self.measure)
                if self.may_trail(&head, &again):
                    # What is emitted now may be passed on at once, so they have to be known.
                    expiries = self.read_expiries(&again)
                sink.extent_ahead = self.measure.extent
                sink.extent_ahead.stop = self.window.base + (again.p - self.window.buffer)
            sink.may_spill = self.validate_first
            sink.begin_key(&head)
            if expiries is None:
                self.values.read(code, c, &self.limits, sink)
                value_stop = c.p
                if self.may_trail(&head, c):
                    expiries = self.read_expiries(c)
                    if expiries is not None:
                        # What was emitted lacks them.
                        sink.rollback()
                        sink.begin_key(&head)
                        again = c[0]
                        again.p = value
                        self.emit_expiring(&head, &again, sink, expiries)
            else:
                self.emit_expiring(&head, c, sink, expiries)
                value_stop = c.p
                c.p = again.p
            sink.end_key(value, value_stop - value, self.window.base + (c.p - self.window.buffer))
            sink.commit()
            sink.may_spill = sink.extent_ahead.is_known = False
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
