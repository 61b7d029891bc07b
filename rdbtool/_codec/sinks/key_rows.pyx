# Rows of keys for Python: all of them, or the largest.

from heapq import heappush, heapreplace

from libc.stdint cimport int64_t, uint64_t
from rdbtool._codec.sinks.key_sizes cimport KeyObserver, KeySizes, SIZES_AT_LEAST

from rdbtool.core.rdb_types import KINDS
from rdbtool._codec.sinks.key_sizes import ENCODINGS


cdef tuple row_of(const KeySizes *row):
    return (
        row.db, (<char *>row.key)[:row.key_length], KINDS[row.type], ENCODINGS[row.encoding], row.memory,
        row.allocated, row.serialized, row.elements, row.largest,
        None if row.expire_at_ms == -1 else row.expire_at_ms, None if row.idle_s < 0 else row.idle_s,
        None if row.freq < 0 else row.freq, bool(row.flags & SIZES_AT_LEAST),
    )


cdef class KeyRows(KeyObserver):
    """Keeps a tuple a key in ``rows``; with ``largest`` those of the keys that take the most, the largest first.

    Keys below ``least`` bytes of memory are left out, and with ``no_ttl`` those that expire.
    """

    cdef readonly list kept
    cdef Py_ssize_t largest
    cdef uint64_t least
    cdef bint no_ttl
    cdef uint64_t floor
    cdef int64_t number

    def __init__(self, Py_ssize_t largest=-1, uint64_t least=0, bint no_ttl=False):
        self.kept = []
        self.largest = largest
        self.least = least
        self.no_ttl = no_ttl

    cdef int on_key_sizes(self, const KeySizes *row) except -1:
        if row.memory < self.least or self.no_ttl and row.expire_at_ms != -1:
            return 0
        if self.largest < 0:
            self.kept.append(row_of(row))
            return 0
        self.number += 1
        if len(self.kept) < self.largest:
            heappush(self.kept, (row.memory, -self.number, row_of(row)))
        elif self.largest and row.memory > self.floor:
            heapreplace(self.kept, (row.memory, -self.number, row_of(row)))
        if self.kept:
            self.floor = self.kept[0][0]
        return 0

    @property
    def rows(self):
        """The rows: in the order of the keys, or with ``largest`` the largest first."""
        if self.largest < 0:
            return self.kept
        return [row for _, _, row in sorted(self.kept, key=lambda kept: (-kept[0], -kept[1]))]

    def take(self):
        """Return the rows so far, and forget them."""
        taken = self.rows
        self.kept = []
        return taken
