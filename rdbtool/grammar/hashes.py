"""Hashes with field expiries (format A13): types 22 to 25, and Valkey's own type 22.

Redis 24 stores each expiry relative to the earliest one, plus one so that 0 can mean none. 22 and 23 were written by
release candidates of 7.4 only (compared with the reader librdb).
"""

from __future__ import annotations

from construct import Construct

from rdbtool.core.errors import Cause
from rdbtool.core.light_typing import Any
from rdbtool.core.rdb_types import MAX_FIELD_EXPIRE_MS
from rdbtool.grammar.fields import I64LE, Counted, Fields, FieldTuple, Must
from rdbtool.grammar.listpack import listpack
from rdbtool.grammar.packed import PackedEntry
from rdbtool.grammar.primitives import LEN, STR, read_length, write_length
from rdbtool.grammar.reading import Reading

CODE = "RDB207"
_BOUNDS = f"a field expiry from 0 to {MAX_FIELD_EXPIRE_MS} ms"
_EARLIEST = f"an earliest expiry from 0 to {MAX_FIELD_EXPIRE_MS + 1} ms"


class RelativeExpiry(Construct):  # type: ignore[misc]  # construct has no type information
    """LEN: 0 for none, else absolute Unix ms - min_expire + 1. Parsed to the absolute time or None."""

    def _parse(self, stream: Reading, context: Any, path: str) -> int | None:  # noqa: ARG002 - construct's signature
        at = stream.tell()
        ttl = read_length(stream)
        if ttl == 0:
            return None
        expire_at = ttl + int(context.min_expire) - 1
        if not 0 <= expire_at <= MAX_FIELD_EXPIRE_MS:
            raise stream.refuse(CODE, "range", at, _BOUNDS, str(expire_at))
        return expire_at

    def _build(self, obj: int | None, stream: Any, context: Any, path: str) -> int | None:  # noqa: ARG002
        stream.write(write_length(0 if obj is None else obj - context.min_expire + 1))
        return obj


def _check_triple(index: int, entry: PackedEntry) -> tuple[Cause, str] | None:
    """Check that every third element is an expiry in Unix ms, 0 for none; servers refuse the text of a number here."""
    if index % 3 != 2 or (isinstance(entry.value, int) and 0 <= entry.value <= MAX_FIELD_EXPIRE_MS):
        return None
    return "range", _BOUNDS


_TRIPLES = listpack(group=3, check=_check_triple, check_code=CODE)

HASH_METADATA_PRE_GA = Fields(
    "pair"
    / Counted(
        FieldTuple(
            "expire_at" / Must(LEN, lambda ms: ms <= MAX_FIELD_EXPIRE_MS, CODE, "range", _BOUNDS),  # 0: none
            "field" / STR,
            "value" / STR,
        )
    )
)

HASH_LISTPACK_EX_PRE_GA = Fields("triples" / _TRIPLES)

HASH_METADATA = Fields(
    # The earliest expiry, Unix ms; if no field expires, servers store one more than the maximum.
    "min_expire" / Must(I64LE, lambda ms: 0 <= ms <= MAX_FIELD_EXPIRE_MS + 1, CODE, "range", _EARLIEST),
    "pair" / Counted(FieldTuple("ttl" / RelativeExpiry(), "field" / STR, "value" / STR)),
)

HASH_LISTPACK_EX = Fields(
    "min_expire" / I64LE,  # ignored by servers here
    "triples" / _TRIPLES,
)

#: Valkey's type 22 (since Valkey 9, RDB 80).
HASH_2 = Fields(
    "pair"
    / Counted(
        FieldTuple(
            "field" / STR,
            "value" / STR,
            "expire_at" / Must(I64LE, lambda ms: ms >= -1, CODE, "range", "an expiry in Unix ms, or -1 for none"),
        )
    )
)
