"""Outputs and logs met by a fault at every system call: the old data or the new, whole, and 0 only for the new."""

import os
import shutil
import sys
from pathlib import Path

import pytest
from crash.faults import Point, crash_points, find_strace, inject
from crash.work import NEW, run
from required import skip_without
from sampling import sample

from rdbtool.core.manifest import read_manifest

WORK = [sys.executable, "-S", "-E", "-B", str(Path(__file__).with_name("work.py"))]

OLD_LOG = {
    "appendonly.aof.1.base.rdb": b"old base",
    "appendonly.aof.1.incr.aof": b"old commands",
    "appendonly.aof.manifest": b"file appendonly.aof.1.base.rdb seq 1 type b\n"
    b"file appendonly.aof.1.incr.aof seq 1 type i\n",
}

#: CRASH_POINTS=all tries every scenario with every fault; otherwise some of them, other ones each day.
EVERYWHERE = os.environ.get("CRASH_POINTS") == "all"

#: What is there before, and has to be there afterwards where nothing new is: files by name.
BEFORE: dict[str, dict[str, bytes]] = {
    "new-file": {},
    "replaced-file": {"out": b"old"},
    "replaced-single": {"out": b"old"},
    "new-directory": {},
    "new-log": {"log/others": b"theirs"},
    "replaced-log": {f"log/{name}": data for name, data in OLD_LOG.items()} | {"log/others": b"theirs"},
    "kept-log": {f"log/{name}": data for name, data in OLD_LOG.items()},
}


@pytest.fixture(scope="session", autouse=True)
def strace() -> None:
    if missing := find_strace():
        skip_without(f"without faults: {missing}")


class Tree:
    """A directory that a scenario works in."""

    def __init__(self, scenario: str, place: Path) -> None:
        self.scenario = scenario
        self.place = place
        self.argv = [*WORK, scenario, str(place)]

    def set_up(self) -> None:
        shutil.rmtree(self.place, ignore_errors=True)
        self.place.mkdir()
        for name, data in BEFORE[self.scenario].items():
            path = self.place / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data)

    def files(self) -> dict[str, bytes]:
        """What is there now: files by name, directories with a slash behind it."""
        return {
            f"{path.relative_to(self.place)}{'/' * path.is_dir()}": b"" if path.is_dir() else path.read_bytes()
            for path in self.place.rglob("*")
        }

    def examine(self) -> tuple[str, set[str]]:
        """Return ``old`` or ``new``, whichever is there and whole, and the names that belong to neither."""
        files = self.files()
        before = BEFORE[self.scenario]
        if "out" in files and files["out"] == NEW:
            return "new", set(files) - {"out"}
        others = {name for name in before if name.endswith("/others")}
        assert others <= set(files)
        kept = {name for name in files if name.startswith("backup/") and ".rdbtool." not in name}
        manifest = files.get("log/appendonly.aof.manifest")
        if manifest == before.get("log/appendonly.aof.manifest"):
            assert {name: files.get(name) for name in before} == before
            directory = {"log/"} if before and self.scenario.endswith("log") else set()
            # A backup that was complete when the process was killed is one.
            return "old", set(files) - set(before) - directory - kept
        entries = read_manifest(manifest).entries
        assert [files[f"log/{entry.name}"] for entry in entries] == [NEW, b""]
        named = {f"log/{entry.name}" for entry in entries} | {"log/appendonly.aof.manifest", "log/"}
        return "new", set(files) - named - others - kept

    def backups(self) -> list[dict[str, bytes]]:
        return [
            {path.name: path.read_bytes() for path in directory.iterdir()}
            for directory in (self.place / "backup").glob("[!.]*")
        ]


@pytest.fixture
def tree(scenario: str, tmp_path: Path) -> Tree:
    made = Tree(scenario, tmp_path / "place")
    made.set_up()
    return made


def points_of(tree: Tree) -> list[Point]:
    points = crash_points(tree.argv, within=tree.place)
    assert tree.examine() == ("new", set())
    return points


def check_next_run(tree: Tree, point: Point) -> None:
    """The next run works or, where the new data are there and were not to be replaced, refuses; nothing is left."""
    code = run(tree.scenario, tree.place)
    assert code in ({0, 3} if tree.scenario.startswith("new") else {0}), point
    assert tree.examine() == ("new", set()), point


@pytest.mark.parametrize("scenario", BEFORE if EVERYWHERE else sample(BEFORE, 3))
def test_killed_anywhere(tree):
    states = set()
    for point in points_of(tree):
        tree.set_up()
        assert inject(tree.argv, point, "KILL").code == -9, point
        state, _ = tree.examine()
        states.add(state)
        if tree.scenario == "kept-log" and state == "new":
            assert OLD_LOG in tree.backups(), point
        check_next_run(tree, point)
    assert states == {"old", "new"}


def takes_space(point: Point) -> bool:
    return "O_CREAT" in point.line or point.call in {"write", "fsync", "link", "rename", "mkdir"}


FAULTS = [*((name, "EIO") for name in BEFORE), ("new-log", "ENOSPC"), ("replaced-log", "ENOSPC")]


@pytest.mark.parametrize(("scenario", "fault"), FAULTS if EVERYWHERE else sample(FAULTS, 3, each=lambda row: row[1]))
def test_failing_anywhere(tree, fault):
    codes = set()
    for point in points_of(tree):
        if fault == "ENOSPC" and not takes_space(point):
            continue
        tree.set_up()
        outcome = inject(tree.argv, point, fault)
        codes.add(outcome.code)
        state, strays = tree.examine()
        assert outcome.code in {0, 3}, (point, outcome)
        if outcome.code == 0:
            assert (state, strays) == ("new", set()), point
        else:
            assert outcome.err.count("\n") == 1, outcome
        if state == "old":
            assert not strays, (point, strays)
            assert not tree.backups(), point
        elif strays:
            # Nothing else than what could not be removed, or must not be as long as the new names are not on the disk.
            assert point.call in {"unlink", "unlinkat", "rmdir", "fsync"}, (point, strays)
            check_next_run(tree, point)
    assert codes >= {3}


ENDED = ["new-file", "replaced-single", "new-directory", "replaced-log"]


@pytest.mark.parametrize("scenario", ENDED if EVERYWHERE else sample(ENDED, 2))
def test_asked_to_end_anywhere(tree):
    codes = set()
    for point in points_of(tree):
        tree.set_up()
        outcome = inject(tree.argv, point, "TERM")
        codes.add(outcome.code)
        state, strays = tree.examine()
        assert outcome.code in {0, 128 + 15}, (point, outcome)
        assert state == "new" or outcome.code, point
        assert not strays, (point, strays)
    assert 128 + 15 in codes


def test_the_harness_finds_what_is_broken(tmp_path):
    """Whoever writes over the old data leaves neither those nor the new ones."""
    place = tmp_path / "place"
    place.mkdir()
    argv = [*WORK, "careless", str(place)]
    (place / "out").write_bytes(b"old")
    points = crash_points(argv, within=place)
    assert [point.call for point in points] == ["openat", "write", "write", "close"]
    found = []
    for point in points:
        (place / "out").write_bytes(b"old")
        assert inject(argv, point, "KILL").code == -9
        found.append((place / "out").read_bytes())
    assert found == [b"old", b"", NEW[:6000], NEW]
