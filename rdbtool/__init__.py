"""rdbtool reads, explains and checks the persistence files of Redis and Valkey.

>>> import rdbtool
>>> for record in rdbtool.open("dump.rdb"):
...     print(record.db, record.key, record.value)
>>> engine = rdbtool.replay("appendonlydir").engine

Everything here is imported when it is first used, so that ``import rdbtool`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from rdbtool._codec.digest import Digest as Digest
    from rdbtool._codec.fingerprint import Fingerprint as Fingerprint
    from rdbtool._codec.json import Json as Json
    from rdbtool._codec.jsonl import Jsonl as Jsonl
    from rdbtool._codec.jsonl import value_json as value_json
    from rdbtool._codec.keys import Keys as Keys
    from rdbtool._codec.records import Records as Records
    from rdbtool._codec.resp import Resp as Resp
    from rdbtool._codec.selection import Selection as Selection
    from rdbtool._codec.selection import slot_of as slot_of
    from rdbtool._codec.sink import Null as Null
    from rdbtool._codec.sizes import Sizes as Sizes
    from rdbtool.analysis.keys import open_keys as open_keys
    from rdbtool.analysis.replay import ReplayReport as ReplayReport
    from rdbtool.analysis.replay import replay as replay
    from rdbtool.engine.engine import Engine as Engine
    from rdbtool.engine.errors import CommandError as CommandError
    from rdbtool.errors import FormatError as FormatError
    from rdbtool.errors import InputError as InputError
    from rdbtool.errors import LimitError as LimitError
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
    from rdbtool.reader.open import open_any as open_any
    from rdbtool.reader.rdb import RdbReader as RdbReader
    from rdbtool.reader.rdb import Totals as Totals
    from rdbtool.reader.rdb import open_rdb as _open_rdb

    open = _open_rdb  # noqa: A001 - rdbtool.open reads like gzip.open

_HOMES = {
    "AofReader": "rdbtool.reader.aof",
    "ArrayValue": "rdbtool.model",
    "Aux": "rdbtool.model",
    "CommandError": "rdbtool.engine.errors",
    "Digest": "rdbtool._codec.digest",
    "Engine": "rdbtool.engine.engine",
    "Finding": "rdbtool.findings",
    "Fingerprint": "rdbtool._codec.fingerprint",
    "FormatError": "rdbtool.errors",
    "FunctionLibrary": "rdbtool.model",
    "HashValue": "rdbtool.model",
    "InputError": "rdbtool.errors",
    "Json": "rdbtool._codec.json",
    "Jsonl": "rdbtool._codec.jsonl",
    "KeyRecord": "rdbtool.model",
    "Keys": "rdbtool._codec.keys",
    "LimitError": "rdbtool.errors",
    "ListValue": "rdbtool.model",
    "Null": "rdbtool._codec.sink",
    "OpaqueValue": "rdbtool.model",
    "RdbReader": "rdbtool.reader.rdb",
    "RdbToolError": "rdbtool.errors",
    "Records": "rdbtool._codec.records",
    "ReplayError": "rdbtool.errors",
    "ReplayReport": "rdbtool.analysis.replay",
    "Resp": "rdbtool._codec.resp",
    "Selection": "rdbtool._codec.selection",
    "SetValue": "rdbtool.model",
    "Sizes": "rdbtool._codec.sizes",
    "StreamID": "rdbtool.model",
    "StreamValue": "rdbtool.model",
    "StringValue": "rdbtool.model",
    "Totals": "rdbtool.reader.rdb",
    "UnsupportedError": "rdbtool.errors",
    "ZSetValue": "rdbtool.model",
    "describe_error": "rdbtool.errors",
    "open": "rdbtool.reader.rdb",
    "open_any": "rdbtool.reader.open",
    "open_keys": "rdbtool.analysis.keys",
    "replay": "rdbtool.analysis.replay",
    "slot_of": "rdbtool._codec.selection",
    "value_json": "rdbtool._codec.jsonl",
}

__all__ = [*sorted(_HOMES), "__version__"]  # noqa: PLE0604 - names only


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'rdbtool' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), "open_rdb" if name == "open" else name)


def __dir__() -> list[str]:
    return __all__
