"""JSON out, in two shapes."""

from collections.abc import Callable

from rdbtool._codec.output import Output
from rdbtool.model import KeyRecord

class Jsonl(Output):
    """One JSON object a line: the header, aux fields, functions, and each key with all that the file says of it."""

class Json(Output):
    """An array with one object a database: the shape of rdbtools and rdb-cli.

    ``escape`` is raw (bytes as Latin-1), print, utf8 or base64, as there.
    """

    def __init__(self, write: Callable[[bytes], object], escape: str = "utf8") -> None: ...

def value_json(record: KeyRecord) -> str:
    """Return the JSON text of a record's value, as it stands in its line of the jsonl format."""
