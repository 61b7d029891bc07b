# Commands of an AOF counted by name and by the keys they name, and the keys that most commands name, in bounded memory.

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdint cimport int64_t, uint64_t, uint8_t
from libc.stdlib cimport calloc, free, malloc, qsort
from libc.string cimport memcpy
from os import urandom

from rdbtool._codec.decode.cursor cimport Bytes
from rdbtool._codec.decode.raw_commands cimport RawCommands
from rdbtool._codec.seen_keys cimport rt_hash_seen, rt_key128, rt_secret
from rdbtool._codec.sinks.key_sizes cimport KeyObserver, KeySizes


cdef struct Hot:
    rt_key128 hash              # `b` is 0 in a free slot
    uint64_t calls
    uint64_t error              # how many more there may be
    int db
    PyObject *key               # owned


cdef int compare(const void *one, const void *other) noexcept nogil:
    cdef uint64_t a = (<const uint64_t *>one)[0], b = (<const uint64_t *>other)[0]
    return (a > b) - (a < b)


cdef class HotKeys:
    """Counts keys, and drops the less frequent half when there are more than ``room`` (Misra-Gries)."""

    cdef rt_secret secret
    cdef Hot *slots
    cdef size_t room, used, mask
    cdef uint64_t forgotten

    def __cinit__(self, size_t room):
        cdef bytes drawn = urandom(sizeof(rt_secret))
        cdef size_t capacity = 16
        memcpy(&self.secret, <char *>drawn, sizeof(rt_secret))
        while capacity < 2 * room:
            capacity *= 2
        self.room = room
        self.mask = capacity - 1
        self.slots = <Hot *>calloc(capacity, sizeof(Hot))
        if self.slots == NULL:
            raise MemoryError

    def __dealloc__(self):
        if self.slots != NULL:
            self.drop(self.slots, 0)
            free(self.slots)

    cdef int drop(self, Hot *slots, uint64_t most) noexcept:
        """Free the keys of the slots, but those with more than ``most`` commands if it is not 0."""
        cdef size_t i
        for i in range(self.mask + 1):
            if slots[i].hash.b and (most == 0 or slots[i].calls + slots[i].error <= most):
                Py_DECREF(<object>slots[i].key)
        return 0

    cdef Hot *find(self, Hot *slots, const rt_key128 *hash) noexcept:
        """Return the slot of a key: its own, or the free one that it would get."""
        cdef size_t at = hash.a & self.mask
        while slots[at].hash.b and (slots[at].hash.a != hash.a or slots[at].hash.b != hash.b):
            at = (at + 1) & self.mask
        return &slots[at]

    cdef int count(self, int db, Bytes key, size_t size) except -1:
        cdef rt_key128 hash
        cdef Hot *slot
        cdef bytes kept
        rt_hash_seen(&self.secret, <uint64_t>db, key, size, &hash)
        slot = self.find(self.slots, &hash)
        if slot.hash.b == 0:
            if self.used >= self.room:
                self.forget()
                slot = self.find(self.slots, &hash)
            kept = (<const char *>key)[:size]
            slot.hash = hash
            slot.db = db
            slot.error = self.forgotten
            slot.calls = 0
            slot.key = <PyObject *>kept
            Py_INCREF(kept)
            self.used += 1
        slot.calls += 1
        return 0

    cdef uint64_t *totals(self, bint with_error) except NULL:
        """Return the commands of each key, fewest first, in memory of the caller's."""
        cdef uint64_t *counts = <uint64_t *>malloc((self.used + 1) * sizeof(uint64_t))
        cdef size_t i, filled = 0
        if counts == NULL:
            raise MemoryError
        for i in range(self.mask + 1):
            if self.slots[i].hash.b:
                counts[filled] = self.slots[i].calls + (self.slots[i].error if with_error else 0)
                filled += 1
        qsort(counts, filled, sizeof(uint64_t), compare)
        return counts

    cdef int forget(self) except -1:
        cdef uint64_t *counts = self.totals(True)
        cdef uint64_t middle = counts[self.used // 2]
        cdef Hot *kept = <Hot *>calloc(self.mask + 1, sizeof(Hot))
        cdef Hot *slot
        cdef size_t i
        free(counts)
        if kept == NULL:
            raise MemoryError
        self.forgotten = max(middle, self.forgotten)
        self.used = 0
        for i in range(self.mask + 1):
            slot = &self.slots[i]
            if slot.hash.b and slot.calls + slot.error > self.forgotten:
                self.find(kept, &slot.hash)[0] = slot[0]
                self.used += 1
        slot = self.slots
        self.slots = kept
        self.drop(slot, self.forgotten)
        free(slot)
        return 0

    def add(self, int db, bytes key not None):
        """Count a key once."""
        self.count(db, <Bytes>PyBytes_AS_STRING(key), <size_t>PyBytes_GET_SIZE(key))

    def hottest(self, size_t number):
        """Return (db, key, commands, how many more there may be) of the keys with most commands, most first."""
        cdef uint64_t *counts = self.totals(False)
        cdef uint64_t least = counts[self.used - number] if number < self.used else 0
        cdef Hot *slot
        cdef size_t i
        free(counts)
        rows = []
        for i in range(self.mask + 1):
            slot = &self.slots[i]
            if slot.hash.b and slot.calls >= least:
                rows.append((slot.db, <object>slot.key, slot.calls, slot.error))
        rows.sort(key=lambda row: (-row[2], row[0], row[1]))
        return rows[:number]


cdef class Calls:
    """How often a command was called, and the bytes of that."""

    cdef readonly uint64_t calls, size


cdef class CommandCounts:
    """Counts commands. ``tree`` (KeyStats) takes the first key that each names, ``keys`` all of them.

    ``look_up(argv)`` returns the Calls to which a command counts and the keys that it names, and keeps ``db`` up to
    date. What it puts into ``plain`` by a name as it is written (name: Calls) has one key in front, and is not looked
    up again.
    """

    cdef readonly Calls total
    cdef readonly dict plain
    cdef readonly HotKeys keys
    cdef public int db
    cdef KeyObserver tree
    cdef object look_up

    def __init__(self, KeyObserver tree not None, HotKeys keys not None, look_up):
        self.total = Calls()
        self.plain = {}
        self.tree = tree
        self.keys = keys
        self.look_up = look_up

    def count(self, argvs not None, offsets, Py_ssize_t begin, Py_ssize_t end, Calls minute):
        """Count ``argvs[begin:end]``, of which ``offsets`` (int64, and that of the end) has the places in the AOF."""
        cdef Py_buffer view
        PyObject_GetBuffer(offsets, &view, PyBUF_SIMPLE)
        try:
            if view.itemsize != sizeof(int64_t) or not 0 <= begin <= end <= len(argvs):
                raise IndexError("there are not so many commands")
            if <size_t>(end + 1) * sizeof(int64_t) > <size_t>view.len:
                raise IndexError("there are not so many places")
            self.count_all(argvs, <const int64_t *>view.buf, begin, end, minute)
        finally:
            PyBuffer_Release(&view)

    cdef int count_all(
        self, argvs, const int64_t *at, Py_ssize_t begin, Py_ssize_t end, Calls minute
    ) except -1:
        # Of a command in `plain` the words are enough: its tuple is not made.
        cdef RawCommands raw = argvs if isinstance(argvs, RawCommands) else None
        cdef Calls counted
        cdef tuple argv
        cdef bytes each
        cdef Bytes key
        cdef size_t key_size
        cdef uint64_t size
        cdef Py_ssize_t i
        cdef KeySizes row
        row.type = row.encoding = row.flags = 0
        row.allocated = row.serialized = row.largest = 0
        row.elements = 1
        row.expire_at_ms = row.idle_s = row.freq = -1
        for i in range(begin, end):
            size = <uint64_t>(at[i + 1] - at[i])
            named = counted = None
            key = NULL
            key_size = 0
            if raw is not None and raw.heads[i].count > 1:
                counted = self.plain.get(<object>raw.heads[i].name)
                key = raw.words[raw.heads[i].first + 1].text
                key_size = raw.words[raw.heads[i].first + 1].size
            if counted is None:
                argv = argvs[i]
                counted = self.plain.get(argv[0]) if len(argv) > 1 else None
                if counted is None:
                    counted, named = self.look_up(argv)
                    each = named[0] if named else None
                else:
                    each = argv[1]
                key = NULL if each is None else <Bytes>PyBytes_AS_STRING(each)
                key_size = 0 if each is None else <size_t>PyBytes_GET_SIZE(each)
            count_call(counted, size)
            count_call(self.total, size)
            if minute is not None:
                count_call(minute, size)
            if key != NULL:
                row.db = self.db
                row.key = <const char *>key
                row.key_length = key_size
                row.memory = size
                self.tree.on_key_sizes(&row)
            if named is not None:
                for each in named:
                    self.keys.add(self.db, each)
            elif key != NULL:
                self.keys.count(self.db, key, key_size)
        return 0


cdef inline void count_call(Calls calls, uint64_t size) noexcept:
    calls.calls += 1
    calls.size += size
