"""One source, two sinks: each receives what it would have received alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from codec.driving import FILES, Trickle, make, name_of, rdb, read_into, written

from rdbtool import RdbToolError
from rdbtool._codec.encode.jsonl import Jsonl
from rdbtool._codec.encode.resp import Resp
from rdbtool._codec.filters.tee import Tee
from rdbtool._codec.replay_record import feed_record
from rdbtool._codec.sink import Null
from rdbtool._codec.sinks.fingerprint import Fingerprint
from rdbtool.model import KeyRecord, StringValue
from rdbtool.reader.rdb import open_rdb


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_both_hear_everything(path: Path) -> None:
    """In small windows too, where records are taken back and told again."""
    data = path.read_bytes()
    for size in (4099, len(data)):
        pieces: list[bytes] = []
        lines: list[bytes] = []
        hashed = Fingerprint()
        sink = Tee(Resp(pieces.append), Tee(Jsonl(lines.append), hashed))
        read_into(Trickle(data, lambda size=size: size), sink)  # type: ignore[misc]
        assert b"".join(pieces) == written(path, Resp)
        assert b"".join(lines) == written(path, Jsonl)
        assert hashed.hexdigest() == read_into(path, Fingerprint()).hexdigest()
        assert hashed.keys > 0 or not written(path, Resp)


def test_large_records_are_passed_on_in_parts() -> None:
    data = rdb(make.key(0, b"k", make.compressed(b"x" * (8 << 20))))
    sizes: list[int] = []
    read_into(data, Tee(Null(), Resp(lambda piece: sizes.append(len(piece)))))
    assert sum(sizes) > 8 << 20
    assert max(sizes) < 1 << 20


def test_a_damaged_record_is_taken_back_from_both() -> None:
    bad = make.length(2) + make.string(b"x") + b"\xfb"
    data = rdb(make.key(0, b"k", make.string(b"v")), make.key(1, b"l", bad))
    first: list[bytes] = []
    second: list[bytes] = []
    sink = Tee(Resp(first.append), Resp(second.append))
    with open_rdb(data) as reader, pytest.raises(RdbToolError):
        reader.feed(sink)
    feed_record(KeyRecord(db=0, key=b"l", value=StringValue(b"w")), sink)
    sink.close()
    assert b"".join(first) == b"".join(second)
    assert b"".join(first).endswith(b"SET\r\n$1\r\nk\r\n$1\r\nv\r\n*3\r\n$3\r\nSET\r\n$1\r\nl\r\n$1\r\nw\r\n")
