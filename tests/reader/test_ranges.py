"""One file in ranges: what several processes print is what one prints, bytes, messages and exit code."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import os
import random
import signal
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.command import COMMAND, FIXTURES, NOW, environment, hear_signals, run
from support.sampling import SEED, sample

from rdbtool._codec.decode.skip_scan import checksum_behind
from rdbtool.io import shared, source
from rdbtool.io.source import crc64
from rdbtool.reader import range_workers, ranges, rdb

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

FILES = sorted(FIXTURES.rglob("*.rdb"))

LINES = (
    *(f"dump -f {form} --now {NOW}" for form in ("json", "jsonl", "csv", "keys", "resp", "resp --restore")),
    f"dump -f json --escape base64 -t hash -t zset --now {NOW}",
    "dump -f csv --fields name,f1 --glob *1*",
    "dump -f resp --replace --db 1",
    "dump -f resp --target redis-6.2 --allow-loss",
    "dump -f json --limit 5",
    f"digest --now {NOW}",
    f"validate --json --now {NOW}",
    f"validate --level server --now {NOW}",
    f"stats --json --now {NOW}",
)


def cut(data: bytes, dice: random.Random) -> bytes:
    return data[: dice.randrange(len(data))]


def flip(data: bytes, dice: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(dice.randrange(1, 4)):
        changed[dice.randrange(9, len(data))] ^= 1 << dice.randrange(8)
    return bytes(changed)


def double(data: bytes, dice: random.Random) -> bytes:
    """The first keys once more: duplicates, if the cut is between two records."""
    middle = dice.randrange(len(data))
    return data[:middle] + data[middle // 2 :]


def fill(data: bytes, dice: random.Random) -> bytes:
    """Zeros, which are framing too."""
    at = dice.randrange(len(data))
    return data[:at] + bytes(64) + data[at + 64 :]


def whole(data: bytes, _dice: random.Random) -> bytes:
    return data


CELLS = [(path, change, line) for path in FILES for change in (whole, cut, flip, double, fill) for line in LINES]


@pytest.fixture
def divided(monkeypatch):
    """Divide small files too, into ranges of this many bytes at least."""

    def divide(size: int, least: int = 1) -> None:
        monkeypatch.setattr(rdb, "_LARGE", 0)
        monkeypatch.setattr(ranges, "_LEAST", least)
        monkeypatch.setattr(ranges, "_RANGE", size)
        monkeypatch.setattr(ranges, "_SHORT_PAUSE", 1)
        monkeypatch.setattr(ranges, "_LONG_PAUSE", 1)

    return divide


@pytest.mark.parametrize(
    ("path", "change", "line"),
    sample(CELLS, 24, each=lambda cell: cell[1]),
    ids=lambda part: part.name if isinstance(part, Path) else getattr(part, "__name__", part),
)
def test_the_same_for_any_number(divided, tmp_path, path, change, line):
    dice = random.Random(zlib.crc32(f"{SEED} {path.name} {change.__name__} {line}".encode()))
    file = tmp_path / "x.rdb"
    file.write_bytes(change(path.read_bytes(), dice))
    alone = run(*line.split(), file, "--jobs", "1")
    # Where something stands between any two keys, there is no range of many.
    divided(dice.choice((1, 40, 1000)), 1000 if path.name == "slots.rdb" else 1)
    assert run(*line.split(), file, "--jobs", dice.choice("28")) == alone


# ---- compressed files ----------------------------------------------------------------------------


def gzip_members(data: bytes) -> bytes:
    """Small ones, so that there are many pieces."""
    return b"".join(gzip.compress(data[at : at + 3000], 1, mtime=0) for at in range(0, len(data), 3000))


PACKERS = (
    gzip_members,
    lambda data: gzip.compress(data, 1, mtime=0),
    lambda data: bz2.compress(data, 1),
    lambda data: lzma.compress(data, preset=0),
    lambda data: zstd.compress(data, 1),
)


@pytest.fixture
def narrow(monkeypatch):
    """Hold little of what is decompressed."""

    def hold(size: int) -> None:
        monkeypatch.setattr(source, "_LONG", 1 << 20)
        monkeypatch.setattr(shared, "SIZE", size)
        monkeypatch.setattr(shared, "BEFORE", size // 2)
        monkeypatch.setattr(shared, "_LEAST", 1 << 8)
        monkeypatch.setattr(shared, "_ANNOUNCED", 1 << 9)

    return hold


def made_keys(dice: random.Random) -> bytes:
    """Some megabytes of strings, a few of which are large, in two dbs."""
    records = []
    for number in range(3000):
        size = dice.choice((1, 20, 300, 4000)) if dice.random() < 0.999 else 1 << dice.randrange(14, 21)
        text = b"".join(b"%x" % dice.getrandbits(64) for _ in range(1 + size // 16))[:size].ljust(size, b"-")
        if number == 1800:
            records.append(b"\xfe\1")
        records.append(b"\0\x07k%06d\x80" % number + len(text).to_bytes(4, "big") + text)
    body = b"REDIS0011\xfe\0" + b"".join(records) + b"\xff"
    return body + crc64(body).to_bytes(8, "little")


@pytest.mark.parametrize("pack", PACKERS, ids=("members", "gzip", "bzip2", "xz", "zstd"))
@pytest.mark.parametrize("change", [whole, cut, flip, "packed and cut", "packed and flipped"])
def test_compressed_the_same_for_any_number(divided, narrow, tmp_path, monkeypatch, pack, change):
    dice = random.Random(zlib.crc32(f"{SEED} {pack} {change}".encode()))
    data = made_keys(dice) if dice.random() < 0.7 else dice.choice(FILES).read_bytes()
    file = tmp_path / "x.rdb"
    if callable(change):
        file.write_bytes(pack(change(data, dice)))
    else:
        packed = pack(data)
        # The beginning decides whether it is a compressed file at all.
        start = min(64, len(packed) // 2)
        file.write_bytes(packed[:start] + (cut if change == "packed and cut" else flip)(packed[start:], dice))
    line = (*dice.choice(LINES).split(), file)
    narrow(dice.choice((1 << 20, 1 << 21, 16 << 20)))
    alone = run(*line, "--jobs", "1")
    divided(dice.choice((1000, 20_000)), dice.choice((1, 3000)))
    made: list[int] = []
    make = shared.Shared.__init__
    monkeypatch.setattr(shared.Shared, "__init__", lambda *args: made.append(1) or make(*args))
    assert run(*line, "--jobs", dice.choice("28")) == alone
    assert made or change is not whole or "--limit" in line or len(data) < 2 << 20


@pytest.fixture(scope="module")
def packed_strings(strings):
    path = strings.parent / "strings.rdb.gz"
    data = strings.read_bytes()
    path.write_bytes(gzip.compress(data[:11] + data[11:-9] * 4 + data[-9:], 1))
    return path


NARROW = (
    "from rdbtool.io import source, shared as s; "
    "source._LONG = s.SIZE = 1 << 20; s.BEFORE = 1 << 19; s._ANNOUNCED = 1 << 12; "
)


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -9), (signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_the_process_that_decompresses_ends_with_the_first_process(packed_strings, number, code):
    with started(packed_strings, "dump", "-f", "json", before=NARROW) as process:
        process.stdout.read(3 << 19)
        made = copies(process)
        process.send_signal(number)
        assert process.wait(20) == code
        assert process.stderr.read() == b""
        assert are_gone(made)


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_the_process_that_decompresses_is_killed(packed_strings):
    with started(packed_strings, "dump", "-f", "json", before=NARROW) as process:
        process.stdout.read(3 << 19)
        os.kill(min(copies(process)), signal.SIGKILL)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 3
    assert b"the process that decompresses it was ended" in err


@pytest.mark.parametrize("failing", ["os.fork", "os.pipe", "s.mmap.mmap"])
def test_no_process_that_decompresses_to_be_had(packed_strings, failing):
    before = f"{NARROW}\nimport os\ndef fail(*_): raise OSError(11, 'no more')\n{failing} = fail\n"
    with started(packed_strings, "digest", before=before) as process:
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, run("digest", packed_strings, "--jobs", "1").out, b"")


# ---- what ends a run -----------------------------------------------------------------------------

SMALL = (
    "from rdbtool.reader import rdb, ranges, range_workers as w; "
    "rdb._LARGE = 0; ranges._LEAST = ranges._SHORT_PAUSE = ranges._LONG_PAUSE = 1; ranges._RANGE = 4096; "
)


@pytest.fixture(scope="module")
def strings(tmp_path_factory):
    """20,000 strings: more than pipes hold."""
    records = b"".join(b"\0\x07k%06d\x40\x64" % number + bytes([97 + number % 26]) * 100 for number in range(20_000))
    path = tmp_path_factory.mktemp("ranges") / "strings.rdb"
    path.write_bytes(b"REDIS0011\xfe\0" + records + b"\xff" + bytes(8))
    return path


@contextlib.contextmanager
def started(path: Path, *words: str, before: str = "", stdout=subprocess.PIPE) -> Iterator[subprocess.Popen[bytes]]:
    line = [*COMMAND[:2], SMALL + before + COMMAND[2], *words, str(path), "--jobs", "3"]
    with subprocess.Popen(
        line, stdout=stdout, stderr=subprocess.PIPE, env=environment(), preexec_fn=hear_signals
    ) as process:
        yield process


def copies(process: subprocess.Popen[bytes], count: int = 3) -> list[int]:
    """Return the processes that another one made, once there are so many."""
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    for _ in range(500):
        found = [int(word) for word in listed.read_text().split()]
        if len(found) == count:
            return found
        time.sleep(0.01)
    raise AssertionError(found)


def are_gone(processes: list[int]) -> bool:
    for _ in range(500):
        if not any(Path(f"/proc/{each}").exists() and " Z " not in state_of(each) for each in processes):
            return True
        time.sleep(0.01)
    return False


def state_of(process: int) -> str:
    try:
        return Path(f"/proc/{process}/stat").read_text()
    except FileNotFoundError:
        return " Z "


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -9), (signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_copies_end_with_the_first_process(strings, number, code):
    # Nobody reads: it waits in the middle.
    with started(strings, "dump", "-f", "json") as process:
        made = copies(process)
        process.send_signal(number)
        assert process.wait(20) == code
        assert process.stderr.read() == b""
        assert are_gone(made)


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_copy_that_is_killed(strings):
    with started(strings, "dump", "-f", "json") as process:
        os.kill(copies(process)[1], signal.SIGKILL)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, run("dump", "-f", "json", strings, "--jobs", "1").out, b"")


def test_a_reader_that_has_enough(strings):
    with started(strings, "dump", "-f", "keys") as process:
        assert process.stdout.read(8) == b"k000000\n"
        process.stdout.close()
        assert (process.wait(20), process.stderr.read()) == (141, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is of Linux")
def test_no_room_for_the_output(strings):
    with open("/dev/full", "wb") as full, started(strings, "dump", "-f", "json", stdout=full) as process:
        _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (3, b"rdbtool: cannot write to standard output: No space left on device\n")


@pytest.mark.parametrize("failing", ["os.fork", "os.pipe", "w.mmap.mmap"])
def test_no_processes_to_be_had(strings, failing):
    before = f"import os\ndef fail(*_): raise OSError(11, 'no more')\n{failing} = fail\n"
    with started(strings, "digest", before=before) as process:
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, run("digest", strings, "--jobs", "1").out, b"")


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_file_that_shrinks(strings, tmp_path):
    path = tmp_path / "x.rdb"
    path.write_bytes(strings.read_bytes())
    with started(path, "dump", "-f", "json") as process:
        copies(process)
        os.truncate(path, 1_000_000)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 1
    assert b"found end of file" in err


# ---- pieces --------------------------------------------------------------------------------------


def test_results_larger_than_their_room(strings, divided, monkeypatch):
    divided(1000)
    monkeypatch.setattr(range_workers, "_ROOM_SIZE", 512)
    line = ("dump", "-f", "json", strings)
    assert run(*line, "--jobs", "2") == run(*line, "--jobs", "1")


def test_checksums_of_parts():
    dice = random.Random(SEED)
    for _ in range(20):
        one, other = dice.randbytes(dice.randrange(300)), dice.randbytes(dice.randrange(300))
        assert checksum_behind(crc64(one), crc64(other), len(other)) == crc64(one + other)
