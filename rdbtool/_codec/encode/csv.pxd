# Cells of comma-separated values, for every form that has them.

from rdbtool._codec.decode.cursor cimport Bytes
from rdbtool._codec.encode.encoder cimport Encoder
from rdbtool._codec.sink cimport Head


cdef class Cells:
    cdef bint raw
    cdef str keep
    cdef int put(self, Encoder out, Bytes p, size_t size) except -1
    cdef int put_text(self, Encoder out, str text) except -1
    cdef int put_names(self, Encoder out, names) except -1
    cdef int put_head(self, Encoder out, Head *head, list encodings) except -1
