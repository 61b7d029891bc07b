"""Options and result of a dump."""

from __future__ import annotations

from rdbtool.core.errors import Loss
from rdbtool.core.light_typing import TYPE_CHECKING, NamedTuple
from rdbtool.operations.convert.omissions import Leaving, Left

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rdbtool.core.servers import Target
    from rdbtool.operations.convert.reshaping import Reshaping


class DumpOptions(NamedTuple):
    """A form (see ``rdbtool.dataset.forms``) and its options.

    ``escape`` is for json and keys. ``raw`` is for csv: no escaping of cells that a spreadsheet might execute;
    ``fields`` are columns that replace the value. ``keys_only`` and ``binary`` are for jsonl (see ``Jsonl``).
    ``restore`` and ``replace`` are for resp, and ``target``: the server that executes the commands, None: the one that
    wrote the source. What it cannot hold is refused, or dropped with ``allow_loss``. ``leaving`` is what to drop, and
    ``reshaping`` changes the rest.
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
    """A value of which the payload exceeds the servers' limit for an argument; ``size`` in bytes."""

    db: int
    key: bytes
    size: int


class Dumped(NamedTuple):
    """Remarks on a dump: allowed losses and notes, what was dropped, values too large for RESTORE."""

    losses: list[Loss]
    left: Left
    large: list[LargeValue]
