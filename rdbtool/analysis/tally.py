"""What a log consists of, counted while it is replayed: commands by part, transactions, times."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter

from rdbtool._codec.aof import MULTI
from rdbtool.reader.batches import CommandBatch, read_time


class LogTally:
    """Hears of the batches of a log.

    ``commands`` counts commands by the index of their part, ``transactions`` those that have their EXEC.
    ``sizes`` maps parts to the offset behind their last command. ``first_time`` and ``last_time`` are those of
    the annotations, in Unix seconds.
    """

    def __init__(self) -> None:
        self.commands: Counter[int] = Counter()
        self.sizes: dict[int, int] = {}
        self.transactions = 0
        self.first_time: int | None = None
        self.last_time: int | None = None
        self._part = -1
        self._in_multi = False

    def __call__(self, batch: CommandBatch) -> None:
        """Count a batch."""
        if batch.part != self._part:
            self._part, self._in_multi = batch.part, False
        self.commands[batch.part] += len(batch.argvs)
        self.sizes[batch.part] = batch.stop
        for _, mark in batch.marks:
            self.transactions += self._in_multi and mark != MULTI
            self._in_multi = mark == MULTI
        for _, text in batch.annotations:
            time = read_time(text)
            if time is not None:
                self.first_time = time if self.first_time is None else self.first_time
                self.last_time = time


class Timeline:
    """Hears of the batches of a log, and knows when each command was annotated to have been written."""

    def __init__(self) -> None:
        self._numbers: list[int] = []
        self._times: list[int] = []

    def __call__(self, batch: CommandBatch) -> None:
        """Take note of the annotations of a batch."""
        for index, text in batch.annotations:
            time = read_time(text)
            if time is not None:
                self._numbers.append(batch.first_number + index)
                self._times.append(time)

    def time_of(self, number: int) -> int | None:
        """Return the time of a command by its number, in Unix seconds, None before the first annotation."""
        index = bisect_right(self._numbers, number)
        return self._times[index - 1] if index else None
