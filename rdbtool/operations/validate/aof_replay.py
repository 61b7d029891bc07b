"""The replay of an AOF as a part of its validation.

A file is opened again and replayed as ``rdbtool replay`` does. Input that can be read only once is executed during the
checks; the records of its snapshot are held until the snapshot was read. Both stop at the first damage: later commands
would run on other data than when they were written.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rdbtool._codec.sinks.records import Records
from rdbtool.core.errors import FormatError, PlaceError, ReplayError, UnsupportedError
from rdbtool.core.light_typing import TYPE_CHECKING, Final, NamedTuple
from rdbtool.core.progress import Progress
from rdbtool.core.servers import PRODUCT_BY_NAME, RulesChoice
from rdbtool.engine.command_errors import CommandError
from rdbtool.engine.engine import Engine
from rdbtool.engine.inference.least_server import TIMES, UNNAMED, ServerNeeds
from rdbtool.engine.replay.executor import Replay, collector_paused
from rdbtool.engine.replay.loader import describe_stop, replay_log, stop_at_damage
from rdbtool.engine.replay.replay_options import Renames, replay_options
from rdbtool.engine.replay.stops import Extent, show_name
from rdbtool.model import KeyRecord
from rdbtool.reader.open.files import find_part

if TYPE_CHECKING:
    from rdbtool.core.errors import Finding
    from rdbtool.operations.validate.verdict import Checks, Verdict
    from rdbtool.reader.aof.batches import CommandBatch
    from rdbtool.reader.aof.reader import AofReader
    from rdbtool.reader.aof.tail import Tail
    from rdbtool.reader.open.files import Part
    from rdbtool.reader.rdb import RdbReader


#: Why a place was not reached.
_DAMAGED_BEFORE: Final = "the AOF is damaged before the place to stop or the command to skip"


class Replayed(NamedTuple):
    """The result of a replay: findings of the engine, and keys by db (all, with an expiry).

    ``kinds`` counts all findings by severity and code; ``choice`` is the server rules that applied. ``extent`` says
    where it stopped and what it skipped. ``failure`` says why there was no replay, and ``missed`` that the place to
    stop was not reached.
    """

    findings: list[Finding]
    kinds: dict[tuple[str, str], int]
    by_db: dict[int, tuple[int, int]]
    choice: RulesChoice | None = None
    failure: str | None = None
    extent: Extent = Extent()
    missed: str | None = None


def replay_again(reader: AofReader, checks: Checks, progress: Progress | None) -> Replayed:
    """Replay an AOF that ``reader`` has read. Raises InputError, and FormatError if the AOF has changed."""
    options = replay_options(
        reader.path or "-", checks.places, now_ms=checks.now_ms, rename_commands=checks.rename_commands
    )._replace(rules=checks.rules, databases=checks.databases)
    try:
        again = reader.again()
        assert again is not None
        with again:
            loaded = replay_log(again, options, progress)
    except PlaceError as error:
        return Replayed([], {}, {}, missed=str(error))
    except FormatError:
        if checks.places is None:
            raise
        return Replayed([], {}, {}, missed=_DAMAGED_BEFORE)
    except (ReplayError, UnsupportedError) as error:
        return Replayed([], {}, {}, failure=str(error))
    return _sum_up(loaded.replay)._replace(extent=loaded.extent)


class LiveReplay:
    """Executes an AOF while it is being read elsewhere."""

    def __init__(self, checks: Checks) -> None:
        self.records = Records()
        self._replay = Replay(Engine(now_ms=checks.now_ms, databases=checks.databases))
        self._replay.engine.products = frozenset(PRODUCT_BY_NAME) if checks.rules is None else frozenset()
        self._needs = None if checks.rules is not None else ServerNeeds()
        self._replay.begin(UNNAMED if checks.rules is None else checks.choice, self._needs)
        self._options = replay_options("-", checks.places)
        self._stops = self._options.stops()
        self._stop_name = ""
        self._renames = Renames(checks.rename_commands)
        self._part = -1
        self._failure: str | None = None
        self._missed: str | None = None

    def load(self, rdb: RdbReader, verdict: Verdict, parts: list[Part]) -> None:
        """Load the ``records`` of a snapshot that was read to its end."""
        engine = self._replay.engine
        if self._needs is not None:
            self._needs.record_snapshot(rdb.header)
            self._replay.begin(verdict.choice, self._needs)
        with collector_paused():
            for record in self.records.take():
                assert isinstance(record, KeyRecord)
                engine.put(record)
        if rdb.product is not None and rdb.product.name in engine.products:
            engine.be_product(rdb.product)
        for library in rdb.functions:
            try:
                engine.load_function(library)
            except CommandError as error:
                self._failure = f"a function library cannot be loaded: {error}"

        if rdb.end is not None:
            with self._noting_places():
                self._stops.on_snapshot_read(find_part(parts, rdb.source.name), rdb.end.span.stop, rdb.aux, parts)

    def run(self, batch: CommandBatch, parts: list[Part]) -> None:
        """Execute commands before any damage, up to the place to stop."""
        if self._failure is not None or self._missed is not None or self._replay.stopped_at is not None:
            return
        if batch.part != self._part:
            self._part = batch.part
            self._replay.begin_part(parts[batch.part].name)
        if batch.annotations:
            self._replay.record(TIMES, None)
        if self._renames:
            batch = batch._replace(argvs=self._renames.apply(batch.argvs))
        with self._noting_places():
            limit, skips = self._stops.plan(batch, parts)
            self._replay.run(batch.argvs, batch.offsets, batch.first_number, limit=limit, skips=skips)
            if limit is not None:
                self._stop_name = show_name(batch.argvs[limit])

    def end(self, reader: AofReader, parts: list[Part], faults: list[tuple[FormatError, Tail]]) -> Replayed:
        """Return the result. ``reader`` has read to the end, and met ``faults`` on the way."""
        self._replay.end()
        if faults and self._replay.stopped_at is None:
            stop_at_damage(self._replay, self._stops, faults[0][1], parts)
        is_stopped = self._replay.stopped_at is not None
        fault = faults[0][0] if faults and not is_stopped else None
        if self._missed is None and self._failure is None:
            with self._noting_places():
                self._stops.check(reader.name, parts, fault, is_stopped=is_stopped)
        stopped = describe_stop(self._replay, self._stop_name, reader.count, is_counted=not faults)
        extent = Extent(self._options.place, stopped, tuple(self._stops.skipped))
        return _sum_up(self._replay)._replace(failure=self._failure, extent=extent, missed=self._missed)

    @contextmanager
    def _noting_places(self) -> Iterator[None]:
        """Keep the error of a place that is not reached: reading goes on."""
        try:
            yield
        except PlaceError as error:
            self._missed = str(error)
        except FormatError:
            self._missed = _DAMAGED_BEFORE


def _sum_up(replay: Replay) -> Replayed:
    databases = replay.engine.dbs.items()
    by_db = {index: (len(db.keys), len(db.expires)) for index, db in databases if db.keys}
    return Replayed(replay.findings, dict(replay.kinds), by_db, replay.choice)
