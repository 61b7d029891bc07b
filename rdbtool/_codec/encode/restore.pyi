"""RESTORE encoder: each key as one command, its value encoded for the server that executes it."""

from collections.abc import Callable, Sequence

from rdbtool._codec.filters.filter import Filter

class Restore(Filter):
    """RESTORE commands for a target: ``magic``, ``version`` and, if one is named, ``release`` of its server.

    ``replace``: replace existing keys. A ``TargetFilter`` has to drop what the target cannot hold. A payload of more
    than ``largest`` bytes is not written: ``on_large`` is called with db, key, expiry (Unix ms, None) and the payload,
    after all commands before it were written.
    """

    def __init__(
        self,
        write: Callable[[bytes], object],
        *,
        magic: str,
        version: int,
        release: Sequence[str | int] | None = None,
        replace: bool = False,
        on_large: Callable[[int, bytes, int | None, bytes], object] | None = None,
        largest: int = ...,
    ) -> None: ...
