"""The rows of a table in plain Python: what the compiled sink is compared with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from rdbtool.model import (
    ArrayValue,
    HashValue,
    KeyRecord,
    ListValue,
    OpaqueValue,
    SetValue,
    StreamValue,
    StringValue,
    Value,
    ZSetValue,
)
from rdbtool.report.formatting import show_bytes, show_score, show_ttl
from rdbtool.report.screen import fit, fit_right

#: The shortest thing between two elements of a preview; no more elements than fit are looked at.
_ELEMENT_SIZE = 3


def row(record: KeyRecord, key_width: int, preview_width: int, now_ms: int) -> str:
    """Return the row of a key."""
    cells = (
        fit_right(str(record.db), 3),
        fit(show_bytes(record.key, key_width, bare=True), key_width),
        fit(record.kind, 6),
        fit_right(show_size(record), 9),
        fit_right(show_ttl(record.expire_at_ms, now_ms), 9),
        fit(preview(record.value, preview_width), preview_width).rstrip(),
    )
    return "  ".join(cells).rstrip() + "\n"


def show_size(record: KeyRecord) -> str:
    """Return how large a value is: bytes of a string or module value, elements of everything else."""
    if isinstance(record.value, StringValue):
        return f"{len(record.value.data)} B"
    if isinstance(record.value, OpaqueValue):
        return f"{len(record.value.raw)} B"
    return str(len(record.value))


def preview(value: Value, limit: int) -> str:
    """Return the beginning of a value in about ``limit`` characters; only that much of it is looked at."""
    if isinstance(value, StringValue):
        return show_bytes(value.data, limit)
    if isinstance(value, OpaqueValue):
        return f"module {value.module}"
    text = ""
    # One element more than can be shown, so that a cut shows as a cut.
    for number, element in enumerate(islice(_elements(value, limit), limit // _ELEMENT_SIZE + 2)):
        text += f", {element}" if number else element
        if len(text) > limit:
            break
    return text


def _elements(value: Value, limit: int) -> Iterator[str]:
    def show(data: bytes) -> str:
        return show_bytes(data, limit, bare=True)

    def pairs(fields: Iterable[tuple[bytes, bytes]]) -> str:
        return " ".join(f"{show(name)}={show(data)}" for name, data in islice(fields, limit))

    if isinstance(value, ListValue):
        yield from map(show, value.elements)
    elif isinstance(value, SetValue):
        yield from map(show, value.members)
    elif isinstance(value, ZSetValue):
        yield from (f"{show(member)}={show_score(score)}" for member, score in value.members)
    elif isinstance(value, HashValue):
        yield from (f"{show(field)}={show(data)}" for field, data, _ in value.fields)
    elif isinstance(value, ArrayValue):
        yield from (f"{index}={show(item) if isinstance(item, bytes) else item}" for index, item in value.items)
    elif isinstance(value, StreamValue):
        yield from (f"{entry.id.ms}-{entry.id.seq} {pairs(entry.fields)}" for entry in value.entries)
