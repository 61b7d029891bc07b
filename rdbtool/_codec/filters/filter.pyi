"""A sink between a source and another sink: what it does not override passes through."""

from rdbtool._codec.sink import Sink

class Filter(Sink):
    """Passes everything on to ``sink``."""

    def __init__(self, sink: Sink) -> None: ...
