# What of a stream a target can hold, and what is made for it.
#
# Counters that a target has and the source lacks are those that servers take for unknown. A group's consumers and
# pending entries are held until the group ends: an owner that is no consumer becomes one, in front of the
# entries. Commands record ids of producers for entries of the stream only, so its ids are kept while the record lasts.

from libc.string cimport memset
from rdbtool._codec.decode.cursor cimport Bytes, grow, release
from rdbtool._codec.sink cimport Consumer, Group, Producers, StreamTail

include "../_types.pxi"

cdef enum:
    KEPT = 1 << 22              # memory that grew beyond this is given back after its record
    # The limits that Redis 8.6 gives to a stream that has none, and the greatest that it takes.
    IDEMPOTENCY_SECONDS = 100
    IDEMPOTENCY_ENTRIES = 100
    MOST_SECONDS = 86_400
    MOST_ENTRIES = 10_000
    # RDB versions that brought a part of streams.
    COUNTERS = SINCE_STREAM_LISTPACKS_2
    ACTIVE_TIMES = SINCE_STREAM_LISTPACKS_3
    PRODUCERS = SINCE_STREAM_LISTPACKS_4
    UNOWNED_ENTRIES = SINCE_STREAM_LISTPACKS_5

cdef uint64_t UNKNOWN = <uint64_t>-1


cdef inline bint is_before(const Id *row, uint64_t ms, uint64_t seq) noexcept:
    return row.ms < ms or (row.ms == ms and row.seq < seq)


cdef class StreamFit(Judge):
    def __cinit__(self):
        self.owners = Owners()

    def __dealloc__(self):
        release(&self.live)
        release(&self.held)

    cdef int begin_stream(self) except -1:
        self.any_entry = self.any_unowned = self.has_producers = False
        self.producers = []
        self.live_count = 0
        self.counters = self.entries_read = self.excess_reads = self.seen_times = self.active_times = 0
        self.consumers_made = self.consumers_lost = self.unowned_lost = self.unowned_times = 0
        self.producers_lost = self.producer_counters = self.dead_producer_ids = self.limits_changed = 0
        memset(&self.first, 0, sizeof(Id))
        if self.live.capacity > KEPT:
            release(&self.live)
        if self.held.capacity > KEPT:
            release(&self.held)
        return 0

    # ---- entries -------------------------------------------------------------------------------

    cdef int entry(self, uint64_t ms, uint64_t seq, uint64_t fields) except -1:
        if self.skipped:
            return 0
        if not self.any_entry:
            self.any_entry = True
            self.first.ms = ms
            self.first.seq = seq
        if self.can.producers and not self.can.producer_counters:
            grow(&self.live, (self.live_count + 1) * sizeof(Id))
            (<Id *>self.live.data)[self.live_count].ms = ms
            (<Id *>self.live.data)[self.live_count].seq = seq
            self.live_count += 1
        return self.sink.entry(ms, seq, fields)

    cdef int entry_field(self, Bytes field, size_t field_size, Bytes value, size_t value_size) except -1:
        return 0 if self.skipped else self.sink.entry_field(field, field_size, value, value_size)

    cdef int end_entry(self) except -1:
        return 0 if self.skipped else self.sink.end_entry()

    cdef bint is_live(self, uint64_t ms, uint64_t seq) noexcept:
        """Whether the stream has an entry. They came in the order of their ids."""
        cdef Id *rows = <Id *>self.live.data
        cdef uint64_t low = 0, high = self.live_count, middle
        while low < high:
            middle = low + (high - low) // 2
            if is_before(rows + middle, ms, seq):
                low = middle + 1
            else:
                high = middle
        return low < self.live_count and rows[low].ms == ms and rows[low].seq == seq

    cdef int stream_tail(self, StreamTail *tail) except -1:
        cdef StreamTail fitted = tail[0]
        if self.skipped:
            return 0
        self.counters = self.can.counters != tail.counted
        fitted.counted = self.can.counters
        fitted.version = 3 if fitted.counted else 1
        if not fitted.counted:
            fitted.first_ms = fitted.first_seq = fitted.max_deleted_ms = fitted.max_deleted_seq = 0
            fitted.entries_added = 0
        elif not tail.counted:
            fitted.first_ms = self.first.ms
            fitted.first_seq = self.first.seq
            fitted.max_deleted_ms = fitted.max_deleted_seq = 0
            fitted.entries_added = tail.length
        elif not self.can.seen_times and (tail.first_ms != self.first.ms or tail.first_seq != self.first.seq):
            # Commands do not tell the first id: it is that of the first entry.
            self.counters = 1
            fitted.first_ms = self.first.ms
            fitted.first_seq = self.first.seq
        self.entries_added = fitted.entries_added
        return self.sink.stream_tail(&fitted)

    # ---- groups --------------------------------------------------------------------------------

    cdef int begin_group(self, Group *group) except -1:
        cdef Group fitted = group[0]
        if self.skipped:
            return 0
        self.owners.clear()
        self.held_count = 0
        self.entries_read += group.counted and not self.can.counters
        fitted.counted = group.counted and self.can.counters and group.entries_read != UNKNOWN
        if not fitted.counted:
            fitted.entries_read = 0
        elif not self.can.excess_reads and fitted.entries_read > self.entries_added:
            self.excess_reads += 1
            fitted.entries_read = self.entries_added
        return self.sink.begin_group(&fitted)

    cdef int consumer(self, Consumer *consumer) except -1:
        cdef Consumer fitted = consumer[0]
        if self.skipped:
            return 0
        self.seen_times += self.can.seen_times != consumer.has_seen
        self.active_times += self.can.active_times != consumer.has_active
        if not fitted.has_seen or not self.can.seen_times:
            fitted.seen_at_ms = 0
        if not fitted.has_active:
            # Where no active time is known, servers take the time when it was seen.
            fitted.active_at_ms = fitted.seen_at_ms
        fitted.has_seen = self.can.seen_times
        fitted.has_active = self.can.active_times
        self.owners.add(&fitted)
        return 0

    cdef int64_t make_owner(self, Pending *pending) except -1:
        """A consumer out of the owner of a pending entry that is none."""
        cdef Consumer made
        self.consumers_made += 1
        made.name = pending.consumer
        made.name_size = pending.consumer_size
        made.has_seen = self.can.seen_times
        made.has_active = self.can.active_times
        made.seen_at_ms = made.active_at_ms = pending.delivered_at_ms
        return self.owners.add(&made)

    cdef int pending(self, Pending *pending) except -1:
        cdef Held *row
        cdef int64_t owner = -1
        if self.skipped:
            return 0
        if pending.owned:
            owner = self.owners.find(pending.consumer, pending.consumer_size)
            if owner < 0:
                owner = self.make_owner(pending)
            self.owners.row(<uint64_t>owner).ids += 1
        elif not self.can.unowned_pending:
            self.unowned_lost += 1
            return 0
        grow(&self.held, (self.held_count + 1) * sizeof(Held))
        row = <Held *>self.held.data + self.held_count
        row.ms = pending.ms
        row.seq = pending.seq
        row.delivered_at_ms = pending.delivered_at_ms
        row.delivery_count = pending.delivery_count
        row.owner = owner
        if owner < 0:
            self.any_unowned = True
            if not self.can.seen_times and row.delivered_at_ms:
                self.unowned_times += 1
                row.delivered_at_ms = 0
        self.held_count += 1
        return 0

    cdef int end_group(self) except -1:
        cdef uint64_t i
        cdef Owner *owner
        if self.skipped:
            return 0
        for i in range(self.owners.count):
            owner = self.owners.row(i)
            if owner.ids == 0 and not self.can.bare_consumers:
                self.consumers_lost += 1
            else:
                self.tell_consumer(i, owner)
        for i in range(self.held_count):
            self.tell_pending(<Held *>self.held.data + i)
        return self.sink.end_group()

    cdef int tell_consumer(self, uint64_t at, Owner *owner) except -1:
        cdef Consumer consumer
        consumer.name = self.owners.name(at)
        consumer.name_size = owner.name_size
        consumer.has_seen = owner.has_seen
        consumer.seen_at_ms = owner.seen_at_ms
        consumer.has_active = owner.has_active
        consumer.active_at_ms = owner.active_at_ms
        consumer.pending = owner.ids
        return self.sink.consumer(&consumer)

    cdef int tell_pending(self, Held *row) except -1:
        cdef Pending pending
        pending.ms = row.ms
        pending.seq = row.seq
        pending.delivered_at_ms = row.delivered_at_ms
        pending.delivery_count = row.delivery_count
        pending.owned = row.owner >= 0
        if pending.owned:
            pending.consumer = self.owners.name(<uint64_t>row.owner)
            pending.consumer_size = self.owners.row(<uint64_t>row.owner).name_size
        else:
            pending.consumer = <Bytes>b""
            pending.consumer_size = 0
        return self.sink.pending(&pending)

    # ---- idempotent producers ------------------------------------------------------------------

    cdef int begin_producers(self, Producers *producers) except -1:
        cdef Producers fitted = producers[0]
        if self.skipped:
            return 0
        self.has_producers = True
        if not self.can.producers:
            return 0
        if not self.can.producer_counters:
            # How many ids were added follows from the ids themselves, which are not heard yet.
            fitted.ids_added = fitted.ids_duplicate = 0
            self.producer_counters = producers.ids_added != 0 or producers.ids_duplicate != 0
            if not (1 <= fitted.duration_s <= MOST_SECONDS and 1 <= fitted.max_entries <= MOST_ENTRIES):
                self.limits_changed = 1
                fitted.duration_s = IDEMPOTENCY_SECONDS
                fitted.max_entries = IDEMPOTENCY_ENTRIES
        return self.sink.begin_producers(&fitted)

    cdef int producer(self, Bytes name, size_t name_size, uint64_t ids) except -1:
        if self.skipped:
            return 0
        if not self.can.producers:
            self.producers_lost += 1
            return 0
        if not self.can.producer_counters:
            self.producers.append(((<char *>name)[:name_size], []))
            return 0
        return self.sink.producer(name, name_size, ids)

    cdef int producer_id(self, Bytes name, size_t name_size, uint64_t ms, uint64_t seq) except -1:
        if self.skipped or not self.can.producers:
            return 0
        if self.can.producer_counters:
            return self.sink.producer_id(name, name_size, ms, seq)
        if self.is_live(ms, seq):
            self.producers[len(self.producers) - 1][1].append(((<char *>name)[:name_size], ms, seq))
        else:
            self.dead_producer_ids += 1
        return 0

    cdef int end_producers(self) except -1:
        cdef bytes name, text
        if self.skipped or not self.can.producers:
            return 0
        for name, ids in self.producers:
            if ids:
                self.sink.producer(<Bytes>(<char *>name), len(name), len(ids))
                for text, ms, seq in ids:
                    self.sink.producer_id(<Bytes>(<char *>text), len(text), ms, seq)
        return self.sink.end_producers()

    # ---- the end -------------------------------------------------------------------------------

    cdef int finish_stream(self) except -1:
        """Make what a stream of the target has to have, and find what was lost."""
        cdef Producers limits
        if self.any_unowned and not self.has_producers and self.can.producer_counters:
            # The form of streams that tells of entries without an owner tells of producers too.
            memset(&limits, 0, sizeof(Producers))
            limits.duration_s = IDEMPOTENCY_SECONDS
            limits.max_entries = IDEMPOTENCY_ENTRIES
            self.limits_changed = 1
            self.sink.begin_producers(&limits)
            self.sink.end_producers()
        return self.find_stream_losses()

    cdef int find_stream_losses(self) except -1:
        self.find("pending entries that nobody owns", "loss", self.unowned_lost, UNOWNED_ENTRIES)
        self.find("ids of idempotent producers", "loss", self.producers_lost, PRODUCERS)
        if self.has_producers and not self.can.producers and not self.producers_lost:
            self.find("limits of idempotent producers", "note", 1, PRODUCERS)
        self.find("limits of idempotent producers", "note", self.limits_changed, None)
        self.find("counters of idempotent producers", "note", self.producer_counters, None)
        self.find("ids of idempotent producers whose stream entry is gone", "note", self.dead_producer_ids, None)
        self.find("stream counters", "note", self.counters, COUNTERS)
        self.find("entries read by groups", "note", self.entries_read, COUNTERS)
        self.find("entries read by groups beyond those added", "note", self.excess_reads, None)
        self.find("times when consumers were seen", "note", self.seen_times, None)
        self.find("times when consumers were active", "note", self.active_times, ACTIVE_TIMES)
        self.find("owners of pending entries that were no consumers", "note", self.consumers_made, None)
        self.find("consumers without pending entries", "note", self.consumers_lost, None)
        return self.find("times of pending entries that nobody owns", "note", self.unowned_times, None)
