"""Commands inside of a command: RREPLAY of KeyDB holds those of another master, as RESP."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence

from rdbtool.core.errors import FormatError
from rdbtool.core.light_typing import Final
from rdbtool.reader.aof.text_parser import Command, LineParser

RREPLAY: Final = b"RREPLAY"

#: How deep they may lie: KeyDB wraps a command once more for each server that it passes through.
DEPTH: Final = 16

#: Which argument holds the commands.
_HOLDS: Final = 2


class _Stream(io.BytesIO):
    def left(self) -> int:
        """Return how many bytes are left."""
        return len(self.getbuffer()) - self.tell()


def read_wrapped(argv: Sequence[bytes]) -> list[tuple[bytes, ...]]:
    """Return the commands that an RREPLAY holds. Raises FormatError."""
    parser = LineParser(_Stream(argv[_HOLDS] if len(argv) > _HOLDS else b""), "RREPLAY")
    found: list[tuple[bytes, ...]] = []
    while (record := parser.read(len(found) + 1)) is not None:
        if isinstance(record, Command):
            found.append(record.argv)
    return found


def unwrap(argv: Sequence[bytes], depth: int = DEPTH) -> Iterator[Sequence[bytes]]:
    """Yield the commands that a command stands for: itself, or those that an RREPLAY holds, as far as they are read."""
    if argv[0].upper() != RREPLAY:
        yield argv
    elif depth:
        try:
            inner = read_wrapped(argv)
        except FormatError:
            return
        for words in inner:
            yield from unwrap(words, depth - 1)
