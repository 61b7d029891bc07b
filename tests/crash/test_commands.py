"""Commands that replace what is there, met by a fault at every system call: the old data or the new, whole.

The new data are those of a run without faults, byte for byte: commands write the same from the same. That those
files are a whole data set, and the right one, is judged by reading them, and by a real server that starts on them.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from command import run
from crash.faults import Point, crash_points, find_strace, inject
from required import skip_without
from sampling import sample
from server import run_server

from rdbtool._codec.sinks.digest import Digest
from rdbtool._codec.sinks.fingerprint import Fingerprint
from rdbtool.core.manifest import read_manifest
from rdbtool.core.servers import Rules
from rdbtool.dataset.loading import open_keys

#: The real command line. Only the look at other processes is left out: how many there are would change the count of
#: the calls, and it reads but never writes.
COMMAND = [
    sys.executable,
    "-c",
    (
        "from rdbtool._entry import main; from rdbtool.writer.exclusive import guard\n"
        "guard.find_holders = lambda *_: []; main()"
    ),
]

NOW = "1767225600000"
LATER = "4102444800000"
LIBRARY = "#!lua name=lib\nredis.register_function('f', function() return 1 end)"
TARGET = ("--target", "redis-7.0")
MANIFEST = "appendonly.aof.manifest"


def commands(*lines: str | tuple[str, ...]) -> bytes:
    """Commands as a log has them; a string is split into words."""
    rows = [line.split() if isinstance(line, str) else line for line in lines]
    return b"".join(
        b"*%d\r\n" % len(row) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word.encode()) for word in row) for row in rows
    )


FIRST = commands(
    ("FUNCTION", "LOAD", LIBRARY),
    "SELECT 0",
    "SET text before",
    "RPUSH list a b c",
    "SADD set 1 2",
    "ZADD zset 1.5 m",
    "HSET hash f v",
    "XADD stream 1-1 f v",
)
MORE = commands("SELECT 3", "SET later v", f"PEXPIREAT later {LATER}", "SELECT 0", "SET text after", "INCR n", "INCR n")
OTHER = commands("SELECT 1", "SET other data", "SADD others x y z", f"PEXPIREAT others {LATER}")


class Scenario(NamedTuple):
    """``prepare`` fills a directory, ``words`` are what is run on it; ``result`` is the file or the directory."""

    prepare: Callable[[Path], None]
    words: Callable[[Path], list[str | Path]]
    result: str


def well(*words: str | Path) -> None:
    done = run(*words)
    assert done.code == 0, done.err


def make_parts(place: Path) -> None:
    (place.parent / "first.aof").write_bytes(FIRST)
    well("convert", place.parent / "first.aof", place / "log", "--to", "aof-dir", "--preamble", *TARGET, "-q")
    (place / "log" / "appendonly.aof.1.incr.aof").write_bytes(MORE)


def make_single(place: Path) -> None:
    (place / "appendonly.aof").write_bytes(FIRST + MORE)


def make_source(place: Path) -> Path:
    """What is converted lies outside of the place where faults are looked for."""
    source = place.parent / "source.aof"
    source.write_bytes(FIRST + MORE)
    return source


def make_rdb(place: Path) -> None:
    (place.parent / "other.aof").write_bytes(OTHER)
    make_source(place)
    well("convert", place.parent / "other.aof", place / "dump.rdb", *TARGET, "-q")


def make_other_parts(place: Path) -> None:
    (place.parent / "other.aof").write_bytes(OTHER)
    make_source(place)
    well("convert", place.parent / "other.aof", place / "log", "--to", "aof-dir", *TARGET, "-q")


def make_other_log(place: Path) -> None:
    make_source(place)
    (place / "appendonly.aof").write_bytes(OTHER)


def make_lines(place: Path) -> None:
    well("convert", make_source(place), place.parent / "source.jsonl", "--force", "-q")


def rewrite(name: str, *more: str) -> Callable[[Path], list[str | Path]]:
    return lambda place: [
        "aof-rewrite",
        "--in-place",
        place / name,
        "--now",
        NOW,
        *(str(place / word) if word == "backup" else word for word in more),
    ]


def convert(source: str, name: str, *more: str) -> Callable[[Path], list[str | Path]]:
    return lambda place: ["convert", place.parent / source, place / name, "--now", NOW, *TARGET, *more]


#: CRASH_POINTS=all tries every fault at every call in every scenario: it takes minutes. Otherwise two of them, other
#: ones each day, are killed at a choice of the calls after which files differ, and each fault meets a choice of the
#: calls of another one, with each kind of call among them.
EVERYWHERE = os.environ.get("CRASH_POINTS") == "all"

SCENARIOS = {
    "parts": Scenario(make_parts, rewrite("log"), "log"),
    "kept-parts": Scenario(make_parts, rewrite("log", "--backup", "backup"), "log"),
    "single": Scenario(make_single, rewrite("appendonly.aof"), "appendonly.aof"),
    "onto-rdb": Scenario(make_rdb, convert("source.aof", "dump.rdb", "--force"), "dump.rdb"),
    "onto-parts": Scenario(make_other_parts, convert("source.aof", "log", "--to", "aof-dir", "--force"), "log"),
    "onto-log": Scenario(make_other_log, convert("source.aof", "appendonly.aof", "--force"), "appendonly.aof"),
    "from-lines": Scenario(make_lines, convert("source.jsonl", "dump.rdb", "--force"), "dump.rdb"),
}


@pytest.fixture(scope="session", autouse=True)
def strace() -> None:
    if missing := find_strace():
        skip_without(f"without faults: {missing}")


def read(place: Path) -> dict[str, bytes]:
    """What is in a directory: files by name, directories with a slash behind it."""
    return {
        f"{path.relative_to(place)}{'/' * path.is_dir()}": b"" if path.is_dir() else path.read_bytes()
        for path in place.rglob("*")
    }


def fingerprint(path: Path) -> str:
    sink = Fingerprint()
    with open_keys(str(path), now_ms=int(NOW)) as keys:
        keys.feed(sink)
    return sink.hexdigest()


def digest(path: Path) -> str:
    sink = Digest(Rules.parse("redis-7.0"), 0)
    with open_keys(str(path), now_ms=int(NOW)) as keys:
        keys.feed(sink)
    sink.close()
    return sink.hexdigest()


class Tree:
    """A directory that a scenario works in, and what it holds before and after a run without faults."""

    def __init__(self, name: str, scenario: Scenario, place: Path) -> None:
        self.name = name
        self.scenario = scenario
        self.place = place
        self.result = place / scenario.result
        self.words = scenario.words(place)
        self.argv = [*COMMAND, *self.words]
        place.mkdir()
        scenario.prepare(place)
        self.before = read(place)
        self.is_there = self.result.exists()
        self.old_data = fingerprint(self.result) if self.is_there else None
        # What is not compiled yet would be, sooner or later, by somebody: those calls would be missing then.
        subprocess.run(self.argv, check=True, capture_output=True)
        self.set_up()
        self.points = crash_points(self.argv, within=place)
        self.after = self._without_backups(read(place))
        self.new_data = fingerprint(self.result)
        self.check_whole()
        assert self.after != self.before

    def set_up(self) -> None:
        shutil.rmtree(self.place)
        self.place.mkdir()
        for name, data in sorted(self.before.items()):
            if name.endswith("/"):
                (self.place / name).mkdir()
            else:
                (self.place / name).write_bytes(data)

    def examine(self) -> tuple[str, set[str]]:
        """Return ``old`` or ``new``, whichever is there byte for byte, and the names that belong to neither."""
        files = read(self.place)
        for backup in self.backups():
            assert {f"log/{name}": data for name, data in backup.items()}.items() <= self.before.items()
            assert {f"log/{name}" for name in backup} | {"log/"} == set(self.before)
        here = self._without_backups(files)
        commit = f"{self.scenario.result}/{MANIFEST}" if self.result.is_dir() else self.scenario.result
        state, wanted = ("new", self.after) if here.get(commit) == self.after[commit] else ("old", self.before)
        assert {name: here.get(name) for name in wanted} == wanted, state
        return state, set(here) - set(wanted)

    def check_whole(self) -> None:
        """What a finished run leaves: files that the manifest names and no others, with the new data."""
        here = self._without_backups(read(self.place))
        if self.result.is_dir():
            entries = read_manifest((self.result / MANIFEST).read_bytes(), self.result / MANIFEST).entries
            names = {"log/", f"log/{MANIFEST}", *(f"log/{entry.name}" for entry in entries)}
        else:
            names = {self.scenario.result}
        assert set(here) == names
        assert fingerprint(self.result) == self.new_data

    def backups(self) -> list[dict[str, bytes]]:
        return [read(directory) for directory in (self.place / "backup").glob("[!.]*")]

    @staticmethod
    def _without_backups(files: dict[str, bytes]) -> dict[str, bytes]:
        return {
            name: data for name, data in files.items() if not name.startswith("backup/") or name.startswith("backup/.")
        }


@pytest.fixture
def tree(scenario: str, tmp_path: Path) -> Tree:
    return Tree(scenario, SCENARIOS[scenario], tmp_path / "place")


def changes_something(point: Point) -> bool:
    """Whether files look otherwise behind this call: killed before any other is killed before the next that does."""
    return "O_CREAT" in point.line or point.call not in {"openat", "close", "flock", "fsync", "fchmod", "fchown"}


def kill_points(tree: Tree) -> list[Point]:
    if EVERYWHERE:
        return tree.points
    points = [point for point in tree.points[:-1] if changes_something(point)] + tree.points[-1:]
    if tree.name == "kept-parts":
        # The others are those of the run that keeps nothing.
        last = max(at for at, point in enumerate(points) if "/backup" in point.line)
        renamed = next(at for at, point in enumerate(points) if point.call == "rename" and MANIFEST in point.line)
        points = [point for point in points[: last + 1] if "/backup" in point.line] + points[renamed : renamed + 2]
    # The last one finds the new data.
    return [*some(points[:-1], 12), points[-1]]


def some(points: list[Point], count: int) -> list[Point]:
    """Return a day's choice of calls, of each kind at least one."""
    return points if EVERYWHERE else sample(points, count, each=lambda point: point.call)


@pytest.mark.parametrize("scenario", SCENARIOS if EVERYWHERE else sample(SCENARIOS, 2))
def test_killed_anywhere(tree):
    states = set()
    for point in kill_points(tree):
        tree.set_up()
        assert inject(tree.argv, point, "KILL").code == -9, point
        state, _ = tree.examine()
        states.add(state)
        if tree.is_there or state == "new":
            assert fingerprint(tree.result) == (tree.new_data if state == "new" else tree.old_data), point
        if tree.name == "kept-parts" and state == "new":
            assert tree.backups(), point
        # The next run finds either whole, and cleans up.
        well(*tree.words)
        tree.check_whole()
    assert states == {"old", "new"}


FAULTS = [
    *((name, "EIO") for name in ("kept-parts", "single", "onto-rdb")),
    *((name, "ENOSPC") for name in ("parts", "onto-parts", "onto-log", "from-lines")),
]


def takes_space(point: Point) -> bool:
    return "O_CREAT" in point.line or point.call in {"write", "fsync", "link", "rename", "mkdir"}


@pytest.mark.parametrize(
    ("scenario", "fault"),
    [(name, fault) for name in SCENARIOS for fault in ("EIO", "ENOSPC")]
    if EVERYWHERE
    else sample(FAULTS, 2, each=lambda row: row[1]),
)
def test_failing_anywhere(tree, fault):
    codes = set()
    for point in some([point for point in tree.points if fault != "ENOSPC" or EVERYWHERE or takes_space(point)], 20):
        tree.set_up()
        outcome = inject(tree.argv, point, fault)
        codes.add(outcome.code)
        state, strays = tree.examine()
        if ".rdbtool.lock" in point.line and point.call in {"flock", "unlink"}:
            # Whoever cannot lock it must not remove what another may lock, and there is no other harm in it.
            strays.discard(next((name for name in strays if name.endswith(".rdbtool.lock")), ""))
        assert outcome.code in {0, 3}, (point, outcome)
        if outcome.code == 0:
            assert (state, strays) == ("new", set()), point
        else:
            assert outcome.err.startswith("rdbtool: "), outcome
            assert outcome.err.count("\n") == 1, outcome
        if state == "old":
            assert not strays, (point, strays)
            assert not tree.backups(), point
        elif strays:
            # Nothing else than what could not be removed, or must not be as long as the new names are not on the disk.
            assert point.call in {"unlink", "unlinkat", "rmdir", "fsync"}, (point, strays)
            well(*tree.words)
            tree.check_whole()
    assert codes >= {3}


STARTED = ["parts", "onto-rdb", "onto-parts", "onto-log"]


@pytest.mark.server
@pytest.mark.parametrize("scenario", STARTED if EVERYWHERE else sample(STARTED, 2))
def test_a_server_starts_on_what_a_kill_left(tree, redis_tools):
    """Before the commit, directly behind it, and while the old files go."""
    points = [point for point in tree.points if point.call in {"link", "rename", "unlink"}]
    renamed = next(at for at, point in enumerate(points) if point.call == "rename")
    chosen = points[max(renamed - 1, 0) : renamed + 3]
    wanted = {"new": digest(tree.result)}
    tree.set_up()
    wanted["old"] = digest(tree.result)
    name = "appendonlydir" if tree.result.is_dir() else tree.scenario.result
    for point in chosen:
        tree.set_up()
        assert inject(tree.argv, point, "KILL").code == -9
        state, _ = tree.examine()
        config = {} if name == "dump.rdb" else {"appendonly": "yes"}
        with run_server(redis_tools, files={name: tree.result}, config=config) as running:
            assert running.digest() == wanted[state], point
            libraries = json.dumps(str(running.client("FUNCTION", "LIST")))
            assert ("lib" in libraries) == (state == "new" or tree.name == "parts"), point
