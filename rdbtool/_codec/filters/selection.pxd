# Key filters: which records a sink receives.

from libc.stdint cimport int64_t
from rdbtool._codec.decode.cursor cimport Bytes
from rdbtool._codec.sink cimport Head

cdef class Selection:
    cdef readonly tuple patterns        # bytes regular expressions: one must match in the key
    cdef readonly tuple no_patterns     # none of these may match
    cdef readonly frozenset dbs
    cdef readonly frozenset no_dbs
    cdef unsigned int kinds             # bit set of KIND_*
    cdef int expired                    # 1: only expired keys, 0: only others, -1: all
    cdef int64_t now_ms
    cdef int slot_low
    cdef int slot_high                  # -1: all slots
    cdef bint skips                     # the values of other records were valid when they were read before
    cdef int64_t limit                  # -1: no limit
    cdef public int64_t taken           # records selected so far; counted when a record is complete

    cdef bint wants_all(self) noexcept
    cdef bint wants(self, Head *head) except -1


cdef int key_slot(Bytes key, size_t size) noexcept
