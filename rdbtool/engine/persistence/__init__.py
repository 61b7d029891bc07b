"""Persistence beside an engine: snapshots, an append-only log, and policies that say when."""

from rdbtool.engine.persistence.log import AppendLog, LogWriteError
from rdbtool.engine.persistence.policies import Any, Counters, LogGrowth, Manual, MemoryThreshold, Policy, SavePoint
from rdbtool.engine.persistence.snapshot import load_engine, save

__all__ = [
    "Any",
    "AppendLog",
    "Counters",
    "LogGrowth",
    "LogWriteError",
    "Manual",
    "MemoryThreshold",
    "Policy",
    "SavePoint",
    "load_engine",
    "save",
]
