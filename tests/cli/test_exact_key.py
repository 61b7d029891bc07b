"""``--exact-key`` means the same on every command: the key itself, and nothing that merely contains it."""

import json

import pytest
from command import run

from rdbtool import open as open_dataset

KEYS = [b"a", b"ab", b"a\n", b"(a", b"\xff", b"\\", b"", b"A"]


@pytest.fixture
def source(tmp_path):
    log = b"".join(b"*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$1\r\nv\r\n" % (len(key), key) for key in KEYS)
    path = tmp_path / "x.aof"
    path.write_bytes(log)
    return path


@pytest.mark.parametrize(
    ("given", "key"), [("a", b"a"), (r"a\x0a", b"a\n"), ("(a", b"(a"), (r"\xff", b"\xff"), (r"\\", b"\\"), ("", b"")]
)
def test_one_key(source, tmp_path, given, key):
    shown = run("dump", "-f", "jsonl", "--exact-key", given, source)
    assert (shown.code, shown.out.count(b'"key"')) == (0, 1)
    done = tmp_path / "x.rdb"
    assert run("convert", "--exact-key", given, source, done).code == 0
    with open_dataset(done) as reader, open_dataset(source, exact_key=key) as chosen:
        assert [record.key for record in reader] == [record.key for record in chosen] == [key]
    assert run("digest", "--exact-key", given, source).out == run("digest", done).out
    assert run("diff", "--exact-key", given, source, done).code == 0
    assert run("diff", source, done).code == 1
    touched = run("history", source, "--exact-key", given, "--json")
    assert touched.code == 0
    assert touched.out == run("history", source, given, "--json").out
    items = json.loads(run("inspect", "--json", "--exact-key", given, source).out)["items"]
    assert len(items) == 1


def test_several_keys(source):
    ran = run("dump", "-f", "keys", "--exact-key", "a", "--exact-key", "A", "--glob", "ab", source)
    assert sorted(ran.out.split()) == [b"A", b"a", b"ab"]


def test_history_needs_a_key(source):
    ran = run("history", source)
    assert ran.code == 2
    assert "Invalid value for KEY: give a key, as KEY or with --exact-key, --glob or --key" in " ".join(ran.err.split())


def test_a_name_that_is_no_utf8(source):
    path = source.with_name("\udcff\udcfe")
    source.rename(path)
    for words in (["info"], ["info", "--json"], ["dump"], ["validate"], ["replay"], ["inspect"], ["digest", "--json"]):
        assert run(*words, path).code == 0


@pytest.mark.parametrize(
    "command",
    [("dump",), ("dump", "-f", "csv"), ("dump", "-f", "table"), ("dump", "-f", "resp"), ("digest",), ("inspect",)],
    ids=" ".join,
)
def test_a_key_that_is_not_there(command, source):
    ran = run(*command, "--exact-key", "not there", source)
    assert (ran.code, ran.err.count('no key "not there"')) == (1, 1)


def test_a_key_that_another_filter_leaves_out(source):
    ran = run("dump", "--exact-key", "a", "-t", "stream", source)
    assert ran.code == 1
    assert ran.err.endswith('no key "a" that passes the other filters\n')
