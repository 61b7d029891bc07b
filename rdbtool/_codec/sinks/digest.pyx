# The dataset digest: the 40 hex digits of DEBUG DIGEST on a server that holds the data (format F6).

from libc.stdint cimport int64_t, uint32_t, uint64_t, uint8_t
from libc.string cimport memcpy, memset, strlen
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

cdef extern from "Python.h":
    # C's printf writes a comma if the program chose a locale that uses one.
    char *PyOS_double_to_string(double value, char format, int precision, int flags, int *kind) except NULL
    void PyMem_Free(void *p)

rt_sha1_choose(0)

ctypedef struct State:
    uint8_t bytes[20]


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
    cdef State key
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
        self.takes_pieces = True

    cdef int leave_db(self) except -1:
        cdef bytes before
        cdef int i
        if self.any_key:
            before = self.dbs.get(self.db, bytes(20))
            self.dbs[self.db] = bytes([self.keys.bytes[i] ^ before[i] for i in range(20)])
        memset(&self.keys, 0, sizeof(State))
        self.any_key = False
        return 0

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
        cdef uint8_t number[4]
        if head.db != self.db:
            self.leave_db()
            self.db = head.db
        self.kind = head.kind
        memset(number, 0, 4)
        if head.kind == KIND_MODULE:
            number[3] = 5
        elif head.kind == KIND_STREAM:
            number[3] = 6
        elif head.kind == KIND_ARRAY:
            number[3] = 7
        elif head.kind == KIND_HASH:
            number[3] = 4
        elif head.kind == KIND_ZSET:
            number[3] = 3
        elif head.kind == KIND_SET:
            number[3] = 2
        elif head.kind == KIND_LIST:
            number[3] = 1
        memset(&self.key, 0, sizeof(State))
        mix(&self.key, head.key, head.key_size)
        mix(&self.key, number, 4)
        self.expires = head.has_expire      # counts after the value
        return 0

    cdef int string(self, Bytes p, size_t size) except -1:
        mix(&self.key, p, size)
        return 0

    cdef int begin_string(self, LongString *text) except -1:
        rt_sha1_pieces_begin(&self.pieces)
        return 0

    cdef int string_piece(self, Bytes p, size_t size) except -1:
        rt_sha1_piece(&self.pieces, p, size)
        return 0

    cdef int end_string(self) except -1:
        cdef uint8_t hash[20]
        cdef int i
        rt_sha1_pieces_end(&self.pieces, hash)
        for i in range(20):
            hash[i] ^= self.key.bytes[i]
        rt_sha1(hash, 20, self.key.bytes)
        return 0

    cdef int element(self, Bytes p, size_t size) except -1:
        if self.kind == KIND_LIST:
            mix(&self.key, p, size)
        else:
            xor_in(&self.key, p, size)
        return 0

    cdef int pair(self, Bytes field, size_t field_size, Bytes value, size_t value_size, int64_t expire_at_ms) except -1:
        cdef State part
        if self.hides_expired_fields and 0 <= expire_at_ms < self.now_ms:
            return 0
        memset(&part, 0, sizeof(State))
        mix(&part, field, field_size)
        mix(&part, value, value_size)
        if self.marks_field_expiry and expire_at_ms >= 0:
            xor_in(&part, b"!!hexpire!!", 11)
        xor_in(&self.key, part.bytes, 20)
        return 0

    cdef int score(self, Bytes member, size_t member_size, double score) except -1:
        cdef State part
        cdef char text[64]
        cdef char *long_text
        memset(&part, 0, sizeof(State))
        mix(&part, member, member_size)
        if self.shortest:
            mix(&part, text, rt_double_text(score, text, 1))
        else:
            long_text = PyOS_double_to_string(score, c"g", 17, 0, NULL)
            mix(&part, long_text, strlen(long_text))
            PyMem_Free(long_text)
        xor_in(&self.key, part.bytes, 20)
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
        if self.expires:
            xor_in(&self.key, b"!!expire!!", 10)
        xor_in(&self.keys, self.key.bytes, 20)
        self.opaque_keys += self.opaque_key
        self.opaque_key = False
        self.any_key = True
        return 0

    cdef int rollback(self) noexcept:
        self.opaque_key = False
        return 0
