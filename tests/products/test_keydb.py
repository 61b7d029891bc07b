"""KeyDB: expiries of members belong to their key, and its own commands are executed."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from codec.driving import make
from codec.driving import rdb as whole_rdb
from command import run

import rdbtool
from rdbtool import Engine
from rdbtool._codec.encode.jsonl import Jsonl
from rdbtool._codec.filters.selection import Selection
from rdbtool.core.errors import FormatError, LossError
from rdbtool.core.servers import KEYDB, Target
from rdbtool.dataset.loading import open_keys
from rdbtool.engine.command_errors import CommandError, UnknownCommandError, UnknownEffectError
from rdbtool.model import Aux
from rdbtool.operations.convert.convert import ConvertOptions, convert
from rdbtool.reader.jsonl.reader import open_jsonl
from rdbtool.reader.rdb import open_rdb

CASES = Path(__file__).parents[2] / "fixtures/cases/keydb"
RDB, AOF = CASES / "subexpire.rdb", CASES / "appendonly.aof"
ANN, BOB, U2 = 1999999999000, 1999999998000, 1999999997000
MASTER = b"11111111-2222-3333-4444-555555555555"
KEY_AUX, WHEN_AUX = b"keydb-subexpire-key", b"keydb-subexpire-when"


def keydb() -> Engine:
    engine = Engine(rules="redis-6.2")
    engine.products = frozenset({KEYDB.name})
    return engine


def resp(*argv: bytes) -> bytes:
    return b"*%d\r\n" % len(argv) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in argv)


def expires(member: bytes, when: bytes) -> bytes:
    return make.aux(KEY_AUX, make.string(member)) + make.aux(WHEN_AUX, make.string(when))


def rdb(*parts: bytes, version: int = 9) -> bytes:
    return whole_rdb(make.select(0), *parts, magic=b"REDIS%04d" % version)


# ---- RDB files ---------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["codec", "grammar"])
def test_expiries_belong_to_the_key_before_them(backend):
    with open_rdb(str(RDB), backend=backend) as reader:
        plain, online, sess = reader
        assert reader.product is KEYDB
        assert [aux.key for aux in reader.aux] == [
            b"redis-ver",
            b"redis-bits",
            b"ctime",
            b"used-mem",
            b"aof-preamble",
        ]
    assert plain.member_expiries is None
    assert online.member_expiries == ((b"ann", ANN), (b"bob", BOB))
    assert sess.value.fields == ((b"u1", b"x", None), (b"u2", b"y", U2))
    assert sess.member_expiries is None
    assert (online.start, online.stop, sess.stop) == (0xA7, 0x136, 0x1A4)


@pytest.mark.parametrize("backend", ["codec", "grammar"])
def test_a_pair_that_is_none_belongs_to_no_key(backend):
    """No time, a time that is no number, another version, a key that has no members: they stay aux fields."""
    members = make.key(2, b"s", make.counted(make.string(b"a")))
    for parts, version in [
        ((members, make.aux(KEY_AUX, make.string(b"a"))), 9),
        ((members, expires(b"a", b"soon")), 9),
        ((members, expires(b"a", b"-1")), 9),
        ((members, make.select(0), expires(b"a", b"1")), 9),
        ((make.key(0, b"s", make.string(b"v")), expires(b"a", b"1")), 9),
        ((members, expires(b"a", b"1")), 10),
    ]:
        with open_rdb(rdb(*parts, version=version), backend=backend) as reader:
            found = list(reader.items())
        (record,) = (item for item in found if isinstance(item, rdbtool.KeyRecord))
        assert record.member_expiries is None
        assert next(item.key for item in found if isinstance(item, Aux)) == KEY_AUX


@pytest.mark.parametrize("backend", ["codec", "grammar"])
def test_a_record_that_ends_inside_of_an_expiry_is_damaged(backend):
    members = make.key(2, b"s", make.counted(make.string(b"a")))
    whole = rdb(members, expires(b"a", b"1999"), version=9)
    begin = whole.index(members) + len(members)
    stop = len(whole) - 9
    for cut in range(begin + 2, stop):
        with open_rdb(whole[:cut], backend=backend) as reader, pytest.raises(FormatError) as caught:
            list(reader)
        assert caught.value.code == "RDB101", cut
        assert reader.totals.keys == 0


def test_expiries_are_read_wherever_the_window_ends(tmp_path):
    """What was read ends at each byte around a value and its expiries, of a file and of a pipe, the last key or not."""
    window = 1 << 19
    first = make.key(2, b"s", make.counted(make.string(b"a"), make.string(b"b")))
    pair = expires(b"b", b"1999")
    source = tmp_path / "x.rdb"
    for rest in (b"", make.key(0, b"after", make.string(b"v"))):
        for offset in range(len(first) + len(pair) + 24):
            pad = make.key(0, b"pad", b"\x80" + (window - 20 - offset).to_bytes(4, "big") + bytes(window - 20 - offset))
            source.write_bytes(rdb(pad, first, pair, rest))
            for target in (str(source), io.BytesIO(source.read_bytes())):
                with open_rdb(target) as reader:
                    found = [record.member_expiries for record in reader][1]
                    assert reader.fallbacks == 0
                assert found == ((b"b", 1999),), offset


def test_expiries_of_large_values_come_with_them(tmp_path):
    """Values that are passed on in pieces are told when all is known of them."""
    big = b"x" * (5 << 20)
    fields = make.counted(make.string(b"f") + make.string(big), make.string(b"g") + make.string(b"w"))
    data = rdb(make.key(4, b"h", fields), expires(b"g", b"1999"), make.key(0, b"after", make.string(b"v")))
    with open_rdb(data) as reader:
        first, second = reader
    assert [row[2] for row in first.value.fields] == [None, 1999]
    assert second.key == b"after"
    pieces: list[bytes] = []
    with open_rdb(data) as reader:
        sink = Jsonl(pieces.append)
        reader.feed(sink)
        sink.close()
    lines = [json.loads(line) for line in b"".join(pieces).splitlines()]
    assert lines[1]["value"][1] == ["g", "w", 1999]
    with open_rdb(data) as reader:
        assert [record.key for record in reader.records(selection=Selection(kinds={"string"}))] == [b"after"]


def test_jsonl_keeps_expiries_of_members(tmp_path):
    destination = str(tmp_path / "x.jsonl")
    convert(str(RDB), destination)
    ran = run("diff", str(RDB), destination)
    assert (ran.code, ran.err) == (0, "")
    rows = [json.loads(line) for line in Path(destination).read_text().splitlines()]
    (online,) = (row for row in rows if row.get("key") == "online")
    assert online["member_expiries"] == [["ann", ANN], ["bob", BOB]]


@pytest.mark.parametrize(
    "row",
    [
        {"type": "string", "value": "v", "member_expiries": []},
        {"type": "hash", "value": [["f", "v"]], "member_expiries": [["f", 1]]},
        {"type": "set", "value": ["a"], "member_expiries": [["b", 1]]},
        {"type": "set", "value": ["a"], "member_expiries": [["a", 1], ["a", 2]]},
        {"type": "set", "value": ["a"], "member_expiries": [["a", -1]]},
        {"type": "zset", "value": [["a", 1]], "member_expiries": [["a"]]},
    ],
)
def test_jsonl_refuses_expiries_of_no_members(row):
    data = b'{"rdb":{"magic":"REDIS","version":9}}\n' + json.dumps({"key": "k", **row}).encode() + b"\n"
    with open_jsonl(data) as reader, pytest.raises(FormatError):
        list(reader)


def test_field_expiries_go_where_the_target_has_them(tmp_path):
    for target, suffix in [("redis-7.4", "rdb"), ("redis-8.0", "aof"), ("valkey-9", "rdb"), ("valkey-9", "aof")]:
        options = ConvertOptions(target=Target.parse(target))
        destination = str(tmp_path / f"{target}.{suffix}")
        with pytest.raises(LossError) as caught:
            convert(str(RDB), destination, options)
        assert (caught.value.loss.key, caught.value.loss.times) == (b"online", 2)
        assert caught.value.loss.what == "expiries of set members"
        assert not Path(destination).exists()
        done = convert(str(RDB), destination, options._replace(allow_loss=True))
        assert [loss.what for loss in done.losses if loss.severity == "loss"] == ["expiries of set members"]
        with open_keys(destination) as keys:
            records = {record.key: record for record in keys}
        assert {row[0]: row[2] for row in records[b"sess"].value.fields} == {b"u1": None, b"u2": U2}
        assert records[b"online"].member_expiries is None


def test_older_targets_lose_both_by_name(tmp_path):
    options = ConvertOptions(target=Target.parse("redis-7.2"), allow_loss=True)
    done = convert(str(RDB), str(tmp_path / "x.rdb"), options)
    lost = {(loss.key, loss.what, loss.times) for loss in done.losses if loss.severity == "loss"}
    assert lost == {(b"online", "expiries of set members", 2), (b"sess", "field expiries", 1)}


def test_expiries_of_members_that_are_gone_are_no_loss(tmp_path):
    source = tmp_path / "x.rdb"
    source.write_bytes(rdb(make.key(2, b"s", make.counted(make.string(b"a"))), expires(b"gone", b"1999")))
    done = convert(str(source), str(tmp_path / "y.rdb"))
    assert done.losses == []


def test_time_stamps_of_a_file_that_is_not_keydbs_are_a_note(tmp_path):
    options = ConvertOptions(target=Target.parse("redis-7.4"), allow_loss=True)
    done = convert(str(RDB), str(tmp_path / "x.rdb"), options)
    assert [(loss.what, loss.times) for loss in done.losses if loss.severity == "note"] == [("aux fields", 3)]


def test_an_expiry_without_its_key_is_a_loss_and_a_warning(tmp_path):
    source = tmp_path / "x.rdb"
    source.write_bytes(rdb(make.key(0, b"k", make.string(b"v")), expires(b"a", b"1999")))
    with pytest.raises(LossError, match="follows no key"):
        convert(str(source), str(tmp_path / "y.rdb"))
    ran = run("validate", "--json", str(source))
    findings = json.loads(ran.out)["sources"][0]["findings"]
    assert ("RDB365", "warning") in {(row["code"], row["severity"]) for row in findings}


def test_diff_tells_expiries_of_members(tmp_path):
    other = tmp_path / "other.rdb"
    other.write_bytes(RDB.read_bytes().replace(b"1999999998000", b"1999999998001")[:-8] + bytes(8))
    ran = run("diff", str(RDB), str(other))
    assert ran.code == 1
    assert 'expiry of member "bob"' in ran.out.decode()
    assert "1 changed" in ran.out.decode()
    assert run("diff", "--ignore-ttl", str(RDB), str(other)).code == 0
    ran = run("diff", "--as-commands", str(RDB), str(other))
    assert ran.code == 3
    assert "expiries of set members" in ran.err


def test_commands_for_keydb_set_them_again():
    ran = run("dump", "-f", "resp", str(RDB))
    assert ran.code == 0
    words = ran.out.decode().replace("\r\n", " ")
    assert f"PEXPIREMEMBERAT $6 online $3 ann $13 {ANN}" in words
    with open_keys(ran.out) as keys:
        (online,) = (record for record in keys if record.key == b"online")
    assert dict(online.member_expiries) == {b"ann": ANN, b"bob": BOB}


def test_what_keydb_writes_is_valid_and_nothing_is_repaired(tmp_path):
    ran = run("validate", "--strict", str(RDB))
    assert (ran.code, ran.err) == (0, "")
    assert "written by KeyDB 6.3.4" in ran.out.decode()
    assert "RDB354" not in ran.out.decode()
    done = tmp_path / "x.rdb"
    assert run("repair", str(RDB), "-o", str(done)).code == 0
    assert done.read_bytes() == RDB.read_bytes()
    assert json.loads(run("info", "--json", str(RDB)).out)["product"] == "KeyDB"


# ---- AOFs --------------------------------------------------------------------------------------


def test_the_words_of_keydb_are_executed():
    ran = run("dump", "-f", "jsonl", str(AOF))
    rows = {row["key"]: row["value"] for row in map(json.loads, ran.out.splitlines()) if "key" in row}
    assert rows == {"a": "1", "jobs": ["7"], "b": "v", "c": "3"}
    assert ran.code == 0
    assert "CMD210" in ran.err


def test_an_aof_is_validated_under_the_rules_of_its_product():
    ran = run("validate", "--json", str(AOF))
    (found,) = json.loads(ran.out)["sources"]
    assert ran.code == 0
    told = {(row["code"], row["severity"], row["message"].partition(":")[0]) for row in found["findings"]}
    assert {
        ("AOF202", "note", "RREPLAY"),
        ("AOF202", "note", "KEYDB.MVCCRESTORE"),
        ("AOF202", "note", "EXPIREMEMBERAT"),
    } <= told
    assert not [row for row in found["findings"] if row["severity"] == "error"]
    assert found["rules"] == "redis-6.2"
    assert "of KeyDB" in run("validate", str(AOF)).out.decode()


@pytest.mark.parametrize("rules", ["redis-7.2", "valkey-9.1"])
def test_servers_that_are_named_refuse_its_words(rules):
    ran = run("validate", "--json", "--rules", rules, str(AOF))
    (found,) = json.loads(ran.out)["sources"]
    assert ran.code == 1
    errors = [row for row in found["findings"] if row["severity"] == "error"]
    assert [row["code"] for row in errors] == ["AOF202"] * 3
    assert run("dump", "--rules", rules, str(AOF)).code == 1


def test_a_pipe_is_judged_alike():
    assert run("validate", "-", stdin=AOF.read_bytes()).code == 0
    assert run("validate", "--rules", "redis-7.2", "-", stdin=AOF.read_bytes()).code == 1


def test_repair_keeps_its_words(tmp_path):
    done = tmp_path / "x.aof"
    assert run("repair", str(AOF), "-o", str(done)).code == 0
    assert done.read_bytes() == AOF.read_bytes()


def test_history_and_places_look_inside_of_rreplay(tmp_path):
    ran = run("history", str(AOF), "jobs")
    assert ran.code == 0
    assert "created" in ran.out.decode()
    source = tmp_path / "x.aof"
    source.write_bytes(resp(b"SET", b"a", b"1") + resp(b"RREPLAY", MASTER, resp(b"FLUSHALL"), b"0", b"5"))
    assert "keys          1" in run("replay", "--before", "flushall", str(source)).out.decode()


def test_fields_become_expiries_of_hashes(tmp_path):
    source = tmp_path / "x.aof"
    source.write_bytes(
        resp(b"HSET", b"h", b"f", b"v", b"g", b"w")
        + resp(b"PEXPIREMEMBERAT", b"h", b"f", b"1999999999000")
        + resp(b"HSET", b"h", b"f", b"new")
        + resp(b"SADD", b"s", b"m")
        + resp(b"EXPIREMEMBERAT", b"s", b"m", b"1999999999")
    )
    options = ConvertOptions(allow_loss=True)
    done = convert(str(source), str(tmp_path / "x.rdb"), options)
    assert [(loss.key, loss.what) for loss in done.losses] == [(b"s", "expiries of set members")]
    with open_rdb(str(tmp_path / "x.rdb")) as reader:
        fields = next(record for record in reader if record.key == b"h").value.fields
    assert sorted(fields) == [(b"f", b"new", 1999999999000), (b"g", b"w", None)]


def test_a_preamble_of_keydb_keeps_its_expiries(tmp_path):
    """After the snapshot, commands set and remove members, and PERSIST takes expiries back."""
    source = tmp_path / "x.aof"
    source.write_bytes(
        RDB.read_bytes()
        + resp(b"SREM", b"online", b"ann")
        + resp(b"HSET", b"sess", b"u2", b"new")
        + resp(b"SADD", b"online", b"ann")
        + resp(b"PERSIST", b"online", b"bob")
    )
    with open_keys(str(source)) as keys:
        records = {record.key: record for record in keys}
    assert records[b"online"].member_expiries == ((b"ann", ANN),)
    assert {row[0]: row[1:] for row in records[b"sess"].value.fields}[b"u2"] == (b"new", U2)


# ---- the engine --------------------------------------------------------------------------------


def members(engine: Engine, key: bytes) -> dict[bytes, int]:
    (record,) = (record for record in engine.records() if record.key == key)
    return dict(record.member_expiries or ())


def test_expiries_follow_the_value():
    engine = keydb()
    engine.execute(b"SADD", b"s", b"a", b"b")
    engine.execute(b"PEXPIREMEMBERAT", b"s", b"a", b"1000")
    engine.execute(b"PEXPIREMEMBERAT", b"s", b"nobody", b"1000")
    engine.execute(b"ZADD", b"z", b"1", b"m")
    engine.execute(b"expirememberat", b"z", b"m", b"2")
    engine.execute(b"COPY", b"s", b"copy")
    engine.execute(b"RENAME", b"s", b"t")
    assert members(engine, b"t") == members(engine, b"copy") == {b"a": 1000}
    assert members(engine, b"z") == {b"m": 2000}
    engine.execute(b"PERSIST", b"t")
    assert members(engine, b"t") == {}
    assert members(engine, b"copy") == {b"a": 1000}
    engine.execute(b"DEL", b"copy")
    engine.execute(b"SADD", b"copy", b"a")
    assert members(engine, b"copy") == {}


def test_the_expiry_of_a_member_is_that_of_its_name():
    engine = keydb()
    engine.execute(b"HSET", b"h", b"f", b"v", b"g", b"w")
    engine.execute(b"PEXPIREMEMBERAT", b"h", b"f", b"1000")
    engine.execute(b"HDEL", b"h", b"f")
    (record,) = engine.records()
    assert record.value.fields == ((b"g", b"w", None),)
    engine.execute(b"HSET", b"h", b"f", b"again")
    (record,) = engine.records()
    assert {row[0]: row[2] for row in record.value.fields} == {b"g": None, b"f": 1000}
    engine.execute(b"KEYDB.HRENAME", b"h", b"g", b"i")
    (record,) = engine.records()
    assert sorted(row[0] for row in record.value.fields) == [b"f", b"i"]


@pytest.mark.parametrize(
    ("argv", "error"),
    [
        ((b"PEXPIREMEMBERAT", b"k", b"m", b"soon"), "not an integer"),
        ((b"PEXPIREMEMBERAT", b"k", b"m", b"1"), "unsupported"),
        ((b"RREPLAY", b"me", b""), "UUID"),
        ((b"RREPLAY", MASTER, b"", b"99"), "Invalid database ID|out of range"),
        ((b"RREPLAY", MASTER, b"", b"0", b"-1"), "MVCC"),
        ((b"RREPLAY", MASTER, resp(b"INCR", b"k")), "not an integer"),
        ((b"KEYDB.MVCCRESTORE", b"x", b"1", b"-1", b"no payload"), "DUMP payload"),
        ((b"KEYDB.HRENAME", b"k", b"a", b"b"), "WRONGTYPE"),
    ],
)
def test_errors(argv, error):
    engine = keydb()
    engine.execute(b"SET", b"k", b"v")
    with pytest.raises(CommandError, match=error) as caught:
        engine.execute(*argv)
    assert not isinstance(caught.value, UnknownEffectError)


@pytest.mark.parametrize(
    "argv",
    [
        (b"EXPIREMEMBER", b"s", b"m", b"10"),
        (b"PEXPIREMEMBERAT", b"s", b"m", b"-5"),
        (b"RREPLAY", MASTER, b"no RESP"),
        (b"RREPLAY", MASTER, resp(b"MULTI") + resp(b"SET", b"a", b"1")),
        (b"KEYDB.MVCCRESTORE", b"s", b"1", b"-1", bytes.fromhex("0001760900") + b"\xcd\xdf\xcd\xbe\xe9\xdf\x02\xc1"),
        (b"KEYDB.CRON", b"c", b"single", b"10", b"script"),
    ],
)
def test_unknown_effects(argv):
    engine = keydb()
    engine.execute(b"SADD", b"s", b"m")
    if argv[0] == b"KEYDB.MVCCRESTORE":
        argv = (*argv[:4], AOF.read_bytes().partition(b"$13\r\n\x00")[2][:0] or payload())
    with pytest.raises(UnknownEffectError):
        engine.execute(*argv)


def payload() -> bytes:
    """Return the payload of the AOF: the string "v"."""
    at = AOF.read_bytes().index(b"\x00\x01v")
    return AOF.read_bytes()[at : at + 13]


def test_restored_keys_take_their_expiry():
    engine = keydb()
    engine.execute(b"KEYDB.MVCCRESTORE", b"x", b"1661047743729", b"1999999999000", payload())
    (record,) = engine.records()
    assert (record.value.data, record.expire_at_ms) == (b"v", 1999999999000)


def test_commands_of_other_masters():
    """They may be several, in another database, wrapped again; those that came before are left out."""
    engine = keydb()
    inner = resp(b"SET", b"a", b"1") + resp(b"MULTI") + resp(b"INCR", b"a") + resp(b"EXEC")
    nested = resp(b"RREPLAY", MASTER.replace(b"1", b"9"), resp(b"SET", b"b", b"1"), b"3", b"7")
    engine.execute(b"RREPLAY", MASTER, inner + nested, b"2", b"100")
    assert engine.index == 3
    engine.execute(b"RREPLAY", MASTER.upper(), resp(b"INCR", b"a"), b"2", b"100")
    engine.execute(b"RREPLAY", MASTER, resp(b"INCR", b"a"), b"2", b"101")
    assert {(record.db, record.key): record.value.data for record in engine.records()} == {
        (2, b"a"): b"3",
        (3, b"b"): b"1",
    }


def test_one_that_fails_keeps_no_other_from_being_executed():
    engine = keydb()
    with pytest.raises(CommandError, match="WRONGTYPE"):
        engine.execute(
            b"RREPLAY", MASTER, resp(b"SET", b"a", b"1") + resp(b"LPUSH", b"a", b"x") + resp(b"SET", b"b", b"2")
        )
    assert [record.key for record in engine.records()] == [b"a", b"b"]


def test_nesting_has_a_bound():
    wrapped = resp(b"SET", b"a", b"1")
    for number in range(40):
        wrapped = resp(b"RREPLAY", b"%08x" % number + MASTER[8:], wrapped)
    with pytest.raises(UnknownEffectError, match="too deep"):
        keydb().execute(b"RREPLAY", MASTER, wrapped)


def test_other_engines_do_not_know_the_words():
    for argv in ((b"PEXPIREMEMBERAT", b"s", b"m", b"1"), (b"RREPLAY", MASTER, b""), (b"LFENCE",)):
        with pytest.raises(UnknownCommandError):
            Engine().execute(*argv)
