"""Byte ranges and error locations."""

from __future__ import annotations

from rdbtool.core.light_typing import Final, NamedTuple


class Span(NamedTuple):
    """A half-open byte range ``start <= at < stop`` of a file, in bytes from its beginning."""

    start: int
    stop: int

    @property
    def size(self) -> int:
        """Number of bytes in the range."""
        return self.stop - self.start


#: The range of what is not from a file.
NOWHERE: Final = Span(-1, -1)


class Where(NamedTuple):
    """The location of an error or finding.

    ``source`` names the file as the user did. ``record`` counts keys from 1 within the file. ``path`` is the location
    inside a value, such as ``node[3].entry[7]``. ``inner_at`` is the offset inside a decompressed (LZF) blob, where no
    file offset exists.
    """

    source: str = ""
    db: int | None = None
    key: bytes | None = None
    kind: str | None = None
    record: int | None = None
    path: str = ""
    inner_at: int | None = None
