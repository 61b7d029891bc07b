"""LZF of rdbtool's own, with the interface of python-lzf, for where that is not installed."""

def decompress(data: bytes, size: int) -> bytes | None:
    """Return what ``data`` inflates to, at most ``size`` bytes; None where it is more.

    Raises ValueError where the stream is damaged, and MemoryError.
    """

def compress(data: bytes, room: int) -> bytes | None:
    """Return ``data`` compressed to at most ``room`` bytes, or None where that is not enough."""
