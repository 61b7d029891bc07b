"""What an output is, and outputs that are written through, such as pipes, devices and standard output."""

from __future__ import annotations

import os

from rdbtool.core.light_typing import TYPE_CHECKING, Protocol
from rdbtool.io.pipes import widen
from rdbtool.writer.atomic.failures import failed

if TYPE_CHECKING:
    from collections.abc import Callable

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


class Through:
    """An output to a file descriptor, unbuffered: sinks write large pieces. See ``Output``."""

    #: ``write`` takes memory that changes afterwards.
    takes_views = True

    def __init__(self, descriptor: int, name: str) -> None:
        self.descriptor = descriptor
        self.name = name
        self.is_terminal = os.isatty(descriptor)
        self.written = 0
        self._is_wide = False

    def write(self, data: bytes | bytearray | memoryview, /) -> None:
        """Write all of ``data``."""
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
        """Return False: what is written through cannot be refused any more."""
        return False
