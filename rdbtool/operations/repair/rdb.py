"""Repairs an RDB: what was salvaged of it, told to a sink as one sound data set.

Servers refuse some records that parse: members that stand twice, scores that are no numbers, keys that stand twice.
Of a key the last one counts, as it would if servers let it pass; of a field or member too. Everything else is told
as it stands, by the compiled decoder; only the records that are changed are built.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from rdbtool._codec.decode.decoder import PAUSED
from rdbtool._codec.filters.selection import Selection
from rdbtool._codec.replay_record import feed_header, feed_item, feed_record
from rdbtool._codec.sink import Null
from rdbtool._codec.sinks.records import Records
from rdbtool._codec.sinks.sizes import Sizes
from rdbtool.core.errors import InputError
from rdbtool.core.location import Span
from rdbtool.core.progress import Progress
from rdbtool.model import KeyRecord, SelectDb, StringValue
from rdbtool.operations.repair.server_errors import find_refusal
from rdbtool.operations.repair.values import mend, rebuild
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


class SalvagedRdb:
    """What was salvaged of the RDB in ``stock``; ``header`` and ``aux`` are what an RDB made of it says.

    ``refusals`` has heard everything that was met on the way. ``lost`` gets what ``judge`` takes away. ``keys`` and
    ``functions`` are what is left of it.
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
        self._starts = [piece.place.at for piece in salvage.pieces]
        #: Where records begin that are left out, or built anew, and where they end.
        self._dropped: dict[int, int] = {}
        self._mended: dict[int, int] = {}
        self._changed: list[int] = []

    def judge(self, databases: int | None = None) -> None:
        """Take away what servers refuse. ``databases``: records of others go too, None: of none."""
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
        self._mend(refused, databases)
        self._changed = sorted(self._dropped | self._mended)
        self.keys = sum(keys for keys, _ in self.sizes.values())

    def _is_kept(self, start: int) -> bool:
        """Whether what begins at an offset is in a piece: what was met there can have been taken back."""
        index = bisect_right(self._starts, start) - 1
        return index >= 0 and start < self.salvage.pieces[index].stop

    # ---- what is refused -----------------------------------------------------------------------

    def _mend(self, refused: dict[int, Refused], databases: int | None) -> None:
        """Leave out what servers refuse of records, and build others anew that are in a wrong order."""
        repeated = self._refusals.repeated
        starts = sorted(start for start, fault in refused.items() if fault.stop is None)
        last: dict[tuple[int, bytes], KeyRecord] = {}
        for piece in self.salvage.pieces:
            index = bisect_left(starts, piece.place.at)
            has_refused = index < len(starts) and starts[index] < piece.stop
            if not (has_refused or repeated or databases is not None):
                continue
            for record in self._records(piece):
                if databases is not None and record.db >= databases:
                    self._drop(record, "REP006", f"db {record.db} of a server that has {databases}")
                elif record.start in refused:
                    self._mend_record(record, refused[record.start])
                name = record.db, record.key
                if name not in repeated or record.start in self._dropped:
                    continue
                before = last.get(name)
                if before is not None:
                    self._drop(before, "REP004", f"the key stands again at {record.start:#x}, and the last one counts")
                last[name] = record

    def _mend_record(self, record: KeyRecord, fault: Refused) -> None:
        mended, what = mend(record)
        if mended is None:
            self._drop(record, "REP006", what)
            return
        rebuilt = rebuild(mended)
        left = fault if rebuilt is None and not what else find_refusal(rebuilt or mended)
        if left is not None:
            self._drop(record, left.code, left.message)
        elif what:
            self._change(record, "REP005", what)
        else:
            self._change(record, fault.code, f"built anew: {fault.message}")

    def _drop(self, record: KeyRecord, code: str, why: str) -> None:
        if record.start in self._mended:
            del self._mended[record.start]
            self.lost = [lost for lost in self.lost if lost.start != record.start]
        self._dropped[record.start] = record.stop
        self._count(record.db, -1, -(record.expire_at_ms is not None))
        self.lost.append(Lost(code, self.stock.name, record.start, record.stop, why, record.db, record.key))

    def _change(self, record: KeyRecord, code: str, why: str) -> None:
        self._mended[record.start] = record.stop
        row = Lost(code, self.stock.name, record.start, record.stop, why, record.db, record.key, is_kept=True)
        self.lost.append(row)

    # ---- records -------------------------------------------------------------------------------

    def _records(self, piece: Piece) -> Iterator[KeyRecord]:
        """Build the records of a piece, with offsets of the file."""
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
        """Build the records of a piece one by one: of strings, and of what is very large, without the value."""
        walker = Walker(self.stock, self.form, piece.place, stop=piece.stop)
        while walker.at < piece.stop:
            place, expires, sizes = walker.place, walker.decoder.expires, Sizes(1)
            if walker.step(1, sizes) != PAUSED:
                return
            # A SELECTDB in front of it is not the record's.
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

    # ---- telling -------------------------------------------------------------------------------

    def feed(self, sink: Sink, *, selection: Selection | None = None, progress: Progress | None = None) -> None:
        """Tell ``sink`` of everything that is kept."""
        assert selection is None
        feed_header(self.header.magic, self.header.version, sink)
        for piece in self.salvage.pieces:
            self._feed_piece(piece, sink)
            if progress is not None:
                progress(piece.stop)

    def _feed_piece(self, piece: Piece, sink: Sink) -> None:
        place = piece.place
        feed_item(SelectDb(place.db, Span(place.at, place.at)), sink)
        for start in self._changed[bisect_left(self._changed, place.at) : bisect_left(self._changed, piece.stop)]:
            stop = self._dropped.get(start) or self._mended[start]
            place = self._feed_sound(place, start, sink)
            walker = Walker(self.stock, self.form, place, stop=stop)
            records = Records()
            walker.step(1, Null() if start in self._dropped else records)
            for item in records.take():
                assert isinstance(item, KeyRecord)
                record, _ = mend(item)
                if record is not None:
                    feed_record(rebuild(record) or record, sink)
            self._check_at(walker, stop)
            place = walker.place._replace(at=stop)
        self._feed_sound(place, piece.stop, sink)

    def _feed_sound(self, place: Position, stop: int, sink: Sink) -> Position:
        """Tell of what stands between two offsets; return where it ends."""
        if place.at == stop:
            return place
        walker = Walker(self.stock, self.form, place, stop=stop)
        walker.step(_MANY, sink)
        self._check_at(walker, stop)
        return walker.place._replace(at=stop)

    def _count(self, db: int, keys: int, expires: int) -> None:
        before = self.sizes.get(db, (0, 0))
        self.sizes[db] = before[0] + keys, before[1] + expires

    def _check_at(self, walker: Walker, stop: int) -> None:
        if stop not in {walker.at, walker.view.at}:
            raise InputError(f"{self.stock.name}: what was sound at {walker.at:#x} no longer is")
