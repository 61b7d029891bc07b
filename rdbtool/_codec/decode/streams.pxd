# Stream values (format A12).

from libc.stdint cimport int64_t, uint64_t
from rdbtool._codec.decode.cursor cimport Cursor, Limits, Scratch
from rdbtool._codec.sink cimport Sink

cdef struct OrderRow:
    uint64_t ms
    uint64_t seq
    uint64_t index

cdef class StreamReader:
    cdef Scratch key
    cdef Scratch blob
    cdef Scratch name
    cdef Scratch nodes          # IDs of the nodes so far (OrderRow)
    cdef Scratch names          # consumer names of the current group, one after the other
    cdef Scratch rows           # its pending entries (Row)
    cdef Scratch order          # their indexes in id order (OrderRow)
    cdef Scratch owners         # (consumer, next owner) chains (Owner)
    cdef Scratch consumers      # its consumers (ConsumerRow)

    cdef int read(self, Cursor *c, Limits *limits, int version, Sink sink) except -1
    cdef int read_node(self, Cursor *c, Limits *limits, OrderRow *id, Sink sink) except -1
    cdef int read_group(self, Cursor *c, Limits *limits, int version, Sink sink) except -1
    cdef int index_rows(self, uint64_t count) except -1
    cdef int64_t find_row(self, uint64_t count, uint64_t ms, uint64_t seq, int64_t guess) except -2
    cdef int read_producers(self, Cursor *c, Limits *limits, Sink sink) except -1
