"""Lock that prevents two runs of rdbtool from working on one AOF.

It is an advisory lock on a file in the AOF's directory, so it ends with the process that holds it. The file is removed
afterwards, while the lock is held; a process that opened it meanwhile notices, once it gets the lock, that the name is
missing or another file's, and retries. The lock file of a killed run is reused.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from rdbtool.core.errors import InputError
from rdbtool.core.light_typing import Final
from rdbtool.writer.atomic.disk import close_quietly
from rdbtool.writer.exclusive.holders import HeldError

LOCK_NAME: Final = ".rdbtool.lock"

#: How often the file may vanish between opening and locking it before this is an error.
_ATTEMPTS: Final = 100


@contextlib.contextmanager
def lock_directory(directory: Path) -> Iterator[None]:
    """Hold the lock of ``directory`` for the length of a ``with`` block.

    Raises HeldError at once if another run has it, InputError if files cannot be created or locked.
    """
    path = directory / LOCK_NAME
    descriptor = _lock(path)
    try:
        yield
    finally:
        try:
            with contextlib.suppress(OSError):
                if _is_named(descriptor, path):
                    path.unlink()
        finally:
            close_quietly(descriptor)


def _lock(path: Path) -> int:
    """Return the descriptor of the file that is now locked and has that name."""
    for _ in range(_ATTEMPTS):
        try:
            descriptor = _open(path)
        except OSError as error:
            raise _failed(path, error) from error
        is_ours = False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_ours = _is_named(descriptor, path)
        except BlockingIOError:
            raise HeldError(f"another rdbtool is working in {path.parent}: wait for its end") from None
        except OSError as error:
            raise _failed(path, error) from error
        finally:
            if not is_ours:
                os.close(descriptor)
        if is_ours:
            return descriptor
    raise InputError(f"cannot lock {path.parent}: {path.name} in it keeps vanishing")


def _open(path: Path) -> int:
    flags = os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        # Network file systems require a file that is open for writing.
        return os.open(path, os.O_RDWR | flags, 0o644)
    except PermissionError:
        # Another user's, left by a killed run.
        return os.open(path, os.O_RDONLY | flags, 0o644)


def _is_named(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


def _failed(path: Path, error: OSError) -> InputError:
    return InputError(f"cannot lock {path.parent} by {path.name} in it: {error.strerror or error}")
