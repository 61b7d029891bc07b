"""The compiled loop of a replay beside the handlers, which are the reference: same dataset, same findings.

A replay looks at no reply, so what a command answers shows in its error, which is a finding.
"""

from __future__ import annotations

import random
import sys
import sysconfig
import time
from array import array

import pytest
from differential.stream import KEYS, Maker, Words

from rdbtool.core.errors import Finding
from rdbtool.core.servers import Rules, RulesChoice
from rdbtool.engine import Engine
from rdbtool.engine.inference.least_server import UNNAMED, ServerNeeds
from rdbtool.engine.replay.executor import Replay
from rdbtool.engine.replay.fast_loop import CODES, LOOKS_AHEAD
from rdbtool.model import KeyRecord

#: Other seeds each day.
FIRST = int(time.time()) // 86_400 * 100

RULES = ("redis-3.0", "redis-5.0", "redis-7.0", "redis-8.0", "valkey-8.1", None)

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


def run(
    log: list[Words], rules: str | None, *, compiles: bool
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
    for start in range(0, len(log), BATCH):
        argvs = [tuple(words) for words in log[start : start + BATCH]]
        replay.run(argvs, array("q", range(start, start + len(argvs))), start + 1)
    return list(engine.records()), replay.findings, (replay.commands, replay.transactions)


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("seed", range(2))
def test_loop_and_handlers_agree(rules: str | None, seed: int) -> None:
    """Both ways end with the same keys, in the same order, and say the same."""
    log = make_log(FIRST + seed)
    assert run(log, rules, compiles=True) == run(log, rules, compiles=False)


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
    assert run(log, "redis-7.0", compiles=True) == run(log, "redis-7.0", compiles=False)


def test_every_code_is_reached() -> None:
    """The random commands have all that the loop carries out, and not all of them are declined."""
    log = [words for seed in range(10) for words in make_log(FIRST + seed)]
    names = {words[0].upper().decode() for words in log}
    assert set(CODES) <= names
