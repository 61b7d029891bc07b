"""Which servers refuse damaged structure: those that check it during loading (format B3).

Redis loads listpacks unchanged, so damage inside one shows only on first access; Valkey checks all of them since 9.1.
Everything else that codec and grammar refuse, servers refuse too.
"""

from __future__ import annotations

from rdbtool.core.errors import Cause, FormatError
from rdbtool.core.light_typing import Final
from rdbtool.core.rdb_types import code_of, codes_of
from rdbtool.core.servers import Rules

#: Damage possible inside a listpack: the listpack, uneven counts, entries of streams, expiries of fields.
PACKED: Final = frozenset({"RDB106", "RDB202", "RDB206", "RDB207", "RDB211"})

#: Damage possible within a string that declares its own end, or that does not affect where anything ends.
PASSABLE: Final = PACKED | {"RDB104", "RDB201", "RDB203", "RDB204", "RDB205"}

#: Types whose whole value, or each node of it, is one listpack.
LISTPACKS: Final = codes_of(
    "LIST_QUICKLIST_2", "SET_LISTPACK", "ZSET_LISTPACK", "HASH_LISTPACK", "HASH_LISTPACK_EX_PRE_GA", "HASH_LISTPACK_EX",
    "STREAM_LISTPACKS", "STREAM_LISTPACKS_2", "STREAM_LISTPACKS_3", "STREAM_LISTPACKS_4", "STREAM_LISTPACKS_5",
)  # fmt: skip

#: Packed sorted sets: servers parse as much of an invalid score as they can, and use 0 if that is nothing.
_SCORED: Final = codes_of("ZSET_ZIPLIST", "ZSET_LISTPACK")

#: Sorted sets with scores as text: servers parse the numeric beginning.
_OLD_ZSET: Final = code_of("ZSET")

#: A stream of Redis 5 and 6, whose entries later servers walk during loading.
_WALKED: Final = code_of("STREAM_LISTPACKS")

#: What every server checks: the sizes of a listpack, groups, the outer parts of a stream.
_OUTER: Final[frozenset[Cause]] = frozenset({"cut", "size", "end-mark", "empty", "twice", "pending"})

#: Where a server that walks the entries of a stream stops, or crashes.
_STOPS_WALK: Final[frozenset[Cause]] = frozenset({"entry", "number", "node-master"})


def refuses_structure(rules: Rules, error: FormatError, type_code: int) -> bool:
    """Whether a server refuses the file because of damage in a value of a type (its number)."""
    if error.code == "RDB003":
        return False
    if error.code == "RDB106" and (type_code in _SCORED or (type_code == _OLD_ZSET and error.cause == "number-prefix")):
        return False
    if error.code not in PACKED or type_code not in LISTPACKS:
        return True
    if error.cause in _OUTER or (type_code == _WALKED and error.cause in _STOPS_WALK and rules.has((7, 0))):
        return True
    return rules.has(None, (9, 1))
