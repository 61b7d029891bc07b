# The window over an input: what was read and not yet consumed.

from libc.stdint cimport int64_t, uint64_t, uint8_t
from rdbtool._codec.decode.cursor cimport Bytes

cdef class Window:
    cdef object readinto            # callable(memoryview) -> int, 0 at the end
    cdef object reread              # callable(memoryview, offset) -> int, None: the input can be read only once
    cdef object limit               # callable() -> int: maximum size of the window, bytes
    cdef object crc64               # callable(memoryview, int) -> int, None: no checksum is needed
    cdef uint8_t *buffer
    cdef size_t capacity
    cdef size_t start               # of the current item
    cdef size_t stop                # end of what was read
    cdef size_t crc_at              # the checksum is computed up to here
    cdef int64_t base               # input offset of buffer[0]
    cdef int64_t size               # of the input, -1: unknown
    cdef int64_t most               # bytes that an item may ever take, -1: unknown
    cdef size_t wanted              # bytes that the current item is known to take, 0: unknown
    cdef bint at_end                # the input has no more
    cdef readonly object checksum   # CRC-64 up to crc_at

    cdef int refill(self) except -1
    cdef int announce(self, uint64_t count, uint64_t least) except -1
    cdef int advance_checksum(self, size_t upto) except -1
    cdef object span(self, int64_t at, Bytes stop)
