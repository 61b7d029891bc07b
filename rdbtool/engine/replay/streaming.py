"""Commands that rebuild a dataset, read as the records that they make, one key after another.

Such commands (a server's rewrite, our own output) finish a key before they begin the next. So a key is complete
when another one appears after it; it is handed on then and forgotten, and memory does not grow with the file. What
plain commands make is emitted from the file (``PlainKeys``), without an engine, which executes the rest, in sections
of the file. Even there a collection that thousands of equal commands make is not held, nor is a long string
(``CommandRun``).
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial

from rdbtool._codec.decode.command_runs import CommandRun, PlainKeys, find_run, is_omitted
from rdbtool._codec.replay_record import feed_item, feed_stream_tail
from rdbtool._codec.sink import Null
from rdbtool.core.errors import FormatError, InputError, ReplayError
from rdbtool.core.light_typing import TYPE_CHECKING, Final, Literal, Self
from rdbtool.core.progress import Progress
from rdbtool.core.rdb_types import REDIS
from rdbtool.core.servers import Rules
from rdbtool.engine.engine import Engine
from rdbtool.engine.export.engine_dataset import EngineDataset, script_fields
from rdbtool.engine.export.events import emit_db
from rdbtool.engine.export.key_records import to_value
from rdbtool.engine.replay.executor import Replay, collector_paused
from rdbtool.engine.streams.data import StreamData
from rdbtool.model import Header, StreamValue
from rdbtool.reader.aof.batches import CommandBatch
from rdbtool.reader.aof.reader import AofReader, open_aof

if TYPE_CHECKING:
    from rdbtool._codec.filters.selection import Selection
    from rdbtool._codec.sink import Sink
    from rdbtool.core.progress import Progress

#: No configured limit of databases applies to SELECT.
_DATABASES: Final = 1 << 62

#: The first server that has all plain commands (see ``PlainKeys``).
_FIRST_WITH_PLAIN: Final = (2, 6)

#: The first servers with streams, and with their counters, which XSETID sets.
_FIRST_WITH_STREAMS: Final = (5, 0)
_FIRST_WITH_COUNTERS: Final = (7, 0)

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
        if selection is not None or not self._rules.has(_FIRST_WITH_PLAIN):
            self._execute_all(sink, selection, progress)
            return
        try:
            self._feed_plain(sink, progress)
        except (FormatError, ReplayError):
            # Read from its beginning on, it says which command it is.
            self._execute_all(Null(), None, None)
            raise

    def _feed_plain(self, sink: Sink, progress: Progress | None) -> None:
        """Feed what plain commands make from the file, and execute what is between them."""
        replay = self._begin()
        with collector_paused(), _opened(self._path) as file:
            rules = self._rules
            plain = PlainKeys(
                partial(_reread, self._path, file),
                has_streams=rules.has(_FIRST_WITH_STREAMS),
                has_counters=rules.has(_FIRST_WITH_COUNTERS),
            )
            size = os.fstat(file).st_size
            at = 0
            while True:
                at, db = plain.emit_from(at, replay.engine.index, sink, progress)
                if at >= size:
                    break
                stop = plain.find_plain(at) or size
                replay.engine.select(db)
                with open_aof(self._path, omits_long=True, start=at) as reader:
                    self._execute(reader, _Feeding(replay, sink, None, self._path, file), progress, stop)
                at = stop
        _feed_items(replay.engine, sink)

    def _begin(self) -> Replay:
        replay = Replay(Engine(rules=self._rules, databases=_DATABASES), strict=True)
        replay.begin_part(self._path)
        return replay

    def _execute_all(self, sink: Sink, selection: Selection | None, progress: Progress | None) -> None:
        replay = self._begin()
        with collector_paused(), open_aof(self._path, omits_long=True) as reader, _opened(self._path) as file:
            self._execute(reader, _Feeding(replay, sink, selection, self._path, file), progress)
        _feed_items(replay.engine, sink)

    def _execute(
        self, reader: AofReader, feeding: _Feeding, progress: Progress | None, stop: int | None = None
    ) -> None:
        """Execute the commands of a reader, up to the one at the offset ``stop``."""
        for batch in reader.batches(progress=progress):
            if not isinstance(batch, CommandBatch):
                raise ReplayError(f"{self._path}: an RDB precedes the commands")
            if stop is not None and batch.stop > stop:
                feeding.take(batch._replace(argvs=batch.argvs[: bisect_left(batch.offsets, stop)]))
                break
            feeding.take(batch)
        feeding.finish()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        """Nothing stays open."""


@contextmanager
def _opened(path: str) -> Iterator[int]:
    """Open a file again. Raises InputError."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise InputError(f"cannot open {path}: {error.strerror}") from error
    try:
        yield file
    finally:
        # Nothing was written through it.
        with suppress(OSError):
            os.close(file)


@contextmanager
def _reading(path: str) -> Iterator[None]:
    """Turn a failure of the system into InputError."""
    try:
        yield
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error


def _reread(path: str, file: int, view: memoryview, at: int) -> int:
    """Fill ``view`` from an offset of a file; return how many bytes there were."""
    with _reading(path):
        return os.preadv(file, [view], at)


def _feed_items(engine: Engine, sink: Sink) -> None:
    """Feed what is not a key: functions and scripts."""
    for item in EngineDataset(engine, Header(REDIS, 11), script_fields(engine)).read_preamble():
        feed_item(item, sink)


class _Feeding:
    """Executes batches, and hands on the keys that are complete. ``file`` is a descriptor of the file at ``path``."""

    def __init__(self, replay: Replay, sink: Sink, selection: Selection | None, path: str, file: int) -> None:
        self._replay = replay
        self._path = path
        self._engine = replay.engine
        self._sink = sink
        self._selection = selection
        self._file = file
        #: The current long run.
        self._run: CommandRun | None = None
        #: Where one was looked for, and declined: up to this offset it is not looked for again.
        self._declined_to = 0

    def take(self, batch: CommandBatch) -> None:
        """Execute a batch."""
        at = 0
        size = len(batch.argvs)
        while at < size:
            if self._run is not None:
                at = self._follow(self._run, batch, at)
                continue
            # The last key of a batch may be one that goes on for long.
            start = find_run(batch.argvs, at)
            _run(self._replay, batch, at, start)
            at = start
            if at < size and not self._begin(batch, at):
                self._fill_in(batch, at)
                _run(self._replay, batch, at, size)
                at = size
        _emit_keys(self._engine, self._sink, self._selection, keep=True)

    def finish(self) -> None:
        """Hand on what is left."""
        if self._run is not None:
            self._emit(self._run)
        _emit_keys(self._engine, self._sink, self._selection, keep=False)

    def _begin(self, batch: CommandBatch, at: int) -> bool:
        """Begin a long run, if it is one of which the key is new."""
        engine = self._engine
        key = batch.argvs[at][1]
        data = engine.db.keys.get(key)
        offset = batch.offsets[at]
        if self._selection is not None or offset < self._declined_to or self._replay.in_transaction:
            return False
        if data is not None and not (isinstance(data, StreamData) and data.length == 0):
            return False
        run = CommandRun(self._reread)
        if not run.check(offset, self._sink):
            self._declined_to = run.stop
            return False
        if is_omitted(batch.argvs[at]):
            # The engine has to know that the key is there.
            batch.argvs[at] = (*batch.argvs[at][:2], b"")
        expire_at_ms = engine.db.expires.pop(key, None)
        engine.db.keys.pop(key, None)
        _emit_keys(engine, self._sink, self._selection, keep=False)
        if data is not None:
            engine.db.put(key, data)
            if expire_at_ms is not None:
                engine.db.expires[key] = expire_at_ms
        self._run = run
        return True

    def _fill_in(self, batch: CommandBatch, at: int) -> None:
        """Read the value that a command lacks."""
        if is_omitted(batch.argvs[at]):
            place, size = CommandRun(self._reread).locate(batch.offsets[at])
            pieces = []
            while size:
                with _reading(self._path):
                    piece = os.pread(self._file, size, place)
                if not piece:
                    raise InputError(f"{self._path}: the file became shorter while it was read")
                pieces.append(piece)
                place += len(piece)
                size -= len(piece)
            batch.argvs[at] = (*batch.argvs[at][:2], b"".join(pieces))

    def _reread(self, view: memoryview, at: int) -> int:
        return _reread(self._path, self._file, view, at)

    def _follow(self, run: CommandRun, batch: CommandBatch, at: int) -> int:
        """Execute commands about the key of the run, from an index on; return the index of the first other one."""
        size = len(batch.argvs)
        while at < size and batch.offsets[at] < run.stop:
            if run.keeps(batch.argvs[at]):
                _run(self._replay, batch, at, at + 1)
            at += 1
        start = at
        while at < size and batch.offsets[at] < run.settled:
            at += 1
        _run(self._replay, batch, start, at)
        if at < size:
            self._emit(run)
        return at

    def _emit(self, run: CommandRun) -> None:
        """Emit the key of a long run, which is complete, and forget it."""
        db = self._engine.db
        ((key, data),) = db.keys.items()
        tail = None
        if isinstance(data, StreamData):
            value = to_value(data)
            assert isinstance(value, StreamValue)

            def tail(entries: int) -> None:
                feed_stream_tail(value, entries, self._sink)

        run.emit(self._sink, self._engine.index, db.expires.get(key), tail)
        db.clear()
        self._run = None


def _run(replay: Replay, batch: CommandBatch, first: int, stop: int) -> None:
    """Execute commands of a batch outside of time.

    Claims come after everything, so that no time of delivery is cut to the present; the rest comes before anything, so
    that no field has expired.
    """
    argvs = batch.argvs
    for index in range(first, stop):
        if argvs[index][0] == b"XCLAIM":
            _run_at(0, replay, batch, first, index)
            _run_at(_LAST_MS, replay, batch, index, index + 1)
            first = index + 1
    _run_at(0, replay, batch, first, stop)


def _run_at(now_ms: int, replay: Replay, batch: CommandBatch, start: int, stop: int) -> None:
    if start < stop:
        replay.engine.now_ms = now_ms
        replay.run(batch.argvs[start:stop], batch.offsets[start:stop], batch.first_number + start)


def _emit_keys(engine: Engine, sink: Sink, selection: Selection | None, *, keep: bool) -> None:
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
