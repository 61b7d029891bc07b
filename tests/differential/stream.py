"""Random commands of all families, with edge values, for whoever compares two executions of them.

Every command has as many arguments as a server's table asks for, so that it may stand in a transaction, and what it
does does not depend on the time of day, on chance, or on the order of a hash table. ``past``: keys
may be given times that have passed, as only a server that loads a log leaves them alone.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import chain

Words = list[bytes]

#: By kind; one name of each is not text, and one key has no name at all.
KEYS: dict[str, Words] = {
    "string": [b"str", b"num", b"", b"s\x00\xff\r\n", b"bits"],
    "hll": [b"hll", b"hll2", b"hll\xe9"],
    "list": [b"list", b"list2", b"list\x00"],
    "set": [b"set", b"set2", b"set3", b"set\xff"],
    "zset": [b"zset", b"zset2", b"zset3", b"zset\r\n"],
    "hash": [b"hash", b"hash2", b"hash\x80"],
    "geo": [b"geo", b"geo2"],
    "stream": [b"stream", b"stream2", b"stream\x00"],
}
ALL = [*chain.from_iterable(KEYS.values()), b"none"]

MEMBERS = [
    b"a",
    b"b",
    b"c",
    b"d",
    b"e",
    b"",
    b"1",
    b"2",
    b"10",
    b"-3",
    b"\x00\xff",
    b"\r\n$1\r\n",
    b"palermo",
    b"9999999999",
]
LONG = b"long" * 30
HUGE = b"h" * 5000
INTEGERS = [
    b"0",
    b"1",
    b"-1",
    b"2",
    b"-2",
    b"3",
    b"5",
    b"100",
    b"-100",
    b"9223372036854775807",
    b"-9223372036854775808",
]
#: Nothing out of the range of a double: SORT takes an error that strtod reported to an earlier command for its own.
BAD = [b"", b" 1", b"1 ", b"nan", b"abc", b"--1", b"9223372036854775808"]
SCORES = [
    b"0",
    b"1",
    b"2",
    b"3.5",
    b"-1",
    b"1e3",
    b"inf",
    b"-inf",
    b"0.1",
    b"0.2",
    b"0x10",
    b"1e-300",
    b"+5",
    b".5",
    b"5.",
    b"1.7976931348623157e308",
    b"123456789.123456789",
    b"-9007199254740993",
]
FLOATS = [b"0.1", b"1", b"-2.5", b"1e5", b"3.0e3", b"1e-7", b"100000000000000000000", b"-0.1"]
FAR = [b"99999999999999", b"4102444800000", b"9223372036854775807"]
GONE = [b"1", b"1000", b"1500000000000"]
PLACES = [
    [b"13.361389", b"38.115556"],
    [b"15.087269", b"37.502669"],
    [b"0", b"0"],
    [b"-179.99", b"-85"],
    [b"180", b"85"],
    [b"181", b"0"],
]
TIME = b"1500000000000"


class Maker:
    """Makes commands. ``payloads``: what DUMP answered so far, for RESTORE."""

    def __init__(self, seed: int, *, past: bool = False) -> None:
        self.dice = random.Random(seed)
        self.past = past
        self.payloads: list[bytes] = []
        self.libraries: list[bytes] = []
        self.ms = 1
        self._families: list[Callable[[], Words]] = [
            *(self.strings, self.counters, self.bits, self.bitfield, self.hyperloglogs, self.lists, self.lists),
            *(self.sets, self.zsets, self.zsets, self.zstores, self.hashes, self.hashes, self.geo, self.sort),
            *(self.streams, self.streams, self.groups, self.groups, self.keys, self.keys, self.restore, self.rare),
        ]

    def command(self) -> Words:
        """Return one command."""
        return self.dice.choice(self._families)()

    def transaction(self) -> list[Words]:
        """Return what stands between MULTI and EXEC: blocking commands too, for these never wait there."""
        commands = [self.command() for _ in range(self.dice.randrange(6))]
        if self.maybe(b"x"):
            commands.insert(0, self.blocking())
        return commands

    # ---- choosing ------------------------------------------------------------------------------

    def pick(self, pool: Words) -> bytes:
        return self.dice.choice(pool)

    def one_of(self, *commands: Words) -> Words:
        return self.dice.choice(commands)

    def maybe(self, *words: bytes, chance: float = 0.3) -> Words:
        return list(words) if self.dice.random() < chance else []

    def key(self, kind: str) -> bytes:
        return self.pick(KEYS[kind] if self.dice.random() < 0.95 else ALL)

    def some_keys(self, kind: str, most: int = 3) -> Words:
        return [self.key(kind) for _ in range(self.dice.randint(1, most))]

    def member(self) -> bytes:
        return self.pick(MEMBERS)

    def members(self, most: int = 5) -> Words:
        return [self.member() for _ in range(self.dice.randint(1, most))]

    def integer(self) -> bytes:
        return self.pick(INTEGERS if self.dice.random() < 0.95 else BAD)

    def score(self) -> bytes:
        return self.pick(SCORES if self.dice.random() < 0.97 else BAD)

    def value(self) -> bytes:
        return self.dice.choice([self.member(), self.integer(), self.pick(FLOATS), LONG, HUGE, self.dice.randbytes(9)])

    def moment(self) -> bytes:
        return self.pick(FAR + GONE if self.past else FAR)

    def counted(self, keys: Words) -> Words:
        return [b"%d" % len(keys), *keys]

    # ---- strings -------------------------------------------------------------------------------

    def strings(self) -> Words:
        key = self.key("string")
        return self.one_of(
            [b"SET", key, self.value()],
            [
                b"set",
                key,
                self.value(),
                *self.maybe(b"KEEPTTL"),
                *self.maybe(self.pick([b"NX", b"xx"])),
                *self.maybe(b"GET"),
            ],
            [b"SET", key, self.value(), b"PXAT", self.moment(), *self.maybe(self.pick([b"NX", b"XX", b"BOGUS"]))],
            [b"SETNX", key, self.value()],
            [b"GETSET", key, self.value()],
            [b"GETDEL", key],
            [b"GETEX", key, *self.one_of([b"PERSIST"], [b"PXAT", self.moment()], [])],
            [b"MSET", key, self.value(), self.key("string"), self.value(), *self.maybe(b"odd", chance=0.1)],
            [b"MSETNX", key, self.value(), self.key("string"), self.value()],
            [b"APPEND", key, self.value()],
            [b"SETRANGE", key, self.pick([b"0", b"5", b"3000", b"-1", b"x"]), self.value()],
        )

    def counters(self) -> Words:
        key = self.pick([b"num", b"num", self.key("string")])
        return self.one_of(
            [b"INCR", key],
            [b"DECR", key],
            [b"INCRBY", key, self.integer()],
            [b"DECRBY", key, self.integer()],
            [b"INCRBYFLOAT", key, self.pick([*FLOATS, *BAD])],
            [b"SET", key, self.integer()],
        )

    def bits(self) -> Words:
        key = self.pick([b"bits", b"bits", self.key("string")])
        operator = self.pick([b"AND", b"or", b"XOR", b"NOT", b"NAND"])
        return self.one_of(
            [
                b"SETBIT",
                key,
                self.pick([b"0", b"7", b"8", b"9000", b"20000", b"-1"]),
                self.pick([b"0", b"1", b"1", b"2"]),
            ],
            [b"BITOP", operator, key, *self.some_keys("string")],
            [b"BITOP", b"NOT", key, self.key("string")],
        )

    def bitfield(self) -> Words:
        words = [b"BITFIELD", self.pick([b"bits", self.key("string")])]
        for _ in range(self.dice.randint(1, 4)):
            kind = self.pick(
                [b"i8", b"u8", b"i64", b"u63", b"u1", b"i33", b"u7", b"u64" if self.maybe(b"x") else b"i5"]
            )
            place = self.pick([b"0", b"7", b"#1", b"#3", b"100", b"-1" if self.maybe(b"x", chance=0.1) else b"#0"])
            words += self.one_of(
                [b"SET", kind, place, self.integer()],
                [b"INCRBY", kind, place, self.integer()],
                [b"GET", kind, place],
                [b"OVERFLOW", self.pick([b"WRAP", b"SAT", b"fail"])],
            )
        return words

    def hyperloglogs(self) -> Words:
        count = self.dice.choice([0, 1, 5, 60, 900])
        elements = [b"e%d" % self.dice.randrange(5000) for _ in range(count)]
        return self.one_of(
            [b"PFADD", self.key("hll"), *elements],
            [b"PFADD", self.key("hll"), *elements],
            [b"PFMERGE", *self.some_keys("hll", 4)],
            [b"PFCOUNT", *self.some_keys("hll", 2)],
        )

    # ---- collections ---------------------------------------------------------------------------

    def lists(self) -> Words:
        key, other = self.key("list"), self.key("list")
        side, to = self.pick([b"LEFT", b"RIGHT"]), self.pick([b"LEFT", b"right", b"MIDDLE"])
        return self.one_of(
            [b"RPUSH", key, *self.members(8), *self.maybe(LONG), *self.maybe(HUGE, HUGE, chance=0.05)],
            [b"LPUSH", key, *self.members(8)],
            [self.pick([b"LPUSHX", b"RPUSHX"]), key, *self.members(2)],
            [self.pick([b"LPOP", b"RPOP"]), key, *self.maybe(self.integer())],
            [b"LINSERT", key, self.pick([b"BEFORE", b"after", b"NEAR"]), self.member(), self.member()],
            [b"LREM", key, self.integer(), self.member()],
            [b"LSET", key, self.integer(), self.value()],
            [b"LTRIM", key, self.pick([b"0", b"1", b"-50", b"x"]), self.integer()],
            [b"RPOPLPUSH", key, other],
            [b"LMOVE", key, other, side, to],
            [b"LMPOP", *self.counted(self.some_keys("list")), side, *self.maybe(b"COUNT", self.integer())],
        )

    def blocking(self) -> Words:
        return self.one_of(
            [b"BLPOP", *self.some_keys("list"), b"0"],
            [b"BRPOP", *self.some_keys("list"), b"0.5"],
            [b"BRPOPLPUSH", self.key("list"), self.key("list"), b"1"],
            [b"BLMOVE", self.key("list"), self.key("list"), b"LEFT", b"RIGHT", b"0"],
            [b"BLMPOP", b"0", *self.counted(self.some_keys("list")), b"RIGHT", b"COUNT", b"2"],
            [self.pick([b"BZPOPMIN", b"BZPOPMAX"]), *self.some_keys("zset"), b"0"],
            [b"BZMPOP", b"0", *self.counted(self.some_keys("zset")), b"MIN"],
        )

    def sets(self) -> Words:
        key = self.key("set")
        return self.one_of(
            [b"SADD", key, *self.members(8)],
            [b"SADD", key, *[b"%d" % self.dice.randint(-(1 << 40), 1 << 33) for _ in range(4)]],
            [b"SREM", key, *self.members()],
            [b"SMOVE", key, self.key("set"), self.member()],
            [self.pick([b"SINTERSTORE", b"SUNIONSTORE", b"SDIFFSTORE"]), key, *self.some_keys("set")],
            [b"SPOP", key, self.pick([b"0", b"10000", b"-1", b"x"])],
        )

    def pairs(self) -> Words:
        return [word for member in self.members() for word in (self.score(), member)]

    def bound(self) -> bytes:
        return self.pick([b"", b"("]) + self.score()

    def lex(self) -> bytes:
        return self.pick([self.pick([b"[", b"("]) + self.member(), b"-", b"+", b"x"])

    def zsets(self) -> Words:
        key = self.key("zset")
        options = self.dice.sample([b"NX", b"XX", b"GT", b"LT", b"CH", b"INCR", b"nx"], self.dice.randint(0, 2))
        limits = [*self.maybe(b"REV"), *self.maybe(b"LIMIT", self.integer(), self.integer())]
        return self.one_of(
            [b"ZADD", key, *self.pairs()],
            [b"ZADD", key, *self.pairs()],
            [b"ZADD", key, *options, *self.pairs(), *self.maybe(b"1", chance=0.05)],
            [b"ZINCRBY", key, self.score(), self.member()],
            [b"ZREM", key, *self.members()],
            [b"ZREMRANGEBYRANK", key, self.integer(), self.integer()],
            [b"ZREMRANGEBYSCORE", key, self.bound(), self.bound()],
            [b"ZREMRANGEBYLEX", key, self.lex(), self.lex()],
            [self.pick([b"ZPOPMIN", b"ZPOPMAX"]), key, *self.maybe(self.integer())],
            [b"ZMPOP", *self.counted(self.some_keys("zset")), self.pick([b"MIN", b"max"]), *self.maybe(b"COUNT", b"2")],
            [b"ZRANGESTORE", self.key("zset"), key, self.integer(), self.integer(), *self.maybe(b"REV")],
            [b"ZRANGESTORE", self.key("zset"), key, self.bound(), self.bound(), b"BYSCORE", *limits],
            [b"ZRANGESTORE", self.key("zset"), key, self.lex(), self.lex(), b"BYLEX", *limits],
        )

    def zstores(self) -> Words:
        keys = [self.key(self.dice.choice(["zset", "zset", "set"])) for _ in range(self.dice.randint(1, 3))]
        options = [
            # Times a negative weight a zero becomes -0, and whether that keeps its sign hangs on encodings of the past.
            *self.maybe(b"WEIGHTS", *[self.pick([b"1", b"2", b"0.5", b"inf", b"1e300", b"x"]) for _ in keys]),
            *self.maybe(b"AGGREGATE", self.pick([b"SUM", b"min", b"MAX"])),
        ]
        name = self.pick([b"ZUNIONSTORE", b"ZINTERSTORE", b"ZDIFFSTORE"])
        return [name, self.key("zset"), *self.counted(keys), *(options if name != b"ZDIFFSTORE" else [])]

    def hashes(self) -> Words:
        key = self.key("hash")
        pairs = [word for field in self.members() for word in (field, self.value())]
        return self.one_of(
            [self.pick([b"HSET", b"hmset"]), key, *pairs, *self.maybe(b"odd", chance=0.05)],
            [b"HSET", key, LONG, self.value()],
            [b"HSETNX", key, self.member(), self.value()],
            [b"HDEL", key, *self.members()],
            [b"HINCRBY", key, self.member(), self.integer()],
            [b"HINCRBYFLOAT", key, self.member(), self.pick([*FLOATS, *BAD])],
        )

    def geo(self) -> Words:
        key, target = self.key("geo"), self.key("geo")
        place = self.dice.choice(PLACES)
        radius = [self.pick([b"0", b"100", b"500.5", b"12000", b"-1"]), self.pick([b"km", b"mi", b"parsec"])]
        count = self.maybe(b"COUNT", self.pick([b"1", b"2", b"0"]))
        store = [self.pick([b"STORE", b"STOREDIST"]), target]
        return self.one_of(
            [b"GEOADD", key, *place, self.member()],
            [
                b"GEOADD",
                key,
                *self.maybe(b"NX"),
                *self.maybe(b"CH"),
                *self.dice.choice(PLACES),
                self.member(),
                *place,
                self.member(),
            ],
            [b"GEORADIUS", key, *place, *radius, *count, *store],
            [b"GEORADIUSBYMEMBER", key, self.member(), *radius, b"ASC", *store],
            [
                b"GEOSEARCHSTORE",
                target,
                key,
                b"FROMLONLAT",
                *place,
                b"BYBOX",
                b"900",
                *radius,
                *count,
                *self.maybe(b"STOREDIST"),
            ],
        )

    def sort(self) -> Words:
        kind = self.dice.choice(["list", "set", "zset"])
        options = [
            *self.maybe(b"LIMIT", self.integer(), self.integer()),
            *self.maybe(b"GET", self.pick([b"#", b"str*", b"hash*->a"])),
            *self.maybe(self.pick([b"ASC", b"DESC"])),
            *self.one_of([b"ALPHA"], [b"alpha"], []),
            *(self.maybe(b"BY", b"nosort") if kind != "set" else []),
        ]
        return [b"SORT", self.key(kind), *options, b"STORE", self.key("list")]

    # ---- streams -------------------------------------------------------------------------------

    def entry_id(self) -> bytes:
        return self.one_of(
            [b"%d-%d" % (self.dice.randint(0, self.ms + 2), self.dice.randint(0, 2))], [b"%d" % self.ms]
        )[0]

    def streams(self) -> Words:
        self.ms += self.dice.choice([0, 1, 1])
        key = self.key("stream")
        fields = [word for name in self.members(3) for word in (name, self.value())]
        trimming = self.one_of(
            [b"MAXLEN", b"=", b"%d" % self.dice.randint(0, 12)], [b"MINID", self.entry_id()], [b"MAXLEN", b"x"]
        )
        counters = [
            *self.maybe(b"ENTRIESADDED", b"%d" % self.dice.randint(-1, 90)),
            *self.maybe(b"MAXDELETEDID", self.entry_id()),
        ]
        some_id = self.pick([b"%d-%d" % (self.ms, self.dice.randrange(9)), b"%d-*" % self.ms, self.entry_id()])
        return self.one_of(
            [b"XADD", key, some_id, *fields],
            [b"XADD", key, some_id, *fields],
            [
                b"XADD",
                key,
                *self.maybe(b"NOMKSTREAM"),
                *self.maybe(*trimming),
                some_id,
                *fields,
                *self.maybe(b"odd", chance=0.05),
            ],
            [b"XDEL", key, self.entry_id(), self.entry_id()],
            [b"XTRIM", key, *trimming],
            [b"XSETID", key, self.entry_id(), *counters],
        )

    def groups(self) -> Words:
        where = [self.key("stream"), self.pick([b"g", b"h", b"g\xff"])]
        consumer = self.pick([b"alice", b"bob", b""])
        reads = self.maybe(b"ENTRIESREAD", b"%d" % self.dice.randint(-2, 30))
        claim = [
            *self.maybe(b"RETRYCOUNT", self.pick([b"0", b"7", b"-1"])),
            *self.maybe(b"FORCE", chance=0.7),
            *self.maybe(b"JUSTID"),
            *self.maybe(b"LASTID", self.entry_id()),
        ]
        return self.one_of(
            [b"XGROUP", b"CREATE", *where, self.pick([b"0", b"$", self.entry_id()]), *self.maybe(b"MKSTREAM"), *reads],
            [b"XGROUP", b"SETID", *where, self.pick([b"0", b"$", self.entry_id()]), *reads],
            [b"xgroup", b"createconsumer", *where, consumer],
            [b"XGROUP", b"DELCONSUMER", *where, consumer],
            [b"XGROUP", b"DESTROY", *where] if self.maybe(b"x") else [b"XACK", *where, self.entry_id()],
            # The time of delivery is given, or it would be the moment of execution.
            [b"XCLAIM", *where, consumer, b"0", self.entry_id(), self.entry_id(), b"TIME", TIME, *claim],
            [b"XCLAIM", *where, consumer, b"0", self.entry_id(), self.entry_id(), b"TIME", TIME, *claim],
            [b"XREADGROUP", b"GROUP", where[1], consumer, b"COUNT", b"2", b"NOACK", b"STREAMS", where[0], b">"],
            [b"XACK", *where, self.entry_id(), self.entry_id()],
        )

    # ---- keys ----------------------------------------------------------------------------------

    def keys(self) -> Words:
        key, other = self.pick(ALL), self.pick(ALL)
        db = self.pick([b"0", b"1", b"2", b"16", b"-1", b"x"])
        return self.one_of(
            [self.pick([b"DEL", b"UNLINK"]), key, *self.maybe(other)],
            [b"PEXPIREAT", key, self.moment(), *self.maybe(self.pick([b"NX", b"XX", b"GT", b"lt", b"BAD"]))],
            [b"EXPIREAT", key, self.pick([b"4102444800", b"x", *(GONE if self.past else [])])],
            [b"PERSIST", key],
            [b"RENAME", key, other],
            [b"RENAMENX", key, other],
            [b"COPY", key, other, *self.one_of([], [b"REPLACE"], [b"DB", db], [b"DB", b"1", b"replace"])],
            [b"MOVE", key, db],
            [b"SWAPDB", self.pick([b"0", b"1", b"x"]), db],
            [b"SELECT", self.pick([b"0", b"0", db])],
        )

    def restore(self) -> Words:
        if not self.payloads:
            return [b"PING"]
        payload = self.dice.choice(self.payloads)
        if self.maybe(b"x", chance=0.1):
            payload = payload[:-3] + b"\x00\x00\x00"
        ttl = self.pick([b"0", self.moment(), b"-5"])
        return [b"RESTORE", self.pick(ALL), ttl, payload, b"ABSTTL", *self.maybe(b"REPLACE", chance=0.8)]

    def rare(self) -> Words:
        name = self.pick([b"one", b"two", b"three"])
        code = b"#!lua name=%b\nredis.register_function('f_%b', function(keys, args) return %d end)" % (
            *(name, name, self.dice.randrange(100)),
        )
        return self.one_of(
            [b"FUNCTION", b"LOAD", code],
            [b"FUNCTION", b"LOAD", b"REPLACE", code],
            [b"FUNCTION", b"DELETE", name],
            self.one_of([b"FUNCTION", b"FLUSH"], [b"PING"], [b"PING"]),
            [
                b"FUNCTION",
                b"RESTORE",
                self.dice.choice(self.libraries or [b""]),
                *self.maybe(self.pick([b"REPLACE", b"FLUSH", b"APPEND"])),
            ],
            self.one_of([b"FLUSHDB"], [b"FLUSHALL", b"ASYNC"], *[[b"PING"]] * 12),
        )


def encode(commands: Iterator[Words] | list[Words]) -> bytes:
    """Return commands as they stand in a log."""
    return b"".join(
        b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words) for words in commands
    )
