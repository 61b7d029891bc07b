"""How an AOF ends: complete, or where and why it cannot be read further.

An AOF has no checksum, and a wrong length looks like a truncated file. So before the rest is called a truncated tail,
it is searched for a complete command with a known name: if there is one, the damage is in the middle, and truncating
there would destroy what follows.
"""

from __future__ import annotations

from rdbtool._codec.decode.aof_scanner import EXHAUSTED, NOTHING, Scanner
from rdbtool._codec.decode.window import Window
from rdbtool.core.errors import FormatError
from rdbtool.core.light_typing import TYPE_CHECKING, Literal, NamedTuple
from rdbtool.core.location import Where

if TYPE_CHECKING:
    from collections.abc import Container

TailState = Literal["clean", "truncated", "truncated-in-multi", "nul-padding", "damaged"]


class Tail(NamedTuple):
    """How reading an AOF ended.

    ``part`` is the index of the part where it ended. ``at`` is the offset in that part after the last record outside an
    open MULTI, and ``size`` the number of bytes from there to the end, None if not counted. ``lost`` is the number of
    complete commands among them: those of an open MULTI. ``next_good`` is the offset of the first complete command
    after the damage.
    """

    state: TailState
    part: int
    at: int
    size: int | None
    next_good: int | None = None
    lost: int = 0


def classify(
    scanner: Scanner, window: Window, fault: FormatError | None, part: int, known: Container[bytes], *, keep: bool
) -> Tail:
    """Return how the part that ``scanner`` reads ends, at ``fault`` or at its end.

    Afterwards the scanner is at ``next_good``, or at the end. With ``keep`` what follows ``next_good`` is not read to
    determine its size.
    """
    at, lost = scanner.good, scanner.count - scanner.good_count
    in_multi = scanner.multi_at >= 0
    if fault is None or fault.code == "AOF110":
        state: TailState = "truncated-in-multi" if in_multi else "clean"
        return Tail(state, part, at, window.at - at, lost=lost)
    found = scanner.resync(known)
    if found in {NOTHING, EXHAUSTED}:
        size = _measure(window, at, keep=False)
        return Tail(_name(scanner, fault, found, in_multi=in_multi), part, at, size, lost=lost)
    return Tail("damaged", part, at, _measure(window, at, keep=keep), found, lost)


def open_multi(scanner: Scanner, source: str) -> FormatError:
    """Return the fault of an AOF, called ``source``, that ends inside a transaction."""
    queued = scanner.count - scanner.good_count
    return FormatError(
        "AOF110",
        "transaction",
        scanner.multi_at,
        "an EXEC for this MULTI",
        f"end of file after {queued} command{'' if queued == 1 else 's'}",
        file_kind="aof",
        start=scanner.multi_at,
        where=Where(source),
        readable_up_to=scanner.good,
    )


def _name(scanner: Scanner, fault: FormatError, found: int, *, in_multi: bool) -> TailState:
    if found == EXHAUSTED:
        return "damaged"
    if scanner.zeros_at <= fault.at < scanner.end:
        return "nul-padding"
    if fault.code != "AOF101":
        return "damaged"
    return "truncated-in-multi" if in_multi else "truncated"


def _measure(window: Window, at: int, *, keep: bool) -> int | None:
    """Return the number of bytes from ``at`` to the end of the input, reading on if necessary."""
    left = window.left(window.at)
    if left is None and not keep:
        left = window.drain()
    return None if left is None else window.at + left - at
