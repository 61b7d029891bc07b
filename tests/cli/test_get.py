"""``rdbtool get``: the bytes of one value, from any source."""

import json
import os
import pty
import subprocess

import pytest
from command import COMMAND, FIXTURES, environment, run

SNAPSHOT = FIXTURES / "redis-7.0.15/default.rdb"
AOF = FIXTURES / "redis-7.0.15/aof-preamble"


def records(path):
    lines = map(json.loads, run("dump", "-f", "jsonl", "--keys-only", path).out.splitlines())
    shown = [row for row in lines if isinstance(row["key"], str) and "\\" not in row["key"]]
    return [row for row in shown if row["type"] != "string" or isinstance(row["value"], str)]


@pytest.mark.parametrize("path", [SNAPSHOT, AOF])
def test_every_value_is_that_of_the_dump(path):
    seen = set()
    for row in records(path):
        if row["type"] in seen:
            continue
        seen.add(row["type"])
        done = run("get", path, row["key"], "-n", str(row["db"]))
        assert done.code == 0
        if row["type"] == "string":
            assert done.out == row["value"].encode()
        else:
            assert json.loads(done.out) == row["value"]
    assert {"string", "hash", "list", "set", "zset", "stream"} <= seen


def test_one_element_of_each_kind(tmp_path):
    commands = ["HSET h f v", "RPUSH l a b c", "SADD s x", "ZADD z 1.5 m 3 n", "XADD x 5-1 f v", "SET t text"]
    path = tmp_path / "x.aof"
    frames = []
    for line in commands:
        words = line.split()
        frames.append(f"*{len(words)}\r\n" + "".join(f"${len(word)}\r\n{word}\r\n" for word in words))
    path.write_text("".join(frames), newline="")
    elements = {"h f": "v", "l -1": "c", "l 0": "a", "s x": "x", "z m": "1.5", "z n": "3", "x 5-1": "f\nv"}
    for words, expected in elements.items():
        done = run("get", path, "--", *words.split())
        assert (done.code, done.out.decode()) == (0, expected), words
    for words in ("h none", "l 7", "l x", "s y", "z x", "x 5-2", "x 5", "t 1"):
        assert run("get", path, *words.split()).code == 1, words


def test_what_follows_the_key_is_not_read(tmp_path):
    first = records(SNAPSHOT)[0]
    damaged = tmp_path / "x.rdb"
    data = SNAPSHOT.read_bytes()
    damaged.write_bytes(data[: len(data) // 2] + bytes(1000))
    assert run("get", damaged, first["key"]).out == run("get", SNAPSHOT, first["key"]).out
    assert run("get", damaged, "no such key").code == 1


def test_a_key_that_is_not_there():
    done = run("get", SNAPSHOT, "no such key")
    assert (done.code, done.out) == (1, b"")
    assert done.err == f'rdbtool: {SNAPSHOT}: no key "no such key"\n'


def test_a_value_goes_into_a_file(tmp_path):
    key = next(row["key"] for row in records(SNAPSHOT) if row["type"] == "string")
    assert run("get", SNAPSHOT, key, "-o", tmp_path / "x").code == 0
    assert (tmp_path / "x").read_bytes() == run("get", SNAPSHOT, key).out
    assert run("get", SNAPSHOT, key, "-o", tmp_path / "x").code == 3


def test_a_terminal_gets_nothing_that_it_obeys(tmp_path):
    path = tmp_path / "x.aof"
    path.write_bytes(
        b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$6\r\na\x1b[2Jb\r\n*4\r\n$4\r\nHSET\r\n$1\r\nh\r\n$1\r\nf\r\n$2\r\n\xff\x1b\r\n"
    )
    for key, expected in (("k", b"a\\x1b[2Jb"), ("h", b'f  "\\xff\\x1b"')):
        master, slave = pty.openpty()
        subprocess.run([*COMMAND, "get", path, key], stdout=slave, check=True, env=environment())
        os.close(slave)
        assert os.read(master, 1000).strip() == expected
        os.close(master)
