"""A dump: what is asked for, and what is to be said of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from rdbtool.core.errors import Loss
from rdbtool.operations.convert.omissions import Leaving, Left

if TYPE_CHECKING:
    from rdbtool.core.servers import Target
    from rdbtool.operations.convert.reshaping import Reshaping


class DumpOptions(NamedTuple):
    """A form (see ``rdbtool.dataset.forms``) and its options.

    ``escape`` is for json and keys; ``raw`` is for csv: cells that a program may take for something else than text stay
    as they are, and ``fields`` are columns of their own, in place of the value. ``keys_only`` and ``binary`` are for
    jsonl (see ``Jsonl``). ``restore`` and ``replace`` are for resp, and ``target``: the server that executes the
    commands, None: the one that wrote the source. What that one cannot hold is refused, or left out with
    ``allow_loss``. ``leaving`` is what stays behind, and ``reshaping`` what becomes of the rest.
    """

    form: str
    escape: str | None = None
    restore: bool = False
    replace: bool = False
    now_ms: int = 0
    raw: bool = False
    target: Target | None = None
    allow_loss: bool = False
    leaving: Leaving = Leaving()
    reshaping: Reshaping | None = None
    keys_only: bool = False
    binary: str | None = None
    fields: Sequence[bytes] = ()


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
