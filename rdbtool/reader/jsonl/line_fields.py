"""The parts that lines of JSON are made of: bytes, whole numbers, rows, members.

Each reader takes what the JSON parser gave and returns what the model wants, or raises ``Refusal``, which does not
know yet where it is: the caller adds the step that led there, so that the way is spelled out only
when something is wrong.
"""

from __future__ import annotations

from collections.abc import Callable

from rdbtool.core.errors import Cause, describe_key
from rdbtool.core.light_typing import Final, TypeVar

_T = TypeVar("_T")

U64_MAX: Final = (1 << 64) - 1
I64_MIN: Final = -(1 << 63)
I64_MAX: Final = (1 << 63) - 1

#: Characters of a number that are quoted.
_SHOWN: Final = 40


class Refusal(Exception):  # noqa: N818 - no error of its own: the reader makes one of it, with the place
    """What is wrong with a line. ``path`` is the way to it from where it was found; ``at`` an offset in characters."""

    def __init__(
        self, code: str, cause: Cause, expected: str, found: str, *, path: str = "", at: int | None = None
    ) -> None:
        super().__init__(expected, found)
        self.code = code
        self.cause = cause
        self.expected = expected
        self.found = found
        self.path = path
        self.at = at

    def within(self, step: str) -> Refusal:
        """Add the step in front that led here."""
        self.path = step + self.path
        return self


def describe_json(value: object) -> str:
    """Return what a value is, in words of JSON."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int | float):
        text = repr(value)
        return f"the number {text}" if len(text) <= _SHOWN else f"the number {text[:_SHOWN]}…"
    if isinstance(value, str):
        return f"the string {quote(value)}"
    if isinstance(value, bytes):
        return f"{len(value)} bytes in base64"
    if isinstance(value, list):
        return f"an array of {len(value)}"
    return "an object"


def quote(text: str) -> str:
    """Return a text of a line between quotes, cut when it is long, with nothing in it that a terminal obeys."""
    return describe_key(text.encode("utf-8", "surrogatepass"), _SHOWN)


def octets(value: object) -> bytes:
    """Return the bytes of a text; base64 became bytes when the line was parsed."""
    if type(value) is str:
        try:
            return value.encode()
        except UnicodeEncodeError:
            raise Refusal("JSN002", "encoding", "whole characters", "half of a surrogate pair") from None
    if type(value) is bytes:
        return value
    raise Refusal("JSN005", "type", 'a string or {"base64": "…"}', describe_json(value))


def raw_octets(value: object) -> bytes:
    """Return bytes that are never text."""
    if type(value) is bytes:
        return value
    raise Refusal("JSN005", "type", 'bytes as {"base64": "…"}', describe_json(value))


def name(value: object) -> str:
    """Return a string that is a name."""
    if type(value) is str:
        return value
    raise Refusal("JSN005", "type", "a string", describe_json(value))


def flag(value: object) -> bool:
    """Return true or false."""
    if type(value) is bool:
        return value
    raise Refusal("JSN005", "type", "true or false", describe_json(value))


def whole(low: int, high: int) -> Callable[[object], int]:
    """Return a reader of whole numbers from ``low`` to ``high``, both included."""

    def read(value: object) -> int:
        if type(value) is not int:
            raise Refusal("JSN005", "type", "a whole number", describe_json(value))
        if not low <= value <= high:
            raise Refusal("JSN006", "range", f"a number from {low} to {high}", describe_json(value))
        return value

    return read


def or_null(read: Callable[[object], _T]) -> Callable[[object], _T | None]:
    """Return a reader that takes null for None."""

    def read_or_null(value: object) -> _T | None:
        return None if value is None else read(value)

    return read_or_null


def each(value: object, read: Callable[[object], _T]) -> list[_T]:
    """Return what ``read`` makes of each element of an array."""
    rows = listed(value)
    done: list[_T] = []
    try:
        for row in rows:
            done.append(read(row))  # noqa: PERF401 - its length shows which element was refused
    except Refusal as refusal:
        raise refusal.within(f"[{len(done)}]") from None
    return done


def each_or_none(read: Callable[[object], _T]) -> Callable[[object], list[_T]]:
    """Return a reader of arrays that takes null for an empty one."""
    return lambda value: [] if value is None else each(value, read)


def listed(value: object) -> list[object]:
    """Return an array."""
    if type(value) is list:
        return value
    raise Refusal("JSN005", "type", "an array", describe_json(value))


def cells(value: object, what: str, least: int, most: int | None = None) -> list[object]:
    """Return an array of so many cells; ``what`` says in words what they are."""
    if type(value) is list and least <= len(value) <= (most or least):
        return value
    raise Refusal("JSN005", "type", f"[{what}]", describe_json(value))


def cell(row: list[object], index: int, read: Callable[[object], _T]) -> _T:
    """Return what ``read`` makes of a cell."""
    try:
        return read(row[index])
    except Refusal as refusal:
        raise refusal.within(f"[{index}]") from None


class Members:
    """An object whose members are known: ``needed`` ones and ``optional`` ones, and no others."""

    def __init__(self, *needed: str, optional: tuple[str, ...] = ()) -> None:
        self._needed = needed
        self._known = frozenset(needed) | frozenset(optional)

    def of(self, value: object) -> dict[str, object]:
        """Return the members of an object by their names."""
        if type(value) is not dict:
            raise Refusal("JSN005", "type", "an object", describe_json(value))
        if not value.keys() <= self._known:
            stray = next(member for member in value if member not in self._known)
            raise Refusal("JSN004", "member", f"one of the members {', '.join(sorted(self._known))}", quote(stray))
        for member in self._needed:
            if member not in value:
                raise Refusal("JSN004", "member", f"the member {quote(member)}", "an object without it")
        return value


def member(row: dict[str, object], key: str, read: Callable[[object], _T]) -> _T:
    """Return what ``read`` makes of a member; one that is missing is read as null."""
    try:
        return read(row.get(key))
    except Refusal as refusal:
        raise refusal.within(f".{key}") from None
