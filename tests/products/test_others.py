"""Redis Enterprise is read, Dragonfly is refused, and what is neither is damage."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from codec.driving import make
from command import run

import rdbtool
from rdbtool.core.errors import FormatError, UnsupportedError
from rdbtool.core.servers import REDIS_ENTERPRISE
from rdbtool.model import ProductOpcode
from rdbtool.operations.convert.convert import convert
from rdbtool.reader.rdb import open_rdb

FIXTURES = Path(__file__).parents[2] / "fixtures"
SLOTS = FIXTURES / "cases/redis-enterprise/slots.rdb"
MARKS = FIXTURES / "small/redis-enterprise-7.4-marks.rdb"
SHARD = FIXTURES / "cases/dragonfly/dump-0000.dfs"
READERS = ("dump", "digest", "info", "inspect", "validate")


# ---- Redis Enterprise --------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["codec", "grammar"])
def test_every_key_behind_its_opcodes_is_read(backend):
    with open_rdb(str(SLOTS), backend=backend) as reader:
        items = list(reader.items())
        assert reader.product is REDIS_ENTERPRISE
    marks = [item for item in items if isinstance(item, ProductOpcode)]
    assert [mark.value for mark in marks] == list(range(40))
    assert {mark.name for mark in marks} == {"SLOT_NUM"}
    keys = {item.key for item in items if isinstance(item, rdbtool.KeyRecord)}
    assert keys == {b"key:%d:%d" % (slot, number) for slot in range(40) for number in range(3)}


@pytest.mark.parametrize("command", READERS)
def test_every_command_reads_it(command):
    for path in (SLOTS, MARKS):
        assert run(command, str(path)).code == 0


def test_info_says_whose_it_is():
    assert "writer        Redis Enterprise\n" in run("info", str(SLOTS)).out.decode()
    found = json.loads(run("info", "--json", str(SLOTS)).out)
    assert (found["product"], found["keys"]) == ("Redis Enterprise", 120)


def test_servers_that_are_named_refuse_it():
    ran = run("validate", "--json", str(SLOTS))
    (found,) = json.loads(ran.out)["sources"]
    assert [(row["code"], row["severity"], row["offset"]) for row in found["findings"]] == [("RDB364", "note", 0x2B)]
    ran = run("validate", "--rules", "redis-7.4", "--json", str(SLOTS))
    (found,) = json.loads(ran.out)["sources"]
    assert ran.code == 1
    assert [(row["code"], row["severity"]) for row in found["findings"]] == [("RDB364", "error")]


@pytest.mark.parametrize("destination", ["x.rdb", "x.aof", "x.jsonl", "x/"])
def test_outputs_hold_no_opcodes(tmp_path, destination):
    target = f"{tmp_path}/{destination}"
    done = convert(str(SLOTS), target)
    assert done.keys == 120
    notes = [] if destination == "x.jsonl" else [("slot and memory marks of Redis Enterprise", "note", 40)]
    assert [(loss.what, loss.severity, loss.times) for loss in done.losses] == notes
    assert run("diff", str(SLOTS), target).code == 0
    assert run("validate", "--rules", "redis-7.4", target.rstrip("/")).code == 0


def test_a_damaged_one_is_salvaged(tmp_path):
    """The opcodes stay what they are behind damage."""
    data = bytearray(SLOTS.read_bytes())
    key = b"\x08key:20:1"
    data[data.index(key) + len(key)] = 0xC9
    # A checksum would tell what the byte was.
    data[-8:] = bytes(8)
    source, done = tmp_path / "x.rdb", tmp_path / "y.rdb"
    source.write_bytes(data)
    ran = run("repair", str(source), "-o", str(done))
    assert ran.code == 0
    with open_rdb(str(done)) as reader:
        assert len({record.key for record in reader}) == 119


def test_letters_behind_damage_are_no_opcodes_of_the_product(tmp_path):
    """A size that says too little lets reading go on at the v of "value", which is damage and no reason to refuse."""
    source, done = tmp_path / "x.rdb", tmp_path / "y.rdb"
    source.write_bytes(SLOTS.read_bytes()[:-8].replace(b"\x08key:20:1\x07", b"\x08key:20:1\x00") + bytes(8))
    assert run("validate", str(source)).code == 1
    assert run("repair", str(source), "-o", str(done)).code == 0
    with open_rdb(str(done)) as reader:
        records = {record.key: record for record in reader}
    # What follows the damage may have had an expiry.
    assert len(records) == 118
    assert records[b"key:21:0"].value == rdbtool.StringValue(b"value 0")


@pytest.mark.parametrize("backend", ["codec", "grammar"])
def test_such_bytes_are_damage_in_other_files(backend):
    """In front of the first key they tell whose the file is; behind one they do not."""
    key = make.key(0, b"k", make.string(b"v"))
    sound = make.rdb(b"REDIS0011", make.select(0), b"\x79\x05", key, b"\x6b\x01", key)
    with open_rdb(sound, backend=backend) as reader:
        assert len(list(reader)) == 2
    for mark in (b"\x79\x05", b"\x6b\x01"):
        damaged = make.rdb(b"REDIS0011", make.select(0), key, mark, key)
        with open_rdb(damaged, backend=backend) as reader, pytest.raises(FormatError) as caught:
            list(reader)
        assert caught.value.code == "RDB105"


def test_other_opcodes_of_the_product_are_not_known(tmp_path):
    source = tmp_path / "x.rdb"
    key = make.key(0, b"k", make.string(b"v"))
    aux = make.aux(b"bigdb-ram-keys", make.string(b"1"))
    source.write_bytes(make.rdb(b"REDIS0011", aux, make.select(0), key, b"\x65\x01", key))
    assert run("dump", str(source)).code == 4
    assert run("validate", str(source)).code == 4
    assert run("repair", "--dry-run", str(source)).code == 4
    source.write_bytes(make.rdb(b"REDIS0011", make.select(0), key, b"\x65\x01", key))
    assert run("validate", str(source)).code == 1
    assert run("repair", "--dry-run", str(source)).code != 4


# ---- Dragonfly ---------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["codec", "grammar"])
def test_a_shard_is_not_read(backend):
    with open_rdb(str(SHARD), backend=backend) as reader, pytest.raises(UnsupportedError, match="Dragonfly"):
        list(reader)


def test_every_command_refuses_a_shard(tmp_path):
    done = tmp_path / "x.rdb"
    for words in (*((command,) for command in READERS if command != "inspect"), ("repair", "-o", str(done))):
        ran = run(words[0], str(SHARD), *words[1:])
        assert ran.code == 4
        assert "Dragonfly" in ran.out.decode() + ran.err
    assert not done.exists()


# ---- Redis on Windows --------------------------------------------------------------------------


def test_builds_for_windows_are_named(tmp_path):
    source = tmp_path / "x.rdb"
    source.write_bytes(make.rdb(b"REDIS0009", make.aux(b"redis-ver", make.string(b"5.0.14.1"))))
    assert "written by Redis on Windows 5.0.14.1" in run("info", str(source)).out.decode()
