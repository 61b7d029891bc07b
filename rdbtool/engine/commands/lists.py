"""Lists: pushes, pops, moves and edits.

A pop looks for its key first, then all arguments are known to be good, then it changes. Blocking forms
act as their plain forms: a server that loads an AOF never waits.
"""

from __future__ import annotations

from collections.abc import Sequence

from rdbtool.core.light_typing import Final
from rdbtool.engine.arguments import (
    INT32_MAX,
    INT32_MIN,
    INT64_MAX,
    INT64_MIN,
    find_ranks,
    parse_count,
    parse_float,
    parse_int,
)
from rdbtool.engine.command_errors import NO_SUCH_KEY, SYNTAX, CommandError, UnknownEffectError
from rdbtool.engine.engine import Engine
from rdbtool.engine.handlers import command
from rdbtool.engine.replies import OK, Reply
from rdbtool.engine.values import ListData

NUMKEYS: Final = "ERR numkeys should be greater than 0"
COUNT: Final = "ERR count should be greater than 0"


@command("LPUSH")
def lpush(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """LPUSH key element [element ...]: the last argument ends up first."""
    data = engine.db.find_or_make(argv[1], ListData)
    data.extendleft(argv[2:])
    return len(data)


@command("RPUSH")
def rpush(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """RPUSH key element [element ...]."""
    data = engine.db.find_or_make(argv[1], ListData)
    data.extend(argv[2:])
    return len(data)


@command("LPUSHX")
def lpushx(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """LPUSHX key element [element ...]: nothing without the key."""
    data = engine.db.find(argv[1], ListData)
    if data is None:
        return 0
    data.extendleft(argv[2:])
    return len(data)


@command("RPUSHX")
def rpushx(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """RPUSHX key element [element ...]: nothing without the key."""
    data = engine.db.find(argv[1], ListData)
    if data is None:
        return 0
    data.extend(argv[2:])
    return len(data)


@command("LPOP")
def lpop(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """LPOP key [count]."""
    return _pop_command(engine, argv, left=True)


@command("RPOP")
def rpop(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """RPOP key [count]."""
    return _pop_command(engine, argv, left=False)


def _pop_command(engine: Engine, argv: Sequence[bytes], *, left: bool) -> Reply:
    # Before 6.2 a server that loads an AOF does not look after the key.
    has_count = len(argv) > 2 and engine.knows(argv[0].upper(), b"count")
    if has_count and len(argv) > 3:
        raise CommandError(f"ERR wrong number of arguments for '{'l' if left else 'r'}pop' command")
    count = parse_count(argv[2]) if has_count else 1
    data = engine.db.find(argv[1], ListData)
    if data is None:
        return None
    if not has_count:
        element = data.popleft() if left else data.pop()
        engine.db.drop_if_empty(argv[1], data)
        return element
    return _pop(engine, argv[1], data, count, left=left)


def _pop(engine: Engine, key: bytes, data: ListData, count: int, *, left: bool) -> list[Reply]:
    """Pop elements, and return them in this order."""
    pop = data.popleft if left else data.pop
    popped: list[Reply] = [pop() for _ in range(min(count, len(data)))]
    engine.db.drop_if_empty(key, data)
    return popped


@command("LINSERT")
def linsert(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """LINSERT key BEFORE|AFTER pivot element: nothing without the pivot."""
    where = argv[2].upper()
    if where not in (b"BEFORE", b"AFTER"):
        raise CommandError(SYNTAX)
    data = engine.db.find(argv[1], ListData)
    if data is None:
        return 0
    try:
        at = data.index(argv[3])
    except ValueError:
        return -1
    data.insert(at + (where == b"AFTER"), argv[4])
    return len(data)


@command("LREM")
def lrem(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """LREM key count element: the first ``count`` from the head, from the tail if negative, all if 0."""
    count = parse_int(argv[2])
    if count == INT64_MIN and engine.rules.has((7, 4), (8, 0)):
        raise CommandError(f"ERR value is out of range, value must between {-INT64_MAX} and {INT64_MAX}")
    data = engine.db.find(argv[1], ListData)
    if data is None:
        return 0
    gone = data.drop(argv[3], min(abs(count) or len(data), len(data)), from_tail=count < 0)
    engine.db.drop_if_empty(argv[1], data)
    return gone


@command("LSET")
def lset(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """LSET key index element."""
    data = engine.db.find(argv[1], ListData)
    if data is None:
        raise CommandError(NO_SUCH_KEY)
    index = parse_int(argv[2])
    rules = engine.rules
    if not INT32_MIN <= index <= INT32_MAX and (rules.has((7, 2)) or not rules.has((3, 2))):
        # The server takes the lower 32 bits.
        low = (index - INT32_MIN) % (1 << 32) + INT32_MIN
        if not rules.has((3, 2)) and -len(data) <= low < len(data):
            raise UnknownEffectError("long lists refuse this index, short ones take its lower 32 bits")
        index = low
    if not -len(data) <= index < len(data):
        raise CommandError("ERR index out of range")
    data[index] = argv[3]
    return OK


@command("LTRIM")
def ltrim(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """LTRIM key start stop."""
    first, last = parse_int(argv[2]), parse_int(argv[3])
    data = engine.db.find(argv[1], ListData)
    if data is None:
        return OK
    start, stop = find_ranks(first, last, len(data))
    if start >= stop:
        engine.db.delete(argv[1])
    else:
        data.keep(start, stop)
    return OK


@command("RPOPLPUSH")
def rpoplpush(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """RPOPLPUSH source destination."""
    return _move(engine, argv[1], argv[2], from_left=False, to_left=True)


@command("BRPOPLPUSH")
def brpoplpush(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """BRPOPLPUSH source destination timeout."""
    check_timeout(engine, argv[3])
    if argv[1] not in engine.db.keys:
        refuse_to_block(engine)
    return _move(engine, argv[1], argv[2], from_left=False, to_left=True)


@command("LMOVE")
def lmove(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """LMOVE source destination LEFT|RIGHT LEFT|RIGHT."""
    from_left, to_left = _is_left(argv[3]), _is_left(argv[4])
    return _move(engine, argv[1], argv[2], from_left=from_left, to_left=to_left)


@command("BLMOVE")
def blmove(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """BLMOVE source destination LEFT|RIGHT LEFT|RIGHT timeout."""
    from_left, to_left = _is_left(argv[3]), _is_left(argv[4])
    check_timeout(engine, argv[5])
    return _move(engine, argv[1], argv[2], from_left=from_left, to_left=to_left)


def _is_left(text: bytes) -> bool:
    side = text.upper()
    if side not in (b"LEFT", b"RIGHT"):
        raise CommandError(SYNTAX)
    return side == b"LEFT"


def _move(engine: Engine, source: bytes, target: bytes, *, from_left: bool, to_left: bool) -> bytes | None:
    data = engine.db.find(source, ListData)
    if data is None:
        return None
    other = engine.db.find_or_make(target, ListData)
    element = data.popleft() if from_left else data.pop()
    (other.appendleft if to_left else other.append)(element)
    engine.db.drop_if_empty(source, data)
    return element


@command("LMPOP")
def lmpop(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """LMPOP numkeys key [key ...] LEFT|RIGHT [COUNT count]."""
    return _pop_many(engine, argv, 1)


@command("BLMPOP")
def blmpop(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """BLMPOP timeout numkeys key [key ...] LEFT|RIGHT [COUNT count]."""
    return _pop_many(engine, argv, 2)


def _pop_many(engine: Engine, argv: Sequence[bytes], at: int) -> Reply:
    keys, rest = split_keys(argv, at)
    left = _is_left(rest[0])
    count = parse_pop_count(rest[1:])
    if at > 1:
        check_timeout(engine, argv[1])
    found = _pop_first(engine, keys, count, left=left)
    return None if found is None else [found[0], found[1]]


def split_keys(argv: Sequence[bytes], at: int) -> tuple[Sequence[bytes], Sequence[bytes]]:
    """Split ``numkeys key [key ...] rest`` into keys and rest, which has at least one word. Raises CommandError."""
    count = parse_count(argv[at], 1, NUMKEYS)
    keys, rest = argv[at + 1 : at + 1 + count], argv[at + 1 + count :]
    if not rest:
        raise CommandError(SYNTAX)
    return keys, rest


def parse_pop_count(words: Sequence[bytes]) -> int:
    """Return the number of ``[COUNT number]``, 1 without it. Raises CommandError."""
    if not words:
        return 1
    if len(words) < 2 or words[0].upper() != b"COUNT":
        raise CommandError(SYNTAX)
    count = parse_count(words[1], 1, COUNT)
    if len(words) > 2:
        raise CommandError(SYNTAX)
    return count


@command("BLPOP")
def blpop(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """BLPOP key [key ...] timeout."""
    check_timeout(engine, argv[-1])
    return _pop_one(engine, argv[1:-1], left=True)


@command("BRPOP")
def brpop(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """BRPOP key [key ...] timeout."""
    check_timeout(engine, argv[-1])
    return _pop_one(engine, argv[1:-1], left=False)


def _pop_one(engine: Engine, keys: Sequence[bytes], *, left: bool) -> Reply:
    """Pop an element and return it with its key, or None at once instead of waiting for one."""
    found = _pop_first(engine, keys, 1, left=left)
    if found is None:
        refuse_to_block(engine)
        return None
    key, popped = found
    return [key, *popped]


def _pop_first(engine: Engine, keys: Sequence[bytes], count: int, *, left: bool) -> tuple[bytes, list[Reply]] | None:
    """Pop from the first key that is there; return that key and the elements, None if absent."""
    for key in keys:
        data = engine.db.find(key, ListData)
        if data is not None:
            return key, _pop(engine, key, data, count, left=left)
    return None


def check_timeout(engine: Engine, text: bytes) -> None:
    """Check the timeout (seconds) of a blocking command. Raises CommandError."""
    if not engine.rules.has((6, 0)):
        seconds: float = parse_int(text, "ERR timeout is not an integer or out of range")
    else:
        seconds = parse_float(text, "ERR timeout is not a float or out of range")
    if seconds * 1000 > INT64_MAX and engine.rules.has((7, 2)):
        raise CommandError("ERR timeout is out of range")
    # Before 7.2 a time that is too long turns into a negative one.
    if seconds < 0 or seconds * 1000 > INT64_MAX:
        raise CommandError("ERR timeout is negative")


def refuse_to_block(engine: Engine) -> None:
    """Raise UnknownEffectError where a server that loads an AOF ends when a command would wait: before Redis 6.2."""
    if not engine.rules.has((6, 2)):
        raise UnknownEffectError("the command would wait, and the server ends when one waits in an AOF")
