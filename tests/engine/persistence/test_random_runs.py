"""Random commands, rewrites, restarts and kills: what is restored is what the engine held, whatever the time is."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from engine.persistence.driving import (
    Clock,
    Driver,
    digest,
    fingerprint,
    forget_consumer_times,
    replayed,
    run,
)

from rdbtool.engine import Engine
from rdbtool.engine.persistence import AppendLog

STEPS = 700
CENTURY_MS = 100 * 365 * 86_400_000


def restored(directory: Path, to: Path, clock: Clock) -> Engine:
    """Return what a log leads to that nobody closed: its files are copied as they are."""
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(directory, to)
    with AppendLog.open(to, clock=clock) as log:
        return log.engine


@pytest.mark.parametrize("rules", ["redis-7.0", "redis-7.2", "redis-7.4", "redis-8.0", "valkey-8.1", "valkey-9.0"])
def test_what_is_restored_is_what_was_there(tmp_path: Path, rules: str) -> None:
    clock = Clock()
    driver = Driver(seed=len(rules) * 100 + int(rules[-1]))
    pick = driver.random
    engine = Engine(rules=rules)
    for _ in range(50):
        # A log may begin with what an engine holds already.
        with AppendLog(tmp_path / "first", engine, clock=clock) as log:
            run(log, driver.command())
        shutil.rmtree(tmp_path / "first")
    log = AppendLog(tmp_path / "log", engine, fsync="no", clock=clock)
    taken = 0
    for step in range(STEPS):
        clock.now_ms += pick.choice([0, 0, 1, 400, 5000])
        chance = pick.random()
        argv: object = None
        if chance < 0.06:
            with log.transaction():
                for _ in range(pick.randint(0, 6)):
                    taken += run(log, driver.command())
        elif chance < 0.07:
            log.rewrite()
        elif chance < 0.08:
            log.rotate()
        elif chance < 0.10:
            before = fingerprint(log.engine), digest(log.engine)
            log.close()
            log = AppendLog.open(tmp_path / "log", fsync="no", clock=clock)
            assert (fingerprint(log.engine), digest(log.engine)) == before, step
        else:
            argv = driver.command()
            taken += run(log, argv)
        if step % 10 == 0:
            after = restored(tmp_path / "log", tmp_path / "copy", clock)
            assert fingerprint(after) == fingerprint(log.engine), (step, argv)
            assert digest(after) == digest(log.engine)
            late = replayed(tmp_path / "log", clock.now_ms + CENTURY_MS)
            assert late.rules == log.engine.rules
            there = forget_consumer_times(after)
            assert fingerprint(forget_consumer_times(late)) == fingerprint(there), (step, argv)
    assert taken > STEPS // 2
    log.close()
