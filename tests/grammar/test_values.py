"""Every value type: its bytes, the value they stand for, and the same bytes built again.

Specimens marked [server] were dumped from running servers; the others are built by hand after the
description of the format (some types were never seen outside of release candidates or secondary sources).
"""

from __future__ import annotations

from typing import NamedTuple

import pytest
from specimen import specimen
from whole import whole

from rdbtool.core.rdb_types import REDIS, VALKEY, VALUE_TYPES, VERSIONS
from rdbtool.grammar import FileState, build_record, build_value, parse_record, parse_value
from rdbtool.model import (
    ArrayValue,
    HashValue,
    KeyRecord,
    ListValue,
    OpaqueValue,
    PendingEntry,
    SetValue,
    StreamConsumer,
    StreamEntry,
    StreamGroup,
    StreamID,
    StreamProducers,
    StreamValue,
    StringValue,
    Value,
    ZSetValue,
)

YEAR_2100 = 4102444800000
TEMPLATES = {1: (b"age", b"name")}

# The first entry of a stream: XADD x 1-1 a b. [server]
NODE = """
    10 0000000000000001 0000000000000001          # node key 1-1
    1D 1D000000 0A00                              # listpack, 10 elements
       01 01 00 01 01 01 8161 02 00 01            # master: 1 live, 0 deleted, 1 field "a", end
       02 01 00 01 00 01 8162 02 04 01 FF         # SAMEFIELDS, 0, 0, "b", 4 elements
"""
ID = "0000000000000001 0000000000000001"
TIME = "0068E5CF8B010000"
MS = 1700000000000
FIRST = StreamEntry(StreamID(1, 1), [(b"a", b"b")])


class Case(NamedTuple):
    code: int
    text: str
    value: Value
    encoding: str
    magic: str = REDIS


CASES = [
    Case(0, '05 "hello"', StringValue(b"hello"), "raw"),  # [server]
    Case(0, "00", StringValue(b""), "raw"),
    Case(0, "C0 FF", StringValue(b"-1"), "int"),  # [server]
    Case(0, "C1 8000", StringValue(b"128"), "int"),  # [server]
    Case(0, "C2 409C0000", StringValue(b"40000"), "int"),  # [server]
    Case(0, '0A "2147483648"', StringValue(b"2147483648"), "raw"),  # [server]
    Case(0, "C3 06 15 01 6161 E0 0A 00", StringValue(b"a" * 21), "lzf"),  # [server]
    Case(0, "C3 0C 412C 01 6161 E0FF00 E01700 01 6161", StringValue(b"a" * 300), "lzf"),  # [server]
    Case(1, "03 01 61 C0 07 00", ListValue([b"a", b"7", b""]), "linkedlist"),
    Case(2, "02 02 6131 C0 01", SetValue([b"a1", b"1"]), "hashtable"),
    Case(
        3,
        '04 01 61 03 "1.5" 01 62 FE 01 63 FF 01 64 FD',
        ZSetValue([(b"a", 1.5), (b"b", float("inf")), (b"c", float("-inf")), (b"d", float("nan"))]),
        "skiplist",
    ),
    Case(4, "02 01 66 01 76 01 6E C0 0A", HashValue([(b"f", b"v"), (b"n", b"10")]), "hashtable"),  # [server]
    Case(
        5,
        "02 01 61 000000000000F83F 01 62 00000000000000C0",  # [server]
        ZSetValue([(b"a", 1.5), (b"b", -2.0)]),
        "skiplist",
    ),
    Case(
        7,
        """81 6D81956E7A5E0400                        # module id, below
           02 05                                      # uint 5
           01 81 FFFFFFFFFFFFFFFF                     # sint -1
           03 0000803F  04 000000000000F03F           # float and double 1.0
           05 02 "hi"  05 C0 07                       # strings
           00""",
        OpaqueValue("module", b""),  # replaced below
        "module",
    ),
    Case(9, "07 01 01 66 01 00 76 FF", HashValue([(b"f", b"v")]), "zipmap"),  # [server] inside the STR
    Case(9, "0B 01 01 66 01 04 76 00000000 FF", HashValue([(b"f", b"v")]), "zipmap"),  # 4 unused bytes
    Case(10, "0F 0F000000 0C000000 0200 00 F3 02 F6 FF", ListValue([b"2", b"5"]), "ziplist"),
    Case(
        10,
        """35 35000000 30000000 0A00
           00 01 "a"          03 F1            02 FD                # a, 0, 12
           02 FE 0D           03 FE FF         03 C0 8000           # 13, -1, 128
           04 F0 008000       05 D0 00008000   06 E0 0000000000000080
           0A 02 "zz" FF""",
        ListValue(
            [b"a", b"0", b"12", b"13", b"-1", b"128", b"32768", b"8388608", b"-9223372036854775808", b"zz"],
        ),
        "ziplist",
    ),
    Case(11, "0E 02000000 03000000 0100 0200 0300", SetValue([b"1", b"2", b"3"]), "intset"),  # [server]
    Case(11, "10 08000000 01000000 0000000000000080", SetValue([b"-9223372036854775808"]), "intset"),
    Case(
        12,
        '15 15000000 12000000 0400 00 01 "a" 03 F2 02 01 "b" 03 F3 FF',
        ZSetValue([(b"a", 1.0), (b"b", 2.0)]),
        "ziplist",
    ),
    Case(13, '11 11000000 0D000000 0200 00 01 "f" 03 01 "v" FF', HashValue([(b"f", b"v")]), "ziplist"),
    Case(
        14,
        "02 0D 0D000000 0A000000 0100 00 F2 FF 0D 0D000000 0A000000 0100 00 F3 FF",
        ListValue([b"1", b"2"]),
        "quicklist",
    ),
    Case(15, f"01 {NODE} 01 01 01 00", StreamValue([FIRST], last_id=StreamID(1, 1)), "stream"),  # [server]
    Case(
        16,
        "12 12000000 0400 8166 02 8176 02 816E 02 0A 01 FF",  # [server]
        HashValue([(b"f", b"v"), (b"n", b"10")]),
        "listpack",
    ),
    Case(
        17,
        "1D 1D000000 0600 8162 02 DFFE 02 8161 02 83312E35 04 8163 02 83696E66 04 FF",  # [server]
        ZSetValue([(b"b", -2.0), (b"a", 1.5), (b"c", float("inf"))]),
        "listpack",
    ),
    Case(
        18,
        "01 02 18 18000000 0500 8161 02 01 01 DFFF 02 F10010 03 F2701101 04 FF",  # [server]
        ListValue([b"a", b"1", b"-1", b"4096", b"70000"]),
        "quicklist2",
    ),
    Case(18, "02 01 C0 07 02 07 07000000 0000 FF", ListValue([b"7"]), "quicklist2"),  # plain, and an empty node
    Case(
        19,
        f"01 {NODE} 01 01 01 01 01 00 00 01 00",  # [server]
        StreamValue(
            [FIRST], last_id=StreamID(1, 1), first_id=StreamID(1, 1), max_deleted_id=StreamID(0, 0), entries_added=1
        ),
        "stream2",
    ),
    Case(20, "0C 0C000000 0200 8161 02 01 01 FF", SetValue([b"a", b"1"]), "listpack"),  # [server]
    Case(
        21,
        f"""01 {NODE}
            01  01 01  01 01  00 00  01        # length, last, first and greatest deleted id, entries added
            01 01 "g"  01 01  81 FFFFFFFFFFFFFFFF
               02 {ID} {TIME} 02               # pending: 1-1 delivered twice
                  0000000000000001 0000000000000002 {TIME} 01
               02 01 "c" {TIME} {TIME} 01 {ID} # consumer c owns 1-1
                  01 "d" {TIME} FFFFFFFFFFFFFFFF 00""",
        StreamValue(
            [FIRST],
            last_id=StreamID(1, 1),
            first_id=StreamID(1, 1),
            max_deleted_id=StreamID(0, 0),
            entries_added=1,
            groups=[
                StreamGroup(
                    b"g",
                    StreamID(1, 1),
                    None,
                    [StreamConsumer(b"c", MS, MS), StreamConsumer(b"d", MS, -1)],
                    [PendingEntry(StreamID(1, 1), b"c", MS, 2), PendingEntry(StreamID(1, 2), None, MS, 1)],
                )
            ],
        ),
        "stream3",
    ),
    Case(
        22,
        "02 81 000003BB2CC3D800 01 66 01 76 00 01 6E C0 0A",
        HashValue([(b"f", b"v", YEAR_2100), (b"n", b"10", None)]),
        "hashtable-ttl",
    ),
    Case(
        22,
        "02 01 66 01 76 00D8C32CBB030000 01 6E C0 0A FFFFFFFFFFFFFFFF",  # [server]
        HashValue([(b"f", b"v", YEAR_2100), (b"n", b"10", None)]),
        "hashtable-ttl",
        VALKEY,
    ),
    Case(
        23,
        "1E 1E000000 0600 8166 02 8176 02 F400D8C32CBB030000 09 816E 02 0A 01 00 01 FF",
        HashValue([(b"f", b"v", YEAR_2100), (b"n", b"10", None)]),
        "listpack-ttl",
    ),
    Case(
        24,
        "00D8C32CBB030000 02 01 01 66 01 76 00 01 6E C0 0A",  # [server]
        HashValue([(b"f", b"v", YEAR_2100), (b"n", b"10", None)]),
        "hashtable-ttl",
    ),
    Case(
        25,
        "00D8C32CBB030000 1E 1E000000 0600 8166 02 8176 02 F400D8C32CBB030000 09 816E 02 0A 01 00 01 FF",  # [server]
        HashValue([(b"f", b"v", YEAR_2100), (b"n", b"10", None)]),
        "listpack-ttl",
    ),
    Case(
        26,
        f'01 {NODE} 01 01 01 01 01 00 00 01 00  4078 40C8  01 01 "p" 01 C0 07 01 01  03 02',
        StreamValue(
            [FIRST],
            last_id=StreamID(1, 1),
            first_id=StreamID(1, 1),
            max_deleted_id=StreamID(0, 0),
            entries_added=1,
            producers=StreamProducers(120, 200, [(b"p", ((b"7", StreamID(1, 1)),))], 3, 2),
        ),
        "stream4",
    ),
    Case(
        27,
        f"""01 {NODE} 01 01 01 01 01 00 00 01
            01 01 "g" 01 01 01  01 {ID} {TIME} 01  00  01 {ID}   # no consumers, 1-1 is nobody's
            00 00 00 00 00""",
        StreamValue(
            [FIRST],
            last_id=StreamID(1, 1),
            first_id=StreamID(1, 1),
            max_deleted_id=StreamID(0, 0),
            entries_added=1,
            groups=[StreamGroup(b"g", StreamID(1, 1), 1, [], [PendingEntry(StreamID(1, 1), None, MS, 1)])],
            producers=StreamProducers(0, 0),
        ),
        "stream5",
    ),
    Case(
        28,
        '04 01 09  00 00 01 "a"  03 01 FFFFFFFFFFFFFFFF  05 02 000000000000F83F  81 FFFFFFFFFFFFFFFE 03 02 "bc"',
        ArrayValue([(0, b"a"), (3, -1), (5, 1.5), ((1 << 64) - 2, b"bc")], 9),
        "array",
    ),
    Case(28, "01 00 07 00 C0 05", ArrayValue([(7, b"5")], None), "array"),
    Case(
        29,
        '00 12 12000000 0200 83 "age" 04 84 "name" 05 FF 0F 0F000000 0300 05 01 07 01 82 "Al" 03 FF',
        HashValue([(b"age", b"7"), (b"name", b"Al")]),
        "template-listpack",
    ),
    Case(
        29,
        '01 02 03 "age" 04 "name" 0F 0F000000 0300 05 01 07 01 82 "Al" 03 FF',
        HashValue([(b"age", b"7"), (b"name", b"Al")]),
        "template-listpack",
    ),
    Case(
        30,
        '0F 0F000000 0300 01 01 07 01 82 "Al" 03 FF',
        HashValue([(b"age", b"7"), (b"name", b"Al")]),
        "template-listpack",
    ),
    Case(31, '01 02 03 "age" 04 "name" C0 07 02 "Al"', HashValue([(b"age", b"7"), (b"name", b"Al")]), "template-array"),
    Case(32, '01 C0 07 02 "Al"', HashValue([(b"age", b"7"), (b"name", b"Al")]), "template-array"),
]


def _case_id(case: Case) -> str:
    return f"{case.code}-{case.encoding}"


def _module_id(name: str, version: int) -> int:
    charset = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    number = 0
    for character in name:
        number = number << 6 | charset.index(character)
    return number << 10 | version


MODULE = b"\x81" + _module_id("test-mod_", 4).to_bytes(8, "big")


def _data(case: Case) -> bytes:
    data = specimen(case.text)
    return MODULE + data[9:] if case.code == 7 else data


def _value(case: Case) -> Value:
    return OpaqueValue("test-mod_", _data(case)) if case.code == 7 else case.value


@pytest.mark.parametrize("case", CASES, ids=_case_id)
def test_a_value_is_parsed(case: Case) -> None:
    parsed = parse_value(case.code, case.magic, _data(case) + b"rest", templates=TEMPLATES)
    assert whole(parsed.value) == whole(_value(case))
    assert parsed.size == len(_data(case))


@pytest.mark.parametrize("case", CASES, ids=_case_id)
def test_a_value_is_built_as_it_was(case: Case) -> None:
    assert build_value(parse_value(case.code, case.magic, _data(case), templates=TEMPLATES)) == _data(case)


@pytest.mark.parametrize("case", CASES, ids=_case_id)
def test_a_record_is_parsed_and_built(case: Case) -> None:
    data = bytes((case.code,)) + b"\x03key" + _data(case)
    state = FileState(case.magic, VERSIONS[case.magic][1], db=3, expire_at_ms=12, freq=9, templates=dict(TEMPLATES))
    parsed = parse_record(data, state)
    expected = KeyRecord(db=3, key=b"key", value=_value(case), expire_at_ms=12, freq=9)
    assert isinstance(parsed.item, KeyRecord)
    assert whole(parsed.item.value) == whole(expected.value)
    assert (parsed.item.db, parsed.item.key, parsed.item.expire_at_ms, parsed.item.freq) == (3, b"key", 12, 9)
    assert (parsed.item.type_code, parsed.item.encoding) == (case.code, case.encoding)
    assert (parsed.item.start, parsed.item.stop) == (0, len(data))
    assert build_record(parsed) == data
    assert (state.expire_at_ms, state.freq, state.records) == (None, None, 1)


def test_every_row_of_the_table_has_a_specimen() -> None:
    rows = {(row.code, magic) for row in VALUE_TYPES for magic in ([row.magic] if row.magic else [REDIS])}
    assert {(case.code, case.magic) for case in CASES} == rows


@pytest.mark.parametrize(
    ("code", "long_form", "short_form"),
    [
        (0, '80 00000002 "hi"', '02 "hi"'),  # a length in more bytes than needed
        (0, '81 0000000000000002 "hi"', '02 "hi"'),
        (0, '40 02 "hi"', '02 "hi"'),
        (0, "C2 05000000", "C0 05"),  # an integer likewise
        (1, "C1 00", "01 00"),  # servers take 11xxxxxx for a count of 0 to 63
        (10, "11 11000000 0A000000 0100 00 D0 05000000 FF", "0D 0D000000 0A000000 0100 00 F6 FF"),
        (
            10,
            "13 13000000 0C000000 0200 00 F2 FE 02000000 F3 FF",  # previous entry's size in the long form
            "0F 0F000000 0C000000 0200 00 F2 02 F3 FF",
        ),
        (10, "0F 0F000000 0C000000 FFFF 00 F2 02 F3 FF", "0F 0F000000 0C000000 0200 00 F2 02 F3 FF"),
        (16, "0B 0B000000 FFFF 01 01 02 01 FF", "0B 0B000000 0200 01 01 02 01 FF"),
        (20, "0D 0D000000 0100 F3 05000000 05 FF", "09 09000000 0100 05 01 FF"),
        (9, "07 FE 01 66 01 00 76 FF", "07 01 01 66 01 00 76 FF"),  # pairs not counted
    ],
)
def test_other_spellings_have_the_same_value_and_are_built_the_usual_way(
    code: int, long_form: str, short_form: str
) -> None:
    parsed = parse_value(code, REDIS, specimen(long_form))
    assert parsed.size == len(specimen(long_form))
    assert build_value(parsed) == specimen(short_form)
    assert parse_value(code, REDIS, specimen(short_form)).value == parsed.value
