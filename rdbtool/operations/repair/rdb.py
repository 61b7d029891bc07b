"""Repairs an RDB: what was salvaged of it, told to a sink as one sound data set.

Servers refuse some records that parse: members that stand twice, scores that are no numbers, keys that stand twice.
Of a key the last one counts, as it would if servers let it pass; of a field or member too. Everything else is told
as it stands, by the compiled decoder; only the records that are changed are built.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from rdbtool._codec.decode.decoder import PAUSED
from rdbtool._codec.filters.selection import Selection
from rdbtool._codec.replay_record import feed_header, feed_item, feed_record
from rdbtool._codec.sink import Null
from rdbtool._codec.sinks.check import Check
from rdbtool._codec.sinks.records import Records
from rdbtool._codec.sinks.sizes import Sizes
from rdbtool.core.errors import InputError
from rdbtool.core.location import Span
from rdbtool.core.progress import Progress
from rdbtool.model import KeyRecord, SelectDb, StringValue
from rdbtool.operations.repair.server_errors import DOUBLE, Flags, Items, error_flags
from rdbtool.operations.repair.values import mend, moved, rebuild
from rdbtool.operations.salvage.input import Lost
from rdbtool.operations.salvage.rdb_walker import Walker, read_head

if TYPE_CHECKING:
    from rdbtool._codec.sink import Sink
    from rdbtool.model import Aux, Header
    from rdbtool.operations.repair.server_errors import Refused
    from rdbtool.operations.salvage.input import Stock
    from rdbtool.operations.salvage.rdb import Piece, Salvage
    from rdbtool.operations.salvage.rdb_walker import Form, Place

#: Bytes of records that are built at once, and elements that are.
_BUILT: Final = 1 << 19
_ELEMENTS: Final = 1 << 17
_BATCH: Final = 32

#: How often what is left is judged again. Of very many faults each round tells some.
_ROUNDS: Final = 16

_MANY: Final = 1 << 30


class SalvagedRdb:
    """What was salvaged of the RDB in ``stock``; ``header`` and ``aux`` are what an RDB made of it says.

    ``lost`` gets what ``judge`` takes away. ``keys`` and ``functions`` are what is left of it.
    """

    def __init__(self, stock: Stock, form: Form, salvage: Salvage, header: Header, aux: list[Aux]) -> None:
        self.stock = stock
        self.form = form
        self.salvage = salvage
        self.header = header
        self.aux = aux
        self.lost: list[Lost] = []
        self.keys = 0
        self.functions = 0
        #: Keys, and those with an expiry, by db, as they were last told.
        self.sizes: dict[int, tuple[int, int]] = {}
        self._databases: int | None = None
        #: Where records begin that are left out, or built anew, and where they end.
        self._dropped: dict[int, int] = {}
        self._mended: dict[int, int] = {}

    def judge(self, databases: int | None = None) -> None:
        """Find what servers refuse, and take it away. ``databases``: records of others go too, None: of none."""
        self._databases = databases
        refused, doubles = self._find_refused()
        if refused or doubles or databases is not None:
            self._mend(refused)
            for _ in range(_ROUNDS):
                refused, _ = self._find_refused()
                if not refused:
                    break
                self._drop_refused(refused)
        self.keys = sum(keys for keys, _ in self.sizes.values())

    # ---- what is refused -----------------------------------------------------------------------

    def _find_refused(self) -> tuple[dict[int, Refused], bool]:
        """Return what is wrong, by the offset of the record or item, and whether keys stand twice.

        Of very many only some are told at a time.
        """
        items = Items()
        check = Check(items.hear)
        self.feed(check, heard=items.move)
        check.close()
        self.functions = items.functions
        flags = error_flags(check)
        found = items.refused
        if flags - {DOUBLE}:
            for piece in self.salvage.pieces:
                found.update(self._find_in(piece))
        return found, DOUBLE in flags

    def _find_in(self, piece: Piece) -> dict[int, Refused]:
        check = Check()
        flags = Flags(check)
        feed_header(self.header.magic, self.header.version, check)
        self._feed_piece(piece, check, flags.move)
        return flags.refused

    def _mend(self, refused: dict[int, Refused]) -> None:
        """Leave out what servers refuse of records, and build others anew that are in a wrong order."""
        seen: set[int] = set()
        again: set[int] = set()
        for piece in self.salvage.pieces:
            for record in self._records(piece):
                name = hash((record.db, record.key))
                (again if name in seen else seen).add(name)
                if self._databases is not None and record.db >= self._databases:
                    self._drop(record, "REP006", f"db {record.db} of a server that has {self._databases}")
                    continue
                mended, what = mend(record)
                if mended is None:
                    self._drop(record, "REP006", what)
                elif what:
                    self._change(record, "REP005", what)
                elif record.start in refused and rebuild(record) is not None:
                    fault = refused[record.start]
                    self._change(record, fault.code, f"built anew: {fault.message}")
        if again:
            self._drop_repeated(again)

    def _drop_repeated(self, again: set[int]) -> None:
        last: dict[tuple[int, bytes], KeyRecord] = {}
        for piece in self.salvage.pieces:
            for record in self._records(piece):
                name = record.db, record.key
                if hash(name) not in again or record.start in self._dropped:
                    continue
                before = last.get(name)
                if before is not None:
                    self._drop(before, "REP004", f"the key stands again at {record.start:#x}, and the last one counts")
                last[name] = record

    def _drop_refused(self, refused: dict[int, Refused]) -> None:
        for start, fault in refused.items():
            if fault.stop is not None:
                self._dropped[start] = fault.stop
                self.lost.append(Lost(fault.code, self.stock.name, start, fault.stop, fault.message))
        for piece in self.salvage.pieces:
            if any(piece.place.at <= start < piece.stop for start in refused):
                for record in self._records(piece):
                    if record.start in refused:
                        fault = refused[record.start]
                        self._drop(record, fault.code, fault.message)

    def _drop(self, record: KeyRecord, code: str, why: str) -> None:
        if record.start in self._mended:
            del self._mended[record.start]
            self.lost = [lost for lost in self.lost if lost.start != record.start]
        self._dropped[record.start] = record.stop
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
                yield moved(record, walker.view.shift)
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
                    yield moved(record, single.view.shift)
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

    def feed(
        self,
        sink: Sink,
        *,
        selection: Selection | None = None,
        progress: Progress | None = None,
        heard: Callable[[int], object] | None = None,
    ) -> None:
        """Tell ``sink`` of everything that is kept.

        ``heard`` is called whenever some of it was told, with what has to be added to its offsets.
        """
        assert selection is None
        feed_header(self.header.magic, self.header.version, sink)
        self.sizes = {}
        for piece in self.salvage.pieces:
            self._feed_piece(piece, sink, heard)
            if progress is not None:
                progress(piece.stop)

    def _feed_piece(self, piece: Piece, sink: Sink, heard: Callable[[int], object] | None) -> None:
        place = piece.place
        feed_item(SelectDb(place.db, Span(place.at, place.at)), sink)
        changed = self._dropped | self._mended
        for start in sorted(start for start in changed if place.at <= start < piece.stop) if changed else ():
            place = self._feed_sound(place, start, sink, heard)
            walker = Walker(self.stock, self.form, place, stop=changed[start])
            records = Records()
            walker.step(1, Null() if start in self._dropped else records)
            for item in records.take():
                assert isinstance(item, KeyRecord)
                record, _ = mend(item)
                if record is not None:
                    record = rebuild(record) or record
                    feed_record(moved(record, walker.view.shift), sink)
                    self._count(record.db, 1, record.expire_at_ms is not None)
                    if heard is not None:
                        heard(0)
            self._check_at(walker, changed[start])
            place = walker.place._replace(at=changed[start])
        self._feed_sound(place, piece.stop, sink, heard)

    def _feed_sound(self, place: Place, stop: int, sink: Sink, heard: Callable[[int], object] | None) -> Place:
        """Tell of what stands between two offsets; return where it ends."""
        if place.at == stop:
            return place
        walker = Walker(self.stock, self.form, place, stop=stop)
        walker.step(_MANY, sink)
        self._check_at(walker, stop)
        for db, (keys, expires) in walker.decoder.counts()[1].items():
            self._count(db, keys, expires)
        if heard is not None:
            heard(walker.view.shift)
        return walker.place._replace(at=stop)

    def _count(self, db: int, keys: int, expires: int) -> None:
        before = self.sizes.get(db, (0, 0))
        self.sizes[db] = before[0] + keys, before[1] + expires

    def _check_at(self, walker: Walker, stop: int) -> None:
        if stop not in {walker.at, walker.view.at}:
            raise InputError(f"{self.stock.name}: what was sound at {walker.at:#x} no longer is")
