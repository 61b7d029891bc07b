# Key names, one per line.

from libc.stdint cimport uint8_t
from rdbtool._codec.encode.encoder cimport Encoder
from rdbtool._codec.sink cimport Head

cdef extern from "escape.h" nogil:
    int rt_utf8_size(const uint8_t *p, size_t left)
    int rt_is_control(const uint8_t *p, int size)
    int rt_is_printable(const uint8_t *p, size_t n)
    char *rt_base64(const uint8_t *p, size_t n, char *op)


cdef class Keys(Encoder):
    """One key per line. ``escape``: raw writes the bytes unchanged, print and utf8 write ``\\xHH`` for other bytes.

    print escapes what is not printable ASCII, utf8 what is not UTF-8 text without control characters; base64 encodes
    keys that are not printable ASCII.
    """

    cdef str escape

    def __init__(self, write, str escape="raw"):
        super().__init__(write)
        if escape not in ("raw", "print", "utf8", "base64"):
            raise ValueError(f"escape is one of raw, print, utf8, base64, not {escape!r}")
        self.escape = escape
        self.takes_pieces = self.divides = True

    cdef int begin_key(self, Head *head) except -1:
        cdef bytes key
        if self.escape == "raw" or rt_is_printable(head.key, head.key_size):
            self.put(head.key, head.key_size)
        elif self.escape == "base64":
            self.reserve(head.key_size // 3 * 4 + 8)
            self.size = rt_base64(head.key, head.key_size, self.data + self.size) - self.data
        else:
            self.escaped(head)
        return self.put_char(c"\n")

    cdef int escaped(self, Head *head) except -1:
        cdef size_t i = 0
        cdef int size
        cdef const uint8_t *p = head.key
        cdef const char *digits = b"0123456789ABCDEF"
        while i < head.key_size:
            size = 0
            if p[i] >= 0x80 and self.escape == "utf8":
                size = rt_utf8_size(p + i, head.key_size - i)
                if rt_is_control(p + i, size):
                    size = 0
            elif 0x20 <= p[i] <= 0x7E:
                size = 1
            if size:
                self.put(p + i, size)
                i += size
            else:
                self.put_text(b"\\x")
                self.put_char(digits[p[i] >> 4])
                self.put_char(digits[p[i] & 15])
                i += 1
        return 0
