"""A file without a byte: an AOF to which nothing was written yet, if its name or a manifest says so."""

from __future__ import annotations

from pathlib import Path

import pytest
from aof.logs import write_log
from command import run

COMMANDS = ["validate", "info", "dump", "digest", "inspect", "replay", "repair", "convert"]


def words(command: str, source: Path, directory: Path) -> list[str | Path]:
    more = {"repair": ["-o", directory / "out.aof"], "convert": [directory / "out.rdb"]}
    return [command, source, *more.get(command, [])]


@pytest.mark.parametrize("command", COMMANDS)
def test_its_name_decides(command: str, tmp_path: Path) -> None:
    (tmp_path / "appendonly.aof").write_bytes(b"")
    ran = run(*words(command, tmp_path / "appendonly.aof", tmp_path))
    assert (ran.code, "error" in ran.err) == (0, False)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_manifest_decides(command: str, tmp_path: Path) -> None:
    directory = write_log(tmp_path / "log", {"a.1.base.aof": b"", "a.1.incr.aof": b""}).parent
    command_words = words(command, directory, tmp_path)
    if command == "repair":
        command_words[-1] = tmp_path / "out"
    assert run(*command_words).code == 0


@pytest.mark.parametrize("command", COMMANDS)
def test_any_other_is_nothing_known(command: str, tmp_path: Path) -> None:
    (tmp_path / "dump.rdb").write_bytes(b"")
    assert run(*words(command, tmp_path / "dump.rdb", tmp_path)).code == (1 if command == "validate" else 4)


def test_a_digest_of_nothing(tmp_path: Path) -> None:
    (tmp_path / "x.aof").write_bytes(b"")
    assert run("digest", tmp_path / "x.aof").out.split()[0] == b"0" * 40
    ran = run("repair", tmp_path / "x.aof", "-o", tmp_path / "y.aof")
    assert b"digest " + b"0" * 40 in ran.out
