"""IDs of entries as one int each, ``ms << 64 | seq``: what compares and sorts as servers have it; and their fields."""

from __future__ import annotations

from rdbtool.core.light_typing import Final

U64: Final = (1 << 64) - 1
MAX_ID: Final = (1 << 128) - 1

#: (field, value, field, value, …)
Fields = tuple[bytes, ...]


def show_id(entry_id: int) -> bytes:
    """Return the text of an id."""
    return b"%d-%d" % (entry_id >> 64, entry_id & U64)
