"""XADD, XDEL, XTRIM, XSETID and the commands of Redis 8: known answers, limits, and errors that change nothing.

What servers of 7.0 know is also asked of one, see test_stream_differential.py; answers to commands of Redis 8 follow
its documentation.
"""

import copy

import pytest
from server import ServerError

from rdbtool.engine import CommandError, Engine
from rdbtool.engine.export.key_records import to_data, to_value
from rdbtool.model import StreamEntry, StreamGroup, StreamID, StreamValue

TOP = (1 << 64) - 1


def made(*commands: str, rules: str = "redis-8.8") -> Engine:
    engine = Engine(rules=rules, now_ms=1_700_000_000_000)
    for line in commands:
        engine.execute(*line.encode().split())
    return engine


def stream(engine: Engine, key: bytes = b"s") -> StreamValue:
    value = to_value(engine.db.keys[key])
    assert isinstance(value, StreamValue)
    return value


def ids(engine: Engine) -> list[str]:
    return [str(entry.id) for entry in stream(engine).entries]


def refused(engine: Engine, *words: str) -> str:
    """Execute a command that must be refused, and check that nothing changed."""
    before = {key: to_value(copy.deepcopy(data)) for key, data in engine.db.keys.items()}
    with pytest.raises(CommandError) as caught:
        engine.execute(*(word.encode() for word in words))
    assert {key: to_value(data) for key, data in engine.db.keys.items()} == before
    return str(caught.value)


def test_an_entry_is_added_with_its_fields_in_order():
    engine = made("XADD s 5-1 f 1 f 2 a 3", "XADD s 6 f 1")
    value = stream(engine)
    assert value.entries[0].fields == ((b"f", b"1"), (b"f", b"2"), (b"a", b"3"))
    assert ids(engine) == ["5-1", "6-0"]
    assert (value.first_id, value.last_id, value.max_deleted_id) == (StreamID(5, 1), StreamID(6, 0), StreamID(0, 0))
    assert (value.entries_added, value.length, value.groups, value.producers) == (2, 2, (), None)


LOOSE = {
    "007-+8": "7-8",
    "+5": "5-0",
    " 6": "6-0",
    "1--05": f"1-{TOP - 4}",
    f"{TOP}-{TOP}": f"{TOP}-{TOP}",
    "0-*": "0-1",
    "5-*": "5-0",
    "9\0x-1": "9-0",
    "0" * 126 + "1": "1-0",
}
NO_IDS = [
    "-6",
    "1--5",
    "6-",
    "-",
    "+",
    "1-1-1",
    "",
    "0-0",
    "0",
    f"{TOP + 1}-1",
    "1-*x",
    "1-1-*",
    "1-5 ",
    "x",
    "1" * 128,
]


@pytest.mark.parametrize("words", [*LOOSE, *NO_IDS], ids=repr)
def test_ids_are_read_as_c_reads_them(words):
    engine = Engine(rules="redis-7.0")
    if words in LOOSE:
        engine.execute(b"XADD", b"s", words.encode(), b"f", b"v")
        assert ids(engine) == [LOOSE[words]]
    else:
        refused(engine, "XADD", "s", words, "f", "v")


@pytest.mark.server
def test_a_server_reads_ids_alike(redis_server):
    for words in [*LOOSE, *NO_IDS]:
        redis_server.client("DEL", "s")
        try:
            taken = redis_server.client("XADD", "s", words, "f", "v")
        except ServerError:
            taken = None
        assert taken == (LOOSE[words].encode() if words in LOOSE else None), words


def test_the_sequence_number_goes_on_within_a_millisecond():
    assert ids(made("XADD s 5-7 f v", "XADD s 5-* f v", "XADD s 8-* f v")) == ["5-7", "5-8", "8-0"]
    engine = made(f"XADD s 5-{TOP} f v")
    assert "equal or smaller" in refused(engine, "XADD", "s", "5-*", "f", "v")
    assert "Invalid stream ID" in refused(made(rules="redis-6.2"), "XADD", "s", "5-*", "f", "v")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("XADD s * f v", "clock"),
        ("XADD s MAXLEN = 5 * f v", "clock"),
        ("XADD s 5-1 f v", "equal or smaller"),
        ("XADD s 4-9 f v", "equal or smaller"),
        ("XADD s 0-0 f v", "must be greater than 0-0"),
        ("XADD s 6-1 f v g", "wrong number of arguments"),
        ("XADD s MAXLEN 1 6-1 f", "wrong number of arguments"),
        ("XADD s MAXLEN 1 NOMKSTREAM NOMKSTREAM", "wrong number of arguments"),
        ("XADD s MAXLEN -1 6-1 f v", "MAXLEN argument"),
        ("XADD s MAXLEN 1 MINID 1 6-1 f v", "at the same time"),
        ("XADD s LIMIT 5 6-1 f v", "LIMIT cannot"),
        ("XADD s MAXLEN ~ 1 LIMIT -5 6-1 f v", "LIMIT argument"),
        ("XADD s IDMPAUTO p 6-1 f v", "IDMPAUTO"),
        ("XADD str 6-1 f v", "WRONGTYPE"),
        ("XDEL s 5-1 x", "Invalid stream ID"),
        ("XDEL str 5-1", "WRONGTYPE"),
        ("XTRIM s MAXLEN", "wrong number of arguments"),
        ("XTRIM s LIMIT 5", "LIMIT cannot"),
        ("XTRIM s MAXLEN 1 x", "syntax error"),
        ("XTRIM s MAXLEN x", "not an integer"),
        ("XSETID s 4-9", "target stream top item"),
        ("XSETID s 9 ENTRIESADDED 0", "target stream length"),
        ("XSETID s 9 ENTRIESADDED -1", "entries_added must be positive"),
        ("XSETID s 9 MAXDELETEDID 9-1", "provided max_deleted_entry_id"),
        ("XSETID s 9 ENTRIESADDED", "syntax error"),
        ("XSETID none 9", "no such key"),
        ("XDELEX s IDS 2 5-1", "numids"),
        ("XDELEX s IDS 0 5-1", "positive"),
        ("XDELEX s KEEPREF DELREF IDS 1 5-1", "syntax error"),
        ("XCFGSET s IDMP-MAXSIZE 0", "between 1 and 10000"),
        ("XCFGSET none IDMP-MAXSIZE 5", "no such key"),
        ("XIDMPRECORD s p i 4-4", "No such message"),
    ],
)
def test_refusals_change_nothing(line, says):
    assert says in refused(made("SET str x", "XADD s 5-1 f v"), *line.split())


def test_options_of_newer_servers_are_refused_by_older_ones():
    for rules in ("redis-7.4", "valkey-9.1"):
        for option in ("KEEPREF", "ACKED", "IDMP"):
            assert "Invalid stream ID" in refused(made(rules=rules), "XADD", "s", option, "6-1", "f", "v")
    assert "Invalid stream ID" in refused(made(rules="redis-6.0"), "XADD", "s", "NOMKSTREAM", "6-1", "f", "v")
    assert "syntax error" in refused(made("XADD s 1-1 f v", rules="redis-6.0"), "XTRIM", "s", "MINID", "6-1")


def test_nomkstream_makes_no_key():
    assert made("XADD s NOMKSTREAM 1-1 f v").db.keys == {}


def test_trimming_leaves_the_greatest_deleted_id_alone():
    engine = made("XADD s 1-1 f v", "XADD s 2-1 f v", "XADD s MAXLEN = 1 LIMIT 7 3-1 f v")
    value = stream(engine)
    assert (ids(engine), value.first_id) == (["3-1"], StreamID(3, 1))
    assert (value.max_deleted_id, value.entries_added) == (StreamID(0, 0), 3)
    engine.execute(b"XTRIM", b"s", b"MINID", b"9")
    assert (ids(engine), stream(engine).first_id, stream(engine).last_id) == ([], StreamID(0, 0), StreamID(3, 1))
    assert b"s" in engine.db.keys


def test_deleting_notes_only_what_was_there():
    engine = made("XADD s 1-1 f v", "XADD s 2-1 f v", "XDEL s 1-1 9-9 1-1 1-2", "XDEL none 1-1")
    value = stream(engine)
    assert (ids(engine), value.max_deleted_id, value.first_id) == (["2-1"], StreamID(1, 1), StreamID(2, 1))


def test_deleting_in_any_order_leaves_the_rest_in_order():
    engine = made()
    for ms in range(1, 5001):
        engine.execute(b"XADD", b"s", b"%d-1" % ms, b"f", b"v")
    for ms in range(1, 5001):
        if ms % 7:
            engine.execute(b"XDEL", b"s", b"%d-1" % (ms * 1237 % 5003))
    left = sorted(set(range(1, 5001)) - {ms * 1237 % 5003 for ms in range(1, 5001) if ms % 7})
    assert ids(engine) == [f"{ms}-1" for ms in left]
    engine.execute(b"XTRIM", b"s", b"MAXLEN", b"10")
    assert ids(engine) == [f"{ms}-1" for ms in left[-10:]]
    assert stream(engine).first_id == StreamID(left[-10], 1)


def test_approximate_trimming_is_refused_where_nodes_are_not_known():
    entries = [StreamEntry(StreamID(ms, 0), [(b"f", b"v")]) for ms in range(1, 301)]
    engine = made()
    engine.db.keys[b"s"] = to_data(StreamValue(entries, last_id=StreamID(300, 0), entries_added=300), engine.share)
    assert "whole nodes" in refused(engine, "XTRIM", "s", "MAXLEN", "~", "100")
    assert "whole nodes" in refused(engine, "XADD", "s", "MINID", "~", "100", "301", "f", "v")
    # What does not depend on nodes is done.
    engine.execute(b"XTRIM", b"s", b"MAXLEN", b"~", b"300")
    engine.execute(b"XTRIM", b"s", b"MINID", b"~", b"1")
    assert len(ids(engine)) == 300
    engine.execute(b"XTRIM", b"s", b"MINID", b"~", b"301")
    assert ids(engine) == []


def test_counters_of_an_old_file_stay_unknown_until_a_new_server_touches_them():
    groups = [StreamGroup(b"g", StreamID(2, 0)), StreamGroup(b"h", StreamID(0, 0))]
    old = StreamValue([StreamEntry(StreamID(2, 0), [(b"f", b"v")])], last_id=StreamID(2, 0), groups=groups)
    for rules, added, reads in (("redis-6.2", None, [None, None]), ("redis-7.0", 2, [1, 0])):
        engine = made(rules=rules)
        engine.db.keys[b"s"] = to_data(old, engine.share)
        assert stream(engine) == old
        engine.execute(b"XADD", b"s", b"3-0", b"f", b"v")
        assert stream(engine).entries_added == added
        assert [group.entries_read for group in stream(engine).groups] == reads


def test_a_copy_changes_on_its_own():
    engine = made("XADD s 1-1 f v", "XADD s 2-1 f v", "XDEL s 1-1", "XGROUP CREATE s g 0", "XADD s IDMP p i 3-1 f v",
                  "XREADGROUP GROUP g c STREAMS s >", "COPY s t")  # fmt: skip
    value = stream(engine)
    assert stream(engine, b"t") == value
    for line in ("XADD t IDMP p j 4-1 f v", "XACK t g 2-1", "XGROUP CREATECONSUMER t g d", "XGROUP SETID t g 0"):
        engine.execute(*line.encode().split())
    assert stream(engine) == value
    assert stream(engine, b"t") != value


# ---- Redis 8 -----------------------------------------------------------------------------------

REFERRED = ("XADD s 1-1 f v", "XADD s 2-1 f v", "XADD s 3-1 f v", "XGROUP CREATE s g 0", "XGROUP CREATE s h 2-1",
            "XREADGROUP GROUP g c COUNT 2 STREAMS s >", "XACK s g 1-1")  # fmt: skip


def pending(engine: Engine) -> list[str]:
    return [str(row.id) for group in stream(engine).groups for row in group.pending]


@pytest.mark.parametrize(
    ("line", "left", "refers"),
    [
        # 1-1 is acknowledged, 2-1 pending, 3-1 not delivered to either group.
        ("XDELEX s IDS 3 1-1 2-1 3-1", [], ["2-1"]),
        ("XDELEX s KEEPREF IDS 1 2-1", ["1-1", "3-1"], ["2-1"]),
        ("XDELEX s DELREF IDS 2 2-1 9-9", ["1-1", "3-1"], []),
        ("XDELEX s IDS 3 1-1 2-1 3-1 ACKED", ["2-1", "3-1"], ["2-1"]),
        ("XTRIM s MAXLEN = 0 ACKED", ["2-1", "3-1"], ["2-1"]),
        ("XTRIM s MINID = 3 DELREF", ["3-1"], []),
        ("XADD s MAXLEN 1 ACKED 4-1 f v", ["2-1", "3-1", "4-1"], ["2-1"]),
        ("XADD s DELREF MAXLEN 1 4-1 f v", ["4-1"], []),
        ("XACKDEL s g IDS 2 2-1 3-1", ["1-1", "3-1"], []),
        ("XACKDEL s g ACKED IDS 1 2-1", ["1-1", "3-1"], []),
        ("XACKDEL none g IDS 1 2-1", ["1-1", "2-1", "3-1"], ["2-1"]),
    ],
)
def test_references_are_kept_removed_or_respected(line, left, refers):
    engine = made(*REFERRED, line)
    assert (ids(engine), pending(engine)) == (left, refers)


def test_what_a_producer_added_is_not_added_again():
    engine = made("XADD s IDMP p one 1-1 f v", "XADD s IDMP p one 2-1 f v", "XADD s IDMP q one 3-1 f v")
    producers = stream(engine).producers
    assert ids(engine) == ["1-1", "3-1"]
    assert producers is not None
    assert producers.producers == ((b"p", ((b"one", StreamID(1, 1)),)), (b"q", ((b"one", StreamID(3, 1)),)))
    assert (producers.duration_s, producers.max_entries) == (100, 100)
    assert (producers.ids_added, producers.ids_duplicate) == (2, 1)


def test_producers_are_set_up_and_recorded_as_a_rewritten_log_does():
    engine = made("XADD s 1-1 f v", "XADD s 2-1 f v", "XADD s 3-1 f v", "XCFGSET s IDMP-DURATION 5 IDMP-MAXSIZE 2",
                  *(f"XIDMPRECORD s p i{n} {n}-1" for n in (1, 2, 3)), "XIDMPRECORD s p i3 3-1")  # fmt: skip
    producers = stream(engine).producers
    assert producers is not None
    assert (producers.duration_s, producers.max_entries, producers.ids_added) == (5, 2, 3)
    assert producers.producers == ((b"p", ((b"i2", StreamID(2, 1)), (b"i3", StreamID(3, 1)))),)
    assert "maps to a different stream ID" in refused(engine, "XIDMPRECORD", "s", "p", "i3", "2-1")
    engine.execute(b"XCFGSET", b"s", b"IDMP-MAXSIZE", b"9")
    producers = stream(engine).producers
    assert producers is not None
    assert (producers.duration_s, producers.max_entries, producers.producers) == (5, 9, ())
