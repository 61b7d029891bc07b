# C-level view of what is pending in a group, for the loop that executes an AOF's plain commands and for the export.

from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint32_t, uint64_t

cdef extern from "pending.h":
    ctypedef struct pending_row:
        uint64_t ms
        uint64_t seq
        int64_t delivered_at_ms
        uint64_t delivery_count
        PyObject *consumer
    ctypedef struct pending_rows:
        uint64_t length
    pending_row *pending_find(const pending_rows *p, uint64_t ms, uint64_t seq) noexcept
    pending_row *pending_next(const pending_rows *p, uint32_t *block, uint32_t *at) noexcept


cdef class PendingData:
    cdef readonly object consumer
    cdef readonly int64_t delivered_at_ms
    cdef readonly uint64_t delivery_count


cdef class PendingEntries:
    cdef pending_rows held
    cdef int put(self, uint64_t ms, uint64_t seq, consumer, int64_t delivered_at_ms, uint64_t delivery_count) except -1
