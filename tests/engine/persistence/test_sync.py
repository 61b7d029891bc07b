"""When writes are on the disk: the order of the system calls, and a process that is killed."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from engine.persistence.driving import Clock

from rdbtool.engine import Engine
from rdbtool.engine.persistence import AppendLog

ROOT = Path(__file__).parent.parent.parent.parent


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The writes and syncs that were made, in their order."""
    made: list[str] = []

    def recorded(name: str) -> None:
        real = getattr(os, name)

        def call(*arguments: object) -> object:
            result = real(*arguments)
            made.append(name)
            return result

        monkeypatch.setattr(os, name, call)

    recorded("write")
    recorded("fsync")
    return made


def test_always_is_synced_before_the_caller_goes_on(tmp_path, calls):
    log = AppendLog(tmp_path / "log", Engine(), "always", clock=Clock())
    for number in range(5):
        calls.clear()
        log.execute(b"SET", b"k%d" % number, b"v")
        assert calls == ["write", "fsync"]
        assert log.unsynced == 0
    calls.clear()
    with log.transaction():
        log.execute(b"SET", b"a", b"v")
        log.execute(b"SET", b"b", b"v")
        assert calls == []
    assert calls == ["write", "fsync"]
    calls.clear()
    log.execute(b"GET", b"a")
    assert calls == []


def test_everysec_leaves_less_than_a_second_unsynced(tmp_path, calls):
    clock = Clock()
    log = AppendLog(tmp_path / "log", Engine(), "everysec", clock=clock)
    pick = random.Random(5)
    waiting: list[int] = []  # when each write that is not synced was made
    syncs = 0
    for _ in range(500):
        clock.now_ms += pick.choice([0, 1, 90, 400, 999, 1000])
        calls.clear()
        if pick.random() < 0.7:
            log.execute(b"INCR", b"n")
            assert calls[0] == "write"
            waiting.append(clock.now_ms)
        else:
            log.tick()
        if "fsync" in calls:
            assert calls[-1] == "fsync"
            syncs += 1
            waiting.clear()
        assert all(clock.now_ms - moment < 1000 for moment in waiting)
        assert (log.unsynced > 0) == bool(waiting)
    assert 50 < syncs < 400


def test_a_clock_that_is_set_back_syncs(tmp_path, calls):
    clock = Clock()
    log = AppendLog(tmp_path / "log", Engine(), "everysec", clock=clock)
    log.execute(b"INCR", b"n")
    clock.now_ms -= 10_000
    log.tick()
    assert log.unsynced == 0


def test_no_syncs_only_at_the_end(tmp_path, calls):
    clock = Clock()
    log = AppendLog(tmp_path / "log", Engine(), "no", clock=clock)
    calls.clear()
    for _ in range(10):
        clock.now_ms += 60_000
        log.execute(b"INCR", b"n")
        log.tick()
    assert set(calls) == {"write"}
    log.close()
    assert calls[-1] == "fsync"


def test_a_file_is_synced_before_another_one_follows_it(tmp_path, calls):
    log = AppendLog(tmp_path / "log", Engine(), "no", clock=Clock())
    log.execute(b"INCR", b"n")
    calls.clear()
    log.rotate()
    # The old file, the new one, then the manifest and the directory.
    assert calls == ["fsync", "fsync", "write", "fsync", "fsync"]


WRITER = """
import sys
from rdbtool.engine import Engine
from rdbtool.engine.persistence import AppendLog, Any, LogGrowth
if sys.argv[2] == "new":
    log = AppendLog(sys.argv[1], Engine(), "always")
else:
    log = AppendLog.open(sys.argv[1], "always")
policy = Any(LogGrowth(percentage=50, minimum=1000))
number = len(log.engine.dbs[0].keys)
while True:
    with log.transaction():
        log.execute(b"SET", b"k%d" % number, b"x" * (number % 70))
        log.execute(b"INCR", b"count") if number % 3 else log.execute(b"PING")
    print(number, flush=True)
    number += 1
    if policy.is_due(log.counters()):
        log.rewrite()
"""


def test_a_killed_process_loses_nothing_that_it_acknowledged(tmp_path):
    """Killed at random moments, rewrites among them, and started again from what it left."""
    pick = random.Random(11)
    directory = tmp_path / "log"
    known = 0
    rewrites = set()
    for round_number in range(12):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(directory), "open" if round_number else "new"],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert process.stdout is not None
        # However fast the machine is, there is something to be lost, and to be rewritten.
        lines = [process.stdout.readline() for _ in range(pick.randrange(1, 25))]
        time.sleep(pick.uniform(0, 0.02))
        process.kill()
        lines += process.stdout.read().split()
        process.stdout.close()
        process.wait()
        with AppendLog.open(directory) as log:
            keys = log.engine.dbs[0].keys
        acknowledged = int(lines[-1]) + 1
        numbered = [key for key in keys if key != b"count"]
        # At most the one transaction at hand is there and was not acknowledged yet.
        assert acknowledged <= len(keys) <= acknowledged + 2
        assert all(
            len(keys[b"k%d" % number]) == number % 70 for number in range(len(numbered)) if b"k%d" % number in keys
        )
        known = len(keys)
        rewrites.add(next(path.name for path in directory.glob("*.base.rdb")))
    assert known > 40
    assert len(rewrites) > 1, rewrites


CALLS = ("open", "write", "fsync", "ftruncate", "replace", "rename", "link", "unlink", "mkdir")


def test_a_kill_at_any_system_call_leaves_what_was_acknowledged(tmp_path, monkeypatch):
    """The directory as it is in front of each call is what a kill there leaves: all of it is opened."""
    directory = tmp_path / "log"
    clock = Clock()
    log = AppendLog(directory, Engine(), "always", clock=clock)
    moments: list[tuple[Path, int]] = []
    acknowledged = 0
    real_open = os.open

    def stop(name: str) -> None:
        real = getattr(os, name)

        def call(*arguments: object, **options: object) -> object:
            copy = tmp_path / f"{len(moments)}-before-{name}"
            with monkeypatch.context() as patch:
                for other, original in originals.items():
                    patch.setattr(os, other, original)
                shutil.copytree(directory, copy)
            moments.append((copy, acknowledged))
            return real(*arguments, **options)

        monkeypatch.setattr(os, name, call)

    originals = {name: getattr(os, name) for name in CALLS}
    for name in CALLS:
        stop(name)
    for number in range(8):
        log.execute(b"RPUSH", b"list", b"%d" % number)
        acknowledged = number + 1
        if number in (2, 5):
            log.rewrite()
    monkeypatch.undo()
    assert os.open is real_open
    log.close()
    assert len(moments) > 50
    for copy, count in moments:
        with AppendLog.open(copy, clock=clock) as left:
            elements = list(left.engine.db.keys.get(b"list", ()))
            # One that was not acknowledged may be there too.
            assert elements in ([b"%d" % n for n in range(count)], [b"%d" % n for n in range(count + 1)]), copy.name
            left.rewrite()
        assert sorted(path.suffix for path in copy.iterdir()) == [".aof", ".manifest", ".rdb"], copy.name
