"""Points in time as users write them and as messages name them.

A time without a zone is local time. Messages that answer a user echo it with its zone; what is printed for programs
ends in Z.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def parse_moment(text: str) -> datetime:
    """Read an ISO 8601 date or time; without a zone it is local time. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is not None:
        return moment
    try:
        return moment.astimezone()
    except (OverflowError, OSError):
        raise ValueError(f"{text!r} is beyond the calendar of this system") from None


def show_seconds(seconds: int) -> str:
    """Return Unix seconds as ISO 8601 in UTC, or ``ts:SECONDS`` where no calendar reaches."""
    try:
        moment = _EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        return f"ts:{seconds}"
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
