"""Comparison of two datasets, by meaning and not by bytes.

Both are read once, and only short fingerprints of the first are kept (``KeyTable``), so neither has to fit into memory.
Two RDB files are read side by side, so that no fingerprint is needed of what is stored in the same bytes.
Where fingerprints differ, both are read again for just these keys, and compared in detail; some of them may turn out
equal in everything that both sides store. The memory for the first side's records is bounded: more changes take several
rounds. So is the table's (``table_memory``), except for keys that differ.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence

from rdbtool._codec.sinks.key_pairs import OutOfStepError
from rdbtool._codec.sinks.key_table import ADDED, CHANGED, HELD, REMOVED, SAME, InState, KeyPrints, KeyTable, WithHash
from rdbtool.core.errors import (
    FormatError,
    InputError,
    PlaceError,
    RdbToolError,
    ReplayError,
    UncertainError,
    describe_error,
    describe_key,
    json_bytes,
    json_name,
)
from rdbtool.core.light_typing import TYPE_CHECKING, Any, Final, NamedTuple, Self
from rdbtool.core.progress import Progress, begin_pass
from rdbtool.dataset.file import FileDataset, Readable, open_repeatable
from rdbtool.model import KeyRecord
from rdbtool.operations.diff.change import CHANGES, Change, Sign
from rdbtool.operations.diff.items import ItemDifference, compare_items
from rdbtool.operations.diff.lists import MOST_EDITS, MOST_STEPS
from rdbtool.operations.diff.values import compare_records
from rdbtool.operations.json_shapes import skipped_json, stop_json

if TYPE_CHECKING:
    from rdbtool._codec.encode.diff_lines import DiffLines
    from rdbtool._codec.filters.selection import Selection
    from rdbtool.core.progress import Progress
    from rdbtool.dataset.file import Repeatable
    from rdbtool.engine.replay.places import Places
    from rdbtool.engine.replay.stops import Extent
    from rdbtool.model import ModuleAux

#: Approximate bytes of records held at a time.
_MOST_HELD: Final = 128 << 20

#: Indexes of the first and the second dataset in pairs.
_FIRST, _SECOND = 0, 1


class DiffOptions(NamedTuple):
    """What counts as a difference, and which keys are compared.

    ``tolerance_ms`` is the tolerance for expiries, -1: ignore them, also those of fields. ``functions`` stands for all
    data outside the keys; None: compare it unless keys are filtered. ``names`` filters keys of both sides by name, and
    ``matching`` selects by the type and expiry of either side. ``limit``: maximum number of differing keys reported.
    ``rules``, ``now_ms`` and ``rename_commands`` are for AOFs, and so are ``places``: where to stop and what to skip,
    in the first and in the second.
    """

    tolerance_ms: int = 0
    encodings: bool = False
    functions: bool | None = None
    aux: bool = False
    names: Selection | None = None
    matching: Selection | None = None
    limit: int | None = None
    rules: str | None = None
    now_ms: int = 0
    places: tuple[Places | None, Places | None] = (None, None)
    rename_commands: Mapping[str, str] | None = None

    @property
    def with_functions(self) -> bool:
        """Whether data outside the keys is compared."""
        return self.functions if self.functions is not None else self.names is None and self.matching is None


class Difference(NamedTuple):
    """A key that differs. The side that lacks it has no record; ``parts`` are the differences if both have it."""

    sign: Sign
    first: KeyRecord | None
    second: KeyRecord | None
    parts: tuple[Change, ...] = ()

    @property
    def record(self) -> KeyRecord:
        """The record of the second dataset, or the first one's if only that has the key."""
        record = self.second or self.first
        assert record is not None
        return record

    def to_dict(self) -> dict[str, Any]:
        """Return the object for ``diff --json``."""
        record = self.record
        shown = {
            "change": CHANGES[self.sign],
            "db": record.db,
            "key": json_bytes(record.key),
            "type": record.kind,
        }
        if self.sign != "~":
            return {**shown, "size": len(record.value), "expire_at_ms": record.expire_at_ms}
        return {**shown, "details": [part.to_dict() for part in self.parts]}


class Counts(NamedTuple):
    """Numbers of added, removed, changed and equal keys, and of other differences.

    ``is_whole`` is False if ``limit`` ended the comparison.
    """

    added: int
    removed: int
    changed: int
    same: int
    items: int
    is_whole: bool

    @property
    def differs(self) -> bool:
        """Whether there is any difference."""
        return bool(self.added or self.removed or self.changed or self.items)


class Differences(NamedTuple):
    """The differences of two datasets, ``a`` and ``b``: ``keys`` that differ, and ``items`` outside the keys.

    ``extent_a`` and ``extent_b`` say where the replay of an AOF stopped, and what it skipped.
    """

    a: str
    b: str
    keys: tuple[Difference, ...]
    items: tuple[ItemDifference, ...]
    counts: Counts
    extent_a: Extent | None = None
    extent_b: Extent | None = None

    @property
    def are_same(self) -> bool:
        """Whether there is no difference."""
        return not self.counts.differs

    def to_dict(self) -> dict[str, Any]:
        """Return the object of ``diff --json``."""
        return {
            "schema": 1,
            "a": json_name(self.a),
            "b": json_name(self.b),
            "items": [item.to_dict() for item in self.items],
            "keys": [difference.to_dict() for difference in self.keys],
            "summary": _summary_dict(self.counts, self.extent_a, self.extent_b),
        }


def _summary_dict(counts: Counts, *extents: Extent | None) -> dict[str, Any]:
    summary: dict[str, Any] = {"same": not counts.differs, "complete": counts.is_whole, "added": counts.added}
    summary |= {"removed": counts.removed, "changed": counts.changed, "unchanged": counts.same, "items": counts.items}
    for side, extent in zip("ab", extents, strict=True):
        if extent is not None and (extent.place or extent.skipped):
            summary |= {f"stopped_at_{side}": stop_json(extent), f"skipped_{side}": skipped_json(extent)}
    return summary


class Comparison:
    """Two datasets and their differences. Made by ``open_diff``; ``counts`` are final at the end of ``differences``."""

    def __init__(self, first: Repeatable, second: Repeatable, options: DiffOptions) -> None:
        self.first = first
        self.second = second
        self.options = options
        self.items: list[ItemDifference] = []
        self._reported = {"+": 0, "-": 0, "~": 0}
        self._alike = 0
        self._is_whole = True
        self._table = KeyTable()

    @property
    def counts(self) -> Counts:
        """The counts so far."""
        same = self._table.same + self._alike
        return Counts(
            self._reported["+"], self._reported["-"], self._reported["~"], same, len(self.items), self._is_whole
        )

    @property
    def differs_in_keys(self) -> bool:
        """Whether a key may differ: some streams turn out equal when they are compared."""
        removed, _, changed, added, _ = self._table.counts
        return bool(removed or changed or added)

    def read(self, progress: Progress | None = None) -> None:
        """Read both. Raises InputError if damage or unknown effects prevent an answer, and what reading raises."""
        options = self.options
        modules = self._read_together(progress)
        if modules is None:
            modules = self._read_in_turn(progress)
        self.items = list(
            compare_items(
                self.first,
                self.second,
                modules
                if options.with_functions and not (self.first.kind == "aof" or self.second.kind == "aof")
                else None,
                functions=options.with_functions,
                aux=options.aux,
            )
        )

    def _prints(self) -> tuple[KeyPrints, KeyPrints]:
        """Return the sinks of both for a new table."""
        options = self.options
        self._table = KeyTable()
        encodings = options.encodings and not (self.first.kind == "aof" or self.second.kind == "aof")
        first, second = (
            KeyPrints(
                self._table,
                second=index == _SECOND,
                field_expiries=options.tolerance_ms >= 0,
                encodings=encodings,
                tolerance_ms=options.tolerance_ms,
                matching=options.matching,
            )
            for index in (_FIRST, _SECOND)
        )
        return first, second

    def _read_together(self, progress: Progress | None) -> list[list[ModuleAux]] | None:
        """Read both side by side, and return their module data outside the keys.

        None: they cannot be read so, or something is wrong with one of them, which is found out by reading in turn.
        """
        first, second, options = self.first, self.second, self.options
        if not (isinstance(first, FileDataset) and isinstance(second, FileDataset)):
            return None
        if options.names is not None or options.matching is not None:
            return None
        prints, others = self._prints()

        def begin_rest() -> None:
            begin_pass(progress, "reading", second.name, second.size)

        begin_pass(progress, "reading", first.name, first.size, left=1)
        try:
            if not first.feed_with(prints, second, others, progress=progress, begin_rest=begin_rest):
                return None
            duplicates = [prints.twice, others.twice, *self._table.settle(options.tolerance_ms)]
        except (RdbToolError, OutOfStepError, MemoryError):
            return None
        return [prints.modules, others.modules] if duplicates == [None] * 4 else None

    def _read_in_turn(self, progress: Progress | None) -> list[list[ModuleAux]]:
        """Read one after the other, and return their module data outside the keys. Raises what ``read`` raises."""
        modules = []
        for index, (side, prints) in enumerate(zip((self.first, self.second), self._prints(), strict=True)):
            begin_pass(progress, "reading", side.name, side.size, left=_SECOND - index)
            try:
                with answering():
                    side.feed(prints, selection=self.options.names, progress=progress)
                    prints.close()
            except RdbToolError:
                if index == _SECOND:
                    # It was read before.
                    self._settle(self.first)
                raise
            if prints.twice is not None:
                raise _twice(side, *prints.twice)
            modules.append(prints.modules)
        self._settle(self.first, self.second)
        return modules

    def _settle(self, *sides: Repeatable) -> None:
        """Compare what the table put aside. Raises InputError for a duplicate key of one of ``sides``."""
        for side, twice in zip(sides, self._table.settle(self.options.tolerance_ms), strict=False):
            if twice is not None:
                with answering():
                    record = next(iter(side.records(selection=WithHash(twice))), None)
                if record is None:
                    raise InputError(f"{side.name} changed while it was read")
                raise _twice(side, record.db, record.key)

    def differences(self) -> Iterator[Difference]:
        """Yield the keys that differ: removed ones, then the others, in file order."""
        with answering():
            for difference in self._find():
                if self.options.limit is not None and sum(self._reported.values()) >= self.options.limit:
                    self._is_whole = False
                    return
                self._reported[difference.sign] += 1
                yield difference

    def write(self, lines: DiffLines) -> None:
        """Write the keys that differ: the same that ``differences`` yields, most of them without making records.

        Raises what ``differences`` raises. Not for a limit, nor if encodings are compared.
        """
        from rdbtool._codec.sinks.changed_keys import ChangedKeys, FirstSide, SecondSide  # noqa: PLC0415 - seldom needed

        table, options = self._table, self.options
        assert options.limit is None
        assert not options.encodings
        keys = ChangedKeys(
            table,
            lines,
            compare=lambda first, second: self._describe(lines, first, second),
            most=_MOST_HELD,
            most_edits=MOST_EDITS,
            most_steps=MOST_STEPS,
            tolerance_ms=options.tolerance_ms,
            matching=options.matching,
        )
        removed, _, changed, added, _ = table.counts
        while removed or changed or added:
            with answering():
                if removed or changed:
                    selection = InState(table, (REMOVED, CHANGED) if removed else (CHANGED,))
                    self.first.feed(FirstSide(keys, selection), selection=selection)
                    if changed and not keys.held:
                        raise InputError(f"{self.first.name} changed while it was read")
                if added or keys.held:
                    selection = InState(table, (ADDED, HELD) if added else (HELD,), second=True)
                    self.second.feed(SecondSide(keys, selection), selection=selection)
                if keys.held:
                    raise InputError(f"{self.second.name} changed while it was read")
            keys.forget()
            removed = added = 0
            changed = table.counts[CHANGED]
        self._reported = {"+": keys.added, "-": keys.removed, "~": keys.changed}
        self._alike = keys.alike

    def _describe(self, lines: DiffLines, first: KeyRecord | None, second: KeyRecord | None) -> str | None:
        """Return the lines of a key, None if it is equal in both."""
        if first is None or second is None:
            return lines.describe(Difference("-" if second is None else "+", first, second))
        parts = tuple(compare_records(first, second, tolerance_ms=self.options.tolerance_ms))
        return lines.describe(Difference("~", first, second, parts)) if parts else None

    def result(self) -> Differences:
        """Return all differences. Raises what ``differences`` raises."""
        keys = tuple(self.differences())
        first, second = self.first, self.second
        return Differences(first.name, second.name, keys, tuple(self.items), self.counts, first.extent, second.extent)

    def summary_dict(self) -> dict[str, Any]:
        """Return the end of the object of ``diff --json``, when ``differences`` is exhausted."""
        return _summary_dict(self.counts, self.first.extent, self.second.extent)

    def _find(self) -> Iterator[Difference]:
        removed, _, changed, added, _ = self._table.counts
        states: tuple[int, ...] = (REMOVED, CHANGED) if removed else (CHANGED,)
        while removed or changed or added:
            held: dict[tuple[int, bytes], KeyRecord] = {}
            if removed or changed:
                yield from self._hold(states, held)
            if added or held:
                yield from self._compare_states((ADDED, HELD) if added else (HELD,), held)
            if held:
                raise InputError(f"{self.second.name} changed while it was read")
            removed = added = 0
            changed = self._table.counts[CHANGED]
            states = (CHANGED,)

    def _hold(self, states: tuple[int, ...], held: dict[tuple[int, bytes], KeyRecord]) -> Iterator[Difference]:
        """Yield removed keys, and hold as many of the changed keys as the memory limit allows."""
        from rdbtool._codec.sinks.changed_values import weigh  # noqa: PLC0415 - seldom needed

        size = 0
        for record in self.first.records(selection=InState(self._table, states)):
            if REMOVED in states and self._table.state(record.db, record.key) == REMOVED:
                if self._is_wanted(record):
                    yield Difference("-", record, None)
            elif size < _MOST_HELD:
                held[record.db, record.key] = record
                self._table.mark(record.db, record.key, HELD)
                size += weigh(record)
            elif REMOVED not in states:
                break
        if CHANGED in states and self._table.counts[CHANGED] and not held:
            raise InputError(f"{self.first.name} changed while it was read")

    def _compare_states(
        self, states: tuple[int, ...], held: dict[tuple[int, bytes], KeyRecord]
    ) -> Iterator[Difference]:
        """Yield added keys, and the differences of the keys that are held."""
        options = self.options
        for record in self.second.records(selection=InState(self._table, states, second=True)):
            before = held.pop((record.db, record.key), None)
            if before is None:
                if self._is_wanted(record):
                    yield Difference("+", None, record)
                continue
            self._table.mark(record.db, record.key, SAME)
            parts = tuple(
                compare_records(before, record, tolerance_ms=options.tolerance_ms, encodings=options.encodings)
            )
            if not self._is_wanted(before, record):
                continue
            if parts:
                yield Difference("~", before, record, parts)
            else:
                self._alike += 1

    def _is_wanted(self, *records: KeyRecord) -> bool:
        matching = self.options.matching
        return matching is None or any(matching.take(record) for record in records)

    def close(self) -> None:
        """Free what was kept for reading again."""
        self.first.close()
        self.second.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def open_diff(
    first: Readable, second: Readable, options: DiffOptions | None = None, progress: Progress | None = None
) -> Comparison:
    """Open two datasets and read both: a path (``-``: standard input) or bytes. Close it, or use ``with``.

    Raises InputError if one cannot be read or is damaged, UnsupportedError for an unknown format, and PlaceError for a
    place that is not reached.
    """
    options = options or DiffOptions()
    with contextlib.ExitStack() as opened, answering():
        sides: list[Repeatable] = []
        for target, places in zip((first, second), options.places, strict=True):
            side = open_repeatable(
                target,
                rules=options.rules,
                now_ms=options.now_ms,
                places=places,
                rename_commands=options.rename_commands,
                progress=progress,
            )
            opened.callback(side.close)
            sides.append(side)
        _check_places(sides, options)
        comparison = Comparison(sides[_FIRST], sides[_SECOND], options)
        comparison.read(progress)
        opened.pop_all()
        return comparison


def _check_places(sides: Sequence[Repeatable], options: DiffOptions) -> None:
    """Raise PlaceError for places in an input that is not an AOF; a place given for both applies to AOFs."""
    is_shared = options.places[_FIRST] == options.places[_SECOND] and any(side.kind == "aof" for side in sides)
    for side, places in zip(sides, options.places, strict=True):
        if places is not None and side.kind != "aof" and not is_shared:
            raise PlaceError.no_commands(side.name)


def _twice(side: Repeatable, db: int, key: bytes) -> InputError:
    return InputError(f"{side.name}: key {describe_key(key)} of db {db} occurs twice: which value counts is unknown")


@contextlib.contextmanager
def answering() -> Iterator[None]:
    """Replace errors about bad data by InputError: they mean that the comparison has no answer."""
    try:
        yield
    except (FormatError, ReplayError, UncertainError) as error:
        # Its further lines would be shown as one.
        message = "; ".join(line.strip() for line in describe_error(error, with_remedy=False).splitlines())
        raise InputError(message, remedy=error.remedy) from error
