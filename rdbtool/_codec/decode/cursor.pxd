# Bounds-checked reading: the cursor of the codec.
#
# A cursor over the window ends where the window ends; more data may follow, so running out raises NeedMore (unless the
# input is known to be too short) and the decoder refills and starts the record again. A cursor over a blob has `beyond`
# = 0 and `final` set: running out there is a decline. Error messages are left to the grammar.

from libc.stdint cimport int64_t, uint64_t, uint32_t, uint8_t, int32_t, int16_t, int8_t, uint16_t
from libc.string cimport memcpy

ctypedef const uint8_t* Bytes

cdef extern from "numbers.h" nogil:
    int rt_u64_text(uint64_t v, char *out)
    int rt_i64_text(int64_t v, char *out)
    int rt_double_text(double v, char *out, int as_server)
    int rt_parse_double(const uint8_t *text, size_t size, double *out)
    int rt_parse_i64(const uint8_t *text, size_t size, int64_t *out)

cdef extern from "copy.h" nogil:
    void rt_copy(void *to, const void *p, size_t size)

cdef extern from "lzf.h" nogil:
    enum: RT_LZF_SLACK
    int rt_lzf_inflate(const uint8_t *data, size_t data_size, uint8_t *out, size_t out_size)

cdef enum:
    FORM_RAW = 0
    FORM_INT = 1
    FORM_LZF = 2

cdef struct Limits:
    size_t max_string       # bytes of a string
    size_t max_blob         # bytes of a packed blob
    size_t spill_at         # decompressed strings from this size on are validated before a sink receives them; 0: never

cdef struct Cursor:
    Bytes p
    Bytes end
    uint64_t beyond         # bytes known to be left in the input after `end`; UINT64_MAX: unknown
    bint final              # nothing can follow `end`

cdef struct Str:
    Bytes p
    size_t size
    int form

cdef struct Scratch:
    uint8_t *data
    size_t capacity

cdef int decline() except -1
cdef int starve(Cursor *c, uint64_t wanted) except -1
cdef int respill() except -1
cdef int grow(Scratch *scratch, size_t size) except -1
cdef void release(Scratch *scratch) noexcept

cdef inline int need(Cursor *c, uint64_t size) except -1:
    if <uint64_t>(c.end - c.p) < size:
        return starve(c, size)
    return 0

cdef inline int read_u8(Cursor *c, uint8_t *out) except -1:
    if c.p >= c.end:
        return starve(c, 1)
    out[0] = c.p[0]
    c.p += 1
    return 0

cdef inline uint64_t load_be64(Bytes p) noexcept:
    cdef uint64_t v = 0
    cdef int i
    for i in range(8):
        v = v << 8 | p[i]
    return v

cdef inline uint32_t load_be32(Bytes p) noexcept:
    return <uint32_t>p[0] << 24 | <uint32_t>p[1] << 16 | <uint32_t>p[2] << 8 | p[3]

cdef inline uint64_t load_le64(Bytes p) noexcept:
    cdef uint64_t v = 0
    cdef int i
    for i in range(8):
        v |= <uint64_t>p[i] << (8 * i)
    return v

cdef inline uint32_t load_le32(Bytes p) noexcept:
    return p[0] | <uint32_t>p[1] << 8 | <uint32_t>p[2] << 16 | <uint32_t>p[3] << 24

# A number of an intset (format A11.3), of 2, 4 or 8 bytes.
cdef inline int64_t intset_number(Bytes p, uint64_t width) noexcept:
    if width == 2:
        return <int16_t>(<uint16_t>(p[0] | p[1] << 8))
    if width == 4:
        return <int32_t>load_le32(p)
    return <int64_t>load_le64(p)

cdef inline int read_i64(Cursor *c, int64_t *out) except -1:
    need(c, 8)
    out[0] = <int64_t>load_le64(c.p)
    c.p += 8
    return 0

cdef inline int read_double(Cursor *c, double *out) except -1:
    cdef uint64_t bits
    need(c, 8)
    bits = load_le64(c.p)
    memcpy(out, &bits, 8)
    c.p += 8
    return 0

# LEN (format A3). `encoded` is set for 11xxxxxx, whose value is the low six bits.
cdef inline int read_len_or_encoding(Cursor *c, uint64_t *out, bint *encoded) except -1:
    cdef uint8_t b
    need(c, 1)
    b = c.p[0]
    encoded[0] = False
    if b < 0x40:
        out[0] = b
        c.p += 1
    elif b < 0x80:
        need(c, 2)
        out[0] = <uint64_t>(b & 0x3F) << 8 | c.p[1]
        c.p += 2
    elif b == 0x80:
        need(c, 5)
        out[0] = load_be32(c.p + 1)
        c.p += 5
    elif b == 0x81:
        need(c, 9)
        out[0] = load_be64(c.p + 1)
        c.p += 9
    elif b >= 0xC0:
        out[0] = b & 0x3F
        encoded[0] = True
        c.p += 1
    else:
        return decline()
    return 0

# A plain number; servers read 11xxxxxx as 0..63 here, and so do we.
cdef inline int read_len(Cursor *c, uint64_t *out) except -1:
    cdef bint encoded
    return read_len_or_encoding(c, out, &encoded)

cdef int read_encoded_str(Cursor *c, uint64_t encoding, Scratch *scratch, Limits *limits, size_t most, Str *out) except -1

# STR (format A4). The bytes are in the window, or in `scratch` for integers and LZF.
cdef inline int read_str_of(Cursor *c, Scratch *scratch, Limits *limits, size_t most, Str *out) except -1:
    cdef uint64_t size
    cdef bint encoded
    read_len_or_encoding(c, &size, &encoded)
    if encoded:
        return read_encoded_str(c, size, scratch, limits, most, out)
    if size > most:
        return decline()
    need(c, size)
    out.p = c.p
    out.size = size
    out.form = FORM_RAW
    c.p += size
    return 0

cdef inline int read_str(Cursor *c, Scratch *scratch, Limits *limits, Str *out) except -1:
    return read_str_of(c, scratch, limits, limits.max_string, out)

# STR that is not looked at.
cdef inline int skip_str(Cursor *c, size_t most) except -1:
    cdef uint64_t size, inflated
    cdef bint encoded
    read_len_or_encoding(c, &size, &encoded)
    if encoded:
        if size > 3:
            return decline()
        if size < 3:
            size = <uint64_t>1 << size
        else:
            read_len(c, &size)
            read_len(c, &inflated)
    if size > most:
        return decline()
    need(c, size)
    c.p += size
    return 0

# STR that holds a packed encoding.
cdef inline int read_blob(Cursor *c, Scratch *scratch, Limits *limits, Str *out) except -1:
    return read_str_of(c, scratch, limits, limits.max_blob, out)
