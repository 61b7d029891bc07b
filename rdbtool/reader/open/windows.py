"""Windows over sources: what all readers share.

A window holds what was read and not yet consumed. It may grow as far as the source really goes; a
compressed source, whose end nobody can see, has to justify it by the bytes that were read of it.
"""

from __future__ import annotations

from typing import Final

from rdbtool._codec.decode.window import Window
from rdbtool.core.errors import RAISE_LIMIT, LimitError
from rdbtool.io.crc64 import crc64
from rdbtool.io.source import Source

#: A compressed source may make us hold this many bytes for each byte of it that was read.
_WINDOW_PER_COMPRESSED_BYTE: Final = 20


def open_window(source: Source, max_inflate: int) -> Window:
    """Return a window over a source that nobody has read from. ``max_inflate`` (bytes) it may always hold."""
    size = -1 if source.size is None else source.size
    reread = source.reread if source.can_reread else None
    return Window(source.readinto, crc64, lambda: _limit(source, max_inflate), size, reread=reread)


def too_large(source: Source, window: Window, max_inflate: int) -> LimitError:
    """Return the error for a record that the window may not hold."""
    return LimitError(
        f"{source.name}: at {window.at:#x}: the record takes more than {_limit(source, max_inflate):,} bytes, "
        f"inflated from {source.compressed_read:,} compressed bytes",
        remedy=RAISE_LIMIT,
    )


def _limit(source: Source, max_inflate: int) -> int:
    """How many bytes may be held: the input's own, or what a compressed input justifies."""
    read = source.compressed_read
    return 1 << 62 if read is None else max(max_inflate, _WINDOW_PER_COMPRESSED_BYTE * read)


class WindowStream:
    """A view of a window from its item at hand on, for those who read piece by piece."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._at = window.at

    def read(self, size: int, /) -> bytes:
        """Return the next ``size`` bytes, fewer only at the end of the source. Raises WindowLimitError."""
        data = self._window.peek(self._at, size)
        self._at += len(data)
        return data

    def tell(self) -> int:
        """Return the offset of the next byte."""
        return self._at

    def seek(self, at: int, /) -> None:
        """Move to an offset that was not consumed."""
        self._at = at

    def left(self) -> int | None:
        """Return how many bytes are left, None where that is not known."""
        return self._window.left(self._at)
