"""Records are copied as they are stored, in runs, and what was copied is counted when the output is read back."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from codec.driving import make, records_of
from codec.driving import rdb as whole_rdb

from rdbtool import InputError, KeyRecord
from rdbtool._codec.encode.rdb import Rdb
from rdbtool._codec.filters.copied_records import BesideCopied, CopiedRecords, Copying
from rdbtool._codec.filters.selection import Selection
from rdbtool._codec.sinks.fingerprint import Fingerprint
from rdbtool._codec.sinks.records import Records
from rdbtool.core.cores import at_most
from rdbtool.core.errors import InvalidDataError, RdbToolError
from rdbtool.core.servers import Target
from rdbtool.io.source import crc64
from rdbtool.operations.convert.transfer import Transfer
from rdbtool.operations.repair.run import repair
from rdbtool.reader import ranges
from rdbtool.reader import rdb as reader_of_rdb
from rdbtool.reader.rdb import open_rdb


def text(name: bytes, size: int = 40) -> bytes:
    return b"\x00" + make.string(name) + make.string(random.Random(name).randbytes(size))


def texts(prefix: bytes, count: int, size: int = 40) -> list[bytes]:
    return [text(b"%b:%d" % (prefix, index), size) for index in range(count)]


def expiring(record: bytes, at_ms: int = 1_900_000_000_000) -> bytes:
    return b"\xfc" + at_ms.to_bytes(8, "little", signed=True) + record


def collections() -> Iterator[bytes]:
    """Values of all types that are copied and that a scan of the framing can skip."""
    for index in range(60):
        yield b"\x02" + make.string(b"set%d" % index) + b"\x02" + make.string(b"a") + make.string(b"%d" % index)
        yield b"\x04" + make.string(b"hash%d" % index) + b"\x01" + make.string(b"f") + make.string(b"v" * 70)
        yield b"\x05" + make.string(b"zset%d" % index) + b"\x01" + make.string(b"m") + bytes(8)
        yield b"\x01" + make.string(b"list%d" % index) + b"\x01" + make.string(b"e")
        yield b"\x0b" + make.string(b"ints%d" % index) + make.string(b"\x02\0\0\0\x01\0\0\0\x07\0")
        # Numbers, and a text that is compressed.
        yield b"\x00" + make.string(b"int%d" % index) + b"\xc1\x10\x27"
        yield b"\x00" + make.string(b"lzf%d" % index) + make.compressed(b"x" * 200)


def sealed(data: bytes) -> bytes:
    """Return a file with the checksum that belongs to it."""
    return data[:-8] + crc64(data[:-8]).to_bytes(8, "little")


class Written:
    """A file that was written of another one, and what reads it back."""

    def __init__(self, source: bytes, folder: Path, target: Target | None = None) -> None:
        pieces: list[bytes] = []
        self.path = folder / "out.rdb"
        with open_rdb(source) as reader:
            reader.read_preamble()
            target = target or Target(*reader.header)
            self.transfer = Transfer(reader, "rdb", target, allow_loss=True, sizes={}, copies=True)
            self.transfer.write(pieces.append)
        self.data = b"".join(pieces)
        self.path.write_bytes(self.data)
        self.copied = self.transfer._copied

    def check(self, data: bytes | None = None) -> None:
        if data is not None:
            assert data != self.data
            self.path.write_bytes(data)
        self.transfer.check(str(self.path))


def facts(record: KeyRecord) -> tuple[object, ...]:
    """Return what a file says of a key, without how it is stored."""
    return record.db, record.key, record.value, record.expire_at_ms, record.idle_s, record.freq, record.member_expiries


def assert_same(source: bytes, data: bytes) -> None:
    """Compare the records of two files, by what the grammar reads."""
    before, after = records_of(source, backend="grammar"), records_of(data, backend="grammar")
    assert len(before) == len(after)
    for one, other in zip(before, after, strict=True):
        assert facts(one) == facts(other)


@pytest.mark.parametrize("magic", [b"REDIS0008", b"REDIS0009", b"REDIS0011", b"VALKEY080"])
def test_runs_of_records(magic: bytes, tmp_path: Path) -> None:
    records = [*texts(b"a", 300), *map(expiring, texts(b"b", 300)), *collections()]
    random.Random(1).shuffle(records)
    source = whole_rdb(make.select(0), *records, make.select(3), *texts(b"c", 300), magic=magic)
    written = Written(source, tmp_path)
    assert written.copied.keys == len(records) + 300
    assert written.transfer.keys == written.copied.keys
    assert b"".join(records) in written.data
    assert_same(source, written.data)
    written.check()


def test_what_cannot_be_copied_comes_between(tmp_path: Path) -> None:
    """The old opcode of an expiry, old scores, one that is none, streams, many databases: these are written anew."""
    old = b"\xfd" + (1_900_000_000).to_bytes(4, "little") + text(b"seconds")
    never = expiring(text(b"never"), -1)
    score = b"\x03" + make.string(b"score") + b"\x01" + make.string(b"m") + b"\x011"
    both = b"\xf8\x05\xf9\x05" + text(b"both")
    source = whole_rdb(
        make.select(0),
        *texts(b"a", 200), old, *texts(b"b", 200), never, *texts(b"c", 200), score, *texts(b"d", 200), both,
        *texts(b"e", 200), b"\xfa" + make.string(b"note") + make.string(b"in the middle"), *texts(b"f", 200),
        make.select(99), *texts(b"g", 200),
    )  # fmt: skip
    written = Written(source, tmp_path)
    # A server has 16 databases by default, and the note about more of them names a key.
    assert written.copied.keys == 6 * 200
    assert written.transfer.keys == 7 * 200 + 4
    assert len(written.transfer.losses) == 1
    assert old not in written.data
    assert never not in written.data
    assert_same(source, written.data)
    written.check()


def test_eviction_data_is_copied(tmp_path: Path) -> None:
    records = [b"\xf9\x07" + row for row in texts(b"f", 200)]
    records += [b"\xf8\x41\x00" + row for row in texts(b"i", 200)]
    # What precedes the first key is read ahead, with an opcode of that key.
    written = Written(whole_rdb(make.select(0), text(b"first"), *records), tmp_path)
    assert written.copied.keys == 401
    assert b"".join(records) in written.data
    written.check()


def test_few_records_are_not_worth_a_run(tmp_path: Path) -> None:
    written = Written(whole_rdb(make.select(0), *texts(b"a", 20)), tmp_path)
    assert written.copied.keys == 0
    written.check()


def test_a_file_without_checksum_is_not_copied(tmp_path: Path) -> None:
    source = b"REDIS0004" + make.select(0) + b"".join(texts(b"a", 300)) + b"\xff"
    written = Written(source, tmp_path)
    assert written.copied.keys == 0
    assert_same(source, written.data)
    written.check()


def test_member_expiries_belong_to_their_record(tmp_path: Path) -> None:
    """Those of KeyDB follow a value: it is never copied without them."""
    aux = b"\xfa" + make.string(b"keydb-subexpire-key") + make.string(b"a")
    aux += b"\xfa" + make.string(b"keydb-subexpire-when") + make.string(b"1900000000000")
    sets = [b"\x02" + make.string(b"set%d" % index) + b"\x01" + make.string(b"a") for index in range(900)]
    source = whole_rdb(make.select(0), *sets, b"\x02" + make.string(b"last") + b"\x01" + make.string(b"a"), aux,
                       magic=b"REDIS0009")  # fmt: skip
    pieces: list[bytes] = []
    encoder = Rdb(pieces.append, version=9, copies=True)
    copied = CopiedRecords(encoder)
    seen = Records()
    with open_rdb(source) as reader:
        reader.feed(Copying(seen, copied))
    assert 0 < copied.keys <= 900
    *_, last = [record for record in seen.take() if isinstance(record, KeyRecord)]
    assert last.key == b"last"
    assert last.member_expiries == ((b"a", 1_900_000_000_000),)


@pytest.mark.parametrize("size", [1 << 17, 1 << 19, 1 << 21, 5 << 20])
def test_large_values(size: int, tmp_path: Path) -> None:
    """A window can end within a record; and a large one, that does not come as it is stored, in parts."""
    large = b"\x02" + make.string(b"set") + make.length(size // 64) + b"".join(
        make.string(b"%060d" % index) for index in range(size // 64)
    )  # fmt: skip
    source = whole_rdb(make.select(0), *texts(b"a", 900, 700), text(b"large", size), large, *texts(b"b", 900, 700))
    written = Written(source, tmp_path)
    assert written.copied.keys >= 1800
    assert written.transfer.keys == 1802
    assert_same(source, written.data)
    written.check()


def test_a_selection_counts(tmp_path: Path) -> None:
    """As many records are passed on as are asked for, and only those that are."""
    source = whole_rdb(make.select(0), *texts(b"a", 900))
    for selection, keys in (
        (Selection(limit=333), 333),
        (Selection(patterns=[re.compile(b"a:1")]), 111),
        (Selection(kinds=["hash"]), 0),
        (Selection(expired=False), 900),
    ):
        pieces: list[bytes] = []
        encoder = Rdb(pieces.append, copies=True)
        with open_rdb(source) as reader:
            reader.feed(Copying(encoder, CopiedRecords(encoder)), selection=selection)
        encoder.close()
        assert len(records_of(b"".join(pieces))) == keys


# ---- reading back --------------------------------------------------------------------------------


@pytest.fixture
def written(tmp_path: Path) -> Written:
    old = b"\xfd" + (1_900_000_000).to_bytes(4, "little") + text(b"seconds")
    records = [*texts(b"a", 300), old, *texts(b"b", 300)]
    return Written(whole_rdb(make.select(2), *records, make.select(3), *texts(b"c", 300)), tmp_path)


def change_value(data: bytes) -> bytes:
    """Change a value, and nothing else."""
    at = data.index(text(b"b:77")) + len(text(b"b:77")) - 1
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def change_key(data: bytes) -> bytes:
    return data.replace(b"a:77", b"a:7x")


def change_expiry(data: bytes) -> bytes:
    at = data.index((1_900_000_000_000).to_bytes(8, "little"))
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def lose_record(data: bytes) -> bytes:
    return data.replace(text(b"a:50"), b"")


def add_record(data: bytes) -> bytes:
    return data.replace(text(b"a:50"), text(b"a:50") + text(b"extra"))


def change_db(data: bytes) -> bytes:
    return data.replace(b"\xfe\x03", b"\xfe\x04")


def swallow_record(data: bytes) -> bytes:
    """Make one record of two, that is as long."""
    one, other = text(b"b:100"), text(b"b:101")
    assert one + other in data
    size = len(one + other) - 1 - len(make.string(b"b:100")) - 2
    grown = b"\x00" + make.string(b"b:100") + bytes([0x40 | size >> 8, size & 0xFF]) + b"x" * size
    assert len(grown) == len(one + other)
    return data.replace(one + other, grown)


def drop_old(data: bytes) -> bytes:
    return data.replace(expiring(text(b"seconds")), b"")


CHANGES = [change_value, change_key, change_expiry, lose_record, add_record, change_db, swallow_record, drop_old]


@pytest.mark.parametrize("change", CHANGES)
def test_what_differs_is_found(change: Callable[[bytes], bytes], written: Written) -> None:
    """Even with the checksum that belongs to it: then it is not what was written."""
    assert written.copied.keys == 900
    written.check()
    with pytest.raises(InvalidDataError):
        written.check(change(written.data))
    with pytest.raises(InputError, match="what was written is not what was read") as found:
        written.check(sealed(change(written.data)))
    assert not isinstance(found.value, InvalidDataError)


def test_a_file_that_is_cut_is_found(written: Written) -> None:
    for size in (len(written.data) - 1, len(written.data) - 9, len(written.data) // 2):
        with pytest.raises(RdbToolError):
            written.check(written.data[:size])


def test_who_reads_back_passes_by_what_was_copied(written: Written) -> None:
    sums, seen = Fingerprint(), Records()
    for sink in (sums, seen):
        beside = BesideCopied(sink, written.copied)
        with open_rdb(written.data) as reader:
            reader.feed(beside)
        assert beside.keys == 900
        assert beside.checksum == written.copied.checksum
    assert sums.keys == 1
    assert [record.key for record in seen.take() if isinstance(record, KeyRecord)] == [b"seconds"]


# ---- repair --------------------------------------------------------------------------------------


def test_repair_copies_runs(tmp_path: Path) -> None:
    """What is rebuilt, dropped, or lost comes between them."""
    twice = b"\x02" + make.string(b"twice") + b"\x02" + make.string(b"m") + make.string(b"m")
    damaged = b"\x10" + make.string(b"bad") + make.string(b"\xff" * 20)
    empty = b"\x02" + make.string(b"empty") + b"\x00"
    nan = make.key(
        5, b"nan", make.length(2) + make.string(b"m") + b"\0\0\0\0\0\0\xf8\x7f" + make.string(b"n") + bytes(8)
    )
    groups = [texts(b"%c" % name, 200) for name in b"abcdefg"]
    between = [twice, damaged, empty, nan, text(b"a:5", 50), text(b"last")]
    parts = [row for group, other in zip(groups, [*between, b""], strict=True) for row in (*group, other)]
    source = tmp_path / "in.rdb"
    source.write_bytes(whole_rdb(make.select(0), *parts))
    done = repair(str(source), str(tmp_path / "out.rdb"))
    result = {record.key: record for record in records_of((tmp_path / "out.rdb").read_bytes(), backend="grammar")}
    assert done.keys == len(result) == 7 * 200 + 3
    assert [len(result[key].value) for key in (b"twice", b"nan")] == [1, 1]
    expected = records_of(whole_rdb(make.select(0), *(row for group in groups for row in group)), backend="grammar")
    for record in expected:
        assert facts(result[record.key]) == facts(record) or record.key == b"a:5"
    assert len(result[b"a:5"].value) == 50
    assert done.digest is not None


@pytest.mark.parametrize("jobs", [2, 3])
def test_reading_back_in_ranges(jobs: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies of the process pass by what was copied, and count it."""
    old = b"\xfd" + (1_900_000_000).to_bytes(4, "little")
    rows = [old + row if index % 400 == 7 else row for index, row in enumerate(texts(b"a", 4000))]
    written = Written(whole_rdb(make.select(0), *rows, make.select(1), *texts(b"b", 4000)), tmp_path)
    monkeypatch.setattr(reader_of_rdb, "_LARGE", 0)
    monkeypatch.setattr(ranges, "_LEAST", 1)
    monkeypatch.setattr(ranges, "_RANGE", 10_000)
    with at_most(jobs):
        written.check()
        with pytest.raises(InputError, match="is not what was read"):
            written.check(sealed(written.data.replace(text(b"b:77"), b"")))
