"""Processes that work on ranges, and answer in order.

Each is a copy of this process, made by ``fork``, with a pipe for work, one for answers, and memory for bytes that they
share. Work is given to them in turn and answered in turn, so no more is in memory than what was given out. They end
when this process closes its pipes, also by dying.
"""

from __future__ import annotations

import contextlib
import gc
import marshal
import mmap
import os
import signal
import struct
import warnings
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, NamedTuple, NoReturn, Self

from rdbtool._codec.decode.ranges import Room

#: Ranges that a process has been given and that were not received: while one waits, it works on the next.
IN_ADVANCE: Final = 3

#: Bytes of shared memory for the output of a range. What is not written to takes no memory.
_ROOM: Final = 16 << 20

_WORK: Final = struct.Struct("<qqi")
_SIZE: Final = struct.Struct("<q")


class Range(NamedTuple):
    """Bytes of a file: the offsets of the first one and behind the last one."""

    start: int
    stop: int


class _Worker(NamedTuple):
    process: int
    work: int
    answers: int
    rooms: list[Room]


class Workers:
    """``count`` processes that call ``task`` with a range and a room; what it returns is marshalled. A context manager.

    There may be fewer than asked for, or none. A process that dies answers None, and so does one whose task raises.
    """

    def __init__(self, count: int, task: Callable[[Range, Room], tuple[Any, ...] | None]) -> None:
        self._workers: list[_Worker] = []
        self._sent = self._received = 0
        try:
            for _ in range(count):
                self._start(task)
        except OSError:
            # Too many processes or open files: those that there are do it.
            pass
        except BaseException:
            self.close()
            raise

    @property
    def count(self) -> int:
        """The number of processes."""
        return len(self._workers)

    @property
    def room(self) -> Room:
        """The room of the answer that was received last."""
        return self._place(self._received - 1)[1]

    def send(self, work: Range) -> None:
        """Give the next process a range."""
        worker, _ = self._place(self._sent)
        slot = self._sent // self.count % IN_ADVANCE
        self._sent += 1
        # A process that died is noticed when its answer is due.
        with contextlib.suppress(OSError):
            os.write(worker.work, _WORK.pack(*work, slot))

    def receive(self) -> tuple[Any, ...] | None:
        """Return the answer for the range that was sent first of those that are due."""
        worker, room = self._place(self._received)
        self._received += 1
        size = _read(worker.answers, _SIZE.size)
        data = b"" if size is None else _read(worker.answers, _SIZE.unpack(size)[0])
        if not data:
            return None
        answer = marshal.loads(data)  # noqa: S302 - from a copy of this process
        if answer is None:
            return None
        room.used, *rest = answer
        return tuple(rest)

    def close(self) -> None:
        """End the processes."""
        for worker in self._workers:
            os.close(worker.work)
            os.close(worker.answers)
            with contextlib.suppress(OSError):
                os.kill(worker.process, signal.SIGKILL)
            with contextlib.suppress(OSError):
                os.waitpid(worker.process, 0)
        self._workers = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _place(self, number: int) -> tuple[_Worker, Room]:
        worker = self._workers[number % self.count]
        return worker, worker.rooms[number // self.count % IN_ADVANCE]

    def _start(self, task: Callable[[Range, Room], tuple[Any, ...] | None]) -> None:
        with contextlib.ExitStack() as opened:
            rooms = [Room(memoryview(mmap.mmap(-1, _ROOM))) for _ in range(IN_ADVANCE)]
            pipes = []
            for _ in range(2):
                pipes.append(os.pipe())
                for descriptor in pipes[-1]:
                    opened.callback(os.close, descriptor)
            (work, given), (answers, sent) = pipes
            # A copy works on what it has alone, whatever threads there are: the bar of progress, at most.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                process = os.fork()
            if process == 0:
                self._serve(task, _Worker(0, work, sent, rooms), (given, answers))
            opened.pop_all()
        os.close(work)
        os.close(sent)
        self._workers.append(_Worker(process, given, answers, rooms))

    def _serve(
        self, task: Callable[[Range, Room], tuple[Any, ...] | None], own: _Worker, others: tuple[int, int]
    ) -> NoReturn:
        """Work until there is no more: in a new process, which ends here."""
        try:
            # This process decides what an interruption means.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            for number in (signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)
            gc.disable()
            # Open ends of pipes would keep the other processes alive.
            for descriptor in (*others, *(each for worker in self._workers for each in (worker.work, worker.answers))):
                os.close(descriptor)
            while (work := _read(own.work, _WORK.size)) is not None:
                start, stop, slot = _WORK.unpack(work)
                room = own.rooms[slot]
                room.used = 0
                try:
                    answer = task(Range(start, stop), room)
                except Exception:  # noqa: BLE001 - the first process reads the range once more, and raises what is due
                    answer = None
                data = marshal.dumps(None if answer is None else (room.used, *answer))
                _write(own.answers, _SIZE.pack(len(data)) + data)
        finally:
            os._exit(0)


def _read(descriptor: int, size: int) -> bytes | None:
    """Return ``size`` bytes of a pipe; None if it ends before them."""
    data = b""
    while len(data) < size:
        piece = os.read(descriptor, size - len(data))
        if not piece:
            return None
        data += piece
    return data


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
