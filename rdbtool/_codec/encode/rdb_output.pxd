# The frame of an RDB: header, table sizes, end mark and checksum.

from libc.stdint cimport int64_t, uint64_t
from rdbtool._codec.encode.primitives cimport Buffer, Form, rt_lzf_table
from rdbtool._codec.encode.encoder cimport Encoder

cdef class SnapshotOutput(Encoder):
    cdef readonly str magic
    cdef readonly int version
    cdef readonly bint checksum
    cdef object able                        # what the version can hold
    cdef Form form
    cdef rt_lzf_table *table
    cdef object crc
    cdef bint started
    cdef bint finished
    cdef int64_t db                         # -1: none was selected
    cdef int64_t announced_db
    cdef bint announces                     # announce the table sizes that are received
    cdef dict sizes
    cdef dict role                          # values of the aux fields with the file's role, None: unchanged
    cdef dict missing                       # required ones of them that were not received, None: none
    cdef set announced
    cdef Buffer lead                        # of the current item or record: opcodes

    cdef int put_whole(self, const void *p, size_t size) except -1
    cdef int put_buffer(self, Buffer *buffer) except -1
    cdef int start(self) except -1
    cdef int settle_role(self) except -1
    cdef int enter(self, int64_t db) except -1
    cdef int entered(self, int64_t db) except -1
    cdef int put_text_of(self, bytes data) except -1
    cdef int put_slot_info(self, item) except -1
    cdef int put_slot_import(self, item) except -1
