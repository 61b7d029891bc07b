"""The consumer groups of a stream. An ID is one int, ``ms << 64 | seq``."""

from __future__ import annotations

from rdbtool.engine.streams.pending import PendingData, PendingEntries


class ConsumerData:
    """A consumer of a group; times are Unix ms, None if unknown."""

    __slots__ = ("active_at_ms", "name", "seen_at_ms")

    def __init__(self, name: bytes, seen_at_ms: int | None = None, active_at_ms: int | None = None) -> None:
        self.name = name
        self.seen_at_ms = seen_at_ms
        self.active_at_ms = active_at_ms


class GroupData:
    """A consumer group; ``entries_read`` is None where the server would not know it."""

    __slots__ = ("consumers", "entries_read", "last_id", "pending")

    def __init__(self, last_id: int, entries_read: int | None = None) -> None:
        self.last_id = last_id
        self.entries_read = entries_read
        self.consumers: dict[bytes, ConsumerData] = {}
        self.pending = PendingEntries()

    def copy(self) -> GroupData:
        """Return a group of the same content that shares nothing changeable."""
        twin = GroupData(self.last_id, self.entries_read)
        for consumer in self.consumers.values():
            twin.consumers[consumer.name] = ConsumerData(consumer.name, consumer.seen_at_ms, consumer.active_at_ms)
        for entry_id, pending in self.pending.items():
            owner = None if pending.consumer is None else twin.consumers[pending.consumer.name]
            twin.pending[entry_id] = PendingData(owner, pending.delivered_at_ms, pending.delivery_count)
        return twin
