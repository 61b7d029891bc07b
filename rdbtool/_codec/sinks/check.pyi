"""The sink that tests what records mean, and flags those that fail."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from rdbtool._codec.sink import Sink
from rdbtool.model import Item

FLAGS: Final[tuple[str, ...]]
FAR_MS: Final[int]
PER_RECORD: Final[int]

class Flagged(NamedTuple):
    """A record that failed a test: ``flag`` is one of FLAGS.

    ``number`` counts keys of the source from 1, ``start`` is the offset of the record, and ``elements`` how
    many it has. ``is_small``: servers keep such a collection packed in memory. ``at`` is the index of the element, -1
    where it is about the whole, or about the group of a stream that ``data`` names. ``data`` and ``inner`` are the
    first bytes of the member, or of the group and the consumer within; ``facts`` are the values at hand,
    numbers or words.
    """

    flag: str
    number: int
    start: int
    db: int
    key: bytes
    kind: str
    type_code: int
    elements: int
    is_small: bool
    at: int
    data: bytes | None
    inner: bytes | None
    facts: tuple[Any, ...]

class Check(Sink):
    """Tests records; ``flagged`` has the first rows, ``counts`` all of them by (flag, type code, small or not).

    Both are complete when the sink is closed. ``modules`` maps the type names of modules' values to how many
    there are and where the first one is: (count, start, db).

    ``on_item`` is called with every item that is no record, before what follows it is tested. ``on_row`` is called with
    every row of a record when that is complete, and may raise: the record is not committed then. What it is told of a
    key that stands twice may come a few keys late. At most 8 rows of a kind are made of one record, and 1000 kept in
    all. Memory: 24 to 36 bytes a key, and as many for each member of the largest collection. ``keys_only``: it is told
    of no values, and flags nothing but keys that stand twice.
    """

    flagged: list[Flagged]
    counts: dict[tuple[str, int, bool], int]
    modules: dict[str, tuple[int, int, int]]
    keys: int
    on_row: Callable[[Flagged], object] | None
    @property
    def recent(self) -> tuple[int, int] | None:
        """Where one of the last few records begins, and its db; None if there is none."""
    def __init__(
        self,
        on_item: Callable[[Item], object] | None = None,
        on_row: Callable[[Flagged], object] | None = None,
        *,
        keys_only: bool = False,
    ) -> None: ...
