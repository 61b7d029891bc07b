# The base of filters: sinks that pass on every event that they do not override.

from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy
from rdbtool._codec.decode.cursor cimport Bytes, Scratch, grow, release
from rdbtool._codec.sink cimport ArrayItem, Consumer, Group, Head, LongString, Pending, Producers, Sink, StreamTail


cdef class Filter(Sink):
    """Passes everything on to ``sink``."""

    def __init__(self, Sink sink not None):
        self.sink = sink
        self.buffered = sink.buffered
        self.takes_pieces = sink.takes_pieces
        self.asks_utf8 = sink.asks_utf8
        self.asks_extent = sink.asks_extent

    cdef int header(self, str magic, int version) except -1:
        return self.sink.header(magic, version)

    cdef int item(self, object item) except -1:
        return self.sink.item(item)

    cdef int begin_key(self, Head *head) except -1:
        self.pass_ahead(self.sink)
        return self.sink.begin_key(head)

    cdef int string(self, Bytes p, size_t size) except -1:
        return self.sink.string(p, size)

    cdef int begin_string(self, LongString *text) except -1:
        return self.sink.begin_string(text)

    cdef int string_piece(self, Bytes p, size_t size) except -1:
        return self.sink.string_piece(p, size)

    cdef int packed_piece(self, Bytes p, size_t size) except -1:
        return self.sink.packed_piece(p, size)

    cdef int end_string(self) except -1:
        return self.sink.end_string()

    cdef int begin_packed(self, int packing, size_t size, uint64_t ms, uint64_t seq) except -1:
        return self.sink.begin_packed(packing, size, ms, seq)

    cdef int element(self, Bytes p, size_t size) except -1:
        return self.sink.element(p, size)

    cdef int pair(self, Bytes field, size_t field_size, Bytes value, size_t value_size, int64_t expire_at_ms) except -1:
        return self.sink.pair(field, field_size, value, value_size, expire_at_ms)

    cdef int score(self, Bytes member, size_t member_size, double score) except -1:
        return self.sink.score(member, member_size, score)

    cdef int member_expiry(self, Bytes member, size_t size, int64_t expire_at_ms) except -1:
        return self.sink.member_expiry(member, size, expire_at_ms)

    cdef int array_item(self, ArrayItem *item) except -1:
        return self.sink.array_item(item)

    cdef int array_end(self, bint has_insert, uint64_t insert_index) except -1:
        return self.sink.array_end(has_insert, insert_index)

    cdef int opaque(self, Bytes module, Bytes raw, size_t raw_size) except -1:
        return self.sink.opaque(module, raw, raw_size)

    cdef int entry(self, uint64_t ms, uint64_t seq, uint64_t fields) except -1:
        return self.sink.entry(ms, seq, fields)

    cdef int entry_field(self, Bytes field, size_t field_size, Bytes value, size_t value_size) except -1:
        return self.sink.entry_field(field, field_size, value, value_size)

    cdef int end_entry(self) except -1:
        return self.sink.end_entry()

    cdef int stream_tail(self, StreamTail *tail) except -1:
        return self.sink.stream_tail(tail)

    cdef int begin_group(self, Group *group) except -1:
        return self.sink.begin_group(group)

    cdef int consumer(self, Consumer *consumer) except -1:
        return self.sink.consumer(consumer)

    cdef int pending(self, Pending *pending) except -1:
        return self.sink.pending(pending)

    cdef int end_group(self) except -1:
        return self.sink.end_group()

    cdef int begin_producers(self, Producers *producers) except -1:
        return self.sink.begin_producers(producers)

    cdef int producer(self, Bytes name, size_t name_size, uint64_t ids) except -1:
        return self.sink.producer(name, name_size, ids)

    cdef int producer_id(self, Bytes name, size_t name_size, uint64_t ms, uint64_t seq) except -1:
        return self.sink.producer_id(name, name_size, ms, seq)

    cdef int end_producers(self) except -1:
        return self.sink.end_producers()

    cdef int end_key(self, Bytes raw, size_t raw_size, int64_t stop) except -1:
        return self.sink.end_key(raw, raw_size, stop)

    cdef int commit(self) except -1:
        self.sink.commit()
        self.sink.may_spill = False
        self.full = self.sink.full
        return 0

    cdef int rollback(self) noexcept:
        self.sink.rollback()
        self.sink.may_spill = False
        return 0

    cdef int finish(self) except -1:
        return self.sink.finish()

    def flush(self):
        """Flush the sink."""
        self.sink.flush()

    def begin_range(self, room, db):
        """Begin a range of the sink."""
        self.sink.begin_range(room, db)

    def end_range(self):
        """Return the result of the sink."""
        return self.sink.end_range()

    def add_range(self, result, room):
        """Add a result to the sink."""
        return self.sink.add_range(result, room)


cdef class WaitingFilter(Filter):
    """A filter that may hold a record's head until its value decides whether it stays; ``dropped`` counts by part."""

    def __init__(self, Sink sink not None):
        super().__init__(sink)
        self.dropped = {}
        self.divides = sink.divides
        self.fills_room = sink.fills_room

    def begin_range(self, room, db):
        """Begin a range of the sink."""
        self.dropped = {}
        Filter.begin_range(self, room, db)

    def end_range(self):
        """Return what was dropped, and the result of the sink."""
        return self.dropped, Filter.end_range(self)

    def add_range(self, result, room):
        """Add a result to the sink, and what a copy dropped."""
        dropped, passed_on = result
        if not Filter.add_range(self, passed_on, room):
            return False
        for part, times in dropped.items():
            self.count(part, times)
        return True

    def __dealloc__(self):
        release(&self.key)
        release(&self.meta)

    cdef int count(self, str part, uint64_t times) except -1:
        self.dropped[part] = self.dropped.get(part, 0) + times
        return 0

    cdef int wait(self, Head *head) except -1:
        """Keep a copy of the head until ``wake``."""
        self.waiting = True
        self.head = head[0]
        grow(&self.key, head.key_size + 1)
        memcpy(self.key.data, head.key, head.key_size)
        self.head.key = self.key.data
        if head.meta != NULL:
            grow(&self.meta, head.meta_size + 1)
            memcpy(self.meta.data, head.meta, head.meta_size)
            self.head.meta = self.meta.data
        return 0

    cdef int wake(self) except -1:
        """Pass on the waiting head."""
        self.waiting = False
        return Filter.begin_key(self, &self.head)

    cdef int begin_packed(self, int packing, size_t size, uint64_t ms, uint64_t seq) except -1:
        # What is passed on may have fewer elements, or begin later.
        return 0
