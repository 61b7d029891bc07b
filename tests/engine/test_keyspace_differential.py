"""Random commands on strings, bitmaps, HyperLogLogs and keys: the engine against a real server.

Twice: command by command against a running server, and as a log against a loading one, which is the judge
of what happens to keys whose time has passed. The loaded server saves, and every record is compared.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress

import pytest
import server
from duel import Duel, digest_of

from rdbtool.engine import CommandError, Engine
from rdbtool.reader.rdb import open_rdb

KEYS = ["a", "b", "c", "d", "list", "hash", "zset", "set"]
NUMBERS = ["0", "1", "-1", "5", "10", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "007", "+5",
           " 5", "", "3.5", "abc", "-0", "123456789", "1e10", "-0.1", "inf", "1e-10"]  # fmt: skip
OFFSETS = ["0", "7", "8", "100", "9000", "20000", "-1", "x", "33"]
TYPES = ["i8", "u8", "i64", "u63", "u64", "i1", "u1", "i65", "u0", "x", "i5", "u7", "i33", "u13", "I8", "u08"]
AHEAD = ["99999999999999", "9999999999999", "9223372036854775807"]
BEHIND = ["1000", "1", "1500000000000"]
BAD_TIMES = ["0", "-5", "x"]
OTHERS = [["RPUSH", "list", "1"], ["HSET", "hash", "f", "v"], ["ZADD", "zset", "1.5", "m"], ["SADD", "set", "m"]]


class Maker:
    """Makes the words of random commands; ``past``: times may have passed."""

    def __init__(self, seed: int, *, past: bool) -> None:
        self.random = random.Random(seed)
        self.past = past

    def pick(self, pool: list[str]) -> str:
        return self.random.choice(pool)

    def key(self) -> str:
        return self.pick(KEYS[:4] if self.random.random() < 0.9 else KEYS)

    def keys(self, least: int = 1, most: int = 3) -> list[str]:
        return [self.key() for _ in range(self.random.randint(least, most))]

    def value(self) -> str:
        return self.pick([self.pick(NUMBERS), "x" * self.random.randrange(20), "y" * self.random.randrange(3000)])

    def moment(self) -> str:
        if self.random.random() < 0.2:
            return self.pick(BAD_TIMES if self.past else ["x"])
        return self.pick(AHEAD + BEHIND if self.past else AHEAD)

    def span(self) -> str:
        # A key that lives for a moment only makes no good comparison with a running server.
        return self.pick(["100000", "1000000", "9223372036854775807", *(BAD_TIMES if self.past else ["x"])])

    def options(self, flags: list[str]) -> list[str]:
        words: list[str] = []
        for _ in range(self.random.choice([0, 0, 1, 1, 2, 3])):
            word = self.pick([*flags, "EX", "PX", "EXAT", "PXAT"])
            words.append(word.lower() if self.random.random() < 0.3 else word)
            if word in ("EX", "PX"):
                words.append(self.span())
            elif word in ("EXAT", "PXAT"):
                words.append(self.moment())
        return words

    def strings(self) -> list[str]:
        key = self.key()
        return self.random.choice(
            [
                ["SET", key, self.value(), *self.options(["NX", "XX", "GET", "KEEPTTL"])],
                ["SET", key, self.value(), *self.options(["NX", "XX", "GET", "KEEPTTL", "PERSIST", "BOGUS"])],
                ["SET", key, self.pick(NUMBERS)],
                ["SETNX", key, self.value()],
                [self.pick(["SETEX", "PSETEX"]), key, self.span(), self.value()],
                ["GETSET", key, self.value()],
                ["GETDEL", key],
                ["GETEX", key, *self.options(["PERSIST", "PERSIST", "NX"])],
                ["MSET", key, self.value(), *self.keys(0, 2)],
                ["MSETNX", key, self.value(), *self.keys(0, 2)],
                ["APPEND", key, self.value()],
                ["SETRANGE", key, self.pick(OFFSETS), self.value()],
                [self.pick(["INCR", "DECR"]), key],
                [self.pick(["INCRBY", "DECRBY", "INCRBYFLOAT"]), key, self.pick(NUMBERS)],
                ["DEL", *self.keys()],
            ]
        )

    def offset(self) -> str:
        return self.pick(["", "#"]) + self.pick(OFFSETS)

    def number(self) -> str:
        bits = self.pick(["9", "63", "70"])
        return self.pick([self.pick(NUMBERS), str(self.random.getrandbits(int(bits)) - (1 << int(bits) - 1))])

    def fields(self) -> list[str]:
        words: list[str] = []
        for _ in range(self.random.randrange(5)):
            kind = f"{self.pick(['i', 'u'])}{self.random.randint(1, 63)}"
            place = [self.pick([kind, kind, self.pick(TYPES)]), self.offset()]
            words += self.random.choice(
                [
                    ["GET", *place],
                    ["SET", *place, self.number()],
                    ["incrby", *place, self.number()],
                    ["OVERFLOW", self.pick(["WRAP", "SAT", "SAT", "fail", "FAIL", "CLAMP"])],
                ]
            )
        return words

    def bits(self) -> list[str]:
        return self.random.choice(
            [
                ["SETBIT", self.key(), self.pick(OFFSETS), self.pick(["0", "1", "1", "1", "2", "x", "01"])],
                ["BITOP", self.pick(["AND", "or", "XOR", "NOT", "NAND"]), self.key(), "missing", *self.keys(0)],
                ["BITOP", self.pick(["AND", "or", "XOR", "NOT"]), self.key(), *self.keys(1, 2)],
                ["BITFIELD", self.key(), *self.fields()],
                ["BITFIELD", self.key(), *self.fields()],
                ["SET", self.key(), self.value()],
                ["DEL", self.key()],
            ]
        )

    def counts(self) -> list[str]:
        elements = [f"e{self.random.randrange(3000)}" for _ in range(self.random.choice([0, 1, 3, 20, 200]))]
        return self.random.choice(
            [
                ["PFADD", self.key(), *elements],
                ["PFADD", self.key(), *elements],
                ["PFADD", self.key(), *elements],
                ["PFMERGE", *self.keys(1, 4)],
                ["PFCOUNT", *self.keys(1, 2)],
                ["PFCOUNT", self.key()],
                ["PFDEBUG", self.pick(["TODENSE", "GETREG", "ENCODING", "DECODE", "X"]), self.key()],
                [self.pick(["DEL", "DEL", "APPEND"]), self.key(), "z"],
            ][: None if self.random.random() < 0.3 else 6]
        )

    def lifetimes(self) -> list[str]:
        conditions = [self.pick(["NX", "XX", "GT", "LT", "gt", "BAD"]) for _ in range(self.random.choice([0, 0, 1, 2]))]
        db = self.pick(["0", "1", "2", "16", "x", "99999999999"])
        return self.random.choice(
            [
                [self.pick(["EXPIRE", "PEXPIRE"]), self.key(), self.span(), *conditions],
                [self.pick(["EXPIREAT", "PEXPIREAT"]), self.key(), self.moment(), *conditions],
                ["PERSIST", self.key()],
                [self.pick(["RENAME", "RENAMENX"]), self.key(), self.key()],
                ["MOVE", self.key(), db],
                [
                    "COPY",
                    self.key(),
                    self.key(),
                    *self.pick(["", "REPLACE", "DB 1", "db 2 replace", "DB", "X"]).split(),
                ],
                ["SWAPDB", db, self.pick(["0", "1"])],
                ["SELECT", db],
                self.random.choice([["FLUSHDB"], ["FLUSHALL", "SYNC"], ["FLUSHALL", "BAD"], *OTHERS * 3]),
                self.random.choice(OTHERS),
                ["SET", self.key(), self.value()],
                [self.pick(["DEL", "UNLINK"]), *self.keys()],
            ]
        )

    def any(self) -> list[str]:
        return self.random.choice([self.strings, self.bits, self.counts, self.lifetimes])()


@pytest.mark.server
@pytest.mark.parametrize("family", ["strings", "bits", "counts", "lifetimes"])
def test_command_by_command(redis_server: server.Server, family: str) -> None:
    maker = Maker(11, past=False)
    duel = Duel(redis_server)
    for words in OTHERS:
        duel.run(*words)
    for _ in range(500):
        words = getattr(maker, family)()
        duel.engine.now_ms = int(time.time() * 1000)
        duel.run(*words)
        duel.check(words)


@pytest.mark.server
def test_as_a_log(start_server: Callable[..., AbstractContextManager[server.Server]]) -> None:
    maker = Maker(12, past=True)
    with start_server(config={"appendonly": "yes"}) as running:
        running.client("DEBUG", "SET-ACTIVE-EXPIRE", "0")
        (log,) = (running.directory / "appendonlydir").glob("*.incr.aof")
        for _ in range(15):
            lines = OTHERS + [maker.any() for _ in range(200)]
            log.write_bytes(b"".join(map(encoded, lines)))
            engine = Engine(rules="redis-7.0", now_ms=int(time.time() * 1000))
            running.client("DEBUG", "LOADAOF")
            for words in lines:
                with suppress(CommandError):
                    engine.execute(*(word.encode() for word in words))
            assert digest_of(engine, "redis-7.0") == running.digest()
            with open_rdb(running.save()) as reader:
                saved = {(record.db, record.key): record for record in reader}
            found = {(record.db, record.key): record for record in engine.records()}
            assert found.keys() == saved.keys()
            for place, record in found.items():
                assert record.value == saved[place].value, place
                assert near(record.expire_at_ms, saved[place].expire_at_ms), place


def encoded(words: list[str]) -> bytes:
    """Return a command as it stands in a log."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word.encode()) for word in words)


def near(found: int | None, expected: int | None) -> bool:
    """Whether two expiries are the same; those that count from now may be some seconds apart."""
    if found is None or expected is None:
        return found is expected
    return abs(found - expected) < 10_000
