"""Repairs an RDB: what was salvaged of it, told to a sink as one sound data set.

Servers refuse some records that parse: members that stand twice, scores that are no numbers, keys that stand twice.
Of a key the last one counts, as it would if servers let it pass; of a field or member too. Everything else is told
as it stands, by the compiled decoder; only the records that are changed are built.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from rdbtool._codec.decoder import PAUSED
from rdbtool._codec.feed import feed_header, feed_item, feed_record
from rdbtool._codec.records import Records
from rdbtool._codec.selection import Selection
from rdbtool.analysis.salvage import Lost
from rdbtool.analysis.salvage_walk import Walker, read_head
from rdbtool.errors import InputError
from rdbtool.model import HashValue, Header, KeyRecord, ListValue, SelectDb, SetValue, StringValue, ZSetValue
from rdbtool.span import Span

if TYPE_CHECKING:
    from rdbtool._codec.sink import Sink
    from rdbtool.analysis.salvage import Progress, Stock
    from rdbtool.analysis.salvage_rdb import Piece, Salvage
    from rdbtool.analysis.salvage_walk import Form
    from rdbtool.model import Aux

#: Bytes of records that are built at once, and elements of a piece beyond which its records are not looked into.
_BUILT: Final = 1 << 19
_ELEMENTS: Final = 1 << 20
_BATCH: Final = 32


class SalvagedRdb:
    """What was salvaged of the RDB in ``stock``; ``header`` and ``aux`` are what an RDB made of it says.

    ``lost`` gets what ``judge`` takes away. ``databases``: records of others are dropped, None: of none.
    """

    def __init__(self, stock: Stock, form: Form, salvage: Salvage, header: Header, aux: list[Aux]) -> None:
        self.stock = stock
        self.form = form
        self.salvage = salvage
        self.header = header
        self.aux = aux
        self.lost: list[Lost] = []
        self.keys = 0
        self.sizes: dict[int, tuple[int, int]] = {}
        self._dropped: set[int] = set()
        self._mended: set[int] = set()

    @property
    def is_changed(self) -> bool:
        """Whether records are left out or changed."""
        return bool(self._dropped or self._mended)

    def judge(self, databases: int | None = None) -> None:
        """Find what servers refuse."""
        seen: set[int] = set()
        again: set[int] = set()
        for piece in self.salvage.pieces:
            for record in self._records(piece):
                name = hash((record.db, record.key))
                (again if name in seen else seen).add(name)
                if databases is not None and record.db >= databases:
                    self._drop(record, "REP006", f"db {record.db} of a server that has {databases}")
                    continue
                mended, what = mend(record)
                if mended is None:
                    self._drop(record, "REP006", what)
                elif what:
                    self._mended.add(record.start)
                    self._report(record, "REP005", what, is_kept=True)
                if mended is not None:
                    keys, expires = self.sizes.get(record.db, (0, 0))
                    self.sizes[record.db] = keys + 1, expires + (record.expire_at_ms is not None)
        if again:
            self._drop_repeated(again)
        self.keys = sum(keys for keys, _ in self.sizes.values())

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
                    keys, expires = self.sizes[record.db]
                    self.sizes[record.db] = keys - 1, expires - (before.expire_at_ms is not None)
                last[name] = record

    def _drop(self, record: KeyRecord, code: str, why: str) -> None:
        self._dropped.add(record.start)
        self._report(record, code, why)

    def _report(self, record: KeyRecord, code: str, why: str, *, is_kept: bool = False) -> None:
        self.lost.append(Lost(code, self.stock.name, record.start, record.stop, why, record.db, record.key, is_kept))

    def _records(self, piece: Piece) -> Iterator[KeyRecord]:
        """Build the records of a piece, with offsets of the file; none of a piece that takes too much memory."""
        if piece.elements > _ELEMENTS:
            return
        if piece.stop - piece.place.at >= _BUILT:
            yield from self._large_records(piece)
            return
        walker = Walker(self.stock, self.form, piece.place, stop=piece.stop)
        records = Records()
        while walker.at < piece.stop:
            before = walker.at
            walker.step(_BATCH, records)
            for record in records.take():
                assert isinstance(record, KeyRecord)
                yield _moved(record, walker.view.shift)
            if walker.at == before:
                return

    def _large_records(self, piece: Piece) -> Iterator[KeyRecord]:
        """Build the records of a piece one by one: of strings, and of what is very large, without the value."""
        walker = Walker(self.stock, self.form, piece.place, stop=piece.stop)
        while walker.at < piece.stop:
            place, expires = walker.place, walker.decoder.expires
            if walker.step() != PAUSED:
                return
            head = read_head(self.stock, self.form, place.at)
            if head is not None and (head.code == 0 or walker.at - place.at >= _BUILT):
                yield KeyRecord(
                    db=walker.decoder.db,
                    key=head.key,
                    value=StringValue(b""),
                    expire_at_ms=0 if walker.decoder.expires > expires else None,
                    start=place.at,
                    stop=walker.at,
                )
            else:
                single = Walker(self.stock, self.form, place, stop=walker.at)
                records = Records()
                single.step(1, records)
                for record in records.take():
                    assert isinstance(record, KeyRecord)
                    yield _moved(record, single.view.shift)

    def feed(self, sink: Sink, *, selection: Selection | None = None, progress: Progress | None = None) -> None:
        """Tell ``sink`` of everything that is kept."""
        assert selection is None
        feed_header(self.header.magic, self.header.version, sink)
        changed = sorted(self._dropped | self._mended)
        for piece in self.salvage.pieces:
            feed_item(SelectDb(piece.place.db, Span(piece.place.at, piece.place.at)), sink)
            walker = Walker(self.stock, self.form, piece.place, stop=piece.stop)
            here = [start for start in changed if piece.place.at <= start < piece.stop] if changed else []
            if here:
                self._feed_changed(walker, piece.stop, sink)
            else:
                walker.step(piece.records + 1, sink)
            if piece.stop not in {walker.at, walker.view.at}:
                raise InputError(f"{self.stock.name}: what was sound at {walker.at:#x} no longer is")
            if progress is not None:
                progress(piece.stop)

    def _feed_changed(self, walker: Walker, stop: int, sink: Sink) -> None:
        records = Records(0, items=True)
        while walker.at < stop:
            before = walker.at
            walker.step(1, records)
            for item in records.take():
                if not isinstance(item, KeyRecord):
                    feed_item(item, sink)
                    continue
                start = item.start + walker.view.shift
                record = mend(item)[0] if start in self._mended else item
                if start not in self._dropped and record is not None:
                    feed_record(record, sink)
            if walker.at == before:
                return


def mend(record: KeyRecord) -> tuple[KeyRecord | None, str]:
    """Return a record without what servers refuse, None where nothing is left, and what that was ("": nothing)."""
    value = record.value
    kept: SetValue | HashValue | ZSetValue
    if isinstance(value, SetValue):
        before, kept = len(value.members), SetValue(dict.fromkeys(value.members))
    elif isinstance(value, HashValue):
        before, kept = len(value.fields), HashValue({row[0]: row for row in value.fields}.values())
    elif isinstance(value, ZSetValue):
        before = len(value.members)
        kept = ZSetValue({row[0]: row for row in value.members if not math.isnan(row[1])}.values())
    else:
        return (None, "an empty list") if isinstance(value, ListValue) and not len(value) else (record, "")
    lost = before - len(kept)
    if not lost and before:
        return record, ""
    if not len(kept):
        return None, f"an empty {record.kind}" if not lost else f"a {record.kind} of scores that are not numbers"
    what = f"{lost} element{'' if lost == 1 else 's'} that stand{'s' if lost == 1 else ''} there again"
    if isinstance(value, ZSetValue):
        what += " or whose score is not a number"
    return _with_value(record, kept), what


def _with_value(record: KeyRecord, value: SetValue | HashValue | ZSetValue) -> KeyRecord:
    return KeyRecord(
        db=record.db,
        key=record.key,
        value=value,
        expire_at_ms=record.expire_at_ms,
        idle_s=record.idle_s,
        freq=record.freq,
        meta=record.meta,
        type_code=record.type_code,
        encoding=record.encoding,
        start=record.start,
        stop=record.stop,
    )


def _moved(record: KeyRecord, shift: int) -> KeyRecord:
    """Return a record with offsets of the file."""
    if not shift:
        return record
    return KeyRecord(
        db=record.db,
        key=record.key,
        value=record.value,
        expire_at_ms=record.expire_at_ms,
        idle_s=record.idle_s,
        freq=record.freq,
        meta=record.meta,
        type_code=record.type_code,
        encoding=record.encoding,
        start=record.start + shift,
        stop=record.stop + shift,
    )
