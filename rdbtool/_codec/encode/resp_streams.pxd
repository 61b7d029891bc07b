# Streams as commands.

from libc.stdint cimport uint64_t
from rdbtool._codec.decode.cursor cimport Bytes, Scratch
from rdbtool._codec.encode.resp_words cimport CommandOutput
from rdbtool._codec.sink cimport Pending

cdef struct EntryId:
    uint64_t ms
    uint64_t seq

cdef class StreamCommands(CommandOutput):
    cdef int version                # of the RDB that the records come from
    cdef bint silent                # the value goes into a payload: its parts are ignored
    # The commands of the target; without one they follow the source.
    cdef bint targeted
    cdef bint has_counters          # ENTRIESADDED, MAXDELETEDID, ENTRIESREAD
    cdef bint creates_idle          # consumers without pending entries
    cdef bint creates_all           # consumers, before XCLAIM
    cdef Scratch group              # "$n\r\nname\r\n"
    cdef size_t group_size
    cdef Scratch producer_name      # likewise
    cdef size_t producer_size
    cdef bint any_entry
    cdef bint counted               # the stream's counters are known and written
    cdef bint all_there             # no pending entry was deleted
    cdef Scratch ids                # EntryId by entry, unless all are there
    cdef uint64_t id_count
    cdef size_t stream_at           # where the commands of the stream begin
    cdef size_t create_at           # and those of its group
    cdef bint group_is_early        # the group was created before the entries
    cdef set gone                   # IDs of pending entries that were deleted: (ms, seq)
    cdef bytearray early            # commands that make them pending

    cdef int begin_stream(self) except -1
    cdef int end_stream(self) except -1
    cdef int keep_id(self, uint64_t ms, uint64_t seq) except -1
    cdef bint has_entry(self, uint64_t ms, uint64_t seq) noexcept
    cdef int create_early(self) except -1
    cdef int move_early(self, size_t at) except -1
    cdef int claim(self, Pending *pending) except -1

    cdef size_t keep_text(self, Scratch *scratch, Bytes p, size_t size) except 0
