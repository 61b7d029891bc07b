"""Outputs that appear whole or not at all.

A regular file is written under a temporary name in the directory of its target, flushed to the
disk, and given its name only when everything went well; then the directory is synced, so that
the name survives a power cut too. Any exception that passes through the ``with`` block, and so
also Ctrl-C or a termination signal turned into one, removes the temporary file.

Pipes, devices and standard output cannot be taken back: they are written through. What refuses
to be written over is decided before the first byte is read from the source.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from rdbtool.errors import InputError

#: Names by which a process reaches its own open files; opening them anew would truncate or lose the position.
_OWN_DESCRIPTOR = re.compile(r"/(?:dev|proc/self)/(?:stdout|stderr|fd/(\d+))\Z")

_STANDARD_OUTPUT = 1


class Output(Protocol):
    """Where bytes go. ``name`` is for messages; ``is_terminal`` tells whether a person is watching."""

    name: str
    is_terminal: bool

    def write(self, data: bytes | bytearray | memoryview, /) -> None:
        """Write all of ``data``, or raise InputError (BrokenPipeError if a reader went away)."""


class _Descriptor:
    """An output over a file descriptor, unbuffered: the sinks hand over large pieces."""

    def __init__(self, descriptor: int, name: str) -> None:
        self.descriptor = descriptor
        self.name = name
        self.is_terminal = os.isatty(descriptor)

    def write(self, data: bytes | bytearray | memoryview, /) -> None:
        rest = memoryview(data).cast("B")
        while rest:
            try:
                rest = rest[os.write(self.descriptor, rest) :]
            except BrokenPipeError:
                raise
            except OSError as error:
                raise _failed(self.name, error) from error


def _failed(name: str, error: OSError) -> InputError:
    return InputError(f"cannot write to {name}: {error.strerror or error}")


@contextlib.contextmanager
def open_output(path: str | None, *, force: bool = False, sources: Sequence[str] = ()) -> Iterator[Output]:
    """Open an output for the length of a ``with`` block.

    ``path`` None or ``-`` is standard output. ``force`` allows an existing regular file to be
    replaced; a file that is one of ``sources`` never is. Raises InputError.
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
    target = Path(path).resolve()
    try:
        status = target.stat()
    except FileNotFoundError:
        status = None
    except OSError as error:
        raise _failed(path, error) from error
    if status is None or stat.S_ISREG(status.st_mode):
        with _whole_file(path, target, status, force=force, sources=sources) as output:
            yield output
    else:
        with _written_through(path, status) as output:
            yield output


def _open_own(descriptor: int, name: str) -> _Descriptor:
    # A standard stream that was closed before the start is None; its number may meanwhile be that of another file.
    streams = {_STANDARD_OUTPUT: sys.stdout, _STANDARD_OUTPUT + 1: sys.stderr}
    try:
        os.fstat(descriptor)
    except OSError as error:
        raise InputError(f"cannot write to {name}: it is closed") from error
    if streams.get(descriptor, descriptor) is None:
        raise InputError(f"cannot write to {name}: it is closed")
    return _Descriptor(descriptor, name)


@contextlib.contextmanager
def _written_through(path: str, status: os.stat_result) -> Iterator[Output]:
    if stat.S_ISDIR(status.st_mode):
        raise InputError(f"cannot write to {path}: it is a directory")
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    except OSError as error:
        raise _failed(path, error) from error
    try:
        yield _Descriptor(descriptor, path)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _whole_file(
    path: str, target: Path, status: os.stat_result | None, *, force: bool, sources: Sequence[str]
) -> Iterator[Output]:
    if status is not None:
        if any(_is_same_file(source, status) for source in sources):
            raise InputError(f"cannot write to {path}: it is the source")
        if not force:
            raise InputError(f"cannot write to {path}: it exists (use --force to replace it)")
    temporary = target.with_name(f".{target.name[:60]}.{os.urandom(8).hex()}.tmp")
    # The file is made inside the try: a signal may arrive as soon as it exists.
    try:
        with _failures_of(path):
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            yield _Descriptor(descriptor, path)
            with _failures_of(path):
                if status is not None:
                    os.fchmod(descriptor, stat.S_IMODE(status.st_mode))
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        with _failures_of(path):
            _give_name(temporary, target, replace=status is not None)
            _sync_directory(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def _failures_of(path: str) -> Iterator[None]:
    """Turn a failing system call on the output into an InputError; the body of the ``with`` has its own errors."""
    try:
        yield
    except OSError as error:
        raise _failed(path, error) from error


def _give_name(temporary: Path, target: Path, *, replace: bool) -> None:
    """Move the finished file into place; without ``replace``, fail if the name was taken meanwhile."""
    if not replace:
        try:
            target.hardlink_to(temporary)
        except FileExistsError:
            raise
        except OSError as error:
            # File systems without hard links: the remaining window is the one between stat and rename.
            if error.errno not in {errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK}:
                raise
        else:
            return
    temporary.replace(target)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_same_file(source: str, status: os.stat_result) -> bool:
    try:
        return os.path.samestat(Path(source).stat(), status)
    except OSError:
        return False
