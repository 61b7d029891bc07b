"""Manifests of multi-part logs, as servers write them (format C4): base, history, then increments, a line each."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Final

from rdbtool.reader.manifest import Entry

_ORDER: Final = {"base": 0, "history": 1, "incr": 2}
_SAFE: Final = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-+@%,:=~")
_ESCAPES: Final = {b"\n"[0]: b"\\n", b"\r"[0]: b"\\r", b"\t"[0]: b"\\t", b'"'[0]: b'\\"', b"\\"[0]: b"\\\\"}


def format_manifest(entries: Iterable[Entry]) -> bytes:
    """Return the bytes of a manifest; names are quoted where servers would need it. The order of a kind is kept."""
    return b"".join(_format(entry) for entry in sorted(entries, key=lambda entry: _ORDER[entry.kind]))


def _format(entry: Entry) -> bytes:
    line = b"file %b seq %d type %b" % (_quote(os.fsencode(entry.name)), entry.seq, entry.kind[:1].encode())
    if entry.start_offset is not None:
        line += b" startoffset %d" % entry.start_offset
    if entry.end_offset is not None:
        line += b" endoffset %d" % entry.end_offset
    return line + b"\n"


def _quote(name: bytes) -> bytes:
    if name and _SAFE.issuperset(name):
        return name
    quoted = b"".join(
        _ESCAPES.get(byte) or (bytes([byte]) if 0x20 <= byte < 0x7F else b"\\x%02x" % byte) for byte in name
    )
    return b'"%b"' % quoted
