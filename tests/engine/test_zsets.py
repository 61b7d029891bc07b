"""Sorted sets: what a server made of the same commands, and errors that change nothing."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import server
from duel import Duel, replay, state_of, words_of

from rdbtool.engine import CommandError

INF = math.inf

#: (commands, the sorted set ``z`` afterwards; None: no such key)
CASES: list[tuple[list[str], list[tuple[str, float]] | None]] = [
    (["ZADD z 2 b 1 a 2 a"], [("a", 2), ("b", 2)]),
    (["ZADD z inf a -inf b .5 c 5. d +1 e 1e2 f 0x10 g"],
     [("b", -INF), ("c", 0.5), ("e", 1), ("d", 5), ("g", 16), ("f", 100), ("a", INF)]),
    (["ZADD z 1 a", "ZADD z NX 5 a 6 b"], [("a", 1), ("b", 6)]),
    (["ZADD z 1 a", "ZADD z XX 5 a 6 b", "ZADD none XX 1 a"], [("a", 5)]),
    (["ZADD z 5 a 5 b", "ZADD z GT 4 a 6 b 1 c"], [("c", 1), ("a", 5), ("b", 6)]),
    (["ZADD z 5 a 5 b", "ZADD z LT CH 4 a 6 b 1 c"], [("c", 1), ("a", 4), ("b", 5)]),
    (["ZADD z 5 a", "ZADD z XX GT 9 a 9 b"], [("a", 9)]),
    (["ZADD z 5 a", "ZADD z INCR 2.5 a", "ZADD z incr 1 b"], [("b", 1), ("a", 7.5)]),
    (["ZADD z 5 a", "ZADD z GT INCR -1 a", "ZADD z LT INCR -1 a", "ZADD z NX INCR 9 a"], [("a", 4)]),
    (["ZADD z inf a", "ZADD z NX INCR -inf a"], [("a", INF)]),
    (["ZINCRBY z 1.5 a", "ZINCRBY z -3 a"], [("a", -1.5)]),
    (["ZADD z 1 a 2 b", "ZREM z a x", "ZREM none a"], [("b", 2)]),
    (["ZADD z 1 a", "ZREM z a"], None),
    (["ZADD z 1 a 2 b 3 c 4 d", "ZREMRANGEBYRANK z -2 -1", "ZREMRANGEBYRANK z 5 9"], [("a", 1), ("b", 2)]),
    (["ZADD z 1 a 2 b 3 c 4 d", "ZREMRANGEBYRANK z -100 1"], [("c", 3), ("d", 4)]),
    (["ZADD z 1 a 2 b 3 c 4 d", "ZREMRANGEBYSCORE z (1 3", "ZREMRANGEBYSCORE z 9 0"], [("a", 1), ("d", 4)]),
    (["ZADD z 1 a 2 b", "ZREMRANGEBYSCORE z -inf (inf"], None),
    (["ZADD z 0 a 5 b", "ZREMRANGEBYSCORE z '' 1"], [("b", 5)]),
    (["ZADD z 1 a", "ZREMRANGEBYSCORE z 1e400 -1e400"], [("a", 1)]),
    (["ZADD z 0 a 0 b 0 c 0 d", "ZREMRANGEBYLEX z [b (d"], [("a", 0), ("d", 0)]),
    (["ZADD z 0 a 0 b 0 c", "ZREMRANGEBYLEX z + -", "ZREMRANGEBYLEX z (b +"], [("a", 0), ("b", 0)]),
    (["ZADD z 0 a 0 b", "ZREMRANGEBYLEX z - +"], None),
    # Ranges of members over different scores: the packed encoding walks from one end.
    (["ZADD z 1 c 2 a 3 d 4 b", "ZREMRANGEBYLEX z [b [c"], [("d", 3), ("b", 4)]),
    (["ZADD z 1 b 1 a 2 c", "ZPOPMIN z", "ZPOPMAX z"], [("b", 1)]),
    (["ZADD z 1 b 1 a 2 c", "ZPOPMIN z 2", "ZPOPMAX z 0", "ZPOPMIN none 5"], [("c", 2)]),
    (["ZADD z 1 b 1 a 2 c", "ZPOPMAX z 100"], None),
    (["ZADD z 1 b 1 a 2 c", "ZMPOP 2 none z MAX COUNT 2"], [("a", 1)]),
    (["ZADD z 1 b 1 a 2 c", "BZPOPMIN none z 0", "BZPOPMAX z 0", "BZMPOP 0 1 none MIN"], [("b", 1)]),
    (["ZADD z 0 a", "ZADD z -0 a"], [("a", 0.0)]),
    (["ZADD x 1 a 2 b", "ZADD y 3 b 4 c", "ZUNIONSTORE z 2 x y"], [("a", 1), ("c", 4), ("b", 5)]),
    (["ZADD x 1 a 2 b", "ZADD y 3 b 4 c", "ZUNIONSTORE z 2 x y WEIGHTS 2 -1 AGGREGATE MIN"],
     [("c", -4), ("b", -3), ("a", 2)]),
    (["ZADD x 1 a 2 b", "SADD y b c", "ZUNIONSTORE z 3 x none y AGGREGATE max WEIGHTS 1 1 10"],
     [("a", 1), ("b", 10), ("c", 10)]),
    (["ZADD x inf a", "ZADD y -inf a", "ZUNIONSTORE z 2 x y"], [("a", 0)]),
    (["ZADD x inf a", "ZUNIONSTORE z 1 x WEIGHTS 0"], [("a", 0)]),
    # Doubles are added from the smallest source to the largest.
    (["ZADD x 1e20 a 1 b", "ZADD y 1 a", "ZADD w -1e20 a 1 b 1 c", "ZUNIONSTORE z 3 w x y"],
     [("a", 0), ("c", 1), ("b", 2)]),
    (["ZADD x 1 a 2 b", "ZADD y 3 b 4 c", "ZINTERSTORE z 2 x y WEIGHTS 10 1"], [("b", 23)]),
    (["ZADD z 1 a", "ZADD x 1 a", "ZINTERSTORE z 2 x none"], None),
    (["ZADD x 1 a 2 b 3 c", "SADD y b", "ZDIFFSTORE z 3 x y none"], [("a", 1), ("c", 3)]),
    (["ZADD z 1 a", "ZDIFFSTORE z 2 z z"], None),
    (["ZADD x 1 a 2 b 3 c 4 d", "ZRANGESTORE z x 1 -2"], [("b", 2), ("c", 3)]),
    (["ZADD x 1 a 2 b 3 c 4 d", "ZRANGESTORE z x 0 1 REV"], [("c", 3), ("d", 4)]),
    (["ZADD x 1 a 2 b 3 c 4 d", "ZRANGESTORE z x (4 1 BYSCORE REV LIMIT 1 1"], [("b", 2)]),
    (["ZADD x 1 a 2 b 3 c 4 d", "ZRANGESTORE z x -inf +inf BYSCORE LIMIT 1 -1"], [("b", 2), ("c", 3), ("d", 4)]),
    (["ZADD z 1 a", "ZADD x 1 a", "ZRANGESTORE z x 0 9 BYSCORE LIMIT -1 5"], None),
    (["ZADD x 0 a 0 b 0 c 0 d", "ZRANGESTORE z x [d (a BYLEX REV LIMIT 0 2"], [("c", 0), ("d", 0)]),
    (["ZADD z 1 a", "ZRANGESTORE z none 0 -1"], None),
    (["ZADD x 1 a", "ZADD z 1 a", "PEXPIREAT z 9999999999999", "ZRANGESTORE z x 0 -1"], [("a", 1)]),
]  # fmt: skip

FAILING = [
    "ZADD l 1 a", "ZADD z 1", "ZADD z 1 a 2", "ZADD z NX XX 1 a", "ZADD z GT LT 1 a", "ZADD z NX GT 1 a", "ZADD z NX 1",
    "ZADD z INCR 1 a 2 b", "ZADD z nan a", "ZADD z 9 x abc y", "ZADD z 1e400 a", "ZADD z 1e-400 a",
    "ZADD z 0x1p-1080 a",
    "ZADD z '' a", "ZADD z INCR -inf i", "ZINCRBY z -inf i", "ZINCRBY z x a", "ZINCRBY l 1 a", "ZREM l a",
    "ZREMRANGEBYRANK z 0 x", "ZREMRANGEBYRANK l 0 1", "ZREMRANGEBYSCORE z 0 x", "ZREMRANGEBYSCORE z nan 1",
    "ZREMRANGEBYLEX z a [b", "ZREMRANGEBYLEX z - +x", "ZREMRANGEBYLEX z '' +", "ZPOPMIN z x", "ZPOPMIN z 1 2",
    "ZPOPMIN z -1", "ZPOPMAX l", "ZMPOP 1 z MID", "ZMPOP 0 z MIN", "ZMPOP 2 l z MIN", "ZMPOP 1 z MIN COUNT 0",
    "BZPOPMIN z -1", "ZUNIONSTORE t 0 z", "ZUNIONSTORE t x z", "ZUNIONSTORE t 2 z", "ZUNIONSTORE t 1 l",
    "ZUNIONSTORE t 1 z WEIGHTS", "ZUNIONSTORE t 1 z WEIGHTS x", "ZUNIONSTORE t 1 z AGGREGATE AVG",
    "ZUNIONSTORE t 1 z WITHSCORES", "ZINTERSTORE t 2 none l", "ZDIFFSTORE t 1 z WEIGHTS 1", "ZDIFFSTORE t 2 z l",
    "ZRANGESTORE t z 0 x", "ZRANGESTORE t z 0 -1 LIMIT 0 1", "ZRANGESTORE t z 0 -1 WITHSCORES", "ZRANGESTORE t l 0 -1",
    "ZRANGESTORE t z 0 x BYSCORE", "ZRANGESTORE t z 0 1 BYLEX", "ZRANGESTORE t z 0 1 BYSCORE BYLEX",
    "ZRANGESTORE t z 0 1 REV REV", "ZRANGESTORE t z 0 1 BYSCORE LIMIT 0",
]  # fmt: skip


@pytest.mark.parametrize(("lines", "expected"), CASES)
def test_results(lines: list[str], expected: list[tuple[str, float]] | None) -> None:
    assert state_of(replay(*lines)).get("z") == expected


@pytest.mark.parametrize("line", FAILING)
def test_errors_change_nothing(line: str) -> None:
    engine = replay("ZADD z 1 a inf i", "RPUSH l element", "ZADD t 1 old")
    before = state_of(engine)
    with pytest.raises(CommandError):
        engine.execute(*words_of(line))
    assert state_of(engine) == before


@pytest.mark.server
def test_a_server_agrees(redis_server: server.Server) -> None:
    for lines, _ in CASES:
        redis_server.client("FLUSHALL")
        Duel(redis_server).lines(*(line.replace("BZMPOP 0 ", "BZMPOP 0.001 ") for line in lines))
    redis_server.client("FLUSHALL")
    Duel(redis_server).lines("ZADD z 1 a inf i", "RPUSH l element", *FAILING)


@pytest.mark.server
def test_large_ones(redis_server: server.Server) -> None:
    duel = Duel(redis_server)
    pairs = [word for number in range(700) for word in (f"{number * 37 % 101 / 7}", f"member {number:03}")]
    duel.run("ZADD", "big", *pairs)
    duel.run("ZADD", "flat", *(word if at % 2 else "0" for at, word in enumerate(pairs)))
    for line in (
        "ZREMRANGEBYRANK big 10 -600", "ZREMRANGEBYSCORE big (3 5", "ZPOPMAX big 50", "ZPOPMIN big 3",
        "ZADD big -0 new",
        "ZRANGESTORE part big (2 9 BYSCORE LIMIT 7 90", "ZUNIONSTORE both 3 big part flat WEIGHTS 0.1 0.2 -0.3",
        "ZINTERSTORE common 2 big part AGGREGATE MAX", "ZDIFFSTORE rest 2 big part", "ZADD big 4 new 5 newer",
    ):  # fmt: skip
        duel.lines(line)
    duel.run("ZREMRANGEBYLEX", "flat", "(member 100", "[member 500")
    duel.run("ZRANGESTORE", "some", "flat", "+", "[member 05", "BYLEX", "REV", "LIMIT", 3, 60)
    duel.check()


def test_the_sign_of_a_zero_depends_on_the_server() -> None:
    def sign(rules: str, member: str = "a") -> float:
        engine = replay(f"ZADD z -0 {member}", rules=rules)
        (score,) = engine.db.keys[b"z"].values()  # type: ignore[attr-defined]
        return math.copysign(1, score)

    assert sign("redis-6.2") == -1
    assert sign("redis-7.0") == sign("valkey-9.0") == 1
    assert sign("redis-7.0", member="m" * 65) == -1


def test_hexadecimal_scores_depend_on_the_server() -> None:
    assert state_of(replay("ZADD z 0x1p4 a", rules="redis-8.0")) == {"z": [("a", 16.0)]}
    for line in ("ZADD z 0x10 a", "ZINCRBY z 0x10 a", "ZREMRANGEBYSCORE z 0x10 1"):
        with pytest.raises(CommandError):
            replay(line, rules="valkey-9.1")


def test_the_order_is_kept_through_changes() -> None:
    engine = replay("ZADD z 1 a 2 b 3 c", "ZREMRANGEBYRANK z 9 9", "ZADD z 0 c 9 d", "ZREM z a", "ZINCRBY z 5 b")
    order = engine.db.keys[b"z"].order  # type: ignore[attr-defined]
    assert order == [(0.0, b"c"), (7.0, b"b"), (9.0, b"d")]
    assert all(one < other for one, other in pairwise(order))
