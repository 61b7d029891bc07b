# The search for a damaged byte by its effect on a CRC-64: see rdbtool.operations.salvage.one_byte.

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free

cdef enum:
    BYTES = 256
    BITS = 64

cdef struct Reached:
    uint64_t state
    uint32_t step               # + 1; 0: the slot is free

cdef struct Steps:
    Reached *slots
    uint64_t mask               # their number, a power of two, - 1


cdef inline uint64_t home(Steps *steps, uint64_t state) noexcept nogil:
    return (state * 0x9E3779B97F4A7C15ull >> 32) & steps.mask


cdef inline void note(Steps *steps, uint64_t state, uint32_t step) noexcept nogil:
    """Note the first step that reached a state. There is room."""
    cdef uint64_t at = home(steps, state)
    while steps.slots[at].step:
        if steps.slots[at].state == state:
            return
        at = (at + 1) & steps.mask
    steps.slots[at].state = state
    steps.slots[at].step = step + 1


cdef inline int64_t look_up(Steps *steps, uint64_t state) noexcept nogil:
    """Return the step that reached a state, -1: none did."""
    cdef uint64_t at = home(steps, state)
    while steps.slots[at].step:
        if steps.slots[at].state == state:
            return <int64_t>steps.slots[at].step - 1
        at = (at + 1) & steps.mask
    return -1


cdef uint64_t apply(const uint64_t *matrix, uint64_t state) noexcept nogil:
    cdef uint64_t result = 0
    cdef int bit
    for bit in range(BITS):
        result ^= matrix[bit] & (0 - (state >> bit & 1))
    return result


cdef bint meet(Steps *steps, uint64_t state, uint64_t size, uint64_t width, const uint64_t *table,
               const uint64_t *origin, const uint64_t *leap, uint64_t *at, int *change) noexcept nogil:
    cdef uint64_t sums[BYTES]
    cdef uint64_t bits[8]
    cdef uint64_t step, leaped = 0, byte
    cdef int64_t found
    cdef int i, low
    # The register after reverse steps, then leaps forward from each byte with which it can have begun.
    for step in range(min(width, size)):
        note(steps, state, <uint32_t>step)
        byte = origin[state >> 56]
        state = (state ^ table[byte]) << 8 | byte
    for i in range(8):
        bits[i] = table[1 << i]
    sums[0] = 0
    while leaped < size:
        for i in range(1, BYTES):
            low = 0
            while not i >> low & 1:
                low += 1
            sums[i] = sums[i & (i - 1)] ^ bits[low]
            found = look_up(steps, sums[i])
            if found >= 0 and leaped + <uint64_t>found < size:
                at[0] = size - 1 - leaped - <uint64_t>found
                change[0] = i
                return True
        for i in range(8):
            bits[i] = apply(leap, bits[i])
        leaped += width
    return False


def search(uint64_t difference, uint64_t size, uint64_t width, table, origin, leap):
    """Return the offset of the damaged byte of ``size`` bytes, and what it is XORed with; None if it is not one byte.

    ``difference`` is the checksum XOR the expected one. ``width``: single steps, and the steps of a leap. ``table`` has
    the checksum of each byte, ``origin`` the byte by the highest eight bits of its checksum, ``leap`` the effect of a
    leap on each bit.
    """
    cdef Steps steps
    cdef uint64_t tables[2 * BYTES + BITS]
    cdef uint64_t at = 0
    cdef int change = 0, i
    cdef bint found
    if not 0 < width <= 1 << 24:
        raise ValueError("width")
    for i in range(BYTES):
        tables[i] = table[i]
        tables[BYTES + i] = origin[i]
    for i in range(BITS):
        tables[2 * BYTES + i] = leap[i]
    steps.mask = 1
    while steps.mask < 2 * width:
        steps.mask <<= 1
    steps.slots = <Reached *>calloc(steps.mask, sizeof(Reached))
    if steps.slots == NULL:
        raise MemoryError
    steps.mask -= 1
    with nogil:
        found = meet(&steps, difference, size, width, tables, tables + BYTES, tables + 2 * BYTES, &at, &change)
    free(steps.slots)
    return (at, change) if found else None
