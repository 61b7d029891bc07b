"""The search for the next complete AOF command after damage.

A payload can hold text that looks like commands: what lies in a well-framed argument, or leads only to the end of an
argument, is not a command.
"""

from __future__ import annotations

import re

from rdbtool._codec.decode.aof_scanner import EXHAUSTED, PAUSED, Scanner
from rdbtool.core.commands import AOF_WORDS
from rdbtool.core.light_typing import TYPE_CHECKING, Final
from rdbtool.operations.salvage.aof_text import Blocks

if TYPE_CHECKING:
    from collections.abc import Container

    from rdbtool.operations.salvage.input import Stock

#: Bytes read at once, minimum bytes of them, and bytes of the longest header of an argument.
_BLOCK: Final = 1 << 16
_PIECE: Final = 1 << 12
_LONGEST_SIZE: Final = 24

#: Bytes by which damage within a payload may have moved its end.
_NEAR: Final = 10

#: Minimum size in bytes, with its header, of an argument that records follow.
_BEFORE: Final = 128

#: Bytes that damage within a payload may have removed together with its end, and bytes read beyond the size of the
#: file to see whether it did.
_REMOVED: Final = 1 << 10
_ACROSS: Final = 1 << 18

#: Bytes of records that count as few.
_FEW: Final = 1 << 12

_HEADER: Final = re.compile(rb"\$(\d{1,18})\r\n\Z")
_SIZE: Final = re.compile(rb"\$(\d{1,18})\r\n")

#: The beginning of a record that may be damaged: its mark, or all but that.
_RECORD: Final = re.compile(rb"[*#$]|.\d{1,10}\r\n\$\d", re.DOTALL)


class _AnyName:
    """A container of every possible command name."""

    def __contains__(self, name: object) -> bool:
        return True


_ANY_NAME: Final = _AnyName()


class CommandSearch:
    """Searches ``stock`` for commands with a ``known`` name (upper case)."""

    def __init__(self, stock: Stock, known: Container[bytes] = AOF_WORDS) -> None:
        self.stock = stock
        self._known = known
        self._blocks = Blocks(stock)
        self._left = stock.size + _ACROSS

    def find(  # noqa: C901, PLR0911 - one question after the other about a candidate
        self, at: int, *, before: int | None = None, beyond: int = -1
    ) -> tuple[int | None, bool]:
        """Return the first complete command after ``at`` outside a payload, and whether the search gave up.

        It must begin before ``before``, and the records from there on must reach beyond ``beyond``.
        """
        begin, limit = at, self.stock.size if before is None else before
        payloads = _Payloads(self.stock, at, limit) if before is None else None
        walk = _Walk(self.stock, at)
        while True:
            candidate = walk.search(at, self._known)
            if candidate < 0:
                return None, candidate == EXHAUSTED
            if candidate >= limit:
                return None, False
            skip = None if payloads is None else payloads.end_around(candidate)
            if skip is not None:
                # Records do not lead out of an argument, because its line end is not a record.
                stop = walk.pass_records()
                if beyond < 0 and stop > skip + len(b"\r\n"):
                    return candidate, False
                at = max(stop, skip - 1)
                continue
            header = _HEADER.search(self.stock.read(max(0, candidate - _LONGEST_SIZE), min(candidate, _LONGEST_SIZE)))
            # Otherwise the size is that of another value, or damaged: only what follows the records decides.
            end = candidate if header is None else self._end_of_payload(candidate, int(header[1]))
            if end is None and beyond < 0:
                return candidate, False
            if end is not None and end > candidate:
                at = end
                continue
            # The records in between lead to the same place.
            at = stop = walk.pass_records()
            if beyond >= 0:
                if stop > beyond and not (stop < self.stock.size and self._ends_argument(stop)):
                    return candidate, False
                continue
            if header is None and self._is_at_top(begin, candidate, stop):
                return candidate, False
            if stop == self.stock.size or not (self._ends_argument(stop) or self._is_doubtful(candidate, stop)):
                return candidate, False

    def find_any(self, at: int, stop: int) -> int | None:
        """Return the first command of any name after ``at`` from which complete records lead to ``stop``, or None."""
        start = at
        walk = _Walk(self.stock, at, stop)
        while (candidate := walk.search(at, _ANY_NAME)) >= 0:
            at = walk.pass_records()
            if at == stop and not self._is_value(start, candidate):
                return candidate
        return None

    def _is_value(self, start: int, at: int) -> bool:
        """Whether what begins at ``at`` follows the size of an argument of what begins at or after ``start``."""
        before = max(start, at - _LONGEST_SIZE)
        return _HEADER.search(self.stock.read(before, at - before)) is not None

    def _end_of_payload(self, at: int, size: int) -> int | None:
        """Return where to search after commands that are a payload of about that size, from its beginning on.

        None: they are no payload, the size is damaged.
        """
        view = self.stock.view(at, min(self.stock.size, at + size + _NEAR))
        scanner = Scanner(view.window)
        ends: list[int] = []
        status = PAUSED
        while status == PAUSED:
            status = scanner.run()
            ends += scanner.take()[1]
        ends.append(view.at)
        near = [end for end in ends if abs(end - at - size) <= _NEAR]
        if near and near[0] > at:
            return near[0] - 1
        if view.at < at + size and self.stock.read(view.at, 2) != b"\r\n":
            # The damage is inside: only the size says where the payload ends, unless no payload ends there.
            return None if self._leads_across(at, view.at, at + size) else max(at, at + size - _NEAR)
        return at

    def _leads_across(self, start: int, at: int, end: int) -> bool:
        """Whether records lead across ``end``, where a payload that begins at ``start`` would end, and it ends nowhere.

        Then its size is damaged. ``at`` is where the first of its records end. A size that reaches beyond the file is
        damaged if the records lead to the end of the file: one that is cut would hardly be cut between two of them.
        """
        begin = at
        size = self.stock.size
        beyond = size if end > size else end + _NEAR + 1
        candidate = start
        walk = _Walk(self.stock, at)
        while candidate >= 0 and candidate < min(end, size) - _REMOVED:
            if at >= beyond or self._left <= 0 or self._ends_argument(at):
                break
            candidate = walk.search(at, self._known)
            at = walk.pass_records() if candidate >= 0 else at
        self._left -= at - begin
        return at >= beyond and 0 <= candidate < min(end, size) - _REMOVED

    def chain(self, at: int) -> int:
        """Return how far intact records follow one another from ``at`` on."""
        view = self.stock.view(at)
        scanner = Scanner(view.window)
        while scanner.check() == PAUSED:
            pass
        return view.at

    def _ends_argument(self, at: int) -> bool:
        """Whether the line end of an argument is at ``at``: then the records before it were its payload."""
        after = self.stock.read(at, 3)
        return after[:2] == b"\r\n" and after[2:] in {b"", b"*", b"$", b"#"}

    def _is_at_top(self, begin: int, at: int, stop: int) -> bool:
        """Whether the records from ``at`` to ``stop`` are not a value of what begins at ``begin``.

        An argument ends before them, and none that begins before them is large enough to include them.
        """
        before = self._blocks.read(max(0, at - _BEFORE), min(at, _BEFORE))
        if not before.endswith(b"\r\n") or all(
            size.end() + int(size[1]) + 2 != len(before) for size in _SIZE.finditer(before)
        ):
            return False
        begin = max(begin, at - _BLOCK)
        sizes = _SIZE.finditer(self._blocks.read(begin, at - begin))
        return all(begin + size.end() + int(size[1]) < stop - _NEAR for size in sizes)

    def _is_doubtful(self, at: int, stop: int) -> bool:
        """Whether the few records between two offsets lead to what is not a record: they may be a payload."""
        return stop - at < _FEW and _RECORD.match(self.stock.read(stop, _LONGEST_SIZE)) is None


class _Walk:
    """A scanner that goes through ``stock`` up to ``stop``, and rereads bytes only when it is moved back."""

    def __init__(self, stock: Stock, at: int, stop: int | None = None) -> None:
        self._stock = stock
        self._stop = stop
        self._begin(at)

    def search(self, at: int, known: Container[bytes]) -> int:
        """Return what ``Scanner.resync`` finds after ``at``."""
        if not self._view.at <= at <= self._view.read_up_to:
            self._begin(at)
        self._view.window.skip_to(at)
        self._view.window.peek(at, 1)  # it searches after the first byte
        return self._scanner.resync(known)

    def pass_records(self) -> int:
        """Skip consecutive intact records from here on; return where they end."""
        while self._scanner.check() == PAUSED:
            pass
        return self._view.at

    def _begin(self, at: int) -> None:
        self._view = self._stock.view(at, self._stop)
        self._scanner = Scanner(self._view.window)


class _Payloads:
    """The well-framed arguments of a damaged record, found on demand."""

    def __init__(self, stock: Stock, at: int, stop: int) -> None:
        self._stock = stock
        self._at = at
        self._stop = stop
        self._last = (-1, -1)
        self._block = b""
        self._block_at = at

    def end_around(self, at: int) -> int | None:
        """Return the end of the argument that contains ``at``, None if none does. Call in ascending order."""
        while self._at < at and self._last[1] <= at:
            block = self._read(self._at, _PIECE)
            match = _SIZE.search(block, self._at - self._block_at)
            if match is None or self._block_at + match.start() >= at:
                end = self._block_at + len(block)
                if end == self._stock.size or match is not None:
                    break
                self._at = max(self._at + 1, end - _LONGEST_SIZE)
                continue
            begin = self._block_at + match.end()
            stop = begin + int(match[1])
            after = b""
            if stop < self._stock.size:
                is_near = stop + 3 <= self._block_at + len(block)
                after = block[stop - self._block_at :][:3] if is_near else self._stock.read(stop, 3)
            if after[:2] == b"\r\n" and after[2:] in {b"", b"$", b"*", b"#"}:
                self._last = (begin, stop)
                self._at = stop
            else:
                self._at = begin
        return self._last[1] if self._last[0] <= at < self._last[1] else None

    def _read(self, at: int, size: int) -> bytes:
        """Return a block with up to ``size`` bytes from ``at`` on, plus adjacent bytes already read."""
        end = self._block_at + len(self._block)
        if not self._block_at <= at or (at + size > end and end < self._stock.size):
            self._block_at = at
            self._block = self._stock.read(at, _BLOCK)
        return self._block
