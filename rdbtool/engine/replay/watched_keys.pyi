"""The keys that a replay looks for."""

import re
from collections.abc import Iterable

class WatchedKeys:
    """Some ``exact`` keys, and all that match one of ``globs`` (as in KEYS) or in which one of ``patterns`` is found.

    ``key in watched`` says whether a key is one of them. ``has_patterns``: they are not only ``exact`` ones.
    """

    exact: tuple[bytes, ...]
    has_patterns: bool
    def __init__(
        self, exact: Iterable[bytes] = (), *, globs: Iterable[bytes] = (), patterns: Iterable[re.Pattern[bytes]] = ()
    ) -> None: ...
    def __contains__(self, key: bytes) -> bool: ...
    def only(self, keys: Iterable[bytes]) -> list[bytes]:
        """Return those of some keys that are chosen, in their order."""
