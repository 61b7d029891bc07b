"""What releases make of the same commands, as it was seen on servers of each."""

from __future__ import annotations

import pytest
from aof.logs import command
from duel import replay, state_of, words_of

from rdbtool.core.errors import Finding
from rdbtool.core.servers import Rules
from rdbtool.engine.command_errors import CommandError, DifferingEffectError, UnknownEffectError
from rdbtool.engine.replay.loader import replay_log
from rdbtool.engine.replay.replay_options import Options
from rdbtool.reader.aof.reader import open_aof


@pytest.mark.parametrize(
    ("rules", "expected"),
    [("redis-3.2", None), ("redis-7.0", None), ("redis-7.2", "x z y"), ("redis-8.6", "x z y"), ("valkey-9.1", "x z y")],
)
def test_lset_takes_the_lower_half_of_an_index(rules: str, expected: str | None) -> None:
    engine = replay("RPUSH l a b c", rules=rules)
    for line in ("LSET l -9223372036854775808 x", "LSET l 9223372036854775807 y", "LSET l 4294967297 z"):
        if expected is None:
            with pytest.raises(CommandError, match="ERR index out of range"):
                engine.execute(*words_of(line))
        else:
            engine.execute(*words_of(line))
    assert state_of(engine)["l"] == (expected or "a b c")


def test_lset_of_old_servers_goes_by_the_encoding() -> None:
    engine = replay("RPUSH l a b c", rules="redis-3.0")
    with pytest.raises(UnknownEffectError):
        engine.execute(*words_of("LSET l 4294967297 z"))
    assert state_of(engine) == {"l": "a b c"}
    with pytest.raises(CommandError, match="ERR index out of range"):
        engine.execute(*words_of("LSET l 4294967307 z"))


@pytest.mark.parametrize(("rules", "is_taken"), [("redis-8.6", True), ("valkey-9.0", True), ("valkey-9.1", False)])
def test_hexadecimal_scores(rules: str, is_taken: bool) -> None:
    engine = replay(rules=rules)
    if is_taken:
        engine.execute(*words_of("ZADD z 0x10 a"))
        assert state_of(engine) == {"z": [("a", 16.0)]}
    else:
        with pytest.raises(CommandError):
            engine.execute(*words_of("ZADD z 0x10 a"))


@pytest.mark.parametrize(("rules", "size"), [("redis-3.2", 12_304), ("redis-4.0", 26), ("redis-7.0", 26)])
def test_merged_hyperloglogs_are_sparse_since_4_0(rules: str, size: int) -> None:
    engine = replay("PFADD a x y", "PFADD b z", "PFMERGE c a b", rules=rules)
    assert len(bytes(engine.db.keys[b"c"])) == size


@pytest.mark.parametrize(("rules", "sum_"), [("redis-5.0", 99), ("redis-6.0", 96), ("valkey-8.1", 96)])
def test_old_servers_read_minus_one_for_any_negative_i64(rules: str, sum_: int) -> None:
    engine = replay("BITFIELD k SET i64 0 -4 INCRBY i64 0 100", rules=rules)
    assert int.from_bytes(bytes(engine.db.keys[b"k"]), "big") == sum_


@pytest.mark.parametrize(("rules", "wrapped"), [("redis-5.0", -1), ("redis-6.0", -(1 << 63) + 99)])
def test_old_servers_keep_the_sign_of_an_i64_that_overflows(rules: str, wrapped: int) -> None:
    engine = replay("BITFIELD k SET i64 0 9223372036854775807 INCRBY i64 0 100", rules=rules)
    assert int.from_bytes(bytes(engine.db.keys[b"k"]), "big", signed=True) == wrapped


def test_saturation_of_an_i64_depended_on_the_compiler() -> None:
    line = "BITFIELD k OVERFLOW SAT SET i64 0 -5 INCRBY i64 0 -9223372036854775808"
    with pytest.raises(DifferingEffectError):
        replay(line, rules="redis-3.2")
    engine = replay(line, rules="redis-5.0")
    assert bytes(engine.db.keys[b"k"]) == b"\x80" + b"\x00" * 7


@pytest.mark.parametrize("rules", ["redis-7.4", "redis-8.0", "valkey-8.0", "valkey-9.1"])
def test_a_negative_offset_goes_by_the_encoding(rules: str) -> None:
    for line in ("ZRANGESTORE d z 0 5 BYSCORE LIMIT -2 9", "ZRANGESTORE d z + - BYLEX REV LIMIT -1 1"):
        with pytest.raises(UnknownEffectError):
            replay("ZADD z 1 a 2 b 3 c", line, rules=rules)


@pytest.mark.parametrize(
    ("rules", "line"),
    [
        ("redis-7.2", "ZRANGESTORE d z 0 5 BYSCORE LIMIT -2 9"),
        ("redis-8.6", "ZRANGESTORE d z 0 5 BYSCORE LIMIT -2 9"),
        ("valkey-9.1", "ZRANGESTORE d z 0 5 BYSCORE LIMIT -4 9"),
        ("valkey-9.1", "ZRANGESTORE d z 0 5 BYSCORE LIMIT -2 0"),
        ("valkey-9.1", "ZRANGESTORE d z 6 7 BYSCORE LIMIT -1 9"),
    ],
)
def test_nothing_is_at_a_negative_offset(rules: str, line: str) -> None:
    assert "d" not in state_of(replay("ZADD z 1 a 2 b 3 c", "ZADD d 1 x", line, rules=rules))


SEARCHES = ["GEORADIUS none 1 1 5 km STORE d", "GEORADIUSBYMEMBER none m 5 km STOREDIST d"]


@pytest.mark.parametrize("line", SEARCHES)
@pytest.mark.parametrize(("rules", "is_kept"), [("redis-6.0", True), ("redis-7.0", False), ("valkey-9.1", False)])
def test_the_target_of_a_search_without_a_key(line: str, rules: str, is_kept: bool) -> None:
    assert ("d" in state_of(replay("ZADD d 1 x", line, rules=rules))) is is_kept


@pytest.mark.parametrize("line", SEARCHES)
def test_releases_of_6_2_differ_in_the_target_of_a_search_without_a_key(line: str) -> None:
    with pytest.raises(UnknownEffectError, match=r"releases of Redis 6\.2 differ"):
        replay("ZADD d 1 x", line, rules="redis-6.2")
    assert "d" not in state_of(replay(line, rules="redis-6.2"))


def test_the_lowest_number_is_its_own_negative_up_to_6_2() -> None:
    engine = replay("SET n 5", "DECRBY n -9223372036854775808", rules="redis-6.2")
    assert state_of(engine) == {"n": "-9223372036854775803"}
    with pytest.raises(CommandError, match="would overflow"):
        engine.execute(*words_of("DECRBY n -9223372036854775808"))
    with pytest.raises(CommandError, match="would overflow"):
        replay("SET n 5", "DECRBY n -9223372036854775808", rules="redis-7.0")


@pytest.mark.parametrize(("rules", "is_zero"), [("redis-3.2", True), ("redis-4.0", False), ("valkey-8.1", False)])
def test_nothing_is_a_score_of_zero_up_to_3_2(rules: str, is_zero: bool) -> None:
    engine = replay(rules=rules)
    for line in ("ZADD z '' a", "ZINCRBY z '' b"):
        if is_zero:
            engine.execute(*words_of(line))
        else:
            with pytest.raises(CommandError):
                engine.execute(*words_of(line))
    assert state_of(engine) == ({"z": [("a", 0.0), ("b", 0.0)]} if is_zero else {})


def test_a_counter_ends_at_a_nul_before_3_2() -> None:
    assert state_of(replay("SETRANGE n 3 x", "INCR n", rules="redis-3.0")) == {"n": "1"}
    with pytest.raises(CommandError):
        replay("SETRANGE n 3 x", "INCR n", rules="redis-3.2")


UNKNOWN_EFFECTS = [
    "PFADD a x\nPFMERGE b a",
    "BITFIELD k SET i64 0 -4 INCRBY i64 0 100",
    "ZADD d 1 x\nGEORADIUS none 1 1 5 km STORE d",
    "ZADD z -0 a",
    "ZADD z 1 a\nZUNIONSTORE y 1 z WEIGHTS -0",
    "ZADD z 1 a 2 b\nZRANGESTORE y z 0 5 BYSCORE LIMIT -1 1",
    "HSET h f 1\nHPEXPIREAT h 5 FIELDS 1 f\nHINCRBY h f 1",
    "HSET h f 1\nHPEXPIREAT h 5 FIELDS 1 f\nHPERSIST h FIELDS 1 f",
]
KNOWN_EFFECTS = [
    "BITFIELD k SET i64 0 4 INCRBY i64 0 100",
    "PFADD a x\nPFMERGE b a\nXADD s 1-1 f v",
    "PFADD a x\nPFCOUNT a\nPFCOUNT a",
    "ZADD d 1 x\nGEOADD g 1 1 a\nGEORADIUS g 1 1 5 km STORE d",
    "ZADD z -0.5 a",
    "ZADD z 1 a\nZUNIONSTORE y 1 z WEIGHTS -2",
    "ZADD z 1 a 2 b\nZRANGESTORE y z 0 5 BYSCORE LIMIT 1 1",
    "HSET h f 1\nHPEXPIREAT h 99999999999 FIELDS 1 f\nHINCRBY h f 1",
]


@pytest.mark.parametrize("log", UNKNOWN_EFFECTS)
def test_where_servers_differ_the_effect_is_unknown_until_one_is_named(log: str) -> None:
    assert [finding.code for finding in doubts_of(log)] == ["CMD211"]
    assert doubts_of(log, "redis-8.6") == []


@pytest.mark.parametrize("log", KNOWN_EFFECTS)
def test_where_all_servers_that_may_have_written_it_agree(log: str) -> None:
    assert doubts_of(log) == []


def doubts_of(log: str, rules: str | None = None) -> list[Finding]:
    data = b"".join(command(*words_of(line)) for line in log.splitlines())
    with open_aof(data) as reader:
        named = None if rules is None else Rules.parse(rules)
        return replay_log(reader, Options(rules=named, now_ms=1000)).doubts
