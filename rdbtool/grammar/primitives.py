"""LEN, STR and the text form of a double (format A3, A4, A5): plain functions, and constructs around them.

A STR is kept in its stored form: ``bytes`` for a raw one, ``int`` for one stored as a number, ``Lzf`` for a compressed
one. ``text`` returns the bytes that a server would see.
"""

from __future__ import annotations

import re

from construct import Construct

from rdbtool.core.errors import Cause, OversizeError
from rdbtool.core.light_typing import Any
from rdbtool.core.rdb_types import LZF_MAX_RATIO
from rdbtool.grammar.lzf import inflate_string
from rdbtool.grammar.reading import Reading

#: The largest LEN. As a count it is an error mark in servers.
U64_MAX = (1 << 64) - 1

#: Maximum length of a score's text (bytes). The longest that servers write has 24.
_MAX_SCORE_TEXT = 128

#: A score that C's strtod parses, without hexadecimals.
_SCORE = re.compile(rb"[+-]?(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e[+-]?[0-9]+)?|inf(?:inity)?|nan)", re.IGNORECASE)

#: A prefix that sscanf parses as a number.
_SCORE_BEGINS = re.compile(rb" *[+-]?(?:\.?[0-9]|inf)", re.IGNORECASE)

_CANONICAL_INT = re.compile(rb"0|-?[1-9][0-9]{0,18}")

_INT_WIDTHS = {0xC0: 1, 0xC1: 2, 0xC2: 4}

# Text doubles (format A5): these lengths represent a value and have no text.
_TEXT_NAN, _TEXT_INF, _TEXT_NEGATIVE_INF = 253, 254, 255
_SPECIAL_DOUBLES = {_TEXT_NAN: float("nan"), _TEXT_INF: float("inf"), _TEXT_NEGATIVE_INF: float("-inf")}


class Lzf:
    """A STR stored compressed: ``data`` is the decompressed value, ``packed`` the bytes in the file."""

    __slots__ = ("data", "packed")

    def __init__(self, data: bytes, packed: bytes) -> None:
        self.data = data
        self.packed = packed

    def __str__(self) -> str:
        return f"{len(self.data)} bytes"


Stored = bytes | int | Lzf


def text(stored: Stored) -> bytes:
    """Return the bytes of a STR: decompressed, or a number as decimal text."""
    if isinstance(stored, bytes):
        return stored
    return str(stored).encode() if isinstance(stored, int) else stored.data


def read_length(stream: Reading) -> int:
    """Return a LEN (format A3), 0 to 2**64 - 1. For ``11xxxxxx``, its low six bits, as servers do."""
    at = stream.tell()
    first = stream.read(1)[0]
    return first & 0x3F if first >= 0xC0 else _rest_of_length(stream, at, first)


def _rest_of_length(stream: Reading, at: int, first: int) -> int:
    if first < 0x40:  # 00xxxxxx
        return first
    if first < 0x80:  # 01xxxxxx and 8 more bits
        return (first & 0x3F) << 8 | stream.read(1)[0]
    if first > 0x81:
        raise stream.refuse(
            "RDB102", "encoding", at, "a length (00xxxxxx, 01xxxxxx, 0x80 or 0x81)", f"byte {first:#04x}"
        )
    return int.from_bytes(stream.read(4 if first == 0x80 else 8), "big")


def write_length(value: int) -> bytes:
    """Return the shortest LEN of ``value``."""
    if value < 0x40:
        return bytes((value,))
    if value < 0x4000:
        return (0x4000 | value).to_bytes(2, "big")
    if value <= 0xFFFFFFFF:
        return b"\x80" + value.to_bytes(4, "big")
    return b"\x81" + value.to_bytes(8, "big")


def read_string(stream: Reading, most: int | None = None, what: str = "string") -> Stored:
    """Return a STR (format A4) in its stored form, of up to ``most`` bytes. Raises OversizeError for a larger one.

    ``what`` describes its contents, if they are not a plain string.
    """
    start = stream.tell()
    most = stream.place.max_inflate if most is None else most
    first = stream.read(1)[0]
    if first >= 0xC0:
        return _read_encoded(stream, start, first, most, what)
    size = _rest_of_length(stream, start, first)
    stream.mark("length", start, size)
    at = stream.tell()
    if size > most:
        stream.expect(size, most)
        raise OversizeError(start, f"a {what}", size, most)
    data = stream.read(size)
    stream.mark("data", at, data)
    return data


def _read_encoded(stream: Reading, start: int, first: int, most: int, what: str) -> int | Lzf:
    if first in _INT_WIDTHS:
        stream.mark("encoding", start, f"int{8 * _INT_WIDTHS[first]}")
        at = stream.tell()
        number = int.from_bytes(stream.read(_INT_WIDTHS[first]), "little", signed=True)
        stream.mark("integer", at, number)
        return number
    if first != 0xC3:
        raise stream.refuse("RDB103", "encoding", start, "a string encoding (0xc0 to 0xc3)", f"byte {first:#04x}")
    stream.mark("encoding", start, "lzf")
    return _read_lzf(stream, start, most, what)


def _read_lzf(stream: Reading, start: int, most: int, what: str) -> Lzf:
    """``LEN clen · LEN ulen · clen bytes`` (format A4, F2)."""
    packed_at = stream.tell()
    packed_size = read_length(stream)
    stream.mark("compressed size", packed_at, packed_size)
    at = stream.tell()
    size = read_length(stream)
    stream.mark("size", at, size)
    if packed_size == 0:
        raise stream.refuse("RDB104", "compression", packed_at, "compressed data", "none")
    if not 0 < size <= LZF_MAX_RATIO * packed_size:
        bounds = f"a size from 1 to {LZF_MAX_RATIO * packed_size} for {packed_size} compressed bytes"
        raise stream.refuse("RDB104", "compression", at, bounds, str(size))
    at = stream.tell()
    if size > most:
        stream.expect(packed_size, most)
        raise OversizeError(start, f"a {what}", size, most)
    packed = stream.read(packed_size)
    stream.mark("compressed data", at, packed)
    return Lzf(inflate_string(stream, at, packed, size), packed)


def write_string(stored: Stored) -> bytes:
    """Return a STR that stores what ``read_string`` returned in the same form."""
    if isinstance(stored, bytes):
        return write_length(len(stored)) + stored
    if isinstance(stored, Lzf):
        return write_compressed(stored.packed, len(stored.data))
    for code, width in _INT_WIDTHS.items():
        if -(1 << 8 * width - 1) <= stored < 1 << 8 * width - 1:
            return bytes((code,)) + stored.to_bytes(width, "little", signed=True)
    return write_string(str(stored).encode())


def write_compressed(packed: bytes, size: int) -> bytes:
    """Return the STR of LZF data that decompresses to ``size`` bytes."""
    return b"\xc3" + write_length(len(packed)) + write_length(size) + packed


def read_score(data: bytes) -> float | None:
    """Return the double that ``data`` spells in ASCII, correctly rounded; None if it is not a number."""
    if len(data) > _MAX_SCORE_TEXT or _SCORE.fullmatch(data) is None:
        return None
    return float(data)


def cause_of_score(data: bytes) -> Cause:
    """Return the cause why ``read_score`` refuses a text: servers parse a numeric prefix."""
    return "number-prefix" if _SCORE_BEGINS.match(data) else "number"


def read_int64(value: bytes | int) -> int | None:
    """Return an entry as a signed 64-bit number: an integer, or its canonical decimal text; None otherwise."""
    if isinstance(value, int):
        return value
    if _CANONICAL_INT.fullmatch(value) is None:
        return None
    number = int(value)
    return number if -(1 << 63) <= number < 1 << 63 else None


class Length(Construct):  # type: ignore[misc]  # construct has no type information
    """LEN, a number."""

    def _parse(self, stream: Reading, context: Any, path: str) -> int:  # noqa: ARG002 - construct's signature
        return read_length(stream)

    def _build(self, obj: int, stream: Any, context: Any, path: str) -> int:  # noqa: ARG002
        stream.write(write_length(obj))
        return obj


class String(Construct):  # type: ignore[misc]
    """STR, in its stored form."""

    def _parse(self, stream: Reading, context: Any, path: str) -> Stored:  # noqa: ARG002
        return read_string(stream)

    def _build(self, obj: Stored, stream: Any, context: Any, path: str) -> Stored:  # noqa: ARG002
        stream.write(write_string(obj))
        return obj


class Key(String):
    """The STR of a key; the position remembers it for refusals."""

    def _parse(self, stream: Reading, context: Any, path: str) -> Stored:
        stored = super()._parse(stream, context, path)
        stream.place.key = text(stored)
        stream.place.value_at = stream.tell()
        return stored


class TextDouble(Construct):  # type: ignore[misc]
    """The text form of a double (format A5): one length byte, 253 to 255 for nan, inf and -inf, else ASCII.

    Kept as the ASCII bytes, or as the length byte if there are none.
    """

    def _parse(self, stream: Reading, context: Any, path: str) -> bytes | int:  # noqa: ARG002
        at = stream.tell()
        size = stream.read(1)[0]
        stream.mark("length", at, _SPECIAL_DOUBLES.get(size, size))
        if size in _SPECIAL_DOUBLES:
            return size
        at = stream.tell()
        data = stream.read(size)
        stream.mark("text", at, data)
        if read_score(data) is None:
            raise stream.refuse("RDB106", cause_of_score(data), at, "a number", show(data))
        return data

    def _build(self, obj: bytes | int, stream: Any, context: Any, path: str) -> bytes | int:  # noqa: ARG002
        stream.write(bytes((obj,)) if isinstance(obj, int) else bytes((len(obj),)) + obj)
        return obj


def text_double(stored: bytes | int) -> float:
    """Return the value of what ``TextDouble`` parsed."""
    if isinstance(stored, int):
        return _SPECIAL_DOUBLES[stored]
    score = read_score(stored)
    assert score is not None  # TextDouble refuses anything else
    return score


def show(data: bytes, limit: int = 24) -> str:
    """Return a few bytes as text for a message."""
    return repr(data if len(data) <= limit else data[:limit] + b"...")[1:]


LEN = Length()
STR = String()
KEY = Key()
TEXT_DOUBLE = TextDouble()
