# The cold half of the cursor: running out, integers and LZF, scratch memory.

from libc.stdint cimport UINT64_MAX
from libc.stdlib cimport realloc, free
from libc.string cimport memcpy

include "../_types.pxi"


class Declined(Exception):
    """The bytes are not what the codec accepts; the grammar says why."""


class NeedMore(Exception):
    """The record continues after the window."""


class NeedValidation(Exception):
    """The record is so large that a sink may receive it only once it is known to be valid."""


cdef int decline() except -1:
    raise Declined


cdef int starve(Cursor *c, uint64_t wanted) except -1:
    if c.final or (c.beyond != UINT64_MAX and wanted - <uint64_t>(c.end - c.p) > c.beyond):
        raise Declined
    raise NeedMore


cdef int respill() except -1:
    raise NeedValidation


cdef int grow(Scratch *scratch, size_t size) except -1:
    cdef uint8_t *data
    cdef size_t capacity = 256
    if size <= scratch.capacity:
        return 0
    while capacity < size:
        capacity *= 2
    data = <uint8_t *>realloc(scratch.data, capacity)
    if data == NULL:
        raise MemoryError
    scratch.data = data
    scratch.capacity = capacity
    return 0


cdef void release(Scratch *scratch) noexcept:
    free(scratch.data)
    scratch.data = NULL
    scratch.capacity = 0


cdef int read_encoded_str(Cursor *c, uint64_t encoding, Scratch *scratch, Limits *limits, size_t most, Str *out) except -1:
    cdef uint64_t packed, size
    cdef int64_t number
    if encoding < 3:
        if encoding == 0:
            need(c, 1)
            number = <int8_t>c.p[0]
            c.p += 1
        elif encoding == 1:
            need(c, 2)
            number = <int16_t>(<uint16_t>(c.p[0] | c.p[1] << 8))
            c.p += 2
        else:
            need(c, 4)
            number = <int32_t>load_le32(c.p)
            c.p += 4
        grow(scratch, 32)
        out.size = rt_i64_text(number, <char *>scratch.data)
        out.p = scratch.data
        out.form = FORM_INT
        return 0
    if encoding != 3:
        return decline()
    read_len(c, &packed)
    read_len(c, &size)
    # `packed` precedes the bytes it counts, so it is compared with what is left first.
    if packed == 0 or size == 0 or size > most or packed < (size + LZF_MAX_RATIO - 1) // LZF_MAX_RATIO:
        return decline()
    need(c, packed)
    if limits.spill_at and size >= limits.spill_at:
        return respill()
    grow(scratch, size + RT_LZF_SLACK)
    if not rt_lzf_inflate(c.p, packed, scratch.data, size):
        return decline()
    c.p += packed
    out.p = scratch.data
    out.size = size
    out.form = FORM_LZF
    return 0
