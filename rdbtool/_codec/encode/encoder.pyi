"""The base of sinks that write bytes."""

from collections.abc import Callable

from rdbtool._codec.sink import Sink

class Encoder(Sink):
    """Passes complete records on to ``write``, which is called with bytes; ``handed_on`` counts them.

    If ``write`` is a method of something that ``takes_views``, it is called with memory that changes afterwards; and if
    that ``takes_pages``, with whole pages, which may end within a record.
    """

    handed_on: int
    def __init__(self, write: Callable[[bytes], object]) -> None: ...
