"""Notes on arguments that are longer than servers take from clients.

Servers load AOFs with longer ones, so they matter only for commands that are sent.
"""

from __future__ import annotations

from rdbtool.core.errors import Loss
from rdbtool.core.light_typing import Final

_WHAT: Final = "an argument longer than servers take from clients unless proto-max-bulk-len is raised"


class LongArguments:
    """Collects keys with such an argument, once each: ``on_long`` of ``Resp``."""

    def __init__(self) -> None:
        self.notes: list[Loss] = []

    def __call__(self, db: int, key: bytes, _size: int) -> None:
        """Add a key."""
        self.notes.append(Loss(db, key, _WHAT, "note", 1, None))
