# The keys of a dataset that were seen, in bounded memory.
#
# A table holds their hashes in 17 to 22 bytes each. If it would exceed its memory, all hashes are put aside, in
# partitions of a temporary file that are looked up one by one at the end. Only a key that a sieve does not know to be
# new can be a duplicate: for each of these the owner leaves a note, in another file, from which it can report it.

cimport cython
from os import urandom

from libc.stdint cimport UINT64_MAX, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy
from rdbtool._codec.spill cimport Partitions, Spool

from rdbtool._codec.spill import each_partition
from rdbtool.core.limits import table_memory

cdef struct Aside:
    # The hash of a key that is looked up later.
    uint64_t a
    uint64_t b                  # 40 bits of it, and the owner's mark
    uint64_t noted              # offset of its note + 1, 0: it is new

cdef enum:
    # Of the memory, in eighths: that of the table, of the sieve, and of the partitions' buffers.
    EIGHTHS_TABLE = 5
    EIGHTHS_SIEVE = 2
    EIGHTHS_BUFFERS = 1
    LINE_SIZE = 64              # of the table, in bytes
    KEY_SIZE = 22               # the most bytes that it takes per key
    TABLE_SIZE = 1 << 16        # and without any
    HASH_BITS = 40

cdef uint64_t KEPT = (<uint64_t>1 << HASH_BITS) - 1


@cython.final
cdef class SeenKeys:
    """The keys that were seen. Raises InputError if a temporary file cannot be written."""

    def __cinit__(self):
        cdef bytes drawn = urandom(sizeof(rt_secret))
        memcpy(&self.secret, <char *>drawn, sizeof(rt_secret))
        self.memory = table_memory()
        self.table.limit = self.memory * EIGHTHS_TABLE // 8 // LINE_SIZE

    def __dealloc__(self):
        self.forget()

    cdef int forget(self) noexcept:
        """Free the memory: a copy of the process would keep what the first one changes."""
        rt_table_clear(&self.table)
        free(self.sieve.words)
        self.sieve.words = NULL
        return 0

    cdef int expect(self, uint64_t keys, size_t share) noexcept:
        """Note that ``keys`` more will probably come: the table grows at once when one of ``share`` is there."""
        if self.aside is None:
            rt_table_expect(&self.table, keys, share)
        return 0

    cdef bint has_room(self, uint64_t keys) noexcept:
        """Return whether the table certainly has room if there are ``keys`` in all."""
        return keys * KEY_SIZE + TABLE_SIZE <= self.memory * EIGHTHS_TABLE // 8

    cdef int begin_aside(self) except -1:
        """Put all keys aside: the table has no room for more."""
        cdef size_t line, words = self.memory * EIGHTHS_SIEVE // 8 // sizeof(uint64_t)
        cdef int part, slot
        cdef rt_key128 hash
        cdef Aside aside
        cdef Partitions partitions = Partitions(sizeof(Aside), self.memory * EIGHTHS_BUFFERS // 8)
        self.notes = Spool()
        self.sieve.words = <uint64_t *>calloc(words, sizeof(uint64_t))
        if self.sieve.words == NULL:
            raise MemoryError
        self.sieve.count = words
        self.aside = partitions
        aside.noted = 0
        for part in range(256):
            for line in range(self.table.part[part].capacity):
                for slot in range(RT_LINE):
                    if not self.table.part[part].lines[line].slot[slot].b:
                        break
                    hash = rt_kept(part, &self.table.part[part].lines[line].slot[slot])
                    rt_sieve_add(&self.sieve, &hash)
                    aside.a = hash.a
                    aside.b = hash.b
                    partitions.add(&aside)
            rt_part_clear(&self.table, part)
        rt_table_clear(&self.table)
        self.table.limit = 1    # nothing fits
        return 0

    cdef bint put_aside(self, const rt_key128 *hash, uint64_t mark) except -1:
        """Put a key aside; return whether it may be a duplicate: then its note has to be appended next.

        ``mark`` (24 bits) says what is counted apart.
        """
        cdef Aside aside
        cdef bint may_be_there = rt_sieve_add(&self.sieve, hash)
        aside.a = hash.a
        aside.b = hash.b & KEPT | mark << HASH_BITS
        aside.noted = self.notes.size() + 1 if may_be_there else 0
        self.aside.add(&aside)
        return may_be_there

    cdef tuple find(self, uint64_t last, uint64_t most):
        """Look up what was put aside; return the first ``most`` places of notes of duplicates from ``last`` on.

        The places are offsets + 1, in their order. With them the number of all duplicates from there on by mark.
        """
        cdef list found = []
        cdef dict counts = {}
        cdef uint64_t bound = UINT64_MAX
        cdef Partitions parts
        cdef const char *block = NULL
        cdef const Aside *aside
        cdef rt_key128 hash
        cdef size_t i, count, cursor
        cdef int there
        self.table.limit = 0
        for (parts,), partition in each_partition((self.aside,), self.memory * EIGHTHS_TABLE // 8 // KEY_SIZE):
            cursor = 0
            while (count := parts.read(partition, &cursor, &block)):
                for i in range(count):
                    aside = <const Aside *>block + i
                    hash.a = aside.a
                    hash.b = aside.b
                    there = rt_table_add(&self.table, &hash)
                    if there < 0:
                        raise MemoryError
                    if not there or aside.noted <= last:
                        continue
                    mark = aside.b >> HASH_BITS
                    counts[mark] = counts.get(mark, 0) + 1
                    if aside.noted < bound:
                        found.append(aside.noted)
                        if <uint64_t>len(found) == 2 * most:
                            found.sort()
                            del found[most:]
                            bound = found[most - 1]
            rt_table_clear(&self.table)
        self.table.limit = 1
        found.sort()
        del found[most:]
        return found, counts
