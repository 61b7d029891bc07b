"""What ``convert`` and ``aof-rewrite`` call verified: valid data, in the words of its server, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from codec.driving import make, rdb
from command import FIXTURES, run
from convert import logs
from server import Reply, Server, ServerError
from validate.builders import intset, listpack, string

from rdbtool.core.errors import InputError, RdbToolError
from rdbtool.core.servers import Target
from rdbtool.operations.convert.transfer import SourceFile, Transfer
from rdbtool.reader.open.dispatch import open_any

CASES = FIXTURES / "cases"
GROUPS = CASES / "rules" / "groups-redis-6.2.aof"
PENDING = CASES / "groups" / "pending-of-deleted"
VECTORS = CASES / "modules" / "vector-set-redis-8.0.rdb"

DESTINATIONS = ("new.rdb", "new.resp", "new.aof", "new.jsonl", "new/")


# What is refused, with its place.


@pytest.mark.parametrize("destination", DESTINATIONS)
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("dup.jsonl", 'line 2: key "k" of db 0 (set): member[1]: member "a" occurs twice'),
        ("dupk.jsonl", 'line 3: key "k" of db 0 (string): the key occurs twice'),
        ("emptyset.jsonl", 'line 2: key "k" of db 0 (set): the set has no elements'),
    ],
)
def test_lines_that_no_server_takes(tmp_path: Path, name: str, words: str, destination: str) -> None:
    done = run("convert", CASES / "jsonl" / name, destination, cwd=tmp_path)
    assert (done.code, done.out) == (1, b"")
    assert words in done.err
    assert logs.names_in(tmp_path) == []


@pytest.mark.parametrize("destination", DESTINATIONS)
@pytest.mark.parametrize("name", ["nofunc", "syntax"])
def test_a_library_that_registers_no_function(tmp_path: Path, name: str, destination: str) -> None:
    source = CASES / "leaves" / "functions" / f"{name}.rdb"
    done = run("convert", source, destination, cwd=tmp_path)
    assert (done.code, done.out) == (1, b"")
    assert "at 0x29: expected a library that registers functions" in done.err
    assert "RDB345" in done.err
    assert logs.names_in(tmp_path) == []
    assert run("validate", "-q", source).code == 1
    # A server without functions gets none, where that is allowed.
    assert run("convert", source, "old.rdb", "--target", "redis-6.2", "--allow-loss", "-q", cwd=tmp_path).code == 0


def test_a_library_that_does(tmp_path: Path) -> None:
    for destination in DESTINATIONS:
        assert run("convert", CASES / "leaves" / "functions" / "good.rdb", destination, "-q", cwd=tmp_path).code == 0


@pytest.mark.server
@pytest.mark.parametrize(("name", "starts"), [("nofunc", False), ("syntax", False), ("good", True)])
def test_a_server_judges_the_libraries(start_server: Callable[..., Any], name: str, starts: bool) -> None:
    source = (CASES / "leaves" / "functions" / f"{name}.rdb").read_bytes()
    code = source[source.index(b"#!lua") : source.rindex(b"\xfe")]
    with start_server() as running:
        if starts:
            assert running.client("FUNCTION", "LOAD", code) == b"l"
            return
        with pytest.raises(ServerError):
            running.client("FUNCTION", "LOAD", code)


#: Values that can be read, by what is wrong with them: type byte, value, code.
WRONG = {
    "set": (2, make.counted(string(b"a"), string(b"a")), "RDB311"),
    "listpack set": (20, string(listpack(b"a", b"b", b"a")), "RDB311"),
    "hash": (4, make.length(2) + string(b"f") + string(b"1") + string(b"f") + string(b"2"), "RDB312"),
    "listpack hash": (16, string(listpack(b"f", 1, b"f", 2)), "RDB312"),
    "sorted set": (17, string(listpack(b"a", 1, b"a", 2)), "RDB311"),
    "order of a sorted set": (17, string(listpack(b"a", 2, b"b", 1)), "RDB314"),
    "order of an intset": (11, string(intset(2, 1)), "RDB315"),
    "score": (5, make.length(1) + string(b"a") + bytes(6) + b"\xf8\x7f", "RDB313"),
    "empty list": (1, make.length(0), "RDB310"),
    "empty hash": (16, string(listpack()), "RDB310"),
}  # fmt: skip
KEY_TWICE = rdb(make.key(0, b"k", string(b"1")), make.key(0, b"l", string(b"1")), make.key(0, b"k", string(b"2")))


def with_another(type_code: int, value: bytes) -> bytes:
    """Return a file with the key "k" behind another one."""
    return rdb(make.key(0, b"first", string(b"v")), make.key(type_code, b"k", value))


@pytest.mark.parametrize("destination", DESTINATIONS)
@pytest.mark.parametrize("what", WRONG)
def test_values_that_no_server_writes(tmp_path: Path, what: str, destination: str) -> None:
    type_code, value, code = WRONG[what]
    source = logs.write(tmp_path / "wrong.rdb", with_another(type_code, value))
    done = run("convert", source, destination, cwd=tmp_path)
    assert (done.code, done.out) == (1, b"")
    assert f'{source}: at 0x12: key "k" of db 0 (' in done.err
    assert f"({code})" in done.err
    assert logs.names_in(tmp_path) == ["wrong.rdb"]


@pytest.mark.parametrize("destination", DESTINATIONS)
def test_a_key_that_stands_twice(tmp_path: Path, destination: str) -> None:
    source = logs.write(tmp_path / "wrong.rdb", KEY_TWICE)
    done = run("convert", source, destination, cwd=tmp_path)
    assert (done.code, done.out) == (1, b"")
    assert 'at 0x13: key "k" of db 0 (string): the key occurs twice' in done.err
    assert logs.names_in(tmp_path) == ["wrong.rdb"]


@pytest.mark.parametrize("what", [*WRONG, "key twice"])
@pytest.mark.parametrize("option", ["--preamble", "--no-preamble"])
def test_a_preamble_that_no_server_writes(tmp_path: Path, what: str, option: str) -> None:
    """The keyspace does not show it: there the last of two counts, and the order is lost."""
    data = KEY_TWICE if what == "key twice" else with_another(*WRONG[what][:2])
    data = data[:9] + make.aux(b"aof-preamble", string(b"1")) + data[9:]
    source = logs.write(tmp_path / "wrong.aof", data + logs.SELECT + logs.command("SET", "other", 1))
    for words in (
        ("aof-rewrite", source, "-o", "new.aof"),
        ("convert", source, "new.aof"),
        ("aof-rewrite", source, "--in-place"),
    ):
        done = run(*words, option, cwd=tmp_path)
        assert (done.code, done.out) == (1, b"")
        assert 'key "k" of db 0' in done.err
        assert ("RDB301" if what == "key twice" else WRONG[what][2]) in done.err
        assert logs.names_in(tmp_path) == ["wrong.aof"]
    assert source.read_bytes().startswith(data)


#: Values of a key in the source, and what no server writes for them: a member or field is there twice.
TWICE = {
    "set": ((2, make.counted(string(b"a"))), (2, make.counted(string(b"a"), string(b"a")))),
    "listpack set": ((20, string(listpack(b"a", b"b"))), (20, string(listpack(b"a", b"b", b"a")))),
    "hash": ((16, string(listpack(b"f", 1))), (16, string(listpack(b"f", 1, b"f", 1)))),
    "sorted set": ((17, string(listpack(b"a", 1))), (17, string(listpack(b"a", 1, b"a", 1)))),
}


@pytest.mark.parametrize("allow_loss", [False, True])
@pytest.mark.parametrize("what", [*TWICE, "key", "key without elements", "nothing"])
def test_an_output_with_something_twice(tmp_path: Path, what: str, *, allow_loss: bool) -> None:
    """Of what is read back no keys and members are looked up: the fingerprint tells, and what the filter drops."""
    good = with_another(*TWICE["set"][0])
    bad = good
    if what in TWICE:
        good, bad = (with_another(*value) for value in TWICE[what])
    elif what != "nothing":
        again = make.key(2, b"k", TWICE["set"][0][1] if what == "key" else make.length(0))
        bad = rdb(make.key(0, b"first", string(b"v")), make.key(2, b"k", TWICE["set"][0][1]), again)
    source = logs.write(tmp_path / "good.rdb", good)
    with open_any(source) as dataset:
        transfer = Transfer(
            dataset,  # type: ignore[arg-type]
            "rdb",
            Target("REDIS", 11),
            allow_loss=allow_loss,
            origin=SourceFile(str(source)),
        )
        written = bytearray()
        transfer.write(written.extend)
    transfer.check(str(logs.write(tmp_path / "written.rdb", bytes(written))))
    output = str(logs.write(tmp_path / "bad.rdb", bad))
    if what == "nothing":
        transfer.check(output)
        return
    with pytest.raises(InputError if what != "key without elements" else RdbToolError):
        transfer.check(output)


def test_what_is_not_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe gets what it gets; a large file is not even tested on its way there, and that is said."""
    source = logs.write(tmp_path / "wrong.rdb", KEY_TWICE)
    done = run("convert", source, "-", "--to", "resp")
    assert done.code == 1
    assert "the key occurs twice" in done.err
    monkeypatch.setattr("rdbtool.operations.convert.transfer._TESTED_UNREAD", 8)
    done = run("convert", source, "-", "--to", "resp")
    assert done.code == 0
    assert done.err.endswith(", neither tested nor read back\n")
    assert run("convert", source, tmp_path / "new.resp").code == 1
    assert run("convert", CASES / "jsonl" / "dup.jsonl", "-", "--to", "resp").code == 1


def test_what_a_target_drops_can_be_allowed(tmp_path: Path) -> None:
    for what in ("empty list", "empty hash", "score"):
        type_code, value, _ = WRONG[what]
        source = logs.write(tmp_path / "wrong.rdb", with_another(type_code, value))
        for destination in ("new.rdb", "new.resp"):
            done = run("convert", source, destination, "--allow-loss", "--force", cwd=tmp_path)
            assert done.code == 0, done.err
            assert "rdbtool: lost: " in done.err
            assert set(logs.keys_of(tmp_path / destination)) == {"first"}
    # Which of two counts is not for a conversion to say.
    source = logs.write(tmp_path / "wrong.rdb", KEY_TWICE)
    assert run("convert", source, "no.rdb", "--allow-loss", cwd=tmp_path).code == 1


@pytest.mark.parametrize("source", sorted(FIXTURES.glob("*/default.rdb")), ids=lambda path: path.parent.name)
def test_every_output_is_valid(tmp_path: Path, source: Path) -> None:
    for destination in ("new.rdb", "new.aof", "new.jsonl"):
        assert run("convert", source, destination, "-q", cwd=tmp_path).code == 0
        done = run("validate", "-q", destination, cwd=tmp_path)
        assert done.code == 0, done.err


# Words.


def words_of(path: Path) -> list[list[bytes]]:
    with open_any(str(path)) as reader:
        return [list(command.argv) for command in reader.commands()]


@pytest.mark.parametrize(
    ("options", "knows_counters"),
    [
        ((), False),
        (("--rules", "redis-5.0"), False),
        (("--rules", "redis-6.2"), False),
        (("--rules", "redis-7.0"), True),
        (("--rules", "valkey-8.0"), True),
        (("--target", "redis-6.2"), False),
        (("--target", "redis-7.2"), True),
    ],
)
@pytest.mark.parametrize("command", ["aof-rewrite", "convert"])
def test_commands_have_the_words_of_their_server(
    tmp_path: Path, command: str, options: tuple[str, ...], knows_counters: bool
) -> None:
    new = tmp_path / "new.aof"
    done = run(command, GROUPS, *(("-o",) if command == "aof-rewrite" else ()), new, *options)
    assert done.code == 0, done.err
    words = {word for argv in words_of(new) for word in argv}
    assert ({b"ENTRIESREAD", b"ENTRIESADDED", b"MAXDELETEDID"} <= words) == knows_counters
    assert (b"CREATECONSUMER" in words) == knows_counters
    assert words >= {b"XADD", b"XSETID", b"XCLAIM", b"JUSTID", b"FORCE"}


def test_a_preamble_is_for_the_server_of_the_rules(tmp_path: Path) -> None:
    new = tmp_path / "new.aof"
    assert run("aof-rewrite", GROUPS, "-o", new, "--preamble", "--rules", "redis-6.2", "-q").code == 0
    assert new.read_bytes().startswith(b"REDIS0009")
    # That of a base stays what it is.
    source = FIXTURES / "redis-6.2.16" / "aof-preamble.aof"
    assert run("aof-rewrite", source, "-o", new, "--rules", "redis-7.2", "-q", "--force").code == 0
    assert new.read_bytes().startswith(b"REDIS0009")


# Pending entries.


def pending_of(client: Any, key: str = "s", group: str = "g") -> Reply:
    """Each pending entry with its owner and its count: the third is how long it was idle."""
    rows = client("XPENDING", key, group, "-", "+", 100)
    return [[row[0], row[1], row[3]] for row in rows]


@pytest.mark.server
@pytest.mark.parametrize("command", ["aof-rewrite", "convert"])
def test_entries_stay_pending_when_they_are_deleted(
    tmp_path: Path, start_server: Callable[..., AbstractContextManager[Server]], command: str
) -> None:
    new = tmp_path / "appendonlydir"
    done = run(command, PENDING, *(("-o",) if command == "aof-rewrite" else ()), f"{new}/", "--json")
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert report["losses"] == []
    assert {note["what"] for note in report["notes"]} <= {
        "seen times of consumers",
        "active times of consumers",
    }
    states = []
    for directory in (PENDING, new):
        with start_server(files={"appendonlydir": directory}, config={"appendonly": "yes"}) as running:
            states.append((pending_of(running.client), running.digest()))
    assert states[0] == states[1]
    owners = [(row[0], row[1]) for row in states[1][0]]
    assert owners == [(b"1-0", b"ann"), (b"2-0", b"ann"), (b"3-0", b"ann"), (b"4-0", b"bob"), (b"5-0", b"bob")]


#: What leaves entries pending that are gone, each with the stream "s" and its group "g".
HISTORIES = {
    "all deleted": [("XDEL", "s", "1-0", "2-0", "3-0")],
    "trimmed": [("XTRIM", "s", "MAXLEN", "1")],
    "trimmed away": [("XTRIM", "s", "MAXLEN", "0"), ("XSETID", "s", "3-0")],
    "behind the last id": [("XTRIM", "s", "MAXLEN", "0"), ("XSETID", "s", "1-0"), ("XADD", "s", "2-5", "f", "v")],
    "deleted in the middle, never counted": [("XDEL", "s", "2-0"), ("XSETID", "s", "3-0", "ENTRIESADDED", "2")],
    "two groups": [
        ("XGROUP", "CREATE", "s", "h", "0"),
        ("XREADGROUP", "GROUP", "h", "eve", "COUNT", "2", "STREAMS", "s", ">"),
        ("XGROUP", "CREATE", "s", "i", "$"),
        ("XDEL", "s", "2-0"),
    ],
}


@pytest.mark.server
@pytest.mark.parametrize("what", HISTORIES)
def test_what_a_server_left_pending(
    tmp_path: Path, start_server: Callable[..., AbstractContextManager[Server]], what: str
) -> None:
    """The server's own RDB, as commands: a second server holds the same groups and counters."""
    with start_server() as running:
        client = running.client
        for number in (1, 2, 3):
            client("XADD", "s", f"{number}-0", "f", number)
        client("XGROUP", "CREATE", "s", "g", "0")
        client("XREADGROUP", "GROUP", "g", "ann", "STREAMS", "s", ">")
        for words in HISTORIES[what]:
            client(*words)
        wanted = groups_of(client, "s"), running.digest()
        done = run("convert", running.save(), tmp_path / "appendonlydir", "--to", "aof-dir", "--no-preamble")
        assert done.code == 0, done.err
    files = {"appendonlydir": tmp_path / "appendonlydir"}
    with start_server(files=files, config={"appendonly": "yes"}) as running:
        assert (groups_of(running.client, "s"), running.digest()) == wanted


def groups_of(client: Any, key: str) -> list[Any]:
    """What a server says of a stream, its groups, consumers and pending entries; not when those were seen."""
    shown = client("XINFO", "STREAM", key, "FULL", "COUNT", 0)
    return [part for part in flat(shown, seen=[]) if part is not None]


def flat(reply: Reply, seen: list[Reply]) -> list[Reply]:
    """Flatten a reply, without the times of consumers and the nodes of the server's trees."""
    if not isinstance(reply, list):
        return [reply]
    parts: list[Reply] = []
    skips = False
    for part in reply:
        if skips:
            skips = False
        elif part in (b"seen-time", b"active-time", b"radix-tree-keys", b"radix-tree-nodes"):
            skips = True
        else:
            parts += flat(part, seen)
    return parts


AOFS = sorted(
    path
    for path in FIXTURES.glob("redis-*/aof-*")
    if (path.is_dir() or path.suffix == ".aof") and path.parent.name < "redis-7.1"
)


@pytest.mark.server
@pytest.mark.parametrize("source", AOFS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_rewritten_as_commands_a_server_holds_the_same(
    tmp_path: Path, start_server: Callable[..., AbstractContextManager[Server]], source: Path
) -> None:
    new = tmp_path / "new"
    # Those before Redis 5 wrote scripts into their AOFs, whose effects are known for them only.
    wrote = source.parent.name.rpartition(".")[0]
    rules = ("--rules", wrote, "--target", "redis-7.0") if wrote < "redis-5" else ("--rules", "redis-7.0")
    done = run("aof-rewrite", source, "-o", f"{new}/", "--no-preamble", *rules, "-q")
    assert done.code == 0, done.err
    before = source
    if not source.is_dir():
        before = tmp_path / "before"
        before.mkdir()
        (before / "appendonly.aof.1.base.aof").write_bytes(source.read_bytes())
        (before / "appendonly.aof.manifest").write_text("file appendonly.aof.1.base.aof seq 1 type b\n")
    states = []
    for directory in (before, new):
        config = {"appendonly": "yes", "databases": "64"}
        with start_server(files={"appendonlydir": directory}, config=config) as running:
            states.append((running.digest(), all_groups(running.client)))
    assert states[0] == states[1]


def all_groups(client: Any) -> dict[tuple[int, bytes], list[Any]]:
    found = {}
    for db in range(64):
        client("SELECT", db)
        for key in client("KEYS", "*"):
            if client("TYPE", key) == b"stream":
                found[db, key] = groups_of(client, key)
    return found


# Modules.


@pytest.mark.parametrize("destination", ["new.rdb", "new.resp"])
@pytest.mark.parametrize(
    ("target", "server"),
    [("redis-7.2", "redis-7.2"), ("redis-7.4", "redis-7.4"), ("valkey-8.1", "valkey-8.1"), ("valkey-9", "valkey-9.0")],
)
def test_a_vector_set_is_lost_elsewhere(tmp_path: Path, target: str, server: str, destination: str) -> None:
    done = run("convert", VECTORS, destination, "--target", target, cwd=tmp_path)
    assert (done.code, done.out) == (1, b"")
    assert '(key "v" of db 0)' in done.err
    assert f"a vector set, which {server} does not have" in done.err
    assert logs.names_in(tmp_path) == []
    done = run("convert", VECTORS, destination, "--target", target, "--allow-loss", cwd=tmp_path)
    assert done.code == 0
    assert f"lost: a vector set, which {server} does not have" in done.err
    if destination == "new.rdb":
        assert logs.keys_of(tmp_path / destination) == {}
    else:
        assert (tmp_path / destination).read_bytes() == b""


@pytest.mark.parametrize("target", [None, "redis-8.0", "redis-8.6"])
def test_a_vector_set_is_part_of_redis_8(tmp_path: Path, target: str | None) -> None:
    options = () if target is None else ("--target", target)
    for destination in ("new.rdb", "new.resp"):
        done = run("convert", VECTORS, destination, *options, "--json", cwd=tmp_path)
        assert done.code == 0, done.err
        report = json.loads(done.out)
        assert (report["losses"], report["notes"]) == ([], [])


@pytest.mark.parametrize("target", ["redis-7.2", "redis-8.0", None])
def test_a_module_is_named(tmp_path: Path, target: str | None) -> None:
    options = () if target is None else ("--target", target)
    done = run("convert", CASES / "leaves" / "module-aux.rdb", "new.rdb", *options, cwd=tmp_path)
    assert done.code == 0, done.err
    assert "note: data outside the keys that needs the module scdtype00" in done.err
    value = FIXTURES / "small" / "redis-4.0-quicklist-zset-module.rdb"
    done = run("convert", value, "value.rdb", cwd=tmp_path)
    assert done.code == 0, done.err
    assert "note: a value that needs the module " in done.err


def test_a_module_of_the_other_family(tmp_path: Path) -> None:
    done = run("convert", CASES / "leaves" / "module-aux.rdb", "new.rdb", "--target", "valkey-8.1", cwd=tmp_path)
    assert (done.code, done.out) == (1, b"")
    assert "data outside the keys of the module scdtype00 of Redis" in done.err
    assert logs.names_in(tmp_path) == []


def test_databases_beyond_the_usual_ones(tmp_path: Path) -> None:
    source = logs.write(tmp_path / "x.rdb", rdb(make.select(20), make.key(0, b"k", string(b"v"))))
    done = run("convert", source, "new.rdb", cwd=tmp_path)
    assert done.code == 0, done.err
    assert "keys in databases above 15" in done.err
