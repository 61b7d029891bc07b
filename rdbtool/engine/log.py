"""Logs and snapshots as a keyspace: read, replayed, and handed on as records.

``replay_log`` drives the engine over whatever ``open_any`` opened. ``ReplayedLog`` wears the face of an RdbReader,
so that a command that reads keys need not know which of the two it was given.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final, NamedTuple, Self

from rdbtool._codec.feed import feed_header, feed_item, feed_record
from rdbtool._codec.selection import Selection
from rdbtool._codec.sink import Sink
from rdbtool.engine.engine import DATABASES, Engine, load_families
from rdbtool.engine.errors import CommandError
from rdbtool.engine.keyspec import is_called
from rdbtool.engine.places import Place
from rdbtool.engine.replay import Replay, Watcher, collector_paused
from rdbtool.engine.state import script_fields
from rdbtool.engine.table import known_names
from rdbtool.errors import FormatError, InputError, ReplayError, UncertainError, UnsupportedError
from rdbtool.findings import Finding
from rdbtool.model import Aux, End, FunctionLibrary, Header, Item, KeyRecord, ModuleAux
from rdbtool.reader.aof import AofReader
from rdbtool.reader.batches import CommandBatch, read_time
from rdbtool.reader.open import open_any
from rdbtool.reader.parts import Part, find_part
from rdbtool.reader.rdb import RdbReader, Totals
from rdbtool.reader.rules import names_writer, resolve_rules
from rdbtool.reader.tail import Tail
from rdbtool.rules import DEFAULT, Rules
from rdbtool.span import Span
from rdbtool.types import REDIS, SCRIPT_AUX

Progress = Callable[[int], object]

#: Findings that stop nothing, but change what a reader of the dataset should think of it.
_REMARKS: Final = {
    "CMD206": "a transaction was cut, and servers execute its commands with those of the next EXEC",
    "CMD209": "one order was taken, a server may take another at each load",
}

#: A log without a snapshot names no version; what is made of it is an RDB of this one.
_VERSION = 11


class Loaded(NamedTuple):
    """What came of a source: the replay with its engine, the rules it went by, and how the source ended.

    ``header``, ``aux`` and ``module_aux`` are those of the snapshot, if there was one; ``snapshot_keys`` counts its
    keys.
    ``tail`` is None for an RDB and for a log that was not read to its end; ``fault`` is what ended it early.
    """

    replay: Replay
    rules: Rules
    header: Header
    aux: list[Aux]
    snapshot_keys: int
    parts: list[Part]
    tail: Tail | None
    fault: FormatError | None
    module_aux: tuple[ModuleAux, ...] = ()

    @property
    def doubts(self) -> list[Finding]:
        """What makes the dataset uncertain: the first commands whose effect, or whose order, is unknown."""
        replay = self.replay
        return [*replay.doubts, *replay.order_doubts]

    @property
    def doubt(self) -> UncertainError | None:
        """What to tell of ``doubts``, None where there are none."""
        return self._describe(self.doubts, self.replay.doubt_count)

    @property
    def obstacle(self) -> UncertainError | None:
        """What stops whatever rewrites or converts the dataset: ``doubt``, unless it is about an order only."""
        replay = self.replay
        return self._describe(replay.doubts, replay.doubt_count - len(replay.order_doubts))

    @property
    def remarks(self) -> list[str]:
        """What everything that reads the dataset has to tell: an order that was chosen, a transaction cut in two."""
        remarks = []
        for code, words in _REMARKS.items():
            first = next((finding for finding in self.replay.findings if finding.code == code), None)
            if first is not None:
                count = self.replay.counts[code]
                more = "" if count == 1 else f" (the first of {count:,})"
                remarks.append(f"{first.part}: at {first.offset:#x}: {first.message}{more}: {words} ({code})")
        return remarks

    def _describe(self, findings: list[Finding], count: int) -> UncertainError | None:
        if not findings:
            return None
        # An error reply is doubt only under rules that were inferred.
        is_guess = any(finding.code == "CMD203" for finding in findings)
        step = "name the server that wrote the AOF with --rules" if is_guess else ""
        return UncertainError(findings, count, next_step=step)


class Options(NamedTuple):
    """How to replay. ``rules`` None: those of the snapshot's writer. ``before`` is a command's upper-case name.

    ``on_snapshot`` hears of each record of a snapshot and the name of its part, ``on_batch`` of commands before they
    are executed (of the last ones, before it is known how many will be). ``databases``: see ``Engine``; ``watcher``:
    see ``Replay``.
    """

    rules: Rules | None = None
    now_ms: int = 0
    until: Place | None = None
    before: bytes | None = None
    before_number: int | None = None
    strict: bool = False
    databases: int = DATABASES
    watcher: Watcher | None = None
    on_snapshot: Callable[[str, KeyRecord], None] | None = None
    on_batch: Callable[[CommandBatch], None] | None = None


def replay_log(
    reader: RdbReader | AofReader, options: Options | None = None, progress: Progress | None = None
) -> Loaded:
    """Read a source to its end, or to the place to stop, and return the state it leads to.

    Damage ends the replay and is in ``fault``; everything before it was executed, except the commands of a
    transaction that has no end. Raises what reading a snapshot raises, and ReplayError with ``strict``.
    """
    return _Loading(reader, options or Options()).load(progress)


def find_last(target: str | os.PathLike[str] | bytes | BinaryIO, name: bytes) -> int | None:
    """Return the number of the last command called ``name`` (upper case) in a log, None if there is none."""
    load_families()
    last = None
    with open_any(target) as reader:
        if isinstance(reader, AofReader):
            for piece in reader.batches(on_fault="stop"):
                if isinstance(piece, CommandBatch):
                    for index, argv in enumerate(piece.argvs):
                        if is_called(argv, name):
                            last = piece.first_number + index
    return last


class _Loading:
    """One run of ``replay_log``."""

    def __init__(self, reader: RdbReader | AofReader, options: Options) -> None:
        self.reader = reader
        self.options = options
        rules = options.rules or Rules.parse(DEFAULT)
        self.engine = Engine(rules=rules, now_ms=options.now_ms, databases=options.databases)
        self._is_later = False
        self.replay = Replay(
            self.engine,
            before=options.before,
            before_number=options.before_number,
            strict=options.strict,
            watcher=options.watcher,
        )
        self.replay.are_rules_known = options.rules is not None
        self.header = Header(REDIS, _VERSION)
        self.aux: list[Aux] = []
        self.module_aux: list[ModuleAux] = []
        self.snapshot_keys = 0

    def load(self, progress: Progress | None) -> Loaded:
        reader = self.reader
        with collector_paused():
            if isinstance(reader, RdbReader):
                self._load_snapshot(reader, reader.source.name, progress)
            else:
                self._load_parts(reader, progress)
        loaded = Loaded(
            self.replay,
            self.engine.rules,
            self.header,
            self.aux,
            self.snapshot_keys,
            [],
            None,
            None,
            tuple(self.module_aux),
        )
        if isinstance(reader, RdbReader):
            return loaded
        if self.replay.stopped_at is None and reader.fault is not None:
            self._stop_at_damage(reader)
        if self.replay.stopped_at is not None:
            # What the reader says is of the part before.
            return loaded._replace(parts=reader.parts)
        return loaded._replace(parts=reader.parts, tail=reader.tail, fault=reader.fault)

    def _stop_at_damage(self, reader: AofReader) -> None:
        """Note that the place to stop was reached, if it lies in front of the damage that ended the log."""
        until, tail = self.options.until, reader.tail
        if until is None or tail is None:
            return
        if until.commands is not None:
            is_reached = self.replay.commands >= until.commands and not self.replay.in_transaction
        else:
            is_reached = (
                until.offset is not None and self._chosen(reader.parts) == tail.part and until.offset <= tail.at
            )
        if is_reached:
            self.replay.stopped_at = reader.parts[tail.part].name, tail.at, self.replay.commands + 1

    def _load_parts(self, reader: AofReader, progress: Progress | None) -> None:
        self._check_part(reader.parts)
        reader.known = known_names()
        part = -1
        for piece in reader.batches(on_fault="stop", progress=progress):
            if isinstance(piece, RdbReader):
                self._load_snapshot(piece, reader.parts[find_part(reader.parts, piece.source.name)].name, progress)
                continue
            if piece.part != part:
                part = piece.part
                self.replay.begin_part(reader.parts[part].name)
            if self.options.on_batch is not None:
                self.options.on_batch(piece)
            limit = self._limit(piece, reader.parts)
            if not self.replay.run(piece.argvs, piece.offsets, piece.first_number, limit=limit):
                return

    def _load_snapshot(self, snapshot: RdbReader, name: str, progress: Progress | None) -> None:
        engine, told = self.engine, self.options.on_snapshot
        # Told first: the engine may keep what the record holds, and change it.
        for record in snapshot.records(progress=progress):
            if told is not None:
                told(name, record)
            engine.put(record)
        for library in snapshot.functions:
            self._load_function(library, name)
        self.header = snapshot.header
        self.aux += snapshot.aux
        self.module_aux += snapshot.module_aux
        for field in snapshot.aux:
            if field.key == SCRIPT_AUX:
                engine.keep_script(field.value)
        self.snapshot_keys += snapshot.totals.keys
        if self.options.rules is None:
            engine.rules = resolve_rules(None, snapshot)
            self.replay.are_rules_known = names_writer(snapshot)

    def _load_function(self, library: FunctionLibrary, part: str) -> None:
        if not library.released:
            raise UnsupportedError(f"{part}: it holds a function in the form of a release candidate of Redis 7.0")
        try:
            self.engine.load_function(library)
        except CommandError as error:
            raise ReplayError(f"{part}: a function library cannot be loaded, as by servers: {error}") from None

    def _limit(self, batch: CommandBatch, parts: list[Part]) -> int | None:
        """Return the index of the first command of a batch that stands behind the place to stop."""
        until = self.options.until
        if until is None:
            return None
        if until.commands is not None:
            return max(0, until.commands - batch.first_number + 1)
        if until.time is not None:
            # An annotation may be the last thing of a batch, and then it speaks of the next one.
            first = 0 if self._is_later else None
            for index, text in batch.annotations:
                if first is None and (read_time(text) or 0) > until.time:
                    first = index
            self._is_later = first is not None
            return first
        assert until.offset is not None
        chosen = self._chosen(parts)
        if batch.part < chosen:
            return None
        return bisect_left(batch.offsets, until.offset) if batch.part == chosen else 0

    def _chosen(self, parts: list[Part]) -> int:
        """Return the index of the part that the place to stop names, of the last if it names none; -1: none is it."""
        until = self.options.until
        if until is None or until.part is None:
            return len(parts) - 1
        named = (index for index, part in enumerate(parts) if until.part in (part.name, str(index + 1)))
        return next(named, -1)

    def _check_part(self, parts: list[Part]) -> None:
        until = self.options.until
        if until is not None and until.part is not None and self._chosen(parts) < 0:
            names = ", ".join(part.name for part in parts)
            raise InputError(f"the log has no part {until.part!r}, only {names}")


class LogSource(NamedTuple):
    """What a command may ask of where a log came from: its name, and its size in bytes if it is known."""

    name: str
    size: int | None
    compression: str | None = None
    compressed_size: int | None = None


class ReplayedLog:
    """The keys that a log leads to, with the face of an RdbReader. The log is replayed when this is made.

    When damage ended the log early, the keys that precede it are handed out first, and then the fault is raised.
    """

    def __init__(self, reader: AofReader, options: Options | None = None, progress: Progress | None = None) -> None:
        self.loaded = replay_log(reader, options, progress)
        self.header = self.loaded.header
        self.engine = self.loaded.replay.engine
        fields = [field for field in self.loaded.aux if field.key != SCRIPT_AUX]
        self.aux = fields + script_fields(self.engine)
        self.functions = [
            FunctionLibrary(code, released=True, span=Span(-1, -1)) for code in self.engine.functions.values()
        ]
        self.end: End | None = None
        self.source = LogSource(reader.name, reader.size)
        self.doubt = self.loaded.doubt
        self.obstacle = self.loaded.obstacle
        self.remarks = self.loaded.remarks
        self._records = self.engine.records()
        self._keys = 0
        self._selected = 0
        self._expires = 0
        self._by_kind: dict[str, int] = {}
        self._by_db: dict[int, tuple[int, int]] = {}

    @property
    def totals(self) -> Totals:
        """What was handed out so far."""
        return Totals(self._keys, self._expires, self._selected, self._by_kind, self._by_db)

    def records(self, *, selection: Selection | None = None, progress: Progress | None = None) -> Iterator[KeyRecord]:
        """Yield the keys that ``selection`` takes, then raise the fault that ended the log, if one did."""
        del progress  # the log was read before
        for record in self._records:
            self._count(record)
            if selection is None or selection.take(record):
                self._selected += 1
                yield record
                if selection is not None and selection.is_full:
                    return
        if self.loaded.fault is not None:
            raise self.loaded.fault

    def items(
        self, *, selection: Selection | None = None, progress: Progress | None = None
    ) -> Iterator[Item | KeyRecord]:
        """Yield header, aux fields, module data and functions, then the keys."""
        yield self.header
        yield from self.aux
        yield from self.loaded.module_aux
        yield from self.functions
        yield from self.records(selection=selection, progress=progress)

    def feed(self, sink: Sink, *, selection: Selection | None = None, progress: Progress | None = None) -> Totals:
        """Tell ``sink`` of everything, as an RdbReader would."""
        feed_header(self.header.magic, self.header.version, sink)
        items: list[Item] = [*self.aux, *self.loaded.module_aux, *self.functions]
        for item in items:
            feed_item(item, sink)
        for record in self.records(selection=selection, progress=progress):
            feed_record(record, sink)
        return self.totals

    def __iter__(self) -> Iterator[KeyRecord]:
        return self.records()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Nothing is open: the log was read when this was made."""

    def _count(self, record: KeyRecord) -> None:
        expires = record.expire_at_ms is not None
        self._keys += 1
        self._expires += expires
        self._by_kind[record.kind] = self._by_kind.get(record.kind, 0) + 1
        keys, expiring = self._by_db.get(record.db, (0, 0))
        self._by_db[record.db] = (keys + 1, expiring + expires)
