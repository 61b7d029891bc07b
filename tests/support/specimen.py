"""Specimens: bytes written as annotated hex.

Everything from ``#`` to the end of a line is a comment; white space does not count; ``"text"`` stands for its bytes.
"""

from __future__ import annotations

import re

_TOKEN = re.compile(r'"([^"]*)"|#[^\n]*|([0-9a-fA-F]{2})|(\s+)|(.)', re.DOTALL)


def specimen(text: str) -> bytes:
    """Return the bytes of an annotated-hex text."""
    data = bytearray()
    for quoted, digits, _, stray in _TOKEN.findall(text):
        assert not stray, f"not hex: {stray!r} in {text!r}"
        data += bytes.fromhex(digits) if digits else quoted.encode("latin-1")
    return bytes(data)
