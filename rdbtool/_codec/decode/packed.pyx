# Walking the packed encodings (format A11): ziplist, listpack, intset, zipmap.
#
# One walk checks a blob and emits its entries: every length is compared with the bytes, and no entry is reached by a
# length that points outside. Any fault is a plain decline. Duplicates, order and NaN are meaning, and not checked here.

from libc.stdint cimport int8_t, int16_t, int32_t, uint8_t, uint16_t
from libc.string cimport memcpy
from rdbtool._codec.decode.cursor cimport (
    decline, load_be32, load_le32, load_le64, rt_parse_double, rt_parse_i64
)

include "../_types.pxi"


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


cdef int next_listpack(Walk *walk, Element *element) except -1:
    return step_listpack(walk, element, True)


cdef int check_listpack(Walk *walk, int shape) except -1:
    """Check the entries of a listpack for a sink that ignores them."""
    cdef Element element
    cdef double score
    cdef int64_t expire
    while step_listpack(walk, &element, False):
        if shape == SHAPE_ELEMENTS:
            continue
        if not step_listpack(walk, &element, False):
            return decline()
        if shape == SHAPE_SCORES:
            element_score(&element, &score)
        elif shape == SHAPE_TRIPLES:
            if not step_listpack(walk, &element, False):
                return decline()
            element_expiry(&element, &expire)
    return 0


cdef int scan_listpack(Bytes blob, size_t size, int shape, Sink sink) except -1:
    cdef Walk walk
    cdef Element first, second, third
    cdef double score
    cdef int64_t expire
    open_listpack(blob, size, &walk)
    if sink.ignores_values:
        check_listpack(&walk, shape)
    elif shape == SHAPE_ELEMENTS:
        while step_listpack(&walk, &first, True):
            sink.element(first.p, first.size)
    elif shape == SHAPE_PAIRS:
        while step_listpack(&walk, &first, True):
            if not step_listpack(&walk, &second, True):
                return decline()
            sink.pair(first.p, first.size, second.p, second.size, -1)
    elif shape == SHAPE_SCORES:
        while step_listpack(&walk, &first, True):
            if not step_listpack(&walk, &second, True):
                return decline()
            element_score(&second, &score)
            sink.score(first.p, first.size, score)
    else:
        while step_listpack(&walk, &first, True):
            if not step_listpack(&walk, &second, True) or not step_listpack(&walk, &third, True):
                return decline()
            element_expiry(&third, &expire)
            sink.pair(first.p, first.size, second.p, second.size, expire)
    return close_listpack(blob, &walk)


# ---- ziplist (format A11.1) --------------------------------------------------------------------

cdef inline int step_ziplist(Walk *walk, Element *element, bint texts) except -1:
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
        set_number(element, b - 0xF1, texts)
    elif b == 0xFE:
        if left < 1:
            return decline()
        set_number(element, <int8_t>p[0], texts)
        p += 1
    elif b == 0xC0:
        if left < 2:
            return decline()
        set_number(element, <int16_t>(<uint16_t>(p[0] | p[1] << 8)), texts)
        p += 2
    elif b == 0xD0:
        if left < 4:
            return decline()
        set_number(element, <int32_t>load_le32(p), texts)
        p += 4
    elif b == 0xE0:
        if left < 8:
            return decline()
        set_number(element, <int64_t>load_le64(p), texts)
        p += 8
    elif b == 0xF0:
        if left < 3:
            return decline()
        set_number(element, load_i24(p), texts)
        p += 3
    else:
        return decline()
    walk.last = start
    walk.previous = p - start
    walk.p = p
    walk.count += 1
    return 1


cdef int check_ziplist(Walk *walk, int shape) except -1:
    """Check the entries of a ziplist for a sink that ignores them."""
    cdef Element element
    cdef double score
    while step_ziplist(walk, &element, False):
        if shape == SHAPE_ELEMENTS:
            continue
        if not step_ziplist(walk, &element, False):
            return decline()
        if shape == SHAPE_SCORES:
            element_score(&element, &score)
    return 0


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
    if sink.ignores_values:
        check_ziplist(&walk, shape)
    elif shape == SHAPE_ELEMENTS:
        while step_ziplist(&walk, &first, True):
            sink.element(first.p, first.size)
    elif shape == SHAPE_PAIRS:
        while step_ziplist(&walk, &first, True):
            if not step_ziplist(&walk, &second, True):
                return decline()
            sink.pair(first.p, first.size, second.p, second.size, -1)
    else:
        while step_ziplist(&walk, &first, True):
            if not step_ziplist(&walk, &second, True):
                return decline()
            element_score(&second, &score)
            sink.score(first.p, first.size, score)
    declared = blob[8] | <uint32_t>blob[9] << 8
    if (declared != 65535 and declared != walk.count) or load_le32(blob + 4) != <uint64_t>(walk.last - blob):
        return decline()
    return 0


# ---- intset (format A11.3) ---------------------------------------------------------------------

cdef int scan_intset(Bytes blob, size_t size, Sink sink) except -1:
    cdef uint64_t width, count
    if size < 8:
        return decline()
    width = load_le32(blob)
    count = load_le32(blob + 4)
    if (width != 2 and width != 4 and width != 8) or count == 0 or 8 + width * count != size:
        return decline()
    return sink.intset(blob + 8, width, count)


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
