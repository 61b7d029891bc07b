"""The resp format without a server: well-formed for every file, and word for word where a hand can write it."""

from __future__ import annotations

import functools
import operator
import struct
from pathlib import Path

import pytest
from codec.commands import read_commands
from codec.driving import FILES, make, name_of, rdb, records_of, written

from rdbtool import Resp
from rdbtool._codec.feed import feed_record
from rdbtool.model import KeyRecord, ListValue, StringValue

FORMS = {
    "plain": Resp,
    "replace": lambda write: Resp(write, replace=True),
    "restore": lambda write: Resp(write, restore=True),
    "restore-replace": lambda write: Resp(write, restore=True, replace=True),
}


def commands(data: bytes, form: str = "plain") -> list[list[bytes]]:
    return list(read_commands(written(data, FORMS[form])))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("path", FILES, ids=name_of)
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
        assert all((b"REPLACE" in words[4:]) == ("replace" in form) for words in restored)


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
