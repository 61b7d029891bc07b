"""Room for what is going to be written: looked at before anything is."""

from __future__ import annotations

import os
from pathlib import Path

from rdbtool.core.errors import InputError


def check_space(directory: Path, needs: int | None, name: str) -> None:
    """Refuse to begin where ``needs`` bytes do not fit. None, and a file system that does not count, say nothing.

    What only root may use counts as taken. Quotas are not seen: writing meets them. Raises InputError.
    """
    if needs is None:
        return
    try:
        system = os.statvfs(directory)
    except OSError as error:
        raise InputError(f"cannot write to {name}: {error.strerror or error}") from error
    free = system.f_bavail * system.f_frsize
    if system.f_blocks and needs > free:
        raise InputError(f"cannot write to {name}: it needs {needs} bytes, and {free} are free")
