"""What is appended to an AOF, in which file, and when it is synced.

Commands are first owed, then written in one piece: whatever happens in between, it is known what the AOF lacks.
A file or a manifest of which it is unknown whether the disk has it puts the AOF in doubt, and then only
files that are made again help.
"""

from __future__ import annotations

from collections.abc import Callable

from rdbtool.core.errors import InputError
from rdbtool.core.light_typing import Final, Literal, NamedTuple
from rdbtool.core.manifest import Entry
from rdbtool.engine.persistence.aof_files import LogFiles
from rdbtool.engine.persistence.appending import AppendedFile
from rdbtool.engine.persistence.propagation.effects import Argv, describe, needs_clock
from rdbtool.engine.persistence.restoring import note_moment

Fsync = Literal["always", "everysec", "no"]
Clock = Callable[[], int]

_MODES: Final = ("always", "everysec", "no")
_SECOND_MS: Final = 1000


class LogWriteError(InputError):
    """The AOF lacks what the engine has executed: ``commands``, as they would be logged.

    They are written before the next command, or by ``AppendLog.flush``; ``AppendLog.rewrite`` makes them needless.
    """

    def __init__(self, reason: str, commands: list[Argv]) -> None:
        lacks = f"; executed but not in the AOF: {describe(commands)}" if commands else ""
        super().__init__(f"{reason}{lacks}")
        self.commands = commands


class WriteBatch(NamedTuple):
    """What is written together: commands, each with its db, and the moment they were executed (Unix ms)."""

    commands: list[tuple[int, Argv]]
    now_ms: int


class _Place(NamedTuple):
    """What a reader of the file knows at its end: the db, and the moment that was noted last."""

    db: int | None = None
    now_ms: int | None = None


class LogWriter:
    """The current file of the AOF in ``files``, which it closes. ``doubt`` says why it cannot be trusted, if so.

    ``changes`` counts the commands written since the AOF was last rewritten. See ``AppendLog`` for ``fsync``.
    """

    def __init__(self, files: LogFiles, fsync: Fsync, clock: Clock) -> None:
        if fsync not in _MODES:
            raise ValueError(f"fsync is one of {', '.join(_MODES)}, not {fsync!r}")
        self.files = files
        self.fsync = fsync
        self.doubt: str | None = None
        self.changes = 0
        self._clock = clock
        self._file: AppendedFile | None = None
        self._place = _Place()
        self._queued: list[WriteBatch] = []
        self._oldest_ms: int | None = None

    @property
    def unlogged(self) -> list[Argv]:
        """What is owed."""
        return [argv for piece in self._queued for _, argv in piece.commands]

    @property
    def unsynced(self) -> int:
        """Bytes of the current file that are not known to be on the disk."""
        return 0 if self._file is None else self._file.size - self._file.synced

    @property
    def is_intact(self) -> bool:
        """Whether the AOF can go on as it is."""
        return self.doubt is None and not self._queued and self._file is not None

    def check(self) -> None:
        """Raise LogWriteError where the AOF is in doubt."""
        if self.doubt is not None:
            raise LogWriteError(f"{self.doubt}; rewrite the AOF", self.unlogged)

    # ---- writing -------------------------------------------------------------------------------

    def enqueue(self, piece: WriteBatch) -> None:
        """Queue what was executed."""
        if piece.commands:
            self._queued.append(piece)

    def flush(self) -> None:
        """Write all that is queued, and sync it with ``always``. Raises LogWriteError; the file is as it was then."""
        file = self._file
        if not self._queued or file is None:
            return
        place = self._place
        data = bytearray()
        for piece in self._queued:
            text, place = _encode(piece, place)
            data += text
        before = file.size
        try:
            file.append(bytes(data))
            if self.fsync == "always":
                self.sync()
        except BaseException as error:
            if file.size != before:
                file.take_back(before)
            if isinstance(error, InputError):
                raise LogWriteError(str(error), self.unlogged) from error
            raise
        self._place = place
        self.changes += len(self.unlogged)
        if self._oldest_ms is None and self.unsynced:
            self._oldest_ms = self._queued[0].now_ms
        self._queued.clear()

    def sync(self) -> None:
        """Have the file on the disk. Raises InputError; the AOF is in doubt then."""
        if self._file is None or not self.unsynced:
            return
        try:
            self._file.sync()
        except InputError as error:
            self.doubt = str(error)
            raise
        self._oldest_ms = None

    def sync_if_due(self) -> None:
        """Sync, with ``everysec``, what has waited for a second. Raises InputError."""
        # A clock that was set back says nothing.
        if (
            self.fsync == "everysec"
            and self._oldest_ms is not None
            and not 0 <= self._clock() - self._oldest_ms < _SECOND_MS
        ):
            self.sync()

    # ---- files ---------------------------------------------------------------------------------

    def resume(self) -> None:
        """Go on in the last file of the AOF, or in a new one where it has no commands. Raises InputError."""
        incrs = [entry for entry in self.files.entries if entry.kind == "incr"]
        if not incrs:
            self.add_file()
            return
        self._file = AppendedFile.reopen(self.files.path(incrs[-1]))
        # Its writer may not have synced it.
        self._file.synced = 0
        self.sync()

    def add_file(self) -> None:
        """Go on in a new file, named in the manifest after the current ones. Raises InputError."""
        self.sync()
        entry = self.files.next("incr")
        self._switch(AppendedFile.create(self.files.path(entry)), [*self.files.entries, entry])

    def put_base(self, base: Entry) -> None:
        """Let the AOF be a new base, and the current file or, where that is not sound, a new one. Raises InputError."""
        files = self.files
        if self.is_intact and self._file is not None:
            fresh = self._file
            kept = next(entry for entry in files.entries if files.path(entry) == fresh.path)
        else:
            kept = files.next("incr")
            fresh = AppendedFile.create(files.path(kept))
        history = [entry._replace(kind="history") for entry in files.loaded if entry.name != kept.name]
        self._switch(fresh, [base, *history, kept])
        self._queued.clear()
        self.doubt = None
        self.changes = 0

    def _switch(self, fresh: AppendedFile, entries: list[Entry]) -> None:
        """Commit a manifest and append to its last file. Where that fails, the AOF is as it was, or in doubt."""
        before = self.files.entries
        is_new = fresh is not self._file
        try:
            fresh.sync()
            self.files.commit(entries)
        except BaseException as error:
            if before and not self.files.is_written(before):
                self.doubt = f"cannot tell which manifest is on the disk: {error}"
            if is_new:
                fresh.close()
                if self.doubt is None:
                    fresh.path.unlink(missing_ok=True)
            raise
        if is_new:
            if self._file is not None:
                self._file.close()
            self._file = fresh
            self._place = _Place()
        self._oldest_ms = None

    def close(self) -> None:
        """Close everything, without a sync."""
        if self._file is not None:
            self._file.close()
        self.files.close()


def _encode(piece: WriteBatch, place: _Place) -> tuple[bytes, _Place]:
    """Return the bytes of a piece, and what a reader knows after it."""
    db, noted = place
    out = bytearray()
    if noted != piece.now_ms and any(needs_clock(argv) for _, argv in piece.commands):
        out += note_moment(piece.now_ms)
        noted = piece.now_ms
    is_group = len(piece.commands) > 1
    if is_group:
        out += _frame((b"MULTI",))
    for index, argv in piece.commands:
        if index != db:
            out += _frame((b"SELECT", b"%d" % index))
            db = index
        out += _frame(argv)
    if is_group:
        out += _frame((b"EXEC",))
    return bytes(out), _Place(db, noted)


def _frame(argv: Argv) -> bytes:
    return b"*%d\r\n" % len(argv) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in argv)
