"""RESP encoder: commands that rebuild the data, ready for ``redis-cli --pipe``."""

from collections.abc import Callable, Sequence
from typing import Final

from rdbtool._codec.encode.encoder import Encoder

LONGEST_ARGUMENT: Final[int]

class Resp(Encoder):
    """Commands that rebuild the data. ``restore``: RESTORE payloads instead; ``replace``: replace existing keys.

    Payloads are the values as the source stores them. One of more than ``largest`` bytes is not written: ``on_large``
    is called with db, key, expiry (Unix ms, None) and the payload, after all commands before it were written. An
    argument of more is written, and ``on_long`` called with db, key and size, once a key. With ``version`` the commands
    are those of a target: ``release`` (family, major, minor), or the first server that wrote RDBs of that ``magic`` and
    ``version``. A ``TargetFilter`` has to drop what its commands cannot express.
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
        on_long: Callable[[int, bytes, int], object] | None = None,
        largest: int = ...,
    ) -> None: ...
