r"""Glob patterns of the KEYS command, as regular expressions over bytes.

``*`` any bytes, ``?`` one byte, ``[a-z]`` and ``[^a-z]`` one byte of a set, ``\`` escapes the next byte. An unclosed
set ends with the pattern, and a range may be reversed: as in servers. So are their accidents: in a range, bytes from
0x80 on sort below all others, because C's char is signed on most machines, and the empty key matches ``*`` but not
``**``.
"""

from __future__ import annotations

import re

from rdbtool.core.light_typing import Final

_STAR, _ANY, _OPEN, _CLOSE, _NOT, _ESCAPE, _RANGE = b"*?[]^\\-"

#: The first byte that is negative as a C char.
_NEGATIVE: Final = 0x80

#: Matches nothing, as an empty set does.
_NOTHING: Final = rb"[^\x00-\xff]"
_ANYTHING: Final = rb"[\x00-\xff]"


def compile_glob(pattern: bytes) -> re.Pattern[bytes]:
    """Return an expression that matches exactly the keys that ``KEYS pattern`` returns.

    What is between two stars is searched for once, after the first match of what precedes it: a later match gains
    nothing, because every piece matches one byte. So the time is bounded by the sizes of key and pattern.
    """
    rows = _rows(pattern)
    if len(rows) == 1:
        return re.compile(rb"\A" + b"".join(rows[0]) + rb"\Z", re.DOTALL)
    if not any(rows):
        return re.compile(rb"\A.*\Z" if pattern == b"*" else rb"\A.+\Z", re.DOTALL)
    first, *between, last = rows
    expression = rb"\A" + b"".join(first)
    for row in between:
        expression += rb"(?>.*?" + b"".join(row) + rb")"
    if last:
        # The end of the key, and not what was matched before.
        expression += rb"(?=.{%d})(?>.*)(?<=" % len(last) + b"".join(last) + rb")"
    else:
        expression += rb".*"
    return re.compile(expression + rb"\Z", re.DOTALL)


def byte_maps(pattern: bytes) -> list[list[bytes]]:
    """Return the rows of a pattern between stars: of each byte, 256 bits that say which bytes match.

    A match is one of the first row at the beginning, of the last row at the end, and of the others in between, in their
    order; a single row takes the whole key. But two stars alone match no empty key.
    """
    return [[_byte_map(expression) for expression in row] for row in _rows(pattern)]


def _byte_map(expression: bytes) -> bytes:
    bits = 0
    for match in re.finditer(expression, bytes(range(0x100)), re.DOTALL):
        bits |= 1 << match[0][0]
    return bits.to_bytes(32, "little")


def _rows(pattern: bytes) -> list[list[bytes]]:
    """Return the expressions of single bytes, in rows between stars. Consecutive stars are one."""
    rows: list[list[bytes]] = [[]]
    at = 0
    while at < len(pattern):
        byte = pattern[at]
        at += 1
        if byte == _STAR:
            if len(rows) == 1 or rows[-1]:
                rows.append([])
        elif byte == _ANY:
            rows[-1].append(b".")
        elif byte == _OPEN:
            piece, at = _set(pattern, at)
            rows[-1].append(piece)
        else:
            if byte == _ESCAPE and at < len(pattern):
                byte = pattern[at]
                at += 1
            rows[-1].append(re.escape(bytes((byte,))))
    return rows


def _set(pattern: bytes, at: int) -> tuple[bytes, int]:
    """Return the expression of the set that begins at ``at``, and the index after it."""
    negated = at < len(pattern) and pattern[at] == _NOT
    at += negated
    members = b""
    while at < len(pattern) and pattern[at] != _CLOSE:
        if pattern[at] == _ESCAPE and at + 1 < len(pattern):
            first = last = pattern[at + 1]
            at += 2
        elif at + 2 < len(pattern) and pattern[at + 1] == _RANGE:
            first, last = sorted((pattern[at], pattern[at + 2]), key=_signed)
            at += 3
        else:
            first = last = pattern[at]
            at += 1
        if first > last:
            # From a negative to a positive char.
            members += b"\\x%02x-\\xff\\x00-\\x%02x" % (first, last)
        else:
            members += b"\\x%02x-\\x%02x" % (first, last)
    if not members:
        return _ANYTHING if negated else _NOTHING, at + 1
    return b"[" + b"^" * negated + members + b"]", at + 1


def _signed(byte: int) -> int:
    return byte - 0x100 if byte >= _NEGATIVE else byte
