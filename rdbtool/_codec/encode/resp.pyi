"""RESP out: commands that rebuild the data, ready for ``redis-cli --pipe``."""

from collections.abc import Callable, Sequence
from typing import Final

from rdbtool._codec.encode.encoder import Encoder

LONGEST_ARGUMENT: Final[int]

class Resp(Encoder):
    """Commands that rebuild the data. ``restore``: RESTORE payloads instead; ``replace``: existing keys give way.

    Payloads are the values as the source stores them. One of more than ``largest`` bytes is no command: ``on_large``
    is called with db, key, expiry (Unix ms, None) and the payload, after all commands before it were written.

    With ``version`` the words are those of a target: ``release`` (family, major, minor), or the first server that
    wrote RDBs of that ``magic`` and ``version``. What it has no words for has to be left out before, by a
    ``TargetFilter``.
    """

    def __init__(
        self,
        write: Callable[[bytes], object],
        *,
        restore: bool = False,
        replace: bool = False,
        magic: str = "REDIS",
        version: int | None = None,
        release: Sequence[str | int] | None = None,
        on_large: Callable[[int, bytes, int | None, bytes], object] | None = None,
        largest: int = ...,
    ) -> None: ...
