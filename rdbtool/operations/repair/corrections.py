"""Examine a file, and restore all of it if something proves its original bytes.

A conversion of all bytes is undone, and a single damaged byte is corrected, if the checksum matches afterwards. An RDB
without checksum must be intact from its header to its end. Anything less is damage, and the rest is salvaged.
"""

from __future__ import annotations

from contextlib import suppress

from rdbtool.core.errors import UnsupportedError, WrapperError
from rdbtool.core.light_typing import TYPE_CHECKING
from rdbtool.core.rdb_types import VALKEY, VERSIONS
from rdbtool.core.servers import COMMON_VERSION
from rdbtool.operations.repair.part import HEADER_SIZE, examine
from rdbtool.operations.salvage.input import Lost
from rdbtool.operations.salvage.one_byte import find_in_rdb
from rdbtool.operations.salvage.text_mode import find_conversions, undo

if TYPE_CHECKING:
    from rdbtool.core.progress import Progress
    from rdbtool.operations.repair.part import PartRepair
    from rdbtool.operations.repair.report import RepairOptions
    from rdbtool.operations.salvage.input import Stock
    from rdbtool.operations.salvage.text_mode import Conversion, Undone


def examine_and_correct(
    stock: Stock, options: RepairOptions, progress: Progress | None = None, *, in_log: bool = False
) -> PartRepair:
    """Restore a file, or find out what is intact in it. ``in_log``: it is a file of an AOF.

    Raises UnsupportedError if it is neither an RDB nor an AOF, or newer than any known.
    """
    return _Examination(stock, options, progress, in_log=in_log).run()


class _Examination:
    def __init__(self, stock: Stock, options: RepairOptions, progress: Progress | None, *, in_log: bool) -> None:
        self.stock = stock
        self.options = options
        self.progress = progress
        self.in_log = in_log

    def run(self) -> PartRepair:
        conversions = find_conversions(self.stock)
        undone: list[Undone] = []
        try:
            part = self._prove(conversions, undone)
        finally:
            for found in undone:
                if found.shown != self.stock.shown:
                    found.shown.close()
        if conversions and part.is_rdb_damaged:
            why = conversions[0].words
            why += ": that cannot be undone" if conversions[0].is_lossy else ", or so it seems: nothing proves it"
            part.lost.insert(0, Lost("REP016", self.stock.name, 0, self.stock.size, why, is_kept=True))
        return part

    def _prove(self, conversions: list[Conversion], undone: list[Undone]) -> PartRepair:
        """Examine the file as it was before a conversion, if that is proven, else as it is."""
        for conversion in conversions:
            found = undo(self.stock, conversion)
            undone += [] if found is None else [found]
            whole = self._examine_undone(found) if found is not None and found.is_proven else None
            if whole is not None:
                return whole
        failure: UnsupportedError | WrapperError | None = None
        try:
            part = self._examine_with_one_byte()
        except (UnsupportedError, WrapperError) as error:
            part, failure = None, error
        if part is None or part.is_rdb_damaged:
            for found in undone:
                # The lengths have to prove it.
                whole = self._examine_undone(found)
                if whole is not None:
                    return whole
        if part is None:
            assert failure is not None
            raise failure
        return part

    def _examine(self) -> PartRepair:
        part = examine(self.stock, self.options, self.progress, in_log=self.in_log)
        if part.taken_for is None or part.taken_for.version <= COMMON_VERSION:
            return part
        # It has values whose numbers mean something else in files of Valkey.
        with suppress(UnsupportedError):
            other = examine(self.stock, self.options, self.progress, in_log=self.in_log, magics=(VALKEY,))
            if other.taken_for is not None and _size_lost(other) <= _size_lost(part):
                return other
        return part

    def _examine_undone(self, undone: Undone) -> PartRepair | None:
        """Examine the file as it was before it was converted, and use that if it is intact."""
        converted = self.stock.show(undone.shown)
        part = None
        with suppress(UnsupportedError, WrapperError):
            part = self._examine()
        if part is None or part.is_rdb_damaged:
            self.stock.show(converted)
            return None
        converted.close()
        by = "checksum proves" if undone.is_proven else "lengths of all records prove"
        why = f"{undone.conversion.words}; this was undone, as the {by}"
        part.lost.append(Lost("REP014", self.stock.name, 0, self.stock.size, why, is_kept=True))
        return part

    def _examine_with_one_byte(self) -> PartRepair:
        """Examine the file with one byte corrected, if the checksum identifies the damaged byte."""
        stock = self.stock
        failure: UnsupportedError | WrapperError | None = None
        part: PartRepair | None = None
        try:
            part = self._examine()
        except (UnsupportedError, WrapperError) as error:
            if not _is_like_header(stock.read(0, HEADER_SIZE)):
                raise
            failure = error
        if part is not None and not part.is_rdb_damaged:
            return part
        damaged = find_in_rdb(stock, stock.size if part is None or part.form == "rdb" else part.rdb_stop)
        if damaged is not None:
            stock.patch(*damaged)
            corrected = self._examine()
            if not corrected.is_rdb_damaged:
                is_now = stock.read(damaged.at, 1)[0]
                why = f"the byte {is_now ^ damaged.change:#04x} was {is_now:#04x}: the checksum proves it"
                row = Lost("REP015", stock.name, damaged.at, damaged.at + 1, why, is_kept=True)
                corrected.lost.append(row)
                return corrected
            stock.patch(-1, 0)
        if part is None:
            assert failure is not None
            raise failure
        return part


def _size_lost(part: PartRepair) -> int:
    return sum(lost.size for lost in part.lost if not lost.is_kept)


def _is_like_header(head: bytes) -> bool:
    """Whether the first nine bytes are an RDB header, except for one byte."""
    for magic in VERSIONS:
        alike = sum(a == b for a, b in zip(head, magic.encode(), strict=False))
        alike += sum(byte in b"0123456789" for byte in head[len(magic) :])
        if alike >= HEADER_SIZE - 1:
            return True
    return False
