r"""Glob patterns as the KEYS command understands them, as regular expressions over bytes.

``*`` any bytes, ``?`` one byte, ``[a-z]`` and ``[^a-z]`` one byte of a set, ``\`` takes the next byte
as it is. A set that is not closed ends with the pattern, and a range may be given backwards: so do servers.
Two of their accidents are left out: bytes from 0x80 on are below all others in a range where C's char has a
sign, and the empty key matches ``*`` but not ``**``.
"""

from __future__ import annotations

import re
from typing import Final

_STAR, _ANY, _OPEN, _CLOSE, _NOT, _ESCAPE, _RANGE = b"*?[]^\\-"

#: Matches nothing, as an empty set does.
_NOTHING: Final = rb"[^\x00-\xff]"
_ANYTHING: Final = rb"[\x00-\xff]"


def compile_glob(pattern: bytes) -> re.Pattern[bytes]:
    """Return the expression that is found in exactly the keys that ``KEYS pattern`` returns."""
    pieces: list[bytes] = []
    at = 0
    while at < len(pattern):
        byte = pattern[at]
        at += 1
        if byte == _STAR:
            # A row of stars means the same as one, and would be slow as a row.
            if not pieces or pieces[-1] != b".*":
                pieces.append(b".*")
        elif byte == _ANY:
            pieces.append(b".")
        elif byte == _OPEN:
            piece, at = _set(pattern, at)
            pieces.append(piece)
        else:
            if byte == _ESCAPE and at < len(pattern):
                byte = pattern[at]
                at += 1
            pieces.append(re.escape(bytes((byte,))))
    return re.compile(rb"\A(?:" + b"".join(pieces) + rb")\Z", re.DOTALL)


def _set(pattern: bytes, at: int) -> tuple[bytes, int]:
    """Return the expression of a set whose content begins at ``at``, and where what follows it begins."""
    negated = at < len(pattern) and pattern[at] == _NOT
    at += negated
    members = b""
    while at < len(pattern) and pattern[at] != _CLOSE:
        if pattern[at] == _ESCAPE and at + 1 < len(pattern):
            first = last = pattern[at + 1]
            at += 2
        elif at + 2 < len(pattern) and pattern[at + 1] == _RANGE:
            first, last = sorted((pattern[at], pattern[at + 2]))
            at += 3
        else:
            first = last = pattern[at]
            at += 1
        members += b"\\x%02x-\\x%02x" % (first, last)
    if not members:
        return _ANYTHING if negated else _NOTHING, at + 1
    return b"[" + b"^" * negated + members + b"]", at + 1
