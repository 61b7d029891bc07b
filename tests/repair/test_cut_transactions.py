"""Transactions whose EXEC was lost when the server stopped, and what it wrote when it went on."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import server
from command import run
from validate.sources import log

from rdbtool.operations.repair.run import repair
from rdbtool.operations.validate.run import validate

CUT = ["MULTI", "set bar world", "set baz w2"]
WRITES = [f"SET ack:{index} {index}" for index in range(5)]
NEXT = ["MULTI", "set t1 1", "EXEC", "SET last x"]


def repaired(rows: list[str], directory: Path) -> tuple[bytes, list[tuple[str, str]], tuple[str, ...]]:
    source, result = directory / "in.aof", directory / "out.aof"
    source.write_bytes(log(*rows))
    done = repair(str(source), str(result))
    data = result.read_bytes()
    result.unlink()
    assert done.commands == data.count(b"*")
    return data, [(lost.code, lost.message) for lost in done.lost], done.doubts


@pytest.mark.parametrize("behind", [NEXT, []], ids=["another transaction", "none"])
def test_a_redundant_select_tells_where_a_server_went_on(behind: list[str], tmp_path: Path) -> None:
    before = ["SELECT 0", "SET foo hello"]
    rows = [*before, *CUT, "SELECT 0", *WRITES, *behind]
    data, [(code, message)], doubts = repaired(rows, tmp_path)
    assert data == log(*before, "SELECT 0", *WRITES, *behind)
    assert code == "REP008"
    assert message.startswith('a transaction of 2 commands without its EXEC: set "bar", set "baz"; a server went on')
    assert doubts == ()


def test_without_a_later_exec_the_source_is_bad(tmp_path: Path) -> None:
    source = tmp_path / "in.aof"
    source.write_bytes(log("SELECT 0", "SET foo hello", *CUT, "SELECT 0", *WRITES))
    verdict = validate(str(source))
    assert (verdict.answer, verdict.findings[0].code) == ("invalid", "AOF110")


def test_a_select_within_a_whole_transaction_is_no_cut(tmp_path: Path) -> None:
    """Up to Redis 6.2 a rewrite that failed leaves one there."""
    rows = ["SELECT 0", "MULTI", "SET a 1", "SELECT 0", "SET b 2", "EXEC", *NEXT]
    assert repaired(rows, tmp_path) == (log(*rows), [], ())


@pytest.mark.parametrize(
    ("rows", "kept", "is_certain"),
    [
        # A SELECT of another database: of the restart, or of the transaction.
        (["SELECT 0", *CUT, "SELECT 3", *WRITES, *NEXT], ["SELECT 0", "SELECT 3", *WRITES, *NEXT], False),
        (["SELECT 0", *CUT, "SELECT 3", *WRITES], ["SELECT 0", "SELECT 3", *WRITES], False),
        # From Redis 7.2 on the MULTI comes first: what is behind it tells that the server went on there.
        (
            ["SELECT 0", *CUT, "MULTI", "SELECT 0", "SET c 1", "EXEC"],
            ["SELECT 0", "MULTI", "SELECT 0", "SET c 1", "EXEC"],
            True,
        ),
        (
            ["SELECT 0", "MULTI", "SELECT 1", "SET a 1", "MULTI", "SELECT 1", "SET c 1", "EXEC"],
            ["SELECT 0", "MULTI", "SELECT 1", "SET c 1", "EXEC"],
            True,
        ),
        # Two of them.
        (["SELECT 0", *CUT, "SELECT 0", *CUT, "SELECT 0", *NEXT], ["SELECT 0", "SELECT 0", "SELECT 0", *NEXT], True),
        # Nothing was written behind it: servers cut it as well.
        (["SELECT 0", "SET a 1", "MULTI", "SELECT 1", "SET b 1"], ["SELECT 0", "SET a 1"], True),
    ],
)
def test_where_it_ends(rows: list[str], kept: list[str], is_certain: bool, tmp_path: Path) -> None:
    data, _, doubts = repaired(rows, tmp_path)
    assert data == log(*kept)
    assert (doubts == ()) == is_certain


def test_doubt_is_an_exit_code(tmp_path: Path) -> None:
    (tmp_path / "in.aof").write_bytes(log("SELECT 0", *CUT, "SELECT 3", *WRITES, *NEXT))
    ran = run("repair", "in.aof", "-o", "out.aof", cwd=tmp_path)
    assert ran.code == 1
    assert "not certain: in.aof: the transaction at 0x17 is assumed to end at" in ran.out.decode()
    assert (tmp_path / "out.aof").exists()


@pytest.mark.server
def test_a_server_that_was_killed_and_went_on(
    start_server: Callable[..., AbstractContextManager[server.Server]], tmp_path: Path
) -> None:
    """What it acknowledged is kept, and nothing else, whatever it wrote first when it went on."""
    config = {"appendonly": "yes", "appendfsync": "always"}
    for first in (("SET", "ack", "1"), ("EVAL", "redis.call('set','ack','1') redis.call('set','ack2','2')", "0")):
        with start_server(config=config) as running:
            running.client("SET", "foo", "hello")
            running.client("EVAL", "redis.call('set','bar','1') redis.call('set','baz','2')", "0")
            directory = running.directory / "appendonlydir"
            part = next(directory.glob("*.incr.aof"))
            data, rest = part.read_bytes(), next(directory.glob("*.base.rdb")).read_bytes()
        assert data.endswith(b"*1\r\n$4\r\nEXEC\r\n")
        log_directory = tmp_path / first[0] / "appendonlydir"
        log_directory.mkdir(parents=True)
        (log_directory / part.name).write_bytes(data[:-6])
        (log_directory / "appendonly.aof.1.base.rdb").write_bytes(rest)
        manifest = "file appendonly.aof.1.base.rdb seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n"
        (log_directory / "appendonly.aof.manifest").write_text(manifest)
        with start_server(files={"appendonlydir": log_directory}, config=config) as running:
            running.client(*first)
            copy = {path.name: path.read_bytes() for path in (running.directory / "appendonlydir").iterdir()}
        for name, content in copy.items():
            (log_directory / name).write_bytes(content)
        done = repair(str(log_directory), str(tmp_path / f"out-{first[0]}"))
        assert [lost.code for lost in done.lost] == ["REP008"]
        ran = run("dump", "-f", "keys", tmp_path / f"out-{first[0]}")
        assert sorted(ran.out.split()) == [b"ack", *([b"ack2"] if first[0] == "EVAL" else []), b"foo"]
