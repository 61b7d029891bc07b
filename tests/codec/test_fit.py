"""What a target can hold: a projection that what is written and read back, or replayed, does not leave.

Nothing here says what a target holds: writers, readers and the engine, none of which knows of it, are the judges.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from codec.commands import read_commands
from codec.driving import FILES, FIXTURES, make, name_of, name_of_pair, pairs, rdb, records_of
from hypothesis import given, settings
from hypothesis import strategies as st
from server import Server
from writer.made import records

from rdbtool import Engine, KeyRecord
from rdbtool._codec.encode.rdb import Rdb
from rdbtool._codec.encode.resp import Resp
from rdbtool._codec.filters.target import TargetFilter
from rdbtool._codec.filters.tee import Tee
from rdbtool._codec.replay_record import feed_item, feed_record
from rdbtool._codec.sink import Null, Sink
from rdbtool._codec.sinks.fingerprint import Fingerprint
from rdbtool.core.errors import LossError
from rdbtool.core.location import Span
from rdbtool.core.servers import Rules, Target, server_of
from rdbtool.model import (
    FunctionLibrary,
    HashValue,
    ListValue,
    PendingEntry,
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
from rdbtool.writer.rdb import write_rdb

NAMES = (
    "rdb-1", "rdb-2", "redis-2.8", "redis-3.2", "redis-4.0", "redis-5.0", "redis-6.0", "redis-6.2", "redis-7.0",
    "redis-7.2", "redis-7.4", "redis-8.0", "redis-8.6", "redis-8.8", "rdb-15", "valkey-8.1", "valkey-9",
)  # fmt: skip
TARGETS = [Target.parse(name) for name in NAMES]

#: Arrays have commands, which the engine does not execute.
WITHOUT_ARRAYS = [path for path in FILES if all(record.kind != "array" for record in records_of(path))]

#: Later than anything in a file: no time of it is one that servers would not believe.
LATER = 1 << 62


def fit(sink: Sink, target: Target, *, commands: bool = False, allow_loss: bool = True) -> TargetFilter:
    return TargetFilter(
        sink, magic=target.magic, version=target.version, release=target.release, commands=commands,
        allow_loss=allow_loss,
    )  # fmt: skip


def feed(source: Any, sink: Sink) -> None:
    """Tell a sink of a file, or of records."""
    if isinstance(source, list):
        for record in source:
            feed_record(record, sink)
    else:
        with open_rdb(source) as reader:
            reader.feed(sink)
    sink.close()


def written(source: Any, target: Target) -> bytes:
    pieces: list[bytes] = []
    if isinstance(source, list):
        write_rdb(source, pieces.append, target, allow_loss=True)
    else:
        with open_rdb(source) as reader:
            write_rdb(reader, pieces.append, target, allow_loss=True)
    return b"".join(pieces)


def commands_of(source: Any, target: Target, fingerprint: Fingerprint) -> tuple[list[list[bytes]], TargetFilter]:
    pieces: list[bytes] = []
    resp = Resp(pieces.append, magic=target.magic, version=target.version, release=target.release)
    sink = fit(Tee(resp, fingerprint), target, commands=True)
    feed(source, sink)
    return list(read_commands(b"".join(pieces))), sink


def replayed(commands: list[list[bytes]], target: Target) -> Engine:
    """Return an engine of the target's server after commands, none of which it refuses."""
    server = server_of(*target)
    # There are no rules of older servers.
    rules = Rules(server.family, *max(server.release, (2, 6)))
    engine = Engine(rules=rules, now_ms=LATER, databases=1 << 31)
    for argv in commands:
        engine.execute(*argv)
    return engine


def feed_engine(engine: Engine, sink: Sink) -> None:
    for code in engine.functions.values():
        feed_item(FunctionLibrary(code, released=True, span=Span(-1, -1)), sink)
    for record in engine.records():
        feed_record(record, sink)


@pytest.mark.parametrize(("path", "name"), pairs(NAMES), ids=name_of_pair)
def test_a_snapshot_read_back_is_what_was_let_through(path: Path, name: str) -> None:
    target = Target.parse(name)
    let_through, again, read_back = Fingerprint(), Fingerprint(), Fingerprint()
    feed(path, fit(Tee(let_through, fit(again, target, allow_loss=False)), target))
    feed(written(path, target), fit(read_back, target, allow_loss=False))
    assert read_back.hexdigest() == let_through.hexdigest() == again.hexdigest()
    assert read_back.keys == let_through.keys


@pytest.mark.parametrize(("path", "name"), [row for row in pairs(NAMES) if row[0] in WITHOUT_ARRAYS], ids=name_of_pair)
def test_commands_replayed_are_what_was_let_through(path: Path, name: str) -> None:
    target = Target.parse(name)
    let_through, again, read_back = (Fingerprint(signed_zeros=False) for _ in range(3))
    commands, _ = commands_of(path, target, let_through)
    feed(path, fit(fit(again, target, commands=True, allow_loss=False), target, commands=True))
    feed_engine(replayed(commands, target), fit(read_back, target, commands=True, allow_loss=False))
    assert read_back.hexdigest() == let_through.hexdigest() == again.hexdigest()
    assert read_back.keys == let_through.keys


@given(st.lists(records(), max_size=3), st.sampled_from(TARGETS))
def test_made_records_in_a_snapshot(drawn: list[KeyRecord], target: Target) -> None:
    let_through, again, read_back = Fingerprint(), Fingerprint(), Fingerprint()
    feed(drawn, fit(Tee(let_through, fit(again, target, allow_loss=False)), target))
    feed(written(drawn, target), fit(read_back, target, allow_loss=False))
    assert read_back.hexdigest() == let_through.hexdigest() == again.hexdigest()


@pytest.mark.parametrize("kind", ["string", "list", "set", "zset", "hash", "module"])
def test_made_records_as_commands(kind: str) -> None:
    @settings(max_examples=settings.default.max_examples // 2)
    @given(records(kind), st.sampled_from(TARGETS))
    def check(record: KeyRecord, target: Target) -> None:
        let_through, read_back = Fingerprint(signed_zeros=False), Fingerprint(signed_zeros=False)
        commands, _ = commands_of([record], target, let_through)
        feed_engine(replayed(commands, target), fit(read_back, target, commands=True, allow_loss=False))
        assert read_back.hexdigest() == let_through.hexdigest()

    check()


@pytest.mark.server
@pytest.mark.parametrize(
    "path", [path for path in FILES if path.stem == "default" and "valkey" not in path.parent.name], ids=name_of
)
def test_a_server_executes_the_commands(
    start_server: Callable[..., AbstractContextManager[Server]], path: Path
) -> None:
    """What it saves then, and what it loads from a snapshot that was written for it, is what was let through."""
    let_through, saved = Fingerprint(signed_zeros=False), Fingerprint(signed_zeros=False)
    target = Target.parse("redis-7.0")
    commands, _ = commands_of(path, target, let_through)
    with start_server(config={"databases": "64"}) as server:
        for argv in commands:
            server.client(*argv)
        feed(server.save(), fit(saved, target, commands=True))
    assert saved.hexdigest() == let_through.hexdigest()


# Streams, of which the files have few


def stream(**changes: Any) -> KeyRecord:
    """Return a stream of 1-0, 2-0 and 4-0 with a group: "c" owns 1-0 and the deleted 3-0, "gone" 3-1, "idle" none."""
    arguments: dict[str, Any] = {
        "entries": [StreamEntry(StreamID(at, 0), [(b"f", b"%d" % at)]) for at in (1, 2, 4)],
        "last_id": StreamID(9, 9),
        "first_id": StreamID(1, 0),
        "max_deleted_id": StreamID(3, 1),
        "entries_added": 7,
        "groups": [
            StreamGroup(
                b"g",
                StreamID(4, 0),
                5,
                [StreamConsumer(name, 100, 50) for name in (b"c", b"gone", b"idle")],
                [
                    PendingEntry(StreamID(1, 0), b"c", 1000, 3),
                    PendingEntry(StreamID(2, 0), b"new", 1001, 1),
                    PendingEntry(StreamID(3, 0), b"c", 1000, 1),
                    PendingEntry(StreamID(3, 1), b"gone", 1000, 1),
                    PendingEntry(StreamID(4, 0), None, 77, 2),
                ],
            )
        ],
        "producers": StreamProducers(
            60, 50, [(b"p", ((b"i", StreamID(1, 0)), (b"j", StreamID(3, 0)))), (b"q", ((b"i", StreamID(3, 0)),))], 8, 2
        ),
    }
    arguments |= changes
    entries = arguments.pop("entries")
    return KeyRecord(db=0, key=b"s", value=StreamValue(entries, **arguments))


STREAMS = {
    "all there is": stream(),
    "without counters": stream(first_id=None, max_deleted_id=None, entries_added=None),
    "empty": stream(entries=[], first_id=StreamID(0, 0)),
    "empty, without counters": stream(entries=[], first_id=None, max_deleted_id=None, entries_added=None),
    "never filled": stream(
        entries=[], last_id=StreamID(0, 0), first_id=StreamID(0, 0), max_deleted_id=StreamID(0, 0), entries_added=0
    ),
    "without producers": stream(producers=None),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("made", STREAMS)
def test_streams(made: str, name: str) -> None:
    record, target = STREAMS[made], Target.parse(name)
    let_through, read_back = Fingerprint(), Fingerprint()
    feed([record], fit(let_through, target))
    feed(written([record], target), fit(read_back, target, allow_loss=False))
    assert read_back.hexdigest() == let_through.hexdigest()
    let_through, read_back = Fingerprint(), Fingerprint()
    commands, _ = commands_of([record], target, let_through)
    feed_engine(replayed(commands, target), fit(read_back, target, commands=True, allow_loss=False))
    assert read_back.hexdigest() == let_through.hexdigest()


def test_what_commands_lose_of_a_stream() -> None:
    _, sink = commands_of([stream()], Target.parse("redis-5.0"), Fingerprint())
    assert {(loss.what, loss.severity): loss.times for loss in sink.losses} == {
        ("pending entries without a consumer", "loss"): 1,
        ("ids of idempotent producers", "loss"): 2,
        ("stream counters", "note"): 1,
        ("entries read by groups", "note"): 1,
        ("seen times of consumers", "note"): 3,
        ("active times of consumers", "note"): 3,
        ("owners of pending entries that were no consumers", "note"): 1,
        ("consumers without pending entries", "note"): 1,
    }
    _, sink = commands_of([stream()], Target.parse("redis-8.8"), Fingerprint())
    assert {(loss.what, loss.severity): loss.times for loss in sink.losses} == {
        ("counters of idempotent producers", "note"): 1,
        ("ids of idempotent producers whose stream entry is gone", "note"): 2,
        ("seen times of consumers", "note"): 3,
        ("active times of consumers", "note"): 3,
        ("owners of pending entries that were no consumers", "note"): 1,
        ("delivery times of pending entries without a consumer", "note"): 1,
    }


def test_redis_8_2_clamps_what_groups_have_read() -> None:
    made = stream(producers=None, groups=[StreamGroup(b"g", StreamID(4, 0), 50, [], [])])
    what = "entries read by groups beyond those added", "note"
    for name, found in (("redis-8.0", {}), ("valkey-9.1", {}), ("redis-8.2", {what: 1})):
        assert losses(made, name) == found
        commands, _ = commands_of([made], Target.parse(name), Fingerprint())
        [group] = next(iter(replayed(commands, Target.parse(name)).records())).value.groups
        assert group.entries_read == (7 if found else 50)


# What commands cannot say of other keys


def losses(record: KeyRecord, name: str) -> dict[tuple[str, str], int]:
    _, sink = commands_of([record], Target.parse(name), Fingerprint())
    return {(loss.what, loss.severity): loss.times for loss in sink.losses}


def test_what_commands_lose() -> None:
    everything = functools.partial(KeyRecord, db=0, key=b"k", expire_at_ms=1001, idle_s=5, meta=b"\x00")
    found = losses(everything(value=StringValue(b"v")), "redis-8.8")
    assert found == {("idle times", "note"): 1, ("key metadata", "loss"): 1}
    assert losses(everything(value=StringValue(b"v")), "rdb-2")["milliseconds of expiry times", "note"] == 1
    scores = ZSetValue([(b"a", -0.0), (b"b", float("nan")), (b"c", 0.0)])
    no_number = ("NaN scores, which servers refuse", "loss")
    assert losses(KeyRecord(db=0, key=b"k", value=scores), "redis-6.2") == {no_number: 1}
    assert losses(KeyRecord(db=0, key=b"k", value=scores), "redis-7.0") == {
        no_number: 1, ("minus signs of zero scores", "note"): 1,
    }  # fmt: skip
    record = KeyRecord(db=0, key=b"k", value=HashValue([(b"a", b"1", (1 << 46) - 1), (b"b", b"2", 1 << 46)]))
    assert losses(record, "redis-8.0") == {("field expiries", "loss"): 1}
    assert losses(record, "valkey-9") == {}
    assert losses(record, "valkey-8.1") == {("field expiries", "loss"): 2}
    nothing = KeyRecord(db=0, key=b"k", value=ListValue([]), expire_at_ms=5)
    assert losses(nothing, "redis-7.0") == {("a list without elements", "loss"): 1}
    assert commands_of([nothing], Target.parse("redis-7.0"), Fingerprint())[0] == []


def test_signs_of_zeros_count_unless_excluded() -> None:
    def printed(score: float, **options: bool) -> str:
        sink = Fingerprint(**options)
        feed_record(KeyRecord(db=0, key=b"k", value=ZSetValue([(b"m", score)])), sink)
        return sink.hexdigest()

    assert printed(-0.0) != printed(0.0) == printed(0.0, signed_zeros=False) == printed(-0.0, signed_zeros=False)
    assert printed(-1.0, signed_zeros=False) == printed(-1.0)


# Refusals


def test_a_refused_record_reaches_nobody() -> None:
    """Not in parts either, though a record as large as this is passed on in parts where nothing can be lost."""
    large = make.compressed(b"x" * (6 << 20))
    field = make.string(b"f") + large + b"\xff" * 8
    last = make.string(b"g") + make.string(b"v") + (7).to_bytes(8, "little")
    value = make.length(2) + field + last
    good = make.key(0, b"good", make.string(b"v"))
    data = rdb(good, make.select(3), make.key(22, b"bad", value), good, magic=b"VALKEY080")
    pieces: list[bytes] = []
    hashed = Fingerprint()
    target = Target.parse("redis-7.0")
    sink = fit(Tee(Resp(pieces.append, version=10), hashed), target, commands=True, allow_loss=False)
    with open_rdb(data) as reader, pytest.raises(LossError, match="field expiries") as caught:
        reader.feed(sink)
    assert (caught.value.loss.db, caught.value.loss.key) == (3, b"bad")
    feed_record(KeyRecord(db=0, key=b"after", value=StringValue(b"v")), sink)
    sink.close()
    commands = [b"".join(words[:2]) for words in read_commands(b"".join(pieces))]
    assert commands == [b"SELECT0", b"SETgood", b"SETafter"]
    assert hashed.keys == 2
    assert sink.losses == []


def test_what_never_begins_is_not_committed() -> None:
    """A sink that counts at the commit must not count what it did not hear of."""
    hashed = Fingerprint()
    sink = fit(hashed, Target.parse("redis-4.0"))
    for record in (KeyRecord(db=0, key=b"k", value=StringValue(b"v")), stream(), stream()):
        feed_record(record, sink)
    assert hashed.keys == 1
    assert [loss.what for loss in sink.losses] == ["a stream", "a stream"]


LOSSY = [
    (record, name)
    for record, name in (
        (stream(), "redis-7.0"), (stream(), "redis-6.2"), (stream(), "redis-4.0"),
        (KeyRecord(db=0, key=b"k", value=StringValue(b"v"), expire_at_ms=1), "rdb-2"),
        (KeyRecord(db=0, key=b"k", value=StringValue(b"v"), expire_at_ms=-1), "redis-7.0"),
        (KeyRecord(db=0, key=b"k", value=StringValue(b"v"), idle_s=1), "redis-4.0"),
        (KeyRecord(db=0, key=b"k", value=StringValue(b"v"), freq=1), "redis-4.0"),
        (KeyRecord(db=0, key=b"k", value=StringValue(b"v"), meta=b"\x00"), "redis-7.0"),
    )
]  # fmt: skip


@pytest.mark.parametrize(("record", "name"), LOSSY)
def test_the_encoder_alone_refuses_what_it_cannot_write(record: KeyRecord, name: str) -> None:
    target = Target.parse(name)
    with pytest.raises(ValueError, match="TargetFilter"):
        feed_record(record, Rdb(lambda data: None, magic=target.magic, version=target.version))


def test_unknown_versions() -> None:
    with pytest.raises(ValueError, match="no RDB version 99"):
        TargetFilter(Null(), version=99)


def test_a_function_is_lost_where_there_are_none() -> None:
    path = FIXTURES / "small" / "redis-7.0-listpacks-stream-function.rdb"
    for commands in (False, True):
        sink = fit(Null(), Target.parse("redis-6.2"), commands=commands, allow_loss=False)
        with open_rdb(path) as reader, pytest.raises(LossError, match="a function library"):
            reader.feed(sink)
