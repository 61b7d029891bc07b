# What the memory sink says of a key, and the interface of its receivers.

from libc.stdint cimport int64_t, uint64_t

# Encodings in RAM after a load; their names are in `key_sizes.ENCODINGS`, in this order.
cdef enum:
    ENC_INT = 0
    ENC_EMBSTR = 1
    ENC_RAW = 2
    ENC_QUICKLIST = 3
    ENC_ZIPLIST = 4
    ENC_LISTPACK = 5
    ENC_LISTPACK_EX = 6
    ENC_INTSET = 7
    ENC_HASHTABLE = 8
    ENC_SKIPLIST = 9
    ENC_STREAM = 10
    ENC_MODULE = 11
    ENC_ARRAY = 12
    ENC_COUNT = 13

cdef enum:
    SIZES_AT_LEAST = 1      # of `flags`: a value of which only a lower bound is known

cdef struct KeySizes:
    int db
    const char *key
    Py_ssize_t key_length
    int type                # KIND_*
    int encoding            # ENC_*
    uint64_t memory         # what MEMORY USAGE answers
    uint64_t allocated      # what malloc gives
    uint64_t serialized     # bytes of the record in the file
    uint64_t elements       # a string counts as one
    uint64_t largest        # bytes of the largest element
    int64_t expire_at_ms    # -1: none
    int64_t idle_s          # -1: none
    int freq                # -1: none
    int flags               # SIZES_*

cdef class KeyObserver:
    # 1: the observer asks for a pause
    cdef int on_key_sizes(self, const KeySizes *row) except -1
