"""Ziplist (format A11.1): types 10, 12 and 13, and the nodes of type 14.

``zlbytes | zltail | zllen | entries | 0xff``; an entry is ``prevlen | encoding | data``. All numbers are little endian
except the two string lengths.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from rdbtool.core.errors import Cause
from rdbtool.core.light_typing import Any
from rdbtool.grammar.fields import U8, U16LE, U32LE
from rdbtool.grammar.packed import Blob, Entries, Packed, PackedEntry
from rdbtool.grammar.primitives import cause_of_score, read_score
from rdbtool.grammar.refusal import RefusalError, more_bytes

CODE = "RDB201"
_HEADER_SIZE = 10
_END = 0xFF
_BIG_PREVLEN = 0xFE
_COUNT_UNKNOWN = 0xFFFF

#: Integer encodings: data size in bytes.
_INTEGERS = {0xC0: 2, 0xD0: 4, 0xE0: 8, 0xF0: 3, 0xFE: 1}


def scan_ziplist(blob: bytes) -> Iterator[PackedEntry]:
    """Yield the entries of a ziplist, values bytes or int; parts: prevlen, encoding, data.

    Raises RefusalError (RDB201, offset from the blob's beginning) where a server would not load it.
    """
    if len(blob) < _HEADER_SIZE + 1:
        raise RefusalError(
            CODE,
            "size",
            len(blob),
            f"a ziplist of at least {_HEADER_SIZE + 1} bytes",
            f"{len(blob)} bytes",
            field="zlbytes",
        )
    size, tail, declared = struct.unpack_from("<LLH", blob)
    end = len(blob) - 1
    if size != len(blob):
        raise RefusalError(
            CODE, "size", 0, f"a zlbytes field of {len(blob)} (the size of the value)", str(size), field="zlbytes"
        )
    if blob[end] != _END:
        raise RefusalError(CODE, "end-mark", end, "end mark 0xff", f"byte {blob[end]:#04x}", field="end")
    at = last = _HEADER_SIZE
    before = count = 0
    while at < end:
        entry = _read_entry(blob, at, end, before)
        yield entry
        count += 1
        last, before, at = at, entry.stop - at, entry.stop
    if tail != last:
        raise RefusalError(CODE, "size", 4, f"the offset of the last entry, {last}", str(tail), field="zltail")
    if declared not in (count, _COUNT_UNKNOWN):
        raise RefusalError(CODE, "count", 8, f"{declared} entries", str(count), field="zllen")


def _read_entry(blob: bytes, start: int, end: int, before: int) -> PackedEntry:
    """Read the entry at ``start``; ``before`` is the size of the previous entry, 0 for none."""
    at = start + 1
    prevlen = blob[start]
    if prevlen == _END:
        raise RefusalError(CODE, "entry", start, "an entry", "end mark 0xff before the end")
    if prevlen == _BIG_PREVLEN:
        at += 4
        _need(at, end)
        prevlen = int.from_bytes(blob[start + 1 : at], "little")
    if prevlen != before:
        raise RefusalError(CODE, "entry", start, f"the size of the entry before, {before}", str(prevlen))
    _need(at + 1, end)
    data_at, data_size = _read_encoding(blob, at, end)
    stop = data_at + data_size
    _need(stop, end)
    return PackedEntry(start, stop, _read_data(blob, blob[at], data_at, stop), (at, data_at))


def _need(stop: int, end: int) -> None:
    if stop > end:
        raise RefusalError(CODE, "entry", end, more_bytes(stop - end), "end of the ziplist")


def _read_encoding(blob: bytes, at: int, end: int) -> tuple[int, int]:
    """Return where the data begins and its size."""
    first = blob[at]
    if first < 0x40:  # 00pppppp
        return at + 1, first
    if first < 0x80:  # 01pppppp qqqqqqqq
        _need(at + 2, end)
        return at + 2, (first & 0x3F) << 8 | blob[at + 1]
    if first < 0xC0:  # 10______ and 32 bits, big endian
        _need(at + 5, end)
        return at + 5, int.from_bytes(blob[at + 1 : at + 5], "big")
    if first in _INTEGERS:
        return at + 1, _INTEGERS[first]
    if 0xF1 <= first <= 0xFD:  # the value itself, plus one
        return at + 1, 0
    raise RefusalError(CODE, "entry", at, "a ziplist encoding", f"byte {first:#04x}")


def _read_data(blob: bytes, encoding: int, start: int, stop: int) -> bytes | int:
    if encoding < 0xC0:
        return blob[start:stop]
    if encoding in _INTEGERS:
        return int.from_bytes(blob[start:stop], "little", signed=True)
    return (encoding & 0x0F) - 1


def encode_ziplist(values: list[Any]) -> dict[str, Any]:
    """Return the fields of a ziplist of ``values`` (bytes or int) as a server writes them."""
    encoded: list[bytes] = []
    last = _HEADER_SIZE
    at = _HEADER_SIZE
    before = 0
    for value in values:
        prevlen = bytes((before,)) if before < _BIG_PREVLEN else b"\xfe" + before.to_bytes(4, "little")
        entry = prevlen + (_encode_integer(value) if isinstance(value, int) else _encode_string(value))
        encoded.append(entry)
        last, before, at = at, len(entry), at + len(entry)
    count = min(len(values), _COUNT_UNKNOWN)
    return {"zlbytes": at + 1, "zltail": last, "zllen": count, "entry": encoded, "end": _END}


def _encode_string(value: bytes) -> bytes:
    if len(value) < 0x40:
        return bytes((len(value),)) + value
    if len(value) < 0x4000:
        return (0x4000 | len(value)).to_bytes(2, "big") + value
    return b"\x80" + len(value).to_bytes(4, "big") + value


def _encode_integer(value: int) -> bytes:
    if 0 <= value <= 12:
        return bytes((0xF1 + value,))
    for code, size in sorted(_INTEGERS.items(), key=lambda item: item[1]):
        if -(1 << 8 * size - 1) <= value < 1 << 8 * size - 1:
            return bytes((code,)) + value.to_bytes(size, "little", signed=True)
    return _encode_string(str(value).encode())


def check_score(index: int, entry: PackedEntry) -> tuple[Cause, str] | None:
    """Check that every second entry of a packed sorted set is a score."""
    if index % 2 == 0 or isinstance(entry.value, int) or read_score(entry.value) is not None:
        return None
    return cause_of_score(entry.value), "a number"


def ziplist(*, group: int = 1, scores: bool = False, empty_code: str | None = None) -> Blob:
    """Return the construct of a STR that holds a ziplist, its entries in groups of ``group``."""
    check = check_score if scores else None
    entries = Entries(scan_ziplist, ("prevlen", "encoding", "data"), group=group, check=check, check_code="RDB106")
    fields = Packed(
        encode_ziplist,
        "zlbytes" / U32LE,  # the size of the ziplist
        "zltail" / U32LE,  # offset of the last entry
        "zllen" / U16LE,  # entries, 65535: count them
        "entry" / entries,
        "end" / U8,  # 0xff
    )
    return Blob(fields, "ziplist", CODE, empty_code=empty_code)
