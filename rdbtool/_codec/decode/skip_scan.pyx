# The framing of records alone: where ranges of a file may end. And checksums of parts.
#
# The scan decodes nothing and decides nothing: a range that it ended in the wrong place is found out when it is decoded.

cimport cython
from cpython.memoryview cimport PyMemoryView_FromMemory
from libc.stdint cimport int64_t, uint64_t, uint8_t
from libc.stdlib cimport free, malloc
from rdbtool._codec.decode.cursor cimport Bytes, load_be32, load_be64
from rdbtool._codec.decode.window cimport Window

include "../_types.pxi"

cdef extern from "Python.h":
    int PyBUF_WRITE

cdef extern from "crc64.h" nogil:
    uint64_t rt_crc64_behind(uint64_t before, uint64_t sum, uint64_t size)

cdef enum:
    BUFFER = 1 << 18            # bytes read at once

cdef enum:
    PLAIN = 1
    UNKNOWN = 0


@cython.final
cdef class SkipScan:
    """Skips records from offset ``at`` on, of an input that ``reread`` reads (memoryview, offset → bytes read).

    Only keys count as records, with what precedes them: an expiry, eviction data. Everything else ends the scan, and
    so does what it cannot skip: values of modules, newer encodings, invalid bytes. ``ended`` is set then.
    """

    def __init__(self, reread, int64_t at, str magic):
        self.reread = reread
        self.valkey = magic == "VALKEY"
        self.end_at = self.at = self.begin = at

    def __dealloc__(self):
        free(self.buffer)

    def next_stop(self, int64_t least):
        """Skip records, and return where the last of them begins: ``least`` bytes on, or less if the scan ends.

        The last record is not in the range: what follows it may belong to it.
        """
        self.begin = self.at
        while not self.ended and self.at - self.begin < least:
            self.step()
        return self.at

    cdef Bytes stop_of(self, Bytes p, Bytes end) except? NULL:
        """Return where the record at ``p`` ends, NULL if that is after ``end``, or if it cannot be skipped.

        For a scan that reads nothing. Afterwards `key_at` and `key_stop` are those of its key.
        """
        self.p = p
        self.end = end
        self.end_at = 0
        self.within = True
        # So no more is read than `end` allows.
        self.at = 1
        self.begin = 0
        if self.skip_record() != PLAIN or self.end_at != 0:
            return NULL
        return self.p

    def stop_within(self, Window window not None, int64_t least):
        """Do the same, but stop at the last record that ``window`` holds, unless it is the first one."""
        self.within = True
        self.p = window.buffer + window.start
        self.end = window.buffer + window.stop
        self.end_at = window.base + <int64_t>window.stop
        while not self.ended and self.at - self.begin < (1 if self.crossed else least):
            self.step()
        return self.at

    cdef inline int64_t tell(self) noexcept:
        return self.end_at - (self.end - self.p)

    cdef int step(self) except -1:
        cdef int64_t at = self.tell()
        if self.skip_record() == PLAIN:
            self.at = at
        elif not (self.crossed and self.at > self.begin):
            self.ended = True
        return 0

    cdef int need(self, size_t size) except -1:
        """Have ``size`` bytes ready, which a buffer holds; UNKNOWN: the input has fewer, or they are not needed."""
        cdef Py_ssize_t count
        cdef size_t kept = self.end - self.p
        cdef size_t filled = 0
        if kept >= size:
            return PLAIN
        self.crossed = self.within
        if self.crossed and self.at > self.begin:
            return UNKNOWN
        if self.buffer == NULL:
            self.buffer = <uint8_t *>malloc(BUFFER)
            if self.buffer == NULL:
                raise MemoryError
        self.end_at -= kept
        self.p = self.end = self.buffer
        while filled < size:
            view = PyMemoryView_FromMemory(<char *>self.buffer + filled, BUFFER - filled, PyBUF_WRITE)
            count = self.reread(view, self.end_at)
            if count <= 0:
                return UNKNOWN
            filled += count
            self.end_at += count
            self.end = self.buffer + filled
        return PLAIN

    cdef inline int skip(self, uint64_t size) except -1:
        cdef uint64_t kept = <uint64_t>(self.end - self.p)
        if size <= kept:
            self.p += size
            return PLAIN
        if size >> 56:
            return UNKNOWN
        self.end_at += <int64_t>(size - kept)
        self.p = self.end
        return PLAIN

    cdef inline int byte(self, uint8_t *out) except -1:
        if self.p == self.end and self.need(1) == UNKNOWN:
            return UNKNOWN
        out[0] = self.p[0]
        self.p += 1
        return PLAIN

    cdef inline int length(self, uint64_t *out) except -1:
        """LEN (format A3)."""
        cdef uint8_t b
        if self.byte(&b) == UNKNOWN:
            return UNKNOWN
        if b < 0x40:
            out[0] = b
            return PLAIN
        return self.long_length(b, out)

    cdef int long_length(self, uint8_t b, uint64_t *out) except -1:
        cdef size_t size = 1 if b < 0x80 else 4 if b == 0x80 else 8
        if b > 0x81:
            out[0] = b & 0x3F
            return PLAIN if b >= 0xC0 else UNKNOWN
        if self.need(size) == UNKNOWN:
            return UNKNOWN
        out[0] = <uint64_t>(b & 0x3F) << 8 | self.p[0] if size == 1 else (
            load_be32(self.p) if size == 4 else load_be64(self.p)
        )
        self.p += size
        return PLAIN

    cdef inline int text(self) except -1:
        """STR (format A4)."""
        cdef uint64_t size
        if self.p == self.end and self.need(1) == UNKNOWN:
            return UNKNOWN
        if self.p[0] < 0x40:
            return self.skip(<uint64_t>self.p[0] + 1)
        if self.p[0] < 0xC0:
            return UNKNOWN if self.length(&size) == UNKNOWN else self.skip(size)
        return self.encoded_text()

    cdef int encoded_text(self) except -1:
        cdef uint64_t size, inflated
        cdef uint8_t form = self.p[0] & 0x3F
        if form < 3:
            return self.skip(1 + (<uint64_t>1 << form))
        self.p += 1
        if form > 3 or self.length(&size) == UNKNOWN or self.length(&inflated) == UNKNOWN:
            return UNKNOWN
        return self.skip(size)

    cdef int texts(self, uint64_t each) except -1:
        """A number, and as many times ``each`` strings."""
        cdef uint64_t count, i
        if self.length(&count) == UNKNOWN or count >> 56:
            return UNKNOWN
        for i in range(count * each):
            if self.text() == UNKNOWN:
                return UNKNOWN
        return PLAIN

    cdef int skip_record(self) except -1:
        cdef uint8_t code
        cdef uint64_t number
        while True:
            if self.byte(&code) == UNKNOWN:
                return UNKNOWN
            if code < OP_IDLE:
                break
            if code == OP_EXPIRETIME_MS:
                self.skip(8)
            elif code == OP_EXPIRETIME:
                self.skip(4)
            elif code == OP_FREQ:
                self.skip(1)
            elif code != OP_IDLE or self.length(&number) == UNKNOWN:
                return UNKNOWN
        self.key_at = self.p
        if code > TYPE_HASH_LISTPACK_EX or code == TYPE_MODULE_2 or self.text() == UNKNOWN:
            return UNKNOWN
        self.key_stop = self.p
        return self.value(code)

    cdef int value(self, int code) except -1:
        if code == TYPE_STRING or code in (
            TYPE_HASH_ZIPMAP, TYPE_LIST_ZIPLIST, TYPE_SET_INTSET, TYPE_ZSET_ZIPLIST, TYPE_HASH_ZIPLIST,
            TYPE_HASH_LISTPACK, TYPE_ZSET_LISTPACK, TYPE_SET_LISTPACK,
        ):
            return self.text()
        if code == TYPE_LIST or code == TYPE_SET or code == TYPE_LIST_QUICKLIST:
            return self.texts(1)
        if code == TYPE_HASH:
            return self.texts(2)
        if code == TYPE_ZSET or code == TYPE_ZSET_2 or code == TYPE_LIST_QUICKLIST_2:
            return self.items(code)
        if code == TYPE_STREAM_LISTPACKS or code == TYPE_STREAM_LISTPACKS_2 or code == TYPE_STREAM_LISTPACKS_3:
            return self.stream(1 if code == TYPE_STREAM_LISTPACKS else 2 if code == TYPE_STREAM_LISTPACKS_2 else 3)
        if code == TYPE_HASH_2 and self.valkey:
            return self.items(code)
        if code == TYPE_HASH_METADATA and not self.valkey:
            self.skip(8)
            return self.items(code)
        if code == TYPE_HASH_LISTPACK_EX and not self.valkey:
            self.skip(8)
            return self.text()
        return UNKNOWN

    cdef int items(self, int code) except -1:
        """A number, and as many items of more than a string."""
        cdef uint64_t count, i, number
        cdef uint8_t size
        if self.length(&count) == UNKNOWN:
            return UNKNOWN
        for i in range(count):
            if code == TYPE_LIST_QUICKLIST_2 or code == TYPE_HASH_METADATA:
                if self.length(&number) == UNKNOWN:
                    return UNKNOWN
            if self.text() == UNKNOWN:
                return UNKNOWN
            if code == TYPE_ZSET_2:
                self.skip(8)
            elif code == TYPE_ZSET:
                if self.byte(&size) == UNKNOWN:
                    return UNKNOWN
                if size < 253:
                    self.skip(size)
            elif code != TYPE_LIST_QUICKLIST_2:
                if self.text() == UNKNOWN:
                    return UNKNOWN
                if code == TYPE_HASH_2:
                    self.skip(8)
        return PLAIN

    cdef int lengths(self, int count) except -1:
        cdef uint64_t number
        cdef int i
        for i in range(count):
            if self.length(&number) == UNKNOWN:
                return UNKNOWN
        return PLAIN

    cdef int stream(self, int version) except -1:
        """A stream (format A12)."""
        cdef uint64_t groups, count, owned, i, j
        if self.texts(2) == UNKNOWN or self.lengths(3 if version == 1 else 8) == UNKNOWN:
            return UNKNOWN
        if self.length(&groups) == UNKNOWN:
            return UNKNOWN
        for i in range(groups):
            if self.text() == UNKNOWN or self.lengths(2 if version == 1 else 3) == UNKNOWN:
                return UNKNOWN
            if self.length(&count) == UNKNOWN:
                return UNKNOWN
            for j in range(count):
                self.skip(24)
                if self.lengths(1) == UNKNOWN:
                    return UNKNOWN
            if self.length(&count) == UNKNOWN:
                return UNKNOWN
            for j in range(count):
                if self.text() == UNKNOWN:
                    return UNKNOWN
                self.skip(16 if version == 3 else 8)
                if self.length(&owned) == UNKNOWN or owned >> 52:
                    return UNKNOWN
                self.skip(16 * owned)
        return PLAIN


def checksum_behind(uint64_t before, uint64_t checksum, uint64_t size):
    """Return the CRC-64 of bytes followed by ``size`` others: from that of the former, and that of the latter alone."""
    return rt_crc64_behind(before, checksum, size)
