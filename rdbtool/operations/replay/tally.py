"""What a log consists of, counted while it is replayed: commands by part, times."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter

from rdbtool.reader.aof.batches import CommandBatch, read_time


class LogTally:
    """Hears of the batches of a log.

    ``commands`` counts commands by the index of their part. ``timeline`` knows the times.
    """

    def __init__(self) -> None:
        self.commands: Counter[int] = Counter()
        self.timeline = Timeline()

    def restart(self) -> None:
        """Forget everything: the log is read again."""
        self.commands.clear()
        self.timeline = Timeline()

    def __call__(self, batch: CommandBatch) -> None:
        """Count a batch."""
        self.commands[batch.part] += len(batch.argvs)
        self.timeline(batch)


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

    def span_of(self, commands: int) -> tuple[int | None, int | None]:
        """Return the first and the last time among so many commands, None where there is none."""
        last = self.time_of(commands)
        return (None if last is None else self._times[0]), last

    def time_of(self, number: int) -> int | None:
        """Return the time of a command by its number, in Unix seconds, None before the first annotation."""
        index = bisect_right(self._numbers, number)
        return self._times[index - 1] if index else None
