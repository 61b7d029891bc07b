"""How many cores a run may use: those that are left to it, four at most, or as many as somebody asked for."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Final

#: More than these are not taken unless they are asked for.
_MOST: Final = 4

#: What a control group says of its share: microseconds of processor time, and in which time.
_QUOTAS: Final = ("/sys/fs/cgroup/cpu.max",)

_asked: Final[ContextVar[int | None]] = ContextVar("jobs", default=None)


def jobs() -> int:
    """Return how many cores may be used now, at least 1."""
    asked = _asked.get()
    return min(_MOST, _allowed()) if asked is None else asked


@contextlib.contextmanager
def at_most(cores: int | None) -> Iterator[None]:
    """Use ``cores`` cores in a ``with`` block, 1: no thread beside the caller's; None: as many as are left, 4 at most.

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
    """Return the cores that affinity and the quota of the control group leave."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for name in _QUOTAS:
        # "max 100000", or "150000 100000"; elsewhere there is no such file.
        with contextlib.suppress(OSError, ValueError):
            quota, period = Path(name).read_text(encoding="ascii").split()
            if quota != "max":
                cores = min(cores, max(1, round(int(quota) / int(period))))
    return cores
