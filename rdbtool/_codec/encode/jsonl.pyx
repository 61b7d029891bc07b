# One JSON object per line, reversible: a key's line has everything that the file stores about it.
#
# Text is a JSON string if it is UTF-8, else {"base64": …}. A stream's length and first ID follow from its entries; they
# are shown only if the file differs.

from libc.math cimport isfinite, isnan
from libc.stdint cimport int64_t, uint64_t
from rdbtool._codec.decode.cursor cimport Bytes, FORM_INT
from rdbtool._codec.sink cimport (
    ArrayItem, Consumer, Group, Head, ITEM_DOUBLE, ITEM_INT, LongString, Pending, Producers, StreamTail
)
from rdbtool._codec.encode.text cimport JsonText

from rdbtool._codec.replay_record import feed_value
from rdbtool.model.items import Aux, FunctionLibrary, ModuleAux, SlotImport
from rdbtool.core.rdb_types import KINDS, VALUE_TYPES

include "../_types.pxi"

cdef extern from "escape.h" nogil:
    enum: RT_UTF8, RT_RAW, RT_SPELLED

cdef enum:
    AS_BASE64 = -1              # in addition to the modes of escape.h

#: The forms of strings if all of them have to be the same.
cdef dict BINARY = {"base64": AS_BASE64, "latin1": RT_RAW, "escape": RT_SPELLED}

cdef list KIND_TEXTS = [kind.encode() for kind in KINDS]


cdef list encoding_names(str magic):
    """What the encodings of values are called, by type code."""
    cdef list names = [b""] * 256
    for row in VALUE_TYPES:
        if row.magic is None or row.magic == magic:
            names[row.code] = row.encoding.encode()
    return names


cdef bytes encoding_of(Head *head, list names):
    """What the encoding of a record is called; nothing where no file stores it."""
    if head.type_code == TYPE_STRING and head.form:
        return b"int" if head.form == FORM_INT else b"lzf"
    return <bytes>names[head.type_code] if head.type_code >= 0 else b""


cdef class Jsonl(JsonText):
    """One JSON object per line: header, aux fields, functions, and each key with everything that its file stores.

    For programs that want one type per column: ``keys_only`` omits everything but the keys, and ``binary`` (base64,
    latin1, escape) writes every string in that one form, which each line names at its beginning.
    """

    def __init__(self, write, *, bint keys_only=False, str binary=None):
        super().__init__(write)
        self.takes_pieces = self.asks_utf8 = self.divides = True
        self.encodings = [b""] * 256
        self.keys_only = keys_only
        if binary is not None:
            self.binary = BINARY[binary]
            self.mark = f'"binary":"{binary}",'.encode()

    cdef int open_line(self, const char *start) except -1:
        """Begin a line with a literal that begins with a brace."""
        self.put_char(c"{")
        if self.mark is not None:
            self.put(<char *>self.mark, len(self.mark))
        return self.put_text(start + 1)

    cdef int text(self, Bytes p, size_t size) except -1:
        if self.binary == 0:
            return JsonText.text(self, p, size)
        return self.octets(p, size)

    cdef int octets(self, Bytes p, size_t size) except -1:
        if self.binary == 0:
            return JsonText.octets(self, p, size)
        return self.base64(p, size) if self.binary == AS_BASE64 else self.string_in_mode(p, size, self.binary)

    cdef int header(self, str magic, int version) except -1:
        cdef bytes line = f'{{"rdb":{{"magic":"{magic}","version":{version}}}}}\n'.encode()
        self.encodings = encoding_names(magic)
        if not self.keys_only:
            self.open_line(<char *>line)
        return self.commit()

    cdef int python_text(self, bytes data) except -1:
        return self.text(<Bytes>(<char *>data), len(data))

    cdef int item(self, object item) except -1:
        cdef bytes data
        if self.keys_only:
            return 0
        if isinstance(item, Aux):
            self.open_line(b'{"aux":[')
            self.python_text(item.key)
            self.put_char(c",")
            self.python_text(item.value)
            self.put_text(b"]}\n")
        elif isinstance(item, FunctionLibrary):
            self.open_line(b'{"function":')
            self.python_text(item.code)
            self.put_text(b"}\n" if item.released else b',"pre_release":true}\n')
        elif isinstance(item, ModuleAux):
            self.open_line(b'{"module_aux":')
            self.python_text(item.module.encode())
            self.put_text(b',"raw":')
            data = item.raw
            self.octets(<Bytes>(<char *>data), len(data))
            self.put_text(b"}\n")
        elif isinstance(item, SlotImport):
            self.open_line(b'{"slot_import":')
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
        self.in_expiries = False
        if not self.values_only:
            self.open_line(b'{"db":')
            self.put_i64(head.db)
            self.put_text(b',"key":')
            self.text(head.key, head.key_size)
            self.put_text(b',"type":"')
            name = <bytes>KIND_TEXTS[head.kind]
            self.put(<char *>name, len(name))
            self.put_text(b'","encoding":"')
            name = encoding_of(head, self.encodings)
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
            self.entries = self.first_ms = self.first_seq = 0
            self.put_text(b'{"entries":[')
        elif head.kind == KIND_ARRAY:
            self.put_text(b'{"items":[')
        elif head.kind != KIND_STRING and head.kind != KIND_MODULE:
            self.put_char(c"[")
        return 0

    cdef int string(self, Bytes p, size_t size) except -1:
        return self.text(p, size)

    cdef int begin_string(self, LongString *text) except -1:
        if self.binary != 0:
            return self.begin_long(self.binary, self.binary == AS_BASE64)
        if not text.is_utf8:
            self.put_text(b'{"base64":')
        return self.begin_long(RT_UTF8, not text.is_utf8)

    cdef int end_string(self) except -1:
        self.end_long()
        return self.put_char(c"}") if self.long_base64 and self.binary == 0 else 0

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

    cdef int member_expiry(self, Bytes member, size_t size, int64_t expire_at_ms) except -1:
        if self.values_only:
            return 0
        if not self.in_expiries:
            self.in_expiries = True
            self.first_part = True
            self.put_text(b'],"member_expiries":[')
        self.comma()
        self.put_char(c"[")
        self.text(member, size)
        self.put_char(c",")
        self.put_i64(expire_at_ms)
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
        if self.entries == 0:
            self.first_ms = ms
            self.first_seq = seq
        self.entries += 1
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
        if tail.counted and (tail.first_ms != self.first_ms or tail.first_seq != self.first_seq):
            self.put_text(b',"first_id":')
            self.stream_id(tail.first_ms, tail.first_seq)
        if tail.length != self.entries:
            self.put_text(b',"length":')
            self.put_u64(tail.length)
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
            # After producers, the list of groups is closed already.
            self.put_text(b"}" if self.in_producers else b"]}")
            self.in_producers = 0
        elif self.kind != KIND_STRING and self.kind != KIND_MODULE and self.kind != KIND_ARRAY:
            self.put_char(c"]")
        if not self.values_only:
            self.put_text(b"}\n")
        return 0

    cdef int rollback(self) noexcept:
        self.in_producers = 0
        return JsonText.rollback(self)


def value_json(record):
    """Return the JSON text of a record's value, as in its jsonl line."""
    pieces = []
    write_value(record, pieces.append)
    return b"".join(pieces).decode()


def write_value(record, write):
    """Pass the JSON text of a record's value to ``write``, in pieces."""
    cdef Jsonl sink = Jsonl(write)
    sink.values_only = sink.may_spill = True
    feed_value(record, sink)
    sink.commit()
    sink.flush()
