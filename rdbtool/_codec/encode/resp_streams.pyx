# Streams as commands (format C6).
#
# XCLAIM makes an entry pending only while the stream has it. So pending entries that were deleted are claimed before
# everything else, from placeholders that are trimmed at once: trimming keeps owners and counts, and does not change the
# stream's counters. Which entries those are is known only after the last one, so a stream is held until its end, unless
# it is known ahead that there are none.

from libc.stdint cimport uint64_t
from libc.string cimport memcpy, memmove
from rdbtool._codec.decode.cursor cimport Bytes, grow, release
from rdbtool._codec.sink cimport Consumer, Group, Pending, Producers, StreamTail

cdef enum:
    CREATES_ALL = 10            # RDB version of the first servers that write CREATECONSUMER for all of them


cdef class StreamCommands(CommandOutput):
    def __dealloc__(self):
        release(&self.group)
        release(&self.producer_name)
        release(&self.ids)

    cdef int header(self, str magic, int version) except -1:
        self.version = version
        if not self.targeted:
            self.has_counters = self.creates_idle = True
            self.creates_all = version >= CREATES_ALL
        return 0

    cdef size_t keep_text(self, Scratch *scratch, Bytes p, size_t size) except 0:
        """Keep an argument for several commands; return its size."""
        cdef size_t kept
        self.filled = self.count = 0
        self.argument(p, size)
        grow(scratch, self.filled)
        memcpy(scratch.data, self.arguments.data, self.filled)
        kept = self.filled
        self.filled = self.count = 0
        return kept

    cdef int begin_stream(self) except -1:
        self.any_entry = False
        self.all_there = self.extent_ahead.is_known and self.extent_ahead.gone == 0
        self.may_spill = self.may_spill and self.all_there
        self.stream_at = self.size
        self.id_count = 0
        self.gone = None
        return 0

    cdef int entry(self, uint64_t ms, uint64_t seq, uint64_t fields) except -1:
        if self.silent:
            return 0
        self.any_entry = True
        if not self.all_there:
            self.keep_id(ms, seq)
        self.command(b"XADD", 3 + 2 * fields)
        self.bulk_key()
        return self.bulk_id(ms, seq)

    cdef int keep_id(self, uint64_t ms, uint64_t seq) except -1:
        grow(&self.ids, (self.id_count + 1) * sizeof(EntryId))
        (<EntryId *>self.ids.data)[self.id_count].ms = ms
        (<EntryId *>self.ids.data)[self.id_count].seq = seq
        self.id_count += 1
        return 0

    cdef int entry_field(self, Bytes field, size_t field_size, Bytes value, size_t value_size) except -1:
        if self.silent:
            return 0
        self.bulk(field, field_size)
        return self.bulk(value, value_size)

    cdef int stream_tail(self, StreamTail *tail) except -1:
        if self.silent:
            return 0
        if not self.any_entry:
            # An empty stream: add an entry that is trimmed at once.
            self.command(b"XADD", 7)
            self.bulk_key()
            self.word(b"MAXLEN")
            self.word(b"0")
            self.word(b"0-1")
            self.word(b"x")
            self.word(b"y")
        self.counted = tail.counted and self.has_counters
        self.command(b"XSETID", 7 if self.counted else 3)
        self.bulk_key()
        self.bulk_id(tail.last_ms, tail.last_seq)
        if self.counted:
            self.word(b"ENTRIESADDED")
            self.bulk_u64(tail.entries_added)
            self.word(b"MAXDELETEDID")
            self.bulk_id(tail.max_deleted_ms, tail.max_deleted_seq)
        return 0

    cdef int begin_group(self, Group *group) except -1:
        if self.silent:
            return 0
        self.group_size = self.keep_text(&self.group, group.name, group.name_size)
        self.group_is_early = False
        self.command(b"XGROUP", 7 if self.counted else 5)
        self.create_at = self.size
        self.word(b"CREATE")
        self.bulk_key()
        self.put(self.group.data, self.group_size)
        self.bulk_id(group.last_ms, group.last_seq)
        if self.counted:
            self.word(b"ENTRIESREAD")
            if group.counted:
                self.bulk_u64(group.entries_read)
            else:
                self.word(b"-1")
        return 0

    cdef int consumer(self, Consumer *consumer) except -1:
        # Consumers with pending entries are created by claiming them. CREATECONSUMER is younger than streams.
        if self.silent or not (self.creates_all or (consumer.pending == 0 and self.creates_idle)):
            return 0
        self.command(b"XGROUP", 5)
        self.word(b"CREATECONSUMER")
        self.bulk_key()
        self.put(self.group.data, self.group_size)
        return self.bulk(consumer.name, consumer.name_size)

    cdef int pending(self, Pending *pending) except -1:
        cdef size_t at
        if self.silent:
            return 0
        if not pending.owned:
            self.command(b"XNACK", 10)
            self.bulk_key()
            self.put(self.group.data, self.group_size)
            self.word(b"FAIL")
            self.word(b"IDS")
            self.word(b"1")
            self.bulk_id(pending.ms, pending.seq)
            self.word(b"RETRYCOUNT")
            self.bulk_u64(pending.delivery_count)
            return self.word(b"FORCE")
        if self.all_there or self.has_entry(pending.ms, pending.seq):
            return self.claim(pending)
        if self.gone is None:
            self.gone = set()
            self.early = bytearray()
        self.gone.add((pending.ms, pending.seq))
        if not self.group_is_early:
            self.create_early()
        at = self.size
        self.claim(pending)
        return self.move_early(at)

    cdef int claim(self, Pending *pending) except -1:
        self.command(b"XCLAIM", 12)
        self.bulk_key()
        self.put(self.group.data, self.group_size)
        self.bulk(pending.consumer, pending.consumer_size)
        self.word(b"0")
        self.bulk_id(pending.ms, pending.seq)
        self.word(b"TIME")
        self.bulk_i64(pending.delivered_at_ms)
        self.word(b"RETRYCOUNT")
        self.bulk_u64(pending.delivery_count)
        self.word(b"JUSTID")
        return self.word(b"FORCE")

    cdef bint has_entry(self, uint64_t ms, uint64_t seq) noexcept:
        """Whether an entry was written. They arrived in ID order."""
        cdef EntryId *rows = <EntryId *>self.ids.data
        cdef uint64_t low = 0, high = self.id_count, middle
        while low < high:
            middle = low + (high - low) // 2
            if rows[middle].ms < ms or (rows[middle].ms == ms and rows[middle].seq < seq):
                low = middle + 1
            else:
                high = middle
        return low < self.id_count and rows[low].ms == ms and rows[low].seq == seq

    # ---- pending entries that were deleted -----------------------------------------------------

    cdef int create_early(self) except -1:
        """Create the current group before the entries: its usual place then only sets its last ID."""
        cdef size_t at = self.size
        self.group_is_early = True
        self.command(b"XGROUP", 5)
        self.word(b"CREATE")
        self.bulk_key()
        self.put(self.group.data, self.group_size)
        self.bulk_id(0, 0)
        self.move_early(at)
        at = self.create_at
        memcpy(self.data + at, b"$5\r\nSETID\r\n", 11)
        memmove(self.data + at + 11, self.data + at + 12, self.size - at - 12)
        self.size -= 1
        return 0

    cdef int move_early(self, size_t at) except -1:
        """Take the commands from ``at`` on to the front."""
        self.early += self.data[at:self.size]
        self.size = at
        return 0

    cdef int end_stream(self) except -1:
        """Write what has to precede the entries."""
        cdef size_t at = self.size
        cdef size_t size
        cdef bytes text
        if self.gone is None:
            return 0
        claims = self.early
        self.early = bytearray()
        for ms, seq in sorted(self.gone):
            self.command(b"XADD", 5)
            self.bulk_key()
            self.bulk_id(ms, seq)
            self.word(b"x")
            self.word(b"y")
        self.move_early(at)
        self.early += claims
        self.command(b"XTRIM", 4)
        self.bulk_key()
        self.word(b"MAXLEN")
        self.word(b"0")
        self.command(b"XSETID", 3)
        self.bulk_key()
        self.bulk_id(0, 0)
        self.move_early(at)
        text = bytes(self.early)
        size = len(text)
        self.reserve(size)
        memmove(self.data + self.stream_at + size, self.data + self.stream_at, self.size - self.stream_at)
        memcpy(self.data + self.stream_at, <char *>text, size)
        self.size += size
        self.gone = self.early = None
        return 0

    # ---- idempotent producers ------------------------------------------------------------------

    cdef int begin_producers(self, Producers *producers) except -1:
        if self.silent or not self.targeted:
            return 0
        self.command(b"XCFGSET", 6)
        self.bulk_key()
        self.word(b"IDMP-DURATION")
        self.bulk_u64(producers.duration_s)
        self.word(b"IDMP-MAXSIZE")
        return self.bulk_u64(producers.max_entries)

    cdef int producer(self, Bytes name, size_t name_size, uint64_t ids) except -1:
        if not self.silent and self.targeted:
            self.producer_size = self.keep_text(&self.producer_name, name, name_size)
        return 0

    cdef int producer_id(self, Bytes name, size_t name_size, uint64_t ms, uint64_t seq) except -1:
        if self.silent or not self.targeted:
            return 0
        self.command(b"XIDMPRECORD", 5)
        self.bulk_key()
        self.put(self.producer_name.data, self.producer_size)
        self.bulk(name, name_size)
        return self.bulk_id(ms, seq)
