"""Sizes of keys out, a line a key: CSV, whose first columns are those that rdbtools writes, and JSON."""

from collections.abc import Callable

from rdbtool._codec.sinks.key_rows import WantedKeys

#: The columns of CSV, in their order.
COLUMNS: tuple[str, ...]

class MemoryLines(WantedKeys):
    """A line a key, handed to ``write`` as they add up; ``close`` hands on the rest."""

    def __init__(self, write: Callable[[bytes], object], least: int = 0, no_ttl: bool = False) -> None: ...
    def close(self) -> None:
        """Hand on what was not yet."""

class MemoryCsv(MemoryLines):
    """Comma-separated values. ``spell`` gives the cell of a key that is not written as it is."""

    def __init__(
        self,
        write: Callable[[bytes], object],
        spell: Callable[[bytes], bytes],
        least: int = 0,
        no_ttl: bool = False,
    ) -> None: ...

class MemoryJsonl(MemoryLines):
    """One JSON object a line."""
