"""The resp format without a server: well-formed for every file, and word for word where a hand can write it."""

from __future__ import annotations

import functools
import operator
import struct
from pathlib import Path

import pytest
from codec.commands import read_commands
from codec.driving import FILES, make, name_of_pair, pairs, rdb, records_of, written

from rdbtool._codec.encode.resp import Resp
from rdbtool._codec.replay_record import feed_record
from rdbtool.core.servers import Target
from rdbtool.model import (
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

FORMS = {
    "plain": Resp,
    "replace": lambda write: Resp(write, replace=True),
    "restore": lambda write: Resp(write, restore=True),
    "restore-replace": lambda write: Resp(write, restore=True, replace=True),
}


def commands(data: bytes, form: str = "plain") -> list[list[bytes]]:
    return list(read_commands(written(data, FORMS[form])))


@pytest.mark.parametrize(("path", "form"), pairs(FORMS), ids=name_of_pair)
def test_well_formed(path: Path, form: str) -> None:
    found = commands(path.read_bytes(), form)
    records = records_of(path)
    named = {words[1] for words in found if words[0] not in (b"SELECT", b"FUNCTION", b"XGROUP")}
    assert named == {record.key for record in records}
    if "restore" in form:
        # References to templates mean nothing elsewhere, so such hashes are written as commands.
        plain = [record for record in records if record.type_code in (30, 32)]
        restored = [words for words in found if words[0] == b"RESTORE"]
        assert len(restored) == len(records) - len(plain)
        # Of RDB 6 and before, a server without REPLACE may be the writer: DEL goes first.
        replaces = "replace" in form and (path.read_bytes()[:5] != b"REDIS" or int(path.read_bytes()[5:9]) > 6)
        assert all((b"REPLACE" in words[4:]) == replaces for words in restored)
        if "replace" in form and not replaces:
            assert [words[1] for words in found if words[0] == b"DEL"] == [record.key for record in records]


def test_every_kind_word_for_word() -> None:
    data = rdb(
        b"\xf5" + make.string(b"#!lua name=lib\n"),
        make.key(0, b"s", make.integer(-5)),
        make.select(3),
        make.expire(make.FAR_MS) + make.key(1, b"l", make.counted(make.string(b""), make.string(b"\r\n\x00"))),
        make.key(2, b"t", make.counted(make.string(b"m"))),
        make.key(3, b"z", make.counted(make.string(b"m") + b"\x031.5", make.string(b"n") + b"\xff")),
        make.key(4, b"h", make.counted(make.string(b"f") + make.string(b"v"))),
        make.select(0),
        make.key(0, b"", make.string(b"")),
        magic=b"REDIS0010",
    )
    plain = [
        [b"FUNCTION", b"LOAD", b"#!lua name=lib\n"],
        [b"SELECT", b"0"],
        [b"SET", b"s", b"-5"],
        [b"SELECT", b"3"],
        [b"RPUSH", b"l", b"", b"\r\n\x00"],
        [b"PEXPIREAT", b"l", b"%d" % make.FAR_MS],
        [b"SADD", b"t", b"m"],
        [b"ZADD", b"z", b"1.5", b"m", b"-inf", b"n"],
        [b"HMSET", b"h", b"f", b"v"],
        [b"SELECT", b"0"],
        [b"SET", b"", b""],
    ]
    assert commands(data) == plain
    replaced = [words for words in commands(data, "replace") if words[0] != b"DEL"]
    assert replaced == [[b"FUNCTION", b"LOAD", b"REPLACE", b"#!lua name=lib\n"], *plain[1:]]
    deleted = [words[1:] for words in commands(data, "replace") if words[0] == b"DEL"]
    assert deleted == [[b"l"], [b"t"], [b"z"], [b"h"]]


def test_field_expiries_follow_their_hash() -> None:
    path = next(path for path in FILES if path.name == "redis-7.4-hashes-with-field-ttl.rdb")
    found = commands(path.read_bytes())
    expire = [b"HPEXPIREAT", b"big", b"%d" % make.FAR_MS, b"FIELDS", b"1", b"f"]
    assert found[:3] == [[b"SELECT", b"0"], [b"HMSET", b"big", b"f", b"v", b"n", b"10"], expire]


@pytest.mark.parametrize("count", [1, 63, 64, 65, 128, 129])
def test_sixty_four_elements_a_command(count: int) -> None:
    texts = [b"%d" % at for at in range(count)]
    strings = [make.string(text) for text in texts]
    data = rdb(
        make.key(1, b"l", make.counted(*strings)),
        make.key(4, b"h", make.counted(*(text + text for text in strings))),
        make.key(3, b"z", make.counted(*(text + b"\x011" for text in strings))),
    )
    found = commands(data)[1:]
    for key, each in ((b"l", 1), (b"h", 2), (b"z", 2)):
        parts = [words[2:] for words in found if words[1] == key]
        assert functools.reduce(operator.iadd, parts, []) == [
            word for text in texts for word in ([text], [text, text], [b"1", text])[b"lhz".index(key)]
        ]
        assert [len(part) // each for part in parts] == [64] * (count // 64) + [count % 64] * (count % 64 > 0)


def test_large_elements_do_not_wait_for_sixty_four() -> None:
    """Sixty-four inflated strings in one command would be far more than any of them."""
    large = make.compressed(bytes(600_000))
    found = commands(rdb(make.key(1, b"l", make.counted(*[large] * 8))))[1:]
    assert b"".join(word for words in found for word in words[2:]) == bytes(8 * 600_000)
    assert max(sum(map(len, words)) for words in found) < 2_000_000


def test_an_empty_collection_leaves_no_command_but_its_expiry() -> None:
    data = rdb(make.expire(make.FAR_MS) + make.key(1, b"l", make.counted()), make.key(4, b"h", make.counted()))
    assert commands(data) == [[b"SELECT", b"0"], [b"PEXPIREAT", b"l", b"%d" % make.FAR_MS]]


def test_payloads() -> None:
    data = rdb(
        make.key(0, b"plain", make.string(b"v")),
        make.expire(make.FAR_MS) + b"\xf9\x07" + make.key(0, b"freq", make.integer(1)),
        b"\xf8" + make.length(300) + make.key(1, b"idle", make.counted(make.string(b"x"))),
        magic=b"REDIS0009",
    )

    def payload(value: bytes) -> bytes:
        body = value + b"\x09\x00"
        return body + struct.pack("<Q", make.crc64(body))

    far = b"%d" % make.FAR_MS
    assert commands(data, "restore")[1:] == [
        [b"RESTORE", b"plain", b"0", payload(b"\x00\x01v")],
        [b"RESTORE", b"freq", far, payload(b"\x00\xc0\x01"), b"ABSTTL", b"FREQ", b"7"],
        [b"RESTORE", b"idle", b"0", payload(b"\x01\x01\x01x"), b"IDLETIME", b"300"],
    ]
    assert commands(data, "restore-replace")[2][4:] == [b"REPLACE", b"ABSTTL", b"FREQ", b"7"]


@pytest.mark.parametrize("at_ms", [0, -1000, -(1 << 62)])
def test_a_payload_that_expired_long_ago_stays_expired(at_ms: int) -> None:
    """RESTORE takes 0 for no expiry and refuses less, so the first millisecond stands for all times before it."""
    data = rdb(make.expire(at_ms) + make.key(0, b"k", make.string(b"v")))
    assert commands(data)[-1] == [b"PEXPIREAT", b"k", b"%d" % at_ms]
    assert commands(data, "restore")[-1][2] == b"1"
    assert commands(data, "restore")[-1][4:] == [b"ABSTTL"]


def test_a_payload_needs_the_stored_value() -> None:
    sink = Resp(lambda data: None, restore=True)
    with pytest.raises(ValueError, match="as a file stores it"):
        feed_record(KeyRecord(db=0, key=b"k", value=StringValue(b"v")), sink)


def test_a_select_that_is_taken_back_comes_again() -> None:
    """What a refused record wrote is forgotten, the SELECT in front of it too."""
    sound = rdb(make.key(0, b"a", make.string(b"1")), make.select(7), make.key(0, b"b", make.string(b"2")))
    pieces: list[bytes] = []
    sink = Resp(pieces.append)
    for record in records_of(sound):
        feed_record(record, sink)
    feed_record(KeyRecord(db=7, key=b"l", value=ListValue([b"x"])), sink)
    sink.close()
    assert list(read_commands(b"".join(pieces))) == [*commands(sound), [b"RPUSH", b"l", b"x"]]


# The words of a target


def words_for(name: str, value: object, **head: object) -> list[list[bytes]]:
    """Return the commands for a key "k", without the SELECT."""
    pieces: list[bytes] = []
    target = Target.parse(name)
    sink = Resp(pieces.append, magic=target.magic, version=target.version, release=target.release)
    feed_record(KeyRecord(db=0, key=b"k", value=value, **head), sink)  # type: ignore[arg-type]
    sink.close()
    return list(read_commands(b"".join(pieces)))[1:]


@pytest.mark.parametrize(("name", "batch"), [("rdb-1", 1), ("rdb-2", 64), ("redis-2.8", 64), ("valkey-9", 64)])
def test_more_than_one_element_since_2_4(name: str, batch: int) -> None:
    texts = [b"%d" % at for at in range(65)]
    for value, each in (
        (ListValue(texts), 1),
        (SetValue(texts), 1),
        (ZSetValue([(text, 1.0) for text in texts]), 2),
    ):
        sizes = [(len(words) - 2) // each for words in words_for(name, value)]
        assert sizes == [batch] * (65 // batch) + [65 % batch] * (65 % batch > 0)
    pairs = words_for(name, HashValue([(text, text) for text in texts]))
    assert [len(words) for words in pairs] == [2 + 128, 2 + 2]


def test_expiry_in_seconds_before_2_6() -> None:
    value = StringValue(b"v")
    assert words_for("rdb-2", value, expire_at_ms=-5000)[1:] == [[b"EXPIREAT", b"k", b"-5"]]
    assert words_for("redis-2.8", value, expire_at_ms=5001)[1:] == [[b"PEXPIREAT", b"k", b"5001"]]


def test_field_expiries_of_both_families() -> None:
    value = HashValue([(b"a", b"1"), (b"b", b"2", 5000), (b"c", b"3"), (b"d", b"4", 6000)])
    assert words_for("redis-7.4", value) == [
        [b"HMSET", b"k", b"a", b"1", b"b", b"2", b"c", b"3", b"d", b"4"],
        [b"HPEXPIREAT", b"k", b"5000", b"FIELDS", b"1", b"b"],
        [b"HPEXPIREAT", b"k", b"6000", b"FIELDS", b"1", b"d"],
    ]
    assert words_for("valkey-9", value, expire_at_ms=9000) == [
        [b"HSETEX", b"k", b"PXAT", b"5000", b"FIELDS", b"1", b"b", b"2"],
        [b"HSETEX", b"k", b"PXAT", b"6000", b"FIELDS", b"1", b"d", b"4"],
        [b"HMSET", b"k", b"a", b"1", b"c", b"3"],
        [b"PEXPIREAT", b"k", b"9000"],
    ]


def test_modules_travel_in_payloads_of_the_target() -> None:
    """Its version in the footer, and the expiry apart: ABSTTL came later than modules did, and takes no 0."""
    value = OpaqueValue("AAAAAAAAA", bytes.fromhex("81 0000000000000001 02 2a 00"))
    for name, version in (("redis-4.0", 8), ("redis-7.0", 10), ("valkey-9", 80)):
        body = b"\x07" + value.raw + bytes([version, 0])
        payload = body + struct.pack("<Q", make.crc64(body))
        assert words_for(name, value, expire_at_ms=0) == [
            [b"RESTORE", b"k", b"0", payload],
            [b"PEXPIREAT", b"k", b"0"],
        ]


STREAM = StreamValue(
    [StreamEntry(StreamID(1, 0), [(b"f", b"v")])],
    last_id=StreamID(2, 0),
    first_id=StreamID(1, 0),
    max_deleted_id=StreamID(2, 0),
    entries_added=2,
    groups=[
        StreamGroup(
            b"g",
            StreamID(1, 0),
            None,
            [StreamConsumer(b"busy", 1, 1), StreamConsumer(b"idle", 1, 1)],
            [PendingEntry(StreamID(1, 0), b"busy", 77, 3)],
        )
    ],
    producers=StreamProducers(60, 50, [(b"p", ((b"i", StreamID(1, 0)),))], 1, 0),
)
ADD = [b"XADD", b"k", b"1-0", b"f", b"v"]
CLAIM = [
    b"XCLAIM", b"k", b"g", b"busy", b"0", b"1-0", b"TIME", b"77", b"RETRYCOUNT", b"3", b"JUSTID", b"FORCE",
]  # fmt: skip
BUSY, IDLE = ([b"XGROUP", b"CREATECONSUMER", b"k", b"g", name] for name in (b"busy", b"idle"))


def test_streams_in_the_words_of_their_time() -> None:
    before = StreamValue(
        STREAM.entries, last_id=STREAM.last_id, first_id=STREAM.first_id, max_deleted_id=STREAM.max_deleted_id,
        entries_added=STREAM.entries_added, groups=STREAM.groups,
    )  # fmt: skip
    old = [ADD, [b"XSETID", b"k", b"2-0"], [b"XGROUP", b"CREATE", b"k", b"g", b"1-0"]]
    new = [
        ADD,
        [b"XSETID", b"k", b"2-0", b"ENTRIESADDED", b"2", b"MAXDELETEDID", b"2-0"],
        [b"XGROUP", b"CREATE", b"k", b"g", b"1-0", b"ENTRIESREAD", b"-1"],
    ]
    assert words_for("redis-5.0", before) == [*old, CLAIM]
    assert words_for("redis-6.2", before) == [*old, IDLE, CLAIM]
    assert words_for("redis-7.0", before) == [*new, BUSY, IDLE, CLAIM]
    assert words_for("valkey-8.1", before) == [*new, BUSY, IDLE, CLAIM]
    assert words_for("redis-8.6", STREAM) == [
        *new, BUSY, IDLE, CLAIM,
        [b"XCFGSET", b"k", b"IDMP-DURATION", b"60", b"IDMP-MAXSIZE", b"50"],
        [b"XIDMPRECORD", b"k", b"p", b"i", b"1-0"],
    ]  # fmt: skip
