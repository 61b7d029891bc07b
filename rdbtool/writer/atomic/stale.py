"""Temporary names, and what killed runs left under them.

Whatever is not finished has a name like ``.dump.rdb.0123456789abcdef.rdbtool.tmp``, beside the name that it is going
to get, and is locked (flock) as long as its writer lives. A lock ends with its process, however that ends: a name
whose lock can be had is nobody's any more. Names that end in ``.old`` are second names of files that are about to
be replaced; they are not locked, since opening such a file could disturb whoever watches over it: they belong to
the writer of the others.

Removing what was left is a courtesy: where it fails, nothing is said.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

from rdbtool.core.manifest import Manifest

_SUFFIX: Final = re.compile(r"\.[0-9a-f]{16}\.rdbtool\.(?:tmp|old)\Z")

#: Bytes of the target's name within a temporary one; some file systems allow 143 in all.
_LONGEST: Final = 100

#: What file systems without such locks answer.
_NO_LOCKS: Final = {errno.EBADF, errno.EINVAL, errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}

#: How a name is opened that may by now be anything: neither followed nor waited for.
OPEN_CAREFULLY: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def make_name(target: Path, kind: Literal["tmp", "old"]) -> Path:
    """Return a new temporary name beside ``target``."""
    return target.with_name(f"{_beginning(target.name)}.{os.urandom(8).hex()}.rdbtool.{kind}")


def is_second_name(path: Path) -> bool:
    """Whether a temporary name is that of a file which was about to be replaced."""
    return path.name.endswith(".old")


def list_temporaries(directory: Path) -> list[Path]:
    """Return everything in ``directory`` that has a temporary name and is this user's (root: anybody's)."""
    try:
        names = sorted(entry.name for entry in os.scandir(directory) if _SUFFIX.search(entry.name))
    except OSError:
        return []
    return [path for name in names if name.startswith(".") and _is_own(path := directory / name)]


def remove_stale(target: Path) -> None:
    """Remove what killed runs left beside ``target`` while they wrote it. The target itself is not opened."""
    beginning = _beginning(target.name)
    found = [path for path in list_temporaries(target.parent) if _SUFFIX.sub("", path.name) == beginning]
    firsts = [path for path in found if not is_second_name(path)]
    are_dead = [remove_if_dead(path, watched=target) for path in firsts]
    # A writer that lives may need the second name.
    if all(are_dead):
        for path in found:
            if is_second_name(path):
                with contextlib.suppress(OSError):
                    path.unlink()


def remove_if_dead(path: Path, *, watched: Path) -> bool:
    """Remove what has the temporary name ``path`` and return True, unless its writer lives.

    ``watched`` is not opened, by any name.
    """
    try:
        if is_same(path, watched):
            path.unlink()
            return True
        with hold_dead(path) as is_dead:
            if is_dead:
                remove_path(path)
            return is_dead
    except OSError:
        return False


@contextlib.contextmanager
def hold_dead(path: Path) -> Iterator[bool]:
    """Lock what has the temporary name ``path``; False where somebody else has locked it, or nothing can be."""
    descriptor = os.open(path, OPEN_CAREFULLY)
    try:
        yield lock(descriptor) is True and is_named(descriptor, path)
    finally:
        os.close(descriptor)


def lock(descriptor: int) -> bool | None:
    """Lock an open file: True if it is locked now, False if another has it, None where nothing can be locked."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return None
        raise
    return True


def is_named(descriptor: int, path: Path) -> bool:
    """Whether an open file still has the name ``path``."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


def is_same(one: Path, other: Path) -> bool:
    """Whether two names are those of one file; False where there is none."""
    try:
        return os.path.samestat(one.lstat(), other.lstat())
    except OSError:
        return False


def remove_path(path: Path) -> None:
    """Remove a file, or a directory with the files in it. Raises OSError; nothing there is fine."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        # What systems say of a directory: Linux the one, the others the other.
        if error.errno not in {errno.EISDIR, errno.EPERM} or not path.is_dir():
            raise
        for inner in list(path.iterdir()):
            inner.unlink(missing_ok=True)
        path.rmdir()


def _beginning(name: str) -> str:
    cut = os.fsencode(name)
    return "." + (name if len(cut) <= _LONGEST else cut[:_LONGEST].decode("utf-8", "ignore"))


def _is_own(path: Path) -> bool:
    try:
        status = path.lstat()
    except OSError:
        return False
    is_ours = os.geteuid() in {0, status.st_uid}
    return is_ours and (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode))


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
