# The base of all sinks, which ignores everything: the Null sink.

from libc.stdint cimport int64_t, uint64_t
from rdbtool._codec.decode.cursor cimport Bytes


cdef class Sink:
    cdef int header(self, str magic, int version) except -1:
        return 0

    cdef int item(self, object item) except -1:
        return 0

    cdef int begin_key(self, Head *head) except -1:
        return 0

    cdef int string(self, Bytes p, size_t size) except -1:
        return 0

    cdef int begin_string(self, LongString *text) except -1:
        return 0

    cdef int string_piece(self, Bytes p, size_t size) except -1:
        return 0

    cdef int packed_piece(self, Bytes p, size_t size) except -1:
        return 0

    cdef int end_string(self) except -1:
        return 0

    cdef int begin_packed(self, int packing, size_t size, uint64_t ms, uint64_t seq) except -1:
        return 0

    cdef int element(self, Bytes p, size_t size) except -1:
        return 0

    cdef int pair(self, Bytes field, size_t field_size, Bytes value, size_t value_size, int64_t expire_at_ms) except -1:
        return 0

    cdef int score(self, Bytes member, size_t member_size, double score) except -1:
        return 0

    cdef int member_expiry(self, Bytes member, size_t size, int64_t expire_at_ms) except -1:
        return 0

    cdef int array_item(self, ArrayItem *item) except -1:
        return 0

    cdef int array_end(self, bint has_insert, uint64_t insert_index) except -1:
        return 0

    cdef int opaque(self, Bytes module, Bytes raw, size_t raw_size) except -1:
        return 0

    cdef int entry(self, uint64_t ms, uint64_t seq, uint64_t fields) except -1:
        return 0

    cdef int entry_field(self, Bytes field, size_t field_size, Bytes value, size_t value_size) except -1:
        return 0

    cdef int end_entry(self) except -1:
        return 0

    cdef int stream_tail(self, StreamTail *tail) except -1:
        return 0

    cdef int begin_group(self, Group *group) except -1:
        return 0

    cdef int consumer(self, Consumer *consumer) except -1:
        return 0

    cdef int pending(self, Pending *pending) except -1:
        return 0

    cdef int end_group(self) except -1:
        return 0

    cdef int begin_producers(self, Producers *producers) except -1:
        return 0

    cdef int producer(self, Bytes name, size_t name_size, uint64_t ids) except -1:
        return 0

    cdef int producer_id(self, Bytes name, size_t name_size, uint64_t ms, uint64_t seq) except -1:
        return 0

    cdef int end_producers(self) except -1:
        return 0

    cdef int end_key(self, Bytes raw, size_t raw_size, int64_t stop) except -1:
        return 0

    cdef int commit(self) except -1:
        return 0

    cdef int rollback(self) noexcept:
        return 0

    cdef int finish(self) except -1:
        return 0

    def close(self):
        """Finish the output: close what is open, write what is held back."""
        self.finish()
        self.flush()

    def flush(self):
        """Write what is committed, without closing anything that is open."""

    # A sink that ``divides`` can be copied between two records of a db. The copy receives a range of the records that
    # follow and returns what they make; the sink adds such results in the order of the ranges, as if it had received
    # the records. Only records come in ranges.

    def begin_range(self, room, db):
        """In a copy: begin anew, as after a record of ``db``, and leave bytes in ``room``.

        Raises RoomFullError, then or at a record, if the room is full.
        """

    def end_range(self):
        """In a copy: return what the records since ``begin_range`` make; it can be pickled."""

    def add_range(self, result, room):
        """Add what a copy returned, and left in ``room``.

        Return False to have the same records from the reader, next and in the same order, in place of the result.
        """
        return True


cdef class Null(Sink):
    """A sink that ignores everything: reading with it checks structure and checksum."""

    def __cinit__(self):
        self.takes_pieces = self.divides = True


cdef class ElementCount(Sink):
    """Counts the elements of a value: 1 for strings and module values."""

    cdef int string(self, Bytes p, size_t size) except -1:
        self.elements = 1
        return 0

    cdef int opaque(self, Bytes module, Bytes raw, size_t raw_size) except -1:
        self.elements = 1
        return 0

    cdef int element(self, Bytes p, size_t size) except -1:
        self.elements += 1
        return 0

    cdef int pair(self, Bytes field, size_t field_size, Bytes value, size_t value_size, int64_t expire_at_ms) except -1:
        self.elements += 1
        return 0

    cdef int score(self, Bytes member, size_t member_size, double score) except -1:
        self.elements += 1
        return 0

    cdef int array_item(self, ArrayItem *item) except -1:
        self.elements += 1
        return 0

    cdef int entry(self, uint64_t ms, uint64_t seq, uint64_t fields) except -1:
        self.elements += 1
        return 0
