# Building the values of streams.

from libc.stdint cimport int64_t, uint64_t
from rdbtool._codec.decode.cursor cimport Bytes, Scratch
from rdbtool._codec.encode.primitives cimport Buffer, Form
from rdbtool._codec.encode.stream_owners cimport Owners
from rdbtool._codec.sink cimport Consumer, Group, Pending, Producers, StreamTail

cdef struct Field:
    size_t at
    size_t size
    size_t value_size

cdef struct Owned:
    uint64_t ms
    uint64_t seq
    int64_t delivered_at_ms
    uint64_t delivery_count
    int64_t owner               # -1: none

cdef class Stream:
    cdef Form form
    cdef bint has_producers

    cdef Buffer prefix          # of the finished value: the number of nodes
    cdef Buffer nodes
    cdef Buffer tail            # counters
    cdef Buffer groups
    cdef Buffer idempotency
    cdef Buffer producers
    cdef uint64_t node_count
    cdef uint64_t group_count
    cdef uint64_t producer_count
    cdef Producers limits

    cdef Buffer node            # the current listpack
    cdef uint64_t node_ms       # its master ID
    cdef uint64_t node_seq
    cdef uint64_t in_node       # entries
    cdef uint64_t elements      # of the listpack
    cdef Buffer names           # the master's field names
    cdef Scratch name_rows
    cdef uint64_t name_count

    cdef uint64_t ms            # the current entry
    cdef uint64_t seq
    cdef Buffer arena
    cdef Scratch fields
    cdef uint64_t field_count

    cdef Owners owners          # of the current group
    cdef Scratch pendings
    cdef uint64_t pending_count
    cdef Scratch ids
    cdef Scratch unowned_lists  # size_t by group: where its list of unowned entries is in `groups`
    cdef bint any_unowned       # and one of them is not empty

    cdef int begin(self) except -1
    cdef int entry(self, uint64_t ms, uint64_t seq) except -1
    cdef int entry_field(self, Bytes field, size_t field_size, Bytes value, size_t value_size) except -1
    cdef int end_entry(self) except -1
    cdef int stream_tail(self, StreamTail *tail) except -1
    cdef int begin_group(self, Group *group) except -1
    cdef int consumer(self, Consumer *consumer) except -1
    cdef int pending(self, Pending *pending) except -1
    cdef int end_group(self) except -1
    cdef int begin_producers(self, Producers *producers) except -1
    cdef int producer(self, Bytes name, size_t name_size, uint64_t ids) except -1
    cdef int producer_id(self, Bytes name, size_t name_size, uint64_t ms, uint64_t seq) except -1
    cdef int finish(self) except -1

    cdef int begin_node(self) except -1
    cdef int close_node(self) except -1
    cdef bint has_master_fields(self) noexcept
    cdef int put_group_pending(self) except -1
    cdef int put_consumers(self) except -1
    cdef int put_unowned(self) except -1
    cdef int drop_unowned_lists(self) except -1
    cdef int put_idempotency(self) except -1
    cdef int version(self) noexcept
