"""The window over a source: what was read and not yet consumed."""

from collections.abc import Callable

class WindowLimitError(Exception):
    """The window may not grow as far as the item needs."""

class Window:
    """Holds what ``readinto`` (fills a memoryview, 0 at the end) gave and nobody consumed.

    ``crc64(data, previous)`` computes the checksum, ``limit()`` says how many bytes the window may grow
    to, ``size`` is that of the source or -1. ``base`` is the offset of the first byte that ``readinto`` gives.
    ``reread(view, at)`` reads from any offset, without moving; None: the source is read once.
    """

    def __init__(
        self,
        readinto: Callable[[memoryview], int],
        crc64: Callable[[memoryview, int], int],
        limit: Callable[[], int],
        size: int,
        base: int = 0,
        reread: Callable[[memoryview, int], int] | None = None,
    ) -> None: ...
    @property
    def at(self) -> int:
        """Source offset of the item at hand, in bytes."""
    def peek(self, at: int, size: int) -> bytes:
        """Return up to ``size`` bytes at offset ``at`` of the source, fewer only at its end."""
    def left(self, at: int) -> int | None:
        """Return the number of bytes from ``at`` to the end of the source, None where that is unknown."""
    def skip_to(self, at: int) -> None:
        """Consume everything before ``at``, which lies in the window: the reader dealt with it."""
    def drain(self) -> int:
        """Consume the rest of the source and return its size in bytes."""
    def drain_rest(self) -> tuple[int, int, bytes]:
        """Consume the rest of the source; return its size, the NUL bytes it begins with, and what follows those."""
    def restart_checksum(self) -> None:
        """Compute the checksum of what follows from here on, without what was consumed."""
    def forget_checksum(self) -> None:
        """Compute no checksum from here on: what follows has none."""
    def checksum_up_to(self, at: int) -> int:
        """Return the CRC-64 of everything before ``at``, which lies in the window."""
