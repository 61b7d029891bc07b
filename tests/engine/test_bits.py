"""Bitmaps: SETBIT, BITOP with the operations of all versions, BITFIELD at its edges."""

from __future__ import annotations

import random

import pytest

from rdbtool.engine import CommandError, Engine
from rdbtool.engine.commands.strings import MAX_STRING
from rdbtool.model import StringValue


def stored(*lines: str, key: bytes = b"k") -> bytes | None:
    """Execute commands and return a string's bytes, None if it is not there."""
    engine = Engine(rules="redis-8.2")
    for line in lines:
        engine.execute(*line.encode("latin-1").split())
    for record in engine.records():
        if record.key == key:
            assert isinstance(record.value, StringValue)
            return record.value.data
    return None


def test_setbit() -> None:
    assert stored("SETBIT k 0 1") == b"\x80"
    assert stored("SETBIT k 0 1", "SETBIT k 15 1", "SETBIT k 0 0") == b"\x00\x01"
    assert stored("SETBIT k 9 0") == b"\x00\x00"
    assert stored("SET k 10", "SETBIT k 7 1") == b"10"
    data = stored("SETBIT k 80000 1")
    assert data == bytes(10000) + b"\x80"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("AND k a b c", b"\x10\x00\x00"),
        ("OR k a b c", b"\xff\xf3\x0f"),
        ("XOR k a b", b"\xcf\xc3"),
        ("XOR k a b c", b"\xd0\xc0\x0f"),
        ("not k a", b"\x0f\x0f"),
        ("AND k a missing", b"\x00\x00"),
        ("OR k missing c", b"\x1f\x03\x0f"),
        ("AND k a", b"\xf0\xf0"),
        ("DIFF k a b c", b"\xc0\xc0\x00"),
        ("DIFF1 k a b c", b"\x0f\x03\x0f"),
        ("ANDOR k a b c", b"\x30\x30\x00"),
        ("ONE k a b c", b"\xc0\xc0\x0f"),
        ("ONE k a a c", b"\x0f\x03\x0f"),
        ("AND k missing nothing", None),
        ("NOT k missing", None),
    ],
)
def test_bitop(line: str, expected: bytes | None) -> None:
    engine = Engine(rules="redis-8.2")
    for key, data in ((b"a", b"\xf0\xf0"), (b"b", b"\x3f\x33"), (b"c", b"\x1f\x03\x0f")):
        engine.execute(b"SET", key, data)
    engine.execute(b"SET", b"k", b"before", b"PXAT", b"5")
    engine.execute(b"BITOP", *line.encode().split())
    records = {record.key: record for record in engine.records()}
    if expected is None:
        assert b"k" not in records
        return
    assert records[b"k"].value == StringValue(expected)
    assert records[b"k"].expire_at_ms is None


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["SET u8 0 255"], b"\xff"),
        (["SET u8 #1 1"], b"\x00\x01"),
        (["SET u4 2 15"], b"\x3c"),
        (["SET i64 0 -1"], b"\xff" * 8),
        (["SET u63 0 9223372036854775807"], b"\xff" * 7 + b"\xfe"),
        (["SET i1 7 -1"], b"\x01"),
        (["SET u8 0 257"], b"\x01"),
        (["OVERFLOW SAT SET u8 0 257"], b"\xff"),
        (["OVERFLOW SAT SET u8 0 -1"], b"\xff"),
        (["OVERFLOW SAT SET i8 0 -1000"], b"\x80"),
        (["OVERFLOW FAIL SET u8 0 257"], b"\x00"),
        (["OVERFLOW fail SET u8 0 257 OVERFLOW WRAP INCRBY u8 8 300"], b"\x00\x2c"),
        (["INCRBY u8 0 200", "INCRBY u8 0 100"], b"\x2c"),
        (["INCRBY u8 0 -1"], b"\xff"),
        (["OVERFLOW SAT INCRBY u8 0 -1"], b"\x00"),
        (["OVERFLOW SAT INCRBY i8 0 100 INCRBY i8 0 100"], b"\x7f"),
        (["INCRBY i8 0 127 INCRBY i8 0 1"], b"\x80"),
        (["SET i64 0 9223372036854775807 INCRBY i64 0 1"], b"\x80" + b"\x00" * 7),
        (["OVERFLOW SAT SET i64 0 -9223372036854775808 INCRBY i64 0 -1"], b"\x80" + b"\x00" * 7),
        (["GET u8 100"], None),
        (["GET u8 100 SET u8 0 0"], b"\x00"),
        (["OVERFLOW SAT"], None),
        ([""], None),
    ],
)
def test_bitfield(lines: list[str], expected: bytes | None) -> None:
    assert stored(*(f"BITFIELD k {line}" for line in lines)) == expected


@pytest.mark.parametrize(
    "line",
    [
        "SETBIT k -1 1", "SETBIT k x 1", "SETBIT k 0 2", "SETBIT k 0 -1", "SETBIT k 0 01", "SETBIT list 0 1",
        f"SETBIT k {MAX_STRING * 8} 1", "SETBIT k #1 1",
        "BITOP NAND k k", "BITOP NOT k k k", "BITOP AND k list", "BITOP DIFF k k", "BITOP ANDOR k k",
        "BITFIELD list GET u8 0", "BITFIELD list SET u8 0 1", "BITFIELD k SET u64 0 1", "BITFIELD k SET i65 0 1",
        "BITFIELD k SET u0 0 1", "BITFIELD k SET x8 0 1", "BITFIELD k SET u8 -1 1", "BITFIELD k SET u8 # 1",
        "BITFIELD k SET u8 0 x", "BITFIELD k SET u8 0", "BITFIELD k OVERFLOW", "BITFIELD k OVERFLOW CLAMP",
        "BITFIELD k SET u8 0 1 NONSENSE", "BITFIELD k GET u8 x SET u8 0 1", f"BITFIELD k SET u8 #{MAX_STRING} 1",
        "BITFIELD k SET u08 0 1",
    ],
)  # fmt: skip
def test_errors_change_nothing(line: str) -> None:
    engine = Engine()
    engine.execute(b"SET", b"k", b"abc", b"PXAT", b"5")
    engine.execute(b"RPUSH", b"list", b"a")
    before = list(engine.records())
    with pytest.raises(CommandError):
        engine.execute(*line.encode().split())
    assert list(engine.records()) == before


def test_many_bits_of_a_long_bitmap() -> None:
    engine = Engine()
    random_ = random.Random(3)
    bits = random_.sample(range(1_000_000), 3000)
    for bit in bits:
        engine.execute(b"SETBIT", b"k", b"%d" % bit, b"1")
    for bit in bits[:1000]:
        engine.execute(b"SETBIT", b"k", b"%d" % bit, b"0")
    (record,) = engine.records()
    assert isinstance(record.value, StringValue)
    text = f"{int.from_bytes(record.value.data, 'big'):0{len(record.value.data) * 8}b}"
    assert [at for at, bit in enumerate(text) if bit == "1"] == sorted(bits[1000:])
    assert len(record.value.data) == max(bits) // 8 + 1
