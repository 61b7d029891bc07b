"""What a sink writes does not hang on how the bytes came in, and never holds half a record."""

from __future__ import annotations

import gzip
import json
import random
import struct
from functools import cache, partial
from pathlib import Path

import pytest
from codec.commands import read_commands
from codec.driving import (
    WRITERS,
    Trickle,
    Writer,
    make,
    name_of_pair,
    pairs,
    rdb,
    read_into,
    records_of,
    written,
)

from rdbtool import FormatError, KeyRecord, RdbToolError, StringValue
from rdbtool._codec.encode.resp import Resp
from rdbtool._codec.sinks.digest import Digest
from rdbtool._codec.sinks.fingerprint import Fingerprint
from rdbtool.core.errors import LimitError
from rdbtool.reader.aof.reader import open_aof
from rdbtool.reader.rdb import open_rdb

FORMS: dict[str, Writer] = {**WRITERS, "restore": partial(Resp, restore=True)}
SOME = ("jsonl", "json-utf8", "resp", "keys-raw")


def trickled(data: bytes, at_once: int) -> Trickle:
    dice = random.Random(1)
    return Trickle(data, (lambda: at_once) if at_once else (lambda: dice.randrange(1, 70_000)))


@pytest.mark.parametrize(("path", "bytes_at_once"), pairs(["1", "7", "4096", "random"]), ids=name_of_pair)
def test_small_reads(path: Path, bytes_at_once: str) -> None:
    at_once = 0 if bytes_at_once == "random" else int(bytes_at_once)
    data = path.read_bytes()
    if at_once < 4096 and len(data) > 60_000 and at_once:
        at_once *= 101  # a byte at a time takes too long for the large ones
    for form in (*SOME, "restore"):
        assert written(trickled(data, at_once), FORMS[form]) == written(data, FORMS[form])


@pytest.mark.parametrize("start", [b"", make.aux(b"x", make.string(bytes(100_000)))], ids=["at once", "later"])
def test_every_border_of_a_record(start: bytes) -> None:
    """The window ends at every byte of a record in turn: it starts over, and nothing is told twice."""
    window = 1 << 19
    record = (
        make.expire(make.FAR_MS)
        + b"\xf9\x05"
        + make.key(17, b"key", make.compressed(make.listpack([b"m" * 30, 1, b"n", b"1.5"])))
        + make.key(1, b"list", make.counted(make.integer(5), make.string(b"text")))
    )
    after = make.key(0, b"after", make.string(b"x" * 300))
    expected: set[bytes] = set()
    for cut in range(len(record) + 2):
        fill = window - len(b"REDIS0011") - len(start) - cut
        filler = make.key(0, b"filler", b"\x80" + (fill - 13).to_bytes(4, "big") + b"f" * (fill - 13))
        assert len(b"REDIS0011" + start + filler) == window - cut
        data = rdb(start, filler, record, after)
        records = records_of(trickled(data, 1 << 20))
        assert [found.key for found in records] == [b"filler", b"key", b"list", b"after"]
        lines = written(trickled(data, 1 << 20), FORMS["jsonl"]).splitlines()
        expected.add(b"\n".join(lines[-3:]))
    assert len(expected) == 1


@cache
def large_file() -> bytes:
    """Records of 2 to 9 MB among small ones: as they are, and inflated."""
    dice = random.Random(1)
    small = make.key(0, b"small", make.string(b"v"))
    pairs = [make.string(b"f%d" % at) + make.string(dice.randbytes(40)) for at in range(45_000)]
    elements = [make.string(dice.randbytes(500)) for _ in range(10_500)]
    nodes = [make.length(2) + make.compressed(make.listpack([b"e" * 60] * 5000)) for _ in range(30)]
    return rdb(
        small,
        make.key(4, b"hash", make.counted(*pairs)),
        small,
        make.key(1, b"list", make.counted(*elements)),
        make.expire(make.FAR_MS) + make.key(0, b"string", make.string(dice.randbytes(6 << 20))),
        make.key(0, b"text", make.string(b"x" * (6 << 20))),
        make.key(18, b"inflated", make.counted(*nodes)),
        make.key(0, b"zeros", make.compressed(bytes(5 << 20))),
        small,
    )


@pytest.mark.parametrize("form", [*SOME, "json-base64", "resp-replace", "restore"])
def test_large_records(form: str) -> None:
    whole = written(large_file(), FORMS[form])
    assert written(trickled(large_file(), 300_007), FORMS[form]) == whole
    if form.startswith("res"):
        assert sum(1 for _ in read_commands(whole)) > 8
    if form.startswith("json-"):
        assert [len(value) for value in json.loads(whole)[0].values()][1:3] == [45_000, 10_500]


def test_large_records_are_what_was_written() -> None:
    records = {record.key: record.value for record in records_of(large_file())}
    assert {key: len(value) for key, value in records.items()} == {
        b"small": 1, b"hash": 45_000, b"list": 10_500, b"string": 6 << 20, b"text": 6 << 20,
        b"inflated": 150_000, b"zeros": 5 << 20,
    }  # fmt: skip
    assert records[b"zeros"] == StringValue(bytes(5 << 20))
    commands = list(read_commands(written(large_file(), FORMS["resp"])))
    sizes = {words[1]: 0 for words in commands[1:]}
    for words in commands[1:]:
        sizes[words[1]] += sum(map(len, words[2:]))
    assert sizes[b"list"] == 10_500 * 500
    assert sizes[b"inflated"] == 150_000 * 60
    assert sizes[b"string"] == (6 << 20) + len(str(make.FAR_MS))
    payloads = {
        words[1]: len(words[3]) for words in read_commands(written(large_file(), FORMS["restore"])) if len(words) > 3
    }
    assert payloads[b"string"] == 1 + 5 + (6 << 20) + 10


# What is damaged is taken back


def until_damage(data: bytes, form: str) -> bytes:
    """Return what a sink handed on of a damaged file."""
    pieces: list[bytes] = []
    sink = FORMS[form](pieces.append)
    with open_rdb(data) as reader, pytest.raises(RdbToolError):
        reader.feed(sink)
    sink.flush()
    return b"".join(pieces)


def sound_part(path: Path, form: str, stop: int) -> bytes:
    """Return what a sink writes of the file's beginning, when the file ends there."""
    pieces: list[bytes] = []
    sink = FORMS[form](pieces.append)
    data = path.read_bytes()
    end = b"\xff" if data[:9] < b"REDIS0005" else b"\xff" + bytes(8)
    with open_rdb(data[:stop] + end) as reader:
        reader.feed(sink)
    sink.flush()
    return b"".join(pieces)


@pytest.mark.parametrize(("path", "form"), pairs([*SOME, "json-base64", "restore"]), ids=name_of_pair)
def test_output_ends_with_the_last_whole_record(path: Path, form: str) -> None:
    """The file is cut inside each of its last records."""
    data = path.read_bytes()
    for record in records_of(path)[-12:]:
        whole = sound_part(path, form, record.start)
        size = record.stop - record.start
        for stop in sorted({record.start + 1, record.start + size // 2, record.stop - 1}):
            assert until_damage(data[:stop], form) == whole


@pytest.mark.parametrize("form", [*SOME, "json-base64", "restore"])
def test_a_large_record_is_not_handed_on_before_it_is_known_to_be_sound(form: str) -> None:
    """Large values are written in pieces, but not before all of the record was looked at."""
    first = make.key(0, b"first", make.string(b"v"))
    elements = [make.compressed(bytes(3 << 20)), make.string(b"x" * (5 << 20))]
    for damaged in (
        make.key(1, b"list", make.length(4) + b"".join(elements) + make.string(b"y") + b"\xc7"),
        make.key(4, b"hash", make.length(2) + b"".join(elements) + make.string(b"f") + b"\xc3\x05\x0aabcde"),
        make.key(0, b"inflated", make.compressed(bytes(9 << 20))[:-2] + b"\x00\x00"),
        make.key(
            18, b"nodes", make.length(2) + make.length(1) + elements[0] + make.length(2) + make.string(b"no listpack")
        ),
    ):
        sound = written(rdb(make.select(3), first), FORMS[form])
        found = until_damage(rdb(make.select(3), first, damaged), form)
        assert found == (sound.removesuffix(b"}]\n") if form.startswith("json-") else sound)


@pytest.mark.parametrize("form", SOME)
def test_output_goes_on_behind_a_pause(form: str) -> None:
    """What follows a record that was refused is written as if it had never been there."""
    data = rdb(make.select(1), make.key(0, b"a", make.string(b"v")), make.key(1, b"b", make.counted(make.string(b"x"))))
    pieces: list[bytes] = []
    sink = FORMS[form](pieces.append)
    bad = data[:-9] + make.key(15, b"s", make.length(1) + make.stream_node((1, 1), 0, [b"f"], [[2, 0, 0, b"v"]]))
    with open_rdb(bad) as reader, pytest.raises(FormatError):
        reader.feed(sink)
    sink.close()
    assert b"".join(pieces) == written(data, FORMS[form])


def test_summaries_forget_refused_records_too() -> None:
    data = rdb(make.key(0, b"a", make.string(b"v")))
    bad = data[:-9] + make.key(28, b"x", make.length(2) + b"\x00" + b"\x00\x01" + bytes(8)) + b"\xff"
    for build in (Fingerprint, lambda: Digest("redis-7.0")):
        sink = build()
        with open_rdb(bad) as reader, pytest.raises(FormatError):
            reader.feed(sink)
        assert sink.hexdigest() == read_into(data, build()).hexdigest()
        assert getattr(sink, "opaque_keys", 0) == 0


def test_a_write_that_fails_ends_the_reading() -> None:
    """An exception of ``write`` comes out unchanged."""

    def refuse(data: bytes) -> None:
        raise BrokenPipeError(32, "gone")

    for form in SOME:
        sink = FORMS[form](refuse)
        with open_rdb(large_file()) as reader, pytest.raises(BrokenPipeError):
            reader.feed(sink)
            sink.close()


def test_bytes_are_handed_on_in_time() -> None:
    """A sink does not hold back more than one record and a few pieces."""
    record = make.key(0, b"k", make.string(b"v" * 1000))
    sizes: list[int] = []
    sink = FORMS["jsonl"](lambda data: sizes.append(len(data)))
    with open_rdb(rdb(*[record] * 3000)) as reader:
        reader.feed(sink)
        assert sum(sizes) > 2900 * 1000
        assert max(sizes) < 200_000
    sink.close()


def test_a_record_read_in_pieces_is_one_record() -> None:
    record = KeyRecord(db=0, key=b"k", value=StringValue(bytes(3_000_000)))
    assert records_of(trickled(rdb(make.key(0, b"k", make.string(bytes(3_000_000)))), 4096)) == [record]


@pytest.mark.parametrize("code", [1, 2, 3, 4, 5, 14, 18])
def test_a_collection_that_can_never_be_held_is_refused_at_once(code: int) -> None:
    head = b"REDIS0010\xfe\0" + bytes([code]) + b"\1k"
    bomb = gzip.compress(head + b"\x80" + struct.pack(">I", 0xFFFFFFFF) + bytes(4 << 20))
    with open_rdb(bomb, max_inflate=2 << 20) as reader:
        with pytest.raises(LimitError, match="decompressed from"):
            reader.feed(Fingerprint())
        assert reader.source.position < 2 << 20
    # What declares less is read up to the limit.
    fair = gzip.compress(head + b"\x80" + struct.pack(">I", 1 << 16) + bytes(1 << 17))
    with open_rdb(fair, max_inflate=2 << 20) as reader, pytest.raises((FormatError, RdbToolError)) as failed:
        reader.feed(Fingerprint())
    assert not isinstance(failed.value, LimitError)


def test_an_argument_that_can_never_be_held_is_refused_at_once() -> None:
    bomb = gzip.compress(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4294967296\r\n" + bytes(4 << 20))
    with open_aof(bomb) as reader, pytest.raises(LimitError, match="decompressed from"):
        for _ in reader.batches():
            pass
