"""Rows of key sizes for Python: all keys or the largest, with filters by size and expiry."""

from typing import TypeAlias

from rdbtool._codec.sinks.key_sizes import KeyObserver

#: db, key, type, encoding, memory, allocated, serialized, elements, largest, expire_at_ms, idle_s, freq, and whether
#: the sizes are only lower bounds.
Row: TypeAlias = tuple[int, bytes, str, str, int, int, int, int, int, int | None, int | None, int | None, bool]

class WantedKeys(KeyObserver):
    """Ignores keys below ``least`` bytes of memory, and with ``no_ttl`` those with an expiry."""

    def __init__(self, least: int = 0, no_ttl: bool = False) -> None: ...

class KeyRows(WantedKeys):
    """Collects a tuple per key in ``rows``; with ``largest`` only those of the N largest keys, largest first.

    With ``batch`` it requests a pause after so many rows.
    """

    def __init__(self, largest: int = -1, least: int = 0, no_ttl: bool = False, batch: int = 0) -> None: ...
    @property
    def rows(self) -> list[Row]:
        """The rows in the order of the keys, or with ``largest`` largest first."""

    def take(self) -> list[Row]:
        """Return the rows so far, and clear them."""

    def emit(self, observer: KeyObserver) -> None:
        """Feed the rows to another observer."""
