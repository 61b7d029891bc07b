"""The space that keys take in a file, by kind and encoding, and the largest of them."""

from rdbtool._codec.sink import Sink

class Sizes(Sink):
    """Counts keys, elements and bytes by (kind, encoding), and keeps the ``keep`` largest keys.

    A key's size is that of its record in the file, with key and expiry, in bytes.
    """

    keep: int
    def __init__(self, keep: int = 10) -> None: ...
    def rows(self) -> list[tuple[str, str, int, int, int]]:
        """Return [(kind, encoding, keys, elements, bytes), …], most bytes first."""
    def largest(self) -> list[tuple[int, int, bytes, str, int]]:
        """Return [(bytes, db, key, kind, elements), …] of the largest keys, largest first."""
