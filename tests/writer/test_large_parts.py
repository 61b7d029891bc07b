"""A keyspace with large values is written without holding them twice, as the same bytes."""

from __future__ import annotations

import struct
from functools import partial
from random import Random

import lzf_reference
import pytest
from peak import measure, needs_proc

import rdbtool
from rdbtool._codec.encode.csv import Csv
from rdbtool._codec.encode.json import Json
from rdbtool._codec.encode.jsonl import Jsonl
from rdbtool._codec.encode.rdb import Rdb
from rdbtool._codec.encode.resp import Resp
from rdbtool._codec.replay_record import feed_header, feed_record
from rdbtool.engine.engine import Engine
from rdbtool.engine.export.engine_dataset import EngineDataset
from rdbtool.io import own_lzf
from rdbtool.model import Header

MIB = 1 << 20
RANDOM = Random(5).randbytes(17 * MIB)
#: The compressed form has more than 16 MiB: it is made twice.
LONG = RANDOM + bytes(6 * MIB)
LARGE = RANDOM[: MIB + 5]
TEXT = ("grüße, 世界 🙂\n" * 60_000).encode()
VALUES = {
    "a list": (b"RPUSH", b"k", b"a", LARGE, b"12", TEXT),
    "a set": (b"SADD", b"k", b"a", LARGE, TEXT, b"12"),
    "a set of numbers": (b"SADD", b"k", b"1", b"12", LARGE),
    "a sorted set": (b"ZADD", b"k", b"1.5", b"a", b"-3", LARGE, b"inf", TEXT),
    "a hash": (b"HSET", b"k", b"f", LARGE, TEXT, b"v", b"g", b"7"),
    "a string": (b"SET", b"k", TEXT),
}


FORMS = {
    "rdb": lambda write: Rdb(write, sizes={}),
    "rdb 6": lambda write: Rdb(write, version=6, sizes={}),
    "rdb 12": lambda write: Rdb(write, version=12, sizes={}),
    "valkey": lambda write: Rdb(write, magic="VALKEY", version=80, sizes={}),
    "not compressed": lambda write: Rdb(write, compress=False, sizes={}),
    "jsonl": Jsonl,
    "json": Json,
    "csv": Csv,
    "resp": Resp,
}


def made(form: str, engine: Engine) -> tuple[bytes, bytes]:
    """What a sink writes of a keyspace, and of its records: those are held until they are complete."""
    outputs = []
    for feed in (EngineDataset(engine, Header("REDIS", 11)).feed, partial(feed_records, engine)):
        pieces: list[bytes] = []
        sink = FORMS[form](pieces.append)
        feed(sink)
        sink.close()
        outputs.append(b"".join(pieces))
    return outputs[0], outputs[1]


def feed_records(engine: Engine, sink) -> None:
    feed_header("REDIS", 11, sink)
    for record in engine.records():
        feed_record(record, sink)


@pytest.mark.parametrize("form", FORMS)
def test_they_are_written_as_if_they_were_held(form):
    engine = Engine()
    for name, command in VALUES.items():
        engine.execute(command[0], name, *command[2:])
    streamed, held = made(form, engine)
    assert len(held) > 4 * MIB
    assert streamed == held


def test_expiries_of_fields_stay_with_them():
    engine = Engine(rules="redis-8.0")
    engine.execute("HSET", "k", "f", LARGE, "g", "v", TEXT, "v")
    engine.execute("HPEXPIREAT", "k", "1900000000123", "FIELDS", "1", "g")
    for form in ("rdb 12", "jsonl", "resp"):
        streamed, held = made(form, engine)
        assert streamed == held


def streams(rules: str) -> Engine:
    """Streams, a small and a large one, with all that belongs to one: groups, deleted entries, unowned ones."""
    engine = Engine(rules=rules)
    for key, count, value in (("small", 5, b"v"), ("many", 400, b"v" * 90), ("large", 9, LARGE)):
        for number in range(count):
            names = ("f", "g") if number % 50 else ("other",)
            engine.execute(
                "XADD", key, f"{number // 3 + 1}-{number}", *(word for name in names for word in (name, value))
            )
        engine.execute("XDEL", key, "1-1", "1-2")
        engine.execute("XGROUP", "CREATE", key, "g", "0")
        engine.execute("XGROUP", "CREATECONSUMER", key, "g", "idle")
        # Of these, one is deleted while it is pending.
        engine.execute("XREADGROUP", "GROUP", "g", "c", "COUNT", "3", "STREAMS", key, ">")
        engine.execute("XDEL", key, "2-3")
        engine.execute("XGROUP", "CREATE", key, "done", "$")
    engine.execute("XTRIM", "many", "MAXLEN", "377")
    engine.execute("XADD", "empty", "5-5", "f", "v")
    engine.execute("XDEL", "empty", "5-5")
    return engine


@pytest.mark.parametrize(
    ("form", "rules"),
    # An RDB of these versions takes what newer servers know of consumers; one of version 6, no streams.
    [(form, "redis-8.0") for form in FORMS if form != "rdb 6"]
    + [(form, rules) for form in ("jsonl", "json", "csv", "resp") for rules in ("redis-6.2", "redis-7.0")],
)
def test_streams_are_written_as_their_records(form, rules):
    streamed, held = made(form, streams(rules))
    assert len(held) > MIB
    assert streamed == held


def test_producers_are_written_with_their_stream():
    engine = Engine(rules="redis-8.8")
    for number in range(200):
        engine.execute(
            "XADD", "k", "IDMP", f"p{number % 2}", f"id:{number}", f"{number + 1}-0", "f", b"v" * (number * 100)
        )
    engine.execute("XGROUP", "CREATE", "k", "g", "0")
    engine.execute("XREADGROUP", "GROUP", "g", "c", "STREAMS", "k", ">")
    engine.execute("XNACK", "k", "g", "FAIL", "IDS", "1", "5-0")
    streamed, held = made("jsonl", engine)
    assert b'"id:199"' in held
    assert streamed == held


def test_a_string_that_is_compressed_twice(tmp_path):
    path = tmp_path / "long.rdb"
    engine = Engine()
    engine.execute("SET", "k", LONG)
    rdbtool.save(engine, path)
    data = path.read_bytes()
    at = data.index(b"\0\1k\xc3\x80") + 4
    packed, size = struct.unpack(">xIxI", data[at : at + 10])
    assert size == len(LONG)
    assert lzf_reference.decompress(data[at + 10 : at + 10 + packed], size) == LONG
    assert own_lzf.compress(LONG, len(LONG) - 4) == data[at + 10 : at + 10 + packed]


SIZE = 48 * MIB


def log(*before: bytes) -> bytes:
    """A command whose last argument is large, and not worth compressing."""
    head = b"*%d\r\n" % (len(before) + 1) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in before)
    return head + b"$%d\r\n" % SIZE + RANDOM[: 16 * MIB] * (SIZE // (16 * MIB)) + b"\r\n"


def peak(*words: object) -> int:
    """Run a command and return the most memory that it took, in bytes."""
    code, most = measure(*words)
    assert code == 0
    return most


@pytest.mark.memory
@needs_proc
@pytest.mark.parametrize(
    ("command", "times", "commands"),
    # A string is the engine's own object; elements and fields are copied into the collection.
    [
        ((b"SET", b"k"), 1, ("json", "convert")),
        ((b"RPUSH", b"k"), 2, ("validate", "convert")),
        ((b"HSET", b"k", b"f"), 2, ("resp",)),
        ((b"XADD", b"k", b"1-1", b"f"), 2, ("jsonl",)),
    ],
    ids=["string", "element", "value", "field of an entry"],
)
def test_the_memory_of_a_large_argument(command, times, commands, tmp_path):
    path = tmp_path / "large.aof"
    path.write_bytes(log(*command))
    runs = {
        "validate": ("validate", "-q", path),
        "convert": ("convert", "--target", "redis-7.4", path, tmp_path / "out.rdb"),
    }
    for name in commands:
        assert peak(*runs.get(name, ("dump", "-f", name, path))) < 1.05 * times * SIZE + 64 * MIB, name


@pytest.mark.memory
@needs_proc
def test_the_memory_of_a_large_value_in_an_rdb(tmp_path):
    engine = Engine()
    engine.execute("HSET", "k", "f", "v", "g", RANDOM * (SIZE // len(RANDOM)))
    rdbtool.save(engine, tmp_path / "in.rdb")
    # It is held once, and not while the output is read back.
    assert peak("convert", tmp_path / "in.rdb", tmp_path / "out.rdb") < 1.05 * SIZE + 64 * MIB
    assert (tmp_path / "in.rdb").read_bytes() == (tmp_path / "out.rdb").read_bytes()
