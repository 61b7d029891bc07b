# RDB encoder: records to RDB bytes.

from libc.stdint cimport int64_t, uint64_t
from rdbtool._codec.decode.cursor cimport Bytes
from rdbtool._codec.encode.primitives cimport Buffer
from rdbtool._codec.encode.collection cimport Collection
from rdbtool._codec.encode.stream cimport Stream
from rdbtool._codec.encode.rdb_output cimport SnapshotOutput
from rdbtool._codec.sink cimport Head

cdef class Rdb(SnapshotOutput):
    cdef readonly uint64_t keys             # that are complete
    cdef int64_t last_field_expiry
    cdef bint cannot_hold[16]               # by kind
    cdef Collection collection
    cdef Stream stream
    cdef Buffer key                         # of the current record: its key, as STR
    cdef int64_t key_db
    cdef int kind
    cdef bint copies[256]                   # by type code: stored values are copied
    cdef bint copied                        # the current one
    cdef bint stores[256]                   # by type code and opcode: records may come as they are stored
    cdef int64_t stored_at                  # offset of the last of such records in the output
    cdef bint encodes_next                  # the next record comes again, because its value cannot be copied
    cdef int type_code                      # of the source
    cdef bint written                       # it was, when it was received
    cdef Buffer value                       # of a string its short or compressed form; of an array its items
    cdef uint64_t count                     # items of the array
    cdef bint copies_packed                 # of a long string
    cdef bint is_whole                      # a long string: it was written when it began
    cdef bint has_insert
    cdef uint64_t insert_index

    cdef int put_eviction(self, Head *head) except -1
    cdef int put_expiry(self, int64_t expire_at_ms) except -1
    cdef int put_head(self, int type_code) except -1
    cdef int put_part(self, Bytes p, size_t size) except -1
    cdef int put_blob(self, Bytes p, size_t size) except -1
    cdef int put_length(self, uint64_t number) except -1
    cdef int put_stream(self) except -1
    cdef int drain(self) except -1
