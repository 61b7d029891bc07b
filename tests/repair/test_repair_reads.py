"""A repair reads its input at most three times, and the RDB that it wrote once."""

from __future__ import annotations

import os
import random
from collections import Counter
from pathlib import Path

import pytest

from rdbtool.core.servers import Target
from rdbtool.io.source import Source
from rdbtool.model import HashValue, KeyRecord, StringValue, ZSetValue
from rdbtool.operations.repair.run import repair
from rdbtool.operations.salvage.input import Stock
from rdbtool.writer.rdb import write_rdb


def make_file(keys: int = 24_000) -> bytearray:
    """Return an RDB of 5 MB; members of its sorted sets have eight NUL bytes each for a score of 0."""
    rng = random.Random(4)
    data = bytearray()
    values = [
        lambda: StringValue(rng.randbytes(250)),
        lambda: HashValue([(b"name", rng.randbytes(90)), (b"size", b"%d" % rng.randrange(1 << 30))]),
        lambda: ZSetValue([(rng.randbytes(70), 0.0) for _ in range(3)]),
    ]
    records = (KeyRecord(db=0, key=b"key:%06d" % index, value=values[index % 3]()) for index in range(keys))
    write_rdb(records, data.extend, Target("REDIS", 11))
    return data


@pytest.fixture(scope="module")
def whole() -> bytes:
    return bytes(make_file())


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count the bytes that are read of every source, by its name, and of all together as the kernel does."""
    counts: Counter[str] = Counter()
    read, read_once, readinto = Stock._read, Stock.read_once, Source._readinto_raw

    def count_read(stock: Stock, start: int, stop: int) -> bytes:
        data = read(stock, start, stop)
        counts[Path(stock.name).name.partition(".rdb")[0]] += len(data)
        return data

    def count_read_once(stock: Stock, view: memoryview, at: int) -> int:
        before = counts.total()
        size = read_once(stock, view, at)
        if counts.total() == before:
            counts[Path(stock.name).name.partition(".rdb")[0]] += size
        return size

    def count_readinto(source: Source, view: memoryview) -> int:
        size = readinto(source, view)
        counts[Path(source.name).name.partition(".rdb")[0]] += size
        return size

    monkeypatch.setattr(Stock, "_read", count_read)
    monkeypatch.setattr(Stock, "read_once", count_read_once)
    monkeypatch.setattr(Source, "_readinto_raw", count_readinto)
    return counts


def kernel_reads() -> int:
    with open("/proc/self/io", encoding="ascii") as file:
        return int(file.readline().split()[1])


def flip(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for third in range(3):
        changed[len(data) * (third + 1) // 4] ^= 1 << rng.randrange(8)
    return bytes(changed)


def repeat_keys(data: bytes, rng: random.Random) -> bytes:
    """Give some keys the name of another one, and break a record beside."""
    changed = bytearray(flip(data, rng))
    for index in (3_000, 9_000, 15_000):
        at = changed.index(b"key:%06d" % index)
        changed[at : at + 10] = b"key:%06d" % (index + 3)
    return bytes(changed)


@pytest.mark.skipif(not os.access("/proc/self/io", os.R_OK), reason="the kernel does not count")
@pytest.mark.parametrize("damage", [flip, repeat_keys, lambda data, _: data[: len(data) * 9 // 10]])
def test_how_often_bytes_are_read(damage, whole: bytes, reads: Counter[str], tmp_path: Path) -> None:
    source, result = tmp_path / "in.rdb", tmp_path / "out.rdb"
    source.write_bytes(damage(whole, random.Random(8)))
    repair(str(source), str(tmp_path / "first.rdb"))  # imports what it needs
    reads.clear()
    before = kernel_reads()
    done = repair(str(source), str(result))
    total = kernel_reads() - before
    assert done.lost
    size, written = source.stat().st_size, result.stat().st_size
    assert done.keys > 20_000
    assert reads["in"] <= 3 * size
    assert reads[".out"] <= 1.1 * written
    assert total <= 3.1 * size + 1.1 * written


def test_what_is_whole_is_read_twice(whole: bytes, reads: Counter[str], tmp_path: Path) -> None:
    source, result = tmp_path / "in.rdb", tmp_path / "out.rdb"
    source.write_bytes(whole)
    assert repair(str(source), str(result)).lost == ()
    assert reads["in"] <= 2.1 * len(whole)
    assert reads[".out"] <= 1.1 * len(whole)


def command(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


def test_an_aof_is_read_three_times(reads: Counter[str], tmp_path: Path) -> None:
    """To find what is intact, to find where it goes on behind damage, and to copy it; the result is then replayed."""
    rng = random.Random(6)
    data = bytearray(b"".join(command(b"SET", b"k%d" % index, rng.randbytes(500)) for index in range(15_000)))
    at = data.index(b"$3\r\nSET\r\n$5\r\nk5000")
    data[at : at + 2] = b"$9"
    source = tmp_path / "in.rdb"
    source.write_bytes(data)
    done = repair(str(source), str(tmp_path / "out.rdb"))
    assert done.commands == 14_999
    assert reads["in"] <= 3.1 * len(data)
    assert reads[".out"] <= 2.1 * done.bytes


def test_an_aof_that_consists_of_damage_is_read_once(reads: Counter[str], tmp_path: Path) -> None:
    rng = random.Random(3)
    data = bytearray(b"".join(command(b"SET", b"k%05d" % index, b"%010d" % index) for index in range(12_000)))
    for at in range(20, len(data), 500):
        data[at] ^= 1 << rng.randrange(8)
    source = tmp_path / "in.rdb"
    source.write_bytes(data)
    done = repair(str(source), str(tmp_path / "out.rdb"))
    assert len(done.lost) > 500
    assert done.commands > 11_000
    assert reads["in"] <= 1.1 * len(data)
    assert reads[".out"] <= 2.1 * done.bytes
