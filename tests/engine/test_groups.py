"""Consumer groups: known answers, what differs between servers, and errors that change nothing.

Redis 7.0 is the judge of the rest, see test_stream_differential.py.
"""

import copy

import pytest

from rdbtool.engine import CommandError, Engine
from rdbtool.engine.command_errors import ArityError
from rdbtool.engine.export.key_records import to_value
from rdbtool.model import StreamGroup, StreamID, StreamValue

NOW = 1_700_000_000_000
ENTRIES = ("XADD s 1-1 f v", "XADD s 2-1 f v", "XADD s 3-1 f v", "XGROUP CREATE s g 0")
READ = (*ENTRIES, "XREADGROUP GROUP g c COUNT 2 STREAMS s >")


def made(*commands: str, rules: str = "redis-8.8") -> Engine:
    engine = Engine(rules=rules, now_ms=NOW)
    for line in commands:
        engine.execute(*line.encode().split())
    return engine


def group(engine: Engine) -> StreamGroup:
    value = to_value(engine.db.keys[b"s"])
    assert isinstance(value, StreamValue)
    return value.groups[0]


def rows(engine: Engine) -> list[tuple[str, bytes | None, int, int]]:
    return [(str(row.id), row.consumer, row.delivered_at_ms, row.delivery_count) for row in group(engine).pending]


def test_reading_makes_entries_pending_and_counts_them():
    engine = made(*READ)
    assert rows(engine) == [("1-1", b"c", NOW, 1), ("2-1", b"c", NOW, 1)]
    assert (group(engine).last_id, group(engine).entries_read) == (StreamID(2, 1), 2)
    assert [(row.name, row.seen_at_ms, row.active_at_ms) for row in group(engine).consumers] == [(b"c", NOW, NOW)]


def test_reading_without_track_only_moves_on():
    engine = made(*ENTRIES, "XREADGROUP GROUP g c NOACK BLOCK 5 STREAMS s >")
    assert (rows(engine), group(engine).last_id) == ([], StreamID(3, 1))
    assert [(row.name, row.active_at_ms) for row in group(engine).consumers] == [(b"c", -1)]


def test_reading_history_counts_a_delivery():
    engine = made(*READ, "XDEL s 1-1")
    engine.now_ms += 5
    engine.execute(*b"XREADGROUP GROUP g c STREAMS s 0".split())
    assert rows(engine) == [("1-1", b"c", NOW, 1), ("2-1", b"c", NOW + 5, 2)]


@pytest.mark.parametrize(
    ("rules", "reads"), [("redis-6.2", None), ("redis-7.0", 3), ("redis-7.4", 3), ("redis-8.0", 3)]
)
def test_reads_are_reckoned_anew_at_the_newest_entry(rules, reads):
    engine = made(*ENTRIES, "XDEL s 2-1", "XREADGROUP GROUP g c STREAMS s >", rules=rules)
    assert group(engine).entries_read == reads


@pytest.mark.parametrize(("rules", "reads"), [("redis-7.0", 4), ("valkey-8.0", 4), ("redis-8.0", None)])
def test_redis_8_sees_a_deleted_entry_between(rules, reads):
    lines = [*ENTRIES, "XADD s 4-1 f v", "XGROUP SETID s g 2-1 ENTRIESREAD 3", "XDEL s 2-1",
             "XREADGROUP GROUP g c COUNT 1 STREAMS s >"]  # fmt: skip
    assert group(made(*lines, rules=rules)).entries_read == reads


@pytest.mark.parametrize(
    ("rules", "reads"), [("redis-7.0", 77), ("redis-8.0", 77), ("valkey-9.1", 77), ("redis-8.2", 3)]
)
def test_since_redis_8_2_a_group_has_read_no_more_than_was_added(rules, reads):
    """Seen on 7.0.15 to 8.6.3 and Valkey 8.0 to 9.1."""
    created = made(*ENTRIES[:3], "XGROUP CREATE s g 2-1 ENTRIESREAD 77", rules=rules)
    assert group(created).entries_read == reads
    moved = made(*ENTRIES, "XGROUP SETID s g 2-1 ENTRIESREAD 77", rules=rules)
    assert group(moved).entries_read == reads
    nothing = made("XGROUP CREATE s g 0 MKSTREAM ENTRIESREAD 77", rules=rules)
    assert group(nothing).entries_read == (0 if reads == 3 else 77)


@pytest.mark.parametrize(
    ("rules", "names"), [("redis-6.2", []), ("redis-7.0", []), ("redis-7.2", [b"c"]), ("valkey-8.0", [b"c"])]
)
def test_since_7_2_a_consumer_is_made_before_it_gets_anything(rules, names):
    for line in ("XREADGROUP GROUP g c STREAMS s >", "XCLAIM s g c 0 1-1", "XAUTOCLAIM s g c 0 -"):
        engine = made("XGROUP CREATE s g $ MKSTREAM", line, rules=rules)
        assert [row.name for row in group(engine).consumers] == names


def test_a_claim_as_servers_write_it():
    line = "XCLAIM s g c2 0 2-1 TIME 1600000000000 RETRYCOUNT 4 FORCE JUSTID LASTID 3-1"
    engine = made(*ENTRIES, line)
    assert rows(engine) == [("2-1", b"c2", 1_600_000_000_000, 4)]
    assert (group(engine).last_id, group(engine).entries_read) == (StreamID(3, 1), None)


@pytest.mark.parametrize(
    ("options", "row"),
    [
        ("", ("1-1", b"d", NOW, 2)),
        ("JUSTID", ("1-1", b"d", NOW, 1)),
        ("IDLE 300", ("1-1", b"d", NOW - 300, 2)),
        (f"IDLE {NOW + 1}", ("1-1", b"d", NOW, 2)),
        (f"TIME {NOW + 1}", ("1-1", b"d", NOW, 2)),
        ("RETRYCOUNT 0", ("1-1", b"d", NOW, 0)),
        ("retrycount -7 lastid 0-1", ("1-1", b"d", NOW, 2)),
    ],
)
def test_options_of_a_claim(options, row):
    engine = made(*READ, f"XCLAIM s g d 0 1-1 {options}")
    assert rows(engine) == [row, ("2-1", b"c", NOW, 1)]
    assert group(engine).last_id == StreamID(2, 1)


def test_what_was_delivered_just_now_is_not_idle():
    engine = made(*READ, "XCLAIM s g d 1 1-1 2-1", "XAUTOCLAIM s g d 1 0")
    assert {name for _, name, _, _ in rows(engine)} == {b"c"}
    engine.now_ms += 1
    engine.execute(*b"XAUTOCLAIM s g d 1 (1-1 COUNT 1".split())
    assert rows(engine) == [("1-1", b"c", NOW, 1), ("2-1", b"d", NOW + 1, 2)]


@pytest.mark.parametrize(
    ("rules", "left"), [("redis-6.2", ["1-1", "2-1"]), ("redis-7.0", ["2-1"]), ("valkey-9.0", ["2-1"])]
)
@pytest.mark.parametrize("line", ["XCLAIM s g d 0 1-1", "XAUTOCLAIM s g d 0 0 COUNT 1"])
def test_since_7_0_claiming_a_deleted_entry_forgets_it(rules, left, line):
    assert [row[0] for row in rows(made(*READ, "XDEL s 1-1", line, rules=rules))] == left


def test_force_makes_nothing_pending_that_is_not_in_the_stream():
    for rules in ("redis-6.2", "redis-7.0"):
        assert rows(made(*ENTRIES, "XCLAIM s g c 0 9-9 FORCE", rules=rules)) == []


def test_consumers_come_and_go_with_what_is_pending_for_them():
    engine = made(*READ, "XREADGROUP GROUP g d STREAMS s >", "XGROUP CREATECONSUMER s g e", "XGROUP DELCONSUMER s g c",
                  "XGROUP DELCONSUMER s g none")  # fmt: skip
    assert rows(engine) == [("3-1", b"d", NOW, 1)]
    assert [row.name for row in group(engine).consumers] == [b"d", b"e"]
    engine.execute(*b"XGROUP DESTROY s g".split())
    engine.execute(*b"XGROUP DESTROY s g".split())
    assert to_value(engine.db.keys[b"s"]).groups == ()


def test_acknowledging_what_is_not_there_is_no_error():
    engine = made(*READ, "XACK s g 1-1 9-9", "XACK s none x", "XACK none g x")
    assert rows(engine) == [("2-1", b"c", NOW, 1)]


def test_an_old_rewritten_log():
    """Redis 5 and 6 write no counters: the group's reads stay unknown."""
    engine = made("XADD s 1-1 f v", "XSETID s 4-0", "XGROUP CREATE s g 1-1", "XGROUP SETID s g $", rules="redis-6.2")
    assert (group(engine).last_id, group(engine).entries_read) == (StreamID(4, 0), None)


@pytest.mark.parametrize(
    ("line", "row"),
    [
        ("XNACK s g SILENT IDS 1 2-1", ("2-1", None, 0, 0)),
        ("XNACK s g FAIL IDS 1 2-1", ("2-1", None, 0, 1)),
        ("XNACK s g FATAL IDS 1 2-1", ("2-1", None, 0, (1 << 63) - 1)),
        ("XNACK s g FAIL IDS 2 2-1 9-9 RETRYCOUNT 7", ("2-1", None, 0, 7)),
    ],
)
def test_nobody_owns_what_was_given_back(line, row):
    engine = made(*READ, line)
    assert rows(engine) == [("1-1", b"c", NOW, 1), row]


def test_a_rewritten_log_makes_unowned_entries():
    engine = made(*ENTRIES, "XNACK s g FAIL IDS 1 1-1 RETRYCOUNT 5 FORCE")
    assert rows(engine) == [("1-1", None, 0, 5)]
    engine.execute(*b"XCLAIM s g d 99999999999999 1-1".split())
    assert rows(engine) == [("1-1", b"d", NOW, 6)]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("XGROUP CREATE s g 0", "BUSYGROUP"),
        ("XGROUP CREATE none h 0", "requires the key to exist"),
        ("XGROUP CREATE none h x MKSTREAM", "Invalid stream ID"),
        ("XGROUP CREATE s h -", "Invalid stream ID"),
        ("XGROUP CREATE s h 0 ENTRIESREAD -2", "positive or -1"),
        ("XGROUP CREATE s h 0 ENTRIESREAD", "unknown subcommand or wrong number of arguments"),
        ("XGROUP CREATE str h 0", "WRONGTYPE"),
        ("XGROUP SETID s h 0", "NOGROUP"),
        ("XGROUP SETID s g 0 MKSTREAM", "unknown subcommand or wrong number of arguments"),
        ("XGROUP DESTROY none g", "requires the key to exist"),
        ("XGROUP DESTROY s g more", "unknown subcommand or wrong number of arguments"),
        ("XGROUP CREATECONSUMER s h c", "NOGROUP"),
        ("XGROUP DELCONSUMER s g c more", "unknown subcommand or wrong number of arguments"),
        ("XACK s g 1-1 x", "Invalid stream ID"),
        ("XACK str g 1-1", "WRONGTYPE"),
        ("XCLAIM none g c 0 1-1", "NOGROUP"),
        ("XCLAIM s g c x 1-1", "min-idle-time"),
        ("XCLAIM s g c 0 1-1 x", "Unrecognized XCLAIM option"),
        ("XCLAIM s g c 0 1-1 LASTID 9-9 TIME", "Unrecognized XCLAIM option"),
        ("XCLAIM s g c 0 1-1 LASTID 9-9 IDLE x", "Invalid IDLE"),
        ("XAUTOCLAIM s g c 0 (18446744073709551615-18446744073709551615", "invalid start ID"),
        ("XAUTOCLAIM s g c 0 0 COUNT 0", "COUNT must be > 0"),
        ("XREADGROUP GROUP g c STREAMS s none > >", "NOGROUP"),
        ("XREADGROUP GROUP g c STREAMS s $", "meaningless"),
        ("XREADGROUP GROUP g c STREAMS s > >", "Unbalanced"),
        ("XREADGROUP NOACK COUNT 1 STREAMS s >", "Missing GROUP"),
        ("XREADGROUP GROUP g c BLOCK -1 STREAMS s >", "timeout is negative"),
        ("XNACK s g MAYBE IDS 1 1-1", "syntax error"),
        ("XNACK s h FAIL IDS 1 1-1", "NOGROUP"),
    ],
)
def test_refusals_change_nothing(line, says):
    engine = made("SET str x", *READ)
    before = {key: to_value(copy.deepcopy(data)) for key, data in engine.db.keys.items()}
    with pytest.raises(CommandError) as caught:
        engine.execute(*line.encode().split())
    assert says in str(caught.value)
    assert {key: to_value(data) for key, data in engine.db.keys.items()} == before


def test_too_few_words():
    for line in (
        "XGROUP CREATE s g",
        "XGROUP DESTROY s",
        "XCLAIM s g c 0",
        "XACK s g",
        "XREADGROUP GROUP g c STREAMS s",
    ):
        with pytest.raises(ArityError):
            made(*ENTRIES, line)
