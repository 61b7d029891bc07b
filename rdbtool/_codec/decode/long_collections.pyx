# Collections that are too large to be held: read twice, emitted row by row.
#
# The first reading looks ahead of the window and finds out whether all rows are valid. Then a sink may receive them, while
# the window moves on. A row is an element, a pair, a score, or a node of a list: only that is held as a whole. A source
# that cannot be read twice (a pipe, a compressed file) is held in the window.

from cpython.exc cimport PyErr_CheckSignals
from cpython.memoryview cimport PyMemoryView_FromMemory
from libc.stdint cimport uint8_t
from libc.string cimport memmove
from rdbtool._codec.decode.cursor cimport decline, grow, read_len, release

from rdbtool._codec.decode.cursor import Declined, NeedMore
from rdbtool.core.errors import InputError

include "../_types.pxi"

cdef extern from "Python.h":
    int PyBUF_WRITE

cdef enum:
    PIECE = 1 << 18             # bytes that are read ahead at once
    KEPT = 1 << 22              # bytes of a buffer that is kept


cdef class LongCollections:
    def __dealloc__(self):
        release(&self.input)

    cdef bint meet(self, Window window, int code) noexcept:
        """Return whether a value of a type can be read so."""
        return window.reread is not None and window.size >= 0 and (
            code == TYPE_SET or code == TYPE_LIST or code == TYPE_HASH or code == TYPE_ZSET_2
            or code == TYPE_LIST_QUICKLIST_2 or code == TYPE_LIST_QUICKLIST
        )

    cdef int check(self, Window window, Cursor *c, int code, Limits *limits, ValueReader values, Sink null) except -1:
        """Raise Declined unless the value at the cursor is sound."""
        cdef Cursor at = c[0]
        self.moves = False
        self.ahead = window.base + (c.p - window.buffer)
        values.limits = limits
        grow(&self.input, PIECE)
        at.p = at.end = self.input.data
        at.final = False
        self.more(window, &at)
        self.walk(window, &at, code, values, null)
        self.stop = self.ahead - (at.end - at.p)
        if self.input.capacity > KEPT:
            release(&self.input)
        return 0

    cdef int emit(self, Window window, Cursor *c, int code, Limits *limits, ValueReader values, Sink sink) except -1:
        """Tell the value at the cursor, which was checked; the window moves on after it, and the cursor with it."""
        self.moves = True
        values.limits = limits
        try:
            return self.walk(window, c, code, values, sink)
        except Declined:
            raise InputError("the source changed while it was read") from None

    cdef int walk(self, Window window, Cursor *c, int code, ValueReader values, Sink sink) except -1:
        cdef uint64_t count = 0, done = 0
        cdef bint is_open = False
        while not is_open or done < count:
            values.mark = c.p
            try:
                if not is_open:
                    read_len(c, &count)
                    is_open = True
                values.read_rows(code, c, &done, count, sink)
            except NeedMore:
                c.p = values.mark
                self.more(window, c)
        return 0

    cdef int more(self, Window window, Cursor *c) except -1:
        """Get more of the value after what is left of it."""
        cdef size_t kept = c.end - c.p
        cdef size_t room = max(kept, <size_t>PIECE)
        cdef Py_ssize_t count
        PyErr_CheckSignals()
        if self.moves:
            window.start = c.p - window.buffer
            window.refill()
            c.p = window.buffer + window.start
            c.end = window.buffer + window.stop
            c.final = window.at_end
            c.beyond = <uint64_t>max(0, window.size - window.base - <int64_t>window.stop)
            return 0
        memmove(self.input.data, c.p, kept)
        grow(&self.input, kept + room)
        view = PyMemoryView_FromMemory(<char *>self.input.data + kept, room, PyBUF_WRITE)
        count = window.reread(view, self.ahead)
        if count <= 0:
            return decline()
        self.ahead += count
        c.p = self.input.data
        c.end = self.input.data + kept + count
        c.beyond = <uint64_t>max(0, window.size - self.ahead)
        return 0
