# The sink that checks the meaning of records: duplicates, order, NaN, empty collections, counters and owners of
# streams.
#
# The decoder checked the structure. Here each record is checked at C speed, and only a fault becomes an object: a
# Flagged row with its location, and the facts for the message. Its severity, per server, is decided by the rules. A
# record is flagged when it is complete, so one that starts again is not flagged twice. Keys of the whole file are
# remembered as 128-bit hashes; a few of them wait for their look-up, which `close` completes.
#
# If their table would exceed its memory, they are put aside, with notes of those that may be duplicates, and looked up
# when the sink is closed.

from libc.math cimport isnan
from libc.stdint cimport INT64_MAX, int64_t, uint16_t, uint32_t, uint64_t, uint8_t
from libc.string cimport memcmp, memcpy, memset
from rdbtool._codec.decode.cursor cimport Bytes, Scratch, grow, intset_number, release, rt_copy, rt_parse_i64
from rdbtool._codec.room cimport Room
from rdbtool._codec.sink cimport ArrayItem, Consumer, Group, Head, Pending, Producers, Sink, StreamTail
from rdbtool._codec.seen_keys cimport (
    RT_FULL, SeenKeys, rt_hash_seen, rt_key128, rt_seen, rt_seen_add, rt_seen_free, rt_seen_reset
)
from rdbtool._codec.decode.vectors cimport check_vector_set

from rdbtool._codec.room import NoResultError, OutdatedCopyError, RoomFullError

from rdbtool.core.light_typing import NamedTuple
from rdbtool.core.rdb_types import KINDS
from rdbtool.model.items import ResizeDb

include "../_types.pxi"

cdef enum:
    DUPLICATE_KEY
    EMPTY_KEY
    EXPIRE_NOT_POSITIVE
    EXPIRE_FAR
    IDLE_AND_FREQ
    EMPTY
    DUPLICATE_MEMBER
    DUPLICATE_FIELD
    DUPLICATE_SCORED
    SCORE_NAN
    SCORE_ORDER
    INTSET_ORDER
    FIELD_EXPIRY_ORDER
    DUPLICATE_INDEX
    VECTOR_SET
    ENTRY_ORDER
    ENTRY_BEYOND_LAST
    STREAM_LENGTH
    STREAM_NO_NODES
    STREAM_TOMBSTONES
    STREAM_FIRST_ID
    STREAM_MAX_DELETED
    STREAM_ADDED_LESS
    STREAM_COUNTER
    GROUP_DUPLICATE
    GROUP_READ_MORE
    GROUP_BEYOND_LAST
    CONSUMER_DUPLICATE
    PENDING_UNOWNED
    PENDING_SHARED
    PENDING_BEYOND_LAST
    PRODUCER_DUPLICATE
    FLAG_COUNT

#: The faults of a record, in the order of the numbers above.
FLAGS = (
    "duplicate-key", "empty-key", "expire-not-positive", "expire-far", "idle-and-freq", "empty",
    "duplicate-member", "duplicate-field", "duplicate-scored", "score-nan", "score-order", "intset-order",
    "field-expiry-order", "duplicate-index", "vector-set", "entry-order", "entry-beyond-last", "stream-length", "stream-no-nodes",
    "stream-tombstones", "stream-first-id", "stream-max-deleted", "stream-added-less", "stream-counter",
    "group-duplicate", "group-read-more", "group-beyond-last", "consumer-duplicate", "pending-unowned",
    "pending-shared", "pending-beyond-last", "producer-duplicate",
)

#: The last millisecond of the year 9999: a later expiry is hardly intended.
FAR_MS = 253402300799999

cdef enum:
    MOST_ROWS = 8              # rows of a kind per record
    PER_FLAG = 1000             # rows of a kind kept
    SHOWN = 256                 # bytes of a member that a row keeps
    SMALL_COUNT = 512           # collections up to this size and of short elements are packed in a server's memory
    SMALL_SIZE = 64
    HELD = 16                   # keys between the prefetch of a slot of the table and its use
    HELD_SIZE = 128             # bytes of a key that can wait
    NOT_LOOKED_UP = -1
    FORESEEN = 8                # one of so many parts of the input says how many keys will come
    # One of so many announced keys has to be there before the table grows for all of them: fewer if the input has room
    # for all, for then a wrong number takes no more than some times the size of the input.
    BELIEVED = 8
    POSSIBLE = 64
    LEAST_RECORD = 3            # bytes of a record with its key
    RECENT = 4                  # records back
    # Distinguishes the members of one set from others of its record.
    AS_GROUP = 1
    AS_PRODUCER = 2

#: Rows of a kind per record.
PER_RECORD = MOST_ROWS

class Flagged(NamedTuple):
    flag: str
    number: int
    start: int
    db: int
    key: bytes
    kind: str
    type_code: int
    elements: int
    is_small: bool
    at: int
    data: bytes
    inner: bytes
    facts: tuple


cdef struct Note:
    # What a row says of a record, without its key, which follows.
    uint64_t number
    int64_t start
    int64_t db
    uint64_t count
    uint64_t key_size
    uint32_t kind
    uint16_t type_code
    uint16_t is_small


cdef struct Held:
    # A key whose slot of the table is being prefetched.
    rt_key128 hash
    int found                   # 1: a duplicate, 0: none, NOT_LOOKED_UP
    Note note
    char key[HELD_SIZE]


def number_of(row):
    return row.number


cdef inline bint is_before(uint64_t ms, uint64_t seq, uint64_t other_ms, uint64_t other_seq) noexcept:
    return ms < other_ms or (ms == other_ms and seq < other_seq)


cdef inline bytes shown(Bytes p, size_t size):
    return (<char *>p)[:min(size, <size_t>SHOWN)]


cdef class Check(Sink):
    """Checks records; ``flagged`` has the first rows, ``counts`` all of them by (flag, type code, small or not).

    Both are complete when the sink is closed. ``modules`` maps the type names of module values to their number and the
    first one: (count, start, db).

    ``on_item`` is called with every item that is not a record, before what follows it is checked. ``on_row`` is called
    with every row of a record when that is complete, and may raise: the record is not committed then. A duplicate key
    may be reported a few keys late, or, if the table of keys would exceed its memory, when the sink is closed.
    ``keys_only``: values are not received, and only duplicate keys are reported. ``duplicates`` False: keys,
    members and fields are not looked up. ``size`` is that of the input in bytes, None if unknown: how many keys will
    come follows from it where the input does not announce them.
    """

    cdef bint keys_only
    cdef bint duplicates
    cdef readonly list flagged
    cdef dict counted                   # see `counts`, without what is counted below
    # Of each flag the records counted last, which have one type and size: a file can consist of millions of them.
    cdef uint64_t repeats[FLAG_COUNT]
    cdef int repeated_type[FLAG_COUNT]
    cdef bint repeated_small[FLAG_COUNT]
    cdef readonly dict modules
    cdef readonly uint64_t keys         # checked so far
    cdef uint64_t tallied               # elements since the last tally
    cdef bint met[256]                  # type codes since then
    cdef int64_t size                   # of the input in bytes; -1: unknown, or no longer needed
    cdef object on_item
    cdef public object on_row
    cdef SeenKeys seen
    cdef uint64_t settled               # the size of the notes that were looked up
    cdef Scratch noted_key
    cdef size_t ordered                 # rows in `flagged` that are in order
    cdef Room room                      # in which the hashes of a range's keys stay, None: they are looked up
    cdef frozenset twice                # numbers of the duplicates among the next `again` records, which were looked up
    cdef uint64_t again
    cdef rt_key128 key_hash
    cdef Held held[HELD]
    cdef int held_at, held_count
    cdef rt_seen members                # of the current value
    cdef rt_seen inner                  # of its group or producer
    cdef uint64_t kept[FLAG_COUNT]
    # The current record
    cdef Head head
    cdef list fresh
    cdef bint is_flagged
    cdef uint64_t fresh_counts[FLAG_COUNT]
    cdef uint64_t count                 # elements
    cdef bint has_long                  # an element too long for a packed encoding
    cdef bint is_packed_zset
    cdef bint is_ordered_hash
    cdef bint was_nan
    cdef double score_before
    cdef Scratch member_before
    cdef size_t member_before_size
    cdef int64_t number_before          # of an intset; of field expiries
    cdef StreamTail tail
    cdef uint64_t first_ms, first_seq, last_ms, last_seq
    cdef bytes group_name
    cdef bytes module_name
    cdef uint64_t pendings
    cdef uint64_t pending_ms, pending_seq

    def __init__(self, on_item=None, on_row=None, *, bint keys_only=False, bint duplicates=True, size=None):
        self.seen = SeenKeys()
        self.takes_pieces = self.divides = self.fills_room = self.ignores_fields = True
        self.keys_only = keys_only
        self.duplicates = duplicates
        self.size = -1 if size is None else size
        self.on_item = on_item
        self.on_row = on_row
        self.flagged = []
        self.fresh = []
        self.counted = {}
        self.modules = {}
        self.group_name = b""

    def __dealloc__(self):
        rt_seen_free(&self.members)
        rt_seen_free(&self.inner)
        release(&self.member_before)
        release(&self.noted_key)

    @property
    def counts(self):
        """All rows by (flag, type code, small or not)."""
        self.count_repeats()
        return self.counted

    @property
    def recent(self):
        """Return the offset and db of one of the last few records; None if there is none."""
        cdef Held *held
        cdef int back
        for back in range(RECENT, 0, -1):
            held = &self.held[(self.held_at + self.held_count - back + HELD) % HELD]
            if held.note.number:
                return held.note.start, held.note.db
        return None

    def take_tally(self):
        """Return the elements of the collections since the last call, and the type codes of the records."""
        cdef int code
        elements, self.tallied = self.tallied, 0
        codes = [code for code in range(256) if self.met[code]]
        memset(self.met, 0, sizeof(self.met))
        return elements, codes

    # ---- ranges --------------------------------------------------------------------------------

    def begin_range(self, room, db):
        """Begin with nothing; hashes of keys go to ``room``, with notes if keys are put aside, and are not looked up."""
        cdef int i
        self.seen.forget()
        self.room = room
        self.room.used = self.keys = 0
        self.modules = {}
        for i in range(HELD):
            self.held[i].note.number = 0

    def end_range(self):
        """Return the number of keys, the modules, the offset and db of the last few records, and whether there are notes.
        """
        cdef Held *held
        cdef int back
        last = []
        for back in range(RECENT, 0, -1):
            held = &self.held[(self.held_at - back + HELD) % HELD]
            if held.note.number:
                last.append((held.note.start, held.note.db))
        return self.keys, self.modules, last, self.seen.aside is not None

    def add_range(self, result, room):
        """Look up the keys of a range, which has no flags; with a duplicate, its records have to come from the reader."""
        keys, modules, last, has_notes = result
        self.look_up(0)
        if self.duplicates and self.seen.aside is None and not self.seen.has_room(self.keys + keys):
            self.seen.begin_aside()
        if self.seen.aside is not None:
            if not has_notes:
                raise OutdatedCopyError
            self.add_notes(room, keys)
        elif not self.add_hashes(room):
            return False
        self.keys += keys
        if last:
            self.foresee(last[len(last) - 1][0])
        for name, (times, start, db) in modules.items():
            before, first, first_db = self.modules.get(name, (0, start, db))
            self.modules[name] = (before + times, first, first_db)
        for start, db in last:
            self.pass_by(start, db)
        return True

    cdef bint add_hashes(self, Room room) except -1:
        """Look up the hashes in a room; return False if there is a duplicate."""
        cdef rt_key128 *hashes = <rt_key128 *>room.data
        cdef uint64_t i, count = room.used // sizeof(rt_key128)
        twice = []
        for i in range(min(count, <uint64_t>HELD)):
            self.seen.prefetch(&hashes[i])
        for i in range(count):
            if i + HELD < count:
                self.seen.prefetch(&hashes[i + HELD])
            if self.seen.remember(&hashes[i]):
                twice.append(self.keys + i + 1)
        if twice:
            self.twice = frozenset(twice)
            self.again = count
        return not twice

    cdef int add_notes(self, Room room, uint64_t count) except -1:
        """Put the keys in a room aside."""
        cdef char *at = room.data
        cdef rt_key128 hash
        cdef Note note
        cdef uint64_t i
        for i in range(count):
            memcpy(&hash, at, sizeof(rt_key128))
            memcpy(&note, at + sizeof(rt_key128), sizeof(Note))
            at += sizeof(rt_key128) + sizeof(Note)
            note.number = self.keys + i + 1
            self.put_aside(&hash, &note, at)
            at += note.key_size
        return 0

    cdef inline int foresee(self, int64_t start) noexcept:
        """Once a part of the input was read that is large enough, expect as many keys in the same room of the rest."""
        if self.size >= 0 and start >= self.size // FORESEEN and start > 0:
            if start < self.size:
                self.seen.expect(<uint64_t>(<double>self.keys * <double>(self.size - start) / <double>start), BELIEVED)
            self.size = -1
        return 0

    cdef int pass_by(self, int64_t start, int64_t db) noexcept:
        """Note a record among the last few."""
        cdef Held *held = &self.held[self.held_at]
        self.held_at = (self.held_at + 1) % HELD
        held.note.start = start
        held.note.db = db
        held.note.number = self.keys
        return 0

    # ---- flags ---------------------------------------------------------------------------------

    cdef int flag(self, int flag, int64_t index, bytes data, bytes inner, tuple facts) except -1:
        self.is_flagged = True
        self.fresh_counts[flag] += 1
        if self.fresh_counts[flag] <= MOST_ROWS and (self.kept[flag] < PER_FLAG or self.on_row is not None):
            self.fresh.append((flag, index, data, inner, facts))
        return 0

    cdef int settle(self) except -1:
        """The record is complete: count its flags."""
        cdef int flag
        cdef Head *head = &self.head
        cdef bint is_small = self.count <= SMALL_COUNT and not self.has_long
        for flag in range(FLAG_COUNT):
            if self.fresh_counts[flag]:
                self.keep(flag, head.type_code, is_small, self.fresh_counts[flag])
        for fresh in self.fresh:
            flag = fresh[0]
            if self.kept[flag] < PER_FLAG:
                self.kept[flag] += 1
                self.flagged.append(self.make_row(self.keys, fresh))
        return self.forget()

    cdef object make_row(self, uint64_t number, tuple fresh):
        cdef Head *head = &self.head
        cdef bint is_small = self.count <= SMALL_COUNT and not self.has_long
        flag, index, data, inner, facts = fresh
        return Flagged(
            FLAGS[flag], number, head.start, head.db, (<char *>head.key)[:head.key_size], KINDS[head.kind],
            head.type_code, self.count, is_small, index, data, inner, facts
        )

    cdef int forget(self) noexcept:
        self.is_flagged = False
        self.fresh.clear()
        memset(self.fresh_counts, 0, sizeof(self.fresh_counts))
        return 0

    cdef inline bint is_new(self, rt_seen *seen, uint64_t tweak, Bytes p, size_t size) except -1:
        cdef rt_key128 hash
        cdef int there
        rt_hash_seen(&self.seen.secret, tweak, p, size, &hash)
        there = rt_seen_add(seen, &hash)
        if there < 0:
            raise MemoryError
        return not there

    # ---- records -------------------------------------------------------------------------------

    cdef int item(self, object item) except -1:
        if isinstance(item, ResizeDb):
            if self.duplicates:
                self.seen.expect(item.keys, POSSIBLE if item.keys <= self.size // LEAST_RECORD else BELIEVED)
            self.size = -1
        if self.on_item is not None:
            self.on_item(item)
        return 0

    cdef int begin_key(self, Head *head) except -1:
        if self.is_flagged:
            self.forget()
        self.head = head[0]
        self.count = 0
        self.has_long = False
        if self.duplicates:
            rt_hash_seen(&self.seen.secret, head.db, head.key, head.key_size, &self.key_hash)
        if self.keys_only:
            return 0
        if head.kind != KIND_STRING:
            rt_seen_reset(&self.members)
            self.is_packed_zset = head.type_code == TYPE_ZSET_LISTPACK or head.type_code == TYPE_ZSET_ZIPLIST
            self.is_ordered_hash = (
                head.type_code == TYPE_HASH_LISTPACK_EX or head.type_code == TYPE_HASH_LISTPACK_EX_PRE_GA
            )
            self.number_before = 0
        if head.key_size == 0:
            self.flag(EMPTY_KEY, -1, None, None, ())
        if head.has_expire and (head.expire_at_ms <= 0 or head.expire_at_ms > FAR_MS):
            self.flag(EXPIRE_FAR if head.expire_at_ms > 0 else EXPIRE_NOT_POSITIVE, -1, None, None,
                      (head.expire_at_ms,))
        if head.idle_s >= 0 and head.freq >= 0:
            self.flag(IDLE_AND_FREQ, -1, None, None, (head.idle_s, head.freq))
        return 0

    cdef int element(self, Bytes p, size_t size) except -1:
        cdef int64_t number
        self.count += 1
        if self.head.kind != KIND_SET:
            return 0
        if self.head.type_code == TYPE_SET_INTSET:
            return self.number(number) if rt_parse_i64(p, size, &number) else 0
        if self.duplicates and not self.is_new(&self.members, 0, p, size):
            self.flag(DUPLICATE_MEMBER, self.count - 1, shown(p, size), None, ())
        return 0

    cdef inline int number(self, int64_t number) except -1:
        """A number of an intset, which was counted."""
        if self.count > 1 and number <= self.number_before:
            self.flag(INTSET_ORDER, self.count - 1, b"%d" % number, None, (number, self.number_before))
        self.number_before = number
        return 0

    cdef int intset(self, Bytes p, uint64_t width, uint64_t count) except -1:
        cdef uint64_t i
        for i in range(count):
            self.count += 1
            self.number(intset_number(p + i * width, width))
        return 0

    cdef int pair(self, Bytes field, size_t field_size, Bytes value, size_t value_size, int64_t expire_at_ms) except -1:
        self.count += 1
        if field_size > SMALL_SIZE or value_size > SMALL_SIZE:
            self.has_long = True
        if self.duplicates and not self.is_new(&self.members, 0, field, field_size):
            self.flag(DUPLICATE_FIELD, self.count - 1, shown(field, field_size), None, ())
        if self.is_ordered_hash:
            # Fields that never expire are at the end.
            if self.number_before < 0 <= expire_at_ms or 0 <= expire_at_ms < self.number_before:
                self.flag(FIELD_EXPIRY_ORDER, self.count - 1, shown(field, field_size), None,
                          (expire_at_ms, self.number_before))
            self.number_before = expire_at_ms
        return 0

    cdef int score(self, Bytes member, size_t member_size, double score) except -1:
        cdef bint bad
        cdef int order
        self.count += 1
        if self.duplicates and not self.is_new(&self.members, 0, member, member_size):
            self.flag(DUPLICATE_SCORED, self.count - 1, shown(member, member_size), None, ())
        if isnan(score):
            self.flag(SCORE_NAN, self.count - 1, shown(member, member_size), None, ())
        if not self.is_packed_zset:
            return 0
        if self.count > 1 and not self.was_nan and score <= self.score_before:
            bad = score < self.score_before
            if not bad:
                order = memcmp(self.member_before.data, member, min(self.member_before_size, member_size))
                # A duplicate is flagged as one.
                bad = order > 0 or (order == 0 and self.member_before_size > member_size)
            if bad:
                self.flag(SCORE_ORDER, self.count - 1, shown(member, member_size), None, (score, self.score_before))
        self.was_nan = isnan(score)
        self.score_before = score
        grow(&self.member_before, member_size + 1)
        rt_copy(self.member_before.data, member, member_size)
        self.member_before_size = member_size
        return 0

    cdef int array_item(self, ArrayItem *item) except -1:
        self.count += 1
        if not self.is_new(&self.members, 0, <Bytes>&item.index, sizeof(item.index)):
            self.flag(DUPLICATE_INDEX, self.count - 1, None, None, (item.index,))
        return 0

    cdef int opaque(self, Bytes module, Bytes raw, size_t raw_size) except -1:
        cdef tuple fault
        self.module_name = (<char *>module)[:9]
        # A value that is not from a file: its tags were not walked.
        if self.head.type_code == TYPE_MODULE_2 and memcmp(module, <const char *>b"vectorset", 9) == 0:
            fault = check_vector_set(raw, raw_size)
            if fault is not None:
                self.flag(EMPTY if fault[1] == "empty" else VECTOR_SET, fault[0], None, None, fault[1:])
        return 0

    # ---- streams -------------------------------------------------------------------------------

    cdef int entry(self, uint64_t ms, uint64_t seq, uint64_t fields) except -1:
        if self.count == 0:
            self.first_ms = ms
            self.first_seq = seq
        elif not is_before(self.last_ms, self.last_seq, ms, seq):
            self.flag(ENTRY_ORDER, self.count, None, None, (ms, seq, self.last_ms, self.last_seq))
        if self.count == 0 or is_before(self.last_ms, self.last_seq, ms, seq):
            self.last_ms = ms
            self.last_seq = seq
        self.count += 1
        return 0

    cdef int stream_tail(self, StreamTail *tail) except -1:
        self.tail = tail[0]
        if self.count and is_before(tail.last_ms, tail.last_seq, self.last_ms, self.last_seq):
            self.flag(ENTRY_BEYOND_LAST, -1, None, None,
                      (self.last_ms, self.last_seq, tail.last_ms, tail.last_seq))
        if tail.counted:
            if tail.entries_added > <uint64_t>INT64_MAX:
                self.flag(STREAM_COUNTER, -1, None, None, (tail.entries_added,))
            elif tail.entries_added < tail.length:
                self.flag(STREAM_ADDED_LESS, -1, None, None, (tail.entries_added, tail.length))
            if self.count and (tail.first_ms != self.first_ms or tail.first_seq != self.first_seq):
                self.flag(STREAM_FIRST_ID, -1, None, None,
                          (tail.first_ms, tail.first_seq, self.first_ms, self.first_seq))
            if is_before(tail.last_ms, tail.last_seq, tail.max_deleted_ms, tail.max_deleted_seq):
                self.flag(STREAM_MAX_DELETED, -1, None, None,
                          (tail.max_deleted_ms, tail.max_deleted_seq, tail.last_ms, tail.last_seq))
        return 0

    cdef int begin_group(self, Group *group) except -1:
        cdef StreamTail *tail = &self.tail
        self.group_name = shown(group.name, group.name_size)
        rt_seen_reset(&self.inner)
        self.pendings = 0
        if not self.is_new(&self.members, AS_GROUP, group.name, group.name_size):
            self.flag(GROUP_DUPLICATE, -1, self.group_name, None, ())
        if group.counted:
            if group.entries_read > <uint64_t>INT64_MAX:
                self.flag(STREAM_COUNTER, -1, self.group_name, None, (group.entries_read,))
            elif tail.counted and group.entries_read > tail.entries_added:
                self.flag(GROUP_READ_MORE, -1, self.group_name, None, (group.entries_read, tail.entries_added))
        if is_before(tail.last_ms, tail.last_seq, group.last_ms, group.last_seq):
            self.flag(GROUP_BEYOND_LAST, -1, self.group_name, None,
                      (group.last_ms, group.last_seq, tail.last_ms, tail.last_seq))
        return 0

    cdef int consumer(self, Consumer *consumer) except -1:
        if not self.is_new(&self.inner, 0, consumer.name, consumer.name_size):
            self.flag(CONSUMER_DUPLICATE, -1, self.group_name, shown(consumer.name, consumer.name_size), ())
        return 0

    cdef int pending(self, Pending *pending) except -1:
        cdef StreamTail *tail = &self.tail
        # An entry with two owners arrives twice, one after the other.
        if self.pendings and pending.ms == self.pending_ms and pending.seq == self.pending_seq:
            self.flag(PENDING_SHARED, self.pendings - 1, self.group_name,
                      shown(pending.consumer, pending.consumer_size), (pending.ms, pending.seq))
            return 0
        self.pending_ms = pending.ms
        self.pending_seq = pending.seq
        # Since version 5 entries may be put back. A stream that is not from a file has no known version.
        if not pending.owned and 0 <= self.head.type_code < TYPE_STREAM_LISTPACKS_5:
            self.flag(PENDING_UNOWNED, self.pendings, self.group_name, None, (pending.ms, pending.seq))
        if is_before(tail.last_ms, tail.last_seq, pending.ms, pending.seq):
            self.flag(PENDING_BEYOND_LAST, self.pendings, self.group_name, None,
                      (pending.ms, pending.seq, tail.last_ms, tail.last_seq))
        self.pendings += 1
        return 0

    cdef int producer(self, Bytes name, size_t name_size, uint64_t ids) except -1:
        rt_seen_reset(&self.inner)
        self.group_name = shown(name, name_size)
        if not self.is_new(&self.members, AS_PRODUCER, name, name_size):
            self.flag(PRODUCER_DUPLICATE, -1, self.group_name, None, ())
        return 0

    cdef int producer_id(self, Bytes name, size_t name_size, uint64_t ms, uint64_t seq) except -1:
        if not self.is_new(&self.inner, 0, name, name_size):
            self.flag(PRODUCER_DUPLICATE, -1, self.group_name, shown(name, name_size), ())
        return 0

    # ---- ends ----------------------------------------------------------------------------------

    cdef int end_stream(self, Bytes raw, size_t raw_size) except -1:
        cdef bint has_nodes = raw_size > 0 and raw[0] != 0
        if self.tail.length != self.count:
            if self.count == 0 and raw_size and not has_nodes:
                self.flag(STREAM_NO_NODES, -1, None, None, (self.tail.length,))
            else:
                self.flag(STREAM_LENGTH, -1, None, None, (self.tail.length, self.count))
        elif self.count == 0 and has_nodes:
            self.flag(STREAM_TOMBSTONES, -1, None, None, ())
        return 0

    cdef int end_key(self, Bytes raw, size_t raw_size, int64_t stop) except -1:
        cdef int kind = self.head.kind
        if self.keys_only:
            return 0
        if kind == KIND_STREAM:
            self.end_stream(raw, raw_size)
        elif self.count == 0 and kind != KIND_STRING and kind != KIND_MODULE:
            self.flag(EMPTY, -1, None, None, ())
        if self.is_flagged and self.on_row is not None:
            for fresh in self.fresh:
                self.emit_row(self.make_row(self.keys + 1, fresh))
        return 0

    cdef int emit_row(self, object row) except -1:
        try:
            self.on_row(row)
        except Exception:
            # A duplicate before it comes first.
            self.look_up_aside()
            raise
        return 0

    cdef int commit(self) except -1:
        cdef Head *head = &self.head
        self.keys += 1
        self.tallied += self.count
        self.met[<uint8_t>head.type_code] = True
        if not self.duplicates:
            if self.room is not None and self.is_flagged:
                raise NoResultError
            self.pass_by(head.start, head.db)
        elif self.room is not None:
            self.leave_key(head)
        else:
            self.hold_key(head)
            self.foresee(head.start)
        if head.kind == KIND_MODULE and not self.keys_only:
            name = self.module_name.decode("ascii", "replace")
            count, start, db = self.modules.get(name, (0, head.start, head.db))
            self.modules[name] = (count + 1, start, db)
        if self.is_flagged:
            self.settle()
        return 0

    cdef inline int describe(self, Head *head, Note *note) noexcept:
        note.number = self.keys
        note.start = head.start
        note.db = head.db
        note.count = self.count
        note.key_size = head.key_size
        note.kind = head.kind
        note.type_code = head.type_code
        note.is_small = self.count <= SMALL_COUNT and not self.has_long
        return 0

    cdef int hold_key(self, Head *head) except -1:
        """Look the key up, now or a few keys later."""
        cdef Held *held
        cdef Note note
        cdef bint can_wait = head.key_size <= HELD_SIZE
        cdef int found = NOT_LOOKED_UP
        if self.again:
            found = self.keys in self.twice
            self.again -= 1
        if self.held_count == HELD or not can_wait:
            self.look_up(HELD - 1 if can_wait else 0)
        if can_wait:
            held = &self.held[(self.held_at + self.held_count) % HELD]
            self.held_count += 1
            held.hash = self.key_hash
            held.found = found
            if found == NOT_LOOKED_UP:
                self.seen.prefetch(&held.hash)
            self.describe(head, &held.note)
            rt_copy(held.key, head.key, head.key_size)
            return 0
        if found == NOT_LOOKED_UP:
            found = self.seen.remember(&self.key_hash)
        if found == RT_FULL:
            self.describe(head, &note)
            self.put_aside(&self.key_hash, &note, <const char *>head.key)
        elif found:
            self.flag(DUPLICATE_KEY, -1, None, None, ())
            if self.on_row is not None:
                self.emit_row(self.make_row(self.keys, self.fresh[len(self.fresh) - 1]))
        return 0

    cdef int leave_key(self, Head *head) except -1:
        """Leave the hash of the key in the room, and its note if keys are put aside."""
        cdef Note note
        if self.is_flagged:
            raise NoResultError
        self.leave(&self.key_hash, sizeof(rt_key128))
        if self.seen.aside is not None:
            self.describe(head, &note)
            self.leave(&note, sizeof(Note))
            self.leave(head.key, head.key_size)
        self.pass_by(head.start, head.db)
        return 0

    cdef inline int leave(self, const void *data, size_t size) except -1:
        if self.room.used + size > self.room.size:
            raise RoomFullError
        memcpy(self.room.data + self.room.used, data, size)
        self.room.used += size
        return 0

    cdef int look_up(self, int left) except -1:
        """Look up the waiting keys, oldest first, until only this many are left."""
        cdef Held *held
        cdef int found
        while self.held_count > left:
            held = &self.held[self.held_at]
            self.held_at = (self.held_at + 1) % HELD
            self.held_count -= 1
            found = self.seen.remember(&held.hash) if held.found == NOT_LOOKED_UP else held.found
            if found == RT_FULL:
                self.put_aside(&held.hash, &held.note, held.key)
            elif found:
                self.keep(DUPLICATE_KEY, held.note.type_code, held.note.is_small, 1)
                self.report(&held.note, held.key)
        return 0

    cdef int report(self, Note *note, const char *key) except -1:
        """Make a row of a duplicate."""
        if self.kept[DUPLICATE_KEY] == PER_FLAG and self.on_row is None:
            return 0
        row = Flagged(
            FLAGS[DUPLICATE_KEY], note.number, note.start, note.db, key[:note.key_size], KINDS[note.kind],
            note.type_code, note.count, bool(note.is_small), -1, None, None, ()
        )
        if self.kept[DUPLICATE_KEY] < PER_FLAG:
            self.kept[DUPLICATE_KEY] += 1
            self.flagged.append(row)
        if self.on_row is not None:
            self.emit_row(row)
        return 0

    # ---- keys that are put aside ---------------------------------------------------------------

    cdef int put_aside(self, const rt_key128 *hash, Note *note, const char *key) except -1:
        if self.seen.put_aside(hash, note.type_code | note.is_small << 8):
            self.seen.notes.append(note, sizeof(Note))
            self.seen.notes.append(key, note.key_size)
        return 0

    cdef int look_up_aside(self) except -1:
        """Look up what was put aside, and report the duplicates since the last time in the order of the file."""
        cdef SeenKeys seen = self.seen
        cdef uint64_t last = self.settled, most = PER_FLAG
        cdef Note note
        if seen.aside is None or seen.notes.size() == last:
            return 0
        self.settled = seen.notes.size()
        if self.on_row is not None:
            most = max(most, seen.memory // 512)
        found, counts = seen.find(last, most)
        for mark, times in counts.items():
            self.keep(DUPLICATE_KEY, mark & 0xFF, mark >> 8, times)
        while True:
            for noted in found:
                last = noted
                seen.notes.read(last - 1, &note, sizeof(Note))
                grow(&self.noted_key, note.key_size + 1)
                seen.notes.read(last - 1 + sizeof(Note), self.noted_key.data, note.key_size)
                self.report(&note, <const char *>self.noted_key.data)
            if self.on_row is None or <uint64_t>len(found) < most:
                return 0
            found, _ = seen.find(last, most)

    cdef int keep(self, int flag, int type_code, bint is_small, uint64_t times) except -1:
        if type_code != self.repeated_type[flag] or is_small != self.repeated_small[flag]:
            self.count_repeats()
            self.repeated_type[flag] = type_code
            self.repeated_small[flag] = is_small
        self.repeats[flag] += times
        return 0

    cdef int count_repeats(self) except -1:
        cdef int flag
        for flag in range(FLAG_COUNT):
            if self.repeats[flag]:
                place = (FLAGS[flag], self.repeated_type[flag], self.repeated_small[flag])
                self.counted[place] = self.counted.get(place, 0) + self.repeats[flag]
                self.repeats[flag] = 0
        return 0

    cdef int finish(self) except -1:
        # The last collection may have been the largest, and the sink may last longer than what it checked.
        rt_seen_reset(&self.members)
        self.look_up(0)
        self.look_up_aside()
        self.flagged[self.ordered:] = sorted(self.flagged[self.ordered:], key=number_of)
        self.ordered = len(self.flagged)
        return 0

    cdef int rollback(self) noexcept:
        if self.is_flagged:
            self.forget()
        return 0
