"""SORT: what a server stored, and what is refused."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import server
from aof.logs import command
from duel import Duel, digest_of, replay, state_of, words_of

from rdbtool.core.servers import Rules
from rdbtool.engine import CommandError, Engine
from rdbtool.engine.command_errors import UnknownOrderError
from rdbtool.model import KeyRecord, SetValue

StartServer = Callable[..., AbstractContextManager[server.Server]]

#: (commands, the list ``d`` afterwards; None: no such key)
CASES = [
    (["RPUSH l 3 10 2 -1 2.5", "SORT l STORE d"], "-1 2 2.5 3 10"),
    (["RPUSH l 3 10 2", "SORT l DESC STORE d"], "10 3 2"),
    (["RPUSH l 3 10 2", "SORT l ALPHA STORE d"], "10 2 3"),
    (["RPUSH l b a B A", "SORT l ALPHA DESC STORE d"], "b a B A"),
    (["RPUSH l 5 4 3 2 1", "SORT l LIMIT 1 2 STORE d"], "2 3"),
    (["RPUSH l 5 4 3 2 1", "SORT l LIMIT -5 2 STORE d"], "1 2"),
    (["RPUSH l 5 4 3 2 1", "SORT l LIMIT 3 -1 STORE d"], "4 5"),
    (["RPUSH l 5 4 3 2 1", "RPUSH d x", "SORT l LIMIT 9 1 STORE d"], None),
    (["RPUSH l 5 4 3", "RPUSH d x", "SORT l LIMIT 0 0 STORE d"], None),
    (["RPUSH d x", "SORT none STORE d"], None),
    (["RPUSH l 1 2 3", "MSET w1 30 w2 10 w3 20", "SORT l BY w* STORE d"], "2 3 1"),
    (["RPUSH l 1 2 3", "MSET w1 30 w3 20", "SORT l BY w* STORE d"], "2 3 1"),
    (["RPUSH l 2 1 10", "SORT l BY w* STORE d"], "1 10 2"),
    (["RPUSH l a b", "HSET o:a f 2", "HSET o:b f 1", "SORT l BY o:*->f STORE d"], "b a"),
    (["RPUSH l a b", "MSET n-a-x A n-b-x B", "SORT l ALPHA GET n-*-x GET # STORE d"], "A a B b"),
    (["RPUSH l a b", "HSET o:a f 2", "SORT l ALPHA GET o:*->f GET o:*-> GET fixed STORE d"], "2     "),
    (["RPUSH l c a b", "SORT l BY nosort STORE d"], "c a b"),
    (["RPUSH l c a b", "SORT l BY nosort DESC LIMIT 0 2 STORE d"], "b a"),
    (["ZADD z 1 c 2 a 3 b", "SORT z BY nosort STORE d"], "c a b"),
    (["ZADD z 1 c 2 a 3 b", "SORT z BY nosort DESC LIMIT 1 9 STORE d"], "a c"),
    (["ZADD z 1 3 2 1 3 2", "SORT z STORE d"], "1 2 3"),
    (["SADD s c a b", "SORT s BY nosort STORE d"], "a b c"),
    (["SADD s c a b", "SORT s BY nosort DESC STORE d"], "c b a"),
    (["SADD s 3 1 2", "MSET w1 5 w2 5 w3 5", "SORT s BY w* STORE d"], "1 2 3"),
    (["SADD s a b c", "MSET wa z wb y wc x", "SORT s BY w* ALPHA LIMIT 0 2 STORE d"], "c b"),
    (["RPUSH d 2 1", "PEXPIREAT d 9999999999999", "SORT d STORE d"], "1 2"),
    (["SET d text", "RPUSH l 2 1", "SORT l STORE d"], "1 2"),
    (["RPUSH l 1 2", "SORT l", "SORT l DESC ALPHA GET #"], None),
    (["RPUSH l a", "SET w*x 1", "SORT l BY w*x* ALPHA GET *a STORE d"], ""),
    (["RPUSH l inf -inf 1e3 '' 0x10", "SORT l STORE d"], "-inf  0x10 1e3 inf"),
]  # fmt: skip

FAILING = [
    "SORT str STORE d", "SORT text STORE d", "SORT l STORE", "SORT l LIMIT 1 STORE d", "SORT l LIMIT x 1 STORE d",
    "SORT l UP STORE d", "SORT l BY text* STORE d", "SORT l BY STORE d GET",
]  # fmt: skip


@pytest.mark.parametrize(("lines", "expected"), CASES)
def test_results(lines: list[str], expected: str | None) -> None:
    assert state_of(replay(*lines)).get("d") == expected


@pytest.mark.parametrize("line", FAILING)
def test_errors_change_nothing(line: str) -> None:
    engine = replay("RPUSH l 1 2", "SET str 5", "SET text1 abc", "RPUSH text a b", "RPUSH d old")
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
    setup = "RPUSH l 1 2", "SET str 5", "SET text1 abc", "RPUSH text a b", "RPUSH d old"
    Duel(redis_server).lines(*setup, *FAILING)


@pytest.mark.server
@pytest.mark.parametrize("size", [5, 8, 39, 60, 500])
def test_equal_weights_stand_as_the_server_leaves_them(redis_server: server.Server, size: int) -> None:
    """Elements that compare as equal: a stable sort of everything, an unstable one of a part."""
    choose = random.Random(size)
    duel = Duel(redis_server)
    duel.run("RPUSH", "l", *range(size))
    for number in range(size):
        duel.run("SET", f"w{number}", choose.choice("abcde"))
    for at in range(40):
        first, count = choose.randrange(size), choose.randrange(1, size)
        limit = ["LIMIT", first, count] if at % 4 else []
        duel.run("SORT", "l", "BY", "w*", "ALPHA", choose.choice(["ASC", "DESC"]), *limit, "STORE", f"d{at}")
    duel.check()


@pytest.mark.parametrize("line", ["SORT s BY w* ALPHA STORE d", "SORT z BY w* ALPHA LIMIT 1 1 STORE d"])
def test_the_order_of_a_hash_table_is_unknown(line: str) -> None:
    engine = replay("SADD s a b c", "ZADD z 1 a 2 b 3 c", "MSET wa same wb same wc other")
    with pytest.raises(UnknownOrderError, match="hash table"):
        engine.execute(*words_of(line))
    # It is executed all the same, in one of the orders.
    assert b"d" in engine.db.keys


@pytest.mark.parametrize(
    ("add", "rules", "expected"),
    [
        # An intset is sorted by number in every server.
        ("SADD s 30 4 200", "redis-2.8", "4 30 200"),
        ("SADD s 30 4 200 x,SREM s x", "redis-7.0", None),
        # A listpack has what was an intset before in order, and then what was added.
        ("SADD s 30 4 200 x a", "redis-7.2", "4 30 200 x a"),
        ("SADD s c b,SADD s a,SREM s b", "valkey-8.1", "c a"),
        ("SADD s c b,COPY s t,SMOVE t s nope,SMOVE t s c,SADD s a,RENAME s u,RENAME u s", "redis-8.0", "c b a"),
        ("SADD s c b", "redis-7.0", None),
        (f"SADD s {'x' * 65} c", "redis-7.2", None),
        (f"SADD s {' '.join(f'm{at}' for at in range(129))}", "redis-7.2", None),
        (f"SADD s {' '.join(map(str, range(513)))}", "redis-7.2", None),
        ("SADD s c b,SUNIONSTORE s s", "redis-7.2", None),
    ],
)
def test_equal_elements_of_a_set(add: str, rules: str, expected: str | None) -> None:
    engine = replay(*add.split(","), rules=rules)
    argv = words_of("SORT s BY w* ALPHA STORE d")
    if expected is None:
        with pytest.raises(UnknownOrderError):
            engine.execute(*argv)
    else:
        engine.execute(*argv)
        assert state_of(engine)["d"] == expected


def test_the_order_of_a_listpack_is_in_doubt_where_the_server_is_guessed() -> None:
    engine = replay("SADD s c b", rules="redis-7.2")
    engine.least = {"redis": Rules("redis", 5, 0)}
    with pytest.raises(UnknownOrderError):
        engine.execute(*words_of("SORT s BY w* ALPHA STORE d"))


@pytest.mark.parametrize(("encoding", "expected"), [("listpack", "3 a 1"), ("hashtable", "3 a 1")])
def test_sets_of_an_rdb_keep_the_order_of_a_listpack(encoding: str, expected: str) -> None:
    engine = Engine(rules="redis-7.2")
    engine.put(KeyRecord(db=0, key=b"s", value=SetValue([b"3", b"a", b"1"]), encoding=encoding))
    engine.execute(*words_of("SORT s BY w* ALPHA STORE d"))
    assert state_of(engine)["d"] == expected
    # Integers that are all that is left of a listpack are no intset.
    engine.put(KeyRecord(db=0, key=b"t", value=SetValue([b"3", b"1"]), encoding=encoding))
    engine.execute(*words_of("SORT t BY w* ALPHA STORE d"))
    assert state_of(engine)["d"] == ("3 1" if encoding == "listpack" else "1 3")


@pytest.mark.server
def test_a_loading_server_sorts_equal_elements_alike(start_server: StartServer, tmp_path: Path) -> None:
    lines = ["SADD ints 30 4 200 -7", "SET w4 x", "SORT ints BY w* ALPHA STORE a", "SORT ints BY w* ALPHA DESC STORE b"]
    lines += ["SADD set c a b", "SORT set BY nosort STORE c", "SORT set BY nosort LIMIT 1 1 GET # STORE d"]
    lines += ["ZADD z 1 c 1 b 2 a", "SORT z BY nosort DESC STORE e", "SORT set ALPHA DESC STORE f"]
    engine = replay(*lines)
    aof = tmp_path / "appendonly.aof"
    aof.write_bytes(b"".join(command(*words_of(line)) for line in lines))
    for _ in range(2):
        with start_server(files={"appendonly.aof": aof}, config={"appendonly": "yes"}) as running:
            assert running.digest() == digest_of(engine, "redis-7.0")


def test_equal_weights_outside_of_the_limits_do_not_matter() -> None:
    lines = "SADD s a b c", "MSET wa same wb same wc other"
    assert state_of(replay(*lines, "SORT s BY w* ALPHA LIMIT 0 1 STORE d"))["d"] == "c"


def test_redis_leaves_out_fields_that_have_expired() -> None:
    lines = "RPUSH l a", "HSET oa f value", "HPEXPIREAT oa 5 FIELDS 1 f", "SORT l ALPHA GET o*->f STORE d"
    assert state_of(replay(*lines, rules="redis-8.0", now_ms=9))["d"] == ""
    assert state_of(replay(*lines, rules="valkey-9.0", now_ms=9))["d"] == "value"
