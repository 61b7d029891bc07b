"""Conversion of parsed fields to the model: the only place where Containers are unpacked.

Everything is checked during parsing; nothing can fail here. Streams are in ``lift_stream``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rdbtool.core.light_typing import Any, Final, NamedTuple
from rdbtool.core.location import Span
from rdbtool.grammar.lift_stream import lift_stream
from rdbtool.grammar.members import member_expiries
from rdbtool.grammar.module import module_name
from rdbtool.grammar.packed import entry_text
from rdbtool.grammar.primitives import Lzf, read_length, read_score, text, text_double
from rdbtool.grammar.quicklist import PLAIN
from rdbtool.grammar.reading import MemoryStream, ParsePosition, Reading
from rdbtool.grammar.record import Unit
from rdbtool.grammar.state import FileState
from rdbtool.grammar.templates import template_fields, template_id
from rdbtool.model import (
    ArrayValue,
    Aux,
    End,
    FunctionLibrary,
    HashTemplate,
    HashValue,
    Item,
    KeyRecord,
    ListValue,
    ModuleAux,
    OpaqueValue,
    ProductOpcode,
    ResizeDb,
    SelectDb,
    SetValue,
    SlotImport,
    SlotInfo,
    StringValue,
    Value,
    ZSetValue,
)

Templates = dict[int, tuple[bytes, ...]]


def lift_value(name: str, body: Any, templates: Templates) -> Value:
    """Return the model's value for ``body``, the fields of a value type called ``name``."""
    return _VALUES[name](body, templates)


def _pairs(values: list[Any]) -> Iterable[tuple[Any, Any]]:
    return zip(values[::2], values[1::2], strict=True)


def _string(body: Any, _: Templates) -> Value:
    return StringValue(text(body))


def _list(body: Any, _: Templates) -> Value:
    return ListValue(map(text, body.element))


def _packed_list(body: Any, _: Templates) -> Value:
    return ListValue(map(entry_text, body.entry))


def _quicklist(body: Any, _: Templates) -> Value:
    return ListValue(entry_text(value) for node in body.node for value in node.entry)


def _quicklist_2(body: Any, _: Templates) -> Value:
    elements: list[bytes] = []
    for node in body.node:
        elements += [text(node.data)] if node.container == PLAIN else map(entry_text, node.data.entry)
    return ListValue(elements)


def _set(body: Any, _: Templates) -> Value:
    return SetValue(map(text, body.member))


def _intset(body: Any, _: Templates) -> Value:
    return SetValue(map(entry_text, body.member))


def _packed_set(body: Any, _: Templates) -> Value:
    return SetValue(map(entry_text, body.entry))


def _zset(body: Any, _: Templates) -> Value:
    return ZSetValue((text(member), text_double(score)) for member, score in body.pair)


def _zset_2(body: Any, _: Templates) -> Value:
    return ZSetValue((text(member), score) for member, score in body.pair)


def _packed_zset(body: Any, _: Templates) -> Value:
    return ZSetValue((entry_text(member), _score(score)) for member, score in _pairs(body.entry))


def _score(value: bytes | int) -> float:
    score = float(value) if isinstance(value, int) else read_score(value)
    assert score is not None  # checked during parsing
    return score


def _hash(body: Any, _: Templates) -> Value:
    return HashValue((text(field), text(value)) for field, value in body.pair)


def _zipmap(body: Any, _: Templates) -> Value:
    return HashValue((field, value) for field, value, _ in body.pair)


def _packed_hash(body: Any, _: Templates) -> Value:
    return HashValue((entry_text(field), entry_text(value)) for field, value in _pairs(body.entry))


def _hash_metadata(body: Any, _: Templates) -> Value:
    return HashValue((text(field), text(value), expire_at or None) for expire_at, field, value in body.pair)


def _hash_metadata_relative(body: Any, _: Templates) -> Value:
    return HashValue((text(field), text(value), expire_at) for expire_at, field, value in body.pair)


def _hash_2(body: Any, _: Templates) -> Value:
    return HashValue(
        (text(field), text(value), None if expire_at == -1 else expire_at) for field, value, expire_at in body.pair
    )


def _hash_triples(body: Any, _: Templates) -> Value:
    values = body.triples.entry
    triples = zip(values[::3], values[1::3], values[2::3], strict=True)
    return HashValue((entry_text(f), entry_text(v), expire_at or None) for f, v, expire_at in triples)


def _template_listpack(body: Any, _: Templates) -> Value:
    values = body["values"].entry[1:]
    return HashValue(zip(template_fields(body), map(entry_text, values), strict=True))


def _template_listpack_ref(body: Any, templates: Templates) -> Value:
    values = body["values"].entry
    return HashValue(zip(templates[template_id(values)], map(entry_text, values[1:]), strict=True))


def _template_array(body: Any, _: Templates) -> Value:
    return HashValue(zip(template_fields(body), map(text, body["values"]), strict=True))


def _template_array_ref(body: Any, templates: Templates) -> Value:
    return HashValue(zip(templates[body.template], map(text, body["values"]), strict=True))


def _array(body: Any, _: Templates) -> Value:
    items = ((index, data if tag in (1, 2) else text(data)) for index, (tag, data) in body.item)
    return ArrayValue(items, body.insert_idx)


def _module_name(raw: bytes) -> str:
    return module_name(read_length(Reading(MemoryStream(raw), ParsePosition())))


def _module(body: Any, _: Templates) -> Value:
    return OpaqueValue(_module_name(body), body)


_VALUES: Final[dict[str, Callable[[Any, Templates], Value]]] = {
    "STRING": _string,
    "LIST": _list,
    "SET": _set,
    "ZSET": _zset,
    "HASH": _hash,
    "ZSET_2": _zset_2,
    "MODULE_2": _module,
    "HASH_ZIPMAP": _zipmap,
    "LIST_ZIPLIST": _packed_list,
    "SET_INTSET": _intset,
    "ZSET_ZIPLIST": _packed_zset,
    "HASH_ZIPLIST": _packed_hash,
    "LIST_QUICKLIST": _quicklist,
    "HASH_LISTPACK": _packed_hash,
    "ZSET_LISTPACK": _packed_zset,
    "LIST_QUICKLIST_2": _quicklist_2,
    "SET_LISTPACK": _packed_set,
    "HASH_METADATA_PRE_GA": _hash_metadata,
    "HASH_2": _hash_2,
    "HASH_LISTPACK_EX_PRE_GA": _hash_triples,
    "HASH_METADATA": _hash_metadata_relative,
    "HASH_LISTPACK_EX": _hash_triples,
    "ARRAY": _array,
    "HASH_TEMPLATE_LISTPACK": _template_listpack,
    "HASH_TEMPLATE_LISTPACK_REF": _template_listpack_ref,
    "HASH_TEMPLATE_ARRAY": _template_array,
    "HASH_TEMPLATE_ARRAY_REF": _template_array_ref,
    "STREAM_LISTPACKS": lambda body, _: lift_stream(body),
    "STREAM_LISTPACKS_2": lambda body, _: lift_stream(body),
    "STREAM_LISTPACKS_3": lambda body, _: lift_stream(body),
    "STREAM_LISTPACKS_4": lambda body, _: lift_stream(body),
    "STREAM_LISTPACKS_5": lambda body, _: lift_stream(body),
}


def lift_record(unit: Unit, state: FileState) -> KeyRecord:
    """Return the record of a unit with a key; expiry and eviction data come from the state."""
    value_type = unit.row
    body = unit.body
    value = lift_value(value_type.name, body.value, state.templates)
    expiries = member_expiries(body.get("member_expiry") or [])
    if isinstance(value, HashValue) and expiries:
        value = HashValue((field, data, expiries.get(field, when)) for field, data, when in value.fields)
    members: Iterable[bytes] = ()
    if expiries and isinstance(value, SetValue):
        members = value.members
    elif expiries and isinstance(value, ZSetValue):
        members = (member for member, _ in value.members)
    return KeyRecord(
        db=state.db,
        key=text(body.key),
        value=value,
        expire_at_ms=state.expire_at_ms,
        idle_s=state.idle_s,
        freq=state.freq,
        meta=state.meta,
        member_expiries={member: expiries[member] for member in members if member in expiries}.items(),
        type_code=value_type.code,
        encoding=_encoding(unit),
        start=unit.start if state.pending_start is None else state.pending_start,
        stop=unit.stop,
    )


def _encoding(unit: Unit) -> str:
    if unit.row.name != "STRING":
        encoding: str = getattr(unit.row, "encoding", "")
        return encoding
    stored = unit.body.value
    return "int" if isinstance(stored, int) else "lzf" if isinstance(stored, Lzf) else "raw"


class Rest(NamedTuple):
    """What follows the end of an RDB, see End."""

    trailing: int
    padding: int
    sample: bytes


def lift_item(unit: Unit, rest: Rest | None) -> Item | None:
    """Return the item of an opcode, None for one that applies to the next key. ``rest`` is what follows the end."""
    span = Span(unit.start, unit.stop)
    if unit.row.name == "EOF":
        trailing, padding, sample = rest or Rest(0, 0, b"")
        return End(unit.body.crc64, trailing, span, padding, sample)
    lift = _ITEMS.get(unit.row.name)
    return lift(unit.body, span) if lift else None


_ITEMS: Final[dict[str, Callable[[Any, Span], Item]]] = {
    "SELECTDB": lambda body, span: SelectDb(body.db, span),
    "RESIZEDB": lambda body, span: ResizeDb(body["keys"], body.expires, span),
    "AUX": lambda body, span: Aux(text(body.key), text(body.value), span),
    "MODULE_AUX": lambda body, span: ModuleAux(_module_name(body.raw), body.raw, span),
    "FUNCTION2": lambda body, span: FunctionLibrary(text(body.code), released=True, span=span),
    "FUNCTION_PRE_GA": lambda body, span: FunctionLibrary(text(body.code), released=False, span=span),
    "SLOT_INFO": lambda body, span: SlotInfo(body.slot, body["keys"], body.expires, span),
    "RAM_LRU": lambda body, span: ProductOpcode("RAM_LRU", body.mark, span),
    "SLOT_NUM": lambda body, span: ProductOpcode("SLOT_NUM", body.slot, span),
    "SLOT_IMPORT": lambda body, span: SlotImport(text(body.job), tuple(body.range), span),
    "HASH_TEMPLATE": lambda body, span: HashTemplate(body.id, tuple(map(text, body.fields)), span),
}
