# The base of what receives the sizes of keys, and the names of what it receives.

#: Names of encodings in RAM, as OBJECT ENCODING says them where it does, by ENC_*.
ENCODINGS = (
    "int", "embstr", "raw", "quicklist", "ziplist", "listpack", "listpackex", "intset", "hashtable", "skiplist",
    "stream", "module", "array",
)


cdef class KeyObserver:
    """Receives every key from a ``MemorySink``, and ignores it."""

    cdef int on_key_sizes(self, const KeySizes *row) except -1:
        return 0
