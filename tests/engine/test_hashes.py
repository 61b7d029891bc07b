"""Hashes: what a server made of the same commands, field expiry by the rules of a loading server, and errors."""

from __future__ import annotations

import pytest
import server
from duel import Duel, replay, state_of, words_of

from rdbtool.engine import CommandError, Engine
from rdbtool.engine.values import HashData

NOW = 1_000_000

#: (commands, the hash ``h`` afterwards; None: no such key)
CASES = [
    (["HSET h a 1 b 2 a 3"], {"a": "3", "b": "2"}),
    (["HMSET h a 1", "HSET h '' ''"], {"a": "1", "": ""}),
    (["HSETNX h a 1", "HSETNX h a 2", "HSETNX h b 3"], {"a": "1", "b": "3"}),
    (["HSET h a 1 b 2", "HDEL h a x", "HDEL none a"], {"b": "2"}),
    (["HSET h a 1", "HDEL h a a"], None),
    (["HINCRBY h a 5", "HINCRBY h a -7", "HINCRBY h b 9223372036854775807"], {"a": "-2", "b": "9223372036854775807"}),
    (["HSET h a 10.5", "HINCRBYFLOAT h a 0.1", "HINCRBYFLOAT h b 5.0e3"], {"a": "10.6", "b": "5000"}),
    (["HSET h a 3.0", "HINCRBYFLOAT h a 1e-17", "HINCRBYFLOAT h b 0x1p-2"], {"a": "3.00000000000000001", "b": "0.25"}),
]  # fmt: skip

FAILING = [
    "HSET s a 1", "HSET h a 1 b", "HMSET h a 1 b", "HSETNX s a 1", "HDEL s a", "HINCRBY h a x", "HINCRBY h text 1",
    "HINCRBY h big 1", "HINCRBY s a 1", "HINCRBY h a 1.5", "HINCRBYFLOAT h text 1", "HINCRBYFLOAT h a x",
    "HINCRBYFLOAT h a inf", "HINCRBYFLOAT h a nan", "HINCRBYFLOAT s a 1", "HINCRBYFLOAT none a ''",
]  # fmt: skip


def expiries(engine: Engine) -> dict[str, int] | None:
    """Return the expiries of the fields of ``h``."""
    data = engine.db.keys[b"h"]
    assert isinstance(data, HashData)
    return None if data.expires is None else {field.decode(): when for field, when in data.expires.items()}


def load(*lines: str, rules: str) -> Engine:
    """Return an engine where field ``past`` has expired, ``next`` has not, and ``plain`` never does."""
    start = "HSET h past 1 next 2 plain 3", f"HPEXPIREAT h {NOW - 1} FIELDS 1 past", f"HPEXPIREAT h {NOW} FIELDS 1 next"
    return replay(*start, *lines, rules=rules, now_ms=NOW)


@pytest.mark.parametrize(("lines", "expected"), CASES)
def test_results(lines: list[str], expected: dict[str, str] | None) -> None:
    assert state_of(replay(*lines)).get("h") == expected


@pytest.mark.parametrize("line", FAILING)
def test_errors_change_nothing(line: str) -> None:
    engine = replay("HSET h a 1 text abc big 9223372036854775807", "SET s text")
    before = state_of(engine)
    with pytest.raises(CommandError):
        engine.execute(*words_of(line))
    assert state_of(engine) == before


@pytest.mark.server
def test_a_server_agrees(redis_server: server.Server) -> None:
    for lines, _ in CASES:
        redis_server.client("FLUSHALL")
        Duel(redis_server).lines(*lines)
    redis_server.client("FLUSHALL")
    Duel(redis_server).lines("HSET h a 1 text abc big 9223372036854775807", "SET s text", *FAILING)


@pytest.mark.parametrize("rules", ["redis-8.0", "valkey-9.0"])
def test_a_past_expiry_is_stored(rules: str) -> None:
    assert expiries(load(rules=rules)) == {"past": NOW - 1, "next": NOW}


# What 8.0.6 and 9.1.2 did with fields that had expired while they loaded a log (format D3).


def test_redis_takes_an_expired_field_for_absent() -> None:
    engine = load("HSETNX h past x", "HSETNX h next x", "HSETNX h plain x", rules="redis-8.0")
    assert state_of(engine) == {"h": {"past": "x", "next": "2", "plain": "3"}}
    assert expiries(engine) == {"next": NOW}
    assert expiries(load("HPERSIST h FIELDS 4 past next plain none", rules="redis-8.0")) == {"past": NOW - 1}
    engine = load("HINCRBY h past 5", "HINCRBY h next 5", "HINCRBYFLOAT h past 1.5", rules="redis-8.0")
    assert state_of(engine) == {"h": {"past": "1.5", "next": "7", "plain": "3"}}
    assert expiries(engine) == {"past": NOW - 1, "next": NOW}


def test_valkey_takes_an_expired_field_for_present() -> None:
    engine = load("HSETNX h past x", "HINCRBY h past 5", rules="valkey-9.0")
    assert state_of(engine) == {"h": {"past": "6", "next": "2", "plain": "3"}}
    assert expiries(engine) == {"past": NOW - 1, "next": NOW}
    assert expiries(load("HPERSIST h FIELDS 2 past next", rules="valkey-9.0")) is None


@pytest.mark.parametrize("rules", ["redis-8.0", "valkey-9.0"])
def test_setting_a_field_forgets_its_expiry(rules: str) -> None:
    assert expiries(load("HSET h past x", rules=rules)) == {"next": NOW}
    assert expiries(load("HMSET h a 1 past 2 next 3", rules=rules)) is None
    assert expiries(load("HDEL h past", rules=rules)) == {"next": NOW}
    assert expiries(load("HDEL h past", "HSET h past new", rules=rules)) == {"next": NOW}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("", {"past": 500, "next": 500, "plain": 500}),
        ("NX", {"past": 100, "next": 900, "plain": 500}),
        ("XX", {"past": 500, "next": 500}),
        ("GT", {"past": 500, "next": 900}),
        ("lt", {"past": 100, "next": 500, "plain": 500}),
    ],
)
def test_conditions(condition: str, expected: dict[str, int]) -> None:
    engine = replay(
        "HSET h past 1 next 2 plain 3",
        "HPEXPIREAT h 100 FIELDS 1 past",
        "HPEXPIREAT h 900 FIELDS 1 next",
        f"HPEXPIREAT h 500 {condition} FIELDS 4 past next plain none",
        "HPEXPIREAT none 5 FIELDS 1 a",
        rules="redis-7.4",
    )
    assert expiries(engine) == expected
    assert set(state_of(engine)) == {"h"}


def test_units() -> None:
    lines = "HEXPIRE h 5 FIELDS 1 a", "HPEXPIRE h 5 FIELDS 1 b", "HEXPIREAT h 5 FIELDS 1 c", "HPEXPIREAT h 5 FIELDS 1 d"
    engine = replay("HSET h a 1 b 2 c 3 d 4", *lines, rules="redis-8.0", now_ms=NOW)
    assert expiries(engine) == {"a": NOW + 5000, "b": NOW + 5, "c": 5000, "d": 5}


def test_hsetex() -> None:
    engine = load("HSETEX h PXAT 7 FIELDS 2 a 1 plain 2", "HSETEX h KEEPTTL FIELDS 2 past x new y", rules="redis-8.0")
    assert state_of(engine) == {"h": {"past": "x", "next": "2", "plain": "2", "a": "1", "new": "y"}}
    assert expiries(engine) == {"past": NOW - 1, "next": NOW, "a": 7, "plain": 7}
    assert expiries(load("HSETEX h FIELDS 2 past x next y", rules="valkey-9.0")) is None
    assert expiries(replay("HSETEX h EX 2 FIELDS 1 a 1", rules="valkey-9.0", now_ms=NOW)) == {"a": NOW + 2000}
    assert expiries(replay("HSETEX h FIELDS 1 a 1 EXAT 2", rules="redis-8.6", now_ms=NOW)) == {"a": 2000}


@pytest.mark.parametrize(
    ("line", "rules", "is_set"),
    [
        ("HSETEX h FNX FIELDS 2 a 1 b 2", "redis-8.0", True),
        ("HSETEX h FNX FIELDS 2 a 1 plain 2", "redis-8.0", False),
        ("HSETEX h FNX FIELDS 2 a 1 past 2", "redis-8.0", True),
        ("HSETEX h FNX FIELDS 2 a 1 past 2", "valkey-9.0", False),
        ("HSETEX h FXX FIELDS 2 a 1 plain 2", "redis-8.0", False),
        ("HSETEX h FXX PXAT 5 FIELDS 1 plain 2", "redis-8.0", True),
        ("HSETEX none FXX FIELDS 1 plain 2", "redis-8.0", False),
        ("HSETEX none FNX FIELDS 1 plain 2", "valkey-9.0", True),
        ("HSETEX none XX FIELDS 1 plain 2", "valkey-9.1", False),
        ("HSETEX h NX FIELDS 1 plain 2", "valkey-9.1", False),
        ("HSETEX h XX FIELDS 1 plain 2", "valkey-9.1", True),
    ],
)
def test_hsetex_conditions(line: str, rules: str, *, is_set: bool) -> None:
    before, after = load(rules=rules), load(line, rules=rules)
    assert (list(before.records()) != list(after.records())) == is_set


def test_hgetex_and_hgetdel() -> None:
    assert expiries(load("HGETEX h FIELDS 2 past next", rules="redis-8.0")) == {"past": NOW - 1, "next": NOW}
    assert expiries(load("HGETEX h PERSIST FIELDS 3 past next plain", rules="redis-8.0")) == {"past": NOW - 1}
    assert expiries(load("HGETEX h PXAT 9 FIELDS 3 next plain none", rules="valkey-9.0")) == {
        "past": NOW - 1, "next": 9, "plain": 9,
    }  # fmt: skip
    engine = load("HGETDEL h FIELDS 3 past plain none", rules="valkey-9.1")
    assert state_of(engine) == {"h": {"next": "2"}}
    engine.execute(*words_of("HGETDEL h FIELDS 1 next"))
    assert state_of(engine) == {}


@pytest.mark.parametrize(
    "line",
    [
        "HPEXPIREAT h -1 FIELDS 1 plain", "HPEXPIREAT h x FIELDS 1 plain", "HPEXPIREAT h 5 FIELDS 2 plain",
        "HPEXPIREAT h 5 FIELDS 0 plain", "HPEXPIREAT h 5 NX XX FIELDS 1 plain", "HPEXPIREAT h 5 GT LT FIELDS 1 plain",
        "HPEXPIREAT h 5 1 plain plain", "HPEXPIREAT s 5 FIELDS 1 plain", "HPERSIST h FIELDS 2 next",
        "HPERSIST s FIELDS 1 a",
        "HPERSIST h FIELD 1 next", "HSETEX h FIELDS 1 a", "HSETEX h FIELDS 1 a 1 x y",
        "HSETEX h EX 1 PX 1 FIELDS 1 a 1",
        "HSETEX h EX 1 KEEPTTL FIELDS 1 a 1", "HSETEX h FNX FXX FIELDS 1 a 1", "HSETEX h PERSIST FIELDS 1 a 1",
        "HSETEX h PXAT 1 EX 1 PX", "HSETEX s FIELDS 1 a 1", "HGETEX h PERSIST EX 1 FIELDS 1 next",
        "HGETEX s FIELDS 1 a",
        "HGETEX h EX -1 FIELDS 1 next", "HGETDEL h FIELDS 2 next", "HGETDEL s FIELDS 1 a", "PEXPIREMEMBERAT h next 5",
    ],
)  # fmt: skip
@pytest.mark.parametrize("rules", ["redis-8.0", "valkey-9.1"])
def test_errors_of_field_expiry_change_nothing(line: str, rules: str) -> None:
    engine = load("SET s text", rules=rules)
    before = list(engine.records())
    with pytest.raises(CommandError):
        engine.execute(*words_of(line))
    assert list(engine.records()) == before


def test_redis_keeps_expiries_below_2_to_the_46() -> None:
    lines = "HSET h a 1", f"HPEXPIREAT h {2**46 - 1} FIELDS 1 a"
    assert expiries(replay(*lines, rules="redis-8.0")) == {"a": 2**46 - 1}
    with pytest.raises(CommandError):
        replay("HSET h a 1", f"HPEXPIREAT h {2**46} FIELDS 1 a", rules="redis-8.0")
    assert expiries(replay("HSET h a 1", f"HPEXPIREAT h {2**46} FIELDS 1 a", rules="valkey-9.0")) == {"a": 2**46}
