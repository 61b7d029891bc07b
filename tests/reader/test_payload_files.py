"""A file that is nothing but what DUMP answers is read as one key, proven by its checksum."""

import gzip
import io
import json

import pytest
from command import FIXTURES, run

from rdbtool.core.errors import UnknownFormatError
from rdbtool.reader.open.dispatch import open_any
from rdbtool.reader.rdb import open_rdb

PAYLOAD = (FIXTURES / "cases" / "around" / "payload.dump").read_bytes()

VALUES = {
    "string": [("SET", "k", "v" * 2000)],
    "list": [("RPUSH", "k", *map(str, range(300)))],
    "set": [("SADD", "k", "a", "b", "c")],
    "zset": [("ZADD", "k", "1.5", "a", "2", "b")],
    "hash": [("HSET", "k", "f", "v", "g", "w")],
    "stream": [("XADD", "k", "1-1", "f", "v"), ("XGROUP", "CREATE", "k", "g", "0")],
}


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
@pytest.mark.parametrize("way", ["file", "stream", "gzip", "bytes"])
def test_every_way_of_reading(tmp_path, end, way):
    data = PAYLOAD + end
    path = tmp_path / "value"
    path.write_bytes(gzip.compress(data) if way == "gzip" else data)
    source = {"stream": io.BytesIO(data), "bytes": data}.get(way, path)
    with open_any(source) as reader:
        record = next(iter(reader))
    assert (record.db, record.key, record.value.data) == (0, b"payload", b"hello world")


@pytest.mark.parametrize("kind", VALUES)
def test_what_a_server_dumps(tmp_path, redis_server, kind):
    for words in VALUES[kind]:
        redis_server.client(*words)
    path, back = tmp_path / "value", tmp_path / "back.rdb"
    payload = redis_server.client("DUMP", "k")
    path.write_bytes(payload + b"\n")
    with open_any(path) as reader, open_rdb(redis_server.save()) as saved:
        assert next(iter(reader)).value == next(iter(saved)).value
    assert json.loads(run("info", "--json", path).out)["types"] == {kind: 1}
    assert run("convert", path, back).code == 0
    redis_server.client("RENAME", "k", "payload")
    assert run("digest", path).out.decode().strip() == run("digest", back).out.decode().strip() == redis_server.digest()
    assert run("diff", path, back).code == 0
    ran = run("validate", "--strict", "--json", path)
    found = json.loads(ran.out)["sources"][0]["findings"]
    assert (ran.code, [(row["code"], row["severity"]) for row in found]) == (0, [("SRC005", "note")])
    assert run("validate", "--level", "server", path).code == 1
    items = json.loads(run("inspect", "--json", path).out)["items"]
    # Every byte, but for the line end.
    assert [(item["start"], item["stop"]) for item in items] == [
        (0, len(payload) - 10),
        (len(payload) - 10, len(payload) - 8),
        (len(payload) - 8, len(payload)),
    ]
    for words in (("--exact-key", "payload"), ("--record", "1"), ("--at", "0")):
        assert json.loads(run("inspect", "--json", path, *words).out)["items"] == items[:1]
    assert run("inspect", path, "--exact-key", "k").code == 1


@pytest.mark.parametrize("at", range(len(PAYLOAD)))
def test_any_other_byte_is_no_payload(at):
    data = bytearray(PAYLOAD)
    data[at] ^= 1
    with pytest.raises(UnknownFormatError):
        open_any(bytes(data))


@pytest.mark.parametrize(
    "data", [PAYLOAD[:-8] + bytes(8), PAYLOAD + b"\n\n", PAYLOAD[:-1], b"\0" * 23, b"\n" * 5, b"\0"]
)
def test_what_is_none(tmp_path, data):
    assert run("validate", "-", stdin=data).code == 1
    path = tmp_path / "x"
    path.write_bytes(data)
    assert run("dump", path).code == 4


def test_repair_says_that_there_is_nothing_to_do(tmp_path):
    path = FIXTURES / "cases" / "around" / "payload.dump"
    ran = run("repair", path, "-o", tmp_path / "x")
    assert (ran.code, ran.err) == (
        4,
        f"rdbtool: {path}: a payload of DUMP, and valid: rdbtool convert makes an RDB of it\n",
    )
