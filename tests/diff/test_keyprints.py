"""The table of fingerprints: what it costs, and what it finds out."""

from __future__ import annotations

import sys
from random import Random

import pytest
from command import FIXTURES
from diff import data

from rdbtool._codec.replay_record import feed_item, feed_record
from rdbtool._codec.sinks.key_table import ADDED, CHANGED, HELD, REMOVED, SAME, InState, KeyPrints, KeyTable
from rdbtool.core.errors import InputError
from rdbtool.core.location import Span
from rdbtool.core.servers import Target
from rdbtool.model import ArrayValue, HashValue, KeyRecord, ListValue, ResizeDb, SetValue, StringValue, ZSetValue
from rdbtool.operations.diff.compare import open_diff
from rdbtool.reader.rdb import open_rdb

FILES = sorted(FIXTURES.glob("*/default.rdb")) + sorted(FIXTURES.glob("small/*.rdb"))


def string(name: bytes, text: bytes = b"v", *, db: int = 0, expire_at_ms: int | None = None) -> KeyRecord:
    return KeyRecord(db=db, key=name, value=StringValue(text), expire_at_ms=expire_at_ms)


def compare(first: list[KeyRecord], second: list[KeyRecord], **options) -> KeyTable:
    table = KeyTable()
    for records, is_second in ((first, False), (second, True)):
        prints = KeyPrints(table, second=is_second, **options)
        for record in records:
            feed_record(record, prints)
        prints.close()
        assert prints.keys == len(records)
        assert prints.twice is None
    return table


@pytest.mark.parametrize("keys", [1_000, 100_000, 400_000])
def test_a_key_costs_less_than_100_bytes(keys):
    table = KeyTable()
    prints = KeyPrints(table, second=False)
    for number in range(keys):
        feed_record(string(b"%d" % number), prints)
    prints.close()
    assert len(table) == keys
    size = sys.getsizeof(table)
    # Blocks of rows are two megabytes each.
    assert size < 52 * keys + (2 << 20) + 16 * 1024


@pytest.mark.parametrize(("announced", "most"), [(100_000, 47), (20_000, 47), (1_600_000, 42 + 160), (10**12, 47)])
def test_what_is_announced_is_believed_when_a_share_is_there(announced, most):
    table = KeyTable()
    prints = KeyPrints(table, second=False)
    feed_item(ResizeDb(announced, 0, Span(0, 0)), prints)
    for number in range(100_000):
        feed_record(string(b"%d" % number), prints)
    prints.close()
    assert len(table) == 100_000
    assert sys.getsizeof(table) < most * 100_000 + (2 << 20)


def test_states():
    first = [string(b"gone"), string(b"same"), string(b"other", b"1"), string(b"there", db=1)]
    second = [string(b"other", b"2"), string(b"same"), string(b"new"), string(b"there", db=2)]
    table = compare(first, second)
    assert table.counts == (2, 1, 1, 2, 0)
    assert len(table) == 6
    assert [table.state(0, key) for key in (b"gone", b"same", b"other", b"new")] == [REMOVED, SAME, CHANGED, ADDED]
    assert (table.state(1, b"there"), table.state(2, b"there")) == (REMOVED, ADDED)
    table.mark(0, b"other", HELD)
    assert table.counts == (2, 1, 0, 2, 1)
    assert [record.key for record in second if InState(table, [HELD, SAME]).take(record)] == [b"other", b"same"]
    with pytest.raises(KeyError):
        table.state(1, b"new")


@pytest.mark.parametrize(
    ("first", "second", "tolerance", "same"),
    [
        (None, None, 0, True),
        (1000, None, 0, False),
        (1000, 1000, 0, True),
        (1000, 1001, 0, False),
        (1000, 1001, 1, True),
        (1001, 1000, 1, True),
        (1000, 1002, 1, False),
        (1000, None, 10**12, False),
        (-(2**63) + 1, 2**63 - 1, 2**62, False),
        (1000, None, -1, True),
        (1000, 5000, -1, True),
    ],
)
def test_tolerance(first, second, tolerance, same):
    table = compare([string(b"k", expire_at_ms=first)], [string(b"k", expire_at_ms=second)], tolerance_ms=tolerance)
    assert table.state(0, b"k") == (SAME if same else CHANGED)


@pytest.mark.parametrize("twice_in", [0, 1])
def test_a_key_that_is_there_twice_leaves_no_answer(twice_in):
    seven = Target.parse("redis-7.0")
    sides = [[string(b"a"), string(b"b", db=3)], [string(b"a"), string(b"b", db=3)]]
    sides[twice_in].append(string(b"b", b"else", db=3))
    with pytest.raises(InputError, match='key "b" of db 3 occurs twice'):
        open_diff(*(data.to_rdb(records, seven) for records in sides))


EMPTY = [
    (SetValue([b"a"]), SetValue([b"a", b""])),
    (ZSetValue([(b"a", 1.0)]), ZSetValue([(b"a", 1.0), (b"", 0.0)])),
    (HashValue([(b"a", b"1")]), HashValue([(b"a", b"1"), (b"", b"")])),
    (ListValue([b"a"]), ListValue([b"a", b""])),
    (ListValue([b""]), ListValue([b"", b""])),
    (ArrayValue([(1, b"")]), ArrayValue([(0, b""), (1, b"")])),
    (StringValue(b""), StringValue(b"\0")),
    (SetValue([b"a", b"b"]), SetValue([b"ab"])),
    (HashValue([(b"a", b"b")]), HashValue([(b"", b"ab")])),
]


@pytest.mark.parametrize(("first", "second"), EMPTY, ids=lambda value: value.kind)
def test_nothing_is_too_little_to_differ(first, second):
    table = compare([KeyRecord(db=0, key=b"", value=first)], [KeyRecord(db=0, key=b"", value=second)])
    assert table.counts == (0, 0, 1, 0, 0)


def test_a_part_is_not_taken_for_another():
    """Metadata in front of a list is no element of it."""
    with_meta = KeyRecord(db=0, key=b"k", value=ListValue([b"x"]), meta=b"m")
    table = compare([with_meta], [KeyRecord(db=0, key=b"k", value=ListValue([b"m", b"x"]))])
    assert table.counts[SAME] == 0
    assert compare([with_meta], [with_meta]).counts[SAME] == 1


def large_file() -> bytes:
    """Return an RDB of values that no window holds, and others, in all their encodings."""
    random = Random(9)
    target = Target.parse("redis-7.4")
    records = [
        KeyRecord(db=0, key=b"%d:%d" % (size, number), value=value)
        for number in range(40)
        for size in (1, 200, 5000)
        for value in (
            StringValue(random.choice([b"x" * size * 90, random.randbytes(size * 90), b"%d" % (size * number)])),
            HashValue([(b"%d" % field, b"v" * (field % 90), random.choice([None, 1 << 42])) for field in range(size)]),
            ListValue([b"%d" % element * (element % 30) for element in range(size)]),
            SetValue([b"%d" % (element * number) for element in range(size)] if number else [b"m" * size]),
            ZSetValue([(b"m%d" % member, member / 3) for member in range(size)]),
        )[number % 5 :][:1]
    ]
    return data.to_rdb(records, target)


@pytest.mark.parametrize(
    "path", [*FILES, None], ids=lambda path: f"{path.parent.name}-{path.stem}" if path else "large"
)
def test_what_is_not_selected_is_skipped(path):
    """Of every encoding the end is found, whatever is selected."""
    source = large_file() if path is None else str(path)
    table = KeyTable()
    prints = KeyPrints(table, second=False)
    with open_rdb(source) as reader:
        reader.feed(prints)
    prints.close()
    with open_rdb(source) as reader:
        everything = list(reader)
        totals = reader.totals
    random = Random(str(path))
    for share in (0, 0.1, 0.7):
        chosen = {(record.db, record.key) for record in everything if random.random() < share}
        for record in everything:
            table.mark(record.db, record.key, CHANGED if (record.db, record.key) in chosen else SAME)
        with open_rdb(source) as reader:
            found = list(reader.records(selection=InState(table, [CHANGED])))
            assert found == [record for record in everything if (record.db, record.key) in chosen]
            assert [record.start for record in found] == [
                record.start for record in everything if (record.db, record.key) in chosen
            ]
            assert reader.totals._replace(selected=0) == totals._replace(selected=0)
