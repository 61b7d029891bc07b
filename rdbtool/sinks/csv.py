"""Keys as comma-separated values, one line a key after a line of names.

``key`` is the key as text where it is valid UTF-8, else the object that jsonl has for it; ``value``
is the JSON text of jsonl's value. ``elements`` is 1 for strings and module values. ``start`` is the
offset of the record and ``size_bytes`` its length in the file.
"""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Callable, Iterable

from rdbtool._codec.jsonl import value_json
from rdbtool.model import KeyRecord, OpaqueValue, StringValue

COLUMNS = ("db", "key", "type", "encoding", "elements", "expire_at_ms", "start", "size_bytes", "value")

#: Characters gathered before they are handed on.
_FLUSH_SIZE = 1 << 16


def write_csv(records: Iterable[KeyRecord], write: Callable[[bytes], object]) -> None:
    """Write all records; when reading them fails, what was read is written before the error goes on."""
    buffer = io.StringIO()
    lines = csv.writer(buffer, lineterminator="\n")
    lines.writerow(COLUMNS)
    try:
        for record in records:
            lines.writerow(_row(record))
            if buffer.tell() >= _FLUSH_SIZE:
                write(buffer.getvalue().encode())
                buffer.seek(0)
                buffer.truncate()
    finally:
        write(buffer.getvalue().encode())


def _row(record: KeyRecord) -> tuple[object, ...]:
    return (
        record.db,
        _text(record.key),
        record.kind,
        record.encoding,
        1 if isinstance(record.value, StringValue | OpaqueValue) else len(record.value),
        "" if record.expire_at_ms is None else record.expire_at_ms,
        record.start,
        record.stop - record.start,
        value_json(record),
    )


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return f'{{"base64":"{base64.b64encode(data).decode()}"}}'
