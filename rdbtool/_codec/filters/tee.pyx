# Filter with two sinks.
#
# Both receive every event, the first sink first; one that does without a value (`skips_value`) is spared its elements. An
# error in either goes to the source, which rolls the record back in both.

from libc.stdint cimport int64_t, uint64_t
from rdbtool._codec.decode.cursor cimport Bytes
from rdbtool._codec.filters.filter cimport Filter
from rdbtool._codec.sink cimport ArrayItem, Consumer, Group, Head, LongString, Pending, Producers, Sink, StreamTail


cdef class Tee(Filter):
    """Passes everything on to ``first``, then to ``second``."""

    cdef Sink second

    def __init__(self, Sink first not None, Sink second not None):
        super().__init__(first)
        self.second = second
        self.buffered = first.buffered or second.buffered
        self.takes_pieces = first.takes_pieces and second.takes_pieces
        self.asks_utf8 = first.asks_utf8 or second.asks_utf8
        self.asks_extent = max(first.asks_extent, second.asks_extent)
        self.divides = first.divides and second.divides and not (first.fills_room and second.fills_room)
        self.fills_room = first.fills_room or second.fills_room

    cdef int header(self, str magic, int version) except -1:
        self.sink.header(magic, version)
        return self.second.header(magic, version)

    cdef int item(self, object item) except -1:
        self.sink.item(item)
        return self.second.item(item)

    cdef int begin_key(self, Head *head) except -1:
        self.pass_ahead(self.sink)
        self.pass_ahead(self.second)
        self.sink.begin_key(head)
        self.second.begin_key(head)
        self.skips_value = self.sink.skips_value and self.second.skips_value
        return 0

    cdef int string(self, Bytes p, size_t size) except -1:
        if not self.sink.skips_value:
            self.sink.string(p, size)
        return 0 if self.second.skips_value else self.second.string(p, size)

    cdef int begin_string(self, LongString *text) except -1:
        self.sink.begin_string(text)
        return self.second.begin_string(text)

    cdef int string_piece(self, Bytes p, size_t size) except -1:
        self.sink.string_piece(p, size)
        return self.second.string_piece(p, size)

    cdef int packed_piece(self, Bytes p, size_t size) except -1:
        self.sink.packed_piece(p, size)
        return self.second.packed_piece(p, size)

    cdef int end_string(self) except -1:
        self.sink.end_string()
        return self.second.end_string()

    cdef int begin_packed(self, int packing, size_t size, uint64_t ms, uint64_t seq) except -1:
        if not self.sink.skips_value:
            self.sink.begin_packed(packing, size, ms, seq)
        return 0 if self.second.skips_value else self.second.begin_packed(packing, size, ms, seq)

    cdef int element(self, Bytes p, size_t size) except -1:
        if not self.sink.skips_value:
            self.sink.element(p, size)
        return 0 if self.second.skips_value else self.second.element(p, size)

    cdef int intset(self, Bytes p, uint64_t width, uint64_t count) except -1:
        if not self.sink.skips_value:
            self.sink.intset(p, width, count)
        return 0 if self.second.skips_value else self.second.intset(p, width, count)

    cdef int pair(self, Bytes field, size_t field_size, Bytes value, size_t value_size, int64_t expire_at_ms) except -1:
        if not self.sink.skips_value:
            self.sink.pair(field, field_size, value, value_size, expire_at_ms)
        return 0 if self.second.skips_value else self.second.pair(field, field_size, value, value_size, expire_at_ms)

    cdef int score(self, Bytes member, size_t member_size, double score) except -1:
        if not self.sink.skips_value:
            self.sink.score(member, member_size, score)
        return 0 if self.second.skips_value else self.second.score(member, member_size, score)

    cdef int member_expiry(self, Bytes member, size_t size, int64_t expire_at_ms) except -1:
        self.sink.member_expiry(member, size, expire_at_ms)
        return self.second.member_expiry(member, size, expire_at_ms)

    cdef int array_item(self, ArrayItem *item) except -1:
        self.sink.array_item(item)
        return self.second.array_item(item)

    cdef int array_end(self, bint has_insert, uint64_t insert_index) except -1:
        self.sink.array_end(has_insert, insert_index)
        return self.second.array_end(has_insert, insert_index)

    cdef int opaque(self, Bytes module, Bytes raw, size_t raw_size) except -1:
        self.sink.opaque(module, raw, raw_size)
        return self.second.opaque(module, raw, raw_size)

    cdef int entry(self, uint64_t ms, uint64_t seq, uint64_t fields) except -1:
        self.sink.entry(ms, seq, fields)
        return self.second.entry(ms, seq, fields)

    cdef int entry_field(self, Bytes field, size_t field_size, Bytes value, size_t value_size) except -1:
        self.sink.entry_field(field, field_size, value, value_size)
        return self.second.entry_field(field, field_size, value, value_size)

    cdef int end_entry(self) except -1:
        self.sink.end_entry()
        return self.second.end_entry()

    cdef int stream_tail(self, StreamTail *tail) except -1:
        self.sink.stream_tail(tail)
        return self.second.stream_tail(tail)

    cdef int begin_group(self, Group *group) except -1:
        self.sink.begin_group(group)
        return self.second.begin_group(group)

    cdef int consumer(self, Consumer *consumer) except -1:
        self.sink.consumer(consumer)
        return self.second.consumer(consumer)

    cdef int pending(self, Pending *pending) except -1:
        self.sink.pending(pending)
        return self.second.pending(pending)

    cdef int end_group(self) except -1:
        self.sink.end_group()
        return self.second.end_group()

    cdef int begin_producers(self, Producers *producers) except -1:
        self.sink.begin_producers(producers)
        return self.second.begin_producers(producers)

    cdef int producer(self, Bytes name, size_t name_size, uint64_t ids) except -1:
        self.sink.producer(name, name_size, ids)
        return self.second.producer(name, name_size, ids)

    cdef int producer_id(self, Bytes name, size_t name_size, uint64_t ms, uint64_t seq) except -1:
        self.sink.producer_id(name, name_size, ms, seq)
        return self.second.producer_id(name, name_size, ms, seq)

    cdef int end_producers(self) except -1:
        self.sink.end_producers()
        return self.second.end_producers()

    cdef int end_key(self, Bytes raw, size_t raw_size, int64_t stop) except -1:
        self.sink.end_key(raw, raw_size, stop)
        return self.second.end_key(raw, raw_size, stop)

    cdef int commit(self) except -1:
        Filter.commit(self)
        self.second.commit()
        self.second.may_spill = False
        self.full = self.full or self.second.full
        return 0

    cdef int rollback(self) noexcept:
        Filter.rollback(self)
        self.second.rollback()
        self.second.may_spill = False
        return 0

    cdef int finish(self) except -1:
        self.sink.finish()
        return self.second.finish()

    def begin_range(self, room, db):
        """Begin a range of both sinks."""
        self.sink.begin_range(room, db)
        self.second.begin_range(room, db)

    def end_range(self):
        """Return the results of both sinks."""
        return self.sink.end_range(), self.second.end_range()

    def add_range(self, result, room):
        """Add results to both sinks, first to the one that may refuse."""
        first, second = result
        if self.second.fills_room:
            return self.second.add_range(second, room) and self.sink.add_range(first, room)
        return self.sink.add_range(first, room) and self.second.add_range(second, room)

    def flush(self):
        """Flush both sinks."""
        self.sink.flush()
        self.second.flush()
