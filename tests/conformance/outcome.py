"""What a backend makes of bytes, in a form that two backends can be compared by."""

from __future__ import annotations

from typing import NamedTuple

from rdbtool.core.errors import RdbToolError, describe_error
from rdbtool.reader.rdb import open_rdb


class Outcome(NamedTuple):
    """Everything that reading gave, in order, and the error that ended it, if one did.

    Records and items are compared by ``repr``: it shows provenance too, NaN equals itself, and -0.0 is
    not 0.0. ``fallbacks`` counts what the codec declined and the grammar accepted.
    """

    given: tuple[str, ...]
    error: str | None
    fallbacks: int


def read(data: bytes, backend: str) -> Outcome:
    """Read ``data`` to its end or its error. Any exception that is not ours passes through."""
    given: list[str] = []
    error = None
    fallbacks = 0
    try:
        with open_rdb(data, backend=backend) as reader:
            try:
                given.extend(repr(item) for item in reader.items())
            finally:
                fallbacks = reader.fallbacks
    except RdbToolError as raised:
        error = f"{type(raised).__name__}: {describe_error(raised)}"
    return Outcome(tuple(given), error, fallbacks)
