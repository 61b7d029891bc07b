"""What a replay makes of transactions, errors and places to stop, where it can be asked: as a loading server does."""

from __future__ import annotations

import gc
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import server
from aof.logs import command, write_log
from duel import digest_of

from rdbtool.core.errors import ReplayError
from rdbtool.core.servers import Rules
from rdbtool.engine import Engine
from rdbtool.engine.replay.executor import Replay
from rdbtool.engine.replay.loader import Loaded, replay_log
from rdbtool.engine.replay.places import Place
from rdbtool.engine.replay.replay_options import Options, find_last
from rdbtool.reader.aof.reader import open_aof

StartServer = Callable[..., AbstractContextManager[server.Server]]


def log_of(text: str) -> bytes:
    """Return a log: a command a line, words at spaces; a line that begins with # is an annotation."""
    lines = [line.strip() for line in text.strip().splitlines()]
    return b"".join(f"{line}\r\n".encode() if line[:1] == "#" else command(*line.split()) for line in lines)


def run(log: str | bytes | Path, rules: str = "redis-7.0", **options: object) -> Loaded:
    target = log_of(log) if isinstance(log, str) else log
    with open_aof(target) as reader:
        return replay_log(reader, Options(rules=Rules.parse(rules), **options))  # type: ignore[arg-type]


def keys_of(loaded: Loaded, db: int = 0) -> dict[str, object]:
    return {key.decode(): value for key, value in loaded.replay.engine.database(db).keys.items()}


def codes_of(loaded: Loaded) -> list[tuple[str, int]]:
    """Return code and number of the command of each finding."""
    return [(finding.code, finding.number) for finding in loaded.replay.findings]


# ---- transactions -----------------------------------------------------------------------------


def test_a_transaction_runs_at_its_exec() -> None:
    loaded = run("SET a 1\nMULTI\nINCR a\nINCR a\nEXEC\nINCR a")
    assert keys_of(loaded) == {"a": b"4"}
    assert codes_of(loaded) == []
    assert loaded.replay.commands == 6


def test_a_transaction_without_end_never_runs() -> None:
    loaded = run("SET a 1\nMULTI\nSET a 2\nSET b 2")
    assert keys_of(loaded) == {"a": b"1"}
    assert loaded.replay.in_transaction
    assert loaded.fault is not None
    assert loaded.fault.code == "AOF110"


def test_a_nested_multi_is_an_error_and_the_outer_one_goes_on() -> None:
    loaded = run("MULTI\nSET a 1\nMULTI\nSET b 1\nEXEC\nSET c 1\nEXEC")
    assert keys_of(loaded) == {"a": b"1", "b": b"1", "c": b"1"}
    assert codes_of(loaded) == [("CMD206", 3), ("CMD206", 7)]


def test_an_error_inside_leaves_the_rest() -> None:
    loaded = run("SET a x\nMULTI\nINCR a\nLPUSH a 1\nSET b 1\nEXEC")
    assert keys_of(loaded) == {"a": b"x", "b": b"1"}
    assert codes_of(loaded) == [("CMD203", 3), ("CMD203", 4)]


def test_discard() -> None:
    assert keys_of(run("MULTI\nSET a 1\nDISCARD\nSET b 1")) == {"b": b"1"}


def test_an_unknown_command_inside_is_found_where_it_stands() -> None:
    loaded = run("MULTI\nSET a 1\nFROB x\nEXEC")
    assert codes_of(loaded) == [("CMD201", 3)]
    assert loaded.replay.findings[0].offset == len(log_of("MULTI\nSET a 1"))


def test_select_inside_a_transaction_holds_on() -> None:
    loaded = run("MULTI\nSELECT 3\nSET a 1\nEXEC\nSET b 1")
    assert keys_of(loaded, 3) == {"a": b"1", "b": b"1"}
    assert keys_of(loaded) == {}


@pytest.mark.parametrize("rules", ["redis-2.6", "redis-2.8", "redis-3.2"])
def test_old_servers_execute_a_transaction_as_it_comes(rules: str) -> None:
    loaded = run("MULTI\nSET a 1\nINCR a", rules)
    assert keys_of(loaded) == {"a": b"2"}
    assert codes_of(run("SET a 1\nEXEC", rules)) == []
    for newer in ("redis-4.0", "redis-8.0", "valkey-7.2"):
        assert keys_of(run("MULTI\nSET a 1\nINCR a", newer)) == {}
        assert codes_of(run("SET a 1\nEXEC", newer)) == [("CMD206", 2)]


def test_a_part_begins_on_db_0_and_outside_of_a_transaction(tmp_path: Path) -> None:
    parts = {
        "a.1.base.aof": log_of("SELECT 5\nSET a 1"),
        "a.1.incr.aof": log_of("SET b 1\nSELECT 2"),
        "a.2.incr.aof": log_of("SET c 1"),
    }
    loaded = run(write_log(tmp_path, parts))
    assert (keys_of(loaded, 5), keys_of(loaded), keys_of(loaded, 2)) == ({"a": b"1"}, {"b": b"1", "c": b"1"}, {})

    # Two calls as of a caller that goes on behind a part which ended in a transaction.
    replay = Replay(Engine())
    replay.begin_part("one")
    replay.run([(b"MULTI",), (b"SET", b"a", b"1")], [0, 15], 1)
    replay.begin_part("two")
    replay.run([(b"SET", b"b", b"1"), (b"EXEC",)], [0, 27], 3)
    assert list(replay.engine.db.keys) == [b"b"]
    assert [(row.code, row.part, row.number) for row in replay.findings] == [("CMD206", "two", 4)]


# ---- errors -----------------------------------------------------------------------------------


def test_select_out_of_range_stays_where_it_is() -> None:
    loaded = run("SELECT 1\nSET a 1\nSELECT 16\nSET b 1\nSELECT -1\nSET c 1\nSELECT x\nSET d 1")
    assert list(keys_of(loaded, 1)) == ["a", "b", "c", "d"]
    assert codes_of(loaded) == [("CMD204", 3), ("CMD204", 5), ("CMD204", 7)]


def test_errors_of_commands_go_on_and_change_nothing() -> None:
    loaded = run("SET a x\nLPUSH a 1\nHSET h f\nINCR a\nHSET h f v odd\nSADD s\nSET b 1")
    assert keys_of(loaded) == {"a": b"x", "b": b"1"}
    assert codes_of(loaded) == [("CMD203", 2), ("CMD202", 3), ("CMD203", 4), ("CMD203", 5), ("CMD202", 6)]


@pytest.mark.parametrize("rules", ["redis-2.8", "redis-7.0", "redis-8.0", "valkey-8.0"])
def test_arguments_too_many_are_ignored(rules: str) -> None:
    loaded = run("APPEND a 1 surplus\nINCR n 5", rules)
    assert keys_of(loaded) == {"a": b"1", "n": b"1"}
    assert codes_of(loaded) == []


def test_valkey_9_1_counts_arguments() -> None:
    loaded = run("APPEND a 1\nAPPEND a", "valkey-9.1")
    assert codes_of(loaded) == [("CMD202", 2)]
    assert loaded.replay.findings[0].severity == "error"
    assert run("APPEND a", "redis-7.0").replay.findings[0].severity == "error"


def test_unknown_commands_and_subcommands() -> None:
    loaded = run("FROB a\nSET a 1\nXGROUP FROB s g\nXGROUP\nset b 1")
    assert codes_of(loaded) == [("CMD201", 1), ("CMD201", 3), ("CMD201", 4)]
    assert {finding.severity for finding in loaded.replay.findings} == {"error"}
    assert list(keys_of(loaded)) == ["a", "b"]


def test_an_empty_name_is_an_unknown_command() -> None:
    loaded = run(b"*1\r\n$0\r\n\r\n" + log_of("SET a 1"))
    assert codes_of(loaded) == [("CMD201", 1)]
    assert list(keys_of(loaded)) == ["a"]


def test_findings_are_counted_beyond_those_that_are_kept() -> None:
    loaded = run(log_of("SET a x") + command("INCR", "a") * 2500)
    assert len(loaded.replay.findings) == 1000
    assert loaded.replay.counts == {"CMD203": 2500}


def test_strict_ends_at_the_first_error() -> None:
    log = "SET a x\nINCR a\nSET b 1"
    with pytest.raises(ReplayError, match=r"at 0x1b: command 2: INCR a: ERR value is not an integer .*CMD203"):
        run(log, strict=True)
    assert keys_of(run("SET a 1\nINCR a", strict=True)) == {"a": b"2"}


#: A string, and a hash, a list and a set that have nothing in them.
EMPTY_COLLECTIONS = b"REDIS0010\xfe\x00\x00\x01a\x011\x04\x01h\x00\x0e\x01l\x00\x02\x01s\x00\xff" + bytes(8)


@pytest.mark.parametrize(("rules", "keys"), [("redis-6.0", "ahls"), ("redis-6.2", "a"), ("valkey-9.1", "a")])
def test_empty_collections_of_a_base_are_left_out(rules: str, keys: str) -> None:
    assert "".join(keys_of(run(EMPTY_COLLECTIONS + log_of("SELECT 0"), rules))) == keys


@pytest.mark.server
def test_a_server_leaves_out_empty_collections(start_server: StartServer, tmp_path: Path) -> None:
    directory = tmp_path / "appendonlydir"
    write_log(directory, {"appendonly.aof.1.base.rdb": EMPTY_COLLECTIONS, "appendonly.aof.1.incr.aof": b""})
    with start_server(files={"appendonlydir": directory}, config={"appendonly": "yes"}) as running:
        assert running.client("KEYS", "*") == [b"a"]


@pytest.mark.server
def test_a_server_that_loads_it_ends_there_too(start_server: StartServer, tmp_path: Path) -> None:
    log = """
        SELECT 1
        SET a x
        SELECT 16
        LPUSH a 1
        INCR a
        MULTI
        SET b 1
        MULTI
        SELECT 2
        INCR b
        LPUSH b 1
        EXEC
        SET c 1
        EXEC
        APPEND c 2 surplus
        HSET h f v odd
    """
    directory = tmp_path / "appendonlydir"
    write_log(directory, {"appendonly.aof.1.base.aof": log_of(log), "appendonly.aof.1.incr.aof": log_of("SET d 1")})
    loaded = run(directory)
    assert loaded.replay.counts == {"CMD203": 4, "CMD204": 1, "CMD206": 2}
    with start_server(files={"appendonlydir": directory}, config={"appendonly": "yes"}) as running:
        assert digest_of(loaded.replay.engine, "redis-7.0") == running.digest()
        words = "== CRITICAL =="
        assert (running.directory / "server.log").read_text().count(words) == loaded.replay.counts.total()


# ---- places to stop ---------------------------------------------------------------------------

TIMED = "#TS:100\nSET a 1\nSET b 1\n#TS:200\nSET c 1\n#TS:300\nFLUSHALL\nSET d 1"


@pytest.mark.parametrize(
    ("place", "keys", "number"),
    [
        ("ts:100", "ab", 3),
        ("ts:250", "abc", 4),
        ("ts:300", "d", None),
        ("1970-01-01T00:03:20Z", "abc", 4),
        ("n:0", "", 1),
        ("n:2", "ab", 3),
        ("n:5", "d", None),
        ("at:0", "", 1),
        ("at:10", "a", 2),
        ("at:0x24", "a", 2),
        (f"at:{len(log_of(TIMED))}", "d", None),
    ],
)
def test_until(place: str, keys: str, number: int | None) -> None:
    loaded = run(TIMED, until=Place.parse(place))
    assert "".join(keys_of(loaded)) == keys
    stopped = loaded.replay.stopped_at
    assert (stopped and stopped[2]) == number
    assert loaded.replay.commands == (5 if number is None else number - 1)


def test_until_in_another_batch() -> None:
    """Commands come in batches, and the place is not at the beginning of one."""
    log = b"".join(command("SET", f"k{number}", "v") for number in range(2000))
    for count in (255, 256, 257, 1500):
        loaded = run(log, until=Place(commands=count))
        assert len(keys_of(loaded)) == loaded.replay.commands == count


def test_until_a_time_that_is_told_between_two_batches() -> None:
    log = b"#TS:100\r\n" + command("SET", "a", "1") * 256 + b"#TS:200\r\n" + command("SET", "b", "1") * 300
    assert list(keys_of(run(log, until=Place(time=199)))) == ["a"]
    assert list(keys_of(run(log, until=Place(time=200)))) == ["a", "b"]


def test_until_an_offset_of_a_part(tmp_path: Path) -> None:
    parts = {"a.1.base.aof": log_of("SET a 1\nSET b 1"), "a.1.incr.aof": log_of("SET c 1\nSET d 1")}
    path = write_log(tmp_path, parts)
    for place, keys in {"at:27": "abc", "at:1:27": "a", "at:2:0": "ab", "at:a.1.base.aof:1": "a"}.items():
        assert "".join(keys_of(run(path, until=Place.parse(place)))) == keys


def test_before_a_command() -> None:
    loaded = run(TIMED, before=b"FLUSHALL")
    assert "".join(keys_of(loaded)) == "abc"
    assert loaded.replay.stopped_at == (
        "bytes in memory",
        len(log_of(TIMED)) - len(log_of("#TS\nFLUSHALL\nSET d 1")) + 5,
        4,
    )
    assert list(keys_of(run("SET a 1\nFlushAll\nSET b 1", before=b"FLUSHALL"))) == ["a"]


def test_before_the_last_of_its_name() -> None:
    log = log_of("SET a 1\nDEL a\nSET b 1\ndel x\nSET c 1")
    number = find_last(log, b"DEL")
    assert number == 4
    assert "".join(keys_of(run(log, before_number=number))) == "b"
    assert find_last(log, b"FLUSHALL") is None


def test_a_place_inside_of_a_transaction() -> None:
    loaded = run("SET a 1\nMULTI\nSET b 1\nSET c 1\nEXEC", until=Place(commands=3))
    assert list(keys_of(loaded)) == ["a"]
    assert loaded.replay.in_transaction


# ---- the collector ----------------------------------------------------------------------------


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_as_it_was(enabled: bool) -> None:
    seen = []
    was_enabled = gc.isenabled()
    (gc.enable if enabled else gc.disable)()
    try:
        run("SET a 1", watcher=lambda *told: (seen.append(gc.isenabled()), told[-1]()))
        assert seen == [False]
        assert gc.isenabled() is enabled
        with pytest.raises(ReplayError):
            run("FROB a", strict=True)
        assert gc.isenabled() is enabled
        with pytest.raises(KeyError):
            run("SET a 1", watcher=lambda *_: {}["no such thing"])
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if was_enabled else gc.disable)()


def test_the_collector_has_nothing_to_do_with_the_data() -> None:
    log = b"".join(
        command("HSET", b"h%d" % number, "f", "v")
        + command("SADD", b"s%d" % number, "m")
        + command("RPUSH", b"l%d" % number, "e")
        for number in range(300)
    )
    loaded = run(log)
    values = [*loaded.replay.engine.db.keys.values()]
    assert len(values) == 900
    assert not any(map(gc.is_tracked, [*values, loaded.replay.engine.db.keys]))


# ---- the watcher ------------------------------------------------------------------------------


def test_the_watcher_hears_of_executions() -> None:
    received = []

    def watch(
        _replay: Replay, argv: tuple[bytes, ...], _offset: int, number: int, execute: Callable[[], object]
    ) -> None:
        error = execute()
        received.append((argv[0], number, str(error or "").split(" ")[0]))

    run("SET a x\nMULTI\nINCR a\nEXEC\nLPUSH a 1", watcher=watch)
    assert received == [(b"SET", 1, ""), (b"INCR", 3, "ERR"), (b"LPUSH", 5, "WRONGTYPE")]
