"""Counters: strings that hold a number (format D5).

Integers are 64 bits and never wrap; floats are the servers' ``long double``. The expiry of a counter stays.
"""

from __future__ import annotations

from collections.abc import Sequence

from rdbtool.engine.algorithms.longdouble import add
from rdbtool.engine.arguments import INT64_MAX, INT64_MIN, parse_int
from rdbtool.engine.command_errors import NOT_AN_INTEGER, OVERFLOW, CommandError, WrongTypeError
from rdbtool.engine.commands.strings import read_string
from rdbtool.engine.engine import Engine
from rdbtool.engine.handlers import command
from rdbtool.engine.replies import Reply
from rdbtool.engine.values import StringData


@command("INCR")
def incr(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """INCR key."""
    return _add(engine, argv[1], 1)


@command("DECR")
def decr(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """DECR key."""
    return _add(engine, argv[1], -1)


@command("INCRBY")
def incrby(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """INCRBY key increment."""
    return _add(engine, argv[1], _integer(engine, argv[2]))


@command("DECRBY")
def decrby(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """DECRBY key decrement."""
    step = _integer(engine, argv[2])
    if step == INT64_MIN and engine.rules.has((7, 0)):
        raise CommandError("ERR decrement would overflow")
    # Before 7.0 the lowest number stays as it is when its sign is turned.
    return _add(engine, argv[1], step if step == INT64_MIN else -step)


def _add(engine: Engine, key: bytes, step: int) -> int:
    keys = engine.db.keys
    value = keys.get(key)
    if value is None:
        keys[key] = b"%d" % step
        return step
    if type(value) is not bytes:
        if type(value) is not StringData:
            raise WrongTypeError
        value = bytes(value)
    total = _integer(engine, value) + step
    if not INT64_MIN <= total <= INT64_MAX:
        raise CommandError(OVERFLOW)
    keys[key] = b"%d" % total
    return total


def _integer(engine: Engine, text: bytes) -> int:
    """Return a number; before Redis 3.2, read as C does: up to a NUL, with plus, leading zeros, nothing as zero."""
    if not engine.rules.has((3, 2)):
        text = text.split(b"\0", 1)[0]
        digits = text[1:] if text[:1] in (b"+", b"-") else text
        if len(text) <= 128 and (digits.isdigit() or not text):
            number = int(text or b"0")
            if INT64_MIN <= number <= INT64_MAX:
                return number
        raise CommandError(NOT_AN_INTEGER)
    return parse_int(text)


@command("INCRBYFLOAT")
def incrbyfloat(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """INCRBYFLOAT key increment."""
    value = read_string(engine.db, argv[1])
    total = engine.db.keys[argv[1]] = add(b"0" if value is None else value, argv[2])
    return total
