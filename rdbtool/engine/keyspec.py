"""Which arguments of a command are keys (format D1): what ``history`` looks for and findings name.

Most commands follow a rule (first key, last key, step, as in the servers' own command tables); a few need a
function. A command that is not listed has no keys.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from rdbtool.engine.table import CONTAINERS
from rdbtool.engine.wrapped import RREPLAY, unwrap

_Rule = tuple[int, int, int]
_Finder = Callable[[Sequence[bytes]], list[bytes]]

_ONE: Final[_Rule] = (1, 1, 1)
_ALL: Final[_Rule] = (1, -1, 1)
_TWO: Final[_Rule] = (1, 2, 1)

_FIRST_ONLY = """
    APPEND BITFIELD DECR DECRBY DELIFEQ DELEX EXPIRE EXPIREAT GEOADD GETDEL GETEX GETSET HDEL HEXPIRE
    HEXPIREAT HGETDEL HGETEX HINCRBY HINCRBYFLOAT HMSET HPERSIST HPEXPIRE HPEXPIREAT HSET HSETEX HSETNX INCR
    INCRBY INCRBYFLOAT LINSERT LPOP LPUSH LPUSHX LREM LSET LTRIM MOVE PERSIST PEXPIRE PEXPIREAT PFADD PSETEX
    RESTORE RESTORE-ASKING RPOP RPUSH RPUSHX SADD SET SETBIT SETEX SETNX SETRANGE SPOP SREM XACK XACKDEL XADD
    XAUTOCLAIM XCLAIM XDEL XDELEX XNACK XSETID XTRIM XCFGSET XIDMPRECORD ZADD ZINCRBY ZPOPMAX ZPOPMIN ZREM
    ZREMRANGEBYLEX ZREMRANGEBYRANK ZREMRANGEBYSCORE ARDEL ARDELRANGE ARINSERT ARMSET ARRING ARSEEK ARSET GCRASETVALUE
    INCREX VADD VREM VSETATTR
    EXPIREMEMBER EXPIREMEMBERAT PEXPIREMEMBERAT KEYDB.CRON KEYDB.HRENAME KEYDB.MVCCRESTORE KEYDB.NHSET
"""


def _numbered(first: int, count_at: int) -> _Finder:
    """Keys that a count stands in front of, and ``first`` keys at the beginning."""

    def find(argv: Sequence[bytes]) -> list[bytes]:
        keys = list(argv[1 : 1 + first])
        if len(argv) > count_at and argv[count_at].isdigit():
            keys += argv[count_at + 1 : count_at + 1 + int(argv[count_at][:9])]
        return keys

    return find


def _with_store(argv: Sequence[bytes]) -> list[bytes]:
    """Return the first key, and the destination behind STORE or STOREDIST."""
    keys = list(argv[1:2])
    for index, word in enumerate(argv[:-1]):
        if index > 1 and word.upper() in (b"STORE", b"STOREDIST"):
            keys.append(argv[index + 1])
    return keys


def _streams(argv: Sequence[bytes]) -> list[bytes]:
    """Return the first half of what follows STREAMS."""
    for index, word in enumerate(argv):
        if word.upper() == b"STREAMS":
            rest = argv[index + 1 :]
            return list(rest[: len(rest) // 2])
    return []


def _migrated(argv: Sequence[bytes]) -> list[bytes]:
    """Return the third argument, or where it is empty what follows KEYS."""
    if len(argv) > 3 and argv[3]:
        return [argv[3]]
    for index, word in enumerate(argv):
        if word.upper() == b"KEYS":
            return list(argv[index + 1 :])
    return []


_RULES: Final[dict[bytes, _Rule | _Finder]] = {
    **dict.fromkeys(_FIRST_ONLY.encode().split(), _ONE),
    b"BITOP": (2, -1, 1),
    b"BLMOVE": _TWO,
    b"BLMOVEM": _TWO,
    b"BLPOP": (1, -2, 1),
    b"BRPOP": (1, -2, 1),
    b"BRPOPLPUSH": _TWO,
    b"BZPOPMAX": (1, -2, 1),
    b"BZPOPMIN": (1, -2, 1),
    b"COPY": _TWO,
    b"DEL": _ALL,
    b"GEOSEARCHSTORE": _TWO,
    b"LMOVE": _TWO,
    b"LMOVEM": _TWO,
    b"MSET": (1, -1, 2),
    b"MSETNX": (1, -1, 2),
    b"PFCOUNT": _ALL,
    b"PFDEBUG": (2, 2, 1),
    b"PFMERGE": _ALL,
    b"RENAME": _TWO,
    b"RENAMENX": _TWO,
    b"RPOPLPUSH": _TWO,
    b"SDIFFSTORE": _ALL,
    b"SINTERSTORE": _ALL,
    b"SMOVE": _TWO,
    b"SUNIONSTORE": _ALL,
    b"UNLINK": _ALL,
    b"EXPDEL": _ALL,
    b"ZRANGESTORE": _TWO,
    b"HIMPORT SET": (2, 2, 1),
    b"XGROUP CREATE": (2, 2, 1),
    b"XGROUP CREATECONSUMER": (2, 2, 1),
    b"XGROUP DELCONSUMER": (2, 2, 1),
    b"XGROUP DESTROY": (2, 2, 1),
    b"XGROUP SETID": (2, 2, 1),
    b"BLMPOP": _numbered(0, 2),
    b"BZMPOP": _numbered(0, 2),
    b"EVAL": _numbered(0, 2),
    b"EVALSHA": _numbered(0, 2),
    b"FCALL": _numbered(0, 2),
    b"GEORADIUS": _with_store,
    b"GEORADIUSBYMEMBER": _with_store,
    b"LMPOP": _numbered(0, 1),
    b"MIGRATE": _migrated,
    b"SORT": _with_store,
    b"XREADGROUP": _streams,
    b"ZDIFFSTORE": _numbered(1, 2),
    b"ZINTERSTORE": _numbered(1, 2),
    b"ZMPOP": _numbered(0, 1),
    b"ZUNIONSTORE": _numbered(1, 2),
}

#: Commands that touch keys without naming them: all keys of a database, or of all.
SWEEPING: Final = frozenset({b"FLUSHALL", b"FLUSHDB", b"SWAPDB", b"SFLUSH", b"TRIMSLOTS", b"CLUSTER FLUSHSLOT"})


#: Known before the table of commands was filled.
_CONTAINERS: Final = frozenset(name.split(maxsplit=1)[0] for name in (*_RULES, *SWEEPING) if b" " in name)


def command_name(argv: Sequence[bytes]) -> bytes:
    """Return the upper-case name of a command, with its subcommand where it has one."""
    name = argv[0].upper()
    if (name in CONTAINERS or name in _CONTAINERS) and len(argv) > 1:
        name += b" " + argv[1].upper()
    return name


def is_called(argv: Sequence[bytes], name: bytes) -> bool:
    """Whether a command is called ``name`` (upper case), which may be that of a container without a subcommand.

    An RREPLAY is called what the commands are that it holds, too.
    """
    written = argv[0].upper()
    if written == RREPLAY and name != RREPLAY:
        return any(inner[0].upper() == name or command_name(inner) == name for inner in unwrap(argv))
    return written == name or command_name(argv) == name


def keys_of(argv: Sequence[bytes]) -> list[bytes]:
    """Return the keys that a command names, in the order of its arguments; none for an unknown one."""
    name = command_name(argv)
    if name == RREPLAY:
        return [key for inner in unwrap(argv) for key in keys_of(inner)]
    if name == b"MSETEX":
        count = int(argv[1][:9]) if len(argv) > 1 and argv[1].isdigit() else 0
        return list(argv[2 : 2 + 2 * count : 2])
    rule = _RULES.get(name)
    if rule is None:
        return []
    if callable(rule):
        return rule(argv)
    first, last, step = rule
    stop = last + 1 if last >= 0 else len(argv) + last + 1
    return list(argv[first:stop:step])
