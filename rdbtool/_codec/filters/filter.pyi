"""A sink between a source and another sink: what it does not override passes through."""

from rdbtool._codec.sink import Sink

class Filter(Sink):
    """Passes everything on to ``sink``."""

    def __init__(self, sink: Sink) -> None: ...

class WaitingFilter(Filter):
    """A filter that may hold a record's head until its value says whether it stays; ``dropped`` counts by part."""

    dropped: dict[str, int]
