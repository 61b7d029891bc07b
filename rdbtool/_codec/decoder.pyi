"""The decoder: a window over a source, and the loop over what stands in it."""

from collections.abc import Callable

from rdbtool._codec.selection import Selection
from rdbtool._codec.sink import Sink
from rdbtool.model import Item

ENDED: int
PAUSED: int
DECLINED: int
TOO_LARGE: int

class WindowLimit(Exception):
    """The window may not grow as far as the item needs."""

class Decoder:
    """Decodes an RDB from ``readinto`` (a callable that fills a memoryview, 0 at the end) into sinks.

    ``crc64(data, previous)`` computes the checksum, ``window_limit()`` says how many bytes the window
    may grow to, ``size`` is that of the source or -1, ``max_inflate`` bounds an inflated string.
    """

    magic: str
    version: int
    templates: dict[int, tuple[bytes, ...]]
    fork: str | None
    on_item: Callable[[Item], object] | None
    db: int
    pending: tuple[int | None, int | None, int | None, bytes | None]
    pending_start: int
    keys: int
    expires: int
    finished: bool
    def __init__(
        self,
        readinto: Callable[[memoryview], int],
        crc64: Callable[[memoryview, int], int],
        window_limit: Callable[[], int],
        size: int,
        max_inflate: int,
    ) -> None: ...
    @property
    def at(self) -> int:
        """Source offset of the item at hand, in bytes."""
    def read_header(self) -> bool:
        """Read the nine magic bytes and return True, or False where they are not those of a known version."""
    def set_format(self, magic: str, version: int) -> None:
        """Say what the nine bytes at the beginning say; they are consumed."""
    def announce(self, sink: Sink) -> None:
        """Tell a sink what file it is going to hear of."""
    def run(
        self, sink: Sink, selection: Selection | None = None, progress: Callable[[int], object] | None = None
    ) -> int:
        """Decode items into ``sink``; return ENDED, PAUSED, DECLINED or TOO_LARGE."""
    def peek(self, at: int, size: int) -> bytes:
        """Return up to ``size`` bytes at offset ``at`` of the source, fewer only at its end."""
    def left(self, at: int) -> int | None:
        """Return the number of bytes from ``at`` to the end of the source, None where that is unknown."""
    def skip_to(self, at: int) -> None:
        """Consume everything before ``at``, which lies in the window: the reader dealt with it."""
    def drain(self) -> int:
        """Consume the rest of the source and return its size in bytes."""
    def checksum_up_to(self, at: int) -> int:
        """Return the CRC-64 of everything before ``at``, which lies in the window."""
    def counts(self) -> tuple[dict[str, int], dict[int, tuple[int, int]]]:
        """Return ({kind: keys}, {db: (keys, expires)}) of all records so far, selected or not."""
    def count_key(self, kind: str, expires: bool) -> None:
        """Count a record that the reader handled itself."""
    def enter(self, db: int) -> None:
        """Select a db on behalf of an item that the reader handled itself."""
    def finish(self) -> None:
        """Stop: the reader met the end itself."""
