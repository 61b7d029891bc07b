"""What a conversion writes, judged by a real server: it loads it, its digest is that of the origin, and so is its SAVE.

The origin is read by rdbtool and cut down by hand to what the declared losses leave: the server's side is not touched.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import server
from command import FIXTURES, run
from sampling import sample

from rdbtool import KeyRecord
from rdbtool._codec.filters.selection import Selection
from rdbtool._codec.filters.target import TargetFilter
from rdbtool._codec.replay_record import feed_item, feed_record
from rdbtool._codec.sinks.digest import Digest
from rdbtool._codec.sinks.fingerprint import Fingerprint
from rdbtool.core.servers import Rules
from rdbtool.dataset.loading import open_keys
from rdbtool.model import FunctionLibrary, ZSetValue
from rdbtool.reader.open.dispatch import open_any
from rdbtool.reader.rdb import open_rdb

pytestmark = pytest.mark.server

MODERN = "redis-7.0"
SERVERS = sorted(path.parent.name for path in FIXTURES.glob("*/default.rdb"))
SNAPSHOTS = sorted(path for name in SERVERS for path in (FIXTURES / name).glob("*.rdb"))
LOGS = sorted(
    path for name in SERVERS for path in (FIXTURES / name).glob("aof-*") if path.is_dir() or path.suffix == ".aof"
)
#: Without what no server holds that has not loaded a module, and what none of ours holds: a function of a release
#: candidate, and members that expire (KeyDB).
SMALL = sorted(
    path
    for path in (FIXTURES / "small").glob("*.rdb")
    if not re.search(r"module|lru-lfu|7\.0-rc-function|keydb", path.name)
)
SOURCES = [*SNAPSHOTS, *LOGS, *SMALL]

FORMS: dict[str, str] = {"rdb": "dump.rdb", "aof-dir": "appendonlydir", "resp": "data.resp"}


def name_or_word(value: Path | str) -> str:
    return value if isinstance(value, str) else name_of(value)


def name_of(path: Path) -> str:
    return f"{path.parent.name}-{path.name}"


def rules_of(source: Path) -> str | None:
    """Return the server to name: an AOF of Redis 2.8 holds scripts, whose effects are unknown without a version."""
    return "redis-2.8" if source.suffix == ".aof" and source.parent.name.startswith("redis-2.8") else None


class Origin:
    """The keys of a source that are left at ``now_ms`` when the keys of ``lost`` are gone."""

    def __init__(self, path: Path, now_ms: int, lost: set[tuple[int, bytes]]) -> None:
        with open_keys(str(path), rules=rules_of(path), now_ms=now_ms) as keys:
            selection = Selection(expired=False, now_ms=now_ms)
            self.records = [
                record for record in keys.records(selection=selection) if (record.db, record.key) not in lost
            ]
            self.functions = list(keys.functions)

    def digest(self, *, commands: bool) -> str:
        """Return DEBUG DIGEST of Redis 7.0. ZADD of a negative zero into a listpack stores a zero."""
        sink = Digest(Rules.parse(MODERN), 0)
        for record in self.records:
            feed_record(with_plain_zeros(record) if commands else record, sink)
        sink.close()
        return sink.hexdigest()


def with_plain_zeros(record: KeyRecord) -> KeyRecord:
    value = record.value
    if not isinstance(value, ZSetValue) or len(value) > 128 or any(len(member) > 64 for member, _ in value.members):
        return record
    return KeyRecord(
        db=record.db,
        key=record.key,
        value=ZSetValue([(member, score or 0.0) for member, score in value.members]),
        expire_at_ms=record.expire_at_ms,
    )


def fingerprint(records: list[KeyRecord], functions: list[FunctionLibrary], *, commands: bool) -> str:
    """Return the fingerprint of what Redis 7.0 keeps of records: servers save idle times and frequencies by policy."""
    sink = Fingerprint(signed_zeros=not commands)
    fit = TargetFilter(sink, magic="REDIS", version=10, commands=commands, allow_loss=True)
    for library in functions:
        if library.released:
            feed_item(library, fit)
    for record in records:
        feed_record(without_eviction(record), fit)
    fit.close()
    return sink.hexdigest()


def without_eviction(record: KeyRecord) -> KeyRecord:
    return KeyRecord(
        db=record.db,
        key=record.key,
        value=record.value,
        expire_at_ms=record.expire_at_ms,
        type_code=record.type_code,
        encoding=record.encoding,
    )


def convert(source: Path, destination: Path, form: str, *more: str) -> dict[str, Any]:
    rules = rules_of(source)
    named = () if rules is None else ("--rules", rules)
    done = run(
        "convert", source, destination, "--to", form, "--target", MODERN, "--allow-loss", "--json", *named, *more
    )
    assert done.code == 0, done.err
    report: dict[str, Any] = json.loads(done.out)
    return report


def lost_keys(report: dict[str, Any]) -> set[tuple[int, bytes]]:
    """Return the keys that are lost as a whole, by what the report says."""
    whole = ("a stream", "a module's value", "an array")
    return {
        (loss["db"], loss["key"].encode())
        for loss in report["losses"]
        if any(loss["what"].startswith(start) for start in whole)
    }


@pytest.mark.parametrize(
    ("source", "form"),
    sample(product(SOURCES, FORMS), 39, each=lambda row: row[0]),
    ids=lambda value: value if isinstance(value, str) else name_of(value),
)
def test_a_server_holds_the_origin(
    source: Path, form: str, tmp_path: Path, start_server: Callable[..., Any], redis_server: server.Server
) -> None:
    destination = tmp_path / FORMS[form]
    now_ms = time.time_ns() // 1_000_000
    report = convert(source, destination, form, "--now", str(now_ms))
    origin = Origin(source, now_ms, lost_keys(report))
    if form == "resp":
        redis_server.client("SELECT", 0)
        redis_server.client.pipeline(destination.read_bytes(), count_commands(destination))
        assert_holds(redis_server, origin, commands=True)
        return
    config = {"appendonly": "yes"} if form == "aof-dir" else {}
    with start_server(files={FORMS[form]: destination}, config=config) as running:
        commands = form == "aof-dir" and report["encoding"] == "commands"
        assert_holds(running, origin, commands=commands)


def assert_holds(running: server.Server, origin: Origin, *, commands: bool) -> None:
    assert running.digest() == origin.digest(commands=commands)
    with open_rdb(running.save()) as saved:
        records = list(saved)
        functions = saved.functions
    expected = fingerprint(origin.records, origin.functions, commands=commands)
    assert fingerprint(records, functions, commands=commands) == expected


def count_commands(path: Path) -> int:
    return sum(1 for _ in open_any(str(path)).commands())


OLD = ("redis-2.4", "redis-2.6", "redis-3.2", "redis-4.0", "redis-5.0", "redis-6.2", "redis-7.0", "rdb-1")


@pytest.mark.parametrize(
    ("source", "target"),
    sample(product([*SNAPSHOTS, *SMALL], OLD), 32, each=lambda row: row[0]),
    ids=lambda value: value if isinstance(value, str) else name_of(value),
)
def test_older_forms_are_accepted(source: Path, target: str, tmp_path: Path, redis_tools: server.Tools) -> None:
    """redis-check-rdb accepts them, and the grammar reads the values that the codec has written."""
    destination = tmp_path / "old.rdb"
    done = run("convert", source, destination, "--target", target, "--allow-loss", "-q")
    assert done.code == 0, done.err
    checked = subprocess.run([redis_tools.check_rdb, destination], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
    with (
        open_rdb(destination, backend="grammar") as grammar,
        open_rdb(destination, backend="codec") as codec,
    ):
        assert list(grammar.items()) == list(codec.items())


@pytest.mark.parametrize("source", [path for path in SOURCES if path.suffix == ".rdb"], ids=name_of)
def test_own_version_is_the_same_data(source: Path, tmp_path: Path) -> None:
    done = run("convert", source, tmp_path / "same.rdb", "--json")
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert report["losses"] == []
    assert total_fingerprint(source) == total_fingerprint(tmp_path / "same.rdb") == report["fingerprint"]


@pytest.mark.parametrize("source", [path for path in SOURCES if path.suffix == ".rdb"], ids=name_of)
def test_jsonl_there_and_back_is_the_identity(source: Path, tmp_path: Path) -> None:
    for origin, destination in (
        (source, "a.jsonl"),
        (tmp_path / "a.jsonl", "b.rdb"),
        (tmp_path / "b.rdb", "b.jsonl"),
    ):
        done = run("convert", origin, tmp_path / destination, "-q")
        assert done.code == 0, done.err
        assert done.err == ""
    assert total_fingerprint(source) == total_fingerprint(tmp_path / "b.rdb")
    if source not in SMALL:
        # Those have sorted sets that no server would write in this order.
        assert list(plain_lines(tmp_path / "a.jsonl")) == list(plain_lines(tmp_path / "b.jsonl"))


def plain_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines without the encodings, which are a choice of who writes."""
    for line in path.read_text().splitlines():
        found = json.loads(line)
        found.pop("encoding", None)
        yield found


def total_fingerprint(path: Path) -> str:
    sink = Fingerprint()
    with open_rdb(path) as reader:
        reader.feed(sink)
    return sink.hexdigest()


def test_a_running_server_goes_on(tmp_path: Path, start_server: Callable[..., Any]) -> None:
    """A directory that was seeded is the server's own afterwards: it writes, rewrites, and starts again."""
    convert(FIXTURES / "redis-8.0.6" / "default.rdb", tmp_path / "appendonlydir", "aof-dir")
    with start_server(files={"appendonlydir": tmp_path / "appendonlydir"}, config={"appendonly": "yes"}) as running:
        running.client("SET", "added", "1")
        running.client("BGREWRITEAOF")
        deadline = time.monotonic() + 20
        while b"aof_rewrite_in_progress:1" in running.client("INFO", "persistence"):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        digest = running.digest()
        shutil.copytree(running.directory / "appendonlydir", tmp_path / "again")
    with start_server(files={"appendonlydir": tmp_path / "again"}, config={"appendonly": "yes"}) as running:
        assert running.digest() == digest
