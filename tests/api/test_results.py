"""Results: whatever the source is given as, they are the same, and ``to_dict`` is what the command prints."""

import gc
import io
import json
import pydoc
from pathlib import Path

import pytest
from command import FIXTURES, run

import rdbtool

SEVEN = FIXTURES / "redis-7.0.15"
RDB = SEVEN / "default.rdb"
AOF = SEVEN / "aof-preamble"
TIMES = SEVEN / "aof-timestamps"
DAMAGED = FIXTURES / "damaged" / "damaged-middle.aof"
FLIPPED = FIXTURES / "damaged" / "flipped-bit.dump"
EIGHT = FIXTURES / "redis-8.0.6" / "default.rdb"
NOW = "1790000000000"

#: A call and the command that prints the same.
PAIRS = {
    "digest": (lambda: rdbtool.digest(RDB, now=int(NOW)), ("digest", RDB, "--now", NOW)),
    "digest of an AOF": (
        lambda: rdbtool.digest(AOF, rules="redis-8.0", before="flushdb", db=[0, 1], now=int(NOW)),
        ("digest", AOF, "--rules", "redis-8.0", "--before", "flushdb", "-n", "0", "-n", "1", "--now", NOW),
    ),
    "info": (lambda: rdbtool.info(RDB), ("info", RDB)),
    "info of an AOF": (lambda: rdbtool.info(AOF), ("info", AOF)),
    "info of damage": (lambda: rdbtool.info(FLIPPED), ("info", FLIPPED)),
    "replay": (
        lambda: rdbtool.replay(AOF, until="n:2000", skip=[5, "8"], digest=True, now=int(NOW)),
        ("replay", AOF, "--until", "n:2000", "--skip-command", "5", "--skip-command", "8", "--now", NOW),
    ),
    "history": (lambda: rdbtool.history(TIMES, b"s:0", db=0), ("history", TIMES, "s:0", "-n", "0")),
    "history of some": (
        lambda: rdbtool.history(TIMES, exact_key="s:0", glob="l:*", regex=["^z:1", "x$"]),
        ("history", TIMES, "--exact-key", "s:0", "--glob", "l:*", "-k", "^z:1", "-k", "x$"),
    ),
    "inspect": (lambda: rdbtool.inspect(RDB), ("inspect", RDB)),
    "inspect a key": (lambda: rdbtool.inspect(AOF, key="s:0"), ("inspect", AOF, "--exact-key", "s:0")),
    "inspect damage": (lambda: rdbtool.inspect(FLIPPED), ("inspect", FLIPPED)),
    "diff": (lambda: rdbtool.diff(RDB, EIGHT, aux=True), ("diff", RDB, EIGHT, "--aux")),
    "diff of moments": (
        lambda: rdbtool.diff(AOF, AOF, until_a="n:1000", before_b="flushdb", type="zset", limit=3),
        ("diff", AOF, AOF, "--until-a", "n:1000", "--before-b", "flushdb", "-t", "zset", "--limit", "3"),
    ),
    "repair": (lambda: rdbtool.repair(DAMAGED), ("repair", DAMAGED, "--dry-run")),
}


@pytest.mark.parametrize("name", PAIRS)
def test_results_are_what_the_commands_print(name):
    call, words = PAIRS[name]
    ran = run(*words, "--json")
    given, printed = json.loads(json.dumps(call().to_dict())), json.loads(ran.out)
    # A command names a directory by the path that it was given, a result by the same.
    assert given == printed


@pytest.mark.parametrize("path", [RDB, AOF, DAMAGED, FLIPPED, EIGHT], ids=str)
@pytest.mark.parametrize("level", ["server", "deep"])
def test_verdicts_are_what_validate_prints(path, level):
    words = ("--level", level, "--rules", "redis-7.2", "--min-keys", "70", "--now", NOW)
    printed = json.loads(run("validate", path, *words, "--json").out)["sources"]
    verdict = rdbtool.validate(path, level=level, rules="redis-7.2", min_keys=70, now=int(NOW))
    assert [json.loads(json.dumps(verdict.to_dict()))] == [{"schema": 1, **printed[0]}]


@pytest.mark.parametrize(
    ("source", "name", "words"),
    [
        (EIGHT, "x.rdb", {"target": "redis-6.2", "allow_loss": True}),
        (RDB, "x.jsonl", {"key": "^h:", "drop": ["aux"]}),
        (AOF, "x/", {"before": "flushdb", "preamble": False}),
    ],
)
def test_conversions_are_what_convert_prints(source, name, words, tmp_path):
    options = []
    for option, value in words.items():
        for row in value if isinstance(value, list) else [value]:
            flag = f"--{option.replace('_', '-')}"
            options += [flag.replace("--", "--no-")] if row is False else [flag] if row is True else [flag, row]
    printed = json.loads(run("convert", source, name, *options, "--json", cwd=tmp_path).out)
    (tmp_path / "api").mkdir()
    slash = "/" if name.endswith("/") else ""
    done = rdbtool.convert(source, f"{tmp_path / 'api' / name}{slash}", **words)
    given = json.loads(json.dumps(done.to_dict()))
    assert given.pop("destination").endswith(name)
    printed.pop("destination")
    assert given == printed


def test_rewrites_are_what_aof_rewrite_prints(tmp_path):
    printed = json.loads(run("aof-rewrite", AOF, "-o", tmp_path / "a.aof", "--now", NOW, "--json").out)
    given = json.loads(json.dumps(rdbtool.rewrite(AOF, tmp_path / "b.aof", now=int(NOW)).to_dict()))
    assert printed.pop("destination") == str(tmp_path / "a.aof")
    assert given.pop("destination") == str(tmp_path / "b.aof")
    assert given == printed


class Stream(io.RawIOBase):
    """A stream that can only be read."""

    def __init__(self, data):
        self._data = io.BytesIO(data)

    def readable(self):
        return True

    def readinto(self, view):
        return self._data.readinto(view)


@pytest.mark.parametrize("path", [RDB, DAMAGED.with_name("cut-tail.aof")], ids=["rdb", "aof"])
@pytest.mark.parametrize("give", [str, Path, Path.read_bytes, lambda path: Stream(path.read_bytes())])
def test_sources_are_paths_bytes_and_streams(path, give, tmp_path):
    keys = len(list(rdbtool.info(path).to_dict()["dbs"]))
    assert len(rdbtool.info(give(path)).to_dict()["dbs"]) == keys
    verdict = rdbtool.validate(path)
    assert rdbtool.validate(give(path)).counts == verdict.counts
    assert len(rdbtool.inspect(give(path))) == len(rdbtool.inspect(path))
    if path is RDB:
        assert str(rdbtool.digest(give(path))) == str(rdbtool.digest(path))
        assert len(list(rdbtool.open(give(path)))) == verdict.keys
        assert rdbtool.diff(give(path), path).are_same
        done = rdbtool.convert(give(path), tmp_path / "x.rdb")
        assert done.is_verified
        assert rdbtool.diff(path, done.destination).are_same
    else:
        assert rdbtool.replay(give(path)).commands == rdbtool.replay(path).commands
        assert rdbtool.history(give(path), "k").touches == rdbtool.history(path, "k").touches
        done = rdbtool.repair(give(path), tmp_path / "x.aof")
        assert done.is_saved
        assert rdbtool.validate(done.destination).answer == "valid"


def test_a_reader_closes_itself_once_read():
    reader = rdbtool.open(RDB)
    assert "closed" not in repr(reader)
    assert len(list(reader)) == 61
    assert "closed" in repr(reader)
    with pytest.raises(ValueError, match=r"default\.rdb was read to its end, or closed: open it again"):
        iter(reader)


def test_a_reader_goes_on_where_it_was_left():
    with rdbtool.open(RDB) as reader:
        first = next(iter(reader))
        rest = list(reader)
    assert first.key not in {record.key for record in rest}
    # Records are read in batches, and of a batch that was begun the rest is gone with its iterator.
    assert len(rest) < 61


def test_a_reader_that_nobody_has_is_closed():
    # A file that is left open is a ResourceWarning, and so an error here.
    for record in rdbtool.open(RDB):
        assert record.key
        break
    with pytest.raises(rdbtool.FormatError):
        list(rdbtool.open(FLIPPED))
    gc.collect()


def test_what_is_read_is_said():
    with rdbtool.open(AOF) as reader:
        assert (reader.doubt, list(reader.remarks), reader.header.version) == (None, [], 10)
        assert [field.value for field in reader.aux if field.key == b"redis-ver"] == [b"7.0.15"]
        assert reader.name.endswith("appendonly.aof.manifest")


def test_doubt_is_part_of_the_answer():
    log = b"*3\r\n$7\r\nFOO.SET\r\n$1\r\nk\r\n$1\r\nv\r\n"
    with rdbtool.open(log) as reader:
        assert list(reader) == []
        assert isinstance(reader.doubt, rdbtool.UncertainError)
    assert rdbtool.digest(log).doubt is not None
    assert rdbtool.replay(log).doubts
    assert rdbtool.history(log, "k").doubt is not None
    assert rdbtool.info(log).obstacle is not None
    with pytest.raises(rdbtool.InputError, match=r"FOO\.SET"):
        rdbtool.diff(log, log)


def test_help_is_about_the_functions():
    page = pydoc.plain(pydoc.render_doc(rdbtool))
    # Words, as newer Pythons give each parameter a line.
    assert len(page.split()) < 5000
    for name in ("Selection", "Fingerprint", "Jsonl", "RdbReader", "open_any"):
        assert not hasattr(rdbtool, name), name
    assert all(hasattr(rdbtool, name) for name in dir(rdbtool))
    assert set(rdbtool.__all__) < set(dir(rdbtool))
