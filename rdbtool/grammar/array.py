"""Sparse arrays (format A18.1), type 28, since RDB 14. Secondary: no server's file was available.

``count | has_insert [insert_idx] | count × (index, tag, data)``.
"""

from __future__ import annotations

from construct import Construct, If

from rdbtool.core.light_typing import Any
from rdbtool.grammar.fields import F64LE, I64LE, Fields, FieldTuple, Items, Must, build_part, parse_part
from rdbtool.grammar.primitives import LEN, STR, U64_MAX, read_length, text, write_length
from rdbtool.grammar.reading import Reading

CODE = "RDB209"
_SMALL_STRING_SIZE = 7

#: The data after an item's index, by its tag.
_DATA: dict[int, Any] = {
    0: STR,
    1: I64LE,
    2: F64LE,
    3: Must(
        STR, lambda stored: len(text(stored)) <= _SMALL_STRING_SIZE, CODE, "size", "a small string of at most 7 bytes"
    ),
}


class Tagged(Construct):  # type: ignore[misc]  # construct has no type information
    """LEN tag · data, as a tuple."""

    def _parse(self, stream: Reading, context: Any, path: str) -> tuple[int, Any]:
        at = stream.tell()
        tag = read_length(stream)
        if tag not in _DATA:
            raise stream.refuse(
                CODE, "encoding", at, "tag 0 (string), 1 (integer), 2 (double) or 3 (small string)", str(tag)
            )
        stream.mark("tag", at, tag)
        stream.begin("data")
        value = parse_part(_DATA[tag], stream, context, path)
        stream.end(value)
        return tag, value

    def _build(self, obj: tuple[int, Any], stream: Any, context: Any, path: str) -> tuple[int, Any]:
        tag, value = obj
        stream.write(write_length(tag))
        build_part(_DATA[tag], value, stream, context, path)
        return obj


ARRAY = Fields(
    "count" / Must(LEN, lambda count: count > 0, CODE, "count", "at least one item"),
    "has_insert" / Must(LEN, lambda flag: flag in (0, 1), CODE, "encoding", "0 or 1"),
    "insert_idx" / If(lambda this: this.has_insert, LEN),
    "item"
    / Items(
        FieldTuple(
            "index" / Must(LEN, lambda index: index != U64_MAX, CODE, "range", f"an index below {U64_MAX}"),
            "value" / Tagged(),
        ),
        lambda this: this.count,
    ),
)
