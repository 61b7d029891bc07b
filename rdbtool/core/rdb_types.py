"""The table of RDB opcodes and value types.

Every number, name and logical type comes from this module; ``setup.py`` writes its constants into a Cython include for
the compiled codec at build time. Numbers that mean different things under different magics (22 and 243) have one row
per magic.

``since`` is the RDB version that introduced a row (80 is Valkey 9's own numbering). ``secondary`` marks rows whose
layout is known from secondary sources only: they are tested on specimens built by hand, not on files that a server
wrote.
"""

from __future__ import annotations

from rdbtool.core.light_tools import cache
from rdbtool.core.light_typing import Final, Literal, NamedTuple

REDIS: Final = "REDIS"
VALKEY: Final = "VALKEY"

#: The decoder: the compiled codec, or the grammar alone (slow; for comparing the two).
BACKENDS: Final = ("codec", "grammar")

#: RDB versions this release reads, by magic (both ends included).
VERSIONS: Final[dict[str, tuple[int, int]]] = {REDIS: (1, 15), VALKEY: (80, 80)}

#: The first RDB version that ends with a CRC-64.
CHECKSUM_SINCE: Final = 5

#: The state of an RDB file's checksum. ``disabled`` when it was saved; ``none``: its version has none; ``unread``: the
#: end was not reached, or bytes before it were lost.
ChecksumState = Literal["correct", "wrong", "disabled", "none", "unread"]

#: Servers refuse field expiries above this (2**48 - 1 ms).
MAX_FIELD_EXPIRE_MS: Final = (1 << 48) - 1

#: A three-byte LZF back reference yields at most 264 bytes, so no stream inflates further.
LZF_MAX_RATIO: Final = 88


class ValueType(NamedTuple):
    """One value type: the byte before a key.

    ``kind`` is the logical type (``string``, ``hash``, …); ``encoding`` is the encoding on disk, which can differ from
    OBJECT ENCODING in memory.
    """

    code: int
    name: str
    kind: str
    encoding: str
    since: int
    magic: str | None = None
    secondary: bool = False


class Opcode(NamedTuple):
    """One opcode: a byte of the same namespace as value types, counted down from 255."""

    code: int
    name: str
    since: int
    magic: str | None = None
    secondary: bool = False


VALUE_TYPES: Final[tuple[ValueType, ...]] = (
    ValueType(0, "STRING", "string", "raw", 1),
    ValueType(1, "LIST", "list", "linkedlist", 1),
    ValueType(2, "SET", "set", "hashtable", 1),
    ValueType(3, "ZSET", "zset", "skiplist", 1),
    ValueType(4, "HASH", "hash", "hashtable", 1),
    ValueType(5, "ZSET_2", "zset", "skiplist", 8),
    ValueType(7, "MODULE_2", "module", "module", 8),
    ValueType(9, "HASH_ZIPMAP", "hash", "zipmap", 2),
    ValueType(10, "LIST_ZIPLIST", "list", "ziplist", 2),
    ValueType(11, "SET_INTSET", "set", "intset", 2),
    ValueType(12, "ZSET_ZIPLIST", "zset", "ziplist", 2),
    ValueType(13, "HASH_ZIPLIST", "hash", "ziplist", 4),
    ValueType(14, "LIST_QUICKLIST", "list", "quicklist", 7),
    ValueType(15, "STREAM_LISTPACKS", "stream", "stream", 9),
    ValueType(16, "HASH_LISTPACK", "hash", "listpack", 10),
    ValueType(17, "ZSET_LISTPACK", "zset", "listpack", 10),
    ValueType(18, "LIST_QUICKLIST_2", "list", "quicklist2", 10),
    ValueType(19, "STREAM_LISTPACKS_2", "stream", "stream2", 10),
    ValueType(20, "SET_LISTPACK", "set", "listpack", 11),
    ValueType(21, "STREAM_LISTPACKS_3", "stream", "stream3", 11),
    ValueType(22, "HASH_METADATA_PRE_GA", "hash", "hashtable-ttl", 12, REDIS),
    ValueType(22, "HASH_2", "hash", "hashtable-ttl", 80, VALKEY),
    ValueType(23, "HASH_LISTPACK_EX_PRE_GA", "hash", "listpack-ttl", 12, REDIS),
    ValueType(24, "HASH_METADATA", "hash", "hashtable-ttl", 12, REDIS),
    ValueType(25, "HASH_LISTPACK_EX", "hash", "listpack-ttl", 12, REDIS),
    ValueType(26, "STREAM_LISTPACKS_4", "stream", "stream4", 13, REDIS, secondary=True),
    ValueType(27, "STREAM_LISTPACKS_5", "stream", "stream5", 14, REDIS, secondary=True),
    ValueType(28, "ARRAY", "array", "array", 14, REDIS, secondary=True),
    ValueType(29, "HASH_TEMPLATE_LISTPACK", "hash", "template-listpack", 15, REDIS, secondary=True),
    ValueType(30, "HASH_TEMPLATE_LISTPACK_REF", "hash", "template-listpack", 15, REDIS, secondary=True),
    ValueType(31, "HASH_TEMPLATE_ARRAY", "hash", "template-array", 15, REDIS, secondary=True),
    ValueType(32, "HASH_TEMPLATE_ARRAY_REF", "hash", "template-array", 15, REDIS, secondary=True),
)

OPCODES: Final[tuple[Opcode, ...]] = (
    Opcode(107, "RAM_LRU", 6, REDIS, secondary=True),
    Opcode(121, "SLOT_NUM", 6, REDIS, secondary=True),
    Opcode(242, "HASH_TEMPLATE", 15, REDIS, secondary=True),
    Opcode(243, "KEY_META", 13, REDIS, secondary=True),
    Opcode(243, "SLOT_IMPORT", 80, VALKEY),
    Opcode(244, "SLOT_INFO", 12),
    Opcode(245, "FUNCTION2", 10),
    Opcode(246, "FUNCTION_PRE_GA", 10),
    Opcode(247, "MODULE_AUX", 9),
    Opcode(248, "IDLE", 9),
    Opcode(249, "FREQ", 9),
    Opcode(250, "AUX", 7),
    Opcode(251, "RESIZEDB", 7),
    Opcode(252, "EXPIRETIME_MS", 3),
    Opcode(253, "EXPIRETIME", 1),
    Opcode(254, "SELECTDB", 1),
    Opcode(255, "EOF", 1),
)

#: Numbers whose payload only their writer can skip, with the writer and the RDB version since which they exist: in an
#: older file such a byte is damage.
UNREADABLE_TYPES: Final[dict[int, tuple[str, int]]] = {33: ("a GCRA value (an optional build of Redis)", 15)}

#: The RDB version of all KeyDB releases, and the two aux fields that hold the expiry of a member (or field) after the
#: key that it belongs to: its name, then Unix ms.
MEMBER_EXPIRY_VERSION: Final = 9
MEMBER_EXPIRY_AUX: Final = (b"keydb-subexpire-key", b"keydb-subexpire-when")

#: The types whose members KeyDB can expire.
MEMBER_EXPIRY_KINDS: Final = ("set", "zset", "hash")

#: The aux field of a script: one field per script, written by Redis 4.0 to 6.2.
SCRIPT_AUX: Final = b"lua"

#: The role of an RDB file: standalone, the preamble of a single-file AOF, or the base of a multi-part AOF.
Role = Literal["snapshot", "log", "base"]

#: The aux fields in which servers store the role: readers of a single file rely on them.
ROLES: Final[dict[Role, dict[bytes, bytes]]] = {
    "snapshot": {b"aof-preamble": b"0", b"aof-base": b"0"},
    "log": {b"aof-preamble": b"1", b"aof-base": b"0"},
    "base": {b"aof-preamble": b"0", b"aof-base": b"1"},
}
ROLE_AUX: Final = frozenset(ROLES["snapshot"])

#: The aux field in which a server names itself, by family.
WRITER_FIELDS: Final = {"redis": b"redis-ver", "valkey": b"valkey-ver"}

#: Aux fields that identify the writer, and so how the file is read.
WRITER_AUX: Final = frozenset({*WRITER_FIELDS.values(), b"redis-bits"})

KINDS: Final[tuple[str, ...]] = ("string", "list", "set", "zset", "hash", "stream", "module", "array")

#: Type names of other tools.
KIND_ALIASES: Final[dict[str, str]] = {"str": "string", "sortedset": "zset", "sorted-set": "zset"}


def checksum_state(version: int, stored: int | None, *, is_wrong: bool) -> ChecksumState:
    """Return the state of a checksum; ``stored`` is the checksum in the file, None if it was not reached."""
    if version < CHECKSUM_SINCE:
        return "none"
    if is_wrong:
        return "wrong"
    if stored is None:
        return "unread"
    return "correct" if stored else "disabled"


_CODES: Final = {row.name: row.code for row in VALUE_TYPES} | {row.name: row.code for row in OPCODES}
_SINCE: Final = {row.name: row.since for row in VALUE_TYPES} | {row.name: row.since for row in OPCODES}


def code_of(name: str) -> int:
    """Return the number of a value type or an opcode."""
    return _CODES[name]


def codes_of(*names: str) -> frozenset[int]:
    """Return the numbers of value types or opcodes."""
    return frozenset(map(code_of, names))


def since_of(name: str) -> int:
    """Return the RDB version that introduced a value type or an opcode."""
    return _SINCE[name]


@cache
def value_types(magic: str) -> dict[int, ValueType]:
    """Return the value types by number, for files with this magic."""
    return {row.code: row for row in VALUE_TYPES if row.magic in (None, magic)}


@cache
def opcodes(magic: str) -> dict[int, Opcode]:
    """Return the opcodes by number, for files with this magic."""
    return {row.code: row for row in OPCODES if row.magic in (None, magic)}
