"""RESTORE, and streams that are trimmed by whole nodes: logged is the moment, and the length that is left.

Which nodes a stream has is known to the server that built it, not to one that loads it from a snapshot.
"""

from __future__ import annotations

from rdbtool.core.light_typing import Final
from rdbtool.engine.engine import Engine
from rdbtool.engine.streams.arguments import STRATEGIES, knows, settle
from rdbtool.engine.streams.data import StreamData

Argv = tuple[bytes, ...]

#: Words before the ID of XADD, and how many words each is.
_WIDTHS: Final = {b"NOMKSTREAM": 1, b"LIMIT": 2, b"IDMP": 3, **dict.fromkeys(STRATEGIES, 1)}

_NOTHING: Final = b"0-0"


def carry_out_xadd(engine: Engine, argv: Argv) -> list[Argv]:
    """Execute XADD; an approximate trimming is logged as an exact one after it."""
    kept, strategy, at = _read_options(argv)
    if kept is None:
        engine.execute(*argv)
        return [argv]
    length = _length(engine, argv[1])
    engine.execute(*argv)
    if argv[1] not in engine.db.keys:
        return []
    logged: list[Argv] = [(b"XADD", argv[1], *kept, *argv[at:])]
    if _length(engine, argv[1]) != length + 1:
        logged.append((b"XTRIM", argv[1], b"MAXLEN", b"=", b"%d" % _length(engine, argv[1]), *strategy))
    return logged


def carry_out_xtrim(engine: Engine, argv: Argv) -> list[Argv]:
    """Execute XTRIM; an approximate one is logged as an exact one."""
    kept, strategy, _ = _read_options(argv)
    length = _length(engine, argv[1])
    engine.execute(*argv)
    left = _length(engine, argv[1])
    if left == length:
        return []
    return [argv if kept is None else (b"XTRIM", argv[1], b"MAXLEN", b"=", b"%d" % left, *strategy)]


def carry_out_restore(engine: Engine, argv: Argv) -> list[Argv]:
    """Execute RESTORE; logged is the moment of expiry. A stream of an old payload gets its counters at once."""
    engine.execute(*argv)
    key = argv[1]
    expiry = engine.db.expires.get(key)
    words = argv[4:]
    if expiry is not None and not any(word.upper() == b"ABSTTL" for word in words):
        words += (b"ABSTTL",)
    logged: list[Argv] = [(b"RESTORE", key, b"%d" % (expiry or 0), argv[3], *words)]
    value = engine.db.keys.get(key)
    if isinstance(value, StreamData):
        if value.entries_added is None:
            # Whatever touches a stream counts its entries: without that, an AOF would lead to one that was not touched.
            logged.append((b"XDEL", key, _NOTHING))
        settle_stream(engine, value)
    return logged


def settle_stream(engine: Engine, stream: StreamData) -> None:
    """Give a stream of another server's file what the engine's server gives it when it loads the file.

    Counters come with Redis 7.0, the active times of consumers with 7.2.
    """
    settle(engine, stream)
    notes_activity = knows(engine.rules, (7, 2))
    for group in stream.groups.values():
        for consumer in group.consumers.values():
            if not notes_activity:
                consumer.active_at_ms = None
            elif consumer.active_at_ms is None:
                consumer.active_at_ms = consumer.seen_at_ms


def _length(engine: Engine, key: bytes) -> int:
    value = engine.db.keys.get(key)
    return value.length if isinstance(value, StreamData) else 0


def _read_options(argv: Argv) -> tuple[Argv | None, Argv, int]:
    """Return the options to keep, the strategy, and where the id of XADD stands.

    The first is None where no trimming is approximate. An unsound command comes out as something, and is refused when
    it is executed.
    """
    kept: Argv = ()
    strategy: Argv = ()
    is_approximate = False
    at = 2
    while at < len(argv):
        word = argv[at].upper()
        width = _WIDTHS.get(word)
        if word in (b"MAXLEN", b"MINID"):
            sign = argv[at + 1] if at + 1 < len(argv) else b""
            is_approximate |= sign == b"~"
            width = 3 if sign in (b"~", b"=") else 2
        elif width is None:
            break
        elif word in STRATEGIES:
            strategy = (word,)
        elif word != b"LIMIT":
            kept += argv[at : at + width]
        at += width
    return (kept if is_approximate else None), strategy, at
