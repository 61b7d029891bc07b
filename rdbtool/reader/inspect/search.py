"""Selected records of an AOF with every byte named: those of a key, the one at an offset, or a command by number.

The scanner locates them, and the line-oriented parser reads them again from their first byte. The two passes run side
by side, so that only the current record is held.
"""

from __future__ import annotations

import sys
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

from rdbtool.core.errors import InputError, NotFoundError, UnsupportedError, describe_key
from rdbtool.core.light_typing import Final, NamedTuple
from rdbtool.grammar import FileState, trace_header
from rdbtool.io.source import STANDARD_INPUT, open_source
from rdbtool.reader.aof.batches import CommandBatch, selected_db
from rdbtool.reader.aof.reader import AofReader
from rdbtool.reader.inspect.aof import DATABASES, LogWalk
from rdbtool.reader.inspect.rdb import (
    GrammarWindow,
    Readable,
    Traced,
    WantedRecord,
    find_records,
    trace_items,
    trace_payload,
    trace_records,
    traced,
)
from rdbtool.reader.open.dispatch import open_any
from rdbtool.reader.open.files import find_part
from rdbtool.reader.payload import PAYLOAD_KEY
from rdbtool.reader.rdb import RdbReader

#: Returns the keys that a command names.
KeysOf = Callable[[Sequence[bytes]], list[bytes]]

_NOWHERE: Final = -1


class Wanted(NamedTuple):
    """The wanted records: of a key, at an offset (of ``part``, its name or number; None: the last), or by number."""

    key: bytes | None = None
    at: int | None = None
    part: str | None = None
    number: int | None = None


class _Place(NamedTuple):
    """Where to read a record of an AOF: before the command with a number, with a db selected."""

    start: int
    number: int
    db: int


def trace_wanted(
    target: str | bytes,
    wanted: Wanted,
    keys_of: KeysOf,
    *,
    max_children: int | None = None,
    max_inflate: int | None = None,
) -> Iterator[Traced]:
    """Yield the items of the wanted records of an RDB or AOF. A number is that of a key, or of a command.

    Raises NotFoundError if there is none, the reader's errors if damage hides it, and what opening raises.
    """
    data: str | bytes = sys.stdin.buffer.read() if target == "-" else target
    name = STANDARD_INPUT if target == "-" else None
    with open_any(data, name=name) as reader:
        if isinstance(reader, AofReader):
            search = _Search(reader, wanted, keys_of)
            yield from _trace_log(search, data, max_children, max_inflate)
            return
        if reader.payload is not None:
            items = trace_payload(reader.payload, reader.source, max_children=max_children, max_inflate=max_inflate)
            yield from _choose_of_payload(items, wanted, reader.name)
            return
        if wanted.part is not None:
            raise UnsupportedError(f"{reader.source.name}: it is an RDB file, not an AOF of several files")
        yield from trace_records(
            reader,
            data,
            key=wanted.key,
            at=wanted.at,
            number=wanted.number,
            max_children=max_children,
            max_inflate=max_inflate,
        )


def _choose_of_payload(items: Iterator[Traced], wanted: Wanted, name: str) -> Iterator[Traced]:
    """Yield the wanted items of a DUMP payload. Raises NotFoundError."""
    found = False
    for index, item in enumerate(items):
        node = item.trace.node
        is_here = wanted.at is not None and node.start <= wanted.at < node.stop
        if is_here or (index == 0 and (wanted.key == PAYLOAD_KEY or wanted.number == 1)):
            found = True
            yield item
    if not found:
        raise NotFoundError(f"{name}: no {_describe(wanted)}")


def _trace_log(
    search: _Search, data: str | bytes, max_children: int | None, max_inflate: int | None
) -> Iterator[Traced]:
    reader, wanted = search.reader, search.wanted
    walk = LogWalk(max_children, max_inflate)
    walk.inline = reader.inline
    found = 0
    current = _NOWHERE
    with ExitStack() as stack:
        for index, place in search.find():
            part = reader.parts[index]
            if index != current:
                stack.pop_all().close()
                source = stack.enter_context(open_source(part.path or data, name=part.path or part.name))
                window = walk.open_window(source)
                current = index
            found += 1
            if isinstance(place, WantedRecord):
                yield from (item._replace(part=part.name) for item in _trace_key(window, source, place, max_children))
                continue
            window.skip(place.start)
            walk.count, db = place.number - 1, place.db
            while (item := walk.read(window, source, part.name, db)) is not None:
                db = item[1]
                if wanted.at is None or walk.failed or window.tell() > wanted.at:
                    yield item[0]
                    break
                window.drop()
            window.drop()
    if not found:
        if reader.fault is not None:
            raise reader.fault
        raise NotFoundError(f"{reader.name}: no {_describe(wanted)}")


def _trace_key(
    window: GrammarWindow, source: Readable, place: WantedRecord, max_children: int | None
) -> Iterator[Traced]:
    """Yield the items of a record of the RDB preamble or base."""
    window.skip(place.start)
    if place.is_header:
        yield traced(trace_header(window), window, source, None)
        return
    state = FileState.of(place.header)
    state.embedded = True
    state.db, state.records, state.templates = place.db, place.records, place.templates
    yield from trace_items(window, state, source, place.stop, max_children)


class _Search:
    """The first pass."""

    def __init__(self, reader: AofReader, wanted: Wanted, keys_of: KeysOf) -> None:
        self.reader = reader
        self.wanted = wanted
        self._keys_of = keys_of
        self._part = _NOWHERE
        self._last = _Place(0, 1, 0)
        self._chosen = self._choose()

    def find(self) -> Iterator[tuple[int, WantedRecord | _Place]]:
        """Yield part and place of each wanted record, in the order of the AOF."""
        reader, wanted = self.reader, self.wanted
        is_found = False
        for piece in reader.batches(on_fault="stop"):
            places: Iterator[WantedRecord | _Place]
            places = self._in_snapshot(piece) if isinstance(piece, RdbReader) else self._in_batch(piece)
            for place in places:
                is_found = True
                yield self._part, place
            if is_found and wanted.key is None:
                return
        fault, tail = reader.fault, reader.tail
        if fault is not None and tail is not None and fault.code != "AOF110" and not is_found:
            start = fault.at if fault.start is None else fault.start
            is_there = wanted.at is not None and tail.part == self._chosen and wanted.at >= start
            if is_there or wanted.number == reader.count + 1:
                yield tail.part, _Place(start, reader.count + 1, self._last.db)
        elif wanted.at is not None and tail is not None and wanted.at < tail.at:
            # Only annotations follow the last command of a part.
            yield self._chosen, self._last

    def _choose(self) -> int:
        names = [part.name for part in self.reader.parts]
        wanted = self.wanted.part
        if wanted is None:
            return len(names) - 1
        for index, name in enumerate(names):
            if wanted in (name, str(index + 1)):
                return index
        raise InputError(f"{self.reader.name}: the AOF has no file {wanted!r}, only {', '.join(names)}")

    def _in_snapshot(self, snapshot: RdbReader) -> Iterator[WantedRecord]:
        self._part = find_part(self.reader.parts, snapshot.source.name)
        wanted = self.wanted
        at = wanted.at if self._part == self._chosen else None
        if wanted.key is not None or at is not None:
            yield from find_records(snapshot, wanted.key, at, None)
        end = snapshot.end
        self._last = _Place(0 if end is None else end.span.stop, self.reader.count + 1, 0)

    def _in_batch(self, batch: CommandBatch) -> Iterator[_Place]:
        if batch.part != self._part:
            self._part, self._last = batch.part, _Place(0, batch.first_number, 0)
        wanted = self.wanted
        is_hit = -1
        if wanted.number is not None:
            is_hit = wanted.number - batch.first_number
        elif wanted.at is not None and batch.part == self._chosen and wanted.at < batch.stop:
            is_hit = bisect_right(batch.offsets, wanted.at) - 1
            if is_hit < 0:
                yield self._last
                return
        db = self._last.db
        for index, argv in enumerate(batch.argvs):
            place = _Place(batch.offsets[index], batch.first_number + index, db)
            if index == is_hit or (wanted.key is not None and wanted.key in self._keys_of(argv)):
                yield place
            db = selected_db(argv, db, DATABASES)
            self._last = place


def _describe(wanted: Wanted) -> str:
    if wanted.key is not None:
        return f"key {describe_key(wanted.key)}"
    return f"record at offset {wanted.at:#x}" if wanted.at is not None else f"command number {wanted.number}"
