"""What holds of every two data sets."""

from __future__ import annotations

from random import Random

import pytest
from command import FIXTURES, SERVERS
from diff import data
from hypothesis import given, settings
from hypothesis import strategies as st

from rdbtool._codec.sinks.fingerprint import Fingerprint
from rdbtool.core.servers import Target
from rdbtool.model import KeyRecord, ListValue, StreamValue
from rdbtool.operations.diff import compare as module
from rdbtool.operations.diff.compare import Difference, DiffOptions, open_diff
from rdbtool.reader.rdb import open_rdb

EIGHT = Target.parse("redis-8.0")
SWAPPED = {"+": "-", "-": "+", "~": "~"}
FILES = sorted(FIXTURES.glob("*/default.rdb")) + sorted(FIXTURES.glob("small/*.rdb"))


def differences(first: bytes, second: bytes, **options) -> list[Difference]:
    with open_diff(first, second, DiffOptions(**options)) as comparison:
        return list(comparison.differences())


def fingerprint(data: bytes) -> str:
    sink = Fingerprint()
    with open_rdb(data) as reader:
        reader.feed(sink)
    return sink.hexdigest()


@st.composite
def pairs(draw):
    """Two lists of records; often one, some, or none of them differ."""
    random = draw(st.randoms(use_true_random=False))
    records = [record for record in data.make_records(random, EIGHT) if is_known(record)]
    others = [record for record in data.make_records(random, EIGHT, records) if is_known(record)]
    if random.random() < 0.7:
        taken = {(record.db, record.key): record for record in records}
        for record in random.sample(others, min(len(others), random.choice([0, 0, 1, 2]))):
            taken[record.db, record.key] = record
        others = list(taken.values())
        random.shuffle(others)
    return records, others


def is_known(record: KeyRecord) -> bool:
    """Leave out what servers do not know for sure, which is no difference to what they do."""
    value = record.value
    return not isinstance(value, StreamValue) or all(group.entries_read is not None for group in value.groups)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_file_does_not_differ_from_itself(path):
    with open_diff(str(path), str(path), DiffOptions(encodings=True, functions=True, aux=True)) as comparison:
        assert [*comparison.items, *comparison.differences()] == []
        with open_rdb(str(path)) as reader:
            assert comparison.counts.same == sum(1 for _ in reader)


@given(pairs())
def test_no_difference_is_the_same_fingerprint(pair):
    first, second = (data.to_rdb(records, EIGHT) for records in pair)
    assert (differences(first, second) == []) == (fingerprint(first) == fingerprint(second))


@given(pairs())
def test_it_is_symmetric(pair):
    first, second = (data.to_rdb(records, EIGHT) for records in pair)
    there, back = differences(first, second), differences(second, first)
    assert {(SWAPPED[row.sign], row.record.db, row.record.key) for row in there} == {
        (row.sign, row.record.db, row.record.key) for row in back
    }
    theirs = {(row.record.db, row.record.key): row for row in back if row.sign == "~"}
    for row in there:
        if row.sign == "~" and not isinstance(row.record.value, ListValue):
            swapped = {(SWAPPED[part.sign], part.what, part.name, part.group) for part in row.parts}
            other = theirs[row.record.db, row.record.key]
            assert swapped == {(part.sign, part.what, part.name, part.group) for part in other.parts}


@given(pairs())
def test_it_finds_what_a_dictionary_finds(pair):
    first, second = ({(record.db, record.key): record for record in records} for records in pair)
    found = differences(*(data.to_rdb(records, EIGHT) for records in pair))
    assert {(row.record.db, row.record.key) for row in found if row.sign == "-"} == first.keys() - second.keys()
    assert {(row.record.db, row.record.key) for row in found if row.sign == "+"} == second.keys() - first.keys()
    changed = {(row.record.db, row.record.key) for row in found if row.sign == "~"}
    # Python takes -0.0 for 0.0, and so less for different.
    assert {name for name in first.keys() & second.keys() if first[name] != second[name]} <= changed


@settings(max_examples=20)
@given(pairs())
def test_rounds_change_nothing(pair):
    first, second = (data.to_rdb(records, EIGHT) for records in pair)
    whole = differences(first, second)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_MOST_HELD", 1)
        piecewise = differences(first, second)
    assert sorted(map(repr, whole)) == sorted(map(repr, piecewise))


#: What differs between the fixtures beside what a server's version has not: times of delivery, and signs of zeros.
REAL = {b"s:mixed", b"z:small"}


@pytest.mark.parametrize("first", SERVERS)
@pytest.mark.parametrize("second", SERVERS)
def test_servers_write_the_same_data(first, second):
    one, other = ((FIXTURES / name / "default.rdb").read_bytes() for name in (first, second))
    for row in differences(one, other):
        if row.sign == "~":
            assert row.record.key in REAL
            assert {part.what for part in row.parts} <= {"pending", "member", "consumer"}


def test_order_and_encodings_mean_nothing():
    random = Random(5)
    records = data.make_records(random, Target.parse("redis-7.0"))
    first = data.to_rdb(records, Target.parse("redis-7.0"))
    for name in ("redis-7.2", "redis-8.0", "valkey-9.0"):
        random.shuffle(records)
        second = data.to_rdb(records, Target.parse(name))
        assert differences(first, second) == []
