"""The model: records and values, independent of file formats.

The classes of values are imported when one is asked for: a check of a file makes none.
"""

from __future__ import annotations

from rdbtool.core.light_typing import TYPE_CHECKING
from rdbtool.model.items import (
    Aux,
    End,
    FunctionLibrary,
    HashTemplate,
    Header,
    Item,
    ModuleAux,
    ProductOpcode,
    ResizeDb,
    SelectDb,
    SlotImport,
    SlotInfo,
)

if TYPE_CHECKING:
    from rdbtool.model.values import ArrayValue as ArrayValue
    from rdbtool.model.values import HashValue as HashValue
    from rdbtool.model.values import KeyRecord as KeyRecord
    from rdbtool.model.values import ListValue as ListValue
    from rdbtool.model.values import OpaqueValue as OpaqueValue
    from rdbtool.model.values import PendingEntry as PendingEntry
    from rdbtool.model.values import SetValue as SetValue
    from rdbtool.model.values import StreamConsumer as StreamConsumer
    from rdbtool.model.values import StreamEntry as StreamEntry
    from rdbtool.model.values import StreamGroup as StreamGroup
    from rdbtool.model.values import StreamID as StreamID
    from rdbtool.model.values import StreamProducers as StreamProducers
    from rdbtool.model.values import StreamValue as StreamValue
    from rdbtool.model.values import StringValue as StringValue
    from rdbtool.model.values import Value as Value
    from rdbtool.model.values import ZSetValue as ZSetValue

__all__ = [
    "ArrayValue",
    "Aux",
    "End",
    "FunctionLibrary",
    "HashTemplate",
    "HashValue",
    "Header",
    "Item",
    "KeyRecord",
    "ListValue",
    "ModuleAux",
    "OpaqueValue",
    "PendingEntry",
    "ProductOpcode",
    "ResizeDb",
    "SelectDb",
    "SetValue",
    "SlotImport",
    "SlotInfo",
    "StreamConsumer",
    "StreamEntry",
    "StreamGroup",
    "StreamID",
    "StreamProducers",
    "StreamValue",
    "StringValue",
    "Value",
    "ZSetValue",
]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'rdbtool.model' has no attribute {name!r}")
    from rdbtool.model import values  # noqa: PLC0415 - see above

    return getattr(values, name)
