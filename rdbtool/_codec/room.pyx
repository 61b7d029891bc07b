# Memory in which one process leaves the results of a sink for another.

cimport cython
from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer


class NoResultError(Exception):
    """A copy of a sink has no result of a range: the first process has to read it."""


class RoomFullError(NoResultError):
    """The result is larger than its room."""


class OutdatedCopyError(Exception):
    """A copy of a sink made a result as the sink no longer takes it: new copies have to be made."""


# The garbage collector would let go of the memory before the buffer is released, which is an error (BufferError) in
# whatever runs then. It has nothing to find here: what has the buffer refers to no room.
@cython.no_gc
cdef class Room:
    """A writable buffer that several processes map; ``used`` bytes of it are a result."""

    def __cinit__(self, data not None):
        PyObject_GetBuffer(data, &self.view, PyBUF_WRITABLE)
        self.mapped = data
        self.data = <char *>self.view.buf
        self.size = self.view.len
        self.used = 0

    def __dealloc__(self):
        # Does nothing if there is no buffer.
        PyBuffer_Release(&self.view)
