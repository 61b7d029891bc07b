"""Inline commands: one command per line, as people type them and ``redis-cli --pipe`` sends them, but no server writes.

A line is split as servers split it: at blanks, with quotes and their escapes. Nothing marks a file of such lines, so
detection is strict: most lines, and the first, must be commands with a valid number of arguments, and one must change
data.
"""

from __future__ import annotations

from rdbtool.core.commands import COMMANDS
from rdbtool.core.errors import Finding, what_servers_do
from rdbtool.core.light_typing import TYPE_CHECKING, Final
from rdbtool.core.manifest import split_words

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Maximum bytes of a line that servers read.
LONGEST_INLINE: Final = 64 << 10

#: Bytes read at once to skip blank lines.
BLANKS_PIECE: Final = 64 << 10

_BLANKS: Final = b" \t\n\v\f\r"

#: Known commands required per line that is not one.
_FEW: Final = 2


def begins_inline(head: bytes) -> bool:
    """Return whether ``head`` begins a file of inline commands."""
    if head[:1] in {b"", b"*", b"#", b"$"} or b"\0" in head:
        return False
    *lines, last = head.split(b"\n")
    known = unknown = 0
    changes = False
    for line in lines or [last]:
        if line[:1] == b"*":
            break
        words = split_words(line)
        if words == []:
            continue
        flags = None if words is None else _flags_of(words)
        if flags is None:
            if not known:
                return False
            unknown += 1
            continue
        known += 1
        changes = changes or bool(flags & {"write"})
    return changes and unknown * _FEW <= known


def count_blanks(piece: bytes) -> int:
    """Return the number of bytes in blank lines at the beginning of a piece; all if all are blank."""
    blank = len(piece) - len(piece.lstrip(_BLANKS))
    return blank if blank == len(piece) else piece.rfind(b"\n", 0, blank) + 1


def inline_finding(part: str) -> Finding:
    """Return the finding for a file of inline commands."""
    return Finding("SRC006", "note", part, 0, "inline commands, a line each", what_servers_do("SRC006"))


def _flags_of(words: Sequence[bytes]) -> frozenset[str] | None:
    """Return the flags of a command; None if it is not one that people type."""
    name = words[0].upper()
    if words[0] not in {name, name.lower()}:
        return None
    row = COMMANDS.get(name)
    if row is None and len(words) > 1:
        row = COMMANDS.get(b"%s %s" % (name, words[1].upper()))
    if row is None or (len(words) != row.arity if row.arity > 0 else len(words) < -row.arity):
        return None
    return frozenset(row.flags)
