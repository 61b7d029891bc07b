"""Logs as sources of ``dump``, ``digest``, ``info`` and ``inspect``: files, parts, pipes, compressed, damaged."""

import gzip
import json
import re

import pytest
from aof.logs import LOGS, command, name_of, parse, sets, write_log
from command import FIXTURES, check_golden, run

from rdbtool.core.errors import LimitError
from rdbtool.reader.inspect.aof import trace_any

SINGLE = FIXTURES / "redis-6.2.16" / "aof-preamble.aof"
PARTS = FIXTURES / "redis-7.0.15" / "aof-preamble"
ROW = re.compile(r"([ +])([0-9a-f]{8})  ((?:[0-9a-f]{2} )*[0-9a-f]{2})( …)?(?:  |$)")
NOW = ("--now", "2026-01-01")


def files_of(log):
    if log.is_file():
        return {str(log): log.read_bytes()}
    names = re.findall(r"^file (\S+)", next(log.glob("*.manifest")).read_text(), re.MULTILINE)
    return {name: (log / name).read_bytes() for name in names}


@pytest.mark.parametrize("log", LOGS, ids=name_of)
def test_dump_gives_the_keys_that_the_server_had(log):
    with gzip.open(log.parent / f"{log.name.removesuffix('.aof')}.expected.json.gz") as stream:
        expected = json.load(stream)
    keys = expected["keys"] if isinstance(expected, dict) and "keys" in expected else expected
    rules = ".".join(log.parent.name.split(".")[:2])
    lines = run("dump", "-f", "jsonl", "--rules", rules, *NOW, log).out.splitlines()
    records = [json.loads(line) for line in lines]
    assert len([record for record in records if "key" in record]) == len(keys)


@pytest.mark.parametrize("form", ["table", "jsonl", "json", "csv", "keys", "resp"])
@pytest.mark.parametrize("pack", ["pipe", "gzip"])
def test_dump_from_pipes_and_compressed(form, pack, tmp_path):
    expected = run("dump", "-f", form, *NOW, SINGLE)
    assert (expected.code, expected.err) == (0, "")
    assert expected.out
    data = SINGLE.read_bytes()
    data = gzip.compress(data) if pack == "gzip" else data
    assert run("dump", "-f", form, *NOW, "-", stdin=data) == expected
    misnamed = tmp_path / "dump.rdb"
    misnamed.write_bytes(data)
    assert run("dump", "-f", form, *NOW, misnamed) == expected


def test_dump_of_a_manifest_and_its_directory_and_filters():
    whole = run("dump", "-f", "keys", PARTS)
    assert whole == run("dump", "-f", "keys", PARTS / "appendonly.aof.manifest")
    assert 0 < run("dump", "-f", "keys", "-t", "hash", "-n", "0", PARTS).out.count(b"\n") < whole.out.count(b"\n")
    assert run("dump", "-f", "keys", "--limit", "3", PARTS).out == b"".join(whole.out.splitlines(keepends=True)[:3])


@pytest.mark.server
def test_restore_commands_of_a_log(redis_server):
    log = FIXTURES / "redis-7.0.15" / "aof-timestamps"
    ran = run("dump", "-f", "resp", "--restore", "--target", "redis-7.0", log)
    assert ran.code == 0
    assert ran.err.startswith("rdbtool: note: active times of consumers")
    commands = list(parse(ran.out))
    assert {words[0] for _, words in commands} <= {b"SELECT", b"RESTORE", b"FUNCTION"}
    redis_server.client.pipeline(ran.out, len(commands))
    expected = json.loads((FIXTURES / "digests.json").read_text())["redis-7.0.15"]["aof-timestamps"]
    assert redis_server.client("DEBUG", "DIGEST").decode() == expected


@pytest.mark.server
def test_resp_of_a_log_rebuilds_what_the_log_leads_to(redis_server):
    log = FIXTURES / "redis-7.0.15" / "aof-timestamps"
    commands = run("dump", "-f", "resp", log).out
    redis_server.client.pipeline(commands, len(list(parse(commands))))
    expected = json.loads((FIXTURES / "digests.json").read_text())["redis-7.0.15"]["aof-timestamps"]
    assert redis_server.client("DEBUG", "DIGEST").decode() == expected


@pytest.mark.parametrize("name", ["redis-6.2.16/aof-preamble.aof", "redis-8.0.6/aof-timestamps"])
def test_info(name):
    ran = run("info", f"fixtures/{name}")
    assert (ran.code, ran.err) == (0, "")
    check_golden(f"info/{name.replace('/', '-')}.txt", ran.out.decode())


@pytest.mark.parametrize("log", LOGS, ids=name_of)
def test_info_counts_what_is_there(log):
    report = json.loads(run("info", "--json", log).out)
    files = files_of(log)
    assert [(part["part"], part["size"]) for part in report["parts"]] == [(n, len(d)) for n, d in files.items()]
    assert (report["schema"], report["tail"]["state"], report["damage"]) == (1, "clean", None)
    records = []
    for data in files.values():
        start = data.index(b"*2\r\n$6\r\nSELECT") if data.startswith(b"REDIS") and b"\r\nSELECT" in data else 0
        if data.startswith((b"REDIS", b"VALKEY")) and not start:
            continue
        records += [argv for _, argv in parse(data[start:])]
    times = [int(argv[0][4:]) for argv in records if argv[0].startswith(b"#TS:")]
    commands = [argv for argv in records if not argv[0].startswith(b"#")]
    assert report["commands"] == len(commands)
    assert report["transactions"] == sum(argv[0].upper() == b"EXEC" for argv in commands)
    assert (report["first_time"], report["last_time"]) == ((times[0], times[-1]) if times else (None, None))


@pytest.mark.parametrize("log", LOGS[:3] + LOGS[-2:], ids=name_of)
def test_inspect_shows_every_byte(log):
    ran = run("inspect", "--full", log)
    assert (ran.code, ran.err) == (0, "")
    shown = {}
    for line in ran.out.decode().splitlines():
        match = ROW.match(line)
        if match is None:
            if not line.startswith((" ", "+")):
                part = shown[line] = bytearray()
        elif match[1] == " ":
            assert int(match[2], 16) == len(part), line
            part += bytes.fromhex(match[3])
    assert {name: bytes(data) for name, data in shown.items()} == files_of(log)


@pytest.mark.parametrize("log", LOGS, ids=name_of)
def test_the_nodes_of_json_tile_each_part(log):
    report = json.loads(run("inspect", "--json", log).out)
    assert (report["schema"], report["damage"]) == (1, None)
    ends = {}
    number = 0

    def tile(node):
        at = node["start"]
        for child in node.get("children", ()):
            if child.get("inner") and not node.get("inner"):
                return
            assert child["start"] == at
            tile(child)
            at = child["stop"]
        assert at == node["stop"] or not node.get("children")

    for node in report["items"]:
        assert node["start"] == ends.get(node["part"], 0)
        ends[node["part"]] = node["stop"]
        tile(node)
        if node["name"] == "command":
            number += 1
            assert node["command"] == number
    assert ends == {name: len(data) for name, data in files_of(log).items()}


@pytest.mark.parametrize("pack", ["pipe", "gzip"])
def test_inspect_of_pipes(pack):
    data = SINGLE.read_bytes()
    expected = json.loads(run("inspect", "--json", SINGLE).out)["items"]
    ran = run("inspect", "--json", "-", stdin=gzip.compress(data) if pack == "gzip" else data)
    assert ran.code == 0
    items = json.loads(ran.out)["items"]
    assert [item | {"part": ""} for item in items] == [item | {"part": ""} for item in expected]


def items(*words, stdin=None):
    ran = run("inspect", "--json", *words, stdin=stdin)
    assert (ran.code, ran.err) == (0, "")
    return json.loads(ran.out)["items"]


def test_inspect_of_some_records_agrees_with_the_whole(tmp_path):
    rest = [{k: v for k, v in item.items() if k != "note"} for item in items(PARTS)]
    incr = "appendonly.aof.2.incr.aof"
    commands = [item for item in rest if item["name"] == "command"]
    for number in (1, 2, 256, 257, 1000, len(commands)):
        [item] = items("--record", str(number), PARTS)
        assert item == commands[number - 1]
        assert items("--at", str(item["start"] + 1), PARTS) == [item]
        assert items("--at", f"2:{item['stop'] - 1}", PARTS) == [item]
        assert items("--at", f"{incr}:{item['start']:#x}", PARTS) == [item]
    named = [item for item in commands if any(child["value"] == "z:1" for child in item["children"])]
    found = items("--exact-key", "z:1", PARTS)
    assert [item for item in found if item["name"] == "command"] == named
    keys = [item for item in found if item["part"] != incr]
    assert [item["key"] for item in keys] == ["z:1"] * 3
    assert {(item["start"], item["stop"]) for item in keys} <= {(item["start"], item["stop"]) for item in rest}
    assert items("--at", "base.rdb:0".replace("base", "appendonly.aof.2.base"), PARTS)[0]["stop"] == 9
    single = SINGLE.read_bytes()
    assert items("--record", "5", "-", stdin=single)[0]["start"] == items("--record", "5", SINGLE)[0]["start"]


def test_inspect_finds_annotations_by_offset(tmp_path):
    path = tmp_path / "log.aof"
    ts = b"#TS:1700000000\r\n"
    path.write_bytes(ts + sets(1) + ts + sets(300) + ts)
    for at in (0, 3, len(ts + sets(1)) + 4, len(ts + sets(1) + ts + sets(300)) + 2):
        [item] = items("--at", str(at), path)
        assert (item["name"], item["value"], item["stop"] - item["start"]) == ("annotation", ts[:-2].decode(), len(ts))
        assert item["start"] <= at < item["stop"]


def test_inspect_names_subcommands_keys(tmp_path):
    path = tmp_path / "log.aof"
    path.write_bytes(sets(1) + command("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM"))
    assert items("--exact-key", "s", path)[0]["command"] == 2


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--exact-key", "nobody"), 1),
        (("--record", "99999"), 1),
        (("--at", "99999999"), 1),
        (("--at", "9:0"), 3),
        (("--at", "x"), 2),
        (("--at", "1", "--record", "1"), 2),
    ],
)
def test_inspect_of_what_is_not_there(words, code):
    ran = run("inspect", *words, PARTS)
    assert (ran.code, ran.out) == (code, b"")


def test_inspect_of_damage(tmp_path):
    path = tmp_path / "log.aof"
    data = sets(2) + b"*3\r\n$3\r\nSET\r\n$2x\r\nk0\r\n" + sets(1)
    path.write_bytes(data)
    ran = run("inspect", path)
    assert ran.code == 1
    assert "AOF103" in ran.err
    check_golden("inspect/damage-log.txt", ran.out.decode().replace(str(path), "log.aof"))
    for words in (("--record", "3"), ("--at", str(len(sets(2)) + 15))):
        some = run("inspect", *words, path)
        assert some.code == 1
        assert b"AOF103" in some.out
    assert run("inspect", "--record", "2", path).code == 0


@pytest.mark.parametrize("cut", range(1, 40))
def test_inspect_of_a_cut_log_shows_all_that_is_there(cut, tmp_path):
    path = tmp_path / "log.aof"
    data = sets(1) + command("HSET", "hash", "field", "v")
    path.write_bytes(data[:-cut])
    ran = run("inspect", "--full", path)
    assert ran.code == (0 if len(data) - cut == len(sets(1)) else 1)
    shown = bytearray()
    for line in ran.out.decode().splitlines():
        match = ROW.match(line)
        if match:
            assert int(match[2], 16) == len(shown)
            shown += bytes.fromhex(match[3])
    assert bytes(shown) == data[:-cut]


def test_a_damaged_preamble(tmp_path):
    path = tmp_path / "log.aof"
    data = bytearray(SINGLE.read_bytes())
    data[200] ^= 0xFF
    path.write_bytes(data)
    for name in ("inspect", "info", "dump", "digest", "replay"):
        ran = run(name, path)
        assert ran.code == 1
        assert "RDB" in ran.err


def test_a_missing_part(tmp_path):
    path = write_log(tmp_path / "d", {"a.base.aof": sets(1), "b.incr.aof": sets(1)})
    (tmp_path / "d" / "b.incr.aof").unlink()
    for name in ("inspect", "info", "dump", "digest", "replay"):
        ran = run(name, path.parent)
        assert ran.code == 1
        assert "MAN012" in ran.err


def test_inspect_of_a_bomb_holds_no_more_than_it_may(tmp_path):
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(sets(1) + b"*1\r\n$999999999\r\n" + bytes(8 << 20)))
    with pytest.raises(LimitError, match="more than 1,048,576 bytes"):
        list(trace_any(str(path), max_inflate=1 << 20))
