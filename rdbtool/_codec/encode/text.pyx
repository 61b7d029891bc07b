# JSON text: strings in their forms, and base64.

from libc.stdint cimport uint8_t
from rdbtool._codec.encode.encoder cimport HAND_ON, LARGE

from rdbtool.core.errors import InputError

cdef extern from "escape.h" nogil:
    enum: RT_UTF8, RT_RAW, RT_PRINT, RT_MIXED
    char *rt_json_escape_special(const uint8_t *p, size_t n, char *op, int mode)
    char *rt_json_escape(const uint8_t *p, size_t n, char *op, int mode)
    char *rt_base64(const uint8_t *p, size_t n, char *op)
    size_t rt_utf8_cut(const uint8_t *p, size_t n)
    int rt_is_utf8(const uint8_t *p, size_t n)
    int rt_json_is_wide(int off)


cdef enum:
    PIECE = 1 << 15             # bytes that are escaped at once: so that what becomes of them stays in the CPU cache


def is_wide(bint off=False):
    return bool(rt_json_is_wide(off))


cdef class JsonText(Encoder):
    cdef int special_string(self, Bytes p, size_t size, int mode) except -1:
        """As string_in_mode, of a string that was not found to be plain."""
        cdef size_t before, piece
        cdef char *end
        if size < LARGE:
            self.reserve(6 * size + 32)
            before = self.size
            self.data[self.size] = c'"'
            if size < SHORT_TEXT:
                end = rt_json_escape_special(p, size, self.data + self.size + 1, mode)
            else:
                end = rt_json_escape(p, size, self.data + self.size + 1, mode)
            if end == NULL:
                self.size = before
                return 1
            end[0] = c'"'
            self.size = end + 1 - self.data
            return 0
        if mode == RT_UTF8 and not rt_is_utf8(p, size):
            return 1
        self.put_char(c'"')
        while size:
            piece = min(size, <size_t>LARGE)
            # Not in the middle of a UTF-8 sequence.
            while piece < size and piece > LARGE - 4 and p[piece] & 0xC0 == 0x80:
                piece -= 1
            self.reserve(6 * piece + 32)
            end = rt_json_escape(p, piece, self.data + self.size, mode)
            self.size = end - self.data
            p += piece
            size -= piece
        self.put_char(c'"')
        return 0

    cdef int begin_long(self, int mode, bint base64) except -1:
        """Open a JSON string of pieces."""
        self.long_mode = mode
        self.long_base64 = base64
        self.held = 0
        return self.put_char(c'"')

    cdef int string_piece(self, Bytes p, size_t size) except -1:
        cdef size_t piece, cut
        cdef char *end
        if not self.long_base64:
            while size:
                piece = min(size, <size_t>PIECE)
                if piece < size:
                    piece -= rt_utf8_cut(p, piece)
                if self.may_spill and self.size >= HAND_ON and self.room is None:
                    self.hand_on(self.size)
                self.reserve(6 * piece + 32)
                end = rt_json_escape(p, piece, self.data + self.size, self.long_mode)
                if end == NULL:
                    raise InputError("the source changed while it was read")
                self.size = end - self.data
                p += piece
                size -= piece
            return 0
        while size and self.held:
            self.rest[self.held] = p[0]
            self.held += 1
            p += 1
            size -= 1
            if self.held == 3:
                self.reserve(8)
                self.size = rt_base64(self.rest, 3, self.data + self.size) - self.data
                self.held = 0
        while size >= 3:
            piece = min(size // 3, <size_t>LARGE // 3) * 3
            self.reserve(piece // 3 * 4 + 8)
            self.size = rt_base64(p, piece, self.data + self.size) - self.data
            p += piece
            size -= piece
        for cut in range(size):
            self.rest[cut] = p[cut]
            self.held += 1
        return 0

    cdef int end_long(self) except -1:
        self.reserve(8)
        self.size = rt_base64(self.rest, self.held, self.data + self.size) - self.data
        return self.put_char(c'"')

    cdef int base64(self, Bytes p, size_t size) except -1:
        """A quoted JSON string of base64."""
        cdef size_t piece
        self.put_char(c'"')
        while size:
            piece = min(size, <size_t>(LARGE // 3 * 3))
            self.reserve(piece // 3 * 4 + 8)
            self.size = rt_base64(p, piece, self.data + self.size) - self.data
            p += piece
            size -= piece
        return self.put_char(c'"')

    cdef int text(self, Bytes p, size_t size) except -1:
        """Text if the bytes are UTF-8, else an object with base64."""
        if self.string_in_mode(p, size, RT_UTF8):
            self.octets(p, size)
        return 0

    cdef int octets(self, Bytes p, size_t size) except -1:
        self.put_text(b'{"base64":')
        self.base64(p, size)
        return self.put_char(c"}")
