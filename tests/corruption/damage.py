"""Ways to damage bytes, and a runner that says what became of each input.

Inputs run in batches in a child process, under a limit of address space, one backend at a time. For
every input the outcome is a result, one of our errors, or a failure: any other exception. A child that dies
of a signal or does not come back is laid to the input it was at.
"""

from __future__ import annotations

import importlib.util
import json
import os
import pickle
import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

TESTS = Path(__file__).parent.parent
FIXTURES = TESTS.parent / "fixtures"
SMALL = sorted((FIXTURES / "small").glob("*.rdb"))

BACKENDS = ("codec", "grammar")

ADDRESS_SPACE_MB = 512
PEAK_MB = 192 if "RDBTOOL_SANITIZED" not in os.environ else 1 << 20
SECONDS_EACH = 2.0


class Case(NamedTuple):
    """One input: what was done to it, its bytes, and the offset of the damage."""

    label: str
    data: bytes
    at: int = -1


class Outcome(NamedTuple):
    """What became of an input: ``kind`` is result, error or failure, after so many items and keys were given.

    The rest is what an error says, None where it does not.
    """

    label: str
    kind: str
    seconds: float
    items: int
    keys: int
    text: str = ""
    error: str | None = None
    code: str | None = None
    at: int | None = None
    start: int | None = None
    key: str | None = None
    db: int | None = None
    record: int | None = None
    readable_up_to: int | None = None
    keys_read: int | None = None


class Batch(NamedTuple):
    """The outcomes of a batch in the order of its cases, and the peak of resident memory (MiB)."""

    outcomes: list[Outcome]
    peak_mb: float


def truncations(data: bytes) -> Iterator[Case]:
    """Every proper beginning of ``data``."""
    for size in range(len(data)):
        yield Case(f"cut at {size:#x}", data[:size], size)


def flips(data: bytes) -> Iterator[Case]:
    """``data`` with one bit turned over, for every bit."""
    for bit in range(8 * len(data)):
        at = bit // 8
        flipped = bytearray(data)
        flipped[at] ^= 1 << bit % 8
        yield Case(f"bit {bit % 8} of {at:#x}", bytes(flipped), at)


def mutations(data: bytes, seed: int, count: int) -> Iterator[Case]:
    """``data`` with ranges overwritten, removed, repeated or exchanged; each differs from ``data``."""
    dice = random.Random(seed)
    made = 0
    while made < count:
        label, mutated = _mutate(data, dice)
        if mutated != data:
            made += 1
            yield Case(f"{label} (seed {seed}, number {made})", mutated)


_TELLING = (0x00, 0x01, 0x3F, 0x40, 0x7F, 0x80, 0x81, 0xC0, 0xC3, 0xF0, 0xFD, 0xFE, 0xFF)


def _mutate(data: bytes, dice: random.Random) -> tuple[str, bytes]:
    start = dice.randrange(len(data))
    stop = min(len(data), start + dice.choice((1, 1, 2, 4, 8, 20)))
    match dice.randrange(5):
        case 0:
            return f"bytes at {start:#x}", data[:start] + dice.randbytes(stop - start) + data[stop:]
        case 1:
            return f"byte at {start:#x}", data[:start] + bytes([dice.choice(_TELLING)]) + data[start + 1 :]
        case 2:
            return f"removed {start:#x}-{stop:#x}", data[:start] + data[stop:]
        case 3:
            return f"repeated {start:#x}-{stop:#x}", data[:stop] + data[start:]
        case _:
            other = dice.randrange(len(data))
            moved = data[other : other + stop - start]
            return f"{other:#x} over {start:#x}", data[:start] + moved + data[start + len(moved) :]


@cache
def maker() -> ModuleType:
    """The script that makes the small files: its functions build files for the tests."""
    spec = importlib.util.spec_from_file_location("make_small", FIXTURES / "make_small.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.crc64 = cache(module.crc64)
    return module


def with_checksum(body: bytes) -> bytes:
    """Return ``body`` and its checksum."""
    checksum: int = maker().crc64(body)
    return body + checksum.to_bytes(8, "little")


Answer = Callable[[Callable[..., bytes], tuple[Any, ...]], bytes]


def _make_rigged(name: str, number: int, answer: Answer) -> tuple[dict[str, bytes], int]:
    """Make the small files while one call of one function of their script is answered by ``answer``.

    Returns the files and how many calls of the function there were.
    """
    module = maker()
    real = getattr(module, name)
    calls = 0

    def rigged(*arguments: object) -> bytes:
        nonlocal calls
        calls += 1
        return answer(real, arguments) if calls == number + 1 else real(*arguments)

    setattr(module, name, rigged)
    try:
        return module.make(), calls
    finally:
        setattr(module, name, real)


def rigged_files(name: str, answers: dict[str, Answer]) -> Iterator[Case]:
    """For every call of a function of the script that makes the small files: the file with that one call rigged.

    ``answers`` maps a word for the label to what answers instead: it gets the real function and its
    arguments. Checksums are right. A lie that changes nothing gives no case.
    """
    truth = maker().make()
    _, count = _make_rigged(name, -1, lambda real, arguments: real(*arguments))
    for number in range(count):
        for word, answer in answers.items():
            files, _ = _make_rigged(name, number, answer)
            for which, data in files.items():
                if data != truth[which]:
                    at = next(at for at, pair in enumerate(zip(data, truth[which], strict=False)) if pair[0] != pair[1])
                    yield Case(f"{which}: {word} in call {number} of {name}", data, at)


def run_batch(
    cases: Sequence[Case],
    backend: str,
    *,
    sized: bool = True,
    address_space_mb: int = ADDRESS_SPACE_MB,
    patience: float = 240,
) -> Batch:
    """Read every case with ``backend`` in a child process and return what became of each.

    Unless ``sized``, the child reads from a stream whose end nobody knows beforehand.
    A child that dies or needs longer than ``patience`` seconds fails the test that called, naming the input.
    """
    script = str(Path(__file__).with_name("batch.py"))
    command = [sys.executable, script, backend, str(address_space_mb), "sized" if sized else "stream"]
    environment = {name: value for name, value in os.environ.items() if name != "RDBTOOL_BACKEND"}
    try:
        done = subprocess.run(
            command,
            input=pickle.dumps([tuple(case) for case in cases]),
            capture_output=True,
            timeout=patience,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        count = (error.stdout or b"").count(b"\n")
        pytest.fail(f"{backend}: no end after {patience} s at: {cases[min(count, len(cases) - 1)].label}")
    rows = done.stdout.splitlines()
    if done.returncode:
        at = cases[min(len(rows), len(cases) - 1)].label
        pytest.fail(f"{backend}: exit code {done.returncode} at: {at}\n{done.stderr.decode()[-2000:]}")
    *outcomes, last = map(json.loads, rows)
    return Batch([Outcome(**row) for row in outcomes], last["peak_mb"])


def check_batch(batch: Batch, *, errors_only: bool = False) -> None:
    """Fail if any input gave a failure, took too long or too much memory, or, with ``errors_only``, a result."""
    wrong = [
        f"{row.label}: {row.kind} after {row.items} items in {row.seconds:.2f} s: {row.text}"
        for row in batch.outcomes
        if row.kind == "failure" or row.seconds > SECONDS_EACH or (errors_only and row.kind != "error")
    ]
    unplaced = [f"{row.label}: {row.text}" for row in batch.outcomes if row.kind == "error" and not _says_where(row)]
    assert not wrong, "\n".join([f"{len(wrong)} inputs", *wrong[:20]])
    assert not unplaced, "\n".join([f"{len(unplaced)} errors do not say where", *unplaced[:20]])
    assert batch.peak_mb < PEAK_MB


def _says_where(row: Outcome) -> bool:
    """A format error has a code, an offset and a range that was fine; what is no RDB of ours has none."""
    if row.error == "FormatError":
        return row.code is not None and row.at is not None and row.at >= 0 and f"at {row.at:#x}" in row.text
    return row.error in {"UnsupportedError", "LimitError", "OversizeError"} and "\n" not in row.text
