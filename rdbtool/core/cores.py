"""The number of cores that a run may use: those available, at most four, or the number requested."""

from __future__ import annotations

import os
import sys
from contextvars import ContextVar

from rdbtool.core.light_tools import Applied, suppress
from rdbtool.core.light_typing import Final

#: The most cores to use unless more are requested.
_MOST: Final = 4

#: The CPU quota of a control group: microseconds of CPU time, and the period in microseconds.
_QUOTAS: Final = ("/sys/fs/cgroup/cpu.max",)

_asked: Final[ContextVar[int | None]] = ContextVar("jobs", default=None)

_may_fork: Final[ContextVar[bool]] = ContextVar("may_fork", default=False)


def jobs() -> int:
    """Return the number of cores to use, at least 1."""
    asked = _asked.get()
    return min(_MOST, _allowed()) if asked is None else asked


def processes() -> int:
    """Return the number of processes to use: 1 outside of ``at_most``, for a program must not be copied unasked."""
    return jobs() if _may_fork.get() and hasattr(os, "fork") and sys.platform != "darwin" else 1


def at_most(cores: int | None) -> Applied:
    """Limit a ``with`` block to ``cores`` cores; 1: only the caller's thread; None: those available, at most 4.

    In it large RDB files are read by several processes, made by ``fork``: not for programs whose other threads hold
    locks. Raises ValueError for less than 1.
    """
    if cores is not None and cores < 1:
        raise ValueError(f"expected at least 1 core, found {cores}")
    return Applied((_asked, cores), (_may_fork, True))


def _allowed() -> int:
    """Return the cores available by CPU affinity and the control group's quota."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for name in _QUOTAS:
        # "max 100000" or "150000 100000"; the file is missing without cgroup v2.
        with suppress(OSError, ValueError):
            with open(name, encoding="ascii") as file:  # noqa: PTH123 - pathlib takes 2 ms to import
                quota, period = file.read().split()
            if quota != "max":
                cores = min(cores, max(1, round(int(quota) / int(period))))
    return cores
