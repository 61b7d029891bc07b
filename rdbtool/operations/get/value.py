"""Look up one key of a dataset, or one element of its value."""

from __future__ import annotations

import re

from rdbtool._codec.encode.jsonl import value_json
from rdbtool._codec.filters.selection import Selection
from rdbtool.core.errors import NotFoundError, describe_key
from rdbtool.core.light_typing import TYPE_CHECKING
from rdbtool.model import ArrayValue, HashValue, KeyRecord, ListValue, OpaqueValue, SetValue, StreamValue, StringValue

if TYPE_CHECKING:
    from rdbtool.core.progress import Progress
    from rdbtool.dataset.loading import Opened
    from rdbtool.model import Value

_ENTRY = re.compile(rb"(\d{1,20})-(\d{1,20})")


def find_key(dataset: Opened, key: bytes, *, db: int | None = None, progress: Progress | None = None) -> KeyRecord:
    """Return the record of a key from the first database that has it; the rest of the file is not read.

    Raises NotFoundError, and the errors of reading.
    """
    pattern = re.compile(rb"\A" + re.escape(key) + rb"\Z")
    selection = Selection(patterns=[pattern], dbs=[] if db is None else [db], limit=1)
    for record in dataset.records(selection=selection, progress=progress):
        return record
    where = "" if db is None else f" in db {db}"
    raise NotFoundError(f"{dataset.name}: no key {describe_key(key)}{where}")


def raw_bytes(record: KeyRecord) -> bytes:
    """Return a value as bytes: a string or module value as it is, any other as JSON."""
    value = record.value
    if isinstance(value, StringValue):
        return value.data
    if isinstance(value, OpaqueValue):
        return value.raw
    return value_json(record).encode() + b"\n"


def element_bytes(record: KeyRecord, field: bytes, source: str) -> bytes:
    """Return one element: the value of a field, the element at an index, a score, an existing member, or an entry.

    Raises NotFoundError.
    """
    found = _find_element(record.value, field)
    if found is None:
        raise NotFoundError(
            f"{source}: key {describe_key(record.key)} ({record.kind}) has no element {describe_key(field)}"
        )
    return found


def _find_element(value: Value, field: bytes) -> bytes | None:
    if isinstance(value, HashValue):
        return next((data for name, data, _ in value.fields if name == field), None)
    if isinstance(value, SetValue):
        return field if field in value.members else None
    if isinstance(value, ListValue | ArrayValue):
        return _at_index(value, field)
    if isinstance(value, StreamValue):
        return _entry(value, field)
    if isinstance(value, StringValue | OpaqueValue):
        return None
    return next((_number(score) for member, score in value.members if member == field), None)


def _at_index(value: ListValue | ArrayValue, field: bytes) -> bytes | None:
    if re.fullmatch(rb"-?\d{1,18}", field) is None:
        return None
    index = int(field)
    if isinstance(value, ListValue):
        return value.elements[index] if -len(value) <= index < len(value) else None
    item = next((item for at, item in value.items if at == index), None)
    return item if item is None or isinstance(item, bytes) else _number(item)


def _entry(value: StreamValue, field: bytes) -> bytes | None:
    match = _ENTRY.fullmatch(field)
    if match is None:
        return None
    wanted = int(match[1]), int(match[2])
    entry = next((entry for entry in value.entries if (entry.id.ms, entry.id.seq) == wanted), None)
    if entry is None:
        return None
    # In the form of HGETALL: fields and values alternate.
    return b"\n".join(part for pair in entry.fields for part in pair)


def _number(number: float) -> bytes:
    return b"%d" % int(number) if float(number).is_integer() and abs(number) < 1 << 53 else repr(number).encode()
