"""Repair of an RDB: feeds what was salvaged to a sink as a valid dataset.

Servers refuse some records that parse: duplicate members, scores that are not numbers, duplicate keys. Of a duplicate
key the last record counts, as it would if servers accepted it; likewise of a field or member. But what was found inside
damage never replaces what the sequence of records holds. Everything else is fed unchanged by the compiled decoder; only
changed records are rebuilt.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import groupby

from rdbtool._codec.decode.decoder import PAUSED
from rdbtool._codec.encode.rdb import NotCopiedError
from rdbtool._codec.filters.selection import Selection
from rdbtool._codec.replay_record import feed_header, feed_item, feed_record
from rdbtool._codec.sink import Null
from rdbtool._codec.sinks.records import Records
from rdbtool._codec.sinks.sizes import Sizes
from rdbtool.core.errors import InputError
from rdbtool.core.light_typing import TYPE_CHECKING, Final, NamedTuple
from rdbtool.core.location import Span
from rdbtool.core.progress import Progress
from rdbtool.core.rdb_types import code_of
from rdbtool.model import KeyRecord, SelectDb, StringValue
from rdbtool.operations.repair.server_errors import find_refusal
from rdbtool.operations.repair.values import drop_refused, rebuild
from rdbtool.operations.salvage.input import Lost
from rdbtool.operations.salvage.rdb_walker import Walker, read_head

if TYPE_CHECKING:
    from rdbtool._codec.sink import Sink
    from rdbtool.model import Aux, Header
    from rdbtool.operations.repair.server_errors import Refusals, Refused
    from rdbtool.operations.salvage.input import Stock
    from rdbtool.operations.salvage.rdb import Piece, Salvage
    from rdbtool.operations.salvage.rdb_walker import Layout, Position

#: Bytes of records that are built at once, and elements that are.
_BUILT: Final = 1 << 19
_ELEMENTS: Final = 1 << 17
_BATCH: Final = 32

_MANY: Final = 1 << 30

#: Bytes after which contiguous pieces are interrupted, to report progress.
_STRETCH: Final = 1 << 23

#: The approximate size of a record in bytes, and the type of a string.
_SMALLEST: Final = 8
_STRING: Final = bytes([code_of("STRING")])

_CONTRARY: Final = "found between damaged places, but the intact sequence has this key, too"


def _emit(feed: Callable[[], object]) -> None:
    """Call ``feed``, and again for a record whose value cannot be copied: it is encoded then."""
    while True:
        try:
            feed()
        except NotCopiedError:
            continue
        return


class _Standing(NamedTuple):
    """The location of a record, its key, and whether it was found inside damage (see ``Piece``)."""

    start: int
    stop: int
    db: int
    key: bytes
    expires: bool
    run: int
    is_found: bool

    @classmethod
    def of(cls, record: KeyRecord, piece: Piece) -> _Standing:
        assert record.start is not None
        assert record.stop is not None
        expires = record.expire_at_ms is not None
        return cls(record.start, record.stop, record.db, record.key, expires, piece.run, piece.is_found)


class SalvagedRdb:
    """What was salvaged of the RDB in ``stock``; ``header`` and ``aux`` are for the output.

    ``refusals`` has received everything met on the way. ``lost`` collects what ``drop_refused_records`` drops.
    ``keys`` and ``functions`` count the rest.
    """

    def __init__(  # noqa: PLR0917 - what the walk came to
        self, stock: Stock, form: Layout, salvage: Salvage, header: Header, aux: list[Aux], refusals: Refusals
    ) -> None:
        self.stock = stock
        self.form = form
        self.salvage = salvage
        self.header = header
        self.aux = aux
        self.lost: list[Lost] = []
        self.keys = 0
        self.functions = 0
        #: Keys, and those with an expiry, by db.
        self.sizes: dict[int, tuple[int, int]] = {}
        self._refusals = refusals
        self._has_expiring_fields = False
        self._starts = [piece.place.at for piece in salvage.pieces]
        #: Start offsets of records that are dropped or rebuilt, with their ends.
        self._dropped: dict[int, int] = {}
        self._rebuilt: dict[int, int] = {}
        self._changed: list[int] = []
        #: Dropped keys, with their db, and whether they expire, by start offset.
        self._dropped_keys: dict[int, tuple[int, bool]] = {}

    def drop_refused_records(
        self,
        databases: int | None = None,
        announced: Mapping[int, int] | None = None,
        *,
        has_expiring_fields: bool = False,
    ) -> None:
        """Drop what servers refuse, and what cannot belong to the file.

        ``databases``: drop records of other databases, None: of none. ``announced`` is the number of keys that the file
        declares per db. With ``has_expiring_fields`` some hashes of the file are written like strings.
        """
        self._has_expiring_fields = has_expiring_fields
        for piece in self.salvage.pieces:
            for db, (keys, expires) in piece.counts.items():
                self._count(db, keys, expires)
        refused = {start: fault for start, fault in self._refusals.refused.items() if self._is_kept(start)}
        for start, fault in refused.items():
            if fault.stop is not None:
                self._dropped[start] = fault.stop
                self.lost.append(Lost(fault.code, self.stock.name, start, fault.stop, fault.message))
        libraries = filter(self._is_kept, self._refusals.libraries)
        self.functions = sum(start not in self._dropped for start in libraries)
        self._rebuild_refused(refused, databases)
        self._drop_surplus(announced or {})
        self._report_found()
        self._changed = sorted(self._dropped | self._rebuilt)
        self.keys = sum(keys for keys, _ in self.sizes.values())

    def _is_kept(self, start: int) -> bool:
        """Whether an offset is inside a piece: what was met there may have been rolled back."""
        index = bisect_right(self._starts, start) - 1
        return index >= 0 and start < self.salvage.pieces[index].stop

    # ---- records that servers refuse -------------------------------------------------------

    def _rebuild_refused(self, refused: dict[int, Refused], databases: int | None) -> None:
        """Drop the parts of records that servers refuse, and rebuild records in a wrong order."""
        repeated = self._refusals.repeated
        starts = sorted(start for start, fault in refused.items() if fault.stop is None)
        standing: dict[tuple[int, bytes], list[_Standing]] = {}
        for piece in self.salvage.pieces:
            index = bisect_left(starts, piece.place.at)
            has_refused = index < len(starts) and starts[index] < piece.stop
            if not (has_refused or repeated or databases is not None):
                continue
            for record in self._records(piece):
                if databases is not None and record.db >= databases:
                    self._drop(_Standing.of(record, piece), "REP006", f"db {record.db}, but the server has {databases}")
                elif record.start in refused:
                    self._rebuild_record(_Standing.of(record, piece), record, refused[record.start])
                name = record.db, record.key
                if name in repeated and record.start not in self._dropped:
                    standing.setdefault(name, []).append(_Standing.of(record, piece))
        self._drop_older(standing)

    def _drop_older(self, standing: dict[tuple[int, bytes], list[_Standing]]) -> None:
        """Keep the last record of each key. A run inside damage that contradicts the sequence is dropped as a whole.

        It is from another time: a value can hold an RDB.
        """
        contrary = set()
        for rows in standing.values():
            if not all(row.is_found for row in rows):
                contrary |= {row.run for row in rows if row.is_found}
        for run in sorted(contrary):
            self._drop_run(run)
        for rows in standing.values():
            *before, last = [row for row in rows if row.run not in contrary] or rows[-1:]
            for row in before:
                self._drop(row, "REP004", f"the key occurs again at {last.start:#x}, and the last one counts")

    def _drop_surplus(self, announced: Mapping[int, int]) -> None:
        """Drop records inside damage if a db has more keys than the file declares: some were not records."""
        for db, keys in announced.items():
            pieces = self.salvage.pieces
            runs = {piece.run for piece in pieces if piece.is_found and db in piece.counts}
            if runs and self.sizes.get(db, (0, 0))[0] > keys:
                why = f"found between damaged places, and db {db} has more keys than the {keys:,} that are announced"
                for run in sorted(runs):
                    self._drop_run(run, why)
            surplus = self.sizes.get(db, (0, 0))[0] - keys
            pieces = self.salvage.pieces
            first = next((piece for piece in pieces if piece.run and db in piece.counts), None)
            if first is not None and first.place.db == db and (surplus > 0 or self._has_expiring_fields):
                self._drop_fields(first.run, db, surplus)

    def _drop_fields(self, run: int, db: int, surplus: int) -> None:
        """Drop strings after damage that exceed the possible number: hash fields are written like strings."""
        pieces = [piece for piece in self.salvage.pieces if piece.run == run]
        if pieces[0].place.db != db:
            return
        begin = stop = pieces[0].place.at
        gap = next((lost.size for lost in self.salvage.lost if lost.stop == begin), 0)
        # As many are not records as exceed the number of keys that were lost.
        left = max(0, surplus + gap // _SMALLEST)
        for piece in pieces:
            walker = Walker(self.stock, self.form, piece.place, stop=piece.stop)
            while left and walker.at < piece.stop and self.stock.read(walker.at, 1) == _STRING:
                start = walker.at
                walker.step()
                stop = walker.at
                if start not in self._dropped:
                    self._dropped[start] = stop
                    self._dropped_keys[start] = db, False
                    self._count(db, -1, 0)
                left -= 1
            if walker.at < piece.stop:
                break
        if stop > begin:
            why = f"they may be fields of a damaged hash: db {db} has more keys than are announced"
            self.lost.append(Lost("REP002", self.stock.name, begin, stop, why))

    def _drop_run(self, run: int, why: str = _CONTRARY) -> None:
        pieces = [piece for piece in self.salvage.pieces if piece.run == run]
        start, stop = pieces[0].place.at, pieces[-1].stop
        for piece in pieces:
            for db, (keys, expires) in piece.counts.items():
                self._count(db, -keys, -expires)
        for at in [at for at in self._dropped_keys if start <= at < stop]:
            db, expires = self._dropped_keys.pop(at)
            self._count(db, 1, int(expires))
        self.salvage.pieces[:] = [piece for piece in self.salvage.pieces if piece.run != run]
        self._starts = [piece.place.at for piece in self.salvage.pieces]
        self.lost = [lost for lost in self.lost if not start <= lost.start < stop]
        self.lost.append(Lost("REP002", self.stock.name, start, stop, why))

    def _report_found(self) -> None:
        """Report records that are only recognised by their bytes."""
        for run, group in groupby((piece for piece in self.salvage.pieces if piece.is_found), lambda piece: piece.run):
            pieces = list(group)
            keys = sum(piece.records for piece in pieces)
            if run and keys:
                why = f"{keys:,} key{'s' if keys > 1 else ''} found between damaged places"
                start, stop = pieces[0].place.at, pieces[-1].stop
                self.lost.append(Lost("REP017", self.stock.name, start, stop, why, is_kept=True))

    def _rebuild_record(self, row: _Standing, record: KeyRecord, fault: Refused) -> None:
        left_over, what = drop_refused(record)
        if left_over is None:
            self._drop(row, "REP006", what)
            return
        rebuilt = rebuild(left_over)
        left = fault if rebuilt is None and not what else find_refusal(rebuilt or left_over)
        if left is not None:
            self._drop(row, left.code, left.message)
        elif what:
            self._change(record, "REP005", what)
        else:
            self._change(record, fault.code, f"rebuilt: {fault.message}")

    def _drop(self, row: _Standing, code: str, why: str) -> None:
        if row.start in self._rebuilt:
            del self._rebuilt[row.start]
            self.lost = [lost for lost in self.lost if lost.start != row.start]
        self._dropped[row.start] = row.stop
        self._dropped_keys[row.start] = row.db, row.expires
        self._count(row.db, -1, -row.expires)
        self.lost.append(Lost(code, self.stock.name, row.start, row.stop, why, row.db, row.key))

    def _change(self, record: KeyRecord, code: str, why: str) -> None:
        self._rebuilt[record.start] = record.stop
        row = Lost(code, self.stock.name, record.start, record.stop, why, record.db, record.key, is_kept=True)
        self.lost.append(row)

    def _records(self, piece: Piece) -> Iterator[KeyRecord]:
        """Build the records of a piece, with file offsets."""
        if piece.elements > _ELEMENTS or piece.stop - piece.place.at >= _BUILT:
            yield from self._large_records(piece)
            return
        walker = Walker(self.stock, self.form, piece.place, stop=piece.stop)
        records = Records()
        while walker.at < piece.stop:
            before = walker.at
            walker.step(_BATCH, records)
            for record in records.take():
                assert isinstance(record, KeyRecord)
                yield record
            if walker.at == before:
                return

    def _large_records(self, piece: Piece) -> Iterator[KeyRecord]:
        """Build the records of a piece one by one; strings, and what is very large, without the value."""
        walker = Walker(self.stock, self.form, piece.place, stop=piece.stop)
        while walker.at < piece.stop:
            place, expires, sizes = walker.place, walker.decoder.expires, Sizes(1)
            if walker.step(1, sizes) != PAUSED:
                return
            # A SELECTDB before it does not belong to the record.
            size, db, key, _, elements = sizes.largest()[0]
            start = walker.at - size
            if elements <= _ELEMENTS and size < _BUILT and self._is_collection(start):
                single = Walker(self.stock, self.form, place, stop=walker.at)
                records = Records()
                single.step(1, records)
                for record in records.take():
                    assert isinstance(record, KeyRecord)
                    yield record
            else:
                yield KeyRecord(
                    db=db,
                    key=key,
                    value=StringValue(b""),
                    expire_at_ms=0 if walker.decoder.expires > expires else None,
                    start=start,
                    stop=walker.at,
                )

    def _is_collection(self, start: int) -> bool:
        head = read_head(self.stock, self.form, start)
        return head is None or head.code != 0

    def feed(self, sink: Sink, *, selection: Selection | None = None, progress: Progress | None = None) -> None:
        """Feed ``sink`` with everything that is kept."""
        assert selection is None
        feed_header(self.header.magic, self.header.version, sink)
        for place, stop in self._stretches():
            self._feed_stretch(place, stop, sink)
            if progress is not None:
                progress(stop)

    def _stretches(self) -> Iterator[tuple[Position, int]]:
        """Return where contiguous pieces begin and end."""
        place: Position | None = None
        run = stop = 0
        for piece in self.salvage.pieces:
            if place is not None and (piece.place.at != stop or piece.run != run or stop - place.at >= _STRETCH):
                yield place, stop
                place = None
            place, run, stop = place or piece.place, piece.run, piece.stop
        if place is not None:
            yield place, stop

    def _feed_stretch(self, place: Position, end: int, sink: Sink) -> None:
        feed_item(SelectDb(place.db, Span(place.at, place.at)), sink)
        for start in self._changed[bisect_left(self._changed, place.at) : bisect_left(self._changed, end)]:
            stop = self._dropped.get(start) or self._rebuilt[start]
            place = self._feed_intact(place, start, sink)
            walker = Walker(self.stock, self.form, place, stop=stop)
            records = Records()
            walker.step(1, Null() if start in self._dropped else records)
            for item in records.take():
                assert isinstance(item, KeyRecord)
                record, _ = drop_refused(item)
                if record is not None:
                    _emit(partial(feed_record, rebuild(record) or record, sink))
            self._check_at(walker, stop)
            place = walker.place._replace(at=stop)
        self._feed_intact(place, end, sink)

    def _feed_intact(self, place: Position, stop: int, sink: Sink) -> Position:
        """Feed the records between two offsets; return where they end."""
        if place.at == stop:
            return place
        walker = Walker(self.stock, self.form, place, stop=stop, is_last=True)
        _emit(lambda: walker.step(_MANY, sink))
        self._check_at(walker, stop)
        return walker.place._replace(at=stop)

    def _count(self, db: int, keys: int, expires: int) -> None:
        before = self.sizes.get(db, (0, 0))
        self.sizes[db] = before[0] + keys, before[1] + expires

    def _check_at(self, walker: Walker, stop: int) -> None:
        if stop not in {walker.at, walker.view.at}:
            raise InputError(f"{self.stock.name}: what was intact at {walker.at:#x} no longer is")
