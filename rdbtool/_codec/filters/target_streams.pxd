# What of a stream a target can hold, and what is made for it.

from libc.stdint cimport int64_t, uint64_t
from rdbtool._codec.decode.cursor cimport Scratch
from rdbtool._codec.encode.stream_owners cimport Owner, Owners
from rdbtool._codec.filters.target_losses cimport Judge
from rdbtool._codec.sink cimport Pending

cdef struct Can:                # rdbtool._codec.filters.capabilities.Able, as far as streams go
    bint counters
    bint excess_reads
    bint seen_times
    bint active_times
    bint bare_consumers
    bint unowned_pending
    bint producers
    bint producer_counters

cdef struct Id:
    uint64_t ms
    uint64_t seq

cdef struct Held:               # a pending entry
    uint64_t ms
    uint64_t seq
    int64_t delivered_at_ms
    uint64_t delivery_count
    int64_t owner               # -1: nobody

cdef class StreamFit(Judge):
    cdef Can can
    cdef bint skipped           # the record at hand cannot be held
    cdef bint any_entry
    cdef Id first
    cdef Scratch live           # Id by entry, where the ids of producers must have theirs
    cdef uint64_t entries_added
    cdef uint64_t live_count
    cdef Owners owners          # of the group at hand
    cdef Scratch held           # its pending entries
    cdef uint64_t held_count
    cdef bint any_unowned
    cdef bint has_producers
    cdef list producers         # [name, [(name, ms, seq), …]], where not all of them can be told

    cdef uint64_t counters      # 1: of the stream, dropped or made
    cdef uint64_t entries_read
    cdef uint64_t excess_reads
    cdef uint64_t seen_times
    cdef uint64_t active_times
    cdef uint64_t consumers_made
    cdef uint64_t consumers_lost
    cdef uint64_t unowned_lost
    cdef uint64_t unowned_times
    cdef uint64_t producers_lost
    cdef uint64_t producer_counters
    cdef uint64_t dead_producer_ids
    cdef uint64_t limits_changed

    cdef int begin_stream(self) except -1
    cdef int finish_stream(self) except -1
    cdef int find_stream_losses(self) except -1
    cdef bint is_live(self, uint64_t ms, uint64_t seq) noexcept
    cdef int64_t make_owner(self, Pending *pending) except -1
    cdef int tell_consumer(self, uint64_t at, Owner *owner) except -1
    cdef int tell_pending(self, Held *row) except -1
