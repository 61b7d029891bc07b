"""Intset (format A11.3), type 11: ``encoding | length | members``, all little endian.

``encoding`` is the width of a member in bytes. Ascending order is a rule, not structure.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from rdbtool.core.light_typing import Any
from rdbtool.grammar.fields import U32LE
from rdbtool.grammar.packed import Blob, Entries, Packed, PackedEntry
from rdbtool.grammar.refusal import RefusalError

CODE = "RDB203"
_HEADER_SIZE = 8
_WIDTHS = (2, 4, 8)


def scan_intset(blob: bytes) -> Iterator[PackedEntry]:
    """Yield the members of an intset. Raises RefusalError (RDB203, offset from the blob's beginning)."""
    if len(blob) < _HEADER_SIZE:
        raise RefusalError(
            CODE,
            "size",
            len(blob),
            f"an intset of at least {_HEADER_SIZE} bytes",
            f"{len(blob)} bytes",
            field="encoding",
        )
    width, count = struct.unpack_from("<LL", blob)
    if width not in _WIDTHS:
        raise RefusalError(CODE, "encoding", 0, "a width of 2, 4 or 8 bytes", str(width), field="encoding")
    if count == 0:
        raise RefusalError(CODE, "count", 4, "at least one member", "none", field="length")
    if _HEADER_SIZE + width * count != len(blob):
        held = f"a blob of {len(blob)} bytes"
        raise RefusalError(CODE, "count", 4, f"{count} members of {width} bytes", held, field="length")
    for at in range(_HEADER_SIZE, len(blob), width):
        value = int.from_bytes(blob[at : at + width], "little", signed=True)
        yield PackedEntry(at, at + width, value, ())


def encode_intset(values: list[int]) -> dict[str, Any]:
    """Return the fields of an intset of ``values`` at the width of the widest."""
    width = next(w for w in _WIDTHS if all(-(1 << 8 * w - 1) <= value < 1 << 8 * w - 1 for value in values))
    members = [value.to_bytes(width, "little", signed=True) for value in values]
    return {"encoding": width, "length": len(values), "member": members}


INTSET = Blob(
    Packed(
        encode_intset,
        "encoding" / U32LE,  # bytes per member: 2, 4 or 8
        "length" / U32LE,
        "member" / Entries(scan_intset, ("member",), end_mark=0),
    ),
    "intset",
    CODE,
)
