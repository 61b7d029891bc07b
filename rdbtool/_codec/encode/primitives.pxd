# Building blocks of the RDB writer: lengths, strings, and packed encodings, into growing buffers.

from libc.stdint cimport int64_t, uint32_t, uint64_t, uint8_t
from rdbtool._codec.decode.cursor cimport Bytes, Scratch, grow

cdef extern from "lzf.h" nogil:
    ctypedef struct rt_lzf_table:
        uint32_t base
    ctypedef struct rt_lzf_packing:
        size_t ip
        size_t made
        bint fails
    bint rt_lzf_begin(rt_lzf_packing *packing, const uint8_t *data, size_t size, size_t room, rt_lzf_table *table)
    size_t rt_lzf_pack(rt_lzf_packing *packing, uint8_t *out, size_t size)
    size_t rt_lzf_deflate(const uint8_t *data, size_t size, uint8_t *out, size_t room, rt_lzf_table *table)

# What the target supports.
cdef struct Form:
    int level               # the RDB version whose forms apply; Valkey's own numbering counts as 11
    bint valkey
    bint large_alone        # a list element above the limit of a node has a node of its own, unpacked
    rt_lzf_table *table     # NULL: nothing is compressed

cdef struct Buffer:
    Scratch scratch
    size_t size

cdef inline uint8_t *room(Buffer *buffer, size_t more) except NULL:
    """Make room for `more` bytes and return where they go; the caller adds to `size`."""
    if buffer.size + more > buffer.scratch.capacity:
        grow(&buffer.scratch, buffer.size + more)
    return buffer.scratch.data + buffer.size

cdef int refuse(str what) except -1
cdef void trim(Buffer *buffer) noexcept
cdef int put_byte(Buffer *buffer, uint8_t byte) except -1
cdef int put_bytes(Buffer *buffer, const void *p, size_t size) except -1
cdef int put_le(Buffer *buffer, uint64_t number, int width) except -1
cdef int put_be64(Buffer *buffer, uint64_t number) except -1
cdef int put_length(Buffer *buffer, uint64_t number) except -1
cdef int put_string(Buffer *buffer, Bytes p, size_t size, rt_lzf_table *table) except -1
cdef int put_blob(Buffer *buffer, Bytes p, size_t size, rt_lzf_table *table) except -1

cdef Bytes skip_string(Bytes p) noexcept
cdef bint whole_score(double score, int64_t *whole, int level) noexcept
cdef int score_text(double score, char *out, int level) except -1

cdef int begin_listpack(Buffer *buffer) except -1
cdef int put_entry(Buffer *buffer, Bytes p, size_t size) except -1
cdef int put_entry_int(Buffer *buffer, int64_t number) except -1
cdef int end_listpack(Buffer *buffer, size_t start, uint64_t count) except -1

cdef struct Ziplist:
    Buffer buffer
    size_t last                 # offset of the last entry
    size_t previous             # its size
    uint64_t count
    bint narrow                 # numbers only as 16, 32 or 64 bits, for servers before 2.6

cdef int begin_ziplist(Ziplist *ziplist) except -1
cdef int put_ziplist_entry(Ziplist *ziplist, Bytes p, size_t size) except -1
cdef int end_ziplist(Ziplist *ziplist) except -1
