"""Two files of JSON lines run together by ``cat`` are read as one; a key that both have is an error."""

import json
import subprocess

import pytest
from command import FIXTURES, run

from rdbtool import open as open_dataset
from rdbtool.core.errors import FormatError
from rdbtool.reader.jsonl.reader import open_jsonl

FIRST = FIXTURES / "redis-7.0.15" / "default.rdb"
SECOND = FIXTURES / "cases" / "around" / "nul-padded.rdb"


@pytest.fixture
def together(tmp_path):
    parts = []
    for name, source in (("a", FIRST), ("b", SECOND)):
        path = tmp_path / f"{name}.jsonl"
        assert run("dump", "-f", "jsonl", source, "-o", path).code == 0
        parts.append(path)
    path = tmp_path / "both.jsonl"
    path.write_bytes(subprocess.run(["cat", *parts], capture_output=True, check=True).stdout)
    return path


def keys_of(source):
    with open_dataset(source) as reader:
        return {(record.db, record.key): record.value for record in reader}


def test_they_are_one(together, tmp_path):
    assert keys_of(together) == keys_of(FIRST) | keys_of(SECOND)
    assert run("validate", together).code == 0
    for name in ("x.rdb", "x.jsonl"):
        done = tmp_path / name
        assert run("convert", together, done).code == 0
        assert keys_of(done) == keys_of(together)
        assert run("digest", done).out == run("digest", together).out
    assert run("diff", together, tmp_path / "x.rdb").code == 0
    assert run("dump", "-f", "jsonl", together).out.count(b'{"rdb"') == 1


@pytest.mark.parametrize("command", ["dump", "digest", "convert", "validate", "diff"])
def test_a_key_of_both_is_named(together, tmp_path, command):
    lines = together.read_bytes().splitlines(keepends=True)
    number = next(index for index, line in enumerate(lines) if b'"key":"user:7"' in line)
    together.write_bytes(b"".join(lines) + lines[number])
    words = {"convert": [tmp_path / "out.rdb"], "diff": [FIRST]}.get(command, [])
    ran = run(command, together, *words)
    said = " ".join((ran.err + ran.out.decode()).split())
    assert ran.code == (3 if command == "diff" else 1)
    assert '"user:7"' in said
    if command in {"dump", "digest", "convert"}:
        assert f"line {len(lines) + 1}:" in said
        assert ("RDB301" if command == "convert" else "JSN011") in said
    assert not (tmp_path / "out.rdb").exists()


def test_many_keys_and_the_last_one_again(tmp_path):
    path = tmp_path / "x.jsonl"
    rows = [json.dumps({"db": index % 3, "key": f"k{index}", "type": "string", "value": "v"}) for index in range(3000)]
    path.write_text("\n".join([*rows, rows[-1]]) + "\n")
    with open_jsonl(path) as reader:
        assert sum(1 for _ in reader) == 3001
    with open_jsonl(path) as reader:
        reader.refuse_twice()
        with pytest.raises(FormatError, match="JSN011") as caught:
            list(reader)
    assert caught.value.where.path == "line 3001"
    # The same name in another database is another key.
    path.write_text("\n".join([*rows, rows[-1].replace('"db": 2', '"db": 5')]) + "\n")
    assert run("dump", path).code == 0


def test_a_header_behind_keys_decides_what_follows(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text('{"key":"a","type":"string","value":"v"}\n{"rdb":{"magic":"REDIS","version":99}}\n')
    ran = run("dump", path)
    assert ran.code == 4
    assert "line 2: " in ran.err
