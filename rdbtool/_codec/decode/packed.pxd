# Walking the packed encodings inside a STR (format A11).

from libc.stdint cimport int64_t, uint64_t, uint32_t
from rdbtool._codec.decode.cursor cimport Bytes
from rdbtool._codec.sink cimport Sink

cdef enum:
    SHAPE_ELEMENTS = 0      # list elements, set members
    SHAPE_PAIRS = 1         # hash fields and values
    SHAPE_SCORES = 2        # zset members and scores
    SHAPE_TRIPLES = 3       # hash fields, values and expiries

cdef struct Element:
    Bytes p                 # the text; of an integer: in `text`
    size_t size
    bint is_int
    int64_t number
    char text[24]

cdef struct Walk:
    Bytes p
    Bytes end               # the terminator byte
    uint64_t count          # entries walked so far
    uint64_t previous       # ziplist: size of the previous entry
    Bytes last              # ziplist: start of the previous entry

cdef int open_listpack(Bytes blob, size_t size, Walk *walk) except -1
cdef int next_listpack(Walk *walk, Element *element) except -1
cdef int close_listpack(Bytes blob, Walk *walk) except -1
cdef int element_number(Element *element, int64_t *out) except -1

cdef int scan_listpack(Bytes blob, size_t size, int shape, Sink sink) except -1
cdef int scan_ziplist(Bytes blob, size_t size, int shape, Sink sink) except -1
cdef int scan_intset(Bytes blob, size_t size, Sink sink) except -1
cdef int scan_zipmap(Bytes blob, size_t size, Sink sink) except -1
