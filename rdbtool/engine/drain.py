"""Commands that rebuild a data set, read as the records that they make, one key after another.

Such commands (a server's rewrite, our own output) finish a key before they begin the next. So a key is complete
when another one appears behind it; it is handed on then and forgotten, and memory does not grow with the file.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby, islice
from typing import Final

from rdbtool._codec.feed import feed_item, feed_record
from rdbtool._codec.sink import Sink
from rdbtool.engine.convert import to_value
from rdbtool.engine.engine import Engine
from rdbtool.engine.replay import Replay, collector_paused
from rdbtool.engine.state import EngineState
from rdbtool.errors import ReplayError
from rdbtool.findings import Finding
from rdbtool.model import Header, KeyRecord
from rdbtool.reader.aof import open_aof
from rdbtool.reader.batches import CommandBatch
from rdbtool.rules import Rules
from rdbtool.types import REDIS

#: Nobody's configuration is to stand in the way of a SELECT.
_DATABASES: Final = 1 << 62

#: The end of time, in Unix ms.
_LAST_MS: Final = (1 << 63) - 1


def feed_commands(path: str, sink: Sink, rules: Rules, progress: Callable[[int], object] | None = None) -> None:
    """Tell ``sink`` of the keys and functions that the commands in a file make on a server of ``rules``.

    Nothing expires, whatever the time is. Raises FormatError, InputError, and ReplayError for the first command that
    is not executed.
    """
    engine = Engine(rules=rules, databases=_DATABASES)
    replay = Replay(engine, strict=True)
    replay.begin_part(path)
    with collector_paused(), open_aof(path) as reader:
        for batch in reader.batches(progress=progress):
            if not isinstance(batch, CommandBatch):
                raise ReplayError(f"{path}: there is an RDB in front of the commands")
            _run(replay, batch)
            _hand_on(engine, sink, keep=1)
    _hand_on(engine, sink, keep=0)
    for library in EngineState(engine, Header(REDIS, 11)).functions:
        feed_item(library, sink)


def _run(replay: Replay, batch: CommandBatch) -> None:
    """Execute a batch outside of time.

    Claims come after everything, so that no time of delivery is cut to the present; the rest comes before anything, so
    that no field has expired.
    """
    first = 0
    for is_claim, run in groupby(batch.argvs, lambda argv: argv[0] == b"XCLAIM"):
        replay.engine.now_ms = _LAST_MS if is_claim else 0
        argvs = list(run)
        replay.run(argvs, batch.offsets[first : first + len(argvs)], batch.first_number + first)
        first += len(argvs)


def describe_finding(finding: Finding) -> str:
    """Word a finding in one sentence with file and offset."""
    return f"{finding.part}: at {finding.offset:#x}: {finding.message} ({finding.code})"


def _hand_on(engine: Engine, sink: Sink, *, keep: int) -> None:
    """Tell of all keys but the last ``keep`` of the current database, and forget them."""
    for index, db in engine.dbs.items():
        count = len(db.keys) - (keep if db is engine.db else 0)
        if count <= 0:
            continue
        for key, data in islice(db.keys.items(), count):
            feed_record(KeyRecord(db=index, key=key, value=to_value(data), expire_at_ms=db.expires.get(key)), sink)
        for key in list(islice(db.keys, count)):
            db.delete(key)
