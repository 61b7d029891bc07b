# The consumers of a group while it is received, found by name.

from libc.stdint cimport int64_t, uint64_t
from rdbtool._codec.decode.cursor cimport Bytes, Scratch
from rdbtool._codec.encode.primitives cimport Buffer
from rdbtool._codec.sink cimport Consumer

cdef struct Owner:
    size_t name_at
    size_t name_size
    bint has_seen
    bint has_active
    int64_t seen_at_ms
    int64_t active_at_ms
    uint64_t first              # for callers that sort IDs by owner: index of its first one
    uint64_t ids

cdef class Owners:
    cdef uint64_t count
    cdef Buffer names
    cdef Scratch rows
    cdef dict index
    cdef int64_t last           # the last one found, -1: none

    cdef int clear(self) except -1
    cdef int64_t add(self, Consumer *consumer) except -1
    cdef int64_t find(self, Bytes name, size_t size) except -2

    cdef inline Owner *row(self, uint64_t at) noexcept:
        return <Owner *>self.rows.data + at

    cdef inline Bytes name(self, uint64_t at) noexcept:
        return self.names.scratch.data + self.row(at).name_at
