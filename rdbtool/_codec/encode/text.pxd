# JSON text: what both JSON shapes share.

from rdbtool._codec.decode.cursor cimport Bytes
from rdbtool._codec.encode.encoder cimport Encoder

cdef class JsonText(Encoder):
    cdef bint first_part            # no part of the value at hand was written yet
    cdef int kind                   # KIND_* of the value at hand

    cdef int string_in_mode(self, Bytes p, size_t size, int mode) except -1
    cdef int base64(self, Bytes p, size_t size) except -1
    cdef int text(self, Bytes p, size_t size) except -1
    cdef int octets(self, Bytes p, size_t size) except -1

    cdef inline int comma(self) except -1:
        if self.first_part:
            self.first_part = False
            return 0
        return self.put_char(c",")
