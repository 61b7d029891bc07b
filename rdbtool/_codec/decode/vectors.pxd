from libc.stdint cimport uint64_t
from rdbtool._codec.decode.cursor cimport Bytes, Cursor

cdef tuple check_vector_set(Bytes raw, size_t size)
cdef int string_size(Cursor *c, uint64_t *out) except -1
