r"""Keys as comma-separated values, one line a key after a line of names.

``key`` is the key as text where it is valid UTF-8, else the object that jsonl has for it; ``value``
is the JSON text of jsonl's value. ``elements`` is 1 for strings and module values. ``start`` is the
offset of the record and ``size_bytes`` its length in the file. With ``fields`` the fields of hashes that they name are
columns in place of ``value``: text, or what ``key`` has for other bytes; empty where a key has no such field.

Lines and quotes are those of RFC 4180. A spreadsheet executes a cell that begins like a formula: such a text gets a
``'`` in front, unless it is a number. Control characters, which terminals obey, are spelled ``\x1b``.
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

#: Characters gathered before they are handed on.
_FLUSH_SIZE = 1 << 16

#: Bytes of a string, and elements, from which on a value is written in pieces.
_LONG: Final = 1 << 20
_MANY: Final = 1 << 14


#: What a spreadsheet takes for the beginning of a formula, in the width of East Asia too, or skips to find one.
_FORMULA: Final = re.compile("[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")

_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)

_END_OF_LINE: Final = "\r\n"

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
    """Whether the value is rather not held once more as text."""
    value = record.value
    if isinstance(value, OpaqueValue):
        return False
    return len(value) >= (_LONG if isinstance(value, StringValue) else _MANY)


def _write_large(record: KeyRecord, write: Callable[[bytes], object]) -> None:
    """Write the cell of a value and end the line: JSON of a value is no formula, and has no controls."""
    write(b'"')
    write_value(record, lambda piece: write(piece.replace(b'"', b'""')))
    write(b'"' + _END_OF_LINE.encode())


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


def cell_of_key(key: bytes, *, raw: bool = False, is_terminal: bool = False) -> str:
    """Return the cell of a key; see ``write_csv``."""
    text = _text(key)
    return text if raw else _inert(text, "" if is_terminal else _QUOTED)


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return f'{{"base64":"{base64.b64encode(data).decode()}"}}'
