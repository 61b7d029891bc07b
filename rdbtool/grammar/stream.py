"""Streams (format A12): types 15, 19, 21 and, from secondary sources, 26 and 27.

Version 2 (RDB 10) added first ID, greatest deleted ID and counters; 3 (RDB 11) the consumers' active time; 4 (RDB 13)
idempotent producers; 5 (RDB 14) pending entries without owner. No server's file with 4 or 5 was available. A second
reader has the additions in the same places, but with one flat list of IDs instead of one per producer (as the server
keeps them in memory).
"""

from __future__ import annotations

from collections import Counter

from rdbtool.core.light_typing import Any
from rdbtool.grammar.fields import I64LE, Checked, Counted, Fields, FieldTuple, Must, Octets, Problem
from rdbtool.grammar.primitives import LEN, STR, text
from rdbtool.grammar.reading import Reading
from rdbtool.grammar.stream_node import CODE, NODE_LISTPACK


def check_pending(group: Any, _: Reading) -> Problem | None:
    """Return the fault of the pending lists, None if they agree."""
    name = repr(text(group.name))[1:]
    ids = [entry_id for entry_id, _, _ in group.pending]
    pending = set(ids)
    problem = _check_ids(ids, pending, f"the pending list of group {name}")
    if problem:
        return problem
    owned: set[bytes] = set()
    for consumer in group.consumer:
        owner = repr(text(consumer.name))[1:]
        problem = _check_ids(consumer.pending, pending, f"the pending list of consumer {owner} of group {name}")
        if problem:
            return problem
        owned.update(consumer.pending)
    unowned = group.get("unowned") or []
    problem = _check_ids(unowned, pending, f"the list of unowned entries of group {name}")
    if problem is None and not owned.isdisjoint(unowned):
        both = next(entry_id for entry_id in unowned if entry_id in owned)
        return "pending", f"unowned entries of group {name} that no consumer has", f"{_shown(both)}, which one has"
    return problem


def _check_ids(ids: list[bytes], known: set[bytes], what: str) -> Problem | None:
    twice = _first_twice(ids)
    if twice is not None:
        return "pending", f"each ID once in {what}", f"{_shown(twice)} twice"
    stray = next((entry_id for entry_id in ids if entry_id not in known), None)
    if stray is None:
        return None
    return "pending", f"only entries that the group has in {what}", f"{_shown(stray)}, which the group lacks"


def _first_twice(ids: list[bytes]) -> bytes | None:
    if len(set(ids)) == len(ids):
        return None
    return next(entry_id for entry_id, times in Counter(ids).items() if times > 1)


def _shown(raw_id: bytes) -> str:
    return f"{int.from_bytes(raw_id[:8], 'big')}-{int.from_bytes(raw_id[8:], 'big')}"


ID = FieldTuple("ms" / LEN, "seq" / LEN)
RAW_ID = Octets(16)  # u64be ms, u64be seq

NODE = Fields(
    "key" / Must(STR, lambda stored: len(text(stored)) == 16, CODE, "size", "a node key of 16 bytes"),  # as RAW_ID
    "listpack" / NODE_LISTPACK,
)

PENDING = FieldTuple(
    "id" / RAW_ID,
    "delivery_time_ms" / I64LE,
    "delivery_count" / LEN,
)


def _consumer(version: int, string: Any) -> Fields:
    return Fields(
        "name" / string,
        "seen_time_ms" / I64LE,
        *(["active_time_ms" / I64LE] if version >= 3 else []),
        "pending" / Counted(RAW_ID),
    )


def _group(version: int, string: Any) -> Fields:
    return Fields(
        "name" / string,
        "last_id" / ID,
        *(["entries_read" / LEN] if version >= 2 else []),  # 2^64-1: unknown
        "pending" / Counted(PENDING),
        "consumer" / Counted(_consumer(version, string)),
        *(["unowned" / Counted(RAW_ID)] if version >= 5 else []),  # secondary
    )


def _producer(string: Any) -> Fields:  # secondary
    return Fields(
        "pid" / string,
        "id" / Counted(FieldTuple("iid" / string, "ms" / LEN, "seq" / LEN)),
    )


def check_nodes(nodes: list[Any], _: Reading) -> Problem | None:
    """Return the fault of a stream's nodes, None if each occurs once."""
    twice = _first_twice([text(node.key) for node in nodes])
    return None if twice is None else ("twice", "each node ID once", f"{_shown(twice)} twice")


def stream_of(version: int, unchecked: Any = None) -> Fields:
    """Return STREAM_LISTPACKS or a later version. ``unchecked``: the construct of strings, to read without checks."""
    string = unchecked or STR
    nodes: Any = Counted(Fields("key" / string, "listpack" / string))
    group: Any = _group(version, string)
    if unchecked is None:
        nodes = Checked(Counted(NODE), check_nodes, CODE)
        group = Checked(group, check_pending, CODE)
    fields = [
        "node" / nodes,
        "length" / LEN,  # number of live entries
        "last_id" / ID,
    ]
    if version >= 2:
        fields += [
            "first_id" / ID,  # 0-0 if there are no entries
            "max_deleted_id" / ID,
            "entries_added" / LEN,
        ]
    fields += ["group" / Counted(group)]
    if version >= 4:  # secondary
        fields += [
            "idmp_duration_s" / LEN,
            "idmp_max_entries" / LEN,
            "producer" / Counted(_producer(string)),
            "iids_added" / LEN,
            "iids_duplicates" / LEN,
        ]
    return Fields(*fields)


STREAM_LISTPACKS = stream_of(1)
STREAM_LISTPACKS_2 = stream_of(2)
STREAM_LISTPACKS_3 = stream_of(3)
STREAM_LISTPACKS_4 = stream_of(4)
STREAM_LISTPACKS_5 = stream_of(5)
