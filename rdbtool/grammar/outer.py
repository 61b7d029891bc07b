"""Records by their outer strings only, to skip a value whose inside is damaged.

A packed encoding, or compressed data, is inside a STR, which declares its end whatever it contains. So a damaged value
need not end the reading of a file if the strings around it are intact.
"""

from __future__ import annotations

from construct import ConstructError

from rdbtool.core.errors import LimitError
from rdbtool.core.light_typing import Any, Final, NamedTuple
from rdbtool.core.rdb_types import MEMBER_EXPIRY_KINDS, value_types
from rdbtool.grammar.fields import I64LE, Counted, Fields, FieldTuple, Octets
from rdbtool.grammar.members import MEMBER_EXPIRIES
from rdbtool.grammar.primitives import KEY, LEN, Stored, String, read_length, read_string
from rdbtool.grammar.reading import Bytestream, ParsePosition, Reading
from rdbtool.grammar.state import FileState
from rdbtool.grammar.stream import stream_of

_COMPRESSED: Final = 0xC3
_NOT_FINITE: Final = 253


class _Unread(String):
    """STR; compressed data is not decompressed."""

    def _parse(self, stream: Reading, context: Any, path: str) -> Stored:  # noqa: ARG002 - construct's signature
        at = stream.tell()
        if stream.read(1)[0] != _COMPRESSED:
            stream.seek(at)
            return read_string(stream)
        size = read_length(stream)
        read_length(stream)
        return stream.read(size)


class _UnreadScore(String):
    """The text of a score, whatever it is; 253 and more represent NaN and the infinities."""

    def _parse(self, stream: Reading, context: Any, path: str) -> Stored:  # noqa: ARG002
        size = stream.read(1)[0]
        return stream.read(size) if size < _NOT_FINITE else b""


_STR: Final = _Unread()
_STRINGS: Final = Counted(_STR)

#: Values with strings that can be damaged inside, by type name.
_OUTER: Final[dict[str, Any]] = {
    "STRING": _STR,
    "LIST": _STRINGS,
    "SET": _STRINGS,
    "ZSET": Counted(FieldTuple("member" / _STR, "score" / _UnreadScore())),
    "HASH": Counted(FieldTuple("field" / _STR, "value" / _STR)),
    "ZSET_2": Counted(FieldTuple("member" / _STR, "score" / Octets(8))),
    "HASH_ZIPMAP": _STR,
    "LIST_ZIPLIST": _STR,
    "SET_INTSET": _STR,
    "ZSET_ZIPLIST": _STR,
    "HASH_ZIPLIST": _STR,
    "LIST_QUICKLIST": _STRINGS,
    "HASH_LISTPACK": _STR,
    "ZSET_LISTPACK": _STR,
    "SET_LISTPACK": _STR,
    "LIST_QUICKLIST_2": Counted(Fields("container" / LEN, "data" / _STR)),
    "HASH_METADATA_PRE_GA": Counted(FieldTuple("expire_at" / LEN, "field" / _STR, "value" / _STR)),
    "HASH_METADATA": Fields("min" / I64LE, "pair" / Counted(FieldTuple("ttl" / LEN, "field" / _STR, "value" / _STR))),
    "HASH_2": Counted(FieldTuple("field" / _STR, "value" / _STR, "expire_at" / I64LE)),
    "HASH_LISTPACK_EX_PRE_GA": _STR,
    "HASH_LISTPACK_EX": Fields("min" / I64LE, "data" / _STR),
    "STREAM_LISTPACKS": stream_of(1, _STR),
    "STREAM_LISTPACKS_2": stream_of(2, _STR),
    "STREAM_LISTPACKS_3": stream_of(3, _STR),
    "STREAM_LISTPACKS_4": stream_of(4, _STR),
    "STREAM_LISTPACKS_5": stream_of(5, _STR),
}


class Outer(NamedTuple):
    """A skipped record: its key, the number and kind of its type, and the offset after it."""

    key: bytes
    type_code: int
    kind: str
    stop: int


def read_outer(stream: Bytestream, state: FileState) -> Outer | None:
    """Skip the record at the stream's position; None if its strings are damaged too, or are unknown."""
    reading = Reading(stream, ParsePosition(None, state.max_inflate))
    try:
        row = value_types(state.magic).get(reading.read(1)[0])
        outer = None if row is None else _OUTER.get(row.name)
        if row is None or outer is None:
            return None
        parts = ["key" / KEY, "value" / outer]
        if row.kind in MEMBER_EXPIRY_KINDS:
            parts.append("member_expiry" / MEMBER_EXPIRIES)
        Fields(*parts).parse_stream(reading, version=state.version)
    except (ConstructError, LimitError):
        return None
    if reading.place.key is None:
        return None
    return Outer(reading.place.key, row.code, row.kind, reading.tell())
