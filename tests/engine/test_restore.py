"""RESTORE: every key of the fixtures, payloads that a server made and unmade, options, and hostile payloads."""

import random
import struct
import time

import pytest
from engine.streamstate import engine_digest
from server import ServerError
from state import FIXTURES

from rdbtool._codec.encode.resp import Resp
from rdbtool.core.servers import Rules
from rdbtool.engine import CommandError, Engine
from rdbtool.io.source import crc64
from rdbtool.reader.rdb import open_rdb

NOW = 1_700_000_000_000
FILES = sorted(FIXTURES.glob("*-*/default.rdb"))

WRONG_FOOTER = "ERR DUMP payload version or checksum are wrong"
BAD_DATA = "ERR Bad data format"


def payload(body: bytes, version: int = 10) -> bytes:
    data = body + struct.pack("<H", version)
    return data + struct.pack("<Q", crc64(data))


def text(data: bytes) -> bytes:
    """A string as it stands in an RDB."""
    return struct.pack(">BI", 0x80, len(data)) + data


def answer(engine: Engine, *words: bytes) -> str | None:
    """Execute a command and return its error, None if it has none; errors change nothing."""
    before = list(engine.records())
    try:
        engine.execute(*words)
    except CommandError as error:
        assert list(engine.records()) == before
        return str(error)
    return None


def commands(data: bytes) -> list[list[bytes]]:
    found = []
    at = 0
    while at < len(data):
        count, _, _ = data[at:].partition(b"\r\n")
        at += len(count) + 2
        words = []
        for _ in range(int(count[1:])):
            size, _, _ = data[at : at + 20].partition(b"\r\n")
            at += len(size) + 2
            words.append(data[at : at + int(size[1:])])
            at += len(words[-1]) + 2
        found.append(words)
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.parent.name)
def test_every_key_of_a_file_comes_back(path):
    # Servers before 5.0 do not know ABSTTL, which the sink always writes.
    writer = Rules.parse(path.parent.name)
    written: list[bytes] = []
    with open_rdb(path) as reader:
        sink = Resp(lambda data: written.append(bytes(data)), restore=True)
        reader.feed(sink)
        sink.close()
    engine = Engine(rules=writer if writer.major >= 5 else "redis-7.2", now_ms=NOW)
    for words in commands(b"".join(written)):
        engine.execute(*words)
    with open_rdb(path) as reader:
        wanted = {(record.db, record.key): record for record in reader}
    assert len(wanted) > 50
    assert {(record.db, record.key): record for record in engine.records()} == wanted


def test_times_and_options():
    data = payload(b"\0" + text(b"v"))
    engine = Engine(now_ms=NOW)
    assert answer(engine, b"RESTORE", b"k", b"500", data) is None
    assert engine.db.expires == {b"k": NOW + 500}
    assert answer(engine, b"RESTORE", b"k", b"0", data) == "BUSYKEY Target key name already exists."
    # While loading, a time that has passed is a time.
    assert answer(engine, b"RESTORE", b"k", b"500", data, b"absttl", b"REPLACE", b"IDLETIME", b"9") is None
    assert engine.db.expires == {b"k": 500}
    assert answer(engine, b"RESTORE-ASKING", b"k", b"0", data, b"replace", b"FREQ", b"255") is None
    assert engine.db.expires == {}
    assert engine.db.keys == {b"k": b"v"}


@pytest.mark.parametrize(
    ("ttl", "options", "says"),
    [
        (b"-1", [], "Invalid TTL"),
        (b"x", [], "not an integer"),
        (b"9223372036854775807", [], "beyond 64 bits"),
        (b"0", [b"MORE"], "syntax error"),
        (b"0", [b"IDLETIME"], "syntax error"),
        (b"0", [b"IDLETIME", b"-1"], "Invalid IDLETIME"),
        (b"0", [b"FREQ", b"256"], "Invalid FREQ"),
        (b"0", [b"FREQ", b"5", b"IDLETIME", b"5"], "syntax error"),
    ],
)
def test_options_that_are_refused(ttl, options, says):
    found = answer(Engine(now_ms=NOW), b"RESTORE", b"k", ttl, payload(b"\0" + text(b"v")), *options)
    assert found is not None
    assert says in found


def test_words_behind_the_payload_meant_nothing_to_the_first_servers():
    engine = Engine(rules="redis-2.8", now_ms=NOW)
    assert answer(engine, b"RESTORE", b"k", b"9", payload(b"\0" + text(b"v"), 6), b"ABSTTL") is None
    assert engine.db.expires == {b"k": NOW + 9}


VERSIONS = [
    ("redis-2.8", 6, 7),
    ("redis-3.2", 7, 8),
    ("redis-4.0", 8, 9),
    ("redis-6.2", 9, 10),
    ("redis-7.0", 10, 11),
    ("redis-7.2", 11, 12),
    ("redis-8.4", 12, 13),
    ("redis-8.6", 13, 14),
    ("redis-8.8", 14, 15),
    ("redis-8.10", 15, 16),
    ("valkey-8.1", 11, 80),
    ("valkey-9.0", 80, 81),
    ("valkey-9.1", 11, 12),
]


@pytest.mark.parametrize(("rules", "taken", "refused"), VERSIONS)
def test_a_server_takes_payloads_of_its_age(rules, taken, refused):
    for version, says in ((taken, None), (0, None), (refused, WRONG_FOOTER), (65535, WRONG_FOOTER)):
        assert answer(Engine(rules=rules), b"RESTORE", b"k", b"0", payload(b"\0\1v", version)) == says


def test_a_checksum_of_zero_is_one_left_out_since_8_10():
    data = payload(b"\0\1v", 10)[:-8] + bytes(8)
    assert answer(Engine(rules="redis-8.10"), b"RESTORE", b"k", b"0", data) is None
    for rules in ("redis-8.8", "redis-7.0", "valkey-9.1"):
        assert answer(Engine(rules=rules), b"RESTORE", b"k", b"0", data) == WRONG_FOOTER


def test_types_mean_what_the_server_takes_them_for():
    valkey_hash = b"\x16\1\1f\1v" + struct.pack("<q", NOW)
    redis_hash = b"\x18" + struct.pack("<q", NOW) + b"\1\1\1f\1v"
    listpack_set = b"\x14" + text(b"\x0a\0\0\0\1\0\x81a\2\xff")
    for rules, version, body, says in (
        ("valkey-9.1", 80, valkey_hash, None),
        ("valkey-9.1", 11, valkey_hash, BAD_DATA),
        ("valkey-9.1", 80, redis_hash, BAD_DATA),
        ("valkey-9.1", 11, redis_hash, BAD_DATA),
        ("redis-7.4", 12, redis_hash, None),
        ("redis-7.2", 11, redis_hash, BAD_DATA),
        ("redis-7.2", 9, listpack_set, None),
        ("redis-7.0", 9, listpack_set, BAD_DATA),
    ):
        engine = Engine(rules=rules, now_ms=NOW)
        assert answer(engine, b"RESTORE", b"k", b"0", payload(body, version)) == says, (rules, version)


def test_metadata_of_a_key_stands_in_front_of_its_type():
    meta = b"\xf3\1\0\1\2\3\2\x0a\0"
    body = meta + b"\0\1v"
    engine = Engine(rules="redis-8.6")
    assert answer(engine, b"RESTORE", b"k", b"0", payload(body, 13)) is None
    assert engine.db.keys == {b"k": b"v"}
    assert answer(Engine(rules="redis-8.4"), b"RESTORE", b"k", b"0", payload(body, 12)) == BAD_DATA
    assert answer(engine, b"RESTORE", b"j", b"0", payload(meta, 13)) == BAD_DATA


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\0",
        b"\xff",
        b"\xfc" + bytes(8) + b"\0\1v",
        b"\xfe\0\0\1v",
        b"\x06\0",
        b"\x1e\0",
        b"\1\0",
        b"\2\0",
        b"\4\0",
        b"\2\2\1a\1a",
        b"\4\2\1f\1v\1f\1w",
        b"\5\2\1a" + struct.pack("<d", 1.0) + b"\1a" + struct.pack("<d", 2.0),
        b"\5\1\1a" + struct.pack("<d", float("nan")),
        b"\1\x81" + b"\xff" * 8,
        b"\0\x81" + b"\x7f" + b"\xff" * 7,
        b"\0\xc3\3\x80\xff\xff\xff\xff" + b"\0a" + b"\0",
    ],
)
def test_bad_data_of_all_kinds(body):
    assert answer(Engine(rules="redis-7.0"), b"RESTORE", b"k", b"0", payload(body)) == BAD_DATA


@pytest.mark.parametrize("data", [b"", b"123456789", payload(b"\0\1v")[:-1], payload(b"\0\1v") + b"x"])
def test_wrong_footers(data):
    assert answer(Engine(), b"RESTORE", b"k", b"0", data) == WRONG_FOOTER


def test_bytes_behind_the_value_are_not_looked_at():
    engine = Engine(rules="redis-7.0")
    assert answer(engine, b"RESTORE", b"k", b"0", payload(b"\0\1v" + b"\xff\xff more")) is None
    assert engine.db.keys == {b"k": b"v"}


def test_an_inflating_string_has_a_limit():
    bomb = b"\x61" * 33 + b"\xe0\xff\x00" * 2_100_000
    size = 33 + 264 * 2_100_000
    packed = b"\x1f" + bomb[:32] + b"\xe0\xff\x00" * 2_100_000
    body = b"\0\xc3" + struct.pack(">BI", 0x80, len(packed)) + struct.pack(">BI", 0x80, size - 1) + packed
    found = answer(Engine(rules="redis-7.0"), b"RESTORE", b"k", b"0", payload(body))
    assert found == "the payload inflates to more than rdbtool reads"


@pytest.mark.server
def test_what_a_server_dumps_is_what_it_holds(start_server):
    path = FIXTURES / "redis-7.0.15" / "default.rdb"
    engine = Engine(rules="redis-7.0", now_ms=int(time.time() * 1000))
    with start_server(files={"dump.rdb": path}) as running:
        for db in range(16):
            running.client("SELECT", db)
            engine.select(db)
            for key in running.client("KEYS", "*"):
                expires_at = running.client("PEXPIRETIME", key)
                data = running.client("DUMP", key)
                assert answer(engine, b"RESTORE", key, b"%d" % max(expires_at, 0), data, b"ABSTTL") is None
        assert engine_digest(engine) == running.digest()


@pytest.mark.server
@pytest.mark.parametrize("seed", range(3))
def test_what_a_server_refuses_is_refused_and_what_both_take_is_the_same(start_server, seed):
    """One bit changed, and the checksum made right again."""
    path = FIXTURES / "redis-7.0.15" / "default.rdb"
    pick = random.Random(seed)
    with open_rdb(path) as reader:
        keys = [record.key for record in reader if record.db == 0 and record.stop - record.start < 300]
    answers = []
    with start_server(files={"dump.rdb": path}) as running:
        wholes = [running.client("DUMP", key) for key in keys]
        running.client("FLUSHALL")
        for _ in range(150):
            body = bytearray(pick.choice(wholes)[:-10])
            body[pick.randrange(len(body))] ^= 1 << pick.randrange(8)
            data = payload(bytes(body))
            engine = Engine(rules="redis-7.0")
            found = answer(engine, b"RESTORE", b"damaged", b"0", data)
            # What a server takes after looking at every entry, it can also digest.
            if restores(running.client, data, "yes"):
                assert found or engine_digest(engine) == running.digest(), data.hex()
            elif not restores(running.client, data, "no"):
                assert found == BAD_DATA, data.hex()
            running.client("DEL", "damaged")
            answers.append(found)
    assert set(answers) == {None, BAD_DATA}


def restores(client, data: bytes, sanitize: str) -> bool:
    client("CONFIG", "SET", "sanitize-dump-payload", sanitize)
    try:
        client("RESTORE", "damaged", 0, data)
    except ServerError as error:
        assert str(error) == BAD_DATA
        return False
    return True
