"""The command ``capture``: snapshots, and following through kills, cuts and full disks."""

import json
import os
import shlex
import signal
import subprocess
import threading
import time
from contextlib import contextmanager

import pytest
from command import COMMAND, environment, run
from docs.test_schemas import check
from required import required_module

required_module("redis")

QUICK = {"repl-diskless-sync-delay": "0"}


def url_of(running):
    return f"unix://{running.directory / 's'}"


def wait_for(condition, seconds=20.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.02)


class Capture:
    """``capture --follow --json`` in a process of its own; ``events`` are what it printed so far."""

    def __init__(self, *words):
        self.events = []
        self.process = subprocess.Popen(
            [*COMMAND, "capture", *map(str, words), "--follow", "--json"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.events.append(json.loads(line))

    def count(self, kind):
        return sum(event["event"] == kind for event in self.events)

    @property
    def offset(self):
        return self.events[-1]["offset"] if self.events else -1

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        code = self.process.wait(20)
        self._reader.join()
        with self.process.stderr as stream:
            self.errors = stream.read().decode()
        self.process.stdout.close()
        return code


@contextmanager
def following(running, directory, *words):
    capture = Capture(url_of(running), directory, *words)
    try:
        yield capture
    finally:
        if capture.process.poll() is None:
            capture.end(signal.SIGKILL)


def offset_of(running):
    info = running.client("INFO", "replication").decode()
    return int(info.split("master_repl_offset:")[1].split()[0])


def wait_until_in_step(running, capture):
    wait_for(lambda: capture.offset >= offset_of(running) - 100 and acknowledged(running))


def acknowledged(running):
    """Whether a replica has acknowledged all that the server has."""
    return running.client("WAIT", 1, 5000) == 1


@pytest.mark.server
def test_a_snapshot_is_a_file_and_a_report(start_server, tmp_path):
    with start_server(config=QUICK) as running:
        running.client("DEBUG", "POPULATE", 1000, "key", 100)
        running.client("FUNCTION", "LOAD", "#!lua name=f\nredis.register_function('f', function() return 1 end)")
        done = run("capture", url_of(running), "-o", tmp_path / "x.rdb", "--json", "--digest")
        report = json.loads(done.out)
        check("capture", report)
        assert (report["digest"], report["keys"]) == (running.digest(), 1000)
        assert run("info", tmp_path / "x.rdb").out.count(b"function") >= 1
        assert run("capture", url_of(running), "-o", tmp_path / "x.rdb").code == 3
        assert [path.name for path in tmp_path.iterdir()] == ["x.rdb"]


@pytest.mark.server
def test_a_snapshot_goes_into_a_pipe(start_server):
    with start_server(config=QUICK) as running:
        running.client("SET", "k", "v")
        done = subprocess.run(
            [*COMMAND, "capture", url_of(running), "-o", "-"], capture_output=True, env=environment(), check=True
        )
        assert run("digest", "-", stdin=done.stdout).out.decode().strip() == running.digest()


@pytest.mark.server
def test_following_ends_with_everything(start_server, tmp_path):
    home = tmp_path / "aof"
    with start_server(config=QUICK) as running:
        running.client("SET", "before", 1)
        with following(running, home) as capture:
            wait_for(lambda: capture.count("base"))
            for number in range(1000):
                running.client("RPUSH", "l", number)
            running.client("SELECT", 5)
            running.client("SET", "k", "v", "EX", 1000)
            assert acknowledged(running)
            assert capture.end() == 0
            assert capture.errors == ""
        for event in capture.events:
            check("capture", event)
        assert run("digest", home).out.decode().strip() == running.digest()
        assert run("validate", home, "--strict").code == 0
    with start_server(files={"appendonlydir": home}, config={"appendonly": "yes"}) as loaded:
        assert loaded.digest() == run("digest", home).out.decode().strip()


@pytest.mark.server
def test_a_killed_capture_resumes(start_server, tmp_path):
    home = tmp_path / "aof"
    with start_server(config=QUICK) as running:
        for turn in range(3):
            with following(running, home) as capture:
                wait_for(lambda capture=capture: capture.events)
                for number in range(300):
                    running.client("RPUSH", "l", f"{turn}-{number}")
                    if number == 100 and turn % 2:
                        time.sleep(1.1)
                if turn == 2:
                    assert acknowledged(running)
                    assert capture.end() == 0
                else:
                    capture.end(signal.SIGKILL)
                assert capture.count("base") == (turn == 0)
            assert run("validate", home).code in ({0} if turn == 2 else {0, 1})
        assert run("digest", home).out.decode().strip() == running.digest()
        assert running.client("LLEN", "l") == 900


@pytest.mark.server
def test_a_lost_connection_is_made_anew(start_server, tmp_path):
    home = tmp_path / "aof"
    with start_server(config=QUICK) as running, following(running, home) as capture:
        wait_for(lambda: capture.count("base"))
        for turn in range(3):
            running.client("CLIENT", "KILL", "TYPE", "replica")
            for number in range(100):
                running.client("RPUSH", "l", f"{turn}-{number}")
            wait_for(lambda turn=turn: capture.count("connected") > turn)
        assert acknowledged(running)
        assert capture.end() == 0
        assert capture.count("base") == 1
        assert run("digest", home).out.decode().strip() == running.digest()


@pytest.mark.server
def test_a_new_base_comes_where_the_backlog_is_gone(start_server, tmp_path):
    home = tmp_path / "aof"
    with start_server(config={"repl-backlog-size": "16kb", **QUICK}) as running:
        with following(running, home) as capture:
            wait_for(lambda: capture.count("base"))
            capture.end(signal.SIGKILL)
        for number in range(100):
            running.client("SET", f"k{number}", "x" * 1000)
        with following(running, home, "--keep", "2") as capture:
            wait_for(lambda: capture.count("base"))
            running.client("SET", "last", 1)
            assert acknowledged(running)
            assert capture.end() == 0
        assert run("digest", home).out.decode().strip() == running.digest()
        (kept,) = (home / "kept").iterdir()
        assert run("validate", kept).code == 0
        assert run("dump", kept, "-f", "keys").out == b""


@pytest.mark.server
def test_a_policy_takes_a_new_base_meanwhile(start_server, tmp_path):
    home = tmp_path / "aof"
    with start_server(config=QUICK) as running, following(running, home, "--save", "1 10") as capture:
        number = 0

        def write_until_two():
            nonlocal number
            for _ in range(50):
                number += 1
                running.client("RPUSH", "l", number)
            return capture.count("base") >= 2

        wait_for(write_until_two)
        assert acknowledged(running)
        assert capture.end() == 0
        assert run("digest", home).out.decode().strip() == running.digest()
        assert len(list(home.iterdir())) == 4
        assert run("validate", home, "--strict").code == 0


@pytest.mark.server
def test_what_holds_something_else_is_left_alone(start_server, tmp_path):
    (tmp_path / "notes").write_text("mine")
    with start_server(config=QUICK) as running:
        done = run("capture", url_of(running), tmp_path, "--follow")
        assert (done.code, [path.name for path in tmp_path.iterdir()]) == (3, ["notes"])
        assert "it holds other files" in done.err


@pytest.mark.parametrize(
    "line",
    ["", "--save '1 1' -o x", "x --follow --save 1", "x --follow --keep x", "x --follow --max-lag x", "-o - --json",
     "--follow", "x -o y"],
)  # fmt: skip
def test_what_makes_no_sense_is_usage(line):
    assert run("capture", "redis://localhost:1", *shlex.split(line)).code == 2


def test_an_address_is_needed():
    done = run("capture", "localhost:6379", "-o", "x")
    assert done.code == 2
    assert "expected an address such as redis://localhost:6379" in done.err
    assert "secret" not in run("capture", "http://me:secret@host", "-o", "x").err
    assert os.environ.get("RDBTOOL_PASSWORD") is None
