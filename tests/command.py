"""Running the real commands, and comparing what they print with transcripts that were read by a person."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
FIXTURES = ROOT / "fixtures"
GOLDEN = Path(__file__).parent / "golden"
SERVERS = sorted(path.parent.name for path in FIXTURES.glob("*/default.rdb"))

#: A moment before anything in the fixtures expires.
NOW = "2026-01-01T00:00:00Z"


class Ran(NamedTuple):
    """What a finished command left: exit code, standard output (bytes) and standard error (text)."""

    code: int
    out: bytes
    err: str


def environment(**changes: str) -> dict[str, str]:
    """Return the environment of a command, independent of the tester's terminal."""
    ignored = {"COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TERM", "RDBTOOL_BACKEND", "RDBTOOL_DEBUG"}
    return {name: value for name, value in os.environ.items() if name not in ignored} | {"TERM": "xterm", **changes}


def run(*arguments: str | Path, stdin: bytes | None = None, cwd: Path | None = None, **env: str) -> Ran:
    """Run ``rdbtool`` with these arguments in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "rdbtool", *map(str, arguments)],
        input=b"" if stdin is None else stdin,
        capture_output=True,
        timeout=120,
        cwd=cwd or ROOT,
        env=environment(**env),
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr.decode())


def check_golden(name: str, text: str) -> None:
    """Compare with ``tests/golden/NAME``; UPDATE_GOLDEN=1 writes it instead."""
    path = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN") == "1":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    elif not path.exists():
        pytest.fail(f"{path} does not exist; UPDATE_GOLDEN=1 writes it")
    assert text == path.read_text()
