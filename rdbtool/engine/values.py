"""The mutable values of the keyspace.

A key maps to one of: ``bytes`` (string), ``StringData`` (a long string under change), ``ListData``, ``SetData``,
``ZSetData``, ``HashData``, ``StreamData`` (see ``rdbtool.engine.streams``) or the model's ``OpaqueValue`` and
``ArrayValue``. They are thin
subclasses of built-in containers: a log holds millions, and a wrapper object each would double memory.
Sets are dicts with None as value, because a dict takes a third of the room of a set of that size.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque


class StringData(bytearray):
    """A long string that commands change in place (SETBIT, APPEND, PFADD); all others are ``bytes``.

    ``rdbtool.engine.strings`` reads and writes both.
    """

    __slots__ = ()


class ListData(deque[bytes]):
    """A list: elements from head to tail."""

    __slots__ = ()


class SetData(dict[bytes, None]):
    """A set: its members are the keys."""

    __slots__ = ()


class HashData(dict[bytes, bytes]):
    """A hash: field to value. ``expires``: field to Unix ms, for the fields that expire; None without any."""

    __slots__ = ("expires",)

    def __init__(self) -> None:
        super().__init__()
        self.expires: dict[bytes, int] | None = None

    def forget_expiry(self, field: bytes) -> None:
        """Let a field live on for good."""
        if self.expires is not None and self.expires.pop(field, None) is not None and not self.expires:
            self.expires = None


class ZSetData(dict[bytes, float]):
    """A sorted set: member to score. A new one may be filled with ``update``; then use ``put`` and ``discard`` only.

    The order by (score, member bytes) is made when a command first needs it and kept up to date from
    then on, since most sorted sets of a log are only ever added to.
    """

    __slots__ = ("_order",)

    def __init__(self) -> None:
        super().__init__()
        self._order: list[tuple[float, bytes]] | None = None

    @property
    def order(self) -> list[tuple[float, bytes]]:
        """All (score, member), ascending. Do not change it."""
        if self._order is None:
            self._order = sorted((score, member) for member, score in self.items())
        return self._order

    def put(self, member: bytes, score: float) -> None:
        """Add a member, or give it another score."""
        if self._order is not None:
            before = self.get(member)
            if before is not None:
                del self._order[bisect_left(self._order, (before, member))]
            insort(self._order, (score, member))
        self[member] = score

    def discard(self, member: bytes) -> bool:
        """Remove a member; return whether it was there."""
        score = self.pop(member, None)
        if score is None:
            return False
        if self._order is not None:
            del self._order[bisect_left(self._order, (score, member))]
        return True

    def discard_slice(self, start: int, stop: int) -> list[tuple[float, bytes]]:
        """Remove ``order[start:stop]`` at once, and return what was there as (score, member)."""
        gone = self.order[start:stop]
        if gone:
            del self.order[start:stop]
            for _, member in gone:
                del self[member]
        return gone
