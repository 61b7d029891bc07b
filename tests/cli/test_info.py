"""``rdbtool info``: what a file is and how much it holds."""

import gzip
import json

import pytest
from command import FIXTURES, SERVERS, check_golden, run


@pytest.mark.parametrize("server", SERVERS)
def test_files_of_servers(server):
    path = f"fixtures/{server}/default.rdb"
    ran = run("info", path)
    assert (ran.code, ran.err) == (0, "")
    check_golden(f"info/{server}.txt", ran.out.decode())


@pytest.mark.parametrize("server", SERVERS)
def test_the_numbers_are_those_that_the_server_reported(server):
    report = json.loads(run("info", "--json", FIXTURES / server / "default.rdb").out)
    with gzip.open(FIXTURES / server / "default.expected.json.gz") as stream:
        expected = json.load(stream)
    keys = expected["keys"] if isinstance(expected, dict) and "keys" in expected else expected
    assert report["schema"] == 1
    assert report["keys"] == len(keys)


def test_json():
    ran = run("info", "--json", "fixtures/small/redis-7.4-hashes-with-field-ttl.rdb")
    assert (ran.code, ran.err) == (0, "")
    check_golden("info/small.json", json.dumps(json.loads(ran.out), indent=1) + "\n")


def test_compressed_and_piped():
    data = (FIXTURES / "redis-7.0.15" / "default.rdb").read_bytes()
    packed = gzip.compress(data, mtime=0)
    ran = run("info", "--json", "-", stdin=packed)
    report = json.loads(ran.out)
    assert (report["compression"], report["size"], report["compressed_size"]) == ("gzip", len(data), None)
    assert report["source"] == "standard input"


def test_a_damaged_file_is_counted_up_to_the_damage(tmp_path):
    data = (FIXTURES / "redis-7.0.15" / "default.rdb").read_bytes()
    path = tmp_path / "cut.rdb"
    path.write_bytes(data[: len(data) // 2])
    ran = run("info", path)
    assert ran.code == 1
    assert "readable up to" in ran.err
    assert b"checksum      not reached" in ran.out
    report = json.loads(run("info", "--json", path).out)
    damage = report["damage"]
    assert damage["code"] == "RDB101"
    assert set(damage) == {"code", "severity", "part", "offset", "db", "key", "message"}
    assert 0 < report["keys"] < 61
    assert sum(report["types"].values()) == report["keys"] == sum(db["keys"] for db in report["dbs"])


@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("redis-7.0.15/nocrc.rdb", "disabled"),
        ("small/redis-2.4-without-checksum.rdb", "none"),
        ("redis-7.0.15/default.rdb", "correct"),
    ],
)
def test_checksum_states(name, state):
    report = json.loads(run("info", "--json", FIXTURES / name).out)
    assert report["checksum"]["state"] == state


def test_a_wrong_checksum(tmp_path):
    data = bytearray((FIXTURES / "redis-7.0.15" / "default.rdb").read_bytes())
    data[-1] ^= 1
    path = tmp_path / "wrong.rdb"
    path.write_bytes(data)
    ran = run("info", "--json", path)
    assert ran.code == 1
    assert json.loads(ran.out)["checksum"]["state"] == "wrong"
    assert json.loads(ran.out)["keys"] == 61
