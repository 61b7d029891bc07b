"""``aof-rewrite``: what it refuses, where it stops, where it writes to, and what it says."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest
from command import FIXTURES, run
from convert import logs

from rdbtool._codec.sinks.fingerprint import Fingerprint
from rdbtool.dataset.loading import open_keys

NEW = "new.aof"

#: The shortest log that leads to the state of ``logs.GOOD``.
SHORT = logs.SELECT + logs.command("SET", "a", 2) + logs.command("SET", "b", 1)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for name, data in (
        ("good.aof", logs.GOOD),
        ("cut.aof", logs.CUT),
        ("open.aof", logs.OPEN),
        ("unknown.aof", logs.UNKNOWN),
        ("answered.aof", logs.ANSWERED),
        ("timed.aof", logs.TIMED),
        ("fields.aof", logs.FIELD_EXPIRY),
        ("good.aof.gz", gzip.compress(logs.GOOD)),
    ):
        (tmp_path / name).write_bytes(data)
    return tmp_path


def fingerprint(path: Path) -> str:
    sink = Fingerprint()
    with open_keys(str(path)) as keys:
        keys.feed(sink)
    return sink.hexdigest()


def begins_rdb(path: Path) -> bool:
    return path.read_bytes()[:5] == b"REDIS"


# What is refused.


@pytest.mark.parametrize(
    ("name", "words"),
    [("cut.aof", "found end of file"), ("open.aof", "EXEC"), ("unknown.aof", "unknown command 'NOSUCH'")],
)
@pytest.mark.parametrize("how", [("-o", NEW), ("-o", "new/"), ("--in-place",), ("--in-place", "--backup", "kept")])
def test_what_is_in_doubt_is_not_rewritten(place, name, words, how):
    before = logs.names_in(place)
    data = (place / name).read_bytes()
    done = run("aof-rewrite", name, *how, cwd=place)
    assert (done.code, done.out) == (1, b"")
    assert words in done.err
    assert logs.names_in(place) == before
    assert (place / name).read_bytes() == data


@pytest.mark.parametrize("name", ["cut.aof", "open.aof"])
@pytest.mark.parametrize("in_place", [True, False])
def test_the_place_that_a_refusal_names_can_be_given(place, name, in_place):
    said = run("aof-rewrite", name, "-o", NEW, cwd=place).err
    found = re.search(r"readable up to (0x[0-9a-f]+)", said)
    assert found
    for text in (found[1], str(int(found[1], 16))):
        (place / name).write_bytes(logs.CUT if name == "cut.aof" else logs.OPEN)
        how = ["--in-place"] if in_place else ["--force", "-o", NEW]
        done = run("aof-rewrite", name, *how, "--until", f"at:{text}", cwd=place)
        assert done.code == 0, done.err
        assert (place / (name if in_place else NEW)).read_bytes() == SHORT


def test_an_unknown_command_behind_the_place_to_stop_does_no_harm(place):
    done = run("aof-rewrite", "unknown.aof", "-o", NEW, "--until", "n:4", cwd=place)
    assert done.code == 0, done.err
    assert (place / NEW).read_bytes() == SHORT


def test_commands_that_a_server_answers_with_an_error_are_told(place):
    assert run("aof-rewrite", "answered.aof", "-o", NEW, cwd=place).code == 1
    done = run("aof-rewrite", "answered.aof", "-o", NEW, "--json", "--rules", "redis-7.2", cwd=place)
    assert done.code == 0
    assert json.loads(done.out)["error_replies"] == 1
    assert done.err.startswith("rdbtool: note: 1 command was answered with an error")
    assert (place / NEW).read_bytes() == SHORT


@pytest.mark.parametrize("how", [("-o", NEW), ("--in-place",)])
def test_what_is_no_log(place, how):
    (place / "dump.rdb").write_bytes((FIXTURES / "redis-7.0.15" / "default.rdb").read_bytes())
    assert run("dump", "-f", "jsonl", "dump.rdb", "-o", "lines.jsonl", cwd=place).code == 0
    before = logs.names_in(place)
    for name, words in (("dump.rdb", "is not an AOF"), ("lines.jsonl", "found JSON lines")):
        done = run("aof-rewrite", name, *how, cwd=place)
        assert (done.code, done.out) == (4, b""), name
        assert words in done.err
    assert logs.names_in(place) == before


@pytest.mark.parametrize(
    "words",
    [
        ("good.aof",),
        ("good.aof", "-o", NEW, "--in-place"),
        ("good.aof", "-o", NEW, "--backup", "kept"),
        ("good.aof", "-o", NEW, "--until", "n:1", "--before", "set"),
        ("good.aof", "-o", NEW, "--until", "yesterday"),
        ("good.aof", "-o", NEW, "--target", "redis-99"),
        ("good.aof", "-o", NEW, "--target", "rdb-0"),
        ("good.aof", "-o", NEW, "--rules", "redis"),
        ("good.aof", "-o", NEW, "--retry", "-1"),
        ("-", "-o", NEW, "--before-last", "set"),
        ("good.aof", "-o", NEW, "--before-last", "nosuch"),
        ("good.aof", "-o", NEW, "--skip-command", "0"),
        ("good.aof", "-o", NEW, "--skip-command", "exec"),
    ],
)
def test_usage(place, words):
    before = logs.names_in(place)
    done = run("aof-rewrite", *words, cwd=place)
    assert (done.code, done.out) == (2, b"")
    assert "Usage: rdbtool aof-rewrite" in done.err
    assert logs.names_in(place) == before


def test_missing(place):
    for how in (("-o", NEW), ("--in-place",)):
        done = run("aof-rewrite", "missing.aof", *how, cwd=place)
        assert (done.code, done.out) == (3, b"")
        assert re.fullmatch(r"rdbtool: cannot open \S*missing\.aof: No such file or directory\n", done.err)


# Where it stops.


@pytest.mark.parametrize(
    ("stop", "keys"),
    [
        (("--until", "n:2"), {"first"}),
        (("--until", "ts:1000"), {"first"}),
        (("--until", "ts:2999"), {"second"}),
        (("--until", "1970-01-01T00:33:20Z"), {"second"}),
        (("--until", "ts:3000"), {"third"}),
        (("--before", "flushall"), {"first"}),
        (("--before", "FlushAll"), {"first"}),
        (("--before-last", "flushall"), {"second"}),
        ((), {"third"}),
    ],
)
def test_places_to_stop(place, stop, keys):
    done = run("aof-rewrite", "timed.aof", "-o", NEW, *stop, "--json", cwd=place)
    assert done.code == 0, done.err
    assert set(logs.keys_of(place / NEW)) == keys
    stopped = json.loads(done.out)["stopped_at"]
    assert (stopped is None) == (keys == {"third"})
    if stopped is not None:
        # What stands there is the first command that was left out.
        assert logs.TIMED[stopped["offset"] :].startswith(logs.command("FLUSHALL"))
        assert stopped["number"] == json.loads(done.out)["commands"] + 1
    # In place it is the same.
    assert run("aof-rewrite", "timed.aof", "--in-place", *stop, "-q", cwd=place).code == 0
    assert (place / "timed.aof").read_bytes() == (place / NEW).read_bytes()


def test_a_place_in_a_part(place):
    assert run("aof-rewrite", "good.aof", "-o", "log/", cwd=place).code == 0
    incr = place / "log" / "appendonly.aof.1.incr.aof"
    first = logs.SELECT + logs.command("SET", "c", 1)
    incr.write_bytes(first + logs.command("SET", "d", 1)[:-3])
    assert run("aof-rewrite", "log", "--in-place", cwd=place).code == 1
    done = run("aof-rewrite", "log", "--in-place", "--until", f"at:{incr.name}:{len(first)}", cwd=place)
    assert done.code == 0, done.err
    assert logs.keys_of(place / "log") == {"a": "2", "b": "1", "c": "1"}


# Where it writes to.


def test_what_exists(place):
    (place / NEW).write_bytes(b"mine")
    done = run("aof-rewrite", "good.aof", "-o", NEW, cwd=place)
    assert (done.code, done.out) == (3, b"")
    assert done.err == f"rdbtool: cannot write to {NEW}: it exists (use --force to replace it)\n"
    assert (place / NEW).read_bytes() == b"mine"
    assert run("aof-rewrite", "good.aof", "-o", NEW, "--force", cwd=place).code == 0
    assert (place / NEW).read_bytes() == SHORT


def test_a_directory_that_exists(place):
    assert run("aof-rewrite", "good.aof", "-o", "log/", cwd=place).code == 0
    before = {path.name: path.read_bytes() for path in (place / "log").iterdir()}
    done = run("aof-rewrite", "timed.aof", "-o", "log", cwd=place)
    assert done.code == 3
    assert "it holds an AOF (use --force to replace it)" in done.err
    assert {path.name: path.read_bytes() for path in (place / "log").iterdir()} == before
    assert run("aof-rewrite", "timed.aof", "-o", "log", "--force", cwd=place).code == 0
    assert set(logs.keys_of(place / "log")) == {"third"}
    assert len(logs.names_in(place / "log")) == 3


@pytest.mark.parametrize(
    ("source", "destination", "is_directory"),
    [
        ("good.aof", "new", False),
        ("good.aof", "new.aof", False),
        ("good.aof", "new/", True),
        ("good.aof", "empty", True),
        ("log", "new", True),
        ("log", "new.aof", False),
        ("log", "new.d/", True),
        ("log/appendonly.aof.manifest", "new", True),
        ("log", "file", False),
    ],
)
def test_files_and_directories(place, source, destination, is_directory):
    assert run("aof-rewrite", "good.aof", "-o", "log/", cwd=place).code == 0
    (place / "empty").mkdir()
    (place / "file").write_bytes(b"")
    force = ["--force"] if destination == "file" else []
    done = run("aof-rewrite", source, "-o", destination, *force, cwd=place)
    assert done.code == 0, done.err
    path = place / destination
    if is_directory:
        assert logs.names_in(path) == [
            "appendonly.aof.1.base.aof",
            "appendonly.aof.1.incr.aof",
            "appendonly.aof.manifest",
        ]
        assert (path / "appendonly.aof.1.base.aof").read_bytes() == SHORT
        assert (path / "appendonly.aof.1.incr.aof").read_bytes() == b""
    else:
        assert path.read_bytes() == SHORT


def test_the_source_is_no_destination(place):
    assert run("aof-rewrite", "good.aof", "-o", "log/", cwd=place).code == 0
    (place / "link.aof").symlink_to("good.aof")
    for source, destination in (
        ("good.aof", "good.aof"),
        ("good.aof", "link.aof"),
        ("link.aof", "good.aof"),
        ("log", "log"),
        ("log", "log/appendonly.aof.1.base.aof"),
        ("log", "log/appendonly.aof.manifest"),
        ("log/appendonly.aof.manifest", "log"),
    ):
        done = run("aof-rewrite", source, "-o", destination, "--force", cwd=place)
        assert done.code == 3, (source, destination)
        assert "the input" in done.err, (source, destination)
    assert (place / "good.aof").read_bytes() == logs.GOOD
    assert logs.keys_of(place / "log") == {"a": "2", "b": "1"}


def test_standard_input(place):
    done = run("aof-rewrite", "-", "-o", NEW, stdin=logs.GOOD, cwd=place)
    assert done.code == 0, done.err
    assert (place / NEW).read_bytes() == SHORT
    done = run("aof-rewrite", "-", "--in-place", stdin=logs.GOOD, cwd=place)
    assert (done.code, done.out) == (3, b"")
    assert "standard input cannot be rewritten in place" in done.err


def test_standard_output(place):
    """The line about it would stand in the log."""
    done = run("aof-rewrite", "good.aof", "-o", "-", "-q", cwd=place)
    assert (done.code, done.out, done.err) == (0, SHORT, "")
    done = run("aof-rewrite", "good.aof", "-o", "-", cwd=place)
    assert (done.code, done.out) == (0, SHORT)


def test_compressed(place):
    done = run("aof-rewrite", "good.aof.gz", "-o", NEW, cwd=place)
    assert done.code == 0, done.err
    assert (place / NEW).read_bytes() == SHORT
    before = (place / "good.aof.gz").read_bytes()
    done = run("aof-rewrite", "good.aof.gz", "--in-place", cwd=place)
    assert (done.code, done.out) == (4, b"")
    assert "is compressed" in done.err
    assert (place / "good.aof.gz").read_bytes() == before


def test_in_place_keeps_the_old_one_where_that_was_asked_for(place):
    assert run("aof-rewrite", "good.aof", "-o", "log/", cwd=place).code == 0
    (place / "log" / "appendonly.aof.1.incr.aof").write_bytes(logs.SELECT + logs.command("SET", "c", 1))
    for source, files in (("good.aof", {"good.aof": logs.GOOD}), ("log", None)):
        wanted = files or {path.name: path.read_bytes() for path in (place / "log").iterdir()}
        done = run("aof-rewrite", source, "--in-place", "--backup", f"kept-{source}", "--json", cwd=place)
        assert done.code == 0, done.err
        kept = list((place / f"kept-{source}").iterdir())
        assert kept == [Path(json.loads(done.out)["backup"])]
        assert {path.name: path.read_bytes() for path in kept[0].iterdir()} == wanted
    assert (place / "good.aof").read_bytes() == SHORT
    assert logs.keys_of(place / "log") == {"a": "2", "b": "1", "c": "1"}
    assert logs.names_in(place / "log") == [
        "appendonly.aof.2.base.aof",
        "appendonly.aof.2.incr.aof",
        "appendonly.aof.manifest",
    ]


# What it writes.


@pytest.mark.parametrize("name", ["aof-plain", "aof-preamble", "aof-timestamps"])
@pytest.mark.parametrize(("option", "is_rdb"), [("--preamble", True), ("--no-preamble", False), (None, None)])
def test_preambles(tmp_path, name, option, is_rdb):
    source = FIXTURES / "redis-7.0.15" / name
    was_rdb = any(source.glob("*.base.rdb"))
    assert was_rdb == (name == "aof-preamble") or name == "aof-timestamps"
    options = [] if option is None else [option]
    done = run("aof-rewrite", source, "-o", tmp_path / "log", *options, "--json")
    assert done.code == 0, done.err
    ending = "rdb" if (was_rdb if is_rdb is None else is_rdb) else "aof"
    assert begins_rdb(tmp_path / "log" / f"appendonly.aof.1.base.{ending}") == (ending == "rdb")
    found = json.loads(done.out)
    assert found["encoding"] == ("rdb" if ending == "rdb" else "commands")
    # A log of commands names no version, but only servers since 7.0 write a directory; the RDB within another does.
    assert found["target"]["version"] == (11 if ending == "rdb" and not was_rdb else 10)


@pytest.mark.parametrize("option", ["--preamble", "--no-preamble", None])
@pytest.mark.parametrize("server", ["redis-4.0.14", "redis-5.0.14"])
def test_what_was_rewritten_can_be_rewritten_again(tmp_path, server, option):
    """A single log that is an RDB and nothing else is a log nevertheless."""
    options = [] if option is None else [option]
    source: Path = FIXTURES / server / "aof-preamble.aof"
    for name in ("1.aof", "2.aof"):
        done = run("aof-rewrite", source, "-o", tmp_path / name, "-q", *options)
        assert done.code == 0, done.err
        source = tmp_path / name
    assert begins_rdb(source) == (option != "--no-preamble")
    # Streams of those servers count nothing, which replaying does.
    assert fingerprint(tmp_path / "1.aof") == fingerprint(tmp_path / "2.aof")


def test_a_preamble_for_a_log_without_one(place):
    assert run("aof-rewrite", "good.aof", "-o", "1.aof", "--preamble", "-q", cwd=place).code == 0
    assert begins_rdb(place / "1.aof")
    done = run("aof-rewrite", "1.aof", "-o", "2.aof", "--no-preamble", "-q", cwd=place)
    assert (done.code, done.err) == (0, "")
    assert (place / "2.aof").read_bytes() == SHORT


def test_targets(place):
    done = run("aof-rewrite", "good.aof", "-o", "9.aof", "--preamble", "--target", "redis-6.2", "--json", cwd=place)
    assert json.loads(done.out)["target"] == {"magic": "REDIS", "version": 9, "release": "redis-6.2", "raised": False}
    assert (place / "9.aof").read_bytes().startswith(b"REDIS0009")
    # An RDB is raised by its data; commands have the words of the oldest server that has those of the AOF.
    for form, release in (("--preamble", None), ("--no-preamble", "redis-7.4")):
        done = run("aof-rewrite", "fields.aof", "-o", NEW, form, "--json", "--force", cwd=place)
        wanted = {"magic": "REDIS", "version": 12, "release": release, "raised": release is None}
        assert json.loads(done.out)["target"] == wanted
        assert logs.field_expiries(place / NEW) == {"f": logs.LATER, "g": None}
        before = logs.names_in(place)
        done = run("aof-rewrite", "fields.aof", "-o", "lost.aof", form, "--target", "redis-7.2", cwd=place)
        assert (done.code, done.out) == (1, b"")
        assert "cannot hold field expiries" in done.err
        assert logs.names_in(place) == before
        options = ("--target", "redis-7.2", "--allow-loss", "-q", "--force")
        done = run("aof-rewrite", "fields.aof", "-o", NEW, form, *options, cwd=place)
        assert (done.code, done.out) == (0, b"")
        assert done.err == 'rdbtool: lost: field expiries (key "h" of db 0)\n'
        assert logs.field_expiries(place / NEW) == {"f": None, "g": None}


# What it says.


def test_the_line_and_silence(place):
    done = run("aof-rewrite", "good.aof", "-o", NEW, cwd=place)
    assert (done.code, done.err) == (0, "")
    line = done.out.decode()
    assert re.fullmatch(
        rf"new\.aof: 4 commands, {len(logs.GOOD)} bytes → 2 keys, {len(SHORT)} bytes, "
        r"commands of redis-2\.6, verified\n",
        line,
    )
    done = run("aof-rewrite", "good.aof", "--in-place", "-q", cwd=place)
    assert (done.code, done.out, done.err) == (0, b"", "")


def test_json(place):
    done = run("aof-rewrite", "timed.aof", "--in-place", "--until", "n:2", "--json", cwd=place)
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out) == {
        "schema": 1,
        "source": "timed.aof",
        "destination": str(place / "timed.aof"),
        "rules": "redis-7.2",
        "parts": 1,
        "commands": 2,
        "bytes_before": len(logs.TIMED),
        "encoding": "commands",
        "target": {"magic": "REDIS", "version": 10, "release": "redis-7.0", "raised": False},
        "keys": 1,
        "bytes": (place / "timed.aof").stat().st_size,
        "fingerprint": fingerprint(place / "timed.aof"),
        "losses": [],
        "notes": [],
        "error_replies": 0,
        "remarks": [],
        "verified": True,
        "stopped_at": {
            "part": "timed.aof",
            "offset": logs.TIMED.index(logs.command("FLUSHALL")),
            "number": 3,
            "command": "FLUSHALL",
            "in_transaction": False,
            "left_out": 4,
            "all_counted": True,
        },
        "skipped": [],
        "backup": None,
    }
