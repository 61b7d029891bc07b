# Building the values of lists, sets, sorted sets and hashes.

from libc.stdint cimport int64_t, uint64_t, uint8_t
from rdbtool._codec.decode.cursor cimport Bytes, Scratch
from rdbtool._codec.encode.primitives cimport Buffer, Form, Ziplist
from rdbtool._codec.sink cimport Extent

cdef enum:
    MOST_ROWS = 512             # maximum elements of a packed value (format D7)
    LONGEST = 64                # maximum bytes of each of its strings

cdef struct Row:
    size_t at                   # where the text is in the arena; a pair's value follows its field
    Bytes p                     # the same, while sorting
    size_t size
    size_t value_size
    int64_t number              # of an integer: itself; of a pair: its expiry, -1: none
    double score

cdef class Collection:
    cdef Form form
    cdef int kind
    cdef uint64_t count
    cdef bint is_known          # its number of elements is known, and the prefix is complete from the beginning on
    cdef int64_t least          # the first expiry of a field of such a hash
    cdef bint big               # does not fit a packed form: STRs are in `body`
    cdef bint integers          # all members of the set so far
    cdef bint any_expiry
    cdef bint zero_expiry       # an expiry that packed hashes cannot distinguish from none
    cdef uint8_t arena[MOST_ROWS * 2 * LONGEST]
    cdef size_t filled
    cdef Row rows[MOST_ROWS]
    cdef Buffer prefix          # of the finished value: what precedes the body
    cdef Buffer body
    cdef Buffer node            # the current listpack
    cdef Ziplist ziplist        # the current ziplist
    cdef Scratch expiries       # of a big hash, once a field has one: int64_t by field
    cdef uint64_t nodes
    cdef uint64_t in_node       # entries of the current list node

    cdef int begin(self, int kind) except -1
    cdef int element(self, Bytes p, size_t size) except -1
    cdef int pair(self, Bytes field, size_t field_size, Bytes value, size_t value_size, int64_t expire_at_ms) except -1
    cdef int score(self, Bytes member, size_t member_size, double score) except -1
    cdef int finish(self) except -1
    cdef int begin_known(self, const Extent *extent) except -2

    cdef int put_score(self, double score) except -1
    cdef int begin_pair(self, int64_t expiry) except -1
    cdef int end_pair(self, int64_t expiry) except -1
    cdef int keep(self, Bytes p, size_t size, Bytes value, size_t value_size) except -1
    cdef int unpack(self) except -1
    cdef int add_member(self, Bytes p, size_t size) except -1
    cdef int add_score(self, Bytes member, size_t member_size, double score) except -1
    cdef int add_pair(self, Bytes field, size_t field_size, Bytes value, size_t value_size, int64_t expiry) except -1
    cdef int add_to_node(self, Bytes p, size_t size) except -1
    cdef int add_to_listpack(self, Bytes p, size_t size) except -1
    cdef int close_node(self) except -1
    cdef int finish_list(self) except -1
    cdef int finish_set(self) except -1
    cdef int finish_zset(self) except -1
    cdef int finish_hash(self) except -1
    cdef int pack_rows(self) except -1
    cdef int pack_zipmap(self) except -1
    cdef int pack_integers(self) except -1
    cdef int interleave_expiries(self) except -1
