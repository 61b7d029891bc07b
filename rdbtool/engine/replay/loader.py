"""AOFs and RDB files as a keyspace: ``replay_log`` drives the engine over whatever ``open_any`` opened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

from rdbtool.core.commands import FIRST_WORDS
from rdbtool.core.errors import (
    Finding,
    FormatError,
    InputError,
    PlaceError,
    Remedy,
    ReplayError,
    UncertainError,
    UnsupportedError,
)
from rdbtool.core.light_typing import TYPE_CHECKING, Final, NamedTuple
from rdbtool.core.progress import Progress
from rdbtool.core.rdb_types import REDIS, SCRIPT_AUX
from rdbtool.core.servers import PRODUCT_BY_NAME, Rules, RulesChoice, choose_rules
from rdbtool.engine.command_errors import CommandError
from rdbtool.engine.engine import Engine
from rdbtool.engine.inference.least_server import MANIFEST, TIMES, UNNAMED, ServerNeeds
from rdbtool.engine.replay.executor import Replay, collector_paused
from rdbtool.engine.replay.replay_options import Options, Renames
from rdbtool.engine.replay.stops import Extent, Stopped, Stops, show_name
from rdbtool.model import Aux, FunctionLibrary, Header, ModuleAux
from rdbtool.reader.aof.batches import CommandBatch
from rdbtool.reader.aof.reader import AofReader
from rdbtool.reader.aof.tail import Tail
from rdbtool.reader.open.files import Part, find_part
from rdbtool.reader.open.windows import framing_remarks

if TYPE_CHECKING:
    from rdbtool._codec.sinks.check import Flagged
    from rdbtool.reader.rdb import RdbReader

_NAME_THE_SERVER: Final = Remedy(
    "\n  next: name the server that wrote the AOF with --rules",
    "\n  next: name the server that wrote the AOF, as in rules='redis-7.2'",
)

#: Findings that stop nothing, but change what a reader of the dataset should think of it.
_REMARKS: Final = {
    "CMD206": "a transaction was cut, and servers execute its commands with those of the next EXEC",
    "CMD209": "one order was used; a server may use another on each load",
    "CMD210": "KeyDB itself leaves it out when it loads the AOF",
}

#: An AOF without a snapshot names no version; what is made of it is an RDB of this one.
_VERSION = 11


class Loaded(NamedTuple):
    """What came of a source: the replay with its engine and the rules it went by, and how the source ended.

    ``header``, ``aux`` and ``module_aux`` are those of the snapshot, if there was one; ``snapshot_keys`` counts its
    keys. ``tail`` is None for an RDB and for an AOF that was not read to its end; ``fault`` is what ended it early.
    ``extent`` says where the replay stopped and what it skipped. ``flagged`` are the first records of the snapshot
    that failed a test of the ``Check`` sink, with the name of their file: the keyspace does not show what was wrong.
    ``around`` are findings about what stands around the source.
    """

    replay: Replay
    header: Header
    aux: list[Aux]
    snapshot_keys: int
    parts: list[Part]
    tail: Tail | None
    fault: FormatError | None
    module_aux: tuple[ModuleAux, ...] = ()
    extent: Extent = Extent()
    flagged: tuple[tuple[str, Flagged], ...] = ()
    around: tuple[Finding, ...] = ()

    @property
    def choice(self) -> RulesChoice:
        """The server rules that apply, their origin, and why."""
        return self.replay.choice

    @property
    def rules(self) -> Rules:
        """The server rules that apply."""
        return self.choice.rules

    @property
    def least(self) -> dict[str, Rules]:
        """By family, the oldest server that may have written the source: one where it or the caller names it."""
        needs = self.replay.needs
        if needs is None or self.choice.is_known:
            return {self.rules.family: self.rules}
        return dict(needs.least)

    @property
    def doubts(self) -> list[Finding]:
        """What makes the dataset uncertain: the first commands whose effect, or whose order, is unknown."""
        replay = self.replay
        return [*replay.doubts, *replay.order_doubts]

    @property
    def doubt(self) -> UncertainError | None:
        """What to say about ``doubts``, None where there are none."""
        return self._describe(self.doubts, self.replay.doubt_count)

    @property
    def obstacle(self) -> UncertainError | None:
        """What stops whatever rewrites or converts the dataset: ``doubt``, unless it is about an order only."""
        replay = self.replay
        return self._describe(replay.doubts, replay.doubt_count - len(replay.order_doubts))

    @property
    def remarks(self) -> list[str]:
        """What everything that reads the dataset has to tell: an order that was chosen, a transaction cut in two."""
        remarks = framing_remarks(self.around, self.parts[0].name if self.parts else "")
        for code, words in _REMARKS.items():
            first = next((finding for finding in self.replay.findings if finding.code == code), None)
            if first is not None:
                count = self.replay.counts[code]
                more = "" if count == 1 else f" (the first of {count:,})"
                remarks.append(f"{first.part}: at {first.offset:#x}: {first.message}{more}: {words} ({code})")
        if self.replay.was_raised:
            remarks.append(f"{self.choice}: earlier commands were executed by the rules of an older server")
        return remarks

    def _describe(self, findings: list[Finding], count: int) -> UncertainError | None:
        if not findings:
            return None
        # An error reply, or a difference of servers, is doubt where the rules were only inferred.
        is_guess = any(finding.code in {"CMD203", "CMD211"} for finding in findings)
        return UncertainError(findings, count, remedy=_NAME_THE_SERVER if is_guess else None)


def replay_log(
    reader: RdbReader | AofReader, options: Options | None = None, progress: Progress | None = None
) -> Loaded:
    """Read a source to its end, or to the place to stop, and return the state it leads to.

    Damage ends the replay and is in ``fault``; everything before it was executed, except the commands of a
    transaction that has no end. Raises what reading a snapshot raises, ReplayError with ``strict``, and PlaceError
    where the place to stop is not reached or a command to skip is not there; where damage comes before the place, that
    is raised.
    """
    options = options or Options()
    needs = None if options.rules is not None else ServerNeeds()
    with ExitStack() as opened:
        while True:
            loading = _Loading(reader, options, needs)
            again = None
            try:
                loaded = loading.load(progress)
            except ReplayError:
                again = loading.reopen()
                if again is None:
                    raise
            else:
                again = loading.reopen()
                if again is None:
                    return loaded
            # What was executed by the rules of an older server goes.
            del loading
            reader = opened.enter_context(again)
            if options.on_restart is not None:
                options.on_restart()


class _Loading:
    """One run of ``replay_log``."""

    def __init__(self, reader: RdbReader | AofReader, options: Options, needs: ServerNeeds | None) -> None:
        self.reader = reader
        self.options = options
        self.needs = needs
        self.engine = Engine(now_ms=options.now_ms, databases=options.databases)
        self.engine.products = frozenset(PRODUCT_BY_NAME) if options.rules is None else frozenset()
        self.renames = Renames(options.rename_commands)
        self.stops = options.stops()
        self.replay = Replay(
            self.engine,
            strict=options.strict,
            watcher=options.watcher,
            watched=options.watched,
        )
        self.replay.begin(UNNAMED if options.rules is None else RulesChoice(options.rules, "named"), needs)
        self.header = Header(REDIS, _VERSION)
        self.aux: list[Aux] = []
        self.module_aux: list[ModuleAux] = []
        self.snapshot_keys = 0
        self.flagged: list[tuple[str, Flagged]] = []
        #: Of the command at the place to stop; whether all that follow it were counted.
        self._stop_name = ""
        self._is_counted = True

    def load(self, progress: Progress | None) -> Loaded:
        reader = self.reader
        with collector_paused():
            if isinstance(reader, AofReader):
                self._load_parts(reader, progress)
            else:
                self._refuse_places(reader)
                self._load_snapshot(reader, reader.source.name, progress)
        self.replay.end()
        loaded = Loaded(self.replay, self.header, self.aux, self.snapshot_keys, [], None, None, tuple(self.module_aux))
        loaded = loaded._replace(flagged=tuple(self.flagged))
        if not isinstance(reader, AofReader):
            return loaded
        if self.replay.stopped_at is None and reader.fault is not None and reader.tail is not None:
            stop_at_damage(self.replay, self.stops, reader.tail, reader.parts)
        is_stopped = self.replay.stopped_at is not None
        self.stops.check(reader.name, reader.parts, None if is_stopped else reader.fault, is_stopped=is_stopped)
        is_counted = self._is_counted and reader.fault is None
        stopped = describe_stop(self.replay, self._stop_name, reader.count, is_counted=is_counted)
        loaded = loaded._replace(
            parts=reader.parts,
            around=reader.around,
            extent=Extent(self.options.place, stopped, tuple(self.stops.skipped)),
        )
        # Where the replay stopped, what the reader says is of the rest, which was not executed.
        return loaded if is_stopped else loaded._replace(tail=reader.tail, fault=reader.fault)

    def _refuse_places(self, snapshot: RdbReader) -> None:
        if self.stops.has_place or self.options.skip:
            raise PlaceError.no_commands(snapshot.source.name)

    def reopen(self) -> AofReader | None:
        """Return a new reader if newer rules were found after older ones executed commands, None to continue."""
        if not self.replay.was_raised or not self.options.is_repeatable or not isinstance(self.reader, AofReader):
            return None
        return self.reader.again()

    def _load_parts(self, reader: AofReader, progress: Progress | None) -> None:
        reader.known = FIRST_WORDS | frozenset(self.renames.names)
        self.replay.names_parts = len(reader.parts) > 1
        if reader.manifest is not None:
            self.replay.record(MANIFEST, None)
        part = -1
        pieces = reader.batches(on_fault="stop", progress=progress)
        for piece in pieces:
            if not isinstance(piece, CommandBatch):
                index = find_part(reader.parts, piece.source.name)
                self._load_snapshot(piece, reader.parts[index].name, progress)
                assert piece.end is not None
                self.stops.on_snapshot_read(index, piece.end.span.stop, piece.aux, reader.parts)
                continue
            if piece.part != part:
                part = piece.part
                self.replay.begin_part(reader.parts[part].name, is_base=reader.parts[part].kind == "base")
            if piece.annotations:
                self.replay.record(TIMES, None)
            if self.renames:
                piece = piece._replace(argvs=self.renames.apply(piece.argvs))  # noqa: PLW2901
            if self.options.on_batch is not None:
                self.options.on_batch(piece)
            limit, skips = self.stops.plan(piece, reader.parts)
            if not self.replay.run(piece.argvs, piece.offsets, piece.first_number, limit=limit, skips=skips):
                assert limit is not None
                self._stop_name = show_name(piece.argvs[limit])
                self._is_counted = _count_rest(reader, pieces)
                return

    def _load_snapshot(self, snapshot: RdbReader, name: str, progress: Progress | None) -> None:
        from rdbtool._codec.replay_record import feed_record  # noqa: PLC0415 - only for a snapshot: an AOF starts quickly
        from rdbtool._codec.sinks.check import Check  # noqa: PLC0415 - likewise

        engine, on_snapshot = self.engine, self.options.on_snapshot
        # Emitted first: the engine may keep what the record holds, and change it.
        check = Check()
        for record in snapshot.records(progress=progress):
            if on_snapshot is not None:
                on_snapshot(name, record)
            feed_record(record, check)
            engine.put(record)
        check.close()
        self.flagged += [(name, row) for row in check.flagged]
        for library in snapshot.functions:
            self._load_function(library, name)
        self.header = snapshot.header
        self.aux += snapshot.aux
        self.module_aux += snapshot.module_aux
        for field in snapshot.aux:
            if field.key == SCRIPT_AUX:
                engine.keep_script(field.value)
        self.snapshot_keys += snapshot.totals.keys
        if snapshot.product is not None and snapshot.product.name in engine.products:
            engine.be_product(snapshot.product)
        if self.needs is not None:
            self.needs.record_snapshot(snapshot.header)
            self.replay.begin(choose_rules(snapshot), self.needs)

    def _load_function(self, library: FunctionLibrary, part: str) -> None:
        if not library.released:
            raise UnsupportedError(f"{part}: it holds a function in the form of a release candidate of Redis 7.0")
        try:
            self.engine.load_function(library)
        except CommandError as error:
            raise ReplayError(f"{part}: a function library cannot be loaded, as by servers: {error}") from None


def stop_at_damage(replay: Replay, stops: Stops, tail: Tail, parts: list[Part]) -> None:
    """Note that the place to stop was reached, if it is where the damage that ended the AOF begins, or before."""
    # A transaction that is damaged was not executed, and the damage begins where it does.
    count = 0 if replay.in_transaction else replay.commands
    if stops.is_reached_by(tail.part, tail.at, count, parts):
        replay.stopped_at = parts[tail.part].name, tail.at, replay.commands + 1


def describe_stop(replay: Replay, name: str, count: int, *, is_counted: bool) -> Stopped | None:
    """Return where a replay stopped, before a command called ``name``, of ``count`` commands in all."""
    if replay.stopped_at is None:
        return None
    left_out = count - replay.stopped_at[2] + 1 + replay.queued
    return Stopped(*replay.stopped_at, name, left_out, is_counted, in_transaction=replay.in_transaction)


def _count_rest(reader: AofReader, pieces: Iterator[RdbReader | CommandBatch]) -> bool:
    """Count the commands after the place to stop by their framing; return whether all could be read.

    They are not what was asked for: that they are damaged, missing or still being written changes no answer.
    """
    try:
        reader.count_rest(pieces)
    except (FormatError, UnsupportedError, InputError) as error:
        from rdbtool.writer.exclusive.holders import HeldError  # noqa: PLC0415 - only for rewrites in place

        if isinstance(error, HeldError):
            raise
        return False
    return True
