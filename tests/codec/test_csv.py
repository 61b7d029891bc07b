"""The compiled CSV beside that of Python's module, and large values, which are written in pieces."""

from __future__ import annotations

import csv
import io
import random
from datetime import UTC, datetime

import pytest
from codec.driving import rdb_of
from command import FIXTURES
from csv_reference import write_csv

from rdbtool._codec.encode.csv import Csv, CsvFields
from rdbtool._codec.encode.jsonl import value_json
from rdbtool.core.errors import RdbToolError
from rdbtool.model import (
    HashValue,
    KeyRecord,
    ListValue,
    SetValue,
    StreamEntry,
    StreamID,
    StreamValue,
    StringValue,
    ZSetValue,
)
from rdbtool.reader.rdb import open_rdb

#: The sample is another one each day.
TODAY = datetime.now(UTC).toordinal()
FILES = sorted(path for path in FIXTURES.rglob("*.rdb") if path.stat().st_size < 1 << 20)
WAYS = [{}, {"raw": True}, {"is_terminal": True}, {"fields": [b"a", b"f1", b"name", b"key", b"\xff,"]}]


def compiled(source, *, fields=(), **how) -> tuple[bytes, str]:
    pieces: list[bytes] = []
    sink = CsvFields(pieces.append, fields, **how) if fields else Csv(pieces.append, **how)
    error = ""
    try:
        with open_rdb(source) as reader:
            reader.feed(sink)
    except RdbToolError as caught:
        error = str(caught)
    sink.close()
    return b"".join(pieces), error


def reference(source, **how) -> tuple[bytes, str]:
    pieces: list[bytes] = []
    error = ""
    with open_rdb(source) as reader:
        try:
            write_csv(reader, pieces.append, **how)
        except RdbToolError as caught:
            error = str(caught)
    return b"".join(pieces), error


@pytest.mark.parametrize("path", random.Random(TODAY).sample(FILES, 15), ids=lambda path: path.name)
def test_files(path):
    for how in WAYS:
        try:
            expected = reference(str(path), **how)
        except RdbToolError:
            with pytest.raises(RdbToolError), open_rdb(str(path)):
                pass
            return
        assert compiled(str(path), **how) == expected


def hostile(chance: random.Random) -> bytes:
    alphabet = chance.choice(
        [
            b'a",\r\n',
            b"=+-@\t1.5e",
            "größe\u2028\x9b".encode(),
            bytes(range(256)),
            "＝＋x\u202e".encode(),
            b"0123456789",
        ]
    )
    return bytes(chance.choices(alphabet, k=chance.randrange(12)))


@pytest.mark.parametrize("seed", [TODAY, TODAY + 1, TODAY + 2])
def test_hostile_texts(seed):
    chance = random.Random(seed)
    records = []
    for number in range(300):
        texts = list(dict.fromkeys(hostile(chance) for _ in range(chance.randrange(1, 9))))
        value = chance.choice(
            [
                StringValue(texts[0]),
                ListValue(texts),
                SetValue(texts),
                HashValue([(text, hostile(chance), None) for text in texts]),
                ZSetValue([(text, chance.choice([1.5, 0.0, -0.0, float("inf")])) for text in texts]),
            ]
        )
        expiry = chance.choice([None, None, 1_800_000_000_000])
        records.append(KeyRecord(db=number // 200, key=hostile(chance), value=value, expire_at_ms=expiry))
    data = rdb_of(*records)
    for how in [*WAYS, {"fields": [hostile(chance) or b"x", b"1", b"="]}]:
        assert compiled(data, **how) == reference(data, **how)


def test_large_values_are_written_in_pieces():
    chance = random.Random(1)
    entries = [StreamEntry(StreamID(number + 1, 0), [(b'f"1', chance.randbytes(70))]) for number in range(60_000)]
    id_ = StreamID(60_000, 0)
    stream = StreamValue(
        entries=entries, length=60_000, last_id=id_, first_id=StreamID(1, 0), max_deleted_id=StreamID(0, 0),
        entries_added=60_000, groups=(),
    )  # fmt: skip
    rows = [
        KeyRecord(db=0, key=b"=small", value=StringValue(b'a"b\x1b')),
        KeyRecord(db=0, key=b"=text", value=StringValue('"größe"\n\x1b\x7f'.encode() * 200_000)),
        KeyRecord(db=0, key=b"bytes", value=StringValue(chance.randbytes(3_000_000))),
        KeyRecord(
            db=0, key=b"set", value=SetValue([b'x"%d' % number + chance.randbytes(30) for number in range(300_000)])
        ),
        KeyRecord(db=0, key=b"stream", value=stream),
        KeyRecord(db=0, key=b"after", value=StringValue(b"7")),
    ]
    data = rdb_of(*rows)
    assert len(data) > 12 << 20
    pieces: list[bytes] = []
    sink = Csv(pieces.append)
    with open_rdb(data) as reader:
        reader.feed(sink)
    sink.close()
    # What a record makes until it is known to be large may come at once.
    assert max(map(len, pieces)) < sum(map(len, pieces)) // 2
    assert b"".join(pieces) == reference(data)[0]
    csv.field_size_limit(1 << 30)
    made = list(csv.DictReader(io.StringIO(b"".join(pieces).decode(), newline="")))
    assert [row["elements"] for row in made] == ["1", "1", "1", "300000", "60000", "1"]
    assert [row["value"] for row in made] == [value_json(row) for row in rows]
