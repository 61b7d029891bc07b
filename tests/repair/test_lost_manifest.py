"""Files of an AOF without a usable manifest: a server would start empty and write over the base."""

from __future__ import annotations

import os
import resource
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import server
from command import run
from validate.sources import log, make_sources

from rdbtool.core.manifest import read_manifest
from rdbtool.operations.repair.run import repair
from rdbtool.operations.validate.run import validate
from rdbtool.reader.open.lost_manifest import rebuild

NAME = "appendonly.aof"
MANIFEST = f"{NAME}.manifest"


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return dict(make_sources(tmp_path_factory.mktemp("sources")))["plain-rdb-8"].read_bytes()


@pytest.fixture
def directory(snapshot: bytes, tmp_path: Path) -> Path:
    """Return the directory of a base and two increments, and no manifest."""
    path = tmp_path / "appendonlydir"
    path.mkdir()
    (path / f"{NAME}.1.base.rdb").write_bytes(snapshot)
    (path / f"{NAME}.1.incr.aof").write_bytes(log("SELECT 0", "SET one 1"))
    (path / f"{NAME}.2.incr.aof").write_bytes(log("SELECT 0", "SET two 2"))
    return path


def loaded(directory: Path) -> list[str]:
    return [entry.name for entry in read_manifest((directory / MANIFEST).read_bytes()).loaded]


@pytest.mark.parametrize("command", ["validate", "info", "dump", "digest", "inspect", "replay"])
def test_every_command_says_so(command: str, directory: Path) -> None:
    for source in (directory, directory.parent):
        ran = run(command, source)
        assert ran.code == 1
        assert "MAN013" in ran.out.decode() + ran.err
        assert "a repair of the directory rebuilds it" in " ".join((ran.out.decode() + ran.err).split())


def test_repair_makes_it(directory: Path, tmp_path: Path) -> None:
    done = repair(str(directory.parent), str(tmp_path / "out"))
    assert [(lost.code, lost.is_kept) for lost in done.lost] == [("REP012", True)]
    assert done.is_certain
    assert loaded(tmp_path / "out") == [f"{NAME}.1.base.rdb", f"{NAME}.1.incr.aof", f"{NAME}.2.incr.aof"]
    assert validate(str(tmp_path / "out")).answer == "valid"


@pytest.mark.parametrize("content", [b"", b"\0" * 88, b"file appendonly.aof.1.base.rdb seq"])
def test_a_damaged_manifest(content: bytes, directory: Path, tmp_path: Path) -> None:
    (directory / MANIFEST).write_bytes(content)
    assert run("validate", directory).code == 1
    assert repair(str(directory), str(tmp_path / "out")).is_certain
    assert len(loaded(tmp_path / "out")) == 3


def test_one_that_a_server_had_not_renamed(directory: Path, tmp_path: Path) -> None:
    """It knows which of two bases counts."""
    shutil.copy(directory / f"{NAME}.1.base.rdb", directory / f"{NAME}.2.base.rdb")
    temporary = directory / f"temp-{MANIFEST}"
    rows = ("2.base.rdb seq 2 type b", "1.base.rdb seq 1 type h", "2.incr.aof seq 2 type i")
    temporary.write_text("".join(f"file {NAME}.{row}\n" for row in rows))
    assert "MAN013" in run("dump", directory).err
    done = repair(str(directory), str(tmp_path / "out"))
    assert done.is_certain
    assert loaded(tmp_path / "out") == [f"{NAME}.2.base.rdb", f"{NAME}.2.incr.aof"]
    temporary.write_bytes(temporary.read_bytes()[:-5])
    assert repair(str(directory), str(tmp_path / "again")).is_certain
    assert loaded(tmp_path / "again") == [f"{NAME}.1.base.rdb", f"{NAME}.1.incr.aof", f"{NAME}.2.incr.aof"]


@pytest.mark.parametrize("missing", [f"{NAME}.1.base.rdb", f"{NAME}.1.incr.aof"])
def test_what_is_missing_is_loud(missing: str, directory: Path, tmp_path: Path) -> None:
    (directory / missing).unlink()
    ran = run("repair", directory, "-o", tmp_path / "out")
    assert ran.code == 1
    assert "REP011" in ran.out.decode()
    assert "not certain: " in ran.out.decode()
    assert len(loaded(tmp_path / "out")) == 2


@pytest.mark.parametrize(
    ("names", "chosen", "left_out", "is_certain"),
    [
        ("1 base, 1 incr, 3 incr", "1 base, 1 incr, 3 incr", 0, False),
        ("3 base, 2 incr, 3 incr", "3 base, 3 incr", 1, True),
        ("3 base, 5 incr", "3 base, 5 incr", 0, False),
        # A rewrite ended, and the server before it wrote the manifest: the older files hold all.
        ("1 base, 2 base, 1 incr, 2 incr", "1 base, 1 incr, 2 incr", 1, True),
        ("1 base, 2 base, 2 incr", "2 base, 2 incr", 1, True),
        ("1 base, 2 base, 2 incr, 3 incr", "2 base, 2 incr, 3 incr", 1, False),
        ("10 base, 9 incr, 10 incr, 11 incr", "10 base, 10 incr, 11 incr", 1, True),
        ("old, 1 incr", "old, 1 incr", 0, True),
        ("1 incr", "1 incr", 0, False),
    ],
)
def test_what_numbers_tell(names: str, chosen: str, left_out: int, is_certain: bool) -> None:
    def full(rows: str) -> list[str]:
        endings = {"base": ".base.rdb", "incr": ".incr.aof"}
        return ["x" if row == "old" else f"x.{row[:-5]}{endings[row[-4:]]}" for row in rows.split(", ")]

    found = rebuild("x", full(names))
    assert [entry.name for entry in found.entries] == full(chosen)
    assert len(found.left_out) == left_out
    assert (not found.doubts and not found.missing) == is_certain


def test_files_of_two_logs(directory: Path) -> None:
    (directory / "other.aof.1.incr.aof").write_bytes(b"")
    ran = run("validate", directory)
    assert ran.code == 3
    assert "2 AOFs" in " ".join(ran.out.decode().split())


@pytest.mark.parametrize("command", ["validate", "info", "dump", "digest", "inspect", "replay", "repair"])
def test_a_part_that_never_ends_is_refused(command: str, directory: Path, tmp_path: Path) -> None:
    (directory / f"{NAME}.2.incr.aof").unlink()
    (directory / f"{NAME}.2.incr.aof").symlink_to("/dev/zero")
    (directory / MANIFEST).write_text(f"file {NAME}.1.base.rdb seq 1 type b\nfile {NAME}.2.incr.aof seq 2 type i\n")
    ran = run(command, directory, *(["-o", tmp_path / "out"] if command == "repair" else []))
    assert ran.code == 3
    assert "it is a device, a link to /dev/zero" in " ".join((ran.out.decode() + ran.err).split())


def test_more_files_than_descriptors(directory: Path, tmp_path: Path) -> None:
    count = 300
    for index in range(3, count):
        (directory / f"{NAME}.{index}.incr.aof").write_bytes(log("SELECT 0", f"SET k{index} 1"))
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (128, limits[1]))
    try:
        done = repair(str(directory), str(tmp_path / "out"))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert done.is_certain
    assert len(loaded(tmp_path / "out")) == count


def test_time_grows_with_the_number_of_files(directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory is not looked through for each of the files that are written into it."""
    listed: list[Path] = []
    scan = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path=".": (listed.append(Path(path)), scan(path))[1])
    repair(str(directory), str(tmp_path / "few"))
    few, listed = len(listed), []
    for index in range(3, 60):
        (directory / f"{NAME}.{index}.incr.aof").write_bytes(log("SELECT 0", f"SET k{index} 1"))
    repair(str(directory), str(tmp_path / "many"))
    assert len(listed) <= few


@pytest.mark.server
def test_a_server_starts_with_it(
    start_server: Callable[..., AbstractContextManager[server.Server]], directory: Path, tmp_path: Path
) -> None:
    done = repair(str(directory), str(tmp_path / "out"))
    config = {"appendonly": "yes"}
    with start_server(files={"appendonlydir": tmp_path / "out"}, config=config) as running:
        assert running.digest() == done.digest
    with start_server(files={"appendonlydir": directory}, config=config) as running:
        assert running.client("DBSIZE") == 0
