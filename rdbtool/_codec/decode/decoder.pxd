# The decoder: the loop over a file.

from libc.stdint cimport int64_t, uint64_t, uint8_t
from rdbtool._codec.decode.cursor cimport Bytes, Cursor, Limits, Scratch
from rdbtool._codec.decode.long_collections cimport LongCollections
from rdbtool._codec.decode.long_strings cimport LongStrings
from rdbtool._codec.decode.member_expiries cimport MemberExpiries
from rdbtool._codec.filters.selection cimport Selection
from rdbtool._codec.sink cimport Head, Measure, Sink
from rdbtool._codec.decode.value_reader cimport ValueReader
from rdbtool._codec.decode.window cimport Window

cdef enum:
    AUX_BYTE = 0xFA             # OP_AUX, which declarations cannot use

cdef class Decoder:
    cdef Window window
    cdef public object on_item      # callable(item), for items that are not records

    # the file
    cdef readonly str magic
    cdef readonly int version
    cdef Limits limits
    cdef uint8_t kind_of[256]       # KIND_* of a value type, 255: not one
    cdef uint8_t since[256]         # RDB version of a type or opcode; 255: unknown
    cdef public object fork         # name of the product that the file names, None: none
    cdef bint trails[16]            # by kind: member expiries may follow
    cdef readonly bint finished
    cdef public bint is_inside      # keys may precede the first item read
    cdef public bint embedded       # in an AOF: what follows the end mark does not belong to the RDB
    cdef public bint stops_at_key   # pauses before a key
    cdef public int64_t stops_at    # pauses before an item at this offset or later, -1: does not

    # what applies to the next key
    cdef public int64_t db
    cdef bint has_expire
    cdef int64_t expire_at_ms
    cdef int64_t idle_s
    cdef int freq
    cdef bint has_meta
    cdef Scratch meta
    cdef size_t meta_size
    cdef public int64_t pending_start   # -1: nothing is pending

    # scratch memory
    cdef Scratch key_text
    cdef Scratch first
    cdef Scratch second
    cdef ValueReader values
    cdef Sink null
    cdef Measure measure
    cdef LongStrings long_strings
    cdef LongCollections long_collections
    cdef MemberExpiries members
    cdef bint validate_first        # the current record goes through the null sink before its own

    # counts
    cdef uint64_t kinds[16]
    cdef public uint64_t keys
    cdef public uint64_t expires
    cdef uint64_t db_keys
    cdef uint64_t db_expires
    cdef dict db_counts

    cdef int keep_meta(self, Bytes p, size_t size) except -1
    cdef bint pass_stored(self, Cursor *c, Sink sink, Selection selection) except -1
    cdef int enter_db(self, int64_t db) except -1
    cdef int steps(self, Sink sink, Selection selection) except -1
    cdef int read_opcode(self, int code, Cursor *c, Sink sink) except -1
    cdef int read_end(self, Cursor *c, Sink sink) except -1
    cdef dict read_expiries(self, Cursor *c)
    cdef int emit_expiring(self, Head *head, Cursor *value, Sink sink, dict expiries) except -1
    cdef int check_count(self, int code, Cursor *c) except -1
    cdef int keep_key(self, Head *head) except -1
    cdef int read_long(self, Head *head, Cursor *c, Sink sink) except -1
    cdef int read_long_collection(self, Head *head, Cursor *c, Sink sink) except -1
    cdef int read_record(self, int code, Cursor *c, Sink sink, Selection selection) except -1

    cdef inline bint may_trail(self, Head *head, Cursor *c) noexcept:
        """Return whether member expiries may follow the value that ended at the cursor."""
        return self.trails[head.kind] and (c.p == c.end or c.p[0] == AUX_BYTE)
