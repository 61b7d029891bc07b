"""Which records a sink gets to hear."""

import re
from collections.abc import Collection, Iterable

from rdbtool.model import KeyRecord

def slot_of(key: bytes) -> int:
    """Return the cluster slot (0..16383) of a key."""

class Selection:
    """A filter over keys, decided before the value is handed out.

    ``patterns`` and ``no_patterns`` are searched in the key (one of the first must be found, none of
    the second may be). ``kinds`` are logical types. ``expired``: True only expired keys, False only
    others, by ``now_ms`` (Unix ms). ``slots``: cluster slots, both ends included. ``limit``: take the
    first so many.
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
        """Decide on a finished record as on one that is being read, and count it when it is taken."""
    @property
    def is_full(self) -> bool:
        """True once ``limit`` records were taken: nothing further will be selected."""
