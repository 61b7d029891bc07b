"""Sets: what a server made of the same commands, and errors that change nothing."""

from __future__ import annotations

import pytest
import server
from duel import Duel, replay, state_of, words_of

from rdbtool.engine import CommandError
from rdbtool.engine.command_errors import UnknownEffectError

#: (commands, the set ``s`` afterwards; None: no such key)
CASES = [
    (["SADD s a b a", "SADD s c"], "a b c"),
    (["SADD s a b", "SREM s a x", "SREM none a"], "b"),
    (["SADD s a b", "SREM s a b c"], None),
    (["SADD t a b", "SMOVE t s a", "SMOVE t s x", "SMOVE none s a"], "a"),
    (["SADD s a", "SMOVE s s a"], "a"),
    (["SADD s a", "SADD t b", "SMOVE s t a"], None),
    (["SADD s a b", "SPOP s 2"], None),
    (["SADD s a b", "SPOP s 0", "SPOP none"], "a b"),
    (["SADD s a", "SPOP s"], None),
    (["SADD x a b c", "SADD y b c d", "SINTERSTORE s x y"], "b c"),
    (["SADD s a b c", "SADD y b c d", "SINTERSTORE s s y y"], "b c"),
    (["SADD s a", "SADD x a", "SINTERSTORE s x none"], None),
    (["SADD x a b", "SADD y c", "SUNIONSTORE s x none y"], "a b c"),
    (["SADD s a", "SUNIONSTORE s none"], None),
    (["SADD x a b c", "SADD y b", "SADD z c d e f", "SDIFFSTORE s x y z none"], "a"),
    (["SADD s a", "SDIFFSTORE s s s"], None),
    (["SADD s a", "SADD x a", "SDIFFSTORE s none x"], None),
    (["SET s text", "SADD x a", "SUNIONSTORE s x"], "a"),
    (["SADD x a", "SADD s b", "PEXPIREAT s 9999999999999", "SUNIONSTORE s x"], "a"),
]

FAILING = [
    "SADD l a", "SREM l a", "SMOVE l s a", "SMOVE s l a", "SMOVE s l none", "SPOP s -1", "SPOP s x", "SPOP s 1 2",
    "SPOP l", "SINTERSTORE t s l", "SINTERSTORE t none l", "SUNIONSTORE t s l", "SDIFFSTORE t s l", "SDIFFSTORE t l",
]  # fmt: skip


@pytest.mark.parametrize(("lines", "expected"), CASES)
def test_results(lines: list[str], expected: str | None) -> None:
    assert state_of(replay(*lines)).get("s") == expected


@pytest.mark.parametrize("line", FAILING)
def test_errors_change_nothing(line: str) -> None:
    engine = replay("SADD s a b", "RPUSH l element", "SADD t old")
    with pytest.raises(CommandError):
        engine.execute(*words_of(line))
    assert state_of(engine) == {"s": "a b", "l": "element", "t": "old"}


@pytest.mark.parametrize("line", ["SPOP s", "SPOP s 1"])
def test_a_random_choice_is_refused(line: str) -> None:
    engine = replay("SADD s a b")
    with pytest.raises(UnknownEffectError, match="random"):
        engine.execute(*words_of(line))
    assert state_of(engine) == {"s": "a b"}


def test_sinterstore_before_7_stops_at_a_missing_source() -> None:
    lines = ["SADD t a", "RPUSH l element"]
    assert state_of(replay(*lines, "SINTERSTORE t none l", rules="redis-5.0")) == {"l": "element"}
    # Patch releases of 6.0 and 6.2 differ.
    with pytest.raises(UnknownEffectError):
        replay(*lines, "SINTERSTORE t none l", rules="redis-6.2")
    assert state_of(replay(*lines, "SINTERSTORE t none", rules="redis-6.2")) == {"l": "element"}


@pytest.mark.server
def test_a_server_agrees(redis_server: server.Server) -> None:
    for lines, _ in CASES:
        redis_server.client("FLUSHALL")
        Duel(redis_server).lines(*lines)
    redis_server.client("FLUSHALL")
    Duel(redis_server).lines("SADD s a b", "RPUSH l element", *FAILING)
