"""Validation opens each file of an AOF at most twice: to check it, and to replay it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from validate.sources import make_sources

from rdbtool.reader.aof.reader import open_aof

_CHILD = """
import os, sys
target, directory = sys.argv[1:]
from rdbtool.operations.validate.run import validate
validate(target)  # imports what it needs
opened = []
def hear(event, arguments):
    if event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
        path = os.path.abspath(os.fsdecode(arguments[0]))
        if path.startswith(directory):
            opened.append(path)
sys.addaudithook(hear)
answer = validate(target).answer
print(answer, *opened, sep="\\n")
"""


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return dict(make_sources(tmp_path_factory.mktemp("sources")))


def opens(target: Path) -> tuple[str, Counter[str]]:
    directory = target if target.is_dir() else target.parent
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, target, f"{directory}{os.sep}"], capture_output=True, text=True, check=True
    )
    answer, *paths = done.stdout.splitlines()
    return answer, Counter(Path(path).name for path in paths)


@pytest.mark.parametrize("name", ["parts-rdb", "parts-plain", "transaction", "preamble"])
def test_each_file_is_opened_twice(name: str, sources: dict[str, Path]) -> None:
    answer, counts = opens(sources[name])
    assert answer == "valid"
    files = [sources[name]] if sources[name].is_file() else list(sources[name].iterdir())
    assert counts.keys() == {path.name for path in files}
    assert max(counts.values()) == 2
    assert all(count == 1 for path, count in counts.items() if path.endswith(".manifest"))


def test_of_many_files_all_can_be_read(tmp_path: Path) -> None:
    """More than are kept open at once."""
    command = b"*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$1\r\n1\r\n"
    names = [f"appendonly.aof.{number}.incr.aof" for number in range(1, 101)]
    for name in names:
        (tmp_path / name).write_bytes(command)
    lines = [f"file {name} seq {number} type i\n" for number, name in enumerate(names, 1)]
    (tmp_path / "appendonly.aof.manifest").write_text("".join(lines))
    answer, counts = opens(tmp_path)
    assert answer == "valid"
    assert counts.keys() == {*names, "appendonly.aof.manifest"}
    assert max(counts.values()) <= 3


def test_a_file_that_grew_since_the_log_was_opened_is_read_as_it_is(tmp_path: Path) -> None:
    command = b"*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$1\r\n1\r\n"
    part = tmp_path / "appendonly.aof.1.incr.aof"
    part.write_bytes(command)
    (tmp_path / "appendonly.aof.manifest").write_text(f"file {part.name} seq 1 type i\n")
    with open_aof(tmp_path) as reader:
        part.write_bytes(command * 3)
        assert reader.check() == 3
