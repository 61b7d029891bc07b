# What keys take in the memory of a server that was started from the file: two numbers a key (format E).
#
# `memory` is what MEMORY USAGE answers, slips of the server included; `allocated` is what malloc gives. The encoding is
# the one that a load makes of the value, whatever it is stored as, so what packed, spread and chained forms would take
# is added up side by side while elements come, and the one that applies is taken when the key ends. Nothing of the value
# is kept, but for the names of consumers and groups of a stream.
#
# What is random in a server (levels of skiplists, buckets) is counted as what is expected, so two runs say the same.

from libc.math cimport NAN, floor
from libc.stdint cimport INT64_MAX, INT64_MIN, int64_t, uint64_t, uint8_t
from libc.stdlib cimport calloc, free, malloc, qsort
from libc.string cimport memcmp, memcpy, memmove, memset
from rdbtool._codec.decode.cursor cimport (
    Bytes, Cursor, FORM_INT, Scratch, grow, load_be64, read_len, release, rt_parse_i64
)
from rdbtool._codec.decode.vectors cimport string_size
from rdbtool._codec.encode.primitives cimport score_text
from rdbtool._codec.filters.selection cimport key_slot
from rdbtool._codec.sink cimport (
    ArrayItem, Consumer, Group, Head, LongString, PACKED_ALONE, PACKED_INTSET, PACKED_LISTPACK, PACKED_ZIPLIST, Pending,
    Sink, StreamTail
)
from rdbtool._codec.sinks.key_sizes cimport (
    ENC_ARRAY, ENC_EMBSTR, ENC_HASHTABLE, ENC_INT, ENC_INTSET, ENC_LISTPACK, ENC_LISTPACK_EX, ENC_MODULE,
    ENC_QUICKLIST, ENC_RAW, ENC_SKIPLIST, ENC_STREAM, ENC_ZIPLIST, KeyObserver, SIZES_AT_LEAST
)

from rdbtool._codec.room import RoomFullError
from rdbtool.core.memory_models import (
    ALLOCATORS, HASH_PACKED, INTSET_ENTRIES, LIST_NODE, SET_PACKED, STREAM_NODE, ZSET_PACKED
)

include "../_types.pxi"

cdef extern from "memory_sizes.h" nogil:
    enum: MS_SMALL
    void ms_heap_init(ms_heap *heap, int kind)
    uint64_t ms_block(const ms_heap *heap, uint64_t n)
    uint64_t ms_sds(uint64_t n)
    uint64_t ms_field(uint64_t n)
    uint64_t ms_buckets(uint64_t n)
    uint64_t ms_grown(uint64_t first, uint64_t n)
    double ms_filled(double n, double buckets)
    double ms_hashtable(uint64_t n)
    void ms_rax_begin(ms_rax *t, const ms_heap *heap)
    void ms_rax_free(ms_rax *t)
    int ms_rax_add(ms_rax *t, const uint8_t *p, size_t size)
    void ms_rax_end(ms_rax *t)
    uint64_t ms_rax_bytes(const ms_rax *t)
    uint64_t ms_rax_guess(const ms_rax *t)

cdef enum:
    APART = 0
    IN_ENTRY = 1
    IN_OBJECT = 2
    TREE = 0
    LINKS = 1
    TABLES = 2

    OBJECT = 16                     # the struct of a value
    EMBEDDED = 44                   # bytes of a string that is stored with its object
    LISTPACK_FRAME = 7              # header and end
    ZIPLIST_FRAME = 11
    INTSET_HEAD = 8
    NODE_OVERHEAD = 8               # what servers allow for besides an element's bytes when they fill a node
    NODE_HEAD = 24                  # of a skiplist: object, score, backward pointer
    NODE_LEVEL = 16
    MEMBER_HEAD = 16                # position of the member in the node
    BUCKET = 64                     # of Valkey's hashtable
    ENTRY_MOST = 128                # of a hash in Valkey 8.1 and newer: field and value in one block
    SLOTS = 16384
    NAMES_KEPT = 1 << 22            # bytes of keys that are looked at for the tree of slots
    VECTOR_SAMPLE = 20              # elements that MEMORY USAGE looks at

cdef uint64_t HASH_ENTRIES = HASH_PACKED[0]
cdef uint64_t HASH_VALUE = HASH_PACKED[1]
cdef uint64_t ZSET_ENTRIES = ZSET_PACKED[0]
cdef uint64_t ZSET_VALUE = ZSET_PACKED[1]
cdef uint64_t SET_ENTRIES = SET_PACKED[0]
cdef uint64_t SET_VALUE = SET_PACKED[1]
cdef uint64_t INTS = INTSET_ENTRIES
cdef uint64_t NODE_BYTES = LIST_NODE
cdef uint64_t STREAM_BYTES = STREAM_NODE[0]
cdef uint64_t STREAM_ENTRIES = STREAM_NODE[1]

cdef list KEY_PLACES = ["apart", "entry", "object"]
cdef list SLOT_WAYS = ["tree", "links", "tables"]


cdef inline void store_be64(uint64_t v, uint8_t *out) noexcept:
    cdef int i
    for i in range(8):
        out[i] = <uint8_t>(v >> (56 - 8 * i))


cdef inline void stream_key(uint64_t ms, uint64_t seq, uint8_t *out) noexcept:
    store_be64(ms, out)
    store_be64(seq, out + 8)


cdef inline uint64_t backlen(uint64_t size) noexcept:
    return 1 if size <= 127 else 2 if size < 16383 else 3 if size < 2097151 else 4 if size < 268435455 else 5


cdef inline uint64_t listpack_text(uint64_t size) noexcept:
    size += 1 if size < 64 else 2 if size < 4096 else 5
    return size + backlen(size)


cdef inline uint64_t listpack_number(int64_t number) noexcept:
    if 0 <= number <= 127:
        return 2
    if -4096 <= number <= 4095:
        return 3
    if -32768 <= number <= 32767:
        return 4
    if -8388608 <= number <= 8388607:
        return 5
    if -2147483648 <= number <= 2147483647:
        return 6
    return 10


cdef inline uint64_t ziplist_number(int64_t number) noexcept:
    if 0 <= number <= 12:
        return 1
    if -128 <= number <= 127:
        return 2
    if -32768 <= number <= 32767:
        return 3
    if -8388608 <= number <= 8388607:
        return 4
    if -2147483648 <= number <= 2147483647:
        return 5
    return 9


cdef inline uint64_t entry_of(Bytes p, uint64_t size) noexcept:
    """An entry of a listpack."""
    cdef int64_t number
    if 0 < size <= 20 and (p[0] <= c"9") and rt_parse_i64(p, size, &number):
        return listpack_number(number)
    return listpack_text(size)


cdef int compare_names(const void *left, const void *right) noexcept nogil:
    cdef Name *a = <Name *>left
    cdef Name *b = <Name *>right
    cdef int order = memcmp(a.p, b.p, min(a.size, b.size))
    if order:
        return order
    return -1 if a.size < b.size else a.size > b.size


cdef int compare_ids(const void *left, const void *right) noexcept nogil:
    return memcmp(left, right, 16)


cdef class MemorySink(Sink):
    """Reports ``observer`` of each key what it takes in the memory of the server that ``model`` describes."""

    def __cinit__(self):
        memset(&self.ids, 0, sizeof(ms_rax))
        memset(&self.pending_ids, 0, sizeof(ms_rax))

    def __init__(self, model, KeyObserver observer not None, str allocator="jemalloc", bint cluster=False):
        cdef int place
        fields = model._asdict()
        fields["keys"] = KEY_PLACES.index(model.keys)
        fields["slots"] = SLOT_WAYS.index(model.slots)
        fields["rdb_level"] = min(model.rules.rdb_version, 11)
        del fields["rules"]
        self.server = fields
        self.observer = observer
        self.cluster = cluster
        self.takes_pieces = self.divides = self.fills_room = True
        self.dbs = {}
        self.db = 0
        self.heap = <ms_heap *>malloc(sizeof(ms_heap))
        self.members = <double *>malloc((MS_SMALL + 1) * sizeof(double))
        if self.heap == NULL or self.members == NULL:
            raise MemoryError
        ms_heap_init(self.heap, ALLOCATORS.index(allocator))
        for place in range(MS_SMALL + 1):
            self.members[place] = NAN
        self.node = 0
        cdef double chance = 0.75
        for place in range(1, 33):
            self.node += chance * self.block(NODE_HEAD + NODE_LEVEL * place)
            chance /= 4
        if cluster:
            self.slots = <uint64_t *>calloc(2 * SLOTS, sizeof(uint64_t))
            if self.slots == NULL:
                raise MemoryError
            self.slot_step = 1

    def __dealloc__(self):
        self.forget_trees()
        ms_rax_free(&self.ids)
        ms_rax_free(&self.pending_ids)
        release(&self.name)
        release(&self.names)
        release(&self.group_rows)
        release(&self.consumer_names)
        release(&self.consumer_rows)
        release(&self.consumer_trees)
        release(&self.index_ids)
        release(&self.slot_names)
        free(self.slots)
        free(self.heap)
        free(self.members)

    def totals(self):
        """Return what all keys so far take together, in bytes; ``used_memory`` is the growth over an empty server.

        ``tables`` are the tables that lead to keys and to their expiries, which no key counts.
        """
        cdef double tables
        self.leave_db()
        tables = self.tables
        if not self.cluster or self.server.slots != TABLES:
            for keys, expires in self.dbs.values():
                tables += self.db_tables(keys) + self.db_tables(expires)
                if self.server.keys != IN_OBJECT:
                    tables += <double>expires * self.block(self.server.entry)
        return {
            "keys": self.keys,
            "memory": self.memory,
            "allocated": self.allocated,
            "tables": round(tables),
            "used_memory": self.allocated + round(tables),
            "serialized": self.serialized,
        }

    # ---- ranges --------------------------------------------------------------------------------

    def begin_range(self, room, db):
        """Leave rows in ``room`` instead of passing them to observers."""
        self.room = room
        self.room.used = 0

    def end_range(self):
        """Everything is in the room."""

    def add_range(self, result, room):
        """Count the keys of a range, and pass them to observers."""
        cdef Room left = room
        cdef size_t at = 0
        cdef KeySizes *row = &self.row
        while at < left.used:
            memcpy(row, left.data + at, sizeof(KeySizes))
            grow(&self.name, row.key_length + 1)
            memcpy(self.name.data, left.data + at + sizeof(KeySizes) + 1, row.key_length)
            self.has_expire = left.data[at + sizeof(KeySizes)]
            row.key = <const char *>self.name.data
            at += sizeof(KeySizes) + 1 + row.key_length
            if row.db != self.db:
                self.leave_db()
                self.db = row.db
            self.commit()
        return True

    cdef int leave_row(self) except -1:
        """Leave the row of the current key in the room: its sizes, whether it expires, its name."""
        cdef size_t size = sizeof(KeySizes) + 1 + self.row.key_length
        cdef char *at = self.room.data + self.room.used
        if self.room.used + size > self.room.size:
            raise RoomFullError
        memcpy(at, &self.row, sizeof(KeySizes))
        at[sizeof(KeySizes)] = self.has_expire
        memcpy(at + sizeof(KeySizes) + 1, self.name.data, self.row.key_length)
        self.room.used += size
        return 0

    # ---- pieces --------------------------------------------------------------------------------

    cdef inline uint64_t block(self, uint64_t n) noexcept:
        return ms_block(self.heap, n)

    cdef inline uint64_t text_used(self, uint64_t n) noexcept:
        """A string of its own, as MEMORY USAGE counts it."""
        return self.block(ms_sds(n)) if self.server.counts_rounded else ms_sds(n)

    cdef uint64_t key_used(self, bint expires) noexcept:
        """The key, its entry, and the struct of its value, as MEMORY USAGE counts them."""
        cdef uint64_t k = <uint64_t>self.row.key_length
        if not self.server.counts_key:
            return OBJECT
        if self.server.keys == APART:
            if self.server.counts_short_key and k <= EMBEDDED:
                return self.server.entry + k + 4 + OBJECT
            return self.server.entry + self.text_used(k) + OBJECT
        if self.server.keys == IN_ENTRY:
            return self.block(OBJECT + 1 + ms_sds(k)) + OBJECT
        return self.key_given(expires)

    cdef uint64_t key_given(self, bint expires) noexcept:
        cdef uint64_t k = <uint64_t>self.row.key_length
        cdef uint64_t entry = self.server.entry
        if self.server.keys == IN_OBJECT:
            return self.block(OBJECT + (8 if expires or k >= 128 else 0) + 1 + ms_sds(k))
        if self.server.keys == IN_ENTRY:
            return self.block(OBJECT + 1 + ms_sds(k)) + self.block(OBJECT)
        if self.cluster and self.server.slots == LINKS:
            entry += 16
        return self.block(entry) + self.block(ms_sds(k)) + self.block(OBJECT)

    cdef double table(self, uint64_t n, uint64_t head, bint rounded) noexcept:
        """Valkey's hashtable with its struct."""
        cdef double buckets = ms_hashtable(n)
        cdef double first = 0
        if not rounded:
            return head + BUCKET * buckets
        if n:
            first = 1
            while first * 2 <= buckets:
                first *= 2
        return self.block(head) + self.block(<uint64_t>(BUCKET * first)) + self.block(BUCKET) * (buckets - first)

    cdef double member_node(self, uint64_t size) noexcept:
        """A node of a skiplist with the member in it, over all levels that it may get."""
        cdef double sum = 0, chance = 0.75
        cdef int level
        if size <= MS_SMALL and self.members[size] == self.members[size]:
            return self.members[size]
        for level in range(1, 33):
            sum += chance * self.block(MEMBER_HEAD + NODE_LEVEL * level + 1 + ms_sds(size))
            chance /= 4
        if size <= MS_SMALL:
            self.members[size] = sum
        return sum

    cdef inline int pack(self, Bytes p, uint64_t size) noexcept:
        """An element of the current blob."""
        cdef int64_t number
        if 0 < size <= 20 and p[0] <= c"9" and rt_parse_i64(p, size, &number):
            return self.pack_number(number)
        if self.server.listpacks:
            self.blob += listpack_text(size)
            return 0
        size += (1 if size < 64 else 2 if size < 16384 else 5) + (1 if self.previous < 254 else 5)
        self.blob += size
        self.previous = size
        return 0

    cdef inline int pack_number(self, int64_t number) noexcept:
        cdef uint64_t size
        if self.server.listpacks:
            self.blob += listpack_number(number)
            return 0
        size = ziplist_number(number) + (1 if self.previous < 254 else 5)
        # The byte of the encoding; small numbers are part of it.
        self.blob += size
        self.previous = size
        return 0

    cdef int pack_score(self, double score) except -1:
        cdef char text[40]
        cdef int64_t number
        if -1e15 < score < 1e15:
            number = <int64_t>score
            if <double>number == score and (number or not 1 / score < 0):
                return self.pack_number(number)
        return self.pack(<Bytes>text, score_text(score, text, self.server.rdb_level))

    cdef uint64_t packed_size(self) noexcept:
        """Bytes of the current blob."""
        if not self.packs:
            return self.blob
        return self.blob + (LISTPACK_FRAME if self.server.listpacks else ZIPLIST_FRAME)

    # ---- one key -------------------------------------------------------------------------------

    cdef int begin_key(self, Head *head) except -1:
        cdef KeySizes *row = &self.row
        if head.db != self.db:
            self.leave_db()
            self.db = head.db
        grow(&self.name, head.key_size + 1)
        memcpy(self.name.data, head.key, head.key_size)
        row.db = <int>head.db
        row.key = <const char *>self.name.data
        row.key_length = <Py_ssize_t>head.key_size
        row.type = head.kind
        row.encoding = ENC_RAW
        row.memory = row.allocated = row.serialized = row.elements = row.largest = 0
        row.expire_at_ms = head.expire_at_ms if head.has_expire else -1
        row.idle_s = head.idle_s
        row.freq = head.freq
        row.flags = 0
        row.serialized = <uint64_t>head.start
        self.has_expire = head.has_expire
        self.type_code = head.type_code
        self.packing = -1
        self.packs = True
        self.only_ints = True
        self.width = 2
        self.blob = self.previous = self.count = self.longest = self.first_long = self.octets = self.blocks = 0
        self.nodes = 0
        self.expiring = self.expiry_octets = 0
        self.first_expiry = INT64_MAX
        self.last_expiry = INT64_MIN
        if head.kind == KIND_LIST:
            self.list_nodes = self.list_used = self.list_given = self.list_blob = 0
            self.list_alone = self.node_open = self.node_reported = False
        elif head.kind == KIND_STREAM:
            self.node_open = self.node_reported = False
            self.listpacks_used = self.listpacks_given = self.stream_used = self.stream_given = 0
            self.names_size = self.groups = self.indexed = 0
            ms_rax_begin(&self.ids, self.heap)
        return 0

    cdef int begin_packed(self, int packing, size_t size, uint64_t ms, uint64_t seq) except -1:
        cdef uint8_t id[16]
        self.packing = packing
        if self.row.type == KIND_STREAM:
            self.node_reported = True
            stream_key(ms, seq, id)
            if ms_rax_add(&self.ids, id, 16) < 0:
                raise MemoryError
            self.listpacks_used += self.block(size) if self.server.counts_stream_rounded else size
            self.listpacks_given += self.block(size)
            return 0
        if self.row.type == KIND_LIST:
            self.close_node()
            self.node_open = self.node_reported = True
            self.list_alone = packing == PACKED_ALONE and self.server.listpacks
        # A blob that the server keeps as it is has the size that it has.
        self.packs = packing != (PACKED_LISTPACK if self.server.listpacks else PACKED_ZIPLIST)
        if self.row.type == KIND_HASH and (self.type_code == TYPE_HASH_LISTPACK_EX or self.type_code == TYPE_HASH_LISTPACK_EX_PRE_GA):
            self.packs = not self.server.listpack_of_expiring
        elif self.row.type == KIND_HASH and self.type_code >= TYPE_HASH_TEMPLATE_LISTPACK:
            self.packs = True
        elif self.row.type == KIND_SET and packing == PACKED_LISTPACK:
            self.packs = not self.server.packs_sets
        elif packing == PACKED_INTSET or self.list_alone and self.row.type == KIND_LIST:
            self.packs = False
        if not self.packs:
            self.blob = size
        return 0

    # ---- strings

    cdef int string(self, Bytes p, size_t size) except -1:
        return self.string_of(p, size, False)

    cdef int begin_string(self, LongString *text) except -1:
        return self.string_of(NULL, text.size, True)

    cdef int string_of(self, Bytes p, uint64_t size, bint is_long) except -1:
        cdef KeySizes *row = &self.row
        cdef Server *server = &self.server
        cdef uint64_t k = <uint64_t>row.key_length
        cdef uint64_t used = self.key_used(self.has_expire)
        cdef uint64_t given = self.key_given(self.has_expire)
        cdef uint64_t whole, head
        cdef int64_t number
        row.elements = 1
        row.largest = size
        if not is_long and 0 < size <= 20 and p[0] <= c"9" and rt_parse_i64(p, size, &number):
            row.encoding = ENC_INT
            if 0 <= number < server.shared_integers:
                given -= self.block(OBJECT)
        elif server.keys != IN_OBJECT and size <= EMBEDDED:
            row.encoding = ENC_EMBSTR
            if server.counts_packed_rounded:
                used += self.block(OBJECT + 3 + size + 1) - OBJECT
            else:
                used += size + 2
            given += self.block(OBJECT + 3 + size + 1) - self.block(OBJECT)
        else:
            row.encoding = ENC_RAW
            if server.keys == IN_OBJECT:
                head = server.embedded_header + 1 + ms_sds(k)
                if self.embeds(k, size):
                    row.encoding = ENC_EMBSTR
                    whole = head + max(server.embedded_least_value, 3 + size + 1) + (8 if self.has_expire else 0)
                    used = given = self.block(whole)
            if row.encoding == ENC_RAW:
                used += self.text_used(size)
                given += self.block(ms_sds(size))
        row.memory = used
        row.allocated = given
        return 0

    cdef bint embeds(self, uint64_t k, uint64_t size) noexcept:
        """Whether key and string share a block with the object."""
        cdef Server *server = &self.server
        cdef uint64_t value = 3 + size + 1
        cdef uint64_t most = server.embedded_header + 1 + (k + 2 if server.guesses_short_keys else ms_sds(k)) + value
        cdef uint64_t whole = server.embedded_header + 1 + ms_sds(k) + max(server.embedded_least_value, value)
        if size > 255 or most > server.embedded_most:
            return False
        if not self.has_expire or most + 8 <= server.embedded_most:
            return True
        # The expiry comes after the value; it may fit into the rest of the block.
        return server.expires_later and whole + 8 <= self.block(whole)

    # ---- collections

    cdef int element(self, Bytes p, size_t size) except -1:
        cdef int64_t number
        if size > self.longest:
            self.longest = size
        self.count += 1
        if self.row.type == KIND_LIST:
            return self.list_element(p, size)
        self.octets += ms_sds(size)
        self.blocks += self.block(ms_sds(size))
        if self.packing == PACKED_INTSET:
            return 0
        if not self.packs or self.count > INTS:
            return 0
        if self.only_ints:
            if 0 < size <= 20 and p[0] <= c"9" and rt_parse_i64(p, size, &number):
                if not -2147483648 <= number <= 2147483647:
                    self.width = 8
                elif not -32768 <= number <= 32767 and self.width < 4:
                    self.width = 4
            else:
                self.only_ints = False
        if self.packs:
            self.pack(p, size)
        return 0

    cdef int list_element(self, Bytes p, uint64_t size) except -1:
        if not self.node_reported:
            if self.node_open:
                # How servers guess whether an element still fits.
                if self.list_alone or self.packed_size() + size + NODE_OVERHEAD > NODE_BYTES and self.node_count:
                    self.close_node()
            if not self.node_open:
                self.node_open = True
                self.list_alone = self.server.packs_lists and size > NODE_BYTES
                self.packs = not self.list_alone
                if self.list_alone:
                    self.blob = size
        self.node_count += 1
        if self.packs:
            self.pack(p, size)
        return 0

    cdef int close_node(self) except -1:
        """The node of a list is complete."""
        cdef uint64_t size
        if self.node_open and self.node_count:
            size = self.packed_size()
            self.list_nodes += 1
            self.list_blob = size
            self.list_used += self.server.quicklist_node + (self.block(size) if self.server.counts_packed_rounded else size)
            self.list_given += self.block(self.server.quicklist_node) + self.block(size)
        self.node_open = False
        self.node_count = self.blob = self.previous = 0
        return 0

    cdef int end_list(self, Pair *sizes) except -1:
        cdef bint alone = self.list_alone
        self.close_node()
        if self.server.packs_lists and self.list_nodes == 1 and not alone and self.list_blob <= NODE_BYTES:
            self.row.encoding = ENC_LISTPACK
            sizes.used = sizes.given = self.block(self.list_blob)
            return 0
        self.row.encoding = ENC_QUICKLIST
        sizes.used = 40 + self.list_used
        sizes.given = self.block(40) + self.list_given
        return 0

    cdef int end_set(self, Pair *sizes) except -1:
        cdef uint64_t n = self.count, size
        cdef double entries
        if (self.packing == PACKED_INTSET or self.packs and self.only_ints) and n <= INTS:
            self.row.encoding = ENC_INTSET
            size = self.blob if self.packing == PACKED_INTSET else INTSET_HEAD + n * self.width
            sizes.used = self.block(size) if self.server.counts_packed_rounded else size
            sizes.given = self.block(size)
            return 0
        if (self.server.packs_sets and self.packing != PACKED_INTSET and n <= SET_ENTRIES
                and self.longest <= SET_VALUE):
            self.row.encoding = ENC_LISTPACK
            sizes.used = sizes.given = self.block(self.packed_size())
            return 0
        self.row.encoding = ENC_HASHTABLE
        if self.server.hashtable_head:
            sizes.used = self.table(n, self.server.hashtable_head, False) + self.blocks
            sizes.given = self.table(n, self.server.hashtable_head, True) + self.blocks
            return 0
        size = ms_buckets(n)
        entries = n - ms_filled(n, size) if self.server.bare_sets else <double>n
        sizes.used = self.server.dict_head + 8 * size + (self.blocks if self.server.counts_rounded else self.octets)
        sizes.used += 16 * entries if self.server.keys == IN_ENTRY else <double>(24 * n)
        sizes.given = (
            self.block(self.server.dict_head) + self.block(8 * size) + self.blocks
            + entries * self.block(16 if self.server.bare_sets else self.server.entry)
        )
        return 0

    cdef int pair(self, Bytes field, size_t field_size, Bytes value, size_t value_size, int64_t expire_at_ms) except -1:
        cdef uint64_t name, whole
        cdef size_t longest = max(field_size, value_size)
        cdef bint expires = expire_at_ms >= 0 and self.server.has_field_expiry
        if longest > self.longest:
            if longest > HASH_VALUE and self.longest <= HASH_VALUE:
                self.first_long = self.count
            self.longest = longest
        self.count += 1
        if expires:
            self.expiring += 1
            if expire_at_ms < self.first_expiry:
                self.first_expiry = expire_at_ms
            if expire_at_ms > self.last_expiry:
                self.last_expiry = expire_at_ms
        if self.server.hashtable_head:
            # Field and value in one block, or the field with a pointer to the value.
            name = field_size + 4 if expires and field_size < 32 else ms_sds(field_size)
            whole = (8 if expires else 0) + name + 4 + value_size
            if whole <= ENTRY_MOST:
                self.blocks += self.block(whole)
            else:
                self.blocks += self.block((8 if expires else 0) + 8 + 3 + field_size + 1) + self.block(ms_sds(value_size))
        elif self.server.has_field_names:
            self.blocks += self.block((18 if expires else 0) + ms_field(field_size)) + self.block(ms_sds(value_size))
        else:
            self.octets += ms_sds(field_size) + ms_sds(value_size)
            self.blocks += self.block(ms_sds(field_size)) + self.block(ms_sds(value_size))
        if self.packs and self.count <= HASH_ENTRIES:
            self.pack(field, field_size)
            self.pack(value, value_size)
            self.expiry_octets += listpack_number(expire_at_ms if expires else 0)
        return 0

    cdef int end_hash(self, Pair *sizes) except -1:
        cdef Server *server = &self.server
        cdef uint64_t n = self.count, size, first, left
        cdef bint grows
        # A hash of the types that say expiries stays one that can have some.
        cdef bint expiring = self.expiring > 0
        if server.listpack_of_expiring and (
            self.type_code == TYPE_HASH_LISTPACK_EX or self.type_code == TYPE_HASH_LISTPACK_EX_PRE_GA
            or self.type_code == TYPE_HASH_METADATA
        ):
            expiring = True
        if n <= HASH_ENTRIES and self.longest <= HASH_VALUE and (not expiring or server.listpack_of_expiring):
            size = self.packed_size()
            if expiring:
                if self.packs:
                    size += self.expiry_octets
                self.row.encoding = ENC_LISTPACK_EX
                sizes.used = server.listpack_of_expiring + self.block(size)
                sizes.given = self.block(server.listpack_of_expiring) + self.block(size)
                return 0
            self.row.encoding = ENC_LISTPACK if server.listpacks else ENC_ZIPLIST
            sizes.used = self.block(size) if server.counts_packed_rounded else size
            sizes.given = self.block(size)
            return 0
        self.row.encoding = ENC_HASHTABLE
        if server.hashtable_head:
            size = server.hashtable_head + server.hashtable_of_hash
            left = 0
            if server.has_field_expiry and self.expiring > 1:
                # A vector of the fields that expire, or a tree of moments.
                if self.expiring <= 127:
                    left = self.block(8 + 8 * self.expiring)
                else:
                    left = self.expiring * (8 if self.last_expiry - self.first_expiry < 8192 else 43)
            sizes.used = self.table(n, size, False) + self.blocks + left
            sizes.given = self.table(n, size, True) + self.blocks + left
            if self.expiring == 2:
                sizes.used += 24. - left        # the only vector that has no room to grow
            return 0
        if server.fills_one_by_one:
            size = ms_grown(4, n)
        elif n > HASH_ENTRIES:
            size = ms_grown(4, n) if expiring and server.fills_expiring_one_by_one else ms_buckets(n)
        else:
            # It was packed until a long string came, and is expanded to what was left then.
            left = n - self.first_long - 1
            # What was packed makes the first table, at once or one by one, and the long string comes into it. A table
            # that begins to grow at that is not expanded.
            first = ms_buckets(self.first_long) if server.listpacks else ms_buckets(self.first_long + 1)
            if server.listpacks:
                grows = self.first_long >= first
            else:
                grows = ms_grown(4, self.first_long + 1) > first
            size = ms_grown(4, n) if grows else ms_grown(max(first, ms_buckets(left)), n)
        sizes.used = server.dict_head + 8 * size + 24 * n + (self.blocks if server.counts_rounded else self.octets)
        sizes.given = self.block(server.dict_head) + self.block(8 * size) + self.block(24) * n + self.blocks
        if expiring:
            sizes.given += self.block(48) + (7 * self.expiring if self.expiring > 16 else 0)
        return 0

    cdef int score(self, Bytes member, size_t member_size, double score) except -1:
        if member_size > self.longest:
            self.longest = member_size
        self.count += 1
        if self.server.embeds_members:
            self.nodes += self.member_node(member_size)
        else:
            self.octets += ms_sds(member_size)
            self.blocks += self.block(ms_sds(member_size))
        if self.packs and self.count <= ZSET_ENTRIES and self.longest <= ZSET_VALUE:
            self.pack(member, member_size)
            self.pack_score(score)
        return 0

    cdef int end_zset(self, Pair *sizes) except -1:
        cdef Server *server = &self.server
        cdef uint64_t n = self.count, size, head
        cdef double nodes
        if n <= ZSET_ENTRIES and self.longest <= ZSET_VALUE:
            size = self.packed_size()
            self.row.encoding = ENC_LISTPACK if server.listpacks else ENC_ZIPLIST
            sizes.used = self.block(size) if server.counts_packed_rounded else size
            sizes.given = self.block(size)
            return 0
        self.row.encoding = ENC_SKIPLIST
        head = 24 + 16 * server.skiplist_levels
        nodes = self.nodes + self.blocks if server.embeds_members else self.node * n + self.blocks
        if server.embeds_members:
            # The head is a part of the struct.
            sizes.used = 16 + (head + 8) + self.table(n, server.hashtable_head, False) + nodes
            sizes.given = self.block(16) + self.block(head + 8) + self.table(n, server.hashtable_head, True) + nodes
            return 0
        if server.hashtable_head:
            sizes.used = 16 + 32 + self.block(head) + self.table(n, server.hashtable_head, False) + nodes
            sizes.given = (
                self.block(16) + self.block(32) + self.block(head) + self.table(n, server.hashtable_head, True) + nodes
            )
            return 0
        size = ms_grown(4, n) if server.fills_one_by_one else ms_buckets(n)
        sizes.used = 16 + 8 * size + server.counted_zset_entry * n + self.node * n
        sizes.used += self.blocks if server.counts_rounded else self.octets
        if server.counts_skiplist_head:
            sizes.used += server.skiplist_head + self.block(head) + server.dict_head
        sizes.given = (
            self.block(16) + self.block(server.skiplist_head) + self.block(head) + self.block(server.dict_head)
            + self.block(8 * size) + self.block(24) * n + nodes
        )
        return 0

    # ---- streams

    cdef int entry(self, uint64_t ms, uint64_t seq, uint64_t fields) except -1:
        self.count += 1
        self.entry_size = self.entry_names = self.entry_values = 0
        self.entry_fields = fields
        self.entry_hash = 14695981039346656037u ^ fields
        self.entry_ms = ms
        self.entry_seq = seq
        return 0

    cdef int entry_field(self, Bytes field, size_t field_size, Bytes value, size_t value_size) except -1:
        cdef size_t i
        self.entry_size += field_size + value_size
        if not self.node_reported:
            self.entry_names += entry_of(field, field_size)
            self.entry_values += entry_of(value, value_size)
            for i in range(field_size):
                self.entry_hash = (self.entry_hash ^ field[i]) * 1099511628211u
            self.entry_hash = (self.entry_hash ^ 256) * 1099511628211u
        return 0

    cdef int end_entry(self) except -1:
        if self.entry_size > self.longest:
            self.longest = self.entry_size
        if not self.node_reported:
            return self.own_node()
        return 0

    cdef int own_node(self) except -1:
        """Place an entry where a server would that receives one after the other."""
        cdef bint same
        if self.node_open and (self.blob + LISTPACK_FRAME >= STREAM_BYTES or self.node_count >= STREAM_ENTRIES):
            self.close_stream_node()
        if not self.node_open:
            self.node_open = True
            self.node_count = 0
            self.node_hash = self.entry_hash
            self.node_ms = self.entry_ms
            self.node_seq = self.entry_seq
            # Count, deleted entries, number of fields, the fields, end.
            self.blob = 2 + listpack_number(<int64_t>self.entry_fields) + self.entry_names + 2
        same = self.entry_hash == self.node_hash
        self.node_count += 1
        self.blob += (
            2 + listpack_number(<int64_t>(self.entry_ms - self.node_ms))
            + listpack_number(<int64_t>(self.entry_seq - self.node_seq)) + self.entry_values
        )
        if same:
            self.blob += listpack_number(<int64_t>self.entry_fields + 3)
        else:
            self.blob += (
                listpack_number(<int64_t>self.entry_fields) + self.entry_names
                + listpack_number(<int64_t>(2 * self.entry_fields + 4))
            )
        return 0

    cdef int close_stream_node(self) except -1:
        cdef uint8_t id[16]
        cdef uint64_t size = self.blob + listpack_number(<int64_t>self.node_count) + LISTPACK_FRAME
        if self.node_open:
            stream_key(self.node_ms, self.node_seq, id)
            if ms_rax_add(&self.ids, id, 16) < 0:
                raise MemoryError
            self.listpacks_used += self.block(size) if self.server.counts_stream_rounded else size
            self.listpacks_given += self.block(size)
        self.node_open = False
        return 0

    cdef int stream_tail(self, StreamTail *tail) except -1:
        return self.close_stream_node()

    cdef int begin_group(self, Group *group) except -1:
        cdef Name *row
        grow(&self.names, self.names_size + group.name_size + 1)
        memcpy(self.names.data + self.names_size, group.name, group.name_size)
        grow(&self.group_rows, (self.groups + 1) * sizeof(Name))
        row = <Name *>self.group_rows.data + self.groups
        row.at = self.names_size
        row.size = group.name_size
        self.names_size += group.name_size
        self.groups += 1
        self.consumers = self.consumer_names_size = 0
        self.consumers_sorted = False
        ms_rax_begin(&self.pending_ids, self.heap)
        self.stream_used += self.server.group
        self.stream_given += self.block(self.server.group)
        return 0

    cdef int consumer(self, Consumer *consumer) except -1:
        cdef Name *row
        if self.consumers_sorted:
            return 0                # they all come before the pending entries
        grow(&self.consumer_names, self.consumer_names_size + consumer.name_size + 1)
        memcpy(self.consumer_names.data + self.consumer_names_size, consumer.name, consumer.name_size)
        grow(&self.consumer_rows, (self.consumers + 1) * sizeof(Name))
        row = <Name *>self.consumer_rows.data + self.consumers
        row.at = self.consumer_names_size
        row.size = consumer.name_size
        row.number = self.consumers
        self.consumer_names_size += consumer.name_size
        self.consumers += 1
        return 0

    cdef int sort_consumers(self) except -1:
        cdef Name *rows
        cdef ms_rax *trees
        cdef size_t i
        if self.consumers_sorted:
            return 0
        grow(&self.consumer_trees, (self.consumers + 1) * sizeof(ms_rax))
        trees = <ms_rax *>self.consumer_trees.data
        memset(trees, 0, (self.consumers + 1) * sizeof(ms_rax))
        # Here on they have to be given back.
        self.consumers_sorted = True
        if self.consumers == 0:
            return 0
        rows = <Name *>self.consumer_rows.data
        for i in range(self.consumers):
            rows[i].p = self.consumer_names.data + rows[i].at
            ms_rax_begin(&trees[i], self.heap)
        qsort(rows, self.consumers, sizeof(Name), compare_names)
        return 0

    cdef int forget_trees(self) noexcept:
        cdef ms_rax *trees = <ms_rax *>self.consumer_trees.data
        cdef size_t i
        if self.consumers_sorted:
            for i in range(self.consumers):
                ms_rax_free(&trees[i])
        self.consumers_sorted = False
        return 0

    cdef int pending(self, Pending *pending) except -1:
        cdef Name *rows
        cdef Name wanted
        cdef uint8_t id[16]
        cdef size_t low = 0, high, middle
        cdef int order
        self.sort_consumers()
        stream_key(pending.ms, pending.seq, id)
        if ms_rax_add(&self.pending_ids, id, 16) < 0:
            raise MemoryError
        if self.server.indexes_pending:
            grow(&self.index_ids, (self.indexed + 1) * 16)
            memcpy(self.index_ids.data + self.indexed * 16, id, 16)
            self.indexed += 1
        if not pending.owned:
            return 0
        rows = <Name *>self.consumer_rows.data
        wanted.p = pending.consumer
        wanted.size = pending.consumer_size
        high = self.consumers
        while low < high:
            middle = (low + high) // 2
            order = compare_names(&rows[middle], &wanted)
            if order == 0:
                if ms_rax_add(<ms_rax *>self.consumer_trees.data + middle, id, 16) < 0:
                    raise MemoryError
                return 0
            if order < 0:
                low = middle + 1
            else:
                high = middle
        return 0

    cdef int end_group(self) except -1:
        cdef Name *rows
        cdef ms_rax *tree
        cdef size_t i
        cdef uint64_t pending
        self.sort_consumers()
        ms_rax_end(&self.pending_ids)
        pending = self.pending_ids.keys
        self.stream_used += self.tree_used(&self.pending_ids) + self.server.pending * pending
        self.stream_given += ms_rax_bytes(&self.pending_ids) + self.block(self.server.pending) * pending
        if self.server.indexes_pending:
            self.stream_given += (self.block(48) + self.block(24)) * pending
        rows = <Name *>self.consumer_rows.data
        ms_rax_begin(&self.pending_ids, self.heap)
        for i in range(self.consumers):
            tree = <ms_rax *>self.consumer_trees.data + i
            ms_rax_end(tree)
            self.stream_used += self.server.consumer + rows[i].size + self.tree_used(tree)
            self.stream_given += self.block(self.server.consumer) + self.block(ms_sds(rows[i].size)) + ms_rax_bytes(tree)
            if ms_rax_add(&self.pending_ids, rows[i].p, rows[i].size) < 0:
                raise MemoryError
        # The names of the consumers.
        ms_rax_end(&self.pending_ids)
        self.stream_given += ms_rax_bytes(&self.pending_ids)
        self.forget_trees()
        return 0

    cdef uint64_t tree_used(self, ms_rax *tree) noexcept:
        return ms_rax_bytes(tree) if self.server.counts_blocks else ms_rax_guess(tree)

    cdef int end_stream(self, Pair *sizes) except -1:
        cdef Name *rows = <Name *>self.group_rows.data
        cdef size_t i
        ms_rax_end(&self.ids)
        self.row.encoding = ENC_STREAM
        sizes.used = self.listpacks_used + self.stream_used + self.tree_used(&self.ids)
        if self.server.counts_stream_head:
            sizes.used += self.server.stream
        sizes.given = self.block(self.server.stream) + ms_rax_bytes(&self.ids) + self.listpacks_given + self.stream_given
        if self.groups:
            for i in range(self.groups):
                rows[i].p = self.names.data + rows[i].at
            qsort(rows, self.groups, sizeof(Name), compare_names)
            ms_rax_begin(&self.pending_ids, self.heap)
            for i in range(self.groups):
                if ms_rax_add(&self.pending_ids, rows[i].p, rows[i].size) < 0:
                    raise MemoryError
            ms_rax_end(&self.pending_ids)
            sizes.given += ms_rax_bytes(&self.pending_ids)
        if self.indexed:
            qsort(self.index_ids.data, self.indexed, 16, compare_ids)
            ms_rax_begin(&self.pending_ids, self.heap)
            for i in range(self.indexed):
                if ms_rax_add(&self.pending_ids, self.index_ids.data + i * 16, 16) < 0:
                    raise MemoryError
            ms_rax_end(&self.pending_ids)
            sizes.given += ms_rax_bytes(&self.pending_ids)
        return 0

    # ---- other values

    cdef int array_item(self, ArrayItem *item) except -1:
        self.count += 1
        if item.tag == 0 or item.tag == 3:
            if item.text_size > self.longest:
                self.longest = item.text_size
        elif self.longest < 8:
            self.longest = 8
        return 0

    cdef int opaque(self, Bytes module, Bytes raw, size_t raw_size) except -1:
        self.blob = raw_size
        self.longest = raw_size
        self.count = 1
        if memcmp(module, b"vectorset", 9) == 0:
            return self.vector_set(raw, raw_size)
        return 0

    cdef int vector_set(self, Bytes raw, size_t raw_size) except -1:
        """The vector sets of Redis 8 are a module's, but their layout is known (format E3)."""
        cdef Cursor c
        cdef uint64_t number, dimension, config, links, vector, size, i, j, numbers, n, flags
        cdef uint64_t names = 0, sampled = 0, attributes = 0, attribute_bytes = 0
        cdef uint64_t used
        c.p = raw
        c.end = raw + raw_size
        c.beyond = 0
        c.final = True
        read_len(&c, &number)
        if not (self.tagged(&c, 2, &dimension) and self.tagged(&c, 2, &n) and self.tagged(&c, 2, &config)
                and self.tagged(&c, 2, &flags)):
            return 0
        if flags & 1 and not (self.tagged(&c, 2, &number) and self.tagged(&c, 5, &size)):
            return 0
        for i in range(n):
            if not self.tagged(&c, 5, &size):
                return 0
            if size > self.row.largest:
                self.row.largest = size
            if i < VECTOR_SAMPLE:
                names += self.block(OBJECT + 3 + size + 1)
                sampled += 1
            if flags & 2:
                if not self.tagged(&c, 5, &size):
                    return 0
                if size:
                    attributes += 1
                    attribute_bytes += self.block(OBJECT + 3 + size + 1)
            if not (self.tagged(&c, 5, &vector) and self.tagged(&c, 2, &numbers)):
                return 0
            for j in range(numbers):
                if not self.tagged(&c, 2, &number):
                    return 0
        if n == 0:
            return 0
        links = config >> 8 & 0xFFFF
        number = config & 0xFF
        if dimension > 1 << 24 or links > 1 << 16:
            return 0
        vector = dimension if number == 1 else 4 * dimension if number == 0 else 8 * ((dimension + 63) // 64)
        used = (
            self.server.vector_set + n * (312 + vector + 16 * links + 16) + <uint64_t>(<double>n * names / sampled)
            + 32 * n + 8 * links * n // 3 + attribute_bytes
        )
        self.count = n
        self.blob = used
        self.longest = self.row.largest
        self.packing = 0
        return 0

    cdef bint tagged(self, Cursor *c, uint64_t tag, uint64_t *out) except -1:
        cdef uint64_t found
        read_len(c, &found)
        if found != tag:
            return False
        if tag == 5:
            string_size(c, out)
        else:
            read_len(c, out)
        return True

    # ---- the end of a key

    cdef int end_key(self, Bytes raw, size_t raw_size, int64_t stop) except -1:
        cdef KeySizes *row = &self.row
        cdef Pair sizes
        cdef int64_t start = <int64_t>row.serialized
        row.serialized = <uint64_t>(stop - start) if start >= 0 and stop > start else raw_size
        if row.type == KIND_STRING:
            return 0
        row.elements = self.count
        row.largest = self.longest
        sizes.used = sizes.given = 0
        if row.type == KIND_LIST:
            self.end_list(&sizes)
        elif row.type == KIND_SET:
            self.end_set(&sizes)
        elif row.type == KIND_HASH:
            self.end_hash(&sizes)
        elif row.type == KIND_ZSET:
            self.end_zset(&sizes)
        elif row.type == KIND_STREAM:
            self.end_stream(&sizes)
        else:
            row.encoding = ENC_ARRAY if row.type == KIND_ARRAY else ENC_MODULE
            if row.type == KIND_ARRAY:
                self.blob = max(row.serialized, <uint64_t>raw_size)
            sizes.used = sizes.given = self.blob
            if self.packing != 0 or row.type == KIND_ARRAY:
                row.flags = SIZES_AT_LEAST
        row.memory = self.key_used(self.has_expire) + <uint64_t>floor(sizes.used)
        row.allocated = self.key_given(self.has_expire) + <uint64_t>floor(sizes.given + 0.5)
        return 0

    cdef int commit(self) except -1:
        if self.room is not None:
            return self.leave_row()
        self.keys += 1
        self.memory += self.row.memory
        self.allocated += self.row.allocated
        self.serialized += self.row.serialized
        self.db_keys += 1
        self.db_expires += self.has_expire
        if self.cluster:
            self.count_slot()
        if self.observer.on_key_sizes(&self.row) > 0:
            self.full = True
        return 0

    def go_on(self):
        """Take more keys after a pause that the observer asked for."""
        self.full = False

    cdef int rollback(self) noexcept:
        self.forget_trees()
        return 0

    # ---- tables --------------------------------------------------------------------------------

    cdef int leave_db(self) except -1:
        if self.db_keys:
            keys, expires = self.dbs.get(self.db, (0, 0))
            self.dbs[self.db] = (keys + self.db_keys, expires + self.db_expires)
        self.db_keys = self.db_expires = 0
        if self.cluster:
            self.leave_slots()
        return 0

    cdef double db_tables(self, uint64_t n) noexcept:
        """The buckets that lead to n keys, or to as many expiries. An empty database has none."""
        cdef uint64_t buckets
        if n == 0:
            return 0
        if self.server.hashtable_head:
            return self.table(n, self.server.hashtable_head, True) - self.block(self.server.hashtable_head)
        buckets = ms_buckets(n)
        if self.server.bare_keys:
            return self.block(8 * buckets) + self.block(16) * (n - ms_filled(n, buckets))
        return self.block(8 * buckets)

    cdef int count_slot(self) except -1:
        cdef unsigned int slot = key_slot(self.name.data, <size_t>self.row.key_length)
        cdef size_t size = <size_t>self.row.key_length
        self.slots[slot] += 1
        self.slots[SLOTS + slot] += self.has_expire
        self.slot_keys += 1
        if self.server.slots == TREE and slot % self.slot_step == 0 and self.slot_names_size < 2 * NAMES_KEPT:
            grow(&self.slot_names, self.slot_names_size + size + 10)
            store_be64(size + 2, self.slot_names.data + self.slot_names_size)
            self.slot_names.data[self.slot_names_size + 8] = <uint8_t>(slot >> 8)
            self.slot_names.data[self.slot_names_size + 9] = <uint8_t>slot
            memcpy(self.slot_names.data + self.slot_names_size + 10, self.name.data, size)
            self.slot_names_size += size + 10
            if self.slot_names_size > NAMES_KEPT and self.slot_step < SLOTS:
                self.thin_out()
        return 0

    cdef int thin_out(self) except -1:
        """Look at half of the slots that were looked at so far."""
        cdef size_t at = 0, to = 0, size
        cdef unsigned int slot
        cdef uint8_t *data = self.slot_names.data
        self.slot_step *= 2
        while at < self.slot_names_size:
            size = 8 + <size_t>load_be64(data + at)
            slot = <unsigned int>data[at + 8] << 8 | data[at + 9]
            if slot % self.slot_step == 0:
                memmove(data + to, data + at, size)
                to += size
            at += size
        self.slot_names_size = to
        return 0

    cdef int leave_slots(self) except -1:
        """The tables of the slots of a database are complete."""
        cdef uint64_t slot, n, x
        cdef size_t at = 0, count = 0
        cdef Scratch rows
        cdef Name *names
        if self.slot_keys == 0:
            return 0
        if self.server.slots == TABLES:
            for slot in range(SLOTS):
                n = self.slots[slot]
                x = self.slots[SLOTS + slot]
                if n:
                    self.tables += self.block(self.server.slot_keys) + self.db_tables(n)
                if x:
                    self.tables += self.block(self.server.slot_expires) + self.db_tables(x)
                    if self.server.keys != IN_OBJECT:
                        self.tables += <double>x * self.block(self.server.entry)
        elif self.server.slots == TREE:
            memset(&rows, 0, sizeof(Scratch))
            try:
                while at < self.slot_names_size:
                    grow(&rows, (count + 1) * sizeof(Name))
                    names = <Name *>rows.data + count
                    names.size = <size_t>load_be64(self.slot_names.data + at)
                    names.p = self.slot_names.data + at + 8
                    at += 8 + names.size
                    count += 1
                names = <Name *>rows.data
                if count:
                    qsort(names, count, sizeof(Name), compare_names)
                ms_rax_begin(&self.pending_ids, self.heap)
                self.pending_ids.value = 0
                for at in range(count):
                    if ms_rax_add(&self.pending_ids, names[at].p, names[at].size) < 0:
                        raise MemoryError
                ms_rax_end(&self.pending_ids)
                if count:
                    self.tables += <double>self.pending_ids.blocks * self.slot_keys / count
            finally:
                release(&rows)
        memset(self.slots, 0, 2 * SLOTS * sizeof(uint64_t))
        self.slot_keys = self.slot_names_size = 0
        return 0
