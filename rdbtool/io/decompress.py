"""Compressed streams: detected by their first bytes, decompressed piece by piece.

One loop drives every codec. It feeds a decompressor small pieces of input, asks for a bounded piece of output, and
creates a new decompressor for each member or frame. So memory use is bounded by the two pieces and the codec's own
window, whatever the decompressed size. A decompressor that failed is never used again. Codecs are imported on first
use.
"""

from __future__ import annotations

import sys

from rdbtool.core.errors import Cause
from rdbtool.core.light_typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

#: Bytes of a stream needed to detect its compression.
PEEK_SIZE: Final = 10

_VCS_SIZE: Final = 7

#: Magic, descriptor, and the window or the size of the content.
_LEAST_ZSTD_HEADER: Final = 6

#: Maximum bytes of input read or fed at once.
_INPUT_SIZE: Final = 64 << 10

#: First bytes fed to a decompressor. The unused rest is copied back, and frames can be tiny.
_FIRST_FEED: Final = 1 << 10

_GZIP_MAGIC: Final = b"\x1f\x8b"
_ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
_LZ4_MAGIC: Final = b"\x04\x22\x4d\x18"
_XZ_MAGIC: Final = b"\xfd7zXZ\x00"
_BZIP2_MAGIC: Final = b"BZh"
#: After the block size, which is a digit: a block, or the end of the stream.
_BZIP2_BLOCKS: Final = (b"1AY&SY", b"\x17rE8P\x90")
_BLOCK_SIZES: Final = frozenset(b"%d" % size for size in range(1, 10))
#: Skippable frames of zstd and lz4 begin with 0x50 … 0x5F and these.
_SKIPPABLE_TAIL: Final = b"\x2a\x4d\x18"

#: For these, zero bytes may follow the last frame: padding by tapes and block devices, and by xz.
_PADDED: Final = ("gzip", "xz")

_VCS_MAGIC: Final = b"VCS"
_VCS_VERSION: Final = 1
_VCS_CODECS: Final = {1: "lz4", 2: "zstd"}
_VCS_KINDS: Final = {1: "RDB"}

#: Maximum window of a codec in bytes: the zstd library's default (--long=27), and twice what xz -9 needs.
_LARGEST_WINDOW: Final = 128 << 20

#: Bytes that xz needs in addition to its window.
_BESIDE_WINDOW: Final = 1 << 20

#: Bytes at the beginning of a frame that declare its window.
HEADER_SIZE: Final = 64

#: Where the first block of xz begins, and where its dictionary size is: in a byte after the filter ID.
_XZ_BLOCK: Final = 12
_XZ_FILTER: Final = 0x21
_XZ_LARGEST: Final = 40


class DamagedStreamError(Exception):
    """A compressed stream is damaged. ``expected`` and ``found`` are texts for an error."""

    def __init__(self, cause: Cause, expected: str, found: str) -> None:
        super().__init__(f"expected {expected}, found {found}")
        self.cause = cause
        self.expected = expected
        self.found = found

    def __reduce__(self) -> tuple[type[DamagedStreamError], tuple[Cause, str, str]]:
        return type(self), (self.cause, self.expected, self.found)


class WindowSizeError(Exception):
    """Decompressing needs more memory than ``allowed`` bytes."""

    def __init__(self, codec: str) -> None:
        super().__init__(codec)
        self.allowed = _LARGEST_WINDOW


class EndedProcessError(Exception):
    """The process that decompresses was ended by the system or a user before it was done."""


class UnknownWrapperError(Exception):
    """A ``VCS`` header with a version, codec or kind of stream that this release does not know."""


class Decompressor(Protocol):
    """The interface of zstd, lz4, xz and bzip2 decompressors, which ``_GzipMember`` imitates."""

    @property
    def eof(self) -> bool:
        """Whether the end of the frame was reached."""

    @property
    def needs_input(self) -> bool:
        """Whether more output needs more input."""

    @property
    def unused_data(self) -> bytes | None:
        """Input after the end of the frame."""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Return at most ``max_length`` bytes of output."""


class Codec(NamedTuple):
    """A compression format: its name, how to create a decompressor, what that raises.

    ``window_of`` returns the memory (bytes) that the frame beginning with a head of ``HEADER_SIZE`` bytes needs.
    """

    name: str
    make: Callable[[], Decompressor]
    errors: tuple[type[Exception], ...]
    window_of: Callable[[bytes], int] = lambda _head: 0


class _GzipMember:
    """One gzip member; zlib checks its CRC-32 and size."""

    def __init__(self) -> None:
        from zlib import decompressobj  # noqa: PLC0415 - lazy, see above

        self._inner = decompressobj(wbits=31)

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
        import zlib  # noqa: PLC0415 - lazy, see above

        return Codec(name, _GzipMember, (zlib.error,))
    if name == "lz4":
        from lz4.frame import LZ4FrameDecompressor  # noqa: PLC0415 - lazy, see above

        return Codec(name, LZ4FrameDecompressor, (RuntimeError,))
    if name == "xz":
        import lzma  # noqa: PLC0415 - lazy, see above

        limit = _LARGEST_WINDOW + _BESIDE_WINDOW
        return Codec(name, lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, limit), (lzma.LZMAError,), xz_window)
    if name == "bzip2":
        import bz2  # noqa: PLC0415 - lazy, see above

        return Codec(name, bz2.BZ2Decompressor, (OSError,))
    if sys.version_info >= (3, 14):
        from compression.zstd import DecompressionParameter, ZstdDecompressor, ZstdError  # noqa: PLC0415 - lazy, see above
    else:
        from backports.zstd import DecompressionParameter, ZstdDecompressor, ZstdError  # noqa: PLC0415 - lazy, see above
    options = {int(DecompressionParameter.window_log_max): _LARGEST_WINDOW.bit_length() - 1}
    return Codec(name, lambda: ZstdDecompressor(options=options), (ZstdError,), zstd_window)


def zstd_window(head: bytes) -> int:
    """Return the window that a zstd frame declares (bytes); 0 for a skippable or truncated one."""
    if not head.startswith(_ZSTD_MAGIC) or len(head) < _LEAST_ZSTD_HEADER:
        return 0
    descriptor = head[4]
    if not descriptor & 0x20:
        exponent, eighths = divmod(head[5], 8)
        return (8 + eighths) << (7 + exponent)
    # The content is the window.
    at = 5 + (0, 1, 2, 4)[descriptor & 3]
    return int.from_bytes(head[at : at + (1, 2, 4, 8)[descriptor >> 6]], "little")


def xz_window(head: bytes) -> int:
    """Return the dictionary size that the first block of an xz stream declares (bytes); 0 if it has none."""
    fields = head[_XZ_BLOCK:]
    if len(fields) < 2 or not fields[0]:
        return 0
    at = 2
    # Two sizes may precede the filters: numbers of 7 bits per byte.
    for bit in (0x40, 0x80):
        if fields[1] & bit:
            at = next((i for i in range(at, len(fields)) if fields[i] < 0x80), at) + 1
    for _ in range((fields[1] & 3) + 1):
        number, size, properties = fields[at : at + 3].ljust(3, b"\0")
        if number == _XZ_FILTER:
            half, odd = divmod(min(properties, _XZ_LARGEST), 2)
            return (2 + odd) << (half + 11)
        at += 2 + size
    return 0


def _is_skippable(head: bytes) -> bool:
    return head[1:4] == _SKIPPABLE_TAIL and head[0] >> 4 == 5


def _frame_codec(head: bytes) -> str | None:
    if head.startswith(_GZIP_MAGIC):
        return "gzip"
    if head.startswith(_ZSTD_MAGIC) or _is_skippable(head):
        return "zstd"
    if head.startswith(_XZ_MAGIC):
        return "xz"
    if head.startswith(_BZIP2_MAGIC) and head[3:4] in _BLOCK_SIZES and head.startswith(_BZIP2_BLOCKS, 4):
        return "bzip2"
    return "lz4" if head.startswith(_LZ4_MAGIC) else None


def detect_compression(head: bytes) -> tuple[str | None, int]:
    """Detect the compression of a stream by its first bytes.

    Returns the name (``gzip``, ``zstd``, ``lz4``, ``xz``, ``bzip2``, ``vcs+lz4``, ``vcs+zstd`` or None) and the number
    of bytes before the compressed data. Raises UnknownWrapperError, and DamagedStreamError if the stream ends inside a
    ``VCS`` header.
    """
    if not head.startswith(_VCS_MAGIC):
        return _frame_codec(head), 0
    if len(head) < _VCS_SIZE:
        raise DamagedStreamError("cut", f"a VCS header of {_VCS_SIZE} bytes", f"end of file after {len(head)}")
    version, codec, reserved, kind = head[3:_VCS_SIZE]
    if version != _VCS_VERSION:
        raise UnknownWrapperError(f"version {version} of Valkey's compressed file (VCS)")
    if codec not in _VCS_CODECS:
        raise UnknownWrapperError(f"codec {codec} in Valkey's compressed file (VCS)")
    if reserved or kind not in _VCS_KINDS:
        raise UnknownWrapperError(f"stream kind {kind} (reserved byte {reserved}) in Valkey's compressed file (VCS)")
    return f"vcs+{_VCS_CODECS[codec]}", _VCS_SIZE


def lacking_package(name: str) -> str | None:
    """Return the package that a compression takes, which is also the extra that brings it; None where nothing lacks."""
    if name == "lz4":
        try:
            import lz4.frame  # noqa: F401, PLC0415 - only whether it is there
        except ImportError:
            return name
    return None


class Unpacker:
    """Decompresses a stream of members or frames that ``fill`` delivers.

    ``fill(view)`` fills a memoryview with compressed bytes and returns their number, 0 at the end. With ``single`` only
    the first frame belongs to the stream; the number of bytes after it is ``ignored_tail``. ``consumed`` counts
    compressed bytes taken from ``fill``.
    """

    def __init__(self, name: str, fill: Callable[[memoryview], int], *, single: bool) -> None:
        self._codec = _codec(name)
        self._fill = fill
        self._single = single
        self._room = bytearray(_INPUT_SIZE)
        self._at = self._end = 0
        self._feed_size = _FIRST_FEED
        self._decompressor: Decompressor | None = None
        self._is_begun = False
        self._at_end = False
        self._stalled = False
        self.consumed = 0
        self.ignored_tail = 0

    @property
    def is_single(self) -> bool:
        """Whether only the first frame belongs to the stream."""
        return self._single

    @property
    def codec(self) -> str:
        """The name of the codec."""
        return self._codec.name

    def read(self, limit: int) -> bytes:
        """Return 1 to ``limit`` bytes of decompressed data, nothing at the end.

        Raises DamagedStreamError, and WindowSizeError for a frame that needs too much memory.
        """
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
        # Cleared before use: after an exception it must not be used again.
        self._decompressor = None
        try:
            piece = decompressor.decompress(data, limit)
        except self._codec.errors as error:
            raise DamagedStreamError(
                "compression", f"valid {self._codec.name} data", self._describe(str(error))
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
        with memoryview(self._room) as view:
            data = bytes(view[self._at : min(self._at + self._feed_size, self._end)])
        self._at += len(data)
        self._feed_size = min(2 * self._feed_size, _INPUT_SIZE)
        return data

    def _refill(self) -> bool:
        """Read more input after what was not fed yet; False at the end of the file."""
        kept = self._room[self._at : self._end]
        self._room[: len(kept)] = kept
        self._at, self._end = 0, len(kept)
        with memoryview(self._room) as view:
            count = self._fill(view[self._end :])
        self._end += count
        self.consumed += count
        return count > 0

    def _give_back(self, rest: bytes) -> None:
        """Take back the unused end of the input, which belongs to no frame yet."""
        if len(rest) > self._at:
            self._room[: self._at] = rest
            self._end += len(rest) - self._at
            self._at = 0
        else:
            self._at -= len(rest)
        self._feed_size = _FIRST_FEED

    def _begin_frame(self) -> bool:
        """Create a decompressor for the next frame; False at the end of the stream."""
        if self._is_begun and self._single:
            self._count_tail()
            return False
        if self._is_begun and self._codec.name in _PADDED:
            self._skip_padding()
        while self._end - self._at < HEADER_SIZE and self._refill():
            pass
        if self._is_begun and self._at == self._end:
            return False
        head = bytes(self._room[self._at : min(self._at + HEADER_SIZE, self._end)])
        # The caller detected the format of the first frame.
        is_next, self._is_begun = self._is_begun, True
        is_ours = _frame_codec(head) == self._codec.name or (self._codec.name == "lz4" and _is_skippable(head))
        if is_next and not is_ours:
            raise DamagedStreamError(
                "compression",
                f"end of file or another {self._codec.name} frame",
                f"other bytes at byte {self._place()} of the compressed file",
            )
        if self._codec.window_of(head) > _LARGEST_WINDOW:
            raise WindowSizeError(self._codec.name)
        self._decompressor = self._codec.make()
        return True

    def _place(self) -> int:
        return self.consumed - (self._end - self._at)

    def _skip_padding(self) -> None:
        """Skip zero bytes after a frame."""
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
