# Key filters, evaluated from what precedes the value.

from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint16_t
from rdbtool._codec.decode.cursor cimport Bytes

include "../_types.pxi"

from rdbtool.core.rdb_types import KINDS


cdef int key_slot(Bytes key, size_t size) noexcept:
    """The cluster slot of a key (format F3): CRC16/XMODEM of the hash tag, or of the whole key."""
    cdef size_t i, begin, stop
    cdef uint16_t crc = 0
    cdef int bit
    for begin in range(size):
        if key[begin] == c"{":
            for stop in range(begin + 1, size):
                if key[stop] == c"}":
                    if stop > begin + 1:
                        key += begin + 1
                        size = stop - begin - 1
                    break
            break
    for i in range(size):
        crc ^= <uint16_t>(key[i] << 8)
        for bit in range(8):
            crc = <uint16_t>(crc << 1 ^ 0x1021) if crc & 0x8000 else <uint16_t>(crc << 1)
    return crc & 0x3FFF


def slot_of(bytes key not None):
    """Return the cluster slot (0..16383) of a key."""
    return key_slot(<Bytes>(<char *>key), len(key))


cdef unsigned int kind_bits(kinds) except? 0:
    cdef unsigned int bits = 0
    for kind in kinds:
        bits |= 1u << <unsigned int>KINDS.index(kind)
    return bits


cdef class Selection:
    def __init__(self, *, patterns=(), no_patterns=(), kinds=None, no_kinds=(), dbs=(), no_dbs=(), expired=None,
                 now_ms=0, slots=None, limit=None):
        self.patterns = tuple(patterns)
        self.no_patterns = tuple(no_patterns)
        self.kinds = (kind_bits(kinds) if kinds else ~0u) & ~kind_bits(no_kinds)
        self.dbs = frozenset(dbs)
        self.no_dbs = frozenset(no_dbs)
        self.expired = -1 if expired is None else 1 if expired else 0
        self.now_ms = now_ms
        self.slot_low, self.slot_high = (0, -1) if slots is None else slots
        self.limit = -1 if limit is None else limit
        self.taken = 0

    @property
    def has_limit(self):
        """Whether a number of records is enough."""
        return self.limit >= 0

    @property
    def is_full(self):
        """True once ``limit`` records were selected: no further one will be."""
        return 0 <= self.limit <= self.taken

    cdef bint wants_all(self) noexcept:
        """Whether it selects by number only."""
        return (
            self.kinds == ~0u and self.expired < 0 and self.slot_high < 0 and not self.patterns
            and not self.no_patterns and not self.dbs and not self.no_dbs
        )

    def take(self, record):
        """Match a finished record like one that is being read, and count it if it matches."""
        cdef Head head
        cdef bytes key = record.key
        head.db = record.db
        head.key = <Bytes>(<char *>key)
        head.key_size = len(key)
        head.kind = KINDS.index(record.kind)
        head.has_expire = record.expire_at_ms is not None
        head.expire_at_ms = record.expire_at_ms if head.has_expire else 0
        if not self.wants(&head):
            return False
        self.taken += 1
        return True

    cdef bint wants(self, Head *head) except -1:
        cdef int slot
        cdef bint is_expired
        if 0 <= self.limit <= self.taken:
            return False
        if not self.kinds >> head.kind & 1:
            return False
        if self.dbs and head.db not in self.dbs:
            return False
        if self.no_dbs and head.db in self.no_dbs:
            return False
        if self.expired >= 0:
            is_expired = head.has_expire and head.expire_at_ms < self.now_ms
            if is_expired != self.expired:
                return False
        if self.slot_high >= 0:
            slot = key_slot(head.key, head.key_size)
            if slot < self.slot_low or slot > self.slot_high:
                return False
        if self.patterns or self.no_patterns:
            key = (<char *>head.key)[:head.key_size]
            if self.patterns:
                for pattern in self.patterns:
                    if pattern.search(key) is not None:
                        break
                else:
                    return False
            for pattern in self.no_patterns:
                if pattern.search(key) is not None:
                    return False
        return True
