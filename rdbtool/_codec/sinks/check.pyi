"""The sink that checks the meaning of records, and flags faults."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from rdbtool._codec.sink import Sink
from rdbtool.model import Item

FLAGS: Final[tuple[str, ...]]
FAR_MS: Final[int]
PER_RECORD: Final[int]

class Flagged(NamedTuple):
    """A record with a fault: ``flag`` is one of FLAGS.

    ``number`` counts keys of the source from 1, ``start`` is the offset of the record, and ``elements`` its number of
    elements. ``is_small``: servers keep such a collection packed in memory. ``at`` is the index of the element, -1 if
    it is about the whole, or about the stream group in ``data``. ``data`` and ``inner`` are the first bytes of the
    member, or of the group and the consumer within; ``facts`` are the values found, numbers or words.
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
    """Checks records; ``flagged`` has the first rows, ``counts`` all of them by (flag, type code, small or not).

    Both are complete when the sink is closed. ``modules`` maps the type names of module values to their number and the
    first one: (count, start, db).

    ``on_item`` is called with every item that is not a record, before what follows it is checked. ``on_row`` is called
    with every row of a record when that is complete, and may raise: the record is not committed then. A duplicate key
    may be reported a few keys late, or when the sink is closed, if the table of keys would exceed its memory. At most 8
    rows of a kind are made of one record, and 1000 kept in all, in the order of the records when the sink is closed.
    Memory: 17 to 22 bytes per key up to ``table_memory``, beyond it 24 bytes per key on disk; and 9 to 12 for each
    member of the largest collection. ``keys_only``: values are not received, and only duplicate keys are reported.
    ``duplicates`` False: keys, members and fields are not looked up, for callers that compare all of them with data
    that has none twice. ``size``: that of the input in bytes, None if unknown; the table then grows less often where no
    keys are announced.
    Raises InputError if a temporary file cannot be written.
    """

    flagged: list[Flagged]
    counts: dict[tuple[str, int, bool], int]
    modules: dict[str, tuple[int, int, int]]
    keys: int
    on_row: Callable[[Flagged], object] | None
    @property
    def recent(self) -> tuple[int, int] | None:
        """Return the offset and db of one of the last few records; None if there is none."""
    def take_tally(self) -> tuple[int, list[int]]:
        """Return how many elements the collections since the last call have, and the type codes of the records.

        Only a file has type codes: they mean nothing for records from elsewhere.
        """
    def __init__(
        self,
        on_item: Callable[[Item], object] | None = None,
        on_row: Callable[[Flagged], object] | None = None,
        *,
        keys_only: bool = False,
        duplicates: bool = True,
        size: int | None = None,
    ) -> None: ...
