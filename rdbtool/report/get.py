"""Display of one value on a terminal: text as text, other bytes escaped, elements in rows."""

from __future__ import annotations

from collections.abc import Iterator

from rdbtool.core.errors import spell_controls
from rdbtool.core.light_typing import TYPE_CHECKING
from rdbtool.model import ArrayValue, HashValue, ListValue, OpaqueValue, SetValue, StreamValue, StringValue
from rdbtool.report.formatting import show_bytes, show_score, show_time

if TYPE_CHECKING:
    from rdbtool.model import KeyRecord


def value_text(record: KeyRecord) -> str:
    """Return a value as lines for a terminal, with control characters escaped."""
    lines = list(_rows(record))
    if record.expire_at_ms is not None:
        lines.append(f"(expires at {show_time(record.expire_at_ms)})")
    return "\n".join(lines) + "\n"


def element_text(data: bytes) -> str:
    """Return bytes for a terminal: text with its line breaks, anything else escaped."""
    try:
        return spell_controls(data.decode(), "\n\t")
    except UnicodeDecodeError:
        return show_bytes(data, len(data))


def _rows(record: KeyRecord) -> Iterator[str]:
    value = record.value
    if isinstance(value, StringValue):
        yield element_text(value.data)
    elif isinstance(value, OpaqueValue):
        yield f"module {value.module}, {len(value.raw):,} bytes"
    elif isinstance(value, HashValue):
        for field, data, expire_at_ms in value.fields:
            expires = "" if expire_at_ms is None else f"  (expires at {show_time(expire_at_ms)})"
            yield f"{_one(field)}  {_one(data)}{expires}"
    elif isinstance(value, ListValue):
        yield from (f"{index}  {_one(element)}" for index, element in enumerate(value.elements))
    elif isinstance(value, SetValue):
        yield from map(_one, value.members)
    elif isinstance(value, ArrayValue):
        yield from (f"{index}  {_one(item) if isinstance(item, bytes) else item}" for index, item in value.items)
    elif isinstance(value, StreamValue):
        for entry in value.entries:
            pairs = "  ".join(f"{_one(name)} {_one(data)}" for name, data in entry.fields)
            yield f"{entry.id.ms}-{entry.id.seq}  {pairs}"
    else:
        yield from (f"{_one(member)}  {show_score(score)}" for member, score in value.members)


def _one(data: bytes) -> str:
    return show_bytes(data, len(data), bare=True)
