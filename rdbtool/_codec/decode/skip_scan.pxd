# The framing of records alone, for who has them in a window.

from libc.stdint cimport int64_t, uint64_t, uint8_t
from rdbtool._codec.decode.cursor cimport Bytes

cdef class SkipScan:
    cdef object reread              # None: nothing is read, see `stop_of`
    cdef uint8_t *buffer
    cdef Bytes p
    cdef Bytes end
    cdef int64_t end_at             # offset of `end`
    cdef int64_t at                 # of the last record
    cdef int64_t begin              # of the range
    cdef bint within                # the range has to be in a window
    cdef bint crossed               # what is next is after that window
    cdef readonly bint ended
    cdef bint valkey
    cdef Bytes key_at               # the STR of the last record's key
    cdef Bytes key_stop

    cdef Bytes stop_of(self, Bytes p, Bytes end) except? NULL
    cdef int64_t tell(self) noexcept
    cdef int step(self) except -1
    cdef int need(self, size_t size) except -1
    cdef int skip(self, uint64_t size) except -1
    cdef int byte(self, uint8_t *out) except -1
    cdef int length(self, uint64_t *out) except -1
    cdef int long_length(self, uint8_t b, uint64_t *out) except -1
    cdef int text(self) except -1
    cdef int encoded_text(self) except -1
    cdef int texts(self, uint64_t each) except -1
    cdef int skip_record(self) except -1
    cdef int value(self, int code) except -1
    cdef int items(self, int code) except -1
    cdef int lengths(self, int count) except -1
    cdef int stream(self, int version) except -1
