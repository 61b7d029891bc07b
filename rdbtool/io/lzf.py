"""LZF, the compression of strings inside RDB files, with bounds checks.

python-lzf is used where it is installed. It has no wheels, so ``own_lzf`` is used elsewhere, also where another package
has installed a module ``lzf`` with nothing in it.

python-lzf allocates whatever size it is given, ignores the result of that allocation, and may return None or a shorter
result if the declared size is wrong. So every declared size is checked before the call and compared after it. A
three-byte back reference yields at most 264 bytes: no valid stream decompresses to more than 88 times its size.
"""

from __future__ import annotations

from rdbtool.core.errors import LimitError
from rdbtool.core.rdb_types import LZF_MAX_RATIO

try:
    from lzf import compress, decompress
except ImportError:
    from rdbtool.io.own_lzf import compress, decompress

#: Servers do not compress strings up to this size (bytes), or if less than this many bytes are saved.
_MIN_SIZE = 20
_MIN_GAIN = 4

#: Above this size (bytes) the allocation is tried first; python-lzf writes through a null pointer if it fails.
_PROBE_SIZE = 16 << 20

#: python-lzf passes sizes on as unsigned 32-bit numbers.
_MAX_SIZE = (1 << 32) - 1


class LzfError(ValueError):
    """LZF data that does not decompress to its declared size. ``expected`` and ``found`` are texts for an error."""

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(f"expected {expected}, found {found}")
        self.expected = expected
        self.found = found


def inflate(data: bytes, size: int, *, limit: int) -> bytes:
    """Return the ``size`` bytes that the LZF stream ``data`` decompresses to.

    Raises LzfError if the stream is damaged or its declared size is impossible, and LimitError if the size is possible
    but above ``limit`` (bytes) or the memory of this machine.
    """
    if not data:
        raise LzfError("compressed data", "none")
    if size <= 0:
        raise LzfError("an uncompressed size above 0", str(size))
    if size > LZF_MAX_RATIO * len(data):
        raise LzfError(
            f"an uncompressed size of at most {LZF_MAX_RATIO * len(data)} bytes for {len(data)} compressed ones",
            f"{size} bytes",
        )
    if size > min(limit, _MAX_SIZE):
        raise LimitError(f"a compressed string of {size} bytes is above the limit of {min(limit, _MAX_SIZE)} bytes")
    try:
        if size > _PROBE_SIZE:
            bytearray(size)
        result: bytes | None = decompress(data, size)
    except ValueError:
        raise LzfError(f"LZF data of {size} bytes", "a damaged stream") from None
    except MemoryError:
        raise LimitError(f"not enough memory for a compressed string of {size} bytes") from None
    if result is None:
        raise LzfError(f"LZF data of {size} bytes", "a stream that decompresses to more")
    if len(result) != size:
        raise LzfError(f"LZF data of {size} bytes", f"a stream that decompresses to {len(result)} bytes")
    return result


def deflate(data: bytes) -> bytes | None:
    """Return ``data`` compressed, or None if a server would store it uncompressed.

    Servers compress strings longer than 20 bytes if that saves at least 4 bytes.
    """
    if not _MIN_SIZE < len(data) <= _MAX_SIZE:
        return None
    compressed: bytes | None = compress(data, len(data) - _MIN_GAIN)
    return compressed
