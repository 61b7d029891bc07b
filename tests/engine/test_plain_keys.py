"""Keys of plain commands are read from the file as if an engine had executed them; anything else is executed."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from convert import logs

from rdbtool._codec.sinks.fingerprint import Fingerprint
from rdbtool.core.errors import FormatError, ReplayError
from rdbtool.core.servers import Rules
from rdbtool.engine.replay.executor import Replay
from rdbtool.engine.replay.streaming import CommandsFile

WHEN = 1_900_000_000_000


def commands(*argvs: tuple[object, ...]) -> bytes:
    return b"".join(logs.command(*argv) for argv in argvs)


def read(path: Path, rules: str = "redis-7.4") -> tuple[str, int]:
    sums = Fingerprint(signed_zeros=False)
    CommandsFile(str(path), Rules.parse(rules)).feed(sums)
    return sums.hexdigest(), sums.keys


def execute(path: Path, rules: str = "redis-7.4") -> tuple[str, int]:
    sums = Fingerprint(signed_zeros=False)
    CommandsFile(str(path), Rules.parse(rules))._execute_all(sums, None, None)
    return sums.hexdigest(), sums.keys


PLAIN = {
    "string": [("SET", "k", "v")],
    "empty string": [("SET", "k", "")],
    "empty key": [("SET", "", "v"), ("PEXPIREAT", "", WHEN)],
    "expires": [("SET", "k", "v"), ("PEXPIREAT", "k", WHEN)],
    "list": [("RPUSH", "k", "a", "b"), ("RPUSH", "k", "a")],
    "set": [("SADD", "k", "a", "b"), ("SADD", "k", "c"), ("PEXPIREAT", "k", 1)],
    "zset": [("ZADD", "k", "1.5", "a", "-inf", "b"), ("ZADD", "k", "-0", "c")],
    "hash": [("HMSET", "k", "f", "v", "g", "w"), ("HMSET", "k", "h", "x")],
    "dbs": [("SELECT", 7), ("SET", "k", "v"), ("SELECT", 0), ("SET", "k", "w")],
    "stream": [
        ("XADD", "s", "1-1", "f", "v", "g", "w"),
        ("XADD", "s", "1-2", "f", ""),
        ("XSETID", "s", "9-0", "ENTRIESADDED", 7, "MAXDELETEDID", "8-18446744073709551"),
    ],
    "stream expires": [
        ("XADD", "s", "0-1", "f", "v"),
        ("XSETID", "s", "0-1", "ENTRIESADDED", 1, "MAXDELETEDID", "0-0"),
        ("PEXPIREAT", "s", WHEN),
    ],
    "long": [("RPUSH", "k", "a" * 100_000) for _ in range(8)],
    "nothing": [],
}

#: The names of keys here.
KEYS = {"k", "l", "s", "x", "y", "z"}

#: What is not plain: it is executed, with the same result as ever.
OTHERS = {
    "set twice": [("SET", "k", "v"), ("SET", "k", "w")],
    "expires twice": [("SET", "k", "v"), ("PEXPIREAT", "k", WHEN), ("PEXPIREAT", "k", WHEN + 1)],
    "grows behind its expiry": [("SADD", "k", "v"), ("PEXPIREAT", "k", WHEN), ("SADD", "k", "w")],
    "deleted": [("SET", "k", "v"), ("DEL", "k")],
    "time of another form": [("SET", "k", "v"), ("PEXPIREAT", "k", f"+{WHEN}"), ("SET", "l", "v")][::2],
    "options": [("SET", "k", "v", "PX", 9), ("ZADD", "z", "NX", 1, "a")],
    "lower case": [("set", "k", "v")],
    "stream without counters": [("XADD", "s", "1-1", "f", "v"), ("XSETID", "s", "1-1")],
    "stream without its end": [("XADD", "s", "1-1", "f", "v")],
    "stream with a group": [
        ("XADD", "s", "1-1", "f", "v"),
        ("XSETID", "s", "1-1", "ENTRIESADDED", 1, "MAXDELETEDID", "0-0"),
        ("XGROUP", "CREATE", "s", "g", "0"),
    ],
    "stream that goes on": [
        ("XADD", "s", "1-1", "f", "v"),
        ("XSETID", "s", "5-0", "ENTRIESADDED", 1, "MAXDELETEDID", "0-0"),
        ("XADD", "s", "6-1", "f", "v"),
    ],
    "empty stream": [
        ("XADD", "s", "MAXLEN", 0, "0-1", "x", "y"),
        ("XSETID", "s", "5-0", "ENTRIESADDED", 3, "MAXDELETEDID", "4-0"),
    ],
    "counters in another order": [
        ("XADD", "s", "1-1", "f", "v"),
        ("XSETID", "s", "1-1", "MAXDELETEDID", "0-0", "ENTRIESADDED", 1),
    ],
    "IDs of another form": [("XADD", "s", "1", "f", "v"), ("XADD", "s", "2-01", "f", "v"), ("XSETID", "s", "3")],
    "named third": [("RPUSH", "k", "a"), ("COPY", "x", "k"), ("SET", "y", "1")],
    "fields expire": [("HMSET", "k", "f", "v"), ("HPEXPIREAT", "k", WHEN, "FIELDS", 1, "f"), ("SET", "y", "1")],
    "transaction": [("MULTI",), ("SET", "k", "v"), ("EXEC",)],
    "long string": [("SET", "k", "x" * (3 << 20)), ("PEXPIREAT", "k", WHEN)],
    "long list": [("RPUSH", "k", "x" * 64) for _ in range(30_000)],
    "function": [("FUNCTION", "LOAD", "#!lua name=a\nredis.register_function('f', function() end)")],
}


#: Streams with an entry that does not follow the others, or with an end that does not fit them.
STREAMS_REFUSED = [
    [("XADD", "s", first, "f", "v"), ("XADD", "s", second, "f", "v"), ("XSETID", "s", *tail)]
    for first, second, tail in (
        ("0-0", "0-1", ("0-1", "ENTRIESADDED", 2, "MAXDELETEDID", "0-0")),
        ("1-1", "1-1", ("1-1", "ENTRIESADDED", 2, "MAXDELETEDID", "0-0")),
        ("2-1", "1-9", ("2-1", "ENTRIESADDED", 2, "MAXDELETEDID", "0-0")),
        ("1-1", "1-2", ("1-1", "ENTRIESADDED", 2, "MAXDELETEDID", "0-0")),
        ("1-1", "1-2", ("1-2", "ENTRIESADDED", 1, "MAXDELETEDID", "0-0")),
        ("1-1", "1-2", ("1-2", "ENTRIESADDED", 2, "MAXDELETEDID", "1-3")),
        ("1-1", "1-2", ("1-2", "ENTRIESADDED", -2, "MAXDELETEDID", "0-0")),
        ("1-1", "1-2", ("1-2", "ENTRIESADDED", 2, "MAXDELETEDID")),
        ("1-1", "1-2", ("x",)),
    )
]


@pytest.mark.parametrize("name", PLAIN)
def test_plain_keys_need_no_engine(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = logs.write(tmp_path / "x.aof", commands(*PLAIN[name]))
    expected = execute(path)

    def refuse(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(Replay, "run", refuse)
    assert read(path) == expected


@pytest.mark.parametrize("rules", ["redis-5.0", "redis-6.2"])
def test_streams_have_no_counters_before_redis_7(rules: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    argvs = [("XADD", "s", "1-1", "f", "v"), ("XADD", "s", "1-2", "f", "w"), ("XSETID", "s", "7-0")]
    path = logs.write(tmp_path / "x.aof", commands(*argvs, ("PEXPIREAT", "s", WHEN), *PLAIN["string"]))
    expected = execute(path, rules)
    monkeypatch.setattr(Replay, "run", lambda *_: pytest.fail("executed"))
    assert read(path, rules) == expected


def test_servers_without_streams_refuse_them(tmp_path: Path) -> None:
    path = logs.write(tmp_path / "x.aof", commands(("XADD", "s", "1-1", "f", "v"), ("XSETID", "s", "1-1")))
    with pytest.raises(ReplayError):
        read(path, "redis-4.0")


@pytest.mark.parametrize("behind", [(), (("SET", "behind", "1"),)])
@pytest.mark.parametrize("name", OTHERS)
def test_anything_else_is_executed(name: str, behind: tuple[tuple[object, ...], ...], tmp_path: Path) -> None:
    path = logs.write(tmp_path / "x.aof", commands(("SET", "before", "1"), *OTHERS[name], *behind))
    assert read(path) == execute(path)


@pytest.mark.parametrize("seed", range(4))
def test_both_in_turn(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    plain = [argvs for name, argvs in PLAIN.items() if name != "empty key"]
    others = [argvs for name, argvs in OTHERS.items() if name not in {"transaction", "function"}]
    data = bytearray()
    number = 0
    # Keys are all different, and there is enough for several sections.
    while len(data) < 6 << 20:
        number += 1
        data += logs.command("SELECT", rng.randrange(3))
        for argv in rng.choice(others if rng.random() < 0.2 else plain):
            words = [str(word)[:2000] for word in argv]
            data += logs.command(*(f"{word}:{number}" if word in KEYS else word for word in words))
    path = logs.write(tmp_path / "x.aof", bytes(data))
    assert read(path) == execute(path)


@pytest.mark.parametrize(
    ("broken", "kind"),
    [
        (logs.command("SET", "k", "v")[:-3], FormatError),
        (b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$x\r\n", FormatError),
        (logs.command("ZADD", "z", "nan", "a"), ReplayError),
        (logs.command("HMSET", "h", "f", "v", "g"), ReplayError),
        (logs.command("RPUSH", "k", "a") + logs.command("SADD", "k", "a"), ReplayError),
        (logs.command("SELECT", "x"), ReplayError),
        (logs.command("NOSUCH", "k"), ReplayError),
        *((commands(*argvs), ReplayError) for argvs in STREAMS_REFUSED),
    ],
)
def test_faults_are_reported_as_ever(broken: bytes, kind: type[Exception], tmp_path: Path) -> None:
    many = commands(*(("SET", f"key:{number}", "v" * 100) for number in range(5000)))
    path = logs.write(tmp_path / "x.aof", many + broken)
    with pytest.raises(kind) as error:
        read(path)
    with pytest.raises(kind) as executed:
        execute(path)
    assert str(error.value) == str(executed.value)


def test_old_servers_lack_some_of_them(tmp_path: Path) -> None:
    path = logs.write(tmp_path / "x.aof", commands(*PLAIN["expires"]))
    with pytest.raises(ReplayError):
        read(path, "redis-2.4")


@pytest.mark.parametrize("name", [name for name in PLAIN if name not in {"nothing", "dbs"}])
def test_every_byte_counts(name: str, tmp_path: Path) -> None:
    """What is verified are the bytes of the file: a changed key or value does not go unnoticed."""
    data = commands(*PLAIN[name], ("SET", "other", "1"))
    expected = read(logs.write(tmp_path / "x.aof", data))
    rng = random.Random(1)
    for at in rng.sample(range(len(data)), min(len(data), 60)):
        changed = bytearray(data)
        changed[at] ^= rng.choice((1, 32))
        path = logs.write(tmp_path / "y.aof", bytes(changed))
        try:
            found = read(path)
        except (FormatError, ReplayError):
            continue
        # Servers take verbs in any case.
        assert found != expected or execute(path) == expected
