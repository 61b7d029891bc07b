# The space that keys take in a file, by kind and encoding, and the largest of them.

from heapq import heappush, heappushpop

from libc.stdint cimport int64_t, uint64_t
from rdbtool._codec.decode.cursor cimport Bytes, FORM_INT, FORM_LZF
from rdbtool._codec.sink cimport ArrayItem, Head, LongString, Sink

from rdbtool.core.rdb_types import KINDS, VALUE_TYPES

include "../_types.pxi"


cdef class Sizes(Sink):
    """Counts keys, elements and bytes by (kind, encoding), and keeps the ``largest`` keys.

    A key's size is that of its record in the file, with key and expiry, in bytes.
    """

    cdef readonly Py_ssize_t keep
    cdef list heap
    cdef list encodings
    cdef uint64_t keys[256 * 3]     # by type code and form
    cdef uint64_t elements[256 * 3]
    cdef uint64_t octets[256 * 3]
    cdef Head head
    cdef uint64_t count
    cdef int64_t least              # size of the smallest key that is kept
    cdef int64_t size

    def __init__(self, Py_ssize_t keep=10):
        self.keep = keep
        self.heap = []
        self.takes_pieces = True
        self.encodings = [("", "")] * 256

    cdef int header(self, str magic, int version) except -1:
        for row in VALUE_TYPES:
            if row.magic is None or row.magic == magic:
                self.encodings[row.code] = (row.kind, row.encoding)
        return 0

    def rows(self):
        """Return [(kind, encoding, keys, elements, bytes), …], most bytes first."""
        cdef int index
        rows = {}
        for index in range(256 * 3):
            if self.keys[index]:
                kind, encoding = self.encodings[index // 3]
                form = index % 3
                encoding = "int" if form == FORM_INT else "lzf" if form == FORM_LZF else encoding
                # Some types share their encoding.
                keys, elements, octets = rows.get((kind, encoding), (0, 0, 0))
                rows[kind, encoding] = (
                    keys + self.keys[index], elements + self.elements[index], octets + self.octets[index]
                )
        return sorted([(*place, *counts) for place, counts in rows.items()], key=lambda row: (-row[4], row[:2]))

    def largest(self):
        """Return [(bytes, db, key, kind, elements), …] of the largest keys, largest first."""
        return sorted([(size, db, key, KINDS[kind], count) for size, _, db, key, kind, count in self.heap],
                      key=lambda row: (-row[0], row[1], row[2]))

    cdef int begin_key(self, Head *head) except -1:
        self.head = head[0]
        self.count = 0
        return 0

    cdef int string(self, Bytes p, size_t size) except -1:
        self.count = 1
        return 0

    cdef int begin_string(self, LongString *text) except -1:
        self.count = 1
        return 0

    cdef int element(self, Bytes p, size_t size) except -1:
        self.count += 1
        return 0

    cdef int pair(self, Bytes field, size_t field_size, Bytes value, size_t value_size, int64_t expire_at_ms) except -1:
        self.count += 1
        return 0

    cdef int score(self, Bytes member, size_t member_size, double score) except -1:
        self.count += 1
        return 0

    cdef int array_item(self, ArrayItem *item) except -1:
        self.count += 1
        return 0

    cdef int entry(self, uint64_t ms, uint64_t seq, uint64_t fields) except -1:
        self.count += 1
        return 0

    cdef int end_key(self, Bytes raw, size_t raw_size, int64_t stop) except -1:
        cdef int index = self.head.type_code * 3 + self.head.form
        if self.head.type_code < 0:
            return 0            # not from a file: it takes no space in one
        self.size = stop - self.head.start
        self.keys[index] += 1
        self.elements[index] += self.count
        self.octets[index] += <uint64_t>self.size
        if self.keep and (len(self.heap) < self.keep or self.size > self.least):
            row = (self.size, -self.head.start, self.head.db, (<char *>self.head.key)[:self.head.key_size],
                   self.head.kind, self.count)
            if len(self.heap) < self.keep:
                heappush(self.heap, row)
            else:
                heappushpop(self.heap, row)
            self.least = self.heap[0][0]
        return 0
