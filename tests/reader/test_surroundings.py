"""What stands around an RDB: replication streams, padding, a second RDB. Every command reads the data all the same."""

import gzip
import io
import json
import select
import socket
import subprocess
import time

import pytest
from command import COMMAND, FIXTURES, environment, run

from rdbtool.reader.inspect.aof import trace_any
from rdbtool.reader.open.dispatch import open_any
from rdbtool.reader.open.files import detect
from rdbtool.reader.rdb import open_rdb

AROUND = FIXTURES / "cases" / "around"
RDB = (AROUND / "nul-padded.rdb").read_bytes()[:426]
DIGEST = "a34924f0016c439c71dd5e3258a39f794e514577"
MARK = b"0123456789abcdef0123456789abcdef01234567"
FULL = b"+FULLRESYNC " + MARK + b" 1234\r\n"


def command(*words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


STREAM = b"".join(
    command(*words.split())
    for words in (
        b"PING",
        b"SELECT 0",
        b"set after 1",
        b"REPLCONF GETACK *",
        b"MULTI",
        b"SET x 1",
        b"EXEC",
        b"PUBLISH c m",
    )
)
SIZE = b"$%d\r\n" % len(RDB)
BOTH = b"\n\n+OK\r\n\n" + FULL + b"\n"

CAPTURES = {
    "size": SIZE + RDB,
    "newlines and size": b"\n" * 5000 + SIZE + RDB,
    "mark": b"\n$EOF:" + MARK + b"\r\n" + RDB + MARK,
    "psync, size": BOTH + SIZE + RDB,
    "psync, mark": BOTH + b"$EOF:" + MARK + b"\r\n" + RDB + MARK,
    "psync, mark that is missing": BOTH + b"$EOF:" + MARK + b"\r\n" + RDB,
    "the channel of an RDB alone": b"$ENDOFF:1234 0\r\n$EOF:" + MARK + b"\r\n" + RDB + MARK,
    "answers only": FULL + RDB,
}
WITH_STREAM = {
    "size": BOTH + SIZE + RDB + STREAM,
    "mark": BOTH + b"$EOF:" + MARK + b"\r\n" + RDB + MARK + STREAM,
}


@pytest.mark.parametrize("name", ["eof.rdb", "newlines.rdb"])
def test_captures_are_read_by_every_command(name, tmp_path):
    path = AROUND / name
    assert run("digest", path).out.decode().strip() == DIGEST
    assert run("dump", "-f", "keys", path).out.count(b"\n") == 21
    shown = json.loads(run("info", "--json", path).out)
    assert (shown["keys"], shown["checksum"]["state"]) == (21, "correct")
    assert "what a master sent to a replica" in shown["notes"][0]
    assert run("diff", path, AROUND / "nul-padded.rdb").code == 0
    for output in ("x.aof", "x.rdb", "x.jsonl"):
        assert run("convert", path, tmp_path / output).code == 0
        assert run("digest", tmp_path / output).out.decode().strip() == DIGEST
    ran = run("validate", "--strict", "--json", path)
    found = json.loads(ran.out)["sources"][0]["findings"]
    assert ran.code == 0
    assert [row["severity"] for row in found] == ["note"] * len(found)
    assert found[0]["code"] == "SRC002"
    assert run("validate", "--level", "server", path).code == 1


@pytest.mark.parametrize("kind", CAPTURES)
@pytest.mark.parametrize("way", ["file", "stream", "gzip"])
def test_captures_of_all_kinds(tmp_path, kind, way):
    data = CAPTURES[kind]
    path = tmp_path / "capture"
    path.write_bytes(gzip.compress(data) if way == "gzip" else data)
    if way == "file":
        assert detect(path) == "rdb"
    ran = run("digest", "-", stdin=data) if way == "stream" else run("digest", path)
    assert (ran.code, ran.err, ran.out.decode().strip()) == (0, "", DIGEST)


@pytest.mark.parametrize("kind", CAPTURES)
def test_repair_takes_the_rdb_out(tmp_path, kind):
    path, done = tmp_path / "capture", tmp_path / "dump.rdb"
    path.write_bytes(CAPTURES[kind])
    ran = run("repair", path, "-o", done)
    assert (ran.code, done.read_bytes()) == (0, RDB)
    assert "nothing is wrong with it" in ran.err + ran.out.decode()


@pytest.mark.parametrize("kind", WITH_STREAM)
@pytest.mark.parametrize("way", ["file", "stream", "gzip"])
def test_the_commands_behind_the_rdb_are_executed(tmp_path, kind, way):
    path = tmp_path / "capture"
    path.write_bytes(gzip.compress(WITH_STREAM[kind]) if way == "gzip" else WITH_STREAM[kind])
    assert detect(io.BytesIO(path.read_bytes()) if way == "stream" else path) == "aof"
    ran = (
        run("dump", "-f", "keys", path) if way != "stream" else run("dump", "-f", "keys", "-", stdin=path.read_bytes())
    )
    assert (ran.code, ran.err) == (0, "")
    assert {b"after", b"x", b"user:0"} <= set(ran.out.split())
    assert run("validate", "--strict", path).code == 0
    assert run("history", path, "after").out.count(b"SET") + run("history", path, "after").out.count(b"set") > 0


@pytest.mark.parametrize("kind", WITH_STREAM)
def test_repair_of_a_stream_gives_an_aof_that_a_server_loads(tmp_path, kind, start_server):
    path, done = tmp_path / "capture", tmp_path / "appendonly.aof"
    path.write_bytes(WITH_STREAM[kind][:-9])
    ran = run("repair", path, "-o", done)
    assert ran.code == 0
    assert done.read_bytes() == RDB + STREAM[: STREAM.index(command(b"PUBLISH", b"c", b"m"))]
    log = {"appendonly.aof": done}
    with start_server(files=log, config={"appendonly": "yes"}) as server:
        assert server.digest() == run("digest", path.with_name("appendonly.aof")).out.decode().strip()


@pytest.mark.parametrize("kind", WITH_STREAM)
def test_offsets_are_those_of_the_file(tmp_path, kind):
    data = WITH_STREAM[kind]
    path = tmp_path / "capture"
    path.write_bytes(data)
    items = list(trace_any(str(path)))
    assert b"".join(item.data for item in items) == data
    assert all(data[item.trace.node.start : item.trace.node.stop] == item.data for item in items)
    for key in ("user:3", "after"):
        at = data.index(key.encode())
        by_key, by_place = (run("inspect", path, *words) for words in (("--exact-key", key), ("--at", at)))
        assert by_key.code == by_place.code == 0
        assert by_key.out == by_place.out
    begin = data.index(b"REDIS")
    assert f"{begin:08x}".encode() in run("inspect", path, "--at", begin + 3).out


def test_commands_alone_are_incomplete(tmp_path):
    path = tmp_path / "capture"
    path.write_bytes(b"+CONTINUE " + MARK + b"\r\n" + STREAM)
    ran = run("dump", "-f", "keys", path)
    assert (ran.code, set(ran.out.split())) == (0, {b"after", b"x"})
    assert "SRC002" in ran.err
    assert (run("validate", path).code, run("validate", "--strict", path).code) == (0, 1)


@pytest.mark.parametrize("cut", range(1, len(RDB), 37))
def test_a_cut_capture_is_damage_of_its_rdb(tmp_path, cut):
    path = tmp_path / "capture"
    path.write_bytes(CAPTURES["psync, size"][:-cut])
    ran = run("validate", path)
    assert ran.code == 1
    assert "RDB" in ran.out.decode()
    assert run("repair", path, "-o", tmp_path / "x.rdb").code in {0, 1, 3}


@pytest.mark.parametrize(
    "data", [b"\n\n\n", b"$5\r\nhello\r\n", b"$EOF:" + MARK + b"\r\nnothing", b"+OK\r\n", b"\n" * 100_000 + SIZE + RDB]
)
def test_what_frames_nothing_is_none_of_ours(data):
    assert run("validate", "-", stdin=data).code == 1
    assert run("dump", "-", stdin=data).code == 4


@pytest.mark.parametrize("psync", [False, True])
def test_what_a_server_sends(tmp_path, start_server, psync):
    with start_server(
        config={"repl-diskless-sync": "yes" if psync else "no", "repl-diskless-sync-delay": "0"}
    ) as server:
        for index in range(50):
            server.client("SET", f"k:{index}", "v" * index)
        before = server.digest()
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(str(server.directory / "s"))
            data = b""
            if psync:
                link.sendall(b"REPLCONF capa eof capa psync2\r\n")
                data = link.recv(5)
            link.sendall(b"PSYNC ? -1\r\n" if psync else b"SYNC\r\n")
            deadline = time.monotonic() + 20
            is_written = False
            while time.monotonic() < deadline and not data.endswith(command(b"RPUSH", b"list", b"a", b"b")):
                if select.select([link], [], [], 0.1)[0]:
                    data += link.recv(1 << 16)
                elif b"REDIS" in data and not is_written:
                    is_written = True
                    link.sendall(command(b"REPLCONF", b"ACK", b"0"))
                    server.client("RPUSH", "list", "a", "b")
        after = server.digest()
    path = tmp_path / "capture"
    path.write_bytes(data)
    assert run("digest", path).out.decode().strip() == after
    # Without the commands it is what the RDB holds.
    path.write_bytes(data[: data.rindex(command(b"SELECT", b"0"))])
    assert run("digest", path).out.decode().strip() == before
    assert run("validate", "--strict", path).code == 0


@pytest.mark.parametrize("backend", ["codec", "grammar"])
@pytest.mark.parametrize(
    ("rest", "code"),
    [
        (b"", None),
        (bytes(86), "SRC003"),
        (bytes(3_000_000), "SRC003"),
        (MARK, "SRC003"),
        (MARK[:-1], "RDB362"),
        (MARK.upper(), "RDB362"),
        (b"\n", "RDB362"),
        (bytes(7) + b"x", "RDB362"),
        (RDB, "SRC004"),
        (bytes(4096 - len(RDB)) + RDB, "SRC004"),
        (b"VALKEY080" + RDB, "SRC004"),
    ],
)
@pytest.mark.parametrize("way", ["bytes", "gzip"])
def test_what_follows_an_rdb(rest, code, backend, way):
    data = RDB + rest
    source = data if way == "bytes" else gzip.compress(data)
    with open_rdb(source, backend=backend) as reader:
        assert sum(1 for _ in reader) == 21
        end = reader.end
    assert (end.trailing, end.padding) == (len(rest), len(rest) - len(rest.lstrip(b"\0")))
    assert end.sample == rest.lstrip(b"\0")[:48]
    found = json.loads(run("validate", "--json", "-", stdin=source).out)["sources"][0]["findings"]
    assert [row["code"] for row in found] == ([] if code is None else [code])


def test_a_second_rdb_is_told_by_every_command(tmp_path):
    path = AROUND / "two-rdbs.rdb"
    for words in (
        ["info", path],
        ["dump", path],
        ["digest", path],
        ["inspect", path],
        ["validate", path],
        ["convert", path, tmp_path / "x.rdb"],
        ["convert", path, tmp_path / "x.aof"],
        ["diff", path, AROUND / "nul-padded.rdb"],
        ["repair", path, "-o", tmp_path / "y.rdb"],
    ):
        ran = run(*words)
        assert ran.code == 0
        said = " ".join((ran.err + ran.out.decode(errors="replace")).split())
        assert "a second RDB begins here, of at most 115 bytes" in said, words
        assert "0x1aa" in said
    assert run("validate", "--strict", path).code == 1


def test_what_a_reader_says_of_it():
    with open_any(AROUND / "two-rdbs.rdb") as reader:
        assert not reader.remarks
        list(reader)
        assert len(reader.remarks) == 1
        assert "SRC004" in reader.remarks[0]


@pytest.mark.memory
def test_padding_of_a_bomb_takes_no_memory(tmp_path):
    """Hundreds of megabytes of NUL bytes behind an RDB, in half a megabyte."""
    path = tmp_path / "x.gz"
    with gzip.open(path, "wb", 1) as file:
        file.write(RDB)
        for _ in range(300):
            file.write(bytes(1 << 20))
    limit = "import resource; resource.setrlimit(resource.RLIMIT_AS, (400 << 20,) * 2)"
    code = f"{limit}; from rdbtool._entry import main; main()"
    done = subprocess.run(
        [COMMAND[0], "-c", code, "info", str(path)], capture_output=True, env=environment(), check=False
    )
    assert done.returncode == 0
    assert b"314,572,800 NUL bytes" in done.stdout
