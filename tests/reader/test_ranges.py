"""One file in ranges: what several processes print is what one prints, bytes, messages and exit code."""

from __future__ import annotations

import contextlib
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
from rdbtool.io.source import crc64
from rdbtool.reader import range_workers, ranges, rdb

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


def copies(process: subprocess.Popen[bytes]) -> list[int]:
    """Return the processes that another one made, once there are three."""
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    for _ in range(500):
        found = [int(word) for word in listed.read_text().split()]
        if len(found) == 3:
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
