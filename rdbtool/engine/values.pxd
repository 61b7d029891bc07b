from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint32_t, uint64_t
from rdbtool._codec.decode.raw_commands cimport Word

cdef extern from "pack.h":
    enum:
        PACK_PLAIN
        PACK_PAIR
        PACK_SCORE
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
    ctypedef struct pack_filter:
        pass
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


cdef inline Word word_of(bytes data) noexcept:
    return Word(<const uint8_t *>PyBytes_AS_STRING(data), <size_t>PyBytes_GET_SIZE(data))


cdef inline bytes bytes_of(Word word):
    return PyBytes_FromStringAndSize(<const char *>word.text, <Py_ssize_t>word.size)


# Reads a canonical integer of 64 bits.
cdef inline bint read_int(Word given, int64_t *number) noexcept:
    cdef const uint8_t *p = given.text
    cdef size_t size = given.size, i
    cdef bint is_negative = size > 1 and p[0] == c"-"
    cdef uint64_t total = 0
    if is_negative:
        p += 1
        size -= 1
    if not 1 <= size <= 19 or (p[0] == c"0" and (size > 1 or is_negative)):
        return False
    for i in range(size):
        if not c"0" <= p[i] <= c"9":
            return False
        # 19 digits do not overflow.
        total = total * 10 + <uint64_t>(p[i] - c"0")
    if total > <uint64_t>INT64_MAX + is_negative:
        return False
    number[0] = <int64_t>(0 - total) if is_negative else <int64_t>total
    return True


cdef class ListData:
    cdef pack p
    cdef int push(self, const Word *words, Py_ssize_t count, bint left) except -1
    cdef int replace(self, Py_ssize_t index, Word element) except -1
    cdef bytes take(self, uint32_t at)
    cdef uint32_t place(self, Py_ssize_t index) except? 0xffffffff
    cdef int cut(self, uint32_t start, uint32_t stop) except -1


cdef class SetData:
    cdef pack p
    cdef public dict expires
    cdef public int layout
    cdef Py_ssize_t add_words(self, const Word *words, Py_ssize_t count) except -1
    cdef int make_room(self, Word member) except -1
    cdef bint add(self, Word member, pack_filter *filter) except -1
    cdef bint remove(self, Word member) except -1


cdef class HashData:
    cdef pack p
    cdef public dict expires
    cdef public bint keeps
    cdef int find(self, Word field, pack_entry *entry) except -1
    cdef bint set(self, Word field, Word value, pack_filter *filter) except -1
    cdef bint remove(self, Word field) except -1
    cdef Py_ssize_t set_words(self, const Word *words, Py_ssize_t count) except -1
    cpdef forget_expiry(self, bytes field)


cdef class ZSetData:
    cdef pack p
    cdef order *ordered
    cdef public dict expires
    cdef bint find(self, Word member, double *score) except -1
    cdef int make_order(self) except -1
    cdef int grow(self, size_t bytes, uint32_t places) except -1
    cdef int follow(self, int status, uint32_t *moved, uint32_t first) except -1
    cdef int order_again(self, double score, Word member, uint32_t at) except -1
    cdef int tidy_up(self) except -1
    cdef bint set(self, Word member, double score, bint anew, pack_filter *filter) except -1
    cdef bint remove(self, Word member) except -1
    cdef pack_filter *expect(self, const Word *words, Py_ssize_t count, pack_filter *room) except? NULL
    cdef tuple at_rank(self, uint32_t rank)
    cdef int cut(self, Py_ssize_t start, Py_ssize_t stop, list gone) except -1


cdef bint plain_score(Word given, double *score) except -1
