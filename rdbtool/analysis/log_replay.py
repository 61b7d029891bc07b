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
from rdbtool.engine.renames import Renames
from rdbtool.engine.replay import Replay, collector_paused
from rdbtool.errors import ReplayError, UnsupportedError
from rdbtool.model import KeyRecord
from rdbtool.products import BY_NAME, Product
from rdbtool.reader.aof import open_aof
from rdbtool.rules import DEFAULT, Rules

if TYPE_CHECKING:
    from rdbtool.analysis.validate import Checks, Verdict
    from rdbtool.findings import Finding
    from rdbtool.reader.batches import CommandBatch
    from rdbtool.reader.rdb import RdbReader

Progress = Callable[[int], object]


class Replayed(NamedTuple):
    """What a replay came to: findings of the engine, all of them by severity, and keys by db (all, with an expiry).

    ``failure`` words why there was none.
    """

    findings: list[Finding]
    severities: dict[str, int]
    by_db: dict[int, tuple[int, int]]
    failure: str | None = None


def replay_file(
    path: str, rules: Rules, checks: Checks, product: Product | None, *, backend: str, progress: Progress | None
) -> Replayed:
    """Replay the log at a path, of a product or of none. Raises InputError, FormatError where it is not what it was."""
    options = Options(
        rules=rules,
        now_ms=checks.now_ms,
        databases=checks.databases,
        products=frozenset() if product is None else frozenset({product.name}),
        rename_commands=checks.rename_commands,
    )
    try:
        with open_aof(path, backend=backend, lax=checks.level == "server") as reader:
            loaded = replay_log(reader, options, progress)
    except (ReplayError, UnsupportedError) as error:
        return Replayed([], {}, {}, str(error))
    return _sum_up(loaded.replay)


class LiveReplay:
    """Executes a log that is being read by somebody else."""

    def __init__(self, checks: Checks) -> None:
        rules = checks.rules or Rules.parse(DEFAULT)
        self.records = Records()
        self._replay = Replay(Engine(rules=rules, now_ms=checks.now_ms, databases=checks.databases))
        self._are_asked_for = checks.rules is not None
        self._replay.engine.products = frozenset() if self._are_asked_for else frozenset(BY_NAME)
        self._renames = Renames(checks.rename_commands)
        self._part = -1
        self._failure: str | None = None

    def load(self, rdb: RdbReader, verdict: Verdict) -> None:
        """Take what ``records`` heard of a snapshot that was read to its end."""
        engine = self._replay.engine
        if not self._are_asked_for:
            engine.rules = verdict.rules
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

    def run(self, batch: CommandBatch, part: str) -> None:
        """Execute commands, which no damage precedes."""
        if self._failure is not None:
            return
        if batch.part != self._part:
            self._part = batch.part
            self._replay.begin_part(part)
        argvs = self._renames.apply(batch.argvs) if self._renames else batch.argvs
        self._replay.run(argvs, batch.offsets, batch.first_number)

    def end(self) -> Replayed:
        """Return what it came to."""
        return _sum_up(self._replay)._replace(failure=self._failure)


def _sum_up(replay: Replay) -> Replayed:
    databases = replay.engine.dbs.items()
    by_db = {index: (len(db.keys), len(db.expires)) for index, db in databases if db.keys}
    return Replayed(replay.findings, dict(replay.severities), by_db)
