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
    from rdbtool._codec.digest import Digest as Digest
    from rdbtool._codec.fingerprint import Fingerprint as Fingerprint
    from rdbtool._codec.fit import Fit as Fit
    from rdbtool._codec.json import Json as Json
    from rdbtool._codec.jsonl import Jsonl as Jsonl
    from rdbtool._codec.jsonl import value_json as value_json
    from rdbtool._codec.keys import Keys as Keys
    from rdbtool._codec.rdb import Rdb as Rdb
    from rdbtool._codec.records import Records as Records
    from rdbtool._codec.resp import Resp as Resp
    from rdbtool._codec.selection import Selection as Selection
    from rdbtool._codec.selection import slot_of as slot_of
    from rdbtool._codec.sink import Null as Null
    from rdbtool._codec.sizes import Sizes as Sizes
    from rdbtool.analysis.convert import Converted as Converted
    from rdbtool.analysis.convert import ConvertOptions as ConvertOptions
    from rdbtool.analysis.convert import convert as convert
    from rdbtool.analysis.keys import open_keys as open_keys
    from rdbtool.analysis.replay import ReplayReport as ReplayReport
    from rdbtool.analysis.replay import replay as replay
    from rdbtool.analysis.rewrite import RewriteOptions as RewriteOptions
    from rdbtool.analysis.rewrite import Rewritten as Rewritten
    from rdbtool.analysis.rewrite import rewrite as rewrite
    from rdbtool.engine.engine import Engine as Engine
    from rdbtool.engine.errors import CommandError as CommandError
    from rdbtool.engine.errors import UnknownEffectError as UnknownEffectError
    from rdbtool.engine.persistence.log import AppendLog as AppendLog
    from rdbtool.engine.places import Places as Places
    from rdbtool.errors import FormatError as FormatError
    from rdbtool.errors import InputError as InputError
    from rdbtool.errors import LimitError as LimitError
    from rdbtool.errors import Loss as Loss
    from rdbtool.errors import LossError as LossError
    from rdbtool.errors import PlaceError as PlaceError
    from rdbtool.errors import RdbToolError as RdbToolError
    from rdbtool.errors import ReplayError as ReplayError
    from rdbtool.errors import UnsupportedError as UnsupportedError
    from rdbtool.errors import describe_error as describe_error
    from rdbtool.findings import Finding as Finding
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
    from rdbtool.reader.aof import AofReader as AofReader
    from rdbtool.reader.jsonl import JsonlReader as JsonlReader
    from rdbtool.reader.jsonl import open_jsonl as open_jsonl
    from rdbtool.reader.open import open_any as open_any
    from rdbtool.reader.rdb import RdbReader as RdbReader
    from rdbtool.reader.rdb import Totals as Totals
    from rdbtool.reader.rdb import open_rdb as _open_rdb
    from rdbtool.writer.rdb import write_rdb as write_rdb
    from rdbtool.writer.targets import Target as Target

    open = _open_rdb  # noqa: A001 - rdbtool.open reads like gzip.open

_HOMES = {
    "AofReader": "rdbtool.reader.aof",
    "AppendLog": "rdbtool.engine.persistence.log",
    "ArrayValue": "rdbtool.model",
    "Aux": "rdbtool.model",
    "CommandError": "rdbtool.engine.errors",
    "ConvertOptions": "rdbtool.analysis.convert",
    "Converted": "rdbtool.analysis.convert",
    "Digest": "rdbtool._codec.digest",
    "Engine": "rdbtool.engine.engine",
    "Finding": "rdbtool.findings",
    "Fingerprint": "rdbtool._codec.fingerprint",
    "Fit": "rdbtool._codec.fit",
    "FormatError": "rdbtool.errors",
    "FunctionLibrary": "rdbtool.model",
    "HashValue": "rdbtool.model",
    "InputError": "rdbtool.errors",
    "Json": "rdbtool._codec.json",
    "Jsonl": "rdbtool._codec.jsonl",
    "JsonlReader": "rdbtool.reader.jsonl",
    "KeyRecord": "rdbtool.model",
    "Keys": "rdbtool._codec.keys",
    "LimitError": "rdbtool.errors",
    "ListValue": "rdbtool.model",
    "Loss": "rdbtool.errors",
    "LossError": "rdbtool.errors",
    "Null": "rdbtool._codec.sink",
    "OpaqueValue": "rdbtool.model",
    "PlaceError": "rdbtool.errors",
    "Places": "rdbtool.engine.places",
    "Rdb": "rdbtool._codec.rdb",
    "RdbReader": "rdbtool.reader.rdb",
    "RdbToolError": "rdbtool.errors",
    "Records": "rdbtool._codec.records",
    "ReplayError": "rdbtool.errors",
    "ReplayReport": "rdbtool.analysis.replay",
    "Resp": "rdbtool._codec.resp",
    "RewriteOptions": "rdbtool.analysis.rewrite",
    "Rewritten": "rdbtool.analysis.rewrite",
    "Selection": "rdbtool._codec.selection",
    "SetValue": "rdbtool.model",
    "Sizes": "rdbtool._codec.sizes",
    "StreamID": "rdbtool.model",
    "StreamValue": "rdbtool.model",
    "StringValue": "rdbtool.model",
    "Target": "rdbtool.writer.targets",
    "Totals": "rdbtool.reader.rdb",
    "UnknownEffectError": "rdbtool.engine.errors",
    "UnsupportedError": "rdbtool.errors",
    "ZSetValue": "rdbtool.model",
    "convert": "rdbtool.analysis.convert",
    "describe_error": "rdbtool.errors",
    "open": "rdbtool.reader.rdb",
    "open_any": "rdbtool.reader.open",
    "open_jsonl": "rdbtool.reader.jsonl",
    "open_keys": "rdbtool.analysis.keys",
    "replay": "rdbtool.analysis.replay",
    "rewrite": "rdbtool.analysis.rewrite",
    "slot_of": "rdbtool._codec.selection",
    "value_json": "rdbtool._codec.jsonl",
    "write_rdb": "rdbtool.writer.rdb",
}

__all__ = [*sorted(_HOMES), "__version__"]  # noqa: PLE0604 - names only


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'rdbtool' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), "open_rdb" if name == "open" else name)


def __dir__() -> list[str]:
    return __all__
