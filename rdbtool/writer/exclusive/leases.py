"""Linux file leases (F_SETLEASE): detect who has a file open, and who opens it later.

A write lease is granted only while no other process has the file open, a read lease only while none has it open for
writing; this covers processes of every user and container. A process that then opens the file against a lease blocks
until the lease is released, at most for the time in ``/proc/sys/fs/lease-break-time`` (45 seconds), and meanwhile
F_GETLEASE returns another type than was taken. That change is what is queried here: it persists after the wait has
ended, and it needs no signal handler.

The kernel also sends a signal, by default SIGIO, which kills a process without a handler. It is sent to the process and
not to a thread, so blocking it in one thread would not help, and a library must not change its handler. So another
signal is set with F_SETSIG, one that is ignored by default.

Leases belong to an open file description, not to a process: reading through the descriptor, or through a duplicate of
it, does not break the lease, but opening the file again does, even in the same process, by ``/proc/self/fd``, or
without blocking.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import signal

from rdbtool.core.light_typing import Final, Literal

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
    """Leases are unavailable here; the text says why."""


class BusyError(Exception):
    """A lease was refused: another process has the file open."""


class Lease:
    """A lease on an open file. ``descriptor`` is open for reading only and stays the caller's to close."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._kind: int | None = None

    @property
    def is_held(self) -> bool:
        """Whether a lease was taken and not released, broken or not."""
        return self._kind is not None

    def take(self, kind: Kind) -> None:
        """Take a lease, or change the type of the held one; on failure it stays unchanged.

        Taking it again after it was broken releases it, and the break is no longer visible: ask ``is_broken`` before.
        Raises BusyError, and NoLeasesError.
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
        """Whether a process has opened the file against the lease, or waits to. One system call, half a microsecond."""
        return self.is_held and _GET is not None and fcntl.fcntl(self._descriptor, _GET) != self._kind

    def release(self) -> None:
        """Release the lease: waiting processes continue."""
        if self._kind is not None and _SET is not None:
            self._kind = None
            # A duplicate of the descriptor would keep the lease alive after a mere close. The call fails if a process
            # waited so long that the kernel has removed the lease.
            with contextlib.suppress(BlockingIOError):
                fcntl.fcntl(self._descriptor, _SET, fcntl.F_UNLCK)
