# A sink between a source and another sink.

from rdbtool._codec.sink cimport Sink

cdef class Filter(Sink):
    cdef Sink sink
