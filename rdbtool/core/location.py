"""Where something stands: byte ranges in a source, and the place of a value in a file."""

from __future__ import annotations

from typing import Final, NamedTuple


class Span(NamedTuple):
    """A half-open byte range ``start <= at < stop`` of a source, in bytes from its beginning."""

    start: int
    stop: int

    @property
    def size(self) -> int:
        """Number of bytes in the range."""
        return self.stop - self.start


#: The range of what stands in no source.
NOWHERE: Final = Span(-1, -1)


class Where(NamedTuple):
    """The place that an error or a finding speaks of.

    ``source`` names the file as the user did. ``record`` counts keys from 1 within the file.
    ``path`` is the way inside a value, such as ``node[3].entry[7]``. ``inner_at`` is the
    offset inside an inflated (LZF) blob, where a file offset cannot point.
    """

    source: str = ""
    db: int | None = None
    key: bytes | None = None
    kind: str | None = None
    record: int | None = None
    path: str = ""
    inner_at: int | None = None
