"""Rules of streams: IDs and counters, groups, consumers and their pending entries."""

from __future__ import annotations

from rdbtool.core.light_typing import Final
from rdbtool.operations.validate.checks.rule import (
    Rule,
    always,
    in_group,
    indexed,
    never,
    only_deep,
    quoted,
    since,
    stream_id,
    whole,
)

RULES: Final[dict[str, Rule]] = {
    "entry-order": Rule(
        "RDB321",
        "error",
        lambda row: f"IDs are not in ascending order: {stream_id(row, 0)} comes after {stream_id(row, 2)}",
        indexed("entry"),
        never,
    ),
    "entry-beyond-last": Rule(
        "RDB322",
        "error",
        lambda row: f"entry {stream_id(row, 0)} is above last-generated-id {stream_id(row, 2)}",
        whole,
        never,
    ),
    "stream-length": Rule(
        "RDB323",
        "error",
        lambda row: f"the stream's length is {row.facts[0]}, but it has {row.facts[1]} entries",
        whole,
        only_deep,
    ),
    "stream-no-nodes": Rule(
        "RDB323",
        "error",
        lambda row: f"the stream's length is {row.facts[0]}, but it has no nodes",
        whole,
        since((6, 2)),
    ),
    "stream-tombstones": Rule(
        "RDB324", "error", lambda _: "expected an entry in each node, but all are deleted", whole, since((8, 8), None)
    ),
    "stream-first-id": Rule(
        "RDB325",
        "warning",
        lambda row: f"first-entry-id is {stream_id(row, 0)}, but the first entry is {stream_id(row, 2)}",
        whole,
        never,
    ),
    "stream-max-deleted": Rule(
        "RDB326",
        "warning",
        lambda row: f"max-deleted-entry-id {stream_id(row, 0)} is above last-generated-id {stream_id(row, 2)}",
        whole,
        never,
    ),
    "stream-added-less": Rule(
        "RDB327",
        "warning",
        lambda row: f"entries-added is {row.facts[0]}, but there are {row.facts[1]} entries",
        whole,
        never,
    ),
    "stream-counter": Rule(
        "RDB328",
        "error",
        lambda row: f"expected a counter of at most 2^63 - 1, but it is {row.facts[0]}",
        lambda row: "" if row.data is None else in_group()(row),
        since((8, 8), None),
    ),
    "group-duplicate": Rule(
        "RDB331",
        "error",
        lambda row: f"group {quoted(row.data)} occurs twice",
        in_group(),
        always,
    ),
    "group-read-more": Rule(
        "RDB332",
        "note",
        lambda row: f"the group has read {row.facts[0]} entries, more than the {row.facts[1]} that were added",
        in_group(),
        never,
    ),
    "group-beyond-last": Rule(
        "RDB333",
        "note",
        lambda row: (
            f"last delivered ID {stream_id(row, 0)} of the group is above the stream's "
            f"last-generated-id {stream_id(row, 2)}"
        ),
        in_group(),
        never,
    ),
    "consumer-duplicate": Rule(
        "RDB334",
        "error",
        lambda row: f"consumer {quoted(row.inner)} occurs twice",
        in_group("consumer"),
        since((6, 2)),
    ),
    "pending-unowned": Rule(
        "RDB335",
        "error",
        lambda row: f"pending entry {stream_id(row, 0)} belongs to no consumer",
        in_group("pending"),
        only_deep,
    ),
    "pending-shared": Rule(
        "RDB336",
        "error",
        lambda row: f"pending entry {stream_id(row, 0)} belongs to two consumers, {quoted(row.inner)} is the second",
        in_group("pending"),
        always,
    ),
    "pending-beyond-last": Rule(
        "RDB337",
        "warning",
        lambda row: f"pending entry {stream_id(row, 0)} is above last-generated-id {stream_id(row, 2)}",
        in_group("pending"),
        never,
    ),
    "producer-duplicate": Rule(
        "RDB338",
        "error",
        lambda _: "a producer, or one of its IDs, occurs twice",
        lambda row: f"producer {quoted(row.data)}" + ("" if row.inner is None else f".id {quoted(row.inner)}"),
        never,
    ),
}
