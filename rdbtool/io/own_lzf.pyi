"""rdbtool's LZF implementation, with the interface of python-lzf, used if that is not installed."""

def decompress(data: bytes, size: int) -> bytes | None:
    """Decompress ``data`` to at most ``size`` bytes; return None if it is more.

    Raises ValueError if the stream is corrupt, and MemoryError.
    """

def compress(data: bytes, room: int) -> bytes | None:
    """Compress ``data`` to at most ``room`` bytes; return None if it does not fit."""
