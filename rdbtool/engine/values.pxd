from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

cdef extern from "pack.h":
    enum:
        PACK_PLAIN
        PACK_PAIR
        PACK_SCORE
        PACK_ID
    uint64_t PACK_HOLE
    ctypedef struct pack_index:
        uint32_t size
    ctypedef struct pack:
        uint8_t *blob
        void *offsets
        pack_index *index
        size_t used
        size_t room
        size_t waste
        uint32_t first
        uint32_t count
        uint32_t live
        uint8_t kind
    ctypedef struct pack_entry:
        const uint8_t *name
        const uint8_t *value
        size_t name_size
        size_t value_size
        size_t size
    void pack_read(const pack *p, uint64_t offset, pack_entry *entry) noexcept nogil
    uint64_t pack_offset(const pack *p, uint32_t at) noexcept nogil

cdef extern from "order.h":
    ctypedef struct order:
        pass


# Reads the entry at the first position from ``at`` on that is no hole; returns the next position, 0 after the last one.
cdef inline uint32_t next_entry(const pack *p, uint32_t at, pack_entry *entry) noexcept nogil:
    cdef uint64_t offset
    if at < p.first:
        at = p.first
    while at < p.first + p.count:
        offset = pack_offset(p, at)
        at += 1
        if offset != PACK_HOLE:
            pack_read(p, offset, entry)
            return at
    return 0


cdef class ListData:
    cdef pack p
    cdef int push(self, tuple words, Py_ssize_t start, bint left) except -1
    cdef bytes take(self, uint32_t at)
    cdef uint32_t place(self, Py_ssize_t index) except? 0xffffffff
    cdef int cut(self, uint32_t start, uint32_t stop) except -1


cdef class SetData:
    cdef pack p
    cdef public dict expires
    cdef public int layout
    cdef Py_ssize_t add_words(self, tuple words, Py_ssize_t start) except -1
    cdef int make_room(self, bytes member) except -1
    cdef bint add(self, bytes member) except -1
    cdef bint remove(self, bytes member) except -1


cdef class HashData:
    cdef pack p
    cdef public dict expires
    cdef public bint keeps
    cdef int find(self, bytes field, pack_entry *entry) except -1
    cdef bint set(self, bytes field, const uint8_t *value, size_t size) except -1
    cdef bint remove(self, bytes field) except -1
    cdef Py_ssize_t set_words(self, tuple words, Py_ssize_t start) except -1
    cpdef forget_expiry(self, bytes field)


cdef class ZSetData:
    cdef pack p
    cdef order *ordered
    cdef public dict expires
    cdef bint find(self, bytes member, double *score) except -1
    cdef int make_order(self) except -1
    cdef int grow(self, size_t bytes, uint32_t places) except -1
    cdef int follow(self, int status, uint32_t *moved, uint32_t first) except -1
    cdef int order_again(self, double score, bytes member, uint32_t at) except -1
    cdef int tidy_up(self) except -1
    cdef bint set(self, bytes member, double score) except -1
    cdef bint remove(self, bytes member) except -1
    cdef int expect(self, tuple words, Py_ssize_t start) except -1
    cdef tuple at_rank(self, uint32_t rank)
    cdef int cut(self, Py_ssize_t start, Py_ssize_t stop, list gone) except -1


cdef bint plain_score(bytes given, double *score) except -1
