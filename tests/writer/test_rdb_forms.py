"""Which form a value gets in which version, byte by byte where it matters: tables of the format, written by hand."""

from __future__ import annotations

import random
import struct
from typing import Any

import lzf_reference
import pytest
from codec.driving import make
from specimen import specimen
from writer.saving import read_back, saved_records, stored_values

from rdbtool.core.errors import LossError, describe_loss, sum_up
from rdbtool.core.location import Span
from rdbtool.core.rdb_types import value_types
from rdbtool.core.servers import Rules, Target
from rdbtool.model import (
    ArrayValue,
    Aux,
    HashValue,
    KeyRecord,
    ListValue,
    PendingEntry,
    ResizeDb,
    SelectDb,
    SetValue,
    SlotInfo,
    StreamConsumer,
    StreamEntry,
    StreamGroup,
    StreamID,
    StreamValue,
    StringValue,
    ZSetValue,
)
from rdbtool.reader.rdb import open_rdb

NOWHERE = Span(0, 0)
VALKEY = Target("VALKEY", 80)


def redis(version: int) -> Target:
    return Target("REDIS", version)


def record(value: Any, **options: Any) -> KeyRecord:
    return KeyRecord(**{"db": 0, "key": b"k", "value": value, **options})


def value_of(value: Any, target: Target, *, compress: bool = False) -> tuple[str, bytes]:
    """Return the name of the type and the stored bytes of a value."""
    data, _ = saved_records([record(value)], target, compress=compress)
    assert [back.value for back in read_back(data)] == [value]
    (stored,) = stored_values(data).values()
    return value_types(target.magic)[stored.record.type_code].name, stored.value


def numbered(count: int, size: int = 1) -> list[bytes]:
    """Return different texts that are no numbers, the last one of ``size`` bytes."""
    return [b"m%d" % at for at in range(count - 1)] + [b"x" * size]


# Which type (format A2, D7)

SMALL_AND_BIG = {
    1: ("LIST", "SET", "ZSET", "HASH"),
    2: ("LIST_ZIPLIST", "SET", "ZSET_ZIPLIST", "HASH_ZIPMAP"),
    3: ("LIST_ZIPLIST", "SET", "ZSET_ZIPLIST", "HASH_ZIPMAP"),
    4: ("LIST_ZIPLIST", "SET", "ZSET_ZIPLIST", "HASH_ZIPLIST"),
    5: ("LIST_ZIPLIST", "SET", "ZSET_ZIPLIST", "HASH_ZIPLIST"),
    6: ("LIST_ZIPLIST", "SET", "ZSET_ZIPLIST", "HASH_ZIPLIST"),
    7: ("LIST_QUICKLIST", "SET", "ZSET_ZIPLIST", "HASH_ZIPLIST"),
    8: ("LIST_QUICKLIST", "SET", "ZSET_ZIPLIST", "HASH_ZIPLIST"),
    9: ("LIST_QUICKLIST", "SET", "ZSET_ZIPLIST", "HASH_ZIPLIST"),
    10: ("LIST_QUICKLIST_2", "SET", "ZSET_LISTPACK", "HASH_LISTPACK"),
    **dict.fromkeys(range(11, 16), ("LIST_QUICKLIST_2", "SET_LISTPACK", "ZSET_LISTPACK", "HASH_LISTPACK")),
    80: ("LIST_QUICKLIST_2", "SET_LISTPACK", "ZSET_LISTPACK", "HASH_LISTPACK"),
}


@pytest.mark.parametrize("version", SMALL_AND_BIG)
def test_types_by_size(version: int) -> None:
    target = VALKEY if version == 80 else redis(version)
    small = SMALL_AND_BIG[version]
    big_list = small[0] if version >= 7 else "LIST"
    big_zset = "ZSET_2" if version >= 8 else "ZSET"
    for most, size, kind in (
        (512, 64, ListValue),
        (128, 64, SetValue),
        (128, 64, lambda texts: ZSetValue([(text, at) for at, text in enumerate(texts)])),
        (512, 64, lambda texts: HashValue([(text, b"v") for text in texts])),
        (512, 64, lambda texts: HashValue([(b"%d" % at, text) for at, text in enumerate(texts)])),
    ):
        value = kind(numbered(most, size))
        at = ["list", "set", "zset", "hash"].index(value.kind)
        big = (big_list, "SET", big_zset, "HASH")[at]
        assert value_of(value, target)[0] == small[at]
        assert value_of(kind(numbered(most + 1, size)), target)[0] == big
        assert value_of(kind(numbered(most, size + 1)), target)[0] == big
    for count, name in ((1, "SET_INTSET"), (512, "SET_INTSET"), (513, "SET")):
        integers = SetValue([b"%d" % (at * 3) for at in range(count)])
        assert value_of(integers, target)[0] == (name if version >= 2 else "SET")


def test_one_text_among_integers() -> None:
    for count, name in ((128, "SET_LISTPACK"), (129, "SET")):
        for at in (0, count // 2, count - 1):
            members = [b"%d" % number for number in range(count)]
            members[at] = b"-0"
            assert value_of(SetValue(members), redis(11))[0] == name
            assert value_of(SetValue(members), redis(10))[0] == "SET"


@pytest.mark.parametrize(
    ("value", "version", "type_name", "stored"),
    [
        # As servers dumped them (format A10 to A13).
        (ListValue([b"a", b"1", b"-1", b"4096", b"70000"]), 12, "LIST_QUICKLIST_2",
         "01 02 18 18000000 0500 8161 02 01 01 DFFF 02 F10010 03 F2701101 04 FF"),
        (SetValue([b"3", b"1", b"2"]), 12, "SET_INTSET", "0E 02000000 03000000 0100 0200 0300"),
        (SetValue([b"a", b"1"]), 12, "SET_LISTPACK", "0C 0C000000 0200 8161 02 01 01 FF"),
        (ZSetValue([(b"a", 1.5), (b"b", -2), (b"c", float("inf"))]), 12, "ZSET_LISTPACK",
         "1D 1D000000 0600 8162 02 DFFE 02 8161 02 83312E35 04 8163 02 83696E66 04 FF"),
        (HashValue([(b"f", b"v"), (b"n", b"10")]), 12, "HASH_LISTPACK",
         "12 12000000 0400 8166 02 8176 02 816E 02 0A 01 FF"),
        (HashValue([(b"n", b"10"), (b"f", b"v", 4102444800000)]), 12, "HASH_LISTPACK_EX",
         "00D8C32CBB030000 1E 1E000000 0600 8166 02 8176 02 F400D8C32CBB030000 09 816E 02 0A 01 00 01 FF"),
        (HashValue([(b"f", b"v", 4102444800000), (b"n", b"x" * 65)]), 12, "HASH_METADATA",
         "00D8C32CBB030000 02 01 0166 0176 00 016E 4041" + "78" * 65),
        # An expiry of 0 would mean none in a listpack.
        (HashValue([(b"n", b"10"), (b"f", b"v", 0)]), 12, "HASH_METADATA",
         "0000000000000000 02 00 016E C00A 01 0166 0176"),
        (HashValue([(b"f", b"v", 4102444800000), (b"n", b"10")]), 80, "HASH_2",
         "02 0166 0176 00D8C32CBB030000 016E C00A FFFFFFFFFFFFFFFF"),
        (ListValue([b"2", b"5"]), 6, "LIST_ZIPLIST", "0F 0F000000 0C000000 0200 00F3 02F6 FF"),
        # Redis 2.4 knew integers of 16, 32 and 64 bits only.
        (ListValue([b"2", b"70000"]), 5, "LIST_ZIPLIST", "15 15000000 0E000000 0200 00C00200 04D070110100 FF"),
        (HashValue([(b"f", b"v")]), 2, "HASH_ZIPMAP", "07 01 01 66 01 00 76 FF"),
        # 0.1 in 17 digits up to 7.0, in the fewest since; integers by the rules of the release.
        (ZSetValue([(b"a", 0.1)]), 10, "ZSET_LISTPACK", '1F 1F000000 0200 8161 02 93"0.10000000000000001" 14 FF'),
        (ZSetValue([(b"a", 0.1)]), 11, "ZSET_LISTPACK", '0F 0F000000 0200 8161 02 83"0.1" 04 FF'),
        (ZSetValue([(b"a", 1e-7)]), 10, "ZSET_LISTPACK",
         '22 22000000 0200 8161 02 96"9.9999999999999995e-08" 17 FF'),
        (ZSetValue([(b"a", 2.0**62)]), 10, "ZSET_LISTPACK", "14 14000000 0200 8161 02 F40000000000000040 09 FF"),
        (ZSetValue([(b"a", -(2.0**62))]), 10, "ZSET_LISTPACK", "14 14000000 0200 8161 02 F400000000000000C0 09 FF"),
        (ZSetValue([(b"a", 2.0**53)]), 9, "ZSET_ZIPLIST",
         "18 18000000 0D000000 0200 00 01 61 03 E0 0000000000002000 FF"),
        (ZSetValue([(b"a", 1e19)]), 9, "ZSET_ZIPLIST", '15 15000000 0D000000 0200 00 01 61 03 05 "1e+19" FF'),
        (ZSetValue([(b"b", -0.0), (b"a", 0.0)]), 11, "ZSET_LISTPACK",
         '13 13000000 0400 8161 02 00 01 8162 02 82"-0" 03 FF'),
        (ZSetValue([(b"a" * 65, -0.0)]), 7, "ZSET", "01 4041" + "61" * 65 + '02 "-0"'),
        (ZSetValue([(b"a" * 65, float("-inf")), (b"b", float("inf"))]), 6, "ZSET",
         "02 4041" + "61" * 65 + "FF 0162 FE"),
    ],
)  # fmt: skip
def test_bytes(value: Any, version: int, type_name: str, stored: str) -> None:
    target = VALKEY if version == 80 else redis(version)
    assert value_of(value, target) == (type_name, specimen(stored))


@pytest.mark.parametrize("version", [10, 11, 12, 80])
def test_whole_scores_are_the_entries_that_their_texts_are(version: int) -> None:
    edges = [0, 127, 128, 4095, 4096, 32767, 32768, 1 << 23, 1 << 31, 1 << 52, (1 << 53) + 2, 1 << 61, 1 << 62]
    scores = sorted({sign * (edge + by) for edge in edges for by in (-1, 0, 1) for sign in (1, -1)}, key=float)
    wholes = [score for score in scores if int(float(score)) == score and abs(score) <= 1 << 62]
    assert len(wholes) > 50
    target = VALKEY if version == 80 else redis(version)
    zset = value_of(ZSetValue([(b"m%d" % score, float(score)) for score in wholes]), target)
    texts = value_of(HashValue([(b"m%d" % score, b"%d" % score) for score in wholes]), target)
    assert zset == ("ZSET_LISTPACK", texts[1])
    (name, stored) = value_of(ZSetValue([(b"m", -0.0), (b"n", 2.0**63)]), target)
    assert name == "ZSET_LISTPACK"
    assert b"-0" in stored
    assert b"922337203685477" in stored.replace(b".", b"")


def test_scores_that_are_no_number_are_a_loss() -> None:
    nan = float("nan")
    value = ZSetValue([(b"n", nan), (b"b", float("inf")), (b"a", nan), (b"c", 1.0)])
    with pytest.raises(LossError, match="2 NaN scores"):
        saved_records([record(value)], redis(12))
    data, written = saved_records([record(value)], redis(12), allow_loss=True)
    (back,) = read_back(data)
    assert isinstance(back.value, ZSetValue)
    assert [member for member, _ in back.value.members] == [b"c", b"b"]
    (loss,) = written.losses
    assert (loss.severity, loss.times, loss.needs) == ("loss", 2, None)


@pytest.mark.parametrize("value", [ListValue([]), SetValue([]), ZSetValue([]), HashValue([])])
@pytest.mark.parametrize("version", [2, 6, 12])
def test_a_key_without_elements_is_none(value: Any, version: int) -> None:
    """Servers delete such keys, and refuse files with them."""
    with pytest.raises(LossError, match="without elements"):
        saved_records([record(value)], redis(version))
    data, written = saved_records([record(value)], redis(version), allow_loss=True)
    assert read_back(data) == []
    assert [(loss.severity, loss.times) for loss in written.losses] == [("loss", 1)]


def test_packed_sorted_sets_are_sorted() -> None:
    dice = random.Random(1)
    members = [(dice.randbytes(dice.randrange(1, 4)), dice.choice([-1.5, -0.0, 0.0, 7.0])) for _ in range(120)]
    value = ZSetValue(dict(members).items())
    (back,) = read_back(saved_records([record(value)], redis(10))[0])
    assert isinstance(back.value, ZSetValue)
    assert list(back.value.members) == sorted(back.value.members, key=lambda row: (row[1], row[0]))


def test_packed_field_expiries_are_sorted() -> None:
    """Those without one come last; like ones stay in order."""
    fields = [(b"a", b"", None), (b"b", b"", 9), (b"c", b"", 5), (b"d", b"", None), (b"e", b"", 9), (b"f", b"", 1)]
    (back,) = read_back(saved_records([record(HashValue(fields))], redis(12))[0])
    assert isinstance(back.value, HashValue)
    assert [field for field, _, _ in back.value.fields] == [b"f", b"c", b"b", b"e", b"a", b"d"]


@pytest.mark.parametrize(("least", "most", "width"), [(-(1 << 15), 32767, 2), (-32769, 0, 4), (0, 1 << 31, 8)])
def test_width_of_intsets(least: int, most: int, width: int) -> None:
    name, stored = value_of(SetValue([b"%d" % most, b"%d" % least]), redis(9))
    assert name == "SET_INTSET"
    assert stored[1:] == struct.pack("<II", width, 2) + b"".join(
        number.to_bytes(width, "little", signed=True) for number in (least, most)
    )


# List nodes


def nodes_of(value: ListValue, target: Target) -> list[int]:
    """Return how many elements each node has; 0 stands for an element that stands alone, unpacked."""
    name, stored = value_of(value, target)
    count, at = _length(stored, 0)
    found = []
    for _ in range(count):
        container = 0
        if name == "LIST_QUICKLIST_2":
            container, at = stored[at], at + 1
        size, at = _length(stored, at)
        field = stored[at + 4 : at + 6] if container == 2 else stored[at + 8 : at + 10]
        found.append(0 if container == 1 else int.from_bytes(field, "little"))
        at += size
    assert at == len(stored)
    return found


@pytest.mark.parametrize(
    ("version", "size", "count", "expected"),
    [
        # 8192 bytes at most, of which a node's frame takes 11 in a ziplist and 7 in a listpack. Servers reckon 2 or 3
        # bytes for an entry beside these texts up to 6.2, 8 since; a list's first node has none of that since 7.2.
        (7, 10, 1400, [681, 681, 38]),
        (9, 100, 200, [79, 79, 42]),
        (9, 4000, 5, [2, 2, 1]),
        (10, 1, 2800, [2726, 74]),
        (11, 1, 2800, [2729, 71]),
        (10, 10, 1400, [681, 681, 38]),
        (10, 100, 200, [79, 79, 42]),
        (11, 10, 1400, [682, 681, 37]),
        (11, 100, 200, [79, 79, 42]),
        (12, 10, 1400, [682, 681, 37]),
    ],
)
def test_list_nodes(version: int, size: int, count: int, expected: list[int]) -> None:
    assert nodes_of(ListValue([b"x" * size] * count), redis(version)) == expected


@pytest.mark.parametrize(
    ("target", "large", "expected"),
    [
        (redis(9), 9000, [1, 1, 2]),
        (redis(10), 9000, [1, 1, 2]),
        (redis(11), 9000, [1, 1, 2]),
        (redis(11)._replace(release=Rules("valkey", 7, 2)), 9000, [1, 1, 2]),
        (redis(11)._replace(release=Rules("valkey", 8, 0)), 9000, [1, 0, 2]),
        (redis(12), 9000, [1, 0, 2]),
        (redis(12), 8193, [1, 0, 2]),
        (redis(12), 8192, [1, 1, 2]),
        (VALKEY, 9000, [1, 0, 2]),
    ],
)
def test_large_list_elements(target: Target, large: int, expected: list[int]) -> None:
    assert nodes_of(ListValue([b"a", b"x" * large, b"b", b"c"]), target) == expected


@pytest.mark.parametrize("border", [127 - 2, 254 - 3, 4095, 16383 - 5, 16383, 2097151 - 5])
def test_sizes_where_an_entry_changes_its_form(border: int) -> None:
    """Lengths forwards and backwards get wider there, in one packed encoding or the other."""
    texts = [b"%c" % (65 + step) * (border + step) for step in range(-3, 4)]
    for version in (9, 10):
        data, _ = saved_records([record(ListValue(texts))], redis(version))
        assert [back.value for back in read_back(data)] == [ListValue(texts)]


# What is written around a value


def test_order_of_a_record() -> None:
    whole = record(StringValue(b"v"), db=300, expire_at_ms=-5, idle_s=70, freq=9, meta=b"\x00")
    data, _ = saved_records([whole, record(StringValue(b"12"), db=300)], redis(13), checksum=False)
    assert data == specimen(
        '"REDIS0013" FE 412C FC FBFFFFFFFFFFFFFF F8 4046 F9 09 F3 00 00 01"k" 01"v" 00 01"k" C00C FF 0000000000000000'
    )


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(("ms", "seconds"), [(1500, 2), (2000, 2), (-1500, -1), (-1, 0), (1, 1), (-2000, -2), (0, 0)])
def test_expiry_in_seconds(version: int, ms: int, seconds: int) -> None:
    data, written = saved_records([record(StringValue(b"v"), expire_at_ms=ms)], redis(version))
    assert data == b"REDIS%04d" % version + b"\xfe\x00\xfd" + struct.pack("<i", seconds) + b"\x00\x01k\x01v\xff"
    assert [loss.severity for loss in written.losses] == (["note"] if ms % 1000 else [])


@pytest.mark.parametrize(("ms", "seconds"), [(1 << 50, (1 << 31) - 1), (-(1 << 50), -(1 << 31))])
def test_expiry_beyond_32_bits(ms: int, seconds: int) -> None:
    with pytest.raises(LossError, match="2038"):
        saved_records([record(StringValue(b"v"), expire_at_ms=ms)], redis(2))
    data, _ = saved_records([record(StringValue(b"v"), expire_at_ms=ms)], redis(2), allow_loss=True)
    assert [back.expire_at_ms for back in read_back(data)] == [seconds * 1000]


def test_an_expiry_of_minus_one_stays_one() -> None:
    """In the file -1 would mean none."""
    data, _ = saved_records([record(StringValue(b"v"), expire_at_ms=-1)], redis(9))
    assert [back.expire_at_ms for back in read_back(data)] == [-2]


SIZES = [SelectDb(0, NOWHERE), ResizeDb(2, 1, NOWHERE), SelectDb(7, NOWHERE), ResizeDb(1, 0, NOWHERE)]


def resized(target: Target, **options: Any) -> list[tuple[Any, ...]]:
    one, other = record(StringValue(b"v")), record(StringValue(b"v"), db=7)
    items = [*SIZES[:2], one, *SIZES[2:], other, SelectDb(0, NOWHERE), record(StringValue(b"w"), key=b"l")]
    data, _ = saved_records(items, target, **options)
    with open_rdb(data) as reader:
        return [tuple(item)[:-1] for item in reader.items() if isinstance(item, (SelectDb, ResizeDb))]


def test_sizes_of_dbs() -> None:
    assert resized(redis(7)) == [(0,), (2, 1), (7,), (1, 0), (0,)]
    assert resized(redis(6)) == [(0,), (7,), (0,)]
    assert resized(redis(9), sizes={}) == [(0,), (7,), (0,)]
    assert resized(redis(9), sizes={7: (5, 4)}) == [(0,), (7,), (5, 4), (0,)]


def test_sizes_of_slots() -> None:
    items = [SelectDb(0, NOWHERE), SlotInfo(5, 3, 1, NOWHERE), record(StringValue(b"v"))]
    data, written = saved_records(items, redis(12), checksum=False)
    assert data == specimen('"REDIS0012" FE 00 F4 05 03 01 00 01"k" 01"v" FF 0000000000000000')
    assert [loss for loss in written.losses if loss.severity == "loss"] == []
    for target, options in ((VALKEY, {}), (redis(11), {}), (redis(12), {"sizes": {}})):
        data, written = saved_records(items, target, **options)  # type: ignore[arg-type]
        assert [(loss.severity, loss.times) for loss in written.losses] == [("note", 1)]
        with open_rdb(data) as reader:
            assert not any(isinstance(item, SlotInfo) for item in reader.items())


def test_aux_fields() -> None:
    aux = [Aux(b"redis-ver", b"7.0.15", NOWHERE), Aux(b"redis-bits", b"64", NOWHERE), Aux(b"df-ver", b"1", NOWHERE)]
    data, written = saved_records(aux, redis(7), checksum=False)
    assert data == specimen('"REDIS0007" FA 09"redis-ver" 06"7.0.15" FA 0A"redis-bits" C040 FF 0000000000000000')
    assert [(loss.severity, loss.times) for loss in written.losses] == [("note", 1)]
    assert [(loss.severity, loss.times) for loss in saved_records(aux, redis(6))[1].losses] == [("note", 3)]


def test_an_empty_file() -> None:
    assert saved_records([], redis(4))[0] == b"REDIS0004\xff"
    assert saved_records([], VALKEY, checksum=False)[0] == b"VALKEY080\xff" + bytes(8)
    data = saved_records([], redis(9))[0]
    assert data == b"REDIS0009\xff" + make.crc64(b"REDIS0009\xff").to_bytes(8, "little")


@pytest.mark.parametrize(("magic", "version"), [("REDIS", 0), ("REDIS", 16), ("VALKEY", 11), ("KEYDB", 9)])
def test_unknown_formats(magic: str, version: int) -> None:
    with pytest.raises(ValueError, match="no RDB version"):
        saved_records([], Target(magic, version))


# Compression


def unpacked(stored: bytes) -> tuple[str, bytes]:
    """Return the form and text of a STR, read by hand, inflated by python-lzf."""
    if stored[0] == 0xC3:
        packed, at = _length(stored, 1)
        size, at = _length(stored, at)
        assert len(stored) == at + packed
        text = lzf_reference.decompress(stored[at:], size)
        assert len(text) == size
        return "lzf", text
    if stored[0] >= 0xC0:
        return "int", b"%d" % int.from_bytes(stored[1:], "little", signed=True)
    size, at = _length(stored, 0)
    assert len(stored) == at + size
    return "raw", stored[at:]


def _length(data: bytes, at: int) -> tuple[int, int]:
    if data[at] < 0x40:
        return data[at], at + 1
    if data[at] < 0x80:
        return (data[at] & 0x3F) << 8 | data[at + 1], at + 2
    assert data[at] == 0x80
    return int.from_bytes(data[at + 1 : at + 5], "big"), at + 5


def compressible(dice: random.Random, size: int) -> bytes:
    """Return bytes with repetitions near and far, of few or many letters."""
    letters = dice.choice([1, 2, 4, 26, 256])
    data = bytearray()
    while len(data) < size:
        if data and dice.random() < 0.5:
            at = dice.randrange(len(data))
            data += data[at : at + dice.choice([2, 3, 4, 9, 263, 264, 265, 600])]
        else:
            data += bytes(dice.randrange(letters) for _ in range(dice.choice([1, 5, 31, 32, 33, 65])))
    return bytes(data[:size])


def test_strings_are_compressed_where_that_helps() -> None:
    dice = random.Random(2)
    sizes = [*range(70), 263, 264, 265, 266, 8190, 8192, 8193, 8195, 20_000, 70_000]
    values = [compressible(dice, size) for size in sizes for _ in range(6)] + [dice.randbytes(size) for size in sizes]
    # A reference reaches back 8192 bytes and no further.
    values += [b"The quick brown fox" + bytes(gap - 19) + b"The quick brown fox" for gap in range(8188, 8197)]
    values += [b"12", b"-32769"] + [b"\x00" * size for size in (21, 22, 264, 265, 266, 267, 300_000)]
    records = [record(StringValue(value), key=b"%d" % at) for at, value in enumerate(values)]
    data, _ = saved_records(records, redis(9))
    forms = set()
    for stored, value in zip(stored_values(data).values(), values, strict=True):
        form, text = unpacked(stored.value)
        assert text == value
        forms.add(form)
        if form == "lzf":
            assert len(value) > 20
            assert len(stored.value) < len(value) + 4
        elif len(value) > 20:
            # The library finds nothing better either, within a few bytes of what would be worth it.
            assert lzf_reference.compress(value, len(value) * 9 // 10 - 8) is None
    assert forms == {"lzf", "raw", "int"}
    plain, _ = saved_records(records, redis(9), compress=False)
    assert {unpacked(stored.value)[0] for stored in stored_values(plain).values()} == {"raw", "int"}


def test_compressed_as_a_server_does() -> None:
    """21 and 300 times ``a`` (format A4)."""
    for size, stored in ((21, "C3 06 15 01 6161 E0 0A 00"), (300, "C3 0C 412C 01 6161 E0FF00 E01700 01 6161")):
        form, text = unpacked(specimen(stored))
        assert (form, text) == ("lzf", b"a" * size)
        ours = value_of(StringValue(text), redis(9), compress=True)[1]
        assert unpacked(ours) == (form, text)
        assert len(ours) <= len(specimen(stored))


# Losses in words


def test_losses_are_worded_and_summed_up() -> None:
    fields = HashValue([(b"f", b"v", 5), (b"g", b"v", 6)])
    with pytest.raises(LossError) as caught:
        saved_records([record(fields, db=2)], redis(7))
    assert str(caught.value) == (
        'RDB 7 cannot hold 2 field expiries (key "k" of db 2); RDB 12 and later can; '
        "allow_loss=True drops what it cannot hold"
    )
    _, written = saved_records(
        [record(fields), record(fields, key=b"l", idle_s=1), record(StringValue(b""), key=b"m", idle_s=4)],
        redis(7), allow_loss=True,
    )  # fmt: skip
    assert [(loss.key, loss.what, loss.times) for loss in written.losses] == [
        (b"k", "field expiries", 2), (b"l", "field expiries", 2), (b"l", "idle times", 2),
    ]  # fmt: skip
    assert [describe_loss(loss) for loss in sum_up(written.losses)] == [
        '4 × field expiries (key "k" of db 0)', '2 × idle times (key "l" of db 0)',
    ]  # fmt: skip


def test_losses_without_end_are_counted() -> None:
    """One by one they would take more memory than the data."""
    lost = HashValue([(b"f", b"v", 5)])
    records = [record(lost, key=b"%d" % at) for at in range(10_050)]
    _, written = saved_records(records, redis(7), allow_loss=True)
    assert len(written.losses) == 10_001
    assert (written.losses[-1].key, written.losses[-1].times) == (b"10000", 50)
    assert [loss.times for loss in sum_up(written.losses)] == [10_050]


def test_an_array_without_items_is_refused() -> None:
    with pytest.raises(LossError, match="without items"):
        saved_records([record(ArrayValue([]))], redis(14))


def test_an_owner_that_is_no_consumer_becomes_one() -> None:
    entry = StreamEntry(StreamID(1, 1), [(b"f", b"v")])
    group = StreamGroup(b"g", StreamID(1, 1), 1, (), [PendingEntry(StreamID(1, 1), b"c", 77, 2)])
    stream = StreamValue(
        [entry], last_id=StreamID(1, 1), first_id=StreamID(1, 1), max_deleted_id=StreamID(0, 0), entries_added=1,
        groups=[group],
    )  # fmt: skip
    data, written = saved_records([record(stream)], redis(11))
    (back,) = read_back(data)
    assert isinstance(back.value, StreamValue)
    assert back.value.groups[0].pending == group.pending
    assert [(c.name, c.seen_at_ms, c.active_at_ms) for c in back.value.groups[0].consumers] == [(b"c", 77, 77)]
    assert [loss.severity for loss in written.losses] == ["note"]


def test_field_names_that_run_into_each_other() -> None:
    """Only entries with the very names of a node's first entry may leave theirs out."""
    names = [
        (b"a", b"b"),
        (b"a", b"b"),
        (b"ab", b"b"),
        (b"", b"ab"),
        (b"a", b""),
        (b"a",),
        (b"b", b"a"),
        (b"a", b"b", b""),
    ]
    entries = [StreamEntry(StreamID(1, at), [(name, b"v") for name in row]) for at, row in enumerate(names)]
    stream = StreamValue(
        entries, last_id=StreamID(1, 9), first_id=StreamID(1, 0), max_deleted_id=StreamID(0, 0), entries_added=8
    )
    assert value_of(stream, redis(11))[0] == "STREAM_LISTPACKS_3"


def test_an_entry_with_two_owners_stays_one() -> None:
    """A file may say so; the group's own list has the entry once."""
    ids = StreamID(1, 1), StreamID(2, 0)
    pending = [PendingEntry(entry_id, name, 5, 1) for entry_id in ids for name in (b"a", b"b")]
    consumers = [StreamConsumer(name, 7, 8) for name in (b"a", b"b", b"idle")]
    stream = StreamValue(
        [], last_id=ids[1], first_id=StreamID(0, 0), max_deleted_id=ids[1], entries_added=2,
        groups=[StreamGroup(b"g", ids[1], None, consumers, pending)],
    )  # fmt: skip
    data, written = saved_records([record(stream)], redis(11))
    assert [back.value for back in read_back(data)] == [stream]
    assert [loss for loss in written.losses if loss.severity == "loss"] == []
