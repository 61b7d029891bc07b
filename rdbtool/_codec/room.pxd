# Memory in which one process leaves bytes for another.

from cpython.buffer cimport Py_buffer

cdef class Room:
    # No typed memoryview: each of the twenty modules that know this class would contain 50 KB of code for it.
    cdef Py_buffer view
    cdef object mapped      # what has the buffer
    cdef char *data
    cdef size_t size
    cdef public size_t used
