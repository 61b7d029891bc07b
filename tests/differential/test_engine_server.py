"""All families of commands mixed: the engine beside a running server, and a replay beside a server that loads.

First each command goes to a server and to the engine; both have to refuse the same ones, and DEBUG DIGEST is compared
block by block. At the end the server saves, and every record is compared. Then the same commands are
a log of several files, with more behind them that give keys times which have passed: another server loads it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest
import server
from differential.stream import Maker, Words, encode
from duel import digest_of
from sampling import sample

from rdbtool.core.servers import Rules
from rdbtool.engine import CommandError, Engine
from rdbtool.engine.replay.loader import replay_log
from rdbtool.engine.replay.replay_options import Options
from rdbtool.model import KeyRecord, StreamConsumer, StreamGroup, StreamValue
from rdbtool.reader.aof.reader import open_aof
from rdbtool.reader.rdb import open_rdb

pytestmark = pytest.mark.server

SEEDS = sample(range(10), 4)
BLOCKS = 18
BLOCK = 125
LATER = 300
RULES = "redis-7.0"

StartServer = Callable[..., AbstractContextManager[server.Server]]


class Connection(server.Client):
    """A connection on which an error reply is a reply like any other."""

    def reply(self) -> server.Reply | server.ServerError:  # type: ignore[override]
        try:
            return super().reply()
        except server.ServerError as error:
            return error


class Pair:
    """A server, an engine, and the log of what both executed."""

    def __init__(self, running: server.Server, talk: Connection, seed: int) -> None:
        self.running = running
        self.talk = talk
        self.engine = Engine(rules=RULES)
        self.maker = Maker(seed)
        self.log: list[Words] = []
        self.refused = 0

    def execute(self, words: Words) -> str:
        """Execute a command in the engine; return the first word of its error, or nothing."""
        try:
            self.engine.execute(*words)
        except CommandError as error:
            return str(error).split()[0]
        return ""

    def run(self, words: Words) -> None:
        """Execute a command on both sides."""
        self.log.append(words)
        self.compare(words, self.execute(words), self.talk(*words))

    def run_transaction(self, commands: list[Words]) -> None:
        """Execute commands as a transaction on the server, and one after another in the engine."""
        self.log += [[b"MULTI"], *commands, [b"EXEC"]]
        assert self.talk(b"MULTI") == b"OK"
        for words in commands:
            assert self.talk(*words) == b"QUEUED", words
        replies = self.talk(b"EXEC")
        assert isinstance(replies, list)
        for words, reply in zip(commands, replies, strict=True):
            self.compare(words, self.execute(words), reply)

    def compare(self, words: Words, error: str, reply: server.Reply | server.ServerError) -> None:
        expected = str(reply).split()[0] if isinstance(reply, server.ServerError) else ""
        assert error == expected, (words, reply)
        self.refused += error != ""

    def learn(self) -> None:
        """Ask for payloads that later commands restore."""
        for key in self.maker.dice.sample(list(self.engine.db.keys), min(3, len(self.engine.db.keys))):
            payload = self.talk(b"DUMP", key)
            assert isinstance(payload, bytes)
            self.maker.payloads.append(payload)
        if self.engine.functions:
            libraries = self.talk(b"FUNCTION", b"DUMP")
            assert isinstance(libraries, bytes)
            self.maker.libraries.append(libraries)

    def block(self) -> None:
        """Run a block, and compare the data."""
        began = len(self.log)
        while len(self.log) < began + BLOCK:
            if self.maker.maybe(b"x", chance=0.05):
                self.run_transaction(self.maker.transaction())
            else:
                self.run(self.maker.command())
        if digest_of(self.engine, RULES) != self.running.digest():
            assert_saved(self.engine, self.running)
            pytest.fail(f"the digests differ, and no record does: {self.log[began:]}")
        self.learn()


def assert_saved(engine: Engine, running: server.Server) -> None:
    """Fail unless the server's own file holds what the engine does: keys, expiries, streams in full, functions."""
    with open_rdb(running.save()) as reader:
        saved = {(record.db, record.key): record for record in reader}
        code = sorted(library.code for library in reader.functions)
    found = {(record.db, record.key): record for record in engine.records()}
    assert found.keys() == saved.keys()
    for place, record in found.items():
        assert record.expire_at_ms == saved[place].expire_at_ms, place
        assert comparable(record) == comparable(saved[place]), place
    assert sorted(engine.functions.values()) == code


def comparable(record: KeyRecord) -> object:
    """Return the value; of a stream, without when its consumers were last seen: that is the moment of execution."""
    stream = record.value
    if not isinstance(stream, StreamValue):
        return stream
    groups = [
        StreamGroup(
            group.name,
            group.last_id,
            group.entries_read,
            [StreamConsumer(consumer.name, None, None) for consumer in group.consumers],
            group.pending,
        )
        for group in stream.groups
    ]
    return StreamValue(
        stream.entries,
        last_id=stream.last_id,
        first_id=stream.first_id,
        max_deleted_id=stream.max_deleted_id,
        entries_added=stream.entries_added,
        groups=groups,
        producers=stream.producers,
    )


def replayed(directory: Path) -> Engine:
    """Return what a log leads to, which has neither damage nor a command that a server would not load."""
    with open_aof(directory) as reader:
        loaded = replay_log(reader, Options(rules=Rules.parse(RULES)))
    assert loaded.fault is None
    assert not {"CMD201", "CMD202", "CMD205"} & loaded.replay.counts.keys()
    return loaded.replay.engine


@pytest.mark.parametrize("seed", SEEDS)
def test_all_families(seed: int, start_server: StartServer, tmp_path: Path) -> None:
    with start_server() as running:
        with closing(Connection(running.directory / "s")) as talk:
            pair = Pair(running, talk, seed)
            for _ in range(BLOCKS):
                pair.block()
        assert_saved(pair.engine, running)
    assert len(pair.log) >= BLOCKS * BLOCK
    assert pair.refused < len(pair.log) / 2

    third = len(pair.log) // 3
    # A transaction may not reach from one file into the next.
    while [b"MULTI"] in pair.log[:third] and pair.log[:third].count([b"MULTI"]) != pair.log[:third].count([b"EXEC"]):
        third += 1
    log = tmp_path / "appendonlydir"
    log.mkdir()
    (log / "appendonly.aof.1.base.aof").write_bytes(encode(pair.log[:third]))
    (log / "appendonly.aof.1.incr.aof").write_bytes(encode(pair.log[third:]))
    (log / "appendonly.aof.2.incr.aof").write_bytes(b"")
    (log / "appendonly.aof.manifest").write_bytes(
        b"file appendonly.aof.1.base.aof seq 1 type b\n"
        b"file appendonly.aof.1.incr.aof seq 1 type i\n"
        b"file appendonly.aof.2.incr.aof seq 2 type i\n"
    )
    with start_server(files={"appendonlydir": log}, config={"appendonly": "yes"}) as running:
        engine = replayed(log)
        assert digest_of(engine, RULES) == running.digest()
        assert_saved(engine, running)

        running.client("DEBUG", "SET-ACTIVE-EXPIRE", "0")
        later = Maker(1000 + seed, past=True)
        later.payloads, later.libraries, later.ms = pair.maker.payloads, pair.maker.libraries, pair.maker.ms
        more = encode([later.command() for _ in range(LATER)])
        for place in (log, running.directory / "appendonlydir"):
            with (place / "appendonly.aof.2.incr.aof").open("ab") as file:
                file.write(more)
        running.client("DEBUG", "LOADAOF")
        engine = replayed(log)
        assert digest_of(engine, RULES) == running.digest()
        assert_saved(engine, running)
