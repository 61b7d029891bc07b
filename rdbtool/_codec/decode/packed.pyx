# Walking the packed encodings (format A11): ziplist, listpack, intset, zipmap.
#
# One walk checks a blob and emits its entries: every length is compared with the bytes, and no entry is reached by a
# length that points outside. Any fault is a plain decline. Duplicates, order and NaN are meaning, and not checked here.

from libc.stdint cimport int8_t, int16_t, int32_t, uint8_t, uint16_t
from libc.string cimport memcpy
from rdbtool._codec.decode.cursor cimport (
    decline, load_be32, load_le32, load_le64, rt_i64_text, rt_parse_double, rt_parse_i64
)

include "../_types.pxi"


cdef inline int set_number(Element *element, int64_t number) noexcept:
    element.is_int = True
    element.number = number
    element.size = rt_i64_text(number, element.text)
    element.p = <Bytes>element.text
    return 0


cdef inline int64_t load_i24(Bytes p) noexcept:
    return <int32_t>(<uint32_t>p[0] << 8 | <uint32_t>p[1] << 16 | <uint32_t>p[2] << 24) >> 8


cdef int element_number(Element *element, int64_t *out) except -1:
    # Servers accept the text of an integer where they write an integer entry.
    if element.is_int:
        out[0] = element.number
        return 0
    if not rt_parse_i64(element.p, element.size, out):
        return decline()
    return 0


cdef inline int element_score(Element *element, double *out) except -1:
    if element.is_int:
        out[0] = <double>element.number
        return 0
    if not rt_parse_double(element.p, element.size, out):
        return decline()
    return 0


cdef inline int element_expiry(Element *element, int64_t *out) except -1:
    # Servers refuse the text of an integer here.
    if not element.is_int:
        return decline()
    out[0] = element.number
    if out[0] < 0 or <uint64_t>out[0] > MAX_FIELD_EXPIRE_MS:
        return decline()
    if out[0] == 0:
        out[0] = -1
    return 0


# ---- listpack (format A11.2) -------------------------------------------------------------------

cdef int open_listpack(Bytes blob, size_t size, Walk *walk) except -1:
    if size < 7 or load_le32(blob) != size or blob[size - 1] != 0xFF:
        return decline()
    walk.p = blob + 6
    walk.end = blob + size - 1
    walk.count = 0
    return 0


cdef int close_listpack(Bytes blob, Walk *walk) except -1:
    cdef uint32_t declared = blob[4] | <uint32_t>blob[5] << 8
    if declared != 65535 and declared != walk.count:
        return decline()
    return 0


cdef inline int step_listpack(Walk *walk, Element *element) except -1:
    cdef Bytes p = walk.p
    cdef uint64_t left = walk.end - p
    cdef uint64_t size, data = 0
    cdef uint8_t b
    if left == 0:
        return 0
    b = p[0]
    if b < 0x80:
        set_number(element, b)
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
        set_number(element, <int16_t>(<uint16_t>((b & 0x1F) << 11 | p[1] << 3)) >> 3)
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
        set_number(element, <int16_t>(<uint16_t>(p[1] | p[2] << 8)))
        size = 3
    elif b == 0xF2:
        if left < 5:
            return decline()
        set_number(element, load_i24(p + 1))
        size = 4
    elif b == 0xF3:
        if left < 6:
            return decline()
        set_number(element, <int32_t>load_le32(p + 1))
        size = 5
    elif b == 0xF4:
        if left < 10:
            return decline()
        set_number(element, <int64_t>load_le64(p + 1))
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


cdef int next_listpack(Walk *walk, Element *element) except -1:
    return step_listpack(walk, element)


cdef int scan_listpack(Bytes blob, size_t size, int shape, Sink sink) except -1:
    cdef Walk walk
    cdef Element first, second, third
    cdef double score
    cdef int64_t expire
    open_listpack(blob, size, &walk)
    if shape == SHAPE_ELEMENTS:
        while step_listpack(&walk, &first):
            sink.element(first.p, first.size)
    elif shape == SHAPE_PAIRS:
        while step_listpack(&walk, &first):
            if not step_listpack(&walk, &second):
                return decline()
            sink.pair(first.p, first.size, second.p, second.size, -1)
    elif shape == SHAPE_SCORES:
        while step_listpack(&walk, &first):
            if not step_listpack(&walk, &second):
                return decline()
            element_score(&second, &score)
            sink.score(first.p, first.size, score)
    else:
        while step_listpack(&walk, &first):
            if not step_listpack(&walk, &second) or not step_listpack(&walk, &third):
                return decline()
            element_expiry(&third, &expire)
            sink.pair(first.p, first.size, second.p, second.size, expire)
    return close_listpack(blob, &walk)


# ---- ziplist (format A11.1) --------------------------------------------------------------------

cdef inline int step_ziplist(Walk *walk, Element *element) except -1:
    cdef Bytes start = walk.p
    cdef Bytes p = start
    cdef uint64_t left = walk.end - p
    cdef uint64_t previous, size
    cdef uint8_t b
    if left == 0:
        return 0
    b = p[0]
    if b < 254:
        previous = b
        p += 1
        left -= 1
    elif b == 254 and left >= 5:
        previous = load_le32(p + 1)
        p += 5
        left -= 5
    else:
        return decline()
    if previous != walk.previous or left == 0:
        return decline()
    b = p[0]
    p += 1
    left -= 1
    if b < 0xC0:
        if b < 0x40:
            size = b
        elif b < 0x80:
            if left < 1:
                return decline()
            size = <uint64_t>(b & 0x3F) << 8 | p[0]
            p += 1
            left -= 1
        else:
            if left < 4:
                return decline()
            size = load_be32(p)
            p += 4
            left -= 4
        if size > left:
            return decline()
        element.is_int = False
        element.p = p
        element.size = size
        p += size
    elif b >= 0xF1 and b <= 0xFD:
        set_number(element, b - 0xF1)
    elif b == 0xFE:
        if left < 1:
            return decline()
        set_number(element, <int8_t>p[0])
        p += 1
    elif b == 0xC0:
        if left < 2:
            return decline()
        set_number(element, <int16_t>(<uint16_t>(p[0] | p[1] << 8)))
        p += 2
    elif b == 0xD0:
        if left < 4:
            return decline()
        set_number(element, <int32_t>load_le32(p))
        p += 4
    elif b == 0xE0:
        if left < 8:
            return decline()
        set_number(element, <int64_t>load_le64(p))
        p += 8
    elif b == 0xF0:
        if left < 3:
            return decline()
        set_number(element, load_i24(p))
        p += 3
    else:
        return decline()
    walk.last = start
    walk.previous = p - start
    walk.p = p
    walk.count += 1
    return 1


cdef int scan_ziplist(Bytes blob, size_t size, int shape, Sink sink) except -1:
    cdef Walk walk
    cdef Element first, second
    cdef double score
    cdef uint32_t declared
    if size < 11 or load_le32(blob) != size or blob[size - 1] != 0xFF:
        return decline()
    walk.p = walk.last = blob + 10
    walk.end = blob + size - 1
    walk.count = walk.previous = 0
    if shape == SHAPE_ELEMENTS:
        while step_ziplist(&walk, &first):
            sink.element(first.p, first.size)
    elif shape == SHAPE_PAIRS:
        while step_ziplist(&walk, &first):
            if not step_ziplist(&walk, &second):
                return decline()
            sink.pair(first.p, first.size, second.p, second.size, -1)
    else:
        while step_ziplist(&walk, &first):
            if not step_ziplist(&walk, &second):
                return decline()
            element_score(&second, &score)
            sink.score(first.p, first.size, score)
    declared = blob[8] | <uint32_t>blob[9] << 8
    if (declared != 65535 and declared != walk.count) or load_le32(blob + 4) != <uint64_t>(walk.last - blob):
        return decline()
    return 0


# ---- intset (format A11.3) ---------------------------------------------------------------------

cdef int scan_intset(Bytes blob, size_t size, Sink sink) except -1:
    cdef uint64_t width, count, i
    cdef char text[24]
    cdef int64_t number
    cdef Bytes p = blob + 8
    if size < 8:
        return decline()
    width = load_le32(blob)
    count = load_le32(blob + 4)
    if (width != 2 and width != 4 and width != 8) or count == 0 or 8 + width * count != size:
        return decline()
    for i in range(count):
        if width == 2:
            number = <int16_t>(<uint16_t>(p[0] | p[1] << 8))
        elif width == 4:
            number = <int32_t>load_le32(p)
        else:
            number = <int64_t>load_le64(p)
        p += width
        sink.element(<Bytes>text, rt_i64_text(number, text))
    return 0


# ---- zipmap (format A11.4) ---------------------------------------------------------------------

cdef inline int zipmap_length(Bytes *at, Bytes end, uint64_t *out) except -1:
    cdef Bytes p = at[0]
    if p >= end or p[0] == 255:
        return decline()
    if p[0] < 254:
        out[0] = p[0]
        at[0] = p + 1
        return 0
    if end - p < 5:
        return decline()
    out[0] = load_le32(p + 1)
    if out[0] < 254:
        return decline()
    at[0] = p + 5
    return 0


cdef int scan_zipmap(Bytes blob, size_t size, Sink sink) except -1:
    cdef Bytes p, end, field, value
    cdef uint64_t field_size, value_size, unused, count = 0
    if size < 2 or blob[size - 1] != 0xFF:
        return decline()
    p = blob + 1
    end = blob + size - 1
    while p < end:
        zipmap_length(&p, end, &field_size)
        if field_size > <uint64_t>(end - p):
            return decline()
        field = p
        p += field_size
        zipmap_length(&p, end, &value_size)
        if p >= end:
            return decline()
        unused = p[0]
        p += 1
        if value_size + unused > <uint64_t>(end - p):
            return decline()
        value = p
        p += value_size + unused
        count += 1
        sink.pair(field, field_size, value, value_size, -1)
    if blob[0] != 254 and blob[0] != count:
        return decline()
    return 0
