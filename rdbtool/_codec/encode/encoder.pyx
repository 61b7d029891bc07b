# Buffered output with rollback. Bytes reach `write` only when the record they belong to is complete, or known to be
# valid (`may_spill`), so a reader of the output never sees half a record.

from libc.stdlib cimport free, realloc
from libc.string cimport memmove

cdef enum:
    HAND_ON = 1 << 16           # bytes at which output is passed on


cdef class Encoder(Sink):
    def __init__(self, write):
        self.write = write
        self.buffered = True

    def __dealloc__(self):
        free(self.data)

    cdef int make_room(self, size_t more) except -1:
        cdef size_t capacity
        cdef char *larger
        if self.may_spill and self.size >= HAND_ON:
            self.hand_on(self.size)
            if self.size + more <= self.capacity:
                return 0
        capacity = self.capacity * 2 + more + HAND_ON
        larger = <char *>realloc(self.data, capacity)
        if larger == NULL:
            raise MemoryError
        self.data = larger
        self.capacity = capacity
        return 0

    cdef int pass_on(self, bytes piece) except -1:
        """Write bytes unchanged: the only place where they leave."""
        self.write(piece)
        return 0

    cdef int hand_on(self, size_t size) except -1:
        """Write the first ``size`` bytes and keep the rest."""
        if size:
            self.pass_on(self.data[:size])
            memmove(self.data, self.data + size, self.size - size)
            self.size -= size
            self.committed = 0 if self.committed < size else self.committed - size
        return 0

    cdef int put_large(self, const char *p, size_t size) except -1:
        """Pass a large string on without holding it (its record is known to be valid)."""
        cdef size_t piece
        self.hand_on(self.size)
        while size:
            piece = min(size, <size_t>LARGE)
            self.pass_on(p[:piece])
            p += piece
            size -= piece
        return 0

    cdef int commit(self) except -1:
        self.committed = self.size
        if self.size >= HAND_ON:
            return self.hand_on(self.size)
        return 0

    cdef int rollback(self) noexcept:
        self.size = self.committed
        return 0

    def flush(self):
        """Write what is committed, without closing anything that is open."""
        self.hand_on(self.committed)
