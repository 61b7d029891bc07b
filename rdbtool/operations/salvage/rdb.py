"""The walk over a damaged RDB: which bytes are intact records, and what is lost between them.

``repair`` walks over the whole file, ``validate`` from its first damage on. The decoder runs until it meets damage.
Then the next intact record is searched for, first within the last few records before the damage: a wrong length is
noticed only after it has swallowed what follows, so the record that ends at the fault can itself be the damaged one. It
is dropped if a record begins inside it, or if what follows it does not look like the beginning of a record. The result
is pieces of complete records, each with its database.
"""

from __future__ import annotations

from collections.abc import Callable

from rdbtool._codec.decode.decoder import ENDED, PAUSED, TOO_LARGE
from rdbtool._codec.sinks.check import Check
from rdbtool._codec.sinks.sizes import Sizes
from rdbtool.core.errors import RAISE_LIMIT, FormatError, LimitError, OversizeError
from rdbtool.core.light_typing import TYPE_CHECKING, Final, NamedTuple
from rdbtool.core.location import Span
from rdbtool.core.progress import Progress
from rdbtool.core.rdb_types import ChecksumState, checksum_state, code_of, codes_of, value_types
from rdbtool.model import Aux, End, Item, ResizeDb, SelectDb
from rdbtool.operations.salvage.input import Lost
from rdbtool.operations.salvage.rdb_heuristics import (
    begins_record,
    count_fields,
    db_after,
    describe_fault,
    is_end_of_data,
)
from rdbtool.operations.salvage.rdb_resync import UNKNOWN_STYLE, Search, Style, is_marked
from rdbtool.operations.salvage.rdb_walker import Layout, Position, Walker, is_end, is_plausible, read_head
from rdbtool.reader.open.windows import check_rest

if TYPE_CHECKING:
    from rdbtool._codec.sinks.check import Flagged
    from rdbtool.operations.salvage.input import Stock

#: Maximum records per piece.
_RECORDS: Final = 1000

#: Records before the damage that may have swallowed others.
_SUSPECTS: Final = 4

#: Bytes of opcodes that may precede a record. If they are lost, its expiry may be.
_OPCODES: Final = 9

#: Faults inside a string whose own size is intact.
_PACKED: Final = frozenset(
    ("RDB104", "RDB106", "RDB201", "RDB202", "RDB203", "RDB204", "RDB205", "RDB206", "RDB207", "RDB211")
)

_EXPIRIES: Final = codes_of("EXPIRETIME_MS", "EXPIRETIME")

#: Items between databases, and before them.
_BETWEEN: Final = codes_of(
    "SELECTDB", "RESIZEDB", "AUX", "EOF", "FUNCTION2", "FUNCTION_PRE_GA", "MODULE_AUX", "SLOT_INFO"
)

#: The sixth byte of an expiry in Unix ms is 1, or for some hundred years less than this; the next two are 0.
_LATEST: Final = 0x10

#: Block size of disks in bytes.
_SECTOR: Final = 512
_END: Final = bytes([code_of("EOF")])
_STRING: Final = bytes([code_of("STRING")])

#: NUL bytes read as strings with empty name and value, of three bytes each.
_NULS: Final = bytes(6)
_NUL_RECORD: Final = 3

#: Records whose keys are sampled to learn what keys look like: maximum, minimum, and maximum size of a key.
_SAMPLED: Final = 32
_FEWEST_SAMPLED: Final = 4
_SAMPLED_BYTES: Final = 1 << 22

#: Pieces that are held if the caller does not need all: those whose records may have swallowed others.
_HELD: Final = 16

Counts = dict[int, tuple[int, int]]


class Piece(NamedTuple):
    """Intact items from ``place`` up to ``stop``, with the numbers of records, and of elements of collections.

    ``counts`` maps a db to (keys, keys with an expiry). ``run`` is the number of damages before it: pieces of one run
    are contiguous. ``is_found``: its run is connected neither to the beginning nor to the end of the file.
    """

    place: Position
    stop: int
    records: int
    elements: int
    counts: Counts
    run: int = 0
    is_found: bool = False


class Damage(NamedTuple):
    """Bytes from ``start`` to ``stop`` that were skipped, and ``why``; ``fault`` is the grammar's error.

    ``resumed`` is where reading resumed, None if it did not; ``gave_up`` means that there may be more.
    """

    start: int
    stop: int
    why: str
    fault: FormatError | None
    resumed: int | None
    gave_up: bool


class Salvage(NamedTuple):
    """The contents of an RDB: ``pieces`` in order, ``lost`` ranges, and the offset after its end (``stop``)."""

    pieces: list[Piece]
    lost: list[Lost]
    stop: int
    checksum: ChecksumState


class RdbSalvage:
    """Walks over the RDB in ``stock`` from ``place`` on, by default from its first item.

    Without ``has_header`` that is the beginning of the file, and what precedes it is unknown. ``check`` receives every
    record that is met, also of pieces that are taken back later, and is not closed. ``before`` is the piece of intact
    records before ``place``. ``behind`` finds, from an offset on, where the AOF commands begin that follow the RDB.
    ``on_damage`` is called with each damage; only what ``totals`` counts is then kept of the file, and after ``most``
    damages, or ``trials`` of the search, the walk ends.
    """

    def __init__(
        self,
        stock: Stock,
        form: Layout,
        *,
        place: Position | None = None,
        check: Check | None = None,
        before: Piece | None = None,
        behind: Callable[[int], int | None] | None = None,
        on_damage: Callable[[Damage], object] | None = None,
        most: int = 1 << 62,
        trials: int | None = None,
        progress: Progress | None = None,
        has_header: bool = True,
    ) -> None:
        self.stock = stock
        self.form = form
        self.pieces: list[Piece] = [] if before is None else [before]
        self.lost: list[Lost] = []
        self.aux: list[Aux] = []
        #: The number of keys that the file declares per db.
        self.announced: dict[int, int] = {}
        self._codes: set[int] = set()
        self._place = place or Position(len(form.head) if has_header else 0, is_first=True)
        self._run = 0
        self._check = Check() if check is None else check
        self._also, self._check.on_row = self._check.on_row, self._on_flagged
        self._stop = stock.size
        self._behind = behind
        self._on_damage = on_damage
        self._most = most
        self._damages = 0
        self._passed: Counts = {}
        self._search = Search(stock, form, self._stop, trials, has_header=has_header)
        self._progress = progress
        self._last_item: SelectDb | None = None
        #: Where a record of three NUL bytes begins, and where two of them do, with their db.
        self._nul_at = -1
        self._nuls: list[tuple[int, int]] = []

    @property
    def is_marked(self) -> bool:
        """Whether kept records have an idle time or a frequency."""
        return any(is_marked(self.stock, piece.place.at) for piece in self.pieces)

    @property
    def encodings(self) -> set[tuple[str, str]]:
        """The types and encodings that were met."""
        types = value_types(self.form.magic)
        return {(types[code].kind, types[code].encoding) for code in self._codes}

    @property
    def totals(self) -> Counts:
        """Readable keys so far, and those with an expiry, by db."""
        totals = dict(self._passed)
        for piece in self.pieces:
            _add(totals, piece.counts)
        return totals

    def run(self) -> Salvage:
        """Read the whole RDB.

        Raises InputError, LimitError for what takes more memory than allowed, and UnsupportedError for a file of
        another product.
        """
        place: Position | None = self._place
        end = self._stop
        is_ended = False
        checksum: ChecksumState = "unread"
        while place is not None:
            walker, status, nuls = self._walk(place)
            end_at = -1 if nuls is not None else self._end_at(walker, status)
            if end_at >= 0 and self._is_final(end_at, status, place):
                end = min(self._stop, end_at + 1 + self.form.trailer)
                checksum = self._check_checksum(end_at, status)
                self._check_ending(end_at, end)
                is_ended = True
                break
            fault: Exception | None = None
            known = len(self.lost)
            if nuls is not None:
                why = "NUL bytes"
                place = self._resume(nuls, why, "REP001")
            elif end_at >= 0:
                why = "an end mark in the middle of the file"
                place = self._resume_after(walker.place._replace(at=end_at), why)
            else:
                fault = self._explain(walker, status)
                why, code = describe_fault(fault), "REP003" if is_end_of_data(fault) else "REP001"
                outer = walker.outer_stop()
                stop = outer if self._ends_packed(walker, outer, fault) else None
                if stop is None:
                    place = self._resume(walker.place, why, code, outer)
                else:
                    self._lose(walker.place, stop, why, code)
                    place = walker.place._replace(at=stop)
                    # Its key is readable.
                    _add(self._passed, {place.db: (1, walker.decoder.pending[0] is not None)})
            if place is None:
                # Where the walk gave up, or where the commands after the RDB begin.
                end = self.lost[-1].stop
            if self._on_damage is not None:
                place = self._report(self._on_damage, self.lost[known:], why, fault, place)
        if self._on_damage is None:
            last = self._run if is_ended else -1
            self.pieces = [piece._replace(is_found=piece.run not in {0, last}) for piece in self.pieces]
        return Salvage(self.pieces, self.lost, end, checksum)

    def _explain(self, walker: Walker, status: int) -> FormatError | None:
        """Return the fault of the current item. Raises LimitError if there is none except its size."""
        fault = None if status == TOO_LARGE else walker.explain()
        if isinstance(fault, OversizeError):
            fault.place(fault.where._replace(source=self.stock.name))
            raise fault
        if status == TOO_LARGE or isinstance(fault, LimitError):
            more = "the record needs more memory than allowed" if fault is None else fault.message
            remedy = RAISE_LIMIT if fault is None else fault.remedy
            raise LimitError(f"{self.stock.name}: at {walker.at:#x}: {more}", remedy=remedy)
        return fault

    def _report(
        self,
        on_damage: Callable[[Damage], object],
        lost: list[Lost],
        why: str,
        fault: Exception | None,
        place: Position | None,
    ) -> Position | None:
        """Report damage that cost what is ``lost``, and forget it; return where to resume."""
        self._damages += 1
        stop = lost[-1].stop if place is None else place.at
        gave_up = self._search.exhausted
        if place is not None and self._damages >= self._most:
            place, gave_up = None, True
        known = fault if isinstance(fault, FormatError) else None
        start = min(row.start for row in lost)
        on_damage(Damage(start, stop, why, known, None if place is None else place.at, gave_up))
        self.lost.clear()
        return place

    # ---- intact records ------------------------------------------------------------------------

    def _walk(self, place: Position) -> tuple[Walker, int, Position | None]:
        """Collect pieces from ``place`` on; return the walker where it stopped, why, and where NUL bytes stopped it."""
        walker = Walker(self.stock, self.form, place, limit=self.stock.limit(self.form.max_inflate))
        walker.decoder.on_item = self._on_item
        self._nuls.clear()
        while True:
            begin, keys = walker.place, walker.decoder.keys
            status = walker.step(_RECORDS, self._check)
            end_at = self._end_at(walker, status)
            stop = walker.at if end_at < 0 else end_at
            records = walker.decoder.keys - keys
            elements, codes = self._check.take_tally()
            if stop > begin.at:
                self.pieces.append(Piece(begin, stop, records, elements, walker.decoder.take_counts(), self._run))
                self._codes.update(codes)
            if self._on_damage is not None and len(self.pieces) > 2 * _HELD:
                for piece in self.pieces[:-_HELD]:
                    _add(self._passed, piece.counts)
                del self.pieces[:-_HELD]
            if self._progress is not None:
                self._progress(stop)
            if self._nuls:
                at, db = self._nuls[0]
                self._cut(at)
                return walker, status, begin._replace(at=at, db=db)
            if status != PAUSED:
                return walker, status, None

    def _on_flagged(self, row: Flagged) -> None:
        """Handle NUL bytes that were read as records, two or more of them."""
        if self._also is not None:
            self._also(row)
        if row.flag == "empty-key":
            is_second = self._nul_at == row.start - _NUL_RECORD and self.stock.read(self._nul_at, len(_NULS)) == _NULS
            if is_second:
                self._nuls.append((self._nul_at, row.db))
            self._nul_at = row.start

    def _on_item(self, item: Item) -> None:
        if isinstance(item, Aux) and self._on_damage is None:
            self.aux.append(item)
        if self._last_item is not None:
            if isinstance(item, ResizeDb):
                self.announced.setdefault(self._last_item.db, item.keys)
            else:
                self._search.has_sizes = False
        self._last_item = item if isinstance(item, SelectDb) else None

    def _end_at(self, walker: Walker, status: int) -> int:
        """Return the offset of the end mark that stopped a walk, -1 if none did."""
        if status == ENDED:
            return walker.view.at - 1 - self.form.trailer
        is_mark = status != PAUSED and self.stock.read(walker.view.at, 1) == _END
        return walker.view.at if is_mark else -1

    def _is_final(self, end_at: int, status: int, place: Position) -> bool:
        """Whether an end mark is the last one: its checksum matches, or no record follows it."""
        if is_end(self.stock, self.form, end_at, self._stop):
            return True
        if status == ENDED and any(self.stock.read(end_at + 1, self.form.trailer)):
            return True  # its checksum matches
        self._search.begin(end_at)
        found = self._search.find(end_at + 1, place)
        return found is None

    def _check_checksum(self, end_at: int, status: int) -> ChecksumState:
        text = self.stock.read(end_at + 1, self.form.trailer)
        if len(text) < self.form.trailer or (self._damages and status != ENDED):
            return checksum_state(self.form.version, None, is_wrong=False)
        stored = int.from_bytes(text, "little")
        is_wrong = bool(stored) and status != ENDED and self.stock.checksum(end_at + 1) != stored
        return checksum_state(self.form.version, stored, is_wrong=is_wrong)

    def _check_ending(self, end_at: int, end: int) -> None:
        """Report faults after the end mark: a truncated checksum, or bytes that do not belong to the RDB."""
        missing = end_at + 1 + self.form.trailer - end
        if missing:
            why = f"the checksum is truncated: {missing} bytes are missing"
            self.lost.append(Lost("REP003", self.stock.name, end_at + 1, end, why, is_kept=True))
        if end < self._stop and not self.form.embedded:
            self._check_rest(end)

    def _check_rest(self, end: int) -> None:
        """Report what follows the RDB, unless it may follow it."""
        view = self.stock.view(end)
        trailing, padding, sample = view.window.drain_rest()
        rest = check_rest(End(None, trailing, Span(end, end), padding, sample))
        if rest is not None and rest[1] != "note":
            why = rest[3] if rest[0] == "SRC004" else "bytes after the end of the RDB"
            self.lost.append(Lost("REP003", self.stock.name, end, self._stop, why))

    def _ends_packed(self, walker: Walker, outer: int | None, fault: FormatError | None) -> bool:
        """Whether a record damaged inside a string ends where its strings end."""
        is_packed = fault is not None and fault.code in _PACKED
        return is_packed and outer is not None and self._search.fits(outer, walker.place)

    # ---- damage --------------------------------------------------------------------------------

    def _resume_after(self, place: Position, why: str) -> Position | None:
        """Resume after an end mark in the middle of the file.

        Records found inside damage that lead to it are those of another RDB: a value can hold one.
        """
        lost = len(self.lost)
        run = self._run
        resumed = self._resume(place, why, "REP001")
        begin = next((piece.place for piece in self.pieces if piece.run == run), None)
        if run and begin is not None and (resumed is None or resumed.at > place.at + self.form.trailer):
            stop = self.lost[-1].stop if resumed is None else resumed.at
            self._cut(begin.at)
            del self.lost[lost:]
            why = "records that lead to an end mark in the middle of the file, as if from an RDB inside a value"
            self.lost.append(Lost("REP002", self.stock.name, begin.at, stop, why))
        return resumed

    def _resume(self, place: Position, why: str, code: str, outer: int | None = None) -> Position | None:
        """Drop what is damaged at ``place`` and return where reading resumes; None if it does not.

        ``outer`` is where the record there ends by its strings: it is unlikely that a record begins within them.
        """
        at = place.at
        self._run += 1
        suspects = self._last_records(at)
        self._search.begin(suspects[0] if suspects else at, self._style(), outer or 0)
        if suspects:
            swallowed = self._search.find(suspects[0] + 1, place, beyond=at, before=at)
            if swallowed is not None:
                start = max(suspect for suspect in suspects if suspect < swallowed.at)
                self._cut(start)
                why = f"its length includes what follows it: {why}"
                self._lose(Position(start, place.db), swallowed.at, why, "REP001")
                return place._replace(at=swallowed.at)
        found = self._search.find(at + 1, place)
        stop = self._stop if found is None else found.at
        if found is None and self._behind is not None:
            stop = self._behind(at) or self._stop
        is_own = begins_record(self.stock, self.form, at, stop, is_last=found is None)
        if suspects and (not is_own or self._search.is_inside(at)):
            self._cut(suspects[-1])
            self._lose(
                Position(suspects[-1], place.db),
                at,
                "it may be the damaged one: no record begins where it ends",
                "REP002",
            )
        if self._search.exhausted:
            why += "; the search for more was given up"
        self._lose(place, stop, why, code if found is None else "REP001")
        if found is None:
            return None
        fields = count_fields(self.stock, self.form, at)
        place = place._replace(at=stop, db=db_after(self.stock, at, stop, place.db))
        if fields:
            place = self._pass_over_fields(place, fields)
        if not found.is_end and self._may_lack_expiry(at, place.at):
            # The lost bytes may include the expiry of the record that follows.
            walker = Walker(self.stock, self.form, place)
            if walker.step() == PAUSED:
                self._lose(place, walker.at, "its expiry may be among the bytes that are lost before it", "REP002")
                return walker.place
        return place

    def _last_records(self, stop: int) -> list[int]:
        """Return the offsets of the last few records before ``stop``."""
        starts: list[int] = []
        behind = stop
        for piece in reversed(self.pieces):
            if piece.stop != behind or len(starts) >= _SUSPECTS:
                break
            walker = Walker(self.stock, self.form, piece.place, stop=piece.stop)
            here = []
            for _ in range(piece.records):
                here.append(walker.at)
                walker.step()
            starts = here[-_SUSPECTS:] + starts
            behind = piece.place.at
        return starts[-_SUSPECTS:]

    def _may_lack_expiry(self, at: int, stop: int) -> bool:
        """Whether the expiry of the record at ``stop`` may be among the bytes lost from ``at`` on."""
        if self.stock.read(stop, 1)[0] in _EXPIRIES | _BETWEEN:
            return False
        before = self.stock.read(max(at, stop - _OPCODES), min(_OPCODES, stop - at))
        is_time = len(before) < _OPCODES or (0 < before[-3] < _LATEST and not any(before[-2:]))
        # Disks lose whole pages: one may end within the expiry, if keys have one.
        is_edge = len(set(before[1:])) == 1 or (stop - _OPCODES) // _SECTOR < stop // _SECTOR
        return is_time or (is_edge and any(expires for _, expires in self.totals.values()))

    def _pass_over_fields(self, place: Position, count: int) -> Position:
        """Skip strings that may be the fields of a damaged hash; a field without expiry is written like a string."""
        walker = Walker(self.stock, self.form, place)
        for _ in range(count):
            if self.stock.read(walker.at, 1) != _STRING or walker.step() != PAUSED:
                break
        if walker.at == place.at:
            return place
        self._lose(place, walker.at, "it may be fields of the damaged hash before it", "REP002")
        return walker.place

    def _style(self) -> Style:
        """Return what the records that were read look like, from a sample."""
        plausible, marked = [], []
        for piece in (self.pieces[0], self.pieces[-1]) if self.pieces else ():
            walker = Walker(self.stock, self.form, piece.place, stop=piece.stop, limit=_SAMPLED_BYTES)
            for _ in range(min(_SAMPLED, piece.records)):
                # A SELECTDB may precede it.
                head = read_head(self.stock, self.form, walker.at)
                if head is not None:
                    plausible.append(head.is_plausible)
                    marked.append(is_marked(self.stock, walker.at))
                if walker.step() != PAUSED:
                    break
        if len(plausible) < _FEWEST_SAMPLED:
            return UNKNOWN_STYLE
        return Style(sum(plausible) / len(plausible), all(marked))

    def _cut(self, at: int) -> None:
        """Take back what was kept from ``at`` on, which is the beginning of a record."""
        while self.pieces and self.pieces[-1].place.at >= at:
            self.pieces.pop()
        if self.pieces and self.pieces[-1].stop > at:
            piece = self.pieces.pop()
            walker = Walker(self.stock, self.form, piece.place, stop=at)
            sizes = Sizes(0)
            walker.step(piece.records + 1, sizes)
            elements = sum(row[3] for row in sizes.rows())
            counts = walker.decoder.take_counts()
            self.pieces.append(Piece(piece.place, at, walker.decoder.keys, elements, counts, piece.run))

    def _lose(self, place: Position, stop: int, why: str, code: str) -> None:
        head = read_head(self.stock, self.form, place.at)
        key = head.key if head is not None and head.value_at <= stop and is_plausible(head.key) else None
        self.lost.append(Lost(code, self.stock.name, place.at, stop, why, None if key is None else place.db, key))


def _add(totals: Counts, counts: Counts) -> None:
    for db, (keys, expires) in counts.items():
        before = totals.get(db, (0, 0))
        totals[db] = before[0] + keys, before[1] + expires
