"""Rules of streams: ids and counters, groups, consumers and their pending entries."""

from __future__ import annotations

from typing import Final

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
        lambda row: f"expected rising ids, but {stream_id(row, 0)} stands behind {stream_id(row, 2)}",
        indexed("entry"),
        never,
    ),
    "entry-beyond-last": Rule(
        "RDB322",
        "error",
        lambda row: f"expected no entry behind the last id {stream_id(row, 2)}, but there is {stream_id(row, 0)}",
        whole,
        never,
    ),
    "stream-length": Rule(
        "RDB323",
        "error",
        lambda row: f"expected {row.facts[0]} entries, as the stream's length says, but there are {row.facts[1]}",
        whole,
        only_deep,
    ),
    "stream-no-nodes": Rule(
        "RDB323",
        "error",
        lambda row: f"expected {row.facts[0]} entries, as the stream's length says, but there are no nodes",
        whole,
        since((6, 2)),
    ),
    "stream-tombstones": Rule(
        "RDB324", "error", lambda _: "expected an entry in each node, but all are deleted", whole, since((8, 8), None)
    ),
    "stream-first-id": Rule(
        "RDB325",
        "warning",
        lambda row: f"expected {stream_id(row, 2)}, the id of the first entry, as first id, not {stream_id(row, 0)}",
        whole,
        never,
    ),
    "stream-max-deleted": Rule(
        "RDB326",
        "warning",
        lambda row: (
            f"expected no id above the last one {stream_id(row, 2)}, but the largest deleted one is {stream_id(row, 0)}"
        ),
        whole,
        never,
    ),
    "stream-added-less": Rule(
        "RDB327",
        "warning",
        lambda row: f"expected at least {row.facts[1]} added entries, as many as there are, but it is {row.facts[0]}",
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
        lambda row: f"expected each group once, but {quoted(row.data)} stands there again",
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
        lambda row: f"the group is at {stream_id(row, 0)}, behind the stream's last id {stream_id(row, 2)}",
        in_group(),
        never,
    ),
    "consumer-duplicate": Rule(
        "RDB334",
        "error",
        lambda row: f"expected each consumer once, but {quoted(row.inner)} stands there again",
        in_group("consumer"),
        since((6, 2)),
    ),
    "pending-unowned": Rule(
        "RDB335",
        "error",
        lambda row: f"expected a consumer that owns the pending entry {stream_id(row, 0)}, but none does",
        in_group("pending"),
        only_deep,
    ),
    "pending-shared": Rule(
        "RDB336",
        "error",
        lambda row: (
            f"expected one owner of the pending entry {stream_id(row, 0)}, but {quoted(row.inner)} owns it as well"
        ),
        in_group("pending"),
        always,
    ),
    "pending-beyond-last": Rule(
        "RDB337",
        "warning",
        lambda row: (
            f"expected pending entries up to the stream's last id {stream_id(row, 2)}, but there is {stream_id(row, 0)}"
        ),
        in_group("pending"),
        never,
    ),
    "producer-duplicate": Rule(
        "RDB338",
        "error",
        lambda _: "expected each producer, and each id of one, once, but one stands there again",
        lambda row: f"producer {quoted(row.data)}" + ("" if row.inner is None else f".id {quoted(row.inner)}"),
        never,
    ),
}
