"""Damage of an AOF as findings: where valid commands resume, and what servers do (format C2).

Servers cannot distinguish a truncated tail from a wrong length; here the rest was searched for valid commands, so each
finding says which of the two it is, and how much a server would truncate.
"""

from __future__ import annotations

from rdbtool.core.errors import Finding, FormatError
from rdbtool.core.light_typing import TYPE_CHECKING, Final
from rdbtool.operations.validate.aof_commands import Grader
from rdbtool.operations.validate.verdict import describe_fault
from rdbtool.reader.aof.tail import Tail
from rdbtool.reader.open.files import Part

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Damage that a server takes for a truncated tail.
_LOOKS_CUT: Final = frozenset({"AOF101", "AOF110"})

_MIDDLE: Final = "The server exits: only the last file of an AOF may be truncated."


def check_faults(
    faults: list[tuple[FormatError, Tail]], parts: list[Part], snapshots: dict[int, int], grader: Grader
) -> Iterator[Finding]:
    """Yield the damage at which reading stopped or resumed, in file order.

    ``snapshots`` maps the index of a part to the offset after its RDB. At server level, the first damage decides: at a
    truncated tail, as the server sees it, reading ends, so the server never meets the rest.
    """
    is_over = False
    for fault, tail in faults:
        part = parts[tail.part]
        is_last = tail.part == len(parts) - 1
        is_cut = fault.code in _LOOKS_CUT and is_last and not grader.is_redis_before(2, 8)
        finding = describe_fault(fault, part.name)
        severity = grader.severity("error", refused=not is_cut and not is_over)
        is_over = is_over or is_cut
        behind_snapshot = snapshots.get(tail.part) == tail.at
        server = finding.server
        if fault.code in _LOOKS_CUT:
            server = _cut(fault, tail, grader, behind_snapshot=behind_snapshot) if is_last else _MIDDLE
        yield finding._replace(
            severity=severity,
            message=f"{finding.message}; {_rest(tail)}{_why(fault, tail)}",
            server=server,
            number=None,
        )


def check_deviations(deviations: list[FormatError], count: int, parts: list[Part]) -> Iterator[tuple[Finding, int]]:
    """Yield what a server accepts and no strict reader would, as notes; the last one stands for those not kept."""
    for index, fault in enumerate(deviations):
        name = next((part.name for part in parts if fault.where.source in (part.path, part.name)), parts[-1].name)
        finding = describe_fault(fault, name)
        is_last = index == len(deviations) - 1
        yield finding._replace(severity="note"), count - index if is_last else 1


def _rest(tail: Tail) -> str:
    """Describe where valid commands resume after damage."""
    if tail.next_good is not None:
        return (
            f"valid commands resume at {tail.next_good:#x}, {_bytes(tail.next_good - tail.at)} after the damage begins"
        )
    size = "the rest" if tail.size is None else f"the last {_bytes(tail.size)}"
    verb = "is" if tail.size in {None, 1} else "are"
    lost = f", {_commands(tail.lost)} among them" if tail.lost else ""
    words = {
        "nul-padding": f"only NUL bytes up to the end, intact up to {tail.at:#x}",
        "truncated": f"truncated: {size}, from {tail.at:#x}, {verb} an incomplete command",
        "truncated-in-multi": f"truncated: {size}, from {tail.at:#x}, {verb} an incomplete transaction{lost}",
    }
    return words.get(tail.state, f"no valid command follows: {size}, from {tail.at:#x}, {verb} damaged{lost}")


def _why(fault: FormatError, tail: Tail) -> str:
    """Describe the origin of damage, if its kind reveals it."""
    if fault.code != "AOF106" or tail.next_good is not None:
        return ""
    return "; a text editor may have changed the line ends, which rdbtool repair undoes where the sizes prove it"


def _cut(fault: FormatError, tail: Tail, grader: Grader, *, behind_snapshot: bool) -> str:
    """Describe what a server with aof-load-truncated yes truncates from the last file of an AOF."""
    if grader.is_redis_before(2, 8):
        return "The server exits."
    is_redis = grader.rules.family == "redis"
    if fault.code == "AOF101" and is_redis and behind_snapshot and not grader.is_redis_before(4):
        return "The server truncates the file to 0 bytes, its snapshot included, and starts."
    if tail.next_good is not None:
        return f"The server truncates the file at {tail.at:#x}, with all that follows, and starts."
    if tail.state == "truncated-in-multi":
        if grader.is_redis_before(4):
            return "The server executes the transaction's complete commands, truncates the file after them and starts."
        if fault.code == "AOF101" and is_redis:
            return (
                "The server truncates the file inside the transaction and starts; at the next start it drops all "
                "that was written since."
            )
    return f"The server truncates the file to {_bytes(tail.at)} and starts, unless its aof-load-truncated is off."


def _bytes(count: int) -> str:
    return f"{count:,} byte{'' if count == 1 else 's'}"


def _commands(count: int) -> str:
    return f"{count:,} complete command{'' if count == 1 else 's'}"
