"""A strict reader of RESP commands, the judge of what the resp format writes."""

from __future__ import annotations

import re
from collections.abc import Iterator

_COUNT = re.compile(rb"([*$])(0|[1-9][0-9]*)\r\n")


def read_commands(data: bytes) -> Iterator[list[bytes]]:
    """Yield the commands of ``data``, which have to be whole, and nothing else may stand there."""
    at = 0
    while at < len(data):
        count, at = _read_count(data, at, b"*")
        assert count > 0, f"an empty command at {at}"
        words = []
        for _ in range(count):
            size, at = _read_count(data, at, b"$")
            words.append(data[at : at + size])
            assert data[at + size : at + size + 2] == b"\r\n", f"no end of line behind a string at {at}"
            at += size + 2
        yield words


def _read_count(data: bytes, at: int, kind: bytes) -> tuple[int, int]:
    found = _COUNT.match(data, at, at + 24)
    assert found is not None, f"no count at {at}: {data[at : at + 24]!r}"
    assert found[1] == kind, f"{found[1]!r} at {at}, where {kind!r} belongs"
    return int(found[2]), found.end()
