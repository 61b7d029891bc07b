"""The state of a file that is needed to read its next item."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from rdbtool.core.limits import limits
from rdbtool.model import Header


@dataclass(slots=True)
class FileState:
    """The state between two items of a file; ``read_item`` updates it.

    ``expire_at_ms``, ``idle_s``, ``freq`` and ``meta`` apply to the next key, and ``pending_start`` is the offset of
    the first of their opcodes. ``records`` counts the keys so far. ``fork`` is set once an aux field has named a fork
    with its own type numbers. ``crc_at(stop)`` returns the CRC-64 of the file's bytes before offset ``stop``, or None
    if it was not computed: then it is not compared. ``value_at`` is where the value of the last key begins, after its
    key, and ``value_stop`` where it ends, if that is not the end of the record: member expiries follow it.
    ``embedded``: what follows the end mark does not belong to the RDB (an AOF): do not count it.
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
        """Return the state directly after a header."""
        return cls(header.magic, header.version)

    def await_key(self, start: int) -> None:
        """Record that the opcode at ``start`` belongs to the next key."""
        if self.pending_start is None:
            self.pending_start = start

    def forget_pending(self) -> None:
        """Reset what applied to the key that was read."""
        self.expire_at_ms = self.idle_s = self.freq = None
        self.meta = None
        self.pending_start = None
