"""Whose rules apply to an AOF: named, told by its RDB, or inferred from what it uses, and what is said of that."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from aof.logs import command
from command import run

from rdbtool import replay
from rdbtool.core.errors import ReplayError
from rdbtool.core.servers import Rules
from rdbtool.dataset.loading import open_keys
from rdbtool.engine import Engine
from rdbtool.engine.persistence import AppendLog
from rdbtool.engine.replay.loader import Loaded, replay_log
from rdbtool.engine.replay.replay_options import Options
from rdbtool.io.source import crc64
from rdbtool.operations.convert.rewrite import RewriteOptions, rewrite
from rdbtool.operations.info.digest import compute_digest
from rdbtool.operations.validate.expectations import Policies, apply_policies
from rdbtool.operations.validate.run import validate
from rdbtool.operations.validate.verdict import Checks
from rdbtool.reader.open.dispatch import open_any

FIXTURES = Path(__file__).parent.parent.parent / "fixtures"
CASES = FIXTURES / "cases" / "rules"


def log_of(*lines: str) -> bytes:
    return b"".join(command(*line.split()) for line in lines)


def load(target: bytes | Path | io.RawIOBase, rules: str | None = None, **options: object) -> Loaded:
    with open_any(target) as reader:  # type: ignore[arg-type, call-overload]
        named = None if rules is None else Rules.parse(rules)
        return replay_log(reader, Options(rules=named, **options))  # type: ignore[arg-type]


def rdb(version: int, *fields: tuple[bytes, bytes], magic: bytes = b"REDIS") -> bytes:
    """Return an RDB with nothing but aux fields."""
    data = magic + str(version).zfill(9 - len(magic)).encode()
    data += b"".join(b"\xfa" + bytes([len(name)]) + name + bytes([len(value)]) + value for name, value in fields)
    return data + b"\xff" + crc64(data + b"\xff").to_bytes(8, "little")


def payload(version: int) -> bytes:
    """Return what DUMP answers for the string 1 on a server of an RDB version."""
    data = b"\x00\x011" + version.to_bytes(2, "little")
    return data + crc64(data).to_bytes(8, "little")


# ---- inferred ----------------------------------------------------------------------------------


def test_the_first_use_of_the_newest_is_the_reason() -> None:
    loaded = load(log_of("SELECT 0", "XADD s 1-1 a b", "COPY s t", "XADD s KEEPREF 2-1 a b", "XDELEX s IDS 1 1-1"))
    assert str(loaded.choice) == "rules inferred: at least redis-8.2 (XADD KEEPREF at 0x5f)"
    assert {family: str(rules) for family, rules in loaded.least.items()} == {"redis": "redis-8.2"}
    assert loaded.doubt is None


def test_nothing_newer_leaves_the_default_and_tells_the_least() -> None:
    loaded = load(log_of("SET a 1", "COPY a b"))
    assert str(loaded.choice) == "rules inferred from an AOF that names no server: redis-7.2"
    assert {family: str(rules) for family, rules in loaded.least.items()} == {
        "redis": "redis-6.2",
        "valkey": "valkey-7.2",
    }


def test_where_both_families_may_be_it_is_said() -> None:
    loaded = load(log_of("SET a 1", "SET a 2 IFEQ 1"))
    assert str(loaded.choice) == "rules inferred: at least redis-8.4 or valkey-8.1 (SET IFEQ at 0x1b)"


@pytest.mark.parametrize(
    ("version", "said"),
    [
        (11, "from an AOF that names no server: redis-7.2"),
        (12, ": at least redis-7.4 (a payload of RDB version 12 at 0x1b)"),
        (13, ": at least redis-8.6 (a payload of RDB version 13 at 0x1b)"),
        (80, ": at least valkey-9.0 (a payload of RDB version 80 at 0x1b)"),
    ],
)
def test_payloads_tell(version: int, said: str) -> None:
    loaded = load(log_of("SET a 1") + command("RESTORE", "k", "0", payload(version)))
    assert str(loaded.choice) == f"rules inferred{said}" if said[0] == ":" else f"rules inferred {said}"
    assert loaded.replay.engine.db.keys == {b"a": b"1", b"k": b"1"}


def test_a_broken_payload_tells_nothing() -> None:
    loaded = load(command("RESTORE", "k", "0", payload(80)[:-1] + b"x"))
    assert str(loaded.rules) == "redis-7.2"
    assert loaded.doubt is not None


def test_what_no_server_has_together_is_doubt() -> None:
    loaded = load(log_of("XADD s KEEPREF 1-1 a b") + command("RESTORE", "k", "0", payload(80)))
    assert str(loaded.rules) == "redis-8.2"
    assert "a payload of RDB version 80 at 0x39 is of no such server" in str(loaded.choice)
    assert loaded.doubt is not None
    assert not loaded.choice.is_known


def test_in_a_transaction_and_in_a_subcommand() -> None:
    loaded = load(log_of("MULTI", "SET a 1", "DELIFEQ a 1", "XGROUP CREATECONSUMER s g c", "EXEC"))
    assert str(loaded.choice) == "rules inferred: at least valkey-9.0 (DELIFEQ at 0x2a)"
    assert loaded.replay.engine.db.keys == {}
    assert loaded.replay.counts == {"CMD203": 1}  # the group is not there


def test_in_a_script_nothing_is_executed_twice() -> None:
    script = "redis.call('INCR','a') redis.call('SET','b','1') redis.call('SET','b','2','IFEQ','1')".replace(
        ") ", ")\n"
    )
    loaded = load(log_of("SET x 1") + command("EVAL", script, "0"))
    assert str(loaded.choice).startswith("rules inferred: at least redis-8.4 or valkey-8.1 (SET IFEQ at 0x1b")
    assert loaded.replay.engine.db.keys == {b"x": b"1", b"a": b"1", b"b": b"2"}


def test_a_manifest_and_times_need_redis_7(tmp_path: Path) -> None:
    assert str(load(b"#TS:1700000000\r\n" + log_of("SET a 1")).least["redis"]) == "redis-7.0"
    AppendLog(tmp_path / "log", Engine(rules="redis-7.0")).close()
    assert str(load(CASES / "valkey-9.1-plain").least["valkey"]) == "valkey-9.0"


def test_what_precedes_is_executed_by_the_same_rules(tmp_path: Path) -> None:
    """An XCLAIM of a deleted entry, which Redis 6.2 leaves pending and 7.0 removes, in front of what only 7.0 has."""
    preamble = rdb(9, (b"redis-ver", b"6.2.16"))
    text = log_of(
        "XADD s 1-1 a b", "XADD s 2-1 a b", "XGROUP CREATE s g 0", "XCLAIM s g c 0 1-1 TIME 5 JUSTID FORCE",
        "XDEL s 1-1", "XCLAIM s g d 0 1-1 TIME 5 JUSTID", "XADD s 3-* a b",
    )  # fmt: skip
    path = tmp_path / "a.aof"
    path.write_bytes(preamble + text)
    for target in (path, path.read_bytes()):
        loaded = load(target)
        assert str(loaded.choice).startswith("rules inferred: at least redis-7.0 (XADD ms-* at 0x")
        assert loaded.replay.engine.db.keys[b"s"].groups[b"g"].pending.ids_from(0) == []  # type: ignore[attr-defined]
        assert loaded.remarks == []


def test_what_can_be_read_only_once_goes_on_with_what_it_has() -> None:
    """What precedes the command that raised the rules is not executed again, and that is said."""
    text = log_of("ZADD z 0x10 m", "SET a 1", "DELIFEQ a 1")
    assert load(text).remarks == []
    loaded = load(io.BytesIO(text))
    assert list(loaded.replay.engine.db.keys) == [b"z"]
    assert "were executed by the rules of an older server" in loaded.remarks[0]


def test_whoever_hears_of_the_replay_begins_again(tmp_path: Path) -> None:
    path = tmp_path / "a.aof"
    path.write_bytes(log_of("SET a 1", "DELIFEQ a 1", "SET b 1"))
    report = replay(path)
    assert (report.commands, report.part_commands) == (3, (3,))
    assert str(report.rules) == "valkey-9.0"
    received: list[int] = []
    loaded = load(path, on_batch=lambda batch: received.append(len(batch.argvs)))
    assert received == [3]
    assert loaded.replay.was_raised


def test_strict_replays_ask_again_before_they_give_up(tmp_path: Path) -> None:
    """Where the older rules had an error that the newer ones do not."""
    path = tmp_path / "a.aof"
    path.write_bytes(log_of("SET a 1", "DELIFEQ a 1", "LPUSH a 1"))
    assert list(load(path, strict=True).replay.engine.db.keys) == [b"a"]
    path.write_bytes(log_of("SET a 1", "DELIFEQ a 2", "LPUSH a 1"))
    with pytest.raises(ReplayError, match=r"valkey-9\.0, which were inferred"):
        load(path, strict=True)


# ---- named by the file ------------------------------------------------------------------------


def test_an_rdb_in_front_names_the_server() -> None:
    loaded = load(rdb(9, (b"redis-ver", b"6.2.6-v9")) + log_of("SET a 1", "LPUSH a 1"))
    assert str(loaded.choice) == "rules of the writer: redis-6.2 (redis-ver 6.2.6-v9)"
    assert loaded.least == {"redis": Rules("redis", 6, 2)}
    # An error by rules that are known is no doubt.
    assert loaded.replay.counts == {"CMD203": 1}
    assert loaded.doubt is None


def test_a_server_that_was_upgraded_raises_the_rules() -> None:
    loaded = load(rdb(10, (b"redis-ver", b"7.0.15")) + log_of("SET a 1", "DELEX a", "LPUSH l x", "INCR l"))
    assert str(loaded.choice) == "rules inferred: at least redis-8.4 (DELEX at 0x3f)"
    assert loaded.doubt is not None


def test_versions_that_do_not_fit_are_told() -> None:
    out = run("info", CASES / "writer-4.0.11-alibaba.rdb").out.decode()
    assert "rules inferred from RDB version 9, which Redis 4.0.11-alibaba does not write: redis-5.0\n" in out
    assert str(load(CASES / "writer-4.0.11-alibaba.rdb").rules) == "redis-5.0"


# ---- named by the caller ----------------------------------------------------------------------


def test_a_command_that_the_named_server_does_not_have() -> None:
    loaded = load(log_of("SET a 1", "COPY a b"), "redis-6.0")
    assert loaded.replay.counts == {"CMD201": 1}
    assert list(loaded.replay.engine.db.keys) == [b"a"]
    assert loaded.doubt is not None
    assert str(loaded.choice) == "rules: redis-6.0"
    assert loaded.least == {"redis": Rules("redis", 6, 0)}


def test_a_word_that_the_named_server_does_not_have() -> None:
    loaded = load(log_of("XADD s KEEPREF 1-1 a b"), "redis-8.0")
    assert loaded.replay.counts == {"CMD203": 1}
    assert loaded.doubt is None


@pytest.mark.parametrize(
    "words",
    [
        ("digest", "--rules", "redis-9.3"),
        ("replay", "--rules", "valkey-6"),
        ("validate", "--rules", "redis-7.9"),
        ("validate", "--min-version", "redis-7.9"),
        ("convert", "x.rdb", "--target", "redis-9.3"),
        ("convert", "x.rdb", "--target", "rdb-16"),
    ],
)
def test_names_of_no_release_are_usage_errors(words: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "a.aof").write_bytes(log_of("SET a 1"))
    ran = run(words[0], "a.aof", *words[1:], cwd=tmp_path)
    assert ran.code == 2
    assert "is not a known release" in ran.err or "is not a known RDB version" in " ".join(ran.err.split())


# ---- what is said -----------------------------------------------------------------------------


def test_it_is_said_everywhere(tmp_path: Path) -> None:
    path = tmp_path / "a.aof"
    path.write_bytes(log_of("SET a 1", "XADD s KEEPREF 1-1 a b"))
    said = "rules inferred: at least redis-8.2 (XADD KEEPREF at 0x1b)"
    for name in ("info", "replay"):
        assert said in run(name, path).out.decode().splitlines()
        row = json.loads(run(name, "--json", path).out)
        wanted = {"rules": "redis-8.2", "rules_origin": "inferred", "rules_reason": "XADD KEEPREF at 0x1b"}
        assert {key: row[key] for key in wanted} == wanted
    for options in ((), ("--no-replay",)):
        shown = " ".join(run("validate", path, *options).out.decode().split())
        # Words show only where they are executed.
        assert (said if not options else "rules inferred from an AOF that names no server: redis-7.2") in shown
    (source,) = json.loads(run("validate", "--json", path).out)["sources"]
    assert (source["rules"], source["rules_origin"]) == ("redis-8.2", "inferred")
    assert json.loads(run("digest", "--json", path).out)["rules_reason"] == "XADD KEEPREF at 0x1b"


def test_names_of_commands_tell_without_a_replay(tmp_path: Path) -> None:
    path = tmp_path / "a.aof"
    path.write_bytes(log_of("SET a 1", "DELIFEQ a 1"))
    verdict = validate(path, Checks(replay=False))
    assert str(verdict.choice) == "rules inferred: at least valkey-9.0 (DELIFEQ at 0x1b)"


def test_what_is_validated_once_is_executed_by_inferred_rules_too(tmp_path: Path) -> None:
    text = log_of("SET a 1", "DELIFEQ a 1", "LPUSH l x", "INCR l")
    path = tmp_path / "a.aof"
    path.write_bytes(text)
    for target in (path, io.BytesIO(text)):
        verdict = validate(target)
        assert str(verdict.choice) == "rules inferred: at least valkey-9.0 (DELIFEQ at 0x1b)"
        assert verdict.keys == 1
        assert verdict.counts == {"error": 0, "warning": 1, "note": 0}


def test_a_digest_that_is_asked_for_keeps_who_named_the_rules(tmp_path: Path) -> None:
    """Rules that were inferred stay a guess when the source is read once more."""
    path = tmp_path / "a.aof"
    path.write_bytes(log_of("SET a 1", "LPUSH a 1"))
    with open_keys(path, rules="redis-7.2") as keys:
        digest = compute_digest(keys, "redis-7.2", now_ms=0).digest
    for rules, answer in ((None, "invalid"), (Rules("redis", 7, 2), "valid")):
        verdict = validate(path, Checks(rules=rules))
        assert apply_policies(verdict, Policies(digest=digest), str(path), Checks(rules=rules)).answer == answer


# ---- the cases --------------------------------------------------------------------------------


def test_a_plain_aof_of_valkey_9(tmp_path: Path) -> None:
    """It names no version, and holds a payload that Redis does not read: the key must not be lost."""
    loaded = load(CASES / "valkey-9.1-plain")
    assert str(loaded.choice) == (
        "rules inferred: at least valkey-9.0 (a payload of RDB version 80 at 0xad of appendonly.aof.1.incr.aof)"
    )
    assert sorted(loaded.replay.engine.db.keys) == [b"a", b"b", b"c", b"h"]
    assert loaded.doubt is None
    rewrite(str(CASES / "valkey-9.1-plain"), RewriteOptions(destination=str(tmp_path / "new.aof")))
    with open_keys(tmp_path / "new.aof") as keys:
        assert sorted(record.key for record in keys) == [b"a", b"b", b"c", b"h"]


def test_a_plain_aof_of_redis_6_2() -> None:
    loaded = load(CASES / "groups-redis-6.2.aof")
    assert {family: str(rules) for family, rules in loaded.least.items()} == {
        "redis": "redis-5.0",
        "valkey": "valkey-7.2",
    }


@pytest.mark.parametrize("name", ["valkey-9.1.2/aof-timestamps", "redis-8.0.6/aof-timestamps"])
def test_a_rewritten_base_tells_the_family(name: str) -> None:
    """The servers rewrite field expiries in words of their own; behind the base they use the same."""
    loaded = load(FIXTURES / name)
    assert loaded.rules.family == name.split("-", maxsplit=1)[0]


def test_an_engine_goes_on_as_any_other() -> None:
    engine = load(log_of("SET a 1", "DELIFEQ a 1")).replay.engine
    engine.execute(b"SET", b"k", b"v", b"PXAT", b"5")
    engine.execute(b"SET", b"k", b"w", b"IFEQ", b"v")
    assert engine.db.keys == {b"k": b"w"}


def test_rewritten_in_place_by_the_rules_that_show_late(tmp_path: Path) -> None:
    path = tmp_path / "a.aof"
    path.write_bytes(log_of("SET a 1", "SET b 1", "DELIFEQ a 1"))
    done = rewrite(str(path), RewriteOptions(server_stopped=True))
    assert str(done.rules) == "valkey-9.0"
    with open_keys(path) as keys:
        assert [record.key for record in keys] == [b"b"]
