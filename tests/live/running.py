"""A live server under a random workload, until it is stopped: what remains is its AOF.

Everything hangs on the seed except clocks and chance on the server's side: which configuration it has, when it is
restarted or killed, when it rewrites, how much memory it may use.
"""

from __future__ import annotations

import random
import time
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import server
from differential.stream import Words, encode
from live.workload import Workload

#: Long enough for all short lifetimes of the workload to end, and for the server to notice.
SETTLING_S = 1.3

PACKED = ("hash-max-{}-entries", "hash-max-{}-value", "zset-max-{}-entries", "zset-max-{}-value")
POLICIES = (b"allkeys-random", b"allkeys-lru", b"volatile-ttl", b"volatile-random")
LAZY = ("eviction", "expire", "server-del", "user-del", "user-flush")


class Connection(server.Client):
    """A connection on which an error reply is a reply like any other, and silence for ten seconds is an end."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._socket.settimeout(10)

    def reply(self) -> server.Reply | server.ServerError:  # type: ignore[override]
        try:
            return super().reply()
        except server.ServerError as error:
            return error

    def batch(self, commands: list[Words]) -> list[server.Reply | server.ServerError]:
        """Send commands at once and return their replies."""
        self._socket.sendall(encode(commands))
        return [self.reply() for _ in commands]


class Run:
    """One seed on one server. ``directory`` becomes the server's; ``is_settled``: no short lifetime is open.

    A server that crashes, or does not answer any more, has ended the run: its AOF is as good as any.
    """

    def __init__(self, tools: server.Tools, directory: Path, seed: int, *, batches: int = 14, size: int = 80) -> None:
        self.tools = tools
        self.directory = directory
        self.seed = seed
        self.batches = batches
        self.size = size
        self.dice = random.Random(seed)
        self.traits: list[str] = []
        self.commands = 0
        self.is_settled = self._chance("settled", 0.6 if tools.version >= (5, 0) else 1)
        self.config = self._choose_config()

    def _chance(self, trait: str, chance: float) -> bool:
        chosen = self.dice.random() < chance
        if chosen:
            self.traits.append(trait)
        return chosen

    def _choose_config(self) -> dict[str, str]:
        version, is_redis = self.tools.version, self.tools.family == "redis"
        config = {"appendonly": "yes", "appendfsync": "no", "hz": "100", "auto-aof-rewrite-percentage": "0"}
        if self._chance("late", 0.1):
            config["appendonly"] = "no"
        if version >= (4, 0):
            config["aof-use-rdb-preamble"] = "yes" if self._chance("preamble", 0.5) else "no"
        if version >= (7, 0) and self._chance("timestamps", 0.3):
            config["aof-timestamp-enabled"] = "yes"
        if is_redis and (5, 0) <= version < (7, 0) and self._chance("verbatim scripts", 0.2):
            config["lua-replicate-commands"] = "no"
        return config

    def _tune(self, talk: Connection) -> None:
        """Set what not every server has."""
        if self._chance("small", 0.3):
            kind = "listpack" if self.tools.version >= (7, 0) else "ziplist"
            for name in PACKED:
                talk("CONFIG", "SET", name.format(kind), "3")
            talk("CONFIG", "SET", "set-max-intset-entries", "3")
            talk("CONFIG", "SET", "set-max-listpack-entries", "3")
            talk(
                "CONFIG",
                "SET",
                "list-max-listpack-size" if self.tools.version >= (7, 0) else "list-max-ziplist-size",
                2,
            )
            talk("CONFIG", "SET", "stream-node-max-entries", "3")
        if self._chance("lazy", 0.3):
            for name in LAZY:
                talk("CONFIG", "SET", f"lazyfree-lazy-{name}", "yes")

    def execute(self) -> Path:
        """Run the workload and return the AOF that it left, a file or a directory."""
        steps = list(range(self.batches))
        restarts = sorted(self.dice.sample(steps[1:], self.dice.choice([0, 0, 1, 2])))
        pieces = [steps[begin:end] for begin, end in zip([0, *restarts], [*restarts, len(steps)], strict=True)]
        self.traits += ["restart"] * len(restarts)
        workload: Workload | None = None
        for piece in pieces:
            with (
                server.run_server(self.tools, config={**self.config, "dir": str(self.directory)}) as running,
                closing(Connection(running.directory / "s")) as talk,
            ):
                workload = workload or self._workload(talk)
                self._tune(talk)
                try:
                    self._work(running, talk, workload, piece)
                    if piece[-1] == steps[-1]:
                        self._finish(talk, workload)
                except OSError:
                    self.traits.append("CRASH")
                    break
                self.config["appendonly"] = "yes"
                if self.dice.random() < 0.5:
                    talk.send("SHUTDOWN", "NOSAVE")
                    with suppress(OSError):
                        talk.reply()
                    running.process.wait(60)
        found = self.directory / "appendonlydir"
        return found if found.exists() else self.directory / "appendonly.aof"

    def _workload(self, talk: Connection) -> Workload:
        replies = talk("COMMAND")
        assert isinstance(replies, list)
        names = frozenset(row[0].upper() for row in replies if isinstance(row, list) and isinstance(row[0], bytes))
        logs_scripts = self.tools.family == "redis" and self.tools.version < (5, 0)
        has_scripts = self._chance("scripts", 0.3 if logs_scripts or "lua-replicate-commands" in self.config else 0.8)
        has_vectors = b"VADD" in names and self._chance("vectors", 0.15)
        if has_vectors:
            # Redis 8 crashes where it is to rewrite a vector set as commands.
            self.config["aof-use-rdb-preamble"] = "yes"
            talk("CONFIG", "SET", "aof-use-rdb-preamble", "yes")
        return Workload(
            self.seed,
            names,
            now_ms=int(time.time() * 1000),
            has_scripts=has_scripts,
            has_vectors=has_vectors,
            has_ties=self._chance("ties", 0.1),
        )

    def _work(self, running: server.Server, talk: Connection, workload: Workload, steps: list[int]) -> None:
        dice = self.dice
        rewrites = {step for step in steps if dice.random() < 0.08}
        evicting = dice.choice(steps) if dice.random() < 0.2 else None
        toggling = dice.choice(steps) if dice.random() < 0.08 or self.config["appendonly"] == "no" else None
        for step in steps:
            if step in rewrites:
                self.traits.append("rewrite")
                talk("BGREWRITEAOF")
            if step == evicting:
                self.traits.append("eviction")
                talk("CONFIG", "SET", "maxmemory-policy", dice.choice(POLICIES))
                talk("CONFIG", "SET", "maxmemory", _used(talk) + dice.choice([0, 3000, 20000]))
            if step == toggling:
                self.traits.append("toggle")
                _wait_for_rewrite(talk)
                talk("CONFIG", "SET", "appendonly", "no")
                self._send(talk, workload)
                talk("CONFIG", "SET", "appendonly", "yes")
            self._send(talk, workload)
            self._block(running, talk, workload)
            if step == evicting:
                talk("CONFIG", "SET", "maxmemory", "0")
            if dice.random() < 0.3:
                time.sleep(0.05)
        if toggling is not None:
            _wait_for_rewrite(talk)

    def _send(self, talk: Connection, workload: Workload) -> None:
        """Send one batch, a part of it in transactions; learn payloads for RESTORE."""
        commands: list[Words] = []
        while len(commands) < self.size:
            if workload.maybe(b"x", chance=0.06):
                inner = [words for words in workload.transaction() if words[0].upper() in workload.known]
                spoiled = workload.maybe(b"NOSUCHCOMMAND", chance=0.05)
                commands += [
                    [b"MULTI"],
                    *inner,
                    *([spoiled] if spoiled else []),
                    [workload.pick([b"EXEC"] * 9 + [b"DISCARD"])],
                ]
            else:
                commands.append(workload.command())
        talk.batch(commands)
        self.commands += len(commands)
        key = talk("RANDOMKEY")
        payload = talk("DUMP", key) if isinstance(key, bytes) else None
        if isinstance(payload, bytes):
            workload.payloads = [*workload.payloads[-10:], payload]
        libraries = talk("FUNCTION", "DUMP")
        if isinstance(libraries, bytes):
            workload.libraries = [libraries]

    def _block(self, running: server.Server, talk: Connection, workload: Workload) -> None:
        """Let other clients block, and serve them, or let them run into the end of their time."""
        with ExitStack() as stack:
            serving: list[Words] = []
            for _ in range(self.dice.choice([0, 1, 2])):
                before, words, after = workload.blocked()
                other = stack.enter_context(closing(Connection(running.directory / "s")))
                talk.batch([[b"SELECT", b"0"], *before])
                other.send(*words)
                serving += after
            if not serving:
                return
            # Whoever is not yet blocked when the data comes takes it all the same.
            time.sleep(0.002)
            talk.batch([[b"MULTI"], *serving, [b"EXEC"]] if workload.maybe(b"x") else serving)

    def _finish(self, talk: Connection, workload: Workload) -> None:
        """Let what has a short lifetime end, and a rewrite that goes on; or leave both as they are."""
        if self.is_settled:
            _wait_for_rewrite(talk)
            time.sleep(max(0.4, workload.now_ms / 1000 + SETTLING_S - time.time()))


def _used(talk: Connection) -> int:
    """Return the number of bytes of memory in use."""
    return int(_info(talk, "memory", "used_memory"))


def _wait_for_rewrite(talk: Connection) -> None:
    deadline = time.monotonic() + 20
    while any(_info(talk, "persistence", name) != "0" for name in ("aof_rewrite_in_progress", "aof_rewrite_scheduled")):
        assert time.monotonic() < deadline, "the rewrite does not end"
        time.sleep(0.01)


def _info(talk: Connection, section: str, name: str) -> str:
    found = talk("INFO", section)
    assert isinstance(found, bytes)
    return dict(line.split(":", 1) for line in found.decode().splitlines() if ":" in line)[name]
