"""Zipmap (format A11.4), type 9: ``zmlen | { len key | len free value junk } | 0xff``.

``len`` is one byte up to 253, or 254 and a u32; 255 is the end mark. The long form for a short length is refused, as
servers do since CVE-2026-25243: its size was computed differently while reading and skipping.
"""

from __future__ import annotations

from collections.abc import Iterator

from rdbtool.core.light_typing import Any
from rdbtool.grammar.fields import U8
from rdbtool.grammar.packed import Blob, Entries, Packed, PackedEntry
from rdbtool.grammar.refusal import RefusalError, more_bytes

CODE = "RDB204"
_END = 0xFF
_BIG_LENGTH = 0xFE


def scan_zipmap(blob: bytes) -> Iterator[PackedEntry]:
    """Yield the pairs of a zipmap as (field, value, unused bytes after the value).

    Raises RefusalError (RDB204, offset from the blob's beginning).
    """
    end = len(blob) - 1
    if end < 1:
        raise RefusalError(CODE, "size", len(blob), "a zipmap of at least 2 bytes", f"{len(blob)} bytes", field="zmlen")
    if blob[end] != _END:
        raise RefusalError(CODE, "end-mark", end, "end mark 0xff", f"byte {blob[end]:#04x}", field="end")
    at = 1
    count = 0
    while at < end:
        entry = _read_pair(blob, at, end)
        yield entry
        count += 1
        at = entry.stop
    if blob[0] != _BIG_LENGTH and blob[0] != count:  # 254: this many or more
        raise RefusalError(CODE, "count", 0, f"{blob[0]} pairs", str(count), field="zmlen")


def _read_pair(blob: bytes, start: int, end: int) -> PackedEntry:
    key_at, key_size = _read_length(blob, start, end)
    length_at = key_at + key_size
    free_at, value_size = _read_length(blob, length_at, end)
    value_at = free_at + 1
    _need(value_at, end)
    value_stop = value_at + value_size
    stop = value_stop + blob[free_at]
    _need(stop, end)
    value = (blob[key_at:length_at], blob[value_at:value_stop], blob[value_stop:stop])
    return PackedEntry(start, stop, value, (key_at, length_at, free_at, value_at, value_stop))


def _need(stop: int, end: int) -> None:
    if stop > end:
        raise RefusalError(CODE, "entry", end, more_bytes(stop - end), "end of the zipmap")


def _read_length(blob: bytes, at: int, end: int) -> tuple[int, int]:
    """Return where what follows begins and the length."""
    _need(at + 1, end)
    first = blob[at]
    if first == _END:
        raise RefusalError(CODE, "entry", at, "a length", "end mark 0xff before the end")
    if first < _BIG_LENGTH:
        return at + 1, first
    _need(at + 5, end)
    size = int.from_bytes(blob[at + 1 : at + 5], "little")
    if size < _BIG_LENGTH:
        raise RefusalError(CODE, "entry", at, "a length of 254 or more in the long form", str(size))
    return at + 5, size


def encode_zipmap(pairs: list[tuple[bytes, bytes, bytes]]) -> dict[str, Any]:
    """Return the fields of a zipmap of ``pairs``."""
    encoded = [
        _write_length(len(key)) + key + _write_length(len(value)) + bytes((len(junk),)) + value + junk
        for key, value, junk in pairs
    ]
    return {"zmlen": min(len(pairs), _BIG_LENGTH), "pair": encoded, "end": _END}


def _write_length(size: int) -> bytes:
    return bytes((size,)) if size < _BIG_LENGTH else b"\xfe" + size.to_bytes(4, "little")


ZIPMAP = Blob(
    Packed(
        encode_zipmap,
        "zmlen" / U8,  # pairs, 254 and more: count them
        "pair" / Entries(scan_zipmap, ("field length", "field", "value length", "free", "value", "unused")),
        "end" / U8,  # 0xff
    ),
    "zipmap",
    CODE,
)
