"""Every sink makes the same of finished records as of what the decoder tells it, whoever finished them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from codec.driving import FILES, WRITERS, make, name_of, name_of_pair, pairs, rdb, read_into, written
from whole import whole

from rdbtool._codec.encode.jsonl import Jsonl
from rdbtool._codec.encode.resp import Resp
from rdbtool._codec.replay_record import feed_item, feed_record
from rdbtool._codec.sink import Null
from rdbtool._codec.sinks.digest import Digest
from rdbtool._codec.sinks.fingerprint import Fingerprint
from rdbtool._codec.sinks.records import Records
from rdbtool._codec.sinks.sizes import Sizes
from rdbtool.model import Header, KeyRecord, OpaqueValue
from rdbtool.reader.rdb import open_rdb

RULES = ("redis-7.0", "redis-8.0", "valkey-9.0")


def begin(path: Path, sink: Any) -> None:
    """Let ``sink`` hear the header of a file, from a file that has nothing else."""
    magic = path.read_bytes()[:9]
    with open_rdb(rdb(magic=magic)) as reader:
        reader.feed(sink)


def feed_items(path: Path, sink: Any) -> None:
    begin(path, sink)
    with open_rdb(path) as reader:
        for item in reader.items():
            if isinstance(item, KeyRecord):
                feed_record(item, sink)
            elif not isinstance(item, Header):
                feed_item(item, sink)
    sink.close()


def results(sink: Any) -> tuple[Any, ...]:
    match sink:
        case Digest():
            return sink.hexdigest(), sink.opaque_keys
        case Fingerprint():
            return sink.hexdigest(), sink.keys
        case Sizes():
            return sink.rows(), sink.largest()
        case Records():
            return tuple(map(whole, sink.records))
    raise AssertionError(sink)


SUMMARIES: dict[str, Callable[[], Any]] = {
    **{rules: partial(Digest, rules, make.FAR_MS + 1) for rules in RULES},
    "fingerprint": Fingerprint,
    "sizes": Sizes,
    "records": lambda: Records(1 << 30, items=True),
}


@pytest.mark.parametrize(("path", "form"), pairs(WRITERS), ids=name_of_pair)
def test_same_bytes_from_records(path: Path, form: str) -> None:
    pieces: list[bytes] = []
    feed_items(path, WRITERS[form](pieces.append))
    assert b"".join(pieces) == written(path, WRITERS[form])


@pytest.mark.parametrize(
    ("path", "form"),
    pairs(form for form in WRITERS if form not in ("json-raw", "json-print", "keys-print")),
    ids=name_of_pair,
)
def test_same_bytes_from_the_grammar(path: Path, form: str) -> None:
    assert written(path, WRITERS[form], backend="grammar") == written(path, WRITERS[form])


@pytest.mark.parametrize(
    ("path", "summary"), pairs(summary for summary in SUMMARIES if summary != "records"), ids=name_of_pair
)
def test_same_summary_from_records(path: Path, summary: str) -> None:
    sink = SUMMARIES[summary]()
    feed_items(path, sink)
    assert results(sink) == results(read_into(path, SUMMARIES[summary]()))


@pytest.mark.parametrize(("path", "summary"), pairs(SUMMARIES), ids=name_of_pair)
def test_same_summary_from_the_grammar(path: Path, summary: str) -> None:
    by_grammar = read_into(path, SUMMARIES[summary](), backend="grammar")
    assert results(by_grammar) == results(read_into(path, SUMMARIES[summary]()))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_payloads_from_records_with_their_stored_values(path: Path) -> None:
    """``raw`` is the value as the file stores it: what stands behind the key, which ends the record."""
    data = path.read_bytes()

    def build(pieces: list[bytes]) -> Resp:
        return Resp(pieces.append, restore=True)

    fed: list[bytes] = []
    sink = build(fed)
    begin(path, sink)
    with open_rdb(path) as reader:
        for item in reader.items():
            if isinstance(item, KeyRecord):
                feed_record(item, sink, stored_value(data, item))
            elif not isinstance(item, Header):
                feed_item(item, sink)
    sink.close()
    direct: list[bytes] = []
    read_into(path, build(direct))
    assert b"".join(fed) == b"".join(direct)


def stored_value(data: bytes, record: KeyRecord) -> bytes:
    """Return what stands behind the key: expiry, idle time, frequency, metadata, type and key are skipped by hand."""
    at = record.start
    while data[at] >= 0xF0 or data[at] == 0x6B:
        code = data[at]
        at += 1
        match code:
            case 0xFC:
                at += 8
            case 0xFD:
                at += 4
            case 0xF9:
                at += 1
            case 0xF8 | 0x6B:
                at = behind_length(data, at)[1]
            case 0xF3:
                assert record.meta is not None
                at += len(record.meta)
    assert data[at] == record.type_code
    at += 1
    if data[at] == 0xC3:
        size, at = behind_length(data, at + 1)
        _, at = behind_length(data, at)
    elif data[at] >= 0xC0:
        size = 1 << (data[at] & 3)
        at += 1
    else:
        size, at = behind_length(data, at)
    # Expiries of members follow the value.
    return data[at + size : record.stop].partition(b"\xfa\x13keydb-subexpire-key")[0]


def behind_length(data: bytes, at: int) -> tuple[int, int]:
    """Return the length at ``at`` and where it ends."""
    match data[at] >> 6:
        case 0:
            return data[at], at + 1
        case 1:
            return (data[at] & 63) << 8 | data[at + 1], at + 2
    size = 4 if data[at] == 0x80 else 8
    return int.from_bytes(data[at + 1 : at + 1 + size], "big"), at + 1 + size


def test_every_sink_is_a_sink_of_nothing_too() -> None:
    for sink in (Null(), Sizes(), Fingerprint(), Digest("redis-7.0"), Records()):
        assert read_into(rdb(), sink) is sink


def test_what_records_collected_is_taken_once() -> None:
    sink = read_into(rdb(*(make.key(0, b"%d" % at, make.integer(at)) for at in range(1000))), Records(1 << 30))
    assert [record.key for record in sink.take()] == [b"%d" % at for at in range(1000)]
    assert sink.take() == []


def test_none_is_no_sink_and_no_record() -> None:
    record = KeyRecord(db=0, key=b"k", value=OpaqueValue("Module-_9", b"\x00"))
    with pytest.raises(TypeError):
        feed_record(None, Null())  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        feed_record(record, None)  # type: ignore[arg-type]


def test_a_module_name_has_nine_characters() -> None:
    record = KeyRecord(db=0, key=b"k", value=OpaqueValue("short", b"\x00"))
    with pytest.raises(ValueError, match="9 characters"):
        feed_record(record, Jsonl(lambda data: None))
