"""The compiled rows of a table beside those of plain Python."""

from __future__ import annotations

import random
import time

import pytest
from codec.driving import rdb_of
from command import FIXTURES
from table_reference import row

from rdbtool.model import HashValue, KeyRecord, ListValue, SetValue, StringValue, ZSetValue
from rdbtool.reader.rdb import open_rdb
from rdbtool.report.table import write_table

TODAY = int(time.time()) // 86_400
#: Of the key and of the preview, in 100 columns.
WIDTHS = (25, 38)
NOW_MS = 1_790_000_000_000
TEXTS = [
    b"plain text",
    b'a"\\',
    "größe 日本語".encode(),
    bytes(range(256)),
    "e\u0301\u202e".encode(),
    b" ",
    b"1234567890",
]


def rows_of(data) -> list[str]:
    pieces: list[bytes] = []
    with open_rdb(data) as reader:
        write_table(reader, pieces.append, now_ms=NOW_MS, is_terminal=False)
    return b"".join(pieces).decode().splitlines(keepends=True)[1:]


def expected(data) -> list[str]:
    with open_rdb(data) as reader:
        return [row(record, *WIDTHS, NOW_MS) for record in reader]


def text(chance: random.Random) -> bytes:
    return bytes(chance.choices(chance.choice(TEXTS), k=chance.choice([0, 1, 3, 9, 25, 26, 27, 36, 37, 38, 60, 3000])))


@pytest.mark.parametrize("seed", [TODAY, TODAY + 1, TODAY + 2])
def test_hostile_texts(seed):
    chance = random.Random(seed)
    records = []
    for number in range(300):
        texts = list(dict.fromkeys(text(chance) for _ in range(chance.randrange(1, 30))))
        scores = [1.0, -0.0, 0.1, 1e17, 2.0**53, float("inf"), -12.0]
        value = chance.choice(
            [
                StringValue(texts[0]),
                ListValue(texts),
                SetValue(texts),
                HashValue([(name, text(chance), None) for name in texts]),
                ZSetValue([(name, chance.choice(scores)) for name in texts]),
            ]
        )
        expiry = chance.choice([None, NOW_MS - 1, NOW_MS + chance.randrange(1 << 40)])
        records.append(KeyRecord(db=number // 200 * 5000, key=text(chance), value=value, expire_at_ms=expiry))
    data = rdb_of(*records)
    assert rows_of(data) == expected(data)


@pytest.mark.parametrize("begin", [b"x" * 40, "日本語".encode() * 20, b"\xff" * 50, b'"' * 40])
@pytest.mark.parametrize("fill", [b"y", "é".encode()])
def test_long_strings(begin, fill):
    data = rdb_of(KeyRecord(db=0, key=b"k", value=StringValue(begin + fill * 1_200_000)))
    assert rows_of(data) == expected(data)


@pytest.mark.parametrize("name", ["redis-7.0.15/default.rdb", "redis-7.4.1/default.rdb"])
def test_files(name):
    path = str(FIXTURES / name)
    assert rows_of(path) == expected(path)
