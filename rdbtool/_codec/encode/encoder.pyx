# Buffered output with rollback. Bytes reach `write` only when the record they belong to is complete, or known to be
# valid (`may_spill`), so a reader of the output never sees half a record.

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.memoryview cimport PyMemoryView_FromMemory
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memmove

from rdbtool._codec.room import RoomFullError

cdef extern from "Python.h":
    int PyBUF_READ


cdef class Encoder(Sink):
    def __init__(self, write):
        owner = getattr(write, "__self__", None)
        self.write = write
        # A caller's function may keep what it is given.
        self.takes_views = getattr(owner, "takes_views", False)
        self.in_pages = getattr(owner, "takes_pages", False)
        self.enough = MANY_PAGES if self.in_pages else HAND_ON
        self.buffered = True
        self.fills_room = True

    def __dealloc__(self):
        if self.room is None:
            free(self.data)

    def begin_range(self, room, db):
        """Write into ``room``."""
        if self.room is None:
            free(self.data)
        self.room = room
        self.data = self.room.data
        self.capacity = self.room.size
        self.size = self.committed = 0

    def end_range(self):
        """Leave the output in the room."""
        self.room.used = self.size
        return None

    def add_range(self, result, room):
        """Write what a copy left in ``room``."""
        cdef Room left = room
        cdef size_t at = 0
        self.hand_on(self.size)
        if left.used and self.takes_views:
            self.pass_on(memoryview(left.mapped)[:left.used])
            return True
        while at < left.used:
            self.pass_on(PyBytes_FromStringAndSize(left.data + at, min(left.used - at, <size_t>HAND_ON)))
            at += HAND_ON
        return True

    cdef int make_room(self, size_t more) except -1:
        cdef size_t capacity
        cdef char *larger
        if self.room is not None:
            raise RoomFullError
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

    cdef int pass_on(self, object piece) except -1:
        """Write bytes, or a view of them, unchanged: the only place where they leave."""
        self.handed_on += <uint64_t>len(piece)
        self.write(piece)
        return 0

    cdef int hand_on(self, size_t size) except -1:
        """Write the first ``size`` bytes and keep the rest."""
        if size:
            if self.takes_views:
                self.pass_on(PyMemoryView_FromMemory(self.data, <Py_ssize_t>size, PyBUF_READ))
            else:
                self.pass_on(self.data[:size])
            memmove(self.data, self.data + size, self.size - size)
            self.size -= size
            self.committed = 0 if self.committed < size else self.committed - size
        return 0

    cdef int put_large(self, const char *p, size_t size) except -1:
        """Pass a large string on without holding it (its record is known to be valid)."""
        cdef size_t piece
        if self.room is not None:
            self.reserve(size)
            memcpy(self.data + self.size, p, size)
            self.size += size
            return 0
        self.hand_on(self.size)
        if self.takes_views:
            self.pass_on(PyMemoryView_FromMemory(<char *>p, <Py_ssize_t>size, PyBUF_READ))
            return 0
        while size:
            piece = min(size, <size_t>LARGE)
            self.pass_on(p[:piece])
            p += piece
            size -= piece
        return 0

    cdef int commit(self) except -1:
        cdef size_t beyond = 0
        self.committed = self.size
        if self.size >= self.enough and self.room is None:
            if self.in_pages:
                # A page of a file that is filled by two writes takes the system twice the work.
                beyond = (self.handed_on + self.size) % PAGE
            return self.hand_on(self.size - beyond)
        return 0

    cdef int rollback(self) noexcept:
        self.size = self.committed
        return 0

    def flush(self):
        """Write what is committed, without closing anything that is open."""
        self.hand_on(self.committed)
