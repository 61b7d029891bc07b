"""Reading and claiming in consumer groups: logged is what became of the group, in the servers' words (format D2).

What a consumer is given hangs on the clock, so a group is compared with what it was: XCLAIM says who owns an
entry and since when, XACK what is pending no more, XGROUP SETID how far the group has read. These commands also
note when a consumer was seen. They are executed here too, so that the group is in the state that its log
leads to; a consumer that no logged command names keeps the times it had.
"""

from __future__ import annotations

from rdbtool.core.light_typing import Final, NamedTuple
from rdbtool.engine.arguments import INT64_MAX
from rdbtool.engine.engine import Engine
from rdbtool.engine.streams.consumers import GroupData
from rdbtool.engine.streams.data import StreamData
from rdbtool.engine.streams.ids import U64

Argv = tuple[bytes, ...]
_Pending = tuple[bytes | None, int, int]

#: Options of XREADGROUP, and how many words each is.
_WIDTHS: Final = {b"NOACK": 1, b"COUNT": 2, b"BLOCK": 2, b"GROUP": 3}


class _Group(NamedTuple):
    """What a group was: ``pending`` by id, ``consumers`` with the times when each was seen and active."""

    last_id: int
    entries_read: int | None
    pending: dict[int, _Pending]
    consumers: dict[bytes, tuple[int | None, int | None]]


def carry_out_claim(engine: Engine, argv: Argv) -> list[Argv]:
    """Execute XCLAIM or XAUTOCLAIM."""
    return _carry_out(engine, argv, [argv[1]], argv[2])


def carry_out_read(engine: Engine, argv: Argv) -> list[Argv]:
    """Execute XREADGROUP."""
    name = b""
    at = 1
    while at < len(argv) and (width := _WIDTHS.get(argv[at].upper())) is not None:
        if width == 3 and at + 1 < len(argv):
            name = argv[at + 1]
        at += width
    words = argv[at + 1 :]
    return _carry_out(engine, argv, words[: len(words) // 2], name)


def _carry_out(engine: Engine, argv: Argv, keys: Argv | list[bytes], name: bytes) -> list[Argv]:
    before = {key: _look(group) for key in keys if (group := _find(engine, key, name)) is not None}
    engine.execute(*argv)
    logged: list[Argv] = []
    for key, old in before.items():
        group = _find(engine, key, name)
        assert group is not None
        words, seen = _effects_of(group, old, key, name)
        for command in words:
            engine.execute(*command)
        for consumer, (seen_at_ms, active_at_ms) in old.consumers.items():
            if consumer not in seen:
                group.consumers[consumer].seen_at_ms = seen_at_ms
                group.consumers[consumer].active_at_ms = active_at_ms
        logged += words
    return logged


def _effects_of(group: GroupData, old: _Group, key: bytes, name: bytes) -> tuple[list[Argv], set[bytes]]:
    """Return the commands that make a group what it is now, and the consumers that these see."""
    new = _look(group)
    claims: dict[_Pending, list[int]] = {}
    for entry_id, state in sorted(new.pending.items()):
        if old.pending.get(entry_id) != state:
            claims.setdefault(state, []).append(entry_id)
    owners = {owner for owner, _, _ in claims if owner is not None}
    created = [consumer for consumer in new.consumers if consumer not in old.consumers and consumer not in owners]
    gone = sorted(old.pending.keys() - new.pending.keys())
    words: list[Argv] = [(b"XGROUP", b"CREATECONSUMER", key, name, consumer) for consumer in created]
    for (owner, delivered_at_ms, count), ids in claims.items():
        assert owner is not None
        options = (b"TIME", b"%d" % delivered_at_ms, b"RETRYCOUNT", b"%d" % min(count, INT64_MAX))
        words.append((b"XCLAIM", key, name, owner, b"0", *map(_text, ids), *options, b"FORCE", b"JUSTID"))
    if gone:
        words.append((b"XACK", key, name, *map(_text, gone)))
    if (new.last_id, new.entries_read) != (old.last_id, old.entries_read):
        # What no command can set becomes unknown.
        reads = -1 if new.entries_read is None or new.entries_read > INT64_MAX else new.entries_read
        words.append((b"XGROUP", b"SETID", key, name, _text(new.last_id), b"ENTRIESREAD", b"%d" % reads))
    return words, owners.union(created)


def _find(engine: Engine, key: bytes, name: bytes) -> GroupData | None:
    stream = engine.db.keys.get(key)
    return stream.groups.get(name) if isinstance(stream, StreamData) else None


def _look(group: GroupData) -> _Group:
    return _Group(
        group.last_id,
        group.entries_read,
        {
            entry_id: (None if row.consumer is None else row.consumer.name, row.delivered_at_ms, row.delivery_count)
            for entry_id, row in group.pending.items()
        },
        {consumer.name: (consumer.seen_at_ms, consumer.active_at_ms) for consumer in group.consumers.values()},
    )


def _text(entry_id: int) -> bytes:
    return b"%d-%d" % (entry_id >> 64, entry_id & U64)
