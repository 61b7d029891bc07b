"""Compressed streams: told by their first bytes, inflated piece by piece.

One loop drives every codec. It feeds a decompressor small pieces of input, asks for a bounded
piece of output, and takes a new decompressor for each member or frame. What a stream may expand to
therefore does not matter: the memory used is the two pieces and the codec's own window. A
decompressor that failed is dropped and never asked again. The codecs are imported when a stream
needs them.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

from rdbtool.core.errors import Cause

#: Bytes of a stream that tell whether and how it is compressed.
PEEK_SIZE: Final = 7

#: Largest piece of input that is read or fed at once (bytes).
_INPUT_SIZE: Final = 64 << 10

#: What a decompressor is fed first. What it leaves over is copied back, and frames can be tiny.
_FIRST_FEED: Final = 1 << 10

_GZIP_MAGIC: Final = b"\x1f\x8b"
_ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
_LZ4_MAGIC: Final = b"\x04\x22\x4d\x18"
#: Skippable frames, of zstd and lz4 alike, begin with 0x50 … 0x5F and these.
_SKIPPABLE_TAIL: Final = b"\x2a\x4d\x18"

_VCS_MAGIC: Final = b"VCS"
_VCS_VERSION: Final = 1
_VCS_CODECS: Final = {1: "lz4", 2: "zstd"}
_VCS_KINDS: Final = {1: "RDB"}


class DamagedStreamError(Exception):
    """A compressed stream that cannot be inflated further. ``expected`` and ``found`` are words for an error."""

    def __init__(self, cause: Cause, expected: str, found: str) -> None:
        super().__init__(f"expected {expected}, found {found}")
        self.cause = cause
        self.expected = expected
        self.found = found


class UnknownWrapperError(Exception):
    """A ``VCS`` header with a version, codec or kind of stream that this release does not know."""


class Decompressor(Protocol):
    """What zstd and lz4 offer and ``_GzipMember`` imitates."""

    @property
    def eof(self) -> bool:
        """Whether the end of the frame was reached."""

    @property
    def needs_input(self) -> bool:
        """Whether there is no more output without more input."""

    @property
    def unused_data(self) -> bytes | None:
        """Input behind the end of the frame."""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Return at most ``max_length`` bytes of output."""


class Codec(NamedTuple):
    """A way to inflate: its name, how to make a decompressor, and what that raises."""

    name: str
    make: Callable[[], Decompressor]
    errors: tuple[type[Exception], ...]


class _GzipMember:
    """One gzip member; zlib checks its CRC-32 and size."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


def _codec(name: str) -> Codec:
    if name == "gzip":
        return Codec(name, _GzipMember, (zlib.error,))
    if name == "lz4":
        from lz4.frame import LZ4FrameDecompressor  # noqa: PLC0415 - lazy, see above

        return Codec(name, LZ4FrameDecompressor, (RuntimeError,))
    if sys.version_info >= (3, 14):
        from compression.zstd import ZstdDecompressor, ZstdError  # noqa: PLC0415 - lazy, see above
    else:
        from backports.zstd import ZstdDecompressor, ZstdError  # noqa: PLC0415 - lazy, see above
    return Codec(name, ZstdDecompressor, (ZstdError,))


def _is_skippable(head: bytes) -> bool:
    return head[1:4] == _SKIPPABLE_TAIL and head[0] >> 4 == 5


def _frame_codec(head: bytes) -> str | None:
    if head.startswith(_GZIP_MAGIC):
        return "gzip"
    if head.startswith(_ZSTD_MAGIC) or _is_skippable(head):
        return "zstd"
    return "lz4" if head.startswith(_LZ4_MAGIC) else None


def detect_compression(head: bytes) -> tuple[str | None, int]:
    """Tell from the first bytes of a stream how it is compressed.

    Returns the name (``gzip``, ``zstd``, ``lz4``, ``vcs+lz4``, ``vcs+zstd`` or None) and the number of
    bytes before the compressed data. Raises UnknownWrapperError, and DamagedStreamError where the
    stream ends inside a ``VCS`` header.
    """
    if not head.startswith(_VCS_MAGIC):
        return _frame_codec(head), 0
    if len(head) < PEEK_SIZE:
        raise DamagedStreamError("cut", f"a VCS header of {PEEK_SIZE} bytes", f"end of file after {len(head)}")
    version, codec, reserved, kind = head[3:PEEK_SIZE]
    if version != _VCS_VERSION:
        raise UnknownWrapperError(f"version {version} of Valkey's compressed file (VCS)")
    if codec not in _VCS_CODECS:
        raise UnknownWrapperError(f"codec {codec} in Valkey's compressed file (VCS)")
    if reserved or kind not in _VCS_KINDS:
        raise UnknownWrapperError(f"stream kind {kind} (reserved byte {reserved}) in Valkey's compressed file (VCS)")
    return f"vcs+{_VCS_CODECS[codec]}", PEEK_SIZE


class Unpacker:
    """Inflates a stream of members or frames that ``fill`` delivers.

    ``fill(view)`` fills a memoryview with compressed bytes and returns their number, 0 at the end.
    With ``single`` only the first frame belongs to the stream; the number of bytes after it is
    ``ignored_tail``. ``consumed`` counts compressed bytes taken from ``fill``.
    """

    def __init__(self, name: str, fill: Callable[[memoryview], int], *, single: bool) -> None:
        self._codec = _codec(name)
        self._fill = fill
        self._single = single
        self._room = bytearray(_INPUT_SIZE)
        self._at = self._end = 0
        self._feed_size = _FIRST_FEED
        self._decompressor: Decompressor | None = self._codec.make()
        self._at_end = False
        self._stalled = False
        self.consumed = 0
        self.ignored_tail = 0

    def read(self, limit: int) -> bytes:
        """Return 1 to ``limit`` bytes of inflated data, nothing at the end. Raises DamagedStreamError."""
        while not self._at_end:
            if self._decompressor is None and not self._begin_frame():
                self._at_end = True
                break
            piece = self._inflate(limit)
            if piece:
                return piece
        return b""

    def _inflate(self, limit: int) -> bytes:
        decompressor = self._decompressor
        assert decompressor is not None
        hungry = decompressor.needs_input or self._stalled
        data = self._feed() if hungry else b""
        # Forgotten before it is used: whatever it raises, nothing asks it again.
        self._decompressor = None
        try:
            piece = decompressor.decompress(data, limit)
        except self._codec.errors as error:
            raise DamagedStreamError(
                "compression", f"sound {self._codec.name} data", self._describe(str(error))
            ) from None
        if decompressor.eof:
            self._give_back(decompressor.unused_data or b"")
            return piece
        if hungry and not piece and not data:
            raise DamagedStreamError(
                "cut", f"more {self._codec.name} data", f"end of file after {self.consumed} compressed bytes"
            )
        self._decompressor = decompressor
        self._stalled = not piece
        return piece

    def _describe(self, reason: str) -> str:
        return f"damage before byte {self._place()} of the compressed file ({reason})"

    def _feed(self) -> bytes:
        if self._at == self._end:
            self._refill()
        data = bytes(self._room[self._at : min(self._at + self._feed_size, self._end)])
        self._at += len(data)
        self._feed_size = min(2 * self._feed_size, _INPUT_SIZE)
        return data

    def _refill(self) -> bool:
        """Read more input behind what was not fed yet; False at the end of the file."""
        kept = self._room[self._at : self._end]
        self._room[: len(kept)] = kept
        self._at, self._end = 0, len(kept)
        with memoryview(self._room) as view:
            count = self._fill(view[self._end :])
        self._end += count
        self.consumed += count
        return count > 0

    def _give_back(self, rest: bytes) -> None:
        """Take back the end of what was fed: it belongs to no frame yet."""
        if len(rest) > self._at:
            self._room[: self._at] = rest
            self._end += len(rest) - self._at
            self._at = 0
        else:
            self._at -= len(rest)
        self._feed_size = _FIRST_FEED

    def _begin_frame(self) -> bool:
        """Take a new decompressor for the next frame; False at the end of the stream."""
        if self._single:
            self._count_tail()
            return False
        if self._codec.name == "gzip":
            self._skip_padding()
        while self._end - self._at < 4 and self._refill():
            pass
        if self._at == self._end:
            return False
        head = bytes(self._room[self._at : min(self._at + 4, self._end)])
        if _frame_codec(head) != self._codec.name and not (self._codec.name == "lz4" and _is_skippable(head)):
            raise DamagedStreamError(
                "compression",
                f"end of file or another {self._codec.name} frame",
                f"other bytes at byte {self._place()} of the compressed file",
            )
        self._decompressor = self._codec.make()
        return True

    def _place(self) -> int:
        return self.consumed - (self._end - self._at)

    def _skip_padding(self) -> None:
        """Pass over zero bytes after a gzip member, which tapes and block devices leave."""
        while self._at < self._end or self._refill():
            if self._room[self._at]:
                return
            self._at = self._end - len(self._room[self._at : self._end].lstrip(b"\0"))

    def _count_tail(self) -> None:
        self.ignored_tail = self._end - self._at
        self._at = self._end
        while self._refill():
            self.ignored_tail += self._end
            self._at = self._end
