"""Outputs that appear whole or not at all.

A regular file is written under a temporary name in the directory of its target, synced, checked if requested, and
renamed into place only if everything succeeded; then the directory is synced, so that the name survives a power failure
too. Any exception in the ``with`` block, including Ctrl-C or a termination signal turned into one, removes the
temporary file. Leftovers of a killed run are removed by the next one.

Pipes, devices and standard output cannot be rolled back: they are written through. All refusals to overwrite happen
before the first byte of the input is read.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from rdbtool.core.errors import USE_FORCE, InputError
from rdbtool.io.pipes import widen
from rdbtool.writer.atomic.disk import Directory, check_space, failed, failures_of, group_in, permitted_mode, real_path
from rdbtool.writer.atomic.temporary import ANY_MODE, Temporary, TemporaryDirectory, remove_stale

#: Names by which a process reaches its own open files; reopening them would truncate them or lose the position.
_OWN_DESCRIPTOR = re.compile(r"/(?:dev|proc/self)/(?:stdout|stderr|fd/(\d+))\Z")

_STANDARD_OUTPUT = 1

#: Bytes from which on a pipe gets a larger buffer: a user has only so much for all pipes.
_WIDE = 1 << 20


class Output(Protocol):
    """An output. ``name`` is for messages; ``is_terminal`` is set if a person is watching.

    ``written`` counts the bytes so far.
    """

    name: str
    is_terminal: bool
    written: int

    def write(self, data: bytes | bytearray | memoryview, /) -> None:
        """Write all of ``data``, or raise InputError (BrokenPipeError if the reader closed the pipe)."""

    def verify_with(self, check: Callable[[str], None], /) -> bool:
        """Register ``check``, called with the path of the output before it is renamed into place; it raises to refuse.

        Returns False, and does not call it, if nothing can be read back: for what is written through.
        """


class _Through:
    """An output to a file descriptor, unbuffered: sinks write large pieces."""

    #: ``write`` takes memory that changes afterwards.
    takes_views = True

    def __init__(self, descriptor: int, name: str) -> None:
        self.descriptor = descriptor
        self.name = name
        self.is_terminal = os.isatty(descriptor)
        self.written = 0
        self._is_wide = False

    def write(self, data: bytes | bytearray | memoryview, /) -> None:
        if self.written > _WIDE and not self._is_wide:
            self._is_wide = True
            widen(self.descriptor)
        rest = memoryview(data).cast("B")
        while rest:
            try:
                count = os.write(self.descriptor, rest)
            except BrokenPipeError:
                raise
            except OSError as error:
                raise failed(self.name, error) from error
            self.written += count
            rest = rest[count:]

    def verify_with(self, _check: Callable[[str], None], /) -> bool:
        return False


class Unfinished(_Through):
    """An output to a temporary file."""

    def __init__(self, temporary: Temporary) -> None:
        super().__init__(temporary.descriptor, temporary.name)
        self.temporary = temporary
        self._checks: list[Callable[[str], None]] = []

    def verify_with(self, check: Callable[[str], None], /) -> bool:
        """Register ``check``, called by ``finish``."""
        self._checks.append(check)
        return True

    def finish(self, like: os.stat_result | None, *, owner_needed: bool = False, permitted: int = ANY_MODE) -> None:
        """Finish the file (see ``Temporary``), then check it."""
        self.temporary.finish(like, owner_needed=owner_needed, permitted=permitted)
        for check in self._checks:
            check(str(self.temporary.path))


@contextlib.contextmanager
def open_output(
    path: str | None, *, force: bool = False, sources: Sequence[str] = (), needs: int | None = None
) -> Iterator[Output]:
    """Open an output for the length of a ``with`` block.

    ``path`` None or ``-`` is standard output. ``force`` allows an existing regular file to be replaced, keeping its
    owner and mode, but never one of ``sources``. No output grants its group or others more than a source does.
    ``needs`` is the expected size in bytes: if less is free, nothing is started. Raises InputError.
    """
    if path is None or path == "-":
        if sys.stdout is not None:
            sys.stdout.flush()
        yield _open_own(_STANDARD_OUTPUT, "standard output")
        return
    own = _OWN_DESCRIPTOR.match(path)
    if own:
        number = int(own[1]) if own[1] else _STANDARD_OUTPUT + path.endswith("stderr")
        yield _open_own(number, path)
        return
    target = real_path(path)
    try:
        status = target.stat()
    except FileNotFoundError:
        status = None
    except OSError as error:
        raise failed(path, error) from error
    if status is None or stat.S_ISREG(status.st_mode):
        with _whole_file(path, target, status, force=force, sources=sources, needs=needs) as output:
            yield output
    else:
        with _written_through(path, status) as output:
            yield output


@contextlib.contextmanager
def open_part(made: TemporaryDirectory, name: str, *, sources: Sequence[str] = ()) -> Iterator[Output]:
    """Open a new file of a directory that has no name yet, for the length of a ``with`` block.

    There are no leftovers, no other process sees it, and the directory is synced once, by the caller: so the time for
    many files grows with their number only. ``sources``: see ``open_output``. Raises InputError.
    """
    target = made.path / name
    shown = str(made.target / name)
    with failures_of(shown):
        permitted = permitted_mode(sources, group_in(made.path))
    with Temporary(target, shown, 0o666 & permitted) as temporary:
        output = Unfinished(temporary)
        yield output
        output.finish(None, permitted=permitted)
        temporary.give_name()


def _open_own(descriptor: int, name: str) -> _Through:
    # A standard stream closed before the start is None; its descriptor may now be another file's.
    streams = {_STANDARD_OUTPUT: sys.stdout, _STANDARD_OUTPUT + 1: sys.stderr}
    try:
        os.fstat(descriptor)
    except OSError as error:
        raise InputError(f"cannot write to {name}: it is closed") from error
    if streams.get(descriptor, descriptor) is None:
        raise InputError(f"cannot write to {name}: it is closed")
    return _Through(descriptor, name)


@contextlib.contextmanager
def _written_through(path: str, status: os.stat_result) -> Iterator[Output]:
    if stat.S_ISDIR(status.st_mode):
        raise InputError(f"cannot write to {path}: it is a directory")
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    except OSError as error:
        raise failed(path, error) from error
    try:
        yield _Through(descriptor, path)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _whole_file(
    path: str, target: Path, status: os.stat_result | None, *, force: bool, sources: Sequence[str], needs: int | None
) -> Iterator[Output]:
    if status is not None and any(_is_same_file(source, status) for source in sources):
        raise InputError(f"cannot write to {path}: it is the input")
    remove_stale(target)
    if status is not None and not force:
        raise InputError(f"cannot write to {path}: it exists", remedy=USE_FORCE)
    check_space(target.parent, needs, path)
    try:
        group = group_in(target.parent) if status is None else status.st_gid
    except OSError as error:
        raise failed(path, error) from error
    permitted = permitted_mode(sources, group)
    # A new file follows the umask; one that replaces another is private until it has its owner.
    with (
        Directory(target.parent, path) as directory,
        Temporary(target, path, 0o666 & permitted if status is None else 0o600) as temporary,
    ):
        output = Unfinished(temporary)
        yield output
        output.finish(status, permitted=permitted)
        if status is None:
            temporary.give_name()
        else:
            temporary.replace()
        directory.sync()


def _is_same_file(source: str, status: os.stat_result) -> bool:
    try:
        return os.path.samestat(Path(source).stat(), status)
    except OSError:
        return False
