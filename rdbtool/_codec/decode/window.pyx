# The window over an input: what was read and not yet consumed.
#
# It is filled by large reads and refilled at the beginning of an item, so one path serves files, pipes and compressed
# input. Only a larger item makes it grow, and no further than bytes arrive.

from cpython.memoryview cimport PyMemoryView_FromMemory
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memmove

from rdbtool.core.errors import RdbToolError
from rdbtool.core.location import Span
from rdbtool.model.items import REST_SAMPLE

cdef extern from "Python.h":
    int PyBUF_READ
    int PyBUF_WRITE

cdef enum:
    CAPACITY = 1 << 19          # initial size in bytes
    SPACIOUS = 1 << 23          # bytes that are freed when they are no longer needed


class WindowLimitError(Exception):
    """The window may not grow to the size that the item needs."""


cdef class Window:
    def __init__(self, readinto, crc64, limit, int64_t size, int64_t base=0, reread=None, int64_t most=-1):
        self.readinto = readinto
        self.crc64 = crc64
        self.limit = limit
        self.reread = reread
        self.size = size
        self.most = most
        self.base = base
        self.checksum = 0
        self.capacity = CAPACITY
        if 0 <= size < base + CAPACITY:
            self.capacity = <size_t>max(0, size - base) + 16
        self.buffer = <uint8_t *>malloc(self.capacity)
        if self.buffer == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.buffer)

    @property
    def at(self):
        """Input offset of the current item, in bytes."""
        return self.base + <int64_t>self.start

    def peek(self, int64_t at, size_t size):
        """Return up to ``size`` bytes at offset ``at`` of the input, fewer only at its end."""
        cdef size_t offset
        if at < self.base + <int64_t>self.start:
            raise ValueError(f"offset {at} was consumed")
        while self.base + <int64_t>self.stop < at + <int64_t>size and not self.at_end:
            self.refill()
        if at >= self.base + <int64_t>self.stop:
            return b""
        offset = <size_t>(at - self.base)
        return (<char *>self.buffer)[offset:min(offset + size, self.stop)]

    def left(self, int64_t at):
        """Return the number of bytes from ``at`` to the end of the input, None if unknown."""
        if self.at_end:
            return max(0, self.base + <int64_t>self.stop - at)
        return max(0, self.size - at) if self.size >= 0 else None

    def skip_to(self, int64_t at):
        """Consume everything before ``at``, which is in the window: the reader handled it."""
        self.start = <size_t>(at - self.base)

    def move(self, int64_t at, checksum, readinto=None):
        """Go to offset ``at``, from which the input, or ``readinto``, reads next; ``checksum`` is that of what is before."""
        if readinto is not None:
            self.readinto = readinto
        self.start = self.stop = self.crc_at = self.wanted = 0
        self.base = at
        self.at_end = False
        self.checksum = checksum

    def fill(self, size_t size):
        """Hold exactly ``size`` bytes of the input after a move, fewer only at its end."""
        cdef uint8_t *other
        if self.capacity != size:
            other = <uint8_t *>realloc(self.buffer, size)
            if other == NULL:
                raise MemoryError
            self.buffer = other
            self.capacity = size
        self.refill()

    def drain(self):
        """Consume the rest of the input and return its size in bytes."""
        cdef int64_t begin = self.base + <int64_t>self.start
        if self.size >= 0:
            return max(0, self.size - begin)
        while True:
            self.start = self.stop
            if self.at_end:
                return self.base + <int64_t>self.stop - begin
            self.refill()

    def drain_rest(self):
        """Consume the rest of the input; return its size, its leading NUL bytes, and a sample of what follows those."""
        cdef int64_t begin = self.base + <int64_t>self.start
        cdef int64_t padding
        while True:
            while self.start < self.stop and self.buffer[self.start] == 0:
                self.start += 1
            if self.start < self.stop or self.at_end:
                break
            self.refill()
        padding = self.base + <int64_t>self.start - begin
        sample = self.peek(self.at, REST_SAMPLE)
        rest = padding + self.drain()
        self.shrink()
        return rest, padding, sample

    def shrink(self):
        """Free what a large item needed: nothing more is read for some time."""
        cdef size_t kept = self.stop - self.start
        cdef uint8_t *smaller
        if self.capacity <= SPACIOUS or kept >= CAPACITY:
            return
        self.advance_checksum(self.start)
        memmove(self.buffer, self.buffer + self.start, kept)
        self.base += <int64_t>self.start
        self.crc_at -= self.start
        self.stop = kept
        self.start = 0
        smaller = <uint8_t *>realloc(self.buffer, 2 * CAPACITY)
        if smaller != NULL:
            self.buffer = smaller
            self.capacity = 2 * CAPACITY

    def restart_checksum(self):
        """Restart the checksum here, without what was consumed."""
        self.crc_at = self.start
        self.checksum = 0

    def forget_checksum(self):
        """Stop computing the checksum."""
        self.crc64 = None

    def checksum_up_to(self, int64_t at):
        """Return the CRC-64 of everything before ``at``, which is in the window."""
        self.advance_checksum(<size_t>(at - self.base))
        return self.checksum

    cdef int refill(self) except -1:
        """Move the current item to the front and fill the window; double it when the item fills most of it."""
        cdef size_t kept = self.stop - self.start
        cdef size_t capacity = self.capacity
        cdef uint8_t *larger
        cdef Py_ssize_t count
        self.advance_checksum(self.start)
        if self.start:
            memmove(self.buffer, self.buffer + self.start, kept)
            self.base += <int64_t>self.start
            self.crc_at -= self.start
            self.stop = kept
            self.start = 0
        if kept > capacity // 2 or self.wanted > capacity:
            capacity *= 2
            if self.wanted:
                # An item may declare a wrong size: at most twice the available bytes are allocated.
                capacity = max(kept, min(capacity, self.wanted)) + CAPACITY
                self.wanted = 0
            elif self.size >= 0:
                capacity = min(capacity, <size_t>max(0, self.size - self.base) + 16)
            if capacity > CAPACITY and capacity > <size_t>self.limit():
                raise WindowLimitError
            larger = <uint8_t *>realloc(self.buffer, capacity)
            if larger == NULL:
                raise MemoryError
            self.buffer = larger
            self.capacity = capacity
        elif kept < CAPACITY and capacity > SPACIOUS:
            # A large item was consumed.
            larger = <uint8_t *>realloc(self.buffer, 2 * CAPACITY)
            if larger != NULL:
                self.buffer = larger
                self.capacity = 2 * CAPACITY
        while self.stop < self.capacity:
            view = PyMemoryView_FromMemory(<char *>self.buffer + self.stop, self.capacity - self.stop, PyBUF_WRITE)
            try:
                count = self.readinto(view)
            except RdbToolError:
                if self.stop == kept:
                    raise
                # First what was read before it: the input says it again.
                break
            if count <= 0:
                self.at_end = True
                break
            self.stop += count
        return 0

    cdef int announce(self, uint64_t count, uint64_t least) except -1:
        """Raise WindowLimitError if the current item has so many parts of so many bytes that it can never be held."""
        if self.most >= 0 and count > <uint64_t>self.most // least:
            raise WindowLimitError
        return 0

    cdef int advance_checksum(self, size_t upto) except -1:
        if upto > self.crc_at and self.crc64 is None:
            self.crc_at = upto
        elif upto > self.crc_at:
            view = PyMemoryView_FromMemory(<char *>self.buffer + self.crc_at, upto - self.crc_at, PyBUF_READ)
            self.checksum = self.crc64(view, self.checksum)
            self.crc_at = upto
        return 0

    cdef object span(self, int64_t at, Bytes stop):
        return Span(at, self.base + (stop - self.buffer))
