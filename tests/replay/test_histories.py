"""The history of several keys, and of all that match a pattern: one replay finds what one for each of them finds."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from aof.logs import FIXTURES, LOGS, command, name_of, parse, write_log
from sampling import SEED

import rdbtool
from rdbtool.engine.replay.watched_keys import WatchedKeys
from rdbtool.operations.history.history import KEPT_KEYS, KeyHistory
from rdbtool.reader.globs import compile_glob

KEYS = [b"a", b"b", b"ab", b"k:1", b"k:2", b"k:3", b"{k:1}x", b"\xff", b"", b"list", b"no"]
#: What a time is relative to in old logs.
NOW = 1_700_000_000_000

CASES = sorted(path for path in (FIXTURES / "cases").rglob("*.aof") if not list(path.parent.glob("*.manifest")))
WAYS = [
    ([], ["*"], []),
    (["k:1"], [], ["b$"]),
    (["a", "k:2", b"\xff", "", "never"], [], []),
    (["list"], ["k:[1-2]", "?b"], []),
    ([], [], ["^", "x"]),
]


def words_of(log: bytes) -> list[bytes]:
    """Return every word of a log that may be a key: also those within scripts and wrapped commands."""
    words = [word for _, argv in parse(log) for word in argv[1:]]
    inner = [part for word in words for part in re.findall(rb"[^'\r\n(), ]+", word)]
    # One long list has thousands of elements, none of which is a key.
    return [word for word in dict.fromkeys([*KEYS, *words, *inner]) if not re.fullmatch(rb"e\d+", word)]


def is_chosen(key: bytes, way: tuple[list[str], list[str], list[str]]) -> bool:
    exact, globs, patterns = way
    return (
        key in [word.encode() if isinstance(word, str) else word for word in exact]
        or any(compile_glob(glob.encode()).search(key) for glob in globs)
        or any(re.search(pattern.encode(), key) for pattern in patterns)
    )


def check_union(source: Path | bytes, words: Sequence[bytes], ways: Iterable[object] = WAYS, **options: object) -> int:
    """Compare one replay for several keys with one for each; return how many records there were."""
    alone = {key: rdbtool.history(source, key, now=NOW, **options) for key in words}
    met = 0
    for way in ways:
        exact, globs, patterns = way
        found = rdbtool.history(source, exact_key=exact, glob=globs, regex=patterns, now=NOW, **options)
        chosen = [key for key in words if is_chosen(key, way)]
        for key in chosen:
            mine = tuple(touch for touch in found.records if touch.key == key)
            assert mine == alone[key].records, (way, key)
        assert found.touches == len(found.records) == sum(alone[key].touches for key in chosen), way
        # An unknown command of a transaction is met before those in front of it are executed.
        numbers = [touch.number or 0 for touch in found.records if touch.effects != ("unknown",)]
        assert numbers == sorted(numbers)
        check_end(found, {key: alone[key] for key in chosen})
        met += found.touches
    return met


def check_end(found: KeyHistory, alone: dict[bytes, KeyHistory]) -> None:
    touched = {key: history for key, history in alone.items() if history.touches}
    assert found.summary is not None
    assert sum(found.summary.left.values()) == sum(len(history.states) for history in touched.values())
    deletions = [touch for touch in found.records if "deleted" in touch.effects]
    assert found.summary.deletions == len(deletions)
    assert found.summary.last_deletion == (deletions[-1] if deletions else None)
    if len(touched) > KEPT_KEYS:
        assert (found.keys, found.states, found.deletions) == (None, (), ())
        return
    assert found.keys is not None
    ends = {end.key: end for end in found.keys if end.touches}
    assert set(ends) == set(touched)
    for key, history in touched.items():
        assert (ends[key].touches, ends[key].states, ends[key].deletions) == (
            history.touches,
            history.states,
            history.deletions,
        )


def random_log(seed: int) -> bytes:
    """Return a log of everything that touches keys without naming them, or names more than it touches."""
    chance = random.Random(seed)

    def key() -> bytes:
        return chance.choice(KEYS)

    def plain() -> tuple[bytes | str, ...]:
        return chance.choice(
            [
                ("SET", key(), chance.choice(["v", "w", b"a"])),
                ("SET", key(), "v", "PXAT", "9999999999999"),
                ("MSET", key(), "1", key(), "2", b"k:1", "3"),
                ("DEL", key(), key(), key()),
                ("RPUSH", key(), "a", "b"),
                ("LSET", key(), "0", "a"),
                ("LPOP", key()),
                ("SADD", key(), "a", "k:1"),
                ("HSET", key(), "f", "v"),
                ("ZADD", key(), "1", "m"),
                ("XADD", key(), f"{chance.randrange(9)}-1", "f", "v"),
                ("INCR", key()),
                ("APPEND", key(), "x" * chance.choice([1, 5000])),
                ("PEXPIREAT", key(), "9999999999998"),
                ("PERSIST", key()),
                ("RENAME", key(), key()),
                ("COPY", key(), key(), "DB", chance.choice("0123"), "REPLACE"),
                ("COPY", key(), key()),
                ("MOVE", key(), chance.choice("0123")),
                ("SUNIONSTORE", key(), key(), key()),
                ("ZUNIONSTORE", key(), "2", key(), key()),
                ("SORT", key(), "BY", "nosort", "STORE", key()),
                ("SPOP", key()),
                ("GETDEL", key()),
                ("SELECT", chance.choice("0123")),
                ("FOO.SET", key(), "a"),
                ("SET", key()),
                ("XGROUP", "CREATE", key(), "g", "0", "MKSTREAM"),
                ("EVAL", "redis.call('set', KEYS[1], ARGV[1])", "1", key(), key()),
                ("EVAL", f"redis.call('del', '{chance.choice(['a', 'k:1'])}'); redis.call('incr', 'k:2')", "0"),
                ("EVAL", "redis.call('select', 2); redis.call('rpush', 'list', 'x')", "0"),
                ("EVAL", "return math.random()", "1", key(), "b"),
            ]
        )

    rows: list[tuple[bytes | str, ...]] = []
    if chance.randrange(2):
        rows.append(("RPUSH", "list", *(f"e{number}" for number in range(5000))))
    for _ in range(chance.randrange(20, 120)):
        rare = chance.random()
        if rare < 0.02:
            rows.append(chance.choice([("FLUSHALL",), ("FLUSHDB",), ("FLUSHDB", "a"), ("FLUSHALL", "ASYNC", "b")]))
        elif rare < 0.05:
            rows.append(("SWAPDB", chance.choice("0123"), chance.choice("0123")))
        elif rare < 0.06:
            script = chance.choice(["redis.call('flushall')", "redis.call('swapdb', 0, 1); redis.call('set', 'a', 1)"])
            rows.append(("EVAL", script, "0", key()))
        elif rare < 0.07:
            inner = chance.choice([("FLUSHDB",), plain(), ("SWAPDB", "0", "2")])
            rows.append(("RREPLAY", "m" * 36, command(*inner), "0", str(chance.randrange(1 << 20))))
        elif rare < 0.15:
            rows += [("MULTI",), *(plain() for _ in range(chance.randrange(1, 5))), ("EXEC",)]
        else:
            rows.append(plain())
    return b"".join(command(*row) for row in rows)


@pytest.mark.parametrize("number", range(12))
def test_random_logs(number):
    log = random_log(SEED + number)
    rules = ("redis-6.2", "redis-7.2", None)[number % 3]
    words = words_of(log)
    check_union(log, words, rules=rules)
    check_union(log, words, WAYS[1:3], rules=rules, db=number % 4)


def test_slots():
    log = b"".join(command("SET", f"k:{number}", "v") for number in range(40))
    log += command("SELECT", "1") + command("SET", "k:7", "v") + command("CLUSTER", "FLUSHSLOT", "12182")
    log += command("SFLUSH", "0", "8000") + command("TRIMSLOTS", "RANGES", "1", "8001", "9000")
    for rules in ("valkey-9.1", "redis-8.4"):
        words = [f"k:{number}".encode() for number in range(40)]
        assert check_union(log, words, [([], ["k:*"], []), (["k:7", "k:8"], [], [])], rules=rules) > 40


@pytest.mark.parametrize("log", [*LOGS, *CASES], ids=name_of)
def test_logs_of_servers(log):
    with rdbtool.open(log) as keys:
        there = list(dict.fromkeys(record.key for record in keys))
    chosen = there[:: max(1, len(there) // 6)][:6]
    few = [([*chosen, b"nobody", b"nothing"], [], []), (chosen[:2], ["".join(f"\\{c}" for c in "nobody")], [])]
    check_union(log, chosen, few)
    every = rdbtool.history(log, glob="*", now=NOW)
    by_key = {touch.key for touch in every.records}
    for key in chosen:
        alone = rdbtool.history(log, key, now=NOW)
        assert key in by_key or not alone.touches
        assert tuple(touch for touch in every.records if touch.key == key) == alone.records
    some = rdbtool.history(log, regex=["^[sk]", "0"], now=NOW)
    assert some.records == tuple(touch for touch in every.records if re.search(rb"^[sk]|0", touch.key))


def test_a_base_and_its_commands(tmp_path):
    rdb = (FIXTURES / "small" / "redis-2.6-plain-types.rdb").read_bytes()
    log = b"#TS:1700000000\r\n" + command("DEL", "raw") + command("FLUSHALL")
    path = write_log(tmp_path / "d", {"a.base.rdb": rdb, "b.incr.aof": log})
    every = rdbtool.history(path, glob="*")
    assert every.summary is not None
    snapshot = [touch for touch in every.records if touch.number is None]
    assert len(snapshot) == every.summary.deletions > 1
    assert every.summary.left == {}
    assert {touch.key for touch in snapshot} == {touch.key for touch in every.records}
    assert rdbtool.history(path, "raw").records == tuple(touch for touch in every.records if touch.key == b"raw")


GLOBS = [
    *(b"*", b"**", b"***", b"", b"?", b"??", b"a", b"a*", b"*a", b"*a*", b"a*b", b"a*b*c", b"*ab*ab*", b"ab*ab"),
    *(
        b"[ab]",
        b"[^a]*",
        b"[",
        b"[^",
        b"[]",
        b"[^]",
        b"[a-c]?",
        b"[c-a]*",
        b"[\x7f-\x81]",
        b"*[\xff-a]*",
        b"\\*",
        b"\\",
    ),
    *(b"a?*?b", b"*?*?*", b"*\n*", b"[\\]]*", b"a**b", b"*a?b*c?", b"\xff*"),
]


@pytest.mark.parametrize("pattern", GLOBS, ids=repr)
def test_a_pattern_matches_the_same_keys_as_elsewhere(pattern):
    chance = random.Random(SEED)
    reference = compile_glob(pattern)
    watched = WatchedKeys(globs=[pattern])
    keys = [bytes(chance.choices(b"aabbcc*?[]\\\n\x00\x7f\x80\x81\xff", k=size)) for size in [0, *range(12)] * 60]
    assert watched.only(keys) == [key for key in keys if reference.search(key)]


def test_sizes_that_look_alike():
    watched = WatchedKeys([b"a" * 3, b"b" * 67, b"c" * 64, b"d"])
    keys = [b"a" * 67, b"b" * 67, b"b" * 3, b"c" * 64, b"", b"c" * 128, b"d", b"a" * 3, b"d" * 65]
    assert watched.only(keys) == [b"b" * 67, b"c" * 64, b"d", b"a" * 3]
    assert watched.exact == (b"a" * 3, b"b" * 67, b"c" * 64, b"d")


def test_more_keys_than_are_remembered():
    watched = WatchedKeys(patterns=[re.compile(b"7$")])
    keys = [b"%d" % number for number in range(70_000)]
    assert len(watched.only(keys)) == len(watched.only(keys)) == 7000
    assert b"17" in watched
    assert b"18" not in watched
