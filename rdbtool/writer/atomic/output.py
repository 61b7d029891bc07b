"""Outputs that appear whole or not at all.

A regular file is written under a temporary name (:mod:`rdbtool.writer.atomic.whole_file`). Pipes, devices and standard
output cannot be rolled back: they are written through. All refusals to overwrite happen before the first byte of the
input is read.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Iterator, Sequence

from rdbtool.core.errors import InputError
from rdbtool.core.patterns import pattern
from rdbtool.writer.atomic.failures import failed
from rdbtool.writer.atomic.through import Output, Through

#: Names by which a process reaches its own open files; reopening them would truncate them or lose the position.
_OWN_DESCRIPTOR = pattern(r"/(?:dev|proc/self)/(?:stdout|stderr|fd/(\d+))\Z")

_STANDARD_OUTPUT = 1


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
    from rdbtool.writer.atomic.disk import real_path  # noqa: PLC0415 - it imports pathlib, which standard output does not need

    target = real_path(path)
    try:
        status = target.stat()
    except FileNotFoundError:
        status = None
    except OSError as error:
        raise failed(path, error) from error
    if status is None or stat.S_ISREG(status.st_mode):
        from rdbtool.writer.atomic.whole_file import whole_file  # noqa: PLC0415 - as above

        with whole_file(path, target, status, force=force, sources=sources, needs=needs) as output:
            yield output
    else:
        with _written_through(path, status) as output:
            yield output


def _open_own(descriptor: int, name: str) -> Through:
    # A standard stream closed before the start is None; its descriptor may now be another file's.
    streams = {_STANDARD_OUTPUT: sys.stdout, _STANDARD_OUTPUT + 1: sys.stderr}
    try:
        os.fstat(descriptor)
    except OSError as error:
        raise InputError(f"cannot write to {name}: it is closed") from error
    if streams.get(descriptor, descriptor) is None:
        raise InputError(f"cannot write to {name}: it is closed")
    return Through(descriptor, name)


@contextlib.contextmanager
def _written_through(path: str, status: os.stat_result) -> Iterator[Output]:
    if stat.S_ISDIR(status.st_mode):
        raise InputError(f"cannot write to {path}: it is a directory")
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    except OSError as error:
        raise failed(path, error) from error
    try:
        yield Through(descriptor, path)
    finally:
        os.close(descriptor)
