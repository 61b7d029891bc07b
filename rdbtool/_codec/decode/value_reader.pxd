# Values: from the bytes after a key to the events of a sink.

from libc.stdint cimport int64_t, uint64_t
from rdbtool._codec.decode.cursor cimport Bytes, Cursor, Limits, Scratch
from rdbtool._codec.sink cimport Sink
from rdbtool._codec.decode.streams cimport StreamReader

cdef void module_name(uint64_t id, char *name) noexcept

cdef class ValueReader:
    cdef bint valkey                # the file's magic: type 22 depends on it
    cdef dict templates             # field names by template ID
    cdef StreamReader streams
    cdef Scratch first
    cdef Scratch second
    cdef Limits *limits             # of the current value
    cdef Bytes mark                 # start of the current row

    cdef int read(self, int code, Cursor *c, Limits *limits, Sink sink) except -1
    cdef bint skip(self, int code, Cursor *c, Limits *limits) except -1
    cdef int skip_module_data(self, Cursor *c, Limits *limits) except -1
    cdef int read_rows(self, int code, Cursor *c, uint64_t *done, uint64_t count, Sink sink) except -1
    cdef int read_strings(self, Cursor *c, Sink sink) except -1
    cdef int read_pairs(self, Cursor *c, Sink sink) except -1
    cdef int read_text_scores(self, Cursor *c, Sink sink) except -1
    cdef int read_scores(self, Cursor *c, Sink sink) except -1
    cdef int read_packed(self, int code, Cursor *c, Sink sink) except -1
    cdef int read_quicklist(self, int code, Cursor *c, Sink sink) except -1
    cdef int read_node(self, int code, Cursor *c, Sink sink) except -1
    cdef int read_expiring_pairs(self, int code, Cursor *c, Sink sink) except -1
    cdef int read_module(self, Cursor *c, Sink sink) except -1
    cdef int read_array(self, Cursor *c, Sink sink) except -1
    cdef int read_template_hash(self, int code, Cursor *c, Sink sink) except -1
    cdef tuple read_template_fields(self, Cursor *c)
