"""Collections that the window does not hold: told row by row from a file, as from a pipe, where they are held."""

from __future__ import annotations

import io
import random
import struct
from typing import Any

import pytest

from rdbtool._codec.encode.csv import Csv
from rdbtool._codec.encode.jsonl import Jsonl
from rdbtool._codec.encode.rdb import Rdb
from rdbtool._codec.filters.selection import Selection
from rdbtool._codec.filters.target import TargetFilter
from rdbtool._codec.replay_record import feed_record
from rdbtool.core.errors import RdbToolError, describe_error
from rdbtool.core.servers import Target
from rdbtool.io.source import crc64
from rdbtool.reader.jsonl.reader import open_jsonl
from rdbtool.reader.rdb import open_rdb

COUNT = 50_000


class Pipe(io.RawIOBase):
    """Bytes that can be read once."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, view: Any) -> int:
        return self._data.readinto(view)


def text(data: bytes) -> bytes:
    return (bytes([len(data)]) if len(data) < 64 else b"\x80" + struct.pack(">I", len(data))) + data


def member(at: int) -> bytes:
    """Return a member of some length: an integer now and then, LZF now and then."""
    if at % 7 == 0:
        return b"\xc2" + struct.pack("<i", at + 100_000)
    if at % 1000 == 1:
        return b"\xc3\x0b\x80" + struct.pack(">I", 270) + b"\x00a\xe0\xff\x00\x04" + b"%05d" % at
    return text(b"%06d:" % at + b"x" * (at % 150 + 30))


def node(at: int) -> bytes:
    entries = b"".join(b"\x90element:%08d\x11" % (at * 50 + number) for number in range(50))
    return b"\2" + text(struct.pack("<IH", len(entries) + 7, 50) + entries + b"\xff")


BODIES = {
    "set": b"\2" + b"\3set" + b"\x80" + struct.pack(">I", COUNT) + b"".join(map(member, range(COUNT))),
    "list": b"\1" + b"\4list" + b"\x80" + struct.pack(">I", COUNT) + b"".join(map(member, range(COUNT))),
    "hash": b"\4" + b"\4hash" + b"\x80" + struct.pack(">I", COUNT)
    + b"".join(member(at) + b"\5value" for at in range(COUNT)),
    "zset": b"\5" + b"\4zset" + b"\x80" + struct.pack(">I", COUNT)
    + b"".join(member(at) + struct.pack("<d", at / 4) for at in range(COUNT)),
    "quicklist": b"\x12" + b"\5quick" + b"\x80" + struct.pack(">I", 6000) + b"".join(map(node, range(6000))),
}  # fmt: skip


def rdb(body: bytes) -> bytes:
    data = b"REDIS0011\xfe\0" + body + b"\0\4next\1v\xff"
    return data + struct.pack("<Q", crc64(data))


def outcome(source: Any, selection: Selection | None = None) -> tuple[bytes, str, Any]:
    """Return what a sink was told, what was wrong, and what was counted."""
    pieces: list[bytes] = []
    sink = Jsonl(pieces.append)
    error, totals = "", None
    with open_rdb(source, name="it") as reader:
        try:
            reader.feed(sink, selection=selection)
        except RdbToolError as raised:
            error = describe_error(raised)
        totals = reader.totals
    sink.flush()
    return b"".join(pieces), error, totals


@pytest.mark.parametrize("kind", BODIES)
def test_a_file_says_what_a_pipe_says(kind: str) -> None:
    data = rdb(BODIES[kind])
    assert len(data) > 4 << 20
    wanted = outcome(Pipe(data))
    assert not wanted[1]
    assert outcome(data) == wanted
    assert outcome(data, Selection(no_kinds=[kind if kind != "quicklist" else "list"]))[0].count(b'"key":') == 1


@pytest.mark.parametrize("kind", ["set", "zset"])
def test_damage_is_found_before_a_sink_hears_of_it(kind: str) -> None:
    data = rdb(BODIES[kind])
    at = random.Random(kind).randrange(1 << 20, len(data) - 40)
    assert outcome(data[:at]) == outcome(Pipe(data[:at]))
    # A length that is longer than the file.
    bad = data[:at] + b"\x81\x7f" + data[at + 2 :]
    found, wanted = outcome(bad), outcome(Pipe(bad))
    assert found[0] == wanted[0]
    assert bool(found[1]) == bool(wanted[1])


#: A hash of which some fields expire, and a sorted set with a score that is no number.
OTHERS = {
    "expiring": b"\x18" + b"\4hash" + struct.pack("<q", 5_000_000) + b"\x80" + struct.pack(">I", COUNT)
    + b"".join(bytes([at % 3 * 20]) + member(at) + b"\5value" for at in range(COUNT)),
    "nan": b"\5" + b"\4zset" + b"\x80" + struct.pack(">I", COUNT)
    + b"".join(member(at) + struct.pack("<d", at if at != 9 else float("nan")) for at in range(COUNT)),
}  # fmt: skip


def rewritten(source: Any, target: Target, *, is_held: bool = False) -> bytes:
    pieces: list[bytes] = []
    magic, version, release = target
    encoder = Rdb(pieces.append, magic=magic, version=version, release=release)
    sink = TargetFilter(encoder, magic=magic, version=version, release=release, allow_loss=True)
    with open_rdb(source, name="it") as reader:
        if is_held:
            for record in reader:
                feed_record(record, sink)
        else:
            reader.feed(sink)
    sink.close()
    return b"".join(pieces)


@pytest.mark.parametrize("server", ["redis-2.4", "redis-7.2", "redis-8.0", "valkey-9.0"])
@pytest.mark.parametrize("kind", ["set", "hash", "zset", *OTHERS])
def test_what_is_written_as_it_arrives_is_what_is_held(kind: str, server: str) -> None:
    data = rdb({**BODIES, **OTHERS}[kind]).replace(b"REDIS0011", b"REDIS0012")
    data = data[:-8] + struct.pack("<Q", crc64(data[:-8]))
    target = Target.parse(server)
    assert rewritten(data, target) == rewritten(Pipe(data), target) == rewritten(data, target, is_held=True)


def test_columns_of_a_long_line() -> None:
    # They stand in front of the value, of which the line does not say how much it is.
    line = b'{"db":0,"key":"k","type":"set","value":[' + b",".join(b'"%064d"' % at for at in range(COUNT)) + b"]}"
    data = b'{"rdb":{"magic":"REDIS","version":11}}\n' + line + b"\n"

    def table(source: Any) -> bytes:
        pieces: list[bytes] = []
        sink = Csv(pieces.append)
        with open_jsonl(source) as reader:
            reader.feed(sink)
        sink.close()
        return b"".join(pieces)

    found = table(data)
    assert b",set,," + str(COUNT).encode() + b"," in found
    assert found == table(Pipe(data))
