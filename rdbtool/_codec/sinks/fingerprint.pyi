"""Our own fingerprint: 128 bits over everything that a file stores about its keys, in any order."""

from rdbtool._codec.sink import Sink

class Fingerprint(Sink):
    """Adds up 128-bit hashes of all records, functions and module data, independent of their order.

    Two files have the same fingerprint if every key has the same value, expiry, field expiries, stream IDs, groups,
    pending entries, eviction data and metadata. Encodings do not count. ``signed_zeros`` False: nor does the sign of a
    score of -0, which servers sometimes drop.
    """

    keys: int
    def __init__(self, *, signed_zeros: bool = True) -> None: ...
    def hexdigest(self) -> str:
        """Return the fingerprint of what was received so far: 32 hex digits."""
