# Unnamed temporary files for what key tables cannot hold.

from libc.stdint cimport uint64_t, uint8_t
from rdbtool._codec.decode.cursor cimport Scratch

cdef class Spool:
    cdef int file
    cdef uint64_t written
    cdef Scratch buffer
    cdef size_t most, used
    cdef uint64_t size(self) noexcept
    cdef int flush(self) except -1
    cdef int append(self, const void *data, size_t size) except -1
    cdef int read(self, uint64_t at, void *target, size_t size) except -1

cdef class Partitions:
    cdef int file
    cdef size_t memory
    cdef readonly size_t entry_size
    cdef size_t block               # bytes
    cdef int shift, bits
    cdef readonly int count         # a power of two
    cdef char *buffers
    cdef size_t filled[256]
    cdef uint64_t entries[256]
    cdef Scratch owners             # the partition of each block of the file
    cdef size_t blocks
    cdef char *page
    cdef int add(self, const void *entry) except -1
    cdef int write_block(self, int partition) except -1
    cdef size_t read(self, int partition, size_t *cursor, const char **entries) except? 0
    cdef bint can_divide(self) noexcept
    cdef Partitions divide(self, int partition)
