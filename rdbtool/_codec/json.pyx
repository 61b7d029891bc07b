# JSON out, in two shapes.
#
# Jsonl: one object a line, reversible: whatever the file holds of a key is in its line. Text is a JSON
# string where it is UTF-8, else {"base64": …}.
# Json: an array with one object a database, the shape (and the escapes) of rdbtools and rdb-cli, for
# programs that read theirs. It shows values only.

from libc.math cimport isfinite, isnan
from libc.stdint cimport int64_t, uint8_t, uint64_t
from rdbtool._codec.cursor cimport FORM_INT, FORM_LZF, rt_u64_text
from rdbtool._codec.output cimport LARGE
from rdbtool._codec.sink cimport (
    ArrayItem, Consumer, Group, ITEM_DOUBLE, ITEM_INT, Pending, Producers, StreamTail
)

from rdbtool._codec.feed import feed_value
from rdbtool.model.items import Aux, FunctionLibrary, ModuleAux, SelectDb, SlotImport
from rdbtool.types import KINDS, VALUE_TYPES

include "_types.pxi"

cdef extern from "escape.h" nogil:
    enum: RT_UTF8, RT_RAW, RT_PRINT, RT_MIXED
    char *rt_json_escape(const uint8_t *p, size_t n, char *op, int mode)
    char *rt_base64(const uint8_t *p, size_t n, char *op)
    int rt_is_utf8(const uint8_t *p, size_t n)
    int rt_is_printable(const uint8_t *p, size_t n)

cdef list KIND_TEXTS = [kind.encode() for kind in KINDS]


cdef class JsonText(Output):
    cdef int string_in_mode(self, Bytes p, size_t size, int mode) except -1:
        """A quoted JSON string. With RT_UTF8 the bytes must be UTF-8, or nothing is written and 1 returned."""
        cdef size_t before, piece
        cdef char *end
        if size < LARGE:
            self.reserve(6 * size + 32)
            before = self.size
            self.data[self.size] = c'"'
            end = rt_json_escape(p, size, self.data + self.size + 1, mode)
            if end == NULL:
                self.size = before
                return 1
            end[0] = c'"'
            self.size = end + 1 - self.data
            return 0
        if mode == RT_UTF8 and not rt_is_utf8(p, size):
            return 1
        self.put_char(c'"')
        while size:
            piece = min(size, <size_t>LARGE)
            # Not in the middle of a UTF-8 sequence.
            while piece < size and piece > LARGE - 4 and p[piece] & 0xC0 == 0x80:
                piece -= 1
            self.reserve(6 * piece + 32)
            end = rt_json_escape(p, piece, self.data + self.size, mode)
            self.size = end - self.data
            p += piece
            size -= piece
        self.put_char(c'"')
        return 0

    cdef int base64(self, Bytes p, size_t size) except -1:
        """A quoted JSON string of base64."""
        cdef size_t piece
        self.put_char(c'"')
        while size:
            piece = min(size, <size_t>(LARGE // 3 * 3))
            self.reserve(piece // 3 * 4 + 8)
            self.size = rt_base64(p, piece, self.data + self.size) - self.data
            p += piece
            size -= piece
        return self.put_char(c'"')

    cdef int text(self, Bytes p, size_t size) except -1:
        """Text where the bytes are UTF-8, else an object that says base64."""
        if self.string_in_mode(p, size, RT_UTF8):
            self.octets(p, size)
        return 0

    cdef int octets(self, Bytes p, size_t size) except -1:
        self.put_text(b'{"base64":')
        self.base64(p, size)
        return self.put_char(c"}")


cdef class Jsonl(JsonText):
    """One JSON object a line: the header, aux fields, functions, and each key with all that the file says of it."""

    cdef list encodings             # by type code
    cdef bint values_only
    cdef bint in_pending            # the list of pending entries is open
    cdef int in_producers           # 0: none, 1: before the first, 2: inside one

    def __init__(self, write):
        super().__init__(write)
        self.encodings = [b""] * 256

    cdef int header(self, str magic, int version) except -1:
        cdef bytes line = f'{{"rdb":{{"magic":"{magic}","version":{version}}}}}\n'.encode()
        for row in VALUE_TYPES:
            if row.magic is None or row.magic == magic:
                self.encodings[row.code] = row.encoding.encode()
        self.put(<char *>line, len(line))
        return self.commit()

    cdef int python_text(self, bytes data) except -1:
        return self.text(<Bytes>(<char *>data), len(data))

    cdef int item(self, object item) except -1:
        cdef bytes data
        if isinstance(item, Aux):
            self.put_text(b'{"aux":[')
            self.python_text(item.key)
            self.put_char(c",")
            self.python_text(item.value)
            self.put_text(b"]}\n")
        elif isinstance(item, FunctionLibrary):
            self.put_text(b'{"function":')
            self.python_text(item.code)
            self.put_text(b"}\n" if item.released else b',"pre_release":true}\n')
        elif isinstance(item, ModuleAux):
            self.put_text(b'{"module_aux":')
            self.python_text(item.module.encode())
            self.put_text(b',"raw":')
            data = item.raw
            self.octets(<Bytes>(<char *>data), len(data))
            self.put_text(b"}\n")
        elif isinstance(item, SlotImport):
            self.put_text(b'{"slot_import":')
            self.python_text(item.job)
            data = repr([list(slots) for slots in item.ranges]).replace(" ", "").encode()
            self.put_text(b',"ranges":')
            self.put(<char *>data, len(data))
            self.put_text(b"}\n")
        return self.commit()

    cdef int begin_key(self, Head *head) except -1:
        cdef bytes name
        self.kind = head.kind
        self.first_part = True
        if not self.values_only:
            self.put_text(b'{"db":')
            self.put_i64(head.db)
            self.put_text(b',"key":')
            self.text(head.key, head.key_size)
            self.put_text(b',"type":"')
            name = <bytes>KIND_TEXTS[head.kind]
            self.put(<char *>name, len(name))
            self.put_text(b'","encoding":"')
            if head.type_code == TYPE_STRING and head.form:
                self.put_text(b"int" if head.form == FORM_INT else b"lzf")
            elif head.type_code >= 0:
                name = <bytes>self.encodings[head.type_code]
                self.put(<char *>name, len(name))
            self.put_text(b'","expire_at_ms":')
            if head.has_expire:
                self.put_i64(head.expire_at_ms)
            else:
                self.put_text(b"null")
            if head.idle_s >= 0:
                self.put_text(b',"idle_s":')
                self.put_i64(head.idle_s)
            if head.freq >= 0:
                self.put_text(b',"freq":')
                self.put_i64(head.freq)
            if head.meta != NULL:
                self.put_text(b',"meta":')
                self.octets(head.meta, head.meta_size)
            self.put_text(b',"value":')
        if head.kind == KIND_STREAM:
            self.put_text(b'{"entries":[')
        elif head.kind == KIND_ARRAY:
            self.put_text(b'{"items":[')
        elif head.kind != KIND_STRING and head.kind != KIND_MODULE:
            self.put_char(c"[")
        return 0

    cdef int string(self, Bytes p, size_t size) except -1:
        return self.text(p, size)

    cdef int element(self, Bytes p, size_t size) except -1:
        self.comma()
        return self.text(p, size)

    cdef int pair(self, Bytes field, size_t field_size, Bytes value, size_t value_size, int64_t expire_at_ms) except -1:
        self.comma()
        self.put_char(c"[")
        self.text(field, field_size)
        self.put_char(c",")
        self.text(value, value_size)
        if expire_at_ms >= 0:
            self.put_char(c",")
            self.put_i64(expire_at_ms)
        return self.put_char(c"]")

    cdef int score(self, Bytes member, size_t member_size, double score) except -1:
        self.comma()
        self.put_char(c"[")
        self.text(member, member_size)
        self.put_char(c",")
        self.number(score)
        return self.put_char(c"]")

    cdef int number(self, double number) except -1:
        if isfinite(number):
            self.put_double(number)
            if number == 0 and self.data[self.size - 2] == c"-":
                self.put_text(b".0")        # -0 would be read back as the integer 0
            return 0
        if isnan(number):
            return self.put_text(b'"nan"')
        return self.put_text(b'"inf"' if number > 0 else b'"-inf"')

    cdef int array_item(self, ArrayItem *item) except -1:
        cdef size_t before
        self.comma()
        self.put_char(c"[")
        self.put_u64(item.index)
        self.put_char(c",")
        if item.tag == ITEM_INT:
            self.put_i64(item.number)
        elif item.tag != ITEM_DOUBLE:
            self.text(item.text, item.text_size)
        elif not isfinite(item.real):
            self.put_text(b'{"float":')
            self.number(item.real)
            self.put_char(c"}")
        else:
            before = self.size
            self.number(item.real)
            # A number with a point or an exponent is a float, one without is an integer.
            if not any([c in b".e" for c in self.data[before:self.size]]):
                self.put_text(b".0")
        return self.put_char(c"]")

    cdef int array_end(self, bint has_insert, uint64_t insert_index) except -1:
        self.put_text(b'],"insert_index":')
        if has_insert:
            self.put_u64(insert_index)
        else:
            self.put_text(b"null")
        return self.put_char(c"}")

    cdef int opaque(self, Bytes module, Bytes raw, size_t raw_size) except -1:
        self.put_text(b'{"module":')
        self.text(module, 9)
        self.put_text(b',"raw":')
        self.octets(raw, raw_size)
        return self.put_char(c"}")

    cdef int stream_id(self, uint64_t ms, uint64_t seq) except -1:
        self.put_char(c'"')
        self.put_u64(ms)
        self.put_char(c"-")
        self.put_u64(seq)
        return self.put_char(c'"')

    cdef int entry(self, uint64_t ms, uint64_t seq, uint64_t fields) except -1:
        self.comma()
        self.put_char(c"[")
        self.stream_id(ms, seq)
        self.put_text(b",[")
        self.first_part = True
        return 0

    cdef int entry_field(self, Bytes field, size_t field_size, Bytes value, size_t value_size) except -1:
        return self.pair(field, field_size, value, value_size, -1)

    cdef int end_entry(self) except -1:
        self.first_part = False
        return self.put_text(b"]]")

    cdef int stream_tail(self, StreamTail *tail) except -1:
        self.put_text(b'],"last_id":')
        self.stream_id(tail.last_ms, tail.last_seq)
        self.put_text(b',"entries_added":')
        if tail.counted:
            self.put_u64(tail.entries_added)
            self.put_text(b',"max_deleted_id":')
            self.stream_id(tail.max_deleted_ms, tail.max_deleted_seq)
        else:
            self.put_text(b'null,"max_deleted_id":null')
        self.put_text(b',"groups":[')
        self.first_part = True
        return 0

    cdef int begin_group(self, Group *group) except -1:
        self.comma()
        self.put_text(b'{"name":')
        self.text(group.name, group.name_size)
        self.put_text(b',"last_id":')
        self.stream_id(group.last_ms, group.last_seq)
        self.put_text(b',"entries_read":')
        if group.counted:
            self.put_u64(group.entries_read)
        else:
            self.put_text(b"null")
        self.put_text(b',"consumers":[')
        self.first_part = True
        self.in_pending = False
        return 0

    cdef int consumer(self, Consumer *consumer) except -1:
        self.comma()
        self.put_text(b'{"name":')
        self.text(consumer.name, consumer.name_size)
        self.put_text(b',"seen_at_ms":')
        if consumer.has_seen:
            self.put_i64(consumer.seen_at_ms)
        else:
            self.put_text(b"null")
        self.put_text(b',"active_at_ms":')
        if consumer.has_active:
            self.put_i64(consumer.active_at_ms)
        else:
            self.put_text(b"null")
        return self.put_char(c"}")

    cdef int open_pending(self) except -1:
        if not self.in_pending:
            self.put_text(b'],"pending":[')
            self.first_part = True
            self.in_pending = True
        return 0

    cdef int pending(self, Pending *pending) except -1:
        self.open_pending()
        self.comma()
        self.put_char(c"[")
        self.stream_id(pending.ms, pending.seq)
        self.put_char(c",")
        if pending.owned:
            self.text(pending.consumer, pending.consumer_size)
        else:
            self.put_text(b"null")
        self.put_char(c",")
        self.put_i64(pending.delivered_at_ms)
        self.put_char(c",")
        self.put_u64(pending.delivery_count)
        return self.put_char(c"]")

    cdef int end_group(self) except -1:
        self.open_pending()
        self.first_part = False
        return self.put_text(b"]}")

    cdef int begin_producers(self, Producers *producers) except -1:
        self.put_text(b'],"idmp":{"duration_s":')
        self.put_u64(producers.duration_s)
        self.put_text(b',"max_entries":')
        self.put_u64(producers.max_entries)
        self.put_text(b',"ids_added":')
        self.put_u64(producers.ids_added)
        self.put_text(b',"ids_duplicate":')
        self.put_u64(producers.ids_duplicate)
        self.put_text(b',"producers":[')
        self.first_part = True
        self.in_producers = 1
        return 0

    cdef int producer(self, Bytes name, size_t name_size, uint64_t ids) except -1:
        if self.in_producers == 2:
            self.put_text(b"]],")
        self.put_char(c"[")
        self.text(name, name_size)
        self.put_text(b",[")
        self.in_producers = 2
        self.first_part = True
        return 0

    cdef int producer_id(self, Bytes name, size_t name_size, uint64_t ms, uint64_t seq) except -1:
        self.comma()
        self.put_char(c"[")
        self.text(name, name_size)
        self.put_char(c",")
        self.stream_id(ms, seq)
        return self.put_char(c"]")

    cdef int end_producers(self) except -1:
        return self.put_text(b"]]]}" if self.in_producers == 2 else b"]}")

    cdef int end_key(self, Bytes raw, size_t raw_size, int64_t stop) except -1:
        if self.kind == KIND_STREAM:
            # Where producers stand, they have closed the list of groups.
            self.put_text(b"}" if self.in_producers else b"]}")
            self.in_producers = 0
        elif self.kind != KIND_STRING and self.kind != KIND_MODULE and self.kind != KIND_ARRAY:
            self.put_char(c"]")
        if not self.values_only:
            self.put_text(b"}\n")
        return 0

    cdef int rollback(self) noexcept:
        self.in_producers = 0
        return Output.rollback(self)


cdef class Json(JsonText):
    """An array with one object a database: the shape of rdbtools and rdb-cli.

    ``escape`` is raw (bytes as Latin-1), print, utf8 or base64, as there.
    """

    cdef int mode
    cdef bint as_base64
    cdef bint any_db
    cdef bint any_key               # in the object that is open
    cdef int64_t db                 # of the object that is open
    cdef bint committed_any_db
    cdef bint committed_any_key
    cdef int64_t committed_db

    def __init__(self, write, str escape="utf8"):
        super().__init__(write)
        modes = {"raw": RT_RAW, "print": RT_PRINT, "utf8": RT_MIXED, "base64": RT_RAW}
        if escape not in modes:
            raise ValueError(f"escape is one of {', '.join(modes)}, not {escape!r}")
        self.mode = modes[escape]
        self.as_base64 = escape == "base64"

    cdef int header(self, str magic, int version) except -1:
        self.put_char(c"[")
        return self.commit()

    cdef int item(self, object item) except -1:
        if isinstance(item, SelectDb):
            self.open_db(item.db)
            self.commit()
        return 0

    cdef int open_db(self, int64_t db) except -1:
        self.put_text(b"},{" if self.any_db else b"{")
        self.any_db = True
        self.any_key = False
        self.db = db
        return 0

    cdef int name(self, Bytes p, size_t size) except -1:
        """What stands left of a colon: printable text is never escaped further."""
        if self.as_base64 and not rt_is_printable(p, size):
            return self.base64(p, size)
        return self.string_in_mode(p, size, self.mode)

    cdef int value(self, Bytes p, size_t size) except -1:
        if self.as_base64:
            return self.base64(p, size)
        return self.string_in_mode(p, size, self.mode)

    cdef int begin_key(self, Head *head) except -1:
        if not self.any_db or head.db != self.db:
            self.open_db(head.db)
        self.put_text(b",\r\n" if self.any_key else b"\r\n")
        self.any_key = True
        self.name(head.key, head.key_size)
        self.put_char(c":")
        self.kind = head.kind
        self.first_part = True
        if head.kind == KIND_LIST or head.kind == KIND_SET:
            self.put_char(c"[")
        elif head.kind == KIND_STREAM:
            self.put_text(b'{"entries":[')
        elif head.kind != KIND_STRING and head.kind != KIND_MODULE:
            self.put_char(c"{")
        return 0

    cdef int string(self, Bytes p, size_t size) except -1:
        return self.value(p, size)

    cdef int element(self, Bytes p, size_t size) except -1:
        self.comma()
        return self.value(p, size)

    cdef int pair(self, Bytes field, size_t field_size, Bytes value, size_t value_size, int64_t expire_at_ms) except -1:
        self.comma()
        self.name(field, field_size)
        self.put_char(c":")
        return self.value(value, value_size)

    cdef int score(self, Bytes member, size_t member_size, double score) except -1:
        cdef size_t before
        self.comma()
        self.name(member, member_size)
        self.put_text(b':"')
        before = self.size
        self.put_double(score)
        if self.as_base64:
            self.encode_from(before)
        return self.put_char(c'"')

    cdef int encode_from(self, size_t before) except -1:
        """Turn the short text written since ``before`` into base64."""
        cdef uint8_t copy[64]
        cdef size_t i, size = self.size - before
        for i in range(size):
            copy[i] = <uint8_t>self.data[before + i]
        self.reserve(128)
        self.size = rt_base64(copy, size, self.data + before) - self.data
        return 0

    cdef int array_item(self, ArrayItem *item) except -1:
        cdef size_t before
        self.comma()
        self.put_char(c'"')
        self.put_u64(item.index)
        self.put_text(b'":')
        if item.tag != ITEM_INT and item.tag != ITEM_DOUBLE:
            return self.value(item.text, item.text_size)
        self.put_char(c'"')
        before = self.size
        if item.tag == ITEM_INT:
            self.put_i64(item.number)
        else:
            self.put_double(item.real)
        if self.as_base64:
            self.encode_from(before)
        return self.put_char(c'"')

    cdef int opaque(self, Bytes module, Bytes raw, size_t raw_size) except -1:
        self.put_text(b"\"<Content of Module '")
        self.put(module, 9)
        self.put_text(b"'. Occupies a serialized size of ")
        self.put_u64(raw_size)
        return self.put_text(b' bytes>"')

    cdef int entry(self, uint64_t ms, uint64_t seq, uint64_t fields) except -1:
        self.comma()
        self.put_text(b'{"id":"')
        self.put_u64(ms)
        self.put_char(c"-")
        self.put_u64(seq)
        self.put_text(b'","items":{')
        self.first_part = True
        return 0

    cdef int entry_field(self, Bytes field, size_t field_size, Bytes value, size_t value_size) except -1:
        return self.pair(field, field_size, value, value_size, -1)

    cdef int end_entry(self) except -1:
        self.first_part = False
        return self.put_text(b"}}")

    cdef int end_key(self, Bytes raw, size_t raw_size, int64_t stop) except -1:
        if self.kind == KIND_LIST or self.kind == KIND_SET:
            self.put_char(c"]")
        elif self.kind == KIND_STREAM:
            self.put_text(b"]}")
        elif self.kind != KIND_STRING and self.kind != KIND_MODULE:
            self.put_char(c"}")
        return 0

    cdef int commit(self) except -1:
        self.committed_any_db = self.any_db
        self.committed_any_key = self.any_key
        self.committed_db = self.db
        return Output.commit(self)

    cdef int rollback(self) noexcept:
        self.any_db = self.committed_any_db
        self.any_key = self.committed_any_key
        self.db = self.committed_db
        return Output.rollback(self)

    cdef int finish(self) except -1:
        self.put_text(b"}]\n" if self.any_db else b"]\n")
        return self.commit()


def value_json(record):
    """Return the JSON text of a record's value, as it stands in its line of the jsonl format."""
    pieces = []
    cdef Jsonl sink = Jsonl(pieces.append)
    sink.values_only = True
    feed_value(record, sink)
    sink.commit()
    sink.flush()
    return b"".join(pieces).decode()
