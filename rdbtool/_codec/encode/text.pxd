# JSON text: what both JSON shapes share.

from libc.stdint cimport uint8_t
from rdbtool._codec.decode.cursor cimport Bytes
from rdbtool._codec.encode.encoder cimport Encoder

cdef extern from "escape.h" nogil:
    int rt_json_copy_plain(const uint8_t *p, size_t n, char *op)

cdef enum:
    SHORT_TEXT = 256            # bytes of a string that is copied on trial, if it may be plain

cdef class JsonText(Encoder):
    cdef bint first_part            # no part of the current value was written yet
    cdef int kind                   # KIND_* of the current value

    # of a long string
    cdef int long_mode              # as escape.h has them
    cdef bint long_base64
    cdef uint8_t rest[3]            # bytes that are not a whole group of base64
    cdef size_t held

    cdef int begin_long(self, int mode, bint base64) except -1
    cdef int end_long(self) except -1
    cdef int special_string(self, Bytes p, size_t size, int mode) except -1
    cdef int base64(self, Bytes p, size_t size) except -1
    cdef int text(self, Bytes p, size_t size) except -1
    cdef int octets(self, Bytes p, size_t size) except -1

    cdef inline int comma(self) except -1:
        if self.first_part:
            self.first_part = False
            return 0
        return self.put_char(c",")

    cdef inline int string_in_mode(self, Bytes p, size_t size, int mode) except -1:
        """A quoted JSON string. With RT_UTF8 the bytes must be UTF-8, or nothing is written and 1 returned."""
        cdef char *at
        if 4 <= size < SHORT_TEXT:
            self.reserve(size + 32)
            at = self.data + self.size
            if rt_json_copy_plain(p, size, at + 1):
                at[0] = c'"'
                at[size + 1] = c'"'
                self.size += size + 2
                return 0
        return self.special_string(p, size, mode)
