"""Expiry times on the way: taken away, moved, or what has expired left out."""

from typing import Literal

from rdbtool._codec.filters.filter import WaitingFilter
from rdbtool._codec.sink import Sink

class Expiry(WaitingFilter):
    """Passes on to ``sink`` with other expiry times of keys and of what they hold; ``dropped`` counts what expired.

    ``mode``: drop takes them away, shift moves them by ``shift_ms``, unexpired leaves out the keys and hash fields that
    have expired at ``now_ms`` (Unix ms).
    """

    def __init__(
        self, sink: Sink, mode: Literal["drop", "shift", "unexpired"], *, shift_ms: int = 0, now_ms: int = 0
    ) -> None: ...
