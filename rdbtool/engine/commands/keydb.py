"""Commands that only KeyDB has: members that expire, and what another master sent (RREPLAY, KEYDB.MVCCRESTORE).

By the sources of KeyDB 6.3 (expire.cpp, replication.cpp, cluster.cpp). The expiry of a member belongs to its name:
it stays when the member is set or removed, and is that of any later member of the name. To an engine whose ``products``
do not include KeyDB these commands are unknown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from rdbtool.core.errors import FormatError
from rdbtool.core.light_typing import Final
from rdbtool.core.servers import KEYDB
from rdbtool.engine.arguments import INT64_MAX, parse_int
from rdbtool.engine.command_errors import CommandError, UnknownCommandError, UnknownEffectError
from rdbtool.engine.commands.keys import del_
from rdbtool.engine.commands.restore import restore_value
from rdbtool.engine.engine import Engine
from rdbtool.engine.handlers import Handler, command
from rdbtool.engine.replies import OK, Later, Reply
from rdbtool.engine.values import HashData, SetData, ZSetData
from rdbtool.engine.wrapped import DEPTH, RREPLAY, read_wrapped

_UINT64: Final = range(1 << 64)
_UUID: Final = re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

_TRANSACTION: Final = frozenset({b"MULTI", b"EXEC", b"DISCARD"})


def _keydb(name: str) -> Callable[[Handler], Handler]:
    """Register a command of KeyDB."""

    def register(handler: Handler) -> Handler:
        def execute(engine: Engine, argv: Sequence[bytes]) -> Reply | Later:
            if KEYDB.name not in engine.products:
                raise UnknownCommandError(f"ERR unknown command '{name}', which only KeyDB has")
            if engine.product is not KEYDB:
                engine.be_product(KEYDB)
            return handler(engine, argv)

        command(name)(execute)
        return handler

    return register


# ---- members that expire -----------------------------------------------------------------------


@_keydb("EXPIREMEMBERAT")
def expirememberat(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """EXPIREMEMBERAT key member unix-seconds."""
    return _expire_member(engine, argv, 1000)


@_keydb("PEXPIREMEMBERAT")
def pexpirememberat(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """PEXPIREMEMBERAT key member unix-milliseconds: the form in which an AOF has all of them."""
    return _expire_member(engine, argv, 1)


@_keydb("EXPIREMEMBER")
def expiremember(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """EXPIREMEMBER key member delay [s | ms]: relative to when it is executed."""
    parse_int(argv[3])
    if _find_members(engine, argv) is not None:
        raise UnknownEffectError("EXPIREMEMBER counts from the moment at which it is executed")
    return 0


def _expire_member(engine: Engine, argv: Sequence[bytes], unit: int) -> int:
    when = parse_int(argv[3]) * unit
    data = _find_members(engine, argv)
    if data is None:
        return 0
    if not 0 <= when <= INT64_MAX:
        raise UnknownEffectError("the expiry of a member lies outside of time")
    if data.expires is None:
        data.expires = {}
    data.expires[argv[2]] = when
    if isinstance(data, HashData):
        data.keeps = True
    return 1


def _find_members(engine: Engine, argv: Sequence[bytes]) -> SetData | HashData | ZSetData | None:
    """Return the value that has the member, None where there is no key or no member. Raises CommandError."""
    data = engine.db.keys.get(argv[1])
    if data is None:
        return None
    if not isinstance(data, SetData | HashData | ZSetData):
        raise CommandError("ERR object type is unsupported")
    return data if argv[2] in data else None


# ---- what other masters sent -------------------------------------------------------------------


@_keydb("RREPLAY")
def rreplay(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """RREPLAY uuid commands [db [mvcc]]: commands of another master, as RESP, unless they were executed before.

    They may hold further RREPLAYs. One that fails does not keep the others from being executed.
    """
    failure: CommandError | None = None
    stack: list[Iterator[Sequence[bytes]]] = [iter([argv])]
    while stack:
        words = next(stack[-1], None)
        if words is None:
            stack.pop()
            continue
        try:
            if words[0].upper() == RREPLAY:
                if len(stack) > DEPTH:
                    raise UnknownEffectError("RREPLAYs lie too deep inside of one another")
                stack.append(iter(_unwrap(engine, words)))
            elif words[0].upper() not in _TRANSACTION:
                engine.execute_within(words)
        except CommandError as error:
            failure = failure or error
    if failure is not None:
        raise failure
    return OK


def _unwrap(engine: Engine, argv: Sequence[bytes]) -> list[tuple[bytes, ...]]:
    """Return the commands that an RREPLAY holds, none if it came before; its database is selected."""
    if len(argv) < 3:
        raise CommandError("ERR Invalid number of arguments")
    if _UUID.fullmatch(argv[1]) is None:
        raise CommandError("ERR Expected UUID arg1")
    master = argv[1].lower()
    if len(argv) > 3:
        engine.select(parse_int(argv[3], "ERR Invalid database ID"))
    stamp = _read_stamp(argv[4], "ERR Invalid MVCC Timestamp") if len(argv) > 4 else 0
    if stamp and engine.masters.get(master, 0) >= stamp:
        return []
    try:
        commands = read_wrapped(argv)
    except FormatError as error:
        words = f"expected {error.expected}, found {error.found}"
        raise UnknownEffectError(f"the commands inside of an RREPLAY cannot be read: {words}") from None
    names = [words[0].upper() for words in commands]
    if names.count(b"MULTI") != names.count(b"EXEC") or b"DISCARD" in names:
        raise UnknownEffectError("an RREPLAY holds a part of a transaction")
    engine.masters[master] = max(stamp, engine.masters.get(master, 0))
    return commands


@_keydb("KEYDB.MVCCRESTORE")
def mvccrestore(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """KEYDB.MVCCRESTORE key mvcc expire-at-ms payload: the key of another master, unless the own one is newer."""
    key = argv[1]
    _read_stamp(argv[2], "ERR Invalid MVCC Tstamp")
    expire_at_ms = parse_int(argv[3], "ERR Invalid expire")
    data = restore_value(engine, key, argv[4])
    if key in engine.db.keys:
        raise UnknownEffectError("the newer one of two values stays, and how old the first one is, is not in the AOF")
    engine.db.replace(key, data)
    if expire_at_ms >= 0:
        engine.db.expires[key] = expire_at_ms
    return OK


def _read_stamp(text: bytes, error: str) -> int:
    if not text.isdigit() or len(text) > 20 or int(text) not in _UINT64:
        raise CommandError(error)
    return int(text)


# ---- the others --------------------------------------------------------------------------------


@_keydb("KEYDB.HRENAME")
def hrename(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """KEYDB.HRENAME key field newfield."""
    data = engine.db.find(argv[1], HashData)
    if data is None:
        return None
    value = data.pop(argv[2], None)
    if value is None:
        raise CommandError("ERR hash key doesn't exist")
    data[engine.share(argv[3])] = value
    return 1


@_keydb("KEYDB.CRON")
@_keydb("KEYDB.NHSET")
def unknown(_engine: Engine, argv: Sequence[bytes]) -> Reply:
    """KEYDB.CRON, KEYDB.NHSET: they make values of types that are not known here."""
    raise UnknownEffectError(f"{argv[0].decode('ascii', 'backslashreplace').upper()} makes a value that only KeyDB has")


@_keydb("KEYDB.NHGET")
@_keydb("KEYDB.MEXISTS")
@_keydb("LFENCE")
def leave_alone(_engine: Engine, _argv: Sequence[bytes]) -> Reply:
    """Do nothing: the command changes no data."""
    return None


_keydb("EXPDEL")(del_)
