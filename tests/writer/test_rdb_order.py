"""The order of what packed values hold, around the number of elements from which on the library's sort is used."""

from __future__ import annotations

import random

import pytest

from rdbtool.core.servers import Target
from rdbtool.model import HashValue, KeyRecord, SetValue, Value, ZSetValue
from rdbtool.reader.rdb import open_rdb
from rdbtool.writer.rdb import write_rdb


def written(value: Value, version: int) -> tuple[str, Value]:
    data = bytearray()
    write_rdb([KeyRecord(db=0, key=b"k", value=value)], data.extend, Target("REDIS", version))
    with open_rdb(bytes(data)) as reader:
        (record,) = reader
    assert record.encoding is not None
    return record.encoding, record.value


@pytest.mark.parametrize("count", [1, 2, 3, 31, 32, 33, 34, 64, 128])
@pytest.mark.parametrize("bits", [10, 30, 60])
def test_integers_ascend(count: int, bits: int) -> None:
    rng = random.Random(count + bits)
    numbers = rng.sample(range(-(1 << bits), 1 << bits), count)
    for order in (numbers, sorted(numbers), sorted(numbers, reverse=True)):
        encoding, value = written(SetValue([b"%d" % number for number in order]), 10)
        assert isinstance(value, SetValue)
        assert (encoding, [int(member) for member in value.members]) == ("intset", sorted(numbers))


@pytest.mark.parametrize("count", [1, 2, 3, 31, 32, 33, 34, 64, 128])
@pytest.mark.parametrize("version", [9, 10])
def test_members_follow_score_and_name(count: int, version: int) -> None:
    rng = random.Random(count)
    rows = [(b"%d" % number, rng.choice((-1.5, 0.0, 2.0, 1e300))) for number in rng.sample(range(1000), count)]
    encoding, value = written(ZSetValue(rows), version)
    assert isinstance(value, ZSetValue)
    expected = sorted(rows, key=lambda row: (row[1], row[0]))
    assert (encoding, list(value.members)) == ("ziplist" if version == 9 else "listpack", expected)


@pytest.mark.parametrize("count", [2, 32, 33, 100])
def test_fields_follow_their_expiry(count: int) -> None:
    rng = random.Random(count)
    times = [rng.choice((None, *range(5, 20))) for _ in range(count - 1)]
    fields = [(b"%d" % number, b"v", when) for number, when in enumerate([7, *times])]
    _, value = written(HashValue(fields), 12)
    assert isinstance(value, HashValue)
    assert list(value.fields) == sorted(fields, key=lambda row: 1 << 60 if row[2] is None else row[2])
