"""Hashes that share their field names (format A18.1): types 29 to 32 and opcode 242, since RDB 15.

Secondary: no server's file was available. Files hold the templates once (opcode 242) and hashes that refer to them (30,
32): here several descriptions agree. 29 and 31 include their field names and occur in DUMP payloads only; other
descriptions have no format number for these two, and give 29 as count, fields, listpack and 31 as count and pairs.
"""

from __future__ import annotations

from itertools import pairwise

from construct import Construct

from rdbtool.core.errors import Cause
from rdbtool.core.light_typing import Any
from rdbtool.grammar.fields import Checked, Counted, Either, Fields, Items, Must, Problem, build_part, parse_part
from rdbtool.grammar.listpack import listpack
from rdbtool.grammar.packed import PackedEntry, entry_text
from rdbtool.grammar.primitives import LEN, STR, read_int64, text
from rdbtool.grammar.reading import Reading

CODE = "RDB210"

#: Field lists: a listpack, or consecutive STRs.
_FORMAT_LISTPACK, _FORMAT_STRINGS = 0, 1


def template_fields(container: Any) -> tuple[bytes, ...]:
    """Return the field names in a self-contained hash."""
    if container.format == _FORMAT_LISTPACK:
        return tuple(entry_text(value) for value in container.fields.entry)
    return tuple(text(stored) for stored in container.fields)


def template_id(values: list[Any]) -> int:
    """Return the ID at the beginning of a packed hash's values."""
    template = read_int64(values[0])
    assert template is not None  # checked when the entry was read
    return template


def _is_sorted(stored: list[Any]) -> bool:
    names = [text(name) for name in stored]
    return all((len(a), a) < (len(b), b) for a, b in pairwise(names))


def _check_template_id(index: int, entry: PackedEntry) -> tuple[Cause, str] | None:
    return ("number", "the id of a template, a number") if index == 0 and read_int64(entry.value) is None else None


def _check_values(values: list[Any], fields: tuple[bytes, ...]) -> Problem | None:
    """Check the values of a hash with these fields; the first is the template's ID."""
    if not values:
        return "empty", "the id of a template", "an empty listpack"
    if len(values) != len(fields) + 1:
        return "count", f"{len(fields)} values, one a field", str(len(values) - 1)
    return None


def _check_listpack(hash_: Any, _: Reading) -> Problem | None:
    return _check_values(hash_["values"].entry, template_fields(hash_))


def _check_reference(hash_: Any, stream: Reading) -> Problem | None:
    values = hash_["values"].entry
    if not values:
        return _check_values(values, ())
    template = template_id(values)
    fields = stream.place.defined.get(template)
    return _undefined(template) if fields is None else _check_values(values, fields)


def _undefined(template: int) -> Problem:
    return "reference", "a template that an earlier opcode defined", f"id {template}"


def _check_definition(template: Any, stream: Reading) -> Problem | None:
    if template.id in stream.place.defined:
        return "twice", "an id that is not in use", str(template.id)
    return None


class TemplateId(Construct):  # type: ignore[misc]
    """LEN: the ID of a defined template. ``remember`` its fields for the values that follow."""

    def _parse(self, stream: Reading, context: Any, path: str) -> int:
        at = stream.tell()
        template: int = parse_part(LEN, stream, context, path)
        fields = stream.place.defined.get(template)
        if fields is None:
            cause, expected, found = _undefined(template)
            raise stream.refuse(CODE, cause, at, expected, found)
        context._fields = fields
        return template

    def _build(self, obj: int, stream: Any, context: Any, path: str) -> int:
        build_part(LEN, obj, stream, context, path)
        return obj


_VALUES_LISTPACK = listpack(check=_check_template_id, check_code=CODE)
_FIELDS_LISTPACK = listpack()
_FIELDS_STRINGS = Counted(STR)

_FORMAT = Must(
    LEN, lambda form: form in (_FORMAT_LISTPACK, _FORMAT_STRINGS), CODE, "encoding", "0 (listpack) or 1 (strings)"
)
_FIELDS = Either(lambda this: _FIELDS_LISTPACK if this.format == _FORMAT_LISTPACK else _FIELDS_STRINGS)

HASH_TEMPLATE_LISTPACK = Checked(
    Fields(
        "format" / _FORMAT,
        "fields" / _FIELDS,
        "values" / _VALUES_LISTPACK,  # template id, value, value, …
    ),
    _check_listpack,
    CODE,
)

HASH_TEMPLATE_LISTPACK_REF = Checked(Fields("values" / _VALUES_LISTPACK), _check_reference, CODE)

HASH_TEMPLATE_ARRAY = Fields(
    "format" / _FORMAT,
    "fields" / _FIELDS,
    "values" / Items(STR, lambda this: len(template_fields(this))),
)

HASH_TEMPLATE_ARRAY_REF = Fields(
    "template" / TemplateId(),
    "values" / Items(STR, lambda this: len(this._fields)),
)

#: Opcode 242.
HASH_TEMPLATE = Checked(
    Fields(
        "id" / LEN,
        "fields"
        / Must(Counted(STR, least=1, code=CODE), _is_sorted, CODE, "order", "field names sorted by length, then bytes"),
    ),
    _check_definition,
    CODE,
)
