"""What a server has to have to load a file, beside its version: modules and function libraries."""

from rdbtool._codec.sink import Sink

class Requirements(Sink):
    """Counts what modules own: ``modules`` maps their type names to (values, data beside the keys).

    ``libraries`` are the sources of function libraries, in their order.
    """

    modules: dict[str, tuple[int, int]]
    libraries: list[bytes]
    def __init__(self) -> None: ...
