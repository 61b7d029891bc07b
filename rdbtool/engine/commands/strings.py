"""Strings: SET and its kin, and changes of a part (format D1, D4, D5).

While loading no key expires, so a time in the past is stored like any other. The forms that servers rewrite
before they log them (SETEX, GETDEL, ...) are here as well, for AOFs that someone made by hand.

A string is ``bytes`` until a command changes a part of it while it is long; from then on it is ``StringData``,
so that a million SETBITs to one bitmap do not copy the bitmap a million times.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from rdbtool.core.light_typing import TYPE_CHECKING, Final
from rdbtool.engine.algorithms.xxh3 import xxh3_64
from rdbtool.engine.arguments import parse_int
from rdbtool.engine.command_errors import SYNTAX, ArityError, CommandError, UnknownEffectError, WrongTypeError
from rdbtool.engine.commands.keys import SetOptions, parse_expiry, parse_set_options
from rdbtool.engine.handlers import command
from rdbtool.engine.keyspace import Db
from rdbtool.engine.replies import OK, Reply
from rdbtool.engine.values import StringData

if TYPE_CHECKING:
    from rdbtool.engine.engine import Engine

_COMPARISONS: Final = frozenset({b"IFEQ", b"IFNE", b"IFDEQ", b"IFDNE"})
_NONE: Final[frozenset[bytes]] = frozenset()
_SET_WORDS: Final = frozenset({b"NX", b"XX", b"GET", b"KEEPTTL"})
_MSETEX_WORDS: Final = frozenset({b"NX", b"XX", b"KEEPTTL"})
_GETEX_WORDS: Final = frozenset({b"PERSIST"})


@command("SET")
def set_(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """SET key value [NX | XX | IFEQ value ...] [GET] [EX s | PX ms | EXAT s | PXAT ms | KEEPTTL]."""
    if len(argv) == 3:
        engine.db.replace(argv[1], argv[2])
        return OK
    if len(argv) == 5 and argv[3] == b"PXAT" and engine.takes_pxat:
        # What servers write of every SET with an expiry.
        when = parse_expiry(engine, argv[4], b"PXAT", "set")
        engine.db.put(argv[1], argv[2])
        engine.db.expires[argv[1]] = when
        return OK
    options = parse_set_options(argv[3:], _SET_WORDS, _COMPARISONS, partial(engine.knows, b"SET"))
    if options.get and options.condition == b"NX" and not engine.knows(b"SET", b"NX GET"):
        raise CommandError(SYNTAX)
    engine.takes_pxat = engine.takes_pxat or options.lifetime == b"PXAT"
    expire_at_ms = options.expiry(engine, "set")
    key = argv[1]
    before = read_string(engine.db, key) if options.get else None
    holds = _holds(engine, key, options.condition, options.operand)
    if holds:
        _put(engine, key, argv[2], options, expire_at_ms)
    if options.get:
        return before
    return OK if holds else None


def _put(engine: Engine, key: bytes, value: bytes, options: SetOptions, expire_at_ms: int | None) -> None:
    if options.lifetime == b"KEEPTTL":
        engine.db.keys[key] = value
        return
    engine.db.replace(key, value)
    if expire_at_ms is not None:
        engine.db.expires[key] = expire_at_ms


def _holds(engine: Engine, key: bytes, condition: bytes, operand: bytes) -> bool:
    """Whether a condition of SET or DELEX is true; one on the digest of no digest is an error."""
    if not condition:
        return True
    if condition in (b"NX", b"XX"):
        return (key in engine.db.keys) == (condition == b"XX")
    value = read_string(engine.db, key)
    if condition in (b"IFDEQ", b"IFDNE"):
        if len(operand) != 16:
            raise CommandError("ERR must be exactly 16 hexadecimal characters")
        operand = operand.lower()
        value = None if value is None else b"%016x" % xxh3_64(value)
    return (value == operand) == (condition in (b"IFEQ", b"IFDEQ"))


@command("SETNX")
def setnx(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """SETNX key value."""
    keys = engine.db.keys
    if argv[1] in keys:
        return 0
    keys[argv[1]] = argv[2]
    return 1


@command("SETEX")
def setex(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """SETEX key seconds value."""
    when = parse_expiry(engine, argv[2], b"EX", "setex")
    engine.db.keys[argv[1]] = argv[3]
    engine.db.expires[argv[1]] = when
    return OK


@command("PSETEX")
def psetex(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """PSETEX key milliseconds value."""
    when = parse_expiry(engine, argv[2], b"PX", "psetex")
    engine.db.keys[argv[1]] = argv[3]
    engine.db.expires[argv[1]] = when
    return OK


@command("GETSET")
def getset(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """GETSET key value."""
    before = read_string(engine.db, argv[1])
    engine.db.replace(argv[1], argv[2])
    return before


@command("GETDEL")
def getdel(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """GETDEL key."""
    value = read_string(engine.db, argv[1])
    engine.db.delete(argv[1])
    return value


@command("GETEX")
def getex(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """GETEX key [EX s | PX ms | EXAT s | PXAT ms | PERSIST]."""
    options = parse_set_options(argv[2:], _GETEX_WORDS, _NONE)
    if engine.rules.has(None, (9, 1)):
        options.expiry(engine, "getex")
    value = read_string(engine.db, argv[1])
    if value is None:
        return None
    expire_at_ms = options.expiry(engine, "getex")
    if expire_at_ms is not None:
        engine.db.expires[argv[1]] = expire_at_ms
    elif options.lifetime == b"PERSIST":
        engine.db.expires.pop(argv[1], None)
    return value


@command("MSET")
def mset(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """MSET key value [key value ...]."""
    if len(argv) % 2 == 0:
        raise ArityError("ERR wrong number of arguments for 'mset' command")
    db = engine.db
    for at in range(1, len(argv), 2):
        db.replace(argv[at], argv[at + 1])
    return OK


@command("MSETNX")
def msetnx(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """MSETNX key value [key value ...]: all of them, or none where one of the keys exists."""
    if len(argv) % 2 == 0:
        raise ArityError("ERR wrong number of arguments for 'msetnx' command")
    if not engine.db.keys.keys().isdisjoint(argv[1::2]):
        return 0
    engine.db.keys.update(zip(argv[1::2], argv[2::2], strict=True))
    return 1


@command("MSETEX")
def msetex(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """MSETEX numkeys key value [key value ...] [NX | XX] [EX s | PX ms | EXAT s | PXAT ms | KEEPTTL]."""
    count = parse_int(argv[1], "ERR invalid numkeys value")
    if count <= 0:
        raise CommandError("ERR invalid numkeys value")
    stop = 2 + 2 * count
    if stop > len(argv):
        raise ArityError("ERR wrong number of arguments for 'msetex' command")
    options = parse_set_options(argv[stop:], _MSETEX_WORDS, _NONE)
    expire_at_ms = options.expiry(engine, "msetex")
    keys = argv[2:stop:2]
    if not all(_holds(engine, key, options.condition, b"") for key in keys):
        return 0
    for key, value in zip(keys, argv[3:stop:2], strict=True):
        _put(engine, key, value, options, expire_at_ms)
    return 1


@command("DELIFEQ")
def delifeq(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """DELIFEQ key value."""
    if find_string(engine.db, argv[1]) != argv[2]:
        return 0
    engine.db.delete(argv[1])
    return 1


@command("DELEX")
def delex(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """DELEX key [IFEQ value | IFNE value | IFDEQ digest | IFDNE digest]."""
    condition = operand = b""
    if len(argv) > 2:
        if len(argv) != 4:
            raise ArityError("ERR wrong number of arguments for 'delex' command")
        condition, operand = argv[2].upper(), argv[3]
    if argv[1] not in engine.db.keys:
        return 0
    if condition and condition not in _COMPARISONS:
        raise CommandError("ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE")
    if not _holds(engine, argv[1], condition, operand):
        return 0
    engine.db.delete(argv[1])
    return 1


@command("APPEND")
def append(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """APPEND key value."""
    db = engine.db
    value = find_string(db, argv[1])
    if value is None:
        db.keys[argv[1]] = argv[2]
        return len(argv[2])
    check_size(engine, len(value) + len(argv[2]))
    data = open_string(value)
    data += argv[2]
    store_string(db, argv[1], data)
    return len(data)


@command("SETRANGE")
def setrange(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """SETRANGE key offset value."""
    offset = parse_int(argv[2])
    if offset < 0:
        raise CommandError("ERR offset is out of range")
    value = find_string(engine.db, argv[1])
    part = argv[3]
    if not part:
        return len(value or b"")
    check_size(engine, offset + len(part))
    data = open_string(value, offset + len(part))
    data[offset : offset + len(part)] = part
    store_string(engine.db, argv[1], data)
    return len(data)


#: The longest string that is kept here: it protects from ``SETBIT key 2^60 1``. Redis before 7.0 has the same bound.
MAX_STRING: Final = 512 << 20

#: Strings up to this size are ``bytes`` always: a copy costs nothing, and they take less room.
SHORT: Final = 1024


def find_string(db: Db, key: bytes) -> bytes | StringData | None:
    """Return a string as it is stored, None if there is none. Do not change it. Raises WrongTypeError."""
    value = db.keys.get(key)
    if value is None or type(value) is bytes or type(value) is StringData:
        return value
    raise WrongTypeError


def read_string(db: Db, key: bytes) -> bytes | None:
    """Return a string as bytes, None if there is none. Raises WrongTypeError."""
    value = find_string(db, key)
    return bytes(value) if isinstance(value, StringData) else value


def open_string(value: bytes | StringData | None, size: int = 0) -> StringData:
    """Return a string for changing, padded with zeros to ``size`` bytes. ``store_string`` is to follow."""
    data = value if type(value) is StringData else StringData(value or b"")
    if len(data) < size:
        data.extend(bytes(size - len(data)))
    return data


def store_string(db: Db, key: bytes, data: StringData) -> None:
    """Make a changed string the value of a key, whose expiry stays."""
    db.keys[key] = bytes(data) if len(data) <= SHORT else data


def check_size(engine: Engine, size: int) -> None:
    """Raise CommandError if a string would become too long."""
    if size > MAX_STRING:
        refuse_size(engine, "ERR string exceeds maximum allowed size (proto-max-bulk-len)")


def refuse_size(engine: Engine, error: str) -> None:
    """Raise what comes of a command that makes a string longer than ``MAX_STRING``.

    Redis before 7.0 answers with an error. Later servers bound what clients send, and not what an AOF holds.
    """
    if engine.rules.has((7, 0)):
        raise UnknownEffectError("the string becomes longer than the 512 MB that rdbtool keeps")
    raise CommandError(error)
