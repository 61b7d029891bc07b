"""``rdbtool diff`` as people use it: what it prints, what it compares, and its exit codes."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from command import COMMAND, FIXTURES, NOW, ROOT, SERVERS, check_golden, environment, run
from diff import data
from required import skip_without

from rdbtool.core.errors import InputError
from rdbtool.core.location import Span
from rdbtool.core.servers import Target
from rdbtool.model import (
    FunctionLibrary,
    HashValue,
    KeyRecord,
    ListValue,
    PendingEntry,
    SetValue,
    StreamConsumer,
    StreamEntry,
    StreamGroup,
    StreamID,
    StreamValue,
    StringValue,
    Value,
    ZSetValue,
)
from rdbtool.operations.diff.compare import open_diff

EIGHT = Target.parse("redis-8.0")
SEVEN = FIXTURES / "redis-7.0.15" / "default.rdb"
OLD = FIXTURES / "redis-2.8.24" / "default.rdb"
LATER = data.LATER


def key(name: bytes, value: Value, db: int = 0, expire_at_ms: int | None = None) -> KeyRecord:
    return KeyRecord(db=db, key=name, value=value, expire_at_ms=expire_at_ms)


def stream(ids: list[int], **more) -> StreamValue:
    entries = [StreamEntry(StreamID(number, 0), [(b"f", b"%d" % number)]) for number in ids]
    counters = {"first_id": StreamID(ids[0], 0), "max_deleted_id": StreamID(0, 0), "entries_added": len(ids)}
    return StreamValue(entries, last_id=StreamID(ids[-1], 0), **{**counters, **more})


def library(text: str) -> FunctionLibrary:
    return FunctionLibrary(text.encode(), released=True, span=Span(-1, -1))


def group(pending: list[PendingEntry], *names: bytes) -> StreamGroup:
    return StreamGroup(b"g", StreamID(2, 0), 2, [StreamConsumer(name, 1, 1) for name in names], pending)


def pending(number: int, name: bytes, times: int = 1) -> PendingEntry:
    return PendingEntry(StreamID(number, 0), name, data.EARLIER, times)


FIRST = [
    key(b"same", StringValue(b"v")),
    key(b"gone", ListValue([b"x", b"y"])),
    key(b"text", StringValue(b"one"), expire_at_ms=LATER),
    key(b"long", StringValue(b"l" * 100 + b"one" + b"l" * 100)),
    key(b"type", StringValue(b"1")),
    key(b"ttl", StringValue(b"1"), expire_at_ms=LATER),
    key(b"hash", HashValue([(b"a", b"1"), (b"b", b"2", LATER), (b"c", b"3"), (b"\x00\xff", b"")])),
    key(b"set", SetValue([b"a", b"b"])),
    key(b"zset", ZSetValue([(b"a", 1.0), (b"b", 0.0), (b"c", 2.5)])),
    key(b"list", ListValue([b"a", b"b", b"c", b"d"])),
    key(b"many", SetValue([b"%d" % number for number in range(30)])),
    key(b"stream", stream([1, 2], groups=[group([pending(1, b"c")], b"c")]), db=1),
]
SECOND = [
    key(b"same", StringValue(b"v")),
    key(b"new\x1b[31m", HashValue([(b"f", b"v")]), db=2),
    key(b"text", StringValue(b"two")),
    key(b"long", StringValue(b"l" * 100 + b"two" + b"l" * 100)),
    key(b"type", SetValue([b"1"])),
    key(b"ttl", StringValue(b"1"), expire_at_ms=LATER + 1500),
    key(b"hash", HashValue([(b"a", b"0"), (b"b", b"2", LATER + 1000), (b"d", b"4"), (b"\x00\xff", b"")])),
    key(b"set", SetValue([b"b", b"c"])),
    key(b"zset", ZSetValue([(b"a", 1.5), (b"b", -0.0), (b"d", float("inf"))])),
    key(b"list", ListValue([b"a", b"B", b"c", b"d", b"e"])),
    key(b"many", SetValue([b"x%d" % number for number in range(30)])),
    key(b"stream", stream([1, 2, 3], groups=[group([pending(1, b"d", 2), pending(2, b"d")], b"c", b"d")]), db=1),
]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    one = library("#!lua name=one\nredis.register_function('f', function() return 1 end)")
    two = library("#!lua name=one\nredis.register_function('f', function() return 2 end)")
    (tmp_path / "a.rdb").write_bytes(data.to_rdb(FIRST, EIGHT, [one]))
    (tmp_path / "b.rdb").write_bytes(data.to_rdb(SECOND, EIGHT, [two]))
    return tmp_path


def raw_diff(*words: str | Path, cwd: Path, code: int = 1, **env: str) -> bytes:
    done = run("diff", *words, "--no-progress", cwd=cwd, **env)
    assert (done.code, done.err) == (code, "")
    return done.out


def diff(*words: str | Path, cwd: Path, code: int = 1) -> str:
    return raw_diff(*words, cwd=cwd, code=code).decode()


# What it prints.


@pytest.mark.parametrize("name", ["text", "brief", "json"])
def test_transcripts(place, name):
    words = [] if name == "text" else [f"--{name}"]
    check_golden(f"diff/{name}.txt", diff("a.rdb", "b.rdb", *words, cwd=place))


def test_commands(place):
    lines = raw_diff("a.rdb", "b.rdb", "--as-commands", cwd=place).split(b"\r\n")
    check_golden("diff/commands.txt", "\n".join(line.decode("ascii", "backslashreplace") for line in lines))


def test_json_is_json(place):
    found = json.loads(diff("a.rdb", "b.rdb", "--json", cwd=place))
    assert found["schema"] == 1
    assert found["summary"] == {
        "same": False, "complete": True, "added": 1, "removed": 1, "changed": 10, "unchanged": 1, "items": 1,
    }  # fmt: skip
    assert [row["change"] for row in found["keys"]] == ["removed", *["changed"] * 10, "added"]
    assert len(next(row for row in found["keys"] if row["key"] == "many")["details"]) == 60
    same = json.loads(diff("a.rdb", "a.rdb", "--json", cwd=place, code=0))
    assert (same["keys"], same["items"], same["summary"]["same"]) == ([], [], True)


def test_no_difference(place):
    assert diff("a.rdb", "a.rdb", cwd=place, code=0) == "no difference: 12 keys in both\n"
    for words in ("--brief", "--as-commands"):
        assert diff("a.rdb", "a.rdb", words, cwd=place, code=0) == ""


# What it compares.


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        (["-k", "^t"], {"text", "type", "ttl"}),
        (["-n", "1"], {"stream"}),
        (["-N", "0"], {"stream", "new\x1b[31m"}),
        (["--glob", "??"], set()),
        # Whichever of the two has the type.
        (["-t", "set"], {"set", "many", "type"}),
        (["-t", "string", "-T", "set"], {"text", "long", "type", "ttl"}),
        (["--expired", "--now", str(LATER + 10)], {"text", "ttl"}),
        (["-k", "^t", "--ignore-ttl"], {"text", "type"}),
        (["-k", "^t", "--ttl-tolerance", "1s"], {"text", "type", "ttl"}),
        (["-k", "^t", "--ttl-tolerance", "1500ms"], {"text", "type"}),
        (["--limit", "0"], set()),
    ],
)
def test_filters(place, words, keys):
    found = json.loads(diff("a.rdb", "b.rdb", "--json", "--no-functions", *words, cwd=place, code=int(bool(keys))))
    assert {row["key"] for row in found["keys"]} == keys


def test_limit(place):
    found = json.loads(diff("a.rdb", "b.rdb", "--json", "--limit", "3", cwd=place))
    assert (len(found["keys"]), found["summary"]["complete"]) == (3, False)
    assert diff("a.rdb", "b.rdb", "--limit", "1", "--no-functions", cwd=place).endswith(
        "the first differences: 0 added, 1 removed, 0 changed\n"
    )


def test_expiries_of_fields(place):
    def details(*words: str) -> list[str]:
        found = json.loads(diff("a.rdb", "b.rdb", "--json", "-k", "^hash$", *words, cwd=place))
        return sorted(row["what"] for row in found["keys"][0]["details"])

    assert details() == ["field", "field", "field", "field_expires"]
    assert details("--ttl-tolerance", "1s") == details("--ignore-ttl") == ["field", "field", "field"]


def test_functions_are_part_of_the_data_unless_keys_are_selected(place):
    assert '~ function "one" (68 bytes)' in diff("a.rdb", "b.rdb", "--brief", cwd=place)
    assert "function" not in diff("a.rdb", "b.rdb", "--brief", "-k", "t", cwd=place)
    assert "function" in diff("a.rdb", "b.rdb", "--brief", "-k", "t", "--functions", cwd=place)
    assert "function" not in diff("a.rdb", "b.rdb", "--brief", "--no-functions", cwd=place)


def test_aux_fields_and_encodings_when_asked_for(tmp_path):
    seven, eight = str(SEVEN), str(FIXTURES / "redis-7.4.1" / "default.rdb")
    assert '~ aux "redis-ver": "7.0.15" -> "7.4.1"' in diff(seven, eight, "--aux", cwd=tmp_path)
    assert "aux" not in diff(seven, eight, cwd=tmp_path)
    plain = str(FIXTURES / "redis-7.0.15" / "nolzf.rdb")
    assert diff(seven, plain, "--no-functions", "-t", "string", cwd=tmp_path, code=0).startswith("no difference")
    assert "    ~ encoding: lzf -> raw" in diff(seven, plain, "-t", "string", "--encodings", cwd=tmp_path)


# Any two sources.


LOGS = sorted(path for path in FIXTURES.glob("*/aof-*") if path.suffix != ".gz")


@pytest.mark.parametrize("source", LOGS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_a_log_and_what_it_leads_to(tmp_path, source):
    rules = ("--rules", "redis-2.8") if source.parent.name == "redis-2.8.24" else ()
    done = run("convert", source, tmp_path / "state.rdb", "--no-progress", "--now", NOW, *rules)
    assert done.code == 0, done.err
    assert diff(source, "state.rdb", "--now", NOW, *rules, cwd=tmp_path, code=0).startswith("no difference")
    assert diff("state.rdb", source, "--now", NOW, *rules, "--encodings", cwd=tmp_path, code=0).startswith(
        "no difference"
    )


@pytest.mark.parametrize("server", SERVERS)
def test_lines_of_json(tmp_path, server):
    source = FIXTURES / server / "default.rdb"
    assert run("convert", source, tmp_path / "dump.jsonl", "--no-progress").code == 0
    assert diff(source, "dump.jsonl", "--encodings", "--aux", cwd=tmp_path, code=0).startswith("no difference")


def test_standard_input_and_compression(place):
    rdb = (place / "a.rdb").read_bytes()
    for text in (rdb, gzip.compress(rdb)):
        for words in (["-", "b.rdb"], ["b.rdb", "-"]):
            done = run("diff", *words, "--no-progress", stdin=text, cwd=place)
            assert (done.code, done.err) == (1, "")
            assert b'db0 "gone" (list, 2 elements)' in done.out
    (place / "a.rdb.gz").write_bytes(gzip.compress(rdb))
    assert diff("a.rdb", "a.rdb.gz", cwd=place, code=0).startswith("no difference")
    log = FIXTURES / "redis-6.2.16" / "aof-preamble.aof"
    done = run("diff", "-", log, stdin=log.read_bytes())
    assert (done.code, done.err) == (0, "")


def test_pipes_of_a_shell(place):
    if shutil.which("bash") is None:
        skip_without("bash is not installed, which has process substitution")
    line = 'exec "$@" <(cat a.rdb) <(cat b.rdb) --brief'
    done = subprocess.run(
        ["bash", "-c", line, "bash", *COMMAND, "diff"],
        capture_output=True, cwd=place, env=environment(PYTHONPATH=str(ROOT)), timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (1, b"")
    assert done.stdout.decode() == diff("a.rdb", "b.rdb", "--brief", cwd=place)


# What it answers.


def test_exit_codes(place):
    cut = place / "cut.rdb"
    cut.write_bytes((place / "a.rdb").read_bytes()[:-12])
    flipped = bytearray((place / "a.rdb").read_bytes())
    flipped[-40] ^= 1
    (place / "flipped.rdb").write_bytes(flipped)
    (place / "empty.rdb").write_bytes(b"")
    (place / "other.txt").write_bytes(b"hello")
    (place / "newer.rdb").write_bytes(b"REDIS0099\xff" + bytes(8))
    (place / "cut.aof").write_bytes(b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$1")
    (place / "odd.aof").write_bytes(b"*2\r\n$6\r\nNOSUCH\r\n$1\r\n0\r\n")
    for name, code in {
        "cut.rdb": 3, "flipped.rdb": 3, "missing.rdb": 3, "cut.aof": 3, "odd.aof": 3,
        "empty.rdb": 4, "other.txt": 4, "newer.rdb": 4,
    }.items():  # fmt: skip
        for words in ((name, "b.rdb"), ("b.rdb", name)):
            done = run("diff", *words, "--json", "--no-progress", cwd=place)
            assert (done.code, done.out) == (code, b""), (words, done.err)
            assert name in done.err
            assert "bug" not in done.err


@pytest.mark.parametrize(
    "words",
    [
        ("-", "-"),
        ("a.rdb",),
        ("a.rdb", "b.rdb", "--brief", "--json"),
        ("a.rdb", "b.rdb", "--as-commands", "--encodings"),
        ("a.rdb", "b.rdb", "--as-commands", "--aux"),
        ("a.rdb", "b.rdb", "--ttl-tolerance", "5"),
        ("a.rdb", "b.rdb", "--ttl-tolerance", "1s", "--ignore-ttl"),
        ("a.rdb", "b.rdb", "--rules", "mysql-8"),
    ],
)
def test_usage(place, words):
    done = run("diff", *words, cwd=place)
    assert (done.code, done.out) == (2, b"")


def test_a_file_that_changes_while_it_is_read(place):
    with open_diff(str(place / "a.rdb"), str(place / "b.rdb")) as comparison:
        (place / "c.rdb").write_bytes((place / "a.rdb").read_bytes())
        os.replace(place / "c.rdb", place / "b.rdb")
        with pytest.raises(InputError, match="changed while it was read"):
            list(comparison.differences())


def test_both_backends(place):
    for words in (["--json"], ["--as-commands"]):
        slow = raw_diff("a.rdb", "b.rdb", *words, cwd=place, RDBTOOL_BACKEND="grammar")
        assert slow == raw_diff("a.rdb", "b.rdb", *words, cwd=place)


def test_every_flip_and_cut_is_answered(tmp_path):
    whole = (FIXTURES / "small" / "redis-7.0-listpacks-stream-function.rdb").read_bytes()
    for place in range(0, len(whole), 7):
        flipped = bytearray(whole)
        flipped[place] ^= 0x41
        for damaged in (bytes(flipped), whole[:place]):
            path = tmp_path / "damaged.rdb"
            path.write_bytes(damaged)
            done = run("diff", FIXTURES / "small" / "redis-7.0-listpacks-stream-function.rdb", path, "--json")
            assert done.code in (0, 1, 3, 4), done.err
