# What fills the memory, from one row a key, in bounded memory: prefixes, types, databases, the largest keys, expiry.
#
# The tree of prefixes has a budget (see prefix_tree.h), everything else a fixed size. Two sides can be counted: that
# of now, and an older one, which the same tree takes, so that the two are cut alike and their difference is exact.

from libc.stdint cimport int64_t, uint32_t, uint64_t, uint8_t, uint16_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcmp, memcpy, memset
from rdbtool._codec.decode.cursor cimport Bytes
from rdbtool._codec.filters.selection cimport key_slot
from rdbtool._codec.sinks.key_sizes cimport SIZES_AT_LEAST, KeyObserver, KeySizes
from rdbtool._codec.sinks.record_hash cimport hash_key, rt_hash128

cdef extern from "prefix_tree.h" nogil:
    enum:
        PT_FOLDED
        PT_WILD
        PT_IS_LATE
        PT_BUCKETS
        PT_SUB
    ctypedef struct pt_node:
        uint64_t keys
        uint64_t memory
        uint32_t child
        uint32_t next
        uint32_t children
        uint8_t mask
        uint8_t flags
        uint8_t size
        char *token
    ctypedef struct pt_tree:
        pt_node *nodes
        uint32_t used
        uint32_t live
        uint64_t bytes
        uint64_t folds
        char *names
    ctypedef struct pt_total:
        uint64_t keys
        uint64_t memory
        uint64_t allocated
        uint64_t no_ttl
        uint64_t no_ttl_memory
        uint64_t max
        uint64_t old_keys
        uint64_t old_memory
        uint64_t folded
        uint64_t nodes
    int pt_init(pt_tree *t, const char *separators, int count, int has_separators, uint32_t depth, uint64_t budget)
    void pt_free(pt_tree *t)
    int pt_key(pt_tree *t, const char *p, size_t size, uint64_t memory, uint64_t allocated, int no_ttl, int old)
    int pt_end_sample(pt_tree *t)
    int pt_tidy(pt_tree *t)
    void pt_total_branch(const pt_tree *t, uint32_t index, pt_total *totals)
    void pt_buckets(const pt_tree *t, uint32_t index, uint64_t *counts)
    uint64_t pt_quantile(const uint64_t *counts, uint64_t keys, double share, uint64_t max)
    uint32_t pt_bucket(uint64_t v)

cdef extern from *:
    """
    #if defined(__GNUC__)
    #define rt_log2(v) (63 - __builtin_clzll((v) | 1))
    #else
    static int rt_log2(unsigned long long v) { int n = 0; while (v >>= 1) n++; return n; }
    #endif
    """
    int rt_log2(uint64_t v) nogil

cdef enum:
    KINDS_ROOM = 16
    ENCODINGS_ROOM = 32
    EXPIRY_ROOM = 7         # never, past, an hour, a day, a week, 30 days, later
    IDLE_ROOM = 6           # unknown, below an hour, a day, a week, 30 days, more
    SIZES_ROOM = 64         # powers of two
    DBS_ROOM = 4096
    SLOTS = 16384
    KEY_ROOM = 1 << 14      # bytes of a key that are kept
    BIG_ROOM = 1 << 18      # keys that are followed by name
    NEW_SIDE = 0
    OLD_SIDE = 1
    LOOK_SIDE = 2

cdef struct Count:
    uint64_t keys
    uint64_t memory

cdef struct Cell:
    uint64_t keys
    uint64_t memory
    uint64_t allocated
    uint64_t serialized
    uint64_t elements
    uint64_t no_ttl
    uint64_t no_ttl_memory
    uint64_t largest
    uint64_t old_keys
    uint64_t old_memory
    # Above a limit of a compact encoding, by less than as much again: in elements, in bytes of the largest.
    uint64_t near_keys[2]
    uint64_t near_memory[2]
    uint64_t near_compact[2]

cdef struct Limit:
    uint64_t elements
    uint64_t value

cdef struct Db:
    int64_t db              # -1: free
    uint64_t keys
    uint64_t expires
    uint64_t memory
    uint64_t allocated

cdef struct Top:
    uint64_t value
    uint64_t number         # of the row: the first of equal ones stays
    char *key
    Py_ssize_t kept
    KeySizes row

cdef struct Heap:
    Top *rows
    uint32_t used

cdef struct Big:
    rt_hash128 hash
    uint64_t memory
    uint64_t old_memory
    uint64_t elements
    uint64_t old_elements
    int64_t db
    char *key
    Py_ssize_t kept
    Py_ssize_t key_length
    int type
    uint8_t seen            # 1 << side

#: The sides that can be counted: now, before, and now once more, for keys that were large before.
NEW, OLD, LOOK = NEW_SIDE, OLD_SIDE, LOOK_SIDE


cdef inline bint is_less(const Top *a, const Top *b) noexcept nogil:
    """Whether a leaves before b: the smaller one, of equal ones the later."""
    return a.value < b.value or (a.value == b.value and a.number > b.number)


cdef class KeyStats(KeyObserver):
    """Counts keys by prefix, type, database, expiry and size. See key_stats.pyi."""

    cdef pt_tree tree
    cdef public int side
    cdef readonly bytes prefix
    cdef readonly uint64_t rows
    cdef readonly uint64_t missed       # large keys that were not followed, for there are too many
    cdef public uint64_t most_memory    # keys above these are counted; 0: none are
    cdef public uint64_t most_elements
    cdef readonly uint64_t above_memory
    cdef readonly uint64_t above_elements
    cdef readonly uint64_t at_least      # keys of which only a lower bound is known
    cdef int64_t now_ms
    cdef uint32_t top
    cdef uint64_t big_bytes             # keys of so much memory are followed by name; 0: none are
    cdef bint is_tidy
    cdef Cell *cells
    cdef Count expiry[EXPIRY_ROOM]
    cdef Count sizes[SIZES_ROOM]
    cdef Count idle[IDLE_ROOM]
    cdef Count freqs[256]
    cdef Count freq_unknown
    cdef Count *slots
    cdef Db *dbs
    cdef Db other_dbs
    cdef uint32_t db_count
    cdef Limit limits[KINDS_ROOM * ENCODINGS_ROOM]
    cdef Heap heaps[3]
    cdef Big *bigs
    cdef uint32_t big_count
    cdef uint32_t *big_table
    cdef uint32_t big_slots
    cdef uint64_t buckets[PT_BUCKETS]   # of all keys

    def __cinit__(self, int64_t now_ms=0, int top=10, bytes separators=None, int depth=0, bytes prefix=b"",
                  bint slots=False, uint64_t big_bytes=0, dict limits=None, uint64_t budget=40 << 20):
        cdef int i
        self.now_ms = now_ms
        self.top = max(0, min(top, 10000))
        self.prefix = prefix
        self.big_bytes = big_bytes
        text = b"" if separators is None else separators
        if pt_init(&self.tree, <const char *>text, len(text), separators is not None, depth, budget):
            raise MemoryError
        self.cells = <Cell *>calloc(KINDS_ROOM * ENCODINGS_ROOM, sizeof(Cell))
        self.dbs = <Db *>malloc(DBS_ROOM * sizeof(Db))
        if self.cells == NULL or self.dbs == NULL:
            raise MemoryError
        for i in range(DBS_ROOM):
            self.dbs[i].db = -1
        if slots:
            self.slots = <Count *>calloc(SLOTS, sizeof(Count))
            if self.slots == NULL:
                raise MemoryError
        for i in range(3):
            self.heaps[i].rows = <Top *>calloc(self.top + 1, sizeof(Top))
            if self.heaps[i].rows == NULL:
                raise MemoryError
        if big_bytes:
            self.big_slots = 1 << 10
            self.big_table = <uint32_t *>calloc(self.big_slots, sizeof(uint32_t))
            if self.big_table == NULL:
                raise MemoryError
        for (kind, encoding), (elements, value) in (limits or {}).items():
            self.limits[kind * ENCODINGS_ROOM + encoding] = Limit(elements, value)

    def __dealloc__(self):
        cdef uint32_t i, j
        pt_free(&self.tree)
        free(self.cells)
        free(self.dbs)
        free(self.slots)
        for i in range(3):
            if self.heaps[i].rows != NULL:
                for j in range(self.heaps[i].used):
                    free(self.heaps[i].rows[j].key)
                free(self.heaps[i].rows)
        for i in range(self.big_count):
            free(self.bigs[i].key)
        free(self.bigs)
        free(self.big_table)

    def add(self, int db, bytes key not None, int type=0, int encoding=0, uint64_t memory=0, uint64_t allocated=0,
            uint64_t serialized=0, uint64_t elements=1, uint64_t largest=0, int64_t expire_at_ms=-1, int64_t idle_s=-1,
            int freq=-1, int flags=0):
        """Count a key, as a ``MemorySink`` would say it."""
        cdef KeySizes row
        row.db = db
        row.key = <const char *>key
        row.key_length = len(key)
        row.type = type
        row.encoding = encoding
        row.memory = memory
        row.allocated = allocated
        row.serialized = serialized
        row.elements = elements
        row.largest = largest
        row.expire_at_ms = expire_at_ms
        row.idle_s = idle_s
        row.freq = freq
        row.flags = flags
        self.on_key_sizes(&row)

    cdef int on_key_sizes(self, const KeySizes *row) except -1:
        cdef int place = (row.type & (KINDS_ROOM - 1)) * ENCODINGS_ROOM + (row.encoding & (ENCODINGS_ROOM - 1))
        cdef Cell *cell = &self.cells[place]
        cdef Py_ssize_t skip = len(self.prefix)
        cdef bint no_ttl = row.expire_at_ms == -1
        if skip and (row.key_length < skip or memcmp(row.key, <const char *>self.prefix, skip)):
            return 0
        if self.big_bytes:
            self.follow(row)
        if self.side != NEW_SIDE:
            if self.side == OLD_SIDE:
                cell.old_keys += 1
                cell.old_memory += row.memory
                if pt_key(&self.tree, row.key + skip, row.key_length - skip, row.memory, row.allocated, no_ttl, 1):
                    raise MemoryError
            return 0
        self.rows += 1
        cell.keys += 1
        cell.memory += row.memory
        cell.allocated += row.allocated
        cell.serialized += row.serialized
        cell.elements += row.elements
        if row.largest > cell.largest:
            cell.largest = row.largest
        if no_ttl:
            cell.no_ttl += 1
            cell.no_ttl_memory += row.memory
        if self.limits[place].elements:
            self.check_limit(row, cell, &self.limits[place])
        self.count(&self.expiry[self.expiry_of(row.expire_at_ms)], row.memory)
        self.count(&self.sizes[rt_log2(row.memory)], row.memory)
        self.buckets[pt_bucket(row.memory)] += 1
        if row.idle_s >= 0:
            self.count(&self.idle[self.idle_of(row.idle_s)], row.memory)
        if row.freq >= 0:
            self.count(&self.freqs[row.freq & 255], row.memory)
        if self.slots != NULL:
            self.count(&self.slots[key_slot(<Bytes>row.key, row.key_length)], row.memory)
        self.count_db(row, no_ttl)
        self.at_least += row.flags & SIZES_AT_LEAST != 0
        self.above_memory += self.most_memory != 0 and row.memory > self.most_memory
        self.above_elements += self.most_elements != 0 and row.elements > self.most_elements
        if self.top:
            self.rank(&self.heaps[0], row.memory, row)
            self.rank(&self.heaps[1], row.elements, row)
            self.rank(&self.heaps[2], row.largest, row)
        if pt_key(&self.tree, row.key + skip, row.key_length - skip, row.memory, row.allocated, no_ttl, 0):
            raise MemoryError
        return 0

    cdef inline void count(self, Count *count, uint64_t memory) noexcept:
        count.keys += 1
        count.memory += memory

    cdef inline int expiry_of(self, int64_t at) noexcept:
        cdef int64_t left
        if at == -1:
            return 0
        if at <= self.now_ms:
            return 1
        left = at - self.now_ms
        return 2 if left <= 3600000 else 3 if left <= 86400000 else 4 if left <= 604800000 else \
            5 if left <= 2592000000 else 6

    cdef inline int idle_of(self, int64_t seconds) noexcept:
        return 1 if seconds < 3600 else 2 if seconds < 86400 else 3 if seconds < 604800 else \
            4 if seconds < 2592000 else 5

    cdef void check_limit(self, const KeySizes *row, Cell *cell, const Limit *limit) noexcept:
        """Count a key that is a little above what a compact encoding takes."""
        cdef int kind
        cdef uint64_t compact
        if row.elements > limit.elements and row.elements <= 2 * limit.elements and row.largest <= limit.value:
            kind = 0
        elif row.elements <= limit.elements and row.largest > limit.value and row.largest <= 2 * limit.value:
            kind = 1
        else:
            return
        # The record's bytes, one more an entry for its length from the end, the key and its table entry.
        compact = 64 + row.serialized + row.elements * 2
        if compact >= row.memory:
            return
        cell.near_keys[kind] += 1
        cell.near_memory[kind] += row.memory
        cell.near_compact[kind] += compact

    cdef void count_db(self, const KeySizes *row, bint no_ttl) noexcept:
        cdef uint32_t slot = <uint32_t>row.db & (DBS_ROOM - 1)
        cdef Db *db = &self.dbs[slot]
        while db.db != row.db and db.db != -1:
            slot = (slot + 1) & (DBS_ROOM - 1)
            db = &self.dbs[slot]
        if db.db == -1:
            if self.db_count >= DBS_ROOM // 2:
                db = &self.other_dbs
            else:
                self.db_count += 1
                db.db = row.db
                db.keys = db.expires = db.memory = db.allocated = 0
        db.keys += 1
        db.expires += not no_ttl
        db.memory += row.memory
        db.allocated += row.allocated

    # ---- the largest keys ----

    cdef inline int rank(self, Heap *heap, uint64_t value, const KeySizes *row) except -1:
        if value and (heap.used < self.top or value > heap.rows[0].value):
            self.enter(heap, value, row)
        return 0

    cdef int enter(self, Heap *heap, uint64_t value, const KeySizes *row) except -1:
        cdef Top top
        cdef uint32_t i, child
        top.value = value
        top.number = self.rows
        top.row = row[0]
        top.kept = min(row.key_length, KEY_ROOM if self.top <= 100 else 1024)
        top.key = <char *>malloc(top.kept + 1)
        if top.key == NULL:
            raise MemoryError
        memcpy(top.key, row.key, top.kept)
        if heap.used < self.top:
            i = heap.used
            heap.used += 1
            while i and is_less(&top, &heap.rows[(i - 1) // 2]):
                heap.rows[i] = heap.rows[(i - 1) // 2]
                i = (i - 1) // 2
            heap.rows[i] = top
            return 0
        free(heap.rows[0].key)
        i = 0
        while True:
            child = 2 * i + 1
            if child >= heap.used:
                break
            if child + 1 < heap.used and is_less(&heap.rows[child + 1], &heap.rows[child]):
                child += 1
            if not is_less(&heap.rows[child], &top):
                break
            heap.rows[i] = heap.rows[child]
            i = child
        heap.rows[i] = top
        return 0

    def largest(self, int by=0):
        """Return [(db, key, key length, type, encoding, memory, allocated, serialized, elements, largest, expiry), …]."""
        cdef Heap *heap = &self.heaps[by]
        cdef KeySizes *row
        cdef uint32_t i
        found = []
        for i in range(heap.used):
            row = &heap.rows[i].row
            found.append((
                heap.rows[i].value, heap.rows[i].number,
                (row.db, heap.rows[i].key[:heap.rows[i].kept], row.key_length, row.type, row.encoding, row.memory,
                 row.allocated, row.serialized, row.elements, row.largest, row.expire_at_ms),
            ))
        found.sort(key=lambda each: (-each[0], each[1]))
        return [each[2] for each in found]

    # ---- large keys by name, of both sides ----

    cdef Big *find_big(self, const rt_hash128 *hash) noexcept:
        cdef uint32_t slot = <uint32_t>hash.a & (self.big_slots - 1)
        cdef Big *big
        while self.big_table[slot]:
            big = &self.bigs[self.big_table[slot] - 1]
            if big.hash.a == hash.a and big.hash.b == hash.b:
                return big
            slot = (slot + 1) & (self.big_slots - 1)
        return NULL

    cdef Big *make_big(self, const rt_hash128 *hash, const KeySizes *row) except NULL:
        cdef Big *bigs
        cdef Big *big
        cdef uint32_t *table
        cdef uint32_t i, slot
        if self.big_count & (self.big_count - 1) == 0:
            bigs = <Big *>realloc(self.bigs, max(16, self.big_count * 2) * sizeof(Big))
            if bigs == NULL:
                raise MemoryError
            self.bigs = bigs
        if (self.big_count + 1) * 2 > self.big_slots:
            table = <uint32_t *>calloc(self.big_slots * 2, sizeof(uint32_t))
            if table == NULL:
                raise MemoryError
            free(self.big_table)
            self.big_table = table
            self.big_slots *= 2
            for i in range(self.big_count):
                slot = <uint32_t>self.bigs[i].hash.a & (self.big_slots - 1)
                while table[slot]:
                    slot = (slot + 1) & (self.big_slots - 1)
                table[slot] = i + 1
        big = &self.bigs[self.big_count]
        big.hash = hash[0]
        big.memory = big.old_memory = big.elements = big.old_elements = 0
        big.seen = 0
        big.db = row.db
        big.type = row.type
        big.key_length = row.key_length
        big.kept = min(row.key_length, 256)
        big.key = <char *>malloc(big.kept + 1)
        if big.key == NULL:
            raise MemoryError
        memcpy(big.key, row.key, big.kept)
        self.big_count += 1
        slot = <uint32_t>hash.a & (self.big_slots - 1)
        while self.big_table[slot]:
            slot = (slot + 1) & (self.big_slots - 1)
        self.big_table[slot] = self.big_count
        return big

    cdef int follow(self, const KeySizes *row) except -1:
        """Remember a key that is large on one side, and its size on the other."""
        cdef rt_hash128 hash
        cdef Big *big
        # On the first side nothing but large keys matters; on the others every key may be one of those.
        if self.side == NEW_SIDE and row.memory < self.big_bytes:
            return 0
        hash_key(row.db, <Bytes>row.key, row.key_length, &hash)
        big = self.find_big(&hash)
        if big == NULL:
            if row.memory < self.big_bytes or self.side == LOOK_SIDE:
                return 0
            if self.big_count >= BIG_ROOM:
                self.missed += 1
                return 0
            big = self.make_big(&hash, row)
        if self.side == OLD_SIDE:
            big.old_memory = row.memory
            big.old_elements = row.elements
        else:
            big.memory = row.memory
            big.elements = row.elements
            big.type = row.type
        big.seen |= 1 << (NEW_SIDE if self.side == LOOK_SIDE else self.side)
        return 0

    def unseen(self):
        """Return how many keys were large before and are smaller, or gone, now: NEW has to be read once more."""
        cdef uint32_t i
        cdef uint64_t count = 0
        for i in range(self.big_count):
            count += self.bigs[i].seen == 1 << OLD_SIDE
        return count

    def changed(self):
        """Return [(db, key, key length, type, memory, old memory, elements, old elements, sides), …] of large keys."""
        cdef uint32_t i
        cdef Big *big
        found = []
        for i in range(self.big_count):
            big = &self.bigs[i]
            if big.seen != 3 or big.memory != big.old_memory:
                found.append((big.db, big.key[:big.kept], big.key_length, big.type, big.memory, big.old_memory,
                              big.elements, big.old_elements, big.seen))
        return found

    # ---- answers ----

    def end_side(self):
        """End the current side: separators are guessed by then."""
        if pt_end_sample(&self.tree):
            raise MemoryError

    def cells_of(self):
        """Return [(type, encoding, {counts}), …] of those that have keys."""
        cdef int place
        found = []
        for place in range(KINDS_ROOM * ENCODINGS_ROOM):
            if self.cells[place].keys or self.cells[place].old_keys:
                found.append((place // ENCODINGS_ROOM, place % ENCODINGS_ROOM, self.cells[place]))
        return found

    def expiry_counts(self):
        """Return [(keys, memory), …]: never, past, within an hour, a day, a week, 30 days, later."""
        return [(self.expiry[i].keys, self.expiry[i].memory) for i in range(EXPIRY_ROOM)]

    def size_counts(self):
        """Return [(log2, keys, memory), …]: keys of at least 2**log2 bytes and less than twice as many."""
        return [(i, self.sizes[i].keys, self.sizes[i].memory) for i in range(SIZES_ROOM) if self.sizes[i].keys]

    def idle_counts(self):
        """Return [(keys, memory), …]: idle below an hour, a day, a week, 30 days, longer."""
        return [(self.idle[i].keys, self.idle[i].memory) for i in range(1, IDLE_ROOM)]

    def freq_counts(self):
        """Return [(counter, keys, memory), …] of LFU counters."""
        return [(i, self.freqs[i].keys, self.freqs[i].memory) for i in range(256) if self.freqs[i].keys]

    def slot_counts(self):
        """Return [(slot, keys, memory), …], empty unless slots were asked for."""
        if self.slots == NULL:
            return []
        return [(i, self.slots[i].keys, self.slots[i].memory) for i in range(SLOTS) if self.slots[i].keys]

    def db_counts(self):
        """Return [(db, keys, keys with an expiry, memory, allocated), …]; db -1 stands for those beyond 2,048."""
        rows = sorted(
            (self.dbs[i].db, self.dbs[i].keys, self.dbs[i].expires, self.dbs[i].memory, self.dbs[i].allocated)
            for i in range(DBS_ROOM) if self.dbs[i].db != -1
        )
        other = self.other_dbs
        if other.keys:
            rows.append((-1, other.keys, other.expires, other.memory, other.allocated))
        return rows

    def quantile(self, double share, uint64_t most):
        """Return the memory that a share of all keys does not exceed; ``most`` is that of the largest one."""
        return pt_quantile(self.buckets, self.rows, share, most) if self.rows else 0

    def tree_counts(self):
        """Return (nodes, bytes that they take, names that were folded)."""
        return self.tree.live, self.tree.bytes, self.tree.folds

    def branches(self, uint32_t limit=2000):
        """Return the ``limit`` largest nodes of the tree, parents before children: see key_stats.pyi."""
        cdef pt_total *totals = NULL
        cdef uint64_t *counts = NULL
        cdef uint64_t least = 0
        cdef uint32_t i
        self.end_side()
        if not self.is_tidy:
            if pt_tidy(&self.tree):
                raise MemoryError
            self.is_tidy = True
        totals = <pt_total *>calloc(self.tree.used, sizeof(pt_total))
        counts = <uint64_t *>malloc(PT_BUCKETS * sizeof(uint64_t))
        try:
            if totals == NULL or counts == NULL:
                raise MemoryError
            pt_total_branch(&self.tree, 0, totals)
            if self.tree.live > limit:
                sizes = sorted([max(totals[i].memory, totals[i].old_memory) for i in range(self.tree.used)], reverse=True)
                least = sizes[limit]
            found = []
            self.gather(0, -1, 0, b"", totals, counts, least, found)
            return found
        finally:
            free(totals)
            free(counts)

    cdef int gather(self, uint32_t index, int parent, int depth, bytes path, pt_total *totals, uint64_t *counts,
                    uint64_t least, list found) except -1:
        """Add a node and what is below it. As deep as the tree, which is no deeper than 17."""
        cdef pt_node *node = &self.tree.nodes[index]
        cdef pt_total *sum = &totals[index]
        cdef uint32_t c
        cdef int place = len(found)
        memset(counts, 0, PT_BUCKETS * sizeof(uint64_t))
        pt_buckets(&self.tree, index, counts)
        name = node.token[:node.size]
        found.append((
            parent, depth, path + name, name, (node.flags & PT_FOLDED) != 0, (node.flags & PT_IS_LATE) != 0,
            sum.keys, sum.memory, sum.allocated, sum.no_ttl, sum.no_ttl_memory,
            pt_quantile(counts, sum.keys, 0.99, sum.max), sum.max, sum.old_keys, sum.old_memory,
            node.children, sum.folded, node.keys,
        ))
        path = path + name
        children = []
        c = node.child
        while c:
            if max(totals[c].memory, totals[c].old_memory) > least or not least:
                children.append((-<object>totals[c].memory, -<object>totals[c].keys,
                                 self.tree.nodes[c].token[:self.tree.nodes[c].size], c))
            c = self.tree.nodes[c].next
        children.sort()
        for child in children:
            self.gather(child[3], place, depth + 1, path, totals, counts, least, found)
        return 0
