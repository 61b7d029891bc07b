"""Keys as comma-separated values."""

from collections.abc import Callable, Iterable

from rdbtool._codec.encode.encoder import Encoder

COLUMNS: tuple[str, ...]

class Cells:
    """Writes cells of texts: as they are if ``raw``, else inert, with those controls that are in ``keep``."""

class Csv(Encoder):
    """A line a key, with its value as JSON. ``raw`` and ``is_terminal``: see ``Cells``."""

    def __init__(self, write: Callable[[bytes], object], *, raw: bool = False, is_terminal: bool = False) -> None: ...

class CsvFields(Encoder):
    """A line a key, with the values of fields of hashes. ``raw`` and ``is_terminal``: see ``Cells``."""

    def __init__(
        self,
        write: Callable[[bytes], object],
        fields: Iterable[bytes],
        *,
        raw: bool = False,
        is_terminal: bool = False,
    ) -> None: ...
