"""The search for the next intact record after damage.

An RDB has no marks between its records. So the decoder tries every place where one could begin by its first bytes; the
place is accepted if several records follow one another from there, or if it leads to the end. Payloads can hold bytes
that look like records. So keys must look like those of a dataset: no duplicates, and text if those that were read are
text; where keys prove nothing, many records must follow one another. Records of an RDB that begins inside a value do
not count. The work is bounded by the number of bytes searched: small records are tried at once, large ones within a
budget.
"""

from __future__ import annotations

import functools
import re

from rdbtool._codec.decode.cursor import Declined
from rdbtool._codec.decode.decoder import ENDED, PAUSED, TOO_LARGE
from rdbtool.core.light_typing import TYPE_CHECKING, Final, NamedTuple
from rdbtool.core.rdb_types import CHECKSUM_SINCE, OPCODES, VERSIONS, code_of, codes_of, since_of, value_types
from rdbtool.operations.salvage.rdb_walker import Position, Walker, is_end, read_head, read_length

if TYPE_CHECKING:
    from rdbtool.model import Item
    from rdbtool.operations.salvage.input import Stock
    from rdbtool.operations.salvage.rdb_walker import Head, Layout

#: Consecutive records required.
_CHAIN: Final = 6

#: Required if their keys do not look like keys; and the minimum share of text keys among those that were read.
_LONG_CHAIN: Final = 24
_TEXT: Final = 0.9
_MOSTLY: Final = 0.8

#: Sufficient if damage follows damage, and all of their keys look like keys.
_SHORT_CHAIN: Final = 2
_SHORT_KEYS: Final = 6

#: How often, and how far (bytes), a found record is searched for others inside it.
_INNER: Final = 8
_INNER_BYTES: Final = 1 << 20

#: Bytes searched at once, and bytes that a pattern looks ahead.
_BLOCK: Final = 1 << 18
_AHEAD: Final = 64

#: Maximum bytes of a record in the window of a trial, and of a string decompressed from it.
_SMALL: Final = 4 << 20
_INFLATED: Final = 16 << 20

#: Trials allowed per search, and one more per so many bytes searched.
_TRIALS: Final = 10_000
_BYTES_PER_TRIAL: Final = 6

#: The RDB version that introduced table sizes, which since then follow nearly every SELECTDB.
_SIZES_SINCE: Final = since_of("RESIZEDB")

#: Values that are sequences of arbitrary strings.
_PLAIN: Final = codes_of("STRING", "LIST", "SET", "HASH")

#: Bytes of records that cost as much as a trial.
_BYTES_OF_TRIAL: Final = 1 << 16

#: Items between the records of a chain.
_MOST_ITEMS: Final = 64

_LAST_DB: Final = 63
_NEXT_DB: Final = 15

#: Size of a SELECTDB in bytes.
_SELECT: Final = 3

#: The nine bytes of an RDB header.
_HEADER_SIZE: Final = 9
_HEADER: Final = re.compile("|".join(rf"{magic}(?=\d{{{9 - len(magic)}}})" for magic in VERSIONS).encode())

_ALL: Final = 1 << 30

_END, _SELECTDB, _RESIZEDB, _EXPIRE_MS = map(code_of, ("EOF", "SELECTDB", "RESIZEDB", "EXPIRETIME_MS"))

#: Opcodes that all records of a file have if it was saved under an eviction policy, else none; opcodes of all files.
_MARKS: Final = codes_of("FREQ", "IDLE")
_FIRST_COMMON: Final = code_of("HASH_TEMPLATE")

#: Opcodes, with their size in bytes, that all records have, or none.
_RARE: Final = codes_of("EXPIRETIME", "FREQ", "IDLE")


class Found(NamedTuple):
    """Where reading resumes: an item at ``at``, and the end of the first record. ``is_end``: it is the end mark."""

    at: int
    stop: int
    is_end: bool = False


class Chain(NamedTuple):
    """Consecutive records: where they begin, and their databases.

    ``is_long``: as many as requested. ``is_ended``: the end of the file follows them.
    """

    starts: list[int]
    dbs: list[int]
    is_long: bool
    is_ended: bool


class Style(NamedTuple):
    """What records of a file look like: the share of ``text`` keys, None if unknown.

    ``is_marked``: all have an idle time or a frequency.
    """

    text: float | None
    is_marked: bool

    @property
    def is_text(self) -> bool:
        """Whether nearly all keys look like keys."""
        return self.text is not None and self.text >= _TEXT


UNKNOWN_STYLE: Final = Style(None, is_marked=False)


class Search:
    """Searches ``stock`` up to ``stop``.

    ``trials`` is the total number of places tried, None: proportional to the bytes searched. ``exhausted`` means that a
    search gave up. ``has_sizes``: table sizes follow every SELECTDB.
    """

    def __init__(
        self, stock: Stock, form: Layout, stop: int, trials: int | None = None, *, has_header: bool = True
    ) -> None:
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
        self._has_header = has_header
        self._items = 0
        self._style = UNKNOWN_STYLE
        self._doubtful = 0
        #: How far RDBs inside values were searched for, and where the last one ends.
        self._looked = self._inner_at = self._inner_stop = 0

    def begin(self, at: int, style: Style = UNKNOWN_STYLE, doubtful: int = 0) -> None:
        """Begin a search after damage in records from ``at`` on; ``style`` is that of the records that were read.

        Up to ``doubtful`` are, apparently, the strings of a damaged record.
        """
        self._looked = max(at, self._inner_stop)
        self._style = style
        self._doubtful = doubtful

    def find(self, start: int, place: Position, *, beyond: int = -1, before: int | None = None) -> Found | None:
        """Find the first place from ``start`` on, before ``before``, where intact records begin.

        They must reach beyond the offset ``beyond``. ``place`` is what is known of what precedes it. What begins inside
        an RDB in a value is skipped.
        """
        while True:
            found = self._find_innermost(start, place, beyond, before)
            if found is None or not self._has_header:
                return found
            stop = self._end_of_inner(found.at)
            if stop <= found.at:
                return found
            start = stop

    def _end_of_inner(self, at: int) -> int:
        """Return where the RDB ends, or is damaged, that begins before ``at`` inside a value; 0: none does."""
        while self._inner_stop <= at and self._looked < at:
            data = self.stock.read(self._looked, min(_BLOCK, at - self._looked) + _HEADER_SIZE - 1)
            match = _HEADER.search(data)
            if match is None:
                self._looked = min(at, self._looked + _BLOCK)
                continue
            begin = self._looked + match.start()
            self._looked = begin + _HEADER_SIZE
            magic = match[0].decode()
            version = int(self.stock.read(begin + len(magic), _HEADER_SIZE - len(magic)))
            low, high = VERSIONS[magic]
            if begin < at and low <= version <= high:
                form = self.form._replace(magic=magic, version=version)
                walker = Walker(self.stock, form, Position(self._looked, is_first=True), stop=self.stop)
                status = walker.step(_ALL)
                # What leads to the end of the file is its own beginning, displaced.
                is_own = walker.is_at_end(status) if status != ENDED else walker.view.at >= self.stop
                if not is_own and walker.at < self.stop:
                    self._inner_at = begin
                    self._inner_stop = self._looked = walker.at
        return self._inner_stop

    def is_inside(self, at: int) -> bool:
        """Whether an offset lies inside the last RDB found in a value."""
        return self._inner_at < at < self._inner_stop

    def _find_innermost(self, start: int, place: Position, beyond: int, before: int | None) -> Found | None:
        found = self._find(start, place, beyond, before, 0)
        for _ in range(_INNER):
            if found is None or found.is_end or found.stop - found.at <= _AHEAD:
                break
            head = read_head(self.stock, self.form, found.at)
            if head is not None and head.code not in _PLAIN:
                break  # unlikely to lead anywhere by chance
            # A non-record that leads to a record, by a length that happens to fit, has complete records inside it.
            stop = found.stop
            inner = self._find(found.at + 1, place, beyond, min(stop, found.at + _INNER_BYTES), stop)
            if inner is None:
                break
            found = inner
        return found

    def fits(self, at: int, place: Position) -> bool:
        """Whether intact records, or the end, begin at ``at``."""
        self._walker = None
        return at < self.stop and self._try(at, place, -1, 0) is not None

    def _find(self, start: int, place: Position, beyond: int, before: int | None, within: int) -> Found | None:
        """Search as ``find`` does; with ``within`` the second record must begin before that offset."""
        self._walker = None
        limit = self.stop if before is None else before
        pattern = _candidates(self.form.magic, self.form.version, embedded=self.form.embedded)
        at = start
        while at < limit:
            data = self.stock.read(at, min(_BLOCK, limit - at) + _AHEAD)
            if data and data.count(data[0]) == len(data):
                at += _BLOCK  # pages of one byte: no record begins that way; skipping them makes gigabytes cheap
                continue
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
        # Only there can a file end that is an RDB and nothing else.
        end = max(start, self.stop - 1 - self.form.trailer)
        return self._try(end, place, beyond, within) if not self.form.embedded and end < limit else None

    def _try(self, at: int, place: Position, beyond: int, within: int) -> Found | None:
        first = self.stock.read(at, 3)
        if first[0] == _END or at >= self.stop - 1 - self.form.trailer:
            fits = beyond < at and not within and is_end(self.stock, self.form, at, self.stop)
            return Found(at, at, is_end=True) if fits else None
        if (first[0] == _SELECTDB and not self._selects(first, place)) or (
            first[0] == _RESIZEDB and not (beyond < at and self._resizes(at, place))
        ):
            return None
        if self._style.is_marked and first[0] < _FIRST_COMMON:
            return None
        self._trials -= 1
        chain = self._chain(at, place, beyond)
        if chain is None or not self._is_accepted(first[0], chain, at, place):
            return None
        stop = chain.starts[1] if len(chain.starts) > 1 else self.stop
        return None if stop >= within > 0 else Found(at, stop)

    def _is_accepted(self, first: int, chain: Chain, at: int, place: Position) -> bool:
        """Whether consecutive records are genuine, by their keys and opcodes."""
        is_text = self._style.is_text
        if is_text and chain.is_long and chain.starts and not self._is_plausible(chain.starts[0]):
            return False
        heads = self._heads(chain)
        plausible = [head.is_plausible for _, head in heads]
        if not _are_distinct(heads):
            return False
        if first in _RARE and not any(self._has_opcode(start, first) for start in chain.starts[1:]):
            return False
        if chain.is_ended and not chain.is_long:
            return not plausible or plausible[0] or 2 * sum(plausible) < len(plausible) - 1
        if all(plausible) and at >= self._doubtful:
            size = sum(len(head.key) for _, head in heads)
            return chain.is_long or (len(chain.starts) >= _SHORT_CHAIN and size >= _SHORT_KEYS)
        return chain.is_long and self._is_long_chain_accepted(at, place, is_plausible=plausible[0])

    def _is_long_chain_accepted(self, at: int, place: Position, *, is_plausible: bool) -> bool:
        """Whether records whose keys prove nothing are numerous, and of the style of those that were read."""
        is_text = self._style.is_text
        more = self._chain(at, place, -1, _LONG_CHAIN)
        self._walker = None
        if more is None or not (more.is_long or more.is_ended):
            return False
        heads = self._heads(more)
        rest = [head.is_plausible for _, head in heads[1:]]
        share = sum(rest) / max(1, len(rest))
        if not is_plausible and 2 * share > 1:
            return False  # it may not be a record, and lead to genuine ones
        return _are_distinct(heads) and (not is_text or share >= _MOSTLY)

    def _is_plausible(self, start: int) -> bool:
        head = read_head(self.stock, self.form, start)
        return head is None or head.is_plausible

    def _heads(self, chain: Chain) -> list[tuple[int, Head]]:
        found = (
            (db, read_head(self.stock, self.form, start)) for start, db in zip(chain.starts, chain.dbs, strict=True)
        )
        return [(db, head) for db, head in found if head is not None]

    def _has_opcode(self, start: int, opcode: int) -> bool:
        """Whether a record begins with an opcode, or has it after its expiry."""
        data = self.stock.read(start, 10)
        return data[0] == opcode or (data[0] == _EXPIRE_MS and data[-1] == opcode)

    def _selects(self, data: bytes, place: Position) -> bool:
        """Whether a SELECTDB is genuine: table sizes follow it, or it is the next database of a file without those."""
        if len(data) < 3 or data[2] == _RESIZEDB:
            return True
        return not (self.has_sizes and self.form.version >= _SIZES_SINCE) and place.db < data[1] <= _LAST_DB

    def _resizes(self, at: int, place: Position) -> bool:
        """Whether table sizes are genuine: the number of the next database precedes them."""
        before = self.stock.read(at - 1, 4)
        return at - place.at <= _SELECT or (place.db < before[0] <= _NEXT_DB and before[2:3] > b"\0")

    def _chain(self, at: int, place: Position, beyond: int, most: int = _CHAIN) -> Chain | None:
        """Return up to ``most`` consecutive records that reach beyond an offset; None if none do."""
        walker = self._walker_at(at, place)
        self._items = 0
        starts: list[int] = []
        dbs: list[int] = []
        while len(starts) < most or walker.at <= beyond:
            begin = walker.view.at
            status = walker.step()
            self._trials -= (walker.view.at - begin) // _BYTES_OF_TRIAL
            if status == PAUSED:
                if len(starts) < most:
                    starts.append(begin)
                    dbs.append(walker.decoder.db)
                continue
            if walker.is_at_end(status) and walker.view.at > beyond:
                return Chain(starts, dbs, is_long=len(starts) >= most, is_ended=True)
            if status == TOO_LARGE:
                larger = self._step_large(begin, walker.place)
                if larger is None:
                    return None
                starts.append(begin)
                dbs.append(larger.decoder.db)
                self._walker = None
                walker = larger
                continue
            return Chain(starts, dbs, is_long=False, is_ended=False) if starts and walker.at > beyond else None
        return Chain(starts, dbs, is_long=True, is_ended=False)

    def _walker_at(self, at: int, place: Position) -> Walker:
        """Return a walker at ``at``: the current one, if its window still holds that place."""
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
            walker.decoder.on_item = self._count_item
            return walker
        walker.view.window.skip_to(at)
        walker.decoder.pending = (None, None, None, None)
        walker.decoder.pending_start = -1
        walker.decoder.enter(place.db)
        return walker

    def _count_item(self, _: Item) -> None:
        """Count items between records. A file can be full of them, and a step does not end at one."""
        self._items += 1
        if self._items > _MOST_ITEMS:
            raise Declined

    def _step_large(self, at: int, place: Position) -> Walker | None:
        """Skip a record that is larger than a trial may be; return where it leads, or None."""
        head = read_head(self.stock, self.form, at)
        if head is None:
            return None
        if head.code == 0:
            # A plain string is as long as it declares: it need not be read.
            length = read_length(self.stock.read(head.value_at, 9))
            if length is None or self.stock.read(head.value_at, 1)[0] >= 0xC0:
                return None
            stop = head.value_at + sum(length)
            return Walker(self.stock, self._small, place._replace(at=stop), stop=self.stop, limit=_SMALL)
        if self._budget <= 0:
            return None
        limit = self.stock.limit(self.form.max_inflate)
        walker = Walker(self.stock, self.form, place._replace(at=at), stop=self.stop, limit=limit)
        status = walker.step()
        self._budget -= walker.view.read_up_to - at
        return walker if status == PAUSED else None


def is_marked(stock: Stock, start: int) -> bool:
    """Whether a record begins with an idle time or a frequency, or has it after its expiry."""
    data = stock.read(start, 10)
    return data[0] in _MARKS or (data[0] == _EXPIRE_MS and data[-1] in _MARKS)


def _are_distinct(heads: list[tuple[int, Head]]) -> bool:
    """Whether no key is a duplicate, as in a dataset, and no two are empty, as in NUL bytes read as records."""
    return len({(db, head.key) for db, head in heads}) == len(heads) and sum(not head.key for _, head in heads) <= 1


@functools.cache
def _candidates(magic: str, version: int, *, embedded: bool) -> re.Pattern[bytes]:
    """Return a pattern that matches wherever an item could begin, and rarely elsewhere."""
    types = b"[" + b"".join(re.escape(bytes([code])) for code in sorted(value_types(magic))) + b"]"
    key = rb"(?:[\x01-\x3f]|[\x41-\x7f].|\x40[\x40-\xff]|\x80\x00|[\xc0-\xc3])"
    record = types + key
    op = {row.name.encode(): rb"\x%02x" % row.code for row in OPCODES}
    times = op[b"EXPIRETIME_MS"] + rb".{5}[\x00-\x0f]\x00\x00|" + op[b"EXPIRETIME"] + rb".{4}" + types
    flags = op[b"IDLE"] + rb"(?:[\x00-\x3f]|[\x40-\x7f].|\x80.{4})" + types + rb"|" + op[b"FREQ"] + rb"." + types
    begin = rb"%(SELECTDB)b[\x00-\x7f]" % op
    if embedded:
        begin += b"|" + op[b"EOF"]
    if version >= CHECKSUM_SINCE:
        begin += rb"|%(RESIZEDB)b[\x00-\x81]|%(AUX)b[\x01-\x3f]|[%(HASH_TEMPLATE)b-%(MODULE_AUX)b]" % op
    return re.compile(b"(?=" + b"|".join((record, times, flags, begin)) + b")", re.DOTALL)
