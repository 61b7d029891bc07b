"""Places in a log: where a replay stops (``--until``, ``--before``)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import NamedTuple, Self


class Place(NamedTuple):
    """Exactly one of the ways to name a place is set.

    ``time``: stop before the first command whose ``#TS:`` annotation is later (Unix seconds). ``commands``: stop
    after so many commands of the whole log. ``offset``: stop before the command at or behind this offset, in
    bytes, of ``part`` (a number from 1 or a file name; None: the only or last part).
    """

    time: int | None = None
    commands: int | None = None
    offset: int | None = None
    part: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a place as users write it: see the error's text. Raises ValueError."""
        if match := re.fullmatch(r"ts:(\d{1,12})", text):
            return cls(time=int(match[1]))
        if match := re.fullmatch(r"n:(\d{1,18})", text):
            return cls(commands=int(match[1]))
        if match := re.fullmatch(r"at:(?:(.+):)?(\d{1,18}|0x[0-9a-fA-F]{1,15})", text):
            return cls(offset=int(match[2], 0), part=match[1])
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise ValueError(
                f"{text!r} is no place in a log: use an ISO 8601 time, ts:SECONDS, at:OFFSET, at:PART:OFFSET or n:COUNT"
            ) from None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return cls(time=int(moment.timestamp()))
