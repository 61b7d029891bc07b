"""Repair of one file: what it is, what is intact, and how that is written.

An intact file is copied byte for byte. An RDB is written with its own magic and version; if those are damaged, with the
version of the server that it names. Records are copied as they are stored, where nothing in them changes.
"""

from __future__ import annotations

import re

from rdbtool._codec.sinks.check import Check
from rdbtool.core.commands import AOF_WORDS
from rdbtool.core.errors import Remedy, UnsupportedError, describe_loss
from rdbtool.core.light_typing import TYPE_CHECKING, Final, Literal
from rdbtool.core.limits import limits
from rdbtool.core.progress import Progress
from rdbtool.core.rdb_types import (
    CHECKSUM_SINCE,
    REDIS,
    VALKEY,
    VERSIONS,
    ChecksumState,
    since_of,
    value_types,
)
from rdbtool.core.servers import Target, default_target, find_release
from rdbtool.model import Header
from rdbtool.operations.convert.transfer import Transfer
from rdbtool.operations.repair.rdb import SalvagedRdb
from rdbtool.operations.repair.server_errors import Refusals
from rdbtool.operations.salvage.input import Lost, Stock
from rdbtool.operations.salvage.rdb import RdbSalvage, Salvage
from rdbtool.operations.salvage.rdb_find import CommandSearch
from rdbtool.operations.salvage.rdb_resync import Search
from rdbtool.operations.salvage.rdb_walker import Layout, Position
from rdbtool.reader.aof.inline import begins_inline
from rdbtool.reader.open.files import (
    HEAD_SIZE,
    begins_log,
    detect_content,
    is_empty_log,
    refuse_unknown,
    refuse_wrapped,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from rdbtool._codec.sink import Sink
    from rdbtool.operations.repair.report import RepairOptions
    from rdbtool.operations.salvage.aof import LogSalvage
    from rdbtool.writer.atomic.through import Output

HEADER_SIZE: Final = 9
_WRITER: Final = re.compile(rb"(redis|valkey)-ver[\x03-\x0c](\d{1,2}\.\d{1,2})")

#: The default RDB version, if the version cannot be read and no record needs a newer one.
_OLDEST: Final = {REDIS: CHECKSUM_SINCE + 1, VALKEY: VERSIONS[VALKEY][0]}

#: Suffix of the encodings in which hash fields have expiries.
_EXPIRING: Final = "-ttl"

#: The remark on a checksum that proves nothing.
_SILENT: Final = {"wrong": "is wrong", "unread": "was not reached, or is truncated"}

#: Limit on places tried as records in a file without an RDB header: some seconds.
_TRIALS: Final = 200_000

_COMMAND: Final = re.compile(rb"\*\d{1,6}(\r{0,2}\n)\$\d{1,9}\1")


class PartRepair:
    """One examined file: ``keys`` of its RDB and ``commands`` that are kept, and what is ``lost``."""

    def __init__(self, stock: Stock, form: Literal["rdb", "aof"]) -> None:
        self.stock = stock
        self.name = stock.name
        self.form = form
        self.lost: list[Lost] = []
        self.checksum: ChecksumState = "none"
        self.is_rdb_damaged = False
        #: The format assumed for an RDB that has lost its beginning.
        self.taken_for: Header | None = None
        self._rdb: SalvagedRdb | None = None
        self.rdb_stop = 0
        self._keys = 0
        self._log: LogSalvage | None = None
        self._transfer: Transfer | None = None

    @property
    def keys(self) -> int:
        """Keys of its RDB that are kept."""
        return 0 if self._rdb is None else self._keys

    @property
    def is_built(self) -> bool:
        """Whether its RDB is rebuilt from the records that are kept."""
        return self._transfer is not None

    @property
    def functions(self) -> int:
        """Function libraries of its RDB that are kept."""
        return 0 if self._rdb is None else self._rdb.functions

    @property
    def foreign(self) -> tuple[str, ...]:
        """Names of kept commands that no server has."""
        return () if self._log is None else tuple(self._log.foreign)

    @property
    def doubts(self) -> tuple[str, ...]:
        """Assumptions that cannot be verified."""
        return () if self._log is None else tuple(self._log.doubts)

    @property
    def commands(self) -> int:
        """Commands that are kept."""
        return 0 if self._log is None else self._log.commands

    def look_at_rdb(
        self, header: Header, salvage: Salvage, rdb: SalvagedRdb, databases: int | None, walk: RdbSalvage
    ) -> None:
        """Salvage an RDB by a walk; it is written as ``header`` says."""
        is_expiring = any(encoding.endswith(_EXPIRING) for _, encoding in walk.encodings)
        rdb.drop_refused_records(databases, walk.announced, has_expiring_fields=header.magic == REDIS and is_expiring)
        self._rdb = rdb
        self._keys = rdb.keys
        self.rdb_stop = salvage.stop
        self.checksum = salvage.checksum
        self.is_rdb_damaged = bool(salvage.lost) or salvage.checksum == "wrong"
        self.lost += [*salvage.lost, *rdb.lost]
        if salvage.lost and salvage.checksum in _SILENT:
            stop = min(salvage.stop + 8, self.stock.size) if salvage.checksum == "unread" else salvage.stop
            why = f"the checksum {_SILENT[salvage.checksum]}: values that are kept may be damaged, too"
            self.lost.append(Lost("REP018", self.name, max(0, stop - 8), stop, why, is_kept=True))
        if salvage.checksum == "wrong" and not salvage.lost:
            why = "the checksum is wrong, but all records can be read: at least one value is damaged"
            self.lost.append(Lost("REP007", self.name, salvage.stop - 8, salvage.stop, why, is_kept=True))
        if self.lost:
            self._transfer = Transfer(
                rdb, "rdb", default_target(header, rdb.aux), allow_loss=True, sizes=dict(rdb.sizes), copies=True
            )

    def look_at_log(
        self, begin: int, renamed: Mapping[bytes, bytes], progress: Progress | None, *, drop_unknown: bool
    ) -> None:
        """Salvage the commands from ``begin`` on."""
        from rdbtool.operations.salvage.aof import LogSalvage  # noqa: PLC0415 - an RDB does without

        self._log = LogSalvage(self.stock, begin=begin, renamed=renamed, drop_unknown=drop_unknown, progress=progress)
        self._log.run()
        self.lost += self._log.lost

    def write(self, output: Output) -> None:
        """Write what is kept."""
        if not self.lost:
            self.stock.copy(0, self.stock.size, output.write)
            return
        if self._transfer is not None:
            self._transfer.write(output.write)
            self._keys = self._transfer.keys
            for loss in self._transfer.losses:
                if loss.severity == "loss":
                    self.lost.append(Lost("REP006", self.name, 0, 0, describe_loss(loss), loss.db, loss.key))
        elif self._rdb is not None:
            self.stock.copy(0, self.rdb_stop, output.write)
        for keep in self._log.kept if self._log is not None else ():
            if keep.mode is not None:
                from rdbtool.operations.salvage.aof_text import restore  # noqa: PLC0415 - as above

                for record in restore(self.stock, keep.start, keep.stop, keep.mode):
                    output.write(record.data)
            elif keep.data is None:
                self.stock.copy(keep.start, keep.stop, output.write)
            else:
                output.write(keep.data)

    def check(self, path: str, also: Sink | None = None) -> None:
        """Read back the rebuilt RDB, if there is one; ``also`` receives it.

        Raises InvalidDataError unless it is valid, InputError unless it equals what was written.
        """
        if self._transfer is not None:
            self._transfer.check(path, also)


def examine(
    stock: Stock,
    options: RepairOptions,
    progress: Progress | None = None,
    *,
    in_log: bool = False,
    magics: Collection[str] = tuple(VERSIONS),
) -> PartRepair:
    """Find out what is intact in a file. ``in_log``: it is a file of an AOF.

    Without a header it is assumed to be an RDB of the first of ``magics`` that fits. Raises UnsupportedError if it is
    neither an RDB nor an AOF, or newer than any known.
    """
    head = stock.read(0, HEAD_SIZE)
    renamed = _renamed(options)
    header, is_valid = _read_header(head)
    is_log = begins_log(head) or _COMMAND.search(head) is not None or is_empty_log(head, stock.name)
    if header is None and not is_log:
        header = _find_records(stock, options, magics, in_log=in_log)
    has_header = header is None or _is_near(head, header)
    if header is None:
        part = PartRepair(stock, "aof")
        part.look_at_log(0, renamed, progress, drop_unknown=options.drop_unknown)
    else:
        ending = stock.read(max(0, stock.size - (64 << 10)), 64 << 10)
        embedded = in_log or stock.has_stream or (is_valid and detect_content(head, ending) == "aof")
        part = PartRepair(stock, "aof" if embedded else "rdb")
        most = limits().string if options.max_inflate is None else options.max_inflate
        form = Layout(header.magic, header.version, most, embedded=embedded)
        if not is_valid:
            form = form._replace(version=VERSIONS[header.magic][1])
        behind = CommandSearch(stock, AOF_WORDS | frozenset(renamed))
        refusals = Refusals()
        check = Check(refusals.on_item, refusals.on_flagged, size=stock.size)
        find = (lambda at: behind.find(at)[0]) if embedded else None
        walk = RdbSalvage(stock, form, check=check, behind=find, progress=progress, has_header=has_header)
        salvage = walk.run()
        check.close()
        if not is_valid and not _named(head):
            header = _version_of(header, walk, has_functions=bool(refusals.libraries))
        if not is_valid:
            why = f"the header is damaged: assuming {header.magic} version {header.version}"
            part.lost.append(Lost("REP013", stock.name, 0, min(HEADER_SIZE, stock.size), why, is_kept=True))
        part.taken_for = None if has_header else header
        rdb = SalvagedRdb(stock, form, salvage, header, walk.aux, refusals)
        part.look_at_rdb(header, salvage, rdb, options.databases, walk)
        if embedded:
            part.look_at_log(salvage.stop, renamed, progress, drop_unknown=options.drop_unknown)
    if stock.fault is not None:
        why = f"the compressed data ends there: {stock.fault.found}"
        part.lost.append(Lost("REP003", stock.name, stock.size, stock.size, why))
    return part


def _refuse_payload(stock: Stock, head: bytes) -> None:
    """Raise UnsupportedError for a DUMP payload: its checksum is intact, so there is nothing to repair."""
    from rdbtool.reader.payload import find_payload  # noqa: PLC0415 - nearly never needed

    if find_payload(stock.size, stock.read, head) is not None:
        remedy = Remedy(": rdbtool convert makes an RDB of it", ": rdbtool.convert makes an RDB of it")
        raise UnsupportedError(f"{stock.name}: a payload of DUMP, and valid", remedy=remedy)


def _find_records(stock: Stock, options: RepairOptions, magics: Collection[str], *, in_log: bool) -> Header | None:
    """Return the assumed format of an RDB without header, None for an AOF.

    Raises UnsupportedError if no records are found either, WrapperError for what has to be unwrapped first.
    """
    head = stock.read(0, HEAD_SIZE)
    if not in_log:
        _refuse_others(stock, head)
    most = limits().string if options.max_inflate is None else options.max_inflate
    for magic in magics if detect_content(head) is None else ():
        search = Search(stock, Layout(magic, VERSIONS[magic][1], most), stock.size, _TRIALS, has_header=False)
        found = search.find(0, Position(0, is_first=True))
        if found is not None and not found.is_end:
            return Header(magic, _OLDEST[magic])
    if in_log or (_is_blank(head) and CommandSearch(stock, AOF_WORDS).find(0)[0] is not None):
        return None
    return refuse_unknown(head, stock.name)


def _is_blank(head: bytes) -> bool:
    """Whether a file begins with a page that a file system or a disk left empty: it may still be an AOF."""
    return len(head) > 0 and head[0] in b"\0\xff" and head.count(head[:1]) == len(head)


def _refuse_others(stock: Stock, head: bytes) -> None:
    """Raise UnsupportedError for valid inputs that are neither RDB nor AOF, WrapperError for archives and the like."""
    refuse_wrapped(head, stock.name, compression=stock.compression)
    if begins_inline(head):
        remedy = Remedy(": rdbtool convert makes an AOF of them", ": rdbtool.convert makes an AOF of them")
        raise UnsupportedError(f"{stock.name}: inline commands", remedy=remedy)
    _refuse_payload(stock, head)
    if detect_content(head) is not None:
        raise UnsupportedError(f"{stock.name}: only RDB files and AOFs can be repaired")


def _is_near(head: bytes, header: Header) -> bool:
    """Whether the first nine bytes are a header, possibly damaged."""
    return sum(a == b for a, b in zip(head, header.magic.encode(), strict=False)) >= len(header.magic) - 2


def _version_of(header: Header, walk: RdbSalvage, *, has_functions: bool) -> Header:
    """Return a header of the oldest version that has everything found: whichever server wrote it reads that."""
    since = {(row.kind, row.encoding): row.since for row in value_types(header.magic).values()}
    needed = [header.version, *(since.get(row, 0) for row in walk.encodings)]
    needed += [since_of("FREQ")] if walk.is_marked else []
    needed += [since_of("FUNCTION2")] if has_functions else []
    return header._replace(version=max(needed))


def _renamed(options: RepairOptions) -> dict[bytes, bytes]:
    if not options.rename_commands:
        return {}
    from rdbtool.engine.replay.replay_options import Renames  # noqa: PLC0415 - the engine takes a while

    return Renames(options.rename_commands).names


def _read_header(head: bytes) -> tuple[Header | None, bool]:
    """Return the header in the first nine bytes, corrected if damaged, and whether it is intact; None: not an RDB."""
    for magic, (low, high) in VERSIONS.items():
        digits = head[len(magic) : HEADER_SIZE]
        if head.startswith(magic.encode()) and len(digits) == HEADER_SIZE - len(magic) and digits.isdigit():
            if low <= int(digits) <= high:
                return Header(magic, int(digits)), True
            if _named(head) is None:
                raise UnsupportedError(
                    f"RDB version {int(digits)} of {magic.capitalize()} is not known to this release"
                )
    named = _named(head)
    if named is not None and head[:1] not in {b"*", b"#"}:
        return Header(named.magic, named.version), False
    for magic in (REDIS, VALKEY):
        alike = sum(a == b for a, b in zip(head, magic.encode(), strict=False))
        if alike >= len(magic) - 1:
            return Header(magic, _OLDEST[magic]), False
    return None, False


def _named(head: bytes) -> Target | None:
    match = _WRITER.search(head[:256])
    if match is None:
        return None
    release = find_release(match[1].decode(), match[2].decode())
    return None if release is None else Target.of_release(release)
