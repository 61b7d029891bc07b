"""The jsonl format is reversible: an independent reader gets every record and every item back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from codec.driving import FILES, make, name_of, rdb, records_of, written
from codec.jsonl_reader import octets, read_lines, read_record, read_value
from whole import whole

from rdbtool._codec.encode.jsonl import Jsonl, value_json
from rdbtool.model import Aux, FunctionLibrary, KeyRecord, ModuleAux, SlotImport, StringValue
from rdbtool.reader.rdb import open_rdb


def lines(data: bytes) -> list[dict[str, Any]]:
    return list(read_lines(written(data, Jsonl)))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_everything_comes_back(path: Path) -> None:
    rows = lines(path.read_bytes())
    with open_rdb(path) as reader:
        items = list(reader.items())
    magic, version = reader.header
    assert rows.pop(0) == {"rdb": {"magic": magic, "version": version}}
    wanted = [item for item in items if isinstance(item, KeyRecord | Aux | FunctionLibrary | ModuleAux | SlotImport)]
    assert len(rows) == len(wanted)
    for row, item in zip(rows, wanted, strict=True):
        match item:
            case KeyRecord():
                found = read_record(row)
                # repr shows NaN, -0 and the encoding too, but also where a record was read.
                assert found == item
                assert whole(found.value) == whole(item.value)
                assert found.encoding == item.encoding
            case Aux():
                assert [octets(text) for text in row.pop("aux")] == [item.key, item.value]
                assert row == {}
            case FunctionLibrary():
                assert octets(row.pop("function")) == item.code
                assert row == ({} if item.released else {"pre_release": True})
            case ModuleAux():
                assert row.pop("module_aux") == item.module
                assert octets(row.pop("raw")) == item.raw
                assert row == {}
            case SlotImport():
                assert octets(row.pop("slot_import")) == item.job
                assert row == {"ranges": [list(slots) for slots in item.ranges]}


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_value_alone_is_what_stands_in_its_line(path: Path) -> None:
    for record, row in zip(records_of(path), (row for row in lines(path.read_bytes()) if "key" in row), strict=True):
        text = value_json(record)
        assert json.loads(text) == row["value"]
        assert whole(read_value(record.kind, json.loads(text))) == whole(record.value)


def test_a_line_by_hand() -> None:
    data = rdb(
        make.aux(b"n", make.integer(5)),
        make.select(2),
        make.expire(make.FAR_MS) + b"\xf9\x07" + make.key(0, b'k"', make.string(b"\xff\n")),
        make.key(0, "é\x7f".encode(), make.integer(-7)),
    )
    assert written(data, Jsonl).decode().splitlines() == [
        '{"rdb":{"magic":"REDIS","version":11}}',
        '{"aux":["n","5"]}',
        (
            f'{{"db":2,"key":"k\\"","type":"string","encoding":"raw","expire_at_ms":{make.FAR_MS},"freq":7,'
            '"value":{"base64":"/wo="}}'
        ),
        '{"db":2,"key":"é\\u007f","type":"string","encoding":"int","expire_at_ms":null,"value":"-7"}',
    ]


PIECE = 1 << 18
SIZES = (PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, (4 << 20) - 1, (4 << 20) + 1, 5_000_000)
TAILS = {
    "text": b"",
    "broken at the end": b"\xff",
    "cut at the end": b"\xf0\x9f\x98",
    "control characters": b'\x00\n"\\',
    "multi-byte": "é€😀".encode() * 1000,
}


@pytest.mark.parametrize("tail", TAILS.values(), ids=TAILS)
@pytest.mark.parametrize("size", SIZES)
def test_large_strings(size: int, tail: bytes) -> None:
    text = b"a" * (size - len(tail)) + tail
    (row,) = lines(rdb(make.key(0, b"k", make.string(text))))[1:]
    assert ("base64" in row["value"]) == (tail in (b"\xff", b"\xf0\x9f\x98"))
    assert octets(row["value"]) == text
    assert (row["key"], list(row)[-1]) == ("k", "value")


@pytest.mark.parametrize("filler", ["é", "€", "😀"])
@pytest.mark.parametrize("shift", range(4))
def test_sequences_across_the_borders_of_pieces(filler: str, shift: int) -> None:
    text = b"a" * shift + filler.encode() * (3 * PIECE // len(filler.encode()) + 5)
    (row,) = lines(rdb(make.key(0, b"k", make.string(text))))[1:]
    assert row["value"] == text.decode()
    (row,) = lines(rdb(make.key(1, text, make.counted(make.string(text), make.string(text[:-1])))))[1:]
    assert octets(row["key"]) == text
    assert row["value"][0] == text.decode()
    assert octets(row["value"][1]) == text[:-1]


def test_large_strings_inside_collections() -> None:
    big, broken = "é\n".encode() * 400_000, b"\x80" * 5_000_000
    data = rdb(
        make.key(
            4,
            b"h",
            make.counted(make.string(big) + make.string(broken), make.string(b"f") + make.compressed(bytes(9 << 20))),
        ),
        make.key(0, b"after", make.string(b"v")),
    )
    first, after = lines(data)[1:]
    assert [[octets(part) for part in pair] for pair in first["value"]] == [[big, broken], [b"f", bytes(9 << 20)]]
    assert after["value"] == "v"


def test_value_json_of_a_record_that_no_file_holds() -> None:
    assert value_json(KeyRecord(db=0, key=b"k", value=StringValue(b"\xff"))) == '{"base64":"/w=="}'


def test_what_a_stream_says_of_itself_against_its_entries() -> None:
    """Its length and first id are kept also where they are wrong."""
    node = make.stream_node((5, 1), 0, [b"f"], [[2, 0, 0, b"v"]])
    for length, first in ((1, (5, 1)), (3, (5, 1)), (1, (0, 0)), (0, (9, 9))):
        counters = make.length(length) + make.ids((7, 0), first, (5, 2)) + make.length(3)
        data = rdb(make.key(19, b"s", make.length(1) + node + counters + make.counted()))
        (record,) = records_of(data)
        (row,) = lines(data)[1:]
        assert whole(read_record(row).value) == whole(record.value)
        assert ("length" in row["value"], "first_id" in row["value"]) == (length != 1, first != (5, 1))
