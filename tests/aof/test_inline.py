"""Inline commands: a line each, split as servers split them. Other text is not taken for them."""

import gzip
import io
import json
import random
import subprocess

import pytest
from command import FIXTURES, run

from rdbtool.core.errors import UnknownFormatError
from rdbtool.core.manifest import split_words
from rdbtool.reader.aof.inline import begins_inline
from rdbtool.reader.open.dispatch import open_any
from rdbtool.reader.open.files import detect

PATH = FIXTURES / "cases" / "around" / "commands.txt"
TEXT = PATH.read_bytes()
COMMANDS = [(b"SET", b"a", b"1"), (b"SET", b"b", b"two words"), (b"HSET", b"h", b"f", b"v"), (b"EXPIRE", b"a", b"100")]


def read(source):
    with open_any(source) as reader:
        return [tuple(command.argv) for command in reader.commands()]


@pytest.mark.parametrize(
    "data",
    [
        TEXT,
        TEXT[:-1],
        TEXT.replace(b"\n", b"\r\n"),
        b"\n\r\n  \n" + TEXT.replace(b"\n", b"\n\n\t\n") + b"\n\n",
        TEXT.replace(b"SET a 1", b" SET  a\t1 "),
        TEXT[:8] + b"*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$9\r\ntwo words\r\n" + TEXT[26:],
    ],
)
def test_lines_are_commands(tmp_path, data):
    path = tmp_path / "commands"
    path.write_bytes(data)
    for source in (path, data, io.BytesIO(data), gzip.compress(data)):
        assert read(source) == COMMANDS
    assert detect(path) == "aof"


def test_every_command_reads_them(tmp_path):
    assert set(run("dump", "-f", "keys", PATH).out.split()) == {b"a", b"b", b"h"}
    assert json.loads(run("info", "--json", PATH).out)["notes"] == ["inline commands, a line each"]
    found = json.loads(run("validate", "--strict", "--json", PATH).out)["sources"][0]["findings"]
    assert [(row["code"], row["severity"]) for row in found] == [("SRC006", "note")]
    assert run("validate", "--strict", PATH).code == 0
    assert run("validate", "--level", "server", PATH).code == 1
    for name in ("x.rdb", "x.aof", "x.jsonl"):
        assert run("convert", PATH, tmp_path / name).code == 0
        assert run("digest", tmp_path / name).out == run("digest", PATH).out
    assert run("aof-rewrite", PATH, "-o", tmp_path / "y.aof").code == 0
    items = json.loads(run("inspect", "--json", PATH).out)["items"]
    assert [(item["start"], item["stop"]) for item in items] == [(0, 8), (8, 26), (26, 37), (37, 50)]
    assert json.loads(run("inspect", "--json", "--exact-key", "h", PATH).out)["items"] == items[2:3]
    assert b"created" in run("history", PATH, "h").out
    ran = run("repair", PATH, "-o", tmp_path / "z")
    assert (ran.code, "inline commands: rdbtool convert makes an AOF of them" in ran.err) == (4, True)


def test_what_a_server_makes_of_them(tmp_path, redis_server, redis_tools):
    """The judge is a server that hears the same bytes."""
    choose = random.Random(5)
    pieces = ["a", " ", "\\x41", "\\n", "'", "\\'", "é", "\\\\", "\\q", "\t", '\\"']
    lines = []
    for index in range(300):
        value = "".join(choose.choice(pieces) for _ in range(choose.randint(0, 6)))
        quote = choose.choice(["", '"', "'"])
        line = f"SET k{index} {quote}{value}{quote}".encode()
        words = split_words(line)
        if words is not None and len(words) == 3:
            lines.append(line)
    data = b"".join(line + choose.choice([b"\n", b"\r\n"]) for line in lines)
    assert len(lines) > 100
    path = tmp_path / "commands"
    path.write_bytes(data)
    with subprocess.Popen(
        ["redis-cli", "-s", redis_server.directory / "s", "--pipe"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as client:
        said, _ = client.communicate(data)
    assert b"errors: 0" in said
    assert run("digest", path).out.decode().strip() == redis_server.digest()


@pytest.mark.parametrize("bad", [b'SET b "2', b'SET b "2"x', b"SET b '2", b"SET b " + b"x" * 70_000])
def test_a_line_that_cannot_be_split(tmp_path, bad):
    path = tmp_path / "commands"
    path.write_bytes(b"SET a 1\n" + b"SET x 1\n" * 3 + bad + b"\nSET c 3\n")
    ran = run("validate", "--json", path)
    (fault,) = [row for row in json.loads(ran.out)["sources"][0]["findings"] if row["severity"] == "error"]
    assert (ran.code, fault["code"], fault["offset"]) == (1, "AOF111", 32)
    ran = run("dump", path)
    assert ran.code == 1
    assert "AOF111" in ran.err
    assert b'"key":"a"' in ran.out


@pytest.mark.parametrize(
    "text",
    [
        b"hello world\n",
        b"Set a b\n",
        b"Sort this\n",
        b"get a\nget b\n",
        b"PING\n",
        b"SET a\n",
        b"set a 1\nand then some text\nof another kind\nthat is none\n",
        b"time flies\n",
        b'SET a "1\n',
        b"save 900 1\nappendonly yes\n",
        b"SET a 1\n\0\n",
        b"\n\n",
        b"XGROUP NONSENSE a b c\n",
    ],
)
def test_other_text_is_none(text):
    assert not begins_inline(text)
    with pytest.raises(UnknownFormatError):
        detect(text)


@pytest.mark.parametrize("text", [b"set a 1", b"AUTH x\nSELECT 3\nset a 1\n", b"xgroup create s g $ mkstream\nDEL x\n"])
def test_commands_of_all_kinds(text):
    assert begins_inline(text)


def test_a_payload_in_quotes(tmp_path):
    path = tmp_path / "shown"
    path.write_bytes(rb'"\x00\x0bhello world\x0b\x00b#\xf4\xca[XI\xbd"' + b"\n")
    assert b'"value":"hello world"' in run("dump", path).out
    path.write_bytes(rb'"\x00\x0bhello world\x0b\x00b#\xf4\xca[XI\xbe"' + b"\n")
    assert run("dump", path).code == 4
