"""RESP out: commands that rebuild the data, ready for ``redis-cli --pipe``."""

from collections.abc import Callable

from rdbtool._codec.output import Output

class Resp(Output):
    """Commands that rebuild the data. ``restore``: RESTORE payloads instead; ``replace``: existing keys give way."""

    def __init__(self, write: Callable[[bytes], object], *, restore: bool = False, replace: bool = False) -> None: ...
