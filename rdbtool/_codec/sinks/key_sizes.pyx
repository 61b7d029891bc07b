# The base of what is told the sizes of keys, and the names of what it is told.

#: Names of encodings in RAM, as OBJECT ENCODING says them where it does, by ENC_*.
ENCODINGS = (
    "int", "embstr", "raw", "quicklist", "ziplist", "listpack", "listpackex", "intset", "hashtable", "skiplist",
    "stream", "module", "array",
)


cdef class KeyObserver:
    """Is told of every key by a ``MemorySink``, and ignores it."""

    cdef int on_key_sizes(self, const KeySizes *row) except -1:
        return 0
