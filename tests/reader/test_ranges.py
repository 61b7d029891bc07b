"""One file in ranges: what several processes print is what one prints, bytes, messages and exit code."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest
from support.command import COMMAND, FIXTURES, NOW, environment, run
from support.sampling import SEED, sample

from rdbtool._codec.decode.ranges import checksum_behind
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

    def divide(size: int) -> None:
        monkeypatch.setattr(rdb, "_LARGE", 0)
        monkeypatch.setattr(ranges, "_LEAST", 1)
        monkeypatch.setattr(ranges, "_RANGE", size)
        monkeypatch.setattr(ranges, "_SHORT_PAUSE", 1)
        monkeypatch.setattr(ranges, "_LONG_PAUSE", 1)

    return divide


@pytest.mark.parametrize(
    ("path", "change", "line"),
    sample(CELLS, 24, each=lambda cell: (cell[1])),
    ids=lambda part: part.name if isinstance(part, Path) else getattr(part, "__name__", part),
)
def test_the_same_for_any_number(divided, tmp_path, path, change, line):
    dice = random.Random(zlib.crc32(f"{SEED} {path.name} {change.__name__} {line}".encode()))
    file = tmp_path / "x.rdb"
    file.write_bytes(change(path.read_bytes(), dice))
    alone = run(*line.split(), file, "--jobs", "1")
    divided(dice.choice((1, 40, 1000)))
    assert run(*line.split(), file, "--jobs", dice.choice("28")) == alone
