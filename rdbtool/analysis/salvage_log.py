"""Salvage of commands: which bytes of a log are whole records, and what is lost between them.

The scanner runs until it meets damage; then the next whole command with a known name is searched for. A payload can
hold text that looks like commands: what lies in an argument that is framed soundly, or leads nowhere but to the end
of an argument, is none. A count or size that became larger can have swallowed what follows, and one that became
smaller leaves arguments behind, so the record before the damage is looked at too. Sound bytes are kept as they are.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from rdbtool._codec.aof import ENDED, EXHAUSTED, PAUSED, Scanner
from rdbtool._codec.aof import EXEC as EXEC_MARK
from rdbtool.analysis.salvage import Lost
from rdbtool.errors import FormatError, RdbToolError
from rdbtool.reader.lines import Command, LineParser
from rdbtool.reader.tail import COMMON_COMMANDS
from rdbtool.reader.windows import WindowStream

if TYPE_CHECKING:
    from collections.abc import Container

    from rdbtool.analysis.salvage import Progress, Stock, View

#: Bytes before the damage in which the record before it is looked for.
_BEFORE: Final = 1 << 16

#: Bytes of a damaged record that are looked at to name it.
_NAMING: Final = 1 << 12

#: Bytes looked through at once, and bytes of the longest header of an argument.
_PIECE: Final = 1 << 12
_LONGEST_SIZE: Final = 24

#: Bytes by which damage within a payload may have moved its end.
_NEAR: Final = 10

_HEADER: Final = re.compile(rb"\$(\d{1,18})\r\n\Z")
_SIZE: Final = re.compile(rb"\$(\d{1,18})\r\n")
_NAME: Final = re.compile(rb"\$\d{1,3}\r\n([A-Za-z][A-Za-z.|_-]{1,30})\r\n(?:\$(\d{1,5})\r\n)?")

#: What servers put up with: line ends.
_BEARABLE: Final = frozenset({"AOF106", "AOF107"})


class Keep(NamedTuple):
    """Bytes that are kept: those from ``start`` to ``stop`` as they are, or else ``data`` in their place."""

    start: int
    stop: int
    data: bytes | None = None


class LogSalvage:
    """Salvages the commands in ``stock`` from offset ``begin`` on.

    After ``run``: ``kept`` ranges and ``lost`` ones, both in order, and how many ``commands`` are kept.
    """

    def __init__(
        self,
        stock: Stock,
        *,
        begin: int = 0,
        known: Container[bytes] = COMMON_COMMANDS,
        progress: Progress | None = None,
    ) -> None:
        self.stock = stock
        self.kept: list[Keep] = []
        self.lost: list[Lost] = []
        self.commands = 0
        self._begin = begin
        self._known = known
        self._progress = progress
        #: The MULTI that is open where the last stretch of records ended, -1: none.
        self._open = -1
        #: Whether anything was lost since then.
        self._is_torn = False
        self._partners: list[tuple[int, str]] = []

    def run(self) -> None:
        """Read all of it. Raises InputError."""
        at: int | None = self._begin
        while at is not None:
            view = self.stock.view(at)
            scanner = Scanner(view.window)
            status = PAUSED
            while status == PAUSED:
                status = scanner.check(self._progress)
            stop = view.at
            self._join(at, scanner)
            if stop > at:
                self.kept.append(Keep(at, stop))
            self.commands += scanner.count
            if scanner.multi_at >= 0:
                self._open = scanner.multi_at + view.shift
            if status == ENDED:
                break
            at = self._resume(view, stop)
        self._drop_partners()
        self._cut_open_transaction()
        self.lost.sort(key=lambda lost: lost.start)

    # ---- damage --------------------------------------------------------------------------------

    def _resume(self, view: View, at: int) -> int | None:
        """Deal with damage at ``at``; return where it goes on, None at the end."""
        fault = self._fault(view, at)
        if fault is None or self._bear(at):
            return self.kept[-1].stop
        start, message = at, fault
        previous = self._previous(at)
        if previous is not None:
            swallowed, _ = self.find(previous, before=at, beyond=at)
            if swallowed is not None:
                self._drop_last(previous)
                self._lose(previous, swallowed, f"a size or count takes in what follows it: {message}")
                return swallowed
            if self._is_left_over(at):
                self._drop_last(previous)
                start = previous
                message = f"arguments are left over behind it: {message}"
        found, gave_up = self.find(start if start == at else at)
        if gave_up:
            message += "; the search for more was given up"
        if found is None:
            self._lose(start, self.stock.size, message, "REP003")
        else:
            self._lose(start, found, message)
        return found

    def find(self, at: int, *, before: int | None = None, beyond: int = -1) -> tuple[int | None, bool]:
        """Return the first whole command behind ``at`` that is no part of a payload, and whether the search gave up.

        It has to lie before ``before``, and the records from there on have to reach beyond ``beyond``.
        """
        limit = self.stock.size if before is None else before
        payloads = _Payloads(self.stock, at, limit) if before is None else None
        while True:
            view = self.stock.view(at)
            view.window.peek(0, 1)  # it searches behind the first byte that is there
            found = Scanner(view.window).resync(self._known)
            if found < 0:
                return None, found == EXHAUSTED
            candidate = found + view.shift
            if candidate >= limit:
                return None, False
            skip = None if payloads is None else payloads.end_around(candidate)
            if skip is not None:
                at = skip - 1
                continue
            header = _HEADER.search(self.stock.read(max(0, candidate - _LONGEST_SIZE), min(candidate, _LONGEST_SIZE)))
            if header is not None:
                at = self._end_of_payload(candidate, int(header[1]))
                continue
            stop = self._chain(candidate)
            if beyond >= 0:
                if stop > beyond and not (stop < self.stock.size and self._ends_argument(stop)):
                    return candidate, False
                at = candidate
            elif stop < self.stock.size and (self._ends_argument(stop) or self._is_doubtful(candidate, stop)):
                at = max(candidate, stop - 1)
            else:
                return candidate, False

    def _end_of_payload(self, at: int, size: int) -> int:
        """Return where to search behind commands that are a payload, of about that size, from its beginning on."""
        view = self.stock.view(at, min(self.stock.size, at + size + _NEAR))
        scanner = Scanner(view.window)
        ends = []
        status = PAUSED
        while status == PAUSED:
            status = scanner.run()
            ends += [offset + view.shift for offset in scanner.take()[1]]
        ends.append(view.at)
        near = [end for end in ends if abs(end - at - size) <= _NEAR]
        if near and near[0] > at:
            return near[0] - 1
        if view.at < at + size and self.stock.read(view.at, 2) != b"\r\n":
            # The damage is within: only the size says where the payload ends.
            return max(at, at + size - _NEAR)
        return at

    def _chain(self, at: int) -> int:
        view = self.stock.view(at)
        scanner = Scanner(view.window)
        while scanner.check() == PAUSED:
            pass
        return view.at

    def _ends_argument(self, at: int) -> bool:
        """Whether the line end of an argument is at ``at``: then the records before it were its payload."""
        return self.stock.read(at, 2) == b"\r\n"

    def _is_doubtful(self, at: int, stop: int) -> bool:
        """Whether the few records between two offsets lead to what is no record: they may be a payload."""
        return stop - at < _NAMING and self.stock.read(stop, 1) not in {b"*", b"#", b"$"}

    def _fault(self, view: View, at: int) -> str | None:
        """Say what is wrong with the record at hand; where the parser takes it nothing is, and it is kept."""
        parser = LineParser(WindowStream(view.window), self.stock.name)
        try:
            record = parser.read(self.commands + 1)
        except FormatError as error:
            return f"expected {error.expected}, found {error.found} ({error.code})"
        except RdbToolError as error:
            return str(error)
        assert record is not None
        self.kept.append(Keep(at, record.stop + view.shift))
        self.commands += isinstance(record, Command)
        return None

    def _bear(self, at: int) -> bool:
        """Keep a record whose line ends only are wrong, which servers read, in its strict form."""
        view = self.stock.view(at)
        parser = LineParser(WindowStream(view.window), self.stock.name, lax=True)
        try:
            record = parser.read(self.commands + 1)
        except RdbToolError:
            return False
        if record is None or any(deviation.code not in _BEARABLE for deviation in parser.deviations):
            return False
        stop = record.stop + view.shift
        if stop < self.stock.size and self._chain(stop) == stop:
            return False
        if isinstance(record, Command):
            if record.argv[0].upper() not in self._known:
                return False
            data = encode(record.argv)
            self.commands += 1
            name = record.argv[0].upper()
            self._open = at if name == b"MULTI" and self._open < 0 else -1 if name == b"EXEC" else self._open
        else:
            data = record.text + b"\r\n"
        self.kept.append(Keep(at, stop, data))
        why = f"line ends that only some readers accept: expected {parser.deviations[0].expected}"
        self.lost.append(Lost("REP010", self.stock.name, at, stop, why, is_kept=True))
        return True

    def _previous(self, at: int) -> int | None:
        """Return where the record before ``at`` begins, None if what precedes it is not a kept record."""
        if not self.kept or self.kept[-1].stop != at or self.kept[-1].data is not None:
            return None
        start = self.kept[-1].start
        for begin in (max(start, at - _BEFORE), start):
            view = self.stock.view(begin, at)
            scanner = Scanner(view.window)
            view.window.peek(0, 1)
            if begin > start and scanner.resync(self._known) < 0:
                continue
            last = None
            status = PAUSED
            while status == PAUSED:
                status = scanner.run()
                offsets = scanner.take()[1]
                last = offsets[-1] + view.shift if offsets else last
            if last is not None and status == ENDED:
                return last
        return None

    def _is_left_over(self, at: int) -> bool:
        """Whether arguments begin at ``at`` that are not those of a command whose own beginning is lost."""
        data = self.stock.read(at, _NAMING)
        size = _SIZE.match(data)
        name = _NAME.search(data, 0, 64)
        if size is None or (name is not None and name.start() <= size.end() and name[1].upper() in self._known):
            return False
        return data[size.end() : size.end() + int(size[1])].upper() not in self._known

    def _drop_last(self, start: int) -> None:
        """Take back the last kept record, which begins at ``start``."""
        keep = self.kept.pop()
        if keep.start < start:
            self.kept.append(Keep(keep.start, start))
        if start == self._open:
            self._open = -1
        self.commands -= 1

    def _lose(self, start: int, stop: int, message: str, code: str = "REP001") -> None:
        self._is_torn = True
        name, key = self._name(start, stop)
        self.lost.append(Lost(code, self.stock.name, start, stop, f"{name}{message}", key=key))

    def _name(self, start: int, stop: int) -> tuple[str, bytes | None]:
        data = self.stock.read(start, min(_NAMING, stop - start))
        match = _NAME.search(data)
        if match is None or match[1].upper() not in self._known:
            return "", None
        key = None
        if match[2] is not None and data[match.end() + int(match[2]) :][:2] == b"\r\n":
            key = data[match.end() : match.end() + int(match[2])]
        return f"{match[1].decode().upper()}: ", key

    # ---- transactions --------------------------------------------------------------------------

    def _join(self, at: int, scanner: Scanner) -> None:
        """Match a MULTI that is open in front of damage with the EXEC behind it; where one is lost, drop the other."""
        first = self._first_mark(at) if at > self._begin and scanner.strays else None
        is_exec = first is not None and first[1] == EXEC_MARK
        if is_exec and first is not None and self._open < 0 and self._is_torn:
            self._partners.append((first[0], "EXEC without its MULTI, which is lost"))
        elif self._open >= 0 and not is_exec and self._is_torn:
            self._partners.append((self._open, "MULTI without its EXEC, which is lost"))
        if is_exec or self._is_torn:
            self._open = -1
        self._is_torn = False

    def _first_mark(self, at: int) -> tuple[int, int] | None:
        """Return the offset and kind of the first MULTI or EXEC from ``at`` on."""
        view = self.stock.view(at)
        scanner = Scanner(view.window)
        status = PAUSED
        while status == PAUSED:
            status = scanner.run()
            _, offsets, _, marks = scanner.take()
            if marks:
                return offsets[marks[0][0]] + view.shift, marks[0][1]
        return None

    def _drop_partners(self) -> None:
        """Leave out brackets of transactions whose other one is lost: their commands stay, as plain ones."""
        for at, why in self._partners:
            index = next((i for i, keep in enumerate(self.kept) if keep.start <= at < keep.stop), None)
            if index is None:
                continue
            keep = self.kept[index]
            view = self.stock.view(at)
            record = LineParser(WindowStream(view.window), lax=True).read(1)
            stop = keep.stop if record is None else record.stop + view.shift
            pieces = (Keep(keep.start, at), Keep(stop, keep.stop))
            self.kept[index : index + 1] = [piece for piece in pieces if piece.stop > piece.start]
            self.commands -= 1
            self.lost.append(Lost("REP009", self.stock.name, at, stop, why))

    def _cut_open_transaction(self) -> None:
        """Cut a transaction that has no end, as servers do."""
        at = self._open
        if at < 0:
            return
        view = self.stock.view(at, self.kept[-1].stop)
        scanner = Scanner(view.window)
        while scanner.check() == PAUSED:
            pass
        self.commands -= scanner.count
        stop = self.stock.size
        while self.kept and self.kept[-1].start >= at:
            self.kept.pop()
        if self.kept and self.kept[-1].stop > at:
            self.kept[-1] = Keep(self.kept[-1].start, at)
        self.lost = [lost for lost in self.lost if lost.start < at]
        why = f"a transaction of {scanner.count - 1} commands without its EXEC"
        self.lost.append(Lost("REP008", self.stock.name, at, stop, why))


class _Payloads:
    """The arguments of a damaged record that are framed soundly, found as far as they are asked for."""

    def __init__(self, stock: Stock, at: int, stop: int) -> None:
        self._stock = stock
        self._at = at
        self._stop = stop
        self._last = (-1, -1)

    def end_around(self, at: int) -> int | None:
        """Return the end of the argument that ``at`` lies in, None if it lies in none. Asked for in rising order."""
        while self._at < at and self._last[1] <= at:
            data = self._stock.read(self._at, _PIECE)
            match = _SIZE.search(data)
            if match is None or self._at + match.start() >= at:
                if len(data) < _PIECE or match is not None:
                    break
                self._at += _PIECE - _LONGEST_SIZE
                continue
            begin = self._at + match.end()
            stop = begin + int(match[1])
            behind = self._stock.read(stop, 3) if stop < self._stock.size else b""
            if behind[:2] == b"\r\n" and behind[2:] in {b"", b"$", b"*", b"#"}:
                self._last = (begin, stop)
                self._at = stop
            else:
                self._at = begin
        return self._last[1] if self._last[0] <= at < self._last[1] else None


def encode(argv: tuple[bytes, ...]) -> bytes:
    """Return a command as logs hold it."""
    return b"*%d\r\n" % len(argv) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in argv)
