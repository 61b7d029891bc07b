# What is pending in a consumer group: a sorted map of ID to consumer, time and count, in blocks of memory (pending.h).
#
# A server takes about 100 bytes for one, Python objects would take 200.

from cpython.ref cimport Py_INCREF, Py_XDECREF
from cython cimport no_gc
from libc.stdint cimport int64_t, uint32_t, uint64_t

from rdbtool.engine.streams.data cimport number_of

from rdbtool.engine.streams.ids import U64

cdef extern from "pending.h":
    void pending_seek(const pending_rows *p, uint64_t ms, uint64_t seq, uint32_t *block, uint32_t *at) noexcept
    pending_row *pending_put(pending_rows *p, uint64_t ms, uint64_t seq) noexcept
    bint pending_remove(pending_rows *p, uint64_t ms, uint64_t seq)
    void pending_clear(pending_rows *p)


cdef class PendingData:
    """A pending entry; ``consumer`` is None if it has no owner."""

    def __init__(self, consumer, int64_t delivered_at_ms, uint64_t delivery_count):
        self.consumer = consumer
        self.delivered_at_ms = delivered_at_ms
        self.delivery_count = delivery_count


cdef inline object consumer_of(pending_row *row):
    return None if row.consumer == NULL else <object>row.consumer


cdef inline PendingData data_of(pending_row *row):
    return PendingData(consumer_of(row), row.delivered_at_ms, row.delivery_count)


@no_gc
cdef class PendingEntries:
    """Pending entries by ID (one int), ascending. Do not change one while you iterate over it."""

    def __dealloc__(self):
        pending_clear(&self.held)

    def __len__(self):
        return self.held.length

    def __contains__(self, entry_id):
        return pending_find(&self.held, entry_id >> 64, entry_id & U64) != NULL

    def __getitem__(self, entry_id):
        cdef pending_row *row = pending_find(&self.held, entry_id >> 64, entry_id & U64)
        if row == NULL:
            raise KeyError(entry_id)
        return data_of(row)

    def get(self, entry_id):
        """Return what is pending under an ID, None for nothing."""
        cdef pending_row *row = pending_find(&self.held, entry_id >> 64, entry_id & U64)
        return None if row == NULL else data_of(row)

    def __setitem__(self, entry_id, PendingData data not None):
        self.put(entry_id >> 64, entry_id & U64, data.consumer, data.delivered_at_ms, data.delivery_count)

    cdef int put(self, uint64_t ms, uint64_t seq, consumer, int64_t delivered_at_ms, uint64_t delivery_count) except -1:
        """Add a pending entry, or change it."""
        cdef pending_row *row = pending_put(&self.held, ms, seq)
        cdef PyObject *before
        if row == NULL:
            raise MemoryError
        before = row.consumer
        row.consumer = NULL
        if consumer is not None:
            Py_INCREF(consumer)
            row.consumer = <PyObject *>consumer
        row.delivered_at_ms = delivered_at_ms
        row.delivery_count = delivery_count
        Py_XDECREF(before)
        return 0

    def discard(self, entry_id):
        """Remove a pending entry; return whether it was there."""
        return pending_remove(&self.held, entry_id >> 64, entry_id & U64)

    def ids_from(self, start, consumer=None):
        """Return the ids from ``start`` on, ascending; with ``consumer`` only those it owns."""
        cdef uint32_t block, at
        cdef pending_row *row
        ids = []
        if start >> 128:
            return ids
        pending_seek(&self.held, start >> 64, start & U64, &block, &at)
        while True:
            row = pending_next(&self.held, &block, &at)
            if row == NULL:
                return ids
            if consumer is None or row.consumer == <PyObject *>consumer:
                ids.append(number_of(row.ms, row.seq))

    def items(self):
        """Yield all ids, each with what is pending under it."""
        cdef uint32_t block = 0, at = 0
        cdef pending_row *row
        while True:
            row = pending_next(&self.held, &block, &at)
            if row == NULL:
                return
            yield number_of(row.ms, row.seq), data_of(row)
