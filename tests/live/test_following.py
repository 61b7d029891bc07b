"""Following in this process: a disk that fails, what is acknowledged, moments to return to, and the lag."""

import os
import time

import pytest
from command import run
from required import required_module

from rdbtool.core.errors import InputError
from rdbtool.engine.persistence import appending
from rdbtool.live.captured_log import CapturedLog
from rdbtool.persist import RedisPersist, SavePoint

redis = required_module("redis")

QUICK = {"repl-diskless-sync-delay": "0"}


def persist_of(running, **options):
    return RedisPersist(redis.Redis(unix_socket_path=str(running.directory / "s")), **options)


def wait_for(condition, seconds=20.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.02)


def digest_of(home, *words):
    return run("digest", home, *words).out.decode().strip()


class Disk:
    """Makes the system calls of appending fail as long as ``is_full``."""

    def __init__(self, monkeypatch, name):
        self.is_full = False
        self.failures = 0
        call = getattr(os, name)

        def fail(*arguments):
            if self.is_full:
                self.failures += 1
                raise OSError(28, "No space left on device")
            return call(*arguments)

        monkeypatch.setattr(appending.os, name, fail)


@pytest.mark.server
@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_disk_that_fails_is_said_and_survived(start_server, tmp_path, monkeypatch, call):
    home = tmp_path / "aof"
    events = []
    with start_server(config=QUICK) as running, persist_of(running).follow(home, on_event=events.append):
        disk = Disk(monkeypatch, call)
        running.client("RPUSH", "l", 0)
        assert running.client("WAIT", 1, 5000) == 1
        disk.is_full = True
        for number in range(1, 500):
            running.client("RPUSH", "l", number)
        wait_for(lambda: any(event.event == "stalled" for event in events))
        assert "No space left on device; not reading from the server until that passes" in next(
            event.message for event in events if event.event == "stalled"
        )
        assert running.client("WAIT", 1, 100) == 0
        wait_for(lambda: disk.failures > 2)
        disk.is_full = False
        wait_for(lambda: any(event.event == "recovered" for event in events))
        wait_for(lambda: running.client("WAIT", 1, 1000) == 1)
        expected = running.digest()
    assert digest_of(home) == expected
    assert run("validate", home, "--strict").code == 0


@pytest.mark.server
def test_a_disk_that_returns_other_bytes_is_not_acknowledged(start_server, tmp_path, monkeypatch):
    home = tmp_path / "aof"
    events = []
    flips = [3]
    sync = appending.AppendedFile.sync

    def sync_and_flip(file):
        sync(file)
        if flips[0] and file.size > 500:
            flips[0] -= 1
            with file.path.open("r+b") as other:
                other.seek(-100, os.SEEK_END)
                other.write(b"?")

    with start_server(config=QUICK) as running, persist_of(running).follow(home, verify=True, on_event=events.append):
        running.client("RPUSH", "l", 0)
        assert running.client("WAIT", 1, 5000) == 1
        monkeypatch.setattr(appending.AppendedFile, "sync", sync_and_flip)
        for number in range(1, 500):
            running.client("RPUSH", "l", number)
        wait_for(lambda: flips[0] == 0)
        wait_for(lambda: running.client("WAIT", 1, 1000) == 1)
        expected = running.digest()
    assert any("the disk returned other bytes" in event.message for event in events)
    assert digest_of(home) == expected
    assert run("validate", home, "--strict").code == 0


@pytest.mark.server
def test_a_server_that_is_too_far_ahead_is_let_go(start_server, tmp_path, monkeypatch):
    home = tmp_path / "aof"
    events = []
    with start_server(config=QUICK) as running, persist_of(running).follow(home, max_lag=1000, on_event=events.append):
        disk = Disk(monkeypatch, "write")
        disk.is_full = True
        for number in range(200):
            running.client("SET", f"k{number}", "x" * 100)
        wait_for(lambda: {"stalled", "lag", "lost"} <= {event.event for event in events})
        wait_for(lambda: b"connected_slaves:0" in running.client("INFO", "replication"))
        disk.is_full = False
        wait_for(lambda: running.client("WAIT", 1, 1000) == 1)
        expected = running.digest()
    assert digest_of(home) == expected


@pytest.mark.server
def test_until_returns_to_every_second(start_server, tmp_path):
    home = tmp_path / "aof"
    moments = []
    with start_server(config=QUICK) as running, persist_of(running).follow(home):
        for turn in range(3):
            time.sleep(1.05 - time.time() % 1)
            for number in range(50):
                running.client("RPUSH", "l", f"{turn}-{number}")
            assert running.client("WAIT", 1, 5000) == 1
            moments.append((int(time.time()), running.digest()))
    for second, digest in moments:
        assert digest_of(home, "--until", f"ts:{second}") == digest


@pytest.mark.server
def test_what_is_not_acknowledged_does_not_count(start_server, tmp_path):
    with start_server(config=QUICK) as running:
        with persist_of(running).follow(tmp_path / "aof", acknowledges=False):
            running.client("SET", "k", "v")
            assert running.client("WAIT", 1, 300) == 0
            wait_for(lambda: b"k" in next((tmp_path / "aof").glob("*.incr.aof")).read_bytes())
        with persist_of(running).follow(tmp_path / "aof"):
            running.client("SET", "k", "w")
            assert running.client("WAIT", 1, 5000) == 1


@pytest.mark.server
def test_a_second_capture_is_refused(start_server, tmp_path):
    with start_server(config=QUICK) as running, persist_of(running).follow(tmp_path / "aof"):
        with pytest.raises(InputError, match="another process appends"):
            persist_of(running).follow(tmp_path / "aof").run()
        running.client("SET", "k", "v")
        assert running.client("WAIT", 1, 5000) == 1
    assert run("get", tmp_path / "aof", "k").out == b"v"


@pytest.mark.server
def test_a_stop_before_the_first_base_leaves_nothing(start_server, tmp_path):
    with start_server(config={"repl-diskless-sync-delay": "600"}) as running:
        follower = persist_of(running).follow(tmp_path / "aof")
        follower.stop()
        with pytest.raises(InputError, match="stopped before"):
            follower.run()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.server
def test_a_value_cannot_forge_a_place(start_server, tmp_path):
    home = tmp_path / "aof"
    with start_server(config=QUICK) as running:
        with persist_of(running, policy=SavePoint(9999, 1)).follow(home):
            running.client("SET", "k", b"\r\n#CAPTURE:" + b"0" * 32 + b":" + b"a" * 40 + b":5:0:1\r\n")
            assert running.client("WAIT", 1, 5000) == 1
        place = CapturedLog.open(home)
        offset = place.generation.mark.position.offset
        place.close()
        assert offset > 5
        with persist_of(running).follow(home) as following:
            wait_for(lambda: following.status is not None)
            assert following.status.event == "connected"
            running.client("SET", "last", 1)
            assert running.client("WAIT", 1, 5000) == 1
            expected = running.digest()
    assert digest_of(home) == expected


def test_an_aof_of_others_is_left_alone(tmp_path):
    (tmp_path / "appendonly.aof.manifest").write_text("file appendonly.aof.1.incr.aof seq 1 type i\n")
    (tmp_path / "appendonly.aof.1.incr.aof").write_bytes(b"")
    with pytest.raises(InputError, match="it holds other files"):
        CapturedLog.open(tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
