"""Points in time as commands give them: relative or absolute, seconds or milliseconds, and the options of SET."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from rdbtool.engine.arguments import INT64_MAX, INT64_MIN, parse_int
from rdbtool.engine.command_errors import SYNTAX, CommandError, UnknownEffectError

if TYPE_CHECKING:
    from rdbtool.engine.engine import Engine

#: What stands before a time: (milliseconds a unit, whether it counts from now on).
UNITS: Final = {b"EX": (1000, True), b"PX": (1, True), b"EXAT": (1000, False), b"PXAT": (1, False)}


def parse_expiry(engine: Engine, text: bytes, option: bytes, command: str) -> int:
    """Return the Unix ms that ``EX 10`` and the like mean. Raises CommandError if it is not positive, or too far."""
    unit, relative = UNITS[option]
    number = parse_int(text)
    when = number * unit
    if relative:
        when += engine.now_ms
    if number > 0 and when > INT64_MAX:
        _refuse_overflow(engine, (6, 2))
    if number <= 0 or when > INT64_MAX:
        raise CommandError(_describe(engine, command))
    return when


def parse_when(engine: Engine, text: bytes, option: bytes, command: str) -> int:
    """Return the Unix ms that an argument of EXPIRE and the like means; it may be negative."""
    unit, relative = UNITS[option]
    now_ms = engine.now_ms if relative else 0
    when = parse_int(text) * unit
    if not INT64_MIN <= when <= INT64_MAX - now_ms:
        _refuse_overflow(engine, (7, 0))
        raise CommandError(_describe(engine, command))
    return when + now_ms


def _describe(engine: Engine, command: str) -> str:
    """Return the reply to a time that cannot be."""
    shown = f"'{command}' command" if engine.rules.has((7, 0)) else command
    return f"ERR invalid expire time in {shown}"


def _refuse_overflow(engine: Engine, since: tuple[int, int]) -> None:
    """Raise UnknownEffectError where servers stored a time that is too far as what is left of it in 64 bits."""
    if not engine.rules.has(since):
        raise UnknownEffectError("the expiry is beyond 64 bits, which not all releases of this server refuse")


class SetOptions(NamedTuple):
    """The options of SET and its kin.

    ``lifetime`` is KEEPTTL, PERSIST or one of ``UNITS``, with its ``moment``; ``condition`` is NX, XX or
    IFEQ and the like, with its ``operand``.
    """

    lifetime: bytes = b""
    moment: bytes = b""
    get: bool = False
    condition: bytes = b""
    operand: bytes = b""

    def expiry(self, engine: Engine, command: str) -> int | None:
        """Return the Unix ms at which the key is to expire, None if the options name no time. Raises CommandError."""
        return parse_expiry(engine, self.moment, self.lifetime, command) if self.lifetime in UNITS else None


def parse_set_options(
    words: Sequence[bytes],
    allowed: frozenset[bytes],
    comparisons: frozenset[bytes],
    knows: Callable[[bytes], bool] | None = None,
) -> SetOptions:
    """Read options: those of ``allowed`` stand alone, those of ``comparisons`` have a value, times always may stand.

    ``knows`` says whether the server has a word, None: it has all. At most one kind of lifetime, at most one kind of
    condition. The time itself is not read yet. Raises CommandError.
    """
    lifetime = moment = condition = operand = b""
    get = False
    at = 0
    while at < len(words):
        word = words[at].upper()
        at += 1
        if knows is not None and not knows(word):
            raise CommandError(SYNTAX)
        if word in UNITS and lifetime in (b"", word) and at < len(words):
            lifetime, moment = word, words[at]
            at += 1
        elif word in comparisons and not condition and at < len(words):
            condition, operand = word, words[at]
            at += 1
        elif word not in allowed:
            raise CommandError(SYNTAX)
        elif word == b"GET":
            get = True
        elif word in (b"NX", b"XX") and condition in (b"", word):
            condition = word
        elif word in (b"KEEPTTL", b"PERSIST") and lifetime in (b"", word):
            lifetime = word
        else:
            raise CommandError(SYNTAX)
    return SetOptions(lifetime, moment, get, condition, operand)
