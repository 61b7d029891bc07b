"""Rows of keys: which are wanted, and rows for Python: all of them, or the largest."""

from typing import TypeAlias

from rdbtool._codec.sinks.key_sizes import KeyObserver

#: db, key, type, encoding, memory, allocated, serialized, elements, largest, expire_at_ms, idle_s, freq, and whether
#: the sizes are only the least that the key takes.
Row: TypeAlias = tuple[int, bytes, str, str, int, int, int, int, int, int | None, int | None, int | None, bool]

class WantedKeys(KeyObserver):
    """Passes over keys below ``least`` bytes of memory, and with ``no_ttl`` over those that expire."""

    def __init__(self, least: int = 0, no_ttl: bool = False) -> None: ...

class KeyRows(WantedKeys):
    """Keeps a tuple a key in ``rows``; with ``largest`` those of the keys that take the most, the largest first.

    With ``batch`` it asks for a pause after so many rows.
    """

    def __init__(self, largest: int = -1, least: int = 0, no_ttl: bool = False, batch: int = 0) -> None: ...
    @property
    def rows(self) -> list[Row]:
        """The rows: in the order of the keys, or with ``largest`` the largest first."""

    def take(self) -> list[Row]:
        """Return the rows so far, and forget them."""

    def tell(self, observer: KeyObserver) -> None:
        """Tell another observer of the rows."""
