"""Consumer groups of streams: making and removing them, and acknowledging what was delivered (format D5)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from rdbtool.core.light_typing import TYPE_CHECKING, Final
from rdbtool.engine.arguments import INT64_MAX, parse_int
from rdbtool.engine.command_errors import SYNTAX, CommandError, describe_subcommand
from rdbtool.engine.handlers import command
from rdbtool.engine.replies import OK, Reply
from rdbtool.engine.streams.arguments import (
    delete_by_strategy,
    find_stream,
    knows,
    make_stream,
    parse_id,
    parse_ids_block,
    parse_options,
    parse_strategy_and_ids,
)
from rdbtool.engine.streams.consumers import ConsumerData, GroupData
from rdbtool.engine.streams.data import StreamData
from rdbtool.engine.streams.pending import PendingData

if TYPE_CHECKING:
    from rdbtool.engine.engine import Engine

_NO_KEY: Final = (
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM "
    "option to create an empty stream automatically."
)


@command("XGROUP CREATE")
def xgroup_create(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """XGROUP CREATE key group id|$ [MKSTREAM] [ENTRIESREAD count]."""
    may_create, entries_read = _parse_group_options(engine, argv, is_creating=True)
    stream = find_stream(engine, argv[2])
    if stream is None and not may_create:
        raise CommandError(_NO_KEY)
    newest = 0 if stream is None else stream.last_id
    last_id = newest if argv[4] == b"$" else parse_id(argv[4])
    if stream is None:
        stream = make_stream(engine.rules)
        engine.db.put(argv[2], stream)
    elif argv[3] in stream.groups:
        raise CommandError("BUSYGROUP Consumer Group name already exists")
    stream.groups[argv[3]] = GroupData(last_id, _clamp_reads(engine, stream, entries_read))
    return OK


@command("XGROUP SETID")
def xgroup_setid(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """XGROUP SETID key group id|$ [ENTRIESREAD count]."""
    _, entries_read = _parse_group_options(engine, argv, is_creating=False)
    stream, group = _find_subject(engine, argv)
    group.last_id = stream.last_id if argv[4] == b"$" else parse_id(argv[4], strict=False)
    group.entries_read = _clamp_reads(engine, stream, entries_read)
    return OK


@command("XGROUP DESTROY")
def xgroup_destroy(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """XGROUP DESTROY key group."""
    _refuse_more(argv, 4)
    stream = find_stream(engine, argv[2])
    if stream is None:
        raise CommandError(_NO_KEY)
    return 0 if stream.groups.pop(argv[3], None) is None else 1


@command("XGROUP CREATECONSUMER")
def xgroup_createconsumer(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """XGROUP CREATECONSUMER key group consumer."""
    _refuse_more(argv, 5)
    _, group = _find_subject(engine, argv)
    if argv[4] in group.consumers:
        return 0
    make_consumer(engine, group, argv[4])
    return 1


@command("XGROUP DELCONSUMER")
def xgroup_delconsumer(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """XGROUP DELCONSUMER key group consumer: what is pending for it goes too."""
    _refuse_more(argv, 5)
    _, group = _find_subject(engine, argv)
    consumer = group.consumers.pop(argv[4], None)
    owned = [] if consumer is None else group.pending.ids_from(0, consumer)
    for entry_id in owned:
        group.pending.discard(entry_id)
    return len(owned)


@command("XACK")
def xack(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """XACK key group id [id …]."""
    stream = find_stream(engine, argv[1])
    group = None if stream is None else stream.groups.get(argv[2])
    if group is None:
        return 0
    before = len(group.pending)
    for entry_id in [parse_id(text) for text in argv[3:]]:
        group.pending.discard(entry_id)
    return before - len(group.pending)


@command("XACKDEL")
def xackdel(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """XACKDEL key group [KEEPREF|DELREF|ACKED] IDS numids id [id …]."""
    stream = find_stream(engine, argv[1])
    strategy, texts = parse_strategy_and_ids(argv, 3)
    group = None if stream is None else stream.groups.get(argv[2])
    if stream is None or group is None:
        return [-1] * len(texts)
    replies: list[Reply] = []
    for entry_id in [parse_id(text) for text in texts]:
        was_pending = group.pending.discard(entry_id)
        # To acknowledge a deleted entry counts as to delete it.
        replies.append(abs(delete_by_strategy(stream, entry_id, strategy)) if was_pending else -1)
    return replies


@command("XNACK")
def xnack(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """XNACK key group SILENT|FAIL|FATAL IDS numids id [id …] [RETRYCOUNT count] [FORCE]."""
    mode = argv[3].upper()
    if mode not in (b"SILENT", b"FAIL", b"FATAL") or argv[4].upper() != b"IDS":
        raise CommandError(SYNTAX)
    texts, at = parse_ids_block(argv, 5)
    ids = [parse_id(text) for text in texts]
    options = parse_options(argv, at, flags=(b"FORCE",), values=(b"RETRYCOUNT",))
    count = parse_int(options[b"RETRYCOUNT"]) if b"RETRYCOUNT" in options else None
    if count is not None and count < 0:
        raise CommandError("ERR RETRYCOUNT must be >= 0")
    _, group = find_group(engine, argv[1], argv[2])
    changed = 0
    for entry_id in ids:
        pending = group.pending.get(entry_id)
        if pending is None and b"FORCE" in options:
            pending = PendingData(None, 0, 0)
        if pending is not None:
            changed += 1
            deliveries = _count_after_nack(pending.delivery_count, mode) if count is None else count
            group.pending[entry_id] = PendingData(None, 0, deliveries)
    return changed


def _count_after_nack(count: int, mode: bytes) -> int:
    if mode == b"FATAL":
        return INT64_MAX
    return max(0, count - 1) if mode == b"SILENT" else count


# ---- arguments ----------------------------------------------------------------------


def _parse_group_options(engine: Engine, argv: Sequence[bytes], *, is_creating: bool) -> tuple[bool, int | None]:
    flags = (b"MKSTREAM",) if is_creating else ()
    knows = partial(engine.knows, b"XGROUP CREATE" if is_creating else b"XGROUP SETID")
    try:
        options = parse_options(argv, 5, flags=flags, values=(b"ENTRIESREAD",), knows=knows)
    except CommandError:
        raise CommandError(describe_subcommand(argv)) from None
    number = parse_int(options.get(b"ENTRIESREAD", b"-1"))
    if number < -1:
        raise CommandError("ERR value for ENTRIESREAD must be positive or -1")
    return b"MKSTREAM" in options, None if number == -1 else number


def _clamp_reads(engine: Engine, stream: StreamData, entries_read: int | None) -> int | None:
    """Return how many entries a group has read: since Redis 8.2 no more than were ever added."""
    if entries_read is None or not engine.rules.has((8, 2), None):
        return entries_read
    return min(entries_read, stream.entries_added or 0)


def _refuse_more(argv: Sequence[bytes], count: int) -> None:
    """Refuse further arguments: XGROUP counts them itself, so this holds while loading too."""
    if len(argv) > count:
        raise CommandError(describe_subcommand(argv))


def _find_subject(engine: Engine, argv: Sequence[bytes]) -> tuple[StreamData, GroupData]:
    """Find what an XGROUP subcommand is about."""
    stream = find_stream(engine, argv[2])
    if stream is None:
        raise CommandError(_NO_KEY)
    group = stream.groups.get(argv[3])
    if group is None:
        name, key = (text.decode("utf-8", "backslashreplace") for text in (argv[3], argv[2]))
        raise CommandError(f"NOGROUP No such consumer group '{name}' for key name '{key}'")
    return stream, group


def find_group(engine: Engine, key: bytes, name: bytes) -> tuple[StreamData, GroupData]:
    """Return the stream of a key and one of its groups. Raises CommandError."""
    stream = find_stream(engine, key)
    group = None if stream is None else stream.groups.get(name)
    if stream is None or group is None:
        raise CommandError(describe_missing(key, name))
    return stream, group


def describe_missing(key: bytes, name: bytes) -> str:
    """Return the reply for a key or a group that is not there."""
    shown = (text.decode("utf-8", "backslashreplace") for text in (key, name))
    return "NOGROUP No such key '{}' or consumer group '{}'".format(*shown)


def make_consumer(engine: Engine, group: GroupData, name: bytes) -> ConsumerData:
    """Add a consumer. Since 7.2 servers note separately when one was active: -1 for never."""
    active = -1 if knows(engine.rules, (7, 2)) else None
    consumer = group.consumers[name] = ConsumerData(name, engine.now_ms, active)
    return consumer


def refresh_consumer(engine: Engine, group: GroupData, name: bytes) -> ConsumerData:
    """Return a consumer with the current time as its seen time, created if it does not exist."""
    consumer = group.consumers.get(name)
    if consumer is None:
        return make_consumer(engine, group, name)
    consumer.seen_at_ms = engine.now_ms
    return consumer


def touch(engine: Engine, consumer: ConsumerData) -> None:
    """Note that a consumer was given something."""
    if knows(engine.rules, (7, 2)):
        consumer.active_at_ms = engine.now_ms
