"""Keys of any type: expiry while loading, renaming, moving, copying, swapping and flushing."""

from __future__ import annotations

import pytest

from rdbtool.engine import CommandError, Engine
from rdbtool.model import KeyRecord

NOW = 1_700_000_000_000

#: One key of each type.
TYPES = [
    "SET string v",
    "RPUSH list a b",
    "SADD set a b",
    "ZADD zset 1 a 2 b",
    "HSET hash f v",
    "HPEXPIREAT hash 1900000000000 FIELDS 1 f",
    "XADD stream 1-1 f v",
    "XGROUP CREATE stream g 0",
]


def run(*lines: str, rules: str = "redis-8.0") -> Engine:
    """Execute commands written as lines; ``''`` is an empty argument."""
    engine = Engine(rules=rules, now_ms=NOW)
    for line in lines:
        engine.execute(*(b"" if word == "''" else word.encode() for word in line.split()))
    return engine


def expiries(engine: Engine) -> dict[str, int | None]:
    """Return all keys, as ``db/key``, with their expiry."""
    return {f"{record.db}/{record.key.decode()}": record.expire_at_ms for record in engine.records()}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("EXPIRE k 10", NOW + 10_000),
        ("PEXPIRE k 10", NOW + 10),
        ("EXPIREAT k 10", 10_000),
        ("PEXPIREAT k 10", 10),
        # While loading nothing is deleted, however long ago its time was.
        ("PEXPIREAT k 0", 0),
        ("PEXPIREAT k -7", -7),
        ("EXPIRE k -1", NOW - 1000),
        ("PERSIST k extra", None),
        # The number that says that there is none.
        ("PEXPIREAT k -1", None),
        ("PEXPIREAT k 9000 NX", 5000),
        ("PEXPIREAT k 9000 XX", 9000),
        ("PEXPIREAT k 9000 GT", 9000),
        ("PEXPIREAT k 5000 GT", 5000),
        ("PEXPIREAT k 4000 gt xx", 5000),
        ("PEXPIREAT k 9000 LT", 5000),
        ("PEXPIREAT k 4000 LT", 4000),
        ("PEXPIREAT k 4000 XX LT", 4000),
    ],
)
def test_expiry_of_a_key_that_has_one(line: str, expected: int | None) -> None:
    assert expiries(run("SET k v PXAT 5000", line)) == {"0/k": expected}


@pytest.mark.parametrize(
    ("condition", "expected"), [("NX", 9000), ("XX", None), ("GT", None), ("LT", 9000), ("LT XX", None)]
)
def test_a_key_without_expiry_counts_as_never_expiring(condition: str, expected: int | None) -> None:
    assert expiries(run("SET k v", f"PEXPIREAT k 9000 {condition}")) == {"0/k": expected}


def test_an_expired_key_is_alive() -> None:
    engine = run("SET k 5 PXAT 1", "INCR k", "SETNX k 9", "APPEND k 0", "PERSIST k")
    assert expiries(engine) == {"0/k": None}
    assert engine.db.keys[b"k"] == b"60"


def test_no_key_no_expiry() -> None:
    assert expiries(run("PEXPIREAT k 9000", "PERSIST k", "DEL k", "UNLINK k x")) == {}


def test_what_clears_an_expiry() -> None:
    lines = ["SET a v PXAT 5000", "SET b v PXAT 6000"]
    assert expiries(run(*lines, "DEL a", "SET a v")) == {"0/b": 6000, "0/a": None}
    assert expiries(run(*lines, "RENAME a b")) == {"0/b": 5000}
    assert expiries(run(*lines, "SET c v", "RENAME c b")) == {"0/a": 5000, "0/b": None}


def test_rename() -> None:
    lines = ["SET a 1 PXAT 5000", "SET b 2"]
    assert expiries(run(*lines, "RENAME a c")) == {"0/b": None, "0/c": 5000}
    assert expiries(run(*lines, "RENAME a a")) == {"0/a": 5000, "0/b": None}
    assert expiries(run(*lines, "RENAMENX a b")) == {"0/a": 5000, "0/b": None}
    assert expiries(run(*lines, "RENAMENX a a")) == {"0/a": 5000, "0/b": None}
    assert expiries(run(*lines, "RENAMENX a c")) == {"0/b": None, "0/c": 5000}


def test_move_and_swap() -> None:
    lines = ["SET a 1 PXAT 5000", "SET b 2", "SELECT 1", "SET b 3", "SELECT 0"]
    assert expiries(run(*lines, "MOVE a 1", "MOVE b 1", "MOVE x 1")) == {"0/b": None, "1/b": None, "1/a": 5000}
    engine = run(*lines, "SWAPDB 0 1", "SET c 4", "SWAPDB 3 3", "SWAPDB 1 2")
    assert expiries(engine) == {"0/b": None, "0/c": None, "2/a": 5000, "2/b": None}
    assert engine.index == 0


def test_flush() -> None:
    lines = ["SET a 1 PXAT 5000", "SELECT 1", "SET b 3", "SET c 4"]
    assert expiries(run(*lines, "FLUSHDB")) == {"0/a": 5000}
    assert expiries(run(*lines, "flushdb async", "FLUSHALL SYNC")) == {}
    engine = run(*lines)
    library = b"#!lua name=f\nredis.register_function('g', function() end)"
    engine.execute(b"FUNCTION", b"LOAD", library)
    engine.execute(b"FLUSHALL")
    assert engine.functions == {b"f": library}
    assert expiries(engine) == {}


def renamed(records: list[KeyRecord], old: bytes, new: bytes) -> list[KeyRecord]:
    """Return the record of a key as that of another."""
    return [
        KeyRecord(db=record.db, key=new, value=record.value, expire_at_ms=record.expire_at_ms)
        for record in records
        if record.key == old
    ]


@pytest.mark.parametrize("key", ["string", "list", "set", "zset", "hash", "stream"])
def test_copies_are_equal_and_change_on_their_own(key: str) -> None:
    engine = run(*TYPES, f"PEXPIREAT {key} 5000", f"COPY {key} copy", "SET other v", f"COPY {key} other")
    records = list(engine.records())
    assert renamed(records, b"copy", b"x") == renamed(records, key.encode(), b"x") != []
    assert expiries(engine)["0/other"] is None
    change = {
        "string": "APPEND", "list": "RPUSH", "set": "SADD", "zset": "ZADD", "hash": "HDEL", "stream": "XACK"
    }[key]  # fmt: skip
    words = {"zset": "9 a", "hash": "f", "stream": "g 1-1"}.get(key, "more")
    if key == "stream":
        for line in ("XCLAIM stream g c 0 1-1 FORCE JUSTID", "COPY stream copy REPLACE", "PEXPIREAT copy 5000"):
            engine.execute(*line.encode().split())
    before = renamed(list(engine.records()), b"copy", b"x")
    engine.execute(*f"{change} {key} {words}".encode().split())
    records = list(engine.records())
    assert renamed(records, b"copy", b"x") == before
    assert renamed(records, key.encode(), b"x") != before


def test_copy_elsewhere() -> None:
    lines = ["SET a 1 PXAT 5000", "SELECT 1", "SET a 2", "SELECT 0"]
    assert expiries(run(*lines, "COPY a a DB 1")) == {"0/a": 5000, "1/a": None}
    assert expiries(run(*lines, "COPY a a db 1 replace")) == {"0/a": 5000, "1/a": 5000}
    assert expiries(run(*lines, "COPY a b DB 2", "COPY x a DB 1 REPLACE")) == {"0/a": 5000, "1/a": None, "2/b": 5000}


@pytest.mark.parametrize(
    "line",
    [
        "EXPIRE k x", "EXPIRE k 9223372036854775807", "EXPIRE k -9223372036854775808", "PEXPIRE k 9223372036854775807",
        "EXPIREAT k 9223372036854776", "PEXPIREAT k 1.5", "PEXPIREAT k 9 BAD", "PEXPIREAT k 9 NX XX",
        "PEXPIREAT k 9 NX GT", "PEXPIREAT k 9 GT LT", "PEXPIREAT k ''", "RENAME x y", "RENAME x x", "RENAMENX x k",
        "MOVE k 0", "MOVE k 16", "MOVE k -1", "MOVE k x", "MOVE k 99999999999", "COPY k k", "COPY k x DB",
        "COPY k x DB 16", "COPY k x DB y", "COPY k x NONSENSE", "COPY k k DB 0", "SWAPDB 0 16", "SWAPDB x 0",
        "SWAPDB 0 x", "SELECT 16", "SELECT -1", "SELECT x", "FLUSHDB NOW", "FLUSHALL SYNC SYNC", "FLUSHALL ''",
    ],
)  # fmt: skip
def test_errors_change_nothing(line: str) -> None:
    engine = run("SET k v PXAT 5000", "SET y 1")
    before = list(engine.records())
    with pytest.raises(CommandError):
        engine.execute(*(b"" if word == "''" else word.encode() for word in line.split()))
    assert list(engine.records()) == before
    assert engine.index == 0
