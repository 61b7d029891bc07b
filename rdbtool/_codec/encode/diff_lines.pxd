# Lines of keys that differ.

from libc.stdint cimport int64_t, uint64_t
from rdbtool._codec.decode.cursor cimport Bytes
from rdbtool._codec.encode.text cimport JsonText
from rdbtool._codec.sink cimport Head

cdef struct String:
    Bytes data
    size_t size
    int64_t expire_at_ms        # of the key, INT64_MIN: it does not expire

cdef class DiffLines(JsonText):
    cdef readonly bint as_json
    cdef readonly bint brief
    cdef readonly object describe
    cdef object show
    cdef bint is_empty

    cdef int put_described(self, str text) except -1
    cdef int whole(self, char sign, Head *head, uint64_t size) except -1
    cdef int strings(self, Head *head, const String *before, const String *after, bint differs, bint expires) except -1

    cdef int separate(self) except -1
    cdef int put_head(self, char sign, Head *head) except -1
    cdef int put_grouped(self, uint64_t number) except -1
    cdef int put_quoted(self, Bytes p, size_t size, size_t limit) except -1
    cdef int put_apart(self, const String *text, size_t at) except -1
    cdef int put_moment(self, int64_t expire_at_ms) except -1
    cdef int put_json(self, Bytes p, size_t size) except -1
    cdef int put_expiry(self, int64_t expire_at_ms) except -1
