"""Hex view of a file: offset, bytes, and their meaning.

One row per field. A string or packed entry is one row although it has parts, unless everything is requested. Long byte
ranges are shortened and their length is shown. Offsets with a ``+`` count from the beginning of the decompressed string
whose compressed bytes are shown above. Rows are written as they are made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from rdbtool.core.errors import FormatError, clean
from rdbtool.core.light_typing import Final, NamedTuple
from rdbtool.core.location import Span
from rdbtool.grammar import Node
from rdbtool.io.lzf import inflate
from rdbtool.model import KeyRecord
from rdbtool.operations.inspect.tree import is_plain_part
from rdbtool.reader.inspect.rdb import Traced
from rdbtool.report.formatting import show_bytes, show_count, show_time
from rdbtool.report.screen import Screen

#: Bytes per row, and the screen width from which rows have twice as many.
_ROW: Final = 8
_WIDE: Final = 130

#: Lines buffered before they are written.
_FLUSH_LINES: Final = 500

#: Bytes of a value shown in a row, if the screen is wide enough.
_LEAST_VALUE, _MOST_VALUE = 12, 48

_STYLES: Final = {"opcode": "bold yellow", "type": "bold yellow", "data": "green", "compressed data": "green"}
_OTHER_STYLE: Final = "cyan"

#: Names of the parts of a string (STR).
_RAW_STRING: Final = ("length", "data")
#: Names of the parts of a command argument in an AOF.
_ARGUMENT: Final = ("size", "data", "end")

_INT_STRING: Final = ("encoding", "integer")
_LZF_STRING: Final = ("encoding", "compressed size", "size", "compressed data")

#: Size of a stored stream ID (bytes).
_STREAM_ID: Final = 16

#: Names of certain numbers.
_MEANINGS: Final[dict[tuple[str, object], str]] = {
    ("container", 1): "plain",
    ("container", 2): "packed",
    ("entries_read", (1 << 64) - 1): "unknown",
    ("crc64", 0): "disabled when the file was saved",
}

#: Opcodes and fields that hold a time, with the unit in milliseconds.
_TIME_UNITS: Final = {
    "EXPIRETIME_MS": 1,
    "EXPIRETIME": 1000,
    "min_expire": 1,
    "ttl": 1,
    "delivery_time_ms": 1,
    "seen_time_ms": 1,
    "active_time_ms": 1,
}


class HexRow(NamedTuple):
    """A row before layout: a byte range, divided into ``parts`` for colouring, and text."""

    span: Span
    data: bytes
    parts: tuple[tuple[Span, str], ...]
    depth: int
    name: str
    value: bytes | str
    note: str
    inner: bool = False
    may_cut: bool = False


class HexView:
    """Write traced items. ``full``: shorten and join nothing."""

    def __init__(self, write: Callable[[bytes], object], *, is_terminal: bool, full: bool) -> None:
        self._write = write
        self._screen = Screen(is_terminal=is_terminal)
        self._row = _ROW if self._screen.width < _WIDE else 2 * _ROW
        self._full = full

    def show(self, items: Iterable[Traced]) -> None:
        """Write all items, and where reading stopped if it failed. The caller raises the error."""
        part = ""
        for item in items:
            lines: list[str] = []
            if item.part != part:
                part = item.part
                lines.append(f"{self._screen.paint(clean(part), 'bold')}\n")
            for row in _item_rows(item, full=self._full):
                lines += self._layout(row)
                if len(lines) >= _FLUSH_LINES:
                    self._write("".join(lines).encode())
                    lines.clear()
            if isinstance(item.trace.error, FormatError):
                for row in _damage_rows(item, item.trace.error):
                    lines += self._layout(row)
            self._write("".join(lines).encode())

    def _layout(self, row: HexRow) -> Iterator[str]:
        paint = self._screen.paint
        value = self._value(row)
        words = [paint(row.name, "bold" if row.depth == 0 else "")]
        words += [value] * bool(value) + [paint(row.note, "dim")] * bool(row.note)
        text = "  " * row.depth + "  ".join(words)
        pieces = self._pieces(row)
        for number, (at, count) in enumerate(pieces):
            cut = " …" if number == len(pieces) - 1 and at + count < len(row.data) else ""
            offset = paint(f"{'+' if row.inner else ' '}{row.span.start + at:08x}", "dim")
            blanks = " " * (3 * self._row - 1 - max(3 * count - 1, 0) - len(cut))
            meaning = text if number == 0 else paint(_characters(row.data[at : at + count]), "dim")
            yield f"{offset}  {self._hex(row, at, count)}{cut}{blanks}  {meaning}".rstrip() + "\n"

    def _value(self, row: HexRow) -> str:
        """Return the value as text that fits the row, if it is a value that can be shortened."""
        if isinstance(row.value, str):
            return row.value
        taken = 9 + 2 + 3 * self._row + 1 + 2 * row.depth + len(row.name) + len(row.note) + 4
        room = max(self._screen.width - taken, _LEAST_VALUE)
        text = show_bytes(row.value, _MOST_VALUE)
        if len(text) > room:
            # Escapes take up to four columns per byte, and the length needs room too.
            shown = len(text) / min(len(row.value), _MOST_VALUE)
            text = show_bytes(row.value, max(int((room - 16) / shown), _LEAST_VALUE))
        return text

    def _pieces(self, row: HexRow) -> list[tuple[int, int]]:
        """Return (index, count) of the bytes on each line of a row."""
        size, width = len(row.data), self._row
        if size > width and row.may_cut and not self._full:
            return [(0, width - 1)]
        return [(at, min(width, size - at)) for at in range(0, size, width)] or [(0, 0)]

    def _hex(self, row: HexRow, at: int, count: int) -> str:
        start, stop = row.span.start + at, row.span.start + at + count
        painted = []
        for span, name in row.parts:
            piece = row.data[max(span.start, start) - row.span.start : max(min(span.stop, stop) - row.span.start, 0)]
            if piece and span.start < stop and span.stop > start:
                painted.append(self._screen.paint(piece.hex(" "), _STYLES.get(name, _OTHER_STYLE)))
        return " ".join(painted)


def _item_rows(item: Traced, *, full: bool) -> Iterator[HexRow]:
    """Yield the rows of an item: its first byte with its name, then its fields."""
    node = item.trace.node
    if node.stop == node.start:
        return
    children = node.children
    if not children and isinstance(node.value, bytes):
        span = Span(node.start, node.stop)
        said = show_time(int(node.note) * 1000) if node.name == "annotation" and node.note else node.note
        note = said and f"({said})"
        data = item.data[: span.size]
        yield HexRow(span, data, ((span, "opcode"),), 0, node.name, node.value, note, may_cut=not full)
        return
    first = children[0] if children and children[0].name in {"opcode", "type", "argc"} else None
    stop = first.stop if first else node.start
    span = Span(node.start, stop)
    parts = ((span, "opcode"),)
    # A damaged item has no name, but its first byte has.
    name = str(first.value) if first else node.name
    if node.name == "command":
        name = show_bytes(node.value, bare=True) if isinstance(node.value, bytes) else "command"
    yield HexRow(span, item.data[: span.size], parts, 0, name, "", _item_note(item))
    for child in children[1:] if first else children:
        yield from _rows(child, node, item.data, node.start, 1, full=full)


def _rows(node: Node, parent: Node, data: bytes, base: int, depth: int, *, full: bool) -> Iterator[HexRow]:
    """Yield the rows of a node; ``data`` holds the bytes from offset ``base``."""
    span = Span(node.start, node.stop)
    here = data[span.start - base : span.stop - base]
    leaves = all(not child.children for child in node.children)
    inflated = bool(node.children) and node.children[0].inner and not node.inner
    whole = not node.children or inflated or (leaves and node.value is not None and not full)
    note = _note(node, parent)
    if not whole:
        note = note or f"({show_count(span.size, 'byte')})"
        yield HexRow(span, b"", (), depth, node.name, _value(node) if full else "", note, node.inner)
        for child in node.children:
            yield from _rows(child, node, data, base, depth + 1, full=full)
        return
    parts = tuple((Span(child.start, child.stop), child.name) for child in node.children) if not inflated else ()
    value = "" if inflated else _stream_id(node, parent) or _value(node)
    # The first bytes are enough where the value is shown as text or its content follows.
    may_cut = inflated or isinstance(node.value, bytes) or node.name == "…"
    yield HexRow(span, here, parts or ((span, node.name),), depth, node.name, value, note, node.inner, may_cut)
    if inflated:
        size = next(child.value for child in parent.children if child.name == "size")
        assert isinstance(size, int)
        content = inflate(here, size, limit=size)
        for child in node.children:
            yield from _rows(child, node, content, 0, depth + 1, full=full)


def _value(node: Node) -> bytes | str:
    if node.name == "…" or node.value is None or is_plain_part(node):
        return ""
    if node.name == "crc64" and isinstance(node.value, int):
        return f"{node.value:#018x}"
    return node.value if isinstance(node.value, bytes) else str(node.value)


def _stream_id(node: Node, parent: Node) -> str:
    """Return a stream ID as servers show it, if the node is a 16-byte ID of the file."""
    is_id = node.name == "id" or (node.field == "pending" and not node.children)
    is_id |= node.name == "key" and parent.field == "node"
    if not is_id or not isinstance(node.value, bytes) or len(node.value) != _STREAM_ID:
        return ""
    return f"{int.from_bytes(node.value[:8], 'big')}-{int.from_bytes(node.value[8:], 'big')}"


def _note(node: Node, parent: Node) -> str:
    names = tuple(child.name for child in node.children)
    if names in {_RAW_STRING, _ARGUMENT} and isinstance(node.value, bytes):
        # A shortened value already shows its length.
        return f"({show_count(len(node.value), 'byte')})" if len(node.value) <= _LEAST_VALUE else ""
    if names == _INT_STRING:
        return f"({node.children[0].value!s})"
    if names == _LZF_STRING:
        return f"(LZF, {node.children[1].value!s} → {node.children[2].value!s} bytes)"
    value, unit = node.value, _TIME_UNITS.get(node.name) or _TIME_UNITS.get(parent.name)
    note = show_time(value * unit) if isinstance(value, int) and unit else node.note
    note = _MEANINGS.get((node.name, value), note)
    return f"({note})" if note else ""


def _item_note(item: Traced) -> str:
    record = item.trace.item
    if isinstance(record, KeyRecord):
        return f"{record.kind} {show_bytes(record.key)}  (record {item.record}, db {item.db})"
    if item.command is not None:
        return f"(command {item.command}, db {item.db})"
    return ""


def _damage_rows(item: Traced, error: FormatError) -> Iterator[HexRow]:
    """Yield the bytes that were read but not explained, then a row that marks the byte where reading stopped."""
    node = item.trace.node
    named = _last_named(node)
    begin = min(max(error.at - node.start, 0), len(item.data))
    if named < error.at:
        skipped = item.data[named - node.start : begin]
        span = Span(named, named + len(skipped))
        yield HexRow(span, skipped, ((span, "rest"),), 1, "?", "", f"({show_count(span.size, 'byte')})", may_cut=True)
    data = item.data[begin : begin + _ROW]
    span = Span(error.at, error.at + len(data))
    inside = "" if error.where.inner_at is None else f" (at +{error.where.inner_at:08x} of the decompressed string)"
    words = f"expected {error.expected}, found {error.found}{inside}"
    yield HexRow(span, data, ((span, "opcode"),), 0, f"◄ {error.code}", words, "")


def _last_named(node: Node) -> int:
    """Return the offset after the last byte of the file that has a row."""
    children = [child for child in node.children if not child.inner]
    return _last_named(children[-1]) if children else node.stop


def _characters(data: bytes) -> str:
    return "".join(chr(byte) if 0x20 <= byte < 0x7F else "·" for byte in data)
