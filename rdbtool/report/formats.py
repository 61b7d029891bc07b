"""The formats of ``dump``: which there are, and their options."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from rdbtool.core.errors import Loss
from rdbtool.operations.convert.omissions import Leaving, Left

if TYPE_CHECKING:
    from rdbtool.writer.targets import Target

FORMATS: Final = ("table", "jsonl", "json", "csv", "keys", "resp")
ESCAPES: Final = ("raw", "print", "utf8", "base64")

#: Formats that write bytes in a way that can be chosen, and the way that rdbtools has without a choice.
DEFAULT_ESCAPES: Final = {"json": "utf8", "keys": "raw"}


#: The form that the suffix of an output's name stands for.
_SUFFIXES: Final = {
    ".csv": "csv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".keys": "keys",
    ".resp": "resp",
    ".txt": "table",
}


class Format(NamedTuple):
    """A format and its options.

    ``escape`` is for json and keys; ``raw`` is for csv: cells that a program may take for something else than text stay
    as they are. ``restore`` and ``replace`` are for resp, and ``target``: the server that executes the commands, None:
    the one that wrote the source. What that one cannot hold is refused, or left out with ``allow_loss``. ``leaving``
    is what stays behind.
    """

    name: str
    escape: str | None = None
    restore: bool = False
    replace: bool = False
    now_ms: int = 0
    raw: bool = False
    target: Target | None = None
    allow_loss: bool = False
    leaving: Leaving = Leaving()


class LargeValue(NamedTuple):
    """A value that is told by other commands than RESTORE: its payload is longer than servers take an argument."""

    db: int
    key: bytes
    size: int


class Dumped(NamedTuple):
    """What is to be said of a dump: losses that were allowed, what stayed behind, values too large for RESTORE."""

    losses: list[Loss]
    left: Left
    large: list[LargeValue]


def format_of(output: str | None) -> str | None:
    """Return the format that the name of an output stands for, None where it says nothing."""
    return None if output is None else _SUFFIXES.get(Path(output).suffix.lower())
