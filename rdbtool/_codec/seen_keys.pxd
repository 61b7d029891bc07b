# The keys of a dataset that were seen, in bounded memory.

from libc.stdint cimport uint64_t, uint8_t
from rdbtool._codec.spill cimport Partitions, Spool

cdef extern from "seen.h" nogil:
    ctypedef struct rt_key128:
        uint64_t a
        uint64_t b
    ctypedef struct rt_secret:
        uint64_t word[8]
    ctypedef struct rt_slot:
        unsigned int b
    ctypedef struct rt_line:
        rt_slot *slot
    ctypedef struct rt_part:
        rt_line *lines
        size_t capacity
    ctypedef struct rt_table:
        rt_part part[256]
        size_t limit
    ctypedef struct rt_sieve:
        uint64_t *words
        size_t count
    ctypedef struct rt_seen:
        pass
    enum:
        RT_FULL
        RT_LINE
    void rt_hash_seen(const rt_secret *s, uint64_t tweak, const uint8_t *p, size_t size, rt_key128 *out)
    void rt_table_prefetch(rt_table *table, const rt_key128 *key)
    int rt_table_add(rt_table *table, const rt_key128 *key)
    void rt_table_expect(rt_table *table, uint64_t keys, size_t share)
    void rt_table_clear(rt_table *table)
    void rt_part_clear(rt_table *table, int part)
    rt_key128 rt_kept(int part, const rt_slot *slot)
    void rt_sieve_prefetch(rt_sieve *sieve, const rt_key128 *key)
    int rt_sieve_add(rt_sieve *sieve, const rt_key128 *key)
    void rt_seen_reset(rt_seen *seen)
    int rt_seen_add(rt_seen *seen, const rt_key128 *key)
    void rt_seen_free(rt_seen *seen)

cdef class SeenKeys:
    cdef rt_secret secret
    cdef rt_table table             # all keys, unless they were put aside
    cdef readonly uint64_t memory   # bytes for it
    cdef Partitions aside           # all keys, None: they are in the table
    cdef Spool notes                # of those that may be duplicates
    cdef rt_sieve sieve
    cdef int forget(self) noexcept
    cdef int expect(self, uint64_t keys, size_t share) noexcept
    cdef bint has_room(self, uint64_t keys) noexcept
    cdef int begin_aside(self) except -1
    cdef bint put_aside(self, const rt_key128 *hash, uint64_t mark) except -1
    cdef tuple find(self, uint64_t last, uint64_t most)

    # 1: the key is there, 0: it is new, RT_FULL: it has to be put aside.
    cdef inline int remember(self, const rt_key128 *hash) except -1:
        cdef int there = rt_table_add(&self.table, hash)
        if there < 0:
            raise MemoryError
        if there == RT_FULL and self.aside is None:
            self.begin_aside()
        return there

    cdef inline void prefetch(self, const rt_key128 *hash) noexcept:
        rt_table_prefetch(&self.table, hash)
        rt_sieve_prefetch(&self.sieve, hash)
