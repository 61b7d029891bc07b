# The value of a stream key: entries, counters and groups.
#
# The entries are in blocks of memory (entries.h), and become Python objects when they are asked for; to Python an ID is
# one int, ``ms << 64 | seq``. Counters follow the servers since Redis 7.0; a stream of an older file has none until
# ``settle`` gives it those that a newer server would.

from cython cimport no_gc
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF
from cpython.tuple cimport PyTuple_GET_SIZE, PyTuple_New, PyTuple_SET_ITEM
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from rdbtool._codec.decode.raw_commands cimport Word
from rdbtool.engine.values cimport word_of

from rdbtool.engine.streams.ids import MAX_ID, U64, show_id

cdef extern from "Python.h":
    void PyObject_GC_UnTrack(void *object)

cdef extern from "entries.h":
    int entries_append(stream_entries *e, uint64_t ms, uint64_t seq, const Word *words, size_t pairs) noexcept
    int entries_remove(stream_entries *e, uint64_t ms, uint64_t seq) noexcept
    void entries_trim(stream_entries *e, uint64_t count) noexcept
    void entries_clear(stream_entries *e) noexcept
    int entries_copy(const stream_entries *origin, stream_entries *to) noexcept
    int64_t entries_find(const stream_entries *e, uint64_t ms, uint64_t seq, size_t *at, entry_view *entry) noexcept
    uint64_t entries_before(const stream_entries *e, uint64_t ms, uint64_t seq) noexcept
    void entries_last(const stream_entries *e, entry_view *entry) noexcept
    uint32_t entries_block_of(const stream_entries *e, uint64_t ms, uint64_t seq) noexcept
    bint block_seek(const entries_block *block, uint64_t ms, uint64_t seq, size_t *at, uint32_t *passed,
                    entry_view *entry) noexcept

cdef enum:
    # Names and values of an entry that need no memory of their own while they are added.
    FEW = 64


cdef inline EntryId id_of(number) except *:
    """Take an ID apart. Raises OverflowError."""
    cdef EntryId id
    id.ms = number >> 64
    id.seq = number & U64
    return id


cdef inline bint is_same(EntryId id, EntryId other) noexcept:
    return id.ms == other.ms and id.seq == other.seq


cdef inline bint is_less(EntryId id, EntryId other) noexcept:
    return entry_is_before(id.ms, id.seq, other.ms, other.seq)


cdef inline bint is_zero(EntryId id) noexcept:
    return id.ms == 0 and id.seq == 0


cdef inline int put_word(tuple row, Py_ssize_t at, Word *word) except -1:
    text = PyBytes_FromStringAndSize(<const char *>word.text, <Py_ssize_t>word.size)
    Py_INCREF(text)
    PyTuple_SET_ITEM(row, at, text)
    return 0


cdef tuple fields_of(entry_view *entry):
    """Return (field, value, field, value, …) of an entry of which no pair was taken."""
    cdef Word name, value
    cdef Py_ssize_t i, pairs = <Py_ssize_t>entry.pairs
    cdef tuple fields = PyTuple_New(2 * pairs)
    for i in range(pairs):
        entry_next_pair(entry, &name, &value)
        put_word(fields, 2 * i, &name)
        put_word(fields, 2 * i + 1, &value)
    # It is part of no cycle.
    PyObject_GC_UnTrack(<void *>fields)
    return fields


@no_gc
cdef class StreamData:
    """A stream. ``entries_added`` is None as long as its counters are unknown (see ``settle``).

    ``is_whole`` says that the oldest entry opens a node of the server's, and that no entry after it was ever
    deleted: then the limits between its nodes can be reckoned. ``first_node`` is the number of entries of the
    first node, once that is full and they were counted; else 0.
    """

    def __cinit__(self):
        self.is_counted = True
        self.is_whole = True
        self.groups = {}

    def __dealloc__(self):
        entries_clear(&self.held)

    # ---- counters ------------------------------------------------------------------------------

    @property
    def length(self):
        """How many entries there are."""
        return self.held.length

    @property
    def last_id(self):
        """The ID that the next one has to be greater than."""
        return number_of(self.last.ms, self.last.seq)

    @last_id.setter
    def last_id(self, number):
        self.last = id_of(number)

    @property
    def first_id(self):
        """What the server notes as the ID of the oldest entry."""
        return number_of(self.first.ms, self.first.seq)

    @first_id.setter
    def first_id(self, number):
        self.first = id_of(number)

    @property
    def max_deleted_id(self):
        """The greatest ID that was deleted."""
        return number_of(self.max_deleted.ms, self.max_deleted.seq)

    @max_deleted_id.setter
    def max_deleted_id(self, number):
        self.max_deleted = id_of(number)

    @property
    def entries_added(self):
        """How many entries were ever added."""
        return self.added if self.is_counted else None

    @entries_added.setter
    def entries_added(self, number):
        self.is_counted = number is not None
        self.added = 0 if number is None else number

    # ---- reading -------------------------------------------------------------------------------

    cdef bint holds(self, uint64_t ms, uint64_t seq) noexcept:
        """Whether there is an entry."""
        cdef entry_view entry
        cdef size_t at
        return entries_find(&self.held, ms, seq, &at, &entry) >= 0

    def __contains__(self, entry_id):
        cdef EntryId id = id_of(entry_id)
        return bool(self.holds(id.ms, id.seq))

    def entries(self, start=0):
        """Yield (id, (field, value, field, value, …)) from id ``start`` on, ascending."""
        cdef EntryId id
        cdef entry_view entry
        cdef size_t at = 0
        cdef uint32_t block = 0, passed
        cdef uint64_t changes = self.changes
        if start > MAX_ID:
            return
        id = id_of(start)
        if start and self.held.count:
            block = entries_block_of(&self.held, id.ms, id.seq)
            if not block_seek(&self.held.blocks[self.held.first + block], id.ms, id.seq, &at, &passed, &entry):
                block += 1
        while block < self.held.count:
            at = max(at, self.held.blocks[self.held.first + block].start)
            at = block_next(&self.held.blocks[self.held.first + block], at, &entry)
            if not at:
                block += 1
                continue
            row = (number_of(entry.ms, entry.seq), fields_of(&entry))
            PyObject_GC_UnTrack(<void *>row)
            yield row
            if changes != self.changes:
                raise RuntimeError("a stream changed while it was read")

    def find(self, entry_id):
        """Return the fields and values of an entry, None where there is no such entry."""
        cdef EntryId id = id_of(entry_id)
        cdef entry_view entry
        cdef size_t at
        return fields_of(&entry) if entries_find(&self.held, id.ms, id.seq, &at, &entry) >= 0 else None

    def show_last_id(self):
        """Return the text of ``last_id``."""
        return show_id(self.last_id)

    def top(self):
        """Return the id of the newest entry, 0 if there is none."""
        cdef entry_view entry
        if not self.held.length:
            return 0
        entries_last(&self.held, &entry)
        return number_of(entry.ms, entry.seq)

    def count_before(self, entry_id):
        """Return how many entries have a smaller id."""
        cdef EntryId id = id_of(entry_id)
        return entries_before(&self.held, id.ms, id.seq)

    def is_referenced(self, entry_id):
        """Return whether some group has still to deliver the entry, or to have it acknowledged."""
        for group in self.groups.values():
            if entry_id > group.last_id or entry_id in group.pending:
                return True
        return False

    # ---- changing ------------------------------------------------------------------------------

    cdef int write(self, uint64_t ms, uint64_t seq, const Word *words, size_t pairs) except -1:
        """Add an entry after the last one, and count nothing but it."""
        if entries_append(&self.held, ms, seq, words, pairs) < 0:
            raise MemoryError
        return 0

    cdef int append_words(self, uint64_t ms, uint64_t seq, const Word *words, size_t pairs) except -1:
        """Add an entry whose ID is greater than the last one. ``words``: each name before its value."""
        self.write(ms, seq, words, pairs)
        self.last.ms = ms
        self.last.seq = seq
        if self.held.length == 1:
            self.first = self.last
        if self.is_counted:
            self.added += 1
        return 0

    cdef int write_tuple(self, uint64_t ms, uint64_t seq, tuple fields, bint is_new) except -1:
        cdef Py_ssize_t i, size = PyTuple_GET_SIZE(fields)
        cdef Word[FEW] few
        cdef Word *words = few
        cdef bytes word
        if size % 2:
            raise ValueError("a field without a value")
        if size > FEW:
            words = <Word *>PyMem_Malloc(<size_t>size * sizeof(Word))
            if words == NULL:
                raise MemoryError
        try:
            for i in range(size):
                word = <bytes?>fields[i]
                words[i] = word_of(word)
            if is_new:
                self.append_words(ms, seq, words, <size_t>size // 2)
            else:
                self.write(ms, seq, words, <size_t>size // 2)
        finally:
            if words != few:
                PyMem_Free(words)
        return 0

    cdef bint remove(self, uint64_t ms, uint64_t seq) except -1:
        """Remove one entry as XDEL does; return whether it was there."""
        cdef EntryId id
        id.ms = ms
        id.seq = seq
        if not entries_remove(&self.held, ms, seq):
            return False
        self.changes += 1
        self.is_whole = False
        if is_less(self.max_deleted, id):
            self.max_deleted = id
        if not self.held.length or is_same(id, self.first):
            self.note_first()
        return True

    cdef int cut(self, uint64_t count) except -1:
        """Remove the ``count`` oldest entries as XTRIM does."""
        self.changes += 1
        self.is_whole = False
        entries_trim(&self.held, min(count, self.held.length))
        return self.note_first()

    cdef int note_first(self) except -1:
        """Note the ID of the oldest entry."""
        cdef const entries_block *block
        cdef entry_view entry
        self.first.ms = self.first.seq = 0
        if self.held.length:
            block = &self.held.blocks[self.held.first]
            block_next(block, block.start, &entry)
            self.first.ms = entry.ms
            self.first.seq = entry.seq
        else:
            self.is_whole = True
            self.first_node = 0
        return 0

    def load(self, rows):
        """Take the entries of a file, as (ms, seq, (field, value, …)), without counting them as added."""
        for ms, seq, fields in rows:
            self.write_tuple(ms, seq, fields, False)
        self.is_whole = not self.held.length

    def append(self, entry_id, tuple fields not None):
        """Add an entry whose id is greater than ``last_id``."""
        cdef EntryId id = id_of(entry_id)
        self.write_tuple(id.ms, id.seq, fields, True)

    def delete(self, entry_id):
        """Remove one entry as XDEL does; return whether it was there."""
        cdef EntryId id = id_of(entry_id)
        return bool(self.remove(id.ms, id.seq))

    def trim(self, uint64_t count):
        """Remove the ``count`` oldest entries as XTRIM does."""
        self.cut(count)

    def trim_node(self, uint64_t count):
        """Remove the oldest entries where they are the whole first node."""
        self.cut(count)
        self.is_whole = True
        self.first_node = 0

    def trim_entry(self, entry_id):
        """Remove one entry as XTRIM does when it skips others."""
        cdef EntryId before = self.max_deleted
        self.delete(entry_id)
        self.max_deleted = before

    def forget_references(self, entry_id):
        """Remove an entry from the pending lists of all groups."""
        for group in self.groups.values():
            group.pending.discard(entry_id)

    def settle(self):
        """Give counters to a stream that has none, as servers since Redis 7.0 do when they load it."""
        if not self.is_counted:
            self.is_counted = True
            self.added = self.held.length
            self.max_deleted.ms = self.max_deleted.seq = 0
            self.note_first()
            for group in self.groups.values():
                group.entries_read = self.count_reads(group.last_id)

    def without_entries(self):
        """Return a stream with the same counters, and the same groups and producers: not for changing."""
        cdef StreamData other = StreamData()
        other.last = self.last
        other.first = self.first
        other.max_deleted = self.max_deleted
        other.is_counted = self.is_counted
        other.added = self.added
        other.groups = self.groups
        other.producers = self.producers
        return other

    def __deepcopy__(self, memo):
        return self.copy()

    def copy(self):
        """Return a stream of the same content that shares nothing changeable."""
        cdef StreamData other = self.without_entries()
        if entries_copy(&self.held, &other.held) < 0:
            raise MemoryError
        other.is_whole = self.is_whole
        other.first_node = self.first_node
        other.groups = {name: group.copy() for name, group in self.groups.items()}
        if self.producers is not None:
            other.producers = self.producers.copy()
        return other

    # ---- the counters of groups ----------------------------------------------------------------

    def count_reads(self, entry_id, *, bint strict=False):
        """Return how many entries were ever added up to ``id``; None where the counters do not tell.

        ``strict``: by Redis 8, which also declines an id below a deleted one.
        """
        return self.reads_until(id_of(entry_id), strict)

    cdef object reads_until(self, EntryId id, bint strict):
        if not self.is_counted or not self.added:
            return 0
        if strict and self.held.length and not is_zero(id) and is_less(id, self.max_deleted):
            return None
        if is_same(id, self.last) or (not self.held.length and is_less(id, self.last)):
            return self.added
        if is_less(id, self.last) and (is_zero(self.max_deleted) or is_less(self.max_deleted, self.first)):
            if is_less(id, self.first):
                return self.added - self.held.length
            if is_same(id, self.first):
                return self.added - self.held.length + 1
        return None

    def has_deleted_since(self, entry_id, *, bint strict=False):
        """Return whether an entry from ``id`` on may have been deleted. ``strict`` as in ``count_reads``."""
        if not self.held.length or is_zero(self.max_deleted):
            return False
        if not strict and is_less(self.max_deleted, self.first):
            return False
        return not is_less(self.max_deleted, id_of(entry_id))
