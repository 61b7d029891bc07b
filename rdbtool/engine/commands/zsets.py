"""Sorted sets: adding, removing and popping members.

All scores of a command are read before the first is stored. A score that equals the present one is not
stored again, which keeps the sign of a zero, as far as its server does (``loses_sign``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import partial
from math import copysign, isnan

from rdbtool._codec.decode.scores import parse_scores as parse_plain_scores
from rdbtool.core.light_typing import Final, NamedTuple
from rdbtool.core.servers import Rules
from rdbtool.engine.arguments import LexRange, Order, ScoreRange, find_ranks, parse_count, parse_int, parse_number
from rdbtool.engine.command_errors import NOT_A_FLOAT, SYNTAX, CommandError
from rdbtool.engine.commands.lists import check_timeout, parse_pop_count, refuse_to_block, split_keys
from rdbtool.engine.engine import Engine
from rdbtool.engine.handlers import command
from rdbtool.engine.inference.differing import differs_as
from rdbtool.engine.replies import Later, Reply, show_score
from rdbtool.engine.values import ZSetData

NOT_A_NUMBER: Final = "ERR resulting score is not a number (NaN)"

#: The defaults up to which a sorted set is a listpack.
LISTPACK_ENTRIES: Final = 128
LISTPACK_SIZE: Final = 64

_OPTIONS: Final = frozenset((b"NX", b"XX", b"GT", b"LT", b"CH", b"INCR"))
_INCR: Final = frozenset((b"INCR",))
_NONE: Final[frozenset[bytes]] = frozenset()


def has_negative_zero(_engine: Engine, argv: Sequence[bytes]) -> bool:
    """Whether a score or a weight is -0, whose sign is kept by some servers."""
    return any(word[:1] == b"-" and not word.strip(b"-0.") for word in argv[2:])


@command("ZADD")
@differs_as("redis-6.2", when=has_negative_zero)
def zadd(engine: Engine, argv: Sequence[bytes]) -> Reply | Later:
    """ZADD key [NX|XX] [GT|LT] [CH] [INCR] score member [score member ...]."""
    if argv[2].upper() in _OPTIONS:
        return _add_with_options(engine, argv, _NONE)
    if len(argv) % 2:
        raise CommandError(SYNTAX)
    if argv[1] not in engine.db.keys:
        made = ZSetData()
        if made.fill_from(argv, 2):
            engine.db.replace(argv[1], made)
            return len(made)
    scores = parse_plain_scores(argv, 2, 2) if type(argv) is tuple else None
    return add_scores(engine, argv[1], argv[3::2], parse_scores(engine, argv[2::2]) if scores is None else scores)


def add_scores(engine: Engine, key: bytes, members: Sequence[bytes], scores: list[float]) -> int:
    """Set the score of each member, and return how many members are new: ZADD without options."""
    zset = engine.db.find_or_make(key, ZSetData)
    size = len(zset)
    for member, score in zip(members, scores, strict=True):
        before = zset.get(member)
        if before != score:
            put_score(engine, zset, member, score)
    return len(zset) - size


def put_score(engine: Engine, zset: ZSetData, member: bytes, score: float) -> None:
    """Give a member a score that it does not have yet."""
    zset.put(member, score)
    if not score and has_signed_zero((score,)) and loses_sign(engine, zset):
        zset.put(member, 0.0)


def has_signed_zero(scores: Collection[float]) -> bool:
    """Whether there is a -0."""
    return 0.0 in scores and any(not score and copysign(1.0, score) < 0 for score in scores)


def loses_sign(engine: Engine, members: Collection[bytes]) -> bool:
    """Whether a zero is just 0: a listpack, which holds a small sorted set since 7.0, stores whole scores as integers.

    That a set which was large before stays out of a listpack is not known here.
    """
    if engine.rules.family == "redis" and engine.rules.major < 7:
        return False
    return len(members) <= LISTPACK_ENTRIES and all(len(member) <= LISTPACK_SIZE for member in members)


def parse_scores(engine: Engine, texts: Iterable[bytes], error: str = NOT_A_FLOAT) -> list[float]:
    """Return scores or weights. Raises CommandError."""
    rules = engine.rules
    return [float(text) if text.isdigit() and len(text) < 300 else parse_number(text, rules, error) for text in texts]


@command("ZINCRBY")
@differs_as("redis-6.2", when=has_negative_zero)
def zincrby(engine: Engine, argv: Sequence[bytes]) -> Reply | Later:
    """ZINCRBY key increment member: to a server the same as ZADD with INCR."""
    return _add_with_options(engine, argv, _INCR)


def _add_with_options(engine: Engine, argv: Sequence[bytes], options: frozenset[bytes]) -> Reply | Later:
    at = 2
    while at < len(argv) and (word := argv[at].upper()) in _OPTIONS and engine.knows(b"ZADD", word):
        options |= {word}
        at += 1
    members, texts = argv[at + 1 :: 2], argv[at::2]
    _check_options(options, len(members), len(texts))
    return add_scores_if(engine, argv[1], members, parse_scores(engine, texts), options)


def _check_options(options: frozenset[bytes], members: int, scores: int) -> None:
    if members != scores or not members:
        raise CommandError(SYNTAX)
    if {b"NX", b"XX"} <= options:
        raise CommandError("ERR XX and NX options at the same time are not compatible")
    if len(options & {b"GT", b"LT", b"NX"}) > 1:
        raise CommandError("ERR GT, LT, and/or NX options at the same time are not compatible")
    if b"INCR" in options and members > 1:
        raise CommandError("ERR INCR option supports a single increment-element pair")


def add_scores_if(
    engine: Engine, key: bytes, members: Sequence[bytes], scores: list[float], options: frozenset[bytes]
) -> Reply | Later:
    """Set the score of each member as the options NX, XX, GT, LT and INCR say, and return the reply.

    That is the new score with INCR, None where the options forbid it; else how many members are new, or with CH also
    those that have another score. Raises CommandError.
    """
    zset = engine.db.find(key, ZSetData)
    before = None if zset is None else zset.get(members[0])
    # NX leaves a present member alone before there is anything to add.
    if b"INCR" in options and b"NX" not in options and before is not None:
        scores = [scores[0] + before]
        if isnan(scores[0]):
            raise CommandError(NOT_A_NUMBER)
    if zset is None:
        if b"XX" in options:
            return None if b"INCR" in options else 0
        zset = engine.db.find_or_make(key, ZSetData)
    if b"INCR" in options:
        if not _allows(options, before, scores[0]):
            return None
        if before != scores[0]:
            put_score(engine, zset, engine.share(members[0]), scores[0])
        return partial(show_score, scores[0], engine.rules)
    size, changed = len(zset), 0
    for member, score in zip(members, scores, strict=True):
        before = zset.get(member)
        if before != score and _allows(options, before, score):
            put_score(engine, zset, engine.share(member), score)
            changed += 1
    return changed if b"CH" in options else len(zset) - size


def _allows(options: frozenset[bytes], before: float | None, score: float) -> bool:
    if before is None:
        return b"XX" not in options
    return not (b"NX" in options or (b"GT" in options and score <= before) or (b"LT" in options and score >= before))


@command("ZREM")
def zrem(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """ZREM key member [member ...]."""
    zset = engine.db.find(argv[1], ZSetData)
    if zset is None:
        return 0
    size = len(zset)
    for member in argv[2:]:
        zset.discard(member)
    engine.db.drop_if_empty(argv[1], zset)
    return size - len(zset)


@command("ZREMRANGEBYRANK")
def zremrangebyrank(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """ZREMRANGEBYRANK key start stop."""
    first, last = parse_int(argv[2]), parse_int(argv[3])
    zset = engine.db.find(argv[1], ZSetData)
    return 0 if zset is None else len(_remove(engine, argv[1], zset, find_ranks(first, last, len(zset))))


@command("ZREMRANGEBYSCORE")
def zremrangebyscore(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """ZREMRANGEBYSCORE key min max."""
    scores = ScoreRange.parse(argv[2], argv[3], engine.rules)
    zset = engine.db.find(argv[1], ZSetData)
    return 0 if zset is None else len(_remove(engine, argv[1], zset, scores.find(zset.order)))


@command("ZREMRANGEBYLEX")
def zremrangebylex(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """ZREMRANGEBYLEX key min max."""
    members = LexRange.parse(argv[2], argv[3])
    zset = engine.db.find(argv[1], ZSetData)
    return 0 if zset is None else len(_remove(engine, argv[1], zset, members.find(zset.order)))


def _remove(engine: Engine, key: bytes, zset: ZSetData, indexes: tuple[int, int]) -> Order:
    """Remove the members with these indexes, and return them with their scores."""
    start, stop = indexes
    if start >= stop:
        return []
    gone = zset.discard_slice(start, stop)
    engine.db.drop_if_empty(key, zset)
    return gone


@command("ZPOPMIN")
def zpopmin(engine: Engine, argv: Sequence[bytes]) -> Reply | Later:
    """ZPOPMIN key [count]."""
    return _pop_command(engine, argv, lowest=True)


@command("ZPOPMAX")
def zpopmax(engine: Engine, argv: Sequence[bytes]) -> Reply | Later:
    """ZPOPMAX key [count]."""
    return _pop_command(engine, argv, lowest=False)


def _pop_command(engine: Engine, argv: Sequence[bytes], *, lowest: bool) -> Reply | Later:
    if len(argv) > 3:
        raise CommandError(SYNTAX)
    has_count = len(argv) == 3
    if has_count and not engine.rules.has((7, 0)):
        # Without anything to pop, older servers do not look at the key.
        count = parse_int(argv[2])
        if count <= 0:
            return []
    else:
        count = parse_count(argv[2]) if has_count else 1
    found = _pop_first(engine, argv[1:2], count, lowest=lowest)
    return [] if found is None else partial(found.show, engine.rules)


@command("BZPOPMIN")
def bzpopmin(engine: Engine, argv: Sequence[bytes]) -> Reply | Later:
    """BZPOPMIN key [key ...] timeout."""
    check_timeout(engine, argv[-1])
    return _pop_one(engine, argv[1:-1], lowest=True)


@command("BZPOPMAX")
def bzpopmax(engine: Engine, argv: Sequence[bytes]) -> Reply | Later:
    """BZPOPMAX key [key ...] timeout."""
    check_timeout(engine, argv[-1])
    return _pop_one(engine, argv[1:-1], lowest=False)


def _pop_one(engine: Engine, keys: Sequence[bytes], *, lowest: bool) -> Reply | Later:
    """Pop a member and return it with its key and score, or None at once instead of waiting for one."""
    found = _pop_first(engine, keys, 1, lowest=lowest)
    if found is None:
        refuse_to_block(engine)
        return None
    return lambda: [found.key, *found.show(engine.rules)]


@command("ZMPOP")
def zmpop(engine: Engine, argv: Sequence[bytes]) -> Reply | Later:
    """ZMPOP numkeys key [key ...] MIN|MAX [COUNT count]."""
    return _pop_many(engine, argv, 1)


@command("BZMPOP")
def bzmpop(engine: Engine, argv: Sequence[bytes]) -> Reply | Later:
    """BZMPOP timeout numkeys key [key ...] MIN|MAX [COUNT count]."""
    return _pop_many(engine, argv, 2)


def _pop_many(engine: Engine, argv: Sequence[bytes], at: int) -> Reply | Later:
    keys, rest = split_keys(argv, at)
    where = rest[0].upper()
    if where not in (b"MIN", b"MAX"):
        raise CommandError(SYNTAX)
    count = parse_pop_count(rest[1:])
    if at > 1:
        check_timeout(engine, argv[1])
    found = _pop_first(engine, keys, count, lowest=where == b"MIN")
    return None if found is None else lambda: [found.key, found.show_pairs(engine.rules)]


class _Popped(NamedTuple):
    """What was popped from a key, in this order, with scores."""

    key: bytes
    members: Order

    def show(self, rules: Rules) -> list[Reply]:
        """Return members and scores by turns."""
        return [word for score, member in self.members for word in (member, show_score(score, rules))]

    def show_pairs(self, rules: Rules) -> list[Reply]:
        """Return each member with its score."""
        return [[member, show_score(score, rules)] for score, member in self.members]


def _pop_first(engine: Engine, keys: Sequence[bytes], count: int, *, lowest: bool) -> _Popped | None:
    """Pop from the first key that is there, None if absent."""
    for key in keys:
        zset = engine.db.find(key, ZSetData)
        if zset is not None:
            size = len(zset)
            gone = _remove(engine, key, zset, (0, min(count, size)) if lowest else (max(size - count, 0), size))
            return _Popped(key, gone if lowest else gone[::-1])
    return None
