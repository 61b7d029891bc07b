"""Whose rules: a server family and version, as users name it (``redis-7.0``, ``valkey-9``)."""

from __future__ import annotations

import re
from typing import Final, NamedTuple, Self

#: What applies where a source does not name its writer.
DEFAULT: Final = "redis-7.2"

_FORM: Final = re.compile(r"(redis|valkey)-(\d{1,3})(?:\.(\d{1,3}))?(?:\.\d{1,3})?")


class Rules(NamedTuple):
    """A server whose behaviour applies: family ``redis`` or ``valkey``, and its version."""

    family: str
    major: int
    minor: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``redis-7.0``, ``redis-7.0.15`` or ``valkey-9``. Raises ValueError for anything else."""
        match = _FORM.fullmatch(text.strip().lower())
        if match is None:
            raise ValueError(f"{text!r} is not a server such as redis-7.0 or valkey-9")
        return cls(match[1], int(match[2]), int(match[3] or 0))

    def has(self, redis: tuple[int, int] | None, valkey: tuple[int, int] | None = (7, 2)) -> bool:
        """Return whether this server has what Redis has since one release and Valkey since another; None: never."""
        since = redis if self.family == "redis" else valkey
        return since is not None and (self.major, self.minor) >= since

    @property
    def has_shortest_doubles(self) -> bool:
        """Doubles as text are the shortest that read back (format F5), not C's ``%.17g``."""
        return (self.family == "valkey" and self.major >= 8) or (self.major, self.minor) >= (7, 2)

    @property
    def marks_field_expiry(self) -> bool:
        """The dataset digest counts whether a hash field has an expiry (format F6)."""
        return self.family == "redis" and (self.major, self.minor) >= (7, 4)

    @property
    def hides_expired_fields(self) -> bool:
        """The dataset digest leaves out hash fields that have expired (format F6)."""
        return self.family == "valkey" and self.major >= 9

    def __str__(self) -> str:
        return f"{self.family}-{self.major}.{self.minor}"
