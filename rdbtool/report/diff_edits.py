"""Commands that change a value in place, by type.

Elements are added before others are removed: an emptied collection is deleted, and its expiry with it. There is no edit
where it would take more commands than rewriting the value, or could not reach the value.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rdbtool.core.light_typing import Final
from rdbtool.core.rdb_types import MAX_FIELD_EXPIRE_MS
from rdbtool.core.servers import Rules
from rdbtool.model import (
    HashValue,
    KeyRecord,
    ListValue,
    SetValue,
    StreamEntry,
    StreamGroup,
    StreamID,
    StreamValue,
    ZSetValue,
)
from rdbtool.operations.diff.change import are_near
from rdbtool.operations.diff.lists import find_hunks
from rdbtool.operations.diff.streams import compare_groups
from rdbtool.operations.diff.values import score_bits
from rdbtool.report.formatting import show_score

#: A command as its arguments.
Words = list[bytes]

#: Elements per command, as in the servers' own rewrites.
_BATCH: Final = 64

#: List elements set one by one: each LSET walks the list.
_MOST_SET: Final = 128

#: The greatest field expiry (Unix ms) that commands accept.
_LAST_FIELD_EXPIRY: Final = MAX_FIELD_EXPIRE_MS >> 2

_ZERO: Final = StreamID(0, 0)


def edit_value(first: KeyRecord, second: KeyRecord, server: Rules, tolerance_ms: int = 0) -> list[Words] | None:
    """Return the commands that turn ``first`` into ``second``, None if the value must be rewritten."""
    key = second.key
    match (first.value, second.value):
        case (HashValue() as before, HashValue() as after):
            return _edit_hash(key, before, after, server, tolerance_ms)
        case (SetValue() as before, SetValue() as after):
            return _edit_set(key, before, after, server)
        case (ZSetValue() as before, ZSetValue() as after):
            return _edit_zset(key, before, after, server)
        case (ListValue() as before, ListValue() as after):
            return _edit_list(key, before.elements, after.elements, server)
        case (StreamValue() as before, StreamValue() as after):
            return _edit_stream(key, before, after, server)
    return None


def _batches(verb: bytes, key: bytes, words: Sequence[bytes], server: Rules, each: int = 1) -> Iterator[Words]:
    """Yield commands with a batch of arguments each; every ``each`` arguments belong together."""
    size = (_BATCH if server.has((2, 4)) or verb == b"HMSET" else 1) * each
    for start in range(0, len(words), size):
        yield [verb, key, *words[start : start + size]]


def _edit_hash(key: bytes, first: HashValue, second: HashValue, server: Rules, tolerance_ms: int) -> list[Words] | None:
    before = {name: (data, expiry) for name, data, expiry in first.fields}
    names = {name for name, _, _ in second.fields}
    expiries = [row[2] for value in (first, second) for row in value.fields if row[2] is not None]
    if expiries and (not server.has((7, 4), (9, 0)) or max(expiries) > _LAST_FIELD_EXPIRY):
        return None
    words: Words = []
    late: list[Words] = []
    for name, data, expiry in second.fields:
        old_data, old_expiry = before.get(name, (None, None))
        if old_data != data:
            # Setting a field clears its expiry.
            words += [name, data]
            old_expiry = None
            is_near = expiry is None
        else:
            is_near = are_near(old_expiry, expiry, tolerance_ms)
        if not is_near:
            verb = [b"HPERSIST", key] if expiry is None else [b"HPEXPIREAT", key, b"%d" % expiry]
            late.append([*verb, b"FIELDS", b"1", name])
    removed = [name for name in before if name not in names]
    return [*_batches(b"HMSET", key, words, server, 2), *late, *_batches(b"HDEL", key, removed, server)]


def _edit_set(key: bytes, first: SetValue, second: SetValue, server: Rules) -> list[Words]:
    before, after = dict.fromkeys(first.members), dict.fromkeys(second.members)
    added = [member for member in after if member not in before]
    removed = [member for member in before if member not in after]
    return [*_batches(b"SADD", key, added, server), *_batches(b"SREM", key, removed, server)]


def _edit_zset(key: bytes, first: ZSetValue, second: ZSetValue, server: Rules) -> list[Words] | None:
    before, after = dict(first.members), dict(second.members)
    words: Words = []
    for member, score in after.items():
        old = before.get(member)
        if old is None or score_bits(old) != score_bits(score):
            if old == score:
                # ZADD treats 0 and -0 as equal and keeps the existing score.
                return None
            words += [show_score(score).encode(), member]
    removed = [member for member in before if member not in after]
    return [*_batches(b"ZADD", key, words, server, 2), *_batches(b"ZREM", key, removed, server)]


def _edit_list(key: bytes, first: Sequence[bytes], second: Sequence[bytes], server: Rules) -> list[Words] | None:
    """Set elements, or trim and push at the ends; return None for a list that changes in the middle."""
    hunks = find_hunks(first, second)
    places = sum(stop - start for start, stop, _, _ in hunks)
    if places <= _MOST_SET and all((start, stop) == (at, end) for start, stop, at, end in hunks):
        return [
            [b"LSET", key, b"%d" % place, second[place]] for start, stop, _, _ in hunks for place in range(start, stop)
        ]
    head, tail = 0, len(first)
    front: Sequence[bytes] = ()
    back: Sequence[bytes] = ()
    for start, stop, at, end in hunks:
        if stop == len(first):
            tail, back = start, second[at:end]
        elif start == 0:
            head, front = stop, second[at:end]
        else:
            return None
    if head >= tail:
        return None
    edits: list[Words] = []
    if (head, tail) != (0, len(first)):
        edits.append([b"LTRIM", key, b"%d" % head, b"%d" % (tail - 1)])
    edits += _batches(b"RPUSH", key, back, server)
    edits += _batches(b"LPUSH", key, front[::-1], server)
    return edits


def _edit_stream(key: bytes, first: StreamValue, second: StreamValue, server: Rules) -> list[Words] | None:
    """Delete entries, add others after the last one, then set the counters and change groups."""
    before = {entry.id: entry for entry in first.entries}
    after = {entry.id: entry for entry in second.entries}
    removed = [id_ for id_ in before if id_ not in after]
    added = [entry for id_, entry in after.items() if id_ not in before]
    if any(before[id_] != entry for id_, entry in after.items() if id_ in before):
        return None
    if any(not first.last_id < entry.id for entry in added) or second.last_id < first.last_id:
        return None
    has_counters = server.has((7, 0)) and second.entries_added is not None
    if has_counters and second.max_deleted_id == _ZERO and (removed or first.max_deleted_id != _ZERO):
        # XDEL raises max_deleted_id, and no command lowers it.
        return None
    edits = [*_batches(b"XDEL", key, [_id(id_) for id_ in removed], server), *(_add(key, entry) for entry in added)]
    words = [b"XSETID", key, _id(second.last_id)]
    if has_counters:
        words += [b"ENTRIESADDED", b"%d" % (second.entries_added or 0)]
        words += [b"MAXDELETEDID", _id(second.max_deleted_id or _ZERO)]
    edits.append(words)
    return [*edits, *_edit_groups(key, first, second, server, has_counters=has_counters)]


def _edit_groups(
    key: bytes, first: StreamValue, second: StreamValue, server: Rules, *, has_counters: bool
) -> Iterator[Words]:
    """Destroy and recreate the groups that differ."""
    parts = list(compare_groups(first, second))
    changed = {part.name if part.what == "group" else part.group for part in parts}
    for group in first.groups:
        if group.name in changed:
            yield [b"XGROUP", b"DESTROY", key, group.name]
    for group in second.groups:
        if group.name in changed:
            yield from _create_group(key, group, server, has_counters=has_counters)


def _create_group(key: bytes, group: StreamGroup, server: Rules, *, has_counters: bool) -> Iterator[Words]:
    words = [b"XGROUP", b"CREATE", key, group.name, _id(group.last_id)]
    if has_counters:
        words += [b"ENTRIESREAD", b"%d" % (-1 if group.entries_read is None else group.entries_read)]
    yield words
    if server.has((6, 2)):
        for consumer in group.consumers:
            yield [b"XGROUP", b"CREATECONSUMER", key, group.name, consumer.name]
    for entry in group.pending:
        yield [
            *(b"XCLAIM", key, group.name, entry.consumer or b"", b"0", _id(entry.id)),
            *(b"TIME", b"%d" % entry.delivered_at_ms, b"RETRYCOUNT", b"%d" % entry.delivery_count),
            *(b"JUSTID", b"FORCE"),
        ]


def _add(key: bytes, entry: StreamEntry) -> Words:
    return [b"XADD", key, _id(entry.id), *(word for pair in entry.fields for word in pair)]


def _id(id_: StreamID) -> bytes:
    return b"%d-%d" % (id_.ms, id_.seq)
