"""Feed one RDB file in ranges that several processes decode.

A scan of the framing finds ranges of records; copies of the reader and its sink, made by ``fork``, each decode one
range after another, and the sink adds what they made in the order of the file. Only records of one db are in ranges:
what stands between them is read here, in the process that has the sink.

The result is that of one process. A copy answers for a range only if it decoded all of it, from its first byte to its
last, without an error, and if what precedes the range was decoded likewise; so a wrong guess of the scan has no effect.
Any other range, damaged, too large, or with a finding, is read here once more: then errors are those of one process.
A copy that dies makes its ranges such others.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rdbtool._codec.decode.ranges import SkipScan, checksum_behind
from rdbtool.reader.range_workers import IN_ADVANCE, Range, Workers

if TYPE_CHECKING:
    from rdbtool._codec.filters.selection import Selection
    from rdbtool._codec.sink import Sink
    from rdbtool.core.progress import Progress
    from rdbtool.reader.rdb import RdbReader

#: Bytes of a range: few, since the output of several is in memory, and enough for an answer not to matter.
RANGE: Final = 1 << 20

#: The fewest bytes of records for which processes are started.
LEAST: Final = 8 << 20

#: The most bytes that are read here before the next look for ranges, if there were none.
_PAUSE: Final = 4 << 20

#: Ranges in a row without an answer after which the rest is read here.
_MISSES: Final = 8


class _Answer(NamedTuple):
    """What a copy of the reader made of a range. ``result`` is that of the sink."""

    checksum: int
    tally: tuple[int, ...]
    result: object


class RangeReading:
    """Feeds ``sink`` from an open file in ranges; ``advance`` makes the reader go on, True at the end of the file."""

    def __init__(
        self,
        reader: RdbReader,
        sink: Sink,
        advance: Callable[[], bool],
        processes: int,
        selection: Selection | None,
        progress: Progress | None,
    ) -> None:
        self.reader = reader
        self.sink = sink
        self.advance = advance
        self.processes = processes
        self.selection = selection
        self.progress = progress
        self.place = reader.place
        self.finished = False

    def run(self) -> bool:
        """Feed what can be fed in ranges, and return whether the file was read to its end.

        Raises what reading raises.
        """
        pause = RANGE >> 4
        while not self.finished and self.place.left() >= LEAST:
            self._read_first()
            if self.finished:
                break
            at = self.place.at
            scan = SkipScan(self.reader.source.reread, at, self.reader.header.magic)
            stops = self._look(scan, at)
            if stops[-1] - at < LEAST:
                self._read_to(max(stops[-1], at + pause))
                pause = min(2 * pause, _PAUSE)
                continue
            pause = RANGE >> 4
            if not self._feed(self._ranges(scan, at, stops)):
                break
        return self.finished

    def _read_first(self) -> None:
        """Read up to a key and that key: then the state is that of any place between two of its db."""
        keys = self.place.keys
        while not self.finished and self.place.keys == keys:
            self._read_to(self.place.at + 1)

    def _read_to(self, stop: int) -> None:
        """Read items here until the offset ``stop`` or the end of the file."""
        self.place.stop_at(stop)
        try:
            while not self.finished and self.place.at < stop:
                self.finished = self.advance()
        finally:
            self.place.stop_at(-1)

    def _look(self, scan: SkipScan, at: int) -> list[int]:
        """Return the ends of the next ranges, of at least ``LEAST`` bytes together unless there are fewer."""
        stops = [scan.next_stop(RANGE)]
        while stops[-1] - at < LEAST and not scan.ended:
            stops.append(scan.next_stop(RANGE))
        return stops

    def _ranges(self, scan: SkipScan, start: int, stops: list[int]) -> Iterator[Range]:
        found = itertools.chain(stops, iter(lambda: -1 if scan.ended else scan.next_stop(RANGE), -1))
        for stop in found:
            if stop > start:
                yield Range(start, stop)
                start = stop

    def _feed(self, ranges: Iterator[Range]) -> bool:
        """Feed ranges of records of one db; return False if the rest is not to be read in ranges."""
        waiting: deque[Range] = deque()
        misses = 0
        begin = self.place.at
        checksum = self.place.checksum()
        with Workers(self.processes, self._decode) as workers:
            if not workers.count:
                return False
            for each in itertools.islice(ranges, workers.count * IN_ADVANCE):
                workers.send(each)
                waiting.append(each)
            while waiting:
                each = waiting.popleft()
                answer = workers.receive()
                if answer is not None and self._add(_Answer(*answer), workers):
                    misses = 0
                    checksum = checksum_behind(checksum, answer[0], each.stop - each.start)
                    begin = each.stop
                else:
                    misses += 1
                    self.place.move(each.start, checksum)
                    db = self.place.db
                    self._read_to(each.stop)
                    begin = self.place.at
                    if begin != each.stop or not self.place.is_between_records or self.place.db != db:
                        return False
                    if misses == _MISSES:
                        return False
                    checksum = self.place.checksum()
                following = next(ranges, None)
                if following is not None:
                    workers.send(following)
                    waiting.append(following)
                if self.progress is not None:
                    self.progress(begin)
        self.place.move(begin, checksum)
        return True

    def _add(self, answer: _Answer, workers: Workers) -> bool:
        """Add what a copy made; return False if the sink has to have the records themselves."""
        if not self.sink.add_range(answer.result, workers.room):
            return False
        self.reader.add_tally(answer.tally, self.selection)
        return True

    def _decode(self, work: Range, room: Any) -> tuple[Any, ...] | None:
        """In a copy: decode a range, and return an ``_Answer``; None if it has to be read in one process."""
        place = self.place
        db = place.db
        before = self.reader.tally()
        try:
            place.enter(work.start, work.stop)
            self.sink.begin_range(room, db)
            self._read_to(work.stop)
            if self.finished or place.at != work.stop or not place.is_between_records or place.db != db:
                return None
            tally = tuple(now - then for now, then in zip(self.reader.tally(), before, strict=True))
            return _Answer(place.checksum(), tally, self.sink.end_range())
        finally:
            place.reset(db)
