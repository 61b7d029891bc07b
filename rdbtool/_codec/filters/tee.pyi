"""One source, two sinks."""

from rdbtool._codec.sink import Sink

class Tee(Sink):
    """Passes everything on to ``first``, then to ``second``."""

    def __init__(self, first: Sink, second: Sink) -> None: ...
