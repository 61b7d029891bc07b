"""Snapshots: what is saved is what is loaded, the same bytes each time, whole or not at all."""

from __future__ import annotations

import os
import re

import pytest
from engine.persistence.driving import START_MS, Clock, Driver, fingerprint, run
from state import FIXTURES

from rdbtool.core.errors import FormatError, InputError, LossError, ReplayError, UnsupportedError
from rdbtool.core.rdb_types import VALKEY
from rdbtool.core.servers import Rules
from rdbtool.engine import Engine
from rdbtool.engine.persistence import AppendLog
from rdbtool.engine.persistence.snapshot import load_engine, save
from rdbtool.reader.rdb import open_rdb


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    driver = Driver(3)
    with AppendLog(tmp_path_factory.mktemp("made") / "log", Engine(rules="redis-8.0"), "no", clock=Clock()) as log:
        for _ in range(600):
            run(log, driver.command())
    assert len(log.engine.dbs) > 1
    assert log.engine.functions
    return log.engine


def test_what_is_saved_is_what_is_loaded(tmp_path, engine):
    written = save(engine, tmp_path / "x.rdb")
    again = load_engine(tmp_path / "x.rdb")
    assert fingerprint(again) == fingerprint(engine)
    assert again.rules == engine.rules
    assert again.index == 0
    assert written.keys == sum(len(db.keys) for db in engine.dbs.values())
    assert written.bytes == (tmp_path / "x.rdb").stat().st_size
    assert written.losses == []


def test_the_same_engine_gives_the_same_bytes(tmp_path, engine):
    save(engine, tmp_path / "a.rdb")
    save(engine, tmp_path / "b.rdb")
    assert (tmp_path / "a.rdb").read_bytes() == (tmp_path / "b.rdb").read_bytes()


def test_the_file_names_its_writer_and_its_moment(tmp_path):
    for rules, version, fields in [
        ("redis-7.0", ("REDIS", 10), [b"redis-ver=7.0.0", b"redis-bits=64", b"ctime=1790000000", b"aof-base=0"]),
        ("valkey-9.0", ("VALKEY", 80), [b"valkey-ver=9.0.0", b"redis-bits=64", b"ctime=1790000000", b"aof-base=0"]),
        ("redis-6.2", ("REDIS", 9), [b"redis-ver=6.2.0", b"redis-bits=64", b"ctime=1790000000"]),
        ("redis-2.8", ("REDIS", 6), []),
    ]:
        save(Engine(rules=rules, now_ms=START_MS), tmp_path / "x.rdb")
        with open_rdb(tmp_path / "x.rdb") as reader:
            assert list(reader) == []
            assert (reader.header.magic, reader.header.version) == version
            assert [aux.key + b"=" + aux.value for aux in reader.aux] == fields


def test_a_target_can_be_named(tmp_path, engine):
    with pytest.raises(LossError):
        save(engine, tmp_path / "x.rdb", target="redis-4.0")
    assert list(tmp_path.iterdir()) == []
    written = save(engine, tmp_path / "x.rdb", target="redis-4.0", allow_loss=True)
    assert any(loss.severity == "loss" for loss in written.losses)
    with open_rdb(tmp_path / "x.rdb") as reader:
        assert reader.header.version == 8
    with pytest.raises(ValueError, match="nonsense"):
        save(engine, tmp_path / "x.rdb", target="nonsense")
    with pytest.raises(ValueError, match="redis-99"):
        Engine(rules="redis-99.0")


def test_a_file_is_replaced_or_not(tmp_path, engine):
    (tmp_path / "x.rdb").write_bytes(b"old")
    with pytest.raises(InputError, match="exists"):
        save(engine, tmp_path / "x.rdb", force=False)
    assert (tmp_path / "x.rdb").read_bytes() == b"old"
    save(engine, tmp_path / "x.rdb")
    assert fingerprint(load_engine(tmp_path / "x.rdb")) == fingerprint(engine)
    with pytest.raises(InputError):
        save(engine, tmp_path / "none" / "x.rdb")


def test_a_log_can_be_loaded_too(tmp_path):
    with AppendLog(tmp_path / "log", Engine(rules="redis-7.0"), clock=Clock()) as log:
        log.execute(b"SELECT", b"4")
        log.execute(b"SET", b"a", b"1")
    assert fingerprint(load_engine(tmp_path / "log")) == fingerprint(log.engine)
    assert load_engine(tmp_path / "log", rules="redis-7.4").rules == Rules.parse("redis-7.4")


@pytest.mark.parametrize(
    ("name", "data", "error"),
    [
        ("x.rdb", b"REDIS0011\xfe\x00\x00\x01a", FormatError),
        ("x.aof", b"*1\r\n$6\r\nNOSUCH\r\n", ReplayError),
        ("x.aof", b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n", FormatError),
        ("x.aof", b"*1\r\n$5\r\nMULTI\r\n", FormatError),
    ],
)
def test_what_is_not_whole_is_not_loaded(tmp_path, name, data, error):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(error):
        load_engine(tmp_path / name)


#: No server of ours holds functions of release candidates, or members that expire (KeyDB). Captures are no RDB files.
FILES = sorted(
    path
    for path in FIXTURES.rglob("*.rdb")
    if not re.search(r"redis-7\.0-rc-function|keydb|cases/(around|damage)", path.as_posix())
)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_log_begins_with_what_a_file_holds(tmp_path, path):
    """Any server's file becomes the base of a log of the newest server of its family."""
    with open_rdb(path) as reader:
        rules = "valkey-9.1" if reader.header.magic == VALKEY else "redis-8.10"
    engine = load_engine(path, rules=rules)
    with AppendLog(tmp_path / "log", engine, clock=Clock()) as log:
        log.execute(b"SET", b"one more", b"1")
    with AppendLog.open(tmp_path / "log", clock=Clock()) as again:
        assert again.engine.rules == Rules.parse(rules)
        assert fingerprint(again.engine) == fingerprint(engine)


def test_functions_of_before_their_release_are_not_loaded():
    with pytest.raises(UnsupportedError, match="release candidate"):
        load_engine(FIXTURES / "small" / "redis-7.0-rc-function.rdb")


def test_a_file_that_does_not_hold_the_data_gets_no_name(tmp_path, engine, monkeypatch):
    """One byte is another one on the disk than was written."""
    real = os.write

    def write(descriptor, data):
        piece = bytes(data)
        at = piece.find(b"redis-ver")
        return real(descriptor, piece if at >= 0 and len(piece) < 200 else piece[:-30] + b"?" + piece[-29:])

    (tmp_path / "x.rdb").write_bytes(b"old")
    monkeypatch.setattr(os, "write", write)
    with pytest.raises(InputError, match="what was written"):
        save(engine, tmp_path / "x.rdb")
    assert (tmp_path / "x.rdb").read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1
