"""What killed runs left in a log's directory."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from rdbtool.core.manifest import Manifest
from rdbtool.writer.atomic.stale import hold_dead, is_same, is_second_name, list_temporaries, remove_path


def clean_strays(directory: Path, manifest: Manifest | None = None) -> None:
    """Remove what killed runs left in a log's directory: temporary names, and files that only they account for.

    What ``manifest`` names stays. Without a manifest there is no log: new files that were to be one go, old
    files that were about to be replaced stay. Nothing is said where that fails.
    """
    named = set() if manifest is None else {Path(manifest.path).name, *(entry.name for entry in manifest.entries)}
    found = list_temporaries(directory)
    firsts = [path for path in found if not is_second_name(path)]
    are_dead = [_clean_first(path, directory, named) for path in firsts]
    # A writer that lives may need the second names.
    if all(are_dead):
        for path in found:
            if is_second_name(path):
                with contextlib.suppress(OSError):
                    _clean(path, directory, named, twins=manifest is not None)


def _clean_first(path: Path, directory: Path, named: set[str]) -> bool:
    """Remove a temporary name of a new file, and the file if the log does not have it; False if its writer lives."""
    try:
        if any(is_same(path, directory / name) for name in named):
            # Not opened: somebody may watch over the file.
            path.unlink()
            return True
        with hold_dead(path) as is_dead:
            if is_dead:
                _clean(path, directory, named, twins=True)
            return is_dead
    except OSError:
        return False


def _clean(path: Path, directory: Path, named: set[str], *, twins: bool) -> None:
    """Remove a temporary name, and before it the file's other names if no log has it."""
    if twins and path.lstat().st_nlink > 1 and not any(is_same(path, directory / name) for name in named):
        for entry in list(os.scandir(directory)):
            if entry.name != path.name and is_same(path, directory / entry.name):
                (directory / entry.name).unlink()
    remove_path(path)
