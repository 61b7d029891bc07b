"""The listpack of a stream node (format A12): a master entry, then records.

A record may share the master's field names (SAMEFIELDS), in which case it holds values only. ``walk_node`` reads a node
twice: over the blob's entries, to check and trace them, and over the parsed values, to convert them.
"""

from __future__ import annotations

from collections.abc import Iterator

from rdbtool.core.errors import Cause
from rdbtool.core.light_typing import Any, NamedTuple, Protocol
from rdbtool.grammar.listpack import PARTS, listpack_of, scan_listpack
from rdbtool.grammar.packed import Entries, PackedEntry, describe_value
from rdbtool.grammar.primitives import read_int64
from rdbtool.grammar.reading import Reading
from rdbtool.grammar.refusal import RefusalError

CODE = "RDB206"

#: Numbers that a server ignores when it walks the entries.
_PASSED_OVER = frozenset({"count", "deleted", "terminator", "lp_count"})

#: Flags of a record; others are ignored.
DELETED, SAMEFIELDS = 1, 2


class Record(NamedTuple):
    """A record of a node: its ID relative to the node's, and fields and values alternating."""

    deleted: bool
    ms_delta: int
    seq_delta: int
    fields: list[bytes | int]


class NodeCursor(Protocol):
    """The input of ``walk_node``."""

    def begin(self, name: str, index: int | None = None) -> None:
        """Enter the master entry or a record."""

    def end(self) -> None:
        """Leave it."""

    def more(self) -> bool:
        """Return whether there is another element."""

    def take(self, name: str) -> bytes | int:
        """Return the next element."""

    def number(self, name: str, least: int | None = None) -> int:
        """Return the next element, a number, ``least`` or more."""

    def expect(self, name: str, value: int) -> None:
        """Take a number that must be ``value``."""

    def compare(self, name: str, declared: int, found: int) -> None:
        """Refuse the node if a counter of its master entry is wrong."""


def walk_node(cursor: NodeCursor) -> Iterator[Record]:
    """Yield the records of a stream node, deleted ones too."""
    cursor.begin("master")
    count = cursor.number("count", 0)
    deleted = cursor.number("deleted", 0)
    shared = [cursor.take("field") for _ in range(cursor.number("num_fields", 0))]
    cursor.expect("terminator", 0)
    cursor.end()
    tombs = index = 0
    while cursor.more():
        cursor.begin("record", index)
        record = _walk_record(cursor, shared)
        cursor.end()
        tombs += record.deleted
        index += 1
        yield record
    cursor.compare("count", count, index - tombs)
    cursor.compare("deleted", deleted, tombs)


def _walk_record(cursor: NodeCursor, shared: list[bytes | int]) -> Record:
    flags = cursor.number("flags")
    ms_delta = cursor.number("ms_delta")
    seq_delta = cursor.number("seq_delta")
    fields: list[bytes | int] = []
    if flags & SAMEFIELDS:
        for field in shared:
            fields += (field, cursor.take("value"))
        size = len(shared) + 3
    else:
        num_fields = cursor.number("num_fields", 0)
        for _ in range(num_fields):
            fields += (cursor.take("field"), cursor.take("value"))
        size = 2 * num_fields + 4
    cursor.expect("lp_count", size)
    return Record(bool(flags & DELETED), ms_delta, seq_delta, fields)


class ValueCursor:
    """A NodeCursor over the values of a node that has been checked."""

    def __init__(self, values: list[bytes | int]) -> None:
        self._values = values
        self._index = 0

    def begin(self, name: str, index: int | None = None) -> None:
        """Do nothing."""

    def end(self) -> None:
        """Do nothing."""

    def more(self) -> bool:
        """Return whether there is another element."""
        return self._index < len(self._values)

    def take(self, name: str) -> bytes | int:  # noqa: ARG002 - the name is for those who trace
        """Return the next element."""
        self._index += 1
        return self._values[self._index - 1]

    def number(self, name: str, least: int | None = None) -> int:  # noqa: ARG002
        """Return the next element as a number."""
        number = read_int64(self.take(name))
        assert number is not None  # checked during parsing
        return number

    def expect(self, name: str, value: int) -> None:  # noqa: ARG002
        """Skip a number that was checked."""
        self.take(name)

    def compare(self, name: str, declared: int, found: int) -> None:
        """Do nothing: counters were checked."""


class EntryCursor:
    """A NodeCursor over a blob, which checks it and updates path and tracer."""

    def __init__(self, stream: Reading, entries: NodeEntries, begin: int, values: list[Any]) -> None:
        self._stream = stream
        self._entries = entries
        self._begin = begin
        self._values = values
        self._scanned = scan_listpack(stream.blob)
        self._next = next(self._scanned, None)
        self._last: PackedEntry | None = None
        self._master: dict[str, int] = {}
        self._is_record = False

    def begin(self, name: str, index: int | None = None) -> None:
        """Enter the master entry or a record."""
        self._stream.seek(self._begin + self._here())
        self._stream.begin_item(name, index)
        self._is_record = index is not None

    def end(self) -> None:
        """Leave it."""
        self._stream.seek(self._begin + self._here())
        self._stream.end_item("entry")

    def _here(self) -> int:
        return self._next.start if self._next is not None else len(self._stream.blob) - 1

    def more(self) -> bool:
        """Return whether there is another element."""
        return self._next is not None

    def take(self, name: str) -> bytes | int:
        """Return the next element. Raises RefusalError at the end of the listpack."""
        entry = self._next
        if entry is None:
            cause: Cause = "node-record" if self._is_record else "node-master"
            raise RefusalError(CODE, cause, len(self._stream.blob) - 1, f"element {name}", "end of the listpack")
        self._stream.place.path.append((name, None))
        if self._stream.place.tracer is not None:
            self._entries.trace(self._stream, name, entry, self._begin)
        self._values.append(entry.value)
        self._last = entry
        self._stream.place.path.pop()
        self._next = next(self._scanned, None)
        value: bytes | int = entry.value
        return value

    def number(self, name: str, least: int | None = None) -> int:
        """Return the next element, a number."""
        value = self.take(name)
        number = read_int64(value)
        if number is None or (least is not None and number < least):
            raise self._refuse(name, "a number" if least is None else f"a number of {least} or more", value)
        if self._last is not None and name in {"count", "deleted"}:
            self._master[name] = self._last.start
        return number

    def expect(self, name: str, value: int) -> None:
        """Take a number that must be ``value``."""
        found = self.number(name)
        if found != value:
            raise self._refuse(name, f"{name} {value}", found)

    def _refuse(self, name: str, expected: str, found: bytes | int) -> RefusalError:
        self._stream.place.path.append((name, None))
        assert self._last is not None
        cause: Cause = "node-counter" if name in _PASSED_OVER else "number"
        return RefusalError(CODE, cause, self._last.start, expected, describe_value(found))

    def compare(self, name: str, declared: int, found: int) -> None:
        """Refuse the node if a counter of its master entry is wrong."""
        if declared != found:
            what = "live" if name == "count" else "deleted"
            self._stream.place.path[-1:] = [("master", None), (name, None)]
            raise RefusalError(CODE, "node-counter", self._master[name], f"{declared} {what} records", str(found))


class NodeEntries(Entries):
    """The elements of a stream node, checked as master entry and records; a flat list of their values."""

    def walk(self, stream: Reading, values: list[Any]) -> None:
        """Append the value of each element to ``values`` and leave the stream at the end mark."""
        begin = stream.tell() - self.skipped(stream)
        cursor = EntryCursor(stream, self, begin, values)
        for _ in walk_node(cursor):
            pass
        stream.seek(begin + len(stream.blob) - self.end_mark)


NODE_LISTPACK = listpack_of(NodeEntries(scan_listpack, PARTS), empty_code=CODE)
