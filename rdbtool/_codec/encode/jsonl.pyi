"""One JSON object a line, reversible."""

from collections.abc import Callable

from rdbtool._codec.encode.encoder import Encoder
from rdbtool.model import KeyRecord

class Jsonl(Encoder):
    """One JSON object a line: the header, aux fields, functions, and each key with all that the file says of it.

    For programs that want one type a column: ``keys_only`` leaves all but the keys out, and ``binary`` (base64, latin1,
    escape) writes every string in that one way, which each line begins with.
    """

    def __init__(
        self, write: Callable[[bytes], object], *, keys_only: bool = False, binary: str | None = None
    ) -> None: ...

def write_value(record: KeyRecord, write: Callable[[bytes], object]) -> None:
    """Hand the JSON text of a record's value to ``write``, in pieces of UTF-8."""

def value_json(record: KeyRecord) -> str:
    """Return the JSON text of a record's value, as it stands in its line of the jsonl format."""
