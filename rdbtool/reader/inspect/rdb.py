"""Byte-level walk over an RDB file.

The grammar reads item by item from a window that keeps the bytes of the current item, because they are shown with the
tree. A single record is first located by the fast reader and then read again from its first byte: walking there with
the grammar would take minutes in a large file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rdbtool.core.errors import RAISE_LIMIT, FormatError, LimitError, NotFoundError, describe_key
from rdbtool.core.light_typing import NamedTuple, Protocol
from rdbtool.core.limits import limits
from rdbtool.grammar import FileState, Node, Trace, trace_header, trace_item
from rdbtool.io.source import crc64, open_source
from rdbtool.model import End, HashTemplate, Header, KeyRecord
from rdbtool.reader.payload import FOOTER_SIZE, rdb_of
from rdbtool.reader.rdb import RdbReader

_HEADER_SIZE = 9
_PIECE = 1 << 16

#: Bytes of the version at the end of a payload, before its checksum.
_VERSION_SIZE = 2

#: Bytes shown from where reading stopped.
_BEYOND = 16


class Traced(NamedTuple):
    """An item as a tree, with the bytes it was read from.

    ``data`` begins at ``trace.node.start``; after an error it includes a few bytes beyond the tree. ``record`` is the
    number of the key (from 1) and ``db`` its database, None if the item is not a key. In an AOF, ``command`` is the
    number of the command (from 1 over all parts), None for anything else, and ``part`` is the file that offsets count
    in.
    """

    trace: Trace
    data: bytes
    record: int | None
    db: int | None
    command: int | None = None
    part: str = ""


class Readable(Protocol):
    """The input of a walk: a Source, or the rest of one that was partly read."""

    name: str
    size: int | None

    def readinto(self, view: memoryview) -> int:
        """Fill the beginning of ``view``; 0 at the end."""

    def check_unchanged(self) -> None:
        """Raise InputError if the file was replaced or changed."""


class GrammarWindow:
    """An input for the grammar, which holds what was read since the last ``drop``.

    ``limit`` is the maximum number of bytes it may hold: a compressed input can declare more than there is memory.
    ``begin`` is the offset of the first byte of the input.
    """

    def __init__(self, source: Readable, limit: int | None = None, begin: int = 0) -> None:
        self._limit = limit
        self._source = source
        self._size = source.size
        self._held = bytearray()
        self._base = begin
        self._position = begin
        self._sum: int | None = 0

    def read(self, size: int, /) -> bytes:
        """Return the next ``size`` bytes; fewer only at the end of the data."""
        begin = self._position - self._base
        while len(self._held) < begin + size and self._fill():
            pass
        data = bytes(self._held[begin : begin + size])
        self._position += len(data)
        return data

    def tell(self) -> int:
        """Return the offset of the next byte."""
        return self._position

    def seek(self, at: int, /) -> None:
        """Move to an offset within the held bytes, or ahead of them."""
        self._position = at

    def left(self) -> int | None:
        """Return how many bytes are left, None if unknown."""
        return None if self._size is None else max(0, self._size - self._position)

    def held(self, start: int, stop: int) -> bytes:
        """Return the bytes of a range that is still held, reading on if necessary."""
        while len(self._held) < stop - self._base and self._fill():
            pass
        return bytes(self._held[start - self._base : stop - self._base])

    def drop(self) -> None:
        """Free the bytes before the position."""
        passed = self._position - self._base
        if self._sum is not None:
            self._sum = crc64(self._held[:passed], self._sum)
        del self._held[:passed]
        self._base = self._position

    def skip(self, at: int) -> None:
        """Skip everything up to an offset; from then on no checksum can be computed."""
        self._sum = None
        while self._position < at and self.read(min(_PIECE, at - self._position)):
            self.drop()

    def crc_at(self, stop: int) -> int | None:
        """Return the CRC-64 of everything before ``stop``, None after a ``skip``."""
        return None if self._sum is None else crc64(self._held[: stop - self._base], self._sum)

    def _fill(self) -> int:
        if self._limit is not None and len(self._held) >= self._limit:
            raise LimitError(
                f"{self._source.name}: at {self._base:#x}: the record takes more than {self._limit:,} bytes",
                remedy=RAISE_LIMIT,
            )
        room = memoryview(bytearray(_PIECE))
        count = self._source.readinto(room)
        self._held += room[:count]
        return count


class WantedRecord(NamedTuple):
    """The range of a wanted record (``stop`` None: up to the damage), and the state needed to read it."""

    start: int
    stop: int | None
    header: Header
    db: int
    records: int
    templates: dict[int, tuple[bytes, ...]]
    is_header: bool = False


def trace_file(
    source: Readable, *, begin: int = 0, max_children: int | None = None, max_inflate: int | None = None
) -> Iterator[Traced]:
    """Yield every item of an RDB that begins at an offset, header first. The last one carries the error, if any."""
    window = GrammarWindow(source, begin=begin)
    return trace_rdb(window, source, max_children=max_children, max_inflate=max_inflate)


def trace_payload(
    payload: bytes, source: Readable, *, max_children: int | None = None, max_inflate: int | None = None
) -> Iterator[Traced]:
    """Yield the value of a DUMP payload as a record without key, then version and checksum."""
    file, shift = rdb_of(payload)
    stop = len(payload) - FOOTER_SIZE
    with open_source(file, name=source.name) as made:
        for item in trace_file(made, begin=-shift, max_children=max_children, max_inflate=max_inflate):
            node = item.trace.node
            if isinstance(item.trace.item, KeyRecord) or item.trace.error is not None:
                node.children = [child for child in node.children if child.start >= 0]
                node.start = 0
                yield item._replace(data=payload[: node.stop])
    yield trace_bytes("version", payload[stop : stop + _VERSION_SIZE], stop)
    yield trace_bytes("checksum", payload[stop + _VERSION_SIZE :], stop + _VERSION_SIZE)


def trace_bytes(name: str, data: bytes, start: int, note: str = "") -> Traced:
    """Return bytes at an offset without inner structure as an item of this name."""
    node = Node(name, start)
    node.stop, node.value, node.note = start + len(data), data, note
    return Traced(Trace(node, None, None), data, None, None)


def trace_rdb(
    window: GrammarWindow,
    source: Readable,
    *,
    embedded: bool = False,
    max_children: int | None = None,
    max_inflate: int | None = None,
) -> Iterator[Traced]:
    """Yield every item of an RDB that begins here. ``embedded``: an AOF follows its end mark."""
    trace = trace_header(window)
    yield traced(trace, window, source, None)
    if not isinstance(trace.item, Header):
        return
    window.drop()
    state = FileState.of(trace.item)
    state.max_inflate = limits().string if max_inflate is None else max_inflate
    state.crc_at = window.crc_at
    state.embedded = embedded
    yield from trace_items(window, state, source, None, max_children)


def trace_records(
    reader: RdbReader,
    target: str | bytes,
    *,
    key: bytes | None = None,
    at: int | None = None,
    number: int | None = None,
    max_children: int | None = None,
    max_inflate: int | None = None,
) -> Iterator[Traced]:
    """Yield the items of the wanted records: all with ``key``, the one at offset ``at``, or the ``number``-th.

    ``reader`` reads ``target``, and nothing was read from it. Raises NotFoundError if there is none, and the reader's
    errors if damage hides it.
    """
    targets = list(find_records(reader, key, at, number))
    if not targets:
        raise NotFoundError(f"{reader.source.name}: no {_describe(key, at, number)}")
    for wanted in targets:
        with open_source(target, name=reader.source.name) as source:
            window = GrammarWindow(source)
            window.skip(wanted.start)
            if wanted.is_header:
                trace = trace_header(window)
                yield traced(trace, window, source, None)
                continue
            state = FileState.of(wanted.header)
            state.max_inflate = limits().string if max_inflate is None else max_inflate
            state.db, state.records, state.templates = wanted.db, wanted.records, wanted.templates
            yield from trace_items(window, state, source, wanted.stop, max_children)


def trace_items(
    window: GrammarWindow, state: FileState, source: Readable, stop: int | None, max_children: int | None
) -> Iterator[Traced]:
    """Yield items from the window's position up to ``stop``, the end mark, or the damage."""
    while stop is None or window.tell() < stop:
        trace = trace_item(window, state, max_children=max_children)
        yield traced(trace, window, source, state)
        if trace.error is not None or isinstance(trace.item, End):
            source.check_unchanged()
            return
        window.drop()


def traced(trace: Trace, window: GrammarWindow, source: Readable, state: FileState | None) -> Traced:
    """Return a tree with the bytes it was read from; an error gets its location."""
    node = trace.node
    if isinstance(trace.error, FormatError):
        trace.error.where = trace.error.where._replace(source=source.name)
        if state is not None:
            trace.error.readable_up_to = node.start if state.pending_start is None else state.pending_start
            trace.error.keys_read = state.records
    elif trace.error is not None:
        trace = trace._replace(error=type(trace.error)(f"{source.name}: {trace.error}"))
    data = window.held(node.start, node.stop + (_BEYOND if trace.error else 0))
    if state is None or not isinstance(trace.item, KeyRecord):
        return Traced(trace, data, None, None)
    return Traced(trace, data, state.records, trace.item.db)


def find_records(reader: RdbReader, key: bytes | None, at: int | None, number: int | None) -> Iterator[WantedRecord]:
    """Yield the ranges of the wanted records: keys, or whatever is at an offset."""
    header = reader.header
    if at is not None and reader.begin <= at < reader.begin + _HEADER_SIZE:
        yield WantedRecord(reader.begin, reader.begin + _HEADER_SIZE, header, 0, 0, {}, is_header=True)
        return
    is_wanted = _condition(key, at, number)
    templates: dict[int, tuple[bytes, ...]] = {}
    records = db = 0
    try:
        for item in reader.items():
            if isinstance(item, KeyRecord):
                db = item.db
                if is_wanted(item, records + 1):
                    yield WantedRecord(item.start, item.stop, header, db, records, dict(templates))
                records += 1
            elif isinstance(item, HashTemplate):
                templates[item.id] = item.fields
            if at is not None and not isinstance(item, KeyRecord | Header) and item.span.start <= at < item.span.stop:
                yield WantedRecord(item.span.start, item.span.stop, header, db, records, dict(templates))
    except FormatError as error:
        start = error.start if error.start is not None else error.at
        is_there = (at is not None and at >= start) or number == records + 1 or (key and error.where.key == key)
        if not is_there:
            raise
        yield WantedRecord(start, None, header, error.where.db or db, records, templates)


def _condition(key: bytes | None, at: int | None, number: int | None) -> Callable[[KeyRecord, int], bool]:
    if key is not None:
        return lambda record, _: record.key == key
    if at is not None:
        return lambda record, _: record.start <= at < record.stop
    return lambda _, count: count == number


def _describe(key: bytes | None, at: int | None, number: int | None) -> str:
    if key is not None:
        return f"key {describe_key(key)}"
    return f"record at offset {at:#x}" if at is not None else f"record number {number}"
