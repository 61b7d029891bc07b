"""JSON in the shape of rdbtools: an array with one object per database."""

from collections.abc import Callable

from rdbtool._codec.encode.encoder import Encoder

class Json(Encoder):
    """The shape of rdbtools and rdb-cli. ``escape`` is raw (bytes as Latin-1), print, utf8 or base64, as there."""

    def __init__(self, write: Callable[[bytes], object], escape: str = "utf8") -> None: ...
