"""Sets: adding, removing and moving members, and set algebra.

Results of set algebra are built beside the keyspace and stored at once, so that the destination may be
a source. What a random SPOP took is not in its log, so it is refused, unless nothing is left to chance.
"""

from __future__ import annotations

from collections.abc import Sequence

from rdbtool.engine.arguments import parse_count
from rdbtool.engine.command_errors import SYNTAX, CommandError, UnknownEffectError, WrongTypeError
from rdbtool.engine.engine import Engine
from rdbtool.engine.handlers import command
from rdbtool.engine.replies import Reply
from rdbtool.engine.values import SORTED, SetData


@command("SADD")
def sadd(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """SADD key member [member ...]."""
    return engine.db.find_or_make(argv[1], SetData).add_from(argv, 2)


@command("SREM")
def srem(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """SREM key member [member ...]."""
    data = engine.db.find(argv[1], SetData)
    if data is None:
        return 0
    before = len(data)
    for member in argv[2:]:
        data.discard(member)
    engine.db.drop_if_empty(argv[1], data)
    return before - len(data)


@command("SMOVE")
def smove(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """SMOVE source destination member."""
    source = engine.db.find(argv[1], SetData)
    if source is None:
        return 0
    target = engine.db.find(argv[2], SetData)
    if source is target or argv[3] not in source:
        return 1 if argv[3] in source else 0
    del source[argv[3]]
    engine.db.drop_if_empty(argv[1], source)
    engine.db.find_or_make(argv[2], SetData).add_from((engine.share(argv[3]),), 0)
    return 1


@command("SPOP")
def spop(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """SPOP key [count]: refused where the choice is random."""
    # Before 3.2 a server that loads an AOF does not look after the key.
    has_count = len(argv) > 2 and engine.knows(b"SPOP", b"count")
    if has_count and len(argv) > 3:
        raise CommandError(SYNTAX)
    count = parse_count(argv[2]) if has_count else 1
    data = engine.db.find(argv[1], SetData)
    if data is None or count == 0:
        return [] if has_count else None
    if count < len(data):
        raise UnknownEffectError("SPOP removes random members: the AOF does not say which")
    engine.db.delete(argv[1])
    members: list[Reply] = [*list_members(data)]
    return members if has_count else members[0]


def list_members(data: SetData) -> list[bytes]:
    """Return the members in the order in which a server has them, as far as it is known."""
    return sorted(data, key=int) if data.layout == SORTED else list(data)


@command("SINTERSTORE")
def sinterstore(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """SINTERSTORE destination key [key ...]."""
    # Before 7.0 the first missing source ends the search: the type of later ones does not matter.
    until_missing = engine.rules.family == "redis" and engine.rules.major < 7
    sources = _sources(engine, argv[2:], until_missing=until_missing)
    if None in sources and engine.rules.has((6, 0), None) and not engine.rules.has((7, 0), None):
        try:
            _sources(engine, argv[2:])
        except WrongTypeError:
            raise UnknownEffectError("releases of Redis 6 differ in whether the type of a source is an error") from None
    if any(source is None for source in sources):
        engine.db.delete(argv[1])
        return 0
    smallest, *others = sorted((source for source in sources if source is not None), key=len)
    members = list(smallest)
    for other in others:
        members = [member for member in members if member in other]
    return _store(engine, argv[1], SetData(members))


@command("SUNIONSTORE")
def sunionstore(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """SUNIONSTORE destination key [key ...]."""
    result = SetData()
    for source in _sources(engine, argv[2:]):
        if source is not None:
            result.update(source)
    return _store(engine, argv[1], result)


@command("SDIFFSTORE")
def sdiffstore(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """SDIFFSTORE destination key [key ...]: the first without the others."""
    first, *others = _sources(engine, argv[2:])
    result = SetData(first or ())
    for other in others:
        if other is None:
            continue
        for member in list(result) if len(result) < len(other) else list(other):
            if member in other:
                result.discard(member)
    return _store(engine, argv[1], result)


def _sources(engine: Engine, keys: Sequence[bytes], *, until_missing: bool = False) -> list[SetData | None]:
    sources = []
    for key in keys:
        source = engine.db.find(key, SetData)
        sources.append(source)
        if source is None and until_missing:
            break
    return sources


def _store(engine: Engine, key: bytes, result: SetData) -> int:
    if result:
        engine.db.replace(key, result)
    else:
        engine.db.delete(key)
    return len(result)
