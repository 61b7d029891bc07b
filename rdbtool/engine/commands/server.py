"""Functions, scripts, slots, and the commands that leave the data alone.

Scripts are never executed. A function library is kept as its source; what its code would register is not known
here, so a function that two libraries register is not noticed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rdbtool._codec.selection import slot_of
from rdbtool.engine.arguments import is_int
from rdbtool.engine.dumps import read_functions
from rdbtool.engine.engine import Engine
from rdbtool.engine.errors import SYNTAX, ArityError, CommandError, ScriptError, UnknownEffectError
from rdbtool.engine.table import COMMANDS, command
from rdbtool.libraries import read_header, registers_nothing

_SLOTS: Final = 16384


def parse_shebang(code: bytes) -> tuple[bytes, bytes]:
    """Return engine and library name from the first line of a library, ``#!lua name=mylib``. Raises CommandError."""
    try:
        return read_header(code)
    except ValueError as error:
        raise CommandError(f"ERR {error}") from None


def library_name(code: bytes) -> bytes:
    """Return the name that a library's first line gives it. Raises CommandError."""
    return parse_shebang(code)[1]


def _text(word: bytes) -> str:
    return word.decode("utf-8", "backslashreplace")


def _loadable(code: bytes) -> bytes:
    """Return the name of a library that a server has the engine for. Raises CommandError."""
    engine, name = parse_shebang(code)
    if engine.lower() != b"lua":
        raise CommandError(f"ERR Engine '{_text(engine)}' not found")
    if registers_nothing(code):
        raise CommandError("ERR No functions registered")
    return name


@command("FUNCTION LOAD", -3, "7.0.0")
def function_load(engine: Engine, argv: Sequence[bytes]) -> None:
    """Load a library: FUNCTION LOAD [REPLACE] code."""
    for word in argv[2:-1]:
        if word.upper() != b"REPLACE":
            raise CommandError(f"ERR Unknown option given: {_text(word)}")
    name = _loadable(argv[-1])
    if name in engine.functions and len(argv) == 3:
        raise CommandError(f"ERR Library '{_text(name)}' already exists")
    engine.functions[name] = argv[-1]


@command("FUNCTION DELETE", 3, "7.0.0")
def function_delete(engine: Engine, argv: Sequence[bytes]) -> None:
    """Delete a library: FUNCTION DELETE library."""
    if engine.functions.pop(argv[2], None) is None:
        raise CommandError("ERR Library not found")


@command("FUNCTION FLUSH", -2, "7.0.0")
def function_flush(engine: Engine, argv: Sequence[bytes]) -> None:
    """Delete all libraries: FUNCTION FLUSH [ASYNC | SYNC]."""
    if len(argv) > 3 or (len(argv) == 3 and argv[2].upper() not in (b"ASYNC", b"SYNC")):
        raise CommandError("ERR FUNCTION FLUSH only supports SYNC|ASYNC option")
    engine.functions.clear()


@command("FUNCTION RESTORE", -3, "7.0.0")
def function_restore(engine: Engine, argv: Sequence[bytes]) -> None:
    """Load all libraries of a dump, or none: FUNCTION RESTORE payload [FLUSH | APPEND | REPLACE]."""
    policy = argv[3].upper() if len(argv) == 4 else b"APPEND"
    if len(argv) > 4:
        raise CommandError(SYNTAX)
    if policy not in (b"FLUSH", b"APPEND", b"REPLACE"):
        raise CommandError("ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.")
    restored: dict[bytes, bytes] = {}
    for code in read_functions(argv[2], engine.rules):
        name = _loadable(code)
        if name in restored or (policy == b"APPEND" and name in engine.functions):
            raise CommandError(f"ERR Library {_text(name)} already exists")
        restored[name] = code
    if policy == b"FLUSH":
        engine.functions.clear()
    engine.functions.update(restored)


@command("CLUSTER FLUSHSLOT", -3, None, "9.0.0")
def cluster_flushslot(engine: Engine, argv: Sequence[bytes]) -> None:
    """CLUSTER FLUSHSLOT slot [ASYNC | SYNC]: the keys of a slot go, in all databases."""
    if len(argv) > 4 or (len(argv) == 4 and argv[3].upper() not in (b"ASYNC", b"SYNC")):
        raise CommandError(SYNTAX)
    _flush_slots(engine, {_slot(argv[2])})


@command("SFLUSH", -3, "8.0.0", None)
def sflush(engine: Engine, argv: Sequence[bytes]) -> None:
    """SFLUSH first last [first last ...] [ASYNC | SYNC]: the keys of these slots go."""
    numbers = argv[1:-1] if argv[-1].upper() in (b"ASYNC", b"SYNC") else argv[1:]
    if len(numbers) % 2 or not numbers:
        raise ArityError("ERR wrong number of arguments for 'sflush' command")
    slots: set[int] = set()
    for first, last in zip(map(_slot, numbers[::2]), map(_slot, numbers[1::2]), strict=True):
        if first > last:
            raise CommandError(f"ERR start slot number {first} is greater than end slot number {last}")
        if not slots.isdisjoint(range(first, last + 1)):
            raise CommandError("ERR a slot is specified multiple times")
        slots.update(range(first, last + 1))
    _flush_slots(engine, slots)


def _slot(text: bytes) -> int:
    if not is_int(text) or not 0 <= int(text) < _SLOTS:
        raise CommandError("ERR Invalid or out of range slot")
    return int(text)


def _flush_slots(engine: Engine, slots: set[int]) -> None:
    for db in engine.dbs.values():
        for key in [key for key in db.keys if slot_of(key) in slots]:
            db.delete(key)


@command("FCALL", -3, "7.0.0")
def run_script(_engine: Engine, argv: Sequence[bytes]) -> None:
    """FCALL: not executed."""
    raise ScriptError(f"ERR {_text(argv[0]).upper()} is a script, and scripts are not executed")


@command("MIGRATE", -6, "2.6.0")
def migrate(_engine: Engine, _argv: Sequence[bytes]) -> None:
    """MIGRATE: whether the keys are gone depends on another server; servers log the DEL instead."""
    raise UnknownEffectError("MIGRATE moves keys to another server, if that one takes them")


def _leave_alone(_engine: Engine, _argv: Sequence[bytes]) -> None:
    """Do nothing: the command reads, or concerns the connection, the cluster or the running server only."""


#: Commands that change no data, by the version of Redis that brought them: name/arity.
_HARMLESS: Final = {
    "1.0.0": "DBSIZE/1 ECHO/2 EXISTS/-2 GET/2 INFO/-1 KEYS/2 LASTSAVE/1 LINDEX/3 LLEN/2 LRANGE/4 MGET/-2 PING/-1 "
    "RANDOMKEY/1 SCARD/2 SDIFF/-2 SINTER/-2 SISMEMBER/3 SMEMBERS/2 SRANDMEMBER/-2 SUBSTR/4 SUNION/-2 TTL/2 TYPE/2 "
    "AUTH/-2 SAVE/1 BGSAVE/-1 BGREWRITEAOF/1",
    "1.2.0": "ZCARD/2 ZRANGE/-4 ZREVRANGE/-4 ZRANGEBYSCORE/-4 ZSCORE/3",
    "2.0.0": "HEXISTS/3 HGET/3 HGETALL/2 HKEYS/2 HLEN/2 HMGET/-3 HVALS/2 PUBLISH/3 ZCOUNT/4 ZRANK/3 ZREVRANK/3 "
    "CONFIG/-2",
    "2.2.0": "GETBIT/3 GETRANGE/4 STRLEN/2 WATCH/-2 UNWATCH/1 ZREVRANGEBYSCORE/-4 OBJECT/-2 SLOWLOG/-2",
    "2.4.0": "CLIENT/-2",
    "2.6.0": "BITCOUNT/-2 DUMP/2 PTTL/2 TIME/1 SCRIPT_LOAD/3 SCRIPT_FLUSH/-2 SCRIPT_EXISTS/-3 SCRIPT_KILL/2 "
    "SCRIPT_HELP/2 SCRIPT_DEBUG/3",
    "2.8.0": "SCAN/-2 HSCAN/-3 SSCAN/-3 ZSCAN/-3 BITPOS/-3 COMMAND/-1 LATENCY/-2 PFSELFTEST/1 PUBSUB/-2 ROLE/1 "
    "ZLEXCOUNT/4 ZRANGEBYLEX/-4 ZREVRANGEBYLEX/-4",
    "3.0.0": "ASKING/1 READONLY/1 READWRITE/1 WAIT/3 CLUSTER_SETSLOT/-4 CLUSTER_INFO/2 CLUSTER_NODES/2 "
    "CLUSTER_SLOTS/2 CLUSTER_KEYSLOT/3 CLUSTER_MYID/2 CLUSTER_COUNTKEYSINSLOT/3 CLUSTER_GETKEYSINSLOT/4",
    "3.2.0": "GEODIST/-4 GEOHASH/-2 GEOPOS/-2 GEORADIUS_RO/-6 GEORADIUSBYMEMBER_RO/-5 HSTRLEN/3 TOUCH/-2",
    "4.0.0": "MEMORY/-2 MODULE/-2",
    "5.0.0": "LOLWUT/-1 XINFO/-2 XLEN/2 XPENDING/-3 XRANGE/-4 XREAD/-4 XREVRANGE/-4",
    "6.0.0": "ACL/-2 BITFIELD_RO/-2 HELLO/-1 LPOS/-3",
    "6.2.0": "GEOSEARCH/-7 HRANDFIELD/-2 SMISMEMBER/-3 ZDIFF/-3 ZINTER/-3 ZMSCORE/-3 ZRANDMEMBER/-2 ZUNION/-3",
    "7.0.0": "EVAL_RO/-3 EVALSHA_RO/-3 EXPIRETIME/2 FCALL_RO/-3 FUNCTION_LIST/-2 FUNCTION_DUMP/2 FUNCTION_STATS/2 "
    "FUNCTION_KILL/2 FUNCTION_HELP/2 LCS/-3 PEXPIRETIME/2 SINTERCARD/-3 SORT_RO/-2 SPUBLISH/3 ZINTERCARD/-3 "
    "CLUSTER_SHARDS/2 CLUSTER_LINKS/2",
    "7.2.0": "WAITAOF/4",
    "7.4.0": "HTTL/-5 HPTTL/-5 HEXPIRETIME/-5 HPEXPIRETIME/-5",
    "8.4.0": "DIGEST/2",
}

#: Those whose names have an underscore; in all other names it stands for the space before a subcommand.
_UNDERSCORED: Final = ("_RO",)

#: Since when Valkey has what it did not take over from Redis 7.2, or None.
_IN_VALKEY: Final = {"7.4.0": "9.0.0", "8.4.0": None}


def _register_harmless() -> None:
    for since, words in _HARMLESS.items():
        for word in words.split():
            name, arity = word.split("/")
            if not name.endswith(_UNDERSCORED):
                name = name.replace("_", " ")
            if name.encode() not in COMMANDS:
                command(name, int(arity), since, _IN_VALKEY.get(since, "7.2.0"))(_leave_alone)
    command("CLUSTER SYNCSLOTS", -3, None, "9.0.0")(_leave_alone)


_register_harmless()
