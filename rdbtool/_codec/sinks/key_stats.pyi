"""Memory statistics from one row per key, in bounded memory."""

from typing import TypeAlias

from rdbtool._codec.sinks.key_sizes import KeyObserver

NEW: int
OLD: int
LOOK: int

#: The sizes of a key: (db, key, key length, type, encoding, memory, allocated, serialized, elements, largest,
#: expiry in Unix ms or -1). The key may be truncated.
Largest: TypeAlias = tuple[int, bytes, int, int, int, int, int, int, int, int, int]

#: (parent, depth, path, token, is folded, is late, keys, memory, allocated, keys without expiry, their memory, p99,
#: max, old keys, old memory, children, names folded below it, keys that end here). ``parent`` is an index, -1 at the
#: root.
Branch: TypeAlias = tuple[
    int, int, bytes, bytes, bool, bool, int, int, int, int, int, int, int, int, int, int, int, int
]  # fmt: skip

#: (db, key, key length, type, memory, old memory, elements, old elements, sides: 1 now, 2 before, 3 both).
Changed: TypeAlias = tuple[int, bytes, int, int, int, int, int, int, int]

class KeyStats(KeyObserver):
    """Counts keys by prefix, type, database, expiry and size, and keeps the ``top`` largest.

    ``side`` is the origin of the current keys: NEW, then OLD (an older dataset, counted by prefix and type only), then
    LOOK (those of NEW again, if ``unseen`` is not 0). ``separators`` are bytes that split keys into tokens, None: they
    are guessed from the first 16,384 keys, node by node; ``depth`` is the number of tokens to use (0: 16); only keys
    that begin with ``prefix`` count. ``limits`` maps (type, encoding) to the limits (elements, bytes of an element) of
    the compact encoding. ``budget`` is the most bytes that the tree may use.

    ``above_memory`` and ``above_elements`` count keys with more than ``most_memory`` and ``most_elements`` (0: none).

    ``at_least`` counts keys of which only a lower bound is known, such as module values.

    A node of the tree counts exactly the keys that begin with its path, unless it is late. The token ``*`` represents
    numbers, UUIDs, hex and long tokens, and in a node with folded names all names without a node.
    """

    side: int
    rows: int
    missed: int
    most_memory: int
    most_elements: int
    above_memory: int
    above_elements: int
    at_least: int
    prefix: bytes
    def __init__(
        self,
        now_ms: int = 0,
        top: int = 10,
        separators: bytes | None = None,
        depth: int = 0,
        prefix: bytes = b"",
        slots: bool = False,
        big_bytes: int = 0,
        limits: dict[tuple[int, int], tuple[int, int]] | None = None,
        budget: int = 41943040,
    ) -> None: ...
    def add(
        self,
        db: int,
        key: bytes,
        type: int = 0,
        encoding: int = 0,
        memory: int = 0,
        allocated: int = 0,
        serialized: int = 0,
        elements: int = 1,
        largest: int = 0,
        expire_at_ms: int = -1,
        idle_s: int = -1,
        freq: int = -1,
        flags: int = 0,
    ) -> None:
        """Count a key, with the values that a ``MemorySink`` emits."""
    def end_side(self) -> None:
        """End the current side; separators that are still undecided are guessed."""
    def branches(self, limit: int = 2000) -> list[Branch]:
        """Return the ``limit`` largest nodes of the tree, parents before children.

        p99 is the nearest rank, rounded up to the end of its bucket: at most 1/16 too large, and never above max.
        """
    def largest(self, by: int = 0) -> list[Largest]:
        """Return the largest keys, by memory (0), elements (1) or bytes of the largest element (2)."""
    def changed(self) -> list[Changed]:
        """Return the keys of at least ``big_bytes`` on one side whose memory differs on the other."""
    def unseen(self) -> int:
        """Return how many keys were large before and are now smaller or missing; if any, read NEW again as LOOK."""
    def cells_of(self) -> list[tuple[int, int, dict[str, int]]]:
        """Return [(type, encoding, counts), …]."""
    def expiry_counts(self) -> list[tuple[int, int]]:
        """Return [(keys, memory), …]: never, past, within an hour, a day, a week, 30 days, later."""
    def size_counts(self) -> list[tuple[int, int, int]]:
        """Return [(n, keys, memory), …]: keys of at least 2**n bytes and less than twice as many."""
    def quantile(self, share: float, most: int) -> int:
        """Return a quantile of the memory of a key; ``most`` is the memory of the largest one.

        It is as exact as p99 of ``branches``.
        """
    def idle_counts(self) -> list[tuple[int, int]]:
        """Return [(keys, memory), …]: idle below an hour, a day, a week, 30 days, longer."""
    def freq_counts(self) -> list[tuple[int, int, int]]:
        """Return [(LFU counter, keys, memory), …]."""
    def slot_counts(self) -> list[tuple[int, int, int]]:
        """Return [(slot, keys, memory), …], empty unless slots were asked for."""
    def db_counts(self) -> list[tuple[int, int, int, int, int]]:
        """Return [(db, keys, keys with an expiry, memory, allocated), …]; db -1 for those after 2,048."""
    def tree_counts(self) -> tuple[int, int, int]:
        """Return (nodes, their size in bytes, folded names)."""
