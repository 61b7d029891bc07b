"""The resp format, matched by a real server that executes it: data, expiries, streams with their groups.

Every file that a server of the installed one's age can have written is rebuilt by commands, by payloads,
and over a keyspace that is occupied. What the server then says of its data is compared with its file.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import server
from codec.commands import read_commands
from codec.driving import FIXTURES, Writer, make, name_of, rdb, read_into, records_of, written

from rdbtool import KeyRecord
from rdbtool._codec.encode.resp import Resp
from rdbtool._codec.replay_record import feed_record
from rdbtool._codec.sinks.digest import Digest
from rdbtool.model import StreamID, StreamValue, ZSetValue
from rdbtool.reader.rdb import open_rdb

pytestmark = pytest.mark.server

SERVERS = ("redis-2.8.24", "redis-4.0.14", "redis-5.0.14", "redis-6.2.16", "redis-7.0.15")
FILES = sorted(path for name in SERVERS for path in (FIXTURES / name).glob("*.rdb"))
#: What no server without its module can execute stays out, and so does what servers have no command for.
SMALL = sorted(
    path
    for path in (FIXTURES / "small").glob("redis-*.rdb")
    if not re.search(r"module|7\.4|8\.|7\.2|-rc-function", path.name)
)

FORMS: dict[str, Writer] = {
    "plain": Resp,
    "restore": lambda write: Resp(write, restore=True),
    "replace": lambda write: Resp(write, replace=True),
    "restore-replace": lambda write: Resp(write, restore=True, replace=True),
}


@pytest.fixture(scope="module")
def modern(redis_tools: server.Tools) -> Iterator[server.Server]:
    """A server whose files the digest rules of the tests apply to."""
    with server.run_server(redis_tools) as running:
        yield running


@pytest.fixture
def empty(modern: server.Server) -> server.Server:
    modern.client("FLUSHALL")
    modern.client("FUNCTION", "FLUSH")
    modern.client("SELECT", 0)
    return modern


def rules_of(running: server.Server) -> str:
    return running.tools.rules


def execute(running: server.Server, data: bytes) -> None:
    """Let the server execute the commands; an error reply is a failure."""
    running.client.pipeline(data, sum(1 for _ in read_commands(data)))


def pairs(flat: Any) -> dict[str, Any]:
    """Return a reply of names and values as a dict."""
    return {name.decode(): value for name, value in zip(flat[::2], flat[1::2], strict=True)}


def text_of(stream_id: StreamID | None) -> bytes:
    assert stream_id is not None
    return b"%d-%d" % (stream_id.ms, stream_id.seq)


def assert_keys(running: server.Server, records: list[KeyRecord]) -> None:
    """Fail unless the server has exactly these keys, with their expiries, and their streams in full."""
    for db in {record.db for record in records}:
        running.client("SELECT", db)
        here = [record for record in records if record.db == db]
        keys = running.client("KEYS", "*")
        assert isinstance(keys, list)
        assert sorted(key for key in keys if isinstance(key, bytes)) == sorted(record.key for record in here)
        for record in here:
            expire_at_ms = -1 if record.expire_at_ms is None else record.expire_at_ms
            assert running.client("PEXPIRETIME", record.key) == expire_at_ms, record.key
            if isinstance(record.value, StreamValue):
                assert_stream(running.client("XINFO", "STREAM", record.key, "FULL", "COUNT", 0), record.value)


def assert_stream(reply: Any, value: StreamValue, *, dead: bool = False) -> None:
    """Fail unless XINFO STREAM FULL says what the model has."""
    found = pairs(reply)
    assert found["length"] == len(value.entries)
    assert found["last-generated-id"] == text_of(value.last_id)
    assert found["entries"] == [
        [text_of(entry.id), [part for pair in entry.fields for part in pair]] for entry in value.entries
    ]
    counted = value.entries_added is not None
    if counted:
        assert found["entries-added"] == value.entries_added
        assert found["max-deleted-entry-id"] == text_of(value.max_deleted_id)
    groups = {group["name"]: group for group in map(pairs, found["groups"])}
    assert sorted(groups) == sorted(group.name for group in value.groups)
    live = {entry.id for entry in value.entries}
    for group in value.groups:
        there = groups[group.name]
        assert there["last-delivered-id"] == text_of(group.last_id)
        if counted:
            assert there["entries-read"] == group.entries_read
        pending = [
            [text_of(entry.id), entry.consumer, entry.delivered_at_ms, entry.delivery_count]
            for entry in group.pending
            if not dead or entry.id in live
        ]
        assert there["pending"] == pending
        consumers = {consumer["name"]: consumer["pending"] for consumer in map(pairs, there["consumers"])}
        assert sorted(consumers) == sorted(consumer.name for consumer in group.consumers)
        for name, owned in consumers.items():
            assert owned == [[row[0], *row[2:]] for row in pending if row[1] == name]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_server_rebuilds_the_data(path: Path, form: str, empty: server.Server) -> None:
    if "replace" in form:
        occupy(empty, records_of(path))
    execute(empty, written(path, FORMS[form]))
    records = records_of(path)
    if "restore" in form or not any(map(has_negative_zero, records)):
        assert empty.digest() == read_into(path, Digest(rules_of(empty))).hexdigest()
    else:
        sink = Digest(rules_of(empty))
        for record in records:
            feed_record(as_added(record), sink)
        assert empty.digest() == sink.hexdigest()
    assert_keys(empty, records)


def has_negative_zero(record: KeyRecord) -> bool:
    return isinstance(record.value, ZSetValue) and any(is_negative_zero(score) for _, score in record.value.members)


def is_negative_zero(score: float) -> bool:
    return score == 0 and math.copysign(1, score) < 0


def as_added(record: KeyRecord) -> KeyRecord:
    """Return the record as Redis 7.0 keeps it after ZADD: a score of -0 in a small sorted set becomes the integer 0."""
    if not has_negative_zero(record):
        return record
    assert isinstance(record.value, ZSetValue)
    assert len(record.value) <= 128, "a large one keeps its -0"
    members = [(member, 0.0 if is_negative_zero(score) else score) for member, score in record.value.members]
    return KeyRecord(db=record.db, key=record.key, value=ZSetValue(members), expire_at_ms=record.expire_at_ms)


def occupy(running: server.Server, records: list[KeyRecord]) -> None:
    """Put something else under every key: of another type, of the same type, and with an expiry."""
    for at, record in enumerate(records):
        running.client("SELECT", record.db)
        if at % 3 == 0 or record.kind == "stream":
            running.client("RPUSH", record.key, "old", "older")
        elif at % 3 == 1:
            running.client("SET", record.key, "old")
        else:
            add: dict[str, tuple[str | bytes, ...]] = {
                "string": ("SET", record.key, "old"),
                "list": ("RPUSH", record.key, "old"),
                "set": ("SADD", record.key, "old"),
                "zset": ("ZADD", record.key, "7", "old"),
                "hash": ("HSET", record.key, "old", "v"),
            }
            running.client(*add[record.kind])
        running.client("PEXPIRE", record.key, 10_000_000)


@pytest.mark.parametrize("form", ["plain", "restore"])
@pytest.mark.parametrize("path", SMALL, ids=lambda path: path.stem)
def test_small_files(path: Path, form: str, empty: server.Server) -> None:
    execute(empty, written(path, FORMS[form]))
    records = records_of(path)
    streams = [record for record in records if record.kind == "stream"]
    if not streams:
        assert_keys(empty, records)
    assert empty.digest() == read_into(path, Digest(rules_of(empty))).hexdigest()
    code = [library.code for library in _functions(path)]
    assert len(empty.client("FUNCTION", "LIST") or []) == len(code)  # type: ignore[arg-type]


def _functions(path: Path) -> list[Any]:

    with open_rdb(path) as reader:
        list(reader)
        return reader.functions


@pytest.mark.parametrize("form", ["plain", "restore"])
def test_pending_entries_whose_stream_entry_is_gone(form: str, empty: server.Server) -> None:
    """XCLAIM forgets them (as in a server's own rewritten AOF), payloads keep them; no consumer is lost."""
    client = empty.client
    for at in range(1, 5):
        client("XADD", "s", f"{at}-0", "f", "v")
    client("XGROUP", "CREATE", "s", "g", "0")
    client("XREADGROUP", "GROUP", "g", "c", "COUNT", 2, "STREAMS", "s", ">")
    client("XREADGROUP", "GROUP", "g", "gone", "COUNT", 1, "STREAMS", "s", ">")
    client("XGROUP", "CREATECONSUMER", "s", "g", "idle")
    client("XDEL", "s", "2-0", "3-0")
    (record,) = records_of(empty.save())
    data = written(empty.directory / "dump.rdb", FORMS[form])
    client("FLUSHALL")
    execute(empty, data)
    assert isinstance(record.value, StreamValue)
    assert [entry.id.ms for entry in record.value.groups[0].pending] == [1, 2, 3]
    assert_stream(client("XINFO", "STREAM", "s", "FULL", "COUNT", 0), record.value, dead=False)


EMPTY_STREAMS: dict[str, list[tuple[str | int, ...]]] = {
    "made with a group": [("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")],
    "trimmed": [("XADD", "s", "5-5", "f", "v"), ("XTRIM", "s", "MAXLEN", 0)],
    "deleted": [("XADD", "s", "5-5", "f", "v"), ("XADD", "s", "6-0", "f", "v"), ("XDEL", "s", "6-0", "5-5")],
    "counted on": [
        ("XADD", "s", "1-1", "f", "v"),
        ("XSETID", "s", "9-9", "ENTRIESADDED", 100, "MAXDELETEDID", "3-3"),
        ("XGROUP", "CREATE", "s", "g", "1-1", "ENTRIESREAD", 7),
    ],
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("made", EMPTY_STREAMS)
def test_streams_at_the_edge(made: str, form: str, empty: server.Server) -> None:
    for words in EMPTY_STREAMS[made]:
        empty.client(*words)
    (record,) = records_of(empty.save())
    data = written(empty.directory / "dump.rdb", FORMS[form])
    empty.client("FLUSHALL")
    execute(empty, data)
    assert isinstance(record.value, StreamValue)
    assert_stream(empty.client("XINFO", "STREAM", "s", "FULL", "COUNT", 0), record.value)


@pytest.mark.parametrize("last", [(0, 0), (0, 1), (7, 7)], ids=str)
def test_an_empty_stream_without_counters(last: tuple[int, int], empty: server.Server) -> None:
    """As Redis 5 and 6 store one that XGROUP CREATE … MKSTREAM made."""
    group = make.string(b"g") + make.ids(last) + make.pending() + make.counted()
    data = rdb(
        make.key(15, b"s", make.length(0) + make.length(0) + make.ids(last) + make.counted(group)), magic=b"REDIS0009"
    )
    execute(empty, written(data, Resp))
    (record,) = records_of(data)
    assert isinstance(record.value, StreamValue)
    assert_stream(empty.client("XINFO", "STREAM", "s", "FULL", "COUNT", 0), record.value)


@pytest.mark.parametrize("form", ["plain", "restore"])
@pytest.mark.parametrize("at_ms", [0, 1, -1000, 1_000_000])
def test_keys_that_expired_long_ago_do_not_come_back(at_ms: int, form: str, empty: server.Server) -> None:
    data = rdb(make.expire(at_ms) + make.key(0, b"k", make.string(b"v")), magic=b"REDIS0009")
    execute(empty, written(data, FORMS[form]))
    assert empty.client("EXISTS", "k") == 0


def test_without_replace_a_payload_does_not_overwrite(empty: server.Server) -> None:
    data = rdb(make.key(0, b"k", make.string(b"v")), magic=b"REDIS0009")
    empty.client("SET", "k", "old")
    with pytest.raises(server.ServerError, match="BUSYKEY"):
        execute(empty, written(data, FORMS["restore"]))
    execute(empty, written(data, FORMS["restore-replace"]))
    assert empty.client("GET", "k") == b"v"


def test_functions_replace_themselves(empty: server.Server) -> None:
    path = FIXTURES / "small" / "redis-7.0-listpacks-stream-function.rdb"
    execute(empty, written(path, FORMS["plain"]))
    with pytest.raises(server.ServerError, match="already exists"):
        execute(empty, written(path, FORMS["plain"]))
    empty.client("SELECT", 0)


def test_eviction_data_travels_in_payloads(start_server: Callable[..., Any]) -> None:
    path = FIXTURES / "redis-5.0.14" / "lfu.rdb"
    records = [record for record in records_of(path) if record.freq]
    assert len(records) > 10
    # The factor and the decay are set so that nothing changes by being looked at.
    settings = {"maxmemory-policy": "allkeys-lfu", "lfu-decay-time": "0", "lfu-log-factor": "1000000000"}
    with start_server(config=settings) as running:
        execute(running, written(path, FORMS["restore"]))
        for record in records:
            running.client("SELECT", record.db)
            assert running.client("OBJECT", "FREQ", record.key) == record.freq
