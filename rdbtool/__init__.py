"""rdbtool reads, explains, checks and writes the persistence files of Redis and Valkey.

>>> import rdbtool
>>> for record in rdbtool.open("dump.rdb", type="hash"):
...     print(record.db, record.key, dict(record.value))
>>> rdbtool.validate("dump.rdb", level="server", rules="redis-7.2").answer
'valid'
>>> engine = rdbtool.replay("appendonlydir", before="flushall").engine
>>> rdbtool.convert("dump.rdb", "old.rdb", target="redis-7.0", allow_loss=True).losses

Functions take a path (``"-"``: standard input), the content as bytes, or a binary stream, and options by keyword, which
are checked before anything is read. Results are frozen, and ``to_dict()`` is what the command prints with ``--json``.
Errors are RdbToolError; docs/python-api.md has an example for each function.
"""

# Everything is imported on first use, so that ``import rdbtool`` costs nothing.

from __future__ import annotations

import sys

TYPE_CHECKING = False  # for type checkers it is true

if sys.platform == "win32":
    raise ImportError("rdbtool runs on Linux and macOS; on Windows, use it in WSL, as on Linux")

__version__: str

if TYPE_CHECKING:
    from rdbtool.api.convert import convert as convert
    from rdbtool.api.diff import diff as diff
    from rdbtool.api.digest import digest as digest
    from rdbtool.api.history import history as history
    from rdbtool.api.info import info as info
    from rdbtool.api.inspect import inspect as inspect
    from rdbtool.api.memory import MemoryReader as MemoryReader
    from rdbtool.api.memory import memory as memory
    from rdbtool.api.open import DatasetReader as DatasetReader
    from rdbtool.api.open import open as open  # noqa: A004 - rdbtool.open reads like gzip.open
    from rdbtool.api.repair import repair as repair
    from rdbtool.api.replay import replay as replay
    from rdbtool.api.rewrite import rewrite as rewrite
    from rdbtool.api.save import save as save
    from rdbtool.api.stats import stats as stats
    from rdbtool.api.validate import validate as validate
    from rdbtool.core.errors import CollisionError as CollisionError
    from rdbtool.core.errors import Finding as Finding
    from rdbtool.core.errors import FormatError as FormatError
    from rdbtool.core.errors import InputError as InputError
    from rdbtool.core.errors import InvalidDataError as InvalidDataError
    from rdbtool.core.errors import LimitError as LimitError
    from rdbtool.core.errors import Loss as Loss
    from rdbtool.core.errors import LossError as LossError
    from rdbtool.core.errors import PlaceError as PlaceError
    from rdbtool.core.errors import RdbToolError as RdbToolError
    from rdbtool.core.errors import ReplayError as ReplayError
    from rdbtool.core.errors import UncertainError as UncertainError
    from rdbtool.core.errors import UnsupportedError as UnsupportedError
    from rdbtool.core.limits import limited as limited
    from rdbtool.engine.command_errors import CommandError as CommandError
    from rdbtool.engine.command_errors import UnknownEffectError as UnknownEffectError
    from rdbtool.engine.engine import Engine as Engine
    from rdbtool.engine.persistence.log import AppendLog as AppendLog
    from rdbtool.model import ArrayValue as ArrayValue
    from rdbtool.model import HashValue as HashValue
    from rdbtool.model import KeyRecord as KeyRecord
    from rdbtool.model import ListValue as ListValue
    from rdbtool.model import OpaqueValue as OpaqueValue
    from rdbtool.model import SetValue as SetValue
    from rdbtool.model import StreamID as StreamID
    from rdbtool.model import StreamValue as StreamValue
    from rdbtool.model import StringValue as StringValue
    from rdbtool.model import ZSetValue as ZSetValue
    from rdbtool.operations.convert.convert import Converted as Converted
    from rdbtool.operations.convert.rewrite import Rewritten as Rewritten
    from rdbtool.operations.diff.compare import Differences as Differences
    from rdbtool.operations.history.history import KeyHistory as KeyHistory
    from rdbtool.operations.info.digest import DataDigest as DataDigest
    from rdbtool.operations.info.summary import Summary as Summary
    from rdbtool.operations.inspect.tree import Inspection as Inspection
    from rdbtool.operations.memory.rows import KeyMemory as KeyMemory
    from rdbtool.operations.memory.rows import MemoryTotals as MemoryTotals
    from rdbtool.operations.memory.stats import Stats as Stats
    from rdbtool.operations.repair.report import Repaired as Repaired
    from rdbtool.operations.replay.report import AofSummary as AofSummary
    from rdbtool.operations.replay.report import ReplayReport as ReplayReport
    from rdbtool.operations.validate.verdict import Verdict as Verdict
    from rdbtool.writer.rdb import Written as Written

#: Public names by their modules.
_NAMES = {
    "rdbtool.api.convert": ("convert",),
    "rdbtool.api.diff": ("diff",),
    "rdbtool.api.digest": ("digest",),
    "rdbtool.api.history": ("history",),
    "rdbtool.api.info": ("info",),
    "rdbtool.api.inspect": ("inspect",),
    "rdbtool.api.memory": ("memory", "MemoryReader"),
    "rdbtool.api.open": ("open", "DatasetReader"),
    "rdbtool.api.repair": ("repair",),
    "rdbtool.api.replay": ("replay",),
    "rdbtool.api.rewrite": ("rewrite",),
    "rdbtool.api.save": ("save",),
    "rdbtool.api.stats": ("stats",),
    "rdbtool.api.validate": ("validate",),
    "rdbtool.core.errors": (
        "CollisionError",
        "Finding",
        "FormatError",
        "InputError",
        "InvalidDataError",
        "LimitError",
        "Loss",
        "LossError",
        "PlaceError",
        "RdbToolError",
        "ReplayError",
        "UncertainError",
        "UnsupportedError",
    ),
    "rdbtool.core.limits": ("limited",),
    "rdbtool.engine.command_errors": ("CommandError", "UnknownEffectError"),
    "rdbtool.engine.engine": ("Engine",),
    "rdbtool.engine.persistence.log": ("AppendLog",),
    "rdbtool.model": (
        "ArrayValue",
        "HashValue",
        "KeyRecord",
        "ListValue",
        "OpaqueValue",
        "SetValue",
        "StreamID",
        "StreamValue",
        "StringValue",
        "ZSetValue",
    ),
    "rdbtool.operations.convert.convert": ("Converted",),
    "rdbtool.operations.convert.rewrite": ("Rewritten",),
    "rdbtool.operations.diff.compare": ("Differences",),
    "rdbtool.operations.history.history": ("KeyHistory",),
    "rdbtool.operations.info.digest": ("DataDigest",),
    "rdbtool.operations.info.summary": ("Summary",),
    "rdbtool.operations.inspect.tree": ("Inspection",),
    "rdbtool.operations.memory.rows": ("KeyMemory", "MemoryTotals"),
    "rdbtool.operations.repair.report": ("Repaired",),
    "rdbtool.operations.memory.stats": ("Stats",),
    "rdbtool.operations.replay.report": ("AofSummary", "ReplayReport"),
    "rdbtool.operations.validate.verdict": ("Verdict",),
    "rdbtool.writer.rdb": ("Written",),
}

_HOMES = {name: module for module, names in _NAMES.items() for name in names}

#: What ``help(rdbtool)`` shows: the functions, and the classes needed first.
__all__ = [  # noqa: PLE0604 - names only
    *sorted(name for name in _HOMES if name.islower()),
    "DatasetReader",
    "Engine",
    "KeyRecord",
    "RdbToolError",
]


def __getattr__(name: str) -> object:
    from importlib import import_module  # noqa: PLC0415 - the command line needs none of it

    if name == "__version__":
        return import_module("rdbtool.core.distribution").find_version()
    if name not in _HOMES:
        raise AttributeError(f"module 'rdbtool' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*sorted(_HOMES), "__version__"]
