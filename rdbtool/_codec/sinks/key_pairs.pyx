# Two datasets whose keys are in about the same order, read side by side.
#
# Snapshots of one server list most keys in the same order, and most of these are in the same bytes. So both windows are
# compared where the next records are. Records that are the same are decoded in the first dataset only, and their values
# are not hashed; of the others with the same key both are hashed and compared at once. All keys go into the table of
# the first dataset with their state, which finds duplicates as it always does.
#
# A key that is not next in the other dataset is looked for a few records ahead. If it is not there, it goes into the
# table alone, where the other dataset finds it if it has it elsewhere. Where that happens too often, both are read to
# their ends one after the other.
#
# This finds no errors: on any doubt everything is read again, one dataset after the other.

from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcmp
from rdbtool._codec.decode.cursor cimport Bytes
from rdbtool._codec.decode.decoder cimport Decoder
from rdbtool._codec.decode.skip_scan cimport SkipScan
from rdbtool._codec.decode.window cimport Window
from rdbtool._codec.sink cimport Head, Sink
from rdbtool._codec.sinks.key_table cimport IS_ADDED, IS_CHANGED, IS_SAME, KeyPrints, Waiting, are_near
from rdbtool._codec.sinks.record_hash cimport hash_key

from rdbtool._codec.decode.cursor import Declined, NeedMore, NeedValidation
from rdbtool._codec.decode.window import WindowLimitError

cdef enum:
    AHEAD = 8               # records that are looked at for a key
    # What it costs if things differ, in records that are the same: more than MOST_COST is not worth it.
    ALONE = 2               # a key without a partner
    ITEM = 16               # anything that is not read here
    MOST_COST = 1024
    RUN = 1 << 16           # bytes of the same records that are decoded in one go

#: What ``KeyPairs.run`` returns: one of the datasets has to be advanced by an item, or both are read to their ends.
FIRST, SECOND, APART = range(3)


class OutOfStepError(Exception):
    """Records that were the same in both datasets are not what they seemed to be."""


cdef class SameKeys(Sink):
    """Receives the records of the first dataset that the second one has in the same bytes."""

    cdef KeyPrints prints

    def __init__(self, KeyPrints prints not None):
        self.prints = prints
        self.takes_pieces = self.ignores_values = self.ignores_fields = True

    cdef int begin_key(self, Head *head) except -1:
        hash_key(head.db, head.key, head.key_size, &self.prints.key)
        return self.prints.keep_head(head)

    cdef int intset(self, Bytes p, uint64_t width, uint64_t count) except -1:
        return 0

    cdef int commit(self) except -1:
        return self.prints.commit_same()


cdef class KeyPairs:
    """Two decoders before their first keys, and the sinks of their datasets: ``prints`` for the first one."""

    cdef Decoder first
    cdef Decoder second
    cdef KeyPrints prints
    cdef KeyPrints others
    cdef SameKeys same
    cdef SkipScan scan
    cdef uint64_t cost              # less what was saved since
    cdef uint64_t others_seen       # keys of the second dataset so far

    def __init__(self, Decoder first not None, Decoder second not None, KeyPrints prints not None,
                 KeyPrints others not None):
        self.first = first
        self.second = second
        self.prints = prints
        self.others = others
        self.same = SameKeys(prints)
        self.scan = SkipScan(None, 0, first.magic)
        others.keeps = True

    @staticmethod
    def can_pair(Decoder first not None, Decoder second not None):
        """Return whether the same bytes are the same record in both files."""
        cdef int kind
        for kind in range(16):
            if first.trails[kind] or second.trails[kind]:
                return False
        # Old versions have fewer types.
        return first.magic == second.magic and first.version >= 5 and second.version >= 5

    def run(self, progress=None):
        """Read both side by side; return FIRST, SECOND or APART. Afterwards `note` has to be called."""
        cdef Decoder first = self.first
        cdef Decoder second = self.second
        cdef Window window = first.window
        cdef Window other = second.window
        cdef Bytes p, stop, q, other_stop, key, key_stop
        cdef size_t size
        cdef int ahead
        while True:
            if first.finished or second.finished or first.fork is not None or second.fork is not None:
                return APART
            if self.cost >= MOST_COST or self.prints.table.rows >= self.prints.table.most:
                return APART
            if first.pending_start >= 0:
                return FIRST
            if second.pending_start >= 0:
                return SECOND
            p = window.buffer + window.start
            stop = self.scan.stop_of(p, window.buffer + window.stop)
            if stop == NULL:
                if refill(window):
                    if progress is not None:
                        progress(window.at)
                    continue
                return FIRST
            key = self.scan.key_at
            key_stop = self.scan.key_stop
            q = other.buffer + other.start
            size = stop - p
            if other.stop - other.start < size and refill(other):
                continue
            if first.db == second.db and other.stop - other.start >= size and memcmp(p, q, size) == 0:
                self.pass_same(size)
                continue
            other_stop = self.scan.stop_of(q, other.buffer + other.stop)
            if other_stop == NULL:
                if refill(other):
                    continue
                return SECOND
            if first.db == second.db and is_same_key(key, key_stop, self.scan.key_at, self.scan.key_stop):
                if not self.take_first(stop - p):
                    return FIRST
                if not self.take_second(other_stop - q):
                    self.hold_first()
                    return SECOND
                self.pair()
                continue
            # Which of them is alone here?
            ahead = 0
            if first.db == second.db:
                ahead = self.look_ahead(key, key_stop, self.scan.key_at, self.scan.key_stop, stop, other_stop)
                self.cost += ALONE
            elif first.db < second.db:
                ahead = 1
            else:
                ahead = -1
            if ahead >= 0:
                if not self.take_first(stop - p):
                    return FIRST
                self.hold_first()
            if ahead <= 0:
                if not self.take_second(other_stop - q):
                    return SECOND
                self.hold_second()

    def note(self):
        """Take note of what was read of one of them since `run` returned."""
        # What precedes the first keys is read anyway.
        if self.first.keys:
            self.cost += ITEM
        if self.others.keys != self.others_seen:
            self.others_seen = self.others.keys
            self.hold_second()

    def part(self):
        """Begin with the rest of the second dataset: all of the first one was received."""
        self.others.keeps = False

    cdef int pass_same(self, size_t size) except -1:
        """Read records that both have: ``size`` bytes, and more after them."""
        cdef Decoder first = self.first
        cdef Decoder second = self.second
        cdef Window window = first.window
        cdef Window other = second.window
        cdef Bytes p = window.buffer + window.start
        cdef Bytes q = other.buffer + other.start
        cdef Bytes end = window.buffer + window.stop
        cdef Bytes stop
        cdef size_t left = min(<size_t>(end - p), other.stop - other.start)
        cdef uint64_t keys = first.keys, expires = first.expires
        cdef int64_t at = window.base + <int64_t>window.start
        cdef int kind
        cdef uint64_t kinds[16]
        for kind in range(16):
            kinds[kind] = first.kinds[kind]
        while size < RUN:
            stop = self.scan.stop_of(p + size, p + left)
            if stop == NULL or memcmp(p + size, q + size, stop - p - size) != 0:
                break
            size = stop - p
        if not read_to(first, self.same, at + <int64_t>size):
            raise OutOfStepError
        other.start += size
        keys = first.keys - keys
        expires = first.expires - expires
        second.keys += keys
        second.db_keys += keys
        second.expires += expires
        second.db_expires += expires
        for kind in range(16):
            second.kinds[kind] += first.kinds[kind] - kinds[kind]
        self.others.keys += keys
        self.others_seen = self.others.keys
        self.cost -= min(self.cost, keys)
        return 0

    cdef bint take_first(self, size_t size) except -1:
        """Read a record of the first dataset into `kept` of its sink; False: it is not what it seemed to be."""
        cdef Window window = self.first.window
        self.prints.keeps = True
        try:
            return read_to(self.first, self.prints, window.base + <int64_t>(window.start + size))
        finally:
            self.prints.keeps = False

    cdef bint take_second(self, size_t size) except -1:
        cdef Window window = self.second.window
        if not read_to(self.second, self.others, window.base + <int64_t>(window.start + size)):
            return False
        self.others_seen = self.others.keys
        return True

    cdef int pair(self) except -1:
        """Compare two records with the same key."""
        cdef Waiting *key = &self.prints.kept
        cdef Waiting *other = &self.others.kept
        if key.key.a != other.key.a or key.key.b != other.key.b:
            raise OutOfStepError
        # A stream without counters is compared without those of the other one: see `KeyTable.meet`.
        if are_near(key.expire_at_ms, other.expire_at_ms, self.prints.tolerance_ms) and (
            key.value == other.value or other.is_stream and (
                key.value == other.bare or not other.has_counters and key.has_counters and key.bare == other.bare
            )
        ):
            key.state = IS_SAME
        else:
            key.state = IS_CHANGED
        key.wanted = other.wanted
        self.cost -= min(self.cost, <uint64_t>1)
        return self.hold_first()

    cdef int hold_first(self) except -1:
        """Let the last key of the first dataset be added in its state."""
        return self.prints.hold(&self.prints.kept, <char *>self.prints.name.data)

    cdef int hold_second(self) except -1:
        """Let the last key of the second dataset be looked up after those before it, whichever dataset has them."""
        self.others.kept.state = IS_ADDED
        return self.prints.hold(&self.others.kept, <char *>self.others.name.data)

    cdef int look_ahead(self, Bytes key, Bytes key_stop, Bytes other, Bytes other_stop, Bytes stop,
                        Bytes stop_other) except -2:
        """Return 1 if the second dataset's key follows in the first one soon, -1 if it is the reverse, else 0."""
        cdef Bytes end = self.first.window.buffer + self.first.window.stop
        cdef Bytes end_other = self.second.window.buffer + self.second.window.stop
        cdef int i
        for i in range(AHEAD):
            if stop != NULL:
                stop = self.scan.stop_of(stop, end)
                if stop != NULL and is_same_key(self.scan.key_at, self.scan.key_stop, other, other_stop):
                    return 1
            if stop_other != NULL:
                stop_other = self.scan.stop_of(stop_other, end_other)
                if stop_other != NULL and is_same_key(self.scan.key_at, self.scan.key_stop, key, key_stop):
                    return -1
        return 0


cdef inline bint is_same_key(Bytes key, Bytes stop, Bytes other, Bytes other_stop) noexcept:
    """Compare two STRs: a key that is stored in another way is another one here."""
    return stop - key == other_stop - other and memcmp(key, other, stop - key) == 0


cdef bint refill(Window window) except -1:
    """Read more into a window; False: there is no more, or the current item is large."""
    if window.at_end or window.start < window.capacity // 4:
        return False
    window.refill()
    return True


cdef bint read_to(Decoder decoder, Sink sink, int64_t stop) except -1:
    """Decode records up to the offset ``stop``; False: there is another item. Raises OutOfStepError."""
    decoder.stops_at = stop
    try:
        decoder.steps(sink, None)
    except (NeedMore, NeedValidation, Declined, WindowLimitError):
        sink.rollback()
        return False
    finally:
        decoder.stops_at = -1
    if decoder.window.base + <int64_t>decoder.window.start != stop or decoder.pending_start >= 0:
        raise OutOfStepError
    return True
