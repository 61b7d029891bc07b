# Building blocks of the RDB writer: what servers write, in the forms they choose (format A3, A4, A11).

from libc.math cimport isfinite, signbit
from libc.string cimport memmove
from rdbtool._codec.decode.cursor cimport load_be32, load_be64, release, rt_copy, rt_double_text, rt_i64_text, rt_parse_i64

cdef extern from "../digits17.h":
    int rt_double17_text(double v, char *out) except -1

cdef enum:
    KEPT = 1 << 22              # a buffer that grew beyond this is freed after its record
    INT_TEXT = 11               # longest text of an int32
    COMPRESS_ABOVE = 20         # strings longer than this (bytes) are compressed by servers, if that saves space


cdef int refuse(str what) except -1:
    """Raise ValueError: the target cannot hold this, and the caller must not request it."""
    raise ValueError(f"the target cannot hold {what}: records have to go through TargetFilter")


cdef void trim(Buffer *buffer) noexcept:
    """Empty a buffer for the next record."""
    buffer.size = 0
    if buffer.scratch.capacity > KEPT:
        release(&buffer.scratch)


cdef int put_byte(Buffer *buffer, uint8_t byte) except -1:
    room(buffer, 1)[0] = byte
    buffer.size += 1
    return 0


cdef int put_bytes(Buffer *buffer, const void *p, size_t size) except -1:
    cdef uint8_t *at = room(buffer, size + 1)
    rt_copy(at, p, size)
    buffer.size += size
    return 0


cdef int put_le(Buffer *buffer, uint64_t number, int width) except -1:
    cdef uint8_t *at = room(buffer, 8)
    cdef int i
    for i in range(width):
        at[i] = <uint8_t>(number >> (8 * i))
    buffer.size += width
    return 0


cdef int put_be64(Buffer *buffer, uint64_t number) except -1:
    cdef uint8_t *at = room(buffer, 8)
    cdef int i
    for i in range(8):
        at[i] = <uint8_t>(number >> (56 - 8 * i))
    buffer.size += 8
    return 0


cdef int put_length(Buffer *buffer, uint64_t number) except -1:
    """LEN (format A3), in its shortest form."""
    cdef uint8_t *at = room(buffer, 9)
    if number < 64:
        at[0] = <uint8_t>number
        buffer.size += 1
    elif number < 16384:
        at[0] = <uint8_t>(0x40 | number >> 8)
        at[1] = <uint8_t>number
        buffer.size += 2
    elif number <= 0xFFFFFFFFu:
        at[0] = 0x80
        at[1] = <uint8_t>(number >> 24)
        at[2] = <uint8_t>(number >> 16)
        at[3] = <uint8_t>(number >> 8)
        at[4] = <uint8_t>number
        buffer.size += 5
    else:
        at[0] = 0x81
        buffer.size += 1
        put_be64(buffer, number)
    return 0


cdef int put_string(Buffer *buffer, Bytes p, size_t size, rt_lzf_table *table) except -1:
    """STR (format A4) as servers write it: an integer, compressed if that is smaller, else raw."""
    cdef int64_t number
    cdef uint8_t *at
    if 0 < size <= INT_TEXT and rt_parse_i64(p, size, &number):
        at = room(buffer, 5)
        if -128 <= number <= 127:
            at[0] = 0xC0
            at[1] = <uint8_t>number
            buffer.size += 2
            return 0
        if -32768 <= number <= 32767:
            at[0] = 0xC1
            at[1] = <uint8_t>number
            at[2] = <uint8_t>(number >> 8)
            buffer.size += 3
            return 0
        if -2147483648 <= number <= 2147483647:
            buffer.size += 1
            at[0] = 0xC2
            return put_le(buffer, <uint64_t>number, 4)
    return put_blob(buffer, p, size, table)


cdef int put_blob(Buffer *buffer, Bytes p, size_t size, rt_lzf_table *table) except -1:
    """STR of bytes that are not an integer. ``table`` NULL: nothing is compressed."""
    cdef size_t packed, before, header
    cdef uint8_t *at
    if table != NULL and size > COMPRESS_ABOVE:
        # The compressed bytes are written after the longest header, and moved down to the actual one.
        at = room(buffer, size + 32)
        packed = rt_lzf_deflate(p, size, at + 19, size - 4, table)
        if packed:
            before = buffer.size
            buffer.size += 1
            at[0] = 0xC3
            put_length(buffer, packed)
            put_length(buffer, size)
            header = buffer.size - before
            at = buffer.scratch.data + before
            memmove(at + header, at + 19, packed)
            buffer.size += packed
            return 0
    put_length(buffer, size)
    return put_bytes(buffer, p, size)


cdef inline uint64_t load_length(Bytes *at) noexcept:
    cdef Bytes p = at[0]
    if p[0] < 0x40:
        at[0] = p + 1
        return p[0]
    if p[0] < 0x80:
        at[0] = p + 2
        return <uint64_t>(p[0] & 0x3F) << 8 | p[1]
    if p[0] == 0x80:
        at[0] = p + 5
        return load_be32(p + 1)
    at[0] = p + 9
    return load_be64(p + 1)


cdef Bytes skip_string(Bytes p) noexcept:
    """The end of a STR that was written here."""
    cdef uint64_t size
    if p[0] < 0xC0:
        size = load_length(&p)
        return p + size
    if p[0] < 0xC3:
        return p + 1 + (1 << (p[0] & 3))
    p += 1
    size = load_length(&p)
    load_length(&p)
    return p + size


cdef bint whole_score(double score, int64_t *whole, int level) noexcept:
    """Whether servers of an RDB version print a score as an integer, and as which."""
    cdef double limit = 4503599627370496.0      # 2^52
    if not isfinite(score) or (score == 0 and signbit(score)):
        return False
    # Numbers without a fraction are printed as integers; how large they may be has changed.
    if not (-limit + 1 < score < limit if level < 10 else -1024 * limit <= score <= 1024 * limit):
        return False
    whole[0] = <int64_t>score
    return <double>whole[0] == score


cdef int score_text(double score, char *out, int level) except -1:
    """Write a score as servers of an RDB version print it (format A5); return the length, at most 32."""
    cdef int64_t whole
    if whole_score(score, &whole, level):
        return rt_i64_text(whole, out)
    if isfinite(score) and not (score == 0 and signbit(score)):
        if level < 11:
            return rt_double17_text(score, out)
    return rt_double_text(score, out, 1)


# ---- listpack (format A11.2) -------------------------------------------------------------------

cdef int begin_listpack(Buffer *buffer) except -1:
    room(buffer, 6)
    buffer.size += 6
    return 0


cdef inline int put_backlen(Buffer *buffer, size_t size) except -1:
    cdef uint8_t *at = room(buffer, 5)
    if size <= 127:
        at[0] = <uint8_t>size
        buffer.size += 1
    elif size < 16383:
        at[0] = <uint8_t>(size >> 7)
        at[1] = <uint8_t>(size & 127 | 128)
        buffer.size += 2
    elif size < 2097151:
        at[0] = <uint8_t>(size >> 14)
        at[1] = <uint8_t>(size >> 7 & 127 | 128)
        at[2] = <uint8_t>(size & 127 | 128)
        buffer.size += 3
    elif size < 268435455:
        at[0] = <uint8_t>(size >> 21)
        at[1] = <uint8_t>(size >> 14 & 127 | 128)
        at[2] = <uint8_t>(size >> 7 & 127 | 128)
        at[3] = <uint8_t>(size & 127 | 128)
        buffer.size += 4
    else:
        at[0] = <uint8_t>(size >> 28)
        at[1] = <uint8_t>(size >> 21 & 127 | 128)
        at[2] = <uint8_t>(size >> 14 & 127 | 128)
        at[3] = <uint8_t>(size >> 7 & 127 | 128)
        at[4] = <uint8_t>(size & 127 | 128)
        buffer.size += 5
    return 0


cdef int put_entry(Buffer *buffer, Bytes p, size_t size) except -1:
    """An entry: the text of an int64 as an integer, anything else as a string."""
    cdef int64_t number
    cdef uint8_t *at
    if 0 < size <= 20 and rt_parse_i64(p, size, &number):
        return put_entry_int(buffer, number)
    at = room(buffer, size + 16)
    if size < 64:
        at[0] = <uint8_t>(0x80 | size)
        at += 1
        buffer.size += 1 + size
    elif size < 4096:
        at[0] = <uint8_t>(0xE0 | size >> 8)
        at[1] = <uint8_t>size
        at += 2
        buffer.size += 2 + size
    else:
        at[0] = 0xF0
        at[1] = <uint8_t>size
        at[2] = <uint8_t>(size >> 8)
        at[3] = <uint8_t>(size >> 16)
        at[4] = <uint8_t>(size >> 24)
        at += 5
        buffer.size += 5 + size
    rt_copy(at, p, size)
    return put_backlen(buffer, size + (1 if size < 64 else 2 if size < 4096 else 5))


cdef int put_entry_int(Buffer *buffer, int64_t number) except -1:
    cdef uint8_t *at = room(buffer, 16)
    cdef uint64_t bits = <uint64_t>number
    cdef int width, i
    if 0 <= number <= 127:
        at[0] = <uint8_t>number
        at[1] = 1
        buffer.size += 2
        return 0
    if -4096 <= number <= 4095:
        at[0] = <uint8_t>(0xC0 | (bits >> 8 & 0x1F))
        at[1] = <uint8_t>bits
        at[2] = 2
        buffer.size += 3
        return 0
    if -32768 <= number <= 32767:
        at[0] = 0xF1
        width = 2
    elif -8388608 <= number <= 8388607:
        at[0] = 0xF2
        width = 3
    elif -2147483648 <= number <= 2147483647:
        at[0] = 0xF3
        width = 4
    else:
        at[0] = 0xF4
        width = 8
    for i in range(width):
        at[1 + i] = <uint8_t>(bits >> (8 * i))
    at[1 + width] = <uint8_t>(1 + width)
    buffer.size += 2 + width
    return 0


cdef int end_listpack(Buffer *buffer, size_t start, uint64_t count) except -1:
    """Close the listpack that begins at ``start`` of the buffer."""
    cdef uint8_t *at
    cdef size_t size
    put_byte(buffer, 0xFF)
    size = buffer.size - start
    at = buffer.scratch.data + start
    at[0] = <uint8_t>size
    at[1] = <uint8_t>(size >> 8)
    at[2] = <uint8_t>(size >> 16)
    at[3] = <uint8_t>(size >> 24)
    if count > 65535:
        count = 65535
    at[4] = <uint8_t>count
    at[5] = <uint8_t>(count >> 8)
    return 0


# ---- ziplist (format A11.1) --------------------------------------------------------------------

cdef int begin_ziplist(Ziplist *ziplist) except -1:
    ziplist.buffer.size = 0
    room(&ziplist.buffer, 10)
    ziplist.buffer.size = ziplist.last = 10
    ziplist.previous = 0
    ziplist.count = 0
    return 0


cdef int put_ziplist_entry(Ziplist *ziplist, Bytes p, size_t size) except -1:
    cdef Buffer *buffer = &ziplist.buffer
    cdef size_t start = buffer.size
    cdef int64_t number
    cdef uint8_t *at
    if ziplist.previous < 254:
        put_byte(buffer, <uint8_t>ziplist.previous)
    else:
        put_byte(buffer, 254)
        put_le(buffer, ziplist.previous, 4)
    if 0 < size < 32 and rt_parse_i64(p, size, &number):
        if 0 <= number <= 12 and not ziplist.narrow:
            put_byte(buffer, <uint8_t>(0xF1 + number))
        elif -128 <= number <= 127 and not ziplist.narrow:
            put_byte(buffer, 0xFE)
            put_byte(buffer, <uint8_t>number)
        elif -32768 <= number <= 32767:
            put_byte(buffer, 0xC0)
            put_le(buffer, <uint64_t>number, 2)
        elif -8388608 <= number <= 8388607 and not ziplist.narrow:
            put_byte(buffer, 0xF0)
            put_le(buffer, <uint64_t>number, 3)
        elif -2147483648 <= number <= 2147483647:
            put_byte(buffer, 0xD0)
            put_le(buffer, <uint64_t>number, 4)
        else:
            put_byte(buffer, 0xE0)
            put_le(buffer, <uint64_t>number, 8)
    else:
        if size < 64:
            put_byte(buffer, <uint8_t>size)
        elif size < 16384:
            put_byte(buffer, <uint8_t>(0x40 | size >> 8))
            put_byte(buffer, <uint8_t>size)
        else:
            at = room(buffer, 5)
            at[0] = 0x80
            at[1] = <uint8_t>(size >> 24)
            at[2] = <uint8_t>(size >> 16)
            at[3] = <uint8_t>(size >> 8)
            at[4] = <uint8_t>size
            buffer.size += 5
        put_bytes(buffer, p, size)
    ziplist.last = start
    ziplist.previous = buffer.size - start
    ziplist.count += 1
    return 0


cdef int end_ziplist(Ziplist *ziplist) except -1:
    cdef uint8_t *at
    cdef uint64_t size, last = ziplist.last
    cdef uint64_t count = ziplist.count if ziplist.count < 65535 else 65535
    cdef int i
    put_byte(&ziplist.buffer, 0xFF)
    size = ziplist.buffer.size
    at = ziplist.buffer.scratch.data
    for i in range(4):
        at[i] = <uint8_t>(size >> (8 * i))
        at[4 + i] = <uint8_t>(last >> (8 * i))
    at[8] = <uint8_t>count
    at[9] = <uint8_t>(count >> 8)
    return 0
