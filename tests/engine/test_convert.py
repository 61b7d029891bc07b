"""Values go into the keyspace and come out as they were; names are shared."""

import math

import pytest
from state import FIXTURES

from rdbtool.engine import Engine
from rdbtool.engine.export.key_records import to_data, to_value
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
    ZSetValue,
)
from rdbtool.reader.rdb import open_rdb

FILES = sorted(FIXTURES.glob("*/*.rdb"))

GROUP = StreamGroup(
    b"g",
    StreamID(5, 6),
    None,
    [StreamConsumer(b"a", 1, -1), StreamConsumer(b"b", 2, None)],
    [PendingEntry(StreamID(1, 0), b"b", 7, 1), PendingEntry(StreamID(2, 0), None, 0, 0)],
)
STREAM = StreamValue(
    [StreamEntry(StreamID(1, 0), [(b"f", b"v"), (b"f", b"w")]), StreamEntry(StreamID((1 << 64) - 1, 3), [])],
    last_id=StreamID((1 << 64) - 1, (1 << 64) - 1),
    first_id=StreamID(1, 0),
    max_deleted_id=StreamID(4, 2),
    entries_added=(1 << 64) - 1,
    groups=[GROUP, StreamGroup(b"h", StreamID(0, 0), 0)],
    producers=StreamProducers(60, 9, [(b"p", ((b"i", StreamID(1, 0)),))], 4, 2),
)

VALUES = [
    StringValue(b""),
    ListValue([b"a", b"", b"a"]),
    SetValue([b"b", b"a"]),
    ZSetValue([(b"m", -0.0), (b"n", math.inf), (b"o", math.nan)]),
    HashValue([(b"f", b"v", None), (b"g", b"", 1 << 47)]),
    HashValue([(b"f", b"v")]),
    ArrayValue([(5, b"x"), (9, 2)], 11),
    OpaqueValue("AAAAAAAAA", b"\0"),
    STREAM,
    StreamValue([], last_id=StreamID(0, 0)),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: f"{value.kind}-{len(value)}")
def test_values_come_out_as_they_went_in(value):
    assert to_value(to_data(value, lambda name: name)) == value


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_file_comes_out_of_the_engine_as_it_went_in(path):
    engine = Engine()
    with open_rdb(path) as reader:
        records = list(reader)
    for record in records:
        engine.put(record)
    # The keyspace does not hold how much a key was used, and no metadata.
    wanted = {
        (record.db, record.key): KeyRecord(
            db=record.db,
            key=record.key,
            value=record.value,
            expire_at_ms=record.expire_at_ms,
            member_expiries=record.member_expiries,
        )
        for record in records
    }
    assert {(record.db, record.key): record for record in engine.records()} == wanted
    assert len(wanted) == len(records)


def test_what_servers_order_by_name_or_id_comes_out_in_that_order():
    group = StreamGroup(
        b"h",
        StreamID(0, 0),
        consumers=[StreamConsumer(b"b"), StreamConsumer(b"a")],
        pending=[PendingEntry(StreamID(2, 0), b"a", 0, 1), PendingEntry(StreamID(1, 5), b"b", 0, 1)],
    )
    value = StreamValue([], last_id=StreamID(0, 0), groups=[group, GROUP])
    found = to_value(to_data(value, lambda name: name))
    assert isinstance(found, StreamValue)
    assert [row.name for row in found.groups] == [b"g", b"h"]
    assert [row.name for row in found.groups[1].consumers] == [b"a", b"b"]
    assert [row.id for row in found.groups[1].pending] == [StreamID(1, 5), StreamID(2, 0)]


def test_names_are_shared_and_values_are_not():
    seen: list[bytes] = []

    def share(name: bytes) -> bytes:
        seen.append(name)
        return name

    for value in VALUES:
        to_data(value, share)
    assert seen == [b"b", b"a", b"m", b"n", b"o", b"f", b"g", b"f"]
