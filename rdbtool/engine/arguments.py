"""Reading arguments as servers do: strict numbers, and ranges over a sorted set.

Ranges by rank, score or member are parsed once and become ``(start, stop)``, a slice of ``ZSetData.order``; an empty
range has ``start >= stop``. Their scores are read with C's strtod, which is more lenient than the arguments of ZADD: it
takes leading white space, an empty text (0), overflow to infinity, and stops at a NUL byte.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from operator import itemgetter

from rdbtool.core.light_typing import Final, NamedTuple
from rdbtool.core.patterns import pattern
from rdbtool.core.servers import Rules
from rdbtool.engine.command_errors import NOT_A_FLOAT, NOT_AN_INTEGER, CommandError

INT32_MIN: Final = -(1 << 31)
INT32_MAX: Final = (1 << 31) - 1
INT64_MIN: Final = -(1 << 63)
INT64_MAX: Final = (1 << 63) - 1

_INTEGER: Final = pattern(rb"-?[1-9][0-9]{0,18}|0")
_FLOAT: Final = pattern(rb"(?i)[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|inf|infinity)")
_HEX_FLOAT: Final = pattern(rb"(?i)[+-]?0x(?:[0-9a-f]+\.?[0-9a-f]*|\.[0-9a-f]+)(?:p[+-]?\d+)?")


def parse_int(text: bytes, error: str = NOT_AN_INTEGER) -> int:
    """Return a canonical int64 (no plus, no leading zeros, no spaces). Raises CommandError."""
    if _INTEGER.fullmatch(text) is not None:
        number = int(text)
        if INT64_MIN <= number <= INT64_MAX:
            return number
    raise CommandError(error)


def is_int(text: bytes) -> bool:
    """Whether ``parse_int`` takes the text."""
    return _INTEGER.fullmatch(text) is not None and INT64_MIN <= int(text) <= INT64_MAX


def parse_float(text: bytes, error: str = NOT_A_FLOAT, *, allow_hex: bool = True) -> float:
    """Return a finite or infinite double as servers read it. NaN, overflow and underflow raise CommandError.

    ``allow_hex``: C's hexadecimal form, which Redis takes and Valkey 9.1 does not.
    """
    if _FLOAT.fullmatch(text) is not None:
        number = float(text)
    elif allow_hex and _HEX_FLOAT.fullmatch(text) is not None:
        try:
            number = float.fromhex(text.decode("ascii"))
        except OverflowError:
            raise CommandError(error) from None
    else:
        raise CommandError(error)
    letters = text.lower()
    if number in (float("inf"), float("-inf")) and b"inf" not in letters:
        raise CommandError(error)
    digits, exponent = (b"123456789abcdef", b"p") if b"x" in letters else (b"123456789", b"e")
    if number == 0 and any(digit in digits for digit in letters.split(exponent)[0]):
        raise CommandError(error)
    return number


NOT_A_SCORE_RANGE: Final = "ERR min or max is not a float"
NOT_A_LEX_RANGE: Final = "ERR min or max not valid string range item"
MUST_BE_POSITIVE: Final = "ERR value is out of range, must be positive"

Order = Sequence[tuple[float, bytes]]

_DECIMAL: Final = pattern(rb"(?i)[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|inf(?:inity)?)")
_HEXADECIMAL: Final = pattern(rb"(?i)[+-]?0x(?:[0-9a-f]+\.?[0-9a-f]*|\.[0-9a-f]+)(?:p[+-]?\d+)?")
_SPACE: Final = b" \t\n\v\f\r"

_score_of: Final = itemgetter(0)
_member_of: Final = itemgetter(1)


def takes_hex(rules: Rules) -> bool:
    """Whether a server reads C's hexadecimal doubles in scores and the like; Valkey stopped with 9.1."""
    return not rules.has(None, (9, 1))


def read_double(text: bytes, rules: Rules) -> float | None:
    """Return what strtod makes of a whole text, None where it leaves a rest or makes NaN.

    Redis 8.0 and Valkey 9.1 replaced it here, so that hexadecimal forms and leading white space make None.
    """
    text = text.split(b"\0", 1)[0]
    if not text:
        return 0.0
    lenient = not rules.has((8, 0), (9, 1))
    number = text.lstrip(_SPACE) if lenient else text
    if _DECIMAL.fullmatch(number) is not None:
        return float(number)
    if lenient and _HEXADECIMAL.fullmatch(number) is not None:
        try:
            return float.fromhex(number.decode("ascii"))
        except OverflowError:
            return float("-inf") if number.startswith(b"-") else float("inf")
    return None


def parse_number(text: bytes, rules: Rules, error: str = NOT_A_FLOAT) -> float:
    """Return a score, a weight or a coordinate. Raises CommandError."""
    if not rules.has((4, 0)):
        # What strtod saw: nothing after a NUL, and zero where there was nothing.
        text = text.split(b"\0", 1)[0] or b"0"
    return parse_float(text, error, allow_hex=takes_hex(rules))


def parse_count(text: bytes, low: int = 0, error: str = MUST_BE_POSITIVE) -> int:
    """Return an integer of at least ``low``. Raises CommandError."""
    number = parse_int(text, error)
    if number < low:
        raise CommandError(error)
    return number


class ScoreRange(NamedTuple):
    """Scores from ``low`` to ``high``; an open end does not belong to the range."""

    low: float
    high: float
    low_open: bool
    high_open: bool

    @classmethod
    def parse(cls, low: bytes, high: bytes, rules: Rules) -> ScoreRange:
        """Read ``1.5``, ``(1.5`` or ``-inf``. Raises CommandError."""
        low_open, high_open = low[:1] == b"(", high[:1] == b"("
        first = read_double(low[low_open:], rules)
        last = read_double(high[high_open:], rules)
        if first is None or last is None:
            raise CommandError(NOT_A_SCORE_RANGE)
        return cls(first, last, low_open, high_open)

    def find(self, order: Order) -> tuple[int, int]:
        """Return the slice of a sorted set that is in the range."""
        start = (bisect_right if self.low_open else bisect_left)(order, self.low, key=_score_of)
        stop = (bisect_left if self.high_open else bisect_right)(order, self.high, key=_score_of)
        return start, stop


class LexBound(NamedTuple):
    """One end of a range of members: ``side`` is -1 for ``-``, 1 for ``+``, 0 for a member."""

    side: int
    member: bytes
    is_open: bool

    @classmethod
    def parse(cls, text: bytes) -> LexBound:
        """Read ``-``, ``+``, ``[member`` or ``(member``. Raises CommandError."""
        kind, rest = text[:1], text[1:]
        if kind in (b"-", b"+") and rest[:1] in (b"", b"\0"):
            return cls(1 if kind == b"+" else -1, b"", is_open=True)
        if kind in (b"(", b"["):
            return cls(0, rest, is_open=kind == b"(")
        raise CommandError(NOT_A_LEX_RANGE)

    def is_before(self, member: bytes) -> bool:
        """Whether a range that begins here can hold the member."""
        if self.side:
            return self.side < 0
        return member > self.member or (member == self.member and not self.is_open)

    def is_after(self, member: bytes) -> bool:
        """Whether a range that ends here can hold the member."""
        if self.side:
            return self.side > 0
        return member < self.member or (member == self.member and not self.is_open)


class LexRange(NamedTuple):
    """Members from ``low`` to ``high``, meant for sorted sets whose scores are all the same."""

    low: LexBound
    high: LexBound

    @classmethod
    def parse(cls, low: bytes, high: bytes) -> LexRange:
        """Read both ends. Raises CommandError."""
        return cls(LexBound.parse(low), LexBound.parse(high))

    def find(self, order: Order, *, reverse: bool = False) -> tuple[int, int]:
        """Return the slice of a sorted set that is in the range, as found from its ``reverse`` end."""
        if not order:
            return 0, 0
        if order[0][0] == order[-1][0]:
            return self._bisect_low(order), self._bisect_high(order)
        return self._walk_back(order) if reverse else self._walk(order)

    def _bisect_low(self, order: Order) -> int:
        side, member, is_open = self.low
        if side:
            return 0 if side < 0 else len(order)
        return (bisect_right if is_open else bisect_left)(order, member, key=_member_of)

    def _bisect_high(self, order: Order) -> int:
        side, member, is_open = self.high
        if side:
            return 0 if side < 0 else len(order)
        return (bisect_left if is_open else bisect_right)(order, member, key=_member_of)

    # With different scores servers leave the result open; the packed encoding walks member by member, as here.

    def _is_outside(self, order: Order) -> bool:
        return not self.low.is_before(order[-1][1]) or not self.high.is_after(order[0][1])

    def _walk(self, order: Order) -> tuple[int, int]:
        if self._is_outside(order):
            return 0, 0
        start = next(at for at, (_, member) in enumerate(order) if self.low.is_before(member))
        stop = start
        while stop < len(order) and self.high.is_after(order[stop][1]):
            stop += 1
        return start, stop

    def _walk_back(self, order: Order) -> tuple[int, int]:
        if self._is_outside(order):
            return 0, 0
        stop = next(at for at in range(len(order), 0, -1) if self.high.is_after(order[at - 1][1]))
        start = stop
        while start > 0 and self.low.is_before(order[start - 1][1]):
            start -= 1
        return start, stop


def find_ranks(first: int, last: int, length: int) -> tuple[int, int]:
    """Return the slice of inclusive indexes that may count from the end: ``0 -1`` is everything."""
    start = max(first + length if first < 0 else first, 0)
    stop = (last + length if last < 0 else last) + 1
    return start, min(stop, length)
