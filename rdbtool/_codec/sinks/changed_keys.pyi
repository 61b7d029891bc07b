"""The keys that differ: received from both datasets, brought together, compared, and written."""

from collections.abc import Callable

from rdbtool._codec.encode.diff_lines import DiffLines
from rdbtool._codec.filters.filter import Filter
from rdbtool._codec.filters.selection import Selection
from rdbtool._codec.sinks.key_table import InState, KeyTable
from rdbtool.model import KeyRecord

class ChangedKeys:
    """What is held of the first dataset's keys until the second one's are received.

    The frequent differences are written to ``lines``. Records of others go to ``compare(first, second)``, None: that
    side has no such key, which returns the lines of the key, None: both are equal. ``most`` is the weight of what
    may be held. ``most_edits`` and ``most_steps`` are limits on comparing lists (``list_hunks``). ``tolerance_ms`` is
    that for expiries; ``matching`` selects keys by either side.
    """

    #: Keys so far, and those that turned out equal.
    added: int
    removed: int
    changed: int
    alike: int
    #: Keys of the first dataset that the second one has not come to.
    held: int
    def __init__(
        self,
        table: KeyTable,
        lines: DiffLines,
        *,
        compare: Callable[[KeyRecord | None, KeyRecord | None], str | None],
        most: int,
        most_edits: int,
        most_steps: int,
        tolerance_ms: int,
        matching: Selection | None,
    ) -> None: ...
    def forget(self) -> None:
        """Give back the memory for keys that were held."""

class FirstSide(Filter):
    """Receives the keys of the first dataset that ``selection`` matches: writes those removed, holds those changed."""

    def __init__(self, keys: ChangedKeys, selection: InState) -> None: ...

class SecondSide(Filter):
    """Receives the keys of the second dataset that ``selection`` matches: those added, and those held."""

    def __init__(self, keys: ChangedKeys, selection: InState) -> None: ...
