# Rows of keys: which are wanted, and rows for Python: all of them, or the largest.

from heapq import heappush, heapreplace

from libc.stdint cimport uint64_t
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


cdef class WantedKeys(KeyObserver):
    """Skips keys below ``least`` bytes of memory, and with ``no_ttl`` over those that expire."""

    def __init__(self, uint64_t least=0, bint no_ttl=False):
        self.least = least
        self.no_ttl = no_ttl


cdef class KeyRows(WantedKeys):
    """Keeps a tuple a key in ``rows``; with ``largest`` those of the keys that take the most, the largest first.

    With ``batch`` it asks for a pause after so many rows.
    """

    def __init__(self, Py_ssize_t largest=-1, uint64_t least=0, bint no_ttl=False, Py_ssize_t batch=0):
        super().__init__(least, no_ttl)
        self.kept = []
        self.largest = largest
        self.batch = batch

    cdef int on_key_sizes(self, const KeySizes *row) except -1:
        if not self.wants(row):
            return 0
        if self.largest < 0:
            self.kept.append(row_of(row))
            return self.batch and len(self.kept) >= self.batch
        self.number += 1
        if len(self.kept) < self.largest:
            heappush(self.kept, (row.memory, -self.number, row_of(row)))
        elif self.largest and row.memory > self.smallest:
            heapreplace(self.kept, (row.memory, -self.number, row_of(row)))
        if self.kept:
            self.smallest = self.kept[0][0]
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

    def emit(self, KeyObserver observer not None):
        """Tell another observer of the rows."""
        cdef KeySizes sizes
        cdef bytes key
        for db, key, kind, encoding, memory, allocated, serialized, elements, largest, expire, idle, freq, least in self.rows:
            sizes.db = db
            sizes.key = <char *>key
            sizes.key_length = len(key)
            sizes.type = KINDS.index(kind)
            sizes.encoding = ENCODINGS.index(encoding)
            sizes.memory = memory
            sizes.allocated = allocated
            sizes.serialized = serialized
            sizes.elements = elements
            sizes.largest = largest
            sizes.expire_at_ms = -1 if expire is None else expire
            sizes.idle_s = -1 if idle is None else idle
            sizes.freq = -1 if freq is None else freq
            sizes.flags = SIZES_AT_LEAST if least else 0
            observer.on_key_sizes(&sizes)
