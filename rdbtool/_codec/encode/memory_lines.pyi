"""Writers of key sizes, one line per key: CSV, whose first columns are those of rdbtools, and JSON."""

from collections.abc import Callable

from rdbtool._codec.sinks.key_rows import WantedKeys

#: The columns of CSV, in order.
COLUMNS: tuple[str, ...]

class MemoryLines(WantedKeys):
    """Writes a line per key, passed to ``write`` in batches; ``close`` flushes the rest."""

    def __init__(self, write: Callable[[bytes], object], least: int = 0, no_ttl: bool = False) -> None: ...
    def close(self) -> None:
        """Write the lines that are still buffered."""

class MemoryCsv(MemoryLines):
    """Comma-separated values. ``raw`` and ``is_terminal``: see ``csv.Cells``."""

    def __init__(
        self,
        write: Callable[[bytes], object],
        least: int = 0,
        no_ttl: bool = False,
        *,
        raw: bool = False,
        is_terminal: bool = False,
    ) -> None: ...

class MemoryJsonl(MemoryLines):
    """One JSON object per line."""
