# Walking the packed encodings inside a STR (format A11).

from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from rdbtool._codec.decode.cursor cimport Bytes, decline, load_le32, load_le64, rt_i64_text
from rdbtool._codec.sink cimport Sink

cdef enum:
    SHAPE_ELEMENTS = 0      # list elements, set members
    SHAPE_PAIRS = 1         # hash fields and values
    SHAPE_SCORES = 2        # zset members and scores
    SHAPE_TRIPLES = 3       # hash fields, values and expiries

cdef struct Element:
    Bytes p                 # the text; of an integer: in `text`, if it is asked for
    size_t size
    bint is_int
    int64_t number
    char text[24]

cdef struct Walk:
    Bytes p
    Bytes end               # the terminator byte
    uint64_t count          # entries walked so far
    uint64_t previous       # ziplist: size of the previous entry
    Bytes last              # ziplist: start of the previous entry

cdef int open_listpack(Bytes blob, size_t size, Walk *walk) except -1
cdef int next_listpack(Walk *walk, Element *element) except -1
cdef int close_listpack(Bytes blob, Walk *walk) except -1
cdef int element_number(Element *element, int64_t *out) except -1

cdef int scan_listpack(Bytes blob, size_t size, int shape, Sink sink) except -1
cdef int scan_ziplist(Bytes blob, size_t size, int shape, Sink sink) except -1
cdef int scan_intset(Bytes blob, size_t size, Sink sink) except -1
cdef int scan_zipmap(Bytes blob, size_t size, Sink sink) except -1

cdef inline int set_number(Element *element, int64_t number, bint texts) noexcept:
    element.is_int = True
    element.number = number
    if texts:
        element.size = rt_i64_text(number, element.text)
        element.p = <Bytes>element.text
    return 0


cdef inline int64_t load_i24(Bytes p) noexcept:
    return <int32_t>(<uint32_t>p[0] << 8 | <uint32_t>p[1] << 16 | <uint32_t>p[2] << 24) >> 8


# An entry of a listpack (format A11.2); 0 at the end. `texts`: integers are also given as text.
cdef inline int step_listpack(Walk *walk, Element *element, bint texts) except -1:
    cdef Bytes p = walk.p
    cdef uint64_t left = walk.end - p
    cdef uint64_t size, data = 0
    cdef uint8_t b
    if left == 0:
        return 0
    b = p[0]
    if b < 0x80:
        set_number(element, b, texts)
        size = 1
    elif b < 0xC0:
        data = b & 0x3F
        size = 1 + data
        if size >= left:
            return decline()
        element.is_int = False
        element.p = p + 1
        element.size = data
    elif b < 0xE0:
        if left < 3:
            return decline()
        set_number(element, <int16_t>(<uint16_t>((b & 0x1F) << 11 | p[1] << 3)) >> 3, texts)
        size = 2
    elif b < 0xF0:
        if left < 3:
            return decline()
        data = <uint64_t>(b & 0x0F) << 8 | p[1]
        size = 2 + data
        if size >= left:
            return decline()
        element.is_int = False
        element.p = p + 2
        element.size = data
    elif b == 0xF0:
        if left < 6:
            return decline()
        data = load_le32(p + 1)
        size = 5 + data
        if size >= left:
            return decline()
        element.is_int = False
        element.p = p + 5
        element.size = data
    elif b == 0xF1:
        if left < 4:
            return decline()
        set_number(element, <int16_t>(<uint16_t>(p[1] | p[2] << 8)), texts)
        size = 3
    elif b == 0xF2:
        if left < 5:
            return decline()
        set_number(element, load_i24(p + 1), texts)
        size = 4
    elif b == 0xF3:
        if left < 6:
            return decline()
        set_number(element, <int32_t>load_le32(p + 1), texts)
        size = 5
    elif b == 0xF4:
        if left < 10:
            return decline()
        set_number(element, <int64_t>load_le64(p + 1), texts)
        size = 9
    else:
        return decline()
    # The back length: its width follows from the size, with thresholds one below the natural ones.
    p += size
    left -= size
    if size <= 127:
        if p[0] != size:
            return decline()
        p += 1
    elif size < 16383:
        if left < 2 or p[0] != size >> 7 or p[1] != (size & 127 | 128):
            return decline()
        p += 2
    elif size < 2097151:
        if left < 3 or p[0] != size >> 14 or p[1] != (size >> 7 & 127 | 128) or p[2] != (size & 127 | 128):
            return decline()
        p += 3
    elif size < 268435455:
        if (left < 4 or p[0] != size >> 21 or p[1] != (size >> 14 & 127 | 128) or p[2] != (size >> 7 & 127 | 128)
                or p[3] != (size & 127 | 128)):
            return decline()
        p += 4
    else:
        if (left < 5 or p[0] != size >> 28 or p[1] != (size >> 21 & 127 | 128) or p[2] != (size >> 14 & 127 | 128)
                or p[3] != (size >> 7 & 127 | 128) or p[4] != (size & 127 | 128)):
            return decline()
        p += 5
    walk.p = p
    walk.count += 1
    return 1
