# Sizes of keys out, a line a key: CSV, whose first columns are those that rdbtools writes, and JSON.

from libc.stdint cimport int64_t, uint8_t, uint64_t
from rdbtool._codec.decode.cursor cimport Bytes
from rdbtool._codec.encode.text cimport JsonText
from rdbtool._codec.sinks.key_rows cimport WantedKeys
from rdbtool._codec.sinks.key_sizes cimport KeySizes, SIZES_AT_LEAST

from rdbtool._codec.sinks.key_sizes import ENCODINGS
from rdbtool.core.rdb_types import KINDS

cdef enum:
    DAY_MS = 86400000
    LAST_YEAR = 9999

#: The columns of CSV, in their order.
COLUMNS = (
    "database", "type", "key", "size_in_bytes", "encoding", "num_elements", "len_largest_element", "expiry",
    "allocated", "serialized", "expire_at_ms", "idle_s", "freq", "at_least",
)

cdef list KIND_TEXTS = [kind.encode() for kind in KINDS]
cdef list ENCODING_TEXTS = [encoding.encode() for encoding in ENCODINGS]


cdef inline bint is_plain(Bytes p, size_t size) noexcept:
    """Whether a cell is written as it is: printable ASCII that neither ends it nor begins a formula."""
    cdef size_t i
    if size and (p[0] == c"=" or p[0] == c"+" or p[0] == c"-" or p[0] == c"@"):
        return False
    for i in range(size):
        if not 0x20 <= p[i] <= 0x7E or p[i] == c'"' or p[i] == c",":
            return False
    return True


cdef inline void two_digits(int number, char *out) noexcept:
    out[0] = <char>(48 + number // 10)
    out[1] = <char>(48 + number % 10)


cdef int moment_text(int64_t ms, char *out) noexcept:
    """Write a time (Unix ms, UTC) as Python's isoformat does; return its length, 0 where it has no such form."""
    cdef int64_t days = ms // DAY_MS if ms >= 0 else -((DAY_MS - 1 - ms) // DAY_MS)
    cdef int64_t rest = ms - days * DAY_MS
    cdef int64_t era, of_era, year, of_year, month, day
    cdef int size = 19, part = <int>(rest % 1000)
    # Days since the first of March of year 0, in eras of 400 years.
    days += 719468
    if days < 366:
        return 0
    era = days // 146097
    of_era = days - era * 146097
    year = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153
    day = of_year - (153 * month + 2) // 5 + 1
    month = month + 3 if month < 10 else month - 9
    year += era * 400 + (month <= 2)
    if year > LAST_YEAR or year < 1:
        return 0
    two_digits(<int>(year // 100), out)
    two_digits(<int>(year % 100), out + 2)
    out[4] = c"-"
    two_digits(<int>month, out + 5)
    out[7] = c"-"
    two_digits(<int>day, out + 8)
    out[10] = c"T"
    rest //= 1000
    two_digits(<int>(rest // 3600), out + 11)
    out[13] = c":"
    two_digits(<int>(rest // 60 % 60), out + 14)
    out[16] = c":"
    two_digits(<int>(rest % 60), out + 17)
    if part:
        out[19] = c"."
        out[20] = <char>(48 + part // 100)
        two_digits(part % 100, out + 21)
        out[23] = out[24] = out[25] = c"0"
        size = 26
    return size


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
    """Comma-separated values. ``spell`` gives the cell of a key that is not written as it is."""

    cdef object spell

    def __init__(self, write, spell, uint64_t least=0, bint no_ttl=False):
        super().__init__(write, least, no_ttl)
        self.spell = spell
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
        if is_plain(<Bytes>row.key, <size_t>row.key_length):
            out.put(row.key, <size_t>row.key_length)
        else:
            text = self.spell((<char *>row.key)[:row.key_length])
            out.put(<char *>text, len(text))
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
            size = moment_text(row.expire_at_ms, moment)
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
