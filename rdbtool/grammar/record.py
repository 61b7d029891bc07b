"""A unit of the file's loop (format A1): one byte, then an opcode's payload or a key and its value.

Numbers and names come from the table in ``rdbtool.core.rdb_types``; here each name gets its construct. Numbers that
differ between REDIS and VALKEY have separate rows there.
"""

from __future__ import annotations

from rdbtool.core.errors import UnsupportedError
from rdbtool.core.light_typing import Any, Final, NamedTuple
from rdbtool.core.rdb_types import (
    CHECKSUM_SINCE,
    MEMBER_EXPIRY_KINDS,
    REDIS,
    UNREADABLE_TYPES,
    VERSIONS,
    Opcode,
    ValueType,
    opcodes,
    value_types,
)
from rdbtool.core.servers import PRODUCT_BY_NAME, PRODUCT_BY_OPCODE
from rdbtool.grammar import array, collections, hashes, intset, module, quicklist, stream, templates, zipmap
from rdbtool.grammar.fields import Fields
from rdbtool.grammar.members import MEMBER_EXPIRIES
from rdbtool.grammar.opcodes import OPCODE_PAYLOADS
from rdbtool.grammar.primitives import KEY
from rdbtool.grammar.reading import Reading
from rdbtool.grammar.refusal import RefusalError
from rdbtool.grammar.state import FileState

#: The construct of a value by its type name in the table.
VALUES: Final[dict[str, Any]] = {
    "STRING": collections.STRING,
    "LIST": collections.LIST,
    "SET": collections.SET,
    "ZSET": collections.ZSET,
    "HASH": collections.HASH,
    "ZSET_2": collections.ZSET_2,
    "MODULE_2": module.MODULE_2,
    "HASH_ZIPMAP": zipmap.ZIPMAP,
    "LIST_ZIPLIST": collections.LIST_ZIPLIST,
    "SET_INTSET": intset.INTSET,
    "ZSET_ZIPLIST": collections.ZSET_ZIPLIST,
    "HASH_ZIPLIST": collections.HASH_ZIPLIST,
    "LIST_QUICKLIST": quicklist.LIST_QUICKLIST,
    "STREAM_LISTPACKS": stream.STREAM_LISTPACKS,
    "HASH_LISTPACK": collections.HASH_LISTPACK,
    "ZSET_LISTPACK": collections.ZSET_LISTPACK,
    "LIST_QUICKLIST_2": quicklist.LIST_QUICKLIST_2,
    "STREAM_LISTPACKS_2": stream.STREAM_LISTPACKS_2,
    "SET_LISTPACK": collections.SET_LISTPACK,
    "STREAM_LISTPACKS_3": stream.STREAM_LISTPACKS_3,
    "HASH_METADATA_PRE_GA": hashes.HASH_METADATA_PRE_GA,
    "HASH_2": hashes.HASH_2,
    "HASH_LISTPACK_EX_PRE_GA": hashes.HASH_LISTPACK_EX_PRE_GA,
    "HASH_METADATA": hashes.HASH_METADATA,
    "HASH_LISTPACK_EX": hashes.HASH_LISTPACK_EX,
    "STREAM_LISTPACKS_4": stream.STREAM_LISTPACKS_4,
    "STREAM_LISTPACKS_5": stream.STREAM_LISTPACKS_5,
    "ARRAY": array.ARRAY,
    "HASH_TEMPLATE_LISTPACK": templates.HASH_TEMPLATE_LISTPACK,
    "HASH_TEMPLATE_LISTPACK_REF": templates.HASH_TEMPLATE_LISTPACK_REF,
    "HASH_TEMPLATE_ARRAY": templates.HASH_TEMPLATE_ARRAY,
    "HASH_TEMPLATE_ARRAY_REF": templates.HASH_TEMPLATE_ARRAY_REF,
}


class RecordRule(NamedTuple):
    """A row of the table and the construct after its byte."""

    row: ValueType | Opcode
    body: Any


class Unit(NamedTuple):
    """One item as parsed: the byte range, its row and the fields after the byte."""

    start: int
    stop: int
    row: ValueType | Opcode
    body: Any


def _rules(magic: str) -> dict[int, RecordRule]:
    rules = {code: RecordRule(row, OPCODE_PAYLOADS[row.name]) for code, row in opcodes(magic).items()}
    for code, row in value_types(magic).items():
        parts = ["key" / KEY, "value" / VALUES[row.name]]
        if row.kind in MEMBER_EXPIRY_KINDS:
            parts.append("member_expiry" / MEMBER_EXPIRIES)
        rules[code] = RecordRule(row, Fields(*parts))
    return rules


#: Everything that may follow a byte, by magic and byte.
RULES: Final[dict[str, dict[int, RecordRule]]] = {magic: _rules(magic) for magic in VERSIONS}


def read_unit(stream: Reading, state: FileState) -> Unit:
    """Return the next unit. Raises RefusalError or UnsupportedError."""
    start = stream.tell()
    code = _read_code(stream)
    rule = find_rule(stream, state, start, code)
    row = rule.row
    if isinstance(row, ValueType):
        stream.place.kind = row.kind
    else:
        stream.place.path.append((row.name, None))
    stream.mark("type" if isinstance(row, ValueType) else "opcode", start, row.name)
    body = rule.body.parse_stream(stream, version=state.version)
    return Unit(start, stream.tell(), row, body)


def _read_code(stream: Reading) -> int:
    try:
        return stream.read(1)[0]
    except RefusalError as refused:
        expected = "a value type or an opcode (the end mark 0xff is missing)"
        raise stream.refuse(refused.code, refused.cause, refused.at, expected, refused.found) from None


def find_rule(stream: Reading, state: FileState, start: int, code: int) -> RecordRule:
    """Return what follows byte ``code`` at ``start``."""
    what, first_version = UNREADABLE_TYPES.get(code, ("", 0))
    if what and state.magic == REDIS and state.version >= first_version:
        raise UnsupportedError(f"at {start:#x}: value type {code} is {what}, which cannot be read")
    product = PRODUCT_BY_NAME.get(state.fork or "")
    if product is not None and code in product.unread and code not in product.opcodes:
        raise UnsupportedError(f"at {start:#x}: number {code} means something else in files of {state.fork}")
    rule = RULES[state.magic].get(code)
    owner = PRODUCT_BY_OPCODE.get(code)
    if owner is not None and state.fork != owner.name and (state.fork is not None or state.records):
        # A file that has them has them from its first key on; elsewhere such a byte is damage.
        rule = None
    if rule is None:
        raise stream.refuse("RDB105", "type", start, "a value type or an opcode", f"byte {code:#04x}")
    since = rule.row.since
    if state.version < CHECKSUM_SINCE and since > state.version:
        found = (
            f"{rule.row.name}, which appeared in RDB {since}: the version field, {state.version}, is corrupt "
            "(a lower version also disables the checksum)"
        )
        raise stream.refuse("RDB003", "old-version", start, f"a value type or an opcode of RDB {state.version}", found)
    return rule
