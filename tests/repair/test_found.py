"""What a repair finds within damage is marked, and never displaces what the sequence of records holds."""

from __future__ import annotations

import gzip
import os
import random
import time
from pathlib import Path

import pytest
from command import FIXTURES
from sampling import sample

from rdbtool.core.errors import LimitError, UnknownFormatError
from rdbtool.core.limits import limited
from rdbtool.model import KeyRecord
from rdbtool.operations.repair.report import Repaired
from rdbtool.operations.repair.run import repair
from rdbtool.operations.validate.run import validate
from tests.repair.random_damage import KINDS, Original, compare, make, read

DAMAGE = FIXTURES / "cases" / "damage"
HEADER = b"REDIS0011\xfe\x00"

#: Damages of the random test, and what they begin with: another number makes others.
COUNT = int(os.environ.get("RDBTOOL_DAMAGES", "28"))
SEED = int(os.environ.get("RDBTOOL_DAMAGE_SEED", "5"))


def repaired(data: bytes, directory: Path) -> tuple[Repaired, dict[bytes, KeyRecord]]:
    source, result = directory / "in.rdb", directory / "out.rdb"
    source.write_bytes(data)
    result.unlink(missing_ok=True)
    done = repair(str(source), str(result))
    assert validate(result.read_bytes()).answer == "valid"
    return done, {record.key: record for record in read(result.read_bytes())}


def records(name: str) -> dict[bytes, KeyRecord]:
    return {record.key: record for record in read((DAMAGE / name).read_bytes())}


def test_records_of_an_rdb_inside_of_a_value_are_none(tmp_path: Path) -> None:
    """Its length is damaged, and no checksum tells which byte it is."""
    original = records("embedded.rdb")
    blob = original[b"backup:blob"]
    assert blob.start is not None
    at = blob.start + 1 + 1 + len(b"backup:blob")
    for change in (0x80, 0x01, 0x08, 0x10, 0x40):
        damaged = bytearray((DAMAGE / "embedded.rdb").read_bytes()[:-8] + bytes(8))
        damaged[at] ^= change
        _, kept = repaired(bytes(damaged), tmp_path)
        assert kept.keys() <= original.keys(), change
        strange = [key for key in kept if kept[key].value != original[key].value]
        assert strange == [], change
        assert len(kept) >= len(original) - 2, change


def test_damage_within_a_stream_makes_no_keys(tmp_path: Path) -> None:
    original = records("pending.rdb")
    stream = original[b"jobs"]
    assert stream.start is not None
    assert stream.stop is not None
    rng = random.Random(4)
    for at in range(stream.start + 100, stream.stop - 4096, 25_000):
        damaged = bytearray((DAMAGE / "pending.rdb").read_bytes())
        damaged[at : at + 4096] = rng.randbytes(4096)
        _, kept = repaired(bytes(damaged), tmp_path)
        assert kept.keys() <= original.keys(), at
        assert len(original) - len(kept) <= 2, at


@pytest.mark.parametrize("byte", [b"\0", b"\xff", b"x", None])
def test_a_lost_beginning_costs_only_itself(byte: bytes | None, tmp_path: Path) -> None:
    data = (DAMAGE / "pages.rdb").read_bytes()
    first = random.Random(1).randbytes(4096) if byte is None else byte * 4096
    done, kept = repaired(first + data[4096:], tmp_path)
    assert len(kept) == done.keys == 458
    assert {"REP013", "REP018"} <= {lost.code for lost in done.lost}


@pytest.mark.parametrize("server", ["redis-7.4.1", "redis-8.0.6", "valkey-9.1.2"])
def test_without_a_beginning_it_is_known_whose_values_they_are(server: str, tmp_path: Path) -> None:
    """One number stands for two kinds of hashes."""
    data = (FIXTURES / server / "default.rdb").read_bytes()
    original = {(record.db, record.key): record for record in read(data)}
    _, kept = repaired(bytes(4096) + data[4096:], tmp_path)
    assert (tmp_path / "out.rdb").read_bytes().startswith(b"VALKEY" if server.startswith("valkey") else b"REDIS")
    assert {(row.db, row.key) for row in kept.values()} <= original.keys()
    assert all(row.value == original[row.db, row.key].value for row in kept.values())
    assert len(kept) > len(original) - 25


def test_what_is_no_rdb_is_not_searched_for_long(tmp_path: Path) -> None:
    for data in (random.Random(1).randbytes(1 << 17), b"JUNK" + b"\x00\x01\x01" * 10_000):
        (tmp_path / "in").write_bytes(data)
        with pytest.raises(UnknownFormatError):
            repair(str(tmp_path / "in"), None)


def test_what_is_found_is_named(tmp_path: Path) -> None:
    data = bytearray((DAMAGE / "pages.rdb").read_bytes())
    for at in (10_000, 20_000):
        data[at : at + 400] = bytes(range(200, 240)) * 10
    done, kept = repaired(bytes(data), tmp_path)
    [found] = [lost for lost in done.lost if lost.code == "REP017"]
    assert (found.is_kept, 10_000 < found.start < found.stop < 20_200) == (True, True)
    [silent] = [lost for lost in done.lost if lost.code == "REP018"]
    assert "the checksum is wrong" in silent.message
    assert len(kept) >= 484


def test_a_limit_of_our_own_is_no_damage(tmp_path: Path) -> None:
    value = b"\x80" + (80 << 20).to_bytes(4, "big") + bytes(80 << 20)
    source = tmp_path / "in.rdb.gz"
    with gzip.open(source, "wb", compresslevel=1) as file:
        file.write(HEADER + b"\x00\x01a\x01b\x00\x01k" + value + b"\xff" + bytes(8))
    with limited("64MiB"), pytest.raises(LimitError) as caught:
        repair(str(source), str(tmp_path / "out.rdb"))
    assert caught.value.exit_code == 3
    assert not (tmp_path / "out.rdb").exists()


@pytest.mark.parametrize(
    "waste",
    [
        b"\x00\x01\x01",
        b"\x00\x03abc\x80\x00\x10\x00\x00",
        b"REDIS0011\xfa\x01a\x01b",
        b"\xfe\x01\xfb\x01\x01",
        b"\xff",
        b"\x00",
    ],
)
def test_files_made_to_waste_the_search_cost_time_in_proportion(waste: bytes) -> None:
    taken = []
    for size in (1 << 14, 1 << 16):
        data = HEADER + b"\xe0" + waste * (size // len(waste))
        began = time.process_time()
        repair(data, None)
        taken.append(time.process_time() - began)
    assert taken[1] < 10 * taken[0] + 1


def test_random_damage(tmp_path: Path) -> None:
    """A sample of each kind over files of several servers; RDBTOOL_DAMAGES says of how many."""
    names = ("redis-2.8.24", "redis-5.0.14", "redis-7.0.15", "valkey-9.1.2")
    originals = [Original(FIXTURES / name / "default.rdb") for name in names]
    hit = lost = 0
    for kind, original, damaged in sample(make(COUNT, originals, SEED), max(10, COUNT // 3), each=lambda row: row[0]):
        result = compare(original, damaged, tmp_path)
        assert result.wrong == [], (kind, original.name, damaged.hit)
        hit += len(original.hit(damaged.hit))
        lost += result.lost
    assert len(KINDS) > COUNT or lost <= hit + COUNT
