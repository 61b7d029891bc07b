r"""Keys as comma-separated values, one line a key after a line of names.

``key`` is the key as text where it is valid UTF-8, else the object that jsonl has for it; ``value``
is the JSON text of jsonl's value. ``elements`` is 1 for strings and module values. ``start`` is the
offset of the record and ``size_bytes`` its length in the file. With ``fields`` the fields of hashes that they name are
columns in place of ``value``: text, or what ``key`` has for other bytes; empty where a key has no such field.

Lines and quotes are those of RFC 4180. A spreadsheet executes a cell that begins like a formula: such a text gets a
``'`` in front, unless it is a number. Control characters, which terminals obey, are spelled ``\x1b``. The JSON text
of a value is no formula, and has no controls.
"""

# How many elements a value has, and where it ends, precedes it and is known after it: those columns are put
# in once the value is written. A value that is written in pieces has been read before, and its counts are emitted ahead.

import base64
import re

from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcmp, memcpy, memmove
from rdbtool._codec.decode.cursor cimport Bytes, Scratch, grow, release, rt_i64_text, rt_u64_text
from rdbtool._codec.encode.encoder cimport LARGE, Encoder
from rdbtool._codec.encode.jsonl cimport Jsonl, encoding_names, encoding_of
from rdbtool._codec.sink cimport ASKS_COUNTS, ArrayItem, Head, LongString

from rdbtool.core.errors import spell_controls
from rdbtool.core.rdb_types import KINDS

include "../_types.pxi"

cdef extern from "escape.h" nogil:
    enum: RT_QUOTED
    char *rt_json_escape(const unsigned char *p, size_t n, char *op, int mode)
    int rt_is_utf8(const unsigned char *p, size_t n)
    int rt_csv_plain(const unsigned char *p, size_t n)

cdef enum:
    MOST_COLUMNS = 96           # bytes of the columns that are known after a value
    NOWHERE = -1

COLUMNS = ("db", "key", "type", "encoding", "elements", "expire_at_ms", "start", "size_bytes", "value")

cdef list KIND_TEXTS = [kind.encode() for kind in KINDS]

#: What a spreadsheet takes for the beginning of a formula, in the width of East Asia too, or skips to find one.
cdef object FORMULA = re.compile("[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")

cdef object NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)

#: Control characters that RFC 4180 has a place for, in quotes.
cdef str QUOTED = "\t\r\n"


cdef str text_of(bytes data):
    """Text where the bytes are UTF-8, else the object that jsonl has for them."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return f'{{"base64":"{base64.b64encode(data).decode()}"}}'


cdef str inert(str text, str keep):
    """Return a cell that neither a spreadsheet executes nor a terminal obeys."""
    cdef str shown = spell_controls(text, keep)
    return f"'{shown}" if FORMULA.match(shown) and not NUMBER.fullmatch(shown) else shown


cdef class Cells:
    """Writes cells of texts: as they are if ``raw``, else inert, with those controls that are in ``keep``."""

    def __init__(self, bint raw, bint is_terminal):
        self.raw = raw
        self.keep = "" if is_terminal else QUOTED

    cdef int put(self, Encoder out, Bytes p, size_t size) except -1:
        cdef int plain = rt_csv_plain(p, size)
        cdef str text
        if plain == 1:
            return out.put(p, size)
        text = text_of((<char *>p)[:size])
        if not self.raw and plain == 0:
            text = inert(text, self.keep)
        return self.put_text(out, text)

    cdef int put_text(self, Encoder out, str text) except -1:
        cdef bytes data
        if '"' in text or "," in text or "\r" in text or "\n" in text:
            text = '"' + text.replace('"', '""') + '"'
        data = text.encode()
        return out.put(<char *>data, len(data))

    cdef int put_names(self, Encoder out, names) except -1:
        """Write the line of names."""
        cdef int number
        for number, name in enumerate(names):
            if number:
                out.put_char(c",")
            self.put_text(out, name if self.raw else inert(name, self.keep))
        out.put_text(b"\r\n")
        return out.commit()

    cdef int put_head(self, Encoder out, Head *head, list encodings) except -1:
        """Write the columns that precede those that a value has to be read for."""
        cdef bytes name
        out.put_i64(head.db)
        out.put_char(c",")
        self.put(out, head.key, head.key_size)
        out.put_char(c",")
        name = <bytes>KIND_TEXTS[head.kind]
        out.put(<char *>name, len(name))
        out.put_char(c",")
        name = encoding_of(head, encodings)
        out.put(<char *>name, len(name))
        return out.put_char(c",")


cdef int columns(char *out, uint64_t elements, Head *head, int64_t stop) noexcept:
    """Write the columns between the encoding and the value, and return their size."""
    cdef int size = rt_u64_text(elements, out)
    out[size] = c","
    size += 1
    if head.has_expire:
        size += rt_i64_text(head.expire_at_ms, out + size)
    out[size] = c","
    size += 1
    size += rt_i64_text(head.start, out + size)
    out[size] = c","
    size += 1
    size += rt_i64_text(stop - head.start, out + size)
    out[size] = c","
    return size + 1


cdef class Csv(Jsonl):
    """A line a key, with its value as JSON. ``raw`` and ``is_terminal``: see ``Cells``."""

    cdef Cells cells
    cdef Head head
    cdef uint64_t elements
    cdef size_t columns_at          # where the columns belong that are not known yet
    cdef bint columned              # they are known, and written
    cdef size_t value_at
    cdef int64_t single_at          # from here on quotes are single as yet; NOWHERE: they are not
    cdef bint is_list               # without elements it is `[]`, and needs no quotes

    def __init__(self, write, *, bint raw=False, bint is_terminal=False):
        super().__init__(write, keys_only=True)
        self.values_only = True
        self.asks_extent = ASKS_COUNTS
        self.cells = Cells(raw, is_terminal)
        self.single_at = NOWHERE
        self.cells.put_names(self, COLUMNS)

    cdef int begin_key(self, Head *head) except -1:
        self.head = head[0]
        self.elements = 0
        self.single_at = NOWHERE
        self.is_list = head.kind in (KIND_LIST, KIND_SET, KIND_ZSET, KIND_HASH)
        # Without them everything is held, because they come first.
        self.columned = self.may_spill = self.may_spill and self.extent_ahead.is_known
        self.cells.put_head(self, head, self.encodings)
        if self.columned:
            self.reserve(MOST_COLUMNS)
            self.size += columns(self.data + self.size, self.extent_ahead.elements, head, self.extent_ahead.stop)
        self.columns_at = self.value_at = self.size
        if self.columned and self.is_list and self.extent_ahead.elements == 0:
            self.is_list = False
        else:
            self.put_char(c'"')
        if head.kind == KIND_STREAM or head.kind == KIND_ARRAY or head.kind == KIND_MODULE:
            self.single_at = <int64_t>self.size
        return Jsonl.begin_key(self, head)

    cdef int text(self, Bytes p, size_t size) except -1:
        cdef char *out
        cdef char *end
        cdef bint utf8
        if self.single_at != NOWHERE:
            return Jsonl.text(self, p, size)
        if size < LARGE:
            self.reserve(6 * size + 32)
            out = self.data + self.size
            out[0] = out[1] = c'"'
            end = rt_json_escape(p, size, out + 2, RT_QUOTED)
            if end != NULL:
                end[0] = end[1] = c'"'
                self.size = end + 2 - self.data
                return 0
            utf8 = False
        else:
            utf8 = rt_is_utf8(p, size)
        self.open_long(utf8)
        self.string_piece(p, size)
        return self.close_long()

    cdef int open_long(self, bint utf8) except -1:
        if not utf8:
            self.put_text(b'{""base64"":')
        self.put_char(c'"')
        return self.begin_long(RT_QUOTED, not utf8)

    cdef int close_long(self) except -1:
        self.end_long()
        return self.put_text(b'"}' if self.long_base64 else b'"')

    cdef int begin_string(self, LongString *text) except -1:
        self.elements = 1
        return self.open_long(text.is_utf8)

    cdef int end_string(self) except -1:
        return self.close_long()

    cdef int number(self, double number) except -1:
        cdef size_t before = self.size
        Jsonl.number(self, number)
        if self.single_at == NOWHERE and self.data[before] == c'"':
            self.double_quotes(before)
        return 0

    cdef int double_quotes(self, size_t since) except -1:
        """Make each quote two that was written since then."""
        cdef size_t more = 0
        cdef size_t at, to
        for at in range(since, self.size):
            more += self.data[at] == c'"'
        self.reserve(more)
        to = self.size + more
        at = self.size
        self.size = to
        while to > at:
            at -= 1
            to -= 1
            self.data[to] = self.data[at]
            if self.data[at] == c'"':
                to -= 1
                self.data[to] = c'"'
        return 0

    cdef int hand_on(self, size_t size) except -1:
        cdef bytes piece
        if self.single_at == NOWHERE or size <= <size_t>self.single_at:
            return Jsonl.hand_on(self, size)
        # In the middle of a value, all of which is handed on.
        piece = self.data[:self.single_at] + self.data[self.single_at:size].replace(b'"', b'""')
        self.pass_on(piece)
        memmove(self.data, self.data + size, self.size - size)
        self.size -= size
        self.single_at = self.committed = 0
        return 0

    # ---- what is counted -----------------------------------------------------------------------

    cdef int string(self, Bytes p, size_t size) except -1:
        self.elements = 1
        return self.text(p, size)

    cdef int element(self, Bytes p, size_t size) except -1:
        self.elements += 1
        return Jsonl.element(self, p, size)

    cdef int pair(self, Bytes field, size_t field_size, Bytes value, size_t value_size, int64_t expire_at_ms) except -1:
        # The fields of an entry come here too.
        if self.single_at == NOWHERE:
            self.elements += 1
        return Jsonl.pair(self, field, field_size, value, value_size, expire_at_ms)

    cdef int score(self, Bytes member, size_t member_size, double score) except -1:
        self.elements += 1
        return Jsonl.score(self, member, member_size, score)

    cdef int array_item(self, ArrayItem *item) except -1:
        self.elements += 1
        return Jsonl.array_item(self, item)

    cdef int opaque(self, Bytes module, Bytes raw, size_t raw_size) except -1:
        self.elements = 1
        return Jsonl.opaque(self, module, raw, raw_size)

    cdef int entry(self, uint64_t ms, uint64_t seq, uint64_t fields) except -1:
        self.elements += 1
        return Jsonl.entry(self, ms, seq, fields)

    cdef int end_key(self, Bytes raw, size_t raw_size, int64_t stop) except -1:
        cdef char text[MOST_COLUMNS]
        cdef size_t size
        Jsonl.end_key(self, raw, raw_size, stop)
        if self.single_at != NOWHERE:
            self.double_quotes(<size_t>self.single_at)
            self.single_at = NOWHERE
        if self.is_list and self.elements == 0:
            self.size = self.value_at
            self.put_text(b"[]")
        elif not self.columned or self.extent_ahead.elements or self.head.kind == KIND_STREAM or self.head.kind == KIND_ARRAY:
            self.put_char(c'"')
        if not self.columned:
            size = columns(text, self.elements, &self.head, stop)
            self.reserve(size)
            memmove(self.data + self.columns_at + size, self.data + self.columns_at, self.size - self.columns_at)
            memcpy(self.data + self.columns_at, text, size)
            self.size += size
        return self.put_text(b"\r\n")


cdef class CsvFields(Encoder):
    """A line a key, with the values of fields of hashes. ``raw`` and ``is_terminal``: see ``Cells``."""

    cdef Cells cells
    cdef Head head
    cdef uint64_t elements
    cdef list encodings
    cdef list fields
    cdef Scratch values             # of the fields of the current hash, one after the other
    cdef size_t filled
    cdef list places                # of each field, the offset and size of its value; None: it is absent

    def __init__(self, write, fields, *, bint raw=False, bint is_terminal=False):
        super().__init__(write)
        self.takes_pieces = self.divides = True
        self.fields = list(fields)
        self.encodings = [b""] * 256
        self.cells = Cells(raw, is_terminal)
        self.cells.put_names(self, (*COLUMNS[:-1], *[column_of(field) for field in self.fields]))

    def __dealloc__(self):
        release(&self.values)

    cdef int header(self, str magic, int version) except -1:
        self.encodings = encoding_names(magic)
        return 0

    cdef int begin_key(self, Head *head) except -1:
        self.head = head[0]
        self.elements = 0
        self.filled = 0
        self.places = [None] * len(self.fields)
        return self.cells.put_head(self, head, self.encodings)

    cdef int string(self, Bytes p, size_t size) except -1:
        self.elements = 1
        return 0

    cdef int begin_string(self, LongString *text) except -1:
        self.elements = 1
        return 0

    cdef int opaque(self, Bytes module, Bytes raw, size_t raw_size) except -1:
        self.elements = 1
        return 0

    cdef int element(self, Bytes p, size_t size) except -1:
        self.elements += 1
        return 0

    cdef int score(self, Bytes member, size_t member_size, double score) except -1:
        self.elements += 1
        return 0

    cdef int array_item(self, ArrayItem *item) except -1:
        self.elements += 1
        return 0

    cdef int entry(self, uint64_t ms, uint64_t seq, uint64_t fields) except -1:
        self.elements += 1
        return 0

    cdef int pair(self, Bytes field, size_t field_size, Bytes value, size_t value_size, int64_t expire_at_ms) except -1:
        cdef Py_ssize_t i
        cdef bytes name
        self.elements += 1
        for i in range(len(self.fields)):
            name = <bytes>self.fields[i]
            if <size_t>len(name) == field_size and memcmp(<char *>name, field, field_size) == 0:
                grow(&self.values, self.filled + value_size + 1)
                memcpy(self.values.data + self.filled, value, value_size)
                self.places[i] = (self.filled, value_size)
                self.filled += value_size
        return 0

    cdef int end_key(self, Bytes raw, size_t raw_size, int64_t stop) except -1:
        cdef size_t at, size
        cdef bint later = False
        self.reserve(MOST_COLUMNS)
        self.size += columns(self.data + self.size, self.elements, &self.head, stop)
        for place in self.places:
            if later:
                self.put_char(c",")
            later = True
            if place is not None:
                at, size = place
                self.cells.put(self, self.values.data + at, size)
        return self.put_text(b"\r\n")


cdef str column_of(bytes field):
    """The name of the column of a field, which no other column has."""
    cdef str name = text_of(field)
    return f"field:{name}" if name in COLUMNS else name
