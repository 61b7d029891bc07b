"""The search for the next sound record behind damage.

An RDB has no marks between its records. So every place where one could begin by its first bytes is tried by the
decoder, and it is taken if several records follow one another from there, or if it leads to the end. Payloads can
hold bytes that look like records: the key has to look like the keys that follow it. The work is bounded by the number
of bytes that are searched: small records are tried at once, large ones as long as the budget lasts.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from rdbtool._codec.decode.decoder import PAUSED, TOO_LARGE
from rdbtool.core.rdb_types import CHECKSUM_SINCE, OPCODES, code_of, codes_of, since_of, value_types
from rdbtool.operations.salvage.rdb_walker import Position, Walker, is_end, read_head, read_length

if TYPE_CHECKING:
    from rdbtool.operations.salvage.input import Stock
    from rdbtool.operations.salvage.rdb_walker import Layout

#: Records that have to follow one another to be believed.
_CHAIN: Final = 6

#: Fewer suffice where damage follows damage, if all of their keys look like keys.
_SHORT_CHAIN: Final = 2

#: How often, and how far (bytes), a record that was found is searched for others inside of it.
_INNER: Final = 8
_INNER_BYTES: Final = 1 << 20

#: Bytes searched at once, and bytes that a pattern looks ahead.
_BLOCK: Final = 1 << 18
_AHEAD: Final = 64

#: A record in the window of a trial takes at most so many bytes, and a string in it inflates to so many.
_SMALL: Final = 4 << 20
_INFLATED: Final = 16 << 20

#: Trials allowed for a search, and one more for so many bytes that were searched.
_TRIALS: Final = 10_000
_BYTES_PER_TRIAL: Final = 6

#: RDB version that brought table sizes, which since then stand behind nearly every SELECTDB.
_SIZES_SINCE: Final = since_of("RESIZEDB")

_LAST_DB: Final = 63
_NEXT_DB: Final = 15

#: Bytes of a SELECTDB.
_SELECT: Final = 3

_END, _SELECTDB, _RESIZEDB, _EXPIRE_MS = map(code_of, ("EOF", "SELECTDB", "RESIZEDB", "EXPIRETIME_MS"))

#: Opcodes of some bytes' length that all records have, or none.
_RARE: Final = codes_of("EXPIRETIME", "FREQ", "IDLE")


class Found(NamedTuple):
    """Where it goes on: an item at ``at``, and the end of the first record. ``is_end``: the item is the end mark."""

    at: int
    stop: int
    is_end: bool = False


class Search:
    """Searches ``stock`` up to ``stop``.

    ``trials`` is how many places are tried in all, None: more for more bytes. ``exhausted`` tells that a search was
    given up. ``has_sizes``: table sizes stand behind every SELECTDB.
    """

    def __init__(self, stock: Stock, form: Layout, stop: int, trials: int | None = None) -> None:
        self.stock = stock
        self.form = form
        self.stop = stop
        self.exhausted = False
        self.has_sizes = True
        self._small = form._replace(max_inflate=min(form.max_inflate, _INFLATED))
        self._budget = 4 * stock.size + (64 << 20)
        self._walker: Walker | None = None
        self._begun = self._filled = 0
        self._trials = _TRIALS if trials is None else trials
        self._is_growing = trials is None

    def find(self, start: int, place: Position, *, beyond: int = -1, before: int | None = None) -> Found | None:
        """Return the first place from ``start`` on, before ``before``, where sound records begin.

        They have to reach beyond the offset ``beyond``. ``place`` is what is known of what precedes it.
        """
        found = self._find(start, place, beyond, before, 0)
        for _ in range(_INNER):
            if found is None or found.is_end or found.stop - found.at <= _AHEAD:
                break
            # What is no record but leads to one, by a length that happens to fit, has whole records inside of it.
            stop = found.stop
            inner = self._find(found.at + 1, place, beyond, min(stop, found.at + _INNER_BYTES), stop)
            if inner is None:
                break
            found = inner
        return found

    def fits(self, at: int, place: Position) -> bool:
        """Whether sound records, or the end, begin at ``at``."""
        self._walker = None
        return at < self.stop and self._try(at, place, -1, 0) is not None

    def _find(self, start: int, place: Position, beyond: int, before: int | None, within: int) -> Found | None:
        """Search as ``find`` does; with ``within`` the second record has to begin before that offset."""
        self._walker = None
        limit = self.stop if before is None else before
        pattern = _candidates(self.form.magic, self.form.version)
        at = start
        while at < limit:
            data = self.stock.read(at, min(_BLOCK, limit - at) + _AHEAD)
            if self._is_growing:
                self._trials += len(data) // _BYTES_PER_TRIAL
            for match in pattern.finditer(data):
                if at + match.start() >= min(limit, at + _BLOCK):
                    break
                if self._trials <= 0:
                    self.exhausted = True
                    return None
                found = self._try(at + match.start(), place, beyond, within)
                if found is not None:
                    return found
            at += _BLOCK
        return None

    def _try(self, at: int, place: Position, beyond: int, within: int) -> Found | None:
        first = self.stock.read(at, 3)
        if first[0] == _END:
            fits = beyond < at and not within and is_end(self.stock, self.form, at, self.stop)
            return Found(at, at, is_end=True) if fits else None
        if (first[0] == _SELECTDB and not self._selects(first, place)) or (
            first[0] == _RESIZEDB and not (beyond < at and self._resizes(at, place))
        ):
            return None
        self._trials -= 1
        records = self._chain(at, place, beyond)
        if records is None or not self._is_believed(first[0], *records):
            return None
        starts = records[0]
        stop = starts[1] if len(starts) > 1 else self.stop
        return None if stop >= within > 0 else Found(at, stop)

    def _is_believed(self, first: int, starts: list[int], is_whole: bool) -> bool:  # noqa: FBT001 - half of a pair
        """Whether records that follow one another are some, to judge by their keys and opcodes."""
        heads = [head for start in starts if (head := read_head(self.stock, self.form, start)) is not None]
        plausible = [head.is_plausible for head in heads]
        if sum(not head.key for head in heads) > 1:
            return False  # NUL bytes
        if first in _RARE and not any(self._has_opcode(start, first) for start in starts[1:]):
            return False
        if not is_whole and (len(starts) < _SHORT_CHAIN or not all(plausible)):
            return False
        return not plausible or plausible[0] or 2 * sum(plausible) < len(plausible) - 1

    def _has_opcode(self, start: int, opcode: int) -> bool:
        """Whether a record begins with an opcode, or has it behind its expiry."""
        data = self.stock.read(start, 10)
        return data[0] == opcode or (data[0] == _EXPIRE_MS and data[-1] == opcode)

    def _selects(self, data: bytes, place: Position) -> bool:
        """Whether a SELECTDB is one: table sizes follow it, or it is the next database of a file without those."""
        if len(data) < 3 or data[2] == _RESIZEDB:
            return True
        return not (self.has_sizes and self.form.version >= _SIZES_SINCE) and place.db < data[1] <= _LAST_DB

    def _resizes(self, at: int, place: Position) -> bool:
        """Whether table sizes are some: the number of the next database precedes them."""
        before = self.stock.read(at - 1, 4)
        return at - place.at <= _SELECT or (place.db < before[0] <= _NEXT_DB and before[2:3] > b"\0")

    def _chain(self, at: int, place: Position, beyond: int) -> tuple[list[int], bool] | None:
        """Return where the records of a chain begin and whether it is long enough, or None."""
        walker = self._stand_at(at, place)
        starts: list[int] = []
        while len(starts) < _CHAIN or walker.at <= beyond:
            begin = walker.view.at
            status = walker.step()
            if status == PAUSED:
                if len(starts) < _CHAIN:
                    starts.append(begin)
                continue
            if walker.stands_at_end(status) and walker.view.at > beyond:
                return starts, True
            if status == TOO_LARGE:
                larger = self._step_large(begin, walker.place)
                if larger is None:
                    return None
                starts.append(begin)
                self._walker = None
                walker = larger
                continue
            return (starts, False) if starts and walker.at > beyond else None
        return starts, True

    def _stand_at(self, at: int, place: Position) -> Walker:
        """Return a walker in front of ``at``: the one at hand, if its window still holds that place."""
        walker = self._walker
        if (
            walker is None
            or walker.view.read_up_to != self._filled
            or not self._begun <= at < self._filled
            or walker.decoder.finished
        ):
            self._begun = at
            walker = self._walker = Walker(self.stock, self._small, place._replace(at=at), stop=self.stop, limit=_SMALL)
            self._filled = walker.view.read_up_to
            return walker
        walker.view.window.skip_to(at)
        walker.decoder.pending = (None, None, None, None)
        walker.decoder.pending_start = -1
        walker.decoder.enter(place.db)
        return walker

    def _step_large(self, at: int, place: Position) -> Walker | None:
        """Pass over a record that is larger than a trial may be; return where it leads, or None."""
        head = read_head(self.stock, self.form, at)
        if head is None:
            return None
        if head.code == 0:
            # A plain string is as long as it says: it need not be read.
            length = read_length(self.stock.read(head.value_at, 9))
            if length is None or self.stock.read(head.value_at, 1)[0] >= 0xC0:
                return None
            stop = head.value_at + sum(length)
            return Walker(self.stock, self._small, place._replace(at=stop), stop=self.stop, limit=_SMALL)
        if self._budget <= 0:
            return None
        walker = Walker(self.stock, self.form, place._replace(at=at), stop=self.stop)
        status = walker.step()
        self._budget -= walker.view.read_up_to - at
        return walker if status == PAUSED else None


@functools.cache
def _candidates(magic: str, version: int) -> re.Pattern[bytes]:
    """Return a pattern that is found wherever an item could begin, with few others."""
    types = b"[" + b"".join(re.escape(bytes([code])) for code in sorted(value_types(magic))) + b"]"
    key = rb"(?:[\x01-\x3f]|[\x41-\x7f].|\x40[\x40-\xff]|\x80\x00|[\xc0-\xc3])"
    record = types + key
    op = {row.name.encode(): rb"\x%02x" % row.code for row in OPCODES}
    times = op[b"EXPIRETIME_MS"] + rb".{5}[\x00\x01]\x00[\x00]|" + op[b"EXPIRETIME"] + rb".{4}" + types
    flags = op[b"IDLE"] + rb"(?:[\x00-\x3f]|[\x40-\x7f].|\x80.{4})" + types + rb"|" + op[b"FREQ"] + rb"." + types
    begin = rb"%(SELECTDB)b[\x00-\x7f]|%(EOF)b" % op
    if version >= CHECKSUM_SINCE:
        begin += rb"|%(RESIZEDB)b[\x00-\x81]|%(AUX)b[\x01-\x3f]|[%(HASH_TEMPLATE)b-%(MODULE_AUX)b]" % op
    return re.compile(b"(?=" + b"|".join((record, times, flags, begin)) + b")", re.DOTALL)
