# A sink between a source and another sink.

from libc.stdint cimport uint64_t

from rdbtool._codec.decode.cursor cimport Scratch
from rdbtool._codec.sink cimport Head, Sink

cdef class Filter(Sink):
    cdef Sink sink

cdef class WaitingFilter(Filter):
    cdef readonly dict dropped
    cdef bint waiting               # for what says whether the record at hand stays
    cdef Head head                  # of a record that waits
    cdef Scratch key
    cdef Scratch meta
    cdef int count(self, str part, uint64_t times) except -1
    cdef int wait(self, Head *head) except -1
    cdef int wake(self) except -1
