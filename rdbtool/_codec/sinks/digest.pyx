# The dataset digest: the 40 hex digits of DEBUG DIGEST on a server that holds the data (format F6).

from libc.stdint cimport int64_t, uint32_t, uint64_t, uint8_t
from libc.string cimport memcmp, memset
from rdbtool._codec.decode.cursor cimport Bytes, rt_double_text, rt_u64_text
from rdbtool._codec.sink cimport ArrayItem, Head, LongString, Sink

from rdbtool.core.servers import Rules

include "../_types.pxi"

cdef extern from "sha1.h" nogil:
    enum:
        RT_SHA1_ONE_BLOCK
        RT_SHA1_ROW
        RT_SHA1_BEST
        RT_SHA1_PORTABLE
        RT_SHA1_SHA_NI
        RT_SHA1_LANES_4
        RT_SHA1_LANES_8
        RT_SHA1_LANES_16
    int rt_sha1_choose(int way)
    void rt_sha1(const void *data, size_t size, uint32_t *out)
    void rt_sha1_again(uint32_t *state)
    void rt_sha1_bytes(const uint32_t *state, uint8_t *out)
    void rt_sha1_xor(uint32_t *to, const uint32_t *state)
    ctypedef struct rt_sha1_pieces:
        pass
    void rt_sha1_pieces_begin(rt_sha1_pieces *pieces)
    void rt_sha1_piece(rt_sha1_pieces *pieces, const uint8_t *data, size_t size)
    void rt_sha1_pieces_end(rt_sha1_pieces *pieces, uint32_t *out)
    void rt_sha1_fill(uint8_t *block, const void *data, size_t size)
    size_t rt_sha1_blocks(size_t size)
    void rt_sha1_fill_blocks(uint8_t *blocks, const void *data, size_t size)
    ctypedef struct rt_sha1_row:
        pass
    void rt_sha1_row_begin(rt_sha1_row *row)
    void rt_sha1_row_first(rt_sha1_row *row, const uint8_t *first, size_t stride, int count)
    void rt_sha1_row_next(rt_sha1_row *row, const uint8_t *const *blocks, int count)
    void rt_sha1_row_again(rt_sha1_row *row, int count)
    void rt_sha1_row_xor(rt_sha1_row *to, const rt_sha1_row *row)
    void rt_sha1_row_get(const rt_sha1_row *row, int k, uint32_t *state)
    void rt_sha1_row_set(rt_sha1_row *row, int k, const uint32_t *state)
    void rt_sha1_row_give(const rt_sha1_row *row, int k, uint32_t *state)
    void rt_sha1_row_take(rt_sha1_row *row, int k, const uint32_t *state)

cdef extern from "digits17.h":
    int rt_double17_text(double v, char *out) except -1

rt_sha1_choose(RT_SHA1_BEST)

# What is hashed waits until there is enough of it for full rows of 16.
cdef enum:
    KEYS = 256                  # with them all of their parts are hashed, in rows of which the last is not full
    PAIRS = 32
    SINGLES = 32
    CHAINS = 32                 # lists and streams
    STEPS = 1024                # elements of lists, and IDs, fields and values of streams
    LONG = 64                   # texts of more than a block
    LONG_BLOCKS = 512
    LONGEST = 16                # blocks; longer ones are hashed at once
    KINDS_HASHED = 8

ctypedef struct State:
    uint32_t words[5]

# A key that waits. Its state is H(H(name) ^ H(kind)); then, of a string, H(state ^ H(value)), of others state ^ parts.
ctypedef struct Waiting:
    uint8_t block[64]           # of the name
    State name                  # its hash, if it is longer than a block
    State parts                 # the exclusive or of the hashes of members or fields; of a string that of its value
    int number                  # of the kind
    bint is_long                # `name` is used, not `block`
    bint mixed                  # `parts` is one hash that is mixed in
    bint expires

# A list or a stream that waits: like a key, but each of its parts is mixed in, one after the other.
ctypedef struct Chain:
    uint8_t block[64]
    State name
    State state                 # after the steps that were hashed
    int number
    bint is_long
    bint begun                  # `state` is used, not the name
    bint expires
    int first                   # of its steps
    int steps

# A text in one block, whose hash becomes part of a state.
ctypedef struct Single:
    uint8_t block[64]
    State *to

# A text of more blocks, likewise.
ctypedef struct Long:
    int first                   # block
    int blocks
    State *to

# Two texts that become a part of a key: H(H(H(first) ^ H(second))).
ctypedef struct Pair:
    uint8_t first[64]           # blocks
    uint8_t second[64]
    State one                   # hashes, of what is longer than a block
    State two
    State *to
    bint first_is_long
    bint second_is_long
    bint marked                 # the server marks that the field expires


cdef inline void hash_text(State *state, const void *p, size_t size) noexcept:
    """state ^= H(p): the order of such steps does not matter."""
    cdef State hashed
    rt_sha1(p, size, hashed.words)
    rt_sha1_xor(state.words, hashed.words)


cdef bytes either(bytes a, bytes b):
    """Return a ^ b."""
    return bytes([x ^ y for x, y in zip(a, b)])


#: How SHA-1 is computed: "best" is the fastest of those that the machine has.
SHA1_WAYS = {
    "best": RT_SHA1_BEST,
    "portable": RT_SHA1_PORTABLE,
    "sha": RT_SHA1_SHA_NI,
    "lanes-4": RT_SHA1_LANES_4,
    "lanes-8": RT_SHA1_LANES_8,
    "lanes-16": RT_SHA1_LANES_16,
}


def choose_sha1(way):
    """For tests: compute SHA-1 in one of ``SHA1_WAYS``; return False if this machine does not have it."""
    return bool(rt_sha1_choose(SHA1_WAYS[way]))


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
    cdef State numbers[KINDS_HASHED]        # H of the number of each kind
    cdef State expire_mark
    cdef State field_mark
    cdef Waiting waiting[KEYS]      # the last of them is the current key
    cdef Chain chain[CHAINS]        # likewise
    cdef State step[STEPS]
    cdef Pair pair_of[PAIRS]
    cdef Single single[SINGLES]
    cdef Long long_of[LONG]
    cdef uint8_t long_block[LONG_BLOCKS * 64]
    # How many of each wait, and how many of them belong to finished keys.
    cdef int waiting_keys
    cdef int chains
    cdef int steps, finished_steps
    cdef int pairs, finished_pairs
    cdef int singles, finished_singles
    cdef int longs, finished_longs
    cdef int long_blocks
    cdef bint pairs_wait, chains_wait       # for a long text
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
            rt_sha1(number, 4, self.numbers[i].words)
        rt_sha1(<const char *>b"!!expire!!", 10, self.expire_mark.words)
        rt_sha1(<const char *>b"!!hexpire!!", 11, self.field_mark.words)
        return 0

    # ---- hashing in rows -----------------------------------------------------------------------

    cdef int hash_longs(self) noexcept:
        """Hash the texts of more than a block: the longest first, so that the others are done at the end of a row."""
        cdef const uint8_t *blocks[RT_SHA1_ROW]
        cdef Long *chosen[LONG]
        cdef int places[LONGEST + 1]
        cdef rt_sha1_row row
        cdef int i, k, count, active, begin = 0, number = self.longs
        memset(places, 0, sizeof(places))
        for i in range(number):
            places[self.long_of[i].blocks - 1] += 1
        for i in range(LONGEST, 0, -1):
            places[i - 1] += places[i]
        for i in range(number):
            k = self.long_of[i].blocks
            chosen[places[k]] = &self.long_of[i]
            places[k] += 1
        while begin < number:
            count = active = min(<int>RT_SHA1_ROW, number - begin)
            rt_sha1_row_begin(&row)
            for k in range(RT_SHA1_ROW):
                blocks[k] = &self.long_block[chosen[begin + (k if k < count else 0)].first * 64]
            for i in range(chosen[begin].blocks):
                while chosen[begin + active - 1].blocks <= i:
                    active -= 1
                rt_sha1_row_next(&row, blocks, active)
                for k in range(active):
                    if i + 1 < chosen[begin + k].blocks:
                        blocks[k] += 64
            for k in range(count):
                rt_sha1_row_give(&row, k, chosen[begin + k].to.words)
            begin += count
        self.longs = self.finished_longs = self.long_blocks = 0
        return 0

    cdef int hash_singles(self) noexcept:
        cdef rt_sha1_row row
        cdef int k, count, begin = 0
        while begin < self.singles:
            count = min(<int>RT_SHA1_ROW, self.singles - begin)
            rt_sha1_row_first(&row, self.single[begin].block, sizeof(Single), count)
            for k in range(count):
                rt_sha1_row_give(&row, k, self.single[begin + k].to.words)
            begin += count
        self.singles = self.finished_singles = 0
        return 0

    cdef int hash_pairs(self) noexcept:
        cdef rt_sha1_row row, second
        cdef Pair *pairs
        cdef int k, count, begin = 0
        if self.pairs_wait:
            self.hash_longs()
        self.pairs_wait = False
        while begin < self.pairs:
            pairs = &self.pair_of[begin]
            count = min(<int>RT_SHA1_ROW, self.pairs - begin)
            rt_sha1_row_first(&row, pairs[0].first, sizeof(Pair), count)
            rt_sha1_row_first(&second, pairs[0].second, sizeof(Pair), count)
            for k in range(count):
                if pairs[k].first_is_long:
                    rt_sha1_row_set(&row, k, pairs[k].one.words)
                if pairs[k].second_is_long:
                    rt_sha1_row_set(&second, k, pairs[k].two.words)
            rt_sha1_row_again(&row, count)
            rt_sha1_row_xor(&row, &second)
            rt_sha1_row_again(&row, count)
            for k in range(count):
                if pairs[k].marked:
                    rt_sha1_row_take(&row, k, self.field_mark.words)
            rt_sha1_row_again(&row, count)
            for k in range(count):
                rt_sha1_row_give(&row, k, pairs[k].to.words)
            begin += count
        self.pairs = self.finished_pairs = 0
        return 0

    cdef int hash_keys(self) noexcept:
        """Hash the keys that wait, into ``keys``."""
        cdef rt_sha1_row row, mixed
        cdef Waiting *keys
        cdef int k, count, begin = 0
        cdef bint any_mixed
        if self.waiting_keys == 0:
            return 0
        self.hash_pairs()
        self.hash_singles()
        self.hash_longs()
        while begin < self.waiting_keys:
            keys = &self.waiting[begin]
            count = min(<int>RT_SHA1_ROW, self.waiting_keys - begin)
            any_mixed = False
            rt_sha1_row_first(&row, keys[0].block, sizeof(Waiting), count)
            for k in range(count):
                any_mixed |= keys[k].mixed
                if keys[k].is_long:
                    rt_sha1_row_set(&row, k, keys[k].name.words)
            rt_sha1_row_again(&row, count)
            for k in range(count):
                rt_sha1_row_take(&row, k, self.numbers[keys[k].number].words)
            rt_sha1_row_again(&row, count)
            for k in range(count):
                rt_sha1_row_take(&row, k, keys[k].parts.words)
            if any_mixed:
                mixed = row
                rt_sha1_row_again(&mixed, count)
                for k in range(count):
                    if keys[k].mixed:
                        rt_sha1_row_get(&mixed, k, keys[k].parts.words)
                        rt_sha1_row_set(&row, k, keys[k].parts.words)
            for k in range(count):
                if keys[k].expires:
                    rt_sha1_row_take(&row, k, self.expire_mark.words)
            rt_sha1_row_again(&row, count)
            for k in range(count):
                rt_sha1_row_give(&row, k, self.keys.words)
            begin += count
        self.waiting_keys = 0
        return 0

    cdef int hash_chains(self, bint and_current=False) noexcept:
        """Hash the chains that wait, into ``keys``; of the current one what is known of it."""
        cdef rt_sha1_row row
        cdef Chain *chosen[CHAINS]
        cdef Chain *each
        cdef Chain *current = &self.chain[self.chains] if and_current else NULL
        cdef int i, k, count, active, begin = 0, number = self.chains + and_current
        if number == 0:
            return 0
        self.hash_singles()
        if self.chains_wait:
            self.hash_longs()
        self.chains_wait = False
        while begin < number:
            each = &self.chain[begin]
            count = min(<int>RT_SHA1_ROW, number - begin)
            rt_sha1_row_first(&row, each.block, sizeof(Chain), count)
            for k in range(count):
                if each[k].is_long:
                    rt_sha1_row_set(&row, k, each[k].name.words)
            rt_sha1_row_again(&row, count)
            for k in range(count):
                rt_sha1_row_take(&row, k, self.numbers[each[k].number].words)
            rt_sha1_row_again(&row, count)
            for k in range(count):
                if not each[k].begun:
                    each[k].begun = True
                    rt_sha1_row_get(&row, k, each[k].state.words)
            begin += count
        # Those with the most steps first, so that the others are done at the end of a row.
        for i in range(number):
            each = &self.chain[i]
            k = i
            while k and chosen[k - 1].steps < each.steps:
                chosen[k] = chosen[k - 1]
                k -= 1
            chosen[k] = each
        begin = 0
        while begin < number:
            count = active = min(<int>RT_SHA1_ROW, number - begin)
            for k in range(count):
                rt_sha1_row_set(&row, k, chosen[begin + k].state.words)
            for i in range(chosen[begin].steps):
                while chosen[begin + active - 1].steps <= i:
                    active -= 1
                for k in range(active):
                    rt_sha1_row_take(&row, k, self.step[chosen[begin + k].first + i].words)
                rt_sha1_row_again(&row, active)
            for k in range(count):
                each = chosen[begin + k]
                if each == current:
                    rt_sha1_row_get(&row, k, each.state.words)
                elif each.expires:
                    rt_sha1_row_take(&row, k, self.expire_mark.words)
            rt_sha1_row_again(&row, count)
            for k in range(count):
                if chosen[begin + k] != current:
                    rt_sha1_row_give(&row, k, self.keys.words)
            begin += count
        self.steps = self.finished_steps = 0
        if and_current:
            current.first = current.steps = 0
            if self.chains:
                self.chain[0] = current[0]
        self.chains = 0
        return 0

    # ---- what waits ----------------------------------------------------------------------------

    cdef inline int settle(self) noexcept:
        """What waits belongs to finished keys."""
        self.finished_pairs = self.pairs
        self.finished_singles = self.singles
        self.finished_longs = self.longs
        self.finished_steps = self.steps
        return 0

    cdef int add_long(self, const void *p, size_t size, State *to) noexcept:
        cdef Long *text
        cdef size_t blocks = rt_sha1_blocks(size)
        if blocks > LONGEST:
            hash_text(to, p, size)
            return 0
        if self.longs == LONG or self.long_blocks + blocks > LONG_BLOCKS:
            self.hash_longs()
        text = &self.long_of[self.longs]
        text.first = self.long_blocks
        text.blocks = <int>blocks
        text.to = to
        rt_sha1_fill_blocks(&self.long_block[self.long_blocks * 64], p, size)
        self.longs += 1
        self.long_blocks += <int>blocks
        return 0

    cdef inline int add_text(self, const void *p, size_t size, State *to) noexcept:
        """to ^= H(p), soon."""
        cdef Single *text
        if size > RT_SHA1_ONE_BLOCK:
            self.chains_wait |= self.chained
            return self.add_long(p, size, to)
        if self.singles == SINGLES:
            self.hash_singles()
        text = &self.single[self.singles]
        self.singles += 1
        text.to = to
        rt_sha1_fill(text.block, p, size)
        return 0

    cdef inline int add_step(self, const void *p, size_t size) noexcept:
        """Mix a text into the current list or stream, soon."""
        cdef State *step
        if self.steps == STEPS:
            self.hash_chains(True)
        step = &self.step[self.steps]
        self.steps += 1
        self.chain[self.chains].steps += 1
        memset(step, 0, sizeof(State))
        return self.add_text(p, size, step)

    cdef inline int add_pair(
        self, const void *first, size_t first_size, const void *second, size_t second_size, bint marked
    ) noexcept:
        """Add the hash of two texts, the second of which belongs to the first."""
        cdef Pair *pair
        if self.pairs == PAIRS:
            self.hash_pairs()
        pair = &self.pair_of[self.pairs]
        self.pairs += 1
        pair.to = &self.waiting[self.waiting_keys].parts
        pair.marked = marked
        pair.first_is_long = first_size > RT_SHA1_ONE_BLOCK
        pair.second_is_long = second_size > RT_SHA1_ONE_BLOCK
        self.pairs_wait |= pair.first_is_long or pair.second_is_long
        if pair.first_is_long:
            memset(&pair.one, 0, sizeof(State))
            self.add_long(first, first_size, &pair.one)
        else:
            rt_sha1_fill(pair.first, first, first_size)
        if pair.second_is_long:
            memset(&pair.two, 0, sizeof(State))
            self.add_long(second, second_size, &pair.two)
        else:
            rt_sha1_fill(pair.second, second, second_size)
        return 0

    # ---- events --------------------------------------------------------------------------------

    cdef int leave_db(self) except -1:
        cdef uint8_t keys[20]
        self.hash_keys()
        self.hash_chains()
        if self.any_key:
            rt_sha1_bytes(self.keys.words, keys)
            self.dbs[self.db] = either(keys[:20], self.dbs.get(self.db, bytes(20)))
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
            self.dbs[db] = either(keys, self.dbs.get(db, bytes(20)))
        self.opaque_keys += opaque_keys
        return True

    def hexdigest(self):
        """Return the 40 lower-case hex digits over all keys received so far."""
        cdef State final
        cdef uint8_t text[20]
        cdef uint8_t number[4]
        cdef int i
        self.leave_db()
        memset(&final, 0, sizeof(State))
        for db in sorted(self.dbs):
            for i in range(4):
                number[i] = db >> (24 - 8 * i) & 255
            hash_text(&final, number, 4)
            rt_sha1_again(final.words)
            for i in range(5):
                final.words[i] ^= <uint32_t>int.from_bytes(self.dbs[db][4 * i : 4 * i + 4], "big")
        rt_sha1_bytes(final.words, text)
        return text[:20].hex()

    cdef int begin_key(self, Head *head) except -1:
        cdef Waiting *key
        cdef Chain *chain
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
        if self.chained:
            chain = &self.chain[self.chains]
            chain.number = number
            chain.begun = False
            chain.first = self.steps
            chain.steps = 0
            chain.is_long = self.add_name(head, chain.block, &chain.name)
            self.chains_wait |= chain.is_long
            return 0
        key = &self.waiting[self.waiting_keys]
        key.number = number
        key.mixed = head.kind == KIND_STRING
        memset(&key.parts, 0, sizeof(State))
        key.is_long = self.add_name(head, key.block, &key.name)
        return 0

    cdef inline bint add_name(self, Head *head, uint8_t *block, State *name) noexcept:
        # Return whether it is longer than a block.
        if head.key_size <= RT_SHA1_ONE_BLOCK:
            rt_sha1_fill(block, head.key, head.key_size)
            return False
        memset(name, 0, sizeof(State))
        self.add_long(head.key, head.key_size, name)
        return True

    cdef int string(self, Bytes p, size_t size) except -1:
        return self.add_text(p, size, &self.waiting[self.waiting_keys].parts)

    cdef int begin_string(self, LongString *text) except -1:
        rt_sha1_pieces_begin(&self.pieces)
        return 0

    cdef int string_piece(self, Bytes p, size_t size) except -1:
        rt_sha1_piece(&self.pieces, p, size)
        return 0

    cdef int end_string(self) except -1:
        rt_sha1_pieces_end(&self.pieces, self.waiting[self.waiting_keys].parts.words)
        return 0

    cdef int element(self, Bytes p, size_t size) except -1:
        if self.chained:
            return self.add_step(p, size)
        return self.add_text(p, size, &self.waiting[self.waiting_keys].parts)

    cdef int pair(self, Bytes field, size_t field_size, Bytes value, size_t value_size, int64_t expire_at_ms) except -1:
        if self.hides_expired_fields and 0 <= expire_at_ms < self.now_ms:
            return 0
        return self.add_pair(field, field_size, value, value_size, self.marks_field_expiry and expire_at_ms >= 0)

    cdef int score(self, Bytes member, size_t member_size, double score) except -1:
        cdef char text[64]
        cdef int size = rt_double_text(score, text, 1) if self.shortest else rt_double17_text(score, text)
        return self.add_pair(member, member_size, text, size, False)

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
        return self.add_step(text, size)

    cdef int entry_field(self, Bytes field, size_t field_size, Bytes value, size_t value_size) except -1:
        self.add_step(field, field_size)
        return self.add_step(value, value_size)

    cdef int end_key(self, Bytes raw, size_t raw_size, int64_t stop) except -1:
        self.settle()
        if self.chained:
            self.chain[self.chains].expires = self.expires
            self.chains += 1
            if self.chains == CHAINS:
                self.hash_chains()
        else:
            self.waiting[self.waiting_keys].expires = self.expires
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
        cdef Single *value
        if self.chained or self.waiting_keys < 2 or self.singles < 2:
            return 0
        last = &self.waiting[self.waiting_keys - 1]
        before = last - 1
        value = &self.single[self.singles - 1]
        if (
            last.mixed
            and before.mixed
            and not (last.is_long or before.is_long or last.expires or before.expires)
            and value.to == &last.parts
            and (value - 1).to == &before.parts
            and memcmp(last.block, before.block, sizeof(last.block)) == 0
            and memcmp(value.block, (value - 1).block, sizeof(value.block)) == 0
        ):
            self.waiting_keys -= 2
            self.singles -= 2
            self.settle()
        return 0

    cdef int rollback(self) noexcept:
        # What was not hashed of the current key is the last of what waits.
        self.pairs = self.finished_pairs
        self.singles = self.finished_singles
        self.steps = self.finished_steps
        if self.longs > self.finished_longs:
            self.longs = self.finished_longs
            self.long_blocks = self.long_of[self.longs].first
        self.opaque_key = False
        return 0
