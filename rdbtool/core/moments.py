"""Points in time: parsing what users write, and formatting for messages.

A time without a zone is local time. Messages that answer a user repeat it with its zone; output for programs ends in Z.
"""

from __future__ import annotations

from rdbtool.core.light_typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


def parse_moment(text: str) -> datetime:
    """Read an ISO 8601 date or time; without a zone it is local time. Raises ValueError."""
    from datetime import datetime  # noqa: PLC0415 - few name a time: a replay starts quickly

    moment = datetime.fromisoformat(text)
    if moment.tzinfo is not None:
        return moment
    try:
        return moment.astimezone()
    except (OverflowError, OSError):
        raise ValueError(f"{text!r} is beyond the calendar of this system") from None


def show_seconds(seconds: int) -> str:
    """Return Unix seconds as ISO 8601 in UTC, or ``ts:SECONDS`` if it is outside the calendar's range."""
    from datetime import UTC, datetime, timedelta  # noqa: PLC0415 - likewise

    try:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    except OverflowError:
        return f"ts:{seconds}"
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
