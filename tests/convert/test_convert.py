"""``convert``: whose form the output has, what is refused, and what is said."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest
from command import FIXTURES, NOW, SERVERS, run
from convert import logs

from rdbtool._codec.sinks.fingerprint import Fingerprint
from rdbtool.dataset.loading import open_keys
from rdbtool.reader.open.files import detect

MODERN = FIXTURES / "redis-8.0.6" / "default.rdb"
SEVEN = FIXTURES / "redis-7.0.15" / "default.rdb"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for name, data in (
        ("good.aof", logs.GOOD),
        ("fields.aof", logs.FIELD_EXPIRY),
        ("answered.aof", logs.ANSWERED),
        ("good.aof.gz", gzip.compress(logs.GOOD)),
        ("seven.rdb.gz", gzip.compress(SEVEN.read_bytes())),
    ):
        (tmp_path / name).write_bytes(data)
    return tmp_path


def convert(*words: str | Path, cwd: Path) -> dict:
    done = run("convert", *words, "--json", cwd=cwd)
    assert done.code == 0, done.err
    return json.loads(done.out)


def fingerprint(path: Path) -> str:
    sink = Fingerprint()
    with open_keys(str(path)) as keys:
        keys.feed(sink)
    return sink.hexdigest()


# Whose form the output has.


@pytest.mark.parametrize("server", SERVERS)
def test_an_rdb_keeps_magic_and_version(tmp_path, server):
    source = FIXTURES / server / "default.rdb"
    found = convert(source, "dump.rdb", cwd=tmp_path)
    assert (tmp_path / "dump.rdb").read_bytes()[:9] == source.read_bytes()[:9]
    assert found["target"]["raised"] is False
    assert (found["losses"], found["notes"]) == ([], [])
    assert fingerprint(tmp_path / "dump.rdb") == fingerprint(source)


#: What a release candidate wrote that no release reads is refused, and so are members that expire (KeyDB).
SMALL = sorted(path for path in (FIXTURES / "small").glob("*.rdb") if not re.search(r"rc-function|keydb", path.stem))


@pytest.mark.parametrize("path", SMALL, ids=lambda path: path.stem)
def test_an_rdb_of_any_version_keeps_it(tmp_path, path):
    found = convert(path, "dump.rdb", cwd=tmp_path)
    assert (tmp_path / "dump.rdb").read_bytes()[:9] == path.read_bytes()[:9]
    assert found["losses"] == []
    assert fingerprint(tmp_path / "dump.rdb") == fingerprint(path)


PREAMBLES = sorted(path for path in FIXTURES.glob("*/aof-preamble*") if path.suffix != ".gz")


@pytest.mark.parametrize("source", PREAMBLES, ids=lambda path: path.parent.name)
def test_a_log_with_a_preamble_has_the_version_of_that(tmp_path, source):
    found = convert(source, "dump.rdb", cwd=tmp_path)
    assert found["target"]["raised"] is False
    assert (tmp_path / "dump.rdb").read_bytes()[:9] == source.with_name("default.rdb").read_bytes()[:9]
    # It is an RDB, and nobody takes it for the beginning of a log.
    assert detect(str(tmp_path / "dump.rdb")) == "rdb"


def test_a_plain_log_becomes_rdb_11(place):
    done = run("convert", "good.aof", "dump.rdb", cwd=place)
    assert (done.code, done.out) == (0, b"")
    assert re.fullmatch(r"rdbtool: dump\.rdb: RDB 11, 2 keys, \d+ bytes, verified\n", done.err)
    assert (place / "dump.rdb").read_bytes().startswith(b"REDIS0011")


def test_a_plain_log_becomes_more_where_the_data_need_it(place):
    done = run("convert", "fields.aof", "dump.rdb", cwd=place)
    assert (done.code, done.out) == (0, b"")
    assert "RDB 12 (the data needs this version)" in done.err
    assert (place / "dump.rdb").read_bytes().startswith(b"REDIS0012")
    assert logs.field_expiries(place / "dump.rdb") == {"f": logs.LATER, "g": None}
    # Not where the keys that need it are left out, nor where a target was named.
    assert convert("fields.aof", "a.rdb", "-k", "^a$", cwd=place)["target"]["raised"] is False
    assert (place / "a.rdb").read_bytes().startswith(b"REDIS0011")
    done = run("convert", "fields.aof", "no.rdb", "--target", "rdb-11", cwd=place)
    assert done.code == 1
    assert 'RDB 11 cannot hold field expiries (key "h" of db 0); RDB 12 and later can' in done.err
    assert not (place / "no.rdb").exists()


@pytest.mark.parametrize(
    ("target", "head"),
    [
        ("redis-2.8", b"REDIS0006"),
        ("redis-6.2", b"REDIS0009"),
        ("redis-7.2", b"REDIS0011"),
        ("redis-8", b"REDIS0012"),
        ("valkey-8.1", b"REDIS0011"),
        ("valkey-9", b"VALKEY080"),
        ("rdb-9", b"REDIS0009"),
        ("rdb-80", b"VALKEY080"),
    ],
)
def test_targets(place, target, head):
    convert("good.aof", "dump.rdb", "--target", target, cwd=place)
    assert (place / "dump.rdb").read_bytes().startswith(head)


# What is asked for, and how.


@pytest.mark.parametrize(
    "words",
    [
        ("good.aof",),
        ("good.aof", "new"),
        ("good.aof", "-"),
        ("good.aof", "new.foo"),
        ("good.aof", "new.rdb", "--to", "foo"),
        ("good.aof", "new.rdb", "--target", "redis-99"),
        ("good.aof", "new.rdb", "--target", "memcached-1"),
        ("good.aof", "new.rdb", "--target", "rdb-99"),
        ("good.aof", "new.rdb", "--rules", "redis"),
        ("good.aof", "new.rdb", "-t", "blob"),
        ("good.aof", "-", "--to", "rdb", "--json"),
    ],
)
def test_usage(place, words):
    before = logs.names_in(place)
    done = run("convert", *words, cwd=place)
    assert (done.code, done.out) == (2, b"")
    assert "Usage: rdbtool convert" in done.err
    assert logs.names_in(place) == before


@pytest.mark.parametrize(
    ("name", "form"),
    [("x.rdb", "rdb"), ("x.RDB", "rdb"), ("x.aof", "aof"), ("x.resp", "resp"), ("x.jsonl", "jsonl"), ("x/", "aof-dir")],
)
def test_the_form_follows_from_the_name(place, name, form):
    found = convert("good.aof", name, cwd=place)
    assert (found["form"], found["keys"], found["verified"]) == (form, 2, True)
    assert logs.keys_of(place / name) == {"a": "2", "b": "1"}
    # The name can be overruled.
    assert convert("good.aof", "other.rdb", "--to", form, cwd=place)["form"] == form


def test_everything_into_everything(place):
    forms = {
        "x.rdb": [],
        "x.aof": [],
        "p.aof": ["--preamble"],
        "x.resp": [],
        "x.jsonl": [],
        "x/": [],
        "p/": ["--preamble"],
    }
    for name, more in forms.items():
        convert("good.aof", name, *more, cwd=place)
    wanted = fingerprint(place / "good.aof")
    for source in forms:
        for name, more in forms.items():
            (place / "out").mkdir(exist_ok=True)
            found = convert(source.rstrip("/"), f"out/{source.strip('/')}-{name}", *more, cwd=place)
            assert found["fingerprint"] == wanted
            assert fingerprint(place / "out" / f"{source.strip('/')}-{name}") == wanted


@pytest.mark.parametrize("server", ["redis-5.0.14", "redis-6.2.16", "redis-7.0.15"])
@pytest.mark.parametrize("form", ["aof", "aof-dir"])
def test_a_log_with_a_preamble_is_known_as_one(tmp_path, server, form):
    """And not taken for an RDB, which could not be rewritten."""
    if server != "redis-7.0.15" and form == "aof-dir":
        done = run("convert", FIXTURES / server / "default.rdb", tmp_path / "log", "--to", form)
        assert (done.code, done.out) == (4, b"")
        assert "cannot be written as an AOF directory" in done.err
        return
    convert(FIXTURES / server / "default.rdb", "log", "--to", form, "--preamble", "--now", NOW, cwd=tmp_path)
    done = run("aof-rewrite", tmp_path / "log", "--in-place", "--now", NOW)
    assert done.code == 0, done.err
    assert fingerprint(tmp_path / "log") == fingerprint(FIXTURES / server / "default.rdb")


def test_filters(place):
    convert(SEVEN, "some.rdb", "-k", "^s", "-t", "string", "-n", "0", "--limit", "2", cwd=place)
    wanted = run("dump", "-f", "keys", SEVEN, "-k", "^s", "-t", "string", "-n", "0", "--limit", "2").out
    assert run("dump", "-f", "keys", place / "some.rdb").out == wanted
    assert len(wanted.splitlines()) == 2
    # Functions are no keys, and stay behind unless they are asked for.
    found = convert(SEVEN, "none.rdb", "--glob", "nothing*", cwd=place)
    assert (found["keys"], found["dropped"]) == (0, {})
    assert found["left_behind"]["functions"] == 1
    asked = convert(SEVEN, "asked.rdb", "--glob", "nothing*", "--functions", cwd=place)
    assert (asked["keys"], asked["left_behind"]) == (0, {})
    with open_keys(str(SEVEN)) as all_of_it, open_keys(str(place / "none.rdb")) as none:
        assert list(none) == []
        list(all_of_it)
        assert none.functions == []
    with open_keys(str(place / "asked.rdb")) as none:
        assert list(none) == []
        assert [library.code for library in none.functions] == [library.code for library in all_of_it.functions]


def test_expired_keys_are_kept_unless_they_are_not_wanted(place):
    late = ("--now", "9999-01-01T00:00:00Z")
    everything = convert(SEVEN, "all.rdb", *late, cwd=place)["keys"]
    living = convert(SEVEN, "living.rdb", "--no-expired", *late, cwd=place)["keys"]
    gone = convert(SEVEN, "gone.rdb", "--expired", *late, cwd=place)["keys"]
    assert gone > 0
    assert everything == living + gone == convert(SEVEN, "now.rdb", "--now", NOW, cwd=place)["keys"]


def test_standard_streams(place):
    done = run("convert", "-", "-", "--to", "resp", "-q", stdin=logs.GOOD, cwd=place)
    assert (done.code, done.err) == (0, "")
    assert done.out == logs.SELECT + logs.command("SET", "a", 2) + logs.command("SET", "b", 1)
    done = run("convert", "good.aof", "-", "--to", "rdb", cwd=place)
    assert done.code == 0
    assert done.err.endswith("not read back\n")
    (place / "piped.rdb").write_bytes(done.out)
    assert logs.keys_of(place / "piped.rdb") == {"a": "2", "b": "1"}
    assert run("convert", "-", "again.jsonl", "-q", stdin=done.out, cwd=place).code == 0
    assert logs.keys_of(place / "again.jsonl") == {"a": "2", "b": "1"}
    # A directory cannot be written to a stream.
    before = logs.names_in(place)
    assert run("convert", "good.aof", "-", "--to", "aof-dir", cwd=place).code == 2
    assert logs.names_in(place) == before


def test_compressed_sources(place):
    convert("good.aof.gz", "good.rdb", cwd=place)
    assert logs.keys_of(place / "good.rdb") == {"a": "2", "b": "1"}
    convert("seven.rdb.gz", "seven.rdb", cwd=place)
    assert fingerprint(place / "seven.rdb") == fingerprint(SEVEN)


# What is refused.


@pytest.mark.parametrize("name", ["new.rdb", "new.aof", "new.resp", "new.jsonl"])
def test_what_exists(place, name):
    (place / name).write_bytes(b"mine")
    done = run("convert", "good.aof", name, cwd=place)
    assert (done.code, done.out) == (3, b"")
    assert done.err == f"rdbtool: cannot write to {name}: it exists (use --force to replace it)\n"
    assert (place / name).read_bytes() == b"mine"
    convert("good.aof", name, "--force", cwd=place)
    assert logs.keys_of(place / name) == {"a": "2", "b": "1"}


def test_a_directory_that_exists(place):
    convert("good.aof", "log/", cwd=place)
    done = run("convert", "fields.aof", "log", cwd=place)
    assert done.code == 3
    assert "it holds an AOF (use --force to replace it)" in done.err
    assert logs.keys_of(place / "log") == {"a": "2", "b": "1"}
    convert("fields.aof", "log", "--force", cwd=place)
    assert set(logs.keys_of(place / "log")) == {"a", "h"}
    # The directory of a server, in which its log has one of its own.
    (place / "data" / "appendonlydir").mkdir(parents=True)
    done = run("convert", "good.aof", "data", cwd=place)
    assert done.code == 3
    assert "it contains appendonlydir" in done.err
    assert logs.names_in(place / "data") == ["appendonlydir"]


def test_the_source_is_no_destination(place):
    (place / "seven.rdb").write_bytes(SEVEN.read_bytes())
    (place / "link.rdb").symlink_to("seven.rdb")
    (place / "hard.aof").hardlink_to(place / "good.aof")
    convert("good.aof", "log/", cwd=place)
    for source, destination in (
        ("seven.rdb", "seven.rdb"),
        ("seven.rdb", "link.rdb"),
        ("link.rdb", "seven.rdb"),
        ("good.aof", "good.aof"),
        ("good.aof", "hard.aof"),
        ("log", "log"),
        ("log/appendonly.aof.manifest", "log"),
        ("log/appendonly.aof.1.base.aof", "log"),
    ):
        for force in ([], ["--force"]):
            done = run("convert", source, destination, *force, cwd=place)
            assert done.code == 3, (source, destination)
            assert force == [] or "it is the input" in done.err, done.err
    assert (place / "good.aof").read_bytes() == logs.GOOD
    assert (place / "seven.rdb").read_bytes() == SEVEN.read_bytes()
    assert logs.keys_of(place / "log") == {"a": "2", "b": "1"}


def test_a_part_of_the_source_is_no_destination(place):
    convert("good.aof", "log/", cwd=place)
    before = {path.name: path.read_bytes() for path in (place / "log").iterdir()}
    for part in before:
        for form in ("rdb", "aof", "resp", "jsonl"):
            done = run("convert", "log", f"log/{part}", "--to", form, "--force", cwd=place)
            assert done.code == 3, (part, form)
    assert {path.name: path.read_bytes() for path in (place / "log").iterdir()} == before


@pytest.mark.parametrize("data", [logs.CUT, logs.OPEN, logs.UNKNOWN], ids=["cut", "open", "unknown"])
@pytest.mark.parametrize("name", ["new.rdb", "new.aof", "new.jsonl", "new/"])
def test_what_is_in_doubt_is_not_converted(tmp_path, data, name):
    source = logs.write(tmp_path / "log.aof", data)
    done = run("convert", source, name, cwd=tmp_path)
    assert (done.code, done.out) == (1, b"")
    assert logs.names_in(tmp_path) == ["log.aof"]


@pytest.mark.parametrize("name", ["old.rdb", "old.aof", "old.resp", "old/"])
def test_losses(tmp_path, name):
    target = ("--target", "redis-7.0")
    done = run("convert", MODERN, name, *target, cwd=tmp_path)
    assert (done.code, done.out) == (1, b"")
    assert re.match(r'rdbtool: RDB 10 cannot hold (3 )?field expiries \(key "hfe:\w+" of db 0\); ', done.err)
    assert done.err.count("\n") == 1
    assert logs.names_in(tmp_path) == []
    done = run("convert", MODERN, name, *target, "--allow-loss", "-q", cwd=tmp_path)
    assert (done.code, done.out) == (0, b"")
    lost = sorted(done.err.splitlines())
    assert lost == [
        'rdbtool: lost: 2 × field expiries (key "hfe:lp" of db 0)',
        'rdbtool: lost: 3 × field expiries (key "hfe:ht" of db 0)',
        'rdbtool: lost: field expiries (key "hfe:both" of db 0)',
    ]
    done = run("convert", MODERN, name, *target, "--allow-loss", "--force", "--json", cwd=tmp_path)
    losses = json.loads(done.out)["losses"]
    assert sorted((loss["key"], loss["times"], loss["needs_rdb"]) for loss in losses) == [
        ("hfe:both", 1, 12),
        ("hfe:ht", 3, 12),
        ("hfe:lp", 2, 12),
    ]
    assert {(loss["what"], loss["db"]) for loss in losses} == {("field expiries", 0)}


# What is said.


def test_json(place):
    assert run("convert", "answered.aof", "new.rdb", cwd=place).code == 1
    done = run("convert", "answered.aof", "new.rdb", "--json", "--rules", "redis-7.2", cwd=place)
    assert done.code == 0
    assert done.err.startswith("rdbtool: note: 1 command was answered with an error")
    assert json.loads(done.out) == {
        "schema": 1,
        "source": "answered.aof",
        "destination": "new.rdb",
        "form": "rdb",
        "encoding": "rdb",
        "target": {"magic": "REDIS", "version": 11, "release": None, "raised": False},
        "keys": 2,
        "bytes": (place / "new.rdb").stat().st_size,
        "fingerprint": fingerprint(place / "new.rdb"),
        "losses": [],
        "notes": [],
        "error_replies": 1,
        "remarks": [],
        "stopped_at": None,
        "skipped": [],
        "verified": True,
        "dropped": {},
        "left_behind": {},
    }


def test_silence(place):
    done = run("convert", "good.aof", "new.rdb", "-q", cwd=place)
    assert (done.code, done.out, done.err) == (0, b"", "")


def test_the_same_bytes_every_time(place):
    for number in range(2):
        for name, more in (("rdb", []), ("aof", []), ("resp", []), ("jsonl", []), ("p.aof", ["--preamble"])):
            convert(SEVEN, f"{number}.{name}", *more, "--now", NOW, cwd=place)
            assert (place / f"{number}.{name}").read_bytes() == (place / f"0.{name}").read_bytes()


def test_arguments_that_clients_may_not_send_are_named(place):
    """In commands. An AOF is loaded by the server itself, which sets no limit."""
    pieces = 2_033_602
    packed = b"\0\0" + b"\xe0\xff\0" * pieces
    size = 1 + 264 * pieces
    assert size > 512 << 20
    record = b"\0\1k\xc3\x80" + len(packed).to_bytes(4, "big") + b"\x80" + size.to_bytes(4, "big") + packed
    (place / "long.rdb").write_bytes(b"REDIS0011\xfe\0" + record + b"\xff" + bytes(8))
    note = 'an argument longer than servers take from clients unless proto-max-bulk-len is raised (key "k" of db 0)'
    for form, notes in (("resp", 1), ("aof", 0)):
        done = run("convert", "--max-value", "1g", "--to", form, "--no-preamble", "long.rdb", "/dev/null", cwd=place)
        assert (done.code, done.err.count(note)) == (0, notes), done.err
