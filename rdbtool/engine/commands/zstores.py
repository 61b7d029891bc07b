"""Sorted sets computed from others: ZUNIONSTORE, ZINTERSTORE, ZDIFFSTORE, ZRANGESTORE.

Sums of doubles depend on their order: servers take the sources by size, smallest first, and so does this.
The sort is stable, as that of the C library.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import isnan

from rdbtool.core.light_typing import Final, NamedTuple
from rdbtool.core.servers import Rules
from rdbtool.engine.arguments import LexRange, Order, ScoreRange, find_ranks, parse_int
from rdbtool.engine.command_errors import SYNTAX, CommandError, UnknownEffectError, WrongTypeError
from rdbtool.engine.commands.zsets import has_signed_zero, loses_sign, parse_scores
from rdbtool.engine.engine import Engine
from rdbtool.engine.handlers import command
from rdbtool.engine.inference.differing import differs_as
from rdbtool.engine.replies import Reply
from rdbtool.engine.values import SetData, ZSetData

Aggregate = Callable[[float, float], float]
Scores = SetData | ZSetData | dict[bytes, float]


class SourceKey(NamedTuple):
    """A set or sorted set and the factor for its scores; a missing key is empty."""

    scores: Scores
    weight: float

    def weighted(self, score: float | None) -> float:
        """Return a score (None: of a plain set) times the weight."""
        return self.weight * (1.0 if score is None else score)


def _add(first: float, second: float) -> float:
    total = first + second
    # Infinities of both signs make nothing.
    return 0.0 if isnan(total) else total


def _lower(first: float, second: float) -> float:
    return min(first, second)


def _higher(first: float, second: float) -> float:
    return max(first, second)


_AGGREGATES: Final[dict[bytes, Aggregate]] = {b"SUM": _add, b"MIN": _lower, b"MAX": _higher}


def _has_weights(_engine: Engine, argv: Sequence[bytes]) -> bool:
    return any(word.upper() == b"WEIGHTS" for word in argv)


@command("ZUNIONSTORE")
@differs_as("redis-6.2", when=_has_weights)
def zunionstore(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """ZUNIONSTORE destination numkeys key [key ...] [WEIGHTS weight ...] [AGGREGATE SUM|MIN|MAX]."""
    sources, aggregate = _parse(engine, argv, weighted=True)
    result: dict[bytes, float] = {}
    for source in sorted(sources, key=_size):
        for member, plain in source.scores.items():
            score = _number(source.weighted(plain))
            before = result.get(member)
            result[member] = score if before is None else aggregate(before, score)
    return _store(engine, argv[1], result)


@command("ZINTERSTORE")
@differs_as("redis-6.2", when=_has_weights)
def zinterstore(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """ZINTERSTORE destination numkeys key [key ...] [WEIGHTS weight ...] [AGGREGATE SUM|MIN|MAX]."""
    sources, aggregate = _parse(engine, argv, weighted=True)
    smallest, *others = sorted(sources, key=_size)
    result: dict[bytes, float] = {}
    for member, plain in smallest.scores.items():
        score = _number(smallest.weighted(plain))
        for other in others:
            if member not in other.scores:
                break
            score = aggregate(score, other.weighted(other.scores[member]))
        else:
            result[member] = score
    return _store(engine, argv[1], result)


@command("ZDIFFSTORE")
def zdiffstore(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """ZDIFFSTORE destination numkeys key [key ...]: the first without the others, with its scores."""
    (first, *others), _ = _parse(engine, argv, weighted=False)
    result = {
        member: first.weighted(plain)
        for member, plain in first.scores.items()
        if not any(member in other.scores for other in others)
    }
    return _store(engine, argv[1], result)


def _size(source: SourceKey) -> int:
    return len(source.scores)


def _number(score: float) -> float:
    return 0.0 if isnan(score) else score


def _parse(engine: Engine, argv: Sequence[bytes], *, weighted: bool) -> tuple[list[SourceKey], Aggregate]:
    count = parse_int(argv[2])
    if count < 1:
        name = argv[0].decode("utf-8", "backslashreplace").lower()
        raise CommandError(f"ERR at least 1 input key is needed for '{name}' command")
    if count > len(argv) - 3:
        raise CommandError(SYNTAX)
    found = [_find(engine, key) for key in argv[3 : 3 + count]]
    weights, aggregate = _parse_options(engine, argv[3 + count :], count if weighted else None)
    return [
        SourceKey(scores, weight) for scores, weight in zip(found, weights or [1.0] * count, strict=True)
    ], aggregate


def _find(engine: Engine, key: bytes) -> Scores:
    value = engine.db.keys.get(key)
    if value is None:
        return {}
    if not isinstance(value, (SetData, ZSetData)):
        raise WrongTypeError
    return value


def _parse_options(engine: Engine, words: Sequence[bytes], count: int | None) -> tuple[list[float], Aggregate]:
    """Return the weights, if there are any, and the aggregate; ``count`` is None where neither is allowed."""
    weights: list[float] = []
    aggregate: Aggregate = _add
    at = 0
    while at < len(words):
        word = words[at].upper() if count is not None else b""
        if word == b"WEIGHTS" and count is not None and at + count < len(words):
            weights = parse_scores(engine, words[at + 1 : at + 1 + count], "ERR weight value is not a float")
            at += 1 + count
        elif word == b"AGGREGATE" and at + 1 < len(words) and words[at + 1].upper() in _AGGREGATES:
            aggregate = _AGGREGATES[words[at + 1].upper()]
            at += 2
        else:
            raise CommandError(SYNTAX)
    return weights, aggregate


def _store(engine: Engine, key: bytes, scores: Mapping[bytes, float]) -> int:
    if scores:
        made = ZSetData()
        made.update(scores)
        if has_signed_zero(scores.values()) and loses_sign(engine, made):
            made.update((member, score + 0.0) for member, score in scores.items())
        engine.db.replace(key, made)
    else:
        engine.db.delete(key)
    return len(scores)


class _Range(NamedTuple):
    """The options of ZRANGESTORE; ``limit`` is None for all, and negative for all after the offset."""

    by: bytes
    reverse: bool
    offset: int
    limit: int | None

    @classmethod
    def parse(cls, words: Sequence[bytes]) -> _Range:
        by, reverse, offset, limit = b"", False, 0, None
        at = 0
        while at < len(words):
            word = words[at].upper()
            if word in (b"BYSCORE", b"BYLEX") and not by:
                by = word
            elif word == b"REV" and not reverse:
                reverse = True
            elif word == b"LIMIT" and at + 2 < len(words):
                offset, limit = parse_int(words[at + 1]), parse_int(words[at + 2])
                at += 2
            else:
                raise CommandError(SYNTAX)
            at += 1
        # A limit of -1 is how servers note that there is none.
        if not by and limit not in (None, -1):
            raise CommandError("ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX")
        return cls(by, reverse, offset, limit)

    def cut(self, order: Order) -> Order:
        if self.by and self.offset < 0:
            return []
        if not self.by:
            return order
        stop = None if self.limit is None or self.limit < 0 else self.offset + self.limit
        return order[self.offset : stop]


def _has_limit(_engine: Engine, argv: Sequence[bytes]) -> bool:
    return any(word.upper() == b"LIMIT" for word in argv[5:])


@command("ZRANGESTORE")
@differs_as("redis-7.4", "valkey-8.0", when=_has_limit)
def zrangestore(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """ZRANGESTORE destination source min max [BYSCORE|BYLEX] [REV] [LIMIT offset count]."""
    options = _Range.parse(argv[5:])
    low, high = argv[3], argv[4]
    if options.by and options.reverse:
        low, high = high, low
    find: Callable[[Order], tuple[int, int]]
    if options.by == b"BYSCORE":
        find = ScoreRange.parse(low, high, engine.rules).find
    elif options.by == b"BYLEX":
        find = partial(LexRange.parse(low, high).find, reverse=options.reverse)
    else:
        find = partial(_find_ranks, parse_int(low), parse_int(high))
    zset = engine.db.find(argv[2], ZSetData)
    order: Order = [] if zset is None else zset.order
    if options.reverse and not options.by:
        order = order[::-1]
    start, stop = find(order)
    picked = list(order[start:stop]) if start < stop else []
    if options.reverse and options.by:
        picked.reverse()
    if options.by and -len(picked) <= options.offset < 0 and options.limit != 0 and _counts_from_end(engine.rules):
        raise UnknownEffectError("small sorted sets have nothing at a negative offset, large ones count from their end")
    return _store(engine, argv[1], {member: score for score, member in options.cut(picked)})


def _counts_from_end(rules: Rules) -> bool:
    """Whether a server finds an element at a negative offset of a sorted set that is a skiplist."""
    return rules.has((7, 4), (8, 0)) and not rules.has((8, 6), None)


def _find_ranks(first: int, last: int, order: Order) -> tuple[int, int]:
    return find_ranks(first, last, len(order))
