"""Random commands on lists, sets, sorted sets, hashes and positions: the engine against a real server.

Keys, members and numbers come from small pools, so that commands meet values of all types, and of the wrong
one. The digest is compared after each block; a block that differs is named with its commands.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
import server
from duel import Duel

BLOCK = 200
BLOCKS = 8

KEYS = ["l1", "l2", "s1", "s2", "s3", "z1", "z2", "z3", "h1", "h2", "g1", "g2", "str", "none"]
MEMBERS = ["a", "b", "c", "d", "aa", "", "1", "2", "10", "-3", "\x00\xff", "palermo", "é"]
# Not among members of sorted sets: whether a server keeps the sign of a zero depends on what it held before.
LONG = "x" * 70
SCORES = ["0", "-0", "1", "2", "3.5", "-1", "1e3", "inf", "-inf", "0.1", "0.2", "0x10", "1e-300", "+5", ".5", "5."]
BAD_NUMBERS = ["", " 1", "1 ", "nan", "1e400", "abc", "--1", "1e-400"]
# Without an error of range: strtod leaves errno alone when it succeeds, and SORT believes an old one.
WEIGHTS = ["", " 1", "1 ", "nan", "abc", "same", "same", *SCORES]
INTEGERS = ["0", "1", "-1", "2", "-2", "3", "5", "100", "-100", "9223372036854775807", "-9223372036854775808"]
FLOATS = ["0.1", "1", "-2.5", "1e5", "3.0e3", "1e-7", "100000000000000000000", "-0.1"]
UNITS = ["m", "km", "ft", "mi", "M", "parsec"]


class Maker:
    """Makes the words of random commands."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def pick(self, pool: list[str]) -> str:
        return self.random.choice(pool)

    def key(self, kind: str) -> str:
        """Return a key, mostly of a type (its first letter)."""
        fitting = [key for key in KEYS if key.startswith(kind)]
        return self.pick(fitting if self.random.random() < 0.93 else KEYS)

    def member(self) -> str:
        return self.pick(MEMBERS)

    def members(self, most: int = 4) -> list[str]:
        return [self.member() for _ in range(self.random.randint(1, most))]

    def integer(self) -> str:
        return self.pick(INTEGERS if self.random.random() < 0.95 else BAD_NUMBERS)

    def score(self) -> str:
        return self.pick(SCORES if self.random.random() < 0.96 else BAD_NUMBERS)

    def maybe(self, *words: str, chance: float = 0.3) -> list[str]:
        return list(words) if self.random.random() < chance else []

    def keys(self, kind: str, most: int = 3) -> list[str]:
        return [self.key(kind) for _ in range(self.random.randint(1, most))]

    def side(self) -> str:
        return self.pick(["LEFT", "RIGHT", "left", "MIDDLE"] if self.random.random() < 0.1 else ["LEFT", "RIGHT"])

    def lists(self) -> list[str]:
        key = self.key("l")
        keys = self.keys("l")
        return self.random.choice(
            [
                ["RPUSH", key, *self.members()],
                ["LPUSH", key, *self.members()],
                ["RPUSH", key, *self.members(8), LONG],
                [self.pick(["LPUSHX", "RPUSHX"]), key, *self.members(2)],
                [self.pick(["LPOP", "RPOP"]), key, *self.maybe(self.integer())],
                ["LINSERT", key, self.pick(["BEFORE", "after", "NEAR"]), self.member(), self.member()],
                ["LREM", key, self.integer(), self.member()],
                ["LSET", key, self.integer(), self.member()],
                ["LTRIM", key, self.integer(), self.integer()],
                ["RPOPLPUSH", key, self.key("l")],
                ["BRPOPLPUSH", key, self.key("l"), self.pick(["0.01", "-1", "x"])] if key == "str" else ["RPOP", key],
                ["LMOVE", key, self.key("l"), self.side(), self.side()],
                ["LMPOP", str(len(keys)), *keys, self.side(), *self.maybe("COUNT", self.integer())],
                ["BLPOP", *keys, self.pick(["0.001", "-1", "x"])],
                ["BLMPOP", "0.001", str(len(keys)), *keys, self.side(), *self.maybe("COUNT", self.integer())],
            ]
        )

    def sets(self) -> list[str]:
        return self.random.choice(
            [
                ["SADD", self.key("s"), *self.members()],
                ["SADD", self.key("s"), *self.members(8), *self.maybe(LONG, chance=0.1)],
                ["SREM", self.key("s"), *self.members(3)],
                ["SMOVE", self.key("s"), self.key("s"), self.member()],
                [self.pick(["SINTERSTORE", "SUNIONSTORE", "SDIFFSTORE"]), self.key("s"), *self.keys("s")],
                ["SPOP", self.key("s"), self.pick(["0", "1000", "-1", "x"])],
            ]
        )

    def zsets(self) -> list[str]:
        key = self.key("z")
        keys = self.keys("z")
        options = self.random.sample(["NX", "XX", "GT", "LT", "CH", "INCR", "nx"], self.random.randint(0, 3))
        pairs = [word for member in self.members() for word in (self.score(), member)]
        return self.random.choice(
            [
                ["ZADD", key, *pairs],
                ["ZADD", key, *options, *pairs],
                ["ZADD", key, *options, self.score(), self.member()],
                ["ZADD", key, *options, *pairs, *self.maybe("1", chance=0.1)],
                ["ZINCRBY", key, self.score(), self.member()],
                ["ZREM", key, *self.members(3)],
                ["ZREMRANGEBYRANK", key, self.integer(), self.integer()],
                ["ZREMRANGEBYSCORE", key, self.bound(), self.bound()],
                ["ZREMRANGEBYLEX", key, self.lex(), self.lex()],
                [self.pick(["ZPOPMIN", "ZPOPMAX"]), key, *self.maybe(self.integer())],
                [self.pick(["BZPOPMIN", "BZPOPMAX"]), *keys, "0.001"],
                [
                    "ZMPOP",
                    str(len(keys)),
                    *keys,
                    self.pick(["MIN", "max", "MID"]),
                    *self.maybe("COUNT", self.integer()),
                ],
                ["ZRANGESTORE", self.key("z"), key, self.integer(), self.integer(), *self.maybe("REV")],
                ["ZRANGESTORE", self.key("z"), key, self.bound(), self.bound(), "BYSCORE", *self.range_options()],
                ["ZRANGESTORE", self.key("z"), key, self.lex(), self.lex(), "BYLEX", *self.range_options()],
                ["ZRANGESTORE", self.key("z"), key, "0", "-1", *self.range_options()],
            ]
        )

    def bound(self) -> str:
        return self.pick(["", "("]) + self.pick([*SCORES, *BAD_NUMBERS] if self.random.random() < 0.3 else SCORES)

    def lex(self) -> str:
        return self.pick(["-", "+", "x"]) if self.random.random() < 0.3 else self.pick(["[", "("]) + self.member()

    def range_options(self) -> list[str]:
        options = [
            self.maybe("REV"),
            self.maybe("LIMIT", self.integer(), self.integer()),
            self.maybe("REV", chance=0.02),
        ]
        self.random.shuffle(options)
        return [word for words in options for word in words]

    def zstores(self) -> list[str]:
        keys = [self.key(self.pick(["z", "z", "s"])) for _ in range(self.random.randint(1, 4))]
        weights = ["WEIGHTS", *(self.score() for _ in keys)]
        options = [
            self.maybe(*weights, chance=0.5),
            self.maybe("AGGREGATE", self.pick(["SUM", "min", "MAX", "AVG"]), chance=0.5),
        ]
        self.random.shuffle(options)
        target, count = self.key("z"), str(len(keys))
        return self.random.choice(
            [
                ["ZUNIONSTORE", target, count, *keys, *options[0], *options[1]],
                ["ZINTERSTORE", target, count, *keys, *options[0], *options[1]],
                ["ZDIFFSTORE", target, count, *keys, *self.maybe("WEIGHTS", "1", chance=0.05)],
                ["ZUNIONSTORE", target, self.pick(["0", "x", "9"]), *keys],
            ]
        )

    def hashes(self) -> list[str]:
        key = self.key("h")
        pairs = [word for field in self.members() for word in (field, self.pick([*MEMBERS, *INTEGERS, *FLOATS]))]
        return self.random.choice(
            [
                [self.pick(["HSET", "HMSET"]), key, *pairs, *self.maybe("odd", chance=0.05)],
                ["HSET", key, self.member(), self.pick([*INTEGERS, LONG])],
                ["HSETNX", key, self.member(), self.member()],
                ["HDEL", key, *self.members(3)],
                ["HINCRBY", key, self.member(), self.integer()],
                ["HINCRBYFLOAT", key, self.member(), self.pick([*FLOATS, *BAD_NUMBERS, "inf", "0x1p3"])],
            ]
        )

    def place(self) -> list[str]:
        if self.random.random() < 0.4:
            # Many members in the same few places: equal distances.
            return self.random.choice([["13.361389", "38.115556"], ["15.087269", "37.502669"], ["0", "0"]])
        if self.random.random() < 0.05:
            return self.random.choice([["181", "0"], ["0", "-86"], ["180", "85.05112878"], ["-180", "-85.05112878"]])
        longitude = self.random.choice([self.random.uniform(-180, 180), self.random.uniform(10, 20)])
        latitude = self.random.choice([self.random.uniform(-85, 85), self.random.uniform(30, 40)])
        return [repr(longitude), repr(latitude)]

    def geo(self) -> list[str]:
        key = self.key("g")
        member = f"m{self.random.randrange(60)}"
        places = [word for _ in range(6) for word in (*self.place(), f"m{self.random.randrange(60)}")]
        radius = repr(self.random.choice([0, 1, 100, 500.5, 3000, 12000, 1e7, 1e300, -1, self.random.uniform(0, 6000)]))
        unit = self.pick(UNITS if self.random.random() < 0.2 else ["km"])
        limits = [*self.maybe("COUNT", self.pick(["1", "2", "3", "5", "20", "0"])), *self.maybe("ANY", chance=0.2)]
        tail = [*limits, *self.maybe(self.pick(["ASC", "DESC"]))]
        store = [self.pick(["STORE", "STOREDIST"]), self.key("g")]
        center = self.random.choice([["FROMMEMBER", member], ["FROMLONLAT", *self.place()]])
        shape = self.random.choice([["BYRADIUS", radius, unit], ["BYBOX", radius, self.pick(FLOATS), unit]])
        if shape[0] == "BYBOX":
            shape[2] = repr(abs(float(radius) * self.random.uniform(0.2, 2)))
        return self.random.choice(
            [
                ["GEOADD", key, *places],
                ["GEOADD", key, *self.maybe("NX"), *self.maybe("XX"), *self.maybe("CH"), *self.place(), member],
                ["GEORADIUS", key, *self.place(), radius, unit, *tail, *store],
                ["GEORADIUSBYMEMBER", key, member, radius, unit, *tail, *store],
                ["GEOSEARCHSTORE", self.key("g"), key, *center, *shape, *tail, *self.maybe("STOREDIST")],
            ]
        )

    def sort(self) -> list[str]:
        key = self.key(self.pick(["l", "l", "s", "z"]))
        by = self.random.choice([["BY", "nosort"], ["BY", "h1->*"], ["BY", "w*"], ["BY", "w*->f"]])
        # The order of equal elements of a set is that of the server's hash table.
        ties = key[0] == "l"
        words = [
            [] if not self.random.random() < 0.5 else by,
            self.maybe("LIMIT", self.integer(), self.integer()),
            self.maybe("GET", self.pick(["#", "w*", "w*->f", "w*->", "fixed"])),
            self.maybe("GET", "#"),
            self.maybe(self.pick(["ASC", "DESC"])),
            self.maybe("ALPHA", chance=0.6 if ties or by[1] == "nosort" else 0),
        ]
        self.random.shuffle(words)
        return ["SORT", key, *(word for part in words for word in part), "STORE", self.key(self.pick(["l", "none"]))]

    def elements(self) -> list[str]:
        key = self.key(self.pick(["l", "l", "s", "z"]))
        elements = self.random.choices([*MEMBERS, *INTEGERS], k=self.random.choice([3, 12, 60]))
        command = {"l": "RPUSH", "s": "SADD", "z": "ZADD"}.get(key[0], "DEL")
        if self.random.random() < 0.3:
            return ["DEL", key]
        numbers = [element for element in elements if element.lstrip("-").isdigit()] or ["1"]
        elements = numbers if self.random.random() < 0.5 else elements
        return [command, key, *(elements if command != "ZADD" else [word for name in elements for word in ("1", name)])]

    def weights(self) -> list[str]:
        return self.random.choice(
            [
                ["SET", "w" + self.member(), self.pick(WEIGHTS)],
                ["HSET", "w" + self.member(), "f", self.pick(WEIGHTS)],
                ["DEL", "w" + self.member()],
            ]
        )

    def life(self) -> list[str]:
        return self.random.choice(
            [
                ["DEL", self.pick(KEYS)],
                ["SET", "str", "text"],
                ["PEXPIREAT", self.pick(KEYS), "9999999999999"],
                ["DEL", *self.members(1), self.pick(KEYS)],
            ]
        )


FAMILIES: dict[str, list[Callable[[Maker], list[str]]]] = {
    "lists": [Maker.lists] * 9 + [Maker.life],
    "sets": [Maker.sets] * 9 + [Maker.life],
    "zsets": [Maker.zsets] * 9 + [Maker.life],
    "zstores": [Maker.zsets] * 5 + [Maker.zstores] * 5 + [Maker.sets] * 2 + [Maker.life],
    "hashes": [Maker.hashes] * 12 + [Maker.life],
    "geo": [Maker.geo] * 15 + [Maker.life],
    "sort": [Maker.sort] * 6 + [Maker.elements] * 3 + [Maker.weights] * 3,
}


@pytest.mark.server
@pytest.mark.parametrize("family", FAMILIES)
def test_random_commands(redis_server: server.Server, family: str) -> None:
    maker = Maker(seed=len(family) * 1000 + 7)
    duel = Duel(redis_server)
    for _ in range(BLOCKS):
        commands = [
            [word.encode("latin-1") for word in maker.random.choice(FAMILIES[family])(maker)] for _ in range(BLOCK)
        ]
        for argv in commands:
            duel.run(*argv)
        duel.check(b"\n".join(b" ".join(argv) for argv in commands).decode("latin-1"))
