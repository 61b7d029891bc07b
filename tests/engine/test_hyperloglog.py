"""HyperLogLogs: the bytes that a 7.0 server stores, the cached cardinality of three generations, corruption."""

from __future__ import annotations

import hashlib

import pytest

from rdbtool.engine import CommandError, Engine
from rdbtool.engine.algorithms.hyperloglog import DENSE_SIZE, EMPTY, locate, murmur64, read_registers
from rdbtool.model import StringValue


def value(engine: Engine, key: bytes) -> bytes:
    """Return a string of db 0."""
    found = {record.key: record.value for record in engine.records()}[key]
    assert isinstance(found, StringValue)
    return found.data


def fill(engine: Engine, key: bytes, count: int) -> None:
    for start in range(0, count, 100):
        elements = [b"element-%d" % number for number in range(start, min(count, start + 100))]
        engine.execute(b"PFADD", key, *elements)


def short(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def test_small_ones_byte_by_byte() -> None:
    engine = Engine(rules="redis-7.0")
    engine.execute(b"PFADD", b"empty")
    assert value(engine, b"empty").hex() == "48594c4c0100000000000000000000807fff"
    engine.execute(b"PFADD", b"a", b"foo", b"bar")
    assert value(engine, b"a").hex() == "48594c4c0100000000000000000000805cb3904a618058e7"
    engine.execute(b"PFCOUNT", b"a")
    assert value(engine, b"a").hex() == "48594c4c0100000002000000000000005cb3904a618058e7"


#: What a Redis 7.0.15 held: size, the beginning of its SHA-256, the cardinality, the SHA-256 with that cached.
STORED = [
    (100, 287, "23f7b6256666b41e", 100, "0cc1e5a4a0bc8714"),
    (1000, 1870, "ad1f32fa78d7d930", 994, "9bd3bf82f5c7d3da"),
    (1500, 2685, "57ab36ee424a180f", 1495, "e086c3cf9379d5e3"),
    (2000, DENSE_SIZE, "3afc170ad7d5a905", 2002, "24928d7e75e37f9e"),
    (5000, DENSE_SIZE, "edf1e7090daa94d9", 4972, "5f3fc4393059c9ff"),
    (100_000, DENSE_SIZE, "5610cb6f94f895f6", 100_917, "87d6cc812f5f18d5"),
]


@pytest.mark.parametrize(("count", "size", "stale", "cardinality", "fresh"), STORED)
def test_stored_bytes(count: int, size: int, stale: str, cardinality: int, fresh: str) -> None:
    engine = Engine(rules="redis-7.0")
    fill(engine, b"k", count)
    data = value(engine, b"k")
    assert (len(data), data[4], short(data)) == (size, 0 if size == DENSE_SIZE else 1, stale)
    engine.execute(b"PFCOUNT", b"k", b"k")
    assert value(engine, b"k") == data
    engine.execute(b"PFCOUNT", b"k")
    data = value(engine, b"k")
    assert (int.from_bytes(data[8:16], "little"), short(data)) == (cardinality, fresh)


def test_merge() -> None:
    engine = Engine(rules="redis-7.0")
    engine.execute(b"PFADD", b"a", b"foo", b"bar")
    for count in (100, 1000, 2000):
        fill(engine, b"n%d" % count, count)
    engine.execute(b"PFMERGE", b"m", b"n100", b"n1000", b"a", b"missing")
    assert short(value(engine, b"m")) == "fce318537dd9b95e"
    engine.execute(b"PFMERGE", b"m2", b"n100", b"n2000")
    assert short(value(engine, b"m2")) == "3afc170ad7d5a905"
    engine.execute(b"PFMERGE", b"new")
    assert value(engine, b"new") == EMPTY[:15] + b"\x80" + EMPTY[16:]


def test_debug_leaves_it_dense() -> None:
    for word in (b"TODENSE", b"getreg"):
        engine = Engine(rules="redis-7.0")
        fill(engine, b"k", 300)
        registers = read_registers(value(engine, b"k"))
        engine.execute(b"PFDEBUG", b"ENCODING", b"k")
        engine.execute(b"PFDEBUG", b"DECODE", b"k")
        assert value(engine, b"k")[4] == 1
        engine.execute(b"PFDEBUG", word, b"k")
        data = value(engine, b"k")
        assert (len(data), data[4]) == (DENSE_SIZE, 0)
        assert read_registers(data) == registers
        engine.execute(b"PFDEBUG", word, b"k")
        assert value(engine, b"k") == data


def test_elements() -> None:
    """The rank counts the zero bits above the 14 of the register."""
    places = [locate(b"%d" % number) for number in range(20_000)]
    for number, (index, rank) in enumerate(places):
        text = f"{murmur64(b'%d' % number):064b}"
        assert index == int(text[50:], 2)
        assert text[:50].endswith("1" + "0" * (rank - 1))
    assert {rank for _, rank in places} >= set(range(1, 10))


def test_old_servers_estimate_otherwise() -> None:
    """Redis 4.0 used another formula, and those before it a third one; all are near the truth."""
    found = {}
    for rules in ("redis-3.2", "redis-4.0", "redis-5.0", "valkey-8.0"):
        for count in (10, 1000, 20_000):
            engine = Engine(rules=rules)
            fill(engine, b"k", count)
            engine.execute(b"PFCOUNT", b"k")
            found[rules, count] = int.from_bytes(value(engine, b"k")[8:16], "little")
            assert abs(found[rules, count] - count) <= 0.03 * count
    assert len({found[rules, 20_000] for rules in ("redis-3.2", "redis-4.0", "redis-5.0")}) == 3
    assert found["valkey-8.0", 20_000] == found["redis-5.0", 20_000]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"HYLL",
        b"HYLX" + EMPTY[4:],
        b"HYLL\x02" + EMPTY[5:],
        b"HYLL\x00" + EMPTY[5:],
        EMPTY[:16],
        EMPTY[:16] + b"\x7f\xfe",
        EMPTY + b"\x00",
        EMPTY[:16] + b"\x7f\xfe\x83",
    ],
)
def test_damaged_ones_are_refused(data: bytes) -> None:
    engine = Engine(rules="redis-7.0")
    engine.execute(b"SET", b"bad", data)
    engine.execute(b"SETRANGE", b"bad", b"15", b"\x80") if len(data) > 15 else None
    engine.execute(b"PFADD", b"good", b"a")
    before = list(engine.records())
    # The last register is where a run that ends too early or too late shows.
    for line in ([b"PFMERGE", b"good", b"bad"], [b"PFMERGE", b"bad", b"good"], [b"PFCOUNT", b"bad"],
                 [b"PFCOUNT", b"good", b"bad"], [b"PFDEBUG", b"TODENSE", b"bad"]):  # fmt: skip
        with pytest.raises(CommandError):
            engine.execute(*line)
        assert list(engine.records()) == before


def test_errors() -> None:
    engine = Engine(rules="redis-7.0")
    engine.execute(b"RPUSH", b"list", b"a")
    engine.execute(b"SET", b"text", b"a")
    engine.execute(b"PFADD", b"k", b"a")
    engine.execute(b"PFDEBUG", b"TODENSE", b"k")
    for line in (
        [b"PFADD", b"list", b"a"], [b"PFADD", b"text", b"a"], [b"PFMERGE", b"k", b"text"], [b"PFCOUNT", b"list"],
        [b"PFDEBUG", b"TODENSE", b"missing"], [b"PFDEBUG", b"NONSENSE", b"k"], [b"PFDEBUG", b"DECODE", b"k"],
    ):  # fmt: skip
        with pytest.raises(CommandError):
            engine.execute(*line)
    engine.execute(b"PFCOUNT", b"missing")
