# The mutable values of the keyspace.
#
# A key maps to one of: bytes (string), StringData (a long string under change), ListData, SetData, ZSetData, HashData,
# StreamData (see rdbtool.engine.streams.data) or the model's OpaqueValue and ArrayValue. Collections are packs (pack.h):
# their elements are in one block of memory, and become Python objects when they are asked for. They behave as the
# built-in containers of which they have the methods: a list as a deque, a set as a dict without values, hashes and sorted
# sets as dicts; the order is that in which elements came to be. Do not change one while you iterate over it.

from cython cimport auto_pickle, no_gc
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.tuple cimport PyTuple_GET_SIZE
from libc.math cimport signbit
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy
from rdbtool._codec.decode.cursor cimport rt_double_text, rt_parse_double
from rdbtool._codec.decode.scores cimport in_doubt

import os

cdef extern from "pack.h":
    uint64_t pack_seed
    enum:
        PACK_SCANNED
    void pack_init(pack *p, int kind) noexcept
    void pack_clear(pack *p) noexcept
    size_t pack_entry_size(int kind, size_t name_size, size_t value_size) noexcept
    uint64_t pack_hash(const uint8_t *p, size_t n) noexcept
    uint64_t pack_mix(uint64_t a, uint64_t b) noexcept
    int64_t pack_find(const pack *p, const uint8_t *name, size_t size) noexcept
    int64_t pack_find_place(const pack *p, const uint8_t *name, size_t size, uint32_t *place) noexcept
    bint pack_is_crowded(const pack *p, size_t bytes, uint32_t places) noexcept
    int pack_make_room(pack *p, size_t bytes, uint32_t places, uint32_t *moved) noexcept
    int pack_make_front(pack *p, uint32_t places) noexcept
    int pack_rewrite(pack *p, size_t more_bytes, uint32_t more_places, uint32_t *moved) noexcept
    int pack_append(pack *p, const uint8_t *name, size_t name_size, const uint8_t *value, size_t value_size,
                    int is_indexed) noexcept
    uint64_t pack_write(pack *p, const uint8_t *name, size_t name_size, const uint8_t *value, size_t value_size) noexcept
    void pack_set_offset(pack *p, uint32_t at, uint64_t offset) noexcept
    void pack_waste(pack *p, uint64_t offset, size_t size) noexcept
    void pack_remove(pack *p, uint32_t at, uint32_t place) noexcept
    void pack_drop_front(pack *p, uint32_t n) noexcept
    void pack_drop_back(pack *p, uint32_t n) noexcept
    int pack_insert(pack *p, uint32_t at, const uint8_t *name, size_t size) noexcept

cdef extern from "order.h":
    ctypedef struct order_item:
        double score
        uint32_t at
    ctypedef struct order_leaf:
        double *scores
        uint32_t *at
    order *order_make(const pack *of) noexcept
    order_item *order_sorted(const pack *of) noexcept
    void order_free(order *o) noexcept
    int order_add(order *o, double score, const uint8_t *name, size_t size, uint32_t at) noexcept
    void order_remove(order *o, uint32_t rank) noexcept
    uint32_t order_rank(const order *o, double score, const uint8_t *name, size_t size) noexcept
    const order_leaf *order_find(const order *o, uint32_t *rank) noexcept
    void order_move(order *o, const uint32_t *moved, uint32_t base) noexcept

cdef enum:
    _UNORDERED = 0
    _SORTED = 1
    _KEPT = 2
    # The defaults of set-max-intset-entries, set-max-listpack-entries and set-max-listpack-value.
    INTSET_ENTRIES = 512
    LISTPACK_ENTRIES = 128
    LISTPACK_SIZE = 64
    # Positions from which on a pack of which three quarters are holes is rewritten.
    LARGE = 64

pack_seed = int.from_bytes(os.urandom(8), "little")

#: See ``SetData.layout``.
UNORDERED = _UNORDERED
SORTED = _SORTED
KEPT = _KEPT


class StringData(bytearray):
    """A long string that commands change in place (SETBIT, APPEND, PFADD); all others are ``bytes``.

    ``rdbtool.engine.commands.strings`` reads and writes both.
    """

    __slots__ = ()


cdef inline const uint8_t *text(bytes data) noexcept:
    return <const uint8_t *>PyBytes_AS_STRING(data)


cdef inline size_t length(bytes data) noexcept:
    return <size_t>PyBytes_GET_SIZE(data)


cdef inline bytes name_of(pack_entry *entry):
    return PyBytes_FromStringAndSize(<const char *>entry.name, <Py_ssize_t>entry.name_size)


cdef inline bytes value_of(pack_entry *entry):
    return PyBytes_FromStringAndSize(<const char *>entry.value, <Py_ssize_t>entry.value_size)


cdef inline double score_of(pack_entry *entry) noexcept:
    cdef double score
    memcpy(&score, entry.value, sizeof(double))
    return score


cdef inline int reserve(pack *p, size_t bytes, uint32_t places) except -1:
    if pack_is_crowded(p, bytes, places) and pack_make_room(p, bytes, places, NULL) < 0:
        raise MemoryError
    return 0


cdef inline bint has_name(pack *p, member) except -1:
    return isinstance(member, bytes) and pack_find(p, text(<bytes>member), length(<bytes>member)) >= 0


cdef int tidy(pack *p) except -1:
    """Close up a pack that is mostly holes."""
    if p.count > LARGE and p.live < p.count // 4 and pack_rewrite(p, 0, 0, NULL) < 0:
        raise MemoryError
    return 0


cdef bint remove_name(pack *p, bytes name) except -1:
    """Remove the entry with a name; return whether it was there."""
    cdef uint32_t place = 0
    cdef int64_t at = pack_find_place(p, text(name), length(name), &place)
    if at < 0:
        return False
    pack_remove(p, <uint32_t>at, place)
    tidy(p)
    return True


cdef inline tuple as_tuple(words):
    return <tuple>words if type(words) is tuple else tuple(words)


def _names(holder):
    """Yield the names of a pack, in their order."""
    cdef pack *p
    cdef pack_entry entry
    cdef uint32_t at = 0
    if type(holder) is ListData:
        p = &(<ListData>holder).p
    elif type(holder) is SetData:
        p = &(<SetData>holder).p
    elif type(holder) is HashData:
        p = &(<HashData>holder).p
    else:
        p = &(<ZSetData?>holder).p
    while True:
        at = next_entry(p, at, &entry)
        if not at:
            return
        yield name_of(&entry)


# ---- lists -------------------------------------------------------------------------------------


@no_gc
@auto_pickle(False)
cdef class ListData:
    """A list: elements from head to tail."""

    def __cinit__(self, elements=()):
        pack_init(&self.p, PACK_PLAIN)
        if elements:
            self.push(tuple(elements), 0, False)

    def __dealloc__(self):
        pack_clear(&self.p)

    def __len__(self):
        return self.p.live

    def __iter__(self):
        return _names(self)

    def __reversed__(self):
        cdef pack_entry entry
        cdef uint32_t at = self.p.count
        while at and at <= self.p.count:
            at -= 1
            pack_read(&self.p, pack_offset(&self.p, self.p.first + at), &entry)
            yield name_of(&entry)

    def __contains__(self, element):
        return has_name(&self.p, element)

    cdef int push(self, tuple words, Py_ssize_t start, bint left) except -1:
        cdef Py_ssize_t i
        cdef size_t size = 0
        cdef bytes word
        cdef pack *p = &self.p
        cdef uint32_t more = <uint32_t>(PyTuple_GET_SIZE(words) - start)
        for i in range(start, PyTuple_GET_SIZE(words)):
            word = <bytes?>words[i]
            size += pack_entry_size(PACK_PLAIN, length(word), 0)
        reserve(p, size, 0 if left else more)
        if left and p.first < more and pack_make_front(p, more) < 0:
            raise MemoryError
        for i in range(start, PyTuple_GET_SIZE(words)):
            word = <bytes>words[i]
            if not left:
                pack_append(p, text(word), length(word), NULL, 0, False)
            else:
                p.first -= 1
                p.count += 1
                p.live += 1
                pack_set_offset(p, p.first, pack_write(p, text(word), length(word), NULL, 0))
        return 0

    cdef bytes take(self, uint32_t at):
        """Remove the element at an index, and return it."""
        cdef pack_entry entry
        pack_read(&self.p, pack_offset(&self.p, self.p.first + at), &entry)
        element = name_of(&entry)
        pack_remove(&self.p, self.p.first + at, 0)
        return element

    cdef int cut(self, uint32_t start, uint32_t stop) except -1:
        """Keep the elements from ``start`` up to ``stop`` only."""
        if start >= stop:
            pack_clear(&self.p)
            return 0
        pack_drop_back(&self.p, self.p.count - stop)
        pack_drop_front(&self.p, start)
        return 0

    def append(self, bytes element not None):
        """Add an element at the tail."""
        self.push((element,), 0, False)

    def appendleft(self, bytes element not None):
        """Add an element at the head."""
        self.push((element,), 0, True)

    def extend(self, elements):
        """Add elements at the tail."""
        self.push(as_tuple(elements), 0, False)

    def extendleft(self, elements):
        """Add elements at the head: the last one ends up first."""
        self.push(as_tuple(elements), 0, True)

    def pop(self):
        """Remove the last element, and return it."""
        if not self.p.count:
            raise IndexError("pop from an empty list")
        return self.take(self.p.count - 1)

    def popleft(self):
        """Remove the first element, and return it."""
        if not self.p.count:
            raise IndexError("pop from an empty list")
        return self.take(0)

    cdef uint32_t place(self, Py_ssize_t index) except? 0xffffffff:
        if index < 0:
            index += self.p.count
        if not 0 <= index < <Py_ssize_t>self.p.count:
            raise IndexError("list index out of range")
        return self.p.first + <uint32_t>index

    def __getitem__(self, Py_ssize_t index):
        cdef pack_entry entry
        pack_read(&self.p, pack_offset(&self.p, self.place(index)), &entry)
        return name_of(&entry)

    def __setitem__(self, Py_ssize_t index, bytes element not None):
        cdef pack_entry entry
        cdef pack *p = &self.p
        cdef uint64_t offset
        cdef uint32_t at
        self.place(index)
        reserve(p, pack_entry_size(PACK_PLAIN, length(element), 0), 0)
        at = self.place(index)
        offset = pack_offset(p, at)
        pack_read(p, offset, &entry)
        if entry.name_size == length(element):
            memcpy(<uint8_t *>entry.name, text(element), entry.name_size)
            return
        pack_waste(p, offset, entry.size)
        pack_set_offset(p, at, pack_write(p, text(element), length(element), NULL, 0))

    def index(self, bytes element not None):
        """Return the index of the first element that is equal. Raises ValueError."""
        cdef int64_t at = pack_find(&self.p, text(element), length(element))
        if at < 0:
            raise ValueError("no such element")
        return at - self.p.first

    def insert(self, Py_ssize_t index, bytes element not None):
        """Insert an element before an index, which may be that after the last one."""
        if not 0 <= index <= <Py_ssize_t>self.p.count:
            raise IndexError("list index out of range")
        reserve(&self.p, pack_entry_size(PACK_PLAIN, length(element), 0), 1)
        if pack_insert(&self.p, <uint32_t>index, text(element), length(element)) < 0:
            raise MemoryError

    def drop(self, bytes element not None, Py_ssize_t count, *, bint from_tail=False):
        """Remove elements that are equal, up to ``count`` of them, from the head or from the tail; return how many."""
        cdef pack *p = &self.p
        cdef pack_entry entry
        cdef uint64_t offset
        cdef uint32_t at, kept, i, total = p.count
        cdef Py_ssize_t gone = 0
        kept = p.first + total if from_tail else p.first
        for i in range(total):
            at = p.first + (total - 1 - i if from_tail else i)
            offset = pack_offset(p, at)
            pack_read(p, offset, &entry)
            if gone < count and entry.name_size == length(element) and not memcmp(entry.name, text(element), entry.name_size):
                p.waste += entry.size
                gone += 1
                continue
            if from_tail:
                kept -= 1
            if kept != at:
                pack_set_offset(p, kept, offset)
            if not from_tail:
                kept += 1
        if from_tail:
            p.first = kept
        p.count -= <uint32_t>gone
        p.live = p.count
        if not p.live:
            pack_clear(p)
        return gone

    def keep(self, Py_ssize_t start, Py_ssize_t stop):
        """Keep the elements from ``start`` up to ``stop`` only."""
        if not 0 <= start <= stop <= <Py_ssize_t>self.p.count:
            raise IndexError("list index out of range")
        self.cut(<uint32_t>start, <uint32_t>stop)

    def clear(self):
        """Remove all elements."""
        pack_clear(&self.p)

    def __eq__(self, other):
        return list(self) == list(other) if isinstance(other, ListData | list) else NotImplemented

    __hash__ = None


# ---- sets --------------------------------------------------------------------------------------


@no_gc
@auto_pickle(False)
cdef class SetData:
    """A set. ``expires`` (KeyDB): member to Unix ms, as in a hash that ``keeps``.

    ``layout`` says in which order a server that loaded the same has the members: ``SORTED`` (an intset), ``KEPT`` (a
    listpack, since 7.2: as they were added, which is the order here), or ``UNORDERED`` (a hash table). It
    goes by the servers' defaults, and is right as long as members are added with ``add_from`` only.
    """

    def __cinit__(self, members=()):
        pack_init(&self.p, PACK_PLAIN)
        if members:
            self.update(members)

    def __dealloc__(self):
        pack_clear(&self.p)

    def __len__(self):
        return self.p.live

    def __iter__(self):
        return _names(self)

    def __contains__(self, member):
        return has_name(&self.p, member)

    def __getitem__(self, member):
        if not has_name(&self.p, member):
            raise KeyError(member)
        return None

    def items(self):
        """Return all members, each with None: where a sorted set would do, too, a set is one without scores."""
        return [(member, None) for member in self]

    cdef bint add(self, bytes member) except -1:
        """Add a member; return whether it is new."""
        cdef pack *p = &self.p
        if pack_find(p, text(member), length(member)) >= 0:
            return False
        reserve(p, pack_entry_size(PACK_PLAIN, length(member), 0), 1)
        if pack_append(p, text(member), length(member), NULL, 0, True) < 0:
            raise MemoryError
        return True

    cdef bint remove(self, bytes member) except -1:
        """Remove a member; return whether it was there."""
        return remove_name(&self.p, member)

    def discard(self, bytes member not None):
        """Remove a member; return whether it was there."""
        return bool(self.remove(member))

    def __delitem__(self, bytes member not None):
        if not self.remove(member):
            raise KeyError(member)

    def update(self, members):
        """Add members, whatever the layout."""
        for member in members:
            self.add(<bytes?>member)

    def clear(self):
        """Remove all members."""
        pack_clear(&self.p)

    def add_from(self, argv, Py_ssize_t start):
        """Add the members that a command has from ``start`` on; return how many are new."""
        return self.add_words(as_tuple(argv), start)

    cdef Py_ssize_t add_words(self, tuple words, Py_ssize_t start) except -1:
        cdef Py_ssize_t i, count = PyTuple_GET_SIZE(words) - start
        cdef uint32_t before = self.p.live
        if not before and count:
            self.layout = _SORTED if count <= INTSET_ENTRIES and _is_integer(<bytes?>words[start]) else _KEPT
            reserve_words(&self.p, words, start, 1, 0)
        if count > (INTSET_ENTRIES if self.layout == _SORTED else LISTPACK_ENTRIES):
            # A server goes by the number of arguments before it looks at them.
            self.layout = _UNORDERED
        for i in range(start, PyTuple_GET_SIZE(words)):
            if self.layout != _UNORDERED:
                self.make_room(<bytes?>words[i])
            self.add(<bytes?>words[i])
        return <Py_ssize_t>(self.p.live - before)

    def fill(self, members):
        """Fill a new one with the members of a record."""
        cdef tuple words = as_tuple(members)
        cdef Py_ssize_t count = len(words)
        self.layout = _SORTED if count <= INTSET_ENTRIES else _UNORDERED
        reserve_words(&self.p, words, 0, 1, 0)
        for member in words:
            if self.layout != _UNORDERED:
                self.make_room(<bytes?>member)
            self.add(<bytes?>member)

    def keep_order(self):
        """Note that a record held the members in a listpack: integers too are in the order in which they were added."""
        fits = self.p.live <= LISTPACK_ENTRIES and all(len(member) <= LISTPACK_SIZE for member in self)
        self.layout = _KEPT if fits else _UNORDERED

    cdef int make_room(self, bytes member) except -1:
        """Change the layout as a server does before it adds a member."""
        cdef uint32_t size = self.p.live
        cdef bint is_integer = self.layout == _SORTED and _is_integer(member)
        if is_integer and size < INTSET_ENTRIES:
            return 0
        if self.layout == _KEPT and size < LISTPACK_ENTRIES and length(member) <= LISTPACK_SIZE:
            return 0
        if has_name(&self.p, member):
            return 0
        if is_integer:
            self.layout = _UNORDERED
        elif size >= LISTPACK_ENTRIES or length(member) > LISTPACK_SIZE:
            self.layout = _UNORDERED
        elif self.layout == _SORTED:
            self.layout = _KEPT
            ordered = sorted(self, key=int)
            pack_clear(&self.p)
            self.update(ordered)
        return 0


cdef int reserve_words(pack *p, tuple words, Py_ssize_t start, Py_ssize_t step, Py_ssize_t name) except -1:
    """Have room in an empty pack for all that a command holds: of ``step`` words, the one at ``name`` is the name."""
    cdef Py_ssize_t i = start
    cdef size_t size = 0
    cdef uint32_t count = 0
    while i + step <= PyTuple_GET_SIZE(words):
        size += pack_entry_size(
            p.kind, length(<bytes?>words[i + name]), length(<bytes?>words[i + 1]) if p.kind == PACK_PAIR else 0
        )
        count += 1
        i += step
    return reserve(p, size, count)


cdef bint _is_integer(bytes text):
    """Whether a text is a canonical integer of 64 bits."""
    cdef const char *digits = PyBytes_AS_STRING(text)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(text), at
    if size > 1 and digits[0] == 45:
        digits += 1
        size -= 1
    elif size == 1:
        return 48 <= digits[0] <= 57
    if not 1 <= size <= 19 or digits[0] == 48:
        return False
    for at in range(size):
        if not 48 <= digits[at] <= 57:
            return False
    return size < 19 or -9223372036854775808 <= int(text) <= 9223372036854775807


# ---- hashes ------------------------------------------------------------------------------------


@no_gc
@auto_pickle(False)
cdef class HashData:
    """A hash: field to value. ``expires``: field to Unix ms, for the fields that expire; None without any.

    ``keeps`` (KeyDB): setting or removing a field leaves its expiry alone, which then is that of any later field of
    the name. So ``expires`` may hold fields that the hash has not.
    """

    def __cinit__(self):
        pack_init(&self.p, PACK_PAIR)

    def __dealloc__(self):
        pack_clear(&self.p)

    def __len__(self):
        return self.p.live

    def __iter__(self):
        return _names(self)

    def __contains__(self, field):
        return has_name(&self.p, field)

    cdef int find(self, bytes field, pack_entry *entry) except -1:
        """Return whether there is a field, and read it."""
        cdef int64_t at = pack_find(&self.p, text(field), length(field))
        if at < 0:
            return False
        pack_read(&self.p, pack_offset(&self.p, <uint32_t>at), entry)
        return True

    cdef bint set(self, bytes field, const uint8_t *value, size_t size) except -1:
        """Set a field, and leave its expiry; return whether it is new. The value must not lie in the hash."""
        cdef pack *p = &self.p
        cdef pack_entry entry
        cdef uint64_t offset
        cdef size_t needed = pack_entry_size(PACK_PAIR, length(field), size)
        cdef int64_t at = pack_find(p, text(field), length(field))
        if at < 0:
            reserve(p, needed, 1)
            if pack_append(p, text(field), length(field), value, size, True) < 0:
                raise MemoryError
            return True
        offset = pack_offset(p, <uint32_t>at)
        pack_read(p, offset, &entry)
        if entry.value_size == size:
            memcpy(<uint8_t *>entry.value, value, size)
            return False
        if pack_is_crowded(p, needed, 0):
            reserve(p, needed, 0)
            at = pack_find(p, text(field), length(field))
            offset = pack_offset(p, <uint32_t>at)
        pack_waste(p, offset, entry.size)
        pack_set_offset(p, <uint32_t>at, pack_write(p, text(field), length(field), value, size))
        return False

    cdef bint remove(self, bytes field) except -1:
        """Remove a field, and leave its expiry; return whether it was there."""
        return remove_name(&self.p, field)

    def __getitem__(self, bytes field not None):
        cdef pack_entry entry
        if not self.find(field, &entry):
            raise KeyError(field)
        return value_of(&entry)

    def get(self, bytes field not None, default=None):
        """Return the value of a field."""
        cdef pack_entry entry
        return value_of(&entry) if self.find(field, &entry) else default

    def __setitem__(self, bytes field not None, bytes value not None):
        self.set(field, text(value), length(value))

    def __delitem__(self, bytes field not None):
        if not self.remove(field):
            raise KeyError(field)

    def pop(self, bytes field not None, default=None):
        """Remove a field, and return its value."""
        cdef pack_entry entry
        if not self.find(field, &entry):
            return default
        value = value_of(&entry)
        self.remove(field)
        return value

    def items(self):
        """Yield all fields, each with its value."""
        cdef pack_entry entry
        cdef uint32_t at = 0
        while True:
            at = next_entry(&self.p, at, &entry)
            if not at:
                return
            yield name_of(&entry), value_of(&entry)

    def update(self, fields):
        """Set fields, and leave their expiries."""
        for field, value in fields.items():
            self[field] = value

    def set_from(self, argv, Py_ssize_t start):
        """Set the pairs of field and value that a command has from ``start`` on; return how many fields are new.

        Those fields expire no more.
        """
        return self.set_words(as_tuple(argv), start)

    cdef Py_ssize_t set_words(self, tuple words, Py_ssize_t start) except -1:
        cdef Py_ssize_t i
        cdef uint32_t before = self.p.live
        cdef bytes value
        if not before:
            reserve_words(&self.p, words, start, 2, 0)
        for i in range(start, PyTuple_GET_SIZE(words) - 1, 2):
            value = <bytes?>words[i + 1]
            self.set(<bytes?>words[i], text(value), length(value))
        if self.expires is not None:
            for i in range(start, PyTuple_GET_SIZE(words) - 1, 2):
                self.forget_expiry(<bytes>words[i])
        return <Py_ssize_t>(self.p.live - before)

    cpdef forget_expiry(self, bytes field):
        """Let a field live on for good."""
        if self.expires is None or self.keeps:
            return
        if self.expires.pop(field, None) is not None and not self.expires:
            self.expires = None


# ---- sorted sets -------------------------------------------------------------------------------


@no_gc
@auto_pickle(False)
cdef class ZSetData:
    """A sorted set: member to score; members have the order in which they came. ``expires``: as in ``SetData``.

    ``order`` is the order by (score, member bytes). That of a large one is made when a command first needs it and kept up
    to date from then on, since most sorted sets of an AOF are only ever added to.
    """

    def __cinit__(self):
        pack_init(&self.p, PACK_SCORE)

    def __dealloc__(self):
        order_free(self.ordered)
        pack_clear(&self.p)

    def __len__(self):
        return self.p.live

    def __iter__(self):
        return _names(self)

    def __contains__(self, member):
        return has_name(&self.p, member)

    cdef bint find(self, bytes member, double *score) except -1:
        """Return whether there is a member, and its score."""
        cdef pack_entry entry
        cdef int64_t at = pack_find(&self.p, text(member), length(member))
        if at < 0:
            return False
        pack_read(&self.p, pack_offset(&self.p, <uint32_t>at), &entry)
        score[0] = score_of(&entry)
        return True

    def __getitem__(self, bytes member not None):
        cdef double score
        if not self.find(member, &score):
            raise KeyError(member)
        return score

    def get(self, bytes member not None, default=None):
        """Return the score of a member."""
        cdef double score
        return score if self.find(member, &score) else default

    def keys(self):
        """Return all members."""
        return list(self)

    def values(self):
        """Return all scores."""
        return [score for _, score in self.items()]

    def items(self):
        """Yield all members, each with its score."""
        cdef pack_entry entry
        cdef uint32_t at = 0
        while True:
            at = next_entry(&self.p, at, &entry)
            if not at:
                return
            yield name_of(&entry), score_of(&entry)

    def update(self, scores):
        """Set scores: those of a mapping, or of pairs of member and score."""
        for member, score in scores.items() if hasattr(scores, "items") else scores:
            self.set(<bytes?>member, score)

    def fill_from(self, argv, Py_ssize_t start):
        """Fill a new one with the pairs of score and member that a command has from ``start`` on.

        False, with nothing added, where that takes more thought: a score that is no plain double, or in doubt, or
        a negative zero; a member that comes twice.
        """
        cdef tuple words = as_tuple(argv)
        cdef Py_ssize_t i
        cdef double score
        reserve_words(&self.p, words, start, 2, 1)
        for i in range(start, PyTuple_GET_SIZE(words) - 1, 2):
            if not plain_score(<bytes?>words[i], &score) or not self.set(<bytes?>words[i + 1], score):
                pack_clear(&self.p)
                return False
        return True

    cdef int expect(self, tuple words, Py_ssize_t start) except -1:
        """Have room, in an empty one, for the pairs of score and member of a command."""
        if not self.p.live and self.ordered == NULL:
            reserve_words(&self.p, words, start, 2, 1)
        return 0

    cdef int make_order(self) except -1:
        """Have the order of a large sorted set; a small one is sorted each time."""
        if self.ordered == NULL and self.p.index != NULL:
            self.ordered = order_make(&self.p)
            if self.ordered == NULL:
                raise MemoryError
        return 0

    cdef int grow(self, size_t bytes, uint32_t places) except -1:
        """Have room for more."""
        cdef uint32_t *moved = NULL
        cdef uint32_t first = self.p.first
        cdef int status
        if not pack_is_crowded(&self.p, bytes, places):
            return 0
        if self.ordered != NULL:
            moved = <uint32_t *>PyMem_Malloc(<size_t>self.p.count * sizeof(uint32_t))
            if moved == NULL:
                raise MemoryError
        status = pack_make_room(&self.p, bytes, places, moved)
        self.follow(status, moved, first)
        return 0

    cdef int follow(self, int status, uint32_t *moved, uint32_t first) except -1:
        """Bring the order up to date with positions that moved (status 1)."""
        if self.ordered != NULL and (status < 0 or self.p.index == NULL):
            order_free(self.ordered)
            self.ordered = NULL
        if status == 1 and self.ordered != NULL:
            order_move(self.ordered, moved, first)
        PyMem_Free(moved)
        if status < 0:
            raise MemoryError
        return 0

    cdef int order_again(self, double score, bytes member, uint32_t at) except -1:
        if self.ordered != NULL and order_add(self.ordered, score, text(member), length(member), at) < 0:
            order_free(self.ordered)
            self.ordered = NULL
            raise MemoryError
        return 0

    cdef bint set(self, bytes member, double score) except -1:
        """Add a member, or give it another score; return whether it is new."""
        cdef pack *p = &self.p
        cdef pack_entry entry
        cdef double before
        cdef int64_t at = pack_find(p, text(member), length(member))
        if at >= 0:
            pack_read(p, pack_offset(p, <uint32_t>at), &entry)
            before = score_of(&entry)
            if self.ordered != NULL:
                order_remove(self.ordered, order_rank(self.ordered, before, text(member), length(member)))
            memcpy(<uint8_t *>entry.value, &score, sizeof(double))
            self.order_again(score, member, <uint32_t>at)
            return False
        self.grow(pack_entry_size(PACK_SCORE, length(member), 0), 1)
        at = p.first + p.count
        if pack_append(p, text(member), length(member), <const uint8_t *>&score, sizeof(double), True) < 0:
            raise MemoryError
        self.order_again(score, member, <uint32_t>at)
        return True

    cdef bint remove(self, bytes member) except -1:
        """Remove a member; return whether it was there."""
        cdef pack_entry entry
        cdef uint32_t place = 0
        cdef int64_t at = pack_find_place(&self.p, text(member), length(member), &place)
        if at < 0:
            return False
        if self.ordered != NULL:
            pack_read(&self.p, pack_offset(&self.p, <uint32_t>at), &entry)
            order_remove(self.ordered, order_rank(self.ordered, score_of(&entry), text(member), length(member)))
        pack_remove(&self.p, <uint32_t>at, place)
        self.tidy_up()
        return True

    cdef int tidy_up(self) except -1:
        """Close up what is mostly holes; drop the order with the last member."""
        cdef uint32_t *moved = NULL
        cdef uint32_t first = self.p.first
        if not self.p.live:
            order_free(self.ordered)
            self.ordered = NULL
        if self.p.count <= LARGE or self.p.live >= self.p.count // 4:
            return 0
        if self.ordered != NULL:
            moved = <uint32_t *>PyMem_Malloc(<size_t>self.p.count * sizeof(uint32_t))
            if moved == NULL:
                raise MemoryError
        self.follow(1 if pack_rewrite(&self.p, 0, 0, moved) == 0 else -1, moved, first)
        return 0

    def put(self, bytes member not None, double score):
        """Add a member, or give it another score."""
        self.set(member, score)

    def discard(self, bytes member not None):
        """Remove a member; return whether it was there."""
        return bool(self.remove(member))

    @property
    def order(self):
        """All (score, member), ascending, as a sequence that is right until the next change."""
        cdef order_item *items
        cdef pack_entry entry
        cdef uint32_t i
        self.make_order()
        if self.ordered != NULL:
            return Order(self)
        items = order_sorted(&self.p)
        if items == NULL:
            raise MemoryError
        try:
            found = []
            for i in range(self.p.live):
                pack_read(&self.p, pack_offset(&self.p, items[i].at), &entry)
                found.append((items[i].score, name_of(&entry)))
            return found
        finally:
            PyMem_Free(items)

    cdef tuple at_rank(self, uint32_t rank):
        """Return (score, member) of a rank; there has to be an order."""
        cdef const order_leaf *leaf = order_find(self.ordered, &rank)
        cdef pack_entry entry
        pack_read(&self.p, pack_offset(&self.p, leaf.at[rank]), &entry)
        return leaf.scores[rank], name_of(&entry)

    cdef int cut(self, Py_ssize_t start, Py_ssize_t stop, list gone) except -1:
        """Remove the members of ranks from ``start`` up to ``stop``, and add (score, member) of each to ``gone``."""
        cdef Py_ssize_t i
        cdef tuple row
        if start < 0 or stop > <Py_ssize_t>self.p.live:
            raise IndexError("rank out of range")
        self.make_order()
        if self.ordered == NULL:
            for row in self.order[start:stop]:
                self.remove(<bytes>row[1])
                if gone is not None:
                    gone.append(row)
            return 0
        for i in range(start, stop):
            if self.ordered == NULL:
                # It shrank so far that there is none any more.
                return self.cut(start, start + stop - i, gone)
            row = self.at_rank(<uint32_t>start)
            self.remove(<bytes>row[1])
            if gone is not None:
                gone.append(row)
        return 0

    def discard_slice(self, Py_ssize_t start, Py_ssize_t stop):
        """Remove ``order[start:stop]`` at once, and return what was there as (score, member)."""
        gone = []
        self.cut(start, min(stop, <Py_ssize_t>self.p.live), gone)
        return gone


cdef bint plain_score(bytes given, double *score) except -1:
    """Whether a text is a plain double that servers read alike, and no negative zero; read it."""
    if not rt_parse_double(text(given), PyBytes_GET_SIZE(given), score):
        return False
    return not ((score[0] == 0 and signbit(score[0])) or in_doubt(text(given), PyBytes_GET_SIZE(given), score[0]))


cdef class Order:
    """(score, member) of a large sorted set, ascending: a sequence over its tree."""

    cdef ZSetData of

    def __init__(self, ZSetData of not None):
        self.of = of

    def __len__(self):
        return self.of.p.live

    cdef tuple at(self, Py_ssize_t rank):
        self.of.make_order()
        if self.of.ordered == NULL:
            return self.of.order[rank]
        return self.of.at_rank(<uint32_t>rank)

    def __getitem__(self, index):
        cdef Py_ssize_t rank, size = self.of.p.live
        if isinstance(index, slice):
            return [self.at(rank) for rank in range(*index.indices(size))]
        rank = index
        if rank < 0:
            rank += size
        if not 0 <= rank < size:
            raise IndexError("rank out of range")
        return self.at(rank)

    def __iter__(self):
        cdef Py_ssize_t rank = 0
        while rank < <Py_ssize_t>self.of.p.live:
            yield self.at(rank)
            rank += 1


def fingerprint(data):
    """Return a number that distinguishes a collection from others: by its elements, in their order."""
    cdef pack *p
    cdef pack_entry entry
    cdef uint32_t at = 0
    cdef uint64_t total
    if type(data) is ListData:
        p = &(<ListData>data).p
    elif type(data) is SetData:
        p = &(<SetData>data).p
    elif type(data) is HashData:
        p = &(<HashData>data).p
    else:
        p = &(<ZSetData?>data).p
    total = p.live
    while True:
        at = next_entry(p, at, &entry)
        if not at:
            return total
        total = pack_mix(total ^ pack_hash(entry.name, entry.name_size), 0x9E3779B97F4A7C15)
        if entry.value != NULL:
            total = pack_mix(total ^ pack_hash(entry.value, entry.value_size), 0x8EBC6AF09C88C6E3)


def shortest_text(double score):
    """Return a score as the text that servers with shortest doubles make of it."""
    cdef char text[64]
    cdef int size = rt_double_text(score, text, 1)
    return <bytes>text[:size]
