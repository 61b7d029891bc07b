"""Memory models of servers: struct sizes, encoding limits, and what MEMORY USAGE counts (format E).

Each row is a measured release; other releases use the nearest one. Sizes are in bytes on 64-bit systems, with the
default configuration. The calculation is in ``_codec/sinks/memory.pyx``.
"""

from __future__ import annotations

from rdbtool.core.light_typing import Final, Literal, NamedTuple
from rdbtool.core.servers import Release, Rules

#: Allocators: the jemalloc bundled with servers, those of distributions, and the C library's (format E1).
ALLOCATORS: Final = ("jemalloc", "jemalloc-distro", "jemalloc-distro-5.3.1", "libc")

#: Where the name of a key is stored: in its own allocation, in the hash table entry, or in the value's object.
Keys = Literal["apart", "entry", "object"]

#: How a cluster node indexes keys by slot: a radix tree, a link in each entry, or a hash table per slot.
Slots = Literal["tree", "links", "tables"]

#: The most entries, and bytes per element, of a collection in a compact encoding.
HASH_PACKED: Final = (512, 64)
ZSET_PACKED: Final = (128, 64)
SET_PACKED: Final = (128, 64)
INTSET_ENTRIES: Final = 512

#: The largest list node in bytes, and the largest stream node in bytes and entries.
LIST_NODE: Final = 8192
STREAM_NODE: Final = (4096, 100)


class MemoryModel(NamedTuple):
    """The memory layout of a server release, and what its MEMORY USAGE counts.

    ``counts_rounded``: MEMORY USAGE counts strings by their allocated size, not their length, and
    ``counts_packed_rounded`` likewise packed values. ``counts_short_key``: it counts a key of at most 44 bytes as its
    length plus 4. ``counts_key``: it counts the key at all.
    """

    rules: Rules
    keys: Keys = "apart"
    counts_rounded: bool = True
    counts_packed_rounded: bool = True
    counts_short_key: bool = False
    counts_key: bool = True
    #: Keys embedded in the object: the header of an embedded string, and the largest total size.
    embedded_header: int = 16
    embedded_most: int = 0
    embedded_least_value: int = 0
    #: Whether that limit assumes the shortest header for names, and whether an expiry is added after the check.
    guesses_short_keys: bool = False
    expires_later: bool = False
    #: Shared integer objects, from 0 on.
    shared_integers: int = 10_000

    #: Hash tables: a dict, or Valkey's hashtable and the extra bytes of a hash.
    dict_head: int = 56
    hashtable_head: int = 0
    hashtable_of_hash: int = 0
    entry: int = 24
    #: Dicts of sets and keys store a single key per bucket without an entry.
    bare_sets: bool = False
    bare_keys: bool = False
    #: Loading adds fields one by one, without expanding the dict first: hashes and sorted sets; hashes with expiries.
    fills_one_by_one: bool = False
    fills_expiring_one_by_one: bool = False

    #: Packed encodings: listpacks (else ziplists), lists of one node, small sets.
    listpacks: bool = True
    packs_lists: bool = False
    packs_sets: bool = False
    quicklist_node: int = 40
    #: Field names have a header of their own.
    has_field_names: bool = False
    #: Hashes with field expiries: header of the listpack encoding (0: no such encoding), and support in tables.
    listpack_of_expiring: int = 0
    has_field_expiry: bool = False

    #: Sorted sets: levels of the skiplist head, bytes of its struct, whether nodes embed members, the size that
    #: MEMORY USAGE assumes for a dict entry, and whether it counts the head.
    skiplist_levels: int = 32
    skiplist_head: int = 32
    embeds_members: bool = False
    counted_zset_entry: int = 24
    counts_skiplist_head: bool = True

    #: Streams; ``counts_blocks``: MEMORY USAGE counts allocated radix tree blocks; ``indexes_pending``: an extra tree.
    stream: int = 80
    counts_stream_head: bool = True
    group: int = 40
    pending: int = 24
    consumer: int = 32
    counts_blocks: bool = False
    counts_stream_rounded: bool = True
    indexes_pending: bool = False

    vector_set: int = 1768

    #: Cluster mode: how keys are indexed by slot, and the structs of a slot's tables of keys and of expiries.
    slots: Slots = "tables"
    slot_keys: int = 64
    slot_expires: int = 64


_40: Final = MemoryModel(
    Rules("redis", 4, 0),
    counts_rounded=False,
    counts_packed_rounded=False,
    counts_short_key=True,
    dict_head=96,
    fills_one_by_one=True,
    listpacks=False,
    quicklist_node=32,
    skiplist_levels=32,
    counts_skiplist_head=False,
    slots="tree",
)
_50: Final = _40._replace(
    rules=Rules("redis", 5, 0),
    counts_short_key=False,
    fills_one_by_one=False,
    skiplist_levels=64,
    counts_skiplist_head=True,
    stream=40,
    counts_stream_head=False,
    group=32,
    consumer=24,
    counts_stream_rounded=False,
)
_62: Final = _50._replace(
    rules=Rules("redis", 6, 2),
    counts_rounded=True,
    skiplist_levels=32,
    counts_stream_head=True,
    counts_stream_rounded=True,
)
_70: Final = MemoryModel(Rules("redis", 7, 0), consumer=24, slots="links")
_72: Final = _70._replace(rules=Rules("redis", 7, 2), consumer=32, packs_lists=True, packs_sets=True, bare_sets=True)
_74: Final = _72._replace(
    rules=Rules("redis", 7, 4),
    has_field_names=True,
    has_field_expiry=True,
    listpack_of_expiring=32,
    fills_expiring_one_by_one=True,
    slots="tables",
)
_80: Final = _74._replace(rules=Rules("redis", 8, 0), slot_keys=2560)
_82: Final = _80._replace(
    rules=Rules("redis", 8, 2),
    keys="object",
    embedded_most=64,
    shared_integers=0,
    bare_keys=True,
    listpack_of_expiring=24,
    counted_zset_entry=16,
    stream=112,
    pending=32,
    indexes_pending=True,
    vector_set=1784,
)
_VALKEY_80: Final = _72._replace(
    rules=Rules("valkey", 8, 0), keys="entry", slots="tables", slot_keys=80, slot_expires=80
)
_VALKEY_81: Final = _VALKEY_80._replace(
    rules=Rules("valkey", 8, 1),
    keys="object",
    counts_key=False,
    embedded_most=64,
    guesses_short_keys=True,
    expires_later=True,
    shared_integers=0,
    bare_sets=False,
    hashtable_head=72,
    counts_blocks=True,
    slot_keys=96,
    slot_expires=96,
)
_VALKEY_91: Final = _VALKEY_81._replace(
    rules=Rules("valkey", 9, 1),
    counts_key=True,
    embedded_header=8,
    embedded_most=128,
    guesses_short_keys=False,
    embedded_least_value=8,
    hashtable_head=80,
    hashtable_of_hash=8,
    has_field_expiry=True,
    skiplist_head=0,
    embeds_members=True,
)

#: The measured releases, each family from oldest to newest.
MEMORY_MODELS: Final = (_40, _50, _62, _70, _72, _74, _80, _82, _VALKEY_80, _VALKEY_81, _VALKEY_91)

#: Releases with the same layout as a measured one.
_SAME: Final[dict[Rules, Rules]] = {
    Rules("valkey", 7, 2): Rules("redis", 7, 2),
    Rules("valkey", 9, 0): Rules("valkey", 9, 1),
}


def memory_model_of(rules: Rules) -> tuple[MemoryModel, bool]:
    """Return the memory model of a server, and whether it is that of the nearest measured release."""
    same = _SAME.get(rules, rules)
    family = [model for model in MEMORY_MODELS if model.rules.family == same.family]
    exact = next((model for model in family if model.rules == same), None)
    if exact is not None:
        return exact, False
    return min(family, key=lambda model: _distance(same.release, model.rules.release)), True


def _distance(one: Release, other: Release) -> tuple[int, int]:
    """Return the distance between releases, by major version first."""
    return abs(one[0] - other[0]), abs(one[1] - other[1])
