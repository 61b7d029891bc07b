"""Records by their outer strings only: for passing over a packed value whose inside is damaged.

A listpack stands in a STR, which says where it ends whatever is in it. So one damaged value need not end the
reading of a file, where the strings around it are sound.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from construct import ConstructError

from rdbtool.errors import LimitError
from rdbtool.grammar.fields import I64LE, Counted, Fields
from rdbtool.grammar.primitives import KEY, LEN, STR
from rdbtool.grammar.reading import Bytestream, Place, Reading
from rdbtool.grammar.state import FileState
from rdbtool.grammar.stream import stream_of
from rdbtool.types import value_types

_NODE: Final = Fields("key" / STR, "listpack" / STR)

#: Values of types with a listpack, by the type's name.
_OUTER: Final[dict[str, Any]] = {
    "HASH_LISTPACK": STR,
    "ZSET_LISTPACK": STR,
    "SET_LISTPACK": STR,
    "LIST_QUICKLIST_2": Counted(Fields("container" / LEN, "data" / STR)),
    "HASH_LISTPACK_EX_PRE_GA": STR,
    "HASH_LISTPACK_EX": Fields("min" / I64LE, "data" / STR),
    "STREAM_LISTPACKS": stream_of(1, _NODE),
    "STREAM_LISTPACKS_2": stream_of(2, _NODE),
    "STREAM_LISTPACKS_3": stream_of(3, _NODE),
    "STREAM_LISTPACKS_4": stream_of(4, _NODE),
    "STREAM_LISTPACKS_5": stream_of(5, _NODE),
}


class Outer(NamedTuple):
    """A record that was passed over: its key, the number and kind of its type, and the offset behind it."""

    key: bytes
    type_code: int
    kind: str
    stop: int


def read_outer(stream: Bytestream, state: FileState) -> Outer | None:
    """Pass over the record at the stream's position; None if its strings are damaged too, or have no listpack."""
    reading = Reading(stream, Place(None, state.max_inflate))
    try:
        row = value_types(state.magic).get(reading.read(1)[0])
        outer = None if row is None else _OUTER.get(row.name)
        if row is None or outer is None:
            return None
        Fields("key" / KEY, "value" / outer).parse_stream(reading, version=state.version)
    except (ConstructError, LimitError):
        return None
    if reading.place.key is None:
        return None
    return Outer(reading.place.key, row.code, row.kind, reading.tell())
