"""Feed one RDB file in ranges that several processes decode.

Copies of the reader and its sink, made by ``fork``, find ranges of records by their framing, and each decodes one range
after another; the sink adds what they made in the order of the file. Only records of one db are in ranges: what stands
between them is read here, in the process that has the sink.

The result is that of one process. A copy has a result for a range only if it decoded all of it, from its first byte to
its last, without an error; so if the framing misled it, there is none. Any such range, damaged, too large, or with
something to report, is read here once more: then errors are those of one process. If a copy dies, the rest is read
here.
"""

from __future__ import annotations

from collections.abc import Callable

from rdbtool._codec.decode.skip_scan import checksum_behind
from rdbtool._codec.room import NoResultError, OutdatedCopyError, Room
from rdbtool.core.errors import RdbToolError
from rdbtool.core.light_typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol
from rdbtool.reader.range_workers import Ranged, Workers

if TYPE_CHECKING:
    from rdbtool._codec.filters.selection import Selection
    from rdbtool._codec.sink import Sink
    from rdbtool.core.progress import Progress
    from rdbtool.reader.reading_place import ReadingPlace

#: Bytes of the window in which a range is found and decoded: so what is scanned is not read again.
_WINDOW: Final = 2 << 20

#: Bytes of a range: all that a window holds.
_RANGE: Final = _WINDOW

#: The fewest bytes of records for which processes are started.
_LEAST: Final = 8 << 20

#: The fewest and the most bytes that are read here before the next look for ranges, if there were none.
_SHORT_PAUSE: Final = 64 << 10
_LONG_PAUSE: Final = 4 << 20

#: Ranges in a row without a result after which the rest is read here.
_MISSES: Final = 8


class _Result(NamedTuple):
    """What a copy of the reader made of a range. ``made`` is the result of the sink."""

    checksum: int
    tally: tuple[int, ...]
    made: object


class Counting(Protocol):
    """A reader that counts what it reads."""

    @property
    def place(self) -> ReadingPlace:
        """Where it reads."""

    def tally(self) -> tuple[int, ...]:
        """Return the numbers of what was read so far."""

    def add_tally(self, numbers: tuple[int, ...], selection: Selection | None) -> None:
        """Count what a copy of it read."""


class RangeReading:
    """Feeds ``sink`` from an open file in ranges; ``advance`` makes the reader go on, True at the end of the file."""

    def __init__(
        self,
        reader: Counting,
        sink: Sink,
        advance: Callable[[], bool],
        *,
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
        self._misses = 0

    def run(self) -> bool:
        """Feed what can be fed in ranges, and return whether the file was read to its end.

        Raises what reading raises.
        """
        pause = _SHORT_PAUSE
        while not self.finished and self.place.may_have(_LEAST):
            if not self._read_first():
                break
            start = self.place.at
            stop = start
            # What is decompressed is held from the fourth megabyte on, but not as long as a large record takes.
            if self.place.can_reread(start):
                self.place.need(start)
                stop = self.place.scan(start).next_stop(_LEAST)
            if stop - start < _LEAST:
                self._read_to(max(stop, start + pause))
                pause = min(2 * pause, _LONG_PAUSE)
                continue
            pause = _SHORT_PAUSE
            if not self._feed(start):
                break
        return self.finished

    # ---- in a copy -------------------------------------------------------------------------------

    def find_stop(self, start: int) -> tuple[int, bool]:
        """Return where the range ends that begins at ``start``, and whether it is the last one; see ``Task``."""
        self.place.enter(start)
        scan = self.place.scan(start)
        stop = scan.stop_within(self.place.fill(_WINDOW), _RANGE)
        return stop, scan.ended

    def decode(self, stop: int, room: Room) -> tuple[Any, ...] | None:
        """Decode to ``stop``, and return the result; None if this has to be done in the first process."""
        place = self.place
        db = place.db
        before = self.reader.tally()
        try:
            self.sink.begin_range(room, db)
            self._read_to(stop)
            if self.finished or place.at != stop or not place.is_between_records or place.db != db:
                return None
            tally = tuple(now - then for now, then in zip(self.reader.tally(), before, strict=True))
            return tuple(_Result(place.checksum(), tally, self.sink.end_range()))
        except (RdbToolError, NoResultError, MemoryError):
            return None
        finally:
            place.reset(db)

    # ---- here ------------------------------------------------------------------------------------

    def _read_first(self) -> bool:
        """Read up to a key and that key: then the state is that of any place between two of its db; False: no key."""
        keys = self.place.keys
        while not self.finished and self.place.keys == keys:
            self._read_to(self.place.at + 1)
        return self.place.keys > keys

    def _read_to(self, stop: int) -> None:
        """Read items up to the offset ``stop``, or the end of the file."""
        self.place.stop_at(stop)
        try:
            while not self.finished and self.place.at < stop:
                self.finished = self.advance()
        finally:
            self.place.stop_at(-1)

    def _feed(self, start: int) -> bool:
        """Feed ranges of records of one db, from ``start`` on; return False if no more is to be read in ranges."""
        place = self.place
        checksum = place.checksum()
        with Workers(self.processes, self, start) as workers:
            if not workers.count:
                return False
            while (ranged := workers.take()) is not None:
                try:
                    is_added = ranged.result is not None and self._add(ranged)
                except OutdatedCopyError:
                    break
                if is_added:
                    self._misses = 0
                    checksum = checksum_behind(checksum, ranged.result[0], ranged.stop - ranged.start)
                elif ranged.stop > ranged.start:
                    self._misses += 1
                    place.move(ranged.start, checksum)
                    db = place.db
                    self._read_to(ranged.stop)
                    if place.at != ranged.stop or not place.is_between_records or place.db != db:
                        return False
                    if not place.can_reread(ranged.stop):
                        # The copies may have read what is no longer held.
                        return True
                    checksum = place.checksum()
                start = ranged.stop
                place.need(start)
                if self.progress is not None:
                    self.progress(start)
                if ranged.is_last or self._misses == _MISSES:
                    break
                workers.release(ranged)
        place.move(start, checksum)
        return ranged is not None and self._misses < _MISSES

    def _add(self, ranged: Ranged) -> bool:
        """Add what a copy made; return False if the sink has to have the records themselves."""
        result = _Result(*ranged.result)
        if not self.sink.add_range(result.made, ranged.room):
            return False
        self.reader.add_tally(result.tally, self.selection)
        return True
