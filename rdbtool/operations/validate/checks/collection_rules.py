"""Rules of lists, sets, sorted sets, hashes, arrays and vector sets: duplicates, order, NaN, emptiness.

Whether a server notices depends on how it loads the type: it builds hash tables and notices duplicates on the way,
converts ziplists and zipmaps entry by entry (Redis 7.0 and later), and loads listpacks unchanged.
"""

from __future__ import annotations

from rdbtool._codec.sinks.check import Flagged
from rdbtool.core.light_typing import Final
from rdbtool.core.rdb_types import code_of, codes_of
from rdbtool.operations.validate.checks.rule import Loading, Rule, always, indexed, never, only_deep, quoted, whole

#: Types that servers from Redis 7.0 on convert during loading: zipmap, ziplists.
_CONVERTED: Final = codes_of("HASH_ZIPMAP", "HASH_ZIPLIST", "ZSET_ZIPLIST")

#: Packed types that servers load unchanged: intset, listpacks.
_TAKEN: Final = codes_of(
    "SET_INTSET", "HASH_LISTPACK", "ZSET_LISTPACK", "SET_LISTPACK", "HASH_LISTPACK_EX_PRE_GA", "HASH_LISTPACK_EX",
    "HASH_TEMPLATE_LISTPACK", "HASH_TEMPLATE_LISTPACK_REF",
)  # fmt: skip

_PACKED_ZSETS: Final = codes_of("ZSET_ZIPLIST", "ZSET_LISTPACK")
_HASH: Final = code_of("HASH")
_ZIPMAP: Final = code_of("HASH_ZIPMAP")


def refuses_duplicate(loading: Loading) -> bool:
    """Whether a server notices a duplicate member or field."""
    if loading.type_code in _CONVERTED:
        return loading.is_since((7, 0), (0, 0))
    # Small hashes are packed during loading, and checked only if everything is.
    if loading.type_code in _TAKEN or (loading.type_code == _HASH and loading.is_small):
        return loading.is_since(None, (9, 1))
    return loading.is_since((6, 2), (0, 0))


def refuses_nan(loading: Loading) -> bool:
    """Whether a server notices a score that is NaN: Redis does not in packed sorted sets."""
    if loading.type_code in _PACKED_ZSETS:
        return loading.is_since(None, (9, 1))
    return loading.is_since((6, 2), (0, 0))


def refuses_empty(loading: Loading) -> bool:
    """Whether a server refuses a collection without elements: only a zipmap, which is converted."""
    return loading.type_code == _ZIPMAP and loading.is_since((7, 0), (0, 0))


def _twice(word: str) -> Rule:
    codes = {"member": "RDB311", "field": "RDB312"}
    return Rule(
        codes[word],
        "error",
        lambda row: f"{word} {quoted(row.data)} occurs twice",
        indexed(word),
        refuses_duplicate,
    )


def _words_of_expiry_order(row: Flagged) -> str:
    now, before = row.facts
    if before < 0:
        return f"field {quoted(row.data)} has an expiry, but comes after a field without one"
    return f"expiries are not in ascending order: {quoted(row.data)}, {now} ms, comes after {before} ms"


#: Messages on vector sets, by the part at fault.
_VECTORS: Final = {
    "quantisation": "a quantisation of at most {}",
    "dimension": "at most {} dimensions",
    "projected dimension": "at most {} dimensions before the projection",
    "projection": "a projection of {} bytes",
    "count": "{} elements",
    "vector": "a vector of {} bytes",
    "node": "{} numbers in the node",
}


def _words_of_vectors(row: Flagged) -> str:
    part, expected, found = row.facts
    if part == "end":
        return "expected the end of the vector set after its last element, but more follows"
    if expected is None:
        return f"expected the {part} of a vector set, but it is missing"
    return f"expected {_VECTORS[str(part)].format(expected)}, but found {found}"


RULES: Final[dict[str, Rule]] = {
    "empty": Rule(
        "RDB310",
        "error",
        lambda row: f"the {row.kind} has no elements",
        whole,
        refuses_empty,
    ),
    "duplicate-member": _twice("member"),
    "duplicate-scored": _twice("member"),
    "duplicate-field": _twice("field"),
    "score-nan": Rule(
        "RDB313",
        "error",
        lambda row: f"member {quoted(row.data)} has the score NaN",
        indexed("member"),
        refuses_nan,
    ),
    "score-order": Rule(
        "RDB314",
        "error",
        lambda row: (
            f"members are not in order of score: {quoted(row.data)} ({row.facts[0]!r}) comes after a score of "
            f"{row.facts[1]!r}"
            if row.facts[0] != row.facts[1]
            else f"members of the same score are not in order of name: {quoted(row.data)} comes too late"
        ),
        indexed("member"),
        never,
    ),
    "intset-order": Rule(
        "RDB315",
        "error",
        lambda row: f"not in ascending order: {row.facts[0]} comes after {row.facts[1]}",
        indexed("member"),
        only_deep,
    ),
    "field-expiry-order": Rule("RDB316", "error", _words_of_expiry_order, indexed("field"), only_deep),
    "duplicate-index": Rule(
        "RDB317",
        "error",
        lambda row: f"index {row.facts[0]} occurs twice",
        indexed("item"),
        never,
    ),
    "vector-set": Rule(
        "RDB318",
        "error",
        _words_of_vectors,
        lambda row: f"element[{row.at}].{row.facts[0]}" if row.at >= 0 else str(row.facts[0]),
        always,
    ),
}
