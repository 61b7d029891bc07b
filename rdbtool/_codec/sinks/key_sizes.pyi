"""The base of what is told the sizes of keys, and the names of what it is told."""

#: Names of encodings in RAM, as OBJECT ENCODING says them where it does. A row's type is an index of
#: ``core.rdb_types.KINDS``, its encoding one of this.
ENCODINGS: tuple[str, ...]

class KeyObserver:
    """Is told of every key by a ``MemorySink``, and ignores it."""
