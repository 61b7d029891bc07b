"""What no server writes is refused: with the code of the rule, the offset of the byte and the path to it."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from specimen import specimen

from rdbtool.core.errors import FormatError, LimitError, describe_error
from rdbtool.core.rdb_types import REDIS, VALKEY, VERSIONS
from rdbtool.grammar import FileState, MemoryStream, parse_value, read_item, trace_item

NODE_KEY = "10 0000000000000001 0000000000000001"
RAW_ID = "0000000000000001 0000000000000001"
NODE = f"01 {NODE_KEY} 1D 1D000000 0A00 01 01 00 01 01 01 8161 02 00 01 02 01 00 01 00 01 8162 02 04 01 FF"
V1_TAIL = "01 01 01"  # length and last id of a type 15 stream
NINES_128 = "39" * 128


class Case(NamedTuple):
    code: int
    text: str  # the value
    rule: str
    at: int  # offset of the offending byte from the value's beginning
    path: str
    magic: str = REDIS
    inner_at: int | None = None


CASES = [
    # Lengths and strings
    Case(1, "82", "RDB102", 0, "value.element"),
    Case(1, "01 BF", "RDB102", 1, "value.element[0]"),
    Case(1, "80 000000", "RDB101", 4, "value.element"),
    Case(1, '03 01 "a"', "RDB101", 3, "value.element"),  # three elements cannot be in two bytes
    Case(1, '02 01 "a" 05 "bc"', "RDB101", 6, "value.element[1]"),
    Case(1, "81 FFFFFFFFFFFFFFFF", "RDB101", 9, "value.element"),
    Case(0, "C4", "RDB103", 0, "value"),
    Case(0, "FF", "RDB103", 0, "value"),
    Case(0, "C2 000000", "RDB101", 4, "value"),
    Case(0, '81 7FFFFFFFFFFFFFFF "data"', "RDB101", 13, "value"),
    Case(0, "", "RDB101", 0, "value"),
    # Compressed strings
    Case(0, "C3 00 05", "RDB104", 1, "value"),
    Case(0, "C3 02 00 00 61", "RDB104", 2, "value"),
    Case(0, "C3 01 4059 00", "RDB104", 2, "value"),  # 89 bytes from one
    Case(0, "C3 05 05 04 61", "RDB101", 5, "value"),
    Case(0, "C3 03 05 04 6161", "RDB104", 6, "value"),  # literal run cut
    Case(0, "C3 02 01 01 61", "RDB104", 5, "value"),
    Case(0, "C3 04 04 00 61 20 01", "RDB104", 5, "value"),  # refers to before the beginning
    Case(0, "C3 02 02 00 61", "RDB104", 3, "value"),  # inflates to less
    Case(0, "C3 03 01 01 6162", "RDB104", 3, "value"),  # inflates to more
    # Doubles as text and in binary
    *(
        Case(3, f"01 01 61 {len(score):02x} {score.hex()}", "RDB106", 4, "value.pair[0].score")
        for score in (
            b" 1",
            b"1 ",
            b"1_0",
            b"0x10",
            b".",
            b"1e",
            b"1e+",
            b"+-1",
            b"infin",
            b"nano",
            b"1,5",
            b"1" * 129,
        )
    ),
    Case(3, "01 01 61 00", "RDB106", 4, "value.pair[0].score"),
    Case(3, "01 01 61 04 3132", "RDB101", 6, "value.pair[0].score"),
    Case(5, "01 01 61 00000000000000", "RDB101", 10, "value.pair[0].score"),
    # Ziplists (A11.1)
    Case(10, "0A 0A000000 0A000000 0000", "RDB201", 11, "value.zlbytes"),
    Case(10, "0B 0C000000 0A000000 0000 FF", "RDB201", 1, "value.zlbytes"),
    Case(10, "0B 0B000000 0A000000 0000 FE", "RDB201", 11, "value.end"),
    Case(10, "0B 0B000000 09000000 0000 FF", "RDB201", 5, "value.zltail"),
    Case(10, "0B 0B000000 0A000000 0100 FF", "RDB201", 9, "value.zllen"),
    Case(10, "0F 0F000000 0A000000 0200 00 F3 02 F6 FF", "RDB201", 5, "value.zltail"),
    Case(10, "0F 0F000000 0C000000 0200 00 F3 03 F6 FF", "RDB201", 13, "value.entry[1]"),
    Case(10, "0F 0F000000 0C000000 0200 01 F3 02 F6 FF", "RDB201", 11, "value.entry[0]"),
    Case(10, "0F 0F000000 0C000000 0200 00 F3 FF F6 FF", "RDB201", 13, "value.entry[1]"),
    Case(10, "0D 0D000000 0A000000 0100 00 C1 FF", "RDB201", 12, "value.entry[0]"),
    Case(10, "0D 0D000000 0A000000 0100 00 FF FF", "RDB201", 12, "value.entry[0]"),
    Case(10, "0D 0D000000 0A000000 0100 00 C0 FF", "RDB201", 13, "value.entry[0]"),
    Case(10, "0D 0D000000 0A000000 0100 00 40 FF", "RDB201", 13, "value.entry[0]"),
    Case(10, "0D 0D000000 0A000000 0100 FE 00 FF", "RDB201", 13, "value.entry[0]"),
    Case(10, "11 11000000 0A000000 0100 00 80 FFFFFFFF FF", "RDB201", 17, "value.entry[0]"),
    Case(13, "0D 0D000000 0A000000 0100 00 F3 FF", "RDB211", 1, "value.entry"),
    Case(12, "0D 0D000000 0A000000 0100 00 F3 FF", "RDB211", 1, "value.entry"),
    Case(12, '10 10000000 0C000000 0200 00 F3 02 01 "x" FF', "RDB106", 13, "value.entry[1]"),
    # Listpacks (A11.2)
    Case(20, "06 06000000 0000", "RDB202", 7, "value.total"),
    Case(20, "07 08000000 0000 FF", "RDB202", 1, "value.total"),
    Case(20, "07 07000000 0000 FE", "RDB202", 7, "value.end"),
    Case(20, "07 07000000 0100 FF", "RDB202", 5, "value.count"),
    Case(20, "09 09000000 0000 01 01 FF", "RDB202", 5, "value.count"),
    Case(20, "09 09000000 0100 01 02 FF", "RDB202", 8, "value.entry[0]"),
    Case(20, "0A 0A000000 0100 01 00 81 FF", "RDB202", 8, "value.entry[0]"),  # backlen too wide
    *(
        Case(20, f"09 09000000 0100 {first:02x} 01 FF", "RDB202", 7, "value.entry[0]")
        for first in (0xF5, 0xF6, 0xFD, 0xFE, 0xFF)
    ),
    Case(20, "09 09000000 0100 F4 01 FF", "RDB202", 9, "value.entry[0]"),
    Case(20, "09 09000000 0100 82 01 FF", "RDB202", 9, "value.entry[0]"),
    Case(20, "09 09000000 0100 E1 01 FF", "RDB202", 9, "value.entry[0]"),
    Case(20, "0D 0D000000 0100 F0 FFFFFFFF 01 FF", "RDB202", 13, "value.entry[0]"),
    Case(16, "09 09000000 0100 01 01 FF", "RDB211", 1, "value.entry"),
    Case(17, "0B 0B000000 0200 01 01 80 01 FF", "RDB106", 9, "value.entry[1]"),
    Case(25, f"{'00' * 8} 0B 0B000000 0200 01 01 01 01 FF", "RDB211", 9, "value.triples.entry"),
    # In a compressed blob the offset is that of the string, and of the byte within
    Case(20, "C3 0A 09 08 09000000 0100 01 02 FF", "RDB202", 0, "value.entry[0]", inner_at=7),
    # Intsets and zipmaps (A11.3, A11.4)
    Case(11, "07 02000000 010000", "RDB203", 8, "value.length"),
    Case(11, "0B 03000000 01000000 000000", "RDB203", 1, "value.encoding"),
    Case(11, "08 02000000 00000000", "RDB203", 5, "value.length"),
    Case(11, "0A 02000000 02000000 0100", "RDB203", 5, "value.length"),
    Case(11, "0A 02000000 01000080 0100", "RDB203", 5, "value.length"),
    Case(9, "01 FF", "RDB204", 2, "value.zmlen"),
    Case(9, "07 01 01 66 01 00 76 FE", "RDB204", 7, "value.end"),
    Case(9, "07 02 01 66 01 00 76 FF", "RDB204", 1, "value.zmlen"),
    Case(9, "07 01 01 66 FF 00 76 FF", "RDB204", 4, "value.pair[0]"),
    Case(9, "07 01 FF 66 01 00 76 FF", "RDB204", 2, "value.pair[0]"),
    Case(9, "07 01 01 66 02 00 76 FF", "RDB204", 7, "value.pair[0]"),
    Case(9, "07 01 01 66 01 01 76 FF", "RDB204", 7, "value.pair[0]"),
    Case(9, "0B 01 FE 01000000 66 01 00 76 FF", "RDB204", 2, "value.pair[0]"),  # CVE-2026-25243
    Case(9, "03 01 01 FF", "RDB204", 3, "value.pair[0]"),
    # Quicklists (A11.5)
    Case(14, "01 00", "RDB205", 1, "value.node[0]"),
    Case(18, "01 03 00", "RDB205", 1, "value.node[0].container"),
    Case(18, "01 00 00", "RDB205", 1, "value.node[0].container"),
    Case(18, "01 01 00", "RDB205", 2, "value.node[0].data"),
    Case(18, "01 02 00", "RDB205", 2, "value.node[0].data"),
    Case(18, "01 02 07 07000000 0000 FE", "RDB202", 9, "value.node[0].data.end"),
    # Streams, their nodes and groups
    Case(15, '01 03 "key" 00', "RDB206", 1, "value.node[0].key"),
    Case(15, f"01 {NODE_KEY} 00", "RDB206", 18, "value.node[0].listpack"),
    Case(15, f"01 {NODE_KEY} 07 07000000 0000 FF", "RDB206", 25, "value.node[0].listpack.master"),
    Case(15, NODE.replace("0A00 01 01", "0A00 02 01"), "RDB206", 25, "value.node[0].listpack.master.count"),
    Case(
        15, NODE.replace("0A00 01 01 00 01", "0A00 01 01 01 01"), "RDB206", 27, "value.node[0].listpack.master.deleted"
    ),
    Case(15, NODE.replace("8161 02 00 01", "8161 02 01 01"), "RDB206", 34, "value.node[0].listpack.master.terminator"),
    Case(15, NODE.replace("8162 02 04", "8162 02 05"), "RDB206", 45, "value.node[0].listpack.record[0].lp_count"),
    Case(
        15, NODE.replace("01 02 01 00 01 00", "01 03 01 00 01 00"), "RDB206", 25, "value.node[0].listpack.master.count"
    ),
    Case(
        15,
        NODE.replace("00 01 02 01 00 01", "00 01 00 01 00 01"),
        "RDB206",
        42,
        "value.node[0].listpack.record[0].num_fields",
    ),
    Case(15, NODE.replace("8162 02 04", "8162 03 04"), "RDB202", 44, "value.node[0].listpack.record[0]"),
    Case(
        15,
        f"01 {NODE_KEY} 0F 0F000000 0400 01 01 00 01 00 01 00 01 FF",
        "RDB206",
        25,
        "value.node[0].listpack.master.count",
    ),
    Case(
        15,
        f"01 {NODE_KEY} 10 10000000 0400 01 01 00 01 DFFF 02 00 01 FF",
        "RDB206",
        29,
        "value.node[0].listpack.master.num_fields",
    ),
    Case(
        15,
        f'00 {V1_TAIL} 01 01 "g" 00 00 02 {RAW_ID} {"00" * 8} 01 {RAW_ID} {"00" * 8} 01 00',
        "RDB206",
        5,
        "value.group[0]",
    ),
    Case(15, f'00 {V1_TAIL} 01 01 "g" 00 00 00 01 01 "c" {"00" * 8} 01 {RAW_ID}', "RDB206", 5, "value.group[0]"),
    Case(
        15,
        f'00 {V1_TAIL} 01 01 "g" 00 00 01 {RAW_ID} {"00" * 8} 01 01 01 "c" {"00" * 8} 02 {RAW_ID} {RAW_ID}',
        "RDB206",
        5,
        "value.group[0]",
    ),
    *(
        Case(
            27,
            f'00 {V1_TAIL} 00 00 00 00 00 01 01 "g" 00 00 00 01 {RAW_ID} {"00" * 8} 01 {rest}',
            "RDB206",
            10,
            "value.group[0]",
        )
        for rest in (
            f'01 01 "c" {"00" * 16} 01 {RAW_ID} 01 {RAW_ID}',  # owned and not
            f"00 02 {RAW_ID} {RAW_ID}",
            f"00 01 {'02' * 16}",
        )
    ),
    # Field expiries (A13)
    Case(24, "FFFFFFFFFFFF0000 01 02 01 66 01 76", "RDB207", 9, "value.pair[0].ttl"),
    Case(24, "FFFFFFFFFFFFFFFF 01 01 01 66 01 76", "RDB207", 0, "value.min_expire"),
    Case(24, "0100000000000100 01 00 01 66 01 76", "RDB207", 0, "value.min_expire"),
    Case(24, "FFFFFFFFFFFF0000 01 81 FFFFFFFFFFFFFFFF 01 66 01 76", "RDB207", 9, "value.pair[0].ttl"),
    Case(22, "01 81 0001000000000000 01 66 01 76", "RDB207", 1, "value.pair[0].expire_at"),
    Case(22, "01 01 66 01 76 FEFFFFFFFFFFFFFF", "RDB207", 5, "value.pair[0].expire_at", VALKEY),
    Case(23, "0E 0E000000 0300 01 01 01 01 DFFF 02 FF", "RDB207", 11, "value.triples.entry[2]"),
    Case(23, "0E 0E000000 0300 01 01 01 01 8178 02 FF", "RDB207", 11, "value.triples.entry[2]"),
    Case(23, "0E 0E000000 0300 01 01 01 01 8137 02 FF", "RDB207", 11, "value.triples.entry[2]"),
    # Data of modules
    Case(7, "00 06 00", "RDB208", 1, "value.data"),
    Case(7, "00 02", "RDB101", 2, "value.data[0]"),
    Case(7, "00 05 C4 00", "RDB103", 2, "value.data[0]"),
    # Arrays and templates (A18.1)
    Case(28, "00 00", "RDB209", 0, "value.count"),
    Case(28, "01 02 00 00 00", "RDB209", 1, "value.has_insert"),
    Case(28, "01 00 00 04 00", "RDB209", 3, "value.item[0].value"),
    Case(28, "01 00 81 FFFFFFFFFFFFFFFF 00 00", "RDB209", 2, "value.item[0].index"),
    Case(28, '01 00 00 03 08 "12345678"', "RDB209", 4, "value.item[0].value.data"),
    Case(29, "02", "RDB210", 0, "value.format"),
    Case(29, "01 00 0A 0A000000 0100 8178 02 FF", "RDB210", 9, "value.values.entry[0]"),
    Case(29, "01 01 01 66 09 09000000 0100 01 01 FF", "RDB210", 0, "value"),
    Case(30, "07 07000000 0000 FF", "RDB210", 0, "value"),
    Case(30, "09 09000000 0100 01 01 FF", "RDB210", 0, "value"),
    Case(32, "01 01 66", "RDB210", 0, "value.template"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.code}-{case.rule}-{case.text[:40].replace(' ', '')}")
def test_damage_is_located(case: Case) -> None:
    """In the value alone, and in a record with a key in the middle of a file."""
    data = specimen(case.text)
    with pytest.raises(FormatError) as alone:
        parse_value(case.code, case.magic, data)
    error = alone.value
    assert (error.code, error.at, error.where.path) == (case.rule, case.at, case.path)
    assert error.where.inner_at == case.inner_at

    record = bytes((case.code,)) + b"\x03key"
    state = FileState(case.magic, VERSIONS[case.magic][1], db=2, records=7, expire_at_ms=1, pending_start=999)
    with pytest.raises(FormatError) as caught:
        read_item(MemoryStream(record + data, 1008), state)
    error = caught.value
    assert (error.code, error.at) == (case.rule, 1008 + len(record) + case.at)
    assert (error.start, error.where.db, error.where.key, error.where.record) == (999, 2, b"key", 8)
    assert error.where.path == case.path
    assert 'key "key" (' in describe_error(error)

    trace = trace_item(MemoryStream(record + data, 1008), state)
    assert isinstance(trace.error, FormatError)
    assert (trace.error.code, trace.error.at, trace.item) == (error.code, error.at, None)
    assert [child.name for child in trace.node.children][:2] == ["type", "key"]
    assert trace.node.stop <= 1008 + len(record) + len(data)


@pytest.mark.parametrize(
    ("text", "rule", "at", "path"),
    [
        ("FE 80 80000000", "RDB107", 1, "SELECTDB.db"),
        ("F3 08", "RDB107", 1, "KEY_META.raw.class"),
        ('F3 01 "spec" 07', "RDB208", 6, "KEY_META.raw.class[0].data"),
        ("F7 00 05 00 00", "RDB208", 2, "MODULE_AUX.raw.when_opcode"),
        ("F7 00 02 00 09", "RDB208", 4, "MODULE_AUX.raw.data"),
        ("F6 00 00 02", "RDB107", 3, "FUNCTION_PRE_GA.has_description"),
        ("F2 01 00", "RDB210", 2, "HASH_TEMPLATE.fields"),
        ('F2 01 02 02 "bb" 01 "c"', "RDB210", 2, "HASH_TEMPLATE.fields"),
        ('F2 01 02 01 "b" 01 "b"', "RDB210", 2, "HASH_TEMPLATE.fields"),
        ('F2 09 01 01 "b"', "RDB210", 1, "HASH_TEMPLATE"),  # defined before
        ("FC 00000000000000", "RDB101", 8, "EXPIRETIME_MS.ms"),
        ("FF 00", "RDB101", 2, "EOF.crc64"),
        ("", "RDB101", 0, ""),
    ],
)
def test_damage_in_an_opcode_is_located(text: str, rule: str, at: int, path: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_item(MemoryStream(specimen(text), 50), FileState(REDIS, 15, templates={9: (b"a",)}))
    error = caught.value
    assert (error.code, error.at, error.where.path) == (rule, 50 + at, path)
    assert (error.start, error.where.key, error.where.record) == (50, None, None)


@pytest.mark.parametrize("text", ["F3 00 01 02 01", "F3 00 01 00 80 00004000"])
def test_a_slot_range_stays_within_the_slots(text: str) -> None:
    data = specimen(text)
    state = FileState(VALKEY, 80)
    with pytest.raises(FormatError) as caught:
        read_item(MemoryStream(data), state)
    assert (caught.value.code, caught.value.where.path) == ("RDB107", "SLOT_IMPORT.range[0]")


def test_truncation_says_what_is_missing() -> None:
    data = specimen('00 03 "key" 40C8 "short"')
    with pytest.raises(FormatError) as caught:
        read_item(MemoryStream(data, 0x120), FileState(REDIS, 11, db=0, records=7))
    caught.value.where = caught.value.where._replace(source="dump.rdb")
    assert describe_error(caught.value, with_remedy=False) == (
        'dump.rdb: at 0x12c: key "key" (string): value: expected 195 more bytes, found end of file\n'
        "  the record starts at 0x120 · record 8 of db 0 · RDB101"
    )


@pytest.mark.parametrize("size", range(20))
def test_a_key_is_named_as_soon_as_it_is_read(size: int) -> None:
    data = specimen('0A 03 "key" 0F 0F000000 0C000000 0200 00 F3 02 F6 FF')[: size + 1]
    with pytest.raises(FormatError) as caught:
        read_item(MemoryStream(data), FileState(REDIS, 11))
    assert caught.value.code == "RDB101"
    assert caught.value.at == len(data)
    assert caught.value.where.key == (b"key" if len(data) >= 5 else None)
    assert caught.value.where.kind == "list"


def test_a_limit_on_inflated_strings() -> None:
    packed = specimen("C3 0C 412C 01 6161 E0FF00 E01700 01 6161")  # 300 bytes
    assert len(parse_value(0, REDIS, packed, max_inflate=300).value) == 300
    with pytest.raises(LimitError, match=r"at 0x5: key \"key\" .* 300 bytes, above the limit of 299"):
        read_item(MemoryStream(b"\x00\x03key" + packed), FileState(REDIS, 11, max_inflate=299))
