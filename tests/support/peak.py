"""The most memory that a command takes, in a process of its own; for Linux, which says so."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_MEASURED = (
    "import re, sys; from rdbtool._entry import run; code = run(sys.argv[1:]); "
    "print(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[0], file=sys.stderr); sys.exit(code)"
)

#: The mark of a test that measures.
needs_proc = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc/self/status")


def measure(*arguments: object) -> tuple[int, int]:
    """Run a command; return its exit code and the most memory that it took, in bytes."""
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED, *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )
    return done.returncode, int(done.stderr.split(b"VmHWM:")[1].split()[0]) << 10
