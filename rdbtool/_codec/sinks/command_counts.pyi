"""Commands of an AOF counted by name and by the keys they name, in bounded memory."""

from array import array
from collections.abc import Callable, Sequence

from rdbtool._codec.sinks.key_sizes import KeyObserver

class HotKeys:
    """Counts keys, and drops the less frequent half when there are more than ``room`` (Misra-Gries)."""

    def __init__(self, room: int) -> None: ...
    def add(self, db: int, key: bytes) -> None:
        """Count a key once."""

    def hottest(self, number: int) -> list[tuple[int, bytes, int, int]]:
        """Return (db, key, commands, how many more there may be) of the keys with most commands, most first."""

class Calls:
    """How often a command was called, and the bytes of that."""

    calls: int
    size: int

class CommandCounts:
    """Counts commands. ``tree`` (KeyStats) takes the first key that each names, ``keys`` all of them.

    ``look_up(argv)`` returns the Calls to which a command counts and the keys that it names, and keeps ``db`` up to
    date. What it puts into ``plain`` by a name as it is written has one key in front, and is not looked up again.
    """

    total: Calls
    plain: dict[bytes, Calls]
    keys: HotKeys
    db: int
    def __init__(
        self,
        tree: KeyObserver,
        keys: HotKeys,
        look_up: Callable[[tuple[bytes, ...]], tuple[Calls, Sequence[bytes]]],
    ) -> None: ...
    def count(
        self, argvs: Sequence[tuple[bytes, ...]], offsets: array[int], begin: int, end: int, minute: Calls | None
    ) -> None:
        """Count ``argvs[begin:end]``, of which ``offsets`` (int64, and that of the end) has the places in the AOF."""
