# The base of sinks that hash records: key and value as 128 bits each.

from libc.stdint cimport int64_t, uint64_t, uint8_t
from rdbtool._codec.decode.cursor cimport Bytes
from rdbtool._codec.sink cimport Sink

cdef extern from "hash128.h" nogil:
    ctypedef struct rt_hash128:
        uint64_t a
        uint64_t b
    ctypedef struct rt_hash_pieces:
        pass
    void rt_hash_piece(rt_hash128 *state, rt_hash_pieces *pieces, const uint8_t *p, size_t size)
    void rt_hash_pieces_end(rt_hash128 *state, const rt_hash_pieces *pieces)
    void rt_hash_begin(rt_hash128 *state, uint64_t what)
    void rt_hash_feed(rt_hash128 *state, const uint8_t *p, size_t size)
    void rt_hash_number(rt_hash128 *state, uint64_t v)
    void rt_hash_finish(rt_hash128 *state)
    void rt_hash_add(rt_hash128 *sum, const rt_hash128 *x)
    void rt_hash_add_part(rt_hash128 *sum, rt_hash128 *part)

cdef class Prints(Sink):
    # What counts. Set before the first record.
    cdef bint whole                 # everything that a file stores: expiry, eviction, times and IDs that depend on its writer
    cdef bint signed_zeros          # the sign of a score of -0
    cdef bint field_expiries
    cdef bint encodings

    # The current record. From end_key on, all of it is in: so it is used in `commit`.
    cdef int kind
    cdef rt_hash128 key             # db and name
    cdef rt_hash128 value           # and, if whole, db and name
    cdef rt_hash128 bare            # the value without the counters of a stream
    cdef bint has_counters

    cdef rt_hash_pieces pieces      # of a long string
    cdef rt_hash128 parts           # sum over members that have no order
    cdef rt_hash128 counters        # sum over those of a stream that not every version stores
    cdef rt_hash128 group
    cdef rt_hash128 owned           # sum over consumers and pending entries of the group


cdef inline void hash_key(int64_t db, Bytes key, size_t size, rt_hash128 *hash) noexcept:
    rt_hash_begin(hash, <uint64_t>db)
    rt_hash_feed(hash, key, size)
    rt_hash_finish(hash)
