# The window over a source: what was read and not yet consumed.

from libc.stdint cimport int64_t, uint8_t
from rdbtool._codec.decode.cursor cimport Bytes

cdef class Window:
    cdef object readinto            # callable(memoryview) -> int, 0 at the end
    cdef object reread              # callable(memoryview, offset) -> int, None: what was read is gone
    cdef object limit               # callable() -> int: how large the window may grow, bytes
    cdef object crc64               # callable(memoryview, int) -> int, None: nobody asks
    cdef uint8_t *buffer
    cdef size_t capacity
    cdef size_t start               # of the item at hand
    cdef size_t stop                # end of what was read
    cdef size_t crc_at              # up to here the checksum is computed
    cdef int64_t base               # source offset of buffer[0]
    cdef int64_t size               # of the source, -1: unknown
    cdef size_t wanted              # bytes that the item at hand is known to take, 0: nobody knows
    cdef bint at_end                # the source has no more
    cdef readonly object checksum   # CRC-64 up to crc_at

    cdef int refill(self) except -1
    cdef int advance_checksum(self, size_t upto) except -1
    cdef object span(self, int64_t at, Bytes stop)
