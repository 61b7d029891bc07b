"""``rdbtool inspect``: every byte explained."""

import json
import re

import pytest
from command import FIXTURES, SERVERS, check_golden, run
from sampling import sample

DEFAULT = FIXTURES / "redis-7.0.15" / "default.rdb"
FILES = [FIXTURES / server / "default.rdb" for server in SERVERS] + sorted((FIXTURES / "small").glob("*.rdb"))
GOLDEN_KEYS = {
    "redis-2.8.24": ["h:small", "set:int16", "z:big"],
    "redis-7.0.15": ["list:ints", "list:plain", "s:mixed", "z:small", "exp:ms", "str:lzf"],
    "redis-8.0.6": ["h:small"],
    "valkey-9.1.2": ["set:str"],
}

ROW = re.compile(r"([ +])([0-9a-f]{8})  ((?:[0-9a-f]{2} )*[0-9a-f]{2})( …)?(?:  |$)")


def changed(data, at, *values):
    return data[:at] + bytes(values) + data[at + len(values) :]


def name_of(path):
    return f"{path.parent.name}/{path.name}"


@pytest.mark.parametrize("path", sample(FILES, 4), ids=name_of)
def test_the_bytes_shown_are_those_of_the_file(path):
    ran = run("inspect", "--full", path)
    assert (ran.code, ran.err) == (0, "")
    shown = bytearray()
    for line in ran.out.decode().splitlines():
        match = ROW.match(line)
        if match and match[1] == " ":
            assert int(match[2], 16) == len(shown), line
            assert match[4] is None, line
            shown += bytes.fromhex(match[3])
    assert bytes(shown) == path.read_bytes()


@pytest.mark.parametrize("path", sample(FILES, 5), ids=name_of)
def test_the_nodes_of_json_tile_the_file(path):
    ran = run("inspect", "--json", path)
    assert (ran.code, ran.err) == (0, "")
    report = json.loads(ran.out)
    assert (report["schema"], report["source"], report["damage"]) == (1, str(path), None)

    def tile(nodes, start, stop):
        for node in nodes:
            assert node["start"] == start, node
            inner = [child for child in node.get("children", ()) if child.get("inner")]
            outer = [child for child in node.get("children", ()) if not child.get("inner")]
            if node.get("inner"):
                inner, outer = [], inner + outer
            if outer:
                tile(outer, node["start"], node["stop"])
            if inner:
                tile(inner, 0, inner[-1]["stop"])
            start = node["stop"]
        assert start == stop

    tile(report["items"], 0, path.stat().st_size)


@pytest.mark.parametrize(("server", "key"), [(server, key) for server, keys in GOLDEN_KEYS.items() for key in keys])
def test_records_read_well(server, key):
    ran = run("inspect", "--exact-key", key, FIXTURES / server / "default.rdb")
    assert (ran.code, ran.err) == (0, "")
    check_golden(f"inspect/{server}-{key.replace(':', '-')}.txt", ran.out.decode())


def test_a_small_file_reads_well():
    path = "fixtures/small/redis-7.4-hashes-with-field-ttl.rdb"
    ran = run("inspect", path)
    assert (ran.code, ran.err) == (0, "")
    check_golden("inspect/small.txt", ran.out.decode())


def test_everything_of_a_record():
    ran = run("inspect", "--full", "--exact-key", "list:small", DEFAULT)
    check_golden("inspect/full.txt", ran.out.decode())


def test_one_record_by_key_number_and_offset_is_the_same():
    by_key = run("inspect", "--exact-key", "h:small", DEFAULT)
    assert by_key.code == 0
    number = re.search(rb"record (\d+)", by_key.out)[1].decode()
    start = int(by_key.out[:9], 16)
    assert run("inspect", "--record", number, DEFAULT) == by_key
    assert run("inspect", "--at", hex(start), DEFAULT) == by_key
    assert run("inspect", "--at", str(start + 10), DEFAULT) == by_key
    assert run("inspect", "--exact-key", "h:small", "-", stdin=DEFAULT.read_bytes()) == by_key
    whole = run("inspect", DEFAULT)
    assert by_key.out in whole.out


def test_a_key_of_several_databases_is_shown_for_each():
    ran = run("inspect", "--exact-key", "h", DEFAULT)
    assert re.findall(rb"db (\d+)\)", ran.out) == [b"1", b"9", b"15"]


def test_the_expiry_belongs_to_its_key():
    ran = run("inspect", "--exact-key", "exp:ms", DEFAULT)
    assert b"EXPIRETIME_MS" in ran.out
    assert b'string "exp:ms"' in ran.out


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        (("--exact-key", "nowhere"), 'no key "nowhere"'),
        (("--record", "100000"), "no record number 100000"),
        (("--at", "0xffffff"), "no record at offset 0xffffff"),
    ],
)
def test_what_is_not_there(choice, words):
    ran = run("inspect", *choice, DEFAULT)
    assert (ran.code, ran.out) == (1, b"")
    assert words in ran.err


@pytest.mark.parametrize("damage", ["cut", "listpack", "checksum", "lzf", "type"])
def test_damage_is_shown_where_it_is(damage, tmp_path):
    data = DEFAULT.read_bytes()
    key = data.index(b"\x07h:small")
    data = {
        "cut": lambda: data[: key + 20],
        "listpack": lambda: changed(data, key + 19, 0x92),
        "checksum": lambda: changed(data, len(data) - 1, data[-1] ^ 1),
        "lzf": lambda: changed(data, data.index(b"\x09list:ints") + 30, 0xE0, 0xFF, 0xFF),
        "type": lambda: changed(data, key - 1, 99),
    }[damage]()
    path = tmp_path / "damaged.rdb"
    path.write_bytes(data)
    ran = run("inspect", path.name, cwd=tmp_path)
    assert ran.code == 1
    tail = ran.out.decode().splitlines()[-8:]
    check_golden(f"inspect/damage-{damage}.txt", "\n".join(tail) + "\n" + ran.err)
    report = json.loads(run("inspect", "--json", path.name, cwd=tmp_path).out)
    assert report["damage"]["code"] in ran.err
    assert f"at {report['damage']['offset']:#x}" in ran.err
    at = run("inspect", "--at", str(report["damage"]["offset"]), path.name, cwd=tmp_path)
    if damage != "checksum":
        assert at.code == 1
        assert at.out.decode().splitlines()[-1:] == tail[-1:]


def test_two_choices_are_wrong_usage():
    assert run("inspect", "--record", "1", "--at", "9", DEFAULT).code == 2
    assert run("inspect", "--at", "x", DEFAULT).code == 2
