"""Writers of keys as comma-separated values."""

from collections.abc import Callable, Iterable

from rdbtool._codec.encode.encoder import Encoder

COLUMNS: tuple[str, ...]

class Cells:
    """Writes text cells: unchanged if ``raw``, else escaped, except for the control characters in ``keep``."""

class Csv(Encoder):
    """Writes a line per key, with its value as JSON. ``raw`` and ``is_terminal``: see ``Cells``."""

    def __init__(self, write: Callable[[bytes], object], *, raw: bool = False, is_terminal: bool = False) -> None: ...

class CsvFields(Encoder):
    """Writes a line per key, with the values of hash fields. ``raw`` and ``is_terminal``: see ``Cells``."""

    def __init__(
        self,
        write: Callable[[bytes], object],
        fields: Iterable[bytes],
        *,
        raw: bool = False,
        is_terminal: bool = False,
    ) -> None: ...
