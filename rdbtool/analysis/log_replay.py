"""The replay of a log as a part of its validation.

A file is opened again and replayed as ``rdbtool replay`` does. What can be read only once is executed while it is
judged; the records of its snapshot are then held until the snapshot was read. Both stop at the first damage: what
commands behind it find there is not what they found when they were written.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from rdbtool._codec.records import Records
from rdbtool.engine.engine import Engine
from rdbtool.engine.errors import CommandError
from rdbtool.engine.log import Options, replay_log
from rdbtool.engine.needs import TIMES, UNNAMED, Needs
from rdbtool.engine.replay import Replay, collector_paused
from rdbtool.errors import ReplayError, UnsupportedError
from rdbtool.model import KeyRecord
from rdbtool.reader.aof import open_aof
from rdbtool.servers import RulesChoice

if TYPE_CHECKING:
    from rdbtool.analysis.validate import Checks, Verdict
    from rdbtool.findings import Finding
    from rdbtool.reader.batches import CommandBatch
    from rdbtool.reader.rdb import RdbReader

Progress = Callable[[int], object]


class Replayed(NamedTuple):
    """What a replay came to: findings of the engine, and keys by db (all, with an expiry).

    ``kinds`` counts all findings by severity and code; ``choice`` tells whose rules applied, ``failure`` words why
    there was none.
    """

    findings: list[Finding]
    kinds: dict[tuple[str, str], int]
    by_db: dict[int, tuple[int, int]]
    choice: RulesChoice | None = None
    failure: str | None = None


def replay_file(path: str, checks: Checks, *, backend: str, progress: Progress | None) -> Replayed:
    """Replay the log at a path. Raises InputError, and FormatError where the log is not what it was."""
    options = Options(rules=checks.rules, now_ms=checks.now_ms, databases=checks.databases)
    try:
        with open_aof(path, backend=backend, lax=checks.level == "server") as reader:
            loaded = replay_log(reader, options, progress)
    except (ReplayError, UnsupportedError) as error:
        return Replayed([], {}, {}, failure=str(error))
    return _sum_up(loaded.replay)


class LiveReplay:
    """Executes a log that is being read by somebody else."""

    def __init__(self, checks: Checks) -> None:
        self.records = Records()
        self._replay = Replay(Engine(now_ms=checks.now_ms, databases=checks.databases))
        self._needs = None if checks.rules is not None else Needs()
        self._replay.begin(UNNAMED if checks.rules is None else checks.choice, self._needs)
        self._part = -1
        self._failure: str | None = None

    def load(self, rdb: RdbReader, verdict: Verdict) -> None:
        """Take what ``records`` heard of a snapshot that was read to its end."""
        engine = self._replay.engine
        if self._needs is not None:
            self._needs.meet_snapshot(rdb.header)
            self._replay.begin(verdict.choice, self._needs)
        with collector_paused():
            for record in self.records.take():
                assert isinstance(record, KeyRecord)
                engine.put(record)
        for library in rdb.functions:
            try:
                engine.load_function(library)
            except CommandError as error:
                self._failure = f"a function library cannot be loaded: {error}"

    def run(self, batch: CommandBatch, part: str) -> None:
        """Execute commands, which no damage precedes."""
        if self._failure is not None:
            return
        if batch.part != self._part:
            self._part = batch.part
            self._replay.begin_part(part)
        if batch.annotations:
            self._replay.meet(TIMES, None)
        self._replay.run(batch.argvs, batch.offsets, batch.first_number)

    def end(self) -> Replayed:
        """Return what it came to."""
        self._replay.end()
        return _sum_up(self._replay)._replace(failure=self._failure)


def _sum_up(replay: Replay) -> Replayed:
    databases = replay.engine.dbs.items()
    by_db = {index: (len(db.keys), len(db.expires)) for index, db in databases if db.keys}
    return Replayed(replay.findings, dict(replay.kinds), by_db, replay.choice)
