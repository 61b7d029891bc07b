"""The dataset digest in plain Python over hashlib, from finished records: the judge of the compiled one (format F6)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from codec.grisu import server_text

from rdbtool.model import (
    HashValue,
    KeyRecord,
    ListValue,
    OpaqueValue,
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


def c_text(score: float) -> bytes:
    """What servers up to 7.0 write: C's %.17g."""
    return b"%.17g" % score


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
            for member in value.members:
                state = xor(state, member)
        case ZSetValue() as value:
            for member, score in value.members:
                state = xor(state, mix(NOTHING, member, server_text(score).encode() if shortest else c_text(score)))
        case HashValue() as value:
            for field, text, expire_at_ms in value.fields:
                if hides_before_ms is not None and expire_at_ms is not None and expire_at_ms < hides_before_ms:
                    continue
                part = mix(NOTHING, field, text)
                if marks and expire_at_ms is not None:
                    part = xor(part, b"!!hexpire!!")
                state = xor(state, part)
        case StreamValue() as value:
            for entry in value.entries:
                state = mix(state, b"%d.%d" % (entry.id.ms, entry.id.seq))
                for field, text in entry.fields:
                    state = mix(state, field, text)
        case OpaqueValue():
            pass
    return state
