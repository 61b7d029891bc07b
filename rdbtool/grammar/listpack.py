"""Listpack (format A11.2): types 16, 17, 20, 23 and 25, the nodes of type 18 and of streams.

``total | count | entries | 0xff``; an entry is ``encoding | data | backlen``. ``backlen`` is the size of encoding and
data in base 128, big endian, with the high bit set on all bytes but the first. Its width changes one byte before the
number would need it (upstream ``lpEncodeBacklen``).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from rdbtool.core.light_typing import Any
from rdbtool.grammar.fields import U8, U16LE, U32LE
from rdbtool.grammar.packed import Blob, Entries, EntryCheck, Packed, PackedEntry
from rdbtool.grammar.refusal import RefusalError, more_bytes
from rdbtool.grammar.ziplist import check_score

CODE = "RDB202"
_HEADER_SIZE = 6
_END = 0xFF
_COUNT_UNKNOWN = 0xFFFF
PARTS = ("encoding", "data", "backlen")

#: Integer encodings with data: its size in bytes.
_INTEGERS = {0xF1: 2, 0xF2: 3, 0xF3: 4, 0xF4: 8}


def scan_listpack(blob: bytes) -> Iterator[PackedEntry]:
    """Yield the entries of a listpack, values bytes or int; parts: encoding, data, backlen.

    Raises RefusalError (RDB202, offset from the blob's beginning) where a server's deep check would refuse it.
    """
    if len(blob) < _HEADER_SIZE + 1:
        raise RefusalError(
            CODE,
            "size",
            len(blob),
            f"a listpack of at least {_HEADER_SIZE + 1} bytes",
            f"{len(blob)} bytes",
            field="total",
        )
    total, declared = struct.unpack_from("<LH", blob)
    end = len(blob) - 1
    if total != len(blob):
        raise RefusalError(
            CODE, "size", 0, f"a total-bytes field of {len(blob)} (the size of the value)", str(total), field="total"
        )
    if blob[end] != _END:
        raise RefusalError(CODE, "end-mark", end, "end mark 0xff", f"byte {blob[end]:#04x}", field="end")
    at = _HEADER_SIZE
    count = 0
    while at < end:
        entry = _read_entry(blob, at, end)
        yield entry
        count += 1
        at = entry.stop
    if declared not in (count, _COUNT_UNKNOWN):
        raise RefusalError(CODE, "count", 4, f"{declared} entries", str(count), field="count")


def _read_entry(blob: bytes, start: int, end: int) -> PackedEntry:
    data_at, data_size = _read_encoding(blob, start, end)
    back_at = data_at + data_size
    backlen = _SHORT_BACKLENS[back_at - start] if back_at - start < 128 else write_backlen(back_at - start)
    stop = back_at + len(backlen)
    _need(stop, end)
    if blob[back_at:stop] != backlen:
        found = f"0x{blob[back_at:stop].hex()}"
        raise RefusalError(CODE, "entry", back_at, f"back-length 0x{backlen.hex()}", found)
    return PackedEntry(start, stop, _read_value(blob, start, data_at, back_at), (data_at, back_at))


def _need(stop: int, end: int) -> None:
    if stop > end:
        raise RefusalError(CODE, "entry", end, more_bytes(stop - end), "end of the listpack")


def _read_encoding(blob: bytes, at: int, end: int) -> tuple[int, int]:
    """Return where the data begins and its size."""
    first = blob[at]
    if first < 0x80:  # 0xxxxxxx, a number
        return at + 1, 0
    if first < 0xC0:  # 10xxxxxx, a string
        return at + 1, first & 0x3F
    if first < 0xE0:  # 110xxxxx xxxxxxxx, a number
        return at + 2, 0
    if first < 0xF0:  # 1110xxxx xxxxxxxx, a string
        _need(at + 2, end)
        return at + 2, (first & 0x0F) << 8 | blob[at + 1]
    if first == 0xF0:  # a string, 32 bits, little endian
        _need(at + 5, end)
        return at + 5, int.from_bytes(blob[at + 1 : at + 5], "little")
    if first in _INTEGERS:
        return at + 1, _INTEGERS[first]
    found = "end mark 0xff before the end" if first == _END else f"byte {first:#04x}"
    raise RefusalError(CODE, "entry", at, "a listpack encoding", found)


def _read_value(blob: bytes, start: int, data_at: int, stop: int) -> bytes | int:
    first = blob[start]
    if first < 0x80:
        return first
    if 0xC0 <= first < 0xE0:  # 13 bits, signed
        number = (first & 0x1F) << 8 | blob[start + 1]
        return number - 0x2000 if number >= 0x1000 else number
    if first in _INTEGERS:
        return int.from_bytes(blob[data_at:stop], "little", signed=True)
    return blob[data_at:stop]


def write_backlen(size: int) -> bytes:
    """Return the backlen of an entry whose encoding and data take ``size`` bytes."""
    width = 1 if size <= 127 else 2 if size < 16383 else 3 if size < 2097151 else 4 if size < 268435455 else 5
    digits = [size >> 7 * place & 0x7F for place in reversed(range(width))]
    return bytes([digits[0], *(digit | 0x80 for digit in digits[1:])])


#: By size: most entries are small.
_SHORT_BACKLENS = [write_backlen(size) for size in range(128)]


def encode_listpack(values: list[Any]) -> dict[str, Any]:
    """Return the fields of a listpack of ``values`` (bytes or int) as a server writes them."""
    encoded = []
    for value in values:
        entry = _encode_integer(value) if isinstance(value, int) else _encode_string(value)
        encoded.append(entry + write_backlen(len(entry)))
    total = _HEADER_SIZE + sum(map(len, encoded)) + 1
    return {"total": total, "count": min(len(values), _COUNT_UNKNOWN), "entry": encoded, "end": _END}


def _encode_string(value: bytes) -> bytes:
    if len(value) < 0x40:
        return bytes((0x80 | len(value),)) + value
    if len(value) < 0x1000:
        return (0xE000 | len(value)).to_bytes(2, "big") + value
    return b"\xf0" + len(value).to_bytes(4, "little") + value


def _encode_integer(value: int) -> bytes:
    if 0 <= value <= 127:
        return bytes((value,))
    if -4096 <= value <= 4095:
        return (0xC000 | value & 0x1FFF).to_bytes(2, "big")
    for code, size in _INTEGERS.items():
        if -(1 << 8 * size - 1) <= value < 1 << 8 * size - 1:
            return bytes((code,)) + value.to_bytes(size, "little", signed=True)
    return _encode_string(str(value).encode())


def listpack_of(entries: Entries, *, empty_code: str | None = None) -> Blob:
    """Return the construct of a STR that holds a listpack with these entries."""
    fields = Packed(
        encode_listpack,
        "total" / U32LE,  # the size of the listpack
        "count" / U16LE,  # entries, 65535: count them
        "entry" / entries,
        "end" / U8,  # 0xff
    )
    return Blob(fields, "listpack", CODE, empty_code=empty_code)


def listpack(
    *, group: int = 1, check: EntryCheck | None = None, check_code: str = "", empty_code: str | None = None
) -> Blob:
    """Return the construct of a STR that holds a listpack, its entries in groups of ``group``."""
    entries = Entries(scan_listpack, PARTS, group=group, check=check, check_code=check_code)
    return listpack_of(entries, empty_code=empty_code)


def scored_listpack() -> Blob:
    """Return the construct of a STR that holds a listpack of members and scores."""
    return listpack(group=2, check=check_score, check_code="RDB106")
