"""What a line of JSON says: the header, an item that stands between keys, or a key with all of it.

Members that say what is usual may be left out, as people do. A member that is not known is refused, as is what
no file can hold: nothing is to be lost on the way into one.
"""

from __future__ import annotations

from rdbtool.core.errors import UnsupportedError
from rdbtool.core.light_typing import Final
from rdbtool.core.location import Span
from rdbtool.core.rdb_types import KINDS, VALUE_TYPES, VERSIONS
from rdbtool.model import (
    Aux,
    FunctionLibrary,
    Header,
    Item,
    KeyRecord,
    ModuleAux,
    SetValue,
    SlotImport,
    Value,
    ZSetValue,
)
from rdbtool.reader.jsonl.line_fields import (
    I64_MAX,
    I64_MIN,
    Members,
    Refusal,
    cell,
    cells,
    describe_json,
    each,
    flag,
    member,
    name,
    octets,
    or_null,
    quote,
    raw_octets,
    whole,
)
from rdbtool.reader.jsonl.lines import Line
from rdbtool.reader.jsonl.values import check_module_aux, read_meta, read_value

_KEY: Final = Members(
    "key",
    "type",
    "value",
    optional=("db", "encoding", "expire_at_ms", "idle_s", "freq", "meta", "member_expiries"),
)
_HEADER: Final = Members("rdb")
_FORM: Final = Members("magic", "version")
_AUX: Final = Members("aux")
_FUNCTION: Final = Members("function", optional=("pre_release",))
_MODULE_AUX: Final = Members("module_aux", "raw")
_SLOT_IMPORT: Final = Members("slot_import", "ranges")

_db = or_null(whole(0, (1 << 31) - 1))
_time = or_null(whole(I64_MIN, I64_MAX))
_member_time = whole(0, I64_MAX)
_idle = or_null(whole(0, I64_MAX))
_freq = or_null(whole(0, 255))
_slot = whole(0, 16383)

#: Encodings of strings all have one type.
_STRING_ENCODINGS: Final = ("raw", "int", "lzf")


def refuse_one_way(row: dict[str, object]) -> None:
    """Raise Refusal for a line whose strings are all in one form: it does not say which strings are text."""
    if "binary" in row:
        way = describe_json(row["binary"])
        raise Refusal(
            "JSN004", "member", "lines with strings in the default form", f"a line with binary, {way}", path=".binary"
        )


def read_header(row: dict[str, object]) -> Header:
    """Return the header. Raises Refusal, UnsupportedError for a version that is newer than this release."""
    form = member(_HEADER.of(row), "rdb", _form)
    magic, version = form
    low, high = VERSIONS[magic]
    if version > high:
        raise UnsupportedError(f"{magic} version {version} is newer than this release knows (up to {high})")
    if version < low:
        raise Refusal(
            "JSN008", "version", f"a version of {magic} from {low} to {high}", str(version), path=".rdb.version"
        )
    return Header(magic, version)


def _form(value: object) -> tuple[str, int]:
    row = _FORM.of(value)
    return member(row, "magic", _magic), member(row, "version", whole(0, I64_MAX))


def _magic(value: object) -> str:
    if type(value) is str and value in VERSIONS:
        return value
    raise Refusal("JSN008", "encoding", f"a magic: {' or '.join(VERSIONS)}", describe_json(value))


def read_item(line: Line, row: dict[str, object]) -> Item:
    """Return what stands on a line without a key. Raises Refusal."""
    span = Span(line.start, line.stop)
    if "aux" in row:
        return Aux(*member(_AUX.of(row), "aux", _pair), span)
    if "function" in row:
        _FUNCTION.of(row)
        early = "pre_release" in row and member(row, "pre_release", flag)
        return FunctionLibrary(member(row, "function", octets), not early, span)
    if "module_aux" in row:
        _MODULE_AUX.of(row)
        module, raw = member(row, "module_aux", name), member(row, "raw", raw_octets)
        check_module_aux(module, raw)
        return ModuleAux(module, raw, span)
    if "slot_import" in row:
        _SLOT_IMPORT.of(row)
        ranges = member(row, "ranges", lambda rows: each(rows, _slot_range))
        return SlotImport(member(row, "slot_import", octets), tuple(ranges), span)
    stray = next(iter(row), None)
    found = "an empty object" if stray is None else f"an object with {quote(stray)}"
    raise Refusal("JSN004", "member", "a line with key, aux, function, module_aux, slot_import or rdb", found)


def _pair(value: object) -> tuple[bytes, bytes]:
    row = cells(value, "name, value", 2)
    return cell(row, 0, octets), cell(row, 1, octets)


def _slot_range(value: object) -> tuple[int, int]:
    row = cells(value, "first slot, last slot", 2)
    first, last = cell(row, 0, _slot), cell(row, 1, _slot)
    if first > last:
        raise Refusal("JSN006", "order", "the last slot of a range not below its first", f"{last} after {first}")
    return first, last


class RecordLines:
    """Reads lines with a key below a header, whose types are those of the records."""

    def __init__(self, header: Header) -> None:
        #: The value type for each kind and encoding.
        self.codes = _type_codes(header)

    def read(self, line: Line, row: dict[str, object]) -> KeyRecord:
        """Return the record. Raises Refusal."""
        _KEY.of(row)
        kind = member(row, "type", _kind)
        encoding = member(row, "encoding", or_null(name)) or ""
        value = member(row, "value", lambda value: read_value(kind, value))
        expiries = None
        if "member_expiries" in row:
            expiries = member(row, "member_expiries", lambda rows: _member_expiries(value, rows))
        return KeyRecord(
            db=member(row, "db", _db) or 0,
            key=member(row, "key", octets),
            value=value,
            member_expiries=expiries,
            expire_at_ms=member(row, "expire_at_ms", _expiry),
            idle_s=member(row, "idle_s", _idle) if "idle_s" in row else None,
            freq=member(row, "freq", _freq) if "freq" in row else None,
            meta=member(row, "meta", or_null(read_meta)) if "meta" in row else None,
            type_code=self._type_code(kind, encoding),
            encoding=encoding,
            start=line.start,
            stop=line.stop,
        )

    def _type_code(self, kind: str, encoding: str) -> int:
        """Return the number of the value type, by which what is written of the record names the encoding again."""
        if not encoding:
            return -1
        code = self.codes.get((kind, encoding))
        if code is None:
            known = ", ".join(sorted(known for of_kind, known in self.codes if of_kind == kind))
            raise Refusal("JSN005", "type", f"an encoding of this type ({known})", quote(encoding), path=".encoding")
        return code


def _member_expiries(value: Value, rows: object) -> list[tuple[bytes, int]]:
    """Return expiries of members, each of which the value has and no other expiry is of."""
    if not isinstance(value, SetValue | ZSetValue):
        raise Refusal("JSN005", "type", "expiries of members with a set or a zset only", f"some with a {value.kind}")
    members = set(value.members) if isinstance(value, SetValue) else {name for name, _ in value.members}

    def expiry(item: object) -> tuple[bytes, int]:
        found = cells(item, "member, expiry in ms", 2)
        name = cell(found, 0, octets)
        if name not in members:
            raise Refusal(
                "JSN006", "reference", "a member that the value has, each once", quote(name.decode(errors="replace"))
            )
        members.discard(name)
        return name, cell(found, 1, _member_time)

    return each(rows, expiry)


def _kind(value: object) -> str:
    if type(value) is str and value in KINDS:
        return value
    raise Refusal("JSN005", "type", f"a type: {', '.join(KINDS)}", describe_json(value))


def _expiry(value: object) -> int | None:
    expire_at_ms = _time(value)
    if expire_at_ms == -1:
        raise Refusal("JSN006", "range", "a time in ms, or null", "-1, which means none in a file")
    return expire_at_ms


def _type_codes(header: Header) -> dict[tuple[str, str], int]:
    """Return the value type for each kind and encoding: the newest that the version has, if it has any of them."""
    codes = dict.fromkeys((("string", encoding) for encoding in _STRING_ENCODINGS), 0)
    rows = [row for row in VALUE_TYPES if row.magic in (None, header.magic) and row.kind != "string"]
    for row in sorted(rows, key=lambda row: (row.since <= header.version, row.since, row.code)):
        codes[row.kind, row.encoding] = row.code
    return codes
