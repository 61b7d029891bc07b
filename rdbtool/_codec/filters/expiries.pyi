"""Filter on expiry times: removes them, shifts them, or drops what has expired."""

from typing import Literal

from rdbtool._codec.filters.filter import WaitingFilter
from rdbtool._codec.sink import Sink

class Expiry(WaitingFilter):
    """Passes on to ``sink`` with changed expiry times of keys and their contents; ``dropped`` counts what expired.

    ``mode``: drop removes them, shift moves them by ``shift_ms``, unexpired drops the keys and hash fields that have
    expired at ``now_ms`` (Unix ms).
    """

    def __init__(
        self, sink: Sink, mode: Literal["drop", "shift", "unexpired"], *, shift_ms: int = 0, now_ms: int = 0
    ) -> None: ...
