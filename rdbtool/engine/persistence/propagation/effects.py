"""What an AOF says of a command: the form of it that leads to the same state whenever it is replayed (format D2).

``carry_out`` executes a command and returns what is to be logged. Most commands are logged as they are. Where
the clock or an expired field decides what one does, its outcome is logged instead, read off the
keyspace: the value and expiry that a key has now, the fields that changed, who owns a pending entry. So nothing has to
be parsed a second time. What no AOF could tell (scripts, a random choice) is refused before anything changes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rdbtool.core.light_typing import Final
from rdbtool.engine.command_errors import ArityError, ScriptError
from rdbtool.engine.engine import Engine
from rdbtool.engine.keyspec import command_name, keys_of
from rdbtool.engine.persistence.propagation.group_effects import carry_out_claim, carry_out_read
from rdbtool.engine.persistence.propagation.hash_effects import carry_out_fields
from rdbtool.engine.persistence.propagation.stream_effects import carry_out_restore, carry_out_xadd, carry_out_xtrim
from rdbtool.engine.values import ListData, ZSetData

Argv = tuple[bytes, ...]

#: Elements in a command, as in a server's rewrite.
_BATCH: Final = 64

_SCRIPTS: Final = frozenset({b"EVAL", b"EVALSHA", b"FCALL"})

#: They change what the connection or the script cache is, and no data.
_UNLOGGED: Final = frozenset({b"SELECT", b"SCRIPT LOAD", b"SCRIPT FLUSH"})

_SIDES: Final = {b"LEFT": b"LPOP", b"RIGHT": b"RPOP", b"MIN": b"ZPOPMIN", b"MAX": b"ZPOPMAX"}


def carry_out(engine: Engine, argv: Argv) -> list[Argv]:
    """Execute a command as a client's, and return what leads an AOF to the same state; nothing for what changes none.

    Raises CommandError, and has then changed nothing. Other than an AOF that is loaded, a client must not give more
    arguments than a command takes, nor use one that the server of the engine's rules does not have.
    """
    row = engine.find(argv)
    engine.check_known(row)
    if len(argv) != row.arity if row.arity > 0 else len(argv) < -row.arity:
        raise ArityError(f"ERR wrong number of arguments for '{row.name.lower()}' command")
    name = command_name(argv)
    if name in _SCRIPTS:
        raise ScriptError(
            f"ERR {name.decode()} with an AOF: scripts are not executed, give the commands that they call"
        )
    special = _SPECIAL.get(name)
    if special is not None:
        return special(engine, argv)
    engine.execute(*argv)
    return [] if name in _UNLOGGED or "inert" in row.flags else [argv]


def needs_clock(argv: Argv) -> bool:
    """Whether a logged command notes the moment at which it is executed: that of a consumer."""
    return command_name(argv) in (b"XCLAIM", b"XGROUP CREATECONSUMER")


# ---- keys and their expiry ---------------------------------------------------------------------


def _carry_out_set(engine: Engine, argv: Argv) -> list[Argv]:
    if len(argv) > 3:
        return _carry_out_keys(engine, argv)
    engine.execute(*argv)
    return [argv]


def _carry_out_keys(engine: Engine, argv: Argv) -> list[Argv]:
    """Log what became of each key: a new string, another expiry, or nothing of it."""
    db = engine.db
    before = {key: (db.keys.get(key), db.expires.get(key)) for key in keys_of(argv)}
    engine.execute(*argv)
    logged: list[Argv] = []
    for key, (old, old_expiry) in before.items():
        value, expiry = db.keys.get(key), db.expires.get(key)
        if value is None:
            if old is not None:
                logged.append((b"DEL", key))
        elif value is not old:
            assert isinstance(value, bytes)
            logged.append((b"SET", key, value, *_lifetime(expiry, old_expiry)))
        elif expiry != old_expiry:
            logged.append((b"PERSIST", key) if expiry is None else (b"PEXPIREAT", key, b"%d" % expiry))
    return logged


def _lifetime(expiry: int | None, before: int | None) -> Argv:
    if expiry is None:
        return ()
    return (b"KEEPTTL",) if expiry == before else (b"PXAT", b"%d" % expiry)


# ---- what takes from a list or a sorted set ----------------------------------------------------


def _carry_out_pop(engine: Engine, argv: Argv) -> list[Argv]:
    """Log the pop from the one key that became shorter."""
    name = argv[0].upper()
    sizes = {key: _size(engine, key) for key in keys_of(argv)}
    engine.execute(*argv)
    for key, size in sizes.items():
        taken = size - _size(engine, key)
        if taken:
            if name.endswith(b"MPOP"):
                count_at = 2 if name.startswith(b"B") else 1
                side = argv[count_at + 1 + int(argv[count_at])]
                return [(_SIDES[side.upper()], key, b"%d" % taken)]
            return [(name[1:], key)]
    return []


def _carry_out_move(engine: Engine, argv: Argv) -> list[Argv]:
    """Log a blocking move without its timeout, if there was something to move."""
    had = _size(engine, argv[1])
    engine.execute(*argv)
    return [(argv[0].upper()[1:], *argv[1:-1])] if had else []


def _size(engine: Engine, key: bytes) -> int:
    value = engine.db.keys.get(key)
    return len(value) if isinstance(value, ListData | ZSetData) else 0


# ---- what reads, unless it stores --------------------------------------------------------------


def _carry_out_sort(engine: Engine, argv: Argv) -> list[Argv]:
    """Log what was stored, where fields of hashes came into it: those may have expired when the AOF is replayed."""
    engine.execute(*argv)
    target, uses_fields = _find_target(argv)
    if target is None:
        return []
    if not uses_fields:
        return [argv]
    result = engine.db.keys.get(target)
    elements = list(result) if isinstance(result, ListData) else []
    batches = [elements[at : at + _BATCH] for at in range(0, len(elements), _BATCH)]
    return [(b"DEL", target), *((b"RPUSH", target, *batch) for batch in batches)]


def _find_target(argv: Argv) -> tuple[bytes | None, bool]:
    """Return the destination of a SORT that succeeded, and whether a pattern names a field."""
    target: bytes | None = None
    uses_fields = False
    at = 2
    while at < len(argv):
        word = argv[at].upper()
        if word in (b"BY", b"GET", b"STORE"):
            at += 1
            uses_fields |= word != b"STORE" and b"->" in argv[at]
            target = argv[at] if word == b"STORE" else target
        elif word == b"LIMIT":
            at += 2
        at += 1
    return target, uses_fields


def _carry_out_radius(engine: Engine, argv: Argv) -> list[Argv]:
    engine.execute(*argv)
    return [argv] if len(keys_of(argv)) > 1 else []


def _carry_out_pfcount(engine: Engine, argv: Argv) -> list[Argv]:
    """Log the count of one key: it may have stored the cardinality."""
    engine.execute(*argv)
    return [argv] if len(argv) == 2 else []


def _all(words: str, how: Callable[[Engine, Argv], list[Argv]]) -> dict[bytes, Callable[[Engine, Argv], list[Argv]]]:
    return dict.fromkeys(words.encode().split(), how)


_SPECIAL: Final[dict[bytes, Callable[[Engine, Argv], list[Argv]]]] = {
    b"SET": _carry_out_set,
    **_all("SETEX PSETEX GETSET GETDEL GETEX MSETEX DELEX DELIFEQ INCRBYFLOAT SPOP", _carry_out_keys),
    **_all("EXPIRE PEXPIRE EXPIREAT PEXPIREAT PERSIST", _carry_out_keys),
    **_all("HSETNX HINCRBY HINCRBYFLOAT HPERSIST HGETEX HGETDEL HSETEX", carry_out_fields),
    **_all("HEXPIRE HPEXPIRE HEXPIREAT HPEXPIREAT", carry_out_fields),
    **_all("BLPOP BRPOP BZPOPMIN BZPOPMAX LMPOP BLMPOP ZMPOP BZMPOP", _carry_out_pop),
    **_all("BLMOVE BRPOPLPUSH", _carry_out_move),
    **_all("RESTORE RESTORE-ASKING", carry_out_restore),
    **_all("XCLAIM XAUTOCLAIM", carry_out_claim),
    **_all("GEORADIUS GEORADIUSBYMEMBER", _carry_out_radius),
    b"SORT": _carry_out_sort,
    b"PFCOUNT": _carry_out_pfcount,
    b"XADD": carry_out_xadd,
    b"XTRIM": carry_out_xtrim,
    b"XREADGROUP": carry_out_read,
}


def describe(commands: Sequence[Argv], limit: int = 3) -> str:
    """Name commands for a message: how many, and the first ones with their keys cut short."""
    shown = ", ".join(" ".join(repr(word[:20])[2:-1] for word in argv[:2]) for argv in commands[:limit])
    more = "" if len(commands) <= limit else f" and {len(commands) - limit} more"
    return f"{shown}{more}"
