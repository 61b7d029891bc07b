# Rows of keys: which are wanted, and rows for Python.

from libc.stdint cimport int64_t, uint64_t
from rdbtool._codec.sinks.key_sizes cimport KeyObserver, KeySizes

# Skips what is not wanted.
cdef class WantedKeys(KeyObserver):
    cdef uint64_t least
    cdef bint no_ttl

    cdef inline bint wants(self, const KeySizes *row) noexcept:
        return row.memory >= self.least and not (self.no_ttl and row.expire_at_ms != -1)


cdef class KeyRows(WantedKeys):
    cdef list kept
    cdef Py_ssize_t largest
    cdef Py_ssize_t batch
    cdef uint64_t smallest
    cdef int64_t number
