"""Running the real commands, and comparing what they print with transcripts that were read by a person."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import NamedTuple

import pytest

from rdbtool._entry import run as run_line

ROOT = Path(__file__).parent.parent.parent
FIXTURES = ROOT / "fixtures"
GOLDEN = ROOT / "tests" / "golden"
SERVERS = sorted(path.parent.name for path in FIXTURES.glob("*/default.rdb"))

#: How to run the command in a process of its own.
COMMAND = [sys.executable, "-c", "from rdbtool._entry import main; main()"]

#: What would make the output depend on who runs the tests.
IGNORED = {"COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TERM", "RDBTOOL_BACKEND", "RDBTOOL_DEBUG"}

#: A moment before anything in the fixtures expires.
NOW = "2026-01-01T00:00:00Z"


class Ran(NamedTuple):
    """What a finished command left: exit code, standard output (bytes) and standard error (text)."""

    code: int
    out: bytes
    err: str


def hear_signals() -> None:
    """Undo, in a child, that background jobs of a shell are started with SIGINT ignored."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def environment(**changes: str) -> dict[str, str]:
    """Return the environment of a command, independent of the tester's terminal."""
    return {name: value for name, value in os.environ.items() if name not in IGNORED} | {"TERM": "xterm", **changes}


def run(*arguments: str | Path, stdin: bytes | None = None, cwd: Path | None = None, **env: str) -> Ran:
    """Run ``rdbtool`` with these arguments: in this process where that shows the same, else in one of its own."""
    words = [str(argument) for argument in arguments]
    if not env:
        return _run_here(words, cwd or ROOT, stdin)
    done = subprocess.run(
        [*COMMAND, *words],
        input=stdin or b"",
        capture_output=True,
        timeout=120,
        cwd=cwd or ROOT,
        env=environment(**env),
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr.decode())


@contextmanager
def _standard_input(data: bytes | None) -> Iterator[None]:
    """Make file descriptor 0 a pipe that brings ``data``, or leave it if there are none."""
    if data is None:
        yield
        return
    reading, writing = os.pipe()
    saved, stream = os.dup(0), sys.stdin
    os.dup2(reading, 0)
    os.close(reading)

    def bring() -> None:
        with suppress(BrokenPipeError), open(writing, "wb") as pipe:
            pipe.write(data)

    thread = Thread(target=bring)
    thread.start()
    try:
        with open(0, closefd=False) as sys.stdin:
            yield
    finally:
        sys.stdin = stream
        os.dup2(saved, 0)
        os.close(saved)
        thread.join()


def _run_here(words: list[str], cwd: Path, stdin: bytes | None) -> Ran:
    """Run the command line on file descriptors 0 to 2 of this process: a pipe and two files for the time being."""
    saved = {number: os.dup(number) for number in (1, 2)}
    streams, before = (sys.stdout, sys.stderr), Path.cwd()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, _standard_input(stdin):
        try:
            os.chdir(cwd)
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            with (
                open(1, "w", closefd=False, encoding="utf-8") as sys.stdout,
                open(2, "w", closefd=False, encoding="utf-8") as sys.stderr,
                pytest.MonkeyPatch.context() as patch,
            ):
                for name in IGNORED:
                    patch.delenv(name, raising=False)
                code = run_line(words)
        finally:
            sys.stdout, sys.stderr = streams
            for number, copy in saved.items():
                os.dup2(copy, number)
                os.close(copy)
            os.chdir(before)
        out.seek(0)
        err.seek(0)
        return Ran(code, out.read(), err.read().decode())


def check_golden(name: str, text: str) -> None:
    """Compare with ``tests/golden/NAME``; UPDATE_GOLDEN=1 writes it instead."""
    path = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN") == "1":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    elif not path.exists():
        pytest.fail(f"{path} does not exist; UPDATE_GOLDEN=1 writes it")
    assert text == path.read_text()
