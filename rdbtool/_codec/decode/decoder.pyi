"""The decoder: the loop over a file."""

from collections.abc import Callable

from rdbtool._codec.decode.window import Window
from rdbtool._codec.filters.selection import Selection
from rdbtool._codec.sink import Sink
from rdbtool.model import Item

ENDED: int
PAUSED: int
DECLINED: int
TOO_LARGE: int

class Decoder:
    """Decodes the RDB in a window into sinks. ``max_inflate`` limits a decompressed string in bytes."""

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
    embedded: bool
    is_inside: bool
    stops_at_key: bool
    stops_at: int
    def __init__(self, window: Window, max_inflate: int) -> None: ...
    def read_header(self) -> bool:
        """Read the nine magic bytes and return True, or False if they are not those of a known version."""
    def set_format(self, magic: str, version: int) -> None:
        """Set the format from the nine header bytes, which were consumed."""
    def announce(self, sink: Sink) -> None:
        """Send the header to a sink."""
    def run(
        self, sink: Sink, selection: Selection | None = None, progress: Callable[[int], object] | None = None
    ) -> int:
        """Decode items into ``sink``; return ENDED, PAUSED, DECLINED or TOO_LARGE."""
    def counts(self) -> tuple[dict[str, int], dict[int, tuple[int, int]]]:
        """Return ({kind: keys}, {db: (keys, expires)}) of all records so far, selected or not."""
    def is_at_key(self) -> bool:
        """Return whether a key is next."""
    def count_key(self, kind: str, expires: bool) -> None:
        """Count a record that the reader handled itself."""
    def take_counts(self) -> dict[int, tuple[int, int]]:
        """Return {db: (keys, expires)} of all records since the last call; they are not counted again."""
    def enter(self, db: int) -> None:
        """Select a db for an item that the reader handled itself."""
    def tally(self) -> tuple[int, ...]:
        """Return the numbers of records so far: all, those that expire, and those of each kind."""
    def add_tally(self, *numbers: int) -> None:
        """Count records of the current db that another decoder read."""
    def finish(self) -> None:
        """Stop: the reader reached the end itself."""
