"""The window over an input: what was read and not yet consumed."""

from collections.abc import Callable

class WindowLimitError(Exception):
    """The window may not grow to the size that the item needs."""

class Window:
    """Holds what ``readinto`` (fills a memoryview, 0 at the end) returned and was not consumed.

    ``crc64(data, previous)`` computes the checksum, ``limit()`` returns the maximum size of the window in bytes,
    ``size`` is that of the input or -1. ``base`` is the offset of the first byte from ``readinto``. ``reread(view,
    at)`` reads from any offset, without moving; None: the input is read once. ``most`` is the greatest value that
    ``limit`` may ever return, -1: unknown.
    """

    def __init__(
        self,
        readinto: Callable[[memoryview], int],
        crc64: Callable[[memoryview, int], int],
        limit: Callable[[], int],
        size: int,
        base: int = 0,
        reread: Callable[[memoryview, int], int] | None = None,
        most: int = -1,
    ) -> None: ...
    @property
    def at(self) -> int:
        """Input offset of the current item, in bytes."""
    def peek(self, at: int, size: int) -> bytes:
        """Return up to ``size`` bytes at offset ``at`` of the input, fewer only at its end."""
    def left(self, at: int) -> int | None:
        """Return the number of bytes from ``at`` to the end of the input, None if unknown."""
    def skip_to(self, at: int) -> None:
        """Consume everything before ``at``, which is in the window: the reader handled it."""
    checksum: int
    def move(self, at: int, checksum: int, readinto: Callable[[memoryview], int] | None = None) -> None:
        """Go to offset ``at``, where the input, or ``readinto``, reads next; ``checksum`` is that before it."""
    def fill(self, size: int) -> None:
        """Hold exactly ``size`` bytes of the input after a move, fewer only at its end."""
    def drain(self) -> int:
        """Consume the rest of the input and return its size in bytes."""
    def drain_rest(self) -> tuple[int, int, bytes]:
        """Consume the rest of the input; return its size, its leading NUL bytes, and a sample of what follows those."""
    def shrink(self) -> None:
        """Free what a large item needed: nothing more is read for some time."""
    def restart_checksum(self) -> None:
        """Restart the checksum here, without what was consumed."""
    def forget_checksum(self) -> None:
        """Stop computing the checksum: what follows has none."""
    def checksum_up_to(self, at: int) -> int:
        """Return the CRC-64 of everything before ``at``, which is in the window."""
