# Commands as RESP: the arguments of a command, and the current command.
#
# The number of arguments precedes them, so arguments are collected and the command is written when it is full.

from rdbtool._codec.decode.cursor cimport release, rt_i64_text


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
        self.put_char(c"*")
        self.put_u64(arguments)
        self.put_text(b"\r\n")
        return self.word(verb)

    cdef int word(self, const char *text) except -1:
        cdef size_t size = 0
        while text[size]:
            size += 1
        return self.bulk(<Bytes>text, size)

    cdef int bulk(self, Bytes p, size_t size) except -1:
        self.put_char(c"$")
        self.put_u64(size)
        self.put_text(b"\r\n")
        self.put(p, size)
        return self.put_text(b"\r\n")

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
