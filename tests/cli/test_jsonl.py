"""JSON lines as a source: ``dump`` and ``digest`` read the keys, the other commands say what they need."""

from __future__ import annotations

import csv
import gzip
import io
import json

import pytest
from command import FIXTURES, run

from rdbtool.core.errors import InputError, UnsupportedError
from rdbtool.dataset.loading import open_keys
from rdbtool.reader.open.dispatch import open_any
from rdbtool.reader.open.files import detect

PATHS = [FIXTURES / "redis-7.0.15" / "default.rdb", FIXTURES / "valkey-9.1.2" / "default.rdb"]


@pytest.fixture(params=PATHS, ids=lambda path: path.parent.name)
def pair(request, tmp_path):
    """An RDB, and its lines in a file whose name says nothing."""
    lines = tmp_path / "data"
    lines.write_bytes(run("dump", "-f", "jsonl", request.param).out)
    return request.param, lines


@pytest.mark.parametrize("form", ["jsonl", "json", "keys", "table"])
def test_dump(pair, form):
    rdb, lines = pair
    assert run("dump", "-f", form, lines) == run("dump", "-f", form, rdb)


def test_csv_points_at_the_lines(pair):
    data = pair[1].read_bytes()
    tables = [list(csv.DictReader(io.StringIO(run("dump", "-f", "csv", path).out.decode()))) for path in pair]
    assert len(tables[0]) > 50
    for wanted, found in zip(*tables, strict=True):
        start, size = int(found.pop("start")), int(found.pop("size_bytes"))
        row = json.loads(data[start : start + size])
        assert json.dumps(row["value"]) == json.dumps(json.loads(found["value"]))
        assert found == {name: wanted[name] for name in found}


def test_dump_with_filters(pair):
    rdb, lines = pair
    words = ("-f", "jsonl", "-t", "hash", "-n", "0", "--limit", "3")
    ran = run("dump", *words, lines)
    assert ran == run("dump", *words, rdb)
    assert sum("key" in json.loads(line) for line in ran.out.splitlines()) == 3


def test_digest(pair):
    rdb, lines = pair
    ran = run("digest", lines)
    assert ran == run("digest", rdb)
    assert len(ran.out) == 41


def test_standard_input_and_compressed(pair, tmp_path):
    rdb, lines = pair
    data = lines.read_bytes()
    wanted = run("digest", rdb)
    assert run("digest", "-", stdin=data) == wanted
    assert run("digest", "-", stdin=gzip.compress(data)) == wanted
    packed = tmp_path / "packed"
    packed.write_bytes(gzip.compress(data))
    assert run("digest", packed) == wanted


def test_open_keys(pair):
    rdb, lines = pair
    with open_keys(rdb) as wanted, open_keys(lines) as found:
        assert list(found) == list(wanted)


OTHERS = [
    ("info",), ("inspect",), ("inspect", "--record", "1"), ("replay",), ("replay", "--before-last", "FLUSHALL"),
]  # fmt: skip


@pytest.mark.parametrize("words", OTHERS, ids=" ".join)
def test_the_others_say_what_they_need(pair, words):
    _, lines = pair
    ran = run(*words, lines)
    assert (ran.code, ran.out) == (4, b"")
    sentence = "expected an RDB file or an AOF, found JSON lines: rdbtool convert SRC x.rdb makes an RDB file"
    assert ran.err == f"rdbtool: {lines}: {sentence}\n"
    assert run("history", lines, "key").err == ran.err


def test_damage(tmp_path):
    path = tmp_path / "cut"
    path.write_bytes(b'{"key":"a","type":"string","value":"v"}\n{"key":"b","ty')
    ran = run("dump", "-f", "keys", path)
    assert (ran.code, ran.out) == (1, b"a\n")
    assert "line 2: expected the rest of the line, found end of file" in ran.err


def test_what_it_is_shows_in_the_first_byte_that_is_not_blank():
    for data in (b'{"key"', b"\n \t{", b"{"):
        assert detect(data) == "jsonl"
        assert detect(gzip.compress(data)) == "jsonl"
    for data in (b"\x00{", b"[]", b"\xef\xbb\xbf{"):
        with pytest.raises(UnsupportedError, match="not a file that rdbtool reads"):
            detect(data)
    with pytest.raises(InputError, match="a single JSON document"):
        detect(b"[{}]")


def test_a_library_has_to_ask_for_lines():
    with pytest.raises(UnsupportedError, match="expected an RDB file or an AOF"):
        open_any(b"{}")
