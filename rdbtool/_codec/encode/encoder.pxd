# The base of sinks that write bytes: a record's output is passed on when the record is complete.

from libc.stdint cimport int64_t, uint64_t
from libc.string cimport strlen
from rdbtool._codec.decode.cursor cimport Bytes, rt_copy, rt_double_text, rt_i64_text, rt_u64_text
from rdbtool._codec.room cimport Room
from rdbtool._codec.sink cimport Sink

cdef enum:
    LARGE = 1 << 18             # strings from this size on are passed on in pieces
    HAND_ON = 1 << 16           # bytes at which output is passed on
    MANY_PAGES = 1 << 18        # and to a file that gets its name at its end
    PAGE = 1 << 12

cdef class Encoder(Sink):
    cdef object write               # callable(bytes)
    cdef bint takes_views           # and with memory that changes afterwards
    cdef bint in_pages              # it is read when it is complete: pieces may end within a record
    cdef size_t enough              # bytes at which output is passed on
    cdef readonly uint64_t handed_on        # bytes
    cdef char *data
    cdef size_t size
    cdef size_t capacity
    cdef size_t committed           # bytes that belong to complete records
    cdef Room room                  # in which the output of a range stays, None: it is passed on

    cdef int make_room(self, size_t more) except -1
    cdef int pass_on(self, object piece) except -1
    cdef int hand_on(self, size_t size) except -1
    cdef int put_large(self, const char *p, size_t size) except -1

    cdef inline int reserve(self, size_t more) except -1:
        if self.size + more > self.capacity:
            return self.make_room(more)
        return 0

    cdef inline int put(self, const void *p, size_t size) except -1:
        if size >= LARGE and self.may_spill:
            return self.put_large(<const char *>p, size)
        self.reserve(size)
        rt_copy(self.data + self.size, p, size)
        self.size += size
        return 0

    cdef inline int put_char(self, char c) except -1:
        self.reserve(1)
        self.data[self.size] = c
        self.size += 1
        return 0

    cdef inline int put_u64(self, uint64_t number) except -1:
        self.reserve(24)
        self.size += rt_u64_text(number, self.data + self.size)
        return 0

    cdef inline int put_i64(self, int64_t number) except -1:
        self.reserve(24)
        self.size += rt_i64_text(number, self.data + self.size)
        return 0

    cdef inline int put_double(self, double number) except -1:
        self.reserve(40)
        self.size += rt_double_text(number, self.data + self.size, 0)
        return 0

    # A literal: the compiler computes its length.
    cdef inline int put_text(self, const char *literal) except -1:
        return self.put(literal, strlen(literal))
