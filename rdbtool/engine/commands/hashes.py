"""Hashes: fields and values of a dict; the commands about the expiry of fields are in ``hashttl``.

A field that is set again loses its expiry; HINCRBY and HINCRBYFLOAT keep it. To Redis a field that has
expired is absent for some commands even while it loads an AOF, to Valkey it is there (format D3).
"""

from __future__ import annotations

from collections.abc import Sequence

from rdbtool.core.light_typing import Final
from rdbtool.engine.algorithms.longdouble import add, read
from rdbtool.engine.arguments import INT64_MAX, INT64_MIN, parse_int
from rdbtool.engine.command_errors import NOT_A_FLOAT, OVERFLOW, ArityError, CommandError
from rdbtool.engine.engine import Engine
from rdbtool.engine.handlers import command
from rdbtool.engine.inference.differing import differs_as
from rdbtool.engine.replies import OK, Reply
from rdbtool.engine.values import HashData

NOT_FINITE: Final = "ERR value is NaN or Infinity"


#: Servers that may hide fields which have expired while they load, and servers that do not.
OTHERS: Final = ("redis-7.4", "valkey-9.0")


def has_expired_fields(engine: Engine, argv: Sequence[bytes]) -> bool:
    """Whether fields of a command's key have expired."""
    data = engine.db.keys.get(argv[1])
    if not isinstance(data, HashData) or data.expires is None:
        return False
    return any(expire_at_ms < engine.now_ms for expire_at_ms in data.expires.values())


@command("HSET")
def hset(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """HSET key field value [field value ...]."""
    if len(argv) % 2:
        raise ArityError("ERR wrong number of arguments for 'hset' command")
    return engine.db.find_or_make(argv[1], HashData).set_from(argv, 2)


@command("HMSET")
def hmset(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """HMSET key field value [field value ...]."""
    if len(argv) % 2:
        raise ArityError("ERR wrong number of arguments for 'hmset' command")
    hset(engine, argv)
    return OK


@command("HSETNX")
@differs_as(*OTHERS, when=has_expired_fields)
def hsetnx(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """HSETNX key field value."""
    data = engine.db.find_or_make(argv[1], HashData)
    field = argv[2]
    if field in data and not is_hidden(engine, data, field):
        return 0
    data[engine.share(field)] = argv[3]
    data.forget_expiry(field)
    return 1


@command("HDEL")
def hdel(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """HDEL key field [field ...]."""
    data = engine.db.find(argv[1], HashData)
    return 0 if data is None else remove_fields(engine, argv[1], data, argv[2:])


def remove_fields(engine: Engine, key: bytes, data: HashData, fields: Sequence[bytes]) -> int:
    """Remove fields of a hash, and its key with the last one; return how many fields were there."""
    before = len(data)
    for field in fields:
        if data.pop(field, None) is not None:
            data.forget_expiry(field)
    engine.db.drop_if_empty(key, data)
    return before - len(data)


@command("HINCRBY")
@differs_as(*OTHERS, when=has_expired_fields)
def hincrby(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """HINCRBY key field increment."""
    increment = parse_int(argv[3])
    text = _present(engine, argv)
    number = 0 if text is None else parse_int(text, "ERR hash value is not an integer")
    total = number + increment
    if not INT64_MIN <= total <= INT64_MAX:
        raise CommandError(OVERFLOW)
    engine.db.find_or_make(argv[1], HashData)[engine.share(argv[2])] = b"%d" % total
    return total


@command("HINCRBYFLOAT")
@differs_as(*OTHERS, when=has_expired_fields)
def hincrbyfloat(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """HINCRBYFLOAT key field increment: the sum of two x87 long doubles, as text."""
    if read(argv[3], NOT_A_FLOAT).is_infinite:
        raise CommandError(NOT_FINITE)
    text = _present(engine, argv)
    if text is not None:
        read(text, "ERR hash value is not a float")
    total = add(b"0" if text is None else text, argv[3])
    engine.db.find_or_make(argv[1], HashData)[engine.share(argv[2])] = total
    return total


def _present(engine: Engine, argv: Sequence[bytes]) -> bytes | None:
    """Return the value of a field that a command counts from, None if absent."""
    data = engine.db.find(argv[1], HashData)
    if data is None or is_hidden(engine, data, argv[2]):
        return None
    return data.get(argv[2])


def is_hidden(engine: Engine, data: HashData, field: bytes) -> bool:
    """Whether a field has expired, on a server that leaves those out while it loads: Redis does, Valkey does not."""
    if data.expires is None or data.keeps or engine.rules.family != "redis":
        return False
    expire_at_ms = data.expires.get(field)
    return expire_at_ms is not None and expire_at_ms < engine.now_ms
