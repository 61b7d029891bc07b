"""What a live server says of its memory after a restart, and what rdbtool says of the file that it loaded.

Other servers than the one that is installed are asked for by hand, with RDBTOOL_SERVERS as for the AOFs. The seed is
another one each day; RDBTOOL_SEED names it.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
import server

from rdbtool._codec.sinks.key_rows import KeyRows
from rdbtool._codec.sinks.memory import MemorySink
from rdbtool.core.memory_models import memory_model_of
from rdbtool.core.servers import Rules
from rdbtool.reader.rdb import open_rdb

if TYPE_CHECKING:
    from rdbtool._codec.sinks.key_rows import Row

pytestmark = pytest.mark.server

SEED = int(os.environ.get("RDBTOOL_SEED", int(time.time()) // 86_400))
SERVERS = [path for path in os.environ.get("RDBTOOL_SERVERS", "").split(",") if path]

#: Nothing expires while the test runs.
FAR = 4_102_444_800
Words = list[bytes]

#: Elements up to which a hash in a table was packed first: then chance says how large the table becomes.
PACKED: Final = 512

#: Seconds after which a server has given back the buffers of a connection that does nothing.
IDLE = 2.4


@pytest.fixture(params=SERVERS or [""])
def tools(request: pytest.FixtureRequest) -> server.Tools:
    """The programs of a server that was named, or of the one that is installed."""
    if request.param:
        return server.tools_of(request.param)
    found = request.getfixturevalue("redis_tools")
    assert isinstance(found, server.Tools)
    return found


class Maker:
    """Commands that make keys of all types, with sizes of every order that matters."""

    def __init__(self, seed: int, rules: Rules) -> None:
        self.dice = random.Random(seed)
        self.rules = rules
        self.number = 0

    def commands(self) -> Iterator[Words]:
        """Yield the commands of one data set."""
        makers = [self.string] * 6 + [self.list, self.set, self.hash, self.zset, self.stream]
        for _ in range(400):
            yield from self.dice.choice(makers)()

    def size(self, most: float) -> int:
        """A number whose magnitude is drawn."""
        return int(2 ** self.dice.uniform(0, most))

    def text(self, size: int) -> bytes:
        return bytes(self.dice.choices(b"abcdefghijklmnopqrstuvwxyz", k=min(size, 16))) * (size // 16 + 1)

    def word(self, most: float) -> bytes:
        if self.dice.random() < 0.3:
            return b"%d" % (self.dice.choice((1, -1)) * self.dice.randrange(2 ** self.dice.randrange(1, 63)))
        size = self.size(most)
        return self.text(size)[:size]

    def words(self, count: int, most: float) -> Iterator[bytes]:
        """Different words."""
        for number in range(count):
            yield b"%d:%b" % (number, self.word(most))

    def key(self) -> bytes:
        self.number += 1
        return (b"%d:" % self.number) + self.text(300)[: self.size(8.2)]

    def expire(self, key: bytes) -> Iterator[Words]:
        if self.dice.random() < 0.3:
            yield [b"EXPIREAT", key, b"%d" % (FAR + self.dice.randrange(10**6))]

    def count(self) -> int:
        """How many elements: few, about as many as a limit, or many."""
        return self.dice.choice(
            (self.size(4), self.size(11), 128 + self.dice.randrange(-2, 3), 512 + self.dice.randrange(-2, 3))
        )

    def string(self) -> Iterator[Words]:
        key = self.key()
        yield [b"SET", key, self.word(self.dice.choice((3.0, 7.0, 7.0, 15.0)))]
        yield from self.expire(key)

    def list(self) -> Iterator[Words]:
        key = self.key()
        yield [b"RPUSH", key, *self.words(self.count(), self.dice.choice((3.0, 6.0, 7.0)))]
        yield from self.expire(key)

    def set(self) -> Iterator[Words]:
        key = self.key()
        if self.dice.random() < 0.4:
            bits = self.dice.choice((12, 14, 30, 50))
            yield [b"SADD", key, *(b"%d" % self.dice.randrange(2**bits) for _ in range(self.count()))]
        else:
            yield [b"SADD", key, *self.words(self.count(), self.dice.choice((3.0, 5.0, 6.5)))]
        yield from self.expire(key)

    def hash(self) -> Iterator[Words]:
        key = self.key()
        most = self.dice.choice((3.0, 5.0, 6.2, 8.0))
        fields = list(self.words(self.count(), 5.0))
        yield [b"HSET", key, *(word for field in fields for word in (field, self.word(most)))]
        if self.rules.has((7, 4), (9, 0)) and self.dice.random() < 0.4:
            late = self.dice.sample(fields, self.dice.randrange(1, min(len(fields), 100) + 1))
            yield [b"HEXPIREAT", key, b"%d" % FAR, b"FIELDS", b"%d" % len(late), *late]
        yield from self.expire(key)

    def zset(self) -> Iterator[Words]:
        key = self.key()
        scores = self.dice.choice((lambda: b"%d" % self.dice.randrange(10**6), lambda: b"%.3f" % self.dice.random()))
        members = self.words(self.count(), self.dice.choice((3.0, 5.0, 6.5)))
        yield [b"ZADD", key, *(word for member in members for word in (scores(), member))]
        yield from self.expire(key)

    def stream(self) -> Iterator[Words]:
        key = self.key()
        count = self.count()
        at = self.dice.randrange(10**12)
        for _ in range(count):
            at += self.size(20)
            yield [
                b"XADD",
                key,
                b"%d-1" % at,
                *(word for number in range(self.size(2)) for word in (b"f%d" % number, self.word(5))),
            ]
        for group in range(self.dice.randrange(3)):
            name = b"group%d" % group
            yield [b"XGROUP", b"CREATE", key, name, b"0"]
            for _ in range(self.dice.randrange(4)):
                yield [
                    b"XREADGROUP",
                    b"GROUP",
                    name,
                    b"c%b" % self.word(4),
                    b"COUNT",
                    b"%d" % self.size(8),
                    b"STREAMS",
                    key,
                    b">",
                ]
        yield from self.expire(key)


def usage(client: server.Client, key: bytes) -> int:
    """What MEMORY USAGE answers."""
    answer = client("MEMORY", "USAGE", key, "SAMPLES", 0)
    assert isinstance(answer, int)
    return answer


def allocator_of(client: server.Client) -> str:
    """Which classes the server's malloc has, from what lists of one element take; leaves no key."""
    sizes = {}
    for size in (40, 53, 33_000, 40_000):
        client("RPUSH", "probe", "x" * size)
        sizes[size] = usage(client, b"probe")
        client("DEL", "probe")
    if sizes[40] != sizes[53]:
        return "jemalloc"
    return "jemalloc-distro" if sizes[33_000] == sizes[40_000] else "jemalloc-distro-5.3.1"


def used_memory(client: server.Client) -> int:
    """The used_memory of INFO."""
    text = client("INFO", "memory")
    assert isinstance(text, bytes)
    return int(text.split(b"used_memory:")[1].split(b"\r\n")[0])


def is_random(rules: Rules, row: Row) -> bool:
    """Whether chance in the server has a part in the size: levels of skiplists, where entries lie in tables."""
    kind, encoding, elements = row[2], row[3], row[7]
    if encoding == "hashtable" and rules.family == "valkey":
        return kind == "set" or rules.release >= (8, 1) or elements <= PACKED
    return encoding == "skiplist" or (encoding == "hashtable" and kind == "hash" and elements <= PACKED)


def test_memory_after_a_restart(tools: server.Tools, tmp_path: Path) -> None:
    rules = Rules.parse(tools.rules)
    maker = Maker(SEED, rules)
    saved = tmp_path / "dump.rdb"
    with server.run_server(tools) as first:
        allocator = allocator_of(first.client)
        for words in maker.commands():
            first.client(*words)
        first.save().rename(saved)
    with server.run_server(tools) as empty, server.run_server(tools, files={"dump.rdb": saved}) as full:
        used_memory(empty.client), used_memory(full.client)
        time.sleep(IDLE)
        growth = used_memory(full.client) - used_memory(empty.client)
        model, is_nearest = memory_model_of(rules)
        rows = KeyRows()
        sink = MemorySink(model, rows, allocator)
        with open_rdb(str(saved)) as reader:
            reader.feed(sink)
        answers = {row[1]: usage(full.client, row[1]) for row in rows.rows}
        encodings = {row[1]: full.client("OBJECT", "ENCODING", row[1]) for row in rows.rows}
    where = f"{tools.rules} on {allocator}, seed {SEED}"
    assert not is_nearest
    errors = []
    for row in rows.rows:
        _, key, kind, encoding, memory, *_ = row
        assert encoding.encode() == encodings[key] or kind == "stream", (where, row, encodings[key])
        off = memory - answers[key]
        errors.append(abs(off) / answers[key])
        assert abs(off) <= 1 or is_random(rules, row), (where, row, answers[key])
    errors.sort()
    totals = sink.totals()
    off = (totals["used_memory"] - growth) / growth
    late = errors[len(errors) * 95 // 100]
    print(f"\n{where}: {len(errors)} keys, p95 {late:.2%}, worst {errors[-1]:.2%}, used_memory {growth} {off:+.3%}")
    assert late <= (0.005 if rules.family == "redis" else 0.015), where
    assert abs(off) <= 0.005, (where, totals, growth)
