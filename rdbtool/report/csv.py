r"""Keys as CSV: a header line, then one line per key.

``key`` is text where it is valid UTF-8, else the object that jsonl uses; ``value`` is the JSON text of jsonl's value.
``elements`` is 1 for strings and module values. ``start`` is the offset of the record and ``size_bytes`` its length in
the file. With ``fields``, ``value`` is replaced by one column per named hash field: text, or the same form as ``key``
for other bytes; empty where a key lacks the field.

Line ends and quoting follow RFC 4180. Spreadsheets execute cells that begin like a formula: such text is prefixed with
``'`` unless it is a number. Control characters, which terminals interpret, are escaped as ``\x1b``.
"""

from __future__ import annotations

import base64
import csv
import io
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from rdbtool._codec.encode.jsonl import value_json, write_value
from rdbtool.core.errors import spell_controls
from rdbtool.model import HashValue, KeyRecord, OpaqueValue, StringValue

COLUMNS = ("db", "key", "type", "encoding", "elements", "expire_at_ms", "start", "size_bytes", "value")

#: Characters buffered before they are written.
_FLUSH_SIZE = 1 << 16

#: Strings of at least this many bytes, and collections of this many elements, are written in pieces.
_LONG: Final = 1 << 20
_MANY: Final = 1 << 14


#: Characters that start a formula in a spreadsheet (also in East Asian full width), or that it skips before one.
_FORMULA: Final = re.compile("[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")

_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)

_END_OF_LINE: Final = "\r\n"

#: Control characters that RFC 4180 allows inside quotes.
_QUOTED: Final = "\t\r\n"


def write_csv(
    records: Iterable[KeyRecord],
    write: Callable[[bytes], object],
    *,
    fields: Sequence[bytes] = (),
    raw: bool = False,
    is_terminal: bool = False,
) -> None:
    """Write all records; if reading fails, write what was read, then re-raise.

    ``fields``: columns that replace the value. ``raw``: write text unescaped. ``is_terminal``: write no control
    characters at all.
    """
    keep = "" if is_terminal else _QUOTED
    buffer = io.StringIO()
    lines = csv.writer(buffer)

    def put(row: Iterable[object]) -> None:
        lines.writerow(row if raw else [_inert(cell, keep) if isinstance(cell, str) else cell for cell in row])

    put((*COLUMNS[:-1], *map(_column, fields)) if fields else COLUMNS)
    try:
        for record in records:
            is_large = not fields and _is_large(record)
            value = _cells(record, fields) if fields else ("" if is_large else value_json(record),)
            put((*_head(record), *value))
            if is_large or buffer.tell() >= _FLUSH_SIZE:
                text = buffer.getvalue()
                buffer.seek(0)
                buffer.truncate()
                write((text.removesuffix(_END_OF_LINE) if is_large else text).encode())
                if is_large:
                    _write_large(record, write)
    finally:
        write(buffer.getvalue().encode())


def _is_large(record: KeyRecord) -> bool:
    """Return whether a value is too large to copy as text."""
    value = record.value
    if isinstance(value, OpaqueValue):
        return False
    return len(value) >= (_LONG if isinstance(value, StringValue) else _MANY)


def _write_large(record: KeyRecord, write: Callable[[bytes], object]) -> None:
    """Write the cell of a value and end the line. JSON is never a formula and has no control characters."""
    write(b'"')
    write_value(record, lambda piece: write(piece.replace(b'"', b'""')))
    write(b'"' + _END_OF_LINE.encode())


def _column(field: bytes) -> str:
    """Return a column name for a field that no other column has."""
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
    """Return the cell escaped so that no spreadsheet executes it and no terminal interprets it."""
    shown = spell_controls(text, keep)
    return f"'{shown}" if _FORMULA.match(shown) and not _NUMBER.fullmatch(shown) else shown


def cell_of_key(key: bytes, *, raw: bool = False, is_terminal: bool = False) -> str:
    """Return the cell of a key; see ``write_csv``."""
    text = _text(key)
    return text if raw else _inert(text, "" if is_terminal else _QUOTED)


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return f'{{"base64":"{base64.b64encode(data).decode()}"}}'
