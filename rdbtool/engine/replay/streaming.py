"""Commands that rebuild a dataset, read as the records that they make, one key after another.

Such commands (a server's rewrite, our own output) finish a key before they begin the next. So a key is complete
when another one appears after it; it is handed on then and forgotten, and memory does not grow with the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, Self

from rdbtool._codec.replay_record import feed_item
from rdbtool.core.errors import ReplayError
from rdbtool.core.progress import Progress
from rdbtool.core.rdb_types import REDIS
from rdbtool.core.servers import Rules
from rdbtool.engine.engine import Engine
from rdbtool.engine.export.engine_dataset import EngineDataset, script_fields
from rdbtool.engine.export.events import emit_db
from rdbtool.engine.replay.executor import Replay, collector_paused
from rdbtool.model import Header
from rdbtool.reader.aof.batches import CommandBatch
from rdbtool.reader.aof.reader import open_aof

if TYPE_CHECKING:
    from rdbtool._codec.filters.selection import Selection
    from rdbtool._codec.sink import Sink
    from rdbtool.core.progress import Progress

#: No configured limit of databases applies to SELECT.
_DATABASES: Final = 1 << 62

#: The end of time, in Unix ms.
_LAST_MS: Final = (1 << 63) - 1


class CommandsFile:
    """A file of commands: fed as the keys, functions and scripts that they make on a server of ``rules``."""

    kind: Literal["commands"] = "commands"

    def __init__(self, path: str, rules: Rules) -> None:
        self._path = path
        self._rules = rules

    def feed(self, sink: Sink, *, selection: Selection | None = None, progress: Progress | None = None) -> None:
        """Feed everything to ``sink``.

        Nothing expires, whatever the time is. Raises FormatError, InputError, and ReplayError for the first command
        that is not executed, or that the server does not have.
        """
        engine = Engine(rules=self._rules, databases=_DATABASES)
        replay = Replay(engine, strict=True)
        replay.begin_part(self._path)
        with collector_paused(), open_aof(self._path) as reader:
            for batch in reader.batches(progress=progress):
                if not isinstance(batch, CommandBatch):
                    raise ReplayError(f"{self._path}: an RDB precedes the commands")
                _run(replay, batch)
                _hand_on(engine, sink, selection, keep=True)
        _hand_on(engine, sink, selection, keep=False)
        for item in EngineDataset(engine, Header(REDIS, 11), script_fields(engine)).read_preamble():
            feed_item(item, sink)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        """Nothing stays open."""


def _run(replay: Replay, batch: CommandBatch) -> None:
    """Execute a batch outside of time.

    Claims come after everything, so that no time of delivery is cut to the present; the rest comes before anything, so
    that no field has expired.
    """
    argvs = batch.argvs
    claims = [index for index, argv in enumerate(argvs) if argv[0] == b"XCLAIM"]
    first = 0
    for index in claims:
        _run_at(0, replay, batch, first, index)
        _run_at(_LAST_MS, replay, batch, index, index + 1)
        first = index + 1
    _run_at(0, replay, batch, first, len(argvs))


def _run_at(now_ms: int, replay: Replay, batch: CommandBatch, start: int, stop: int) -> None:
    if start < stop:
        replay.engine.now_ms = now_ms
        replay.run(batch.argvs[start:stop], batch.offsets[start:stop], batch.first_number + start)


def _hand_on(engine: Engine, sink: Sink, selection: Selection | None, *, keep: bool) -> None:
    """Emit all keys and forget them; ``keep``: but the last one of the current database."""
    for index, db in engine.dbs.items():
        if not db.keys:
            continue
        last = None
        if keep and db is engine.db:
            key, data = db.keys.popitem()
            last = key, data, db.expires.pop(key, None)
        emit_db(index, db.keys, db.expires, sink, selection)
        db.clear()
        if last is not None:
            key, data, expire_at_ms = last
            db.put(key, data)
            if expire_at_ms is not None:
                db.expires[key] = expire_at_ms
