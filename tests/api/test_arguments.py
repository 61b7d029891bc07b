"""Arguments are checked first: one sentence that begins with the argument's name, and nothing was read."""

import inspect
import io
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from command import FIXTURES

import rdbtool

RDB = FIXTURES / "redis-7.0.15" / "default.rdb"
AOF = FIXTURES / "redis-7.0.15" / "aof-preamble"
NOWHERE = Path("/nonexistent/file")

FUNCTIONS = [name for name in dir(rdbtool) if name.islower() and name[0] != "_"]

#: Calls, the error, and how it begins. The source does not exist: what reads it fails otherwise.
WRONG = [
    (lambda: rdbtool.open(3), TypeError, "source: expected a path, bytes or a binary stream, found int"),
    (lambda: rdbtool.open(io.StringIO()), TypeError, "source: the stream gives text"),
    (lambda: rdbtool.open(""), ValueError, "source: the path is empty"),
    (lambda: rdbtool.diff(NOWHERE, None), TypeError, "b: expected a path, bytes or a binary stream, found NoneType"),
    (lambda: rdbtool.diff("-", "-"), ValueError, "a, b: standard input"),
    (lambda: rdbtool.convert(NOWHERE, b"x.rdb"), TypeError, "destination: expected a path, found bytes"),
    (lambda: rdbtool.convert(NOWHERE, "x"), ValueError, "form: cannot be inferred from 'x'"),
    (lambda: rdbtool.convert(NOWHERE, "x", form="rdbs"), ValueError, "form: must be one of rdb, aof"),
    (lambda: rdbtool.convert(NOWHERE, "-", form="aof-dir"), ValueError, "destination: a directory cannot"),
    (
        lambda: rdbtool.convert(NOWHERE, "x.rdb", target="redis-99"),
        ValueError,
        "target: 'redis-99' is not a known release",
    ),
    (lambda: rdbtool.convert(NOWHERE, "x.rdb", target=11), TypeError, "target: expected text, found 11"),
    (lambda: rdbtool.convert(NOWHERE, "x.rdb", force="no"), TypeError, "force: expected True or False, found 'no'"),
    (lambda: rdbtool.convert(NOWHERE, "x.rdb", drop="keys"), ValueError, "drop: must be one of functions"),
    (lambda: rdbtool.digest(NOWHERE, rules="rabbit-1"), ValueError, "rules: 'rabbit-1' is not a server"),
    (lambda: rdbtool.digest(NOWHERE, now="soon"), ValueError, "now: "),
    (lambda: rdbtool.digest(NOWHERE, now=1.5), TypeError, "now: expected a datetime"),
    (lambda: rdbtool.open(NOWHERE, key="("), ValueError, "key: '(': missing )"),
    (lambda: rdbtool.open(NOWHERE, key=re.compile("a")), TypeError, "key: expected a pattern of bytes"),
    (lambda: rdbtool.open(NOWHERE, type="hush"), ValueError, "type: must be one of string"),
    (lambda: rdbtool.open(NOWHERE, db="0"), TypeError, "db: expected int, or several of them, found '0'"),
    (lambda: rdbtool.open(NOWHERE, db=-1), ValueError, "db: expected at least 0, found -1"),
    (lambda: rdbtool.open(NOWHERE, slot="9-5"), ValueError, "slot: '9-5' is not a valid slot"),
    (lambda: rdbtool.open(NOWHERE, slot=(0, 16384)), ValueError, "slot: (0, 16384) is not a valid slot"),
    (lambda: rdbtool.open(NOWHERE, limit=True), TypeError, "limit: expected a number"),
    (lambda: rdbtool.open(NOWHERE, expired="yes"), TypeError, "expired: expected True or False"),
    (lambda: rdbtool.open(NOWHERE, types="hash"), TypeError, "open() has no argument 'types', did you mean 'type'?"),
    (lambda: rdbtool.replay(NOWHERE, until="tomorrow"), ValueError, "until: 'tomorrow' is not a valid place in an AOF"),
    (lambda: rdbtool.replay(NOWHERE, before="flushal"), ValueError, "before: 'flushal' is not a command; did you mean"),
    (lambda: rdbtool.replay(NOWHERE, until="n:1", before="set"), ValueError, "until, before, before_last: only one"),
    (lambda: rdbtool.replay(NOWHERE, skip="exec"), ValueError, "skip: EXEC cannot be skipped"),
    (lambda: rdbtool.replay(NOWHERE, skip=0), ValueError, "skip: commands are numbered from 1"),
    (lambda: rdbtool.replay(NOWHERE, rename_commands={"A": "NOSUCH"}), ValueError, "rename_commands: 'NOSUCH' is not"),
    (lambda: rdbtool.replay(NOWHERE, progress=1), TypeError, "progress: expected a function"),
    (lambda: rdbtool.diff(NOWHERE, NOWHERE, until_b="x"), ValueError, "until_b: 'x' is not a valid place"),
    (lambda: rdbtool.diff(NOWHERE, NOWHERE, until="n:1", skip_a=1), ValueError, "until, before, before_last, skip: "),
    (
        lambda: rdbtool.diff(NOWHERE, NOWHERE, ttl_tolerance="long"),
        ValueError,
        "ttl_tolerance: 'long' is not a valid time",
    ),
    (lambda: rdbtool.validate(NOWHERE, level="shallow"), ValueError, "level: must be one of server, deep"),
    (lambda: rdbtool.validate(NOWHERE, max_age="old"), ValueError, "max_age: 'old' is not a valid length of time"),
    (lambda: rdbtool.validate(NOWHERE, expect_digest="ab"), ValueError, "expect_digest: 'ab' is not a valid digest"),
    (lambda: rdbtool.validate(NOWHERE, expect_keys="x"), ValueError, "expect_keys: 'x' is not a valid range"),
    (lambda: rdbtool.validate(NOWHERE, min_version="x"), ValueError, "min_version: 'x' is not a server such as"),
    (lambda: rdbtool.validate(NOWHERE, min_keys=1, replay=False), ValueError, "replay: counting the keys of an AOF"),
    (lambda: rdbtool.validate(NOWHERE, databases=0), ValueError, "databases: expected at least 1"),
    (lambda: rdbtool.rewrite(NOWHERE), ValueError, "destination, in_place: exactly one of them is required"),
    (lambda: rdbtool.rewrite(NOWHERE, "x", backup="y"), ValueError, "backup: without in_place"),
    (lambda: rdbtool.repair(NOWHERE, "-"), ValueError, "destination: what is repaired is read back"),
    (lambda: rdbtool.repair(NOWHERE, keep_damaged="x"), ValueError, "keep_damaged: "),
    (lambda: rdbtool.history(NOWHERE, 7), TypeError, "key: expected text or bytes, found 7"),
    (lambda: rdbtool.history(NOWHERE), ValueError, "key: give a key, or exact_key, glob or regex"),
    (lambda: rdbtool.history(NOWHERE, glob=7), TypeError, "glob: expected str or bytes, or several of them, found 7"),
    (lambda: rdbtool.history(NOWHERE, regex="("), ValueError, "regex: '(': missing )"),
    (lambda: rdbtool.inspect(NOWHERE, key="a", record=1), ValueError, "key, at, record: only one"),
    (lambda: rdbtool.inspect(NOWHERE, part=1), ValueError, "part: "),
    (lambda: rdbtool.inspect(NOWHERE, record=0), ValueError, "record: expected at least 1, found 0"),
    (lambda: rdbtool.save({}, "x.rdb"), TypeError, "engine: expected an Engine, found dict"),
    (lambda: rdbtool.save(rdbtool.Engine(), "x.rdb", target="x"), ValueError, "target: 'x' is not a server"),
]


@pytest.mark.parametrize(("call", "error", "words"), WRONG, ids=[row[2][:40] for row in WRONG])
def test_arguments_are_checked(call, error, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value).startswith(words)
    assert "\n" not in str(caught.value)
    assert "--" not in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", FUNCTIONS)
def test_signatures_show_all_arguments(name):
    parameters = inspect.signature(getattr(rdbtool, name)).parameters.values()
    assert all(row.kind is not inspect.Parameter.VAR_KEYWORD for row in parameters)
    keywords = [row.name for row in parameters if row.kind is inspect.Parameter.KEYWORD_ONLY]
    if name not in {"inspect", "limited", "save"}:
        assert {"rules", "now", "rename_commands", "progress"} <= set(keywords)
    assert getattr(rdbtool, name).__doc__


def names(**filters):
    return {record.key for record in rdbtool.open(RDB, **filters)}


def test_filters_take_one_or_several():
    every = names()
    assert names(key="^h:") == names(key=b"^h:") == names(key=re.compile(b"^h:")) == names(glob="h:*")
    assert names(key=["^h:", "^z:"]) == names(key="^h:") | names(key="^z:")
    assert names(no_key="^h:") == every - names(key="^h:")
    assert names(type="hash") == names(type=["HASH"]) == every - names(no_type="hash")
    assert names(db=[1, 9]) == names(db=1) | names(db=(9,))
    assert names(slot="0-8191") | names(slot=(8192, 16383)) == every
    assert len(names(limit=3)) == 3
    assert names(expired=True) | names(expired=False) == every


def test_moments_are_datetimes_text_or_milliseconds():
    moment = datetime(2027, 1, 1, tzinfo=UTC)
    for now in (moment, "2027-01-01T00:00:00Z", round(moment.timestamp() * 1000)):
        assert rdbtool.digest(RDB, now=now, rules="valkey-9.1").keys == 61
    assert names(expired=True, now=datetime(2280, 1, 1, tzinfo=UTC)) != names(expired=True, now=0) == set()


def test_lengths_of_time():
    for age in ("26h", timedelta(hours=26)):
        verdict = rdbtool.validate(RDB, max_age=age, now="2100-01-01")
        assert [finding.code for finding in verdict.findings if finding.severity == "error"] == ["CHK012"]
    for tolerance in ("1s", 1000, timedelta(seconds=1)):
        assert rdbtool.diff(RDB, RDB, ttl_tolerance=tolerance).are_same


def test_progress_is_told():
    large = b"".join(b"\x00\x07key%04d\x80\x00\x00\x10\x00%s" % (number, bytes(4096)) for number in range(1000))
    data = b"REDIS0011\xfe\x00" + large + b"\xff" + bytes(8)
    for call in (rdbtool.digest, rdbtool.validate, rdbtool.info, lambda data, **row: list(rdbtool.open(data, **row))):
        told = []
        call(data, progress=told.append)
        assert told, call


def test_a_path_object_called_dash_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("-").write_bytes(RDB.read_bytes())
    assert rdbtool.digest(Path("-")).keys == 61
    done = rdbtool.convert(Path("-"), Path("x.rdb"))
    assert (done.keys, done.is_verified) == (61, True)
