"""The walks over packed blobs, and the numbers that are written in more than one way."""

from __future__ import annotations

import math

import pytest
from specimen import specimen

from rdbtool.core.rdb_types import REDIS
from rdbtool.grammar import (
    MemoryStream,
    parse_value,
    scan_intset,
    scan_listpack,
    scan_lzf,
    scan_ziplist,
    scan_zipmap,
)
from rdbtool.grammar.listpack import write_backlen
from rdbtool.grammar.primitives import read_score
from rdbtool.model import ListValue, ZSetValue


def test_a_ziplist_is_walked() -> None:
    blob = specimen('10 000000 0C000000 0200 00 F3 02 01 "x" FF')
    assert [tuple(entry) for entry in scan_ziplist(blob)] == [(10, 12, 2, (11, 12)), (12, 15, b"x", (13, 14))]


def test_a_listpack_is_walked() -> None:
    blob = specimen('0D000000 0200 81 "x" 02 C080 02 FF')
    assert [tuple(entry) for entry in scan_listpack(blob)] == [(6, 9, b"x", (7, 8)), (9, 12, 128, (11, 11))]


def test_an_intset_and_a_zipmap_are_walked() -> None:
    intset = specimen("02000000 02000000 FFFF 0100")
    assert [tuple(entry) for entry in scan_intset(intset)] == [(8, 10, -1, ()), (10, 12, 1, ())]
    zipmap = specimen('01 01 "f" 01 02 "v" 0000 FF')
    assert [tuple(entry) for entry in scan_zipmap(zipmap)] == [(1, 8, (b"f", b"v", b"\0\0"), (2, 3, 4, 5, 6))]


def test_lzf_operations_are_walked() -> None:
    assert list(scan_lzf(specimen("01 6161 E0 0A 00"))) == [(0, 3, 2, 0), (3, 6, 19, 1)]


@pytest.mark.parametrize(
    ("size", "backlen"),
    [
        (1, "01"),
        (127, "7F"),
        (128, "01 80"),
        (16382, "7F FE"),
        (16383, "00 FF FF"),  # one byte before the number would need it
        (2097150, "7F FF FE"),
        (2097151, "00 FF FF FF"),
        (268435454, "7F FF FF FE"),
        (268435455, "00 FF FF FF FF"),
    ],
)
def test_a_backlen_grows_one_byte_early(size: int, backlen: str) -> None:
    assert write_backlen(size) == specimen(backlen)


@pytest.mark.parametrize("size", [63, 64, 252, 253, 254, 4095, 4096, 16379, 16383, 16384, 70000])
@pytest.mark.parametrize("code", [10, 20])
def test_long_entries_are_built_and_parsed(code: int, size: int) -> None:
    """Around the sizes where lengths, previous lengths and back-lengths change their width."""
    name = "ziplist" if code == 10 else "listpack"
    module = __import__(f"rdbtool.grammar.{name}", fromlist=["_"])
    fields = getattr(module, f"encode_{name}")([b"x" * size, b"end", 5])
    header = (
        fields["zlbytes"].to_bytes(4, "little") + fields["zltail"].to_bytes(4, "little") + b"\3\0"
        if code == 10
        else fields["total"].to_bytes(4, "little") + b"\3\0"
    )
    blob = header + b"".join(fields["entry"]) + b"\xff"
    scan = scan_ziplist if code == 10 else scan_listpack
    assert [entry.value for entry in scan(blob)] == [b"x" * size, b"end", 5]


@pytest.mark.parametrize(
    ("text", "score"),
    [
        (b"0.1", 0.1),
        (b"0.10000000000000001", 0.1),
        (b"-0", -0.0),
        (b"+1.", 1.0),
        (b".5E1", 5.0),
        (b"1e400", math.inf),
        (b"1e-400", 0.0),
        (b"INFinity", math.inf),
        (b"-inf", -math.inf),
        (b"9007199254740993", 9007199254740992.0),
        (b"1" * 128, float("1" * 128)),
    ],
)
def test_a_score_is_read_as_servers_read_it(text: bytes, score: float) -> None:
    assert repr(read_score(text)) == repr(score)


@pytest.mark.parametrize("text", [b"nan", b"-NAN", b"+nan"])
def test_a_score_may_be_no_number(text: bytes) -> None:
    score = read_score(text)
    assert score is not None
    assert math.isnan(score)


def test_an_integer_score_is_converted_exactly_once() -> None:
    blob = specimen('12 12000000 0200 81 "a" 02 F4 0100000000002000 09 FF')  # 2^53 + 1
    data = bytes((len(blob) - 1,)) + (len(blob) - 1).to_bytes(4, "little") + blob[5:]
    assert parse_value(17, REDIS, data).value == ZSetValue([(b"a", 9007199254740992.0)])


def test_a_stream_in_memory_counts_from_its_base() -> None:
    stream = MemoryStream(memoryview(b"abcdef"), 100)
    assert (stream.tell(), stream.left(), stream.read(4), stream.tell()) == (100, 6, b"abcd", 104)
    assert (stream.read(9), stream.left(), stream.read(1)) == (b"ef", 0, b"")
    stream.seek(101)
    assert stream.read(2) == b"bc"


def test_elements_keep_their_order() -> None:
    data = specimen(
        "03 0D 0D000000 0A000000 0100 00 F4 FF 0D 0D000000 0A000000 0100 00 F2 FF 0D 0D000000 0A000000 0100 00 F3 FF"
    )
    assert parse_value(14, REDIS, data).value == ListValue([b"3", b"1", b"2"])
