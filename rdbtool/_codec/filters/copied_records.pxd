# Records that are copied from one file to another as they are stored, and where they went.

from libc.stdint cimport int64_t, uint64_t
from rdbtool._codec.decode.cursor cimport Scratch
from rdbtool._codec.encode.rdb cimport Rdb
from rdbtool._codec.filters.filter cimport Filter
from rdbtool._codec.sink cimport Sink

cdef struct Run:
    int64_t start               # offsets in the output
    int64_t stop
    int64_t db

cdef class CopiedRecords:
    cdef Scratch runs           # Run, in the order of the output
    cdef size_t count
    cdef readonly uint64_t keys
    cdef Rdb encoder            # that wrote them
    cdef int add(self, int64_t start, size_t size, int64_t db, uint64_t keys) except -1
    cdef const Run *find(self, int64_t at) noexcept

cdef class Copying(Filter):
    cdef CopiedRecords copied

cdef class BesideCopied(Filter):
    cdef CopiedRecords copied
    cdef readonly uint64_t keys
    cdef readonly object checksum   # that the file ends with, None: none was read
    cdef const Run *run         # in which the last record was
    cdef const Run *now         # in which the current one is, NULL: it goes to the sink
    cdef Sink beside
    cdef Sink null
