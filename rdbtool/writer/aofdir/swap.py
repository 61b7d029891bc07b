"""Replace a file that may be in use by a finished one, with rollback and an optional backup."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from rdbtool.core.errors import InputError
from rdbtool.core.light_typing import BinaryIO, Final, NamedTuple
from rdbtool.writer.atomic.disk import Directory, copy_file, link
from rdbtool.writer.atomic.failures import failures_of
from rdbtool.writer.atomic.temporary import (
    SecondName,
    Temporary,
    TemporaryDirectory,
    list_temporaries,
    remove_if_dead,
    remove_path,
)
from rdbtool.writer.atomic.whole_file import Unfinished

_INTERRUPTIONS: Final = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


class Keeping(NamedTuple):
    """The backup of an AOF: ``files``, and ``texts`` by name. ``open_source``: see ``copy_file``."""

    files: Iterable[Path]
    texts: dict[str, bytes]
    open_source: Callable[[], BinaryIO] | None = None


def do_nothing() -> None:
    """Accept everything: the default guard."""


def swap(
    new: Temporary,
    way_back: SecondName,
    directory: Directory,
    *,
    commit_guard: Callable[[], None],
    after_commit: Callable[[], None],
    settle: Callable[[], None],
) -> None:
    """Rename ``new`` over its target, of which ``way_back`` is a second name.

    ``commit_guard`` is called directly before and ``after_commit`` directly after the rename. If the latter raises, the
    old file is restored, and the exception propagates; else ``settle`` does the rest. From the rename on, termination
    signals are blocked in this thread.
    """
    commit_guard()
    with _uninterrupted():
        try:
            new.replace()
        except BaseException:
            # Another thread may have raised an exception for a signal after the rename.
            if new.has(new.target):
                _confirm(new, way_back, directory, after_commit)
            raise
        _confirm(new, way_back, directory, after_commit)
        try:
            settle()
        except InputError as error:
            raise InputError(f"the new AOF is in place, but: {error}") from error


def _confirm(new: Temporary, way_back: SecondName, directory: Directory, after_commit: Callable[[], None]) -> None:
    try:
        after_commit()
    except BaseException:
        if way_back.path is not None:
            with failures_of(new.name):
                way_back.path.replace(new.target)
            directory.sync()
        raise


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _INTERRUPTIONS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def kept_files(
    keeping: Keeping, place: Path | None, name: str, is_replaced: Callable[[], bool]
) -> Iterator[Path | None]:
    """Keep files in a new directory within ``place``; None: keep nothing.

    The directory, named ``name`` and the time (UTC), is complete and synced when the block begins. It holds links where
    possible, else copies. If the block ends and not ``is_replaced()``, it is removed, and so is ``place`` if it was
    created here. Raises InputError.
    """
    if place is None:
        yield None
        return
    place = place.absolute()
    shown = str(place)
    with failures_of(shown):
        is_new = not place.is_dir()
    kept = TemporaryDirectory(_free_name(place / f"{name}.{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"), shown)
    try:
        if is_new:
            with failures_of(shown):
                place.mkdir()
        for stale in list_temporaries(place):
            if stale.name.startswith(f".{name}."):
                remove_if_dead(stale, watched=place)
        _keep(keeping, kept)
        for parent in (place, place.parent):
            with Directory(parent, shown) as outer:
                outer.sync()
        yield kept.target
    finally:
        if not is_replaced():
            with contextlib.suppress(OSError):
                if kept.has(kept.target):
                    remove_path(kept.target)
                if is_new:
                    place.rmdir()


def _keep(keeping: Keeping, kept: TemporaryDirectory) -> None:
    with kept, failures_of(kept.name), Directory(kept.path, kept.name) as inner:
        for path in keeping.files:
            # The target of a relative symbolic link may not exist from there.
            if path.is_symlink() or not link(path, kept.path / path.name):
                copy_file(path, kept.path / path.name, keeping.open_source)
        for name, text in keeping.texts.items():
            with Temporary(kept.path / name, kept.name, 0o666) as temporary:
                output = Unfinished(temporary)
                output.write(text)
                output.finish(None)
                temporary.give_name()
        inner.sync()
        kept.give_name()


def _free_name(path: Path) -> Path:
    number = 1
    free = path
    while os.path.lexists(free):
        number += 1
        free = path.with_name(f"{path.name}.{number}")
    return free
