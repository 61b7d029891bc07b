# Filter that renames keys and moves databases, and detects collisions.
#
# Memory: 17 to 22 bytes per key, and the names of moved keys, so that both keys of a collision can be named. Beyond its
# bound, places that may be taken are looked up at the end, and the names are in a temporary file.

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint64_t
from rdbtool._codec.decode.cursor cimport Bytes
from rdbtool._codec.filters.filter cimport Filter
from rdbtool._codec.seen_keys cimport RT_FULL, SeenKeys, rt_hash_seen, rt_key128
from rdbtool._codec.sink cimport Head, Sink
from rdbtool._codec.spill cimport Spool

from rdbtool.core.errors import CollisionError

cdef struct Place:
    # Where a key comes from; its name follows.
    int64_t db
    uint64_t size


cdef class Relocate(Filter):
    """Passes keys on to ``sink``, renamed by ``rename``, in the databases given by ``moves``.

    ``rename`` returns a key's new name, None: names stay. Raises CollisionError for a key whose new place is taken, some
    of them in ``look_up``.
    """

    cdef object rename
    cdef dict moves
    cdef frozenset targets
    cdef SeenKeys places            # that are taken
    cdef Spool moved                # keys that changed
    cdef int64_t db                 # of the current record: where it comes from, and goes to
    cdef bytes key
    cdef int64_t new_db
    cdef bytes new_key

    def __init__(self, Sink sink not None, *, rename=None, moves=()):
        super().__init__(sink)
        self.places = SeenKeys()
        self.moved = Spool(self.places.memory // 8)
        self.rename = rename
        self.moves = dict(moves)
        self.targets = frozenset(self.moves.values())

    cdef int begin_key(self, Head *head) except -1:
        cdef Head fitted = head[0]
        self.db = head.db
        self.key = (<char *>head.key)[:head.key_size]
        self.relocate()
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
        rt_hash_seen(&self.places.secret, self.new_db, <Bytes>(<char *>self.new_key), len(self.new_key), &hash)
        there = self.places.remember(&hash)
        if there == RT_FULL:
            if self.places.put_aside(&hash, 0):
                self.note(self.places.notes)
        elif there:
            raise self.collision()
        if self.new_db != self.db or self.new_key != self.key:
            self.note(self.moved)
        return 0

    cdef int note(self, Spool spool) except -1:
        """Append the current key."""
        cdef Place place
        place.db = self.db
        place.size = len(self.key)
        spool.append(&place, sizeof(Place))
        return spool.append(<char *>self.key, place.size)

    cdef uint64_t take_note(self, Spool spool, uint64_t at) except? 0:
        """Make a key the current one, and return where the next one is."""
        cdef Place place
        spool.read(at, &place, sizeof(Place))
        self.db = place.db
        self.key = PyBytes_FromStringAndSize(NULL, place.size)
        spool.read(at + sizeof(Place), <char *>self.key, place.size)
        self.relocate()
        return at + sizeof(Place) + place.size

    cdef int relocate(self) except -1:
        """Find the new place of the current key."""
        self.new_db = self.moves.get(self.db, self.db)
        self.new_key = self.key if self.rename is None else self.rename(self.key)
        return 0

    cdef object collision(self):
        """Return the error of the current key, whose new place is taken."""
        cdef uint64_t at = 0
        cdef tuple second = (self.db, self.key), place = (self.new_db, self.new_key)
        while at < self.moved.size():
            at = self.take_note(self.moved, at)
            if (self.new_db, self.new_key) == place:
                if (self.db, self.key) == second:
                    break
                return CollisionError((self.db, self.key), second, place)
        # It was there, and did not move.
        return CollisionError(place, second, place)

    def look_up(self):
        """Raise CollisionError for a key whose place was to be looked up at the end."""
        if self.places.aside is not None:
            found, _ = self.places.find(0, 1)
            for noted in found:
                self.take_note(self.places.notes, noted - 1)
                raise self.collision()
