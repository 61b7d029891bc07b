"""Streams: adding, deleting and trimming entries, and setting counters (format D5).

The id of a new entry has to be in the AOF: ``*`` asks for the time of day, which an AOF never does. Trimming with ``~``
removes whole nodes of the server's; where their limits cannot be known it is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, islice

from rdbtool.core.light_typing import TYPE_CHECKING, Final, NamedTuple
from rdbtool.engine.arguments import is_int, parse_int
from rdbtool.engine.command_errors import NO_SUCH_KEY, SYNTAX, ArityError, CommandError, UnknownEffectError
from rdbtool.engine.handlers import command
from rdbtool.engine.replies import OK, Later, Reply
from rdbtool.engine.streams.arguments import (
    ACKED,
    DELREF,
    KEEPREF,
    STRATEGIES,
    delete_by_strategy,
    find_stream,
    make_stream,
    parse_id,
    parse_new_id,
    parse_options,
    parse_strategy_and_ids,
    settle,
)
from rdbtool.engine.streams.data import StreamData
from rdbtool.engine.streams.ids import MAX_ID, U64, Fields, show_id
from rdbtool.engine.streams.producers import ProducersData

if TYPE_CHECKING:
    from rdbtool.engine.engine import Engine

_PRODUCER_LIMITS: Final = {b"IDMP-DURATION": (86_400, "seconds"), b"IDMP-MAXSIZE": (10_000, "entries")}


class _Options(NamedTuple):
    """What precedes the ID of XADD: ``at`` is where that is."""

    at: int
    trimming: Trimming | None
    may_create: bool = True
    producer: tuple[bytes, bytes] | None = None


_PLAIN: Final = _Options(2, None)
_EXACT: Final = (b"MAXLEN", b"=")


@command("XADD")
def xadd(engine: Engine, argv: Sequence[bytes]) -> Reply | Later:  # noqa: C901 - the checks of servers, in their order
    """XADD key [options] id field value [field value …]."""
    options = _PLAIN if argv[2][:1].isdigit() else _parse_options(engine, argv, is_adding=True)
    at = options.at
    value = engine.db.keys.get(argv[1])
    new_id = parse_new_id(engine, argv[at], value.last_id if type(value) is StreamData else 0)
    count = len(argv) - at - 1
    if count < 2 or count & 1:
        raise ArityError("ERR wrong number of arguments for 'xadd' command")
    if new_id == 0 and not argv[at].endswith(b"-*"):
        raise CommandError("ERR The ID specified in XADD must be greater than 0-0")
    stream = engine.db.find(argv[1], StreamData)
    if stream is None and options.may_create:
        stream = make_stream(engine.rules)
    if stream is None:
        return None
    known_id = _find_duplicate(stream, options.producer)
    if known_id is not None:
        return show_id(known_id)
    if new_id is None or new_id <= stream.last_id:
        raise CommandError(_why_refused(engine, stream, is_exhausted=new_id is None))
    entry = tuple(argv[at + 1 :])
    trimming = options.trimming
    # The new entry counts too, and a refusal must come before it is there.
    nodes = None if trimming is None or trimming.is_exact else plan_approximate(stream, trimming, (new_id, entry))
    if stream.entries_added is None:
        settle(engine, stream)
    stream.append(new_id, entry)
    engine.db.put(argv[1], stream)
    if options.producer is not None:
        if stream.producers is None:
            stream.producers = ProducersData()
        stream.producers.record(*options.producer, new_id)
    if trimming is not None:
        trim(stream, trimming, nodes)
    return stream.show_last_id


def _why_refused(engine: Engine, stream: StreamData, *, is_exhausted: bool) -> str:
    if is_exhausted and stream.last_id != MAX_ID and not engine.rules.has((7, 2)):
        return "ERR Elements are too large to be stored"
    if stream.last_id == MAX_ID:
        return "ERR The stream has exhausted the last possible ID, unable to add more items"
    return "ERR The ID specified in XADD is equal or smaller than the target stream top item"


def _find_duplicate(stream: StreamData, producer: tuple[bytes, bytes] | None) -> int | None:
    """Return the entry if a producer added this before, and count that."""
    if producer is None or stream.producers is None:
        return None
    known_id = stream.producers.find(*producer)
    if known_id is not None:
        stream.producers.ids_duplicate += 1
    return known_id


@command("XTRIM")
def xtrim(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """XTRIM key MAXLEN|MINID [=|~] threshold [LIMIT count] [KEEPREF|DELREF|ACKED]."""
    if not engine.rules.has((6, 2)) and argv[1] not in engine.db.keys:
        # Without the key, older servers do not look at the rest.
        return 0
    trimming: Trimming | None
    if len(argv) == 5 and argv[2:4] == _EXACT and argv[4].isdigit() and engine.knows(b"XTRIM", b"MAXLEN"):
        # What servers write of every trimming by length.
        trimming = Trimming(by_length=True, is_exact=True, bound=parse_int(argv[4]))
    else:
        trimming = _parse_options(engine, argv, is_adding=False).trimming
    stream = find_stream(engine, argv[1])
    if stream is None or trimming is None:
        return 0
    removals = None if trimming.is_exact else plan_approximate(stream, trimming)
    return trim(stream, trimming, removals)


@command("XDEL")
def xdel(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """XDEL key id [id …]."""
    stream = find_stream(engine, argv[1])
    if stream is None:
        return 0
    deleted = 0
    for entry_id in [parse_id(text) for text in argv[2:]]:
        deleted += stream.delete(entry_id)
    return deleted


@command("XDELEX")
def xdelex(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """XDELEX key [KEEPREF|DELREF|ACKED] IDS numids id [id …]."""
    stream = find_stream(engine, argv[1])
    strategy, texts = parse_strategy_and_ids(argv, 2)
    if stream is None:
        return [-1] * len(texts)
    return [delete_by_strategy(stream, entry_id, strategy) for entry_id in [parse_id(text) for text in texts]]


@command("XSETID")
def xsetid(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """XSETID key last-id [ENTRIESADDED count] [MAXDELETEDID id]."""
    last_id = parse_id(argv[2])
    # Before 7.0 a server that loads an AOF does not look after the ID.
    has_counters = len(argv) > 3 and engine.knows(b"XSETID", b"ENTRIESADDED")
    added, max_deleted = _parse_counters(argv) if has_counters else (None, 0)
    if last_id < max_deleted:
        raise CommandError("ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id")
    stream = find_stream(engine, argv[1])
    if stream is None:
        raise CommandError(NO_SUCH_KEY)
    if last_id < stream.max_deleted_id and engine.rules.has((7, 2)):
        raise CommandError("ERR The ID specified in XSETID is smaller than current max_deleted_entry_id")
    if last_id < stream.top():
        raise CommandError("ERR The ID specified in XSETID is smaller than the target stream top item")
    if added is not None and added < stream.length:
        raise CommandError("ERR The entries_added specified in XSETID is smaller than the target stream length")
    stream.last_id = last_id
    if added is not None:
        stream.entries_added = added
    if max_deleted:
        stream.max_deleted_id = max_deleted
    return OK


def _parse_counters(argv: Sequence[bytes]) -> tuple[int | None, int]:
    options = parse_options(argv, 3, values=(b"ENTRIESADDED", b"MAXDELETEDID"))
    added = parse_int(options[b"ENTRIESADDED"]) if b"ENTRIESADDED" in options else None
    if added is not None and added < 0:
        raise CommandError("ERR entries_added must be positive")
    return added, parse_id(options.get(b"MAXDELETEDID", b"0-0"))


@command("XCFGSET")
def xcfgset(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """XCFGSET key [IDMP-DURATION seconds] [IDMP-MAXSIZE entries]. What producers added before is forgotten."""
    options = parse_options(argv, 2, values=tuple(_PRODUCER_LIMITS))
    settings = {word: parse_int(text) for word, text in options.items()}
    if len(options) * 2 < len(argv) - 2:
        words = [word.upper() for word in argv[2::2]]
        twice = next(word for word in _PRODUCER_LIMITS if words.count(word) > 1)
        raise CommandError(f"ERR {twice.decode()} specified multiple times")
    stream = find_stream(engine, argv[1])
    if stream is None:
        raise CommandError(NO_SUCH_KEY)
    for word, number in settings.items():
        limit, unit = _PRODUCER_LIMITS[word]
        if not 1 <= number <= limit:
            raise CommandError(f"ERR {word.decode()} must be between 1 and {limit} {unit}")
    producers = stream.producers = stream.producers or ProducersData()
    producers.duration_s = settings.get(b"IDMP-DURATION", producers.duration_s)
    producers.max_entries = settings.get(b"IDMP-MAXSIZE", producers.max_entries)
    producers.producers.clear()
    return OK


@command("XIDMPRECORD")
def xidmprecord(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """XIDMPRECORD key producer idempotent-id entry: remember what a producer added."""
    entry_id = parse_id(argv[4])
    stream = find_stream(engine, argv[1])
    if stream is None:
        raise CommandError(NO_SUCH_KEY)
    if not argv[2] or not argv[3]:
        raise CommandError(f"ERR {'idempotent' if argv[2] else 'producer'} ID must be non-empty")
    if entry_id not in stream:
        raise CommandError("ERR No such message in stream")
    producers = stream.producers or ProducersData()
    known = producers.find(argv[2], argv[3])
    if known is None:
        producers.record(argv[2], argv[3], entry_id)
    elif known != entry_id:
        raise CommandError("ERR The specified IDMP producer-id/idempotent-id pair maps to a different stream ID")
    stream.producers = producers
    return OK


def _parse_options(engine: Engine, argv: Sequence[bytes], *, is_adding: bool) -> _Options:  # noqa: C901, PLR0912 - a loop over options, as servers have it
    knows = partial(engine.knows, b"XADD" if is_adding else b"XTRIM")
    trimming: Trimming | None = None
    strategy = KEEPREF
    producer: tuple[bytes, bytes] | None = None
    limit = 0
    may_create = True
    at = 2
    while at < len(argv):
        word = argv[at].upper()
        more = len(argv) - 1 - at
        if is_adding and word == b"*":
            raise UnknownEffectError("XADD with the ID * takes the ID from the server's clock")
        if more and word in (b"MAXLEN", b"MINID") and knows(word):
            if trimming is not None and engine.rules.has((6, 2)):
                raise CommandError("ERR syntax error, MAXLEN and MINID options at the same time are not compatible")
            trimming, at = _parse_trimming(argv, at, by_length=word == b"MAXLEN")
        elif more and word == b"LIMIT" and knows(word):
            at += 1
            limit = parse_int(argv[at])
            if limit < 0:
                raise CommandError("ERR The LIMIT argument must be >= 0.")
        elif is_adding and word == b"NOMKSTREAM" and knows(word):
            may_create = False
        elif word in STRATEGIES and knows(word):
            strategy = word
        elif is_adding and word in (b"IDMP", b"IDMPAUTO") and knows(word):
            if word == b"IDMPAUTO":
                raise UnknownEffectError("XADD with IDMPAUTO makes an ID that only the server can compute")
            if more < 2 or not argv[at + 1] or not argv[at + 2]:
                raise CommandError(SYNTAX)
            producer = (argv[at + 1], argv[at + 2])
            at += 2
        elif is_adding:
            break
        else:
            raise CommandError(SYNTAX)
        at += 1
    if at == len(argv) and is_adding:
        raise ArityError("ERR wrong number of arguments for 'xadd' command")
    if limit and trimming is None:
        raise CommandError("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy")
    if trimming is None and not is_adding:
        raise CommandError("ERR syntax error, XTRIM must be called with a trimming strategy")
    if trimming is not None:
        trimming = trimming._replace(strategy=strategy)
    # A limit does not apply while an AOF is loaded.
    return _Options(at, trimming, may_create, producer)


def _parse_trimming(argv: Sequence[bytes], at: int, *, by_length: bool) -> tuple[Trimming, int]:
    """Read ``MAXLEN|MINID [=|~] threshold``; return it and where the threshold stands."""
    at += 1
    is_exact = True
    if at + 1 < len(argv) and argv[at] in (b"~", b"="):
        is_exact = argv[at] == b"="
        at += 1
    if not by_length:
        return Trimming(by_length, is_exact, parse_id(argv[at])), at
    bound = parse_int(argv[at])
    if bound < 0:
        raise CommandError("ERR The MAXLEN argument must be >= 0.")
    return Trimming(by_length, is_exact, bound), at


_APPROXIMATE: Final = "trimming with ~ removes whole nodes, whose limits are not in the AOF"

Entry = tuple[int, Fields]


class Trimming(NamedTuple):
    """``bound``: the length to keep (``by_length``), or the smallest id to keep."""

    by_length: bool
    is_exact: bool
    bound: int
    strategy: bytes = KEEPREF


def trim(stream: StreamData, trimming: Trimming, nodes: list[int] | None) -> int:
    """Trim, and return how many entries went. ``nodes`` are the sizes of the nodes that go, None to count exactly."""
    if nodes is not None:
        count = sum(nodes)
    elif trimming.by_length:
        count = stream.length - trimming.bound
    else:
        count = stream.count_before(trimming.bound)
    if count <= 0:
        return 0
    if trimming.strategy == ACKED:
        candidates = stream.entries() if trimming.by_length else islice(stream.entries(), count)
        acknowledged = (entry_id for entry_id, _ in candidates if not stream.is_referenced(entry_id))
        gone = list(islice(acknowledged, count))
        for entry_id in gone:
            stream.trim_entry(entry_id)
        return len(gone)
    if trimming.strategy == DELREF:
        for entry_id, _ in islice(stream.entries(), count):
            stream.forget_references(entry_id)
    if nodes is None:
        stream.trim(count)
    else:
        for node in nodes:
            stream.trim_node(node)
    return count


def plan_approximate(stream: StreamData, trimming: Trimming, new: Entry | None = None) -> list[int]:
    """Return the sizes of the nodes that an approximate trimming removes, once ``new`` is appended.

    Raises UnknownEffectError where the limits between nodes are not known and matter.
    """
    length = stream.length + (new is not None)
    top = stream.last_id if new is None else new[0]
    bound = trimming.bound
    first = stream.first_id if stream.length or new is None else new[0]
    if length == 0 or (length <= bound if trimming.by_length else bound <= first):
        return []
    if bound == 0 if trimming.by_length else bound > top:
        return [length]
    if not stream.is_whole or trimming.strategy == ACKED:
        raise UnknownEffectError(_APPROXIMATE)
    return _whole_nodes(stream, trimming, new)


def _whole_nodes(stream: StreamData, trimming: Trimming, new: Entry | None) -> list[int]:
    left = stream.length + (new is not None)
    if trimming.by_length and stream.first_node and left - stream.first_node < trimming.bound:
        return []
    nodes: list[int] = []
    for count, last, is_full in scan_nodes(chain(stream.entries(), () if new is None else (new,))):
        if left - count < trimming.bound if trimming.by_length else last >= trimming.bound:
            if is_full and not nodes:
                stream.first_node = count
            break
        nodes.append(count)
        left -= count
    return nodes


MAX_ENTRIES: Final = 100
MAX_BYTES: Final = 4096

#: A listpack's header and its end byte.
_FRAME: Final = 7

#: Integers of so many bytes as an entry (format A11.2): each limit is inclusive, from -limit-1 on.
_WIDTHS: Final = ((4095, 2), ((1 << 15) - 1, 3), ((1 << 23) - 1, 4), ((1 << 31) - 1, 5))


def scan_nodes(entries: Iterable[tuple[int, Fields]]) -> Iterator[tuple[int, int, bool]]:
    """Yield the nodes of a stream's entries: (entries, id of the last one, whether the next opens another node)."""
    count = size = base = last = 0
    names: Fields = ()
    for entry_id, fields in entries:
        if count >= MAX_ENTRIES or (count and size + sum(map(len, fields)) >= MAX_BYTES):
            yield count, last, True
            count = 0
        if count == 0:
            base = entry_id
            names = fields[::2]
            # Counts of live and deleted entries, number of fields, the fields, end mark.
            size = _FRAME + 6 + _int_size(len(names)) + sum(map(_text_size, names))
        size += 2 + _int_size(_delta(entry_id >> 64, base >> 64)) + _int_size(_delta(entry_id & U64, base & U64))
        if fields[::2] == names:
            size += sum(map(_text_size, fields[1::2])) + _int_size(len(names) + 3)
        else:
            pairs = len(fields) // 2
            size += _int_size(pairs) + sum(map(_text_size, fields)) + _int_size(2 * pairs + 4)
        count += 1
        last = entry_id
    if count:
        yield count, last, False


def _delta(number: int, base: int) -> int:
    """Return the difference of two unsigned 64-bit numbers as a signed one."""
    difference = (number - base) & U64
    return difference - (1 << 64) if difference >> 63 else difference


def _int_size(number: int) -> int:
    if 0 <= number <= 127:
        return 2
    for limit, size in _WIDTHS:
        if -limit - 1 <= number <= limit:
            return size + 1
    return 10


def _text_size(text: bytes) -> int:
    if len(text) <= 20 and is_int(text):
        return _int_size(int(text))
    size = len(text) + (1 if len(text) < 64 else 2 if len(text) < 4096 else 5)
    return size + (1 if size <= 127 else 2 if size < 16383 else 3 if size < 2097151 else 4 if size < 268435455 else 5)
