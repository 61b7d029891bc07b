"""One file that is appended to: whole pieces only, and what is known to be on the disk.

A piece that could not be written is cut off again, so that the file ends after a whole one. After a
failed sync it is unknown what the disk holds (the system may drop the pages and report success the next time), so
the file then stays doubtful for good.
"""

from __future__ import annotations

import os
from pathlib import Path

from rdbtool.core.errors import InputError
from rdbtool.core.light_typing import Self


class AppendedFile:
    """A file open for appending. ``size`` is where the last whole piece ends, ``synced`` how far it was synced."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.size = self.synced = os.fstat(descriptor).st_size
        self.is_doubtful = False
        self._descriptor = descriptor
        self._is_torn = False

    @classmethod
    def create(cls, path: Path) -> Self:
        """Make an empty file, or empty one that no manifest names. Raises InputError."""
        return cls._open(path, os.O_CREAT | os.O_TRUNC)

    @classmethod
    def reopen(cls, path: Path) -> Self:
        """Open a file that is there. Raises InputError."""
        return cls._open(path, 0)

    @classmethod
    def _open(cls, path: Path, flags: int) -> Self:
        try:
            return cls(path, os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | flags, 0o644))
        except OSError as error:
            raise _failed("open", path, error) from error

    def append(self, data: bytes) -> None:
        """Write all of ``data``, or nothing of it. Raises InputError."""
        if self._is_torn:
            self._cut(self.size)
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except BaseException as error:
            # Ctrl-C too: half a piece must not stay.
            self.take_back(self.size)
            if isinstance(error, OSError):
                raise _failed("write to", self.path, error) from error
            raise
        self.size += len(data)

    def take_back(self, size: int) -> None:
        """Cut the file back to ``size`` bytes, now or before the next piece."""
        self.size = size
        self.synced = min(self.synced, size)
        self._is_torn = True
        try:
            self._cut(size)
        except InputError:
            # There is no better time to say so than when it is tried again.
            return

    def _cut(self, size: int) -> None:
        try:
            os.ftruncate(self._descriptor, size)
        except OSError as error:
            raise _failed("cut back", self.path, error) from error
        self._is_torn = False

    def sync(self) -> None:
        """Have everything on the disk. Raises InputError; the file is doubtful then."""
        if self._is_torn:
            self._cut(self.size)
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            self.is_doubtful = True
            raise _failed("sync", self.path, error) from error
        self.synced = self.size

    def close(self) -> None:
        """Close the file, without a sync."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _failed(what: str, path: Path, error: OSError) -> InputError:
    return InputError(f"cannot {what} {path}: {error.strerror or error}")
