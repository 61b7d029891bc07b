"""Lists: what a server made of the same commands, and errors that change nothing."""

from __future__ import annotations

import pytest
import server
from duel import Duel, replay, state_of, words_of

from rdbtool.engine import CommandError

#: (commands, the list ``l`` afterwards; None: no such key)
CASES = [
    (["RPUSH l a b c", "LPUSH l x y"], "y x a b c"),
    (["LPUSHX l a"], None),
    (["RPUSHX l a"], None),
    (["RPUSH l a", "RPUSHX l b c", "LPUSHX l d e"], "e d a b c"),
    (["RPUSH l a b c d", "LPOP l", "RPOP l"], "b c"),
    (["RPUSH l a b c d", "LPOP l 2"], "c d"),
    (["RPUSH l a b c d", "RPOP l 3"], "a"),
    (["RPUSH l a b c d", "LPOP l 0"], "a b c d"),
    (["RPUSH l a b", "LPOP l 9223372036854775807"], None),
    (["RPUSH l a", "PEXPIREAT l 9999999999999", "RPOP l", "RPUSH l b"], "b"),
    (["RPUSH l a b a", "LINSERT l BEFORE a x", "LINSERT l after b y", "LINSERT l AFTER none z"], "x a b y a"),
    (["RPUSH l a b a c a", "LREM l 2 a"], "b c a"),
    (["RPUSH l a b a c a", "LREM l -2 a"], "a b c"),
    (["RPUSH l a b a c a", "LREM l 0 a"], "b c"),
    (["RPUSH l a a", "LREM l -9223372036854775808 a"], None),
    (["RPUSH l a b c", "LSET l -3 x", "LSET l 2 y"], "x b y"),
    (["RPUSH l a b c d e", "LTRIM l 1 -2"], "b c d"),
    (["RPUSH l a b c d e f g h", "LTRIM l 6 100"], "g h"),
    (["RPUSH l a b c", "LTRIM l -100 1"], "a b"),
    (["RPUSH l a b c", "LTRIM l 2 1"], None),
    (["RPUSH l a b c", "LTRIM l -1 -9223372036854775808"], None),
    (["RPUSH l a b c", "RPOPLPUSH l l"], "c a b"),
    (["RPUSH s a b", "RPOPLPUSH s l", "RPOPLPUSH s l", "RPOPLPUSH s l"], "a b"),
    (["RPUSH l a b c", "LMOVE l l LEFT RIGHT"], "b c a"),
    (["RPUSH s a b c", "RPUSH l x", "LMOVE s l RIGHT RIGHT", "LMOVE s l left left"], "a x c"),
    (["RPUSH l a b c", "LMPOP 2 none l RIGHT COUNT 2"], "a"),
    (["RPUSH l a b c", "LMPOP 1 l left"], "b c"),
    (["RPUSH l a b c", "BLPOP none l 0", "BRPOP l 0.1"], "b"),
    (["RPUSH l a b c", "BLMPOP 0 1 l LEFT COUNT 2"], "c"),
    (["RPUSH l a b c", "BLMOVE l l LEFT RIGHT 0", "BRPOPLPUSH l l 0"], "a b c"),
    (["RPUSH l '' ''", "LREM l 1 ''"], ""),
]

FAILING = [
    "RPUSH s a", "LPOP s", "LPOP l -1", "LPOP l x", "LPOP l 1 2", "LINSERT l NEAR a b", "LREM l x a", "LSET none 0 a",
    "LSET l 3 a", "LSET l -4 a", "LSET l x a", "LTRIM l 0 x", "LTRIM l 0 9223372036854775808", "RPOPLPUSH l s",
    "RPOPLPUSH s l", "LMOVE l l UP DOWN", "LMOVE l s LEFT LEFT", "LMPOP 0 l LEFT", "LMPOP 2 l LEFT", "LMPOP 1 l UP",
    "LMPOP 1 l LEFT COUNT", "LMPOP 1 l LEFT COUNT 0", "LMPOP 1 l LEFT COUNT 1 COUNT 1", "LMPOP 2 s l LEFT",
    "BLPOP l -1",
    "BLPOP l x", "BLPOP s l 0", "BLMOVE l l LEFT LEFT x", "BRPOPLPUSH l l -1",
]  # fmt: skip


@pytest.mark.parametrize(("lines", "expected"), CASES)
def test_results(lines: list[str], expected: str | None) -> None:
    assert state_of(replay(*lines)).get("l") == expected


@pytest.mark.parametrize("line", FAILING)
def test_errors_change_nothing(line: str) -> None:
    engine = replay("RPUSH l a b c", "SADD s member")
    with pytest.raises(CommandError):
        engine.execute(*words_of(line))
    assert state_of(engine) == {"l": "a b c", "s": "member"}


@pytest.mark.server
def test_a_server_agrees(redis_server: server.Server) -> None:
    for lines, _ in CASES:
        redis_server.client("FLUSHALL")
        Duel(redis_server).lines(*lines)
    redis_server.client("FLUSHALL")
    Duel(redis_server).lines("RPUSH l a b c", "SADD s member", *FAILING)


def test_an_expiry_goes_with_the_last_element_only() -> None:
    engine = replay("RPUSH l a b", "PEXPIREAT l 5", "LPOP l", "RPOPLPUSH l l")
    assert engine.db.expires == {b"l": 5}
    engine.execute(b"LPOP", b"l")
    assert engine.db.expires == {}
