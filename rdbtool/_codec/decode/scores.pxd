# Parsing of scores: values that a server may refuse.

from libc.stdint cimport uint8_t

cdef bint in_doubt(const uint8_t *text, Py_ssize_t size, double value)
