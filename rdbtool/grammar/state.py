"""What must be known of a file to read its next item."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from rdbtool.core.limits import limits
from rdbtool.model import Header


@dataclass(slots=True)
class FileState:
    """The state between two items of a file; ``read_item`` updates it.

    ``expire_at_ms``, ``idle_s``, ``freq`` and ``meta`` wait for the next key, and ``pending_start`` is the
    offset of the first opcode that did so. ``records`` counts the keys so far. ``fork`` is set once an
    aux field has named a fork whose type numbers are its own. ``crc_at(stop)`` gives the CRC-64 of the
    file's bytes before offset ``stop``, or None if nobody computed it: then it is not compared.
    ``value_at`` is where the value of the last key begins, behind its key, and ``value_stop`` where it ends, where that
    is not the end of the record: expiries of members follow it.
    ``embedded``: what follows the end mark is not the RDB's business (an AOF): do not count it.
    """

    magic: str
    version: int
    db: int = 0
    expire_at_ms: int | None = None
    idle_s: int | None = None
    freq: int | None = None
    meta: bytes | None = None
    pending_start: int | None = None
    templates: dict[int, tuple[bytes, ...]] = field(default_factory=dict)
    fork: str | None = None
    records: int = 0
    max_inflate: int = field(default_factory=lambda: limits().string)
    crc_at: Callable[[int], int | None] | None = None
    embedded: bool = False
    value_at: int | None = None
    value_stop: int | None = None

    @classmethod
    def of(cls, header: Header) -> FileState:
        """Return the state right after a header."""
        return cls(header.magic, header.version)

    def await_key(self, start: int) -> None:
        """Note that the opcode at ``start`` belongs to the next key."""
        if self.pending_start is None:
            self.pending_start = start

    def forget_pending(self) -> None:
        """Start anew after a key has taken what waited for it."""
        self.expire_at_ms = self.idle_s = self.freq = None
        self.meta = None
        self.pending_start = None
