"""Leases: the kernel's word on who has a file open, and its word when somebody opens it later.

A write lease is granted only while nobody else has the file open, a read lease only while nobody has
it open for writing; no process can hide from that, whichever user or container it belongs to. Who then opens the
file against a lease waits until the lease is released, at most for the time in
``/proc/sys/fs/lease-break-time`` (45 seconds), and meanwhile the lease answers with another kind than was taken.
That change is what is asked for here: it stays after the waiting has ended, and it needs no signal handler.

The kernel also sends a signal, SIGIO unless told otherwise, and SIGIO ends a process that does nothing
about it. It is sent to the process and not to a thread, so blocking it in one thread would not help, and its handler
is not a library's to change. So another signal is chosen for it, one whose default is to do nothing.

Leases belong to an open file, not to a process: reading through the descriptor, or through a duplicate of
it, is no break, but opening the file once more is, be it in the same process, by ``/proc/self/fd``, or without waiting.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import signal
from typing import Final, Literal

Kind = Literal["read", "write"]

# Linux has these; a platform without them has no leases.
_SET: Final[int | None] = getattr(fcntl, "F_SETLEASE", None)
_GET: Final[int | None] = getattr(fcntl, "F_GETLEASE", None)
_SIGNAL: Final[int | None] = getattr(fcntl, "F_SETSIG", None)

_KINDS: Final[dict[Kind, int]] = {"read": fcntl.F_RDLCK, "write": fcntl.F_WRLCK}

_REASONS: Final = {
    errno.EACCES: "they are for the owner of the file",
    errno.EINVAL: "its file system has none",
}


class NoLeasesError(Exception):
    """Leases cannot be had here; the text says why."""


class BusyError(Exception):
    """A lease was refused: somebody has the file open."""


class Lease:
    """A lease on an open file. ``descriptor`` is open for reading only and stays the caller's to close."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._kind: int | None = None

    @property
    def is_held(self) -> bool:
        """Whether a lease was taken and not released, be it broken or not."""
        return self._kind is not None

    def take(self, kind: Kind) -> None:
        """Take a lease, or turn the one that is held into another kind; if that fails, it stays what it was.

        To take it once more after it was broken gives it up, and the break can no longer be seen: ask ``is_broken``
        before. Raises BusyError, and NoLeasesError.
        """
        if _SET is None or _SIGNAL is None:
            raise NoLeasesError("this system has none")
        try:
            # Before the lease: the first break may come at once.
            fcntl.fcntl(self._descriptor, _SIGNAL, signal.SIGURG)
            fcntl.fcntl(self._descriptor, _SET, _KINDS[kind])
        except BlockingIOError as error:
            raise BusyError from error
        except OSError as error:
            raise NoLeasesError(_REASONS.get(error.errno or 0, error.strerror or str(error))) from error
        self._kind = _KINDS[kind]

    def is_broken(self) -> bool:
        """Whether somebody has opened the file against the lease, or waits to. One system call, half a microsecond."""
        return self.is_held and _GET is not None and fcntl.fcntl(self._descriptor, _GET) != self._kind

    def release(self) -> None:
        """Give the lease up: who waits for the file goes on."""
        if self._kind is not None and _SET is not None:
            self._kind = None
            # A duplicate of the descriptor would keep the lease alive after a mere close. It is refused where
            # somebody waited for so long that the kernel has ended the lease.
            with contextlib.suppress(BlockingIOError):
                fcntl.fcntl(self._descriptor, _SET, fcntl.F_UNLCK)
