"""Larger buffers of pipes, so that both ends of one work at the same time."""

from __future__ import annotations

import contextlib

from rdbtool.core.light_typing import Final

#: Bytes of a pipe's buffer, the most that Linux gives to everybody. It begins with 64 KiB.
SIZE: Final = 1 << 20


def widen(descriptor: int) -> None:
    """Give a pipe a larger buffer, if the system has one to give and the descriptor is one of a pipe."""
    with contextlib.suppress(ImportError, AttributeError, OSError):
        import fcntl  # noqa: PLC0415 - not on Windows

        if fcntl.fcntl(descriptor, fcntl.F_GETPIPE_SZ) < SIZE:
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, SIZE)
