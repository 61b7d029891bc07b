"""Keys on their way into an output: other names, other databases, other expiry times; and what is refused."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from aof.logs import command
from codec.commands import read_commands
from command import FIXTURES, run
from many_keys import TINY, snapshot

import rdbtool

OLD = FIXTURES / "cases" / "shapes" / "old-snapshot.rdb"
DATA = FIXTURES / "redis-7.0.15" / "default.rdb"
FIELDS = FIXTURES / "redis-8.0.6" / "default.rdb"


def keys_of(path, *words):
    """Return what jsonl says of the keys, by database and name."""
    ran = run("dump", "-f", "jsonl", *words, path)
    assert ran.code == 0, ran.err
    lines = map(json.loads, ran.out.splitlines())
    return {(line["db"], str(line["key"])): line for line in lines if "key" in line}


def converted(tmp_path, source, *words, name="new.rdb"):
    new = tmp_path / name
    ran = run("convert", source, new, "--force", *words)
    assert ran.code == 0, ran.err
    assert run("validate", new).code == 0
    return keys_of(new), ran.err


# ---- expiry ----------------------------------------------------------------------------------------

BEFORE = {"session:1": 1_600_000_000_000, "cart:9": 1_600_000_000_000, "forever": None}


@pytest.mark.parametrize(
    ("how", "after"),
    [
        ("keep", BEFORE),
        ("drop", dict.fromkeys(BEFORE)),
        ("+10000d", {"session:1": 2_464_000_000_000, "cart:9": 2_464_000_000_000, "forever": None}),
        ("-30m", {"session:1": 1_599_998_200_000, "cart:9": 1_599_998_200_000, "forever": None}),
        ("-999999d", {"session:1": 1, "cart:9": 1, "forever": None}),
        ("unexpired", {"forever": None}),
    ],
)
@pytest.mark.parametrize("name", ["new.rdb", "new.aof", "new.resp", "new.jsonl"])
def test_expiry(tmp_path, how, after, name):
    keys, said = converted(tmp_path, OLD, "--expiry", how, name=name)
    assert {key: line["expire_at_ms"] for (_, key), line in keys.items()} == after
    assert ("dropped on request: 2 keys that have expired" in said) == (how == "unexpired")


def test_what_has_expired_goes_by_the_clock_that_is_given(tmp_path):
    keys, _ = converted(tmp_path, OLD, "--expiry", "unexpired", "--now", "1600000000000")
    assert len(keys) == 3
    keys, _ = converted(tmp_path, OLD, "--expiry", "unexpired", "--now", "1600000000001")
    assert len(keys) == 1


def test_expiry_of_fields(tmp_path):
    before = {key: line for key, line in keys_of(FIELDS).items() if line["type"] == "hash"}
    times = sorted(row[2] for line in before.values() for row in line["value"] if len(row) == 3)
    keys, _ = converted(tmp_path, FIELDS, "--expiry", "drop", "--target", "redis-7.0")
    assert not any(len(row) == 3 for line in keys.values() if line["type"] == "hash" for row in line["value"])
    keys, _ = converted(tmp_path, FIELDS, "--expiry", "+1h")
    after = sorted(row[2] for line in keys.values() if line["type"] == "hash" for row in line["value"] if len(row) == 3)
    assert after == [at + 3_600_000 for at in times]
    # A hash whose fields have all expired is gone.
    keys, said = converted(tmp_path, FIELDS, "--expiry", "unexpired", "--now", str(times[-1] + 1))
    gone = {key for key, line in before.items() if all(len(row) == 3 for row in line["value"])}
    assert not gone & keys.keys()
    kept = [row for line in keys.values() if line["type"] == "hash" for row in line["value"]]
    assert kept
    assert not any(len(row) == 3 for row in kept)
    assert "hash field" in said


def test_payloads_carry_the_expiry_of_fields(tmp_path):
    ran = run("dump", "-f", "resp", "--restore", "--expiry", "drop", "-k", "^hfe:", FIELDS)
    plain = run("dump", "-f", "resp", "--restore", "-k", "^hfe:", FIELDS)
    assert ran.code == plain.code == 0
    rows, stored = ([row for row in read_commands(ran.out) if row[0] == b"RESTORE"] for ran in (ran, plain))
    assert [row[1] for row in rows] == [row[1] for row in stored]
    assert all(row[3] != other[3] for row, other in zip(rows, stored, strict=True))


@pytest.mark.parametrize("how", ["", "1h", "+1", "+1y", "+-1h", "shift", "expired"])
def test_what_is_no_expiry(how):
    assert run("convert", OLD, "new.rdb", "--expiry", how).code == 2


# ---- names and databases ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "before", "after"),
    [
        ("^old:=new:", "old:1", "new:1"),
        ("^(\\w+):(\\d+)$=\\2:\\g<1>", "cart:7", "7:cart"),
        (":=/", "a:b:c", "a/b/c"),
        (".*=p:\\g<0>", "abc", "p:abc"),
        ("^=t1:", "k", "t1:k"),
        ("x(?=y)=z", "xy", "zy"),
        ("[=]=-", "a=b", "a-b"),
        ("a\\=b=c", "a=b", "c"),
        ("k=a=b", "k", "a=b"),
        ("k=\\x00\\\\", "k", "\0\\"),
        ("(?i)KEY=x", "key", "x"),
        ("nothing=x", "key", "key"),
    ],
)
def test_rename(tmp_path, word, before, after):
    log = tmp_path / "x.aof"
    log.write_bytes(command("SET", before, "1"))
    keys, _ = converted(tmp_path, log, "--rename", word)
    assert list(keys) == [(0, after)]


def test_renames_follow_one_another(tmp_path):
    log = tmp_path / "x.aof"
    log.write_bytes(command("SET", "a", "1"))
    assert list(converted(tmp_path, log, "--rename", "a=b", "--rename", "b=c")[0]) == [(0, "c")]


def test_filters_go_by_the_source(tmp_path):
    log = tmp_path / "x.aof"
    log.write_bytes(command("SELECT", "5") + command("SET", "a", "1") + command("SET", "b", "2"))
    words = ("-n", "5", "-k", "a", "--move-db", "5=0", "--rename", "a=c")
    assert list(converted(tmp_path, log, *words)[0]) == [(0, "c")]


def test_databases_change_places(tmp_path):
    before = keys_of(DATA)
    after, _ = converted(tmp_path, DATA, "--move-db", "0=1", "--move-db", "1=0", "--move-db", "9=3")
    places = {0: 1, 1: 0, 9: 3}
    assert after.keys() == {(places.get(db, db), key) for db, key in before}
    for (db, key), line in before.items():
        assert after[places.get(db, db), key]["value"] == line["value"]


@pytest.mark.parametrize("name", ["new.rdb", "new.resp", "new.jsonl", "new.aof"])
def test_two_keys_with_one_name_are_refused(tmp_path, name):
    log = tmp_path / "x.aof"
    rows = [
        ("SET", "user:1", "1"),
        ("SELECT", "3"),
        ("SET", "user:2", "2"),
        ("SET", "u:2", "3"),
        ("SET", "user:1", "4"),
    ]
    log.write_bytes(b"".join(command(*row) for row in rows))
    ran = run("convert", log, tmp_path / name, "--rename", "^user:=u:")
    assert (ran.code, list(tmp_path.iterdir())) == (1, [log])
    assert '"user:2" of db 3' in ran.err
    assert '"u:2" of db 3' in ran.err
    ran = run("convert", log, tmp_path / name, "--move-db", "3=0")
    assert (ran.code, list(tmp_path.iterdir())) == (1, [log])
    assert '"user:1" of db 0 and "user:1" of db 3 would both become "user:1" of db 0' in ran.err
    ran = run("convert", log, tmp_path / name, "--rename", ".*=x", "-n", "3", "-k", "user")
    assert '"user:2" of db 3' in ran.err
    assert '"user:1" of db 3' in ran.err
    assert run("dump", "-f", "resp", log, "--move-db", "3=0").code == 1


@pytest.mark.parametrize(
    "words",
    [("--rename", "a"), ("--rename", "=x"), ("--rename", "(=x"), ("--rename", "a=\\1"), ("--rename", "a=\\q"),
     ("--move-db", "1"), ("--move-db", "a=0"), ("--move-db", "-1=0"), ("--move-db", "1=0", "--move-db", "1=2")],
    ids=" ".join,
)  # fmt: skip
def test_what_is_no_rename_and_no_move(words):
    assert run("convert", OLD, "new.rdb", *words).code == 2
    assert run("dump", "-f", "csv", "--move-db", "1=0", OLD).code == 2


def test_python(tmp_path):
    done = rdbtool.convert(OLD, tmp_path / "new.rdb", expiry=timedelta(days=10_000), rename={"^cart:": "basket:"})
    assert (done.keys, done.is_verified) == (3, True)
    keys = {record.key: record.expire_at_ms for record in rdbtool.open(tmp_path / "new.rdb")}
    assert keys == {b"session:1": 2_464_000_000_000, b"basket:9": 2_464_000_000_000, b"forever": None}
    with pytest.raises(rdbtool.CollisionError) as caught:
        rdbtool.convert(OLD, tmp_path / "x.rdb", rename={".+": b"\xff"})
    assert (caught.value.first, caught.value.second) == ((0, b"session:1"), (0, b"cart:9"))
    with pytest.raises(ValueError, match=r"^expiry: must be one of .*'1h'"):
        rdbtool.convert(OLD, tmp_path / "x.rdb", expiry="1h")
    with pytest.raises(ValueError, match=r"^rename: "):
        rdbtool.convert(OLD, tmp_path / "x.rdb", rename={"(": "x"})
    with pytest.raises(ValueError, match=r"^move_db: "):
        rdbtool.convert(OLD, tmp_path / "x.rdb", move_db={0: -1})


@pytest.mark.parametrize("damaged", [False, True], ids=["", "damaged after it"])
@pytest.mark.parametrize(
    ("rename", "first", "second"),
    [
        ("^k40$=k5999", "k40", "k5999"),
        ("^k5998$=k41", "k41", "k5998"),
        ("^k(41|5998|5999)$=moved", "k41", "k5998"),
        ("^k=moved-", None, None),
    ],
    ids=["taken by a moved key", "taken by another", "several", "all moved"],
)
def test_collisions_among_many_keys(rename, first, second, damaged, tmp_path):
    source, target = tmp_path / "a.rdb", tmp_path / "b.rdb"
    source.write_bytes(snapshot(12_000)[: -1000 if damaged else None])
    words = ("convert", source, target, "--rename", rename)
    expected = run(*words)
    if first is None:
        kept = target.read_bytes() if target.exists() else None
        again = run(*words, "--force", "--memory", TINY)
        assert again.code == expected.code == int(damaged)
        assert (target.read_bytes() if target.exists() else None) == kept
    else:
        assert (expected.code, target.exists()) == (1, False)
        assert f'"{first}" of db 0 and "{second}" of db 0' in expected.err
        assert run(*words, "--memory", TINY) == expected


# ---- a server --------------------------------------------------------------------------------------


def load(server, *words):
    """Let an empty server execute what ``dump -f resp`` prints."""
    for words_of in (("FLUSHALL",), ("FUNCTION", "FLUSH"), ("SELECT", 0)):
        server.client(*words_of)
    ran = run("dump", "-f", "resp", *words)
    assert ran.code == 0, ran.err
    server.client.pipeline(ran.out, len(list(read_commands(ran.out))))


@pytest.mark.server
@pytest.mark.parametrize("form", [(), ("--restore",)], ids=["plain", "restore"])
def test_a_server_does_the_same_by_commands(redis_server, form):
    client = redis_server.client
    load(redis_server, *form, "--rename", "^s:=renamed:", "--move-db", "1=7", "--expiry", "drop", DATA)
    ours = redis_server.digest()
    load(redis_server, *form, DATA)
    assert redis_server.digest() != ours
    for db in (0, 1, 9, 15):
        client("SELECT", db)
        for key in client("KEYS", "*"):
            client("PERSIST", key)
            if key.startswith(b"s:"):
                client("RENAME", key, b"renamed:" + key[2:])
    client("SWAPDB", 1, 7)
    assert redis_server.digest() == ours


@pytest.mark.server
def test_an_old_snapshot_is_loaded_whole(start_server, tmp_path):
    for how, keys in (("drop", 3), ("+20000d", 3), ("keep", 1), ("unexpired", 1)):
        run("convert", OLD, tmp_path / "dump.rdb", "--force", "--expiry", how)
        with start_server(files={"dump.rdb": tmp_path / "dump.rdb"}) as running:
            assert running.client("DBSIZE") == keys
