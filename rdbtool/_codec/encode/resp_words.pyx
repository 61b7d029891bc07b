# Commands as RESP: the arguments of a command, and the current command.
#
# The number of arguments precedes them, so arguments are collected and the command is written when it is full.

from libc.stdint cimport uint8_t
from libc.string cimport memchr, memcpy, strlen
from rdbtool._codec.decode.cursor cimport release, rt_i64_text
from rdbtool._codec.encode.encoder cimport LARGE

cdef extern from "crc64.h" nogil:
    void rt_crc64_prepare()
    uint64_t rt_crc64(uint64_t sum, const uint8_t *p, size_t n)

cdef enum:
    FOOTER = 10                 # bytes after the value in a payload: the version, and the checksum

rt_crc64_prepare()


cdef bytes payload_of(Bytes start, size_t start_size, Bytes value, size_t size, int version):
    """A payload of DUMP, for those that are too large for a command."""
    cdef bytes payload = (<char *>start)[:start_size] + (<char *>value)[:size] + version.to_bytes(2, "little")
    return payload + int(rt_crc64(0, <Bytes>(<char *>payload), len(payload))).to_bytes(8, "little")


cdef class CommandOutput(Encoder):
    def __init__(self, write):
        super().__init__(write)
        self.db = self.committed_db = -1
        self.batch = BATCH

    def __dealloc__(self):
        release(&self.arguments)
        release(&self.key)

    cdef int command(self, const char *verb, uint64_t arguments) except -1:
        """Open a command of ``arguments`` arguments, its name included."""
        cdef char *at
        self.reserve(32)
        at = self.data + self.size
        at[0] = c"*"
        at += 1
        at += rt_u64_text(arguments, at)
        at[0] = c"\r"
        at[1] = c"\n"
        self.size = at + 2 - self.data
        return self.word(verb)

    cdef int word(self, const char *text) except -1:
        return self.bulk(<Bytes>text, strlen(text))

    cdef int bulk(self, Bytes p, size_t size) except -1:
        cdef char *at
        self.reserve(size + 32 if size < LARGE else 32)
        at = self.data + self.size
        at[0] = c"$"
        at += 1
        at += rt_u64_text(size, at)
        at[0] = c"\r"
        at[1] = c"\n"
        at += 2
        if size < LARGE:
            memcpy(at, p, size)
            at[size] = c"\r"
            at[size + 1] = c"\n"
            self.size = at + size + 2 - self.data
            return 0
        self.size = at - self.data
        self.put(p, size)
        return self.put_text(b"\r\n")

    cdef int bulk_payload(self, Bytes start, size_t start_size, Bytes value, size_t size, int version) except -1:
        """A payload of DUMP (format A15): ``start`` and ``value``, the version, and the checksum of all that."""
        cdef uint8_t footer[FOOTER]
        cdef uint64_t sum
        cdef uint8_t *at
        cdef int i
        footer[0] = <uint8_t>(version & 255)
        footer[1] = <uint8_t>(version >> 8)
        self.put_char(c"$")
        self.put_u64(start_size + size + FOOTER)
        self.put_text(b"\r\n")
        if size < LARGE and start_size < LARGE:
            self.reserve(start_size + size + FOOTER + 2)
            at = <uint8_t *>self.data + self.size
            memcpy(at, start, start_size)
            at += start_size
            if size:                    # memcpy takes no null pointer, not even for nothing
                memcpy(at, value, size)
            at += size
            memcpy(at, footer, 2)
            sum = rt_crc64(0, <Bytes>self.data + self.size, start_size + size + 2)
            for i in range(8):
                at[2 + i] = <uint8_t>(sum >> (8 * i) & 255)
            at[FOOTER] = c"\r"
            at[FOOTER + 1] = c"\n"
            self.size += start_size + size + FOOTER + 2
            return 0
        sum = rt_crc64(rt_crc64(rt_crc64(0, start, start_size), value, size), footer, 2)
        for i in range(8):
            footer[2 + i] = <uint8_t>(sum >> (8 * i) & 255)
        self.put(start, start_size)
        if size:
            self.put(value, size)
        self.put(footer, FOOTER)
        return self.put_text(b"\r\n")

    cdef bytes current_key(self):
        """The key of the current record, of which the words are kept."""
        cdef char *words = <char *>self.key.data
        cdef size_t begin = <char *>memchr(words, c"\n", self.key_size) + 1 - words
        return words[begin:self.key_size - 2]

    cdef int bulk_i64(self, int64_t number) except -1:
        cdef char text[24]
        return self.bulk(<Bytes>text, rt_i64_text(number, text))

    cdef int bulk_u64(self, uint64_t number) except -1:
        cdef char text[24]
        return self.bulk(<Bytes>text, rt_u64_text(number, text))

    cdef int bulk_id(self, uint64_t ms, uint64_t seq) except -1:
        cdef char text[48]
        cdef int size = rt_u64_text(ms, text)
        text[size] = c"-"
        size += 1
        size += rt_u64_text(seq, text + size)
        return self.bulk(<Bytes>text, size)

    cdef int bulk_key(self) except -1:
        return self.put(self.key.data, self.key_size)

    cdef int keep_key(self, Bytes p, size_t size) except -1:
        """Remember the key of the current record."""
        self.filled = 0
        self.argument(p, size)
        grow(&self.key, self.filled)
        memcpy(self.key.data, self.arguments.data, self.filled)
        self.key_size = self.filled
        self.filled = self.count = self.elements = 0
        return 0

    cdef int close_command(self) except -1:
        """Write the current command, if there is one."""
        if self.count:
            self.command(self.verb, self.count + 2)
            self.bulk_key()
            self.put(self.arguments.data, self.filled)
        self.filled = self.count = self.elements = 0
        return 0

    cdef int commit(self) except -1:
        self.committed_db = self.db
        return Encoder.commit(self)

    cdef int rollback(self) noexcept:
        # A SELECT before a record that is rolled back is rolled back with it.
        self.db = self.committed_db
        return Encoder.rollback(self)
