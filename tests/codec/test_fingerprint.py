"""The fingerprint: the same for the same data in any order and encoding, another one for any change at all."""

from __future__ import annotations

import itertools
import random
import struct
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, TypeVar

import pytest
from codec.driving import FILES, FIXTURES, make, name_of, rdb, read_into, records_of

from rdbtool._codec.replay_record import feed_item, feed_record
from rdbtool._codec.sinks.fingerprint import Fingerprint
from rdbtool.core.location import Span
from rdbtool.model import (
    ArrayValue,
    FunctionLibrary,
    HashValue,
    KeyRecord,
    ListValue,
    ModuleAux,
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
    Value,
    ZSetValue,
)

NOWHERE = Span(0, 0)

Part = TypeVar("Part")


def fingerprint(*parts: KeyRecord | FunctionLibrary | ModuleAux) -> str:
    sink = Fingerprint()
    for part in parts:
        if isinstance(part, KeyRecord):
            feed_record(part, sink)
        else:
            feed_item(part, sink)
    return sink.hexdigest()


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_the_order_of_keys_does_not_count(path: Path) -> None:
    records = records_of(path)
    whole = fingerprint(*records)
    for seed in range(3):
        random.Random(seed).shuffle(records)
        assert fingerprint(*records) == whole
    assert len(whole) == 32
    for record in records[:20]:
        assert fingerprint(*(other for other in records if other is not record)) != whole
        assert fingerprint(*records, record) != whole


def shuffled(value: Value, dice: random.Random) -> Value:
    def mixed(parts: Sequence[Part]) -> list[Part]:
        return dice.sample(parts, len(parts))

    match value:
        case SetValue():
            return SetValue(mixed(value.members))
        case ZSetValue():
            return ZSetValue(mixed(value.members))
        case HashValue():
            return HashValue(mixed(value.fields))
    return value


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_the_order_of_members_and_fields_does_not_count(path: Path) -> None:
    dice = random.Random(1)
    for record in records_of(path):
        other = KeyRecord(
            db=record.db,
            key=record.key,
            value=shuffled(record.value, dice),
            expire_at_ms=record.expire_at_ms,
            idle_s=record.idle_s,
            freq=record.freq,
            meta=record.meta,
            member_expiries=dice.sample(record.member_expiries or (), len(record.member_expiries or ())),
        )
        assert fingerprint(other) == fingerprint(record)


def test_encodings_do_not_count() -> None:
    texts = [b"1", b"a" * 40, b"-5000"]
    pairs = [b"f", b"1", b"g", b"a" * 40]
    strings = [make.string(text) for text in texts]
    stored = {
        "list": [
            make.key(1, b"k", make.counted(*strings)),
            make.key(10, b"k", make.string(make.ziplist([1, b"a" * 40, -5000]))),
            make.key(
                14,
                b"k",
                make.counted(make.string(make.ziplist([1])), make.compressed(make.ziplist([b"a" * 40, -5000]))),
            ),
            make.key(18, b"k", make.counted(make.length(2) + make.string(make.listpack(texts)))),
            make.key(18, b"k", make.counted(*(make.length(1) + text for text in strings))),
        ],
        "hash": [
            make.key(4, b"k", make.length(2) + b"".join(map(make.string, pairs))),
            make.key(13, b"k", make.string(make.ziplist([b"g", b"a" * 40, b"f", 1]))),
            make.key(16, b"k", make.compressed(make.listpack(pairs))),
            make.key(9, b"k", make.string(make.zipmap([(b"f", b"1", 3), (b"g", b"a" * 40, 0)]))),
        ],
        "string": [make.key(0, b"k", stored) for stored in (make.integer(77), make.string(b"77"))],
        "set": [
            make.key(11, b"k", make.string(make.intset(8, [-5, 1]))),
            make.key(20, b"k", make.string(make.listpack([b"1", -5]))),
            make.key(2, b"k", make.counted(make.integer(1), make.integer(-5))),
        ],
        "zset": [
            make.key(3, b"k", make.counted(make.string(b"m") + b"\x0315.", make.string(b"n") + b"\xfe")),
            make.key(12, b"k", make.string(make.ziplist([b"m", 15, b"n", b"inf"]))),
            make.key(17, b"k", make.string(make.listpack([b"n", b"+INF", b"m", b"1.5e1"]))),
        ],
    }
    found = {kind: {read_into(rdb(key), Fingerprint()).hexdigest() for key in keys} for kind, keys in stored.items()}
    assert {kind: len(digests) for kind, digests in found.items()} == dict.fromkeys(stored, 1)


def test_files_of_the_same_data_have_the_same_fingerprint() -> None:
    """Saved by the same server with and without compression and checksum."""
    files = [FIXTURES / "redis-7.0.15" / name for name in ("default.rdb", "nolzf.rdb", "nocrc.rdb")]
    dates = {read_into(path, Fingerprint()).keys for path in files}
    assert len(dates) == 1
    by_key = [{(record.db, record.key): fingerprint(record) for record in records_of(path)} for path in files]
    for other in by_key[1:]:
        # Consumers have been seen at other times; all else is the same.
        differing = {place for place in other if other[place] != by_key[0][place]}
        assert {key[:2] for _, key in differing} <= {b"s:"}
        assert other.keys() == by_key[0].keys()


def key(value: Value, **changes: object) -> KeyRecord:
    return KeyRecord(**{"db": 0, "key": b"k", "value": value, **changes})  # type: ignore[arg-type]


def stream(**changes: object) -> StreamValue:
    given: dict[str, object] = {
        "entries": [
            StreamEntry(StreamID(5, 1), [(b"f", b"v"), (b"g", b"w")]),
            StreamEntry(StreamID(7, 0), [(b"f", b"x")]),
        ],
        "length": 2,
        "last_id": StreamID(9, 9),
        "first_id": StreamID(5, 1),
        "max_deleted_id": StreamID(6, 0),
        "entries_added": 3,
        "groups": [group(), group(name=b"h", pending=())],
        **changes,
    }
    return StreamValue(**given)  # type: ignore[arg-type]


def group(**changes: object) -> StreamGroup:
    given: dict[str, object] = {
        "name": b"g",
        "last_id": StreamID(7, 0),
        "entries_read": 2,
        "consumers": (StreamConsumer(b"c", 1000, 900), StreamConsumer(b"d", 1000, None)),
        "pending": (PendingEntry(StreamID(5, 1), b"c", 1000, 1), PendingEntry(StreamID(7, 0), b"d", 1000, 1)),
        **changes,
    }
    return StreamGroup(**given)  # type: ignore[arg-type]


def consumers(*rows: StreamConsumer) -> StreamValue:
    return stream(groups=[group(consumers=rows)])


def pending(*rows: PendingEntry) -> StreamValue:
    return stream(groups=[group(pending=rows)])


def producers(**changes: object) -> StreamValue:
    given: dict[str, object] = {
        "duration_s": 60,
        "max_entries": 100,
        "producers": ((b"p", ((b"i", StreamID(5, 1)),)), (b"q", ())),
        "ids_added": 2,
        "ids_duplicate": 1,
        **changes,
    }
    return stream(producers=StreamProducers(**given))  # type: ignore[arg-type]


ONE, TWO = StreamID(5, 1), StreamID(7, 0)
NAN = float("nan")
ENTRY = StreamEntry(ONE, [(b"f", b"v"), (b"g", b"w")])

#: All of these differ from one another in one thing.
CHANGES: dict[str, tuple[KeyRecord | FunctionLibrary | ModuleAux, ...]] = {
    "nothing": (),
    "a string": (key(StringValue(b"v")),),
    "twice": (key(StringValue(b"v")), key(StringValue(b"v"))),
    "another value": (key(StringValue(b"w")),),
    "an empty value": (key(StringValue(b"")),),
    "a zero byte more": (key(StringValue(b"v\x00")),),
    "another db": (key(StringValue(b"v"), db=1),),
    "another key": (key(StringValue(b"v"), key=b"l"),),
    "no key": (key(StringValue(b"v"), key=b""),),
    "the border of key and value": (key(StringValue(b""), key=b"kv"),),
    "two keys": (key(StringValue(b"v")), key(StringValue(b"w"), key=b"l")),
    "two values exchanged": (key(StringValue(b"w")), key(StringValue(b"v"), key=b"l")),
    "an expiry": (key(StringValue(b"v"), expire_at_ms=1000),),
    "another expiry": (key(StringValue(b"v"), expire_at_ms=1001),),
    "expiry 0": (key(StringValue(b"v"), expire_at_ms=0),),
    "expiry -1": (key(StringValue(b"v"), expire_at_ms=-1),),
    "idle": (key(StringValue(b"v"), idle_s=0),),
    "more idle": (key(StringValue(b"v"), idle_s=1),),
    "a frequency": (key(StringValue(b"v"), freq=0),),
    "another frequency": (key(StringValue(b"v"), freq=1),),
    "metadata": (key(StringValue(b"v"), meta=b"\x00"),),
    "other metadata": (key(StringValue(b"v"), meta=b"\x01"),),
    "no metadata, but said": (key(StringValue(b"v"), meta=b""),),
    "a list": (key(ListValue([b"a", b"b"])),),
    "a list the other way round": (key(ListValue([b"b", b"a"])),),
    "a list of one": (key(ListValue([b"ab"])),),
    "a list of one and nothing": (key(ListValue([b"ab", b""])),),
    "an empty list": (key(ListValue([])),),
    "a list of the value": (key(ListValue([b"v"])),),
    "a set": (key(SetValue([b"a", b"b"])),),
    "an empty set": (key(SetValue([])),),
    "a set with one twice": (key(SetValue([b"a", b"b", b"b"])),),
    "a set of one": (key(SetValue([b"a"])),),
    "a set of one, three times": (key(SetValue([b"a", b"a", b"a"])),),
    "a hash": (key(HashValue([(b"a", b"1"), (b"b", b"2")])),),
    "an empty hash": (key(HashValue([])),),
    "a hash with values exchanged": (key(HashValue([(b"a", b"2"), (b"b", b"1")])),),
    "a hash with fields for values": (key(HashValue([(b"1", b"a"), (b"2", b"b")])),),
    "a hash with another border": (key(HashValue([(b"a1", b""), (b"b", b"2")])),),
    "a field expiry": (key(HashValue([(b"a", b"1", 1000), (b"b", b"2")])),),
    "a field expiry of 0": (key(HashValue([(b"a", b"1", 0), (b"b", b"2")])),),
    "another field's expiry": (key(HashValue([(b"a", b"1"), (b"b", b"2", 1000)])),),
    "a zset": (key(ZSetValue([(b"a", 0.0), (b"b", 1.0)])),),
    "an empty zset": (key(ZSetValue([])),),
    "a zset of the empty member": (key(ZSetValue([(b"", 0.0)])),),
    "minus zero": (key(ZSetValue([(b"a", -0.0), (b"b", 1.0)])),),
    "a score the least bit higher": (key(ZSetValue([(b"a", 0.0), (b"b", 1.0000000000000002)])),),
    "scores exchanged": (key(ZSetValue([(b"a", 1.0), (b"b", 0.0)])),),
    "an infinite score": (key(ZSetValue([(b"a", 0.0), (b"b", float("inf"))])),),
    "a score that is none": (key(ZSetValue([(b"a", 0.0), (b"b", NAN)])),),
    "an array": (key(ArrayValue([(0, b"5"), (3, b"x")])),),
    "an array with a number": (key(ArrayValue([(0, 5), (3, b"x")])),),
    "an array with a float": (key(ArrayValue([(0, 5.0), (3, b"x")])),),
    "an array with minus zero": (key(ArrayValue([(0, -0.0), (3, b"x")])),),
    "an array with zero": (key(ArrayValue([(0, 0.0), (3, b"x")])),),
    "an array with another index": (key(ArrayValue([(1, b"5"), (3, b"x")])),),
    "an array with a cursor": (key(ArrayValue([(0, b"5"), (3, b"x")], 0)),),
    "an array with another cursor": (key(ArrayValue([(0, b"5"), (3, b"x")], 1)),),
    "a module value": (key(OpaqueValue("Module-_9", b"\x01\x00")),),
    "another module value": (key(OpaqueValue("Module-_9", b"\x02\x00")),),
    "a function": (FunctionLibrary(b"return 1", True, NOWHERE),),
    "another function": (FunctionLibrary(b"return 2", True, NOWHERE),),
    "two functions": (FunctionLibrary(b"return 1", True, NOWHERE), FunctionLibrary(b"return 2", True, NOWHERE)),
    "module data": (ModuleAux("Module-_9", b"\x01\x00", NOWHERE),),
    "other module data": (ModuleAux("Module-_9", b"\x02\x00", NOWHERE),),
    "module data like a function": (ModuleAux("Module-_9", b"return 1", NOWHERE),),
    "a stream": (key(stream()),),
    "no entries": (key(stream(entries=())),),
    "another entry id": (key(stream(entries=[ENTRY, StreamEntry(StreamID(7, 1), [(b"f", b"x")])])),),
    "other entry fields": (key(stream(entries=[StreamEntry(ONE, [(b"f", b"v")]), StreamEntry(TWO, [(b"f", b"x")])])),),
    "fields of an entry the other way round": (
        key(stream(entries=[StreamEntry(ONE, [(b"g", b"w"), (b"f", b"v")]), StreamEntry(TWO, [(b"f", b"x")])])),
    ),
    "entries the other way round": (key(stream(entries=[StreamEntry(TWO, [(b"f", b"x")]), ENTRY])),),
    "another length": (key(stream(length=3)),),
    "another last id": (key(stream(last_id=StreamID(9, 10))),),
    "another first id": (key(stream(first_id=StreamID(5, 2))),),
    "another deleted id": (key(stream(max_deleted_id=StreamID(6, 1))),),
    "more entries added": (key(stream(entries_added=4)),),
    "no counters": (key(stream(entries_added=None, first_id=None, max_deleted_id=None)),),
    "no groups": (key(stream(groups=())),),
    "one group": (key(stream(groups=[group()])),),
    "another group name": (key(stream(groups=[group(), group(name=b"i", pending=())])),),
    "another group id": (key(stream(groups=[group(last_id=StreamID(7, 1)), group(name=b"h", pending=())])),),
    "entries read": (key(stream(groups=[group(entries_read=3), group(name=b"h", pending=())])),),
    "no entries read": (key(stream(groups=[group(entries_read=0), group(name=b"h", pending=())])),),
    "entries read unknown": (key(stream(groups=[group(entries_read=None), group(name=b"h", pending=())])),),
    "pending lists exchanged": (key(stream(groups=[group(pending=()), group(name=b"h")])),),
    "one consumer": (key(consumers(StreamConsumer(b"c", 1000, 900))),),
    "another consumer name": (key(consumers(StreamConsumer(b"C", 1000, 900), StreamConsumer(b"d", 1000, None))),),
    "seen at another time": (key(consumers(StreamConsumer(b"c", 1001, 900), StreamConsumer(b"d", 1000, None))),),
    "never seen": (key(consumers(StreamConsumer(b"c", None, 900), StreamConsumer(b"d", 1000, None))),),
    "seen at 0": (key(consumers(StreamConsumer(b"c", 0, 900), StreamConsumer(b"d", 1000, None))),),
    "active at another time": (key(consumers(StreamConsumer(b"c", 1000, 901), StreamConsumer(b"d", 1000, None))),),
    "active at 0": (key(consumers(StreamConsumer(b"c", 1000, 900), StreamConsumer(b"d", 1000, 0))),),
    "times exchanged": (key(consumers(StreamConsumer(b"c", 1000, None), StreamConsumer(b"d", 1000, 900))),),
    "one pending": (key(pending(PendingEntry(ONE, b"c", 1000, 1))),),
    "delivered again": (key(pending(PendingEntry(ONE, b"c", 1000, 2))),),
    "delivered later": (key(pending(PendingEntry(ONE, b"c", 1001, 1))),),
    "delivered to another": (key(pending(PendingEntry(ONE, b"d", 1000, 1))),),
    "nobody's": (key(pending(PendingEntry(ONE, None, 1000, 1))),),
    "an empty name's": (key(pending(PendingEntry(ONE, b"", 1000, 1))),),
    "another one pending": (key(pending(PendingEntry(TWO, b"c", 1000, 1))),),
    "two pending": (key(pending(PendingEntry(ONE, b"c", 1000, 1), PendingEntry(TWO, b"c", 1000, 1))),),
    "producers": (key(producers()),),
    "another producer": (key(producers(producers=((b"P", ((b"i", ONE),)), (b"q", ())))),),
    "another producer's id": (key(producers(producers=((b"p", ()), (b"q", ((b"i", ONE),))))),),
    "another id of a producer": (key(producers(producers=((b"p", ((b"i", TWO),)), (b"q", ())))),),
    "another name of an id": (key(producers(producers=((b"p", ((b"j", ONE),)), (b"q", ())))),),
    "another duration": (key(producers(duration_s=61)),),
    "another limit": (key(producers(max_entries=101)),),
    "another count of ids": (key(producers(ids_added=3)),),
    "another count of duplicates": (key(producers(ids_duplicate=2)),),
}  # fmt: skip


def test_any_change_makes_another_fingerprint() -> None:
    found = {name: fingerprint(*parts) for name, parts in CHANGES.items()}
    same = [(one, other) for (one, a), (other, b) in itertools.combinations(found.items(), 2) if a == b]
    assert same == []


def test_ids_of_producers_are_not_taken_for_producers() -> None:
    """A sequence of parts has one meaning only, whatever names and numbers stand in it."""
    seven, many = (7).to_bytes(8, "little"), (9).to_bytes(8, "little")
    one = ((b"p", ((seven, StreamID(9, 7)), (b"name", StreamID(7, 9)))),)
    four = ((b"p", ()), (many, ()), (b"name", ()), (many, ()))
    assert fingerprint(key(producers(producers=one))) != fingerprint(key(producers(producers=four)))


def test_every_nan_is_the_same() -> None:

    def score(bits: int) -> bytes:
        return rdb(make.key(5, b"z", make.length(1) + make.string(b"m") + struct.pack("<Q", bits)))

    nans = (0x7FF8000000000000, 0xFFF8000000000000, 0x7FF0000000000001, 0xFFFFFFFFFFFFFFFF)
    assert len({read_into(score(bits), Fingerprint()).hexdigest() for bits in nans}) == 1


def test_header_aux_fields_and_sizes_do_not_count() -> None:
    k = make.key(0, b"k", make.string(b"v"))
    plain = read_into(rdb(k), Fingerprint())
    other = read_into(
        rdb(make.aux(b"a", make.string(b"b")), make.select(0), make.resize(5, 5), k, magic=b"REDIS0009"), Fingerprint()
    )
    assert plain.hexdigest() == other.hexdigest()
    assert plain.keys == other.keys == 1


def test_large_values_count_to_their_last_bit() -> None:
    dice = random.Random(1)
    found = set()
    for size in (15, 16, 17, 31, 32, 33, 1000, 100_000):
        text = bytearray(dice.randbytes(size))
        found.add(fingerprint(key(StringValue(bytes(text)))))
        for at in (0, 7, 8, 9, size - 1):
            text[at] ^= 0x80
            found.add(fingerprint(key(StringValue(bytes(text)))))
            text[at] ^= 0x80
    assert len(found) == 8 * 6


@pytest.mark.parametrize(
    "value", [SetValue([b"a"]), ListValue([b"a"]), HashValue([(b"a", b"")]), ZSetValue([(b"a", 0.0)])]
)
def test_what_is_empty_counts(value: Value) -> None:
    """An empty member, element or field is one more."""
    more = {
        SetValue: SetValue([b"a", b""]),
        ListValue: ListValue([b"a", b""]),
        HashValue: HashValue([(b"a", b""), (b"", b"")]),
        ZSetValue: ZSetValue([(b"a", 0.0), (b"", 0.0)]),
    }[type(value)]
    assert fingerprint(KeyRecord(db=0, key=b"", value=value)) != fingerprint(KeyRecord(db=0, key=b"", value=more))


def spread(values: Iterable[Value]) -> tuple[int, int]:
    """Return how many values there are, and how many fingerprints of keys with them."""
    found = [fingerprint(KeyRecord(db=0, key=b"k", value=value)) for value in values]
    return len(found), len(set(found))


FEW: Final = [b"%d" % number for number in range(130)]
ORDINARY: dict[str, Callable[[], Iterable[Value]]] = {
    "numbers": lambda: (StringValue(b"%d" % number) for number in range(120_000)),
    "one byte more": lambda: (StringValue(b"1011" + b"%d" % number) for number in range(20_000)),
    "zeros": lambda: (StringValue(bytes(size)) for size in range(5_000)),
    "one byte of many": lambda: (StringValue(bytes(at) + b"\1" + bytes(99 - at)) for at in range(100)),
    "bytes": lambda: map(StringValue, map(bytes, itertools.product(range(0, 256, 3), repeat=2))),
    "lists": lambda: (ListValue(list(pair)) for pair in itertools.product(FEW, repeat=2)),
    "sets": lambda: (SetValue(list(pair)) for pair in itertools.combinations(FEW, 2)),
    "sets of three": lambda: (SetValue(list(three)) for three in itertools.combinations(FEW[:45], 3)),
    "fields": lambda: (HashValue([pair]) for pair in itertools.product(FEW, repeat=2)),
    "exchanged": lambda: (
        HashValue([(b"a", a), (b"b", b), (b"c", c)]) for a, b, c in itertools.product(FEW[:24], repeat=3)
    ),
    "scores": lambda: (
        ZSetValue([(b"a", a / 2), (b"b", b / 2), (b"c", c / 2)]) for a, b, c in itertools.product(range(24), repeat=3)
    ),
}


@pytest.mark.parametrize("values", ORDINARY.values(), ids=ORDINARY)
def test_ordinary_values_that_differ_a_little_do_not_make_up_for_it(values: Callable[[], Iterable[Value]]) -> None:
    count, different = spread(values())
    assert different == count
