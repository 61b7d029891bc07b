# Lines of keys that differ.

from libc.stdint cimport int64_t, uint64_t
from rdbtool._codec.decode.cursor cimport Bytes
from rdbtool._codec.encode.text cimport JsonText
from rdbtool._codec.sink cimport Head

cdef class DiffLines(JsonText):
    cdef readonly bint as_json
    cdef readonly bint brief
    cdef readonly object describe
    cdef object show
    cdef bint is_empty

    # of the current key
    cdef bint was_empty
    cdef uint64_t parts

    cdef int put_described(self, str text) except -1
    cdef int whole(self, char sign, Head *head, uint64_t size) except -1

    # A key that differs: parts are written after `begin_changed`, and `end_changed` returns whether there were any.
    cdef int begin_changed(self, Head *head) except -1
    cdef bint end_changed(self) except -1
    cdef void forget_changed(self) noexcept
    cdef int strings(self, Bytes before, size_t before_size, Bytes after, size_t after_size) except -1
    cdef int field(self, char sign, bytes name, bytes before, bytes after) except -1
    cdef int field_expiry(self, char sign, bytes name, int64_t before, int64_t after) except -1
    cdef int member(self, char sign, bytes name) except -1
    cdef int member_score(self, char sign, bytes name, double before, double after) except -1
    cdef int element_at(self, char sign, uint64_t index, bytes before, bytes after) except -1
    cdef int expiry(self, int64_t before, int64_t after) except -1

    cdef int separate(self) except -1
    cdef int put_head(self, char sign, Head *head) except -1
    cdef bint begin_part(self, char sign, const char *what, const char *shown) except -1
    cdef int end_part(self) except -1
    cdef int put_name(self, bytes name) except -1
    cdef int put_sides(self, char sign, bytes before, bytes after) except -1
    cdef int put_times(self, char sign, int64_t before, int64_t after) except -1
    cdef int put_side(self, bint second) except -1
    cdef int put_grouped(self, uint64_t number) except -1
    cdef int put_quoted(self, Bytes p, size_t size, size_t limit) except -1
    cdef int put_apart(self, Bytes p, size_t size, size_t at) except -1
    cdef int put_score(self, double score) except -1
    cdef int put_moment(self, int64_t expire_at_ms) except -1
    cdef int put_json(self, Bytes p, size_t size) except -1
    cdef int put_expiry(self, int64_t expire_at_ms) except -1
