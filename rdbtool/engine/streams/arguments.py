"""What the commands of streams have in common: ids, options that came with a version, and finding a stream."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from rdbtool.core.light_typing import TYPE_CHECKING, Final
from rdbtool.core.patterns import pattern
from rdbtool.engine.arguments import parse_int
from rdbtool.engine.command_errors import SYNTAX, CommandError
from rdbtool.engine.streams.data import StreamData
from rdbtool.engine.streams.ids import MAX_ID, U64

if TYPE_CHECKING:
    from rdbtool.core.servers import Rules
    from rdbtool.engine.engine import Engine

INVALID_ID: Final = "ERR Invalid stream ID specified as stream command argument"

#: What C's strtoull takes: servers fall back to it for numbers that are not canonical.
_LOOSE: Final = pattern(rb"[ \t\n\v\f\r]*([+-]?)([0-9]+)")

_LONGEST_ID: Final = 127

KEEPREF: Final = b"KEEPREF"
DELREF: Final = b"DELREF"
ACKED: Final = b"ACKED"
STRATEGIES: Final = (KEEPREF, DELREF, ACKED)


def knows(rules: Rules, redis: tuple[int, int], *, valkey: bool = True) -> bool:
    """Return whether a server has what Redis has since version ``redis``, and Valkey always or never."""
    return rules.has(redis, (7, 2) if valkey else None)


def parse_id(text: bytes, *, strict: bool = True) -> int:
    """Return an id, ``ms-seq`` or ``ms`` alone for sequence 0. Raises CommandError.

    Without ``strict``, ``-`` and ``+`` are the smallest and the greatest id.
    """
    ms, dash, seq = text.partition(b"-")
    if ms.isdigit() and len(ms) <= 19:
        if seq.isdigit() and len(seq) <= 19:
            return int(ms) << 64 | int(seq)
        if not dash:
            return int(ms) << 64
    if len(text) <= _LONGEST_ID:
        text = text.split(b"\0", 1)[0]
        if text in (b"-", b"+"):
            if strict:
                raise CommandError(INVALID_ID)
            return 0 if text == b"-" else MAX_ID
        ms, dash, seq = text.partition(b"-")
        return _parse_u64(ms) << 64 | (_parse_u64(seq) if dash else 0)
    raise CommandError(INVALID_ID)


def parse_new_id(engine: Engine, text: bytes, last_id: int) -> int | None:
    """Return the ID of a new entry after ``last_id``, ``ms-*`` included; None where no sequence number is left."""
    if not text.endswith(b"-*"):
        return parse_id(text)
    if b"-" in text[:-2] or not engine.knows(b"XADD", b"ms-*"):
        raise CommandError(INVALID_ID)
    ms = parse_id(text[:-2])
    if ms >> 64 == last_id >> 64:
        return None if last_id & U64 == U64 else last_id + 1
    # Sequence 0; no id that servers refuse as 0-0, for the ID before the first entry is 0-0 itself.
    return ms


def _parse_u64(text: bytes) -> int:
    match = _LOOSE.fullmatch(text)
    if match is None or (match[1] == b"-" and match[2].lstrip(b"0") == match[2] != b""):
        # A canonical negative number is refused; any other goes through strtoull, which wraps it.
        raise CommandError(INVALID_ID)
    number = int(match[2])
    if number > U64:
        raise CommandError(INVALID_ID)
    return -number & U64 if match[1] == b"-" else number


def make_stream(rules: Rules) -> StreamData:
    """Return a new stream, with counters if the server has them."""
    stream = StreamData()
    if not rules.has((7, 0)):
        stream.entries_added = None
    return stream


def find_stream(engine: Engine, key: bytes) -> StreamData | None:
    """Return the stream of a key, with its counters, or None. Raises WrongTypeError."""
    stream = engine.db.find(key, StreamData)
    if stream is not None and stream.entries_added is None:
        settle(engine, stream)
    return stream


def settle(engine: Engine, stream: StreamData) -> None:
    """Give counters to a stream of an older file, if the server has them: it does so when it loads the file."""
    if knows(engine.rules, (7, 0)):
        stream.settle()


def parse_options(
    argv: Sequence[bytes],
    at: int,
    *,
    flags: Collection[bytes] = (),
    values: Collection[bytes] = (),
    knows: Callable[[bytes], bool] | None = None,
) -> dict[bytes, bytes]:
    """Read the options from ``at`` to the end: words that stand alone, and words with a value. The last one counts.

    ``knows`` says whether the server has a word, None: it has all.
    """
    options: dict[bytes, bytes] = {}
    while at < len(argv):
        word = argv[at].upper()
        if knows is not None and not knows(word):
            raise CommandError(SYNTAX)
        if word in flags:
            options[word] = b""
        elif word in values and at + 1 < len(argv):
            at += 1
            options[word] = argv[at]
        else:
            raise CommandError(SYNTAX)
        at += 1
    return options


def parse_ids_block(argv: Sequence[bytes], at: int) -> tuple[Sequence[bytes], int]:
    """Read ``IDS numids id …`` whose count is at ``at``; return the texts of the ids and where the block ends."""
    if at >= len(argv):
        raise CommandError(SYNTAX)
    count = parse_int(argv[at], "ERR Number of IDs must be a positive integer")
    if count <= 0:
        raise CommandError("ERR Number of IDs must be a positive integer")
    stop = at + 1 + count
    if stop > len(argv):
        raise CommandError("ERR The `numids` parameter must match the number of arguments")
    return argv[at + 1 : stop], stop


def parse_strategy_and_ids(argv: Sequence[bytes], at: int) -> tuple[bytes, Sequence[bytes]]:
    """Read ``[KEEPREF|DELREF|ACKED] IDS numids id …``, the tail of XDELEX and XACKDEL; the ids as text."""
    strategy: bytes | None = None
    ids: Sequence[bytes] | None = None
    while at < len(argv):
        word = argv[at].upper()
        if word == b"IDS" and ids is None:
            ids, at = parse_ids_block(argv, at + 1)
        elif word in STRATEGIES and strategy is None:
            strategy = word
            at += 1
        else:
            raise CommandError(SYNTAX)
    if ids is None:
        raise CommandError(SYNTAX)
    return strategy or KEEPREF, ids


def delete_by_strategy(stream: StreamData, entry_id: int, strategy: bytes) -> int:
    """Delete an entry as XDELEX and XACKDEL do since Redis 8.2.

    Return 1 where it is gone now, 2 where it stays with ACKED because it is referenced, else -1: it was not there.
    """
    if strategy == DELREF:
        stream.forget_references(entry_id)
    elif strategy == ACKED and stream.is_referenced(entry_id):
        return 2
    return 1 if stream.delete(entry_id) else -1
