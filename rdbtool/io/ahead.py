"""Inflate in a thread while the previous piece is being decoded.

The compression libraries release the GIL, and so does a decoder that waits for data, so one piece is inflated while the
one before it is decoded. Pieces and errors arrive in the same order as in one thread.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor


class Ahead:
    """Calls ``read`` in a separate thread, one piece ahead, until it returns nothing or raises.

    ``place`` is the result of ``tell``, called in that thread after the piece that ``take`` returned last.
    """

    def __init__(self, read: Callable[[], bytes], tell: Callable[[], int]) -> None:
        self.place = tell()
        self._read = read
        self._tell = tell
        self._thread = ThreadPoolExecutor(1, "inflating")
        self._next = self._thread.submit(self._step)

    def take(self) -> bytes:
        """Return the next piece, empty at the end. Raises the error of ``read``."""
        piece, self.place = self._next.result()
        if piece:
            self._next = self._thread.submit(self._step)
        return piece

    def close(self) -> None:
        """End the thread, and discard what it has read."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _step(self) -> tuple[bytes, int]:
        return self._read(), self._tell()
