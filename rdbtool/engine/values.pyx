# The mutable values of the keyspace.
#
# A key maps to one of: bytes (string), StringData (a long string under change), ListData, SetData, ZSetData, HashData,
# StreamData (see rdbtool.engine.streams.data) or the model's OpaqueValue and ArrayValue. They are built-in containers with a
# name: a log holds millions, and a wrapper object each would double memory. Sets are dicts with None as value,
# because a dict takes a third of the room of a set of that size. Compiled, because a log is mostly commands that add:
# the methods that take a whole command are their inner loops.

from bisect import bisect_left, insort
from collections import deque

from cython cimport auto_pickle
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_SetItem, PyDict_Size
from cpython.tuple cimport PyTuple_GET_SIZE
from libc.math cimport signbit
from libc.stdint cimport uint8_t
from rdbtool._codec.decode.cursor cimport rt_double_text, rt_parse_double
from rdbtool._codec.decode.scores cimport in_doubt

cdef enum:
    _UNORDERED = 0
    _SORTED = 1
    _KEPT = 2
    # The defaults of set-max-intset-entries, set-max-listpack-entries and set-max-listpack-value.
    INTSET_ENTRIES = 512
    LISTPACK_ENTRIES = 128
    LISTPACK_SIZE = 64


#: See ``SetData.layout``.
UNORDERED = _UNORDERED
SORTED = _SORTED
KEPT = _KEPT


class StringData(bytearray):
    """A long string that commands change in place (SETBIT, APPEND, PFADD); all others are ``bytes``.

    ``rdbtool.engine.commands.strings`` reads and writes both.
    """

    __slots__ = ()


class ListData(deque):
    """A list: elements from head to tail."""

    __slots__ = ()


@auto_pickle(False)
cdef class SetData(dict):
    """A set: its members are the keys. ``expires`` (KeyDB): member to Unix ms, as in a hash that ``keeps``.

    ``layout`` tells in which order a server that loaded the same has the members: ``SORTED`` (an intset), ``KEPT`` (a
    listpack, since 7.2: as they were added, which is the order of the keys here), or ``UNORDERED`` (a hash table). It
    goes by the servers' defaults, and is right as long as members are added with ``add_from`` only.
    """

    cdef public dict expires
    cdef public int layout

    def add_from(self, argv, Py_ssize_t start):
        """Add the members that a command has from ``start`` on; return how many are new."""
        cdef tuple words = argv if type(argv) is tuple else tuple(argv)
        cdef Py_ssize_t i, count = PyTuple_GET_SIZE(words) - start, before = PyDict_Size(self)
        if not before and count:
            self.layout = _SORTED if count <= INTSET_ENTRIES and _is_integer(words[start]) else _KEPT
        if count > (INTSET_ENTRIES if self.layout == _SORTED else LISTPACK_ENTRIES):
            # A server goes by the number of arguments before it looks at them.
            self.layout = _UNORDERED
        for i in range(start, PyTuple_GET_SIZE(words)):
            if self.layout != _UNORDERED:
                self._make_room(words[i])
            PyDict_SetItem(self, words[i], None)
        return PyDict_Size(self) - before

    def fill(self, members):
        """Fill a new one with the members of a record."""
        cdef Py_ssize_t count = len(members)
        self.layout = _SORTED if count <= INTSET_ENTRIES else _UNORDERED
        for member in members:
            if self.layout != _UNORDERED:
                self._make_room(member)
            PyDict_SetItem(self, member, None)

    def keep_order(self):
        """Note that a record held the members in a listpack: integers too are in the order in which they were added."""
        fits = PyDict_Size(self) <= LISTPACK_ENTRIES and all(len(member) <= LISTPACK_SIZE for member in self)
        self.layout = _KEPT if fits else _UNORDERED

    cdef int _make_room(self, bytes member) except -1:
        """Change the layout as a server does before it adds a member."""
        if member in self:
            return 0
        cdef Py_ssize_t size = PyDict_Size(self)
        if self.layout == _SORTED and _is_integer(member):
            if size >= INTSET_ENTRIES:
                self.layout = _UNORDERED
            return 0
        if size >= LISTPACK_ENTRIES or PyBytes_GET_SIZE(member) > LISTPACK_SIZE:
            self.layout = _UNORDERED
        elif self.layout == _SORTED:
            self.layout = _KEPT
            ordered = sorted(self, key=int)
            self.clear()
            self.update(dict.fromkeys(ordered))
        return 0


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


@auto_pickle(False)
cdef class HashData(dict):
    """A hash: field to value. ``expires``: field to Unix ms, for the fields that expire; None without any.

    ``keeps`` (KeyDB): setting or removing a field leaves its expiry alone, which then is that of any later field of
    the name. So ``expires`` may hold fields that the hash has not.
    """

    cdef public dict expires
    cdef public bint keeps

    def set_from(self, argv, Py_ssize_t start):
        """Set the pairs of field and value that a command has from ``start`` on; return how many fields are new.

        Those fields expire no more.
        """
        cdef tuple words = argv if type(argv) is tuple else tuple(argv)
        cdef Py_ssize_t i, before = PyDict_Size(self)
        for i in range(start, PyTuple_GET_SIZE(words) - 1, 2):
            PyDict_SetItem(self, words[i], words[i + 1])
        if self.expires is not None:
            for i in range(start, PyTuple_GET_SIZE(words) - 1, 2):
                self.forget_expiry(words[i])
        return PyDict_Size(self) - before

    cpdef forget_expiry(self, bytes field):
        """Let a field live on for good."""
        if self.expires is None or self.keeps:
            return
        if self.expires.pop(field, None) is not None and not self.expires:
            self.expires = None


@auto_pickle(False)
cdef class ZSetData(dict):
    """A sorted set: member to score. A new one may be filled with ``update``; then use ``put`` and ``discard`` only.

    The order by (score, member bytes) is made when a command first needs it and kept up to date from
    then on, since most sorted sets of a log are only ever added to. ``expires``: as in ``SetData``.
    """

    cdef list _order
    cdef public dict expires

    @property
    def order(self):
        """All (score, member), ascending. Do not change it."""
        if self._order is None:
            self._order = sorted([(score, member) for member, score in self.items()])
        return self._order

    def fill_from(self, argv, Py_ssize_t start):
        """Fill a new one with the pairs of score and member that a command has from ``start`` on.

        False, with nothing added, where that takes more thought: a score that is no plain double, or in doubt, or
        a negative zero; a member that comes twice.
        """
        cdef tuple words = argv if type(argv) is tuple else tuple(argv)
        cdef Py_ssize_t i, size
        cdef double score
        cdef const uint8_t *text
        for i in range(start, PyTuple_GET_SIZE(words) - 1, 2):
            text = <const uint8_t *>PyBytes_AS_STRING(words[i])
            size = PyBytes_GET_SIZE(words[i])
            if not rt_parse_double(text, size, &score) or (score == 0 and signbit(score)) or in_doubt(text, size, score):
                self.clear()
                return False
            PyDict_SetItem(self, words[i + 1], score)
        if 2 * PyDict_Size(self) != PyTuple_GET_SIZE(words) - start:
            self.clear()
            return False
        return True

    def put(self, bytes member not None, double score):
        """Add a member, or give it another score."""
        if self._order is not None:
            before = self.get(member)
            if before is not None:
                del self._order[bisect_left(self._order, (before, member))]
            insort(self._order, (score, member))
        PyDict_SetItem(self, member, score)

    def discard(self, bytes member not None):
        """Remove a member; return whether it was there."""
        score = self.pop(member, None)
        if score is None:
            return False
        if self._order is not None:
            del self._order[bisect_left(self._order, (score, member))]
        return True

    def discard_slice(self, Py_ssize_t start, Py_ssize_t stop):
        """Remove ``order[start:stop]`` at once, and return what was there as (score, member)."""
        gone = self.order[start:stop]
        if gone:
            del self.order[start:stop]
            for _, member in gone:
                del self[member]
        return gone


def shortest_text(double score):
    """Return a score as the text that servers with shortest doubles make of it."""
    cdef char text[64]
    cdef int size = rt_double_text(score, text, 1)
    return <bytes>text[:size]
