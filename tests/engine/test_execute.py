"""Replies of ``Engine.execute``: shapes, arguments, and what differs between servers. Most are compared with a server
(``differential/test_reply_values``); these are what other releases than the installed one answered."""

from __future__ import annotations

import pytest
from duel import words_of

from rdbtool.engine import CommandError, Engine

#: (rules, commands, the reply of the last one)
CASES: list[tuple[str, list[str], object]] = [
    ("redis-7.0", ["SET k v"], b"OK"),
    ("redis-7.0", ["SET k v NX", "SET k v NX"], None),
    ("redis-7.0", ["SET k v", "SET k w GET"], b"v"),
    ("redis-7.0", ["INCR n"], 1),
    ("redis-7.0", ["RPUSH l a b c", "LPOP l"], b"a"),
    ("redis-7.0", ["RPUSH l a b c", "LPOP l 2"], [b"a", b"b"]),
    ("redis-7.0", ["RPUSH l a", "LPOP l 0"], []),
    ("redis-7.0", ["LPOP l 2"], None),
    ("redis-7.0", ["RPUSH l a b", "BLPOP none l 0"], [b"l", b"a"]),
    ("redis-7.0", ["BLPOP none 0"], None),
    ("redis-7.0", ["SADD s a", "SPOP s"], b"a"),
    ("redis-7.0", ["SPOP s 3"], []),
    ("redis-7.0", ["ZADD z 1 a 2 b", "ZPOPMAX z 5"], [b"b", b"2", b"a", b"1"]),
    ("redis-7.0", ["ZADD z 1 a", "ZMPOP 1 z MIN"], [b"z", [[b"a", b"1"]]]),
    ("redis-7.0", ["ZADD z 1 a", "ZADD z GT INCR 0 a"], None),
    ("redis-7.0", ["XADD x 5 f v"], b"5-0"),
    ("redis-7.0", ["XADD x NOMKSTREAM 5 f v"], None),
    ("redis-7.0", ["BITFIELD b SET u8 0 255 OVERFLOW FAIL INCRBY u8 0 1 GET i8 0 GET u4 100"], [0, None, -1, 0]),
    ("redis-7.0", ["RPUSH l b a", "SET w_b 1", "SORT l ALPHA GET # GET w_*"], [b"a", None, b"b", b"1"]),
    # Since 7.2 the shortest text, but that of an integer up to 2^62.
    ("redis-7.0", ["ZINCRBY z 0.1 a", "ZINCRBY z 0.2 a"], b"0.30000000000000004"),
    ("redis-7.0", ["ZINCRBY z 0.1 a"], b"0.10000000000000001"),
    ("redis-7.2", ["ZINCRBY z 0.1 a"], b"0.1"),
    ("redis-7.0", ["ZINCRBY z 1e17 a"], b"1e+17"),
    ("redis-7.2", ["ZINCRBY z 1e17 a"], b"100000000000000000"),
    ("valkey-8.0", ["ZINCRBY z 1e21 a"], b"1e+21"),
    ("valkey-8.1", ["ZINCRBY z -0 a"], b"-0"),
    # Deleted entries are listed since 7.0.
    ("redis-6.2", ["XADD x 1 f v", "XGROUP CREATE x g 0", "XREADGROUP GROUP g a STREAMS x >",
                   "XAUTOCLAIM x g b 0 0 JUSTID"], [b"0-0", [b"1-0"]]),
    ("redis-7.0", ["XADD x 1 f v", "XADD x 2 f w", "XGROUP CREATE x g 0", "XREADGROUP GROUP g a STREAMS x >",
                   "XDEL x 1", "XAUTOCLAIM x g b 0 0 COUNT 2"], [b"0-0", [[b"2-0", [b"f", b"w"]]], [b"1-0"]]),
    ("redis-7.0", ["XADD x 1 f v", "XADD x 2 f w", "XGROUP CREATE x g 0", "XREADGROUP GROUP g a STREAMS x >",
                   "XDEL x 1", "XREADGROUP GROUP g a STREAMS x 0"], [[b"x", [[b"1-0", None], [b"2-0", [b"f", b"w"]]]]]),
    ("redis-8.6", ["XADD x 1 f v", "XGROUP CREATE x g 0", "XREADGROUP GROUP g a STREAMS x >",
                   "XDELEX x ACKED IDS 2 1 9"], [2, 2]),
    ("redis-8.6", ["XADD x 1 f v", "XGROUP CREATE x g 0", "XREADGROUP GROUP g a STREAMS x >",
                   "XDEL x 1", "XACKDEL x g IDS 2 1 9"], [1, -1]),
    ("redis-8.0", ["HSET h a 1 b 2", "HGETDEL h FIELDS 3 a a c"], [b"1", None, None]),
    ("redis-7.4", ["HSET h a 1", "HPEXPIREAT h 99999999999 NX FIELDS 2 a b"], [1, -2]),
    ("redis-7.4", ["HSET h a 1", "HPERSIST h FIELDS 2 a b"], [-1, -2]),
    ("redis-7.0", ["GEOADD g 13.361389 38.115556 p", "GEORADIUS g 13 38 200 km WITHCOORD WITHDIST"],
     [[b"p", b"34.1601", [b"13.36138933897018433", b"38.11555639549629859"]]]),
    ("redis-8.0", ["GEOADD g 13.361389 38.115556 p", "GEORADIUS g 13 38 200 km WITHCOORD"],
     [[b"p", [b"13.361389338970184", b"38.1155563954963"]]]),
]  # fmt: skip


@pytest.mark.parametrize(("rules", "lines", "reply"), CASES, ids=lambda part: str(part)[:60])
def test_replies(rules: str, lines: list[str], reply: object) -> None:
    engine = Engine(rules=rules, now_ms=1_700_000_000_000)
    replies = [engine.execute(*words_of(line)) for line in lines]
    assert replies[-1] == reply
    assert type(replies[-1]) is type(reply)


@pytest.mark.parametrize(
    ("script", "reply"),
    [
        (b"return redis.call('RPUSH', KEYS[1], 'a', 'b')", 2),
        (b"redis.call('RPUSH', KEYS[1], 'a')\nreturn redis.call('LPOP', KEYS[1], 2)", [b"a"]),
        (b"return redis.call('SET', KEYS[1], 'a')", b"OK"),
        (b"return redis.call('INCRBY', KEYS[1], '9007199254740993')", 9007199254740992),
        (b"redis.call('SET', KEYS[1], 'a'); return 'done'", b"done"),
        (b"redis.call('SET', KEYS[1], 'a'); return -12", -12),
        (b"redis.call('SET', KEYS[1], 'a'); return true", 1),
        (b"redis.call('SET', KEYS[1], 'a'); return false", None),
        (b"redis.call('SET', KEYS[1], 'a')", None),
    ],
)
def test_a_plain_script_answers_what_it_returns(script: bytes, reply: object) -> None:
    assert Engine(rules="redis-6.2").execute("EVAL", script, "1", "key") == reply


def test_arguments_are_text_or_bytes() -> None:
    engine = Engine()
    assert engine.execute("SET", "käy", b"\xff") == b"OK"
    assert engine.db.keys == {"käy".encode(): b"\xff"}
    with pytest.raises(TypeError, match="str or bytes, not int"):
        engine.execute("SET", "k", 1)  # type: ignore[arg-type]


def test_errors_are_raised() -> None:
    engine = Engine()
    engine.execute("SET", "k", "v")
    with pytest.raises(CommandError, match="WRONGTYPE"):
        engine.execute("LPUSH", "k", "a")


def test_only_execute_builds_long_replies() -> None:
    engine = Engine()
    engine.execute("XADD", "x", "1", "f", "v")
    engine.execute("XGROUP", "CREATE", "x", "g", "0")
    later = engine.apply((b"XREADGROUP", b"GROUP", b"g", b"a", b"STREAMS", b"x", b">"))
    assert callable(later)
    assert later() == [[b"x", [[b"1-0", [b"f", b"v"]]]]]


@pytest.mark.parametrize(
    ("rules", "takes"),
    [("redis-7.4", True), ("redis-8.0", False), ("valkey-9.0", True), ("valkey-9.1", False)],
)
def test_newer_servers_take_no_hexadecimal_bounds(rules: str, takes: bool) -> None:
    engine = Engine(rules=rules)
    engine.execute("ZADD", "z", "16", "a", "17", "b")
    engine.execute("RPUSH", "l", "0x10", "2")
    if takes:
        assert engine.execute("ZREMRANGEBYSCORE", "z", "0x10", " 16") == 1
        assert engine.execute("SORT", "l") == [b"2", b"0x10"]
        return
    for words in (("ZREMRANGEBYSCORE", "z", "0x10", "16"), ("ZREMRANGEBYSCORE", "z", " 16", "16"), ("SORT", "l")):
        with pytest.raises(CommandError, match=r"float|double"):
            engine.execute(*words)


@pytest.mark.parametrize(
    ("rules", "texts"),
    [
        ("redis-7.4", ["", "\0"]),
        ("redis-8.0", ["", "\0", "1e400", "1e-400", "1e-310"]),
        ("valkey-9.0", ["", "\0"]),
        ("valkey-9.1", ["1e-310"]),
    ],
)
def test_which_texts_sort_takes_for_numbers(rules: str, texts: list[str]) -> None:
    taken = []
    for text in ("", "\0", "1e400", "1e-400", "1e-310"):
        engine = Engine(rules=rules)
        engine.execute("RPUSH", "l", text)
        try:
            engine.execute("SORT", "l")
        except CommandError:
            continue
        taken.append(text)
    assert taken == texts
