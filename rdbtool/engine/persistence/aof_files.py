"""The directory of a multi-part AOF: its names, its manifest, and whose it is (format C4).

The manifest is the one thing that says what the AOF is, and it changes by a rename. A file gets a new number whenever
one is made, so no file that some manifest names is ever written again; what no manifest names is removed last.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterable
from pathlib import Path

from rdbtool.core.errors import InputError
from rdbtool.core.light_typing import Self
from rdbtool.core.manifest import Entry, Kind, Manifest, format_manifest
from rdbtool.reader.open.files import find_log, load_manifest
from rdbtool.writer.atomic.output import open_output

_SUFFIX = ".manifest"


class LogFiles:
    """A directory that is locked for as long as this is open, with the ``entries`` of its manifest.

    ``name`` is what the names of all files begin with.
    """

    def __init__(self, directory: Path, name: str) -> None:
        self.directory = directory
        self.name = name
        self.entries: tuple[Entry, ...] = ()
        self._lock = _lock(directory)
        self._numbers: dict[Kind, int] = {"base": 0, "incr": 0}

    @classmethod
    def create(cls, directory: str | os.PathLike[str], name: str, *, clears: bool = False) -> Self:
        """Take a directory for a new log, made if need be. Raises InputError where it holds one.

        With ``clears`` files of an AOF without a manifest are what a killed run of the caller left, and go.
        """
        path = Path(directory)
        try:
            if not path.is_dir():
                path.mkdir()
                _sync(path.absolute().parent)
            files = cls(path, name)
        except OSError as error:
            raise _failed("use", path, error) from error
        if clears and not files.manifest.exists():
            for stray, _, _ in files._find():
                stray.unlink(missing_ok=True)
        if files.manifest.exists() or files._find():
            files.close()
            what = "an AOF, open it instead" if files.manifest.exists() else "files of an AOF without their manifest"
            raise InputError(f"cannot begin an AOF in {path}: it holds {what}")
        return files

    @classmethod
    def reopen(cls, directory: str | os.PathLike[str]) -> Self:
        """Take the directory of an AOF. Raises InputError, and FormatError for a manifest that no server takes."""
        manifest = find_log(directory)
        if manifest.suffix != _SUFFIX:
            raise InputError(f"cannot append to {manifest}: it is a single file, not a directory with a manifest")
        try:
            files = cls(manifest.parent, manifest.name.removesuffix(_SUFFIX))
        except OSError as error:
            raise _failed("use", manifest.parent, error) from error
        try:
            files.reload()
        except BaseException:
            files.close()
            raise
        return files

    @property
    def manifest(self) -> Path:
        """The path of the manifest."""
        return self.directory / (self.name + _SUFFIX)

    @property
    def size(self) -> int:
        """Bytes of all files that are loaded. Raises InputError."""
        try:
            return sum(self.path(entry).stat().st_size for entry in self.loaded)
        except OSError as error:
            raise _failed("look at", self.directory, error) from error

    @property
    def loaded(self) -> tuple[Entry, ...]:
        """The files that make up the data, in the order in which they are loaded."""
        return Manifest("", self.entries).loaded

    def path(self, entry: Entry) -> Path:
        """Return where a file is."""
        return self.directory / entry.name

    def next(self, kind: Kind) -> Entry:
        """Return an entry for a new file. No number comes twice."""
        self._numbers[kind] += 1
        number = self._numbers[kind]
        name = f"{self.name}.{number}.{kind}." + ("rdb" if kind == "base" else "aof")
        return Entry(name, number, kind, None, None, 0, 0)

    def reload(self) -> None:
        """Read the manifest. Raises FormatError, InputError."""
        self.entries = load_manifest(self.manifest).entries
        for entry in self.entries:
            kind: Kind = "incr" if entry.kind == "incr" else "base"
            self._numbers[kind] = max(self._numbers[kind], entry.seq)

    def commit(self, entries: Iterable[Entry]) -> None:
        """Write the manifest: from now on the AOF is what it says.

        Raises InputError. ``entries`` are then those that the directory has, old or new; ``is_written`` says which.
        """
        wanted = tuple(entries)
        with open_output(str(self.manifest), force=True) as output:
            output.write(format_manifest(wanted))
        self.entries = wanted

    def is_written(self, entries: Iterable[Entry]) -> bool:
        """Whether the manifest in the directory is that of ``entries``, or might be: it cannot be read."""
        try:
            return self.manifest.read_bytes() == format_manifest(entries)
        except FileNotFoundError:
            return False
        except OSError:
            return True

    def sweep(self) -> None:
        """Remove the files that the manifest names as history, and what a killed rewrite left. Raises InputError.

        That one's numbers are greater than any in the manifest. Other files are not ours to remove: they may be kept
        on purpose.
        """
        history = [entry for entry in self.entries if entry.kind == "history"]
        try:
            for entry in history:
                self.path(entry).unlink(missing_ok=True)
            for path, kind, number in self._find():
                if number > max(
                    (entry.seq for entry in self.entries if (entry.kind == "incr") == (kind == "incr")), default=0
                ):
                    path.unlink(missing_ok=True)
        except OSError as error:
            raise _failed("clear", self.directory, error) from error
        if history:
            self.commit(self.loaded)

    def _find(self) -> list[tuple[Path, str, int]]:
        """Return what has the name of a file of this log: path, kind and number."""
        pattern = re.compile(re.escape(self.name) + r"\.(\d{1,18})\.(base|incr)\.(?:aof|rdb)")
        found = ((path, pattern.fullmatch(path.name)) for path in self.directory.iterdir())
        return [(path, match[2], int(match[1])) for path, match in found if match is not None]

    def close(self) -> None:
        """Give the directory free."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def _lock(directory: Path) -> int:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise InputError(f"cannot use {directory}: another process appends to the AOF in it") from None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _failed(what: str, path: Path, error: OSError) -> InputError:
    return InputError(f"cannot {what} {path}: {error.strerror or error}")
