"""The dataset digest: what the servers said, what hashlib says, and that all ways to compute SHA-1 agree."""

from __future__ import annotations

import json
import math
import random
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from codec import f6
from codec.driving import FILES, FIXTURES, make, name_of, rdb, read_into, records_of

from rdbtool._codec.sinks.digest import SHA1_WAYS, Digest, choose_sha1
from rdbtool.core.servers import Rules

SAID = [
    (FIXTURES / server / name, digest)
    for server, files in json.loads((FIXTURES / "digests.json").read_text()).items()
    for name, digest in files.items()
    if name.endswith(".rdb")
    if name.endswith(".rdb")
]


def rules_of(path: Path) -> str:
    return path.parent.name.rpartition(".")[0]


@pytest.fixture(params=SHA1_WAYS)
def sha1(request: pytest.FixtureRequest) -> Iterator[None]:
    try:
        if not choose_sha1(request.param):
            pytest.skip(f"this processor cannot compute SHA-1 by {request.param}")
        yield
    finally:
        choose_sha1("best")


@pytest.mark.parametrize(("path", "digest"), SAID, ids=[name_of(path) for path, _ in SAID])
def test_what_the_server_said(path: Path, digest: str, sha1: None) -> None:
    sink = read_into(path, Digest(rules_of(path)))
    assert sink.hexdigest() == digest
    assert sink.opaque_keys == 0


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_what_hashlib_says(path: Path, sha1: None) -> None:
    records = records_of(path)
    for server, options in {
        "redis-7.0": {"shortest": False, "marks": False},
        "redis-7.2": {"shortest": True, "marks": False},
        "redis-8.0": {"shortest": True, "marks": True},
    }.items():
        sink = read_into(path, Digest(server))
        known = [record for record in records if record.kind != "array"]
        assert sink.opaque_keys == sum(record.kind in ("module", "array") for record in records)
        if len(known) == len(records):
            assert sink.hexdigest() == f6.digest(records, **options)


@pytest.mark.parametrize("now_ms", [0, make.FAR_MS - 1, make.FAR_MS, make.FAR_MS + 1])
def test_fields_that_have_expired(now_ms: int) -> None:
    path = FIXTURES / "small" / "valkey-9.0-hash-with-field-ttl-slot-import.rdb"
    records = records_of(path)
    hidden = read_into(path, Digest("valkey-9.0", now_ms)).hexdigest()
    assert hidden == f6.digest(records, shortest=True, marks=False, hides_before_ms=now_ms)
    shown = read_into(path, Digest("redis-8.0", now_ms)).hexdigest()
    assert shown == f6.digest(records, shortest=True, marks=True)
    assert (hidden == f6.digest(records, shortest=True, marks=False)) == (now_ms <= make.FAR_MS)


def test_every_length_of_a_sha1_block(sha1: None) -> None:
    """Values of 0 to 260 bytes, and some long ones: every padding that SHA-1 has."""
    dice = random.Random(1)
    values = [dice.randbytes(size) for size in (*range(261), 4095, 4096, 65_537, 300_001)]
    data = rdb(*(make.key(0, b"%d" % at, make.string(value)) for at, value in enumerate(values)))
    assert read_into(data, Digest("redis-7.0")).hexdigest() == f6.digest(records_of(data), shortest=False, marks=False)
    # The keys cancel each other in one digest where two are wrong alike, so each stands alone once.
    for value in values:
        single = rdb(make.key(0, b"k", make.string(value)))
        state = f6.mix(f6.NOTHING, b"k", bytes(4), value)
        assert read_into(single, Digest("redis-7.0")).hexdigest() == f6.xor(f6.mix(f6.NOTHING, bytes(4)), state).hex()


def test_keys_that_occur_twice(sha1: None) -> None:
    """In a row and apart, with and without an expiry: two of them cancel out, as hashes do that are added."""
    dice = random.Random(2)
    keys = [make.key(0, name, make.string(value)) for name in (b"", b"k") for value in (b"", b"v", b"w" * 300)]
    keys += [b"\xfc" + bytes(8) + keys[0], make.key(0, b"n" * 90, make.string(b"v")), b"\x01\x01k\x01\x01v"]
    for size in (*range(6), 40, 400):
        chosen = [key for key in dice.choices(keys, k=size) for _ in range(dice.choice([1, 1, 2, 3, 7, 70]))]
        data = rdb(*chosen)
        assert read_into(data, Digest("redis-7.0")).hexdigest() == f6.digest(
            records_of(data), shortest=False, marks=False
        )


def test_dbs_that_are_selected_again() -> None:
    one, two, three = (make.key(0, name, make.string(b"v")) for name in (b"1", b"2", b"3"))
    apart = rdb(make.select(5), one, make.select(2), two, make.select(5), three, make.select(3))
    sorted_ = rdb(make.select(2), two, make.select(5), three, one)
    assert read_into(apart, Digest("redis-7.0")).hexdigest() == read_into(sorted_, Digest("redis-7.0")).hexdigest()
    assert read_into(apart, Digest("redis-7.0")).hexdigest() == f6.digest(
        records_of(apart), shortest=False, marks=False
    )


def test_nothing_is_zeros() -> None:
    assert read_into(rdb(make.select(0)), Digest("redis-7.0")).hexdigest() == "0" * 40


def test_the_digest_can_be_asked_twice() -> None:
    sink = read_into(FILES[0], Digest("redis-7.0"))
    assert sink.hexdigest() == sink.hexdigest()


def test_rules_come_as_text_or_rules() -> None:
    path = FIXTURES / "redis-7.4.1" / "default.rdb"
    by_text, by_rules = read_into(path, Digest("redis-7.4.1")), read_into(path, Digest(Rules("redis", 7, 4)))
    assert by_text.hexdigest() == by_rules.hexdigest()
    with pytest.raises(ValueError, match="not a server"):
        Digest("rabbit-3")


SCORES = [0.0, -0.0, 1.0, -1.0, 0.1, 1e-7, 1e-5, 0.001, 0.0001, 123456789.0, 1e20, 1e21, 1e22, 1.5e300, 5e-324,
          1.7976931348623157e308, 2.0**52, 2.0**62, -(2.0**63), 1 / 3, 3.14159265358979, float("inf"), -float("inf"),
          1e6, 1234567e3, 12e-8, 9007199254740993.0, 1e15, 1e16, 1e17, 123e15, 0.00012, 100.25]  # fmt: skip


def test_scores_of_all_sizes() -> None:
    chance = random.Random(int(time.time()) // 86_400)
    scores = [chance.uniform(-1, 1) * 10.0 ** chance.randrange(-8, 20) for _ in range(3000)]
    scores += [round(score, chance.randrange(6)) for score in scores]
    scores += [math.nextafter(10.0**power, way) for power in range(-6, 18) for way in (0, math.inf)]
    members = b"".join(make.string(b"%d" % number) + struct.pack("<d", score) for number, score in enumerate(scores))
    data = rdb(make.key(5, b"z", make.length(len(scores)) + members))
    assert read_into(data, Digest("redis-6.2")).hexdigest() == f6.digest(records_of(data), shortest=False, marks=False)


def test_random_keys_of_all_kinds(sha1: None) -> None:
    """Rows that are full and rows that are not, texts of one block and of more, keys that expire, fields that do."""
    chance = random.Random(int(time.time()) // 86_400)

    def text() -> bytes:
        longest = chance.choice([3, 20, 55, 56, 64, 119, 120, 300, 1015, 1016, 1017, 3000])
        return chance.randbytes(chance.choice([longest, chance.randrange(longest + 1)]))

    def one(number: int) -> bytes:
        name = b"%d " % number + text()
        texts = [text() for _ in range(chance.choice([1, 2, 5, 40]))]
        if chance.random() < 0.02:
            texts += [b"%d" % other for other in range(1200)]
        count, strings = make.length(len(texts)), [make.string(each) for each in texts]
        expiry = b"\xfc" + chance.randbytes(7) + b"\0" if chance.random() < 0.3 else b""
        match chance.randrange(6):
            case 0:
                return expiry + make.key(1, name, count + b"".join(strings))
            case 1:
                return expiry + make.key(2, name, count + b"".join(strings))
            case 2:
                return expiry + make.key(4, name, count + b"".join(s + make.string(text()) for s in strings))
            case 3:
                scores = (s + struct.pack("<d", chance.random() * 10 ** chance.randrange(20)) for s in strings)
                return expiry + make.key(5, name, count + b"".join(scores))
            case _:
                return expiry + make.key(0, name, strings[0])

    for keys in (*range(1, 40), 600):
        data = rdb(*map(one, range(keys)))
        for server, shortest in (("redis-7.0", False), ("redis-8.0", True)):
            expected = f6.digest(records_of(data), shortest=shortest, marks=shortest)
            assert read_into(data, Digest(server)).hexdigest() == expected


def test_records_that_are_taken_back_leave_nothing() -> None:
    """Keys of all kinds, in a window that ends everywhere, so that each is begun again now and then."""
    chance = random.Random(int(time.time()) // 86_400)
    records = []
    for number in range(400):
        name = b"%d" % number * chance.randrange(1, 30)
        texts = [chance.randbytes(chance.choice([1, 20, 55, 56, 4000])) for _ in range(chance.randrange(1, 60))]
        strings = b"".join(map(make.string, texts))
        kind = chance.randrange(4)
        records.append(
            make.key(0, name, make.string(texts[0]))
            if kind == 3
            else make.key(
                4, name, make.length(len(texts)) + b"".join(make.string(t) + make.string(t[::-1]) for t in texts)
            )
            if kind == 2
            else make.key(1 + kind, name, make.length(len(texts)) + strings)
        )
    data = rdb(*records)
    assert len(data) > 8 << 19
    assert read_into(data, Digest("redis-7.2")).hexdigest() == f6.digest(records_of(data), shortest=True, marks=False)


@pytest.mark.parametrize("score", SCORES, ids=repr)
def test_score_texts(score: float) -> None:

    data = rdb(make.key(5, b"z", make.length(1) + make.string(b"m") + struct.pack("<d", score)))
    for server, shortest in (("redis-6.2", False), ("redis-7.2", True), ("valkey-8.0", True)):
        assert read_into(data, Digest(server)).hexdigest() == f6.digest(
            records_of(data), shortest=shortest, marks=False
        )
