"""Functions, scripts, slots, and the commands that leave the data alone.

Scripts are never executed. A function library is kept as its source; what its code would register is not known
here, so a function that two libraries register is not noticed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rdbtool._codec.filters.selection import slot_of
from rdbtool.core.functions import registers_nothing
from rdbtool.engine.arguments import is_int, parse_int
from rdbtool.engine.command_errors import (
    SYNTAX,
    ArityError,
    CommandError,
    ScriptError,
    UnknownEffectError,
    describe_subcommand,
)
from rdbtool.engine.dumps import meet_payload, read_functions
from rdbtool.engine.engine import Engine
from rdbtool.engine.libraries import parse_shebang
from rdbtool.engine.replies import OK, Reply
from rdbtool.engine.table import command

_SLOTS: Final = 16384


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
def function_load(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """Load a library: FUNCTION LOAD [REPLACE] code."""
    for word in argv[2:-1]:
        if word.upper() != b"REPLACE":
            raise CommandError(f"ERR Unknown option given: {_text(word)}")
    name = _loadable(argv[-1])
    if name in engine.functions and len(argv) == 3:
        raise CommandError(f"ERR Library '{_text(name)}' already exists")
    engine.functions[name] = argv[-1]
    return name


@command("FUNCTION DELETE", 3, "7.0.0")
def function_delete(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """Delete a library: FUNCTION DELETE library."""
    if engine.functions.pop(argv[2], None) is None:
        raise CommandError("ERR Library not found")
    return OK


@command("FUNCTION FLUSH", -2, "7.0.0")
def function_flush(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """Delete all libraries: FUNCTION FLUSH [ASYNC | SYNC]."""
    if len(argv) > 3:
        raise CommandError(describe_subcommand(argv))
    if len(argv) == 3 and argv[2].upper() not in (b"ASYNC", b"SYNC"):
        raise CommandError("ERR FUNCTION FLUSH only supports SYNC|ASYNC option")
    engine.functions.clear()
    return OK


@command("FUNCTION RESTORE", -3, "7.0.0")
def function_restore(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """Load all libraries of a dump, or none: FUNCTION RESTORE payload [FLUSH | APPEND | REPLACE]."""
    policy = argv[3].upper() if len(argv) == 4 else b"APPEND"
    if len(argv) > 4:
        raise CommandError(describe_subcommand(argv))
    if policy not in (b"FLUSH", b"APPEND", b"REPLACE"):
        raise CommandError("ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.")
    restored: dict[bytes, bytes] = {}
    meet_payload(engine.needs, argv[2])
    for code in read_functions(argv[2], engine.rules):
        name = _loadable(code)
        if name in restored or (policy == b"APPEND" and name in engine.functions):
            raise CommandError(f"ERR Library {_text(name)} already exists")
        restored[name] = code
    if policy == b"FLUSH":
        engine.functions.clear()
    engine.functions.update(restored)
    return OK


@command("CLUSTER FLUSHSLOT", -3, None, "9.0.0")
def cluster_flushslot(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """CLUSTER FLUSHSLOT slot [ASYNC | SYNC]: the keys of a slot go, in all databases."""
    if len(argv) > 4 or (len(argv) == 4 and argv[3].upper() not in (b"ASYNC", b"SYNC")):
        raise CommandError(SYNTAX)
    _flush_slots(engine, {_slot(argv[2])})
    return OK


@command("SFLUSH", -3, "8.0.0", None)
def sflush(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """SFLUSH first last [first last ...] [ASYNC | SYNC]: the keys of these slots go."""
    numbers = argv[1:-1] if argv[-1].upper() in (b"ASYNC", b"SYNC") else argv[1:]
    if len(numbers) % 2 or not numbers:
        raise ArityError("ERR wrong number of arguments for 'sflush' command")
    _flush_slots(engine, _read_slots(numbers))
    return [[int(first), int(last)] for first, last in zip(numbers[::2], numbers[1::2], strict=True)]


@command("TRIMSLOTS", -5, "8.4.0", None)
def trimslots(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """TRIMSLOTS RANGES numranges first last [first last ...]: the keys of these slots go, after a migration."""
    numbers = argv[3:]
    if argv[1].upper() != b"RANGES":
        raise CommandError("ERR missing ranges argument")
    count = parse_int(argv[2])
    if not 1 <= count <= _SLOTS or len(numbers) != 2 * count:
        raise CommandError("ERR invalid number of ranges")
    _flush_slots(engine, _read_slots(numbers))
    return OK


def _read_slots(numbers: Sequence[bytes]) -> set[int]:
    """Return the slots of ranges, each by its first and last slot. Raises CommandError."""
    slots: set[int] = set()
    for first, last in zip(map(_slot, numbers[::2]), map(_slot, numbers[1::2]), strict=True):
        if first > last:
            raise CommandError(f"ERR start slot number {first} is greater than end slot number {last}")
        twice = next((slot for slot in range(first, last + 1) if slot in slots), None)
        if twice is not None:
            raise CommandError(f"ERR Slot {twice} specified multiple times")
        slots.update(range(first, last + 1))
    return slots


def _slot(text: bytes) -> int:
    if not is_int(text) or not 0 <= int(text) < _SLOTS:
        raise CommandError("ERR Invalid or out of range slot")
    return int(text)


def _flush_slots(engine: Engine, slots: set[int]) -> None:
    for db in engine.dbs.values():
        for key in [key for key in db.keys if slot_of(key) in slots]:
            db.delete(key)


@command("FCALL", -3, "7.0.0")
def run_script(_engine: Engine, argv: Sequence[bytes]) -> Reply:
    """FCALL: not executed."""
    raise ScriptError(f"ERR {_text(argv[0]).upper()} is a script, and scripts are not executed")


@command("MIGRATE", -6, "2.6.0")
def migrate(_engine: Engine, _argv: Sequence[bytes]) -> Reply:
    """MIGRATE: whether the keys are gone depends on another server; servers log the DEL instead."""
    raise UnknownEffectError("MIGRATE moves keys to another server, if that one takes them")


def leave_alone(_engine: Engine, _argv: Sequence[bytes]) -> Reply:
    """Do nothing: the command reads, or concerns the connection, the cluster or the running server only."""
    return None


#: Commands that change no data, by the first releases of Redis and of Valkey that have them: name/arity. All but those
#: of Redis 8.8 and later are as real servers tell them.
_HARMLESS: Final[dict[tuple[str | None, str | None], str]] = {
    ("1.0.0", "7.2.0"): (
        "AUTH/-2 BGREWRITEAOF/1 BGSAVE/-1 DBSIZE/1 ECHO/2 EXISTS/-2 GET/2 INFO/-1 KEYS/2 LASTSAVE/1 LINDEX/3 LLEN/2 "
        "LRANGE/4 MGET/-2 PING/-1 QUIT/-1 RANDOMKEY/1 SAVE/1 SCARD/2 SDIFF/-2 SINTER/-2 SISMEMBER/3 SMEMBERS/2 "
        "SRANDMEMBER/-2 SUBSTR/4 SUNION/-2 SYNC/1 TTL/2 TYPE/2 ZRANGEBYSCORE/-4"
    ),
    ("1.2.0", "7.2.0"): "ZCARD/2 ZRANGE/-4 ZREVRANGE/-4 ZSCORE/3",
    ("2.0.0", "7.2.0"): (
        "CONFIG_GET/-3 CONFIG_RESETSTAT/2 CONFIG_SET/-4 HEXISTS/3 HGET/3 HGETALL/2 HKEYS/2 HLEN/2 HMGET/-3 HVALS/2 "
        "PUBLISH/3 PUNSUBSCRIBE/-1 UNSUBSCRIBE/-1 ZCOUNT/4 ZRANK/-3 ZREVRANK/-3"
    ),
    ("2.2.0", "7.2.0"): (
        "GETBIT/3 OBJECT_ENCODING/3 OBJECT_IDLETIME/3 OBJECT_REFCOUNT/3 SLOWLOG_GET/-2 SLOWLOG_LEN/2 SLOWLOG_RESET/2 "
        "STRLEN/2 UNWATCH/1 WATCH/-2 ZREVRANGEBYSCORE/-4"
    ),
    ("2.4.0", "7.2.0"): "CLIENT_KILL/-3 CLIENT_LIST/-2 GETRANGE/4",
    ("2.6.0", "7.2.0"): (
        "BITCOUNT/-2 CLIENT_GETNAME/2 CLIENT_SETNAME/3 DUMP/2 PTTL/2 SCRIPT_EXISTS/-3 SCRIPT_KILL/2 TIME/1"
    ),
    ("2.8.0", "7.2.0"): (
        "BITPOS/-3 COMMAND/-1 COMMAND_COUNT/2 COMMAND_GETKEYS/-3 COMMAND_INFO/-2 CONFIG_REWRITE/2 HSCAN/-3 "
        "LATENCY_DOCTOR/2 LATENCY_GRAPH/3 LATENCY_HELP/2 LATENCY_HISTORY/3 LATENCY_LATEST/2 LATENCY_RESET/-2 "
        "PFSELFTEST/1 PUBSUB_CHANNELS/-2 PUBSUB_NUMPAT/2 PUBSUB_NUMSUB/-2 ROLE/1 SCAN/-2 SSCAN/-3 ZLEXCOUNT/4 "
        "ZRANGEBYLEX/-4 ZREVRANGEBYLEX/-4 ZSCAN/-3"
    ),
    ("3.0.0", "7.2.0"): (
        "ASKING/1 CLIENT_PAUSE/-3 CLUSTER_ADDSLOTS/-3 CLUSTER_BUMPEPOCH/2 CLUSTER_COUNT-FAILURE-REPORTS/3 "
        "CLUSTER_COUNTKEYSINSLOT/3 CLUSTER_DELSLOTS/-3 CLUSTER_FAILOVER/-2 CLUSTER_FLUSHSLOTS/2 CLUSTER_FORGET/3 "
        "CLUSTER_GETKEYSINSLOT/4 CLUSTER_INFO/2 CLUSTER_KEYSLOT/3 CLUSTER_MEET/-4 CLUSTER_MYID/2 CLUSTER_NODES/2 "
        "CLUSTER_RESET/-2 CLUSTER_SAVECONFIG/2 CLUSTER_SET-CONFIG-EPOCH/3 CLUSTER_SETSLOT/-4 CLUSTER_SLAVES/3 "
        "CLUSTER_SLOTS/2 READONLY/1 READWRITE/1 REPLCONF/-1"
    ),
    ("3.2.0", "7.2.0"): (
        "CLIENT_REPLY/3 GEODIST/-4 GEOHASH/-2 GEOPOS/-2 GEORADIUSBYMEMBER_RO/-5 GEORADIUS_RO/-6 HSTRLEN/3 "
        "SCRIPT_DEBUG/-3 TOUCH/-2"
    ),
    ("4.0.0", "7.2.0"): (
        "MEMORY_DOCTOR/2 MEMORY_HELP/2 MEMORY_MALLOC-STATS/2 MEMORY_PURGE/2 MEMORY_STATS/2 MEMORY_USAGE/-3 "
        "MODULE_LIST/2 MODULE_LOAD/-3 MODULE_UNLOAD/3 OBJECT_FREQ/3"
    ),
    ("5.0.0", "7.2.0"): (
        "CLIENT_HELP/2 CLIENT_ID/2 CLIENT_UNBLOCK/-3 CLUSTER_HELP/2 CLUSTER_REPLICAS/3 COMMAND_HELP/2 CONFIG_HELP/2 "
        "LOLWUT/-1 MODULE_HELP/2 SCRIPT_HELP/2 XGROUP_HELP/2 XINFO_CONSUMERS/4 XINFO_GROUPS/3 XINFO_HELP/2 "
        "XINFO_STREAM/-3 XLEN/2 XPENDING/-3 XRANGE/-4 XREAD/-4 XREVRANGE/-4"
    ),
    ("6.0.0", "7.2.0"): (
        "ACL_CAT/-2 ACL_DELUSER/-3 ACL_GENPASS/-2 ACL_GETUSER/3 ACL_HELP/2 ACL_LIST/2 ACL_LOAD/2 ACL_LOG/-2 "
        "ACL_SAVE/2 ACL_SETUSER/-3 ACL_USERS/2 ACL_WHOAMI/2 BITFIELD_RO/-2 CLIENT_CACHING/3 CLIENT_GETREDIR/2 "
        "CLIENT_TRACKING/-3 HELLO/-1 LPOS/-3"
    ),
    ("6.2.0", "7.2.0"): (
        "CLIENT_INFO/2 CLIENT_TRACKINGINFO/2 CLIENT_UNPAUSE/2 FAILOVER/-1 GEOSEARCH/-7 HRANDFIELD/-2 OBJECT_HELP/2 "
        "PUBSUB_HELP/2 SLOWLOG_HELP/2 SMISMEMBER/-3 ZDIFF/-3 ZINTER/-3 ZMSCORE/-3 ZRANDMEMBER/-2 ZUNION/-3"
    ),
    ("7.0.0", "7.2.0"): (
        "ACL_DRYRUN/-4 CLIENT_NO-EVICT/3 CLUSTER_ADDSLOTSRANGE/-4 CLUSTER_DELSLOTSRANGE/-4 CLUSTER_LINKS/2 "
        "CLUSTER_SHARDS/2 COMMAND_DOCS/-2 COMMAND_GETKEYSANDFLAGS/-3 COMMAND_LIST/-2 EVALSHA_RO/-3 EVAL_RO/-3 "
        "EXPIRETIME/2 FCALL_RO/-3 FUNCTION_DUMP/2 FUNCTION_HELP/2 FUNCTION_KILL/2 FUNCTION_LIST/-2 FUNCTION_STATS/2 "
        "LATENCY_HISTOGRAM/-2 LCS/-3 MODULE_LOADEX/-3 PEXPIRETIME/2 PUBSUB_SHARDCHANNELS/-2 PUBSUB_SHARDNUMSUB/-2 "
        "SINTERCARD/-3 SORT_RO/-2 SPUBLISH/3 SUNSUBSCRIBE/-1 ZINTERCARD/-3"
    ),
    ("7.2.0", "7.2.0"): "CLIENT_NO-TOUCH/3 CLIENT_SETINFO/4 CLUSTER_MYSHARDID/2 WAITAOF/4",
    ("7.4.0", "9.0.0"): "HEXPIRETIME/-5 HPEXPIRETIME/-5 HPTTL/-5 HTTL/-5",
    ("8.0.0", None): "VCARD/2 VDIM/2 VEMB/-3 VGETATTR/3 VINFO/2 VISMEMBER/3 VLINKS/-3 VRANDMEMBER/-2 VSIM/-4",
    ("8.2.0", "8.0.0"): "CLUSTER_SLOT-STATS/-4",
    ("8.4.0", "9.0.0"): "CLUSTER_SYNCSLOTS/-3",
    ("8.4.0", None): "DIGEST/2 VRANGE/-4",
    ("8.6.0", None): "HOTKEYS_GET/2 HOTKEYS_HELP/2 HOTKEYS_RESET/2 HOTKEYS_START/-2 HOTKEYS_STOP/2",
    (None, "8.0.0"): "CLIENT_CAPA/-3 SCRIPT_SHOW/3",
    (None, "8.1.0"): "CLIENT_IMPORT-SOURCE/3 COMMANDLOG_GET/4 COMMANDLOG_HELP/2 COMMANDLOG_LEN/3 COMMANDLOG_RESET/3",
    (None, "9.0.0"): "CLUSTER_CANCELSLOTMIGRATIONS/2 CLUSTER_GETSLOTMIGRATIONS/2",
    (None, "9.1.0"): "CLUSTERSCAN/-2",
    ("8.8.0", None): (
        "ARCOUNT/2 ARGET/3 ARGETRANGE/4 ARGREP/-6 ARINFO/-2 ARLASTITEMS/-3 ARLEN/2 ARMGET/-3 ARNEXT/2 AROP/-5 ARSCAN/-4"
    ),
    ("8.10.0", None): (
        "BACKUP_ABORT/2 BACKUP_CLEANUP/2 BACKUP_HELP/2 BACKUP_LIST/2 BACKUP_SEAL/2 BACKUP_START/2 BACKUP_STATUS/2 "
        "HIMPORT_DISCARD/3 HIMPORT_DISCARDALL/2 HIMPORT_PREPARE/-4 SDIFFCARD/-3 SUNIONCARD/-3"
    ),
}

#: Those whose names have an underscore; in all other names it stands for the space before a subcommand.
_UNDERSCORED: Final = ("_RO",)


def _register_harmless() -> None:
    for (redis, valkey), words in _HARMLESS.items():
        for word in words.split():
            name, arity = word.split("/")
            if not name.endswith(_UNDERSCORED):
                name = name.replace("_", " ")
            command(name, int(arity), redis, valkey)(leave_alone)


_register_harmless()
