# An array with one object per database: the shape, and the escapes, of rdbtools and rdb-cli.
#
# For programs that parse their output. It shows values only; jsonl shows everything.

from libc.stdint cimport int64_t, uint8_t, uint64_t
from rdbtool._codec.decode.cursor cimport Bytes, intset_number, rt_i64_text
from rdbtool._codec.sink cimport ArrayItem, Head, ITEM_DOUBLE, ITEM_INT, LongString
from rdbtool._codec.encode.text cimport JsonText

from rdbtool.model.items import SelectDb

include "../_types.pxi"

cdef extern from "escape.h" nogil:
    enum: RT_RAW, RT_PRINT, RT_MIXED
    char *rt_base64(const uint8_t *p, size_t n, char *op)
    int rt_is_printable(const uint8_t *p, size_t n)


cdef class Json(JsonText):
    """An array with one object per database: the shape of rdbtools and rdb-cli.

    ``escape`` is raw (bytes as Latin-1), print, utf8 or base64, as there.
    """

    cdef int mode
    cdef bint as_base64
    cdef bint any_db
    cdef bint any_key               # in the open object
    cdef int64_t db                 # of the open object
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
        self.takes_pieces = self.divides = True

    def begin_range(self, room, db):
        """Write into ``room`` what follows a key of ``db``."""
        JsonText.begin_range(self, room, db)
        self.db = db
        self.any_db = self.any_key = True
        self.commit()

    def end_range(self):
        """Return the db."""
        JsonText.end_range(self)
        return self.db

    def add_range(self, result, room):
        """Add keys after a key of their db; the first keys of a db have to come from the reader."""
        if room.used and not (self.any_db and self.any_key and self.db == result):
            return False
        return JsonText.add_range(self, result, room)

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
        """Write a name: printable text is never escaped further."""
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

    cdef int begin_string(self, LongString *text) except -1:
        return self.begin_long(self.mode, self.as_base64)

    cdef int end_string(self) except -1:
        return self.end_long()

    cdef int element(self, Bytes p, size_t size) except -1:
        self.comma()
        return self.value(p, size)

    cdef int intset(self, Bytes p, uint64_t width, uint64_t count) except -1:
        cdef uint64_t i
        cdef char *at
        if self.as_base64:
            return JsonText.intset(self, p, width, count)
        for i in range(count):
            self.reserve(32)
            at = self.data + self.size
            at[0] = c","
            at += not self.first_part
            self.first_part = False
            at[0] = c'"'
            at += 1
            at += rt_i64_text(intset_number(p + i * width, width), at)
            at[0] = c'"'
            self.size = at + 1 - self.data
        return 0

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
        return JsonText.commit(self)

    cdef int rollback(self) noexcept:
        self.any_db = self.committed_any_db
        self.any_key = self.committed_any_key
        self.db = self.committed_db
        return JsonText.rollback(self)

    cdef int finish(self) except -1:
        self.put_text(b"}]\n" if self.any_db else b"]\n")
        return self.commit()
