"""Filter with two sinks."""

from rdbtool._codec.filters.filter import Filter
from rdbtool._codec.sink import Sink

class Tee(Filter):
    """Passes everything on to ``first``, then to ``second``."""

    def __init__(self, first: Sink, second: Sink) -> None: ...
