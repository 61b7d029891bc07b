"""Differences between two datasets as text and as JSON.

Both are streamed: one key after another, then a summary. Text shows the first details of a key and counts the rest.
JSON has all details, one key per line; it ends with the summary, so truncated output is never valid JSON.
"""

from __future__ import annotations

from collections.abc import Callable

from rdbtool.core.errors import json_name
from rdbtool.core.light_typing import Final
from rdbtool.model import KeyRecord, OpaqueValue, PendingEntry, StreamGroup, StreamID, StringValue
from rdbtool.operations.diff.change import Change, Datum
from rdbtool.operations.diff.compare import Comparison, Counts, Difference
from rdbtool.operations.diff.items import ItemDifference
from rdbtool.report.formatting import show_bytes, show_count, show_score, show_time
from rdbtool.report.screen import Line, Screen, Styled, name

#: Details per key shown in text.
_SHOWN: Final = 20

#: Bytes buffered before output is written.
_PIECE: Final = 1 << 16

_STYLES: Final = {"+": "good", "-": "lost", "~": "warning"}

#: Nouns for the elements of each type.
_NOUNS: Final = {"hash": "field", "list": "element", "stream": "entry", "array": "item"}
_PLURALS: Final = {"entry": "entries"}

#: Parts that hold a time (Unix ms).
_EXPIRIES: Final = {"field_expires": "expiry of field", "member_expires": "expiry of member"}
_TIMES: Final = frozenset({"expires", "field_expires", "member_expires"})

Write = Callable[[bytes], object]


def write_text(comparison: Comparison, write: Write, *, brief: bool, is_terminal: bool = False) -> None:
    """Write the differences as text; ``brief``: one line per key, and nothing for equal datasets."""
    screen = Screen(is_terminal=is_terminal)
    lines = _Lines(write)

    def describe(difference: Difference) -> str:
        shown = [screen.render(_key_line(difference))]
        if not brief:
            parts = difference.parts
            shown += [
                f"    {screen.paint(part.sign, _STYLES[part.sign])} {_describe_part(part)}" for part in parts[:_SHOWN]
            ]
            if len(parts) > _SHOWN:
                shown.append(f"    and {len(parts) - _SHOWN:,} more")
        return "\n".join(shown)

    for item in comparison.items:
        lines.put(f"{screen.paint(item.sign, _STYLES[item.sign])} {_describe_item(item)}")
    if _is_compiled(comparison) and not screen.has_colours:
        lines.close()
        _write_keys(comparison, write, describe, as_json=False, brief=brief)
    else:
        for difference in comparison.differences():
            lines.put(describe(difference))
    if not brief:
        lines.put(screen.paint(_describe_counts(comparison.counts), "" if comparison.counts.differs else "good"))
    lines.close()


def write_json(comparison: Comparison, write: Write) -> None:
    """Write the differences as one JSON object (schema 1), with one key per line."""
    import json  # noqa: PLC0415 - takes 2 ms, and text needs none

    lines = _Lines(write)

    def describe(difference: Difference) -> str:
        return json.dumps(difference.to_dict())

    head = {"schema": 1, "a": json_name(comparison.first.name), "b": json_name(comparison.second.name)}
    items = json.dumps([item.to_dict() for item in comparison.items])
    lines.put(f'{json.dumps(head)[:-1]}, "items": {items}, "keys": [')
    comma = ""
    if _is_compiled(comparison):
        lines.close()
        has_keys = _write_keys(comparison, write, describe, as_json=True)
        comma = ",\n" if has_keys else ""
    else:
        for difference in comparison.differences():
            lines.put(comma + describe(difference), end="")
            comma = ",\n"
    if comma:
        lines.put("")
    lines.put(f'], "summary": {json.dumps(comparison.summary_dict())}}}')
    lines.close()


def _is_compiled(comparison: Comparison) -> bool:
    """Return whether ``Comparison.write`` can write the keys."""
    return comparison.options.limit is None and not comparison.options.encodings


def _write_keys(
    comparison: Comparison, write: Write, describe: Callable[[Difference], str], *, as_json: bool, brief: bool = False
) -> bool:
    """Write the keys that differ; return whether there are any."""
    if not comparison.differs_in_keys:
        return False
    from rdbtool._codec.encode.diff_lines import DiffLines  # noqa: PLC0415 - only for what differs

    lines = DiffLines(write, as_json=as_json, brief=brief, show=show_bytes, describe=describe)
    comparison.write(lines)
    lines.close()
    return lines.has_keys


class _Lines:
    """Output buffer for lines."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._pieces: list[str] = []
        self._size = 0

    def put(self, text: str, end: str = "\n") -> None:
        self._pieces.append(text + end)
        self._size += len(text)
        if self._size >= _PIECE:
            self.close()

    def close(self) -> None:
        if self._pieces:
            self._write("".join(self._pieces).encode())
        self._pieces = []
        self._size = 0


def _key_line(difference: Difference) -> Line:
    record = difference.record
    what = record.kind if difference.sign == "~" else f"{record.kind}, {_size(record)}"
    sign = Styled(difference.sign, _STYLES[difference.sign])
    return sign, f" db{record.db} ", name(show_bytes(record.key)), f" ({what})"


def _size(record: KeyRecord) -> str:
    if isinstance(record.value, StringValue):
        return show_count(len(record.value.data), "byte")
    if isinstance(record.value, OpaqueValue):
        return show_count(len(record.value.raw), "byte")
    noun = _NOUNS.get(record.kind, "member")
    return show_count(len(record.value), noun, _PLURALS.get(noun))


def _describe_item(item: ItemDifference) -> str:
    if item.what == "aux":
        return f"aux {show_bytes(item.name)}" + _describe_change(item.sign, _show(item.before), _show(item.after))
    sizes = [None if data is None else show_count(len(data), "byte") for data in (item.before, item.after)]
    words = sizes[0] if sizes[0] == sizes[1] else " -> ".join(size for size in sizes if size)
    return f"{item.what} {show_bytes(item.name)} ({words})"


def _describe_part(part: Change) -> str:
    place = "" if part.group is None else f"group {show_bytes(part.group)} "
    what = _EXPIRIES.get(part.what) or part.what.replace("_", " ")
    name = "" if part.name is None else f" {_show(part.name)}"
    sides = part.before, part.after
    if part.what in _TIMES:
        shown = [show_time(time) if isinstance(time, int) else "never" for time in sides]
    elif part.what in {"value", "metadata"} and isinstance(sides[0], bytes) and isinstance(sides[1], bytes):
        shown = _show_bytes_apart(sides[0], sides[1])
    else:
        shown = [_show(side) for side in sides]
    if part.before is None and part.after is None and part.what not in _TIMES:
        return f"{place}{what}{name}"
    return f"{place}{what}{name}{_describe_change(part.sign, *shown)}"


def _describe_change(sign: str, before: str, after: str) -> str:
    if sign == "~":
        return f": {before} -> {after}"
    return f": {after if sign == '+' else before}"


def _show_bytes_apart(first: bytes, second: bytes) -> list[str]:
    """Show two values; if their previews would be the same, start a little before the first difference."""
    if first[:40] != second[:40]:
        return [show_bytes(first), show_bytes(second)]
    at = next((i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), min(len(first), len(second)))
    start, stop = at - 10, at + 30
    return [
        f"… {show_bytes(data[start:stop])}{' …' if stop < len(data) else ''} (byte {start:,} of {len(data):,})"
        for data in (first, second)
    ]


def _show(datum: Datum) -> str:
    match datum:
        case None:
            text = "none"
        case bytes():
            text = show_bytes(datum)
        case float():
            text = show_score(datum) if datum == datum else "nan"  # noqa: PLR0124 - NaN is not
        case StreamID():
            text = f"{datum.ms}-{datum.seq}"
        case tuple():
            pairs = ((show_bytes(name, 20, bare=True), show_bytes(data, 20, bare=True)) for name, data in datum[:4])
            text = " ".join(f"{name}={data}" for name, data in pairs)
            text += " …" if len(datum) > 4 else ""
        case PendingEntry():
            owner = "nobody" if datum.consumer is None else show_bytes(datum.consumer)
            text = f"{owner}, delivered {show_time(datum.delivered_at_ms)}, {show_count(datum.delivery_count, 'time')}"
        case StreamGroup():
            consumers = show_count(len(datum.consumers), "consumer")
            text = f"last id {_show(datum.last_id)}, {consumers}, {len(datum.pending):,} pending"
        case _:
            text = str(datum)
    return text


def _describe_counts(counts: Counts) -> str:
    others = f", {show_count(counts.items, 'difference')} outside the keys" if counts.items else ""
    keys = f"{counts.added:,} added, {counts.removed:,} removed, {counts.changed:,} changed"
    if not counts.is_whole:
        return f"the first differences: {keys}{others}"
    if not counts.differs:
        return f"no difference: {show_count(counts.same, 'key')} in both"
    return f"{keys}, {counts.same:,} the same{others}"
