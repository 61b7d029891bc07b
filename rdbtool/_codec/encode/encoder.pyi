"""The base of sinks that write bytes."""

from collections.abc import Callable

from rdbtool._codec.sink import Sink

class Encoder(Sink):
    """Passes complete records on to ``write``, which is called with bytes."""

    def __init__(self, write: Callable[[bytes], object]) -> None: ...
