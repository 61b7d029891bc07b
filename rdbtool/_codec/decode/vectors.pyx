# Vector sets (the module of Redis 8.0): the only module value whose layout is checked.
#
# The value is a sequence of tagged numbers and strings: dimension, number of elements, quantisation with links per
# node, flags, for projected vectors the dimension before and a matrix, then for each element its name, its attributes
# if any element has some, its vector and the numbers of its node. Tags, sizes and counts are compared; node links are
# left to the server, which checks them too. That the tags can be walked at all was checked before.

from libc.stdint cimport int16_t, int32_t, int64_t, int8_t, uint64_t, uint8_t
from rdbtool._codec.decode.cursor cimport Bytes, Cursor, load_le32, need, read_len, rt_i64_text

cdef enum:
    TAG_UNSIGNED = 2
    TAG_STRING = 5
    FLAG_PROJECTED = 1
    FLAG_ATTRIBUTES = 2
    FLOAT = 4                   # bytes
    WIDEST = 1 << 24            # dimensions: products of two do not overflow

# Quantisation: none, to 8 bits, to 1 bit in words of 64.
cdef enum:
    PLAIN
    BYTES
    BITS


cdef inline uint64_t vector_size(uint64_t quantisation, uint64_t dimension) noexcept:
    if quantisation == PLAIN:
        return FLOAT * dimension
    if quantisation == BYTES:
        return dimension
    return 8 * ((dimension + 63) // 64)


cdef int string_size(Cursor *c, uint64_t *out) except -1:
    """Skip a STR; `out` is the size of its value in bytes."""
    cdef uint64_t packed
    cdef uint8_t b
    cdef int64_t number
    cdef char text[24]
    need(c, 1)
    b = c.p[0]
    if b < 0xC0:
        read_len(c, out)
        need(c, out[0])
        c.p += out[0]
        return 0
    c.p += 1
    if b == 0xC3:
        read_len(c, &packed)
        read_len(c, out)
        need(c, packed)
        c.p += packed
        return 0
    need(c, 1 << (b & 3))
    if b == 0xC0:
        number = <int8_t>c.p[0]
    elif b == 0xC1:
        number = <int16_t>(c.p[0] | c.p[1] << 8)
    else:
        number = <int32_t>load_le32(c.p)
    c.p += 1 << (b & 3)
    out[0] = rt_i64_text(number, text)
    return 0


cdef inline bint take(Cursor *c, uint64_t tag, uint64_t *out) except -1:
    """Read a number, or the size of a string; return False, without reading, if something else is next."""
    cdef uint64_t found
    cdef Bytes before = c.p
    read_len(c, &found)
    if found != tag:
        c.p = before
        return False
    if tag == TAG_UNSIGNED:
        read_len(c, out)
    else:
        string_size(c, out)
    return True


cdef tuple check_vector_set(Bytes raw, size_t size):
    """Return the fault of the value: (element or -1, what, expected, found), None if there is none.

    ``expected`` and ``found`` are None for a missing part. For a set without elements "what" is "empty".
    """
    cdef Cursor c
    cdef uint64_t id, dimension, count, config, flags, before, bytes_, numbers, ignored, i, j, quantisation
    c.p = raw
    c.end = raw + size
    c.beyond = 0
    c.final = True
    read_len(&c, &id)
    if not take(&c, TAG_UNSIGNED, &dimension):
        return (-1, "dimension", None, None)
    if not take(&c, TAG_UNSIGNED, &count):
        return (-1, "count", None, None)
    if not take(&c, TAG_UNSIGNED, &config):
        return (-1, "quantisation", None, None)
    if not take(&c, TAG_UNSIGNED, &flags):
        return (-1, "flags", None, None)
    quantisation = config & 0xFF
    if quantisation > BITS:
        return (-1, "quantisation", 2, quantisation)
    if dimension > WIDEST:
        return (-1, "dimension", WIDEST, dimension)
    if flags & FLAG_PROJECTED:
        if not take(&c, TAG_UNSIGNED, &before):
            return (-1, "projection", None, None)
        if not take(&c, TAG_STRING, &bytes_):
            return (-1, "projection", None, None)
        if before > WIDEST:
            return (-1, "projected dimension", WIDEST, before)
        if before == 0 or bytes_ != FLOAT * dimension * before:
            return (-1, "projection", FLOAT * dimension * max(before, <uint64_t>1), bytes_)
    for i in range(count):
        if not take(&c, TAG_STRING, &ignored):
            return (-1, "count", count, i)
        if flags & FLAG_ATTRIBUTES and not take(&c, TAG_STRING, &ignored):
            return (i, "attributes", None, None)
        if not take(&c, TAG_STRING, &bytes_):
            return (i, "vector", None, None)
        if bytes_ != vector_size(quantisation, dimension):
            return (i, "vector", vector_size(quantisation, dimension), bytes_)
        if not take(&c, TAG_UNSIGNED, &numbers):
            return (i, "node", None, None)
        for j in range(numbers):
            if not take(&c, TAG_UNSIGNED, &ignored):
                return (i, "node", numbers, j)
    read_len(&c, &id)
    if id != 0:
        return (-1, "end", None, None)
    return (-1, "empty", 1, 0) if count == 0 else None
