"""Fingerprints per key: compare two datasets without holding either."""

from collections.abc import Iterable

from rdbtool._codec.filters.selection import Selection
from rdbtool._codec.sink import Sink
from rdbtool.model import ModuleAux

#: The states of a key. HELD: one that differs, whose first record is held for comparing.
REMOVED: int
SAME: int
CHANGED: int
ADDED: int
HELD: int

class KeyTable:
    """The states of the keys of two datasets, in 41 to 47 bytes each (52 while it grows).

    Beyond ``table_memory`` rows are put aside in temporary files, in 40 bytes, 80 if it is a stream. They are compared
    by ``settle``; until then nothing is known of any key. Then the table has the keys that differ. Raises InputError
    if a file cannot be written.
    """

    def __len__(self) -> int: ...
    def __sizeof__(self) -> int: ...
    @property
    def counts(self) -> tuple[int, int, int, int, int]:
        """The numbers of keys: removed, same, changed, added, held."""
    @property
    def same(self) -> int:
        """The number of keys that are equal in both, of those that ``matching`` matches."""
    def settle(self, tolerance_ms: int) -> tuple[tuple[int, int] | None, tuple[int, int] | None]:
        """Compare what was put aside; return of each dataset the hash of the first duplicate there, None: none is."""
    def state(self, db: int, key: bytes) -> int:
        """Return the state of a key that one of the datasets has. Raises KeyError."""
    def mark(self, db: int, key: bytes, state: int) -> None:
        """Set the state of a key that one of the datasets has. Raises KeyError."""

class KeyPrints(Sink):
    """Receives one of two datasets: the first fills ``table``, the second (``second``) is compared with it.

    ``field_expiries``, ``encodings``: whether these count. ``tolerance_ms``: the tolerance for expiries of keys, -1:
    ignore them. ``matching`` selects the keys counted as equal. Afterwards: ``keys`` is their number, ``twice``
    is (db, key) of the first duplicate key unless rows were put aside, ``modules`` is the module data outside the keys.
    The last keys are looked up when it is closed.
    """

    keys: int
    twice: tuple[int, bytes] | None
    modules: list[ModuleAux]
    def __init__(
        self,
        table: KeyTable,
        *,
        second: bool,
        field_expiries: bool = True,
        encodings: bool = False,
        tolerance_ms: int = 0,
        matching: Selection | None = None,
    ) -> None: ...

class InState(Selection):
    """Matches the keys whose state in ``table`` is one of ``states``: for reading a valid dataset again.

    ``second``: they are read in the order of the second dataset, else in that of the first. Any other is only slower.
    """

    def __init__(self, table: KeyTable, states: Iterable[int], *, second: bool = False) -> None: ...

class WithHash(Selection):
    """Matches the key with a ``hash``, as ``KeyTable.settle`` returns it."""

    def __init__(self, hash: tuple[int, int]) -> None: ...
