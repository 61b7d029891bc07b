"""What keys take in the memory of each server: sizes of structs, limits of encodings, and what is counted (format E).

A row is a release whose numbers were measured; releases between two rows have a nearest one. Bytes, on 64 bits, with
the limits that servers have unless they are configured. The arithmetic stands in ``_codec/sinks/memory.pyx``.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from rdbtool.core.servers import Release, Rules

#: Allocators: the jemalloc that servers are built with, those of distributions, and the C library's (format E1).
ALLOCATORS: Final = ("jemalloc", "jemalloc-distro", "jemalloc-distro-5.3.1", "libc")

#: Where the name of a key stands: by itself, in the entry of the table, or in the object of the value.
Keys = Literal["apart", "entry", "object"]

#: What leads to a slot's keys in a cluster: a radix tree, a link in each entry, or a table for each slot.
Slots = Literal["tree", "links", "tables"]

#: The most entries and bytes of an element that a collection may have to stay packed.
HASH_PACKED: Final = (512, 64)
ZSET_PACKED: Final = (128, 64)
SET_PACKED: Final = (128, 64)
INTSET_ENTRIES: Final = 512

#: Bytes of a node of a list, and bytes and entries of a node of a stream.
LIST_NODE: Final = 8192
STREAM_NODE: Final = (4096, 100)


class MemoryModel(NamedTuple):
    """A server, as far as memory goes.

    ``counts_rounded``: MEMORY USAGE counts strings by their blocks, not by their bytes; ``counts_packed_rounded``: it
    does so for packed values. ``counts_short_key``: it takes a key of at most 44 bytes for 4 more than its name.
    ``counts_key``: it counts the key at all.
    """

    rules: Rules
    keys: Keys = "apart"
    counts_rounded: bool = True
    counts_packed_rounded: bool = True
    counts_short_key: bool = False
    counts_key: bool = True
    #: Of a key that stands in the object: the header of a string that does too, and how large all that may be.
    embedded_header: int = 16
    embedded_most: int = 0
    embedded_least_value: int = 0
    #: Whether it is judged as if names had the shortest header, and whether an expiry comes after that.
    guesses_short_keys: bool = False
    expires_later: bool = False
    #: Integers from 0 on that exist once.
    shared_integers: int = 10_000

    #: Tables: a dict, or Valkey's hashtable and what a hash keeps beside it.
    dict_head: int = 56
    hashtable_head: int = 0
    hashtable_of_hash: int = 0
    entry: int = 24
    #: Tables of keys and sets are dicts whose entries are left out where a bucket has one only.
    bare_sets: bool = False
    bare_keys: bool = False
    #: Hashes and sorted sets are filled one by one, not expanded first; those of the type of fields with an expiry.
    fills_one_by_one: bool = False
    fills_expiring_one_by_one: bool = False

    #: Packed values: ziplists or listpacks, lists of one node, small sets.
    listpacks: bool = True
    packs_lists: bool = False
    packs_sets: bool = False
    quicklist_node: int = 40
    #: A name of a field has a header of its own.
    has_field_names: bool = False
    #: Hashes whose fields may expire: in a listpack (0: there is none), and in a table.
    listpack_of_expiring: int = 0
    has_field_expiry: bool = False

    #: Sorted sets: levels of the head of a skiplist, bytes of its struct, whether members stand in its nodes, what
    #: MEMORY USAGE takes an entry of the dict for, and whether it counts the head.
    skiplist_levels: int = 32
    skiplist_head: int = 32
    embeds_members: bool = False
    counted_zset_entry: int = 24
    counts_skiplist_head: bool = True

    #: Streams; ``counts_blocks``: MEMORY USAGE counts the blocks of their trees; ``indexes_pending``: one more tree.
    stream: int = 80
    counts_stream_head: bool = True
    group: int = 40
    pending: int = 24
    consumer: int = 32
    counts_blocks: bool = False
    counts_stream_rounded: bool = True
    indexes_pending: bool = False

    vector_set: int = 1768

    #: In a cluster: how keys are found by slot, the struct of a slot's table, and that of its expiries.
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

#: What was measured, each family from its oldest release on.
MEMORY_MODELS: Final = (_40, _50, _62, _70, _72, _74, _80, _82, _VALKEY_80, _VALKEY_81, _VALKEY_91)

#: Releases that take memory as a measured one does.
_SAME: Final[dict[Rules, Rules]] = {
    Rules("valkey", 7, 2): Rules("redis", 7, 2),
    Rules("valkey", 9, 0): Rules("valkey", 9, 1),
}


def memory_model_of(rules: Rules) -> tuple[MemoryModel, bool]:
    """Return the model of a server, and whether it is only the nearest one: no build of that release was measured."""
    same = _SAME.get(rules, rules)
    family = [model for model in MEMORY_MODELS if model.rules.family == same.family]
    exact = next((model for model in family if model.rules == same), None)
    if exact is not None:
        return exact, False
    return min(family, key=lambda model: _distance(same.release, model.rules.release)), True


def _distance(one: Release, other: Release) -> tuple[int, int]:
    """How far apart releases are: releases of one major number first."""
    return abs(one[0] - other[0]), abs(one[1] - other[1])
