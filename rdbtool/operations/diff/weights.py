"""What a record costs to hold, roughly, without asking every object in it."""

from __future__ import annotations

from typing import Final

from rdbtool.model import HashValue, KeyRecord, ListValue, OpaqueValue, SetValue, StreamValue, StringValue, ZSetValue

#: What an object costs beside its bytes.
_ELEMENT: Final = 80


def weigh(record: KeyRecord) -> int:
    """Return about how many bytes a record takes."""
    size = _ELEMENT
    match record.value:
        case StringValue(data=data) | OpaqueValue(raw=data):
            size += len(data)
        case ListValue(elements=parts) | SetValue(members=parts):
            size += sum(map(len, parts)) + _ELEMENT * len(parts)
        case ZSetValue(members=scores):
            size += sum(len(name) for name, _ in scores) + 2 * _ELEMENT * len(scores)
        case HashValue(fields=fields):
            size += sum(len(name) + len(data) for name, data, _ in fields) + 3 * _ELEMENT * len(fields)
        case StreamValue(entries=entries, groups=groups):
            size += sum(len(name) + len(data) + 2 * _ELEMENT for entry in entries for name, data in entry.fields)
            size += 3 * _ELEMENT * (len(entries) + sum(len(group.pending) for group in groups))
        case value:
            size += _ELEMENT * len(value)
    return size
