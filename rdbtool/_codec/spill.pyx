# Unnamed temporary files for what key tables cannot hold.
#
# A table of keys that would exceed its memory is written to partitions of a file, by bits of the keys' hashes: then each
# partition is looked up alone. Partitions are written in blocks of one size, whose owners are kept in a byte each. The
# files have no name, so the system removes them however the process ends.

import os

from cpython.buffer cimport PyBUF_READ, PyBUF_WRITE
from cpython.memoryview cimport PyMemoryView_FromMemory
from libc.stdint cimport uint64_t, uint8_t
from libc.stdlib cimport free, malloc
from libc.string cimport memchr, memcpy
from posix.unistd cimport close
from rdbtool._codec.decode.cursor cimport grow, release

from rdbtool.core.errors import InputError, Remedy

cdef enum:
    SPOOLED = 1 << 16           # bytes of a spool that are written at once
    LEAST_BLOCK = 1 << 12       # bytes
    MOST_BLOCK = 1 << 16
    LEAST_BITS = 2
    MOST_BITS = 8
    HASH_BITS = 32              # of a hash by which partitions are distinguished

MORE_ROOM = Remedy(
    ": set TMPDIR to a directory with more space, or raise --memory",
    ": set TMPDIR to a directory with more space, or raise rdbtool.limited(memory=...)",
)


cdef int open_file() except -1:
    """Return the descriptor of a new file."""
    # It takes a while, and is rarely needed.
    import tempfile

    try:
        with tempfile.TemporaryFile(buffering=0) as file:
            return os.dup(file.fileno())
    except OSError as error:
        raise refused(error) from None


cdef object refused(error):
    import tempfile

    where = tempfile.tempdir or "TMPDIR"
    reason = error.strerror or str(error)
    return InputError(f"{where}: cannot write a temporary file for the keys that memory does not hold: {reason}",
                      remedy=MORE_ROOM)


cdef int write_at(int file, uint64_t at, char *data, size_t size) except -1:
    cdef size_t done = 0
    try:
        while done < size:
            done += os.pwrite(file, PyMemoryView_FromMemory(data + done, size - done, PyBUF_READ), at + done)
    except OSError as error:
        raise refused(error) from None
    return 0


cdef int read_at(int file, uint64_t at, char *target, size_t size) except -1:
    cdef size_t done = 0, count
    try:
        while done < size:
            count = os.preadv(file, [PyMemoryView_FromMemory(target + done, size - done, PyBUF_WRITE)], at + done)
            if count == 0:
                raise InputError("a temporary file for keys was truncated")
            done += count
    except OSError as error:
        raise InputError(f"cannot read a temporary file for keys: {error.strerror}") from None
    return 0


cdef class Spool:
    """Bytes are appended, to memory up to ``most``, then to a temporary file."""

    def __cinit__(self, size_t most=SPOOLED):
        self.file = -1
        self.most = max(most, <size_t>SPOOLED)

    def __dealloc__(self):
        if self.file >= 0:
            close(self.file)
        release(&self.buffer)

    cdef uint64_t size(self) noexcept:
        return self.written + self.used

    cdef int append(self, const void *data, size_t size) except -1:
        cdef size_t part
        while size:
            if self.used == self.most:
                self.flush()
            part = min(size, self.most - self.used)
            grow(&self.buffer, self.used + part)
            memcpy(self.buffer.data + self.used, data, part)
            self.used += part
            data = <const char *>data + part
            size -= part
        return 0

    cdef int flush(self) except -1:
        if self.file < 0:
            self.file = open_file()
        write_at(self.file, self.written, <char *>self.buffer.data, self.used)
        self.written += self.used
        self.used = 0
        return 0

    cdef int read(self, uint64_t at, void *target, size_t size) except -1:
        if size == 0:
            return 0
        if at >= self.written:
            memcpy(target, self.buffer.data + (at - self.written), size)
            return 0
        if at + size > self.written:
            self.flush()
        return read_at(self.file, at, <char *>target, size)


cdef class Partitions:
    """Entries of one size, of which the first eight bytes are a hash, in partitions by bits of it from ``shift`` on.

    A partition is read in the order in which its entries were added. ``memory`` bounds the buffers.
    """

    def __cinit__(self, size_t entry_size, size_t memory, int shift=0):
        cdef size_t block
        self.file = -1
        self.entry_size = entry_size
        self.memory = memory
        self.shift = shift
        block = max(<size_t>LEAST_BLOCK, min(<size_t>MOST_BLOCK, memory >> MOST_BITS))
        self.block = block // entry_size * entry_size
        self.bits = MOST_BITS
        while self.bits > LEAST_BITS and block << self.bits > memory:
            self.bits -= 1
        self.count = 1 << self.bits
        self.buffers = <char *>malloc(self.block << self.bits)
        self.page = <char *>malloc(self.block)
        if self.buffers == NULL or self.page == NULL:
            raise MemoryError
        self.file = open_file()

    def __dealloc__(self):
        if self.file >= 0:
            close(self.file)
        free(self.buffers)
        free(self.page)
        release(&self.owners)

    cdef int add(self, const void *entry) except -1:
        cdef int partition = <int>((<const uint64_t *>entry)[0] >> self.shift & <uint64_t>(self.count - 1))
        if self.filled[partition] == self.block:
            self.write_block(partition)
        memcpy(self.buffers + partition * self.block + self.filled[partition], entry, self.entry_size)
        self.filled[partition] += self.entry_size
        self.entries[partition] += 1
        return 0

    cdef int write_block(self, int partition) except -1:
        write_at(self.file, <uint64_t>self.blocks * self.block, self.buffers + partition * self.block, self.block)
        grow(&self.owners, self.blocks + 1)
        self.owners.data[self.blocks] = <uint8_t>partition
        self.blocks += 1
        self.filled[partition] = 0
        return 0

    cdef size_t read(self, int partition, size_t *cursor, const char **entries) except? 0:
        """Return the number of entries of the next block of a partition, 0: there is none. The cursor begins at 0."""
        cdef const uint8_t *found = NULL
        if cursor[0] < self.blocks:
            found = <const uint8_t *>memchr(self.owners.data + cursor[0], partition, self.blocks - cursor[0])
        if found != NULL:
            cursor[0] = found - <const uint8_t *>self.owners.data
            read_at(self.file, <uint64_t>cursor[0] * self.block, self.page, self.block)
            cursor[0] += 1
            entries[0] = self.page
            return self.block // self.entry_size
        if cursor[0] > self.blocks:
            return 0
        cursor[0] = self.blocks + 1
        entries[0] = self.buffers + partition * self.block
        return self.filled[partition] // self.entry_size

    cdef bint can_divide(self) noexcept:
        return self.shift + self.bits < HASH_BITS

    cdef Partitions divide(self, int partition):
        """Return the entries of a partition in partitions of their own."""
        cdef Partitions parts = Partitions(self.entry_size, self.memory, self.shift + self.bits)
        cdef const char *entries = NULL
        cdef size_t i, count, cursor = 0
        while (count := self.read(partition, &cursor, &entries)):
            for i in range(count):
                parts.add(entries + i * self.entry_size)
        return parts


def each_partition(tuple files not None, uint64_t most):
    """Yield (files, number) of all partitions that have entries, with the same hashes in each of the files.

    They are at most ``most`` entries, if more bits of their hashes allow it.
    """
    cdef Partitions first = files[0], parts
    cdef uint64_t entries
    cdef int partition
    for partition in range(first.count):
        entries = 0
        for parts in files:
            entries += parts.entries[partition]
        if entries > most and first.can_divide():
            yield from each_partition(tuple([(<Partitions>parts).divide(partition) for parts in files]), most)
        elif entries:
            yield files, partition
