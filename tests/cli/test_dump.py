"""``rdbtool dump``: formats, filters, sources and outputs."""

import csv
import gzip
import importlib
import io
import json
import re
import stat
import sys

import pytest
from command import FIXTURES, NOW, SERVERS, check_golden, run
from required import required_module

DEFAULT = FIXTURES / "redis-7.0.15" / "default.rdb"
FORMATS = ["table", "jsonl", "json", "csv", "keys", "resp"]


def keys_of(*words):
    """Return (db, key) of what a dump with these options holds."""
    ran = run("dump", "-f", "jsonl", *words)
    assert ran.code == 0
    assert all(line.startswith("rdbtool: skipped because of the key filter") for line in ran.err.splitlines())
    records = [json.loads(line) for line in ran.out.splitlines()]
    return [(record["db"], record["key"]) for record in records if "key" in record]


ALL = keys_of(DEFAULT)


@pytest.mark.parametrize("server", ["redis-2.8.24", "redis-7.0.15", "redis-8.0.6", "valkey-9.1.2"])
def test_tables_read_well(server):
    ran = run("dump", "-f", "table", "--now", NOW, f"fixtures/{server}/default.rdb")
    assert (ran.code, ran.err) == (0, "")
    check_golden(f"dump/table-{server}.txt", ran.out.decode())


def test_a_table_says_what_has_expired():
    path = FIXTURES / "redis-7.0.15" / "default.rdb"
    ran = run("dump", "-f", "table", "-k", "^exp:ms$", "--now", "2200-01-01", path)
    assert b" expired " in ran.out
    ran = run("dump", "-f", "table", "-k", "^exp:ms$", "--now", "4102444800000", path)
    assert re.search(rb" \d+ms ", ran.out)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("pack", ["pipe", "gzip", "lz4", "zstd"])
def test_the_same_bytes_from_every_kind_of_source(form, pack, tmp_path):
    expected = run("dump", "-f", form, "--now", NOW, DEFAULT)
    assert (expected.code, expected.err) == (0, "")
    data = DEFAULT.read_bytes()
    if pack == "zstd":
        zstd = importlib.import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
        data = zstd.compress(data)
    elif pack != "pipe":
        data = gzip.compress(data) if pack == "gzip" else required_module("lz4.frame").compress(data)
    assert run("dump", "-f", form, "--now", NOW, "-", stdin=data) == expected
    misnamed = tmp_path / "dump.txt"
    misnamed.write_bytes(data)
    assert run("dump", "-f", form, "--now", NOW, misnamed) == expected


@pytest.mark.parametrize("form", FORMATS)
def test_damage_half_way_ends_the_output_at_a_record(form, tmp_path):
    data = DEFAULT.read_bytes()
    cut = tmp_path / "cut.rdb"
    cut.write_bytes(data[: data.index(b"\x07h:small") + 12])
    whole = run("dump", "-f", form, "--now", NOW, DEFAULT)
    ran = run("dump", "-f", form, "--now", NOW, cut)
    assert ran.code == 1
    assert "h:small" in ran.err
    assert "(20 keys)" in ran.err
    assert whole.out.startswith(ran.out)
    rest = whole.out[len(ran.out) :]
    if form == "json":
        assert rest.startswith(b',\r\n"h:small":{')
    elif form == "resp":
        assert rest.startswith(b"*") and b"h:small" in rest[:60]
    else:
        assert b"h:small" in rest.split(b"\n", 1)[0]


def test_damage_half_way_leaves_no_file(tmp_path):
    cut = tmp_path / "cut.rdb"
    cut.write_bytes(DEFAULT.read_bytes()[:50_000])
    ran = run("dump", "-o", tmp_path / "out", cut)
    assert (ran.code, ran.out) == (1, b"")
    assert [path.name for path in tmp_path.iterdir()] == ["cut.rdb"]


@pytest.mark.parametrize("form", FORMATS)
def test_output_files(form, tmp_path):
    expected = run("dump", "-f", form, "--now", NOW, DEFAULT).out
    target = tmp_path / "out"
    ran = run("dump", "-f", form, "--now", NOW, "-o", target, DEFAULT)
    assert ran == (0, b"", "")
    assert target.read_bytes() == expected
    again = run("dump", "-f", form, "--now", NOW, "-o", target, DEFAULT)
    assert (again.code, again.out) == (3, b"")
    assert "--force" in again.err
    assert run("dump", "-f", "keys", "-o", target, "--force", DEFAULT).code == 0
    assert target.read_bytes() == run("dump", "-f", "keys", DEFAULT).out
    assert stat.S_IMODE(target.stat().st_mode) & 0o111 == 0
    assert run("dump", "-f", form, "--now", NOW, "-o", "/dev/stdout", DEFAULT).out == expected
    assert run("dump", "-f", form, "--now", NOW, "-o", "-", DEFAULT).out == expected


def test_the_source_is_never_the_output(tmp_path):
    source = tmp_path / "dump.rdb"
    source.write_bytes(DEFAULT.read_bytes())
    ran = run("dump", "-o", source, "--force", source)
    assert ran.code == 3
    assert source.read_bytes() == DEFAULT.read_bytes()


def test_a_file_gets_jsonl_unless_told_otherwise(tmp_path):
    run("dump", "-o", tmp_path / "out", DEFAULT)
    assert (tmp_path / "out").read_bytes() == run("dump", "-f", "jsonl", DEFAULT).out


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (("-k", "^h"), lambda db, key: isinstance(key, str) and key.startswith("h")),
        (("--key", "^h:", "--key", "^z:"), lambda db, key: isinstance(key, str) and key[:2] in ("h:", "z:")),
        (("--glob", "h:*"), lambda db, key: isinstance(key, str) and key.startswith("h:")),
        (("-K", "."), lambda db, key: key == ""),
        (("--not-key", ":"), lambda db, key: isinstance(key, str) and ":" not in key),
        (("-n", "9"), lambda db, key: db == 9),
        (("--dbnum", "9", "--db", "15"), lambda db, key: db in (9, 15)),
        (("-N", "0"), lambda db, key: db != 0),
        (("-k", "^h", "-N", "0"), lambda db, key: isinstance(key, str) and key.startswith("h") and db != 0),
        (("--slot", "0-16383"), lambda db, key: True),
    ],
)
def test_filters(options, wanted):
    assert keys_of(*options, DEFAULT) == [pair for pair in ALL if wanted(*pair)]


@pytest.mark.parametrize(
    ("given", "kinds"),
    [
        (("-t", "hash"), {"hash"}),
        (("-t", "str"), {"string"}),
        (("--type", "sortedset", "-t", "set"), {"zset", "set"}),
        (("-T", "string", "-T", "list"), {"hash", "set", "zset", "stream"}),
    ],
)
def test_filters_by_type(given, kinds):
    records = [json.loads(line) for line in run("dump", *given, DEFAULT).out.splitlines()]
    assert {record["type"] for record in records if "key" in record} == kinds


def test_filters_by_expiry():
    names = [key for _, key in keys_of("--expired", "--now", "2200-01-01", DEFAULT)]
    assert sorted(names) == ["exp:list", "exp:ms"]
    assert keys_of("--expired", "--now", NOW, DEFAULT) == []
    assert len(keys_of("--no-expired", "--now", "2200-01-01", DEFAULT)) == len(ALL) - 2


def test_slots_are_those_of_a_cluster():
    # CLUSTER KEYSLOT foo is 12182, and hash tags put keys together.
    data = (
        b"REDIS0004\xfe\x00" + b"".join(b"\x00%c%s\x01v" % (len(k), k) for k in (b"foo", b"{foo}x", b"bar")) + b"\xff"
    )
    ran = run("dump", "-f", "keys", "--slot", "12182", "-", stdin=data)
    assert ran.out == b"foo\n{foo}x\n"
    assert run("dump", "-f", "keys", "--slot", "12183-16383", "-", stdin=data).out == b""


def test_limit():
    assert keys_of("--limit", "3", DEFAULT) == ALL[:3]
    assert keys_of("--limit", "0", DEFAULT) == []
    assert keys_of("--limit", "2", "-n", "9", DEFAULT) == [pair for pair in ALL if pair[0] == 9][:2]


@pytest.mark.parametrize("form", FORMATS)
def test_filters_work_for_every_format(form):
    ran = run("dump", "-f", form, "-k", "^h:small$", "--now", NOW, DEFAULT)
    assert ran.code == 0
    assert b"h:small" in ran.out
    assert b"h:big" not in ran.out


@pytest.mark.parametrize("server", SERVERS)
def test_csv(server):
    path = FIXTURES / server / "default.rdb"
    rows = list(csv.DictReader(io.StringIO(run("dump", "-f", "csv", path).out.decode(), newline="")))
    lines = [json.loads(line) for line in run("dump", "-f", "jsonl", path).out.splitlines()]
    records = [line for line in lines if "key" in line]
    assert len(rows) == len(records)
    data = path.read_bytes()
    for row, record in zip(rows, records, strict=True):
        key = record["key"]
        assert row["db"] == str(record["db"])
        assert row["key"] == (key if isinstance(key, str) else json.dumps(key, separators=(",", ":")))
        assert (row["type"], row["encoding"]) == (record["type"], record["encoding"])
        assert json.loads(row["value"]) == record["value"]
        assert row["expire_at_ms"] == ("" if record["expire_at_ms"] is None else str(record["expire_at_ms"]))
        elements = 1 if record["type"] == "string" else len(record["value"])
        if record["type"] == "stream":
            elements = len(record["value"]["entries"])
        assert int(row["elements"]) == elements
        if isinstance(key, str) and len(key) <= 20:  # longer ones are stored compressed
            start = int(row["start"])
            assert key.encode() in data[start : start + int(row["size_bytes"])]


@pytest.mark.parametrize("escape", ["raw", "print", "utf8", "base64"])
def test_json_escapes(escape):
    key = b"bin\xff"
    data = b"REDIS0004\xfe\x00\x00\x04" + key + b"\x05\xfe\x00\xc3\xa2\xf2\x00\x02ok\x01v\xff"
    expected = {
        "raw": '[{\r\n"bin\\u00ff":"\\u00fe\\u0000\\u00c3\\u00a2\\u00f2",\r\n"ok":"v"}]\n',
        "print": '[{\r\n"bin\\\\xFF":"\\\\xFE\\\\x00\\\\xC3\\\\xA2\\\\xF2",\r\n"ok":"v"}]\n',
        "utf8": '[{\r\n"bin\\\\xFF":"\\\\xFE\\u0000\\u00e2\\\\xF2",\r\n"ok":"v"}]\n',
        "base64": '[{\r\n"Ymlu/w==":"/gDDovI=",\r\n"ok":"dg=="}]\n',
    }[escape]
    assert run("dump", "-f", "json", "-e", escape, "-", stdin=data).out.decode() == expected
    if escape == "utf8":
        assert run("dump", "-f", "json", "-", stdin=data).out.decode() == expected


def test_keys_are_one_a_line():
    out = run("dump", "-f", "keys", "-n", "0", DEFAULT).out
    assert out.count(b"\n") >= len([pair for pair in ALL if pair[0] == 0])
    assert b"\nh:small\n" in out


@pytest.mark.server
@pytest.mark.parametrize("options", [(), ("--restore",), ("--restore", "--replace"), ("--replace",)])
def test_resp_rebuilds_the_data(redis_server, options):
    if redis_server.client("INFO", "server").split(b"redis_version:")[1][:4] < b"7.0.":
        pytest.fail("the fixture is newer than the server")
    commands = run("dump", "-f", "resp", *options, DEFAULT)
    assert commands.code == 0
    for _ in range(2 if "--replace" in options else 1):
        redis_server.client.pipeline(commands.out, _count(commands.out))
    digests = json.loads((FIXTURES / "digests.json").read_text())
    assert redis_server.client("DEBUG", "DIGEST").decode() == digests["redis-7.0.15"]["default.rdb"]


def _count(commands):
    """Return the number of commands in RESP, by reading it."""
    stream = io.BytesIO(commands)
    count = 0
    while line := stream.readline():
        for _ in range(int(line[1:])):
            stream.read(int(stream.readline()[1:]) + 2)
        count += 1
    return count
