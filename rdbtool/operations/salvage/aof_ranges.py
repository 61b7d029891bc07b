"""Ranges of a log that are kept, and what the bytes between them were."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Container

    from rdbtool.operations.salvage.input import Stock

#: Bytes of a damaged record that are looked at to name it.
_NAMING: Final = 1 << 12

_SIZE: Final = re.compile(rb"\$(\d{1,18})\r\n")
_NAME: Final = re.compile(rb"\$\d{1,3}\r\n([A-Za-z][A-Za-z.|_-]{1,30})\r\n(?:\$(\d{1,5})\r\n)?")


class Keep(NamedTuple):
    """Bytes that are kept: those from ``start`` to ``stop`` as they are, or else ``data`` in their place."""

    start: int
    stop: int
    data: bytes | None = None


def leave_out(kept: list[Keep], ranges: list[tuple[int, int]]) -> list[Keep]:
    """Return what is left without some ranges, each within one of those kept; both are in order."""
    left: list[Keep] = []
    rows = iter(ranges)
    row = next(rows, None)
    for keep in kept:
        at = keep.start
        while row is not None and keep.data is None and row[0] < keep.stop:
            if row[0] > at:
                left.append(Keep(at, row[0]))
            at = row[1]
            row = next(rows, None)
        if at < keep.stop:
            left.append(keep._replace(start=at))
    return left


def name_record(stock: Stock, start: int, stop: int, known: Container[bytes]) -> tuple[str, bytes | None]:
    """Return what a damaged command is called, with a colon, and its first argument, as far as they can be told."""
    data = stock.read(start, min(_NAMING, stop - start))
    match = _NAME.search(data)
    if match is None or match[1].upper() not in known:
        return "", None
    key = None
    if match[2] is not None and data[match.end() + int(match[2]) :][:2] == b"\r\n":
        key = data[match.end() : match.end() + int(match[2])]
    return f"{match[1].decode().upper()}: ", key


def is_left_over(stock: Stock, at: int, known: Container[bytes]) -> bool:
    """Whether arguments begin at ``at`` that are not those of a command whose own beginning is lost."""
    data = stock.read(at, _NAMING)
    size = _SIZE.match(data)
    name = _NAME.search(data, 0, 64)
    if size is None or (name is not None and name.start() <= size.end() and name[1].upper() in known):
        return False
    return data[size.end() : size.end() + int(size[1])].upper() not in known


def encode(argv: tuple[bytes, ...]) -> bytes:
    """Return a command as logs hold it."""
    return b"*%d\r\n" % len(argv) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in argv)
