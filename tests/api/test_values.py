"""Values behave like what they are, and their repr stays short."""

import copy
import pickle

import pytest

from rdbtool import (
    ArrayValue,
    HashValue,
    KeyRecord,
    ListValue,
    OpaqueValue,
    SetValue,
    StreamID,
    StreamValue,
    StringValue,
    ZSetValue,
)
from rdbtool.model import StreamEntry

HASH = HashValue([(b"a", b"1"), (b"b", b"2", 5_000)])
ZSET = ZSetValue([(b"m", 1.5), (b"n", float("inf"))])
ENTRY = StreamEntry(StreamID(5, 1), [(b"f", b"v"), (b"f", b"w")])
STREAM = StreamValue([ENTRY], last_id=StreamID(7, 0))


@pytest.mark.parametrize("value", [StringValue(b"a"), ListValue([b"a"]), SetValue([b"a"]), HASH, ZSET, STREAM])
def test_values_go_to_other_processes(value):
    record = KeyRecord(db=3, key=b"k", value=value, expire_at_ms=5)
    for twin in (pickle.loads(pickle.dumps(record)), copy.copy(record), copy.deepcopy(record)):
        assert twin is not record
        assert (twin, twin.db, twin.expire_at_ms, list(twin.value)) == (record, 3, 5, list(value))


def test_strings():
    value = StringValue(b"hello")
    assert (bytes(value), list(value), len(value)) == (b"hello", list(b"hello"), 5)
    assert (value[0], value[-1], value[1:3]) == (104, 111, b"el")
    assert b"ell" in value
    with pytest.raises(IndexError):
        value[5]


def test_lists():
    value = ListValue([b"a", b"b", b"c"])
    assert (list(value), value[0], value[-1], value[:2]) == ([b"a", b"b", b"c"], b"a", b"c", (b"a", b"b"))
    assert b"b" in value
    assert list(reversed(value)) == [b"c", b"b", b"a"]


def test_sets():
    value = SetValue([b"a", b"b"])
    assert (set(value), len(value), b"a" in value, b"x" in value) == ({b"a", b"b"}, 2, True, False)
    with pytest.raises(TypeError):
        value[0]


def test_hashes_and_sorted_sets_are_pairs():
    assert dict(HASH) == {b"a": b"1", b"b": b"2"}
    assert [(field, value) for field, value in HASH] == list(HASH)
    assert (HASH[b"b"], b"a" in HASH, b"1" in HASH) == (b"2", True, False)
    assert dict(ZSET) == {b"m": 1.5, b"n": float("inf")}
    assert (ZSET[b"m"], b"n" in ZSET, b"x" in ZSET) == (1.5, True, False)
    for value in (HASH, ZSET):
        with pytest.raises(KeyError):
            value[b"nothing"]


def test_of_a_field_that_is_there_twice_the_last_one_counts_as_in_a_dict():
    value = HashValue([(b"a", b"1"), (b"a", b"2")])
    assert value[b"a"] == dict(value)[b"a"] == b"2"


def test_arrays_and_streams():
    array = ArrayValue([(3, b"x"), (900, 1.5)])
    assert (dict(array), array[900], 3 in array, 4 in array) == ({3: b"x", 900: 1.5}, 1.5, True, False)
    assert (list(STREAM), STREAM[0], STREAM[-1:], ENTRY in STREAM) == ([ENTRY], ENTRY, (ENTRY,), True)
    assert bytes(OpaqueValue("ReJSON-RL", b"\x00")) == b"\x00"


@pytest.mark.parametrize(
    "value",
    [
        StringValue(bytes(10_000_000)),
        ListValue([b"x" * 1000] * 1000),
        SetValue([b"%d" % number for number in range(1000)]),
        ZSetValue([(b"%d" % number, number / 3) for number in range(1000)]),
        HashValue([(b"%d" % number, bytes(1000)) for number in range(1000)]),
        ArrayValue([(number, bytes(1000)) for number in range(1000)]),
        OpaqueValue("ReJSON-RL", bytes(100_000)),
        StreamValue(
            [StreamEntry(StreamID(number, 0), [(b"f", bytes(1000))] * 9) for number in range(1000)],
            last_id=StreamID(1, 1),
        ),
    ],
    ids=lambda value: value.kind,
)
def test_a_repr_stays_short(value):
    record = KeyRecord(db=0, key=bytes(1000), value=value)
    assert len(repr(value)) < len(repr(record)) < 6000
    assert "…" in repr(value)


def test_a_small_repr_says_everything():
    assert repr(HASH) == "HashValue(fields=((b'a', b'1', None), (b'b', b'2', 5000)))"
    assert repr(StringValue(b"hello")) == "StringValue(data=b'hello')"
    assert repr(ListValue([b"a"])) == "ListValue(elements=(b'a',))"
