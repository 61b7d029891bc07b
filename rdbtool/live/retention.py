"""Which of many backups are kept: the newest, or one an hour, a day, a week."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple

_WORD: Final = re.compile(r"(\d{1,6})([hdw])")


class KeepRule(NamedTuple):
    """``newest`` backups, and of each of the last ``hours``, ``days`` and ``weeks`` that have one, the newest."""

    newest: int = 0
    hours: int = 0
    days: int = 0
    weeks: int = 0

    @classmethod
    def parse(cls, text: str | int) -> KeepRule:
        """Return what ``7``, ``24h`` or ``24h,7d,4w`` asks for. Raises ValueError."""
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
        """Return which of the backups, by name with the moment of each, are not kept; oldest first.

        Hours, days and weeks are those of UTC, and only those count that have a backup: what is kept does not vanish
        because nothing new comes.
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
    """Return a moment (Unix seconds) as it stands in the names of backups."""
    return datetime.fromtimestamp(seconds, UTC).strftime(_STAMP)


def read_stamp(text: str) -> datetime | None:
    """Return the moment of a stamp, None for what is none."""
    try:
        return datetime.strptime(text, _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None
