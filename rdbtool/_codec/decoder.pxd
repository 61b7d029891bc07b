# The decoder: a window over a source, and the loop over what stands in it.

from libc.stdint cimport int64_t, uint64_t, uint8_t
from rdbtool._codec.cursor cimport Bytes, Cursor, Limits, Scratch
from rdbtool._codec.selection cimport Selection
from rdbtool._codec.sink cimport Sink
from rdbtool._codec.streams cimport StreamReader

cdef class Decoder:
    # the window
    cdef object readinto            # callable(memoryview) -> int, 0 at the end
    cdef object window_limit        # callable() -> int: how large the window may grow, bytes
    cdef object crc64               # callable(memoryview, int) -> int
    cdef uint8_t *buffer
    cdef size_t capacity
    cdef size_t start               # of the item at hand
    cdef size_t stop                # end of what was read
    cdef size_t crc_at              # up to here the checksum is computed
    cdef int64_t base               # source offset of buffer[0]
    cdef int64_t size               # of the source, -1: unknown
    cdef bint at_end                # the source has no more
    cdef public object on_item         # callable(item), for items that are not records
    cdef readonly object checksum   # CRC-64 up to crc_at

    # the file
    cdef readonly str magic
    cdef readonly int version
    cdef Limits limits
    cdef uint8_t kind_of[256]       # KIND_* of a value type, 255: not one
    cdef uint8_t since[256]         # RDB version of a type or opcode; 255: unknown
    cdef public dict templates
    cdef public object fork
    cdef readonly bint finished

    # what the next key gets
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
    cdef StreamReader streams
    cdef Sink null
    cdef bint validate_first        # the record at hand goes through the null sink before its own

    # counts
    cdef uint64_t kinds[16]
    cdef public uint64_t keys
    cdef public uint64_t expires
    cdef uint64_t db_keys
    cdef uint64_t db_expires
    cdef dict db_counts

    cdef object span(self, int64_t at, Bytes stop)
    cdef int keep_meta(self, Bytes p, size_t size) except -1
    cdef int enter_db(self, int64_t db) except -1
    cdef int refill(self) except -1
    cdef int advance_checksum(self, size_t upto) except -1
    cdef int steps(self, Sink sink, Selection selection) except -1
    cdef int read_opcode(self, int code, Cursor *c, Sink sink) except -1
    cdef int read_end(self, Cursor *c, Sink sink) except -1
    cdef int read_record(self, int code, Cursor *c, Sink sink, Selection selection) except -1
    cdef int read_value(self, int code, Cursor *c, Sink sink) except -1
    cdef int read_strings(self, Cursor *c, Sink sink) except -1
    cdef int read_pairs(self, Cursor *c, Sink sink) except -1
    cdef int read_text_scores(self, Cursor *c, Sink sink) except -1
    cdef int read_scores(self, Cursor *c, Sink sink) except -1
    cdef int read_blob(self, int code, Cursor *c, Sink sink) except -1
    cdef int read_quicklist(self, int code, Cursor *c, Sink sink) except -1
    cdef int read_expiring_pairs(self, int code, Cursor *c, Sink sink) except -1
    cdef int read_module(self, Cursor *c, Sink sink) except -1
    cdef int read_array(self, Cursor *c, Sink sink) except -1
    cdef int read_template_hash(self, int code, Cursor *c, Sink sink) except -1
    cdef tuple read_template_fields(self, Cursor *c)
    cdef int skip_module_data(self, Cursor *c) except -1
