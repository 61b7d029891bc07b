"""Key filters: which records a sink receives."""

import re
from collections.abc import Collection, Iterable

from rdbtool.model import KeyRecord

def slot_of(key: bytes) -> int:
    """Return the cluster slot (0..16383) of a key."""

class Selection:
    """A filter over keys, evaluated before the value is emitted.

    ``patterns`` and ``no_patterns`` are searched for in the key (one of the first must match, none of the second may).
    ``kinds`` are logical types. ``expired``: True only expired keys, False only others, by ``now_ms`` (Unix ms).
    ``slots``: cluster slots, both ends included. ``limit``: maximum number of records.
    """

    patterns: tuple[re.Pattern[bytes], ...]
    no_patterns: tuple[re.Pattern[bytes], ...]
    dbs: frozenset[int]
    no_dbs: frozenset[int]
    taken: int
    def __init__(
        self,
        *,
        patterns: Iterable[re.Pattern[bytes]] = (),
        no_patterns: Iterable[re.Pattern[bytes]] = (),
        kinds: Collection[str] | None = None,
        no_kinds: Collection[str] = (),
        dbs: Iterable[int] = (),
        no_dbs: Iterable[int] = (),
        expired: bool | None = None,
        now_ms: int = 0,
        slots: tuple[int, int] | None = None,
        limit: int | None = None,
    ) -> None: ...
    def take(self, record: KeyRecord) -> bool:
        """Match a finished record like one that is being read, and count it if it matches."""
    @property
    def has_limit(self) -> bool:
        """Whether a number of records is enough."""
    @property
    def is_full(self) -> bool:
        """True once ``limit`` records were selected: no further one will be."""
