"""Hash fields that expire: HEXPIRE and its kin, HSETEX, HGETEX, HGETDEL.

All end with ``FIELDS count field ...``. Times become Unix ms and are stored even when they are past,
because a server that loads an AOF deletes nothing (format D3). Redis and Valkey differ in options and limits.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from rdbtool.core.light_typing import Final, NamedTuple
from rdbtool.core.servers import Since
from rdbtool.engine.arguments import INT64_MAX, is_int, parse_count, parse_int
from rdbtool.engine.command_errors import SYNTAX, ArityError, CommandError, UnknownEffectError
from rdbtool.engine.commands.hashes import OTHERS, has_expired_fields, is_hidden, remove_fields
from rdbtool.engine.engine import Engine
from rdbtool.engine.handlers import command
from rdbtool.engine.inference.differing import differs_as
from rdbtool.engine.replies import Reply
from rdbtool.engine.values import HashData

NO_FIELDS: Final = "ERR Mandatory argument FIELDS is missing or not at the right position"
NUMFIELDS: Final = "ERR Parameter `numFields` should be greater than 0"
MISMATCH: Final = "ERR The `numfields` parameter must match the number of arguments"

#: What is answered about a field that is not there.
_NO_FIELD: Final = -2

#: Redis keeps a quarter of the 48 bits of a field's expiry in reserve.
_REDIS_LAST_MS: Final = (1 << 46) - 1

#: Name of a time option → (ms per unit, whether it counts from now).
_TIMES: Final = {b"EX": (1000, True), b"PX": (1, True), b"EXAT": (1000, False), b"PXAT": (1, False)}

_TWO_CONDITIONS: Final = Since("two conditions of HEXPIRE", None, (9, 0))
_CONDITIONS: Final = frozenset((b"NX", b"XX", b"GT", b"LT"))


def _when(engine: Engine, text: bytes, unit: int, *, relative: bool, name: bytes) -> int:
    """Return a time argument as Unix ms. Raises CommandError."""
    number = parse_int(text)
    if number < 0:
        raise CommandError("ERR invalid expire time, must be >= 0")
    number = number * unit + (engine.now_ms if relative else 0)
    if number > (_REDIS_LAST_MS if engine.rules.family == "redis" else INT64_MAX):
        raise CommandError(f"ERR invalid expire time in '{name.decode('ascii', 'backslashreplace').lower()}' command")
    return number


def _fields(words: Sequence[bytes], width: int = 1) -> Sequence[bytes]:
    """Return what follows ``FIELDS count``: ``width`` words a field, to the end. Raises CommandError."""
    if len(words) < 2 or words[0].upper() != b"FIELDS":
        raise CommandError(NO_FIELDS)
    if parse_count(words[1], 1, NUMFIELDS) * width != len(words) - 2:
        raise CommandError(MISMATCH)
    return words[2:]


def _expire(engine: Engine, argv: Sequence[bytes], unit: int = 1, *, relative: bool = False) -> Reply:
    """H[P]EXPIRE[AT] key time [NX|XX|GT|LT] FIELDS count field [field ...]."""
    data = engine.db.find(argv[1], HashData)
    when = _when(engine, argv[2], unit, relative=relative, name=argv[0])
    at = 3
    while at < len(argv) and argv[at].upper() in _CONDITIONS:
        at += 1
    words, fields = argv[3:at], argv[at:]
    count = int(fields[1]) if len(fields) > 1 and is_int(fields[1]) else 0
    behind = fields[2 + count :] if count > 0 else ()
    if behind and all(word.upper() in _CONDITIONS for word in behind) and _takes_any_order(engine):
        words, fields = [*words, *behind], fields[: 2 + count]
    conditions = _read_conditions(engine, words)
    fields = _fields(fields)
    return [_expire_field(data, field, when, conditions) for field in fields]


def _expire_field(data: HashData | None, field: bytes, when: int, conditions: frozenset[bytes]) -> int:
    """Set the expiry of a field; return 1, 0 where a condition forbids it, -2 where there is no such field."""
    if data is None or field not in data:
        return _NO_FIELD
    if not _allows(conditions, None if data.expires is None else data.expires.get(field), when):
        return 0
    _set_expiry(data, field, when)
    return 1


def _takes_any_order(engine: Engine) -> bool:
    """Return whether options may come after the fields, and a condition twice: since Redis 8.6, or in 8.4 already."""
    if engine.rules.has((8, 4), None) and not engine.rules.has((8, 6), None):
        raise UnknownEffectError("whether Redis 8.4 takes options after the fields is not known")
    return engine.rules.has((8, 6), None)


def _read_conditions(engine: Engine, words: Sequence[bytes]) -> frozenset[bytes]:
    conditions = frozenset(word.upper() for word in words)
    is_twice = len(words) > 1 and len(conditions) == 1 and engine.rules.family == "redis"
    if (len(conditions) > 1 and not engine.has(_TWO_CONDITIONS)) or (is_twice and not _takes_any_order(engine)):
        raise CommandError(NO_FIELDS)
    if b"NX" in conditions and len(conditions) > 1:
        raise CommandError("ERR NX and XX, GT or LT options at the same time are not compatible")
    if {b"GT", b"LT"} <= conditions:
        raise CommandError("ERR GT and LT options at the same time are not compatible")
    return conditions


def _allows(conditions: frozenset[bytes], before: int | None, when: int) -> bool:
    """Whether the conditions let an expiry through; none at all counts as one that never comes."""
    if before is None:
        return not conditions & {b"XX", b"GT"}
    return not (
        b"NX" in conditions or (b"GT" in conditions and when <= before) or (b"LT" in conditions and when >= before)
    )


def _set_expiry(data: HashData, field: bytes, when: int) -> None:
    if data.expires is None:
        data.expires = {}
    data.expires[field] = when


_differing = differs_as(*OTHERS, when=has_expired_fields)

command("HEXPIRE")(_differing(partial(_expire, unit=1000, relative=True)))
command("HPEXPIRE")(_differing(partial(_expire, relative=True)))
command("HEXPIREAT")(_differing(partial(_expire, unit=1000)))
command("HPEXPIREAT")(_differing(_expire))


@command("HPERSIST")
@_differing
def hpersist(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """HPERSIST key FIELDS count field [field ...]: Redis leaves fields alone that have expired."""
    data = engine.db.find(argv[1], HashData)
    return [_persist(engine, data, field) for field in _fields(argv[2:])]


def _persist(engine: Engine, data: HashData | None, field: bytes) -> int:
    """Let a field live on for good; return 1, -1 where it does so anyhow, -2 where there is no such field."""
    if data is None or field not in data or is_hidden(engine, data, field):
        return _NO_FIELD
    if data.expires is None or field not in data.expires:
        return -1
    data.forget_expiry(field)
    return 1


@command("HGETDEL")
@_differing
def hgetdel(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """HGETDEL key FIELDS count field [field ...]: as HDEL."""
    data = engine.db.find(argv[1], HashData)
    fields = _fields(argv[2:])
    if data is None:
        return [None] * len(fields)
    values: list[Reply] = []
    for field in fields:
        # One that is named twice is gone the second time.
        values.append(None if is_hidden(engine, data, field) else data.get(field))
        remove_fields(engine, argv[1], data, (field,))
    return values


class _Options(NamedTuple):
    """The words around ``FIELDS`` of HSETEX and HGETEX. ``when`` is Unix ms; ``flags`` are the other options."""

    flags: frozenset[bytes]
    when: int | None
    fields: Sequence[bytes]

    @classmethod
    def parse(cls, engine: Engine, argv: Sequence[bytes], width: int, known: frozenset[bytes]) -> _Options:
        flags: frozenset[bytes] = frozenset()
        when: int | None = None
        fields: Sequence[bytes] = ()
        at = 2
        while at < len(argv):
            word = argv[at].upper()
            if word == b"FIELDS" and not fields:
                count = parse_count(argv[at + 1], 1, NUMFIELDS) * width if at + 1 < len(argv) else 0
                fields = argv[at + 2 : at + 2 + count]
                if not count or len(fields) < count:
                    raise ArityError(MISMATCH)
                at += 2 + count
                if at < len(argv) and not _takes_any_order(engine):
                    raise CommandError(MISMATCH)
            elif word in _TIMES and when is None and at + 1 < len(argv):
                unit, relative = _TIMES[word]
                when = _when(engine, argv[at + 1], unit, relative=relative, name=argv[0])
                at += 2
            elif word in known and word not in flags and engine.knows(argv[0].upper(), word):
                flags |= {word}
                at += 1
            else:
                raise CommandError(SYNTAX)
        if not fields:
            raise CommandError(NO_FIELDS)
        if len(flags & {b"KEEPTTL", b"PERSIST"}) + (when is not None) > 1:
            raise CommandError(SYNTAX)
        return cls(flags, when, fields)


_HSETEX_FLAGS: Final = frozenset((b"FNX", b"FXX", b"KEEPTTL", b"NX", b"XX"))


@command("HSETEX")
@_differing
def hsetex(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """HSETEX key [FNX|FXX] [EX s|PX ms|EXAT s|PXAT ms|KEEPTTL] FIELDS count field value [field value ...].

    Valkey has NX and XX, about the key, in addition.
    """
    flags, when, pairs = _Options.parse(engine, argv, 2, _HSETEX_FLAGS)
    if {b"FNX", b"FXX"} <= flags or {b"NX", b"XX"} <= flags:
        raise CommandError(SYNTAX)
    data = engine.db.find(argv[1], HashData)
    if (b"NX" in flags and data is not None) or (b"XX" in flags and data is None):
        return 0
    fields = pairs[::2]
    there = [data is not None and field in data and not is_hidden(engine, data, field) for field in fields]
    if (b"FNX" in flags and any(there)) or (b"FXX" in flags and not all(there)):
        return 0
    data = engine.db.find_or_make(argv[1], HashData)
    for field, value in zip(fields, pairs[1::2], strict=True):
        data[engine.share(field)] = value
        if when is not None:
            _set_expiry(data, field, when)
        elif b"KEEPTTL" not in flags:
            data.forget_expiry(field)
    return 1


@command("HGETEX")
@_differing
def hgetex(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """HGETEX key [EX s|PX ms|EXAT s|PXAT ms|PERSIST] FIELDS count field [field ...]."""
    data = engine.db.find(argv[1], HashData)
    flags, when, fields = _Options.parse(engine, argv, 1, frozenset((b"PERSIST",)))
    if data is None:
        return [None] * len(fields)
    values: list[Reply] = [None if is_hidden(engine, data, field) else data.get(field) for field in fields]
    if b"PERSIST" in flags:
        for field in fields:
            _persist(engine, data, field)
    elif when is not None:
        for field in fields:
            if field in data and not is_hidden(engine, data, field):
                _set_expiry(data, field, when)
    return values
