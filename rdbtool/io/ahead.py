"""Inflating in a thread, beside whoever decodes what was inflated before.

The libraries inflate without the interpreter's lock, and a decoder that has nothing left to decode waits without it.
So a piece is inflated while the one before it is decoded. Pieces, and errors, come as they would in one thread.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor


class Ahead:
    """Calls ``read`` in a thread of its own, one piece ahead, until it returns nothing or raises.

    ``place`` is what ``tell`` said, in the thread, behind the piece that was taken last.
    """

    def __init__(self, read: Callable[[], bytes], tell: Callable[[], int]) -> None:
        self.place = tell()
        self._read = read
        self._tell = tell
        self._thread = ThreadPoolExecutor(1, "inflating")
        self._next = self._thread.submit(self._step)

    def take(self) -> bytes:
        """Return the next piece, nothing at the end. Raises what ``read`` raised."""
        piece, self.place = self._next.result()
        if piece:
            self._next = self._thread.submit(self._step)
        return piece

    def close(self) -> None:
        """End the thread. What it has read is forgotten."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _step(self) -> tuple[bytes, int]:
        return self._read(), self._tell()
