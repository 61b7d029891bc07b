"""rdbtool reads, explains, checks and writes the persistence files of Redis and Valkey.

>>> import rdbtool
>>> for record in rdbtool.open("dump.rdb"):
...     print(record.db, record.key, record.value)
>>> engine = rdbtool.replay("appendonlydir").engine
>>> rdbtool.convert("dump.rdb", "old.rdb", rdbtool.ConvertOptions(target=rdbtool.Target.parse("redis-7.0")))

Everything here is imported when it is first used, so that ``import rdbtool`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from rdbtool._codec.encode.json import Json as Json
    from rdbtool._codec.encode.jsonl import Jsonl as Jsonl
    from rdbtool._codec.encode.jsonl import value_json as value_json
    from rdbtool._codec.encode.keys import Keys as Keys
    from rdbtool._codec.encode.rdb import Rdb as Rdb
    from rdbtool._codec.encode.resp import Resp as Resp
    from rdbtool._codec.filters.selection import Selection as Selection
    from rdbtool._codec.filters.selection import slot_of as slot_of
    from rdbtool._codec.filters.target import Fit as Fit
    from rdbtool._codec.sink import Null as Null
    from rdbtool._codec.sinks.digest import Digest as Digest
    from rdbtool._codec.sinks.fingerprint import Fingerprint as Fingerprint
    from rdbtool._codec.sinks.records import Records as Records
    from rdbtool._codec.sinks.sizes import Sizes as Sizes
    from rdbtool.core.errors import FormatError as FormatError
    from rdbtool.core.errors import InputError as InputError
    from rdbtool.core.errors import LimitError as LimitError
    from rdbtool.core.errors import Loss as Loss
    from rdbtool.core.errors import LossError as LossError
    from rdbtool.core.errors import PlaceError as PlaceError
    from rdbtool.core.errors import RdbToolError as RdbToolError
    from rdbtool.core.errors import ReplayError as ReplayError
    from rdbtool.core.errors import UnsupportedError as UnsupportedError
    from rdbtool.core.errors import describe_error as describe_error
    from rdbtool.core.findings import Finding as Finding
    from rdbtool.dataset.keys import open_keys as open_keys
    from rdbtool.engine.command_errors import CommandError as CommandError
    from rdbtool.engine.command_errors import UnknownEffectError as UnknownEffectError
    from rdbtool.engine.engine import Engine as Engine
    from rdbtool.engine.persistence.log import AppendLog as AppendLog
    from rdbtool.engine.persistence.snapshot import save as save
    from rdbtool.engine.replay.places import Places as Places
    from rdbtool.model import ArrayValue as ArrayValue
    from rdbtool.model import Aux as Aux
    from rdbtool.model import FunctionLibrary as FunctionLibrary
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
    from rdbtool.operations.convert.convert import ConvertOptions as ConvertOptions
    from rdbtool.operations.convert.convert import convert as convert
    from rdbtool.operations.convert.rewrite import RewriteOptions as RewriteOptions
    from rdbtool.operations.convert.rewrite import Rewritten as Rewritten
    from rdbtool.operations.convert.rewrite import rewrite as rewrite
    from rdbtool.operations.replay.report import ReplayReport as ReplayReport
    from rdbtool.operations.replay.report import replay as replay
    from rdbtool.reader.aof.reader import AofReader as AofReader
    from rdbtool.reader.jsonl.reader import JsonlReader as JsonlReader
    from rdbtool.reader.jsonl.reader import open_jsonl as open_jsonl
    from rdbtool.reader.open.dispatch import open_any as open_any
    from rdbtool.reader.rdb import RdbReader as RdbReader
    from rdbtool.reader.rdb import Totals as Totals
    from rdbtool.reader.rdb import open_rdb as _open_rdb
    from rdbtool.writer.rdb import write_rdb as write_rdb
    from rdbtool.writer.targets import Target as Target

    open = _open_rdb  # noqa: A001 - rdbtool.open reads like gzip.open

_HOMES = {
    "AofReader": "rdbtool.reader.aof.reader",
    "AppendLog": "rdbtool.engine.persistence.log",
    "ArrayValue": "rdbtool.model",
    "Aux": "rdbtool.model",
    "CommandError": "rdbtool.engine.command_errors",
    "ConvertOptions": "rdbtool.operations.convert.convert",
    "Converted": "rdbtool.operations.convert.convert",
    "Digest": "rdbtool._codec.sinks.digest",
    "Engine": "rdbtool.engine.engine",
    "Finding": "rdbtool.core.findings",
    "Fingerprint": "rdbtool._codec.sinks.fingerprint",
    "Fit": "rdbtool._codec.filters.target",
    "FormatError": "rdbtool.core.errors",
    "FunctionLibrary": "rdbtool.model",
    "HashValue": "rdbtool.model",
    "InputError": "rdbtool.core.errors",
    "Json": "rdbtool._codec.encode.json",
    "Jsonl": "rdbtool._codec.encode.jsonl",
    "JsonlReader": "rdbtool.reader.jsonl.reader",
    "KeyRecord": "rdbtool.model",
    "Keys": "rdbtool._codec.encode.keys",
    "LimitError": "rdbtool.core.errors",
    "ListValue": "rdbtool.model",
    "Loss": "rdbtool.core.errors",
    "LossError": "rdbtool.core.errors",
    "Null": "rdbtool._codec.sink",
    "OpaqueValue": "rdbtool.model",
    "PlaceError": "rdbtool.core.errors",
    "Places": "rdbtool.engine.replay.places",
    "Rdb": "rdbtool._codec.encode.rdb",
    "RdbReader": "rdbtool.reader.rdb",
    "RdbToolError": "rdbtool.core.errors",
    "Records": "rdbtool._codec.sinks.records",
    "ReplayError": "rdbtool.core.errors",
    "ReplayReport": "rdbtool.operations.replay.report",
    "Resp": "rdbtool._codec.encode.resp",
    "RewriteOptions": "rdbtool.operations.convert.rewrite",
    "Rewritten": "rdbtool.operations.convert.rewrite",
    "Selection": "rdbtool._codec.filters.selection",
    "SetValue": "rdbtool.model",
    "Sizes": "rdbtool._codec.sinks.sizes",
    "StreamID": "rdbtool.model",
    "StreamValue": "rdbtool.model",
    "StringValue": "rdbtool.model",
    "Target": "rdbtool.writer.targets",
    "Totals": "rdbtool.reader.rdb",
    "UnknownEffectError": "rdbtool.engine.command_errors",
    "UnsupportedError": "rdbtool.core.errors",
    "ZSetValue": "rdbtool.model",
    "convert": "rdbtool.operations.convert.convert",
    "describe_error": "rdbtool.core.errors",
    "open": "rdbtool.reader.rdb",
    "open_any": "rdbtool.reader.open.dispatch",
    "open_jsonl": "rdbtool.reader.jsonl.reader",
    "open_keys": "rdbtool.dataset.keys",
    "replay": "rdbtool.operations.replay.report",
    "save": "rdbtool.engine.persistence.snapshot",
    "rewrite": "rdbtool.operations.convert.rewrite",
    "slot_of": "rdbtool._codec.filters.selection",
    "value_json": "rdbtool._codec.encode.jsonl",
    "write_rdb": "rdbtool.writer.rdb",
}

__all__ = [*sorted(_HOMES), "__version__"]  # noqa: PLE0604 - names only


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'rdbtool' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), "open_rdb" if name == "open" else name)


def __dir__() -> list[str]:
    return __all__
