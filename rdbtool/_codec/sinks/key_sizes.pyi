"""The base class of observers of key sizes, and the names of types and encodings."""

#: Names of encodings in memory, as in OBJECT ENCODING where it has one. The type of a row is an index into
#: ``core.rdb_types.KINDS``, its encoding an index into this tuple.
ENCODINGS: tuple[str, ...]

class KeyObserver:
    """Receives the sizes of every key from a ``MemorySink``; this base class ignores them."""
