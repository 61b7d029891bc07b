"""Finds where a replay stops and what it skips, batch by batch, and says why a place was never reached.

The place to stop is looked for in the batches as they come, so an AOF in a pipe has places too. A place that is not
there is an error at the end: a caller that asked for the dataset of that place must not get another one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from rdbtool.core.commands import SWEEPING, TRANSACTION
from rdbtool.core.errors import FormatError, PlaceError
from rdbtool.core.light_typing import Final, NamedTuple
from rdbtool.core.moments import show_seconds
from rdbtool.engine.keyspec import command_name, is_called
from rdbtool.engine.replay.places import NO_SKIP, Place
from rdbtool.model import Aux
from rdbtool.reader.aof.batches import CommandBatch, read_time
from rdbtool.reader.open.files import Part

#: Commands that do much the same: who looks for one may have meant another of its row.
_RELATIVES: Final = (SWEEPING, frozenset({b"DEL", b"UNLINK"}))

#: Commands of one name that are listed, where one was meant.
_LISTED: Final = 10


class Stopped(NamedTuple):
    """The first command that was not executed because the place to stop was reached.

    ``command`` is its name in printable characters, empty where the AOF is damaged at the place. ``left_out`` counts
    the commands that were not executed, from this one to the end of the AOF and those of the transaction that the place
    is inside of (``in_transaction``); it is the least number where damage hides others (not ``is_counted``).
    """

    part: str
    offset: int
    number: int
    command: str
    left_out: int
    is_counted: bool
    in_transaction: bool


class Skipped(NamedTuple):
    """A command that was skipped because its number or name was asked for."""

    part: str
    offset: int
    number: int
    command: str


class Extent(NamedTuple):
    """How much of an AOF was replayed.

    ``place`` is where to stop in words, empty where ``stopped`` says it all. ``stopped`` is None where the AOF was
    replayed to its end.
    """

    place: str = ""
    stopped: Stopped | None = None
    skipped: tuple[Skipped, ...] = ()

    def lines(self) -> Iterator[str]:
        """Yield a line about each command that was skipped, and one about the place where the replay stopped."""
        for row in self.skipped:
            yield f"skipped command {row.number:,} ({row.command}) at {row.offset:#x} of {row.part}"
        if self.place or self.stopped is not None:
            yield self.describe_stop()

    def describe_stop(self) -> str:
        """Return where the replay stopped, and how many commands it left out."""
        stopped, place = self.stopped, f"{self.place}: " if self.place else ""
        if stopped is None:
            return f"{place}the AOF ends there: all commands were executed"
        what = f"before command {stopped.number:,} ({stopped.command})" if stopped.command else "before the damage"
        inside = ", inside a transaction, none of which was executed" if stopped.in_transaction else ""
        left = "1 command" if stopped.left_out == 1 else f"{stopped.left_out:,} commands"
        least = "" if stopped.is_counted else "at least "
        return f"{place}stopped {what} at {stopped.offset:#x} of {stopped.part}{inside}; {least}{left} not executed"


class Stops:
    """Where to stop, and what to skip, in the batches of an AOF.

    ``until``, ``before`` (an upper-case name) and ``number`` name the place, and ``skip`` numbers and names of commands
    to skip; ``place`` is ``until`` in words. Receives every snapshot and, in their order, every batch. ``skipped``
    holds what was skipped so far.
    """

    def __init__(
        self,
        *,
        until: Place | None = None,
        before: bytes | None = None,
        number: int | None = None,
        skip: Sequence[int | bytes] = (),
        place: str = "",
    ) -> None:
        self.place = place
        self._until = until
        self._before = before
        self._number = number
        self._skip_numbers = sorted({row for row in skip if isinstance(row, int)})
        #: By name to skip: the numbers of all commands that are called that.
        self._called: dict[bytes, list[int]] = {row: [] for row in skip if isinstance(row, bytes)}
        self._wanted = frozenset(self._called) | ({before} if before is not None else set())
        self._relatives = frozenset[bytes]().union(*(row for row in _RELATIVES if row & self._wanted))
        self._first_relative: dict[bytes, str] = {}
        self.skipped: list[Skipped] = []
        self._ends: dict[int, int] = {}
        self._saved_at: int | None = None
        self._first_time: int | None = None
        self._last_time: int | None = None
        self._is_later = False
        self._commands = 0

    @property
    def has_place(self) -> bool:
        """Whether there is a place to stop."""
        return self._until is not None or self._before is not None or self._number is not None

    def on_snapshot_read(self, part: int, end: int, aux: Sequence[Aux], parts: Sequence[Part]) -> None:
        """Take note of an RDB at the beginning of a part (an index), of which ``end`` is the first byte after it.

        Raises PlaceError where the place is inside of it.
        """
        self._ends[part] = end
        until = self._until
        if until is not None and until.offset is not None and self._chosen(until, parts) == part and until.offset < end:
            raise PlaceError(
                f"{self.place}: this is inside the RDB of {parts[part].name}, which is loaded as a whole: the first "
                f"place after it is at:{end:#x}"
            )
        saved = next((row.value for row in aux if row.key == b"ctime"), b"")
        self._saved_at = int(saved) if saved.isdigit() and len(saved) <= 12 else None

    def plan(self, batch: CommandBatch, parts: Sequence[Part]) -> tuple[int | None, list[int]]:
        """Return the index of the first command of a batch that is not to be executed, and those to skip before it.

        The first is None where the whole batch is before the place to stop. Raises PlaceError where it shows that there
        is no such place, and for a command that cannot be skipped.
        """
        skips = self._numbered_skips(batch)
        stops = [self._limit(batch, parts)]
        if self._number is not None:
            stops.append(max(0, self._number - batch.first_number))
        if self._before is not None:
            before = self._before
            called = (i for i, argv in enumerate(batch.argvs) if is_called(argv, before) and i not in skips)
            stops.append(next(called, None))
        # What follows the last command of a batch belongs to the next one.
        limit = min((stop for stop in stops if stop is not None and stop < len(batch.argvs)), default=None)
        end = len(batch.argvs) if limit is None else limit
        name = parts[batch.part].name
        if self._wanted:
            skips += self._named_skips(batch, end, name)
        skips = sorted({index for index in skips if index < end})
        self.skipped += [self._skip(batch, index, name) for index in skips]
        self._commands += end
        self._ends[batch.part] = batch.stop
        return limit, skips

    def is_reached_by(self, part: int, offset: int, commands: int, parts: Sequence[Part]) -> bool:
        """Whether the place is at this end of what can be read, or before it.

        So it is where damage begins at ``offset`` of a part (an index), after ``commands`` commands.
        """
        until = self._until
        if until is None:
            return False
        if until.commands is not None:
            return commands >= until.commands
        return until.offset is not None and self._chosen(until, parts) == part and until.offset <= offset

    def check(self, source: str, parts: Sequence[Part], fault: FormatError | None, *, is_stopped: bool) -> None:
        """Raise PlaceError unless the place to stop was reached and each command to skip was met.

        Where ``fault`` ended the AOF before, that is raised.
        """
        is_missing = self.has_place and not is_stopped
        if fault is not None and is_missing:
            raise fault
        missed = self._missed(parts) if is_missing else None
        missed = missed or self._unmet_skip(is_stopped=is_stopped)
        if missed is not None:
            raise fault or PlaceError(f"{source}: {missed}")

    # ---- places ----------------------------------------------------------------------------------

    def _limit(self, batch: CommandBatch, parts: Sequence[Part]) -> int | None:
        """Return the index of the first command of a batch from the place of ``until`` on."""
        until = self._until
        if until is None:
            return None
        if until.commands is not None:
            return max(0, until.commands - batch.first_number + 1)
        if until.time is not None:
            return self._time_limit(batch, until.time)
        return self._offset_limit(batch, parts, until)

    def _time_limit(self, batch: CommandBatch, time: int) -> int | None:
        # An annotation may be the last thing of a batch, and then it speaks of the next one.
        first = 0 if self._is_later else None
        for index, text in batch.annotations:
            found = read_time(text)
            if found is None:
                continue
            if self._first_time is None:
                self._first_time = found
                if found > time:
                    self._check_beginning(found, time, batch.first_number + index - 1)
            self._last_time = found if self._last_time is None else max(found, self._last_time)
            if first is None and found > time:
                first = index
        self._is_later = first is not None
        return first

    def _check_beginning(self, found: int, time: int, commands: int) -> None:
        """Raise PlaceError where the first annotation is later than the place, unless a snapshot covers that time."""
        if commands == 0 and self._saved_at is not None and self._saved_at <= time:
            return
        raise PlaceError(
            f"{self.place}: the first annotation of the AOF is {show_seconds(found)}; the dataset "
            "before that is unknown"
        )

    def _offset_limit(self, batch: CommandBatch, parts: Sequence[Part], until: Place) -> int | None:
        assert until.offset is not None
        chosen = self._chosen(until, parts)
        if batch.part < chosen:
            return None
        if batch.part == chosen:
            return bisect_left(batch.offsets, until.offset)
        missed = self._missed_offset(until, parts)
        if missed is not None:
            raise PlaceError(missed)
        return 0

    def _chosen(self, until: Place, parts: Sequence[Part]) -> int:
        """Return the index of the part that the place names, of the last if it names none. Raises PlaceError."""
        if until.part is None:
            return len(parts) - 1
        for index, part in enumerate(parts):
            if until.part in (part.name, str(index + 1)):
                return index
        names = ", ".join(part.name for part in parts)
        raise PlaceError(f"{self.place}: the AOF has no file {until.part!r}, only {names}")

    def _missed(self, parts: Sequence[Part]) -> str | None:
        """Return why the place was not reached, None where it is the end of the AOF."""
        if self._before is not None:
            return f"{self._before.decode()} not found{self._hint(self._before)}"
        until = self._until
        if until is None:
            return f"command {self._number:,} not found any more: the AOF has {_commands(self._commands)}"
        if until.time is not None:
            return self._missed_time(until.time)
        if until.offset is not None:
            return self._missed_offset(until, parts)
        return None if self._commands == until.commands else f"{self.place}: the AOF has {_commands(self._commands)}"

    def _missed_time(self, time: int) -> str | None:
        if self._last_time is None:
            return f"{self.place}: no time annotations in this AOF: aof-timestamp-enabled is off"
        if self._last_time >= time:
            return None
        return f"{self.place}: the last annotation of the AOF is {show_seconds(self._last_time)}"

    def _missed_offset(self, until: Place, parts: Sequence[Part]) -> str | None:
        chosen = self._chosen(until, parts)
        end = self._ends.get(chosen, 0)
        assert until.offset is not None
        return None if until.offset <= end else f"{self.place}: {parts[chosen].name} ends at {end:#x}"

    def _hint(self, name: bytes) -> str:
        """Return where the first command is that does much the same as the one that was looked for."""
        near = next((row for row in _RELATIVES if name in row), frozenset())
        found = [f"{other.decode()} is {where}" for other, where in self._first_relative.items() if other in near]
        return "".join(f"; {words}" for words in found) or f": the AOF has {_commands(self._commands)}"

    # ---- commands to skip ------------------------------------------------------------------------

    def _numbered_skips(self, batch: CommandBatch) -> list[int]:
        first = batch.first_number
        return [number - first for number in self._skip_numbers if first <= number < first + len(batch.argvs)]

    def _named_skips(self, batch: CommandBatch, end: int, part: str) -> list[int]:
        """Return the indexes of the first command of each name to skip, and note where its relatives are."""
        skips = []
        for index in range(end):
            argv = batch.argvs[index]
            name = command_name(argv)
            number = batch.first_number + index
            for wanted in {name, argv[0].upper()} & self._called.keys():
                if not self._called[wanted]:
                    skips.append(index)
                self._called[wanted].append(number)
            if name in self._relatives and name not in self._first_relative:
                self._first_relative[name] = f"at {batch.offsets[index]:#x} of {part} (command {number:,})"
        return skips

    def _skip(self, batch: CommandBatch, index: int, part: str) -> Skipped:
        argv, number = batch.argvs[index], batch.first_number + index
        if argv[0].upper() in TRANSACTION:
            name = argv[0].upper().decode()
            raise PlaceError(f"command {number:,} is {name}, which {NO_SKIP}")
        return Skipped(part, batch.offsets[index], number, show_name(argv))

    def _unmet_skip(self, *, is_stopped: bool) -> str | None:
        """Return why a command to skip is none that was replayed, or not the only one."""
        for number in self._skip_numbers:
            if number > self._commands:
                why = f"the AOF has {_commands(self._commands)}"
                if is_stopped:
                    why = f"the replay stopped before command {self._commands + 1:,}"
                return f"cannot skip command {number:,}: {why}"
        for name, numbers in self._called.items():
            if not numbers:
                return f"cannot skip {name.decode()}: not found{self._hint(name)}"
            if len(numbers) > 1:
                listed = ", ".join(map(str, numbers[:_LISTED])) + (", …" if len(numbers) > _LISTED else "")
                words = f"the AOF has {len(numbers):,} of them; give the number of one, such as {listed}"
                return f"cannot skip {name.decode()}: {words}"
        return None


def show_name(argv: Sequence[bytes]) -> str:
    """Return the name of a command, with its subcommand, in printable ASCII."""
    return "".join(chr(b) if 0x20 <= b < 0x7F else f"\\x{b:02x}" for b in command_name(argv)[:40])


def _commands(count: int) -> str:
    return "1 command" if count == 1 else f"{count:,} commands"
