"""One JSON object per line, reversible."""

from collections.abc import Callable

from rdbtool._codec.encode.encoder import Encoder
from rdbtool.model import KeyRecord

class Jsonl(Encoder):
    """One JSON object per line: header, aux fields, functions, and each key with everything that its file stores.

    For programs that want one type per column: ``keys_only`` omits everything but the keys, and ``binary`` (base64,
    latin1, escape) writes every string in that one form, which each line names at its beginning.
    """

    def __init__(
        self, write: Callable[[bytes], object], *, keys_only: bool = False, binary: str | None = None
    ) -> None: ...

def write_value(record: KeyRecord, write: Callable[[bytes], object]) -> None:
    """Pass the JSON text of a record's value to ``write``, in pieces of UTF-8."""

def value_json(record: KeyRecord) -> str:
    """Return the JSON text of a record's value, as in its jsonl line."""
