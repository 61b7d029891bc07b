"""Salvage of an AOF: which bytes are complete commands, and what is lost between them.

The scanner runs until it meets damage; then the next complete command with a known name is searched for. A count or
size that became larger can have swallowed what follows, and one that became smaller leaves arguments over, so the
command before the damage is examined too. Intact bytes are kept unchanged, and conversions by text programs are undone.
Finally, open transactions and commands with missing arguments are dropped.
"""

from __future__ import annotations

import re
from bisect import bisect_right

from rdbtool._codec.decode.aof_scanner import ENDED, PAUSED, Scanner
from rdbtool._codec.decode.aof_scanner import EXEC as EXEC_MARK
from rdbtool.core.commands import AOF_WORDS, COMMANDS
from rdbtool.core.errors import FormatError, RdbToolError
from rdbtool.core.light_typing import TYPE_CHECKING, Final, NamedTuple
from rdbtool.core.progress import Progress
from rdbtool.operations.salvage.aof_text import BYTE_ORDER_MARK, REPLACEMENT, Restored, TextMode, TextRestorer, restore
from rdbtool.operations.salvage.aof_transactions import Transactions
from rdbtool.operations.salvage.aof_unknown import Strangers, fault_of_unread
from rdbtool.operations.salvage.input import Lost
from rdbtool.operations.salvage.rdb_find import CommandSearch
from rdbtool.reader.aof.command_stats import Uses
from rdbtool.reader.aof.text_parser import Command, LineParser
from rdbtool.reader.open.windows import WindowStream

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping

    from rdbtool.operations.salvage.input import Stock, View

#: Bytes before the damage that are searched for the previous command.
_BEFORE: Final = 1 << 16

#: What servers accept: line ends.
_BEARABLE: Final = frozenset({"AOF106", "AOF107"})

#: Bytes of a damaged command examined to name it.
_NAMING: Final = 1 << 12

_LINE_END: Final = re.compile(rb"\r*\n")
_SIZE: Final = re.compile(rb"\$(\d{1,18})\r\n")
_NAME: Final = re.compile(rb"\$\d{1,3}\r\n([A-Za-z][A-Za-z.|_-]{1,30})\r\n(?:\$(\d{1,5})\r\n)?")


class Keep(NamedTuple):
    """Bytes that are kept: ``start`` to ``stop`` unchanged, or else ``data`` in their place.

    With a ``mode`` they are complete commands, written as they were before a text program changed them.
    """

    start: int
    stop: int
    data: bytes | None = None
    mode: TextMode | None = None


class LogSalvage:
    """Salvages the commands in ``stock`` from offset ``begin`` on.

    ``renamed`` maps renamed commands to their original names. ``drop_unknown``: drop commands with unknown names.

    After ``run``: ``kept`` ranges and ``lost`` ones, both in order, how many ``commands`` are kept, which of their
    names are ``foreign``, and ``doubts``: assumptions that cannot be verified.
    """

    def __init__(
        self,
        stock: Stock,
        *,
        begin: int = 0,
        known: frozenset[bytes] = AOF_WORDS,
        renamed: Mapping[bytes, bytes] | None = None,
        drop_unknown: bool = False,
        progress: Progress | None = None,
    ) -> None:
        self.stock = stock
        self.kept: list[Keep] = []
        self.lost: list[Lost] = []
        self.commands = 0
        #: Names of kept commands that no server has.
        self.foreign: list[str] = []
        self.doubts: list[str] = []
        self._begin = begin
        self._renamed = renamed or {}
        self._drop_unknown = drop_unknown
        # Not a copy for each of thousands of files.
        self._known = known | frozenset(self._renamed) if self._renamed else known
        self._search = CommandSearch(stock, self._known)
        self._text = TextRestorer(stock, begin, self._known)
        self._progress = progress
        #: Whether a MULTI or EXEC without effect, or an open transaction, was met.
        self._is_cut = False
        #: The MULTI that is open at the end of the last run of commands, -1: none.
        self._open = -1
        #: Whether anything was lost since then.
        self._is_torn = False
        self._partners: list[tuple[int, str]] = []
        #: Calls of commands, as long as all of them are kept.
        self._uses = Uses(self._renamed)
        self._is_counted = True

    def run(self) -> None:
        """Read the whole AOF. Raises InputError."""
        at: int | None = self._begin
        if at == 0 and self.stock.read(0, len(BYTE_ORDER_MARK)) == BYTE_ORDER_MARK:
            at = len(BYTE_ORDER_MARK)
            self.lost.append(Lost("REP014", self.stock.name, 0, at, "a byte order mark, which is not part of the AOF"))
        while at is not None:
            view = self.stock.view(at)
            scanner = Scanner(view.window, containers=self._uses.containers)
            status = PAUSED
            while status == PAUSED:
                status = scanner.check(self._progress)
                self._uses.add(0, 0, scanner.take_uses())
            stop = view.at
            self._join(at, scanner)
            self._is_cut = self._is_cut or scanner.strays > 0
            if stop > at:
                self.kept.append(Keep(at, stop))
            self.commands += scanner.count
            if scanner.multi_at >= 0:
                self._open = scanner.multi_at
            if status == ENDED:
                break
            at = self._resume(view, stop)
        self._drop_unmatched()
        lone = self._drop_unusable()
        if self._is_cut or self._open >= 0 or lone:
            self._end_cut_transactions(lone)
        self.lost.sort(key=lambda lost: lost.start)

    def _resume(self, view: View, at: int) -> int | None:
        """Handle damage at ``at``; return where reading resumes, None at the end."""
        fault = self._fault(view, at)
        if fault is None or self._undo_text(at) or self._accept_lax(at):
            return self.kept[-1].stop
        self._learn_names()
        start, message = at, fault
        previous = self._previous(at)
        if previous is not None and self._text.reaches(previous, at) and self._undo_text(previous, instead=True):
            # Its size fits the changed value up to a line end.
            return self.kept[-1].stop
        if previous is not None:
            swallowed, _ = self._search.find(previous, before=at, beyond=at)
            if swallowed is not None:
                self._drop_last(previous)
                self._lose(previous, swallowed, f"a size or count includes what follows it: {message}")
                return swallowed
            if _is_left_over(self.stock, at, self._known):
                self._drop_last(previous)
                start = previous
                message = f"arguments are left over after it: {message}"
        found, gave_up = self._find(at)
        if gave_up:
            message += "; the search for more was given up"
        if found is None:
            self._lose(start, self.stock.size, message, "REP003")
        else:
            self._lose(start, found, message)
        return found

    def _learn_names(self) -> None:
        """Add names that were met and that no server has to those searched for."""
        met = {name for name in self._uses.by_name if name not in COMMANDS and b" " not in name} - self._known
        if met:
            self._known |= met
            self._search = CommandSearch(self.stock, self._known)
            self._text.known = self._known

    def _find(self, at: int) -> tuple[int | None, bool]:
        """Return where reading resumes after damage at ``at``, None: nowhere, and whether the search gave up."""
        found, gave_up = self._search.find(at)
        stop = self.stock.size if found is None else found
        foreign = None if gave_up else self._search.find_any(at, stop)
        if foreign is not None:
            stop = found = foreign
        changed = self._text.find(at + 1, stop)
        return (found if changed is None else changed), gave_up

    def _undo_text(self, at: int, *, instead: bool = False) -> bool:
        """Restore the commands from ``at`` on that a text program changed, and keep them; return whether there are any.

        ``instead``: the last kept command begins there, and is no longer kept unchanged.
        """
        begin, start, count, changed = at, at, 0, 0
        mode: TextMode | None = None
        kept: list[tuple[int, int, TextMode, int]] = []
        brackets: list[Restored] = []
        foreign = list(self.foreign)
        while at < self.stock.size:
            before, record = mode, self._text.read(at)
            if record is None or (record.argv and self._is_refused(record.argv)):
                break
            mode = self._text.mode
            if mode != before and before is not None:
                kept.append((start, at, before, count))
                start, count = at, 0
            at = record.stop
            count += bool(record.argv)
            changed += record.is_evidence
            if record.argv and record.argv[0].upper() in {b"MULTI", b"EXEC"}:
                brackets.append(record)
        is_proven = mode is not None and self._text.prove(mode, changed, begin, at)
        if mode is None or at == start or not is_proven:
            self.foreign = foreign
            return False
        if instead:
            self._drop_last(begin)
        for record in brackets:
            self._is_cut = True
            self._note(record.argv, record.start)
        for row in (*kept, (start, at, mode, count)):
            self._keep_text(*row)
        return True

    def _is_refused(self, argv: tuple[bytes, ...]) -> bool:
        """Return whether a command that no scanner counted must be dropped."""
        fault = fault_of_unread(argv, self._renamed)
        if fault is not None and (fault.is_certain or self._drop_unknown):
            return True
        if fault is not None and (shown := argv[0].decode(errors="backslashreplace")) not in self.foreign:
            self.foreign.append(shown)
        return False

    def _note(self, argv: tuple[bytes, ...], at: int) -> None:
        """Track transactions over a command that no scanner read."""
        name = argv[0].upper()
        self._open = at if name == b"MULTI" and self._open < 0 else -1 if name == b"EXEC" else self._open

    def _keep_text(self, start: int, stop: int, mode: TextMode, count: int) -> None:
        self.kept.append(Keep(start, stop, mode=mode))
        self.commands += count
        records = f"{count:,} command{'' if count == 1 else 's'}"
        why = f"{mode.name}, as programs for text do it: undone, and proven by the sizes in {records}"
        self.lost.append(Lost("REP014", self.stock.name, start, stop, why, is_kept=True))

    def _fault(self, view: View, at: int) -> str | None:
        """Report the fault of the current command; if the parser accepts it, keep it."""
        parser = LineParser(WindowStream(view.window), self.stock.name)
        try:
            record = parser.read(self.commands + 1)
        except FormatError as error:
            return f"expected {error.expected}, found {error.found} ({error.code})"
        except RdbToolError as error:
            return str(error)
        assert record is not None
        self.kept.append(Keep(at, record.stop))
        self.commands += isinstance(record, Command)
        return None

    def _accept_lax(self, at: int) -> bool:
        """Keep a command with wrong line ends, which servers accept, in its strict form."""
        view = self.stock.view(at)
        parser = LineParser(WindowStream(view.window), self.stock.name, lax=True)
        try:
            record = parser.read(self.commands + 1)
        except RdbToolError:
            return False
        if record is None or any(deviation.code not in _BEARABLE for deviation in parser.deviations):
            return False
        stop = record.stop
        if stop < self.stock.size and self._search.chain(stop) == stop:
            return False
        if isinstance(record, Command):
            if record.argv[0].upper() not in self._known:
                return False
            if not _has_line_ends(self.stock.read(at, stop - at), record.argv):
                return False
            data = _encode(record.argv)
            self.commands += 1
            self._is_cut = self._is_cut or record.argv[0].upper() in {b"MULTI", b"EXEC"}
            self._note(record.argv, at)
        else:
            data = record.text + b"\r\n"
        self.kept.append(Keep(at, stop, data))
        why = f"line ends that only some readers accept: expected {parser.deviations[0].expected}"
        self.lost.append(Lost("REP010", self.stock.name, at, stop, why, is_kept=True))
        return True

    def _previous(self, at: int) -> int | None:
        """Return where the command before ``at`` begins, None if it is not a kept command."""
        if (
            not self.kept
            or self.kept[-1].stop != at
            or self.kept[-1].data is not None
            or self.kept[-1].mode is not None
        ):
            return None
        start = self.kept[-1].start
        for begin in (max(start, at - _BEFORE), start):
            view = self.stock.view(begin, at)
            scanner = Scanner(view.window)
            view.window.peek(view.at, 1)
            if begin > start and scanner.resync(self._known) < 0:
                continue
            last = None
            status = PAUSED
            while status == PAUSED:
                status = scanner.run()
                offsets = scanner.take()[1]
                last = offsets[-1] if offsets else last
            if last is not None and status == ENDED:
                return last
        return None

    def _drop_last(self, start: int) -> None:
        """Take back the last kept command, which begins at ``start``."""
        self._is_counted = False
        keep = self.kept.pop()
        if keep.start < start:
            self.kept.append(Keep(keep.start, start))
        if start == self._open:
            self._open = -1
        self.commands -= 1

    def _lose(self, start: int, stop: int, message: str, code: str = "REP001") -> None:
        self._is_torn = True
        name, key = _name_record(self.stock, start, stop, self._known)
        self.lost.append(Lost(code, self.stock.name, start, stop, f"{name}{message}", key=key))

    def _join(self, at: int, scanner: Scanner) -> None:
        """Match a MULTI that is open before damage with the EXEC after it; if one is lost, drop the other."""
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
                return offsets[marks[0][0]], marks[0][1]
        return None

    def _drop_unmatched(self) -> None:
        """Drop MULTI or EXEC if the other one is lost: the commands in between stay, as plain ones."""
        self._leave_out_brackets(self._partners)

    def _leave_out_brackets(self, brackets: Iterable[tuple[int, str]]) -> None:
        starts = [keep.start for keep in self.kept]
        ranges = []
        for at, why in sorted(brackets):
            keep = self.kept[max(0, bisect_right(starts, at) - 1)] if starts else None
            if keep is None or not keep.start <= at < keep.stop:
                continue
            stop = self._end_of_bracket(at, keep)
            ranges.append((at, stop))
            self.lost.append(Lost("REP009", self.stock.name, at, stop, why))
        self.commands -= len(ranges)
        self.kept = _leave_out(self.kept, ranges)

    def _end_of_bracket(self, at: int, keep: Keep) -> int:
        if keep.data is not None:
            return keep.stop
        if keep.mode is not None:
            return next(restore(self.stock, at, keep.stop, keep.mode)).stop
        # MULTI and EXEC are short.
        window = self.stock.view(at, min(keep.stop, at + _NAMING)).window
        record = LineParser(WindowStream(window), lax=True).read(1)
        return keep.stop if record is None else record.stop

    def _drop_unusable(self) -> list[int]:
        """Drop well-framed commands that cannot stay; return those that were MULTI or EXEC."""
        ranges = [(keep.start, keep.stop) for keep in self.kept if keep.data is None and keep.mode is None]
        strangers = Strangers(
            self.stock,
            ranges,
            self._renamed,
            self._uses if self._is_counted else None,
            drop_unknown=self._drop_unknown,
            is_cut=self._is_cut or self._open >= 0,
        )
        self.foreign += [name for name in strangers.foreign if name not in self.foreign]
        dropped = strangers.dropped
        self.commands -= len(dropped)
        self.lost += dropped
        self.kept = _leave_out(self.kept, [(lost.start, lost.stop) for lost in dropped])
        return strangers.lone

    def _end_cut_transactions(self, lone: list[int]) -> None:
        """Drop transactions whose EXEC was lost, up to where a server resumed writing."""
        found = Transactions(lone)
        for argv, at in self._records(self._begin, self.stock.size):
            found.add(at, argv)
        found.end()
        self._leave_out_brackets(found.brackets)
        ranges = [(cut.start, self.stock.size if cut.stop is None else cut.stop) for cut in found.cuts]
        self.kept = _leave_out(self.kept, ranges)
        self.commands -= sum(cut.commands for cut in found.cuts)
        self.lost = [lost for lost in self.lost if not _is_within(lost.start, ranges)]
        self.lost += [
            Lost("REP008", self.stock.name, start, stop, cut.message)
            for cut, (start, stop) in zip(found.cuts, ranges, strict=True)
        ]
        self.doubts += [f"{self.stock.name}: {cut.doubt}" for cut in found.cuts if cut.doubt is not None]

    def _records(self, start: int, stop: int) -> Iterator[tuple[tuple[bytes, ...], int]]:
        """Yield the kept commands between two offsets, with their start offsets."""
        for keep in self.kept:
            if keep.stop <= start or keep.start >= stop:
                continue
            if keep.mode is not None:
                rows = restore(self.stock, keep.start, keep.stop, keep.mode)
                yield from ((row.argv, row.start) for row in rows if row.argv and row.start >= start)
                continue
            if keep.data is not None:
                record = LineParser(WindowStream(self.stock.view(keep.start).window), lax=True).read(1)
                if isinstance(record, Command):
                    yield record.argv, keep.start
                continue
            scanner = Scanner(self.stock.view(max(start, keep.start), min(stop, keep.stop)).window)
            status = PAUSED
            while status == PAUSED:
                status = scanner.run()
                argvs, offsets, _, _ = scanner.take()
                yield from zip(argvs, offsets, strict=True)


def _leave_out(kept: list[Keep], ranges: list[tuple[int, int]]) -> list[Keep]:
    """Return kept ranges minus some ranges, which are in order and begin and end at commands."""
    left: list[Keep] = []
    first = 0
    for keep in kept:
        at = keep.start
        while first < len(ranges) and ranges[first][1] <= at:
            first += 1
        for index in range(first, len(ranges)):
            start, stop = ranges[index]
            if start >= keep.stop:
                break
            if start > at:
                left.append(keep._replace(start=at, stop=start))
            at = max(at, stop)
        if at < keep.stop:
            left.append(keep._replace(start=at))
    return left


def _is_within(at: int, ranges: list[tuple[int, int]]) -> bool:
    """Whether an offset lies in one of some ranges, which are in order."""
    index = bisect_right(ranges, (at, 1 << 63)) - 1
    return index >= 0 and ranges[index][0] <= at < ranges[index][1]


def _name_record(stock: Stock, start: int, stop: int, known: Container[bytes]) -> tuple[str, bytes | None]:
    """Return the name of a damaged command, with a colon, and its first argument, as far as readable."""
    data = stock.read(start, min(_NAMING, stop - start))
    match = _NAME.search(data)
    beyond = "U+FFFD replaces unknown bytes: " if REPLACEMENT in data else ""
    if match is None or match[1].upper() not in known:
        return beyond, None
    key = None
    if match[2] is not None and data[match.end() + int(match[2]) :][:2] == b"\r\n":
        key = data[match.end() : match.end() + int(match[2])]
    return f"{match[1].decode().upper()}: {beyond}", key


def _is_left_over(stock: Stock, at: int, known: Container[bytes]) -> bool:
    """Whether the arguments at ``at`` are left over, rather than those of a command whose header is lost."""
    data = stock.read(at, _NAMING)
    size = _SIZE.match(data)
    name = _NAME.search(data, 0, 64)
    if size is None or (name is not None and name.start() <= size.end() and name[1].upper() in known):
        return False
    return data[size.end() : size.end() + int(size[1])].upper() not in known


def _has_line_ends(data: bytes, argv: tuple[bytes, ...]) -> bool:
    """Whether the command in ``data`` has other line ends than strict ones, and nothing else in their place.

    Servers skip anything after a count or size, and the two bytes after an argument. More than a flipped bit there is
    the joint of two records.
    """
    at = 0
    for head, word in [(b"*%d" % len(argv), None), *((b"$%d" % len(word), word) for word in argv)]:
        end = _LINE_END.match(data, at + len(head))
        if end is None:
            return False
        at = end.end()
        if word is not None:
            at += len(word)
            if data[at : at + 1] != b"\r" and data[at + 1 : at + 2] != b"\n":
                return False
            at += 2
    return True


def _encode(argv: tuple[bytes, ...]) -> bytes:
    """Return a command as RESP."""
    return b"*%d\r\n" % len(argv) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in argv)
