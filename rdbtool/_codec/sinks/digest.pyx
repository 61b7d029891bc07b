# The dataset digest: the 40 hex digits of DEBUG DIGEST on a server that holds the data (format F6).

from libc.stdint cimport int64_t, uint32_t, uint64_t, uint8_t
from libc.string cimport memcmp, memcpy, memset, strlen
from rdbtool._codec.decode.cursor cimport Bytes, rt_double_text, rt_u64_text
from rdbtool._codec.sink cimport ArrayItem, Head, LongString, Sink

from rdbtool.core.servers import Rules

include "../_types.pxi"

cdef extern from "sha1.h" nogil:
    void rt_sha1(const uint8_t *data, size_t size, uint8_t *out)
    ctypedef struct rt_sha1_pieces:
        pass
    void rt_sha1_pieces_begin(rt_sha1_pieces *pieces)
    void rt_sha1_piece(rt_sha1_pieces *pieces, const uint8_t *data, size_t size)
    void rt_sha1_pieces_end(rt_sha1_pieces *pieces, uint8_t *out)
    void rt_sha1_choose(int portable)
    enum: RT_SHA1_ONE_BLOCK
    void rt_sha1_fill(uint8_t *block, const void *data, size_t size)
    void rt_sha1_fill_hashes(uint8_t *block, const uint8_t *a, const uint8_t *b)
    void rt_sha1_many(const uint8_t *blocks, size_t stride, size_t count, uint8_t *out, size_t out_stride)
    void rt_sha1_xor(uint8_t *to, const uint8_t *hash)

cdef extern from "digits17.h" nogil:
    int rt_digits17(double v, char *out)

cdef extern from "Python.h":
    # C's printf writes a comma if the program chose a locale that uses one.
    char *PyOS_double_to_string(double value, char format, int precision, int flags, int *kind) except NULL
    void PyMem_Free(void *p)

rt_sha1_choose(0)

cdef enum:
    KEYS = 32                   # keys whose hashing waits until there are as many
    PARTS = 32                  # members, or fields with their values, likewise
    KINDS_HASHED = 8

ctypedef struct State:
    uint8_t bytes[20]

# A key that waits. Its state is H(H(name) ^ H(kind)); then, of a string, H(state ^ H(value)), of others state ^ parts.
ctypedef struct Waiting:
    uint8_t block[64]           # of the name
    State state
    State parts                 # the exclusive or of the hashes of members or fields; of a string that of its value
    State other                 # of a list or a stream: its state, which is complete
    int number                  # of the kind
    bint named                  # `state` is H(name) already: it is longer than a block
    bint whole                  # `other` holds the state
    bint mixed                  # `parts` is one hash that is mixed in
    bint expires

# What becomes a part of a key: H(H(H(first) ^ H(second))), or H(first) alone.
ctypedef struct Part:
    uint8_t first[64]           # blocks
    uint8_t second[64]
    State one
    State two
    int owner                   # number of the key
    bint paired


cdef inline void xor_in(State *state, const void *p, size_t size) noexcept:
    """state ^= H(p): the order of such steps does not matter."""
    cdef uint8_t hash[20]
    cdef int i
    rt_sha1(<const uint8_t *>p, size, hash)
    for i in range(20):
        state.bytes[i] ^= hash[i]


cdef inline void mix(State *state, const void *p, size_t size) noexcept:
    """state = H(state ^ H(p)): the order matters."""
    cdef State mixed = state[0]
    xor_in(&mixed, p, size)
    rt_sha1(mixed.bytes, 20, state.bytes)


def use_portable_sha1(bint portable):
    """For tests: compute SHA-1 without (True) or with (False) the CPU's SHA instructions."""
    rt_sha1_choose(portable)


cdef class Digest(Sink):
    """Computes DEBUG DIGEST by the rules of a server (``redis-7.0``, ``valkey-9.1``, or Rules).

    ``now_ms`` (Unix ms) is the moment of the command, for servers that skip expired fields. Module values have a digest
    of their own that only the module can compute: ``opaque_keys`` counts them, and with any of them the result is not
    the server's.
    """

    cdef readonly uint64_t opaque_keys
    cdef dict dbs                   # db: XOR of its keys' digests
    cdef int64_t db
    cdef State keys                 # of the current db
    cdef State key                  # of the current list or stream
    cdef State numbers[KINDS_HASHED]        # H of the number of each kind
    cdef State expire_mark
    cdef Waiting waiting[KEYS + 1]  # the last of them is the current key
    cdef int waiting_keys
    cdef Part part[PARTS]
    cdef int parts
    cdef bint chained               # the parts of the current value come in an order that matters
    cdef rt_sha1_pieces pieces      # of a long string
    cdef int kind
    cdef int64_t now_ms
    cdef bint shortest
    cdef bint marks_field_expiry
    cdef bint hides_expired_fields
    cdef bint any_key
    cdef bint expires               # the current key has an expiry
    cdef bint opaque_key            # its value has a part that only a server can digest

    def __init__(self, rules, int64_t now_ms=0):
        if isinstance(rules, str):
            rules = Rules.parse(rules)
        self.shortest = rules.has_shortest_doubles
        self.marks_field_expiry = rules.marks_field_expiry
        self.hides_expired_fields = rules.hides_expired_fields
        self.now_ms = now_ms
        self.dbs = {}
        self.takes_pieces = self.divides = True
        self.prepare()

    cdef int prepare(self) noexcept:
        cdef uint8_t number[4]
        cdef int i
        for i in range(KINDS_HASHED):
            memset(number, 0, 4)
            number[3] = i
            rt_sha1(number, 4, self.numbers[i].bytes)
        rt_sha1(<const uint8_t *>(<const char *>b"!!expire!!"), 10, self.expire_mark.bytes)
        return 0

    # ---- hashing in rows -----------------------------------------------------------------------

    cdef int hash_parts(self) noexcept:
        """Hash the parts that wait, and give them to their keys."""
        cdef int i, count = self.parts
        cdef Part *part
        cdef Part *parts = self.part
        if count == 0:
            return 0
        rt_sha1_many(parts[0].first, sizeof(Part), count, parts[0].one.bytes, sizeof(Part))
        for i in range(count):
            part = &parts[i]
            if part.paired:
                rt_sha1_many(part.second, sizeof(Part), 1, part.two.bytes, sizeof(Part))
                rt_sha1_fill(part.first, part.one.bytes, 20)
        for i in range(count):
            part = &parts[i]
            if part.paired:
                rt_sha1_many(part.first, sizeof(Part), 1, part.one.bytes, sizeof(Part))
        for i in range(count):
            part = &parts[i]
            if part.paired:
                rt_sha1_fill_hashes(part.first, part.one.bytes, part.two.bytes)
        for i in range(count):
            part = &parts[i]
            if part.paired:
                rt_sha1_many(part.first, sizeof(Part), 1, part.one.bytes, sizeof(Part))
        for i in range(count):
            part = &parts[i]
            if part.paired:
                rt_sha1_fill(part.first, part.one.bytes, 20)
        for i in range(count):
            part = &parts[i]
            if part.paired:
                rt_sha1_many(part.first, sizeof(Part), 1, part.one.bytes, sizeof(Part))
        for i in range(count):
            part = &parts[i]
            rt_sha1_xor(self.waiting[part.owner].parts.bytes, part.one.bytes)
        self.parts = 0
        return 0

    cdef int hash_keys(self) noexcept:
        """Hash the keys that wait, into ``keys``."""
        cdef int i, count = self.waiting_keys
        cdef Waiting *key
        cdef Waiting *keys = self.waiting
        self.hash_parts()
        if count == 0:
            return 0
        for i in range(count):
            if not keys[i].named and not keys[i].whole:
                rt_sha1_many(keys[i].block, 64, 1, keys[i].state.bytes, 20)
        for i in range(count):
            if not keys[i].whole:
                rt_sha1_fill(keys[i].block, keys[i].state.bytes, 20)
        for i in range(count):
            if not keys[i].whole:
                rt_sha1_many(keys[i].block, 64, 1, keys[i].state.bytes, 20)
        for i in range(count):
            if not keys[i].whole:
                rt_sha1_fill_hashes(keys[i].block, keys[i].state.bytes, self.numbers[keys[i].number].bytes)
        for i in range(count):
            if not keys[i].whole:
                rt_sha1_many(keys[i].block, 64, 1, keys[i].state.bytes, 20)
        for i in range(count):
            if keys[i].mixed:
                rt_sha1_fill_hashes(keys[i].block, keys[i].state.bytes, keys[i].parts.bytes)
        for i in range(count):
            if keys[i].mixed:
                rt_sha1_many(keys[i].block, 64, 1, keys[i].state.bytes, 20)
        for i in range(count):
            key = &keys[i]
            if key.whole:
                key.state = key.other
            elif not key.mixed:
                rt_sha1_xor(key.state.bytes, key.parts.bytes)
            if key.expires:
                rt_sha1_xor(key.state.bytes, self.expire_mark.bytes)
            rt_sha1_fill(key.block, key.state.bytes, 20)
        rt_sha1_many(keys[0].block, sizeof(Waiting), count, keys[0].state.bytes, sizeof(Waiting))
        for i in range(count):
            rt_sha1_xor(self.keys.bytes, keys[i].state.bytes)
        self.waiting_keys = 0
        return 0

    cdef inline Part *next_part(self) noexcept:
        if self.parts == PARTS:
            self.hash_parts()
        cdef Part *part = &self.part[self.parts]
        self.parts += 1
        part.owner = self.waiting_keys
        return part

    cdef inline int add_pair(self, Bytes first, size_t first_size, const void *second, size_t second_size) noexcept:
        """Add the hash of two texts, the second of which belongs to the first."""
        cdef Part *part
        cdef State whole
        if first_size <= RT_SHA1_ONE_BLOCK and second_size <= RT_SHA1_ONE_BLOCK:
            part = self.next_part()
            part.paired = True
            rt_sha1_fill(part.first, first, first_size)
            rt_sha1_fill(part.second, second, second_size)
            return 0
        memset(&whole, 0, sizeof(State))
        mix(&whole, first, first_size)
        mix(&whole, second, second_size)
        xor_in(&self.waiting[self.waiting_keys].parts, whole.bytes, 20)
        return 0

    cdef inline int add_single(self, Bytes p, size_t size) noexcept:
        cdef Part *part
        if size <= RT_SHA1_ONE_BLOCK:
            part = self.next_part()
            part.paired = False
            rt_sha1_fill(part.first, p, size)
        else:
            xor_in(&self.waiting[self.waiting_keys].parts, p, size)
        return 0

    # ---- events --------------------------------------------------------------------------------

    cdef int leave_db(self) except -1:
        cdef bytes before
        cdef int i
        self.hash_keys()
        if self.any_key:
            before = self.dbs.get(self.db, bytes(20))
            self.dbs[self.db] = bytes([self.keys.bytes[i] ^ before[i] for i in range(20)])
        memset(&self.keys, 0, sizeof(State))
        self.any_key = False
        return 0

    def begin_range(self, room, db):
        """Begin with nothing."""
        self.leave_db()
        self.dbs = {}
        self.opaque_keys = 0

    def end_range(self):
        """Return the digests by db, and how many keys have none."""
        self.leave_db()
        return self.dbs, self.opaque_keys

    def add_range(self, result, room):
        """Add the digests of a copy."""
        dbs, opaque_keys = result
        for db, keys in dbs.items():
            self.dbs[db] = bytes(a ^ b for a, b in zip(keys, self.dbs.get(db, bytes(20))))
        self.opaque_keys += opaque_keys
        return True

    def hexdigest(self):
        """Return the 40 lower-case hex digits over all keys received so far."""
        cdef State final
        cdef bytes keys
        cdef uint8_t number[4]
        cdef int i
        self.leave_db()
        memset(&final, 0, sizeof(State))
        for db in sorted(self.dbs):
            for i in range(4):
                number[i] = db >> (24 - 8 * i) & 255
            mix(&final, number, 4)
            keys = self.dbs[db]
            for i in range(20):
                final.bytes[i] ^= <uint8_t>keys[i]
        return final.bytes[:20].hex()

    cdef int begin_key(self, Head *head) except -1:
        cdef Waiting *key
        cdef int number = 0
        if head.db != self.db:
            self.leave_db()
            self.db = head.db
        self.kind = head.kind
        if head.kind == KIND_MODULE:
            number = 5
        elif head.kind == KIND_STREAM:
            number = 6
        elif head.kind == KIND_ARRAY:
            number = 7
        elif head.kind == KIND_HASH:
            number = 4
        elif head.kind == KIND_ZSET:
            number = 3
        elif head.kind == KIND_SET:
            number = 2
        elif head.kind == KIND_LIST:
            number = 1
        self.expires = head.has_expire      # counts after the value
        self.chained = head.kind == KIND_LIST or head.kind == KIND_STREAM
        key = &self.waiting[self.waiting_keys]
        key.number = number
        key.whole = self.chained
        key.mixed = head.kind == KIND_STRING
        if self.chained:
            memset(&self.key, 0, sizeof(State))
            mix(&self.key, head.key, head.key_size)
            rt_sha1_xor(self.key.bytes, self.numbers[number].bytes)
            rt_sha1(self.key.bytes, 20, self.key.bytes)
            return 0
        memset(&key.parts, 0, sizeof(State))
        key.named = head.key_size > RT_SHA1_ONE_BLOCK
        if key.named:
            rt_sha1(head.key, head.key_size, key.state.bytes)
        else:
            rt_sha1_fill(key.block, head.key, head.key_size)
        return 0

    cdef int string(self, Bytes p, size_t size) except -1:
        return self.add_single(p, size)

    cdef int begin_string(self, LongString *text) except -1:
        rt_sha1_pieces_begin(&self.pieces)
        return 0

    cdef int string_piece(self, Bytes p, size_t size) except -1:
        rt_sha1_piece(&self.pieces, p, size)
        return 0

    cdef int end_string(self) except -1:
        rt_sha1_pieces_end(&self.pieces, self.waiting[self.waiting_keys].parts.bytes)
        return 0

    cdef int element(self, Bytes p, size_t size) except -1:
        if self.chained:
            mix(&self.key, p, size)
            return 0
        return self.add_single(p, size)

    cdef int pair(self, Bytes field, size_t field_size, Bytes value, size_t value_size, int64_t expire_at_ms) except -1:
        cdef State part
        if self.hides_expired_fields and 0 <= expire_at_ms < self.now_ms:
            return 0
        if not (self.marks_field_expiry and expire_at_ms >= 0):
            return self.add_pair(field, field_size, value, value_size)
        memset(&part, 0, sizeof(State))
        mix(&part, field, field_size)
        mix(&part, value, value_size)
        xor_in(&part, b"!!hexpire!!", 11)
        xor_in(&self.waiting[self.waiting_keys].parts, part.bytes, 20)
        return 0

    cdef int score(self, Bytes member, size_t member_size, double score) except -1:
        cdef char text[64]
        cdef char *long_text
        cdef int size
        size = rt_double_text(score, text, 1) if self.shortest else rt_digits17(score, text)
        if size:
            return self.add_pair(member, member_size, text, size)
        long_text = PyOS_double_to_string(score, c"g", 17, 0, NULL)
        self.add_pair(member, member_size, long_text, strlen(long_text))
        PyMem_Free(long_text)
        return 0

    cdef int opaque(self, Bytes module, Bytes raw, size_t raw_size) except -1:
        self.opaque_key = True
        return 0

    cdef int array_item(self, ArrayItem *item) except -1:
        self.opaque_key = True
        return 0

    cdef int entry(self, uint64_t ms, uint64_t seq, uint64_t fields) except -1:
        cdef char text[48]
        cdef int size = rt_u64_text(ms, text)
        text[size] = c"."
        size += 1
        size += rt_u64_text(seq, text + size)
        mix(&self.key, text, size)
        return 0

    cdef int entry_field(self, Bytes field, size_t field_size, Bytes value, size_t value_size) except -1:
        mix(&self.key, field, field_size)
        mix(&self.key, value, value_size)
        return 0

    cdef int end_key(self, Bytes raw, size_t raw_size, int64_t stop) except -1:
        cdef Waiting *key = &self.waiting[self.waiting_keys]
        key.expires = self.expires
        if self.chained:
            key.other = self.key
        self.waiting_keys += 1
        if self.waiting_keys == KEYS:
            self.hash_keys()
        self.opaque_keys += self.opaque_key
        self.opaque_key = False
        self.any_key = True
        return 0

    cdef int commit(self) except -1:
        """Omit a string that occurs twice in a row, as in what a disk filled with zeros: the two cancel out."""
        cdef Waiting *last
        cdef Waiting *before
        cdef Part *part
        if self.waiting_keys < 2 or self.parts < 2:
            return 0
        last = &self.waiting[self.waiting_keys - 1]
        before = last - 1
        part = &self.part[self.parts - 1]
        if (
            last.mixed
            and before.mixed
            and not (last.named or before.named or last.expires or before.expires)
            and part.owner == self.waiting_keys - 1
            and (part - 1).owner == self.waiting_keys - 2
            and memcmp(last.block, before.block, sizeof(last.block)) == 0
            and memcmp(part.first, (part - 1).first, sizeof(part.first)) == 0
        ):
            self.waiting_keys -= 2
            self.parts -= 2
        return 0

    cdef int rollback(self) noexcept:
        # Parts of the current key are the last ones that wait.
        while self.parts and self.part[self.parts - 1].owner == self.waiting_keys:
            self.parts -= 1
        self.opaque_key = False
        return 0
