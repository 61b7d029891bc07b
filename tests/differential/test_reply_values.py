"""Replies of random write commands: the engine answers what a server answers.

The commands go to the server in batches; its error replies are compared by their first word (``test_replies`` has their
texts), all others as they are. Other servers than the one that is installed are asked by hand, with RDBTOOL_SERVERS as
for ``test_replies``. The seeds are other ones each day; RDBTOOL_SEED names the first.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import closing

import pytest
import server
from differential.stream import FAR, PLACES, Maker, Words, encode
from duel import digest_of
from sampling import SEED

from rdbtool.engine import CommandError, Engine
from rdbtool.engine.command_errors import CarriedOutScriptError, UnknownEffectError, UnknownOrderError
from rdbtool.engine.values import ListData, ZSetData

pytestmark = pytest.mark.server

SERVERS = [path for path in os.environ.get("RDBTOOL_SERVERS", "").split(",") if path]
FIRST = SEED
SEEDS = range(FIRST, FIRST + 4)
REPLIES = 5000
BATCH = 240

#: A server that executes one of these where there is nothing to take would wait, unless it is in a transaction.
BLOCKING = frozenset({b"BLPOP", b"BRPOP", b"BRPOPLPUSH", b"BLMOVE", b"BLMPOP", b"BZPOPMIN", b"BZPOPMAX", b"BZMPOP"})


class Answers(Maker):
    """Adds the commands whose replies say most: those that take, claim or read and change nothing else."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        more: list[Callable[[], Words]] = [
            *(self.blocking, self.pops, self.reads, self.reads, self.searches, self.searches, self.sorts, self.counts),
            *(self.fields, self.fields, self.scripts, self.comparisons),
        ]
        self._families += more

    def pops(self) -> Words:
        return self.one_of(
            [self.pick([b"LPOP", b"RPOP"]), self.key("list"), *self.maybe(b"0")],
            [self.pick([b"ZPOPMIN", b"ZPOPMAX"]), self.key("zset"), *self.maybe(self.pick([b"0", b"2", b"9"]))],
            [
                b"ZADD",
                self.key("zset"),
                *self.maybe(self.pick([b"GT", b"LT", b"NX", b"XX"])),
                b"INCR",
                *self.pairs()[:2],
            ],
            [b"ZADD", b"lex", *[word for member in self.members() for word in (b"0", member)]],
            [b"ZREMRANGEBYLEX", b"lex", self.lex(), self.lex()],
            [b"ZRANGESTORE", self.key("zset"), b"lex", self.lex(), self.lex(), b"BYLEX", *self.maybe(b"REV")],
            [b"SPOP", self.pick([b"none", self.key("set")]), *self.maybe(self.pick([b"0", b"10000"]))],
        )

    def reads(self) -> Words:
        key, group, consumer = self.key("stream"), self.pick([b"g", b"h", b"g\xff"]), self.pick([b"alice", b"bob"])
        read = [b"XREADGROUP", b"GROUP", group, consumer, *self.maybe(b"COUNT", self.pick([b"1", b"3"]))]
        return self.one_of(
            [*read, b"STREAMS", key, self.pick([b">", b">", b"0", self.entry_id()])],
            [*read, *self.maybe(b"NOACK"), b"STREAMS", key, self.key("stream"), b">", self.pick([b">", b"0"])],
            [
                *(b"XAUTOCLAIM", key, group, consumer, b"0", self.pick([b"0", b"-", self.entry_id()])),
                *self.maybe(b"COUNT", self.pick([b"1", b"2", b"5"])),
                *self.maybe(b"JUSTID"),
            ],
            [b"XCLAIM", key, group, consumer, b"0", self.entry_id(), self.entry_id(), *self.maybe(b"FORCE")],
            [b"XADD", key, b"%d-*" % self.ms, b"field", self.value()],
            [
                *(self.pick([b"XDELEX", b"XACKDEL"]), key, group)[: self.dice.choice([2, 3])],
                *self.maybe(self.pick([b"KEEPREF", b"DELREF", b"ACKED"])),
                *(b"IDS", b"2", self.entry_id(), self.entry_id()),
            ],
            [b"XGROUP", b"DELCONSUMER", key, group, consumer],
        )

    def searches(self) -> Words:
        options = [
            *self.maybe(b"WITHDIST"),
            *self.maybe(b"WITHHASH"),
            *self.maybe(b"WITHCOORD"),
            *self.maybe(b"COUNT", self.pick([b"1", b"3"]), *self.maybe(b"ANY")),
            *self.maybe(self.pick([b"ASC", b"DESC"])),
        ]
        radius = [self.pick([b"0", b"100", b"500.5", b"12000"]), self.pick([b"m", b"km", b"ft", b"mi"])]
        place = self.dice.choice(PLACES)
        return self.one_of(
            [b"GEORADIUS", self.key("geo"), *place, *radius, *options],
            [b"GEORADIUSBYMEMBER", self.key("geo"), self.member(), *radius, *options],
            [b"GEOADD", self.key("geo"), *self.maybe(b"XX"), *self.maybe(b"CH"), *place, self.member()],
        )

    def sorts(self) -> Words:
        return [*self.sort()[:-2], *self.maybe(b"GET", self.pick([b"#", b"str*", b"hash*->a"]))]

    def counts(self) -> Words:
        return self.one_of(
            [b"PFCOUNT", *self.some_keys("hll", 3)],
            [b"PFDEBUG", self.pick([*[b"ENCODING", b"DECODE"] * 5, b"TODENSE", b"GETREG"]), self.key("hll")],
            [
                b"BITFIELD",
                self.key("string"),
                b"GET",
                self.pick([b"u8", b"i64", b"i3"]),
                self.pick([b"0", b"7", b"#9"]),
            ],
        )

    def fields(self) -> Words:
        key, fields = self.key("hash"), self.members(3)
        listed = [b"FIELDS", b"%d" % len(fields), *fields]
        moment = self.pick(FAR[:2])
        return self.one_of(
            [b"HPEXPIREAT", key, moment, *self.maybe(self.pick([b"NX", b"XX", b"GT", b"LT"])), *listed],
            [b"HPERSIST", key, *listed],
            [b"HGETDEL", key, *listed],
            [b"HGETEX", key, *self.one_of([], [b"PERSIST"], [b"PXAT", moment]), *listed],
            [
                *(b"HSETEX", key, *self.maybe(self.pick([b"FNX", b"FXX"]))),
                *self.one_of([], [b"KEEPTTL"], [b"PXAT", moment]),
                *(b"FIELDS", b"1", self.member(), self.value()),
            ],
        )

    def scripts(self) -> Words:
        script = self.pick(
            [
                b"return redis.call('LPOP', KEYS[1], 3)",
                b"redis.call('SET', 'num', 7)\nreturn redis.call('INCRBY', 'num', ARGV[1])",
                b"return redis.call('SET', KEYS[2], ARGV[1], 'NX')",
                b"redis.call('SADD', KEYS[3], ARGV[1])\nreturn 'done'",
                b"redis.call('SADD', KEYS[3], ARGV[1]); return -12",
                b"redis.call('SREM', KEYS[3], ARGV[1]); return false",
                b"redis.call('DEL', KEYS[1])",
            ]
        )
        if self.maybe(b"x"):
            return [b"SCRIPT", b"LOAD", script]
        keys = [self.key("list"), self.key("string"), self.key("set")]
        return [b"EVAL", script, b"3", *keys, self.pick([b"5", b"9007199254740990"])]

    def comparisons(self) -> Words:
        key, value = b"num", self.pick([b"1", b"2", b"0"])
        return self.one_of(
            [b"SET", key, value],
            [b"SET", key, value, self.pick([b"IFEQ", b"IFNE"]), b"1", *self.maybe(b"GET")],
            [b"DELEX", key, *self.maybe(self.pick([b"IFEQ", b"IFNE"]), b"1")],
            [b"DELIFEQ", key, value],
            [b"MSETEX", b"2", key, value, self.key("string"), value, *self.maybe(self.pick([b"NX", b"XX"]))],
        )


class Connection(server.Client):
    """A connection on which an error reply is its first word."""

    def reply(self) -> server.Reply:
        """Read one reply."""
        try:
            return super().reply()
        except server.ServerError as error:
            return shown_error(str(error))

    def ask(self, commands: list[Words]) -> list[server.Reply]:
        """Send commands at once; return their replies. Those that may wait go alone in a transaction."""
        wrapped = [[[b"MULTI"], words, [b"EXEC"]] if words[0].upper() in BLOCKING else [words] for words in commands]
        self._socket.sendall(encode([words for group in wrapped for words in group]))
        replies: list[server.Reply] = []
        for group in wrapped:
            *_, reply = [self.reply() for _ in group]
            if len(group) > 1 and isinstance(reply, list):
                (reply,) = reply
            replies.append(reply)
        return replies


def shown_error(text: str) -> bytes:
    return b"(error) " + text.split(maxsplit=1)[0].encode()


@pytest.fixture(params=SERVERS or [""], ids=lambda path: path or "installed")
def tools(request: pytest.FixtureRequest) -> server.Tools:
    """The programs of a server that was named, or of the one that is installed."""
    if request.param:
        return server.tools_of(request.param)
    found = request.getfixturevalue("redis_tools")
    assert isinstance(found, server.Tools)
    return found


def execute(engine: Engine, words: Words) -> tuple[bool, object]:
    """Execute a command; return whether its reply is known, and the reply. Raises UnknownEffectError."""
    is_known = words[0] != b"SORT" or has_order(engine, words)
    try:
        return is_known, engine.execute(*words)
    except (UnknownOrderError, CarriedOutScriptError):
        return False, None
    except UnknownEffectError:
        raise
    except CommandError as error:
        return True, shown_error(str(error))


def has_order(engine: Engine, words: Words) -> bool:
    """Whether a SORT compares numbers, or sorts a list: the order of equal texts may be that of a hash table."""
    is_list = isinstance(engine.db.keys.get(words[1]), ListData)
    return is_list or not {b"ALPHA", b"BY"} & {word.upper() for word in words}


def is_left_open(engine: Engine, words: Words) -> bool:
    """Whether a lexical range meets different scores: its result then depends on encodings of the past."""
    if words[0] == b"ZREMRANGEBYLEX":
        zset = engine.db.keys.get(words[1])
    elif b"BYLEX" in words:
        zset = engine.db.keys.get(words[2])
    else:
        return False
    return isinstance(zset, ZSetData) and len(set(zset.values())) > 1


def comparable(words: Words, reply: object) -> object:
    """Return a reply without what differs from one server to the next of a version: the order of a popped set."""
    return sorted(reply) if words[0] == b"SPOP" and isinstance(reply, list) else reply


@pytest.mark.parametrize("seed", SEEDS)
def test_replies_are_those_of_a_server(seed: int, tools: server.Tools) -> None:
    maker = Answers(seed)
    engine = Engine(rules=tools.rules, now_ms=int(time.time() * 1000))
    compared = errors = 0
    with server.run_server(tools) as running, closing(Connection(running.directory / "s")) as talk:
        while compared < REPLIES:
            batch: list[Words] = []
            replies: list[tuple[bool, object]] = []
            while len(batch) < BATCH:
                words = maker.command()
                if is_left_open(engine, words):
                    continue
                try:
                    replies.append(execute(engine, words))
                except UnknownEffectError:
                    # What the engine does not execute, the server does not get.
                    continue
                batch.append(words)
            for words, (is_known, reply), answer in zip(batch, replies, talk.ask(batch), strict=True):
                if not is_known or words[0] == b"PING":
                    continue
                assert comparable(words, reply) == comparable(words, answer), repr((words, reply, answer))
                assert type(reply) is type(answer), words
                compared += 1
                errors += isinstance(answer, bytes) and answer.startswith(b"(error)")
            assert digest_of(engine, tools.rules) == running.digest()
            for key in maker.dice.sample(list(engine.db.keys), min(3, len(engine.db.keys))):
                payload = talk(b"DUMP", key)
                assert isinstance(payload, bytes)
                maker.payloads.append(payload)
            if engine.functions:
                libraries = talk(b"FUNCTION", b"DUMP")
                assert isinstance(libraries, bytes)
                maker.libraries.append(libraries)
    assert errors < compared / 2
