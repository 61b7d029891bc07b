# Long strings, emitted in pieces.

from libc.stdint cimport int64_t, uint64_t
from rdbtool._codec.decode.cursor cimport Bytes, Cursor, Limits, Scratch
from rdbtool._codec.decode.window cimport Window
from rdbtool._codec.sink cimport LongString, Sink

cdef class LongStrings:
    cdef Scratch input              # what is read ahead of the window
    cdef Scratch output             # LZF output, and what it looks back at
    cdef size_t filled              # bytes of output
    cdef size_t emitted                # of these, emitted
    cdef uint64_t made              # in all
    cdef LongString text            # the current one
    cdef bint is_utf8               # so far

    cdef bint meet(self, Cursor *c, Limits *limits) except -1
    cdef int check(self, Window window, Cursor *c, bint utf8) except -1
    cdef int emit(self, Window window, Cursor *c, Sink sink) except -1

    cdef inline uint64_t stored(self) noexcept:
        """Bytes that the file has of the current string."""
        return self.text.packed or self.text.size

    cdef int begin(self) except -1
    cdef size_t take(self, Bytes p, size_t size, bint last, Sink sink) except? 0
    cdef size_t inflate(self, Bytes p, size_t size, bint last, Sink sink) except? 0
    cdef int pass_on(self, Bytes p, size_t size, Sink sink) except -1
