"""Copies of this process, made by ``fork``, and calls of a function for several arguments in them.

A copy uses what it has alone; it ends by ``os._exit``, and never returns to its caller.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import struct
import warnings
from collections.abc import Callable, Sequence

from rdbtool.core.light_typing import Final, NoReturn, TypeVar

Given = TypeVar("Given")
Result = TypeVar("Result")

_NUMBER: Final = struct.Struct("<i")

#: Arguments whose numbers a pipe holds.
_MOST: Final = 8192


def fork() -> int:
    """Copy this process; return the copy's number, and 0 in it. Raises OSError."""
    # Python warns of other threads, whose locks may be held in the copy: it uses none of theirs.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def leave_signals() -> None:
    """In a copy: leave it to the first process what an interruption means."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def end(process: int) -> None:
    """End a copy, and wait for it."""
    with contextlib.suppress(OSError):
        os.kill(process, signal.SIGKILL)
    with contextlib.suppress(OSError):
        os.waitpid(process, 0)


def map_forked(function: Callable[[Given], Result], given: Sequence[Given], processes: int) -> list[Result]:
    """Return the results of ``function`` in the order of ``given``; up to ``processes`` calls are made at once.

    Results are pickled. Calls that fail in a process are made here once more, after all others, and may raise.
    """
    results: dict[int, Result] = {}
    if processes > 1 and 1 < len(given) <= _MOST:
        results = _map(function, given, min(processes, len(given)))
    return [results[number] if number in results else function(each) for number, each in enumerate(given)]


def _map(function: Callable[[Given], Result], given: Sequence[Given], processes: int) -> dict[int, Result]:
    numbers, todo = os.pipe()
    os.write(todo, b"".join(map(_NUMBER.pack, range(len(given)))))
    os.close(todo)
    running: dict[int, int] = {}
    answers: dict[int, bytearray] = {}
    try:
        # Too many processes: those that there are do it.
        with contextlib.suppress(OSError):
            for _ in range(processes):
                answer, own = os.pipe()
                process = fork()
                if process == 0:
                    for each in (answer, *running):
                        os.close(each)
                    _serve(function, given, numbers, own)
                os.close(own)
                running[answer], answers[answer] = process, bytearray()
        _collect(answers)
    finally:
        os.close(numbers)
        for answer, process in running.items():
            os.close(answer)
            end(process)
    from pickle import loads  # noqa: PLC0415 - for several files only  # noqa: S403

    results: dict[int, Result] = {}
    for data in answers.values():
        view = memoryview(data)
        while len(view) >= _NUMBER.size and len(view) >= _NUMBER.size + _NUMBER.unpack(view[: _NUMBER.size])[0]:
            (size,) = _NUMBER.unpack(view[: _NUMBER.size])
            results.update([loads(view[_NUMBER.size : _NUMBER.size + size])])  # noqa: S301 - from our own copy
            view = view[_NUMBER.size + size :]
    return results


def _collect(answers: dict[int, bytearray]) -> None:
    """Read pipes to their ends."""
    poll = select.poll()
    for descriptor in answers:
        poll.register(descriptor, select.POLLIN)
    left = len(answers)
    while left:
        for descriptor, _ in poll.poll():
            piece = os.read(descriptor, 1 << 16)
            answers[descriptor] += piece
            if not piece:
                poll.unregister(descriptor)
                left -= 1


def _serve(function: Callable[[Given], Result], given: Sequence[Given], numbers: int, answers: int) -> NoReturn:
    """Take numbers and answer until there are none: in a new process, which ends here."""
    from pickle import dumps  # noqa: PLC0415 - as above

    try:
        leave_signals()
        while data := os.read(numbers, _NUMBER.size):
            (number,) = _NUMBER.unpack(data)
            answer = dumps((number, function(given[number])))
            rest = memoryview(_NUMBER.pack(len(answer)) + answer)
            while rest:
                rest = rest[os.write(answers, rest) :]
    finally:
        os._exit(0)
