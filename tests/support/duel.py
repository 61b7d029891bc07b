"""The engine against a real server: the same commands to both, then their datasets compared.

Replies are compared as far as the engine has any: an error, or none. DEBUG DIGEST covers keys, values, and
whether a key expires.
"""

from __future__ import annotations

from collections.abc import Iterable

import server

from rdbtool._codec.replay_record import feed_record
from rdbtool._codec.sinks.digest import Digest
from rdbtool.engine import CommandError, Engine
from rdbtool.engine.values import HashData, ListData, SetData, ZSetData

Word = str | bytes | int


def words_of(line: str) -> list[bytes]:
    """Split a command at spaces; ``''`` stands for an empty argument."""
    return [b"" if word == "''" else word.encode() for word in line.split()]


def replay(*lines: str, rules: str = "redis-7.0", now_ms: int = 0) -> Engine:
    """Return an engine that ran commands written as lines, none of which fails."""
    engine = Engine(rules=rules, now_ms=now_ms)
    for line in lines:
        engine.execute(*words_of(line))
    return engine


def state_of(engine: Engine) -> dict[str, object]:
    """Return all keys of database 0: lists and sorted sets in order, sets sorted, hashes as dicts."""
    return {key.decode(): _plain(value) for key, value in engine.db.keys.items()}


def _plain(value: object) -> object:
    if isinstance(value, ListData):
        return _joined(value)
    if isinstance(value, SetData):
        return _joined(sorted(value))
    if isinstance(value, ZSetData):
        return [(member.decode(), score) for score, member in value.order]
    if isinstance(value, HashData):
        return {field.decode(): content.decode() for field, content in value.items()}
    assert isinstance(value, bytes)
    return value.decode()


def _joined(texts: Iterable[bytes]) -> str:
    return " ".join(text.decode() for text in texts)


def digest_of(engine: Engine, rules: str) -> str:
    """Return the dataset digest of an engine."""
    digest = Digest(rules, engine.now_ms)
    for record in engine.records():
        feed_record(record, digest)
    return digest.hexdigest()


class Duel:
    """An engine and a server that hold the same."""

    def __init__(self, running: server.Server, rules: str = "redis-7.0") -> None:
        self.running = running
        self.rules = rules
        self.engine = Engine(rules=rules)

    def run(self, *words: Word) -> None:
        """Run a command on both; either both refuse it or none does."""
        argv = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        before = _copy(self.engine)
        assert self.engine_error(argv) == self.server_error(argv), argv
        if self.failed:
            assert _copy(self.engine) == before, f"an error changed something: {argv}"

    def lines(self, *lines: str) -> None:
        """Run commands that are written as lines, and compare the datasets after each."""
        for line in lines:
            self.run(*words_of(line))
            self.check(line)

    def engine_error(self, argv: list[bytes]) -> str:
        """Return the code of the engine's error, empty without one."""
        self.failed = False
        try:
            self.engine.execute(*argv)
        except CommandError as error:
            self.failed = True
            return str(error).split()[0]
        return ""

    def server_error(self, argv: list[bytes]) -> str:
        """Return the code of the server's error, empty without one."""
        try:
            self.running.client(*argv)
        except server.ServerError as error:
            return str(error).split()[0]
        return ""

    def check(self, context: object = "") -> None:
        """Compare the datasets."""
        assert digest_of(self.engine, self.rules) == self.running.digest(), context


def _copy(engine: Engine) -> list[object]:
    return list(engine.records())
