"""CSV of records by Python's own module: what the compiled sink is compared with."""

from __future__ import annotations

import base64
import csv
import io
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from rdbtool._codec.encode.jsonl import value_json
from rdbtool.core.errors import spell_controls
from rdbtool.model import HashValue, KeyRecord, OpaqueValue, StringValue

COLUMNS = ("db", "key", "type", "encoding", "elements", "expire_at_ms", "start", "size_bytes", "value")

#: Characters gathered before they are handed on.
_FLUSH_SIZE = 1 << 16

#: What a spreadsheet takes for the beginning of a formula, in the width of East Asia too, or skips to find one.
_FORMULA: Final = re.compile("[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")

_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)

#: Control characters that RFC 4180 has a place for, in quotes.
_QUOTED: Final = "\t\r\n"


def write_csv(
    records: Iterable[KeyRecord],
    write: Callable[[bytes], object],
    *,
    fields: Sequence[bytes] = (),
    raw: bool = False,
    is_terminal: bool = False,
) -> None:
    """Write all records; when reading them fails, what was read is written before the error goes on.

    ``fields`` are columns in place of the value. ``raw``: cells are texts as they are. ``is_terminal``: no control
    character is written at all.
    """
    keep = "" if is_terminal else _QUOTED
    buffer = io.StringIO()
    lines = csv.writer(buffer)

    def put(row: Iterable[object]) -> None:
        lines.writerow(row if raw else [_inert(cell, keep) if isinstance(cell, str) else cell for cell in row])

    put((*COLUMNS[:-1], *map(_column, fields)) if fields else COLUMNS)
    try:
        for record in records:
            put((*_head(record), *(_cells(record, fields) if fields else (value_json(record),))))
            if buffer.tell() >= _FLUSH_SIZE:
                write(buffer.getvalue().encode())
                buffer.seek(0)
                buffer.truncate()
    finally:
        write(buffer.getvalue().encode())


def _column(field: bytes) -> str:
    """Return the name of the column of a field, which no other column has."""
    name = _text(field)
    return f"field:{name}" if name in COLUMNS else name


def _cells(record: KeyRecord, fields: Sequence[bytes]) -> list[str]:
    values = dict(record.value) if isinstance(record.value, HashValue) else {}
    return [_text(values[field]) if field in values else "" for field in fields]


def _head(record: KeyRecord) -> tuple[object, ...]:
    return (
        record.db,
        _text(record.key),
        record.kind,
        record.encoding,
        1 if isinstance(record.value, StringValue | OpaqueValue) else len(record.value),
        "" if record.expire_at_ms is None else record.expire_at_ms,
        record.start,
        record.stop - record.start,
    )


def _inert(text: str, keep: str) -> str:
    """Return a cell that neither a spreadsheet executes nor a terminal obeys."""
    shown = spell_controls(text, keep)
    return f"'{shown}" if _FORMULA.match(shown) and not _NUMBER.fullmatch(shown) else shown


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return f'{{"base64":"{base64.b64encode(data).decode()}"}}'
