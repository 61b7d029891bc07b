"""jsonl and csv for programs that want columns: one type in each, and no line that is taken for something else."""

from __future__ import annotations

import base64
import csv
import io
import json

import pytest
from aof.logs import command
from command import FIXTURES, run

DATA = FIXTURES / "redis-7.0.15" / "default.rdb"


def bytes_of(text):
    """Undo escape, character by character."""
    data, at = bytearray(), 0
    while at < len(text):
        if text[at] != "\\":
            data += text[at].encode()
            at += 1
        elif text[at + 1] == "\\":
            data += b"\\"
            at += 2
        else:
            assert text[at + 1] == "x"
            data.append(int(text[at + 2 : at + 4], 16))
            at += 4
    return bytes(data)


DECODERS = {
    "base64": base64.b64decode,
    "latin1": lambda text: text.encode("latin-1"),
    "escape": bytes_of,
}
WAYS = list(DECODERS)


def plain(value):
    """Return a value of usual lines with all strings as bytes."""
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, dict):
        if value.keys() == {"base64"}:
            return base64.b64decode(value["base64"])
        return {name: plain(row) for name, row in value.items()}
    return [plain(row) for row in value] if isinstance(value, list) else value


def decoded(value, decode):
    if isinstance(value, str):
        return decode(value)
    if isinstance(value, dict):
        return {name: decoded(row, decode) for name, row in value.items()}
    return [decoded(row, decode) for row in value] if isinstance(value, list) else value


def lines_of(*words):
    ran = run("dump", "-f", "jsonl", *words)
    assert ran.code == 0, ran.err
    return [json.loads(line) for line in ran.out.splitlines()]


def test_keys_only():
    lines = lines_of(DATA)
    assert lines_of("--keys-only", DATA) == [line for line in lines if "key" in line]
    assert len(lines) > 61


@pytest.mark.parametrize("way", WAYS)
def test_every_string_is_written_in_one_way(way):
    kinds = ("-T", "stream", "-T", "zset", "-T", "module")
    usual, lines = (lines_of("--keys-only", *kinds, *words, DATA) for words in ((), ("--binary", way)))
    assert len(lines) == len(usual) > 30
    assert {line.pop("binary") for line in lines} == {way}
    for line, other in zip(lines, usual, strict=True):
        assert isinstance(line["key"], str)
        for name in ("key", "value"):
            assert decoded(line[name], DECODERS[way]) == plain(other[name])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "data", [b"", b"\\", b"\\x41", b"\xff\xfe", "é\u2028".encode(), bytes(range(256)), b"\xe2\x82" * 9]
)
def test_strings(tmp_path, way, data):
    log = tmp_path / "x.aof"
    log.write_bytes(command("SET", data, data) + command("HSET", "h", data, b"a" * 40 + data))
    rows = {line["type"]: line for line in lines_of("--keys-only", "--binary", way, log)}
    decode = DECODERS[way]
    assert (decode(rows["string"]["key"]), decode(rows["string"]["value"])) == (data, data)
    assert [list(map(decode, row)) for row in rows["hash"]["value"]] == [[data, b"a" * 40 + data]]


@pytest.mark.parametrize("words", [("--keys-only",), ()])
@pytest.mark.parametrize("way", WAYS)
def test_they_are_not_read_back(tmp_path, way, words):
    shaped = tmp_path / "x.jsonl"
    shaped.write_bytes(run("dump", "-f", "jsonl", "--binary", way, *words, DATA).out)
    for row in [
        ("digest", shaped),
        ("convert", shaped, tmp_path / "new.rdb"),
        ("dump", shaped),
        ("diff", shaped, DATA),
    ]:
        ran = run(*row)
        assert ran.code == (3 if row[0] == "diff" else 1)
        assert "with binary" in ran.err
    assert list(tmp_path.iterdir()) == [shaped]
    # Nor is a line that somebody has taken from them.
    shaped.write_bytes(b"".join(shaped.read_bytes().splitlines(keepends=True)[-1:]))
    assert run("digest", shaped).code == 1


def test_lines_of_keys_are_read_as_they_are(tmp_path):
    shaped = tmp_path / "x.jsonl"
    shaped.write_bytes(run("dump", "-f", "jsonl", "--keys-only", DATA).out)
    ran = run("diff", "--no-functions", DATA, shaped)
    assert ran.code == 0, ran.out
    assert run("diff", DATA, shaped).code == 1


@pytest.mark.parametrize(
    "words",
    [("csv", "--keys-only"), ("json", "--binary", "base64"), ("jsonl", "--binary", "hex"), ("jsonl", "--fields", "a")],
)
def test_words_of_other_forms(words):
    assert run("dump", "-f", *words, DATA).code == 2


# ---- fields ----------------------------------------------------------------------------------------


@pytest.fixture
def people(tmp_path):
    log = tmp_path / "people.aof"
    log.write_bytes(
        command("HSET", "user:1", "name", "Ann", "email", "=cmd()", "type", "x,y")
        + command("HSET", "user:2", "name", 'O"B\r\n', "empty", "")
        + command("HSET", "user:3", "name", b"\xff", "a,b", "-5")
        + command("SET", "name", "1")
    )
    return log


def rows_of(*words):
    ran = run("dump", "-f", "csv", *words)
    assert ran.code == 0, ran.err
    rows = list(csv.reader(io.StringIO(ran.out.decode(), newline="")))
    assert {len(row) for row in rows} == {len(rows[0])}
    return [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]


def test_fields_become_columns(people):
    rows = {row["key"]: row for row in rows_of("--fields", "name,email", "--fields", "type,a\\x2cb", people)}
    assert list(rows["name"]) == ["db", "key", "type", "encoding", "elements", "expire_at_ms", "start", "size_bytes",
                                  "name", "email", "field:type", "a,b"]  # fmt: skip
    cells = {key: [row[name] for name in ("name", "email", "field:type", "a,b")] for key, row in rows.items()}
    assert cells == {
        "user:1": ["Ann", "'=cmd()", "x,y", ""],
        "user:2": ['O"B\r\n', "", "", ""],
        "user:3": ['{"base64":"/w=="}', "", "", "-5"],
        "name": ["", "", "", ""],
    }
    assert {row["type"] for row in rows.values()} == {"hash", "string"}


def test_names_of_columns_are_inert_too(people):
    assert "'=1+1" in rows_of("--fields", "=1+1", people)[0]
    rows = rows_of("--raw", "--fields", "=1+1,email", people)
    assert "=1+1" in rows[0]
    assert "=cmd()" in {row["email"] for row in rows}


def test_a_field_twice(people):
    assert run("dump", "-f", "csv", "--fields", "a,a", people).code == 2
