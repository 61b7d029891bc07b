"""A capture that follows a server under load, for as long as one likes.

Run it by ``PYTHONPATH=tests:tests/support python tests/live/endurance.py --seconds 60 --cuts 10``.

Several clients send commands of all families, at a rate; meanwhile connections are cut, the capture is killed, the
server restarted, its backlog overrun, the disk filled. When the writers have stopped, the directory has to have the
digest of the server and the dataset of its SAVE; copies that were made on the way have to load in a real server; and
``--until`` has to return to the seconds at which the writers paused.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import server
from command import COMMAND
from differential.stream import encode
from live.running import Connection
from live.workload import Workload

BATCH = 50


def make_batches(seed: int, known: frozenset[bytes]) -> list[list[list[bytes]]]:
    """Return batches of commands: most are cheap to execute, so that a replay can be had of a million of them."""
    dice = random.Random(seed)
    maker = Workload(seed, known, now_ms=int(time.time() * 1000))
    batches = [[maker.command() for _ in range(BATCH)] for _ in range(4)]
    for batch in batches:
        batch[:] = [words for words in batch if words[0].upper() not in {b"FLUSHALL", b"FLUSHDB", b"SWAPDB"}]
        batch.append([b"SELECT", b"0"])
    for _ in range(196):
        batch = []
        while len(batch) < BATCH:
            batch += cheap(dice)
        batches.append(batch)
    dice.shuffle(batches)
    return batches


def cheap(dice: random.Random) -> list[list[bytes]]:
    """Return a command, or a few, of any family, on one of a few thousand keys."""
    number = b"%d" % dice.randrange(2000)
    member = b"m%d" % dice.randrange(100)
    script = b"redis.call('INCR', KEYS[1]) return redis.call('SADD', KEYS[2], ARGV[1])"
    return dice.choice(
        [
            [[b"SET", b"s:" + number, dice.randbytes(dice.randrange(60))]],
            [[b"SET", b"s:" + number, b"v", b"EX", b"%d" % dice.randrange(1000, 9000)]],
            [[b"INCR", b"n:" + number]],
            [[b"INCRBYFLOAT", b"f:" + number, b"0.25"]],
            [[b"RPUSH", b"l:" + number, member], [b"LTRIM", b"l:" + number, b"-20", b"-1"]],
            [[b"LPOP", b"l:" + number]],
            [[b"SADD", b"t:" + number, member], [b"SPOP", b"t:" + number]],
            [[b"HSET", b"h:" + number, member, dice.randbytes(10)], [b"HDEL", b"h:" + number, b"m1"]],
            [[b"HINCRBY", b"h:n" + number, member, b"3"]],
            [[b"ZADD", b"z:" + number, b"%d" % dice.randrange(1000), member]],
            [[b"ZREMRANGEBYRANK", b"z:" + number, b"0", b"-30"]],
            [[b"XADD", b"x:" + number, b"MAXLEN", b"20", b"*", b"f", member]],
            [[b"EXPIRE", b"s:" + number, b"5000"]],
            [[b"DEL", b"s:" + number]],
            [[b"MULTI"], [b"INCR", b"n:a"], [b"RPUSH", b"l:a", number], [b"LTRIM", b"l:a", b"-50", b"-1"], [b"EXEC"]],
            [[b"SELECT", b"3"], [b"SET", b"s:" + number, b"three"], [b"SELECT", b"0"]],
            [[b"EVAL", script, b"2", b"n:" + number, b"t:e", number]],
        ]
    )


def write(
    path: str, seed: int, rate: float, known: frozenset[bytes], go: object, stop: object, sent: object, ready: object
) -> None:
    """Send batches at a rate while ``go`` is set, until ``stop`` is; come back after whatever happens to the server."""
    batches = make_batches(seed, known)
    data = [(encode(batch), len(batch)) for batch in batches]
    ready.wait()
    connection = None
    begun, done, turn = time.monotonic(), 0, 0
    while not stop.is_set():
        if not go.is_set():
            go.wait(1)
            begun, done = time.monotonic(), 0
            continue
        try:
            if connection is None:
                connection = Connection(Path(path))
                begun, done = time.monotonic(), 0
            text, count = data[turn % len(data)]
            connection._socket.sendall(text)
            for _ in range(count):
                connection.reply()
        except (OSError, ConnectionError):
            connection = None
            time.sleep(0.05)
            continue
        turn += 1
        done += count
        with sent.get_lock():
            sent.value += count
        ahead = begun + done / rate - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)


class Captured:
    """``capture --follow`` as a process that is started anew when it was killed."""

    def __init__(self, url: str, home: Path, words: list[str]) -> None:
        self.url, self.home, self.words = url, home, words
        self.events: list[dict[str, object]] = []
        self.cpu = 0.0
        self.peak = 0
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, "capture", self.url, str(self.home), "--follow", "--json", *self.words], stdout=subprocess.PIPE
        )
        threading.Thread(target=self._read, args=(self.process,), daemon=True).start()

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            with suppress(ValueError):
                self.events.append(json.loads(line))

    def kill(self, number: int = signal.SIGKILL) -> int:
        with suppress(OSError):
            status = Path(f"/proc/{self.process.pid}/status").read_text()
            self.peak = max(self.peak, int(status.split("VmHWM:")[1].split()[0]))
            times = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
            self.cpu += (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK")
        self.process.send_signal(number)
        return self.process.wait(60)

    def count(self, kind: str) -> int:
        return sum(event["event"] == kind for event in self.events)


class Served:
    """The server under load, which can be stopped and started again."""

    def __init__(self, tools: server.Tools, directory: Path, config: dict[str, str]) -> None:
        self.tools, self.directory, self.config = tools, directory, config
        self.start()

    def start(self) -> None:
        settings = {
            "port": "0", "unixsocket": str(self.directory / "s"), "dir": str(self.directory), "save": "",
            "repl-diskless-sync-delay": "0", "enable-debug-command": "yes", **self.config,
        }  # fmt: skip
        words = [word for key, value in settings.items() for word in (f"--{key}", value)]
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen([self.tools.server, *words], stdout=log, stderr=log)
        while True:
            with suppress(OSError, ConnectionError):
                self.client = Connection(self.directory / "s")
                if self.client("PING") == b"PONG":
                    break
            time.sleep(0.02)
        self.client("DEBUG", "SET-ACTIVE-EXPIRE", 0)

    def restart(self) -> None:
        self.client.send("SHUTDOWN", "SAVE")
        self.process.wait(60)
        self.start()

    def info(self, name: str) -> str:
        return self.client("INFO").decode().split(f"\r\n{name}:")[1].split()[0]


def rdbtool(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *map(str, words)], capture_output=True, text=True, check=False)


def wait_until_same(served: Served, seconds: float = 20) -> bool:
    """Wait until a replica has acknowledged everything; return whether one did."""
    end = time.monotonic() + seconds
    while served.client("WAIT", 1, 1000) != 1:
        if time.monotonic() > end:
            return False
    return True


def check_loads(tools: server.Tools, copy: Path) -> str:
    with server.run_server(tools, files={"appendonlydir": copy}, config={"appendonly": "yes"}) as loaded:
        return loaded.digest()


def main() -> int:
    """Run, print figures, and return 1 where something is not the same."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", default="redis-server", help="program of the server")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rate", type=int, default=20_000, help="commands a second, all clients together")
    parser.add_argument("--clients", type=int, default=3)
    parser.add_argument("--benchmark", action="store_true", help="let redis-benchmark write as well")
    parser.add_argument("--cuts", type=int, default=0)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--restarts", type=int, default=0)
    parser.add_argument("--overruns", type=int, default=0, help="stop the capture until the backlog is gone")
    parser.add_argument("--moments", type=int, default=0, help="pause at so many seconds, and return to them")
    parser.add_argument("--copies", type=int, default=0, help="copies on the way that have to load")
    parser.add_argument("--small-disk", type=int, default=0, metavar="MIB", help="mount a tmpfs that fills up")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("words", nargs="*", help="more words for capture, after --")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rdbtool-endurance-") as name:
        return Endurance(given, Path(name)).run()


class Endurance:
    """One run."""

    def __init__(self, given: argparse.Namespace, place: Path) -> None:
        self.given = given
        self.place = place
        self.dice = random.Random(given.seed)
        self.tools = server.tools_of(given.server)
        self.home = place / "disk" / "aof"
        self.bad: list[str] = []
        self.moments: list[tuple[int, str]] = []
        self.copies: list[Path] = []

    def run(self) -> int:  # noqa: C901 - one run, from its beginning to its end
        given, place = self.given, self.place
        (place / "server").mkdir()
        (place / "disk").mkdir()
        if given.small_disk:
            subprocess.run(
                ["mount", "-t", "tmpfs", "-o", f"size={given.small_disk}m", "tmpfs", str(place / "disk")], check=True
            )
        backlog = "1mb" if given.overruns else "256mb"
        self.served = served = Served(self.tools, place / "server", {"repl-backlog-size": backlog})
        known = frozenset(row[0].upper() for row in served.client("COMMAND"))
        self.capture = Captured(f"unix://{place}/server/s", self.home, given.words)
        go, stop = multiprocessing.Event(), multiprocessing.Event()
        sent = multiprocessing.Value("q", 0)
        self.go = go
        ready = multiprocessing.Barrier(given.clients + 1)
        rate = given.rate / given.clients
        writers = [
            multiprocessing.Process(
                target=write, args=(f"{place}/server/s", given.seed * 100 + index, rate, known, go, stop, sent, ready)
            )
            for index in range(given.clients)
        ]
        for writer in writers:
            writer.start()
        ready.wait(120)
        while not self.capture.count("base"):
            time.sleep(0.1)
        go.set()
        benchmark = None
        if given.benchmark:
            benchmark = subprocess.Popen(
                ["redis-benchmark", "-s", f"{place}/server/s", "-t", "set,incr,lpush,sadd,hset,zadd", "-r", "10000",
                 "-n", "20000", "-c", "4", "-q", "-l"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
        begun = time.monotonic()
        try:
            for action in self.plan(given.seconds):
                action()
            spent = time.monotonic() - begun
            stop.set()
            if benchmark is not None:
                benchmark.kill()
            for writer in writers:
                writer.join(20)
            self.finish(sent.value, spent)
        finally:
            stop.set()
            if self.capture.process.poll() is None:
                self.capture.kill()
            served.process.kill()
            served.process.wait()
            if given.small_disk:
                subprocess.run(["umount", str(place / "disk")], check=False)
        for line in self.bad:
            print("BAD", line)
        if self.bad:
            print(*[event for event in self.capture.events if event["event"] != "synced"], sep="\n")
        return 1 if self.bad else 0

    def plan(self, seconds: float) -> list[object]:
        given = self.given
        actions = [self.cut] * given.cuts + [self.kill] * given.kills + [self.restart] * given.restarts
        actions += [self.overrun] * given.overruns + [self.moment] * given.moments + [self.copy] * given.copies
        actions += [self.fill] * (given.small_disk > 0)
        self.dice.shuffle(actions)
        pause = seconds / (len(actions) + 1)
        planned = [lambda: time.sleep(pause)]
        for action in actions:
            planned += [action, lambda: time.sleep(pause)]
        return planned

    def cut(self) -> None:
        self.served.client("CLIENT", "KILL", "TYPE", "replica")

    def kill(self) -> None:
        self.capture.kill()
        self.copy()
        time.sleep(self.dice.random() * 0.5)
        self.capture.start()

    def restart(self) -> None:
        self.served.restart()

    def overrun(self) -> None:
        self.capture.kill(signal.SIGTERM)
        before = int(self.served.info("master_repl_offset"))
        while int(self.served.info("master_repl_offset")) - before < 3 << 20:
            time.sleep(0.1)
        self.capture.start()

    def copy(self) -> None:
        """Copy the directory as a backup of files would; the base first, so that what is copied belongs together."""
        copy = self.place / f"copy-{len(self.copies)}"
        with suppress(OSError, shutil.Error):
            shutil.copytree(self.home, copy, ignore=shutil.ignore_patterns("kept"))
            if (copy / "appendonly.aof.manifest").exists():
                self.copies.append(copy)

    def moment(self) -> None:
        """Pause the writers, and note the digest of a second at whose end everything had arrived.

        Annotations have the time of arrival: where both sides share two cores, that may be a second after the write.
        """
        self.go.clear()
        time.sleep(0.2)
        if not wait_until_same(self.served):
            self.bad.append("the capture does not catch up at a moment")
        second = int(time.time())
        self.moments.append((second, self.served.client("DEBUG", "DIGEST").decode()))
        time.sleep(max(0.0, second + 1.02 - time.time()))
        self.go.set()

    def fill(self) -> None:
        filler = self.place / "disk" / "filler"
        with suppress(OSError), filler.open("wb") as file:
            while True:
                file.write(bytes(1 << 16))
        end = time.monotonic() + 30
        while not self.capture.count("stalled") and time.monotonic() < end:
            time.sleep(0.1)
        self.copy_full = True
        time.sleep(2)
        filler.unlink()
        while not self.capture.count("recovered") and time.monotonic() < end:
            time.sleep(0.1)
        if not self.capture.count("recovered"):
            self.bad.append("the full disk was not noticed, or not survived")

    def finish(self, sent: int, spent: float) -> None:  # noqa: C901 - a list of judges
        time.sleep(0.5)
        if not wait_until_same(self.served):
            self.bad.append(f"the capture does not catch up: {self.capture.events[-3:]}")
        expected = self.served.client("DEBUG", "DIGEST").decode()
        self.served.client("SAVE")
        code = self.capture.kill(signal.SIGTERM)
        found = rdbtool("digest", self.home)
        if code != 0:
            self.bad.append(f"capture ended with {code}")
        if found.stdout.strip() != expected:
            self.bad.append(f"digest {found.stdout.strip()} {found.stderr} instead of {expected}")
        compared = rdbtool("diff", "--brief", self.home, self.place / "server" / "dump.rdb")
        if compared.returncode != 0:
            self.bad.append(f"diff: {compared.stdout} {compared.stderr}")
        checked = rdbtool("validate", self.home)
        if checked.returncode != 0:
            self.bad.append(f"validate: {checked.stdout} {checked.stderr}")
        if check_loads(self.tools, self.home) != expected:
            self.bad.append("a server loads another dataset")
        for second, digest in self.moments:
            back = rdbtool("digest", "--until", f"ts:{second}", self.home)
            if back.stdout.strip() != digest:
                self.bad.append(f"at {second}: {back.stdout.strip()} {back.stderr.strip()} instead of {digest}")
        loaded = 0
        for copy in self.copies:
            try:
                check_loads(self.tools, copy)
                loaded += 1
            except RuntimeError as error:
                self.bad.append(f"{copy.name} does not load: {error}")
        counts = {
            kind: self.capture.count(kind) for kind in ("base", "connected", "lost", "lag", "stalled", "recovered")
        }
        size = sum(path.stat().st_size for path in self.home.iterdir() if path.is_file())
        cpu = resource.getrusage(resource.RUSAGE_CHILDREN)
        print(
            f"{self.tools.rules}: {sent:,} commands in {spent:.0f} s ({sent / spent:,.0f}/s), AOF {size:,} bytes; "
            f"capture: {self.capture.cpu:.1f} s CPU, peak {self.capture.peak / 1024:.0f} MiB; events {counts}; "
            f"{len(self.moments)} moments, {loaded} of {len(self.copies)} copies load; digest {expected}"
            + (f"; children {cpu.ru_utime:.0f} s" if self.bad else "")
        )


if __name__ == "__main__":
    sys.exit(main())
