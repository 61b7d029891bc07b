"""What a server needs to load a file, besides its version: modules and function libraries."""

from rdbtool._codec.sink import Sink

class Requirements(Sink):
    """Counts module data: ``modules`` maps type names to (values, data outside the keys).

    ``libraries`` are the sources of function libraries, in order.
    """

    modules: dict[str, tuple[int, int]]
    libraries: list[bytes]
    def __init__(self) -> None: ...
