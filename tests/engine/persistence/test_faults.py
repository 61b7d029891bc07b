"""Writes, syncs and renames that fail, and files that end early: what the log holds then, and what is said of it."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from engine.persistence.driving import Clock, fingerprint

from rdbtool.core.errors import FormatError, InputError, LossError, UncertainError
from rdbtool.core.servers import Rules
from rdbtool.engine import Engine
from rdbtool.engine.persistence import AppendLog, LogWriteError

REAL = {name: getattr(os, name) for name in ("write", "fsync", "ftruncate", "replace")}


@pytest.fixture
def clock() -> Clock:
    return Clock()


def fill(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Let the disk have room for ``size`` more bytes."""
    left = [size]

    def write(descriptor: int, data: memoryview) -> int:
        if left[0] == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        count: int = REAL["write"](descriptor, data[: left[0]])
        left[0] -= count
        return count

    monkeypatch.setattr(os, "write", write)


def fail(monkeypatch: pytest.MonkeyPatch, name: str, number: int = 0) -> None:
    """Let a system call fail with EIO at its call number ``number`` and ever after."""
    calls = [0]

    def broken(*arguments: object) -> object:
        calls[0] += 1
        if calls[0] > number:
            raise OSError(errno.EIO, "Input/output error")
        return REAL[name](*arguments)

    monkeypatch.setattr(os, name, broken)


def reopened(directory: Path, to: Path) -> Engine:
    """Return what a log that is still open leads to."""
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(directory, to)
    with AppendLog.open(to) as log:
        return log.engine


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


@pytest.mark.parametrize("size", [0, 1, 20, 60, 95, 130])
def test_a_disk_that_fills_up_leaves_whole_records(tmp_path, clock, monkeypatch, size):
    log = AppendLog(tmp_path / "log", Engine(), "always", clock=clock)
    log.execute(b"SET", b"a", b"1")
    fill(monkeypatch, size)
    acknowledged = {b"a": b"1"}
    with pytest.raises(LogWriteError, match="No space left") as caught:
        for number in range(20):
            log.execute(b"SET", b"key%d" % number, b"x")
            acknowledged[b"key%d" % number] = b"x"
    lost = caught.value.commands
    assert lost == [(b"SET", b"key%d" % (len(acknowledged) - 1), b"x")] == log.unlogged
    assert b"key%d" % (len(acknowledged) - 1) in log.engine.db.keys
    # Nothing else is executed as long as the log lacks that.
    with pytest.raises(LogWriteError):
        log.execute(b"SET", b"other", b"1")
    assert b"other" not in log.engine.db.keys
    monkeypatch.undo()
    assert reopened(tmp_path / "log", tmp_path / "copy").db.keys == acknowledged
    # With room again, what is owed goes first.
    log.execute(b"SET", b"last", b"1")
    assert log.unlogged == []
    assert fingerprint(reopened(tmp_path / "log", tmp_path / "copy")) == fingerprint(log.engine)
    log.close()


def test_what_cannot_be_cut_off_is_cut_off_later(tmp_path, clock, monkeypatch):
    log = AppendLog(tmp_path / "log", Engine(), "no", clock=clock)
    log.execute(b"SET", b"a", b"1")
    fill(monkeypatch, 10)
    fail(monkeypatch, "ftruncate")
    with pytest.raises(LogWriteError, match="No space left"):
        log.execute(b"SET", b"b", b"1")
    monkeypatch.setattr(os, "write", REAL["write"])
    with pytest.raises(LogWriteError, match="cut back"):
        log.execute(b"SET", b"c", b"1")
    monkeypatch.undo()
    # Half a record at the end is what a kill leaves too.
    assert reopened(tmp_path / "log", tmp_path / "copy").db.keys == {b"a": b"1"}
    log.execute(b"SET", b"c", b"1")
    log.close()
    with AppendLog.open(tmp_path / "log") as again:
        assert again.engine.db.keys == {b"a": b"1", b"b": b"1", b"c": b"1"}


def test_an_interrupt_in_the_middle_of_a_record_leaves_none_of_it(tmp_path, clock, monkeypatch):
    log = AppendLog(tmp_path / "log", Engine(), "always", clock=clock)
    log.execute(b"SET", b"a", b"1")

    def write(descriptor: int, data: memoryview) -> int:
        if len(data) > 10:
            return REAL["write"](descriptor, data[:10])
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", write)
        with pytest.raises(KeyboardInterrupt):
            log.execute(b"SET", b"b", b"1")
    path = tmp_path / "log" / "appendonly.aof.1.incr.aof"
    assert path.read_bytes().endswith(b"$1\r\na\r\n$1\r\n1\r\n")
    assert log.unlogged == [(b"SET", b"b", b"1")]
    log.close()
    with AppendLog.open(tmp_path / "log") as again:
        assert again.engine.db.keys == {b"a": b"1", b"b": b"1"}


def test_a_rewrite_makes_up_for_what_the_log_lacks(tmp_path, clock, monkeypatch):
    log = AppendLog(tmp_path / "log", Engine(), "always", clock=clock)
    with monkeypatch.context() as patch:
        fill(patch, 0)
        with pytest.raises(LogWriteError), log.transaction():
            log.execute(b"SET", b"a", b"1")
            log.execute(b"SELECT", b"3")
            log.execute(b"SET", b"b", b"1")
    assert log.unlogged == [(b"SET", b"a", b"1"), (b"SET", b"b", b"1")]
    log.rewrite()
    assert log.unlogged == []
    log.execute(b"SET", b"c", b"1")
    after = reopened(tmp_path / "log", tmp_path / "copy")
    assert after.dbs[0].keys == {b"a": b"1"}
    assert after.dbs[3].keys == {b"b": b"1", b"c": b"1"}
    log.close()
    assert names(tmp_path / "log") == [
        "appendonly.aof.2.base.rdb", "appendonly.aof.2.incr.aof", "appendonly.aof.manifest",
    ]  # fmt: skip


@pytest.mark.parametrize("mode", ["always", "everysec"])
def test_after_a_sync_that_failed_only_new_files_help(tmp_path, clock, monkeypatch, mode):
    log = AppendLog(tmp_path / "log", Engine(), mode, clock=clock)
    log.execute(b"SET", b"a", b"1")
    clock.now_ms += 2000
    fail(monkeypatch, "fsync")
    with pytest.raises(InputError, match=r"cannot sync .*: Input/output error"):
        log.execute(b"SET", b"b", b"1")
    monkeypatch.undo()
    for action in (log.tick, log.flush, lambda: log.execute(b"SET", b"c", b"1")):
        with pytest.raises(LogWriteError, match="rewrite the AOF"):
            action()
    assert log.engine.db.keys == {b"a": b"1", b"b": b"1"}
    # What was not acknowledged is not in the log, where that can be said.
    there = {b"a": b"1"} if mode == "always" else log.engine.db.keys
    assert reopened(tmp_path / "log", tmp_path / "copy").db.keys == there
    log.rewrite()
    log.execute(b"SET", b"c", b"1")
    log.close()
    with AppendLog.open(tmp_path / "log") as again:
        assert again.engine.db.keys == {b"a": b"1", b"b": b"1", b"c": b"1"}


@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
def test_a_rewrite_that_fails_anywhere_leaves_the_log(tmp_path, clock, monkeypatch, call):
    """The n-th call and all behind it fail, for every n that a rewrite has."""
    done = 0
    for number in range(40):
        directory = tmp_path / str(number)
        log = AppendLog(directory, Engine(), "always", clock=clock)
        for at in range(5):
            log.execute(b"RPUSH", b"list", b"%d" % at)
        real = REAL[call]
        count = [0]

        def broken(*arguments: object, real: Callable[..., object] = real, last: int = number) -> object:
            count[0] += 1  # noqa: B023 - called in this round only
            if count[0] > last:  # noqa: B023
                raise OSError(errno.EIO, "Input/output error")
            return real(*arguments)

        with monkeypatch.context() as patch:
            patch.setattr(os, call, broken)
            try:
                log.rewrite()
                done += 1
            except InputError:
                assert fingerprint(reopened_after(patch, directory, tmp_path / "copy")) == fingerprint(log.engine)
        # The log goes on, at worst with new files.
        if log._writer.doubt is not None:
            log.rewrite()
        log.execute(b"RPUSH", b"list", b"more")
        expected = fingerprint(log.engine)
        log.close()
        with AppendLog.open(directory, clock=clock) as again:
            assert fingerprint(again.engine) == expected, number
        assert not [name for name in names(directory) if name.endswith(".tmp")]
        if done:
            break
    assert done == 1
    assert number >= 2


def reopened_after(patch: pytest.MonkeyPatch, directory: Path, to: Path) -> Engine:
    patch.undo()
    return reopened(directory, to)


def test_data_that_the_server_cannot_hold_leaves_the_log(tmp_path, clock):
    log = AppendLog(tmp_path / "log", Engine(rules="redis-7.2"), clock=clock)
    log.execute(b"HSET", b"h", b"f", b"v")
    # As if the engine went by the rules of a newer server for a while.
    log.engine.adopt(Rules.parse("redis-7.4"))
    log.engine.execute(b"HPEXPIREAT", b"h", b"5", b"FIELDS", b"1", b"f")
    log.engine.adopt(Rules.parse("redis-7.2"))
    with pytest.raises(LossError):
        log.rewrite()
    log.execute(b"SET", b"a", b"1")
    log.close()
    with AppendLog.open(tmp_path / "log") as again:
        assert set(again.engine.db.keys) == {b"h", b"a"}


# ---- what is opened ----------------------------------------------------------------------------


def made(directory: Path, clock: Clock) -> Path:
    """Make a log with a transaction at its end, and return its last file."""
    with AppendLog(directory, Engine(), clock=clock) as log:
        log.execute(b"SET", b"a", b"1")
        with log.transaction():
            log.execute(b"SET", b"b", b"1")
            log.execute(b"SET", b"c", b"1")
    return directory / "appendonly.aof.1.incr.aof"


def test_any_end_that_is_cut_off_leads_to_a_prefix(tmp_path, clock):
    data = made(tmp_path / "log", clock).read_bytes()
    seen = set()
    for size in range(len(data) + 1):
        path = tmp_path / "log" / "appendonly.aof.1.incr.aof"
        path.write_bytes(data[:size])
        with AppendLog.open(tmp_path / "log", clock=clock) as log:
            keys = b"".join(log.engine.db.keys)
            seen.add(keys)
            log.execute(b"SET", b"z", b"1")
        with AppendLog.open(tmp_path / "log", clock=clock) as log:
            assert b"".join(log.engine.db.keys) == keys + b"z", size
    # All of a transaction, or nothing of it.
    assert seen == {b"", b"a", b"abc"}


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda data: data[:40] + b"\0" * 9 + data[49:], FormatError),
        (lambda data: data + b"\0" * 50, FormatError),
        (lambda data: data + b"garbage\r\n", FormatError),
        (lambda data: data + b"*1\r\n$6\r\nNOSUCH\r\n", UncertainError),
    ],
)
def test_other_damage_is_left_as_it_is(tmp_path, clock, change, error):
    path = made(tmp_path / "log", clock)
    damaged = change(path.read_bytes())
    path.write_bytes(damaged)
    with pytest.raises(error):
        AppendLog.open(tmp_path / "log", clock=clock)
    assert path.read_bytes() == damaged
    assert len(names(tmp_path / "log")) == 3


def test_a_file_that_is_not_the_last_must_be_whole(tmp_path, clock):
    with AppendLog(tmp_path / "log", Engine(), clock=clock) as log:
        log.execute(b"SET", b"a", b"1")
        log.rotate()
        log.execute(b"SET", b"b", b"1")
    path = tmp_path / "log" / "appendonly.aof.1.incr.aof"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(FormatError):
        AppendLog.open(tmp_path / "log")


def test_a_directory_has_one_log_and_one_writer(tmp_path, clock):
    with AppendLog(tmp_path / "log", Engine(), clock=clock):
        with pytest.raises(InputError, match="another process appends"):
            AppendLog.open(tmp_path / "log")
        with pytest.raises(InputError, match="another process appends"):
            AppendLog(tmp_path / "log", Engine())
    with pytest.raises(InputError, match="open it instead"):
        AppendLog(tmp_path / "log", Engine())
    (tmp_path / "log" / "appendonly.aof.manifest").unlink()
    with pytest.raises(InputError, match="without their manifest"):
        AppendLog(tmp_path / "log", Engine())


def test_what_a_killed_rewrite_left_is_removed_and_nothing_else(tmp_path, clock):
    made(tmp_path / "log", clock)
    with AppendLog.open(tmp_path / "log", clock=clock) as log:
        log.rewrite()
    for name in ("appendonly.aof.9.base.rdb", "appendonly.aof.1.base.rdb", "other.9.base.rdb", "notes"):
        (tmp_path / "log" / name).write_bytes(b"x")
    AppendLog.open(tmp_path / "log", clock=clock).close()
    assert names(tmp_path / "log") == [
        "appendonly.aof.1.base.rdb", "appendonly.aof.2.base.rdb", "appendonly.aof.2.incr.aof",
        "appendonly.aof.manifest", "notes", "other.9.base.rdb",
    ]  # fmt: skip


def test_a_closed_log_takes_nothing(tmp_path, clock):
    log = AppendLog(tmp_path / "log", Engine(), clock=clock)
    log.close()
    log.close()
    for action in (log.flush, log.tick, log.rotate, log.rewrite, lambda: log.execute(b"PING")):
        with pytest.raises(ValueError, match="closed"):
            action()


def test_transactions_do_not_nest_nor_hold_a_rewrite(tmp_path, clock):
    with AppendLog(tmp_path / "log", Engine(), clock=clock) as log, log.transaction():
        log.execute(b"SET", b"a", b"1")
        for action in (log.rewrite, log.rotate, lambda: log.transaction().__enter__()):
            with pytest.raises(ValueError, match="transaction"):
                action()


def test_an_exception_in_a_transaction_undoes_nothing(tmp_path, clock):
    with AppendLog(tmp_path / "log", Engine(), clock=clock) as log:
        with pytest.raises(KeyError), log.transaction():
            log.execute(b"SET", b"a", b"1")
            raise KeyError
        assert log.engine.db.keys == {b"a": b"1"}
    with AppendLog.open(tmp_path / "log") as log:
        assert log.engine.db.keys == {b"a": b"1"}
