"""Replaying from Python: ``rdbtool.replay``, ``open_keys`` and the engine."""

import io
import json

import pytest
from aof.logs import command, sets
from command import FIXTURES

import rdbtool
from rdbtool.dataset.loading import open_keys
from rdbtool.operations.history.history import Touch, read_history
from rdbtool.reader.open.dispatch import open_any

LOG = FIXTURES / "redis-7.0.15" / "aof-preamble"


def test_an_engine():
    engine = rdbtool.Engine()
    engine.execute(b"SET", b"k", b"v")
    engine.execute(b"PEXPIREAT", b"k", b"5000")
    engine.execute(b"SELECT", b"3")
    engine.execute(b"ZADD", b"z", b"1.5", b"a")
    with pytest.raises(rdbtool.CommandError, match="WRONGTYPE"):
        engine.execute(b"LPUSH", b"z", b"a")
    found = [(record.db, record.key, record.value, record.expire_at_ms) for record in engine.records()]
    assert found == [
        (0, b"k", rdbtool.StringValue(b"v"), 5000),
        (3, b"z", rdbtool.ZSetValue([(b"a", 1.5)]), None),
    ]


def test_a_log_goes_on_in_python():
    expected = json.loads((FIXTURES / "digests.json").read_text())["redis-7.0.15"]["aof-preamble"]
    report = rdbtool.replay(LOG, digest=True)
    assert report.digest == expected
    assert report.is_sound
    keys = report.totals.keys
    assert keys == len(list(report.engine.records()))
    report.engine.execute(b"SET", b"one more", b"v")
    assert keys + 1 == len(list(report.engine.records()))
    assert rdbtool.replay(LOG).digest is None


def test_open_keys_hands_out_keys_of_anything():
    with open_keys(str(LOG)) as log, open_keys(FIXTURES / "redis-7.0.15" / "default.rdb") as rdb:
        assert len(list(log.records())) == rdbtool.replay(LOG).totals.keys
        assert len(list(rdb.records())) == 61
        assert (log.header.version, rdb.header.version) == (10, 10)


def test_places_and_what_is_none():
    log = sets(3) + command("DEL", "k0") + sets(1, "x") + command("DEL", "k1")
    assert rdbtool.replay(log, before_last="del").totals.keys == 3
    assert rdbtool.replay(io.BytesIO(log), before="del").totals.keys == 3
    with pytest.raises(rdbtool.InputError, match="twice"):
        rdbtool.replay(io.BytesIO(log), before_last="del")
    with pytest.raises(ValueError, match="not a valid place"):
        rdbtool.replay(log, until="tomorrow")
    with pytest.raises(ValueError, match="only one"):
        rdbtool.replay(log, until="n:1", before="del")
    with pytest.raises(ValueError, match="rabbit"):
        rdbtool.replay(log, rules="rabbit-1")


def test_strict_raises_where_it_happens():
    log = command("SET", "k", "v") + command("LPUSH", "k", "x") + sets(1)
    with pytest.raises(rdbtool.ReplayError, match="command 2"):
        rdbtool.replay(log, strict=True)
    report = rdbtool.replay(log)
    assert [finding.code for finding in report.findings] == ["CMD203"]
    assert report.totals.keys == 2


def test_damage_is_told_and_not_raised():
    report = rdbtool.replay(sets(3) + b"*1\r\n$9")
    assert (report.totals.keys, report.is_sound) == (3, False)
    assert isinstance(report.damage, rdbtool.FormatError)


def test_an_open_transaction_by_the_rules_of_the_server():
    log = sets(1) + command("MULTI") + command("SET", "m", "v")
    assert rdbtool.replay(log, rules="redis-3.2").totals.keys == 2
    assert rdbtool.replay(log, rules="redis-4.0").totals.keys == 1


def test_transactions_and_parts_up_to_the_place():
    log = (command("MULTI") + sets(1) + command("EXEC")) * 3
    assert rdbtool.replay(log).transactions == 3
    report = rdbtool.replay(log, until="n:7")
    assert (report.transactions, report.commands, report.part_commands) == (2, 7, (7,))


def test_the_histories_of_all_keys_explain_the_state():
    """Whatever is there in the end was created or in the snapshot, and was not deleted since."""
    reader = open_any(LOG)
    state = {(record.db, record.key) for record in rdbtool.replay(LOG).engine.records()}
    names = {key for _, key in state} | {b"gone:nothing", b"lua:a", b"s:0", b"h:1"}
    reader.close()
    for name in sorted(names)[:60]:
        touches: list[Touch] = []
        with open_any(LOG) as reader:
            found = read_history(reader, name, touches.append)
        there = {touch.db for touch in touches if touch.kind is not None}
        last = {touch.db: touch for touch in touches}
        assert {db for db, key in state if key == name} == {row.db for row in found.states}
        assert {row.db for row in found.states} == {db for db in there if last[db].kind is not None}
        assert {touch.db for touch in found.deletions}.isdisjoint(row.db for row in found.states)
