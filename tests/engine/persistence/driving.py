"""Random commands of all families, and what an engine's state is compared by."""

from __future__ import annotations

import random
from pathlib import Path

from engine.test_collections_differential import FAMILIES, Maker
from engine.test_keyspace_differential import Maker as KeyMaker
from engine.test_stream_differential import Source

from rdbtool._codec.sinks.digest import Digest
from rdbtool._codec.sinks.fingerprint import Fingerprint
from rdbtool.engine import CommandError, Engine
from rdbtool.engine.export.engine_dataset import EngineDataset
from rdbtool.engine.persistence import AppendLog
from rdbtool.engine.replay.loader import replay_log
from rdbtool.engine.replay.replay_options import Options
from rdbtool.engine.streams.data import StreamData
from rdbtool.model import Header
from rdbtool.reader.open.dispatch import open_any

START_MS = 1_790_000_000_000


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now_ms = START_MS

    def __call__(self) -> int:
        return self.now_ms


def fingerprint(engine: Engine) -> str:
    """Return the fingerprint of keys and functions."""
    sink = Fingerprint()
    EngineDataset(engine, Header("REDIS", 11)).feed(sink)
    return sink.hexdigest()


def digest(engine: Engine) -> str:
    """Return what DEBUG DIGEST would say."""
    sink = Digest(str(engine.rules), engine.now_ms)
    EngineDataset(engine, Header("REDIS", 11)).feed(sink)
    return sink.hexdigest()


def replayed(directory: Path, now_ms: int) -> Engine:
    """Return the engine that any replay leads to, at another time; nothing is to be said of it but notes."""
    with open_any(directory) as reader:
        loaded = replay_log(reader, Options(now_ms=now_ms, strict=True))
    assert loaded.fault is None
    return loaded.replay.engine


def forget_consumer_times(engine: Engine) -> Engine:
    """Drop when consumers were seen: servers' logs do not say, and only ``AppendLog.open`` reads what ours does."""
    for db in engine.dbs.values():
        for value in db.keys.values():
            if isinstance(value, StreamData):
                for group in value.groups.values():
                    for consumer in group.consumers.values():
                        consumer.seen_at_ms = consumer.active_at_ms = None
    return engine


class Driver:
    """Makes random commands: of the generators of other tests, and those whose outcome hangs on the clock."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.maker = Maker(seed)
        self.keys = KeyMaker(seed, past=False)
        self.source = Source(seed)
        self.families = list(FAMILIES)

    def command(self) -> list[bytes]:
        make = self.random.choices(
            [self.collection, self.string, self.stream, self.timed, self.other], [10, 8, 12, 10, 2]
        )[0]
        return [word.encode("latin-1") for word in make()]

    def collection(self) -> list[str]:
        return self.random.choice(FAMILIES[self.random.choice(self.families)])(self.maker)

    def string(self) -> list[str]:
        return self.random.choice([self.keys.strings, self.keys.strings, self.keys.bits, self.keys.counts])()

    def stream(self) -> list[str]:
        if self.random.random() < 0.1:
            sign = self.random.choice(["~", "="])
            bound = self.random.choice([["MAXLEN", sign, "0"], ["MAXLEN", sign, "3"], ["MINID", sign, "2"]])
            if self.random.random() < 0.5:
                return ["XTRIM", "s", *bound, *(["LIMIT", "0"] if sign == "~" else [])]
            self.source.ms += 1
            return ["XADD", "s", *bound, f"{self.source.ms}-*", "MAXLEN", "~"]
        return self.source.command()

    def timed(self) -> list[str]:
        pick = self.random.choice
        key, fields = pick(["h1", "h2"]), ["a", "b", "c"]
        few = self.random.sample(fields, self.random.randint(1, 3))
        numbered = ["FIELDS", str(len(few)), *few]
        pairs = ["FIELDS", str(len(few)), *(word for field in few for word in (field, pick("123")))]
        span = pick([["EX", "1"], ["PX", "700"], ["PX", "100000"], []])
        return pick(
            [
                ["HSET", key, pick(fields), pick("123")],
                ["HEXPIRE", key, pick(["1", "3", "1000"]), *pick([[], ["NX"], ["GT"], ["LT"]]), *numbered],
                ["HPEXPIRE", key, pick(["1", "300", "1500"]), *numbered],
                ["HPERSIST", key, *numbered],
                ["HGETEX", key, *pick([span, ["PERSIST"]]), *numbered],
                ["HGETDEL", key, *numbered],
                ["HSETEX", key, *pick([[], ["FNX"], ["FXX"]]), *pick([span, ["KEEPTTL"]]), *pairs],
                ["HSETNX", key, pick(fields), "7"],
                ["HINCRBY", key, pick(fields), "5"],
                ["HINCRBYFLOAT", key, pick(fields), "1.5"],
                ["SORT", "l3", "BY", "nosort", "GET", f"{key}->*", "STORE", pick(["l1", "l2"])],
                ["RPUSH", "l3", *few],
                ["EXPIRE", pick(["a", "l1", "h1", "s1"]), pick(["10", "100", "-1"]), *pick([[], ["NX"], ["GT"]])],
                ["PEXPIRE", pick(["a", "l1", "h1", "s1"]), pick(["10", "100"])],
                ["PERSIST", pick(["a", "l1", "h1"])],
                ["SETEX", "a", "5", "x"],
                ["SPOP", pick(["s1", "s2"]), "100"],
                ["SPOP", pick(["s1", "s2"])],
            ]
        )

    def function(self, name: str) -> str:
        number = self.random.random()
        return f"#!lua name=lib{name}\nredis.register_function('f{name}', function() return {number} end)"

    def other(self) -> list[str]:
        pick = self.random.choice
        return pick(
            [
                ["SELECT", pick(["0", "0", "1", "2"])],
                ["SWAPDB", "0", "1"],
                ["MOVE", pick(["a", "l1", "s"]), "1"],
                ["COPY", pick(["s", "h1"]), pick(["t", "h2"]), "REPLACE"],
                ["COPY", pick(["s", "h1"]), "x", "DB", "2"],
                ["FLUSHDB"] if self.random.random() < 0.1 else ["PING"],
                ["FUNCTION", "LOAD", "REPLACE", self.function(pick("ab"))],
                ["FUNCTION", "DELETE", "liba"],
                ["GET", "a"],
                ["EVAL", "redis.call('SET','a','1')", "0"],
            ]
        )


def run(log: AppendLog, argv: list[bytes]) -> bool:
    """Execute a command, which may be refused."""
    try:
        log.execute(*argv)
    except CommandError:
        return False
    return True
