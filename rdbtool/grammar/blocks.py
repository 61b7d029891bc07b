"""Parse and build single values and items in memory.

The result is a ``Parsed``, which has the model's value and can be built again: ``build_value(parse_value(code, magic,
data)) == data`` for data as servers write it. If the same value can be stored in several ways (a length in a longer
form, a listpack entry wider than needed), building chooses the one that servers write.
"""

from __future__ import annotations

from construct import ConstructError

from rdbtool.core.light_typing import Any
from rdbtool.core.location import Where
from rdbtool.core.rdb_types import REDIS, VERSIONS, value_types
from rdbtool.grammar.items import accept_unit, parse_unit
from rdbtool.grammar.lift import lift_value
from rdbtool.grammar.reading import MemoryStream, ParsePosition, Reading
from rdbtool.grammar.record import RULES, VALUES
from rdbtool.grammar.refusal import as_our_error
from rdbtool.grammar.state import FileState
from rdbtool.model import Item, KeyRecord, Value


class Parsed:
    """A parsed value or item that can be built again. ``size`` is the number of bytes parsed."""

    __slots__ = ("_body", "_prefix", "_rule", "size", "version")

    def __init__(self, rule: Any, body: Any, size: int, *, prefix: bytes = b"", version: int = 0) -> None:
        self._rule = rule
        self._body = body
        self._prefix = prefix
        self.size = size
        self.version = version

    def build(self) -> bytes:
        """Return the bytes."""
        built: bytes = self._rule.build(self._body, version=self.version)
        return self._prefix + built


class ParsedValue(Parsed):
    """A value without its type byte and key."""

    __slots__ = ("value",)

    def __init__(self, rule: Any, body: Any, size: int, value: Value) -> None:
        super().__init__(rule, body, size)
        self.value = value


class ParsedRecord(Parsed):
    """An item with its first byte; ``item`` is None for an opcode that waits for the next key."""

    __slots__ = ("item",)

    def __init__(
        self, rule: Any, body: Any, size: int, *, prefix: bytes, version: int, item: Item | KeyRecord | None
    ) -> None:
        super().__init__(rule, body, size, prefix=prefix, version=version)
        self.item = item


def parse_value(
    type_code: int,
    magic: str,
    data: bytes,
    *,
    templates: dict[int, tuple[bytes, ...]] | None = None,
    max_inflate: int | None = None,
) -> ParsedValue:
    """Parse the value at the beginning of ``data``, stored as ``type_code`` in files with this magic.

    ``templates`` are the hash templates defined by earlier opcodes. Raises KeyError for a type that is not in the
    table, else as ``read_item``; offsets count from the beginning of ``data``.
    """
    row = value_types(magic)[type_code]
    defined = templates or {}
    reading = Reading(MemoryStream(data), ParsePosition(None, max_inflate, defined))
    reading.place.path.append(("value", None))
    try:
        body = VALUES[row.name].parse_stream(reading)
    except ConstructError as error:
        where = Where(kind=row.kind, path=reading.place.describe_path())
        raise as_our_error(error, reading.tell(), 0, where) from None
    return ParsedValue(VALUES[row.name], body, reading.tell(), lift_value(row.name, body, defined))


def build_value(parsed: ParsedValue) -> bytes:
    """Return the bytes of a value."""
    return parsed.build()


def parse_record(data: bytes, state: FileState | None = None) -> ParsedRecord:
    """Parse the first item of ``data`` and update ``state`` (default: a new file of the newest REDIS version).

    Raises as ``read_item``; offsets count from the beginning of ``data``.
    """
    state = FileState(REDIS, VERSIONS[REDIS][1]) if state is None else state
    stream = MemoryStream(data)
    unit = parse_unit(stream, state)
    item = accept_unit(unit, stream, state)
    rule = RULES[state.magic][unit.row.code].body
    prefix = bytes((unit.row.code,))
    return ParsedRecord(rule, unit.body, unit.stop, prefix=prefix, version=state.version, item=item)


def build_record(parsed: ParsedRecord) -> bytes:
    """Return the bytes of an item, with its first byte."""
    return parsed.build()
