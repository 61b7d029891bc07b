"""Opcodes, header and end: what they give, what they change, and the same bytes built again."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from specimen import specimen

from rdbtool.core.errors import FormatError, UnsupportedError
from rdbtool.core.location import Span
from rdbtool.core.rdb_types import OPCODES, REDIS, VALKEY, VERSIONS
from rdbtool.grammar import FileState, MemoryStream, build_record, parse_record, read_header, read_item
from rdbtool.io.source import crc64
from rdbtool.model import (
    Aux,
    End,
    FunctionLibrary,
    HashTemplate,
    Header,
    Item,
    KeyRecord,
    ModuleAux,
    ProductOpcode,
    ResizeDb,
    SelectDb,
    SlotImport,
    SlotInfo,
)


class Case(NamedTuple):
    code: int
    text: str
    item: Item | None
    magic: str = REDIS


NOWHERE = Span(0, 0)
CASES = [
    Case(107, "4043", ProductOpcode("RAM_LRU", 67, NOWHERE)),
    Case(121, "4100", ProductOpcode("SLOT_NUM", 256, NOWHERE)),
    Case(242, '01 02 03 "age" 04 "name"', HashTemplate(1, (b"age", b"name"), NOWHERE)),
    Case(243, '02  "meta" 02 05 00  "more" 05 02 "hi" 00', None),
    Case(
        243,
        f'28 "{"j" * 40}" 02 00 01 4100 7FFF',
        SlotImport(b"j" * 40, ((0, 1), (256, 16383)), NOWHERE),
        VALKEY,
    ),
    Case(244, "4100 02 01", SlotInfo(256, 2, 1, NOWHERE)),
    Case(245, '0E "#!lua name=lib"', FunctionLibrary(b"#!lua name=lib", released=True, span=NOWHERE)),
    Case(
        246, '03 "lib" 03 "LUA" 01 04 "desc" 08 "return 1"', FunctionLibrary(b"return 1", released=False, span=NOWHERE)
    ),
    Case(246, '03 "lib" 03 "LUA" 00 08 "return 1"', FunctionLibrary(b"return 1", released=False, span=NOWHERE)),
    Case(
        247,
        "81 0000000000000402 02 02 02 07 00",
        ModuleAux("AAAAAAAAB", specimen("81 0000000000000402 02 02 02 07 00"), NOWHERE),
    ),
    Case(248, "4E20", None),
    Case(249, "FF", None),
    Case(250, '09 "redis-ver" 05 "8.0.6"', Aux(b"redis-ver", b"8.0.6", NOWHERE)),
    Case(250, "C0 05 C0 40", Aux(b"5", b"64", NOWHERE)),
    Case(251, "02 01", ResizeDb(2, 1, NOWHERE)),
    Case(252, "00D8C32CBB030000", None),
    Case(253, "00D27165", None),
    Case(254, "80 7FFFFFFF", SelectDb((1 << 31) - 1, NOWHERE)),
    Case(255, "0807060504030201", End(0x0102030405060708, 0, NOWHERE)),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.code}")
def test_an_opcode_is_parsed_and_built(case: Case) -> None:
    data = bytes((case.code,)) + specimen(case.text)
    parsed = parse_record(data, FileState(case.magic, VERSIONS[case.magic][1]))
    expected = None if case.item is None else case.item._replace(span=Span(0, len(data)))
    assert parsed.item == expected
    assert type(parsed.item) is type(expected)
    assert parsed.size == len(data)
    assert build_record(parsed) == data


def test_every_opcode_has_a_specimen() -> None:
    rows = {(row.code, row.magic or REDIS) for row in OPCODES}
    assert {(case.code, case.magic) for case in CASES} == rows


def read_all(data: bytes, state: FileState) -> list[Item | KeyRecord | None]:
    stream = MemoryStream(data)
    items = []
    while stream.left():
        items.append(read_item(stream, state))
    return items


def test_what_precedes_a_key_is_kept_until_it_comes() -> None:
    """Even across other opcodes; the last expiry wins; a key takes it all."""
    data = specimen("""
        FD 01000000          # 0: expires at 1 s
        F8 05  F9 07         # 5: idle 5 s, frequency 7
        F3 01 "spec" 00      # 9: key meta
        FE 02                # 16: database 2
        FC D007000000000000  # 18: expires at 2000 ms
        00 01 "k" 01 "v"     # 27: the key
        00 01 "l" 01 "w"     # 32: another one
    """)
    *_, first, second = read_all(data, FileState(REDIS, 15))
    assert isinstance(first, KeyRecord)
    assert isinstance(second, KeyRecord)
    assert (first.db, first.expire_at_ms, first.idle_s, first.freq) == (2, 2000, 5, 7)
    assert first.meta == specimen('01 "spec" 00')
    assert (first.start, first.stop) == (0, 32)
    assert (second.db, second.expire_at_ms, second.idle_s, second.freq, second.meta) == (2, None, None, None, None)
    assert (second.start, second.stop) == (32, 37)


@pytest.mark.parametrize(
    ("opcode", "expire_at_ms"),
    [
        ("FC FFFFFFFFFFFFFFFF", None),  # -1: none
        ("FC FBFFFFFFFFFFFFFF", -5),
        ("FC 0000000000000000", 0),
        ("FD FFFFFF7F", 2147483647000),
        ("FD FEFFFFFF", -2000),
        ("FC 0100000000000000 FC FFFFFFFFFFFFFFFF", None),
    ],
)
def test_an_expiry(opcode: str, expire_at_ms: int | None) -> None:
    record = read_all(specimen(opcode + '00 01 "k" 01 "v"'), FileState(REDIS, 9))[-1]
    assert isinstance(record, KeyRecord)
    assert record.expire_at_ms == expire_at_ms
    assert record.start == 0


def test_a_failed_item_leaves_the_state_as_it_was() -> None:
    state = FileState(REDIS, 15, expire_at_ms=5, pending_start=1, db=2)
    with pytest.raises(FormatError):
        read_item(MemoryStream(specimen('00 01 "k" 05 "v"'), 40), state)
    assert state == FileState(REDIS, 15, expire_at_ms=5, pending_start=1, db=2)


@pytest.mark.parametrize(
    ("data", "header"),
    [
        (b"REDIS0001", Header(REDIS, 1)),
        (b"REDIS0015", Header(REDIS, 15)),
        (b"VALKEY080", Header(VALKEY, 80)),
    ],
)
def test_a_header(data: bytes, header: Header) -> None:
    stream = MemoryStream(data + b"more", 7)
    assert read_header(stream) == header
    assert stream.tell() == 16


@pytest.mark.parametrize(
    ("data", "at", "code"),
    [
        (b"REDIS0000", 105, "RDB002"),
        (b"REDIS00ab", 105, "RDB002"),
        (b"REDIS0 11", 105, "RDB002"),
        (b"REDIS+011", 105, "RDB002"),
        (b"VALKEY011", 106, "RDB002"),
        (b"VALKEY079", 106, "RDB002"),
        (b"REDIS", 105, "RDB101"),
        (b"VALKEY08", 108, "RDB101"),
    ],
)
def test_a_header_that_no_server_writes(data: bytes, at: int, code: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_header(MemoryStream(data, 100))
    assert (caught.value.code, caught.value.at) == (code, at)


@pytest.mark.parametrize("data", [b"REDIS0016", b"REDIS9999", b"VALKEY081"])
def test_a_header_of_a_version_to_come(data: bytes) -> None:
    with pytest.raises(UnsupportedError, match=f"0x{5 if data[0] == ord('R') else 6:x}: RDB version"):
        read_header(MemoryStream(data))


@pytest.mark.parametrize("data", [b"", b"REDI", b"redis0011", b"*2\r\n$6\r\nSELECT", b"PK\x03\x04"])
def test_no_header(data: bytes) -> None:
    with pytest.raises(UnsupportedError, match="not an RDB"):
        read_header(MemoryStream(data))


def end_of(data: bytes, version: int, **known: object) -> Item | KeyRecord | None:
    state = FileState(REDIS, version)
    for name, value in known.items():
        setattr(state, name, value)
    return read_item(MemoryStream(data), state)


def test_the_end_counts_what_follows() -> None:
    assert end_of(b"\xff" + bytes(8) + b"tail", 5) == End(0, 4, Span(0, 9), 0, b"tail")
    assert end_of(b"\xff", 4) == End(None, 0, Span(0, 1))
    assert end_of(b"\xff" + b"1234567", 4) == End(None, 7, Span(0, 1), 0, b"1234567")
    assert end_of(b"\xff" + bytes(8) + b"*1", 10, embedded=True) == End(0, 0, Span(0, 9))


def test_the_end_is_compared_with_the_checksum() -> None:
    """The first vector is the CRC-64's own check value."""
    stored = (0xE9C6D914C4B8D9CA).to_bytes(8, "little")
    data = b"\xff" + stored

    def crc_at(stop: int) -> int:
        assert stop == 1
        return crc64(b"123456789")

    assert end_of(data, 9, crc_at=crc_at) == End(0xE9C6D914C4B8D9CA, 0, Span(0, 9))
    assert end_of(data, 9, crc_at=lambda _: None) == End(0xE9C6D914C4B8D9CA, 0, Span(0, 9))
    assert end_of(b"\xff" + bytes(8), 9, crc_at=crc_at) == End(0, 0, Span(0, 9))  # 0: never computed
    with pytest.raises(FormatError) as caught:
        end_of(data, 9, crc_at=lambda _: 7)
    assert (caught.value.code, caught.value.at, caught.value.found) == ("RDB004", 1, "e9c6d914c4b8d9ca")


def test_a_checksum_where_the_version_has_none() -> None:
    with pytest.raises(FormatError) as caught:
        end_of(b"\xff" + bytes(8), 4)
    assert (caught.value.code, caught.value.at) == ("RDB003", 1)


@pytest.mark.parametrize(
    ("version", "text", "since"),
    [
        (4, 'FA 01 "a" 01 "b"', "RDB 7"),
        (2, "FC 0000000000000000", "RDB 3"),
        (1, '09 01 "k" 07 01 01 66 01 00 76 FF', "RDB 2"),
        (4, '0E 01 "k" 00', "RDB 7"),
    ],
)
def test_something_newer_than_an_old_version_means_a_damaged_version(version: int, text: str, since: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_record(specimen(text), FileState(REDIS, version))
    assert (caught.value.code, caught.value.at) == ("RDB003", 0)
    assert f"appeared in {since}" in caught.value.found
    assert f"the version field, {version}, is corrupt" in caught.value.found


def test_from_version_5_on_the_version_is_not_held_against_a_type() -> None:
    assert parse_record(specimen('0E 01 "k" 00'), FileState(REDIS, 5)).item is not None


@pytest.mark.parametrize(
    ("text", "aux", "writer"),
    [
        ('40 01 "k"', b"mvcc-tstamp", "KeyDB"),
        ('1E 01 "k"', b"df-ver", "Dragonfly"),
        ("C8", b"df-ver", "Dragonfly"),
        ("E0", b"df-ver", "Dragonfly"),
        ("79 00", b"df-ver", "Dragonfly"),
        ("65 00", b"bigdb-ram-keys", "Redis Enterprise"),
    ],
)
def test_a_number_of_somebody_elses(text: str, aux: bytes | None, writer: str) -> None:
    data = b"" if aux is None else b"\xfa" + bytes((len(aux),)) + aux + b"\x01x"
    with pytest.raises(UnsupportedError, match=writer) as caught:
        read_all(data + specimen(text), FileState(REDIS, 9))
    assert f"at {len(data):#x}:" in str(caught.value)


def test_a_value_that_nobody_can_read_is_damage_in_a_file_that_is_older() -> None:
    """One bit away from a list and a hash: a number is unknown only where the file can have it."""
    with pytest.raises(UnsupportedError, match="GCRA"):
        parse_record(specimen('21 01 "k"'), FileState(REDIS, 15))
    for text in ('21 01 "k"', '06 01 "k"', '40 01 "k"'):
        with pytest.raises(FormatError) as caught:
            parse_record(specimen(text), FileState(REDIS, 14))
        assert caught.value.code == "RDB105"


@pytest.mark.parametrize(
    ("code", "magic"), [(8, REDIS), (34, REDIS), (200, REDIS), (241, REDIS), (24, VALKEY), (242, VALKEY)]
)
def test_a_number_of_nobodys(code: int, magic: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_record(bytes((code,)) + b"\x01k", FileState(magic, VERSIONS[magic][1]))
    assert (caught.value.code, caught.value.at) == ("RDB105", 0)
