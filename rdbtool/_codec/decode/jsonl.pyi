"""JSON lines decoder: feeds keys to a sink element by element."""

from collections.abc import Callable, Mapping
from typing import Final

from rdbtool._codec.decode.window import Window
from rdbtool._codec.filters.selection import Selection
from rdbtool._codec.sink import Sink
from rdbtool._codec.sinks.check import Check
from rdbtool.model import KeyRecord

ENDED: Final[int]
PAUSED: Final[int]
DECLINED: Final[int]

class LineDecoder:
    """Feeds a sink with the key lines of a window; lines that it declines are left to the reader in Python.

    ``number`` is that of the last line read, from 1; ``count`` is the number of keys so far. ``keys`` is called with
    every key, without its value; ``progress`` is called with the offset reached; both may be None. A line of
    ``long_line`` bytes or more is read twice, the first time ahead in pieces of ``piece`` bytes.
    """

    number: int
    long_line: int
    piece: int
    count: int
    keys: Check | None
    progress: Callable[[int], object] | None
    def __init__(self, window: Window) -> None: ...
    def set_codes(self, codes: Mapping[tuple[str, str], int]) -> None:
        """Set the type code for each (kind, encoding)."""
    def run(self, sink: Sink, selection: Selection | None = None) -> int:
        """Feed lines to ``sink`` until the end, a pause of the sink, a finished selection, or a declined line.

        Returns ENDED, PAUSED or DECLINED; a declined line is not consumed, and none of it was emitted to the sink.
        Raises the errors of filling the window, and InputError.
        """
    def take_line(self) -> tuple[int, int, bytes, bool, bool] | None:
        """Consume the next line that is not blank.

        Returns (offset, number, its bytes, whether a newline ends it, whether it is cut at a level too many),
        None at the end. Raises the errors of filling the window.
        """
    def is_at_key(self) -> bool:
        """Return whether the next line appears to have a key, without reading all of it.

        Raises the errors of filling the window.
        """
    def count_key(self, record: KeyRecord) -> None:
        """Count a record that the reader decoded itself, and record its key."""
    def counts(self) -> tuple[int, int, dict[str, int], dict[int, tuple[int, int]]]:
        """Return (keys, keys with an expiry, {kind: keys}, {db: (keys, expires)}) of all lines so far."""
    def line_of(self, start: int) -> int | None:
        """Return the number of the line at an offset, None unless it was read recently."""
