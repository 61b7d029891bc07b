# The base of all sinks, which ignores everything: the Null sink.

from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memset
from rdbtool._codec.decode.cursor cimport Bytes, grow, intset_number, release, rt_i64_text

cdef enum:
    KEPT = 1 << 22              # bytes of a buffer that is kept


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

    cdef int intset(self, Bytes p, uint64_t width, uint64_t count) except -1:
        cdef uint64_t i
        cdef char text[24]
        for i in range(count):
            self.element(<Bytes>text, rt_i64_text(intset_number(p + i * width, width), text))
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

    cdef const bint *takes_stored(self, int64_t db) noexcept:
        return NULL

    cdef int stored(self, Bytes p, size_t size, int64_t db, uint64_t keys) except -1:
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
        """In a copy: begin again, as after a record of ``db``, and leave bytes in ``room``.

        Raises RoomFullError, then or at a record, if the room is full.
        """

    def end_range(self):
        """In a copy: return what the records since ``begin_range`` make; it can be pickled."""

    def add_range(self, result, room):
        """Add what a copy returned, and left in ``room``.

        Return False to have the same records from the reader, next and in the same order, in place of the result. Raises
        OutdatedCopyError, before anything was added, to have it from a new copy.
        """
        return True


cdef class Null(Sink):
    """A sink that ignores everything: reading with it checks structure and checksum."""

    def __cinit__(self):
        self.takes_pieces = self.divides = self.ignores_values = self.ignores_fields = True

    cdef int intset(self, Bytes p, uint64_t width, uint64_t count) except -1:
        return 0


cdef class Measure(Sink):
    """Finds the extent of a value, which the source emits twice then."""

    def __cinit__(self):
        self.takes_pieces = True

    def __dealloc__(self):
        release(&self.ids)

    cdef int start(self, int asked) except -1:
        """Begin a record. ``asked``: ASKS_COUNTS or ASKS_GONE."""
        memset(&self.extent, 0, sizeof(Extent))
        self.extent.is_known = asked != 0
        self.asked = asked
        self.entries = 0
        if self.ids.capacity > KEPT:
            release(&self.ids)
        return 0

    cdef int string(self, Bytes p, size_t size) except -1:
        self.extent.elements = 1
        return 0

    cdef int begin_string(self, LongString *text) except -1:
        self.extent.elements = 1
        return 0

    cdef int opaque(self, Bytes module, Bytes raw, size_t raw_size) except -1:
        self.extent.elements = 1
        return 0

    cdef int element(self, Bytes p, size_t size) except -1:
        self.extent.elements += 1
        self.extent.longest = max(self.extent.longest, size)
        return 0

    cdef int pair(self, Bytes field, size_t field_size, Bytes value, size_t value_size, int64_t expire_at_ms) except -1:
        self.extent.elements += 1
        self.extent.longest = max(self.extent.longest, max(field_size, value_size))
        if expire_at_ms != -1:
            if self.extent.field_expiries == 0 or expire_at_ms < self.extent.first_expiry:
                self.extent.first_expiry = expire_at_ms
            if self.extent.field_expiries == 0 or expire_at_ms > self.extent.last_expiry:
                self.extent.last_expiry = expire_at_ms
            self.extent.field_expiries += 1
        return 0

    cdef int score(self, Bytes member, size_t member_size, double score) except -1:
        self.extent.elements += 1
        self.extent.longest = max(self.extent.longest, member_size)
        self.extent.no_numbers += score != score
        return 0

    cdef int array_item(self, ArrayItem *item) except -1:
        self.extent.elements += 1
        return 0

    cdef int entry(self, uint64_t ms, uint64_t seq, uint64_t fields) except -1:
        cdef uint64_t *ids
        self.extent.elements += 1
        if self.asked == ASKS_GONE:
            grow(&self.ids, (self.entries + 1) * 16)
            ids = <uint64_t *>self.ids.data + 2 * self.entries
            ids[0] = ms
            ids[1] = seq
            self.entries += 1
        return 0

    cdef int pending(self, Pending *pending) except -1:
        # Entries come in the order of their IDs.
        cdef uint64_t *ids = <uint64_t *>self.ids.data
        cdef uint64_t low = 0, high = self.entries, middle
        self.extent.unowned += not pending.owned
        while low < high:
            middle = low + (high - low) // 2
            if ids[2 * middle] < pending.ms or (ids[2 * middle] == pending.ms and ids[2 * middle + 1] < pending.seq):
                low = middle + 1
            else:
                high = middle
        self.extent.gone += not (
            low < self.entries and ids[2 * low] == pending.ms and ids[2 * low + 1] == pending.seq
        )
        return 0

    cdef int producer_id(self, Bytes name, size_t name_size, uint64_t ms, uint64_t seq) except -1:
        self.extent.producer_ids += 1
        return 0
