# Framing of commands in an AOF (format C1): strict, as servers write them.
#
# These functions return SOUND (valid), SHORT (the record continues after the available bytes) or BAD. They raise
# nothing and make no objects, so the same code serves batches, the check and the search after damage.

from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memchr
from rdbtool._codec.decode.cursor cimport Bytes

cdef enum:
    SOUND = 1
    SHORT = 0
    BAD = -1

cdef enum:
    MAX_DIGITS = 18             # of a count or size: below 10**18 no sum of two overflows
    MAX_LINE = 1023             # bytes of an annotation with its line end: what servers read at once
    LEAST_ARGUMENT = 6          # bytes of the shortest argument, $0 and two line ends


cdef struct Reach:
    Bytes end
    uint64_t beyond             # bytes that may follow `end`: 0 at the end of the source, UINT64_MAX: unknown


cdef struct Record:
    uint64_t argc               # 0: an annotation
    Bytes name                  # of the command, or the text of the annotation
    size_t name_size
    Bytes first                 # where the first argument's header begins
    Bytes stop


cdef inline int missing(Reach *reach, uint64_t count) noexcept nogil:
    return BAD if count > reach.beyond else SHORT


cdef inline int header(Bytes *at, Reach *reach, uint8_t mark, uint64_t *out) noexcept nogil:
    """Read a type character, one to eighteen digits and a line end."""
    cdef Bytes p = at[0]
    cdef Bytes end = reach.end
    cdef Bytes digits
    cdef uint64_t value = 0
    cdef uint8_t digit
    if end - p >= 6 and p[0] == mark:
        # One or two digits, as in nearly all headers.
        value = <uint8_t>(p[1] - 48)
        if value <= 9:
            if p[2] == 13 and p[3] == 10:
                at[0] = p + 4
                out[0] = value
                return SOUND
            digit = <uint8_t>(p[2] - 48)
            if digit <= 9 and p[3] == 13 and p[4] == 10:
                at[0] = p + 5
                out[0] = value * 10 + digit
                return SOUND
        value = 0
    if p >= end:
        return missing(reach, 1)
    if p[0] != mark:
        return BAD
    p += 1
    digits = p
    while True:
        if p >= end:
            return missing(reach, 1)
        digit = <uint8_t>(p[0] - 48)
        if digit > 9:
            break
        if p - digits == MAX_DIGITS:
            return BAD
        value = value * 10 + digit
        p += 1
    if p == digits or p[0] != 13:
        return BAD
    if p + 1 >= end:
        return missing(reach, 1)
    if p[1] != 10:
        return BAD
    at[0] = p + 2
    out[0] = value
    return SOUND


cdef inline int argument(Bytes *at, Reach *reach, Bytes *text, uint64_t *size) noexcept nogil:
    """Read one argument: its size, its bytes, a line end."""
    cdef Bytes p = at[0]
    cdef uint64_t held
    cdef int status = header(&p, reach, 36, size)
    if status != SOUND:
        return status
    held = <uint64_t>(reach.end - p)
    if size[0] + 2 > held:
        status = missing(reach, size[0] + 2 - held)
        # Of the two bytes after it, one may be available and wrong already.
        return BAD if size[0] < held and p[size[0]] != 13 else status
    if p[size[0]] != 13 or p[size[0] + 1] != 10:
        return BAD
    text[0] = p
    at[0] = p + size[0] + 2
    return SOUND


cdef inline int command_head(Bytes p, Reach *reach, Record *record) noexcept nogil:
    """Read the count of arguments; ``stop`` is set after it."""
    cdef int status = header(&p, reach, 42, &record.argc)
    if status == SOUND and record.argc == 0:
        return BAD
    record.first = record.stop = p
    return status


cdef inline int annotation(Bytes p, Reach *reach, Record *record) noexcept nogil:
    cdef uint64_t held = <uint64_t>(reach.end - p)
    cdef Bytes line_end = <Bytes>memchr(p, 10, held if held < MAX_LINE else MAX_LINE)
    if line_end == NULL:
        return BAD if held >= MAX_LINE else missing(reach, 1)
    if (line_end - 1)[0] != 13:
        return BAD
    record.argc = 0
    record.name = p
    record.name_size = <size_t>(line_end - 1 - p)
    record.stop = line_end + 1
    return SOUND


cdef inline int walk(Reach *reach, Record *record, uint64_t *steps) noexcept nogil:
    """Walk over all arguments; ``steps`` limits how many are examined and is counted down."""
    cdef Bytes p = record.first
    cdef Bytes text
    cdef uint64_t size, i
    cdef int status
    for i in range(record.argc):
        if steps[0] == 0:
            return BAD
        steps[0] -= 1
        status = argument(&p, reach, &text, &size)
        if status != SOUND:
            return status
        if i == 0:
            record.name = text
            record.name_size = size
    record.stop = p
    return SOUND
