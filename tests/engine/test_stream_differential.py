"""Random commands on streams, given to a server and to the engine: the same errors, the same state.

The server keeps count of everything that XINFO STREAM shows, so entries, counters, groups, consumers and pending
lists are compared after every command. The second test lets a server load the commands as a log.
"""

import random
import time

import pytest
from engine.streamstate import engine_digest, engine_stream, server_stream
from server import ServerError

from rdbtool.engine import CommandError, Engine

KEYS = ("s", "t")
GROUPS = ("g", "h")
CONSUMERS = ("a", "b", "c")
PAST_MS = 1_000_000


class Source:
    """Makes commands that hit each other often: few keys, groups, consumers and ids."""

    def __init__(self, seed: int) -> None:
        self.pick = random.Random(seed)
        self.ms = 1

    def id(self) -> str:
        return self.pick.choice([f"{self.pick.randint(0, self.ms + 2)}-{self.pick.randint(0, 2)}", str(self.ms)])

    def ids(self) -> list[str]:
        return [self.id() for _ in range(self.pick.randint(1, 3))]

    def trimming(self) -> list[str]:
        sign = self.pick.choice([[], ["="]])
        return self.pick.choice([["MAXLEN", *sign, str(self.pick.randint(0, 12))], ["MINID", *sign, self.id()]])

    def group(self) -> list[str]:
        return [self.pick.choice(KEYS), self.pick.choice(GROUPS)]

    def maybe(self, *words: object) -> list[object]:
        return list(words) if self.pick.random() < 0.4 else []

    def command(self) -> list[object]:
        make = self.pick.choices(
            [
                self.xadd,
                self.xdel,
                self.xtrim,
                self.xsetid,
                self.create,
                self.change,
                self.xclaim,
                self.xack,
                self.read,
            ],
            [30, 8, 3, 3, 3, 6, 12, 8, 16],
        )[0]
        return [str(word) for word in make()]

    def xadd(self):
        self.ms += self.pick.choice([0, 0, 1])
        fields = [
            text for _ in range(self.pick.randint(1, 3)) for text in (self.pick.choice("fgh"), self.pick.random())
        ]
        place = self.pick.choice([self.id(), f"{self.ms}-*", f"{self.ms}-{self.pick.randint(0, 9)}"])
        options = [*self.maybe("NOMKSTREAM"), *(self.trimming() if self.pick.random() < 0.2 else [])]
        return ["XADD", self.pick.choice(KEYS), *options, place, *fields]

    def xdel(self):
        return ["XDEL", self.pick.choice(KEYS), *self.ids()]

    def xtrim(self):
        return ["XTRIM", self.pick.choice(KEYS), *self.trimming()]

    def xsetid(self):
        options = [*self.maybe("ENTRIESADDED", self.pick.randint(-1, 40)), *self.maybe("MAXDELETEDID", self.id())]
        return ["XSETID", self.pick.choice(KEYS), self.id(), *options]

    def create(self):
        place = self.pick.choice(["0", "$", self.id()])
        reads = self.maybe("ENTRIESREAD", self.pick.randint(-2, 20))
        return ["XGROUP", "CREATE", *self.group(), place, *self.maybe("MKSTREAM"), *reads]

    def change(self):
        reads = self.maybe("ENTRIESREAD", self.pick.randint(-1, 20))
        return self.pick.choices(
            [
                ["XGROUP", "SETID", *self.group(), self.pick.choice(["$", "-", "+", self.id()]), *reads],
                ["XGROUP", "CREATECONSUMER", *self.group(), self.pick.choice(CONSUMERS)],
                ["XGROUP", "DELCONSUMER", *self.group(), self.pick.choice(CONSUMERS)],
                ["XGROUP", "DESTROY", *self.group()],
                ["DEL", self.pick.choice(KEYS)],
            ],
            [6, 4, 3, 1, 1],
        )[0]

    def xclaim(self):
        consumer = self.pick.choice(CONSUMERS)
        idle = self.pick.choice([0, 0, 10_000])
        if self.pick.random() < 0.3:
            start = self.pick.choice(["-", "0", f"({self.id()}", self.id()])
            options = [*self.maybe("COUNT", self.pick.randint(0, 3)), *self.maybe("JUSTID")]
            return ["XAUTOCLAIM", *self.group(), consumer, idle, start, *options]
        options = [
            *self.maybe("TIME", self.pick.choice([PAST_MS, -5, 1 << 62])),
            *self.maybe("RETRYCOUNT", self.pick.choice([0, 3, -1])),
            *self.maybe("FORCE"),
            *self.maybe("JUSTID"),
            *self.maybe("LASTID", self.id()),
        ]
        return ["XCLAIM", *self.group(), consumer, idle, *self.ids(), *options]

    def xack(self):
        return ["XACK", *self.group(), *self.ids()]

    def read(self):
        key, group = self.group()
        options = [*self.maybe("COUNT", self.pick.randint(0, 4)), *self.maybe("NOACK")]
        place = self.pick.choice([">", ">", ">", "0", self.id()])
        return ["XREADGROUP", "GROUP", group, self.pick.choice(CONSUMERS), *options, "STREAMS", key, place]


def run(engine: Engine, words: list[str]) -> bool:
    try:
        engine.execute(*(word.encode() for word in words))
    except CommandError:
        return False
    return True


def ask(client, words: list[str]) -> bool:
    try:
        client(*words)
    except ServerError:
        return False
    return True


@pytest.mark.server
@pytest.mark.parametrize("seed", range(12))
def test_every_command_leaves_the_state_of_a_server(redis_server, seed):
    since = int(time.time() * 1000) - 1
    engine = Engine(rules="redis-7.0", now_ms=since)
    source = Source(seed)
    taken = 0
    for number in range(400):
        words = source.command()
        before = {key: engine_stream(engine, key.encode()) for key in KEYS}
        is_taken = run(engine, words)
        taken += is_taken
        place = f"command {number}: {' '.join(words)}"
        assert is_taken == ask(redis_server.client, words), place
        for key in KEYS:
            state = engine_stream(engine, key.encode())
            assert state == server_stream(redis_server.client, key.encode(), since), place
            assert is_taken or state == before[key], place
    assert taken > 200
    assert engine_digest(engine) == redis_server.digest()


@pytest.mark.server
def test_a_server_that_loads_the_commands_ends_at_the_same_state(start_server, tmp_path):
    since = int(time.time() * 1000) - 1
    engine = Engine(rules="redis-7.0", now_ms=since)
    log = bytearray()
    for seed in range(20, 24):
        source = Source(seed)
        for _ in range(200):
            words = source.command()
            run(engine, words)
            parts = [word.encode() for word in words]
            log += b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)
    path = tmp_path / "log"
    path.write_bytes(log)
    with start_server(files={"appendonly.aof": path}, config={"appendonly": "yes"}) as running:
        for key in KEYS:
            assert engine_stream(engine, key.encode()) == server_stream(running.client, key.encode(), since)
        assert engine_digest(engine) == running.digest()


@pytest.mark.server
@pytest.mark.parametrize("seed", range(6))
def test_approximate_trimming_removes_the_nodes_of_a_server(redis_server, seed):
    """Entries of all sizes, and integers of all widths, decide where a node ends."""
    pick = random.Random(seed)
    engine = Engine(rules="redis-7.0")
    ms = 5
    removed = 0
    longest = pick.choice([3, 40, 300])
    for number in range(1500):
        ms += pick.choice([0, 1, 1, 200, 40_000, 9_000_000]) if pick.random() < 0.5 else 0
        text = pick.choice(
            ["x" * pick.randint(0, longest), str(pick.randint(-(1 << pick.randint(1, 63)), 1 << 20)), "0"]
        )
        fields = ["field", text] if pick.random() < 0.7 else ["a", text, "b", str(number)]
        options: list[str] = []
        if pick.random() < 0.1:
            bound = pick.choice(
                [["MAXLEN", "~", str(pick.randint(0, 400))], ["MINID", "~", str(ms - pick.randint(0, 300))]]
            )
            options = bound
        words = ["XADD", "s", *options, f"{ms}-{number + 1}", *fields]
        before = engine_stream(engine, b"s")
        assert run(engine, words)
        redis_server.client(*words)
        length = len(engine_stream(engine, b"s")["entries"])
        removed += 0 if before is None else len(before["entries"]) + 1 - length
        assert length == redis_server.client("XLEN", "s"), f"command {number}: {' '.join(words)[:80]}"
    assert removed > 100
    assert engine_digest(engine) == redis_server.digest()
