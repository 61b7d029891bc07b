"""A real server on what is written: it loads the directory and the snapshot, and holds the same."""

from __future__ import annotations

import shutil

import pytest
from engine.persistence.driving import Clock, Driver, digest, run

import rdbtool
from rdbtool.engine import Engine
from rdbtool.engine.persistence import AppendLog
from rdbtool.engine.persistence.log import wall_clock
from rdbtool.engine.persistence.snapshot import load_engine


@pytest.mark.server
@pytest.mark.parametrize("seed", range(3))
def test_a_server_goes_on_from_the_log(start_server, tmp_path, seed):
    """Nothing may expire before the server is asked: the clock stands a little ahead."""
    clock = Clock()
    clock.now_ms = wall_clock() + 600_000
    driver = Driver(seed)
    with AppendLog(tmp_path / "log", Engine(rules="redis-7.0"), "no", clock=clock) as log:
        for step in range(600):
            clock.now_ms += driver.random.choice([0, 0, 1, 300])
            argv = driver.command()
            if argv[0] in (b"EXPIRE", b"HINCRBYFLOAT") and argv[-1] == b"-1":
                continue
            if driver.random.random() < 0.1:
                with log.transaction():
                    run(log, argv)
                    run(log, driver.command())
            else:
                run(log, argv)
            if step in (200, 400):
                log.rewrite()
            if step == 500:
                log.rotate()
        soon = [when for db in log.engine.dbs.values() for when in db.expires.values() if when < wall_clock()]
        assert not soon
        expected = digest(log.engine)
        keys = sum(len(db.keys) for db in log.engine.dbs.values())
        functions = len(log.engine.functions)
    assert keys > 10
    with start_server(files={"appendonlydir": tmp_path / "log"}, config={"appendonly": "yes"}) as running:
        assert running.digest() == expected
        libraries = running.client("FUNCTION", "LIST")
        assert isinstance(libraries, list)
        assert len(libraries) == functions
        # And the other way round: what the server adds is read here.
        running.client("SET", "by-the-server", "1")
        running.client("RPUSH", "by-the-server-too", "1", "2")
        then = running.digest()
        shutil.copytree(running.directory / "appendonlydir", tmp_path / "back")
        with AppendLog.open(tmp_path / "back", clock=clock) as back:
            assert digest(back.engine) == then


@pytest.mark.server
def test_a_server_loads_a_snapshot(start_server, tmp_path):
    engine = Engine(rules="redis-7.0", now_ms=wall_clock())
    driver = Driver(77)
    clock = Clock()
    clock.now_ms = wall_clock() + 600_000
    with AppendLog(tmp_path / "log", engine, "no", clock=clock) as log:
        for _ in range(500):
            run(log, driver.command())
    rdbtool.save(engine, tmp_path / "dump.rdb")
    with start_server(files={"dump.rdb": tmp_path / "dump.rdb"}) as running:
        assert running.digest() == digest(engine)
        again = load_engine(running.save())
    assert digest(again) == digest(engine)
