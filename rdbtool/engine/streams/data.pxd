# C-level view of streams, for the loop that executes an AOF's plain commands and for the export.

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from rdbtool._codec.decode.raw_commands cimport Word

cdef extern from "entries.h":
    ctypedef struct entries_block:
        size_t used
        size_t start
        uint32_t live
    ctypedef struct stream_entries:
        entries_block *blocks
        uint32_t first
        uint32_t count
        uint64_t length
    ctypedef struct entry_view:
        uint64_t ms
        uint64_t seq
        size_t pairs
    size_t block_next(const entries_block *block, size_t at, entry_view *entry) noexcept nogil
    void entry_next_pair(entry_view *entry, Word *name, Word *value) noexcept nogil
    bint entry_is_before(uint64_t ms, uint64_t seq, uint64_t other_ms, uint64_t other_seq) noexcept nogil

cdef struct EntryId:
    uint64_t ms
    uint64_t seq


cdef inline object number_of(uint64_t ms, uint64_t seq):
    """Return an ID as one int."""
    return (<object>ms << 64) | seq


cdef class StreamData:
    cdef stream_entries held
    cdef EntryId last
    cdef EntryId first
    cdef EntryId max_deleted
    cdef bint is_counted
    cdef uint64_t added
    # Of changes that move entries.
    cdef uint64_t changes
    cdef public dict groups
    cdef public object producers
    cdef public bint is_whole
    cdef public uint64_t first_node
    cdef int append_words(self, uint64_t ms, uint64_t seq, const Word *words, size_t pairs) except -1
    cdef bint holds(self, uint64_t ms, uint64_t seq) noexcept
    cdef bint remove(self, uint64_t ms, uint64_t seq) except -1
    cdef int cut(self, uint64_t count) except -1
    cdef int write(self, uint64_t ms, uint64_t seq, const Word *words, size_t pairs) except -1
    cdef int write_tuple(self, uint64_t ms, uint64_t seq, tuple fields, bint is_new) except -1
    cdef int note_first(self) except -1
    cdef object reads_until(self, EntryId id, bint strict)
