"""An append-only log beside a running engine: every write is in it before the caller goes on.

The files are those of a server (format C4): a snapshot as base, then the commands in the form that ``effects``
gives them. Nothing here waits or runs by itself. Time comes from a clock that is passed in, and the owner of the
engine calls ``tick`` about once a second.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rdbtool.core.errors import InputError, UnsupportedError
from rdbtool.core.light_typing import Self
from rdbtool.core.servers import FIRST_WITH_PARTS, Rules
from rdbtool.engine.engine import DATABASES, Engine
from rdbtool.engine.persistence.aof_files import LogFiles
from rdbtool.engine.persistence.policies import Counters
from rdbtool.engine.persistence.propagation.effects import Argv, carry_out
from rdbtool.engine.persistence.propagation.stream_effects import settle_stream
from rdbtool.engine.persistence.restoring import restore
from rdbtool.engine.persistence.snapshot import save
from rdbtool.engine.persistence.writing import Clock, Fsync, LogWriteError, LogWriter, WriteBatch
from rdbtool.engine.streams.data import StreamData


def wall_clock() -> int:
    """Return the time of day in Unix ms."""
    return time.time_ns() // 1_000_000


class AppendLog:
    """An AOF in ``directory``, made again for what ``engine`` holds; ``open`` goes on with one that is there.

    ``fsync`` says when writes are on the disk: ``always`` before ``execute`` returns, ``everysec`` at the first
    command or ``tick`` a second (of ``clock``, Unix ms) after the oldest that is not, ``no`` when the system likes.
    All commands go through ``execute``, which sets the engine's clock. ``files`` is what ``open`` restored the engine
    from. Raises InputError, UnsupportedError for an engine by the rules of a server that has no such logs, LossError
    for data that the server could not hold.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        engine: Engine,
        fsync: Fsync = "everysec",
        *,
        clock: Clock = wall_clock,
        name: str = "appendonly.aof",
        files: LogFiles | None = None,
    ) -> None:
        _check_rules(engine.rules)
        self.engine = engine
        self._clock = clock
        self._piece: WriteBatch | None = None
        self._is_closed = False
        self._saved_ms = clock()
        self._base_size = 0
        taken = LogFiles.create(directory, name) if files is None else files
        try:
            self._writer = LogWriter(taken, fsync, clock)
            if files is None:
                self._replace()
            else:
                self._settle()
                taken.sweep()
                self._writer.resume()
                self._base_size = taken.size
        except BaseException:
            taken.close()
            raise

    @classmethod
    def open(
        cls,
        directory: str | os.PathLike[str],
        fsync: Fsync = "everysec",
        *,
        clock: Clock = wall_clock,
        rules: Rules | str | None = None,
        databases: int = DATABASES,
    ) -> Self:
        """Restore the engine from an AOF, and go on with it in its last file.

        The end of that file is cut off where it is not whole, as a server does. ``rules`` None: those of the server
        that the base names. Raises FormatError for other damage, ReplayError for a command that is none, InputError.
        """
        parsed = Rules.parse(rules) if isinstance(rules, str) else rules
        files = LogFiles.reopen(directory)
        try:
            engine = restore(files, rules=parsed, now_ms=clock(), databases=databases)
            return cls(directory, engine, fsync, clock=clock, files=files)
        except BaseException:
            files.close()
            raise

    # ---- what callers ask ----------------------------------------------------------------------

    @property
    def unlogged(self) -> list[Argv]:
        """What the engine has executed and the AOF lacks, outside of an open transaction."""
        return self._writer.unlogged

    @property
    def unsynced(self) -> int:
        """Bytes of the AOF that are not known to be on the disk."""
        return self._writer.unsynced

    def counters(self, *, memory: int = 0) -> Counters:
        """Return what policies decide by; a rewrite counts as save. ``memory`` is in bytes. Raises InputError."""
        writer = self._writer
        return Counters(self._clock(), self._saved_ms, writer.changes, memory, writer.files.size, self._base_size)

    # ---- what callers do -----------------------------------------------------------------------

    def execute(self, *argv: bytes) -> None:
        """Execute a command and log it.

        Raises CommandError, and has then done neither; InputError before the command is executed, where the AOF
        still lacks an earlier one; LogWriteError where it was executed and could not be logged.
        """
        if self._piece is not None:
            db = self.engine.index
            self._piece.commands.extend((db, command) for command in carry_out(self.engine, argv))
            return
        self._begin()
        db = self.engine.index
        commands = carry_out(self.engine, argv)
        self._end(WriteBatch([(db, command) for command in commands], self.engine.now_ms))

    @contextmanager
    def transaction(self) -> Iterator[Self]:
        """Log the commands of a ``with`` block as one: a replay executes all of them or none.

        They are executed one by one, at one moment. An exception does not undo those before it, and these are
        logged. Raises ValueError for one inside of another, and what ``execute`` raises.
        """
        self._check_outside()
        self._begin()
        piece = self._piece = WriteBatch([], self.engine.now_ms)
        try:
            yield self
        finally:
            self._piece = None
            self._end(piece)

    def flush(self) -> None:
        """Write what the AOF lacks, and have all of it on the disk. Raises InputError."""
        self._check()
        self._writer.check()
        self._writer.flush()
        self._writer.sync()

    def tick(self) -> None:
        """Sync what has waited for a second, with ``everysec``. To be called about once a second. Raises InputError."""
        self._check()
        self._writer.check()
        self._writer.sync_if_due()

    def rotate(self) -> None:
        """Continue in a new file after the current one. Raises InputError; the AOF leads to the same then."""
        self._check_outside()
        self.flush()
        self._writer.add_file()

    def rewrite(self) -> None:
        """Write a base of what the engine holds, which takes the place of all that was logged so far.

        The AOF goes on in a new file first; where the present one cannot be trusted or lacks something, both files
        come into the AOF at once. The old ones are removed last. Raises InputError, LossError; the AOF then leads to
        what it did before.
        """
        self._check_outside()
        if self._writer.is_intact:
            try:
                self.rotate()
            except InputError:
                if self._writer.is_intact:
                    raise
        self._replace()

    def close(self) -> None:
        """Write and sync what is left, and let the directory go. Raises InputError; it is closed all the same."""
        if self._is_closed:
            return
        try:
            self.flush()
        finally:
            self._is_closed = True
            self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    # ---- steps ---------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Set the clock, once the AOF lacks nothing."""
        self._check()
        self._writer.check()
        self._writer.flush()
        self.engine.now_ms = self._clock()

    def _end(self, piece: WriteBatch) -> None:
        self._writer.enqueue(piece)
        self._writer.flush()
        self._writer.sync_if_due()

    def _check(self) -> None:
        if self._is_closed:
            raise ValueError("the AOF is closed")

    def _check_outside(self) -> None:
        self._check()
        if self._piece is not None:
            raise ValueError("not inside of a transaction")

    def _replace(self) -> None:
        """Write a base, commit a manifest with it, remove what it replaces."""
        self._settle()
        self.engine.now_ms = self._clock()
        writer, files = self._writer, self._writer.files
        base = files.next("base")
        try:
            save(self.engine, files.path(base), is_base=True)
            writer.put_base(base)
        except BaseException:
            if writer.doubt is None:
                files.path(base).unlink(missing_ok=True)
            raise
        self._saved_ms = self.engine.now_ms
        self._base_size = files.size
        files.sweep()

    def _settle(self) -> None:
        """Give all streams of other servers' files what a base has."""
        for db in self.engine.dbs.values():
            for value in db.keys.values():
                if isinstance(value, StreamData):
                    settle_stream(self.engine, value)


def _check_rules(rules: Rules) -> None:
    if rules.family == "redis" and rules < FIRST_WITH_PARTS:
        raise UnsupportedError(f"{rules} has no AOF directories: the first is {FIRST_WITH_PARTS}")


__all__ = ["AppendLog", "LogWriteError", "wall_clock"]
