"""Decompress in another process, into memory that this process and copies of it read, each at its own place.

The memory holds the last megabytes of the stream: what this process still needs, and what follows. The other process
waits where it is full, and a reader waits where it ends. Who reads further than it can reach gets nothing, as at the
end of the stream. All numbers are in the memory; bytes in pipes only wake who waits.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import pickle
import select
from collections.abc import Callable

from rdbtool.core.forks import end, fork, leave_signals
from rdbtool.core.light_typing import Final, NoReturn
from rdbtool.io.beside import ERRORS
from rdbtool.io.decompress import EndedProcessError

#: Bytes of the stream that are held, and how many of them stay when this process reads further than that.
SIZE: Final = 32 << 20
BEFORE: Final = SIZE // 2

#: The fewest bytes of a piece; smaller ones are joined. And the number of pieces that are listed: twice those held.
_LEAST: Final = 16 << 10
_LISTED: Final = 2 * SIZE // _LEAST

#: Bytes that are announced at once: each announcement takes as long as copying some of them.
_ANNOUNCED: Final = 256 << 10

#: Numbers in the memory: the offset of the first byte that is needed, that of the end of what is there, whether
#: nothing follows; then of each listed piece its end, and the result of ``tell`` after it.
_NEEDED, _THERE, _ENDED, _LIST = range(4)
_NUMBERS_SIZE: Final = 8 * (_LIST + 2 * _LISTED)

#: Milliseconds after which a reader looks again: what would wake it may have woken another copy.
_PATIENCE: Final = 20

#: Processors that show stores to others in the order in which they were made: the memory has no locks.
_ORDERED: Final = ("x86_64", "i686", "AMD64", "s390x")


def can_share() -> bool:
    """Whether the system allows this."""
    return hasattr(os, "fork") and os.uname().machine in _ORDERED


class Shared:
    """Calls ``read`` in a separate process until it returns nothing or raises; its bytes begin at the offset ``at``.

    ``place`` is the result of ``tell`` after the bytes that were read last. Raises OSError if there can be no process.
    """

    def __init__(self, read: Callable[[], bytes], tell: Callable[[], int], at: int) -> None:
        self.place = tell()
        memory = memoryview(mmap.mmap(-1, _NUMBERS_SIZE + SIZE))
        self._numbers = memory[:_NUMBERS_SIZE].cast("q")
        self._data = memory[_NUMBERS_SIZE:]
        self._begin = self._end = at
        self._pieces = self._piece = 0
        self._is_copy = False
        self._numbers[_NEEDED] = self._numbers[_THERE] = at
        pipes: list[tuple[int, int]] = []
        try:
            pipes.extend(os.pipe() for _ in range(4))
            (more, self._more), (more_in_copies, self._more_in_copies), (self._less, less), (error, self._error) = pipes
            # A full pipe wakes its reader anyway.
            for descriptor in (self._more, self._more_in_copies, less):
                os.set_blocking(descriptor, False)
            self._list(at, self.place)
            self._process = fork()
        except OSError:
            for pipe in pipes:
                for descriptor in pipe:
                    os.close(descriptor)
            raise
        mine, its = (more, more_in_copies, less, error), (self._more, self._more_in_copies, self._less, self._error)
        if self._process == 0:
            self._serve(read, tell, mine)
        for descriptor in its:
            os.close(descriptor)
        self._more, self._more_in_copies, self._less, self._error = mine

    # ---- where it is read --------------------------------------------------------------------------

    def read(self, view: memoryview, at: int) -> int:
        """Fill the beginning of ``view`` with the bytes at the offset ``at``, which is held; return their number.

        0 at the end of the stream, and where the memory cannot reach. Raises EndedProcessError.
        """
        numbers = self._numbers
        if numbers[_THERE] <= at and not self._wait(at):
            return 0
        count = min(len(view), numbers[_THERE] - at)
        offset = at % SIZE
        first = min(count, SIZE - offset)
        view[:first] = self._data[offset : offset + first]
        view[first:count] = self._data[: count - first]
        return count

    def read_on(self, view: memoryview, at: int) -> int:
        """Do the same where this was made, and reach everything: what is far before is no longer needed then.

        At the end, raises what ``read`` did.
        """
        if at >= self._numbers[_NEEDED] + SIZE:
            self.need(at - BEFORE)
        count = self.read(view, at)
        if count:
            self._find_place(at + count)
        else:
            data = b""
            while piece := os.read(self._error, 1 << 16):
                data += piece
            if data:
                raise pickle.loads(data)  # noqa: S301 - from a copy of this process
        return count

    def need(self, at: int) -> None:
        """Need bytes from the offset ``at`` on, none before it."""
        self._find_place(at)
        self._numbers[_NEEDED] = at
        _wake(self._less)

    def holds(self, at: int) -> bool:
        """Whether the byte at the offset ``at`` is held, or will be."""
        return at >= self._numbers[_NEEDED]

    def enter(self, begin: int) -> None:
        """In a copy of the process: read from the offset ``begin`` on, which stays needed."""
        self._begin = begin
        if not self._is_copy:
            self._is_copy = True
            self._more = self._more_in_copies
            # The end of the first process ends the one that decompresses, and that wakes the copies.
            os.close(self._less)

    def close(self) -> None:
        """End the process."""
        for descriptor in (self._more, self._more_in_copies, self._less, self._error):
            os.close(descriptor)
        end(self._process)

    def _wait(self, at: int) -> bool:
        """Wait for the byte at the offset ``at``; return False if it never comes."""
        numbers = self._numbers
        waiting = select.poll()
        waiting.register(self._more, select.POLLIN)
        while True:
            # In this order: where it ended, all is there.
            has_ended = numbers[_ENDED]
            if numbers[_THERE] > at:
                return True
            if has_ended or at >= (self._begin if self._is_copy else numbers[_NEEDED]) + SIZE:
                return False
            if waiting.poll(_PATIENCE) and not os.read(self._more, 1 << 12) and not numbers[_ENDED]:
                raise EndedProcessError

    def _find_place(self, at: int) -> None:
        """Find the piece with the byte before the offset ``at``."""
        numbers, piece = self._numbers, self._piece
        while piece and numbers[_LIST + 2 * ((piece - 1) % _LISTED)] >= at:
            piece -= 1
        while numbers[_LIST + 2 * (piece % _LISTED)] < at:
            piece += 1
        self._piece = piece
        self.place = numbers[_LIST + 2 * (piece % _LISTED) + 1]

    # ---- in the process ----------------------------------------------------------------------------

    def _serve(self, read: Callable[[], bytes], tell: Callable[[], int], others: tuple[int, ...]) -> NoReturn:
        try:
            leave_signals()
            for descriptor in others:
                os.close(descriptor)
            piece = b"-"
            failure = b""
            while piece and not failure:
                pieces = []
                size = 0
                try:
                    while size < _LEAST and (piece := read()):
                        pieces.append(piece)
                        size += len(piece)
                except ERRORS as error:
                    failure = pickle.dumps(error)
                data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
                self._list(self._end + len(data), tell())
                self._put(data)
            if failure:
                os.write(self._error, failure)
            self._announce()
            self._numbers[_ENDED] = 1
        finally:
            os._exit(0)

    def _list(self, end_at: int, place: int) -> None:
        number = _LIST + 2 * (self._pieces % _LISTED)
        self._numbers[number], self._numbers[number + 1] = end_at, place
        self._pieces += 1

    def _put(self, data: bytes) -> None:
        """Add bytes as far as they fit, again and again."""
        view = memoryview(data)
        while view:
            offset = self._end % SIZE
            count = min(len(view), self._numbers[_NEEDED] + SIZE - self._end, SIZE - offset)
            if count:
                self._data[offset : offset + count] = view[:count]
                view = view[count:]
                self._end += count
                if self._end - self._numbers[_THERE] >= _ANNOUNCED:
                    self._announce()
                continue
            self._announce()
            if not os.read(self._less, 1 << 12):
                # No process is left that could need it.
                os._exit(0)

    def _announce(self) -> None:
        if self._numbers[_THERE] != self._end:
            self._numbers[_THERE] = self._end
            _wake(self._more)
            _wake(self._more_in_copies)


def _wake(pipe: int) -> None:
    with contextlib.suppress(BlockingIOError, BrokenPipeError):
        os.write(pipe, b".")
