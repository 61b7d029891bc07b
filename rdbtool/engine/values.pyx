# The mutable values of the keyspace.
#
# A key maps to one of: bytes (string), StringData (a long string under change), ListData, SetData, ZSetData, HashData,
# StreamData (see rdbtool.engine.streams.data) or the model's OpaqueValue and ArrayValue. Collections are packs (pack.h):
# their elements are in one block of memory, and become Python objects when they are asked for. They behave as the
# built-in containers of which they have the methods: a list as a deque, a set as a dict without values, hashes and sorted
# sets as dicts; the order is that in which elements came to be. Do not change one while you iterate over it.

from cython cimport final, no_gc
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.tuple cimport PyTuple_GET_SIZE
from libc.math cimport signbit
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset
from rdbtool._codec.decode.cursor cimport rt_double_text, rt_parse_double
from rdbtool._codec.decode.raw_commands cimport Word
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
    int64_t pack_find_hashed(const pack *p, const uint8_t *name, size_t size, uint64_t hash, uint32_t *place) noexcept
    bint pack_note(pack_filter *filter, uint64_t hash) noexcept
    void pack_append(pack *p, const uint8_t *name, size_t name_size, const uint8_t *value, size_t value_size) noexcept
    int pack_append_hashed(pack *p, const uint8_t *name, size_t name_size, const uint8_t *value, size_t value_size,
                           uint64_t hash) noexcept
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
    # Words of a command from which on an empty pack is filled with the help of a filter.
    MANY = 4
    # Words of a command that need no memory of their own.
    FEW = 32

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


cdef inline int64_t look_up(pack *p, Word name, pack_filter *filter, uint64_t *hash) noexcept:
    """Return the position of a name, -1 where there is none, and the hash that ``pack_append_hashed`` takes then.

    ``filter``: NULL, or has noted all names that the pack has, and notes this one.
    """
    cdef uint32_t place
    hash[0] = 0
    if filter != NULL or p.index != NULL:
        hash[0] = pack_hash(name.text, name.size)
    if filter != NULL and not pack_note(filter, hash[0]):
        return -1
    return pack_find_hashed(p, name.text, name.size, hash[0], &place)


cdef inline pack_filter *filter_of(pack *p, Py_ssize_t count, pack_filter *room) noexcept:
    """Return a filter, in ``room``, for a pack that gets that many words; NULL where it would not help."""
    if p.live or count < MANY:
        return NULL
    memset(room, 0, sizeof(pack_filter))
    return room


cdef int tidy(pack *p) except -1:
    """Close up a pack that is mostly holes."""
    if p.count > LARGE and p.live < p.count // 4 and pack_rewrite(p, 0, 0, NULL) < 0:
        raise MemoryError
    return 0


cdef bint remove_name(pack *p, Word name) except -1:
    """Remove the entry with a name; return whether it was there."""
    cdef uint32_t place = 0
    cdef int64_t at = pack_find_place(p, name.text, name.size, &place)
    if at < 0:
        return False
    pack_remove(p, <uint32_t>at, place)
    tidy(p)
    return True


@final
@no_gc
cdef class Words:
    """The words of a sequence of bytes from ``start`` on, for as long as this lives."""

    cdef tuple argv
    cdef Word[FEW] few
    cdef Word *words
    cdef Py_ssize_t count

    def __cinit__(self, argv, Py_ssize_t start):
        cdef Py_ssize_t i
        self.argv = <tuple>argv if type(argv) is tuple else tuple(argv)
        self.count = max(0, PyTuple_GET_SIZE(self.argv) - start)
        self.words = self.few
        if self.count > FEW:
            self.words = <Word *>PyMem_Malloc(<size_t>self.count * sizeof(Word))
            if self.words == NULL:
                raise MemoryError
        for i in range(self.count):
            self.words[i] = word_of(<bytes?>self.argv[start + i])

    def __dealloc__(self):
        if self.words != self.few:
            PyMem_Free(self.words)


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
cdef class ListData:
    """A list: elements from head to tail."""

    def __cinit__(self, elements=()):
        pack_init(&self.p, PACK_PLAIN)
        if elements:
            self.extend(elements)

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

    cdef int push(self, const Word *words, Py_ssize_t count, bint left) except -1:
        cdef Py_ssize_t i
        cdef size_t size = 0
        cdef pack *p = &self.p
        for i in range(count):
            size += pack_entry_size(PACK_PLAIN, words[i].size, 0)
        if count >= 0xffffffff:
            raise MemoryError
        reserve(p, size, 0 if left else <uint32_t>count)
        if left and p.first < <uint32_t>count and pack_make_front(p, <uint32_t>count) < 0:
            raise MemoryError
        for i in range(count):
            if not left:
                pack_append(p, words[i].text, words[i].size, NULL, 0)
            else:
                p.first -= 1
                p.count += 1
                p.live += 1
                pack_set_offset(p, p.first, pack_write(p, words[i].text, words[i].size, NULL, 0))
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
        cdef Word word = word_of(element)
        self.push(&word, 1, False)

    def appendleft(self, bytes element not None):
        """Add an element at the head."""
        cdef Word word = word_of(element)
        self.push(&word, 1, True)

    def extend(self, elements):
        """Add elements at the tail."""
        cdef Words words = Words(elements, 0)
        self.push(words.words, words.count, False)

    def extendleft(self, elements):
        """Add elements at the head: the last one ends up first."""
        cdef Words words = Words(elements, 0)
        self.push(words.words, words.count, True)

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
        self.replace(index, word_of(element))

    cdef int replace(self, Py_ssize_t index, Word element) except -1:
        cdef pack_entry entry
        cdef pack *p = &self.p
        cdef uint64_t offset
        cdef uint32_t at
        self.place(index)
        reserve(p, pack_entry_size(PACK_PLAIN, element.size, 0), 0)
        at = self.place(index)
        offset = pack_offset(p, at)
        pack_read(p, offset, &entry)
        if entry.name_size == element.size:
            memcpy(<uint8_t *>entry.name, element.text, entry.name_size)
            return 0
        pack_waste(p, offset, entry.size)
        pack_set_offset(p, at, pack_write(p, element.text, element.size, NULL, 0))
        return 0

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

    cdef bint add(self, Word member, pack_filter *filter) except -1:
        """Add a member; return whether it is new. ``filter``: see ``look_up``."""
        cdef pack *p = &self.p
        cdef uint64_t hash
        if look_up(p, member, filter, &hash) >= 0:
            return False
        reserve(p, pack_entry_size(PACK_PLAIN, member.size, 0), 1)
        if pack_append_hashed(p, member.text, member.size, NULL, 0, hash) < 0:
            raise MemoryError
        return True

    cdef bint remove(self, Word member) except -1:
        """Remove a member; return whether it was there."""
        return remove_name(&self.p, member)

    def discard(self, bytes member not None):
        """Remove a member; return whether it was there."""
        return bool(self.remove(word_of(member)))

    def __delitem__(self, bytes member not None):
        if not self.remove(word_of(member)):
            raise KeyError(member)

    def update(self, members):
        """Add members, whatever the layout."""
        for member in members:
            self.add(word_of(<bytes?>member), NULL)

    def clear(self):
        """Remove all members."""
        pack_clear(&self.p)

    def add_from(self, argv, Py_ssize_t start):
        """Add the members that a command has from ``start`` on; return how many are new."""
        cdef Words words = Words(argv, start)
        return self.add_words(words.words, words.count)

    cdef Py_ssize_t add_words(self, const Word *words, Py_ssize_t count) except -1:
        cdef Py_ssize_t i
        cdef int64_t number
        cdef uint32_t before = self.p.live
        cdef pack_filter room
        cdef pack_filter *filter = filter_of(&self.p, count, &room)
        if not before and count:
            self.layout = _SORTED if count <= INTSET_ENTRIES and read_int(words[0], &number) else _KEPT
            reserve_words(&self.p, words, count, 1, 0)
        if count > (INTSET_ENTRIES if self.layout == _SORTED else LISTPACK_ENTRIES):
            # A server goes by the number of arguments before it looks at them.
            self.layout = _UNORDERED
        for i in range(count):
            if self.layout != _UNORDERED:
                self.make_room(words[i])
            self.add(words[i], filter)
        return <Py_ssize_t>(self.p.live - before)

    def fill(self, members):
        """Fill a new one with the members of a record."""
        cdef Words words = Words(members, 0)
        cdef Py_ssize_t i
        cdef pack_filter room
        cdef pack_filter *filter = filter_of(&self.p, words.count, &room)
        self.layout = _SORTED if words.count <= INTSET_ENTRIES else _UNORDERED
        reserve_words(&self.p, words.words, words.count, 1, 0)
        for i in range(words.count):
            if self.layout != _UNORDERED:
                self.make_room(words.words[i])
            self.add(words.words[i], filter)

    def keep_order(self):
        """Note that a record held the members in a listpack: integers too are in the order in which they were added."""
        fits = self.p.live <= LISTPACK_ENTRIES and all(len(member) <= LISTPACK_SIZE for member in self)
        self.layout = _KEPT if fits else _UNORDERED

    cdef int make_room(self, Word member) except -1:
        """Change the layout as a server does before it adds a member."""
        cdef uint32_t size = self.p.live
        cdef int64_t number
        cdef bint is_integer = self.layout == _SORTED and read_int(member, &number)
        if is_integer and size < INTSET_ENTRIES:
            return 0
        if self.layout == _KEPT and size < LISTPACK_ENTRIES and member.size <= LISTPACK_SIZE:
            return 0
        if pack_find(&self.p, member.text, member.size) >= 0:
            return 0
        if is_integer:
            self.layout = _UNORDERED
        elif size >= LISTPACK_ENTRIES or member.size > LISTPACK_SIZE:
            self.layout = _UNORDERED
        elif self.layout == _SORTED:
            self.layout = _KEPT
            ordered = sorted(self, key=int)
            pack_clear(&self.p)
            self.update(ordered)
        return 0


cdef int reserve_words(pack *p, const Word *words, Py_ssize_t count, Py_ssize_t step, Py_ssize_t name) except -1:
    """Have room in an empty pack for all that a command holds: of ``step`` words, the one at ``name`` is the name."""
    cdef Py_ssize_t i
    cdef size_t size = 0
    for i in range(0, count - step + 1, step):
        size += pack_entry_size(p.kind, words[i + name].size, words[i + 1].size if p.kind == PACK_PAIR else 0)
    if count >= 0xffffffff:
        raise MemoryError
    return reserve(p, size, <uint32_t>(count // step))


# ---- hashes ------------------------------------------------------------------------------------


@no_gc
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

    cdef int find(self, Word field, pack_entry *entry) except -1:
        """Return whether there is a field, and read it."""
        cdef int64_t at = pack_find(&self.p, field.text, field.size)
        if at < 0:
            return False
        pack_read(&self.p, pack_offset(&self.p, <uint32_t>at), entry)
        return True

    cdef bint set(self, Word field, Word value, pack_filter *filter) except -1:
        """Set a field, and leave its expiry; return whether it is new. The value must not lie in the hash.

        ``filter``: see ``look_up``.
        """
        cdef pack *p = &self.p
        cdef pack_entry entry
        cdef uint64_t offset, hash
        cdef size_t needed = pack_entry_size(PACK_PAIR, field.size, value.size)
        cdef int64_t at = look_up(p, field, filter, &hash)
        if at < 0:
            reserve(p, needed, 1)
            if pack_append_hashed(p, field.text, field.size, value.text, value.size, hash) < 0:
                raise MemoryError
            return True
        offset = pack_offset(p, <uint32_t>at)
        pack_read(p, offset, &entry)
        if entry.value_size == value.size:
            memcpy(<uint8_t *>entry.value, value.text, value.size)
            return False
        if pack_is_crowded(p, needed, 0):
            reserve(p, needed, 0)
            at = pack_find(p, field.text, field.size)
            offset = pack_offset(p, <uint32_t>at)
        pack_waste(p, offset, entry.size)
        pack_set_offset(p, <uint32_t>at, pack_write(p, field.text, field.size, value.text, value.size))
        return False

    cdef bint remove(self, Word field) except -1:
        """Remove a field, and leave its expiry; return whether it was there."""
        return remove_name(&self.p, field)

    def __getitem__(self, bytes field not None):
        cdef pack_entry entry
        if not self.find(word_of(field), &entry):
            raise KeyError(field)
        return value_of(&entry)

    def get(self, bytes field not None, default=None):
        """Return the value of a field."""
        cdef pack_entry entry
        return value_of(&entry) if self.find(word_of(field), &entry) else default

    def __setitem__(self, bytes field not None, bytes value not None):
        self.set(word_of(field), word_of(value), NULL)

    def __delitem__(self, bytes field not None):
        if not self.remove(word_of(field)):
            raise KeyError(field)

    def pop(self, bytes field not None, default=None):
        """Remove a field, and return its value."""
        cdef pack_entry entry
        if not self.find(word_of(field), &entry):
            return default
        value = value_of(&entry)
        self.remove(word_of(field))
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
        cdef Words words = Words(argv, start)
        return self.set_words(words.words, words.count)

    cdef Py_ssize_t set_words(self, const Word *words, Py_ssize_t count) except -1:
        cdef Py_ssize_t i
        cdef uint32_t before = self.p.live
        cdef pack_filter room
        cdef pack_filter *filter = filter_of(&self.p, count // 2, &room)
        if not before:
            reserve_words(&self.p, words, count, 2, 0)
        for i in range(0, count - 1, 2):
            self.set(words[i], words[i + 1], filter)
        if self.expires is not None:
            for i in range(0, count - 1, 2):
                self.forget_expiry(bytes_of(words[i]))
        return <Py_ssize_t>(self.p.live - before)

    cpdef forget_expiry(self, bytes field):
        """Let a field live on for good."""
        if self.expires is None or self.keeps:
            return
        if self.expires.pop(field, None) is not None and not self.expires:
            self.expires = None


# ---- sorted sets -------------------------------------------------------------------------------


@no_gc
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

    cdef bint find(self, Word member, double *score) except -1:
        """Return whether there is a member, and its score."""
        cdef pack_entry entry
        cdef int64_t at = pack_find(&self.p, member.text, member.size)
        if at < 0:
            return False
        pack_read(&self.p, pack_offset(&self.p, <uint32_t>at), &entry)
        score[0] = score_of(&entry)
        return True

    def __getitem__(self, bytes member not None):
        cdef double score
        if not self.find(word_of(member), &score):
            raise KeyError(member)
        return score

    def get(self, bytes member not None, default=None):
        """Return the score of a member."""
        cdef double score
        return score if self.find(word_of(member), &score) else default

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
            self.set(word_of(<bytes?>member), score, True, NULL)

    def fill_from(self, argv, Py_ssize_t start):
        """Fill a new one with the pairs of score and member that a command has from ``start`` on.

        False, with nothing added, where that takes more thought: a score that is no plain double, or in doubt, or
        a negative zero; a member that comes twice.
        """
        cdef Words words = Words(argv, start)
        cdef Py_ssize_t i
        cdef double score
        cdef pack_filter room
        cdef pack_filter *filter = self.expect(words.words, words.count, &room)
        for i in range(0, words.count - 1, 2):
            if not plain_score(words.words[i], &score) or not self.set(words.words[i + 1], score, True, filter):
                pack_clear(&self.p)
                return False
        return True

    cdef pack_filter *expect(self, const Word *words, Py_ssize_t count, pack_filter *room) except? NULL:
        """Have room, in an empty one, for the pairs of score and member of a command; return a filter, or NULL."""
        cdef pack_filter *filter = filter_of(&self.p, count // 2, room)
        if not self.p.live and self.ordered == NULL:
            reserve_words(&self.p, words, count, 2, 1)
        return filter

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

    cdef int order_again(self, double score, Word member, uint32_t at) except -1:
        if self.ordered != NULL and order_add(self.ordered, score, member.text, member.size, at) < 0:
            order_free(self.ordered)
            self.ordered = NULL
            raise MemoryError
        return 0

    cdef bint set(self, Word member, double score, bint anew, pack_filter *filter) except -1:
        """Add a member, or give it another score; return whether it is new.

        ``anew``: also where the scores are equal: a negative zero is equal to zero. ``filter``: see ``look_up``.
        """
        cdef pack *p = &self.p
        cdef pack_entry entry
        cdef double before
        cdef uint64_t hash
        cdef int64_t at = look_up(p, member, filter, &hash)
        if at >= 0:
            pack_read(p, pack_offset(p, <uint32_t>at), &entry)
            before = score_of(&entry)
            if before == score and not anew:
                return False
            if self.ordered != NULL:
                order_remove(self.ordered, order_rank(self.ordered, before, member.text, member.size))
            memcpy(<uint8_t *>entry.value, &score, sizeof(double))
            self.order_again(score, member, <uint32_t>at)
            return False
        self.grow(pack_entry_size(PACK_SCORE, member.size, 0), 1)
        at = p.first + p.count
        if pack_append_hashed(p, member.text, member.size, <const uint8_t *>&score, sizeof(double), hash) < 0:
            raise MemoryError
        self.order_again(score, member, <uint32_t>at)
        return True

    cdef bint remove(self, Word member) except -1:
        """Remove a member; return whether it was there."""
        cdef pack_entry entry
        cdef uint32_t place = 0
        cdef int64_t at = pack_find_place(&self.p, member.text, member.size, &place)
        if at < 0:
            return False
        if self.ordered != NULL:
            pack_read(&self.p, pack_offset(&self.p, <uint32_t>at), &entry)
            order_remove(self.ordered, order_rank(self.ordered, score_of(&entry), member.text, member.size))
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
        self.set(word_of(member), score, True, NULL)

    def discard(self, bytes member not None):
        """Remove a member; return whether it was there."""
        return bool(self.remove(word_of(member)))

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
                self.remove(word_of(<bytes>row[1]))
                if gone is not None:
                    gone.append(row)
            return 0
        for i in range(start, stop):
            if self.ordered == NULL:
                # It shrank so far that there is none any more.
                return self.cut(start, start + stop - i, gone)
            row = self.at_rank(<uint32_t>start)
            self.remove(word_of(<bytes>row[1]))
            if gone is not None:
                gone.append(row)
        return 0

    def discard_slice(self, Py_ssize_t start, Py_ssize_t stop):
        """Remove ``order[start:stop]`` at once, and return what was there as (score, member)."""
        gone = []
        self.cut(start, min(stop, <Py_ssize_t>self.p.live), gone)
        return gone


cdef bint plain_score(Word given, double *score) except -1:
    """Whether a text is a plain double that servers read alike, and no negative zero; read it."""
    if not rt_parse_double(given.text, given.size, score):
        return False
    return not ((score[0] == 0 and signbit(score[0])) or in_doubt(given.text, <Py_ssize_t>given.size, score[0]))


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
