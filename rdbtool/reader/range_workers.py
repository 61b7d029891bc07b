"""Processes that take ranges of a file in turn, and answer in order.

Each is a copy of this process, made by ``fork``. One message goes round among them in a pipe: where the next range
begins. Who reads it finds the end of that range, writes the message for the next one, and then works on its own.
Results come through a pipe of each process and memory that it shares with this one, of which it has a few pieces; so
the results that were not taken yet are no more than those. The processes end when this one closes their pipes, also
by dying.
"""

from __future__ import annotations

import contextlib
import gc
import marshal
import mmap
import os
import select
import struct
from types import TracebackType

from rdbtool._codec.room import Room
from rdbtool.core.forks import end, fork, leave_signals
from rdbtool.core.light_typing import Any, Final, NamedTuple, NoReturn, Protocol, Self

#: Results of a process that may wait: while one is taken, it makes others.
_ROOMS: Final = 3

#: Bytes of shared memory for a result. What is not written to takes no memory.
_ROOM_SIZE: Final = 16 << 20

#: The message that goes round: the number of the next range, its offset, and whether there is none.
_TURN: Final = struct.Struct("<qqq")

_SIZE: Final = struct.Struct("<q")


class Task(Protocol):
    """What a process does with a range."""

    def find_stop(self, start: int) -> tuple[int, bool]:
        """Return where the range ends that begins at ``start``, and whether it is the last one."""

    def decode(self, stop: int, room: Room) -> tuple[Any, ...] | None:
        """Return the result, of what ``marshal`` takes, and leave bytes in ``room``; None: there is none."""


class Ranged(NamedTuple):
    """A range from ``start`` to ``stop``, and what came of it: a result with a room, or None.

    ``is_last``: no range follows.
    """

    start: int
    stop: int
    is_last: bool
    result: Any
    room: Room
    worker: int
    slot: int


class _Worker(NamedTuple):
    """``free`` is the pipe for numbers of free rooms, ``results`` the one for results: this process's ends, or its."""

    process: int
    free: int
    results: int
    rooms: list[Room]


class Workers:
    """Up to ``count`` processes that do ``task``, from the offset ``start`` on. A context manager.

    There may be fewer than requested, or none.
    """

    def __init__(self, count: int, task: Task, start: int) -> None:
        self._task = task
        self._workers: list[_Worker] = []
        self._done: dict[int, Ranged] = {}
        self._taken = 0
        #: The processes' pipes for results, and the numbers of the processes by them.
        self._poll = select.poll()
        self._numbers: dict[int, int] = {}
        self._turn: tuple[int, ...] = ()
        try:
            # Too many processes or open files: those that there are do it.
            with contextlib.suppress(OSError):
                self._turn = os.pipe()
                os.write(self._turn[1], _TURN.pack(0, start, 0))
                for _ in range(count):
                    self._start()
        except BaseException:
            self.close()
            raise

    @property
    def count(self) -> int:
        """The number of processes."""
        return len(self._workers)

    def take(self) -> Ranged | None:
        """Return the next range in the order of the file; None: a process died, and there are no others.

        Its room is in use until ``release``.
        """
        while self._taken not in self._done:
            for descriptor, _ in self._poll.poll():
                if not self._receive(self._numbers[descriptor]):
                    return None
        self._taken += 1
        return self._done.pop(self._taken - 1)

    def release(self, ranged: Ranged) -> None:
        """Let the process that made a result use its room again."""
        # A process that died is noticed when its next result is missing.
        with contextlib.suppress(OSError):
            os.write(self._workers[ranged.worker].free, bytes([ranged.slot]))

    def close(self) -> None:
        """End the processes."""
        for worker in self._workers:
            os.close(worker.free)
            os.close(worker.results)
            end(worker.process)
        self._workers = []
        for descriptor in self._turn:
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _receive(self, number: int) -> bool:
        """Receive a result of a process; return False if it died."""
        worker = self._workers[number]
        size = _read(worker.results, _SIZE.size)
        data = None if size is None else _read(worker.results, _SIZE.unpack(size)[0])
        if data is None:
            return False
        turn, start, stop, is_last, slot, used, result = marshal.loads(data)  # noqa: S302 - from a copy of this process
        worker.rooms[slot].used = used
        self._done[turn] = Ranged(start, stop, is_last, result, worker.rooms[slot], number, slot)
        return True

    def _start(self) -> None:
        with contextlib.ExitStack() as opened:
            rooms = [Room(memoryview(mmap.mmap(-1, _ROOM_SIZE))) for _ in range(_ROOMS)]
            pipes = []
            for _ in range(2):
                pipes.append(os.pipe())
                for descriptor in pipes[-1]:
                    opened.callback(os.close, descriptor)
            (its_free, free), (results, its_results) = pipes
            os.write(free, bytes(range(_ROOMS)))
            process = fork()
            if process == 0:
                self._serve(_Worker(0, its_free, its_results, rooms), (free, results))
            opened.pop_all()
        os.close(its_free)
        os.close(its_results)
        self._numbers[results] = len(self._workers)
        self._workers.append(_Worker(process, free, results, rooms))
        self._poll.register(results, select.POLLIN)

    def _serve(self, own: _Worker, others: tuple[int, int]) -> NoReturn:
        """Work until this is ended: in a new process."""
        try:
            leave_signals()
            gc.disable()
            # Open ends of pipes would keep the other processes alive.
            for descriptor in (*others, *(each for row in self._workers for each in (row.free, row.results))):
                os.close(descriptor)
            self._work(own)
        finally:
            os._exit(0)

    def _work(self, own: _Worker) -> None:
        waiting = select.poll()
        waiting.register(self._turn[0], select.POLLIN)
        # Only its end is of interest: the first process is gone.
        waiting.register(own.free, 0)
        while slot := os.read(own.free, 1):
            room = own.rooms[slot[0]]
            if any(descriptor == own.free for descriptor, _ in waiting.poll()):
                return
            turn, start, is_over = _TURN.unpack(os.read(self._turn[0], _TURN.size))
            if is_over:
                os.write(self._turn[1], _TURN.pack(turn, start, is_over))
                continue
            stop, is_last = self._task.find_stop(start)
            os.write(self._turn[1], _TURN.pack(turn + 1, stop, is_last))
            room.used = 0
            result = self._task.decode(stop, room) if stop > start else None
            _write(own.results, marshal.dumps((turn, start, stop, is_last, slot[0], room.used, result)))


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
    rest = memoryview(_SIZE.pack(len(data)) + data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
