"""Measure rdbtool beside the tools of Redis on the same data, and print a table with the bounds.

    python benchmarks/run.py [--cache DIRECTORY] [--scale 1] [--runs 7] [--only TEXT]

The data is made once, by a redis-server of this machine. The runs of all rows are interleaved, so that a busy
moment hits all of them. Every figure is CPU time (user and system) of the child processes as the
kernel counts it, the median of the runs; of a server that loads a log, its own count when it answers. The exit
code is 1 when a bound is not held.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

HERE = Path(__file__).parent
RDBTOOL = str(Path(sys.executable).parent / "rdbtool")
PEER = "redis-check-rdb"
LOG_CHECK = "redis-check-aof"
LOADING = "redis-server loads it"
SAVING = "SAVE"
DECODING = "decode, no output"
REWRITING = "load, BGREWRITEAOF"
REWRITE = [RDBTOOL, "aof-rewrite", "-q", "--force"]
CONVERT = [RDBTOOL, "convert", "-q", "--force"]

DECODE = """import sys
from rdbtool._codec.sink import Null
from rdbtool.reader.rdb import open_rdb
open_rdb(sys.argv[1]).feed(Null())"""
ITERATE = "import rdbtool, sys\nfor record in rdbtool.open(sys.argv[1]):\n    pass"
CHECK_LOG = "import sys\nfrom rdbtool.reader.aof.reader import open_aof\nopen_aof(sys.argv[1]).check()"
#: At its end it says what memory of its own it took at most; and, like a server, it does not take the data apart.
REPLAY = """
import os, sys
from rdbtool.engine.replay.loader import replay_log
from rdbtool.engine.replay.replay_options import Options
from rdbtool.reader.aof.reader import open_aof
from rdbtool.core.servers import Rules
with open_aof(sys.argv[1]) as reader:
    loaded = replay_log(reader, Options(rules=Rules.parse("redis-7.0")))
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
files = int(status["RssFile"].split()[0]) + int(status["RssShmem"].split()[0])
print("memory", int(status["VmHWM"].split()[0]) - files, flush=True)
os._exit(0)
"""
#: What saving takes of itself: replayed before, written to a file, as SAVE does it.
WRITE = """
import os, sys, time
from rdbtool.dataset.replayed import ReplayedDataset
from rdbtool.operations.convert.transfer import Transfer
from rdbtool.engine.replay.loader import replay_log
from rdbtool.reader.aof.reader import open_aof
from rdbtool.core.servers import Target
with open_aof(sys.argv[1]) as reader:
    dataset = ReplayedDataset(replay_log(reader), reader.name, reader.size).settled()
with open(sys.argv[2], "wb", buffering=0) as file:
    began = time.process_time()
    Transfer(dataset, "rdb", Target("REDIS", 10), sizes=dataset.sizes).write(file.write)
    os.fsync(file.fileno())
    print("cpu", time.process_time() - began, flush=True)
os._exit(0)
"""


class Row(NamedTuple):
    """One thing to measure: a command, and what it is held to.

    ``FILE``, ``OTHER``, ``TINY``, ``LOG`` and ``OUT`` stand for paths; a command that begins with ``server`` stands for
    what a server does that has loaded the log.
    ``max_of_peer``: how many times the memory that the peer says it uses.
    """

    name: str
    command: list[str]
    ratio_to: str | None = None
    max_ratio: float | None = None
    max_ms: float | None = None
    max_mb: float | None = None
    max_of_peer: float | None = None


ROWS = [
    Row("redis-check-rdb", [PEER, "FILE"]),
    Row("dump -f json", [RDBTOOL, "dump", "-f", "json", "FILE"], PEER, 0.7, max_mb=96),
    Row("dump -f jsonl", [RDBTOOL, "dump", "-f", "jsonl", "FILE"], PEER, 0.7, max_mb=96),
    Row("dump -f resp", [RDBTOOL, "dump", "-f", "resp", "FILE"], PEER, 0.7, max_mb=96),
    Row("dump -f csv", [RDBTOOL, "dump", "-f", "csv", "FILE"], "dump -f json", 1.5, max_mb=96),
    Row("dump -f table", [RDBTOOL, "dump", "-f", "table", "FILE"], "dump -f json", 2.0, max_mb=96),
    Row("dump -f resp --restore", [RDBTOOL, "dump", "-f", "resp", "--restore", "FILE"], "dump -f json", 1.5, max_mb=96),
    Row(DECODING, [sys.executable, "-c", DECODE, "FILE"], PEER, 0.35, max_mb=96),
    Row("iterate records", [sys.executable, "-c", ITERATE, "FILE"], PEER, 1.0, max_mb=96),
    Row("digest", [RDBTOOL, "digest", "FILE"], max_mb=96),
    Row("memory -f csv", [RDBTOOL, "memory", "-f", "csv", "FILE"], PEER, 1.0, max_mb=96),
    Row("stats", [RDBTOOL, "stats", "FILE"], PEER, 0.6, max_mb=96),
    Row("memory -f jsonl", [RDBTOOL, "memory", "-f", "jsonl", "FILE"], PEER, 1.0, max_mb=96),
    Row("validate", [RDBTOOL, "validate", "-q", "FILE"], PEER, 0.6, max_mb=96),
    # Three times one decode of each of the two, and a hundred bytes for each of 882,060 keys beside the program itself.
    Row("diff", [RDBTOOL, "diff", "FILE", "OTHER"], DECODING, 6.0, max_mb=24 + 84),
    Row(LOG_CHECK, [LOG_CHECK, "LOG"]),
    Row("validate a log", [RDBTOOL, "validate", "-q", "--no-replay", "LOG"], LOG_CHECK, 0.15, max_mb=96),
    Row("framing check", [sys.executable, "-c", CHECK_LOG, "LOG"], LOG_CHECK, 0.1, max_mb=96),
    Row(LOADING, ["server", "load"]),
    Row("replay", [sys.executable, "-c", REPLAY, "LOG"], LOADING, 0.5, max_of_peer=3),
    Row(SAVING, ["server", "save"]),
    Row("write RDB", [sys.executable, "-c", WRITE, "LOG", "OUT"], SAVING, 0.8),
    Row(REWRITING, ["server", "rewrite"]),
    Row("aof-rewrite", [*REWRITE, "LOG", "-o", "OUT"], REWRITING, 0.8),
    Row("aof-rewrite --preamble", [*REWRITE, "--preamble", "LOG", "-o", "OUT"], REWRITING, 0.8),
    Row("convert to resp", [RDBTOOL, "convert", "-q", "FILE", "/dev/null", "--to", "resp"], PEER, 0.7, max_mb=96),
    Row("convert to Redis 6.2", [*CONVERT, "FILE", "OUT", "--to", "rdb", "--target", "redis-6.2"], max_mb=96),
    Row("python -c pass", [sys.executable, "-c", "pass"]),
    Row("--version", [RDBTOOL, "--version"], "python -c pass", max_ms=40),
    Row("dump of a 1 KB file", [RDBTOOL, "dump", "TINY"], max_ms=180),
]


class Usage(NamedTuple):
    """What one run took: CPU seconds, and the peak of memory in MiB.

    Resident memory; of a replay, without what is mapped from files; of a server, what it says that it uses.
    """

    cpu: float
    memory: float


def measure(command: list[str], environment: dict[str, str]) -> Usage:
    """Run a command with its output thrown away."""
    if command[0] == "server":
        return measure_server(Path(command[2]), command[1])
    with open(os.devnull, "r+b") as null, tempfile.TemporaryFile() as told:
        output = told if {REPLAY, WRITE}.intersection(command) else null
        child = subprocess.Popen(command, stdin=null, stdout=output, stderr=subprocess.DEVNULL, env=environment)
        _, status, usage = os.wait4(child.pid, 0)
        told.seek(0)
        words = told.read().decode().split()
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"exit code {child.returncode}: {' '.join(command)}")
    figures = {name: float(figure) for name, figure in zip(words[::2], words[1::2], strict=True)}
    # Linux counts kilobytes, macOS bytes.
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    memory = figures["memory"] / 1024 if "memory" in figures else usage.ru_maxrss / unit
    return Usage(figures.get("cpu", usage.ru_utime + usage.ru_stime), memory)


def measure_server(log: Path, step: str) -> Usage:
    """Let a server load the log as the only part of a multi-part log, do one more thing, and ask it what that took.

    ``step`` is ``load``, ``save`` (without the loading) or ``rewrite`` (with it, and with the process that rewrites).
    """
    with tempfile.TemporaryDirectory(prefix="rdbtool-bench-", dir=log.parent) as name:
        directory = Path(name) / "appendonlydir"
        directory.mkdir()
        # Linked, so never written to: the server appends to the increment behind it.
        os.link(log, directory / "appendonly.aof.1.base.aof")
        (directory / "appendonly.aof.1.incr.aof").touch()
        (directory / "appendonly.aof.manifest").write_text(
            "file appendonly.aof.1.base.aof seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n"
        )
        address = str(Path(name) / "s")
        settings = ["--port", "0", "--unixsocket", address, "--dir", name, "--save", "", "--appendonly", "yes"]
        settings += ["--auto-aof-rewrite-percentage", "0", "--aof-use-rdb-preamble", "no"]
        server = subprocess.Popen(["redis-server", *settings], stdout=subprocess.DEVNULL)
        try:
            with connect(address) as connection, connection.makefile("rb") as replies:
                while ask(connection, replies, b"PING")[:1] == b"-":
                    time.sleep(0.02)
                loaded = usage_of(connection, replies)
                if step == "save":
                    ask(connection, replies, b"SAVE")
                    return Usage(usage_of(connection, replies).cpu - loaded.cpu, loaded.memory)
                if step == "rewrite":
                    ask(connection, replies, b"BGREWRITEAOF")
                    while b"aof_rewrite_in_progress:1" in ask(connection, replies, b"INFO persistence"):
                        time.sleep(0.02)
                    return usage_of(connection, replies)
                return loaded
        finally:
            server.kill()
            server.wait()


def usage_of(connection: socket.socket, replies: BinaryIO) -> Usage:
    """Return what a server says that it and its children took until now, and the memory that it uses."""
    lines = ask(connection, replies, b"INFO").splitlines()
    info = dict(line.split(b":", 1) for line in lines if b":" in line)
    clocks = (b"used_cpu_user", b"used_cpu_sys", b"used_cpu_user_children", b"used_cpu_sys_children")
    return Usage(sum(float(info[clock]) for clock in clocks), int(info[b"used_memory"]) / (1 << 20))


def ask(connection: socket.socket, replies: BinaryIO, command: bytes) -> bytes:
    """Return a reply: its line, or the bytes that the line announces."""
    connection.sendall(command + b"\r\n")
    line = replies.readline()
    return replies.read(int(line[1:]) + 2) if line[:1] == b"$" else line


@contextmanager
def cache_directory(given: Path | None) -> Iterator[Path]:
    if given is None:
        with tempfile.TemporaryDirectory(prefix="rdbtool-bench-") as name:
            yield Path(name)
    else:
        given.mkdir(parents=True, exist_ok=True)
        yield given


def make_data(directory: Path, scale: int) -> Path:
    """Return the RDB file of the data set; a server makes it unless it is already there."""
    target = directory / f"mixed-{scale}.rdb"
    if target.exists():
        return target
    with tempfile.TemporaryDirectory(prefix="rdbtool-bench-") as name:
        address = str(Path(name) / "s")
        settings = ["--port", "0", "--unixsocket", address, "--dir", name, "--save", "", "--appendonly", "no"]
        server = subprocess.Popen(["redis-server", *settings], stdout=subprocess.DEVNULL)
        try:
            connection = connect(address)
            with connection, connection.makefile("rb") as replies:
                feed(connection, replies, scale)
                connection.sendall(b"SAVE\r\n")
                if replies.readline() != b"+OK\r\n":
                    sys.exit("the server could not save")
        finally:
            server.kill()
            server.wait()
        shutil.move(Path(name) / "dump.rdb", target)
    return target


def make_other(file: Path) -> Path:
    """Return the same data as another version writes it."""
    target = file.with_name(f"{file.stem}-old.rdb")
    if not target.exists():
        subprocess.run([*CONVERT, str(file), str(target), "--target", "redis-7.2"], check=True)
    return target


def make_log(directory: Path, scale: int) -> Path:
    """Return the same commands as a log; they are one as they are."""
    target = directory / f"mixed-{scale}.aof"
    if not target.exists():
        with tempfile.NamedTemporaryFile(dir=directory) as file:
            subprocess.run([sys.executable, str(HERE / "gen_commands.py"), str(scale)], stdout=file, check=True)
            os.link(file.name, target)
    return target


def connect(address: str) -> socket.socket:
    for _ in range(500):
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(address)
        except OSError:
            connection.close()
            time.sleep(0.02)
        else:
            return connection
    sys.exit("redis-server did not start")


def feed(connection: socket.socket, replies: BinaryIO, scale: int) -> None:
    """Send all commands, with replies turned off so that nothing has to be read meanwhile."""
    connection.sendall(b"CLIENT REPLY OFF\r\n")
    maker = subprocess.Popen([sys.executable, str(HERE / "gen_commands.py"), str(scale)], stdout=subprocess.PIPE)
    assert maker.stdout is not None
    with maker.stdout as commands:
        while piece := commands.read(1 << 20):
            connection.sendall(piece)
    if maker.wait():
        sys.exit("gen_commands.py failed")
    connection.sendall(b"CLIENT REPLY ON\r\n")
    line = replies.readline()
    if line != b"+OK\r\n":
        sys.exit(f"the server answered {line!r}")


def show(results: dict[str, list[Usage]], rows: list[Row]) -> bool:
    """Print the table; False when a bound is not held."""
    medians = {name: statistics.median(usage.cpu for usage in usages) for name, usages in results.items()}
    print(f"{'':22} {'CPU ms':>9} {'spread':>13} {'ratio':>7} {'peak MiB':>9}  bounds")
    held = True
    for row in rows:
        usages = results[row.name]
        cpu = medians[row.name]
        memory = max(usage.memory for usage in usages)
        peer = medians.get(row.ratio_to or "")
        compared = cpu - peer if row.max_ms is not None and peer is not None else cpu
        ratio = cpu / peer if peer else None
        limit_mb = row.max_mb
        if row.max_of_peer is not None:
            limit_mb = row.max_of_peer * max(usage.memory for usage in results[row.ratio_to or ""])
        bounds = [
            (f"ratio {row.max_ratio}", row.max_ratio is None or ratio is None or ratio <= row.max_ratio),
            (f"{'+' if peer else ''}{row.max_ms} ms", row.max_ms is None or compared * 1000 <= row.max_ms),
            (f"{limit_mb or 0:.0f} MiB", limit_mb is None or memory <= limit_mb),
        ]
        wanted = [row.max_ratio, row.max_ms, limit_mb]
        words = [
            f"{text} {'held' if fine else 'BROKEN'}"
            for (text, fine), limit in zip(bounds, wanted, strict=True)
            if limit
        ]
        held = held and all(fine for _, fine in bounds)
        low, high = min(usage.cpu for usage in usages), max(usage.cpu for usage in usages)
        spread = f"{low * 1000:.0f}–{high * 1000:.0f}"
        shown = f"{ratio:.3f}" if ratio is not None and row.max_ms is None else ""
        print(f"{row.name:22} {cpu * 1000:9.0f} {spread:>13} {shown:>7} {memory:9.0f}  {', '.join(words)}")
    return held


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure rdbtool beside the tools of Redis.")
    parser.add_argument("--cache", type=Path, help="keep the data here for the next time")
    parser.add_argument("--scale", type=int, default=1, help="1: 882,060 keys, about 125 MB")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--only", help="only rows whose name holds this text, and what they are compared with")
    options = parser.parse_args()
    rows = [row for row in ROWS if not options.only or options.only in row.name]
    peers = {row.ratio_to for row in rows}
    rows = [row for row in ROWS if row in rows or row.name in peers]
    tiny = HERE.parent / "fixtures/small/redis-7.0-listpacks-stream-function.rdb"
    with cache_directory(options.cache) as directory:
        file = make_data(directory, options.scale)
        log = make_log(directory, options.scale)
        sizes = f"RDB {file.stat().st_size / 1e6:.1f} MB, AOF {log.stat().st_size / 1e6:.1f} MB"
        print(f"{sizes}, {options.runs} runs, {os.cpu_count()} CPUs\n")
        other = make_other(file)
        paths = {
            "FILE": str(file),
            "OTHER": str(other),
            "TINY": str(tiny),
            "LOG": str(log),
            "OUT": str(directory / "out"),
        }
        commands = {row.name: [paths.get(word, word) for word in row.command] for row in rows}
        for command in commands.values():
            if command[0] == "server":
                command.append(str(log))
        # Modules are compiled once, as those of an installed package are, whatever this process was told.
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment["PYTHONPYCACHEPREFIX"] = str(directory / "pycache")
        # One run that is not counted brings file and programs into the page cache.
        for command in commands.values():
            measure(command, environment)
        results: dict[str, list[Usage]] = {row.name: [] for row in rows}
        for _ in range(options.runs):
            for name, command in commands.items():
                results[name].append(measure(command, environment))
        (directory / "out").unlink(missing_ok=True)
    sys.exit(0 if show(results, rows) else 1)


if __name__ == "__main__":
    main()
