"""What a stream remembers of idempotent producers."""

from __future__ import annotations


class ProducersData:
    """What a stream remembers of idempotent producers (Redis 8.6): per producer its ids, oldest first, and entries."""

    __slots__ = ("duration_s", "ids_added", "ids_duplicate", "max_entries", "producers")

    def __init__(self, duration_s: int = 100, max_entries: int = 100) -> None:
        self.duration_s = duration_s
        self.max_entries = max_entries
        self.ids_added = 0
        self.ids_duplicate = 0
        self.producers: dict[bytes, dict[bytes, int]] = {}

    def find(self, producer: bytes, name: bytes) -> int | None:
        """Return the entry that a producer added under a name."""
        return self.producers.get(producer, {}).get(name)

    def record(self, producer: bytes, name: bytes, entry_id: int) -> None:
        """Remember an entry; the oldest ones of the producer are forgotten."""
        known = self.producers.setdefault(producer, {})
        known[name] = entry_id
        self.ids_added += 1
        while len(known) > self.max_entries:
            del known[next(iter(known))]

    def copy(self) -> ProducersData:
        """Return the same, sharing nothing changeable."""
        twin = ProducersData(self.duration_s, self.max_entries)
        twin.ids_added = self.ids_added
        twin.ids_duplicate = self.ids_duplicate
        twin.producers = {name: dict(ids) for name, ids in self.producers.items()}
        return twin
