"""Large values in csv: written in pieces, the rows that one piece would make."""

import csv
import io

from rdbtool._codec.encode.jsonl import value_json
from rdbtool.model import KeyRecord, ListValue, StringValue
from rdbtool.report.csv import write_csv


def record(key: bytes, value) -> KeyRecord:
    return KeyRecord(db=0, key=key, value=value, type_code=0, encoding="raw", start=0, stop=9)


def test_rows_with_large_values_are_the_rows_of_their_json():
    rows = [
        record(b"=small", StringValue(b'a"b\x1b')),
        record(b"=text", StringValue('"größe"\n\x1b\x7f'.encode() * 200_000)),
        record(b"bytes", StringValue(b"\xff\n" * 600_000)),
        record(b"list", ListValue([b'x"%d' % number for number in range(20_000)])),
        record(b"after", StringValue(b"7")),
    ]
    pieces: list[bytes] = []
    write_csv(rows, pieces.append)
    data = b"".join(pieces)
    assert max(map(len, pieces)) < 4 << 20
    assert b"\x1b" not in data
    csv.field_size_limit(1 << 30)
    made = list(csv.DictReader(io.StringIO(data.decode(), newline="")))
    assert [row["key"] for row in made] == ["'=small", "'=text", "bytes", "list", "after"]
    assert [row["value"] for row in made] == [value_json(row) for row in rows]
    assert data.count(b"\r\n") == 1 + len(rows)
