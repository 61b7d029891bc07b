"""Member expiries, as KeyDB writes them after their key (format A18.4, rdbSaveKeyValuePair of KeyDB's rdb.cpp).

They are aux fields in pairs, ``keydb-subexpire-key`` and ``keydb-subexpire-when`` (Unix ms). KeyDB applies them to the
last key that it read; so here they are part of the record. An incomplete pair remains an aux field.
"""

from __future__ import annotations

from construct import Construct

from rdbtool.core.light_typing import Any, Final
from rdbtool.core.rdb_types import MEMBER_EXPIRY_AUX, MEMBER_EXPIRY_VERSION, OPCODES
from rdbtool.grammar.primitives import Stored, read_int64, read_string, text, write_string
from rdbtool.grammar.reading import Reading
from rdbtool.grammar.refusal import RefusalError

_AUX: Final = next(row.code for row in OPCODES if row.name == "AUX")

#: First bytes of the aux fields of a pair: servers store names of up to 20 bytes uncompressed.
_BEGINS: Final = tuple(bytes((_AUX,)) + write_string(name) for name in MEMBER_EXPIRY_AUX)

Pair = tuple[Stored, Stored]


class MemberExpiryPairs(Construct):  # type: ignore[misc]  # construct has no type information
    """Pairs of a member and its expiry; only files of KeyDB's version have any."""

    def _parse(self, stream: Reading, context: Any, path: str) -> list[Pair]:  # noqa: ARG002 - construct's signature
        pairs: list[Pair] = []
        stream.place.value_stop = stream.tell()
        if context["_params"].version != MEMBER_EXPIRY_VERSION:
            return pairs
        while (pair := _look_ahead(stream)) is not None:
            stream.begin_item("member_expiry", len(pairs))
            for name, begin in zip(MEMBER_EXPIRY_AUX, _BEGINS, strict=True):
                at = stream.tell()
                stream.read(len(begin))
                stream.mark(name.decode(), at, None)
                stream.begin("value")
                stream.end(text(read_string(stream)))
            stream.end_item("member_expiry", text(pair[0]))
            pairs.append(pair)
        return pairs

    def _build(self, obj: list[Pair], stream: Any, context: Any, path: str) -> list[Pair]:  # noqa: ARG002
        for pair in obj:
            for begin, stored in zip(_BEGINS, pair, strict=True):
                stream.write(begin + write_string(stored))
        return obj


def member_expiries(pairs: list[Pair]) -> dict[bytes, int]:
    """Return Unix ms by member; of duplicate members the last one counts."""
    return {text(member): int(text(when)) for member, when in pairs}


def _look_ahead(stream: Reading) -> Pair | None:
    """Return the next pair, None if there is none; the stream does not move, and nothing is traced.

    Data that ends inside a pair is refused.
    """
    at = stream.tell()
    tracer, stream.place.tracer = stream.place.tracer, None
    try:
        pair = _read_pair(stream)
    finally:
        stream.place.tracer = tracer
    stream.seek(at)
    return pair


def _read_pair(stream: Reading) -> Pair | None:
    if not _follows(stream, _BEGINS[0], must=False):
        return None
    member = read_string(stream)
    if not _follows(stream, _BEGINS[1], must=True):
        return None
    when = read_string(stream)
    number = read_int64(text(when))
    return (member, when) if number is not None and number >= 0 else None


def _follows(stream: Reading, begin: bytes, *, must: bool) -> bool:
    """Skip ``begin``, if it is next. Data that ends inside it is refused.

    Without ``must`` it may end before it, or after its first byte, which is also the first byte of many other items.
    """
    for index, byte in enumerate(begin):
        try:
            found = stream.read(1)[0]
        except RefusalError:
            if index < 2 and not must:
                return False
            raise
        if found != byte:
            return False
    return True


MEMBER_EXPIRIES = MemberExpiryPairs()
