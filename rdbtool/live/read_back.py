"""Read what a capture wrote back from the disk, and compare it with what the server sent (``--verify``)."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from rdbtool.core.errors import InputError
from rdbtool.core.light_typing import TYPE_CHECKING, Final
from rdbtool.writer.atomic.failures import failures_of

if TYPE_CHECKING:
    from rdbtool.writer.atomic.through import Output

_HASH: Final = "blake2b"
_PIECE: Final = 1 << 20


class HashedOutput:
    """An output that hashes what is written to it; the file is compared with the hash before it gets its name."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._sum = hashlib.new(_HASH)
        if not output.verify_with(self._check):
            raise InputError(f"{output.name} cannot be read back: give a file")

    def write(self, data: memoryview, /) -> None:
        """Write all of ``data``. Raises InputError."""
        self._output.write(data)
        self._sum.update(data)

    def _check(self, path: str) -> None:
        with failures_of(self._output.name), Path(path).open("rb", buffering=0) as file:
            _forget(file.fileno())
            found = hashlib.file_digest(file, _HASH).digest()
        if found != self._sum.digest():
            raise _differs(self._output.name)


def compare_with_disk(path: Path, offset: int, data: bytes) -> None:
    """Compare synced bytes of a file with ``data``. Raises InputError if they differ or cannot be read."""
    view = memoryview(data)
    with failures_of(str(path)), path.open("rb", buffering=0) as file:
        _forget(file.fileno(), offset, len(data))
        file.seek(offset)
        while view:
            piece = file.read(min(len(view), _PIECE))
            if not piece or piece != view[: len(piece)]:
                raise _differs(str(path))
            view = view[len(piece) :]


def _forget(descriptor: int, offset: int = 0, size: int = 0) -> None:
    """Drop the pages in memory, so that the disk is read; a file system may decline."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, offset, size, os.POSIX_FADV_DONTNEED)


def _differs(name: str) -> InputError:
    return InputError(f"{name}: the disk returned other bytes than were written to it; check the disk, then try again")
