"""Memory stays within a small multiple of the input and of one inflated string, whatever comes out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from codec.driving import make, rdb

pytestmark = pytest.mark.memory

PROGRAM = """
import os, resource, sys
from rdbtool._codec.encode.json import Json
from rdbtool._codec.encode.jsonl import Jsonl
from rdbtool._codec.encode.keys import Keys
from rdbtool._codec.encode.resp import Resp
from rdbtool._codec.sinks.digest import Digest
from rdbtool._codec.sinks.fingerprint import Fingerprint
from rdbtool.reader.rdb import open_rdb
form, path = sys.argv[1:]
size = 0
def write(data):
    global size
    size += len(data)
sink = {
    "jsonl": lambda: Jsonl(write),
    "json": lambda: Json(write),
    "json-base64": lambda: Json(write, "base64"),
    "resp": lambda: Resp(write),
    "restore": lambda: Resp(write, restore=True),
    "keys": lambda: Keys(write),
    "digest": lambda: Digest("redis-7.0"),
    "fingerprint": lambda: Fingerprint(),
}[form]()
with open_rdb(path) as reader:
    reader.feed(sink)
sink.close()
if os.path.exists("/proc/self/status"):
    # Where there is this, ru_maxrss begins with what the parent process had.
    most = next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))
else:
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
print(size, most)
"""

MIB = 1 << 20


def run(form: str, path: Path) -> tuple[int, int]:
    """Return how much a sink wrote and the most memory that the process had, in bytes."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, form, str(path)], capture_output=True, text=True, timeout=120, check=True
    )
    size, most = map(int, done.stdout.split())
    return size, most


@pytest.fixture(scope="module")
def zeros(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("memory") / "zeros.rdb"
    path.write_bytes(rdb(make.key(0, b"k", make.compressed(bytes(64 * MIB)))))
    return path


@pytest.mark.parametrize(
    ("form", "size"),
    [("jsonl", 384), ("json", 384), ("json-base64", 85), ("resp", 64), ("restore", 0), ("keys", 0), ("digest", 0),
     ("fingerprint", 0)],
)  # fmt: skip
def test_one_large_string(zeros: Path, form: str, size: int) -> None:
    """64 MiB of zeros, which JSON shows as six characters each."""
    wrote, most = run(form, zeros)
    assert size * MIB <= wrote < (size + 1) * MIB
    assert most < 192 * MIB


@pytest.mark.parametrize("form", ["jsonl", "json", "resp"])
def test_many_large_strings_in_one_value(tmp_path: Path, form: str) -> None:
    """A list of 40 strings of 16 MiB: far more than the process may have at once."""
    path = tmp_path / "list.rdb"
    path.write_bytes(rdb(make.key(1, b"l", make.counted(*[make.compressed(b"x" * 16 * MIB)] * 40))))
    wrote, most = run(form, path)
    assert 640 * MIB <= wrote < 641 * MIB
    assert most < 192 * MIB


@pytest.mark.parametrize("form", ["jsonl", "json", "resp", "digest"])
def test_many_keys(tmp_path: Path, form: str) -> None:
    """Output is handed on as it comes, and nothing is kept of a key that was told."""
    path = tmp_path / "many.rdb"
    path.write_bytes(rdb(*[make.key(0, b"key", make.compressed(b"x" * 100_000))] * 3000))
    wrote, most = run(form, path)
    assert wrote > 285 * MIB or form == "digest"
    assert most < 64 * MIB
