"""Differences of two streams: entries, counters, groups, consumers, pending entries.

Redis 5 and 6 store no counters, so these are compared only if both sides have them. The times when a consumer was last
seen or active are not part of the data: servers lose them in every AOF rewrite.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from operator import eq

from rdbtool.model import StreamGroup, StreamProducers, StreamValue
from rdbtool.operations.diff.change import Change, find_repeats, match_names


def compare_streams(first: StreamValue, second: StreamValue) -> Iterator[Change]:
    """Yield the differences."""
    entries = [{entry.id: entry.fields for entry in value.entries} for value in (first, second)]
    for sign, id_, before, after in match_names(entries[0], entries[1], eq):
        yield Change(sign, "entry", id_, before, after)
    yield from find_repeats([entry.id for entry in first.entries], [entry.id for entry in second.entries])
    if first.last_id != second.last_id:
        yield Change("~", "last_id", None, first.last_id, second.last_id)
    if first.entries_added is not None and second.entries_added is not None:
        if first.max_deleted_id != second.max_deleted_id:
            yield Change("~", "max_deleted_id", None, first.max_deleted_id, second.max_deleted_id)
        if first.entries_added != second.entries_added:
            yield Change("~", "entries_added", None, first.entries_added, second.entries_added)
    yield from compare_groups(first, second)
    yield from _compare_producers(first.producers, second.producers)


def compare_groups(first: StreamValue, second: StreamValue) -> Iterator[Change]:
    """Yield the differences between the consumer groups of two streams."""
    groups = [{group.name: group for group in value.groups} for value in (first, second)]
    for sign, name, before, after in match_names(groups[0], groups[1], lambda _a, _b: False):
        if before is None or after is None:
            yield Change(sign, "group", name, before, after)
        else:
            yield from _compare_group(before, after)
    yield from find_repeats([group.name for group in first.groups], [group.name for group in second.groups])


def _compare_group(first: StreamGroup, second: StreamGroup) -> Iterator[Change]:
    name = second.name
    if first.last_id != second.last_id:
        yield Change("~", "last_id", None, first.last_id, second.last_id, name)
    read = first.entries_read, second.entries_read
    if None not in read and read[0] != read[1]:
        yield Change("~", "entries_read", None, *read, name)
    consumers = [{consumer.name: None for consumer in group.consumers} for group in (first, second)]
    for sign, consumer, _, _ in match_names(consumers[0], consumers[1], eq):
        yield Change(sign, "consumer", consumer, None, None, name)
    pending = [{entry.id: entry for entry in group.pending} for group in (first, second)]
    for sign, id_, before, after in match_names(pending[0], pending[1], eq):
        yield Change(sign, "pending", id_, before, after, name)
    for names in (_consumers, _ids):
        for repeats in find_repeats(names(first), names(second)):
            yield repeats._replace(group=name)


def _consumers(group: StreamGroup) -> list[Hashable]:
    return [consumer.name for consumer in group.consumers]


def _ids(group: StreamGroup) -> list[Hashable]:
    return [entry.id for entry in group.pending]


def _compare_producers(first: StreamProducers | None, second: StreamProducers | None) -> Iterator[Change]:
    """Yield the differences in the state of idempotent producers, if both sides store any."""
    if first is None or second is None or first == second:
        return
    ids = [sum(len(rows) for _, rows in value.producers) for value in (first, second)]
    yield Change("~", "producers", None, f"{ids[0]} ids", f"{ids[1]} ids")
