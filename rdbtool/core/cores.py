"""The number of cores that a run may use: those available, at most four, or the number requested."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Final

#: The most cores to use unless more are requested.
_MOST: Final = 4

#: The CPU quota of a control group: microseconds of CPU time, and the period in microseconds.
_QUOTAS: Final = ("/sys/fs/cgroup/cpu.max",)

_asked: Final[ContextVar[int | None]] = ContextVar("jobs", default=None)


def jobs() -> int:
    """Return the number of cores to use, at least 1."""
    asked = _asked.get()
    return min(_MOST, _allowed()) if asked is None else asked


@contextlib.contextmanager
def at_most(cores: int | None) -> Iterator[None]:
    """Limit a ``with`` block to ``cores`` cores; 1: only the caller's thread; None: those available, at most 4.

    Raises ValueError for less than 1.
    """
    if cores is not None and cores < 1:
        raise ValueError(f"expected at least 1 core, found {cores}")
    token = _asked.set(cores)
    try:
        yield
    finally:
        _asked.reset(token)


def _allowed() -> int:
    """Return the cores available by CPU affinity and the control group's quota."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for name in _QUOTAS:
        # "max 100000" or "150000 100000"; the file is missing without cgroup v2.
        with contextlib.suppress(OSError, ValueError):
            quota, period = Path(name).read_text(encoding="ascii").split()
            if quota != "max":
                cores = min(cores, max(1, round(int(quota) / int(period))))
    return cores
