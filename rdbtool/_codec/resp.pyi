"""RESP out: commands that rebuild the data, ready for ``redis-cli --pipe``."""

from collections.abc import Callable, Sequence

from rdbtool._codec.output import Output

class Resp(Output):
    """Commands that rebuild the data. ``restore``: RESTORE payloads instead; ``replace``: existing keys give way.

    With ``version`` the words are those of a target: ``release`` (family, major, minor), or the first server that
    wrote RDBs of that ``magic`` and ``version``. What it has no words for has to be left out before, by ``Fit``.
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
    ) -> None: ...
