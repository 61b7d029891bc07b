"""Key names, one per line."""

from collections.abc import Callable

from rdbtool._codec.encode.encoder import Encoder

class Keys(Encoder):
    r"""One key per line.

    ``escape``: raw writes the bytes unchanged, print and utf8 write ``\xHH`` for what is not printable ASCII, or not
    UTF-8 text, and base64 encodes keys that are not printable ASCII.
    """

    def __init__(self, write: Callable[[bytes], object], escape: str = "raw") -> None: ...
