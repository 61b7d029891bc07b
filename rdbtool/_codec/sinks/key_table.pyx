# Fingerprints per key: compare two datasets without holding either.
#
# The first dataset is received once: each key leaves 32 bytes, a hash of its name, a hash of its value, and its expiry.
# The second one is received and looked up. Keys that differ, or are missing, are then read again by name.
#
# Only what servers can distinguish goes into a hash, and nothing that depends on the writer: no eviction data, no times
# at which consumers were seen. Counters of streams that not every version stores do go in: a stream that differs is
# compared in detail before it is reported.
#
# Rows are in blocks, in the order in which keys arrived, and an open-addressing table leads to them. Its slots hold a
# row number and, in the bits that no number needs, a part of the hash, so that wrong rows are hardly ever looked at: 41
# to 47 bytes per key in all, 52 for the moment in which the table grows. It grows at once to what the file announces,
# when a share of that is there.
#
# A large table is in no cache, so keys wait a little: until memory has fetched first the slot, then the row of each. It
# is in huge pages where there are any. A key of the second dataset need not wait if it is the one that comes next in the
# first. Who reads again meets the keys in the same order: of the first dataset that is the order of the rows, and the
# order of the second is kept.
#
# If the table would exceed its memory, the rows of both datasets are put aside, in partitions of two temporary files;
# each partition is compared alone when both were received, and only the keys that differ come back into the table.

cimport cython
from libc.stdint cimport INT64_MIN, UINT64_MAX, int64_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy, memset
from rdbtool._codec.decode.cursor cimport Bytes, Scratch, grow, release
from rdbtool._codec.sinks.record_hash cimport Prints, hash_key, rt_hash128
from rdbtool._codec.filters.selection cimport Selection
from rdbtool._codec.sink cimport Head
from rdbtool._codec.spill cimport Partitions

from rdbtool._codec.spill import each_partition
from rdbtool.core.limits import table_memory
from rdbtool.model.items import ModuleAux, ResizeDb

include "../_types.pxi"

cdef extern from *:
    """
    #if defined(__GNUC__)
    #define rt_prefetch(p) __builtin_prefetch(p)
    #else
    #define rt_prefetch(p) ((void)(p))
    #endif
    """
    void rt_prefetch(const void *p) nogil

cdef extern from "large_memory.h" nogil:
    void *rt_large_alloc(size_t size)
    void rt_large_free(void *p, size_t size)

cdef struct Aside:
    # A row that is compared later, or what a row would have been compared with.
    uint64_t turned         # hash of database and key, its halves exchanged: a table uses the bits above 31
    uint64_t b              # its other half; the lowest three bits are the state, or of the second dataset the flags
    uint64_t value
    int64_t expire_at_ms
    uint64_t number         # of the record, 0: it is not there twice

cdef enum:
    FETCHED = 8             # of the keys that wait those whose slot is there, while memory fetches the row
    ROW_SIZE = 52           # the most bytes of a row with its slots and its place in the order
    # Of the memory, in eighths: that of the table, and that of the buffers of both files.
    EIGHTHS_TABLE = 6
    EIGHTHS_BUFFERS = 1
    FIRST_SLOTS = 1 << 10
    BELIEVED = 16           # one of so many announced keys has to be there
    AHEAD = 4               # rows that are looked at where the next key is expected

    FLAG_WANTED = 1         # the key counts if it is the same in both
    FLAG_STREAM = 2         # the next row that was put aside has the value without counters
    FLAG_COUNTERS = 4

cdef int64_t NEVER = INT64_MIN
cdef uint64_t MOST_SLOTS = <uint64_t>1 << 31
cdef uint64_t BARE = 0xA5A5A5A5A5A5A5A0     # distinguishes the hash of such a row from that of its key

#: The states of a key. HELD: one that differs, whose first record is held for comparing.
REMOVED, SAME, CHANGED, ADDED, HELD = IS_REMOVED, IS_SAME, IS_CHANGED, IS_ADDED, IS_HELD


cdef inline bint is_of(const Row *row, const rt_hash128 *hash) noexcept:
    return row.a == hash.a and row.b ^ hash.b <= STATE


cdef inline bint is_tag_of(uint32_t slot, uint64_t b, uint64_t mask) noexcept:
    """Return whether a slot may be that of a hash: `mask` covers the row number in it."""
    return <uint32_t>((slot ^ b >> 32) & ~mask) == 0


cdef inline void free_block(Row *block, size_t number) noexcept:
    if number == 0:
        free(block)
    else:
        rt_large_free(block, ROWS * sizeof(Row))


cdef class KeyTable:
    """The states of the keys of two datasets. ``counts`` are those of keys by state."""

    def __cinit__(self):
        self.memory = table_memory()
        self.most = self.memory * EIGHTHS_TABLE // 8 // ROW_SIZE
        self.slot_count = FIRST_SLOTS
        self.slots = <uint32_t *>rt_large_alloc(FIRST_SLOTS * sizeof(uint32_t))
        if self.slots == NULL:
            raise MemoryError

    def __dealloc__(self):
        cdef size_t i
        for i in range(self.block_count):
            free_block(self.blocks[i], i)
        free(self.blocks)
        rt_large_free(self.slots, self.slot_count * sizeof(uint32_t))
        free(self.order)

    @property
    def counts(self):
        """The numbers of keys: removed, same, changed, added, held."""
        return tuple(self.counted[state] for state in range(5))

    @property
    def same(self):
        """The number of keys that are equal in both, of those that ``matching`` matches."""
        return self.matched

    def __len__(self):
        return sum(self.counts)

    def __sizeof__(self):
        cdef size_t order = (self.order_count + ROWS - 1) // ROWS * ROWS
        return self.block_count * ROWS * sizeof(Row) + self.slot_count * sizeof(uint32_t) + order * sizeof(uint32_t)

    def state(self, int64_t db, bytes key not None):
        """Return the state of a key that one of the datasets has."""
        return self.known(db, key).b & STATE

    def mark(self, int64_t db, bytes key not None, int state):
        """Set the state of a key that one of the datasets has."""
        self.move(self.known(db, key), state)

    cdef Row *known(self, int64_t db, bytes key) except NULL:
        cdef rt_hash128 hash
        hash_key(db, <Bytes>(<char *>key), len(key), &hash)
        cdef Row *row = self.find(&hash)
        if row == NULL:
            raise KeyError(key)
        return row

    cdef Row *find(self, const rt_hash128 *hash, uint64_t *number=NULL) noexcept:
        """Return the row of a key, and its number; NULL if there is none."""
        cdef uint64_t mask = self.slot_count - 1
        cdef uint64_t slot = hash.a >> 32 & mask
        cdef uint32_t found
        cdef Row *row
        while (found := self.slots[slot]):
            if is_tag_of(found, hash.b, mask):
                row = self.row((found & mask) - 1)
                if is_of(row, hash):
                    if number != NULL:
                        number[0] = (found & mask) - 1
                    return row
            slot = (slot + 1) & mask
        return NULL

    cdef void fetch_slot(self, const rt_hash128 *hash) noexcept:
        rt_prefetch(&self.slots[hash.a >> 32 & (self.slot_count - 1)])

    cdef void fetch_row(self, const rt_hash128 *hash) noexcept:
        """Fetch the row of a key, whose slots are there: hardly ever another one."""
        cdef uint64_t mask = self.slot_count - 1
        cdef uint64_t slot = hash.a >> 32 & mask
        while self.slots[slot]:
            if is_tag_of(self.slots[slot], hash.b, mask):
                rt_prefetch(self.row((self.slots[slot] & mask) - 1))
                return
            slot = (slot + 1) & mask

    cdef uint64_t expected(self, const rt_hash128 *hash) noexcept:
        """Return the number of a key's row + 1 if it is one of the next rows, 0 if it is not.

        Files of one server mostly have their keys in the same order.
        """
        cdef uint64_t number
        for number in range(self.next, min(self.next + AHEAD, self.rows)):
            if is_of(self.row(number), hash):
                self.next = number + 1
                return number + 1
        return 0

    cdef int pass_row(self, uint64_t number) except -1:
        """Append a row to the order of the second dataset."""
        cdef uint32_t *order
        if self.order_count % ROWS == 0:
            order = <uint32_t *>realloc(self.order, (self.order_count + ROWS) * sizeof(uint32_t))
            if order == NULL:
                raise MemoryError
            self.order = order
        self.order[self.order_count] = <uint32_t>number
        self.order_count += 1
        return 0

    cdef int add(self, const rt_hash128 *hash, uint64_t value, int64_t expire_at_ms, int state) except -1:
        """Add a key that is not there."""
        cdef Row *row
        if self.rows % ROWS == 0:
            self.add_block()
        if self.rows * 4 >= self.slot_count * 3:
            self.grow()
        row = self.row(self.rows)
        row.a = hash.a
        row.b = (hash.b & ~<uint64_t>STATE) | <uint64_t>state
        row.value = value
        row.expire_at_ms = expire_at_ms
        self.enter(row, self.rows)
        self.rows += 1
        self.counted[state] += 1
        return 0

    cdef int meet(self, Row *row, const rt_hash128 *hash, uint64_t value, uint64_t bare, int64_t expire_at_ms,
                         bint is_stream, bint has_counters, bint is_wanted, int64_t tolerance_ms) except -1:
        """Compare a key of the second dataset with ``row``, the first one's; return 1 if the second one has it twice.

        ``bare``: of a stream the value without its counters. ``is_wanted``: it counts if it is the same in both.
        """
        if row == NULL:
            self.add(hash, value, expire_at_ms, IS_ADDED)
        elif row.b & STATE != IS_REMOVED:
            return 1
        elif are_near(row.expire_at_ms, expire_at_ms, tolerance_ms) and (
            row.value == value or is_stream and self.is_bare(row, hash, bare, has_counters)
        ):
            self.matched += is_wanted
            self.move(row, IS_SAME)
        else:
            self.move(row, IS_CHANGED)
        return 0

    cdef int meet_added(self, Row *row, uint64_t value, int64_t expire_at_ms, int64_t tolerance_ms) except -1:
        """Compare a key of the first dataset with ``row``, which the second one had before: see `key_pairs`.

        A stream is not compared without its counters: it is, when it is read again.
        """
        cdef bint is_same = row.value == value and are_near(row.expire_at_ms, expire_at_ms, tolerance_ms)
        row.value = value
        row.expire_at_ms = expire_at_ms
        self.matched += is_same
        return self.move(row, IS_SAME if is_same else IS_CHANGED)

    cdef bint is_bare(self, Row *row, const rt_hash128 *hash, uint64_t bare, bint has_counters) noexcept:
        """Return whether a stream differs only in counters, which one of the two does not store."""
        cdef rt_hash128 of_bare
        cdef Row *other
        if row.value == bare:
            return True
        if has_counters:
            return False
        of_bare.a = hash.a
        of_bare.b = hash.b ^ BARE
        other = self.find(&of_bare)
        return other != NULL and other.value == bare

    cdef void enter(self, const Row *row, uint64_t number) noexcept:
        cdef uint64_t mask = self.slot_count - 1
        cdef uint64_t slot = row.a >> 32 & mask
        while self.slots[slot]:
            slot = (slot + 1) & mask
        self.slots[slot] = <uint32_t>((row.b >> 32 & ~mask) | (number + 1))

    cdef int add_block(self) except -1:
        cdef Row *block
        cdef Row **blocks
        blocks = <Row **>realloc(self.blocks, (self.block_count + 1) * sizeof(Row *))
        if blocks == NULL:
            raise MemoryError
        self.blocks = blocks
        # Most tables need no whole page of two megabytes.
        if self.block_count == 0:
            block = <Row *>malloc(ROWS * sizeof(Row))
        else:
            block = <Row *>rt_large_alloc(ROWS * sizeof(Row))
        if block == NULL:
            raise MemoryError
        self.blocks[self.block_count] = block
        self.block_count += 1
        return 0

    cdef void announce(self, uint64_t keys) noexcept:
        """Note that so many more keys are said to come."""
        if self.most and keys < self.most:
            self.announced = self.rows + keys

    cdef int grow(self) except -1:
        cdef uint64_t number, count = self.slot_count * 2
        cdef uint32_t *larger
        if self.rows * BELIEVED >= self.announced and self.announced <= self.most:
            while count * 3 < self.announced * 4:
                count *= 2
        if count > MOST_SLOTS:
            raise MemoryError
        larger = <uint32_t *>rt_large_alloc(count * sizeof(uint32_t))
        if larger == NULL:
            raise MemoryError
        rt_large_free(self.slots, self.slot_count * sizeof(uint32_t))
        self.slots = larger
        self.slot_count = count
        for number in range(self.rows):
            if number + WAITING < self.rows:
                rt_prefetch(&self.slots[self.row(number + WAITING).a >> 32 & (count - 1)])
            self.enter(self.row(number), number)
        return 0

    # ---- rows that are put aside ---------------------------------------------------------------

    cdef int begin_aside(self) except -1:
        """Put all rows aside: the table has no room for more."""
        cdef uint64_t number
        cdef Row *row
        cdef rt_hash128 hash
        cdef size_t buffers = self.memory * EIGHTHS_BUFFERS // 8
        cdef Partitions first = Partitions(sizeof(Aside), buffers)
        self.second = Partitions(sizeof(Aside), buffers)
        for number in range(self.rows):
            row = self.row(number)
            hash.a = row.a
            hash.b = row.b
            put(first, &hash, row.value, row.expire_at_ms, row.b & STATE, 0)
        self.first = first
        self.most = 0
        self.empty()
        return 0

    cdef int empty(self) except -1:
        """Remove all rows, and give their memory back."""
        cdef size_t i
        cdef uint32_t *slots = <uint32_t *>rt_large_alloc(FIRST_SLOTS * sizeof(uint32_t))
        if slots == NULL:
            raise MemoryError
        rt_large_free(self.slots, self.slot_count * sizeof(uint32_t))
        self.slots = slots
        self.slot_count = FIRST_SLOTS
        for i in range(self.block_count):
            free_block(self.blocks[i], i)
        self.block_count = self.rows = self.order_count = self.next = 0
        free(self.order)
        self.order = NULL
        memset(self.counted, 0, sizeof(self.counted))
        return 0

    def settle(self, int64_t tolerance_ms):
        """Compare what was put aside; return of each dataset the hash of the first duplicate there, None: none is."""
        cdef KeyTable part
        cdef uint64_t number, first_twice = UINT64_MAX, second_twice = UINT64_MAX
        cdef rt_hash128 hash
        cdef Row *row
        if self.first is None or self.twice is not None:
            return self.twice or (None, None)
        self.most = UINT64_MAX
        part = KeyTable()
        part.most = UINT64_MAX
        twice = [None, None]
        for (first, second), partition in each_partition(
            (self.first, self.second), self.memory * EIGHTHS_TABLE // 8 // ROW_SIZE
        ):
            part.load(first, partition, tolerance_ms, &first_twice, twice)
            part.compare(second, partition, tolerance_ms, &second_twice, twice)
            for number in range(part.rows):
                row = part.row(number)
                if row.b & STATE == IS_SAME:
                    self.counted[IS_SAME] += 1
                elif row.b & STATE != IS_BARE:
                    hash.a = row.a
                    hash.b = row.b
                    self.add(&hash, row.value, row.expire_at_ms, row.b & STATE)
            part.empty()
        self.matched += part.matched
        self.twice = tuple(twice)
        self.first = self.second = None
        return self.twice

    cdef int load(self, Partitions parts, int partition, int64_t tolerance_ms, uint64_t *first, list twice) except -1:
        """Enter the rows of a partition; ``first`` is the number of the first record with a duplicate key."""
        cdef const char *block = NULL
        cdef const Aside *aside
        cdef rt_hash128 hash
        cdef Row *row
        cdef size_t i, count, cursor = 0
        while (count := parts.read(partition, &cursor, &block)):
            for i in range(count):
                aside = <const Aside *>block + i
                hash.a = turn(aside.turned)
                hash.b = aside.b
                row = NULL if aside.number == 0 else self.find(&hash)
                if row == NULL:
                    self.add(&hash, aside.value, aside.expire_at_ms, aside.b & STATE)
                elif row.b & STATE == IS_ADDED and aside.b & STATE == IS_REMOVED:
                    self.meet_added(row, aside.value, aside.expire_at_ms, tolerance_ms)
                elif aside.b & STATE != IS_BARE and aside.number < first[0]:
                    first[0] = aside.number
                    twice[0] = hash.a, hash.b & ~<uint64_t>STATE
        return 0

    cdef int compare(self, Partitions parts, int partition, int64_t tolerance_ms, uint64_t *first, list twice) except -1:
        """Compare the keys of a partition; ``first`` is the number of the first record with a duplicate key."""
        cdef const char *block = NULL
        cdef const Aside *aside
        cdef rt_hash128 hash
        cdef uint64_t value = 0
        cdef int64_t expire_at_ms = NEVER
        cdef bint is_next_bare = False
        cdef size_t i, count, cursor = 0
        while (count := parts.read(partition, &cursor, &block)):
            for i in range(count):
                aside = <const Aside *>block + i
                hash.a = turn(aside.turned)
                hash.b = aside.b
                if not is_next_bare:
                    value = aside.value
                    expire_at_ms = aside.expire_at_ms
                    if aside.b & FLAG_STREAM:
                        is_next_bare = True
                        continue
                if self.meet(
                    self.find(&hash), &hash, value, aside.value, expire_at_ms, is_next_bare,
                    aside.b & FLAG_COUNTERS != 0, aside.b & FLAG_WANTED != 0, tolerance_ms
                ) and aside.number < first[0]:
                    first[0] = aside.number
                    twice[1] = hash.a, hash.b & ~<uint64_t>STATE
                is_next_bare = False
        return 0


cdef int put(Partitions parts, const rt_hash128 *hash, uint64_t value, int64_t expire_at_ms, int mark,
             uint64_t number) except -1:
    cdef Aside aside
    aside.turned = turn(hash.a)
    aside.b = (hash.b & ~<uint64_t>STATE) | <uint64_t>mark
    aside.value = value
    aside.expire_at_ms = expire_at_ms
    aside.number = number
    return parts.add(&aside)


cdef inline uint64_t turn(uint64_t hash) noexcept:
    return hash << 32 | hash >> 32


@cython.final
cdef class KeyPrints(Prints):
    """Receives one of two datasets: the first fills ``table``, the second (``second``) is compared with it.

    ``field_expiries``, ``encodings``: whether these count. ``tolerance_ms``: the tolerance for expiries of keys, -1:
    ignore them. ``matching`` selects the keys counted as equal. Afterwards: ``keys`` is their number, ``twice`` is
    (db, key) of the first duplicate key unless rows were put aside (see ``KeyTable.settle``), ``modules`` is the module
    data outside the keys. The last keys are looked up when it is closed.
    """

    def __init__(self, KeyTable table not None, *, bint second, bint field_expiries=True, bint encodings=False,
                 int64_t tolerance_ms=0, Selection matching=None):
        self.table = table
        self.second = second
        self.field_expiries = field_expiries
        self.encodings = encodings
        self.tolerance_ms = tolerance_ms
        self.matching = matching
        self.modules = []

    def __dealloc__(self):
        release(&self.name)

    cdef int item(self, object item) except -1:
        if isinstance(item, ModuleAux):
            self.modules.append(item)
        elif not self.second and isinstance(item, ResizeDb):
            self.table.announce(item.keys)
        return 0

    cdef int begin_key(self, Head *head) except -1:
        Prints.begin_key(self, head)
        return self.keep_head(head)

    cdef int keep_head(self, Head *head) except -1:
        """Keep of a key what does not depend on its value."""
        grow(&self.name, head.key_size + 1)
        memcpy(self.name.data, head.key, head.key_size)
        self.name_size = head.key_size
        self.db = head.db
        self.expire_at_ms = head.expire_at_ms if head.has_expire else NEVER
        self.wanted = self.matching is None or self.matching.wants(head)
        return 0

    cdef int commit(self) except -1:
        cdef Waiting key
        cdef KeyTable table = self.table
        cdef uint64_t number
        self.keys += 1
        if self.second and not self.keeps and table.rows < table.most:
            number = table.expected(&self.key)
            if number:
                self.look_up_waiting(0)
                # What waited may have been too much for the table.
                if table.rows < table.most:
                    return self.meet_row(number - 1)
        key.key = self.key
        key.value = self.value.a ^ self.value.b
        key.bare = self.bare.a ^ self.bare.b
        key.expire_at_ms = self.expire_at_ms
        key.db = self.db
        key.number = self.keys
        key.state = IS_REMOVED
        key.is_stream = self.kind == KIND_STREAM
        key.has_counters = self.has_counters
        key.wanted = self.wanted
        key.name_size = self.name_size
        if self.keeps:
            self.kept = key
            return 0
        return self.hold(&key, <char *>self.name.data)

    cdef int commit_same(self) except -1:
        """Commit a key that both have with the same value and expiry, of which only the head was received."""
        cdef Waiting key
        self.keys += 1
        memset(&key, 0, sizeof(Waiting))
        key.key = self.key
        key.expire_at_ms = self.expire_at_ms
        key.db = self.db
        key.number = self.keys
        key.state = IS_SAME
        key.wanted = self.wanted
        key.name_size = self.name_size
        return self.hold(&key, <char *>self.name.data)

    cdef int hold(self, Waiting *key, const char *name) except -1:
        """Let a key wait, if it is short enough."""
        cdef KeyTable table = self.table
        cdef unsigned int at
        if key.name_size > WAITING_SIZE:
            self.look_up_waiting(0)
            return self.look_up(key, name)
        self.look_up_waiting(WAITING - 1)
        at = (self.held_at + self.held_count) % WAITING
        self.held[at] = key[0]
        memcpy(self.names[at], name, key.name_size)
        self.held_count += 1
        table.fetch_slot(&key.key)
        if self.held_count > FETCHED:
            table.fetch_row(&self.held[(at + WAITING - FETCHED) % WAITING].key)
        return 0

    cdef int meet_row(self, uint64_t number) except -1:
        """Compare the current key with the row of this number, which is its own."""
        cdef KeyTable table = self.table
        table.pass_row(number)
        if table.meet(table.row(number), &self.key, self.value.a ^ self.value.b, self.bare.a ^ self.bare.b,
                      self.expire_at_ms, self.kind == KIND_STREAM, self.has_counters, self.wanted, self.tolerance_ms):
            self.note_twice(self.db, <char *>self.name.data, self.name_size)
        return 0

    cdef int finish(self) except -1:
        return self.look_up_waiting(0)

    cdef int look_up_waiting(self, unsigned int left) except -1:
        """Look up the keys that wait, oldest first, until only so many are left."""
        cdef unsigned int at
        while self.held_count > left:
            at = self.held_at
            self.held_at = (at + 1) % WAITING
            self.held_count -= 1
            self.look_up(&self.held[at], self.names[at])
        return 0

    cdef int look_up(self, Waiting *key, const char *name) except -1:
        """Add a key to the table, or compare it with the one that is there."""
        cdef KeyTable table = self.table
        cdef uint64_t number = table.rows
        cdef Row *row
        if table.rows >= table.most:
            return self.put_aside(key)
        row = table.find(&key.key, &number)
        if self.second or key.state == IS_ADDED:
            table.pass_row(number)
            if table.meet(row, &key.key, key.value, key.bare, key.expire_at_ms, key.is_stream, key.has_counters,
                          key.wanted, self.tolerance_ms):
                self.note_twice(key.db, name, key.name_size)
            if row != NULL and self.second:
                # Twice in a row, so the next keys may be as well. Those that wait are among them.
                if number == self.last + 1:
                    table.next = number + 1 + self.held_count
                self.last = number
            return 0
        if row != NULL:
            if row.b & STATE != IS_ADDED or key.state != IS_REMOVED:
                return self.note_twice(key.db, name, key.name_size)
            return table.meet_added(row, key.value, key.expire_at_ms, self.tolerance_ms)
        number = table.rows
        table.add(&key.key, key.value, key.expire_at_ms, key.state)
        if key.state != IS_REMOVED:
            # The second one's was compared with it: see `key_pairs`.
            table.pass_row(number)
            table.next = number + 1
            table.matched += key.state == IS_SAME and key.wanted
        elif key.has_counters:
            key.key.b ^= BARE
            table.add(&key.key, key.bare, NEVER, IS_BARE)
        return 0

    cdef int put_aside(self, Waiting *key) except -1:
        cdef KeyTable table = self.table
        cdef int flags
        if table.first is None:
            table.begin_aside()
        if self.second or key.state == IS_ADDED:
            flags = FLAG_WANTED * key.wanted | FLAG_STREAM * key.is_stream | FLAG_COUNTERS * key.has_counters
            put(table.second, &key.key, key.value, key.expire_at_ms, flags, key.number)
            return put(table.second, &key.key, key.bare, NEVER, flags, key.number) if key.is_stream else 0
        put(table.first, &key.key, key.value, key.expire_at_ms, key.state, key.number)
        if key.state != IS_REMOVED:
            table.matched += key.state == IS_SAME and key.wanted
        elif key.has_counters:
            key.key.b ^= BARE
            put(table.first, &key.key, key.bare, NEVER, IS_BARE, key.number)
        return 0

    cdef int note_twice(self, int64_t db, const char *name, size_t name_size) except -1:
        if self.twice is None:
            self.twice = (db, name[:name_size])
        return 0


cdef class InState(Selection):
    """Matches the keys whose state in ``table`` is one of ``states``: for who reads a valid dataset again.

    ``second``: they are read in the order of the second dataset, else in that of the first. Any other is only slower.
    """

    def __init__(self, KeyTable table not None, states, *, bint second=False):
        super().__init__()
        self.table = table
        self.second = second
        self.skips = True
        for state in states:
            self.states |= 1u << <unsigned int>state

    cdef bint wants(self, Head *head) except -1:
        cdef rt_hash128 hash
        cdef Row *row
        cdef uint64_t number = 0
        hash_key(head.db, head.key, head.key_size, &hash)
        row = self.next_row()
        if row != NULL and is_of(row, &hash):
            self.at += 1
        else:
            row = self.table.find(&hash, &number)
            if row != NULL and not self.second:
                self.at = number + 1
        self.found = row
        return row != NULL and self.states >> <unsigned int>(row.b & STATE) & 1

    cdef Row *next_row(self) noexcept:
        """Return the row of the key that comes next if the order is the same; NULL at its end."""
        cdef KeyTable table = self.table
        cdef Row *row
        if self.second:
            if self.at >= table.order_count:
                return NULL
            if self.at + WAITING < table.order_count:
                rt_prefetch(table.row(table.order[self.at + WAITING]))
            return table.row(table.order[self.at])
        while self.at < table.rows:
            row = table.row(self.at)
            if row.b & STATE != IS_BARE and row.b & STATE != IS_ADDED:
                return row
            self.at += 1
        return NULL


cdef class WithHash(Selection):
    """Matches the key with a ``hash``, as ``KeyTable.settle`` returns it."""

    cdef rt_hash128 hash

    def __init__(self, hash not None):
        super().__init__()
        self.hash.a, self.hash.b = hash

    cdef bint wants(self, Head *head) except -1:
        cdef rt_hash128 hash
        hash_key(head.db, head.key, head.key_size, &hash)
        return hash.a == self.hash.a and hash.b ^ self.hash.b <= STATE
