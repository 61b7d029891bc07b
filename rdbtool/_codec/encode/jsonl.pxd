# Lines of JSON, and what other forms share of them.

from libc.stdint cimport uint64_t
from rdbtool._codec.encode.text cimport JsonText
from rdbtool._codec.sink cimport Head

cdef list encoding_names(str magic)
cdef bytes encoding_of(Head *head, list names)

cdef class Jsonl(JsonText):
    cdef bint keys_only
    cdef int binary                 # how strings are written, 0: as each of them can be
    cdef bytes mark                 # that says so
    cdef list encodings             # by type code
    cdef bint values_only
    cdef bint in_expiries           # the list of members that expire is open
    cdef bint in_pending            # the list of pending entries is open
    cdef int in_producers           # 0: none, 1: before the first, 2: inside one
    cdef uint64_t entries           # of the current stream, and the first of them
    cdef uint64_t first_ms
    cdef uint64_t first_seq

    cdef int open_line(self, const char *start) except -1
    cdef int python_text(self, bytes data) except -1
    cdef int number(self, double number) except -1
    cdef int stream_id(self, uint64_t ms, uint64_t seq) except -1
    cdef int open_pending(self) except -1
