"""Permissions of outputs: never more open than what they are made of.

What a file allows to its group and to others is the most that an output of it allows to them; the owner's permissions
are the umask's affair. A group that is not the source's gets what others got.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

_OWNER: Final = 0o7700
_ALL: Final = 0o777

_STANDARD_INPUT: Final = 0

_MANIFESTS: Final = "*.manifest"


def permitted_mode(sources: Iterable[str], group: int) -> int:
    """Return the permission bits that an output which belongs to ``group`` may have, if it is made of ``sources``.

    Of a directory or a manifest the files of the AOF count. What is no file, and what cannot be looked at, allows all.
    """
    allowed = _ALL
    for source in sources:
        for status in _statuses(source):
            mode = stat.S_IMODE(status.st_mode) & _ALL
            if status.st_gid != group:
                # What others may not, this group may not.
                mode &= ~0o070 | (mode & 0o007) << 3
            allowed &= mode
    return allowed | _OWNER


def group_in(directory: Path) -> int:
    """Return the group that a new file in a directory is going to have."""
    status = directory.stat()
    return status.st_gid if status.st_mode & stat.S_ISGID else os.getegid()


def _statuses(source: str) -> Iterator[os.stat_result]:
    """Give the status of each regular file that a source consists of."""
    with contextlib.suppress(OSError):
        if source == "-":
            found = [os.fstat(_STANDARD_INPUT)]
        else:
            path = Path(source)
            files = _files_of(path) if path.is_dir() else [path]
            if path.match(_MANIFESTS):
                files = _files_of(path.resolve().parent)
            found = [file.stat() for file in files]
        yield from (status for status in found if stat.S_ISREG(status.st_mode))


def _files_of(directory: Path) -> list[Path]:
    """Return the files beside the manifests in a directory or one level below, else those of the directory."""
    manifests = [*directory.glob(_MANIFESTS), *directory.glob(f"*/{_MANIFESTS}")]
    homes = {manifest.parent for manifest in manifests} or {directory}
    return [file for home in homes for file in home.iterdir() if file.is_file()]
