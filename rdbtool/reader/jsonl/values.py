"""The values of lines of JSON, by kind: the inverse of what the jsonl format writes.

The shape is checked, and ranges that no file can hold. What a rule checks elsewhere is accepted as it is in an RDB:
duplicates, order, NaN, empty collections. What modules stored is checked by the grammar, because it is copied
as it is into whatever is made of the line.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isinf

from rdbtool.core.errors import FormatError
from rdbtool.core.light_typing import Final
from rdbtool.core.rdb_types import OPCODES, REDIS, VALUE_TYPES
from rdbtool.model import (
    ArrayValue,
    HashValue,
    ListValue,
    ModuleAux,
    OpaqueValue,
    SetValue,
    StringValue,
    Value,
    ZSetValue,
)
from rdbtool.reader.jsonl.line_fields import (
    I64_MAX,
    I64_MIN,
    U64_MAX,
    Members,
    Refusal,
    cell,
    cells,
    describe_json,
    each,
    member,
    name,
    octets,
    or_null,
    quote,
    raw_octets,
    whole,
)
from rdbtool.reader.jsonl.stream import read_stream

#: Doubles that JSON has no numbers for.
_UNWRITABLE: Final = {"inf": float("inf"), "-inf": float("-inf"), "nan": float("nan")}

_i64 = whole(I64_MIN, I64_MAX)
_u64 = whole(0, U64_MAX)
_index = whole(0, U64_MAX - 1)
_expiry = or_null(whole(0, I64_MAX))

_ARRAY: Final = Members("items", optional=("insert_index",))
_FLOAT: Final = Members("float")
_MODULE: Final = Members("module", "raw")

_MODULE_TYPE: Final = next(row.code for row in VALUE_TYPES if row.name == "MODULE_2")
_AUX_OPCODE: Final = next(row.code for row in OPCODES if row.name == "MODULE_AUX")
_META_OPCODE: Final = next(row.code for row in OPCODES if row.name == "KEY_META")


def read_value(kind: str, value: object) -> Value:
    """Return the value of a key of a logical type. Raises Refusal, KeyError for another type."""
    return _READERS[kind](value)


def read_meta(value: object) -> bytes:
    """Return what modules stored beside a key, as it follows its opcode."""
    raw = raw_octets(value)
    _check(raw, _META_OPCODE, "")
    return raw


def check_module_aux(module: str, raw: bytes) -> None:
    """Raise Refusal unless ``raw`` is data of ``module``, as it follows its opcode."""
    item = _check(raw, _AUX_OPCODE, ".raw")
    assert isinstance(item, ModuleAux)
    _check_name(module, item.module)


def double(value: object) -> float:
    """Return a double: a number, or the name of one that JSON has no number for."""
    if type(value) is float:
        if isinf(value):
            raise Refusal("JSN006", "range", 'a number that a double can hold ("inf" is a string)', "a larger one")
        return value
    if type(value) is int:
        try:
            return float(value)
        except OverflowError:
            raise Refusal("JSN006", "range", "a number that a double can hold", describe_json(value)) from None
    if type(value) is str and value in _UNWRITABLE:
        return _UNWRITABLE[value]
    raise Refusal("JSN005", "type", 'a number, "inf", "-inf" or "nan"', describe_json(value))


def _string(value: object) -> Value:
    return StringValue(octets(value))


def _list(value: object) -> Value:
    return ListValue(each(value, octets))


def _set(value: object) -> Value:
    return SetValue(each(value, octets))


def _zset(value: object) -> Value:
    return ZSetValue(each(value, _scored))


def _scored(value: object) -> tuple[bytes, float]:
    row = cells(value, "member, score", 2)
    return cell(row, 0, octets), cell(row, 1, double)


def _hash(value: object) -> Value:
    return HashValue(each(value, _field))


def _field(value: object) -> tuple[bytes, bytes, int | None]:
    row = cells(value, "field, value, expire_at_ms where it has one", 2, 3)
    return cell(row, 0, octets), cell(row, 1, octets), cell(row, 2, _expiry) if len(row) > 2 else None


def _array(value: object) -> Value:
    row = _ARRAY.of(value)
    items = member(row, "items", lambda rows: each(rows, _indexed))
    return ArrayValue(items, member(row, "insert_index", or_null(_u64)))


def _indexed(value: object) -> tuple[int, bytes | int | float]:
    row = cells(value, "index, item", 2)
    return cell(row, 0, _index), cell(row, 1, _item)


def _item(value: object) -> bytes | int | float:
    if type(value) is int:
        return _i64(value)
    if type(value) is float:
        return double(value)
    if type(value) is dict:
        return member(_FLOAT.of(value), "float", double)
    return octets(value)


def _module(value: object) -> Value:
    row = _MODULE.of(value)
    module, raw = member(row, "module", name), member(row, "raw", raw_octets)
    found = _check(raw, None, ".raw")
    assert isinstance(found, OpaqueValue)
    _check_name(module, found.module)
    return found


def _check_name(module: str, found: str) -> None:
    if module != found:
        raise Refusal("JSN009", "reference", f"data of the module {quote(module)}", f"data of {quote(found)}")


def _check(raw: bytes, opcode: int | None, step: str) -> Value | object:
    """Let the grammar read what a module stored, as a value or after an opcode; return what that gave.

    ``step`` leads to the bytes.
    """
    from rdbtool.grammar import parse_record, parse_value  # noqa: PLC0415 - construct takes 40 ms and is rarely needed

    prefix = b"" if opcode is None else bytes((opcode,))
    try:
        parsed = parse_value(_MODULE_TYPE, REDIS, raw) if opcode is None else parse_record(prefix + raw)
    except FormatError as error:
        path = f"{step} at {error.at - len(prefix):#x} of its bytes"
        found = "their end" if error.cause == "cut" else error.found
        raise Refusal("JSN009", error.cause, error.expected, found, path=path) from None
    if parsed.size != len(prefix) + len(raw):
        left = len(prefix) + len(raw) - parsed.size
        raise Refusal("JSN009", "size", "nothing after the end mark of a module", f"{left} bytes", path=step)
    return parsed.value if opcode is None else parsed.item  # type: ignore[union-attr]  # each has its own


_READERS: Final[dict[str, Callable[[object], Value]]] = {
    "string": _string,
    "list": _list,
    "set": _set,
    "zset": _zset,
    "hash": _hash,
    "stream": read_stream,
    "module": _module,
    "array": _array,
}
