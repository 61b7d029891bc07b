"""The AOF directory of a continuous capture: its files, and the replication offset that they reach.

It is a multi-part AOF (format C4) that servers load from 7.0 on. Besides ``#TS:`` lines its incr files contain
annotations of rdbtool, which servers skip as well: ``#CAPTURE:TOKEN:REPLID:OFFSET:DB:SECONDS`` records the position in
the replication stream that is reached there, and the selected database. The position is thus written and synced
together with the data that precedes it; data after the last such line is truncated and requested again. The token is
random, so no client of the server can forge the line in a value.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from pathlib import Path

from rdbtool.core.errors import InputError
from rdbtool.core.light_typing import TYPE_CHECKING, Final, NamedTuple, Self
from rdbtool.core.manifest import Entry, format_manifest
from rdbtool.engine.persistence.aof_files import LogFiles
from rdbtool.engine.persistence.appending import AppendedFile
from rdbtool.live.connection import encode_command
from rdbtool.live.read_back import compare_with_disk
from rdbtool.live.replica import StreamPosition
from rdbtool.live.retention import read_stamp, stamp
from rdbtool.reader.open.files import load_manifest
from rdbtool.writer.atomic.disk import Directory
from rdbtool.writer.atomic.failures import failures_of
from rdbtool.writer.atomic.temporary import clean_strays

if TYPE_CHECKING:
    from rdbtool.live.retention import KeepRule

NAME: Final = "appendonly.aof"

#: The file that marks the directory as a capture, and holds the token of its annotations.
MARKER: Final = ".rdbtool-capture"

#: Where older generations are kept.
KEPT: Final = "kept"

_PIECE: Final = 1 << 20


class Mark(NamedTuple):
    """A point in the stream: its ``position``, the selected ``db`` (-1: none yet), and the last annotated second."""

    position: StreamPosition
    db: int
    seconds: int


class Generation:
    """A base file and the incr file that follows it, synced up to ``mark``."""

    def __init__(
        self, base: Entry, incr: Entry, file: AppendedFile, mark: Mark, token: bytes, *, verifies: bool
    ) -> None:
        self.base = base
        self.incr = incr
        self.file = file
        self.mark = mark
        self._token = token
        self._verifies = verifies

    def write(self, data: bytes, mark: Mark) -> None:
        """Append commands that reach ``mark``, and sync them to disk. Raises InputError.

        After a failed write the file is unchanged; after a failed sync, or if the disk returns other bytes, what it has
        is unknown (``is_doubtful``).
        """
        before = self.file.size
        written = data + _line(self._token, mark)
        self.file.append(written)
        try:
            self.file.sync()
            if self._verifies:
                self._read_back(before, written)
        except InputError:
            if self.file.is_doubtful:
                self.file.take_back(before)
            raise
        self.mark = mark

    def _read_back(self, offset: int, data: bytes) -> None:
        try:
            compare_with_disk(self.file.path, offset, data)
        except InputError:
            self.file.is_doubtful = True
            raise


class CapturedLog:
    """The directory, locked while open; ``generation`` is its current generation, None in a new directory."""

    def __init__(self, files: LogFiles, token: bytes, *, verifies: bool) -> None:
        self.files = files
        self.directory = files.directory
        self.generation: Generation | None = None
        self._token = token
        self._verifies = verifies
        #: The sequence number of a file that was not committed, to be used again: a gap would look like a lost file.
        self._spare: Entry | None = None

    @classmethod
    def open(cls, directory: str | os.PathLike[str], *, verifies: bool = False) -> Self:
        """Open a directory, created if missing: a new one, or one of an earlier capture.

        ``verifies``: whatever is appended is read back from the disk. Raises InputError if the directory holds anything
        else, or another process writes to it.
        """
        path = Path(directory)
        with failures_of(str(path)):
            token = _take_marker(path)
        files = LogFiles.create(path, NAME, clears=True) if not (path / f"{NAME}.manifest").exists() else None
        if files is None:
            files = LogFiles.reopen(path)
        log = cls(files, token, verifies=verifies)
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
        """Total bytes of the files that the manifest names."""
        return self.files.size

    def begin(self, base: Entry, mark: Mark) -> Generation:
        """Create the incr file for a base taken at ``mark``; the manifest does not name it yet."""
        generation = self._make(base, mark)
        self._spare = None
        return generation

    def next_base(self) -> Entry:
        """Return the entry of a new base; its file is to be written to ``files.path``."""
        return self.files.next("base")

    def commit(self, generation: Generation, keep: KeepRule | None) -> tuple[str, ...]:
        """Make a generation the current one; return the names of older ones that were removed.

        The previous one moves to ``kept`` if ``keep`` is set. Raises InputError; the directory is then unchanged.
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
        """Continue in a new file from the last mark: what the disk holds of the current one after it is unknown."""
        before = self.generation
        assert before is not None
        generation = self._make(before.base, before.mark)
        wanted = [*self.files.entries, generation.incr]
        try:
            self.files.commit(wanted)
        except BaseException:
            generation.file.close()
            # If the new manifest may be on disk, the file that it names has to stay; it is complete.
            if not self.files.is_written(wanted):
                self.files.path(generation.incr).unlink(missing_ok=True)
            raise
        self._spare = None
        before.file.close()
        self.generation = generation

    def _make(self, base: Entry, mark: Mark) -> Generation:
        """Create an incr file that begins at a mark; remove it on failure."""
        self._spare = incr = self._spare or self.files.next("incr")
        path = self.files.path(incr)
        file = AppendedFile.create(path)
        generation = Generation(base, incr, file, mark, self._token, verifies=self._verifies)
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
        """Remove the marker, and the directory if empty, when no base was ever received."""
        (self.directory / MARKER).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.directory.rmdir()

    def close(self) -> None:
        """Close the files and unlock the directory."""
        if self.generation is not None:
            self.generation.file.close()
        self.files.close()

    def _resume(self) -> Generation:
        """Find the last mark, and truncate the file after it. Raises InputError if there is none."""
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
                # The process that wrote it may have ended before a sync.
                file.synced = 0
                file.sync()
                return Generation(base, incrs[-1], file, mark, self._token, verifies=self._verifies)
        raise InputError(
            f"cannot resume in {self.directory}: its last incr file has no capture annotation; "
            "was the AOF rewritten? Give another directory"
        )

    def _keep(self, generation: Generation) -> None:
        """Link the files of the current generation into a directory of its own, with a manifest."""
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
        """Remove the incomplete copy of a generation that a killed run left."""
        for path in (self.directory / KEPT).glob(".*.making"):
            shutil.rmtree(path, ignore_errors=True)


def _take_marker(path: Path) -> bytes:
    """Return the token of a directory; create and mark it as a capture if it is missing or empty."""
    marker = path / MARKER
    if marker.exists():
        found = re.fullmatch(rb"([0-9a-f]{32})\n", marker.read_bytes())
        if found is not None:
            return found[1]
        if any(other.name != MARKER for other in path.iterdir()):
            raise InputError(f"cannot use {path}: {MARKER} in it is damaged; give another directory")
    elif path.is_dir() and any(path.iterdir()):
        raise InputError(f"cannot capture into {path}: it holds other files; give a new or an empty directory")
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
    """Return the last mark in a file, and the offset after its line; None if there is none."""
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
