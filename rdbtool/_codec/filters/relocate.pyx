# Filter that renames keys and moves databases, and detects collisions.
#
# Memory: 16 to 20 bytes per key, and the names of moved keys, so that both keys of a collision can be named.

from os import urandom

from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memcpy, memset
from rdbtool._codec.decode.cursor cimport Bytes
from rdbtool._codec.filters.filter cimport Filter
from rdbtool._codec.sink cimport Head, Sink

from rdbtool.core.errors import CollisionError

cdef extern from "seen.h" nogil:
    ctypedef struct rt_key128:
        uint64_t a
        uint64_t b
    ctypedef struct rt_secret:
        uint64_t word[8]
    ctypedef struct rt_table:
        pass
    void rt_hash_seen(const rt_secret *s, uint64_t tweak, const uint8_t *p, size_t size, rt_key128 *out)
    int rt_table_add(rt_table *table, const rt_key128 *key)
    void rt_table_clear(rt_table *table)


cdef class Relocate(Filter):
    """Passes keys on to ``sink``, renamed by ``rename``, in the databases given by ``moves``.

    ``rename`` returns a key's new name, None: names stay. Raises CollisionError for a key whose new place is taken.
    """

    cdef object rename
    cdef dict moves
    cdef frozenset targets
    cdef rt_secret secret
    cdef rt_table places            # that are taken
    cdef bytearray moved            # keys that changed: db, size, name
    cdef int64_t db                 # of the current record: where it comes from, and goes to
    cdef bytes key
    cdef int64_t new_db
    cdef bytes new_key

    def __cinit__(self):
        memset(&self.places, 0, sizeof(rt_table))

    def __init__(self, Sink sink not None, *, rename=None, moves=()):
        cdef bytes drawn = urandom(sizeof(rt_secret))
        super().__init__(sink)
        memcpy(&self.secret, <char *>drawn, sizeof(rt_secret))
        self.rename = rename
        self.moves = dict(moves)
        self.targets = frozenset(self.moves.values())
        self.moved = bytearray()

    def __dealloc__(self):
        rt_table_clear(&self.places)

    cdef int begin_key(self, Head *head) except -1:
        cdef Head fitted = head[0]
        self.db = head.db
        self.key = (<char *>head.key)[:head.key_size]
        self.new_db = self.moves.get(self.db, self.db)
        self.new_key = self.key if self.rename is None else self.rename(self.key)
        fitted.db = self.new_db
        fitted.key = <Bytes>(<char *>self.new_key)
        fitted.key_size = len(self.new_key)
        return Filter.begin_key(self, &fitted)

    cdef int end_key(self, Bytes raw, size_t raw_size, int64_t stop) except -1:
        if self.rename is not None or self.new_db in self.targets:
            self.take_place()
        return self.sink.end_key(raw, raw_size, stop)

    cdef int take_place(self) except -1:
        cdef rt_key128 hash
        cdef int there
        rt_hash_seen(&self.secret, self.new_db, <Bytes>(<char *>self.new_key), len(self.new_key), &hash)
        there = rt_table_add(&self.places, &hash)
        if there < 0:
            raise MemoryError
        if there:
            place = self.new_db, self.new_key
            raise CollisionError(self.find_first(), (self.db, self.key), place)
        if self.new_db != self.db or self.new_key != self.key:
            self.moved += self.db.to_bytes(8, "little") + len(self.key).to_bytes(8, "little") + self.key
        return 0

    cdef tuple find_first(self):
        """Return the key that took the place of the current record."""
        cdef size_t at = 0, size
        cdef int64_t db
        cdef bytes key
        while at < <size_t>len(self.moved):
            db = int.from_bytes(self.moved[at:at + 8], "little")
            size = int.from_bytes(self.moved[at + 8:at + 16], "little")
            key = bytes(self.moved[at + 16:at + 16 + size])
            at += 16 + size
            new_key = key if self.rename is None else self.rename(key)
            if new_key == self.new_key and self.moves.get(db, db) == self.new_db:
                return db, key
        return self.new_db, self.new_key
