"""Strings and counters: known answers, rules of loading, and errors."""

from __future__ import annotations

import random

import pytest

from rdbtool.engine import CommandError, Engine
from rdbtool.engine.algorithms.xxh3 import xxh3_64
from rdbtool.engine.commands.strings import MAX_STRING
from rdbtool.model import StringValue

NOW = 1_700_000_000_000


def run(*lines: str, rules: str | None = None) -> Engine:
    """Execute commands written as lines; ``''`` is an empty argument. ``rules`` None: a server that knows them."""
    known = "valkey-9.1" if any(line.startswith("DELIFEQ") for line in lines) else "redis-8.10"
    engine = Engine(rules=rules or known, now_ms=NOW)
    for line in lines:
        engine.execute(*(b"" if word == "''" else word.encode() for word in line.split()))
    return engine


def state(engine: Engine) -> dict[str, tuple[str, int | None]]:
    """Return the strings of db 0 and their expiries."""
    found = {}
    for record in engine.records():
        assert isinstance(record.value, StringValue)
        found[record.key.decode()] = (record.value.data.decode(), record.expire_at_ms)
    return found


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("SET k v", ("v", None)),
        ("set k v ex 10", ("v", NOW + 10_000)),
        ("SET k v PX 10", ("v", NOW + 10)),
        ("SET k v EXAT 10", ("v", 10_000)),
        ("SET k v PXAT 10", ("v", 10)),
        ("SET k v KEEPTTL", ("v", 5)),
        ("SET k v KEEPTTL keepttl XX GET", ("v", 5)),
        ("SET k v EX 1 EX 2", ("v", NOW + 2000)),
        ("SET k v NX", ("old", 5)),
        ("SET k v NX NX GET", ("old", 5)),
        ("SET k v XX", ("v", None)),
        ("SET k v IFEQ old", ("v", None)),
        ("SET k v IFEQ other", ("old", 5)),
        ("SET k v IFNE old", ("old", 5)),
        ("SET k v IFNE other PXAT 7", ("v", 7)),
        (f"SET k v IFDEQ {xxh3_64(b'old'):016x}", ("v", None)),
        (f"SET k v IFDEQ {xxh3_64(b'old'):016X}", ("v", None)),
        (f"SET k v IFDNE {xxh3_64(b'old'):016x}", ("old", 5)),
        ("SETNX k v", ("old", 5)),
        ("SETEX k 10 v", ("v", NOW + 10_000)),
        ("PSETEX k 10 v", ("v", NOW + 10)),
        ("GETSET k v", ("v", None)),
        ("GETEX k", ("old", 5)),
        ("GETEX k EX 1", ("old", NOW + 1000)),
        ("GETEX k PXAT 1", ("old", 1)),
        ("GETEX k PERSIST", ("old", None)),
        ("MSET k v x y k w", ("w", None)),
        ("MSETNX x y k w", ("old", 5)),
        ("MSETEX 2 k v x y", ("v", None)),
        ("MSETEX 2 k v x y NX", ("old", 5)),
        ("MSETEX 1 k v XX PX 5", ("v", NOW + 5)),
        ("MSETEX 2 k v x y XX", ("old", 5)),
        ("MSETEX 1 k v KEEPTTL", ("v", 5)),
        ("APPEND k v", ("oldv", 5)),
        ("SETRANGE k 1 LONGER", ("oLONGER", 5)),
        ("SETRANGE k 5 x", ("old\0\0x", 5)),
        ("SETRANGE k 99 ''", ("old", 5)),
        ("DELIFEQ k other", ("old", 5)),
        ("DELEX k IFEQ other", ("old", 5)),
    ],
)
def test_what_becomes_of_a_string_with_an_expiry(line: str, expected: tuple[str, int | None]) -> None:
    assert state(run("SET k old PXAT 5", line))["k"] == expected


@pytest.mark.parametrize("line", ["GETDEL k", "DELIFEQ k old", "DELEX k", "DELEX k IFNE other", "DELEX k ifeq old"])
def test_deletions(line: str) -> None:
    assert state(run("SET k old PXAT 5", line)) == {}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("SET k v XX", {}),
        ("SET k v IFEQ ''", {}),
        ("SET k v IFNE x", {"k": ("v", None)}),
        ("SETNX k v extra", {"k": ("v", None)}),
        ("MSETNX k a k b", {"k": ("b", None)}),
        ("MSETEX 2 k a x b XX", {}),
        ("GETEX k EX 5", {}),
        ("GETEX k EX 0", {}),
        ("GETDEL k", {}),
        ("GETSET k v", {"k": ("v", None)}),
        ("APPEND k v extra", {"k": ("v", None)}),
        ("APPEND k ''", {"k": ("", None)}),
        ("SETRANGE k 2 v", {"k": ("\0\0v", None)}),
        ("SETRANGE k 2 ''", {}),
        ("INCR k", {"k": ("1", None)}),
        ("DECRBY k -5", {"k": ("5", None)}),
        ("INCRBYFLOAT k 3.0e3", {"k": ("3000", None)}),
        ("DELEX k", {}),
        ("DELEX k IFNE x", {}),
    ],
)
def test_where_there_was_no_key(line: str, expected: dict[str, tuple[str, int | None]]) -> None:
    assert state(run(line)) == expected


@pytest.mark.parametrize(
    "line",
    [
        "SET k v NX XX",
        "SET k v XX IFEQ v",
        "SET k v IFDEQ 123",
        "SET k v EX",
        "SET k v EX 0",
        "SET k v EX -1",
        "SET k v PX x",
        "SET k v EX 9223372036854775",
        "SET k v PX 9223372036854775807",
        "SET k v EX 1 PX 1",
        "SET k v KEEPTTL EX 1",
        "SET k v PERSIST",
        "SET k v nonsense",
        "SET list v GET",
        "SET list v IFEQ x",
        "SETEX k 0 v",
        "SETEX k 1.5 v",
        "PSETEX k -1 v",
        "GETSET list v",
        "GETDEL list",
        "GETEX list",
        "GETEX k EX 0",
        "GETEX k KEEPTTL",
        "GETEX k PERSIST EX 1",
        "MSET k",
        "MSET a b c",
        "MSETNX a b c",
        "MSETEX 0 k v",
        "MSETEX x k v",
        "MSETEX 2 k v",
        "MSETEX 1 k v GET",
        "DELIFEQ list x",
        "DELEX list IFEQ x",
        "DELEX k IFEQ",
        "DELEX k NX x",
        "APPEND list v",
        "SETRANGE k -1 v",
        "SETRANGE k x v",
        "SETRANGE list 0 ''",
        f"SETRANGE k {MAX_STRING} v",
        "INCR k",
        "INCR list",
        "INCRBY n x",
        "INCRBY n 9223372036854775807",
        "DECRBY n -9223372036854775808",
        "INCRBY n +1",
        "INCRBY n 01",
        "INCRBYFLOAT k 1",
        "INCRBYFLOAT n x",
        "INCRBYFLOAT n inf",
        "INCRBYFLOAT list 1",
        "INCREX n",
    ],
)
def test_errors_change_nothing(line: str) -> None:
    engine = run("SET k v PXAT 5", "SET n 10", "RPUSH list 1")
    before = list(engine.records())
    with pytest.raises(CommandError):
        engine.execute(*(b"" if word == "''" else word.encode() for word in line.split()))
    assert list(engine.records()) == before


def test_delex_without_a_condition_takes_any_type() -> None:
    assert list(run("RPUSH list 1", "DELEX list").records()) == []


def test_counters_of_old_servers_read_numbers_as_c_does() -> None:
    for text, total in (("+5", "6"), ("-0", "1"), ("007", "8"), ("''", "1")):
        assert state(run(f"SET k {text}", "INCR k", rules="redis-2.8"))["k"] == (total, None)
        for rules in ("redis-3.2", "redis-7.0", "valkey-9.1"):
            with pytest.raises(CommandError):
                run(f"SET k {text}", "INCR k", rules=rules)


def test_counters_end_at_64_bits() -> None:
    assert state(run("SET k 9223372036854775806", "INCR k"))["k"][0] == "9223372036854775807"
    assert state(run("SET k -9223372036854775807", "DECR k"))["k"][0] == "-9223372036854775808"


def test_long_strings_that_change_stay_strings() -> None:
    """Beyond a certain length they are changed in place; nobody may notice."""
    expected = bytearray()
    engine = Engine(rules="valkey-9.0")
    random_ = random.Random(1)
    for _ in range(400):
        part = random_.randbytes(random_.randrange(20))
        if random_.random() < 0.5:
            engine.execute(b"APPEND", b"k", part)
            expected += part
        else:
            offset = random_.randrange(4000)
            engine.execute(b"SETRANGE", b"k", b"%d" % offset, part)
            if part:
                expected += bytes(max(0, offset + len(part) - len(expected)))
                expected[offset : offset + len(part)] = part
    engine.execute(b"COPY", b"k", b"copy")
    engine.execute(b"APPEND", b"k", b"!")
    engine.execute(b"SET", b"other", b"v", b"IFEQ", b"v")
    values = {record.key: record.value for record in engine.records()}
    assert values == {b"k": StringValue(bytes(expected) + b"!"), b"copy": StringValue(bytes(expected))}
    engine.execute(b"SET", b"copy", b"v", b"IFEQ", bytes(expected))
    engine.execute(b"DELIFEQ", b"k", bytes(expected) + b"!")
    assert [(record.key, record.value) for record in engine.records()] == [(b"copy", StringValue(b"v"))]
    engine.execute(b"SET", b"number", b"1" + b" " * 2000)
    engine.execute(b"APPEND", b"number", b" ")
    with pytest.raises(CommandError, match="not an integer"):
        engine.execute(b"INCR", b"number")
    with pytest.raises(CommandError, match="not a valid float"):
        engine.execute(b"INCRBYFLOAT", b"number", b"1")


@pytest.mark.parametrize(
    ("size", "digest"),
    [
        (0, 0x2D06800538D394C2),
        (1, 0xC44BDFF4074EECDB),
        (3, 0xC3489259E968AD9E),
        (4, 0xD3D60C1519014E89),
        (8, 0xB88DEE77F6BF6980),
        (9, 0x03688DCAD730D826),
        (16, 0x9DA23836ADF2BE1E),
        (17, 0xF34C3C9CF5A112D1),
        (33, 0xC077B45492D29CDE),
        (65, 0x2640848E9137156B),
        (97, 0x077ACB7E5F4FD940),
        (128, 0x65F3C2C00FA93185),
        (129, 0x28065C6EC25F5B25),
        (160, 0xCC592DA68FEA2254),
        (240, 0x4917A75C0EF8EED7),
        (241, 0x541B19226F0052E8),
        (512, 0xF6FE51471F2FA1EC),
        (1024, 0xDC5ACF0B043C445B),
        (1025, 0xE1D9CD946277AE26),
        (1088, 0x4A9C221912B93194),
        (2048, 0x848D24CC268F7498),
        (5000, 0x6ABE8BE5ABCB2760),
    ],
)
def test_xxh3(size: int, digest: int) -> None:
    """Digests computed by the reference implementation of XXH3."""
    assert xxh3_64(bytes(i * 7 % 256 for i in range(size))) == digest
