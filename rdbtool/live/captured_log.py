"""The AOF directory of a continuous capture: its files, and up to where of the server's stream they go.

It is a multi-part AOF (format C4) that every server from 7.0 on loads. Beside ``#TS:`` lines its incr files have
annotations of ours, which servers skip as they do those: ``#CAPTURE:TOKEN:REPLID:OFFSET:DB:SECONDS`` says which place
of the replication stream is reached there, and which database is selected. So the place is written by the same write,
and is on the disk by the same sync, as the data before it; what follows the last such line is cut off and asked for
again. The token is random: no client of the server can forge the line in a value.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from rdbtool.core.errors import InputError
from rdbtool.core.manifest import Entry, format_manifest
from rdbtool.engine.persistence.aof_files import LogFiles
from rdbtool.engine.persistence.appending import AppendedFile
from rdbtool.live.connection import encode_command
from rdbtool.live.replica import StreamPosition
from rdbtool.live.retention import read_stamp, stamp
from rdbtool.reader.open.files import load_manifest
from rdbtool.writer.atomic.disk import Directory, failures_of
from rdbtool.writer.atomic.temporary import clean_strays

if TYPE_CHECKING:
    from rdbtool.live.retention import KeepRule

NAME: Final = "appendonly.aof"

#: A file that says whose the directory is, and the token of its annotations.
MARKER: Final = ".rdbtool-capture"

#: Where older generations are kept.
KEPT: Final = "kept"

_PIECE: Final = 1 << 20


class Mark(NamedTuple):
    """A place of the stream: its ``position``, the selected ``db`` (-1: none yet), and the last annotated second."""

    position: StreamPosition
    db: int
    seconds: int


class Generation:
    """A base and the file of what follows it. ``mark`` is up to where that is on the disk."""

    def __init__(self, base: Entry, incr: Entry, file: AppendedFile, mark: Mark, token: bytes) -> None:
        self.base = base
        self.incr = incr
        self.file = file
        self.mark = mark
        self._token = token

    def write(self, data: bytes, mark: Mark) -> None:
        """Append commands that lead to ``mark``, and have them on the disk. Raises InputError.

        Where writing fails, the file is as it was; where the sync fails, it is doubtful from then on.
        """
        before = self.file.size
        self.file.append(data + _line(self._token, mark))
        try:
            self.file.sync()
        except InputError:
            if self.file.is_doubtful:
                self.file.take_back(before)
            raise
        self.mark = mark


class CapturedLog:
    """The directory, locked for as long as this is open; ``generation`` is what it holds, None of a new one."""

    def __init__(self, files: LogFiles, token: bytes) -> None:
        self.files = files
        self.directory = files.directory
        self.generation: Generation | None = None
        self._token = token
        #: A number that was taken for a file which did not come to be: a gap would look like a lost file.
        self._spare: Entry | None = None

    @classmethod
    def open(cls, directory: str | os.PathLike[str]) -> Self:
        """Take a directory, made if need be: a new one, or one that was captured before.

        Raises InputError for one that holds something else, and where somebody else writes to it.
        """
        path = Path(directory)
        with failures_of(str(path)):
            token = _take_marker(path)
        files = LogFiles.create(path, NAME, clears=True) if not (path / f"{NAME}.manifest").exists() else None
        if files is None:
            files = LogFiles.reopen(path)
        log = cls(files, token)
        try:
            clean_strays(path, load_manifest(files.manifest) if files.entries else None)
            log._clear_kept()
            if files.entries:
                files.sweep()
                log.generation = log._resume()
        except BaseException:
            files.close()
            raise
        return log

    @property
    def size(self) -> int:
        """Bytes of the files that are loaded."""
        return self.files.size

    def begin(self, base: Entry, mark: Mark) -> Generation:
        """Make the file of what follows a base that was received up to ``mark``; the manifest does not name it yet."""
        generation = self._make(base, mark)
        self._spare = None
        return generation

    def next_base(self) -> Entry:
        """Return the entry of a new base; its file is to be written to ``files.path``."""
        return self.files.next("base")

    def commit(self, generation: Generation, keep: KeepRule | None) -> tuple[str, ...]:
        """Let the directory be a new generation; return the names of older ones that went.

        The one before goes into ``kept`` if ``keep`` says that any do. Raises InputError; the directory is as it was.
        """
        before = self.generation
        if before is not None and keep is not None:
            self._keep(before)
        history = [entry._replace(kind="history") for entry in self.files.loaded if entry != generation.base]
        self.files.commit([generation.base, *history, generation.incr])
        self.generation = generation
        if before is not None:
            before.file.close()
        self.files.sweep()
        return self._prune(keep)

    def renew_file(self) -> None:
        """Go on in a new file after the last mark: nobody knows what the disk has of the present one after it."""
        before = self.generation
        assert before is not None
        generation = self._make(before.base, before.mark)
        wanted = [*self.files.entries, generation.incr]
        try:
            self.files.commit(wanted)
        except BaseException:
            generation.file.close()
            # Where the manifest may name it already, it is whole.
            if not self.files.is_written(wanted):
                self.files.path(generation.incr).unlink(missing_ok=True)
            raise
        self._spare = None
        before.file.close()
        self.generation = generation

    def _make(self, base: Entry, mark: Mark) -> Generation:
        """Make a file that begins at a mark; nothing stays of it where that fails."""
        self._spare = incr = self._spare or self.files.next("incr")
        path = self.files.path(incr)
        file = AppendedFile.create(path)
        generation = Generation(base, incr, file, mark, self._token)
        try:
            generation.write(_frame_db(mark.db), mark)
        except BaseException:
            file.close()
            path.unlink(missing_ok=True)
            raise
        return generation

    def discard(self, base: Entry, generation: Generation | None) -> None:
        """Remove the files of a generation that was not committed."""
        if generation is not None:
            self._spare = generation.incr
            generation.file.close()
            self.files.path(generation.incr).unlink(missing_ok=True)
        self.files.path(base).unlink(missing_ok=True)

    def abandon(self) -> None:
        """Leave nothing behind where no base ever came."""
        (self.directory / MARKER).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.directory.rmdir()

    def close(self) -> None:
        """Close the files and give the directory free."""
        if self.generation is not None:
            self.generation.file.close()
        self.files.close()

    def _resume(self) -> Generation:
        """Find the last mark, and cut off what follows it. Raises InputError where there is none."""
        base = next((entry for entry in self.files.entries if entry.kind == "base"), None)
        incrs = [entry for entry in self.files.entries if entry.kind == "incr"]
        if base is not None and incrs:
            path = self.files.path(incrs[-1])
            with failures_of(str(path)):
                found = _find_mark(path, self._token)
            if found is not None:
                mark, end = found
                file = AppendedFile.reopen(path)
                if file.size > end:
                    file.take_back(end)
                # Whoever wrote it may not have synced it.
                file.synced = 0
                file.sync()
                return Generation(base, incrs[-1], file, mark, self._token)
        raise InputError(
            f"cannot go on in {self.directory}: its last incr file has no annotation of a capture; "
            "was the AOF rewritten? Give another directory"
        )

    def _keep(self, generation: Generation) -> None:
        """Link the files of the present generation into a directory of their own, whole with a manifest."""
        name = stamp(generation.mark.seconds or time.time())
        target = self.directory / KEPT / name
        making = self.directory / KEPT / f".{name}.making"
        with failures_of(str(target)):
            if target.exists():
                return
            making.mkdir(parents=True)
            entries = self.files.loaded
            for entry in entries:
                (making / entry.name).hardlink_to(self.files.path(entry))
            manifest = making / f"{NAME}.manifest"
            manifest.write_bytes(format_manifest(entries))
            _sync_file(manifest)
            with Directory(making, str(making)) as synced:
                synced.sync()
            making.rename(target)
            with Directory(target.parent, str(target.parent)) as synced:
                synced.sync()

    def _prune(self, keep: KeepRule | None) -> tuple[str, ...]:
        home = self.directory / KEPT
        if keep is None or not home.is_dir():
            return ()
        moments = {path.name: moment for path in home.iterdir() if (moment := read_stamp(path.name)) is not None}
        gone = keep.choose(moments)
        with failures_of(str(home)):
            for name in gone:
                shutil.rmtree(home / name)
        return tuple(f"{KEPT}/{name}" for name in gone)

    def _clear_kept(self) -> None:
        """Remove what a killed run left of a generation that it was about to keep."""
        for path in (self.directory / KEPT).glob(".*.making"):
            shutil.rmtree(path, ignore_errors=True)


def _take_marker(path: Path) -> bytes:
    """Return the token of a directory, which is made, and marked as a capture's, if it is not there or empty."""
    marker = path / MARKER
    if marker.exists():
        found = re.fullmatch(rb"([0-9a-f]{32})\n", marker.read_bytes())
        if found is not None:
            return found[1]
        if any(other.name != MARKER for other in path.iterdir()):
            raise InputError(f"cannot use {path}: {MARKER} in it is damaged; give another directory")
    elif path.is_dir() and any(path.iterdir()):
        raise InputError(f"cannot capture into {path}: it holds files of others; give a new or an empty directory")
    path.mkdir(parents=True, exist_ok=True)
    token = os.urandom(16).hex().encode()
    marker.write_bytes(token + b"\n")
    _sync_file(marker)
    with Directory(path, str(path)) as synced:
        synced.sync()
    return token


def _sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _line(token: bytes, mark: Mark) -> bytes:
    position, db, seconds = mark
    return b"#CAPTURE:%b:%b:%d:%d:%d\r\n" % (token, position.replid.encode(), position.offset, db, seconds)


def _frame_db(db: int) -> bytes:
    return encode_command(b"SELECT", b"%d" % db) if db >= 0 else b""


def _find_mark(path: Path, token: bytes) -> tuple[Mark, int] | None:
    """Return the last mark in a file, and where its line ends; None where there is none."""
    form = re.compile(rb"#CAPTURE:%b:([0-9a-f]{40}):(\d{1,19}):(-?\d{1,9}):(\d{1,12})\r\n" % token)
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        kept = b""
        while end > 0:
            begin = max(0, end - _PIECE)
            file.seek(begin)
            data = file.read(end - begin) + kept
            for last in reversed(list(form.finditer(data))):
                position = StreamPosition(last[1].decode(), int(last[2]))
                return Mark(position, int(last[3]), int(last[4])), begin + last.end()
            kept = data[:256]
            end = begin
    return None
