# Memory in which one process leaves bytes for another.

from libc.stdint cimport uint8_t

cdef class Room:
    cdef uint8_t[::1] view
    cdef char *data
    cdef size_t size
    cdef public size_t used
