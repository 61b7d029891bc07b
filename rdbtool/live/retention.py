"""Retention of backups: keep the newest N, or one per hour, day and week."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from rdbtool.core.light_typing import Final, NamedTuple

_WORD: Final = re.compile(r"(\d{1,6})([hdw])")


class KeepRule(NamedTuple):
    """Keep the ``newest`` backups, and the newest in each of the last ``hours``, ``days`` and ``weeks`` with any."""

    newest: int = 0
    hours: int = 0
    days: int = 0
    weeks: int = 0

    @classmethod
    def parse(cls, text: str | int) -> KeepRule:
        """Parse ``7``, ``24h`` or ``24h,7d,4w``. Raises ValueError."""
        words = str(text).replace(" ", "").split(",")
        if len(words) == 1 and words[0].isdigit() and int(words[0]) > 0:
            return cls(newest=int(words[0]))
        found: dict[str, int] = {}
        for word in words:
            match = _WORD.fullmatch(word)
            if match is None or match[2] in found or int(match[1]) == 0:
                raise ValueError(f"{text!r} is neither a number of backups such as 7 nor times such as 24h,7d,4w")
            found[match[2]] = int(match[1])
        return cls(1, found.get("h", 0), found.get("d", 0), found.get("w", 0))

    def choose(self, backups: Mapping[str, datetime]) -> list[str]:
        """Return the names of the backups to remove, oldest first; ``backups`` maps names to times.

        Hours, days and weeks are in UTC, and only those with a backup count, so old backups are not removed just
        because no new ones are taken.
        """
        ordered = sorted(backups, key=lambda name: (backups[name], name), reverse=True)
        kept = set(ordered[: self.newest])
        for count, form in ((self.hours, "%Y-%m-%d %H"), (self.days, "%Y-%m-%d"), (self.weeks, "%G-%V")):
            kept.update(_newest_of_each(ordered, backups, form, count))
        return [name for name in reversed(ordered) if name not in kept]


def _newest_of_each(ordered: Iterable[str], backups: Mapping[str, datetime], form: str, count: int) -> set[str]:
    found: dict[str, str] = {}
    for name in ordered:
        found.setdefault(backups[name].astimezone(UTC).strftime(form), name)
    return set(list(found.values())[:count])


_STAMP: Final = "%Y-%m-%dT%H-%M-%SZ"


def stamp(seconds: float) -> str:
    """Format a time (Unix seconds) for the names of backups."""
    return datetime.fromtimestamp(seconds, UTC).strftime(_STAMP)


def read_stamp(text: str) -> datetime | None:
    """Parse a time in the format of ``stamp``; None if the text is not one."""
    try:
        return datetime.strptime(text, _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None
