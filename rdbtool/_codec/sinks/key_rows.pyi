"""Rows of keys for Python: all of them, or the largest."""

from typing import TypeAlias

from rdbtool._codec.sinks.key_sizes import KeyObserver

#: db, key, type, encoding, memory, allocated, serialized, elements, largest, expire_at_ms, idle_s, freq, and whether
#: the sizes are only the least that the key takes.
Row: TypeAlias = tuple[int, bytes, str, str, int, int, int, int, int, int | None, int | None, int | None, bool]

class KeyRows(KeyObserver):
    """Keeps a tuple a key in ``rows``; with ``largest`` those of the keys that take the most, the largest first.

    Keys below ``least`` bytes of memory are left out, and with ``no_ttl`` those that expire.
    """

    def __init__(self, largest: int = -1, least: int = 0, no_ttl: bool = False) -> None: ...
    @property
    def rows(self) -> list[Row]:
        """The rows: in the order of the keys, or with ``largest`` the largest first."""

    def take(self) -> list[Row]:
        """Return the rows so far, and forget them."""
