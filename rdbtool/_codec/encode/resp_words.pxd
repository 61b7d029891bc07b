# Commands as RESP: the arguments of a command, and the current command.

from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy
from rdbtool._codec.decode.cursor cimport Bytes, Scratch, grow, rt_u64_text
from rdbtool._codec.encode.encoder cimport Encoder

cdef enum:
    BATCH = 64                  # elements in one command, as servers write them
    BATCH_OCTETS = 1 << 18      # a command whose arguments are larger gets no further ones

cdef bytes payload_of(Bytes start, size_t start_size, Bytes value, size_t size, int version)

cdef class CommandOutput(Encoder):
    cdef int64_t db                 # -1: none was selected
    cdef int64_t committed_db
    cdef uint64_t batch             # maximum elements in the current command
    cdef Scratch arguments          # the arguments of the current command, after the key
    cdef size_t filled
    cdef uint64_t count             # how many they are
    cdef uint64_t elements          # how many elements they make
    cdef Scratch key                # "$n\r\nkey\r\n"
    cdef size_t key_size
    cdef const char *verb           # of the current command

    cdef int command(self, const char *verb, uint64_t arguments) except -1
    cdef int word(self, const char *text) except -1
    cdef int bulk(self, Bytes p, size_t size) except -1
    cdef int bulk_i64(self, int64_t number) except -1
    cdef int bulk_u64(self, uint64_t number) except -1
    cdef int bulk_id(self, uint64_t ms, uint64_t seq) except -1
    cdef int bulk_key(self) except -1
    cdef int keep_key(self, Bytes p, size_t size) except -1
    cdef int close_command(self) except -1
    cdef bytes current_key(self)
    cdef int bulk_payload(self, Bytes start, size_t start_size, Bytes value, size_t size, int version) except -1

    cdef inline int argument(self, Bytes p, size_t size) except -1:
        """Add an argument to the current command."""
        cdef char *at
        grow(&self.arguments, self.filled + size + 32)
        at = <char *>self.arguments.data + self.filled
        at[0] = c"$"
        at += 1
        at += rt_u64_text(size, at)
        at[0] = c"\r"
        at[1] = c"\n"
        memcpy(at + 2, p, size)
        at += size + 2
        at[0] = c"\r"
        at[1] = c"\n"
        self.filled = at + 2 - <char *>self.arguments.data
        self.count += 1
        return 0

    cdef inline int close_when_full(self) except -1:
        self.elements += 1
        if self.elements >= self.batch or self.filled >= BATCH_OCTETS:
            return self.close_command()
        return 0
