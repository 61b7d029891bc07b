# Strings that are too long to be held: read twice, emitted in pieces.
#
# The first reading looks ahead of the window and checks that the string is valid: it ends within the file, and
# decompresses to its declared size. Then it is emitted in pieces, while the window moves on. LZF looks back 8 KiB at
# most. An input that cannot be read twice (a pipe, a compressed file) is held in the window in its stored form.

from cpython.exc cimport PyErr_CheckSignals
from cpython.memoryview cimport PyMemoryView_FromMemory
from libc.stdint cimport UINT64_MAX, uint8_t
from libc.string cimport memmove
from rdbtool._codec.decode.cursor cimport decline, grow, read_len, read_len_or_encoding, release, starve

from rdbtool.core.errors import InputError

include "../_types.pxi"

cdef extern from "Python.h":
    int PyBUF_WRITE

cdef extern from "lzf.h" nogil:
    int rt_lzf_some(const uint8_t **at, const uint8_t *end, int last, const uint8_t *out, uint8_t **op,
                    const uint8_t *op_end)

cdef extern from "escape.h" nogil:
    int rt_is_utf8(const uint8_t *p, size_t n)
    size_t rt_utf8_cut(const uint8_t *p, size_t n)

cdef enum:
    LONG = 1 << 20              # bytes from which on a string is long
    PIECE = 1 << 18             # bytes of a piece
    BACK = 1 << 13              # how far LZF looks back
    ROOM = BACK + PIECE
    LEAST = 64                  # bytes of input that let any operation of LZF, and any UTF-8 sequence, complete


cdef class LongStrings:
    def __dealloc__(self):
        release(&self.input)
        release(&self.output)

    cdef bint meet(self, Cursor *c, Limits *limits) except -1:
        """Return whether a long string is at the cursor; then move to its bytes and make it the current one."""
        cdef Cursor ahead = c[0]
        cdef uint64_t size, packed = 0
        cdef bint encoded
        read_len_or_encoding(&ahead, &size, &encoded)
        if encoded:
            if size != 3:
                return False
            read_len(&ahead, &packed)
            read_len(&ahead, &size)
            if packed < (size + LZF_MAX_RATIO - 1) // LZF_MAX_RATIO:
                return False    # reading it as an ordinary string declines it
        if size < LONG or size > limits.max_string:
            return False
        c.p = ahead.p
        self.text.size = size
        self.text.packed = packed
        self.text.whole = NULL
        return True

    cdef int begin(self) except -1:
        self.filled = self.emitted = self.made = 0
        self.is_utf8 = True
        if self.text.packed:
            grow(&self.output, ROOM)
        return 0

    cdef int check(self, Window window, Cursor *c, bint utf8) except -1:
        """Raise Declined unless the current string is valid, and NeedMore if the window has to hold more of it."""
        cdef uint64_t left = self.text.packed or self.text.size
        cdef size_t have = min(left, <uint64_t>(c.end - c.p))
        cdef size_t kept = 0, taken
        cdef int64_t at = window.base + (c.p - window.buffer)
        cdef Py_ssize_t count
        if have < left and (window.reread is None or c.beyond == UINT64_MAX or left - have > c.beyond or c.final):
            window.wanted = <size_t>(c.p - window.buffer) - window.start + left
            return starve(c, left)
        if not self.text.packed and not utf8:
            return 0
        self.begin()
        if have == left:
            self.take(c.p, have, True, None)
        else:
            grow(&self.input, PIECE)
            while left:
                view = PyMemoryView_FromMemory(
                    <char *>self.input.data + kept, min(left, <uint64_t>PIECE) - kept, PyBUF_WRITE
                )
                count = window.reread(view, at + <int64_t>kept)
                if count <= 0:
                    raise InputError("the source became shorter while it was read")
                kept += count
                taken = self.take(self.input.data, kept, kept == left, None)
                memmove(self.input.data, self.input.data + taken, kept - taken)
                kept -= taken
                at += taken
                left -= taken
                PyErr_CheckSignals()
        if self.text.packed and self.made != self.text.size:
            return decline()
        self.text.is_utf8 = self.is_utf8
        return 0

    cdef int emit(self, Window window, Cursor *c, Sink sink) except -1:
        """Emit the current string, which was checked; the window and the cursor move after it."""
        cdef uint64_t left = self.text.packed or self.text.size
        cdef size_t have, taken
        window.start = c.p - window.buffer
        self.begin()
        sink.begin_string(&self.text)
        while left:
            have = min(left, <uint64_t>(window.stop - window.start))
            if have < left and have < LEAST:
                if window.at_end:
                    raise InputError("the source became shorter while it was read")
                window.refill()
                continue
            taken = self.take(window.buffer + window.start, have, have == left, sink)
            window.start += taken
            left -= taken
            PyErr_CheckSignals()
        if self.text.packed and self.made != self.text.size:
            raise InputError("the source changed while it was read")
        sink.end_string()
        c.p = window.buffer + window.start
        c.end = window.buffer + window.stop
        c.final = window.at_end
        return 0

    cdef size_t take(self, Bytes p, size_t size, bint last, Sink sink) except? 0:
        """Take all of the bytes except those that may not be separated from what follows, and return their number."""
        cdef size_t taken, piece
        if self.text.packed:
            return self.inflate(p, size, last, sink)
        taken = size if last else size - rt_utf8_cut(p, size)
        size = taken
        while size:
            piece = min(size, <size_t>PIECE)
            if piece < size:
                piece -= rt_utf8_cut(p, piece)
            self.pass_on(p, piece, sink)
            p += piece
            size -= piece
        return taken

    cdef size_t inflate(self, Bytes p, size_t size, bint last, Sink sink) except? 0:
        cdef const uint8_t *at = p
        cdef const uint8_t *before
        cdef uint8_t *out = self.output.data
        cdef uint8_t *to
        cdef size_t ready, kept
        while True:
            before = at
            to = out + self.filled
            if not rt_lzf_some(&at, p + size, last, out, &to, out + ROOM):
                decline()
            self.made += to - (out + self.filled)
            self.filled = to - out
            if self.made > self.text.size:
                decline()
            if sink is not None:
                sink.packed_piece(before, at - before)
            ready = self.filled - self.emitted
            if not last or at < p + size:
                ready -= rt_utf8_cut(out + self.emitted, ready)
            self.pass_on(out + self.emitted, ready, sink)
            self.emitted += ready
            if self.filled + 264 <= ROOM:
                return at - p
            kept = min(self.emitted, self.filled - BACK)
            memmove(out, out + kept, self.filled - kept)
            self.filled -= kept
            self.emitted -= kept

    cdef int pass_on(self, Bytes p, size_t size, Sink sink) except -1:
        if sink is not None:
            return sink.string_piece(p, size)
        if self.is_utf8:
            self.is_utf8 = rt_is_utf8(p, size)
        return 0
