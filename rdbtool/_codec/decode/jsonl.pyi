"""Lines of JSON with a key, told element by element."""

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
    """Tells a sink of the lines with a key in a window; what it declines is for the reader in Python.

    ``number`` is that of the line that was read last, from 1; ``count`` is how many keys there were so far. ``keys`` is
    told of every key, and of no value; ``progress`` is called with offsets, as far as was read. None: nobody asks.
    A line of ``long_line`` bytes and more is read twice, ahead in ``piece`` bytes at once.
    """

    number: int
    long_line: int
    piece: int
    count: int
    keys: Check | None
    progress: Callable[[int], object] | None
    def __init__(self, window: Window) -> None: ...
    def set_codes(self, codes: Mapping[tuple[str, str], int]) -> None:
        """Say which type code stands for a kind and an encoding."""
    def run(self, sink: Sink, selection: Selection | None = None) -> int:
        """Tell ``sink`` of lines until the end, a full sink or a selection that has enough, or a line that is declined.

        Returns ENDED, PAUSED or DECLINED: then the line was not consumed, and the sink has heard nothing of it.
        Raises what filling a window raises, and InputError.
        """
    def take_line(self) -> tuple[int, int, bytes, bool] | None:
        """Consume the next line that is not blank; return (offset, number, its bytes, whether a newline ends it).

        None: there is none. Raises what filling a window raises.
        """
    def is_at_key(self) -> bool:
        """Return whether what follows is a line with a key, as far as it is known without reading all of it.

        Raises what filling a window raises.
        """
    def count_key(self, record: KeyRecord) -> None:
        """Count a record that the reader handled itself, and remember its key."""
    def counts(self) -> tuple[int, int, dict[str, int], dict[int, tuple[int, int]]]:
        """Return (keys, those with an expiry, {kind: keys}, {db: (keys, expires)}) of all lines so far."""
    def line_of(self, start: int) -> int | None:
        """Return the number of the line at an offset, None unless it is one of the last that were read."""
