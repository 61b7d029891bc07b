# Collections that are too large to be held, emitted row by row.

from libc.stdint cimport int64_t, uint64_t
from rdbtool._codec.decode.cursor cimport Cursor, Limits, Scratch
from rdbtool._codec.decode.value_reader cimport ValueReader
from rdbtool._codec.decode.window cimport Window
from rdbtool._codec.sink cimport Sink

cdef class LongCollections:
    cdef Scratch input              # what is read ahead of the window
    cdef int64_t ahead              # source offset after it
    cdef int64_t stop               # source offset of the end of what was checked
    cdef bint moves                 # the window moves on: what is read is known to be sound

    cdef bint meet(self, Window window, int code) noexcept
    cdef int check(self, Window window, Cursor *c, int code, Limits *limits, ValueReader values, Sink null) except -1
    cdef int emit(self, Window window, Cursor *c, int code, Limits *limits, ValueReader values, Sink sink) except -1
    cdef int walk(self, Window window, Cursor *c, int code, ValueReader values, Sink sink) except -1
    cdef int more(self, Window window, Cursor *c) except -1
