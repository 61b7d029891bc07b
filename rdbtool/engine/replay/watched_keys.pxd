# C-level view of the keys that a replay looks for, for the loop over plain commands.

from libc.stdint cimport uint64_t


cdef class WatchedKeys:
    cdef readonly tuple exact
    cdef readonly tuple globs
    cdef readonly tuple patterns
    cdef readonly bint has_patterns
    cdef object chosen
    cdef uint64_t sizes
    cdef dict known

    cdef bint is_chosen(self, bytes key) except -1
    cdef bint names(self, tuple argv, Py_ssize_t first, Py_ssize_t last, Py_ssize_t step) except -1
