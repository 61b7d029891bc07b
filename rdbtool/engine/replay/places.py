"""Places in an AOF as users name them: where a replay stops (``--until``, ``--before``) and what it skips."""

from __future__ import annotations

from rdbtool.core.commands import COMMANDS, CONTAINERS, TRANSACTION
from rdbtool.core.light_typing import Final, NamedTuple, Self
from rdbtool.core.moments import parse_moment, show_seconds
from rdbtool.core.patterns import pattern

_TIME: Final = pattern(r"ts:(\d{1,12})")
_COUNT: Final = pattern(r"n:(\d{1,18})")
_OFFSET: Final = pattern(r"at:(?:(.+):)?(\d{1,18}|0x[0-9a-fA-F]{1,15})")
_OF_MODULE: Final = pattern(r"[^\s.]+\.[^\s]+")
_NUMBER: Final = pattern(r"\d{1,18}")

#: Why one of them is not skipped.
NO_SKIP: Final = "cannot be skipped: that would break up its transaction"


class Places(NamedTuple):
    """Where a replay stops, and which commands of the AOF it skips.

    At most one of the first three is given: ``until`` is a place as ``Place.parse`` reads it, ``before`` the name of
    a command to stop before (the first such command), ``before_last`` likewise (the last such command; the file is read
    twice). ``skip`` names commands to skip: the number of one, or a name that exactly one command has.
    """

    until: str | None = None
    before: str | None = None
    before_last: str | None = None
    skip: tuple[str, ...] = ()


class Place(NamedTuple):
    """Exactly one of the ways to name a place is set.

    ``time``: stop before the first command whose ``#TS:`` annotation is later (Unix seconds). ``commands``: stop
    after so many commands of the whole AOF. ``offset``: stop before the command at or after this offset, in
    bytes, of ``part`` (a number from 1 or a file name; None: the only or last part).
    """

    time: int | None = None
    commands: int | None = None
    offset: int | None = None
    part: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a place as users write it: see the error's text. Raises ValueError."""
        if match := _TIME.fullmatch(text):
            return cls(time=int(match[1]))
        if match := _COUNT.fullmatch(text):
            return cls(commands=int(match[1]))
        if match := _OFFSET.fullmatch(text):
            return cls(offset=int(match[2], 0), part=match[1])
        try:
            moment = parse_moment(text)
        except ValueError:
            raise ValueError(
                f"{text!r} is not a valid place in an AOF: use an ISO 8601 time, ts:SECONDS, at:OFFSET, "
                "at:FILE:OFFSET or n:COUNT"
            ) from None
        return cls(time=int(moment.timestamp()))


def describe_place(text: str) -> str:
    """Return a valid place in words, a time with its zone: ``until 2026-11-28T12:00:00+01:00``."""
    place = Place.parse(text)
    if place.time is None:
        return f"until {text}"
    if text.startswith("ts:"):
        return f"until {text} ({show_seconds(place.time)})"
    return f"until {parse_moment(text).isoformat()}"


def command_named(text: str) -> bytes:
    """Return the upper-case name of a command that ``text`` names, such as ``flushall`` or ``xgroup create``.

    Names with a dot are those of modules, which are not known here. Raises ValueError for a name that is no command.
    """
    name = " ".join(text.split()).upper()
    known = {row.decode() for row in (*COMMANDS, *CONTAINERS)}
    if name in known or _OF_MODULE.fullmatch(name):
        return name.encode("utf-8", "surrogateescape")
    from difflib import get_close_matches  # noqa: PLC0415 - for a name that is none only

    near = get_close_matches(name, sorted(known), n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise ValueError(f"{text!r} is not a command{hint}")


def skipped_command(text: str) -> int | bytes:
    """Return the number or the upper-case name of a command to skip. Raises ValueError for what is neither."""
    if _NUMBER.fullmatch(text):
        if int(text) < 1:
            raise ValueError("commands are numbered from 1")
        return int(text)
    name = command_named(text)
    if name in TRANSACTION:
        raise ValueError(f"{name.decode()} {NO_SKIP}")
    return name
