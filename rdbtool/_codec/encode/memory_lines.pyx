# Sizes of keys out, a line a key: CSV, whose first columns are those that rdbtools writes, and JSON.

from libc.stdint cimport int64_t, uint8_t, uint64_t
from rdbtool._codec.decode.cursor cimport Bytes
from rdbtool._codec.encode.csv cimport Cells
from rdbtool._codec.encode.moments cimport MOMENT_SIZE, fraction_text, moment_text
from rdbtool._codec.encode.text cimport JsonText
from rdbtool._codec.sinks.key_rows cimport WantedKeys
from rdbtool._codec.sinks.key_sizes cimport KeySizes, SIZES_AT_LEAST

from rdbtool._codec.sinks.key_sizes import ENCODINGS
from rdbtool.core.rdb_types import KINDS

#: The columns of CSV, in their order.
COLUMNS = (
    "database", "type", "key", "size_in_bytes", "encoding", "num_elements", "len_largest_element", "expiry",
    "allocated", "serialized", "expire_at_ms", "idle_s", "freq", "at_least",
)

cdef list KIND_TEXTS = [kind.encode() for kind in KINDS]
cdef list ENCODING_TEXTS = [encoding.encode() for encoding in ENCODINGS]


cdef int isoformat(int64_t ms, char *out) noexcept:
    """Write a time (Unix ms, UTC) as Python's isoformat does; return its length, 0 where it has no such form."""
    cdef int size
    if not moment_text(ms, out):
        return 0
    size = fraction_text(ms, out + MOMENT_SIZE)
    if size == 0:
        return MOMENT_SIZE
    # Microseconds.
    out[23] = out[24] = out[25] = c"0"
    return 26


cdef class MemoryLines(WantedKeys):
    """A line a key, handed to ``write`` as they add up; ``close`` hands on the rest."""

    cdef JsonText out

    def __init__(self, write, uint64_t least=0, bint no_ttl=False):
        super().__init__(least, no_ttl)
        self.out = JsonText(write)

    def close(self):
        """Hand on what was not yet."""
        self.out.flush()


cdef class MemoryCsv(MemoryLines):
    """Comma-separated values. ``raw`` and ``is_terminal``: see ``Cells``."""

    cdef Cells cells

    def __init__(self, write, uint64_t least=0, bint no_ttl=False, *, bint raw=False, bint is_terminal=False):
        super().__init__(write, least, no_ttl)
        self.cells = Cells(raw, is_terminal)
        header = (",".join(COLUMNS) + "\r\n").encode()
        self.out.put(<char *>header, len(header))
        self.out.commit()

    cdef int on_key_sizes(self, const KeySizes *row) except -1:
        cdef JsonText out = self.out
        cdef bytes text
        cdef char moment[32]
        cdef int size
        if not self.wants(row):
            return 0
        out.put_i64(row.db)
        out.put_char(c",")
        text = <bytes>KIND_TEXTS[row.type]
        out.put(<char *>text, len(text))
        out.put_char(c",")
        self.cells.put(out, <Bytes>row.key, <size_t>row.key_length)
        out.put_char(c",")
        out.put_u64(row.memory)
        out.put_char(c",")
        text = <bytes>ENCODING_TEXTS[row.encoding]
        out.put(<char *>text, len(text))
        out.put_char(c",")
        out.put_u64(row.elements)
        out.put_char(c",")
        out.put_u64(row.largest)
        out.put_char(c",")
        if row.expire_at_ms != -1:
            size = isoformat(row.expire_at_ms, moment)
            out.put(moment, size)
        out.put_char(c",")
        out.put_u64(row.allocated)
        out.put_char(c",")
        out.put_u64(row.serialized)
        out.put_char(c",")
        if row.expire_at_ms != -1:
            out.put_i64(row.expire_at_ms)
        out.put_char(c",")
        if row.idle_s >= 0:
            out.put_i64(row.idle_s)
        out.put_char(c",")
        if row.freq >= 0:
            out.put_i64(row.freq)
        out.put_text(b",1\r\n" if row.flags & SIZES_AT_LEAST else b",0\r\n")
        return out.commit()


cdef class MemoryJsonl(MemoryLines):
    """One JSON object a line."""

    cdef int on_key_sizes(self, const KeySizes *row) except -1:
        cdef JsonText out = self.out
        cdef bytes text
        if not self.wants(row):
            return 0
        out.put_text(b'{"db":')
        out.put_i64(row.db)
        out.put_text(b',"key":')
        out.text(<Bytes>row.key, <size_t>row.key_length)
        out.put_text(b',"type":"')
        text = <bytes>KIND_TEXTS[row.type]
        out.put(<char *>text, len(text))
        out.put_text(b'","encoding":"')
        text = <bytes>ENCODING_TEXTS[row.encoding]
        out.put(<char *>text, len(text))
        out.put_text(b'","memory":')
        out.put_u64(row.memory)
        out.put_text(b',"allocated":')
        out.put_u64(row.allocated)
        out.put_text(b',"serialized":')
        out.put_u64(row.serialized)
        out.put_text(b',"elements":')
        out.put_u64(row.elements)
        out.put_text(b',"largest":')
        out.put_u64(row.largest)
        out.put_text(b',"expire_at_ms":')
        self.number(row.expire_at_ms, row.expire_at_ms != -1)
        out.put_text(b',"idle_s":')
        self.number(row.idle_s, row.idle_s >= 0)
        out.put_text(b',"freq":')
        self.number(row.freq, row.freq >= 0)
        out.put_text(b',"at_least":true}\n' if row.flags & SIZES_AT_LEAST else b',"at_least":false}\n')
        return out.commit()

    cdef int number(self, int64_t number, bint is_there) except -1:
        if is_there:
            return self.out.put_i64(number)
        return self.out.put_text(b"null")
