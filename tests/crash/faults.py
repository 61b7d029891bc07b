"""Faults at every system call with which a command changes files: what strace can make fail, or kill, at its entry.

One traced run lists the points: the calls that touch a directory, from the first that makes something there. Each is
then told again by its name and number, so a command has to make the same calls in every run from the same files.

    for point in crash_points(argv, within=directory):
        set_up_again()
        outcome = inject(argv, point, "KILL")
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

Fault = Literal["KILL", "ENOSPC", "EIO", "EDQUOT", "EROFS", "INT", "TERM", "HUP"]

#: Calls that change files or their names, or that may first report what went wrong before.
CALLS = (
    "openat",
    "write",
    "pwrite64",
    "writev",
    "sendfile",
    "copy_file_range",
    "fsync",
    "fdatasync",
    "close",
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
    "symlink",
    "unlink",
    "unlinkat",
    "mkdir",
    "mkdirat",
    "rmdir",
    "chmod",
    "fchmod",
    "fchmodat",
    "chown",
    "fchown",
    "fchownat",
    "ftruncate",
    "fallocate",
    "utimensat",
    "flock",
)
_SIGNALS = {"KILL", "INT", "TERM", "HUP"}

#: With file descriptors (-y) the paths stand in the line.
_STRACE = ["strace", "-f", "-qq", "-y", "-e", "signal=none"]

#: Only the calls in question stop the process then. Signals are not injected that way (strace 6.1).
_FAST = "--seccomp-bpf"

_LINE = re.compile(r"(?P<pid>\d+) +(?P<call>\w+)\((?P<rest>.*)")


class Point(NamedTuple):
    """A system call of a run: the ``number``-th (from 1) ``call`` of the process; ``line`` is how strace shows it."""

    call: str
    number: int
    line: str


class Outcome(NamedTuple):
    """How a run with a fault ended: exit code (negative: by that signal), and what it said on standard error."""

    code: int
    err: str


def find_strace() -> str | None:
    """Return None if processes can be traced here, else why not."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    done = subprocess.run([*_STRACE, _FAST, "-o", os.devnull, "true"], capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else f"strace cannot trace: {done.stderr.strip()}"


def crash_points(
    argv: Sequence[str | Path], *, within: Path, env: Mapping[str, str] | None = None, expect: int | None = 0
) -> list[Point]:
    """Run a command once and return the calls that touch files in ``within``, from the first that makes one.

    The command has to end with the exit code ``expect``; None: with any.
    """
    with tempfile.TemporaryDirectory() as place:
        trace = Path(place, "trace")
        calls = ",".join(f"?{call}" for call in CALLS)
        done = _run([*_STRACE, _FAST, "-e", f"trace={calls}", "-o", str(trace)], argv, env)
        assert expect is None or done.code == expect, done.err
        lines = trace.read_text(errors="replace").splitlines()
    counts: Counter[tuple[str, str]] = Counter()
    points = []
    process = None
    place_names = {f'"{within}', f"<{within}"}
    for line in lines:
        found = _LINE.match(line)
        if not found or line.startswith("<..."):
            continue
        pid, call = found["pid"], found["call"]
        counts[pid, call] += 1
        if not any(name in line for name in place_names):
            continue
        makes = call.startswith(("mkdir", "link", "rename", "symlink")) or "O_CREAT" in line
        if points or makes:
            # strace counts for each process; the one that makes the first file is the one that works.
            process = process or pid
            assert pid == process, f"a second process changes files: {line}"
            points.append(Point(call, counts[pid, call], line))
    assert points, "the command changed nothing"
    return points


def inject(argv: Sequence[str | Path], point: Point, fault: Fault, env: Mapping[str, str] | None = None) -> Outcome:
    """Run a command and let ``point`` meet a fault at its entry: the call is not made if it is KILL or an error.

    Other signals arrive with the call, which is made. A fault that met another call than ``point`` is an assertion.
    """
    is_signal = fault in _SIGNALS
    what = f"signal={fault}" if is_signal else f"error={fault}"
    options = [] if is_signal else [_FAST]
    expression = f"inject={point.call}:{what}:when={point.number}"
    with tempfile.TemporaryDirectory() as place:
        trace = Path(place, "trace")
        strace = [*_STRACE, *options, "-e", f"trace={point.call}", "-e", expression, "-o", str(trace)]
        done = _run(strace, argv, env)
        lines = [line for line in trace.read_text(errors="replace").splitlines() if f" {point.call}(" in line]
    # The process that works is the first one.
    met = [line for line in lines if line.split()[0] == lines[0].split()[0]][point.number - 1 :]
    assert met, f"{point.call} is called {len(lines)} times only"
    assert _shape(met[0]) == _shape(point.line), f"the fault met another call:\n{met[0]}\n{point.line}"
    return done


def _shape(line: str) -> str:
    """Return the names in a line of strace, without what differs from run to run."""
    names = " ".join(re.findall(r'(?<=<)/[^>]*|(?<=")/[^"]*(?=")', line.partition(" = ")[0]))
    return re.sub(r"[0-9a-f]{16}|\d{8}T\d{6}Z", "*", names)


def _run(strace: Sequence[str], argv: Sequence[str | Path], env: Mapping[str, str] | None) -> Outcome:
    # Compiled files that are written on the first import would make that run another than the rest.
    variables = {**(os.environ if env is None else env), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [*strace, *(str(word) for word in argv)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env=variables,
        timeout=120,
        check=False,
    )
    return Outcome(done.returncode, done.stderr)
