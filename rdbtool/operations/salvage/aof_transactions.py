"""Open transactions: a MULTI whose EXEC was lost when the server stopped, and what was written after it.

No server writes a MULTI inside a transaction: if a second MULTI, or the end, comes before the EXEC, the transaction is
incomplete. When a server resumes writing, it writes a SELECT first, usually of the database that is already selected.
Up to Redis 6.2 a failed rewrite also leaves one inside a transaction, which is complete then: its EXEC follows.
"""

from __future__ import annotations

from rdbtool.core.errors import describe_key
from rdbtool.core.light_typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Commands of an open transaction listed by name.
_NAMED: Final = 20

#: Open transactions reported one by one; more of them, directly after one another, are reported as one.
_TOLD: Final = 1000


class Cut(NamedTuple):
    """An open transaction to drop: its range, the number of its ``commands`` with MULTI, and the message.

    ``stop`` is None if it reaches the end. ``doubt``: why its end is uncertain.
    """

    start: int
    stop: int | None
    commands: int
    message: str
    doubt: str | None = None


class Bracket(NamedTuple):
    """A MULTI or EXEC to drop, because the name of the other one is damaged."""

    start: int
    message: str


class _Select(NamedTuple):
    """A SELECT within a transaction, and the number of its commands before it."""

    at: int
    before: int


class _Open:
    """A transaction without EXEC so far."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.queued = 0
        self.names: list[str] = []
        self.restart: _Select | None = None
        self.first: _Select | None = None
        self.last: _Select | None = None

    def take(self, at: int, argv: tuple[bytes, ...], *, is_select: bool, is_redundant: bool) -> None:
        if is_select and self.restart is None:
            found = _Select(at, self.queued)
            if is_redundant:
                self.restart = found
            elif self.queued:
                self.last = found
            else:
                self.first = found
        self.queued += 1
        if len(self.names) < _NAMED:
            words = argv[0].decode(errors="backslashreplace"), *map(describe_key, argv[1:2])
            self.names.append(" ".join(words))


class Transactions:
    """Receives the commands of a part in order; finds ``cuts`` and ``brackets``.

    ``lost_brackets`` are the offsets of dropped commands that may have been a MULTI or an EXEC.
    """

    def __init__(self, lost_brackets: Iterable[int] = ()) -> None:
        self.cuts: list[Cut] = []
        self.brackets: list[Bracket] = []
        self._db: bytes | None = None
        self._open: _Open | None = None
        #: An open transaction that ends at or before a second MULTI: what follows decides.
        self._cut: _Open | None = None
        self._lost = sorted(lost_brackets, reverse=True)
        #: Where the name of a MULTI may have been damaged, -1: nowhere since the last MULTI or EXEC.
        self._nameless = -1

    def add(self, at: int, argv: tuple[bytes, ...]) -> None:
        """Take the command at offset ``at``."""
        while self._lost and self._lost[-1] < at:
            self._end_at_lost(self._lost.pop())
        name = argv[0].upper()
        is_select = name == b"SELECT" and len(argv) > 1
        is_redundant = is_select and argv[1] == self._db
        if self._cut is not None and self._open is not None:
            self._settle(self._cut, self._open.at, follows_select=is_select, is_redundant=is_redundant)
            self._cut = None
        if name == b"MULTI":
            if self._open is not None:
                self._cut = self._open
            self._open = _Open(at)
        elif name in {b"EXEC", b"DISCARD"}:
            if self._open is None and self._nameless >= 0:
                self.brackets.append(Bracket(at, "EXEC without its MULTI, whose name is damaged"))
            self._open = None
        elif self._open is not None:
            self._open.take(at, argv, is_select=is_select, is_redundant=is_redundant)
        if name in {b"MULTI", b"EXEC", b"DISCARD"}:
            self._nameless = -1
        if is_select:
            self._db = argv[1]

    def end(self) -> None:
        """Resolve what is open at the end."""
        while self._lost:
            self._end_at_lost(self._lost.pop())
        if self._cut is not None and self._open is not None:
            self._settle(self._cut, self._open.at, follows_select=False, is_redundant=False)
        if self._open is not None:
            self._settle(self._open, None, follows_select=False, is_redundant=False)
        self._cut = self._open = None

    def _end_at_lost(self, at: int) -> None:
        if self._open is None:
            self._nameless = at
            return
        if self._cut is not None:
            self._settle(self._cut, self._open.at, follows_select=False, is_redundant=False)
            self._cut = None
        self.brackets.append(Bracket(self._open.at, "MULTI without its EXEC, whose name is damaged"))
        self._open = None

    def _settle(self, cut: _Open, second: int | None, *, follows_select: bool, is_redundant: bool) -> None:
        """Determine where an open transaction ends before ``second``, the next MULTI, or None: the end.

        ``follows_select`` and ``is_redundant`` describe the next command after that MULTI.
        """
        doubt = None
        found = cut.restart
        if found is None and not is_redundant:
            found = cut.last
            if found is None and second is not None and not follows_select:
                found = cut.first
            if found is not None or second is not None:
                doubt = "it is not certain where the server resumed writing"
        stop, queued = (second, cut.queued) if found is None else (found.at, found.before)
        names = ", ".join(cut.names[:queued]) + (f" and {queued - _NAMED:,} more" if queued > _NAMED else "")
        what = f"a transaction of {queued:,} command{'' if queued == 1 else 's'} without its EXEC"
        why = f"{what}{': ' * bool(names)}{names}"
        if stop is not None:
            why += f"; a server went on at {stop:#x}"
        if doubt is not None:
            doubt = f"the transaction at {cut.at:#x} is assumed to end at {stop:#x}: {doubt}"
        last = self.cuts[-1] if len(self.cuts) >= _TOLD else None
        if last is not None and last.stop == cut.at and (last.doubt is None) == (doubt is None):
            commands = last.commands + queued + 1
            why = f"transactions without their EXEC, of {commands:,} commands"
            self.cuts[-1] = last._replace(stop=stop, commands=commands, message=why)
        else:
            self.cuts.append(Cut(cut.at, stop, queued + 1, why, doubt))
