"""The dataset digest in plain Python over hashlib, from finished records: the judge of the compiled one (format F6)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from functools import reduce

from codec.grisu import server_text

from rdbtool.model import (
    HashValue,
    KeyRecord,
    ListValue,
    SetValue,
    StreamValue,
    StringValue,
    ZSetValue,
)

NUMBERS = {"string": 0, "list": 1, "set": 2, "zset": 3, "hash": 4, "module": 5, "stream": 6, "array": 7}
NOTHING = bytes(20)


def xor(state: bytes, text: bytes) -> bytes:
    hashed = hashlib.sha1(text).digest()
    return bytes(a ^ b for a, b in zip(state, hashed, strict=True))


def mix(state: bytes, *texts: bytes) -> bytes:
    for text in texts:
        state = hashlib.sha1(xor(state, text)).digest()
    return state


def digest(records: Iterable[KeyRecord], *, shortest: bool, marks: bool, hides_before_ms: int | None = None) -> str:
    """Return the 40 hex digits. ``hides_before_ms``: fields that expired before are left out."""
    dbs: dict[int, bytes] = {}
    for record in records:
        key = mix(NOTHING, record.key, NUMBERS[record.kind].to_bytes(4, "big"))
        key = _value(key, record, shortest, marks, hides_before_ms)
        if record.expire_at_ms is not None:
            key = xor(key, b"!!expire!!")
        dbs[record.db] = xor(dbs.get(record.db, NOTHING), key)
    final = NOTHING
    for db, keys in sorted(dbs.items()):
        final = mix(final, db.to_bytes(4, "big"))
        final = bytes(a ^ b for a, b in zip(final, keys, strict=True))
    return final.hex()


def _value(state: bytes, record: KeyRecord, shortest: bool, marks: bool, hides_before_ms: int | None) -> bytes:
    match record.value:
        case StringValue() as value:
            return mix(state, value.data)
        case ListValue() as value:
            return mix(state, *value.elements)
        case SetValue() as value:
            return reduce(xor, value.members, state)
        case ZSetValue() as value:
            scores = ((member, score_text(score, shortest)) for member, score in value.members)
            return reduce(xor, (mix(NOTHING, *pair) for pair in scores), state)
        case HashValue() as value:
            shown = (row for row in value.fields if row[2] is None or row[2] >= (hides_before_ms or 0))
            return reduce(xor, (_field(*row, marks) for row in shown), state)
        case StreamValue() as value:
            return mix(state, *_stream(value))
    return state


def score_text(score: float, shortest: bool) -> bytes:
    return server_text(score).encode() if shortest else b"%.17g" % score


def _field(field: bytes, text: bytes, expire_at_ms: int | None, marks: bool) -> bytes:
    part = mix(NOTHING, field, text)
    return xor(part, b"!!hexpire!!") if marks and expire_at_ms is not None else part


def _stream(value: StreamValue) -> Iterator[bytes]:
    for entry in value.entries:
        yield b"%d.%d" % (entry.id.ms, entry.id.seq)
        for field, text in entry.fields:
            yield field
            yield text
