"""What is delivered to the consumers of a group, and who takes it over (format D5).

A server writes what reading and claiming does to a group as XCLAIM and XGROUP SETID. The commands that it
never writes (XREADGROUP, XAUTOCLAIM) are executed as it would do at ``now_ms``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import islice

from rdbtool.core.light_typing import TYPE_CHECKING, Final, NamedTuple
from rdbtool.engine.arguments import INT64_MAX, INT64_MIN, parse_int
from rdbtool.engine.command_errors import SYNTAX, CommandError, UnknownEffectError
from rdbtool.engine.commands.groups import describe_missing, find_group, refresh_consumer, touch
from rdbtool.engine.commands.lists import refuse_to_block
from rdbtool.engine.handlers import command
from rdbtool.engine.replies import Later, Reply, show_entry
from rdbtool.engine.streams.arguments import INVALID_ID, find_stream, knows, parse_id, parse_options
from rdbtool.engine.streams.consumers import ConsumerData, GroupData
from rdbtool.engine.streams.data import StreamData
from rdbtool.engine.streams.ids import MAX_ID, U64, show_id
from rdbtool.engine.streams.pending import PendingData

if TYPE_CHECKING:
    from rdbtool.engine.engine import Engine

#: XAUTOCLAIM looks at so many pending entries for each that it may claim.
_ATTEMPTS: Final = 10

#: Options of XCLAIM that have a value, and what is said of a wrong one.
_CLAIM_VALUES: Final = {
    word.encode(): f"ERR Invalid {word} option argument for XCLAIM" for word in ("IDLE", "TIME", "RETRYCOUNT", "LASTID")
}


# ---- claiming ----------------------------------------------------------------------------------


class _Claim(NamedTuple):
    """The options of XCLAIM; ``delivered_at_ms`` is when the claimed entries count as delivered."""

    delivered_at_ms: int
    last_id: int = 0
    delivery_count: int | None = None
    may_create: bool = False
    just_ids: bool = False


@command("XCLAIM")
def xclaim(engine: Engine, argv: Sequence[bytes]) -> Later:
    """XCLAIM key group consumer min-idle-time id [id …] [options]."""
    stream, group = find_group(engine, argv[1], argv[2])
    min_idle = parse_int(argv[4], "ERR Invalid min-idle-time argument for XCLAIM")
    ids: list[int] = []
    for text in argv[5:]:
        if text[:1].isalpha():
            # The options begin.
            break
        try:
            ids.append(parse_id(text))
        except CommandError:
            break
    claim = _parse_claim(engine, argv, 5 + len(ids))
    if _may_be_before_7_0(engine) and any(one in group.pending and one not in stream for one in ids):
        raise UnknownEffectError("XCLAIM of a deleted entry: servers before Redis 7.0 claim it, later ones forget it")
    group.last_id = max(group.last_id, claim.last_id)
    claiming = _Claiming(engine, stream, group, argv[3], min_idle)
    claimed: list[int] = []
    for entry_id in ids:
        if claiming.has_lost(entry_id):
            continue
        if entry_id not in group.pending:
            if not claim.may_create or entry_id not in stream:
                continue
            group.pending[entry_id] = PendingData(None, engine.now_ms, 1)
        if claiming.take(entry_id, claim):
            claimed.append(entry_id)
    return partial(_show_claimed, stream, claimed, claim)


@command("XAUTOCLAIM")
def xautoclaim(engine: Engine, argv: Sequence[bytes]) -> Later:
    """XAUTOCLAIM key group consumer min-idle-time start [COUNT count] [JUSTID]."""
    min_idle = parse_int(argv[4], "ERR Invalid min-idle-time argument for XAUTOCLAIM")
    is_open = argv[5].startswith(b"(") and len(argv[5]) > 1
    start = parse_id(argv[5][is_open:], strict=is_open) + is_open
    if start > MAX_ID:
        raise CommandError("ERR invalid start ID for the interval")
    options = parse_options(argv, 6, flags=(b"JUSTID",), values=(b"COUNT",))
    error = "ERR COUNT must be > 0"
    count = parse_int(options.get(b"COUNT", b"100"), error)
    if not 1 <= count <= (INT64_MAX // 16 if engine.rules.has((7, 0)) else INT64_MAX):
        raise CommandError(error)
    stream, group = find_group(engine, argv[1], argv[2])
    claiming = _Claiming(engine, stream, group, argv[3], min_idle)
    claim = _Claim(engine.now_ms, just_ids=b"JUSTID" in options)
    claimed: list[int] = []
    lost: list[int] = []
    waiting = group.pending.ids_from(start)
    # The ID to go on from.
    cursor = 0
    for at, entry_id in enumerate(waiting):
        if len(claimed) + len(lost) == count or at == count * _ATTEMPTS:
            cursor = entry_id
            break
        if claiming.has_lost(entry_id):
            lost.append(entry_id)
        elif claiming.take(entry_id, claim):
            claimed.append(entry_id)

    def reply() -> Reply:
        shown: list[Reply] = [show_id(cursor), _show_claimed(stream, claimed, claim)]
        return [*shown, [show_id(entry_id) for entry_id in lost]] if knows(engine.rules, (7, 0)) else shown

    return reply


def _show_claimed(stream: StreamData, ids: list[int], claim: _Claim) -> Reply:
    if claim.just_ids:
        return [show_id(entry_id) for entry_id in ids]
    # Before 7.0 there may be deleted ones among them.
    return [show_entry(stream, entry_id) if entry_id in stream else None for entry_id in ids]


def _may_be_before_7_0(engine: Engine) -> bool:
    """Return whether no server was named, and one before Redis 7.0 may have written the AOF."""
    if not engine.are_rules_guessed:
        return False
    least = None if engine.needs is None else engine.needs.least.get("redis", engine.rules)
    return least is None or not least.has((7, 0))


class _Claiming:
    """One command's claims for a consumer, which is made when it is first needed: since 7.2 at once."""

    def __init__(self, engine: Engine, stream: StreamData, group: GroupData, name: bytes, min_idle: int) -> None:
        self.engine = engine
        self.stream = stream
        self.group = group
        self.name = name
        self.min_idle = min_idle
        self.forgets_deleted = knows(engine.rules, (7, 0))
        self.consumer = refresh_consumer(engine, group, name) if knows(engine.rules, (7, 2)) else None

    def has_lost(self, entry_id: int) -> bool:
        """Forget a pending entry that the stream has no more; return whether that was so. Before 7.0 it stayed."""
        if not self.forgets_deleted or entry_id in self.stream:
            return False
        return self.group.pending.discard(entry_id)

    def take(self, entry_id: int, claim: _Claim) -> bool:
        """Give a pending entry to the consumer; return whether it was idle for long enough."""
        pending = self.group.pending[entry_id]
        idle = self.engine.now_ms - pending.delivered_at_ms
        if pending.consumer is not None and self.min_idle > 0 and idle < self.min_idle:
            return False
        if self.consumer is None:
            self.consumer = refresh_consumer(self.engine, self.group, self.name)
        count = pending.delivery_count
        if claim.delivery_count is not None:
            count = claim.delivery_count
        elif not claim.just_ids:
            count = (count + 1) & U64
        self.group.pending[entry_id] = PendingData(self.consumer, claim.delivered_at_ms, count)
        touch(self.engine, self.consumer)
        return True


def _parse_claim(engine: Engine, argv: Sequence[bytes], at: int) -> _Claim:
    now = delivered_at_ms = engine.now_ms
    last_id = 0
    count: int | None = None
    may_create = just_ids = False
    while at < len(argv):
        word = argv[at].upper()
        if word == b"FORCE":
            may_create = True
        elif word == b"JUSTID":
            just_ids = True
        elif at + 1 == len(argv) or word not in _CLAIM_VALUES:
            raise CommandError(f"ERR Unrecognized XCLAIM option '{argv[at].decode('utf-8', 'backslashreplace')}'")
        else:
            at += 1
            if word == b"LASTID":
                last_id = parse_id(argv[at])
            else:
                number = parse_int(argv[at], _CLAIM_VALUES[word])
                if word == b"RETRYCOUNT":
                    count = None if number < 0 else number
                else:
                    moment = now - number if word == b"IDLE" else number
                    # Servers take a time that cannot be for now.
                    delivered_at_ms = moment if 0 <= moment <= now else now
        at += 1
    return _Claim(delivered_at_ms, last_id, count, may_create, just_ids)


# ---- reading -----------------------------------------------------------------------------------


#: What the number of an option is called, and the lowest.
_READ_NUMBERS: Final = {
    b"COUNT": ("value", INT64_MIN),
    b"BLOCK": ("timeout", 0),
    b"CLAIM": ("min-idle-time", 0),
}


class _Read(NamedTuple):
    group: bytes
    consumer: bytes
    limit: int | None
    keeps_no_track: bool
    may_wait: bool
    keys: Sequence[bytes]
    ids: Sequence[bytes]


@command("XREADGROUP")
def xreadgroup(engine: Engine, argv: Sequence[bytes]) -> Later:
    """XREADGROUP GROUP group consumer [COUNT count] [BLOCK ms] [NOACK] STREAMS key [key …] id [id …]."""
    read = _parse_read(engine, argv)
    parts: list[tuple[StreamData, GroupData, int]] = []
    for key, text in zip(read.keys, read.ids, strict=True):
        stream = find_stream(engine, key)
        group = None if stream is None else stream.groups.get(read.group)
        if stream is None or group is None:
            raise CommandError(describe_missing(key, read.group) + " in XREADGROUP with GROUP option")
        if text in (b"$", b"+"):
            raise CommandError(_describe_meaningless(engine, text.decode()))
        parts.append((stream, group, MAX_ID if text == b">" else parse_id(text)))
    if read.may_wait and all(after == MAX_ID and stream.top() <= group.last_id for stream, group, after in parts):
        refuse_to_block(engine)
    found: list[tuple[bytes, StreamData, list[int]]] = []
    for key, (stream, group, after) in zip(read.keys, parts, strict=True):
        if knows(engine.rules, (7, 2)) or after != MAX_ID or stream.top() > group.last_id:
            consumer = refresh_consumer(engine, group, read.consumer)
            if after == MAX_ID:
                ids = _deliver(engine, stream, group, consumer, read)
            else:
                ids = group.pending.ids_from(after + 1, consumer)[: read.limit]
                _deliver_again(engine, stream, ids, group)
            if ids or after != MAX_ID:
                found.append((key, stream, ids))
    return lambda: [[key, [show_entry(stream, entry_id) for entry_id in ids]] for key, stream, ids in found] or None


def _describe_meaningless(engine: Engine, text: str) -> str:
    if text == "+" and not engine.rules.has((7, 4), (8, 0)):
        return INVALID_ID
    return (
        f"ERR The {text} ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer "
        "by specifying a proper ID, or use the > ID to get new messages. "
        f"The {text} ID would just return an empty result set."
    )


def _deliver(engine: Engine, stream: StreamData, group: GroupData, consumer: ConsumerData, read: _Read) -> list[int]:
    """Deliver what no consumer of the group had so far, and return its IDs."""
    counts_reads = knows(engine.rules, (7, 0))
    strict = knows(engine.rules, (8, 0), valkey=False)
    ids = [entry_id for entry_id, _ in islice(stream.entries(group.last_id + 1), read.limit)]
    for entry_id in ids:
        if counts_reads:
            since = group.last_id if strict else entry_id
            if group.entries_read is not None and not stream.has_deleted_since(since, strict=strict):
                group.entries_read += 1
            elif stream.entries_added:
                group.entries_read = stream.count_reads(entry_id, strict=strict)
        group.last_id = entry_id
        if not read.keeps_no_track:
            group.pending[entry_id] = PendingData(consumer, engine.now_ms, 1)
            touch(engine, consumer)
    return ids


def _deliver_again(engine: Engine, stream: StreamData, owned: list[int], group: GroupData) -> None:
    for entry_id in owned:
        if entry_id in stream:
            pending = group.pending[entry_id]
            count = (pending.delivery_count + 1) & U64
            group.pending[entry_id] = PendingData(pending.consumer, engine.now_ms, count)


def _parse_read(engine: Engine, argv: Sequence[bytes]) -> _Read:
    at, options = _parse_read_options(engine, argv)
    rest = argv[at + 1 :]
    if not rest:
        raise CommandError(SYNTAX)
    if len(rest) % 2:
        what, last = ("'xreadgroup'", ">") if engine.rules.has((7, 2)) else ("XREAD", "$")
        words = f"Unbalanced {what} list of streams: for each stream key an ID or '{last}' must be specified."
        raise CommandError(f"ERR {words}")
    if b"GROUP" not in options:
        raise CommandError("ERR Missing GROUP option for XREADGROUP")
    if b"CLAIM" in options:
        raise UnknownEffectError("XREADGROUP with CLAIM takes entries that are idle by the server's clock")
    limit = max(0, parse_int(options.get(b"COUNT", (b"0",))[0])) or None
    half = len(rest) // 2
    group, consumer = options[b"GROUP"]
    return _Read(group, consumer, limit, b"NOACK" in options, b"BLOCK" in options, rest[:half], rest[half:])


def _parse_read_options(engine: Engine, argv: Sequence[bytes]) -> tuple[int, dict[bytes, Sequence[bytes]]]:
    """Return where STREAMS is, and the options before it with their values. Raises CommandError."""
    widths = {b"NOACK": 0, b"GROUP": 2, b"COUNT": 1, b"BLOCK": 1}
    if engine.rules.has((8, 4), None):
        widths[b"CLAIM"] = 1
    options: dict[bytes, Sequence[bytes]] = {}
    at = 1
    while at + 1 < len(argv) and (word := argv[at].upper()) != b"STREAMS":
        width = widths.get(word, len(argv))
        values = argv[at + 1 : at + 1 + width]
        if len(values) < width:
            raise CommandError(SYNTAX)
        if word in _READ_NUMBERS:
            what, least = _READ_NUMBERS[word]
            if parse_int(values[0], f"ERR {what} is not an integer or out of range") < least:
                words = "timeout is negative" if word == b"BLOCK" else f"{what} must be a positive integer"
                raise CommandError(f"ERR {words}")
        options[word] = values
        at += 1 + width
    return at, options
