# C-level view of the keys that a replay looks for, for the loop over plain commands.

from libc.stdint cimport uint64_t
from rdbtool._codec.decode.raw_commands cimport Word


cdef class WatchedKeys:
    cdef readonly tuple exact
    cdef readonly tuple globs
    cdef readonly tuple patterns
    cdef readonly bint has_patterns
    cdef object chosen
    cdef uint64_t marks
    cdef dict known

    cdef bint is_exact(self, Word word) except -1
    cdef bint is_chosen(self, Word word) except -1
    cdef bint names(
        self, const Word *words, Py_ssize_t size, Py_ssize_t first, Py_ssize_t last, Py_ssize_t step
    ) except -1
