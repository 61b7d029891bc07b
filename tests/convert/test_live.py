"""Logs that a server uses, or begins to use: rdbtool keeps off, and the server loses nothing that it acknowledged."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from command import FIXTURES, Ran, run
from server import Client, Server

from rdbtool.operations.convert.transfer import Transfer
from rdbtool.writer.exclusive.guard import Guard

pytestmark = pytest.mark.server

Start = Callable[..., AbstractContextManager[Server]]

#: What was acknowledged is in the log: without "always" a server may put off writing while the disk is busy.
ALWAYS = {"appendonly": "yes", "appendfsync": "always", "auto-aof-rewrite-percentage": "0"}

SET = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n"

#: Opens a log as servers before 7.0 do, appends to it all the time, and prints how often it did.
_OLD_SERVER = """
import os, sys, time
log = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
while True:
    os.write(log, b"*2\\r\\n$4\\r\\nINCR\\r\\n$1\\r\\nn\\r\\n")
    os.fsync(log)
    print("+", end="", flush=True)
    time.sleep(0.002)
"""


class Writer:
    """Writes to a server until it is gone; ``acknowledged`` counts the writes that were answered."""

    def __init__(self, server: Server) -> None:
        self.acknowledged = 0
        self._client = Client(server.directory / "s")
        self._thread = threading.Thread(target=self._write)
        self._thread.start()

    def _write(self) -> None:
        with contextlib.suppress(OSError), contextlib.closing(self._client):
            while True:
                self._client("RPUSH", "writes", self.acknowledged)
                self.acknowledged += 1

    def wait_for_more(self) -> None:
        wanted = self.acknowledged + 1
        wait_until(lambda: self.acknowledged >= wanted)

    def join(self) -> int:
        self._thread.join(60)
        assert not self._thread.is_alive()
        return self.acknowledged


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.002)


def kill(running: Server) -> None:
    running.process.send_signal(signal.SIGKILL)
    running.process.wait()


def assert_refused(done: Ran, *words: str) -> None:
    """One sentence on standard error and nothing else."""
    assert done.code == 3, done
    assert done.out == b""
    assert done.err.startswith("rdbtool: ")
    assert done.err.count("\n") == 1, done.err
    for word in words:
        assert word in done.err


def written(running: Server) -> list[bytes]:
    found = running.client("LRANGE", "writes", 0, -1)
    assert isinstance(found, list)
    return found  # type: ignore[return-value]


def assert_all_there(running: Server, acknowledged: int) -> None:
    """One more may have been written than was acknowledged before the kill."""
    found = written(running)
    assert found == [b"%d" % number for number in range(len(found))]
    assert len(found) in {acknowledged, acknowledged + 1}
    assert acknowledged > 0


@pytest.mark.parametrize("preamble", ["yes", "no"])
def test_fifty_of_fifty_are_refused(preamble: str, start_server: Start) -> None:
    config = {**ALWAYS, "aof-use-rdb-preamble": preamble}
    with start_server(config=config) as running:
        log = running.directory / "appendonlydir"
        names = sorted(path.name for path in log.iterdir())
        writer = Writer(running)
        for _ in range(50):
            writer.wait_for_more()
            done = run("aof-rewrite", "--in-place", log)
            assert_refused(done, f"(process {running.process.pid})", "redis-server")
        for words in (
            ("convert", FIXTURES / "redis-7.0.15" / "default.rdb", log, "--force"),
            ("convert", FIXTURES / "redis-7.0.15" / "default.rdb", f"{log}/", "--force", "--server-stopped"),
            ("aof-rewrite", FIXTURES / "redis-7.0.15" / "aof-plain", "-o", log, "--force"),
            ("aof-rewrite", "--in-place", log / "appendonly.aof.manifest"),
            ("aof-rewrite", "--in-place", running.directory, "--server-stopped"),
        ):
            writer.wait_for_more()
            assert_refused(run(*words), f"(process {running.process.pid})")
        writer.wait_for_more()
        kill(running)
        acknowledged = writer.join()
        assert sorted(path.name for path in log.iterdir()) == names
        with start_server(files={"appendonlydir": log}, config=config) as again:
            assert_all_there(again, acknowledged)
        # Nobody holds it any more.
        done = run("aof-rewrite", "--in-place", log, "-q")
        assert done.code == 0, done.err
        with start_server(files={"appendonlydir": log}, config=config) as again:
            assert_all_there(again, acknowledged)


def is_waited_for(path: Path) -> bool:
    """Whether somebody waits for a lease on this file to end."""
    inode = f":{path.stat().st_ino} "
    lines = Path("/proc/locks").read_text().splitlines()
    return any("BREAKING" in line and inode in line for line in lines)


@pytest.fixture
def place(tmp_path: Path, start_server: Start) -> Path:
    """A server's directory with a log, as it was when the server was killed."""
    place = tmp_path / "server"
    place.mkdir()
    with start_server(config={**ALWAYS, "dir": str(place)}) as running:
        for number in range(300):
            running.client("RPUSH", "writes", number)
        kill(running)
    return place


@contextlib.contextmanager
def starting(start_server: Start, place: Path) -> Iterator[Callable[[], Server]]:
    """Start a server in ``place`` without waiting for it; the result waits."""
    with contextlib.ExitStack() as stack, ThreadPoolExecutor(1) as pool:
        coming = pool.submit(stack.enter_context, start_server(config={**ALWAYS, "dir": str(place)}))
        try:
            yield lambda: coming.result(60)
        finally:
            # It is there, or failed, before the stack ends.
            coming.exception(60)


#: Where in a rewrite the server begins: while the new log is read back, and when all has been looked at once more.
MOMENTS = {"reading back": (Transfer, "check", False), "before the swap": (Guard, "check_unchanged", True)}


@pytest.mark.parametrize("form", ["--preamble", "--no-preamble"])
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("command", ["aof-rewrite", "convert"])
def test_a_server_that_starts_meanwhile(
    command: str,
    moment: str,
    form: str,
    place: Path,
    start_server: Start,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = place / "appendonlydir"
    manifest = log / "appendonly.aof.manifest"
    before = {path.name: path.read_bytes() for path in log.iterdir()}
    owner, name, is_after = MOMENTS[moment]
    original = getattr(owner, name)
    running: list[Callable[[], Server]] = []
    with contextlib.ExitStack() as stack:

        def hook(self: object, *arguments: object) -> None:
            if is_after:
                original(self, *arguments)
            running.append(stack.enter_context(starting(start_server, place)))
            wait_until(lambda: is_waited_for(manifest))
            if not is_after:
                original(self, *arguments)

        monkeypatch.setattr(owner, name, hook)
        done = (
            run("aof-rewrite", "--in-place", place, form)
            if command == "aof-rewrite"
            else run("convert", FIXTURES / "redis-7.0.15" / "default.rdb", log, "--force", form, "-q")
        )
        assert_refused(done, "perhaps a server that is starting, opened")
        assert len(running) == 1
        server = running[0]()
        # The server has what was there, and goes on with it.
        assert_all_there(server, 300)
        assert {name: (log / name).read_bytes() for name in before} == before
        assert {path.name for path in log.iterdir()} == set(before)
        writer = Writer(server)
        server.client("RPUSH", "more", "x")
        kill(server)
        writer.join()
    with start_server(files={"appendonlydir": log}, config=ALWAYS) as again:
        assert written(again)[:300] == [b"%d" % number for number in range(300)]
        assert again.client("LRANGE", "more", 0, -1) == [b"x"]


def test_a_single_log_that_is_appended_to(tmp_path: Path) -> None:
    log = tmp_path / "appendonly.aof"
    log.write_bytes(SET)
    holder = subprocess.Popen([sys.executable, "-S", "-E", "-c", _OLD_SERVER, log], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    try:
        assert holder.stdout.read(1) == b"+"
        for _ in range(10):
            assert_refused(run("aof-rewrite", "--in-place", log), "is open for writing in", f"(process {holder.pid})")
        source = FIXTURES / "redis-7.0.15" / "default.rdb"
        for words in (("--force",), ("--force", "--preamble"), ("--force", "--server-stopped")):
            assert_refused(run("convert", source, log, *words), "is open for writing in", f"(process {holder.pid})")
        assert_refused(run("convert", source, log), "--force")
    finally:
        holder.kill()
        acknowledged = 1 + len(holder.communicate()[0])
    count = (log.stat().st_size - len(SET)) / len(b"*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n")
    assert count in {acknowledged, acknowledged + 1}
    assert os.listdir(tmp_path) == ["appendonly.aof"]
    done = run("aof-rewrite", "--in-place", log, "-q")
    assert (done.code, done.err) == (0, "")
    assert b"\r\n%d\r\n" % count in log.read_bytes()
