"""The compiled loop of a replay beside the handlers, which are the reference: same dataset, same findings.

A replay looks at no reply, so what a command answers shows in its error, which is a finding. The loop executes
commands that are tuples, and batches of the scanner, of which it takes the words as they are.
"""

from __future__ import annotations

import io
import random
import re
import sys
import sysconfig
import time
from array import array
from collections.abc import Callable, Iterator, Sequence

import pytest
from aof.logs import command
from differential.stream import KEYS, Maker, Words

from rdbtool._codec.decode.aof_scanner import ENDED, Scanner
from rdbtool._codec.decode.raw_commands import RawCommands
from rdbtool._codec.decode.window import Window
from rdbtool.core.errors import Finding
from rdbtool.core.servers import Rules, RulesChoice
from rdbtool.engine import Engine
from rdbtool.engine.command_errors import CommandError
from rdbtool.engine.inference.least_server import UNNAMED, ServerNeeds
from rdbtool.engine.replay.executor import Replay
from rdbtool.engine.replay.fast_loop import CODES, LOOKS_AHEAD
from rdbtool.engine.replay.watched_keys import WatchedKeys
from rdbtool.model import KeyRecord

#: Other seeds each day.
FIRST = int(time.time()) // 86_400 * 100

RULES = ("redis-3.0", "redis-5.0", "redis-7.0", "redis-8.0", "valkey-8.1", None)

Execute = Callable[[], CommandError | None]

#: A batch ends within transactions, too.
BATCH = 97


def hot_words(maker: Maker) -> Words:
    """Return a command that the loop carries out, with arguments that make it decline as well."""
    name = maker.pick([code.encode() for code in CODES])
    if name[:1] == b"X":
        return maker.streams()
    kind = "hash" if name[:1] == b"H" else "zset" if name[:1] == b"Z" else "string"
    kind = "list" if b"PUSH" in name or b"POP" in name or name in (b"LTRIM", b"LSET") else kind
    kind = "set" if name in (b"SADD", b"SREM") else kind
    words = [
        maker.pick([name, name.lower()]),
        maker.key(kind) if maker.dice.random() < 0.9 else maker.pick(KEYS["stream"]),
    ]
    count = maker.dice.choice([0, 1, 1, 2, 2, 2, 3, 4, 6, 150])
    for _ in range(count):
        words += maker.one_of([maker.integer()], [maker.score()], [maker.member()], [maker.value()], [b"PXAT"], [b"NX"])
    return words


def make_log(seed: int) -> list[Words]:
    """Return random commands; most of the transactions are whole."""
    maker = Maker(seed, past=True)
    log: list[Words] = []
    for _ in range(180):
        roll = maker.dice.random()
        if roll < 0.6:
            log.append(hot_words(maker))
        elif roll < 0.8:
            log.append(maker.command())
        else:
            inside = [hot_words(maker) for _ in range(maker.dice.randrange(5))] + maker.transaction()
            ends = [[b"EXEC"], [b"exec"], [b"DISCARD"], [b"MULTI"]] if maker.maybe(b"x", chance=0.2) else [[b"EXEC"]]
            log += [[b"MULTI"], *inside, maker.dice.choice(ends)]
    return log


def batches(log: list[Words]) -> Iterator[RawCommands]:
    """Yield commands as batches of a scanner."""
    data = b"".join(command(*words) for words in log)
    scanner = Scanner(Window(io.BytesIO(data).readinto, lambda *_: 0, lambda: 1 << 30, len(data)), BATCH)
    status = -1
    while status != ENDED:
        status = scanner.run()
        yield scanner.take()[0]


def feed(replay: Replay, log: list[Words], *, raw: bool) -> None:
    """Replay commands that are tuples, or ``raw``: the batches of a scanner."""
    lists = ([tuple(words) for words in log[at : at + BATCH]] for at in range(0, len(log), BATCH))
    start = 0
    for argvs in batches(log) if raw else lists:
        replay.run(argvs, array("q", range(start, start + len(argvs))), start + 1)
        start += len(argvs)
    assert start == len(log)


def run(
    log: list[Words], rules: str | None, *, compiles: bool, raw: bool = False
) -> tuple[list[KeyRecord], list[Finding], tuple[int, int]]:
    """Replay commands, and return the keys, what was said, and what was counted."""
    engine = Engine(rules=rules or "redis-7.0", now_ms=1_700_000_000_000)
    replay = Replay(engine)
    replay.plain.compiles = compiles
    if rules is None:
        replay.begin(UNNAMED, ServerNeeds())
    else:
        replay.begin(RulesChoice(Rules.parse(rules), "named"), None)
    replay.begin_part("log")
    feed(replay, log, raw=raw)
    return list(engine.records()), replay.findings, (replay.commands, replay.transactions)


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("seed", range(2))
def test_loop_and_handlers_agree(rules: str | None, seed: int) -> None:
    """All ways end with the same keys, in the same order, and say the same."""
    log = make_log(FIRST + seed)
    expected = run(log, rules, compiles=False)
    assert run(log, rules, compiles=True) == expected
    assert run(log, rules, compiles=True, raw=True) == expected
    assert run(log, rules, compiles=False, raw=True) == expected


def make_group_log(seed: int) -> list[Words]:
    """Return commands of consumer groups in the forms that servers write, and in some that they do not."""
    dice = random.Random(seed)
    names = [b"g", b"h", b"none"]
    log: list[Words] = [[b"XADD", b"s", b"%d-%d" % (number, number % 3), b"f", b"v"] for number in range(1, 40)]
    log += [[b"XGROUP", b"CREATE", b"s", b"g", b"0"], [b"XGROUP", b"CREATE", b"s", b"h", b"7-1"], [b"SET", b"x", b"1"]]
    for _ in range(250):
        number = dice.randrange(1, 42)
        entry_id = dice.choice([b"%d-%d" % (number, number % 3)] * 8 + [b"%d" % number, b"x"])
        key, group = dice.choice([b"s"] * 9 + [b"x", b"none"]), dice.choice(names[:2] * 5 + names)
        roll = dice.random()
        if roll < 0.1:
            log.append([b"XDEL", b"s", entry_id])
        elif roll < 0.2:
            log.append([b"XACK", b"s", group, entry_id])
        elif roll < 0.25:
            log.append([b"XGROUP", dice.choice([b"CREATECONSUMER", b"DELCONSUMER"]), b"s", group, b"c"])
        else:
            time_ms = dice.choice([b"5", b"1700000000000", b"1700000000001", b"-1", b"+5"])
            count = dice.choice([b"0", b"1", b"2", b"9223372036854775807", b"-1", b"01", b"9223372036854775808"])
            words = [b"XCLAIM", key, group, dice.choice([b"c", b"d"]), dice.choice([b"0"] * 5 + [b"7"]), entry_id]
            words += [b"TIME", time_ms, b"RETRYCOUNT", count]
            ends = [[b"FORCE", b"JUSTID", b"LASTID", entry_id], [b"JUSTID", b"FORCE"]]
            rare = [
                [b"FORCE", b"JUSTID"],
                [b"JUSTID", b"JUSTID"],
                [b"FORCE", b"JUSTID", b"LASTID", b"3"],
                [b"force", b"justid"],
            ]
            log.append(words + dice.choice(ends * 4 + rare))
    return log


@pytest.mark.parametrize("rules", RULES[1:])
@pytest.mark.parametrize("seed", range(3))
def test_loop_and_handlers_agree_on_groups(rules: str | None, seed: int) -> None:
    """What servers write of deliveries is claimed by the loop as the handler does it."""
    log = make_group_log(FIRST + seed)
    assert run(log, rules, compiles=True) == run(log, rules, compiles=False)


def test_loop_looks_ahead() -> None:
    """It knows the dictionaries of these releases; a new one is to be looked at."""
    is_known = sys.implementation.name == "cpython" and (3, 11) <= sys.version_info < (3, 15)
    assert (is_known and not sysconfig.get_config_var("Py_GIL_DISABLED")) is LOOKS_AHEAD


@pytest.mark.parametrize("count", [9_000, 50_000])
def test_loop_and_handlers_agree_in_a_large_keyspace(count: int) -> None:
    """Where the loop looks ahead: the index of such dictionaries has places of two bytes, and of four."""
    names = [b"key:%d" % number for number in range(count)]
    log: list[Words] = [[b"MSET", *(word for name in names for word in (name, b"1"))]]
    for number in range(0, count, count // 300):
        log += [
            [b"INCR", names[number]],
            [b"DEL", names[number - 1], b"none"],
            [b"RPUSH", b"list:%d" % number, b"a"],
            [b"MULTI"],
            [b"PEXPIREAT", names[number - 2], b"4102444800000"],
            [b"EXEC"],
        ]
    expected = run(log, "redis-7.0", compiles=False)
    assert run(log, "redis-7.0", compiles=True) == expected
    assert run(log, "redis-7.0", compiles=True, raw=True) == expected


@pytest.mark.parametrize("count", [1, 3, 4, 5, 31, 32, 33, 34, 500, 3_000])
@pytest.mark.parametrize("name", [b"SADD", b"HSET", b"ZADD", b"RPUSH", b"LPUSH"])
def test_loop_and_handlers_agree_on_long_commands(name: bytes, count: int) -> None:
    """New collections of many words: some come twice, some are equal but for one byte, or empty."""
    maker = Maker(FIRST + count, past=True)
    log: list[Words] = []
    for number in range(4):
        words = [b"%d" % maker.dice.randrange(2 * count) for _ in range(count)] if number < 2 else []
        words += [maker.dice.choice([b"", b"a"]) * maker.dice.randrange(3) + b"%d" % word for word in range(count)]
        if name == b"ZADD":
            words = [word for member in words for word in (b"%d" % maker.dice.randrange(-3, 3), member)]
        elif name == b"HSET":
            words = [word for field in words for word in (field, b"v" * maker.dice.randrange(3))]
        log += [[name, b"key:%d" % (number % 3), *words]] * (1 + number % 2)
    expected = run(log, "redis-7.0", compiles=False)
    assert run(log, "redis-7.0", compiles=True) == expected
    assert run(log, "redis-7.0", compiles=True, raw=True) == expected


@pytest.mark.parametrize("seed", range(4))
def test_watched_keys_are_found_in_both_forms(seed: int) -> None:
    """Whoever watches keys is called for the same commands, with the same words."""
    log = make_log(FIRST + seed)
    keys = sorted({words[1] for words in log if len(words) > 1})
    watches = [
        WatchedKeys(keys[:1]),
        WatchedKeys(keys[::3]),
        WatchedKeys([b""], globs=[b"*1*"]),
        WatchedKeys(globs=[b"l*"], patterns=[re.compile(b"[02468]$")]),
    ]
    total = 0
    for watched in watches:
        seen = []
        for raw in (False, True):
            calls: list[tuple[tuple[bytes, ...], int]] = []

            def watcher(replay: Replay, argv: Sequence[bytes], offset: int, number: int, execute: Execute) -> None:
                calls.append((tuple(argv), number))  # noqa: B023 - it is called before the next round
                execute()

            engine = Engine(rules="redis-7.0", now_ms=1_700_000_000_000)
            replay = Replay(engine, watcher=watcher, watched=watched)
            replay.begin(RulesChoice(Rules.parse("redis-7.0"), "named"), None)
            replay.begin_part("log")
            feed(replay, log, raw=raw)
            seen.append((calls, replay.findings, list(engine.records())))
        assert seen[0] == seen[1]
        total += len(seen[0][0])
    assert total


def test_every_code_is_reached() -> None:
    """The random commands have all that the loop carries out, and not all of them are declined."""
    log = [words for seed in range(10) for words in make_log(FIRST + seed)]
    names = {words[0].upper().decode() for words in log}
    assert set(CODES) <= names
