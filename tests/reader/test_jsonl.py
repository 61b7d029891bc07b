"""JSON lines read back: what an RDB says comes out of its lines, and the lines come out of that again."""

from __future__ import annotations

import gzip
import io
import math
import os
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from codec.driving import FILES, Trickle, name_of, read_into, written
from codec.jsonl_reader import read_lines, read_record
from hypothesis import given, settings
from hypothesis import strategies as st
from whole import whole
from writer import made

import rdbtool
from rdbtool._codec.encode.jsonl import Jsonl
from rdbtool._codec.filters.selection import Selection
from rdbtool._codec.replay_record import feed_header, feed_item, feed_record
from rdbtool._codec.sinks.fingerprint import Fingerprint
from rdbtool.core.errors import FormatError, InputError, LimitError, UnsupportedError
from rdbtool.core.location import Span
from rdbtool.core.servers import Target
from rdbtool.model import (
    ArrayValue,
    Aux,
    FunctionLibrary,
    HashTemplate,
    HashValue,
    Header,
    Item,
    KeyRecord,
    ListValue,
    ModuleAux,
    PendingEntry,
    ProductOpcode,
    ResizeDb,
    SelectDb,
    SetValue,
    SlotImport,
    SlotInfo,
    StreamConsumer,
    StreamEntry,
    StreamGroup,
    StreamID,
    StreamProducers,
    StreamValue,
    StringValue,
    ZSetValue,
)
from rdbtool.reader.jsonl.reader import JsonlReader, open_jsonl
from rdbtool.reader.open.dispatch import open_any
from rdbtool.reader.rdb import open_rdb
from rdbtool.writer.rdb import write_rdb

#: What only an RDB has: who reads lines needs none of it.
BOOKKEEPING = (SelectDb, ResizeDb, SlotInfo, HashTemplate, ProductOpcode, rdbtool.model.End)


def said(item: Item | KeyRecord) -> tuple[Any, ...]:
    """Return everything that an item says, but not where it stands. The repr of a value shows order, NaN and -0."""
    if isinstance(item, KeyRecord):
        head = (item.db, item.key, item.expire_at_ms, item.idle_s, item.freq, item.meta, item.encoding)
        return (*head, item.kind, whole(item.value))
    return (type(item), *(value for value in item if not isinstance(value, Span)))


def lines_of(items: Iterable[Item | KeyRecord]) -> bytes:
    """Return items as lines; a header begins a file."""
    pieces: list[bytes] = []
    sink = Jsonl(pieces.append)
    for item in items:
        if isinstance(item, KeyRecord):
            feed_record(item, sink)
        elif isinstance(item, Header):
            feed_header(*item, sink)
        else:
            feed_item(item, sink)
    sink.close()
    return b"".join(pieces)


def read_all(data: Any) -> list[Item | KeyRecord]:
    with open_jsonl(data) as reader:
        return list(reader.items())


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_the_lines_of_a_file_say_what_the_file_says(path: Path) -> None:
    data = written(path, Jsonl)
    with open_rdb(path) as wanted, open_jsonl(data) as found:
        items = [item for item in wanted.items() if not isinstance(item, BOOKKEEPING)]
        lines = list(found.items())
        assert list(map(said, lines)) == list(map(said, items))
        records = [item for item in items if isinstance(item, KeyRecord)]
        assert [item for item in lines if isinstance(item, KeyRecord)] == records
        assert found.header == wanted.header
        assert list(map(said, found.aux)) == list(map(said, wanted.aux))
        assert list(map(said, found.functions)) == list(map(said, wanted.functions))
        assert found.totals == wanted.totals
        assert found.end is not None
        assert found.end.span.stop == len(data) == found.size
    assert lines_of(lines) == data


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_sinks_hear_what_the_file_says(path: Path) -> None:
    lines = written(path, Jsonl)
    fingerprints = []
    for reader in (open_rdb(path), open_jsonl(lines)):
        with reader:
            sink = Fingerprint()
            reader.feed(sink)
            fingerprints.append(sink.hexdigest())
    assert fingerprints[0] == fingerprints[1]
    pieces: list[bytes] = []
    with open_jsonl(lines) as again:
        copy = Jsonl(pieces.append)
        again.feed(copy)
        copy.close()
    assert b"".join(pieces) == lines


#: No target holds the functions of release candidates, or expiries of members, wherever they come from.
WRITABLE = [path for path in FILES if path.stem not in {"redis-7.0-rc-function", "keydb-6.3-member-expiries"}]


@pytest.mark.parametrize("path", WRITABLE, ids=name_of)
def test_an_rdb_of_the_lines_holds_the_same(path: Path) -> None:
    """Written from the lines, for the magic and version that they name, and read again by those who know no lines."""
    pieces: list[bytes] = []
    with open_jsonl(written(path, Jsonl)) as reader:
        write_rdb(reader, pieces.append, Target(*reader.header))
    assert read_into(b"".join(pieces), Fingerprint()).hexdigest() == read_into(path, Fingerprint()).hexdigest()


def test_records_know_their_lines() -> None:
    data = written(FILES[0], Jsonl)
    with open_jsonl(data) as reader:
        for record, row in zip(reader, (row for row in read_lines(data) if "key" in row), strict=True):
            (again,) = read_lines(data[record.start : record.stop])
            assert again == row
            assert read_record(row) == record


AT = Span(0, 0)
MODULE_AUX = bytes.fromhex("81 0000000000000402 02 02 02 07 00")
EVERY_KIND_OF_LINE: list[Item | KeyRecord] = [
    Header("VALKEY", 80),
    Aux(b"valkey-ver", b"9.0.1", AT),
    Aux(b"\xff", b"", AT),
    FunctionLibrary(b"#!lua name=l\n", released=True, span=AT),
    FunctionLibrary(b"\x80", released=False, span=AT),
    ModuleAux("AAAAAAAAB", MODULE_AUX, AT),
    SlotImport(b"j" * 40, ((0, 1), (5, 5), (100, 16383)), AT),
    SlotImport(b"\xfe", (), AT),
    KeyRecord(db=(1 << 31) - 1, key=b"", value=StringValue(b""), expire_at_ms=-(1 << 63)),
    KeyRecord(db=0, key=b"\xff\x00", value=StringValue(b"12"), type_code=0, encoding="int", idle_s=0, freq=0),
    KeyRecord(db=0, key=b"z", value=StringValue("\ud7ff\U0010ffff\x00\x7f\u2028\r\n".encode()), freq=255),
    KeyRecord(db=0, key=b"meta", value=StringValue(b"v"), meta=b"\x01spec\x02\x2a\x00", idle_s=(1 << 63) - 1),
    KeyRecord(
        db=0,
        key=b"scores",
        value=ZSetValue(
            [
                (b"a", -0.0), (b"b", math.inf), (b"c", -math.inf), (b"d", math.nan), (b"e", 1e300), (b"f", 5e-324),
                (b"\xff", 1.0), (b"inf", 2.0**53 + 2), (b"a", 1.5),
            ]
        ),
    ),
    KeyRecord(
        db=0, key=b"h", value=HashValue([(b"f", b"v"), (b"f", b"\xff", 0), (b"", b"", (1 << 63) - 1)]), expire_at_ms=0
    ),
    KeyRecord(db=0, key=b"empty", value=HashValue([])),
    KeyRecord(db=1, key=b"set", value=SetValue([b"b", b"a", b"b"])),
    KeyRecord(db=1, key=b"list", value=ListValue([b"", b"\x80"])),
    KeyRecord(
        db=1,
        key=b"array",
        value=ArrayValue(
            [
                (0, b"text"), (7, 5), (8, -(1 << 63)), (9, 5.0), (10, -0.0), (11, math.nan), (12, math.inf),
                (13, -math.inf), ((1 << 64) - 2, b"\xff"), (14, 1e22), (15, 0), (16, b"1.5"),
            ],
            (1 << 64) - 1,
        ),
    ),
    KeyRecord(db=1, key=b"array 2", value=ArrayValue([], None)),
    KeyRecord(
        db=1,
        key=b"stream",
        value=StreamValue(
            [StreamEntry(StreamID(5, 1), [(b"f", b"v"), (b"f", b"\xff")]), StreamEntry(StreamID(1, 0), [])],
            length=7,
            last_id=StreamID((1 << 64) - 1, 0),
            first_id=StreamID(9, 9),
            max_deleted_id=StreamID(5, 0),
            entries_added=(1 << 64) - 1,
            groups=[
                StreamGroup(
                    b"g",
                    StreamID(5, 1),
                    0,
                    [StreamConsumer(b"c", -1, None), StreamConsumer(b"\xff", None, 4)],
                    [
                        PendingEntry(StreamID(4, 0), None, 0, 0),
                        PendingEntry(StreamID(5, 1), b"c", -(1 << 63), (1 << 64) - 1),
                        PendingEntry(StreamID(5, 1), b"\xff", -(1 << 63), (1 << 64) - 1),
                        PendingEntry(StreamID(5, 1), b"unnamed", -(1 << 63), (1 << 64) - 1),
                    ],
                ),
                StreamGroup(b"", StreamID(0, 0)),
            ],
            producers=StreamProducers(1, 2, ((b"p", ((b"\xff", StreamID(5, 1)), (b"i", StreamID(0, 0)))), (b"q", ()))),
        ),
    ),
    KeyRecord(db=1, key=b"stream 2", value=StreamValue([], last_id=StreamID(0, 0), producers=StreamProducers(0, 0))),
]  # fmt: skip


def test_every_kind_of_line() -> None:
    data = lines_of(EVERY_KIND_OF_LINE)
    found = read_all(data)
    assert list(map(said, found)) == list(map(said, EVERY_KIND_OF_LINE))
    assert lines_of(found) == data


@pytest.mark.parametrize("kind", sorted(made.values))
def test_records_of_all_kinds(kind: str) -> None:
    @settings(max_examples=settings.default.max_examples // 3)
    @given(st.lists(made.records(kind), min_size=1, max_size=3))
    def check(records: list[KeyRecord]) -> None:
        data = lines_of([Header("REDIS", 15), *records])
        found = read_all(data)
        assert list(map(said, found[1:])) == list(map(said, records))
        assert lines_of(found) == data

    check()


BY_HAND = b"\n".join(
    [
        b"",
        b'{"key": "a", "type": "string", "value": "x"}\r',
        b"\t",
        (
            b'  { "type":"hash", "value":[["f","v"],["g","w",null],["h","x",5]], '
            b'"db":3, "key":{"base64":"/w=="}, "freq":null } '
        ),
        b'{"key":"z","type":"zset","value":[["i",5],["j",-2.5e3],["k","nan"]],"expire_at_ms":null,"encoding":""}',
        b'{"key":"s","type":"stream","value":{"entries":[["05-1",[["f","v"]]]],"last_id":"7-0"},"idle_s":null}',
        (
            b'{"key":"t","type":"stream","value":{"entries":[["5-1",[]]],"last_id":"7-0","entries_added":4,"groups":['
            b'{"name":"g","last_id":"0-0"},{"name":"h","last_id":"0-0","consumers":[{"name":"c"}],"pending":null}]}}'
        ),
        b'{"aux":["redis-ver","7.2.0"]}',
        b'{"key":"u","type":"array","value":{"items":[[3,{"float":2}]]}}',
    ]
)


def test_lines_by_hand() -> None:
    """Without a header, with blanks and blank lines, without a newline at the end, and with what is usual left out."""
    with open_jsonl(BY_HAND) as reader:
        items = list(reader.items())
    one = StreamEntry(StreamID(5, 1), [(b"f", b"v")])
    group = StreamGroup(b"h", StreamID(0, 0), None, [StreamConsumer(b"c")])
    assert items[0] == Header("REDIS", 11)
    assert said(items[6]) == (Aux, b"redis-ver", b"7.2.0")
    assert items[1:6] + items[7:] == [
        KeyRecord(db=0, key=b"a", value=StringValue(b"x")),
        KeyRecord(db=3, key=b"\xff", value=HashValue([(b"f", b"v"), (b"g", b"w"), (b"h", b"x", 5)])),
        KeyRecord(db=0, key=b"z", value=ZSetValue([(b"i", 5.0), (b"j", -2500.0), (b"k", math.nan)])),
        KeyRecord(db=0, key=b"s", value=StreamValue([one], last_id=StreamID(7, 0))),
        KeyRecord(
            db=0,
            key=b"t",
            value=StreamValue(
                [StreamEntry(StreamID(5, 1), [])],
                last_id=StreamID(7, 0),
                first_id=StreamID(5, 1),
                max_deleted_id=StreamID(0, 0),
                entries_added=4,
                groups=[StreamGroup(b"g", StreamID(0, 0)), group],
            ),
        ),
        KeyRecord(db=0, key=b"u", value=ArrayValue([(3, 2.0)])),
    ]


@pytest.mark.parametrize("header", [Header("REDIS", 1), Header("REDIS", 15), Header("VALKEY", 80)])
def test_headers(header: Header) -> None:
    with open_jsonl(lines_of([header])) as reader:
        assert reader.header == header
        assert list(reader) == []
        assert reader.totals == (0, 0, 0, {}, {})


@pytest.mark.parametrize(("magic", "version"), [("REDIS", 16), ("VALKEY", 81), ("REDIS", 10**18)])
def test_headers_that_are_too_new(magic: str, version: int) -> None:
    with pytest.raises(UnsupportedError, match=f"bytes in memory: {magic} version {version} is newer"):
        open_jsonl(f'{{"rdb":{{"magic":"{magic}","version":{version}}}}}\n'.encode())


def plain(count: int, size: int = 1) -> bytes:
    """Return lines with ``count`` strings of ``size`` bytes."""
    return b"".join(b'{"key":"k%d","type":"string","value":"%s"}\n' % (at, b"v" * size) for at in range(count))


def test_reading_goes_on_where_it_stopped() -> None:
    with open_jsonl(plain(5)) as reader:
        assert [record.key for record in reader.records(selection=Selection(limit=2))] == [b"k0", b"k1"]
        assert reader.totals.keys == reader.totals.selected == 2
        assert reader.end is None
        sink = Fingerprint()
        assert reader.feed(sink, selection=Selection(dbs=[7])).selected == 2
        assert (sink.keys, reader.totals.keys) == (0, 5)
        assert list(reader) == []


def test_an_error_stays_the_last_word() -> None:
    for make in (lambda reader: reader.records(), lambda reader: reader.items()):
        with open_jsonl(plain(2) + b"{}\n" + plain(1)) as reader:
            found: list[KeyRecord] = []
            with pytest.raises(FormatError) as first:
                found.extend(reader)
            assert [record.key for record in found] == [b"k0", b"k1"]
            with pytest.raises(FormatError) as second:
                list(make(reader))
            assert second.value is first.value
            assert first.value.readable_up_to == len(plain(2))
            assert first.value.keys_read == 2


def test_progress_is_told() -> None:
    data = plain(20_000, 50)
    told: list[int] = []
    with open_jsonl(data) as reader:
        reader.feed(Fingerprint(), progress=told.append)
    assert told == sorted(set(told))
    assert told[-1] == len(data)
    assert len(told) >= len(data) >> 19


@pytest.mark.parametrize("size", [1, 100, (1 << 18) - 1, 1 << 18, 3 << 18])
def test_lines_across_the_borders_of_pieces(size: int) -> None:
    data = plain(3) + plain(2, size) + plain(3, 70_000)
    with open_jsonl(io.BufferedReader(Trickle(data, lambda: 65_537))) as reader:
        sizes = [len(record.value) for record in reader]
        assert reader.end is not None
        assert reader.end.span.stop == len(data)
    assert sizes == [1] * 3 + [size] * 2 + [70_000] * 3


def test_compressed() -> None:
    data = written(FILES[0], Jsonl)
    assert list(map(said, read_all(gzip.compress(data)))) == list(map(said, read_all(data)))
    with pytest.raises(FormatError, match="SRC001"):
        read_all(gzip.compress(data)[:-20])


def test_a_pipe(tmp_path: Path) -> None:
    data = plain(30_000)
    reading, writing = os.pipe()

    def write() -> None:
        with open(writing, "wb") as pipe:
            pipe.write(data)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        with open(reading, "rb") as pipe, open_jsonl(pipe) as reader:
            assert reader.size is None
            assert sum(1 for _ in reader) == 30_000
    finally:
        thread.join()


def test_a_line_that_grows_out_of_a_few_bytes_is_refused() -> None:
    bomb = gzip.compress(b'{"key":"' + b"a" * (8 << 20))
    with pytest.raises(LimitError, match="decompressed from"):
        open_jsonl(bomb, max_inflate=1 << 20)
    with pytest.raises(FormatError, match="JSN003"):
        open_jsonl(bomb)


@pytest.mark.parametrize("before", ["", '"' + '[{\\"' * (1 << 20) + '",'])
@pytest.mark.parametrize("packed", [False, True])
def test_a_line_of_many_levels_is_not_held(before: str, packed: bool, tmp_path: Path) -> None:
    """It is refused where the levels are too many. Brackets within strings are none."""
    start = '{"key":"a","type":"list","value":['
    header = '{"rdb":{"magic":"REDIS","version":11}}\n'
    path = tmp_path / "x.jsonl"
    data = f"{header}{start}{before}{'[' * (1 << 25)}".encode()
    path.write_bytes(gzip.compress(data, 1) if packed else data)
    with open_jsonl(path) as reader:
        with pytest.raises(FormatError) as raised:
            list(reader)
        assert reader.source.position < 1 << 24
    assert (raised.value.code, raised.value.found) == ("JSN001", "more levels")
    assert raised.value.at == len(header + start + before) + 62


def test_a_file_that_grows_is_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(plain(1)[:-1] + b'\n{"key":"b"')
    with open_jsonl(path) as reader:
        records = iter(reader)
        next(records)
        with path.open("ab") as more:
            more.write(b',"type":"string","value":"v"}\n')
        with pytest.raises(InputError, match="changed while it was read"):
            next(records)


def test_a_reader_over_a_window_that_was_looked_into() -> None:
    with open_any(plain(2), jsonl=True) as reader:
        assert isinstance(reader, JsonlReader)
        assert [record.key for record in reader] == [b"k0", b"k1"]


def test_one_encoding_has_the_type_that_the_version_has() -> None:
    """A sorted set of RDB 7 has scores in text, and one of RDB 8 in binary; both are called skiplists."""
    line = b'{"key":"z","type":"zset","encoding":"skiplist","value":[["m",1]]}\n'
    for version, code in ((7, 3), (8, 5), (1, 3)):
        (record,) = open_jsonl(lines_of([Header("REDIS", version)]) + line)
        assert (record.type_code, record.encoding) == (code, "skiplist")
