"""Large and damaged sources: nothing half, nothing twice, and no more memory than a record takes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from codec.driving import FILES, FIXTURES, make, name_of, rdb, records_of
from codec.test_windows import large_file, trickled
from sampling import sample
from specimen import specimen
from writer.saving import fingerprint, read_back, saved

from rdbtool import RdbToolError
from rdbtool._codec.encode.rdb import Rdb
from rdbtool._codec.filters.selection import Selection
from rdbtool._codec.filters.target import TargetFilter
from rdbtool._codec.replay_record import feed_record
from rdbtool.core.errors import InputError, LossError
from rdbtool.core.servers import Target
from rdbtool.model import KeyRecord, StringValue
from rdbtool.reader.rdb import open_rdb
from rdbtool.writer.rdb import write_rdb

MIB = 1 << 20
SELECT_0, SELECT_9 = specimen("FE 00"), specimen("FE 09")


@pytest.mark.parametrize("compress", [True, False], ids=["lzf", "plain"])
def test_large_records(compress: bool) -> None:
    whole, written = saved(large_file(), compress=compress)
    assert saved(trickled(large_file(), 300_007), compress=compress)[0] == whole
    assert read_back(whole) == records_of(large_file())
    assert fingerprint(whole) == fingerprint(large_file())
    assert (len(whole) > 24 * MIB) == (not compress)
    assert [loss for loss in written.losses if loss.severity == "loss"] == []


def until_damage(data: bytes) -> bytes:
    """Return what is written of a damaged file, with an end put behind it."""
    pieces: list[bytes] = []
    with open_rdb(data) as reader:
        sink = Rdb(pieces.append, version=reader.header.version, checksum=False)
        with pytest.raises(RdbToolError):
            reader.feed(sink)
    sink.flush()
    before = len(b"".join(pieces))
    sink.close()
    assert b"".join(pieces)[before:] == b"\xff" + bytes(8)
    return b"".join(pieces)


KINDS = {
    code: path
    for path in (FIXTURES / "redis-2.8.24" / "nolzf.rdb", FIXTURES / "redis-7.0.15" / "nolzf.rdb")
    for code in sorted({record.type_code for record in records_of(path)})
}


@pytest.mark.parametrize("code", KINDS)
def test_a_damaged_record_leaves_nothing(code: int) -> None:
    """Not its SELECTDB and expiry either."""
    data = KINDS[code].read_bytes()
    found = next(record for record in records_of(KINDS[code]) if record.type_code == code)
    bad = data[found.start : found.stop]
    start = SELECT_0 + make.key(0, b"good", make.string(b"v"))
    for cut in range(1, len(bad), max(1, len(bad) // 40)):
        damaged = rdb(start, SELECT_9, make.expire(make.FAR_MS) + bad[:cut])[:-9]
        assert until_damage(damaged) == rdb(start)


def test_a_record_that_is_taken_back_takes_its_table_sizes_along() -> None:
    """They stand in front of the next record of the db."""
    sizes = specimen("FB 02 00")
    sink_of: list[bytes] = []
    sink = TargetFilter(Rdb(sink_of.append, version=9, checksum=False, sizes={9: (2, 0)}), version=9)
    good = KeyRecord(db=9, key=b"k", value=StringValue(b"v"))
    with pytest.raises(LossError):
        feed_record(KeyRecord(db=9, key=b"k", value=StringValue(b"v"), meta=b"\x00"), sink)
    feed_record(good, sink)
    sink.close()
    assert b"".join(sink_of) == rdb(SELECT_9, sizes, make.key(0, b"k", make.string(b"v")), magic=b"REDIS0009")


def test_failing_output() -> None:
    def write(data: bytes) -> None:
        raise InputError("the disk is full")

    with open_rdb(large_file()) as reader, pytest.raises(InputError, match="full"):
        write_rdb(reader, write, Target("REDIS", 11))


def test_a_selection() -> None:
    """Only the selected keys, and no table sizes, which would be those of all."""
    path = next(path for path in FILES if name_of(path) == "redis-7.0.15/default")
    wanted = [record for record in records_of(path) if record.kind == "hash"]
    data, written = saved(path, selection=Selection(kinds=["hash"]))
    assert read_back(data) == wanted
    assert written.keys == len(wanted)
    with open_rdb(data) as reader:
        assert not any(type(item).__name__ == "ResizeDb" for item in reader.items())
    with pytest.raises(TypeError):
        write_rdb(wanted, lambda data: None, Target("REDIS", 11), selection=Selection(kinds=["hash"]))


PROGRAM = """
import os, resource, sys
from rdbtool._codec.encode.rdb import Rdb
from rdbtool.reader.rdb import open_rdb
path, version, compress = sys.argv[1:]
sizes = []
sink = Rdb(lambda data: sizes.append(len(data)), version=int(version), compress=compress == "lzf")
with open_rdb(path) as reader:
    reader.feed(sink)
sink.close()
if os.path.exists("/proc/self/status"):
    # Where there is this, ru_maxrss begins with what the parent process had.
    most = next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))
else:
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
print(sum(sizes), max(sizes), most)
"""


def run(path: Path, version: int, form: str) -> tuple[int, int, int]:
    """Return how much was written, the largest piece of it, and the most memory that the process had, in bytes."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(path), str(version), form],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    total, piece, most = map(int, done.stdout.split())
    return total, piece, most


@pytest.mark.memory
@pytest.mark.parametrize(("form", "size"), [("lzf", 0), ("plain", 64)])
def test_memory_of_one_large_string(tmp_path: Path, form: str, size: int) -> None:
    path = tmp_path / "zeros.rdb"
    path.write_bytes(rdb(make.key(0, b"k", make.compressed(bytes(64 * MIB)))))
    total, piece, most = run(path, 9, form)
    assert size * MIB <= total < (size + 1) * MIB
    assert piece <= MIB
    assert most < 192 * MIB


@pytest.mark.memory
@pytest.mark.parametrize("version", sample([6, 9, 11, 12], 2))
def test_memory_of_many_large_strings_in_one_value(tmp_path: Path, version: int) -> None:
    """A list of 40 strings of 16 MiB: far more than the process may have at once, but small when compressed."""
    path = tmp_path / "list.rdb"
    path.write_bytes(rdb(make.key(1, b"l", make.counted(*[make.compressed(b"x" * 16 * MIB)] * 40))))
    total, _, most = run(path, version, "lzf")
    assert total < 10 * MIB
    assert most < 192 * MIB


@pytest.mark.memory
def test_memory_of_many_keys(tmp_path: Path) -> None:
    path = tmp_path / "many.rdb"
    path.write_bytes(rdb(*[make.key(0, b"key", make.compressed(b"x" * 100_000))] * 1500))
    total, _, most = run(path, 9, "plain")
    assert total > 140 * MIB
    assert most < 64 * MIB
