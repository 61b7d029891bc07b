"""What is logged of a command: the forms that servers write (format D2), and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from duel import words_of
from engine.persistence.driving import START_MS, Clock, forget_consumer_times, replayed
from state import FIXTURES

from rdbtool.core.errors import UnsupportedError
from rdbtool.engine import CommandError, Engine, UnknownCommandError
from rdbtool.engine.persistence import AppendLog
from rdbtool.engine.persistence.snapshot import save
from rdbtool.io.source import crc64
from rdbtool.model import StreamValue
from rdbtool.reader.aof.reader import open_aof
from rdbtool.reader.rdb import open_rdb

T = START_MS

CASES = [
    # What was there, a command, what the log says of it. T+n stands for the clock and n ms.
    ("", "SET k v", "SET k v"),
    ("", "SET k v EX 10", "SET k v PXAT T+10000"),
    ("SET k o PX 5000", "SET k v KEEPTTL", "SET k v KEEPTTL"),
    ("SET k o", "SET k v KEEPTTL", "SET k v"),
    ("SET k o", "SET k v NX", ""),
    ("", "SET k v XX", ""),
    ("SET k o", "SET k v XX GET", "SET k v"),
    ("", "SETEX k 10 v", "SET k v PXAT T+10000"),
    ("", "PSETEX k 10 v", "SET k v PXAT T+10"),
    ("SET k o", "GETSET k v", "SET k v"),
    ("SET k o", "GETDEL k", "DEL k"),
    ("", "GETDEL k", ""),
    ("SET k o", "GETEX k EX 10", "PEXPIREAT k T+10000"),
    ("SET k o EX 5", "GETEX k PERSIST", "PERSIST k"),
    ("SET k o EX 5", "GETEX k", ""),
    ("SET k 1", "INCRBYFLOAT k 1.5", "SET k 2.5"),
    ("SET k 1 EX 5", "INCRBYFLOAT k 1.5", "SET k 2.5 KEEPTTL"),
    ("SET k v", "EXPIRE k 10", "PEXPIREAT k T+10000"),
    ("SET k v EX 20", "EXPIRE k 10 GT", ""),
    ("SET k v", "EXPIREAT k 99999999999", "PEXPIREAT k 99999999999000"),
    ("SADD s a", "SPOP s 5", "DEL s"),
    ("RPUSH a 1 2 3", "BLPOP x a 0", "LPOP a"),
    ("RPUSH a 1 2 3", "LMPOP 2 x a RIGHT COUNT 2", "RPOP a 2"),
    ("RPUSH a 1 2 3", "BLMPOP 0 2 x a LEFT COUNT 9", "LPOP a 3"),
    ("ZADD z 1 a 2 b", "BZPOPMAX x z 0", "ZPOPMAX z"),
    ("ZADD z 1 a 2 b", "ZMPOP 1 z MIN", "ZPOPMIN z 1"),
    ("RPUSH a 1 2", "BLMOVE a b LEFT RIGHT 0", "LMOVE a b LEFT RIGHT"),
    ("RPUSH a 1 2", "BRPOPLPUSH a b 0", "RPOPLPUSH a b"),
    ("", "BRPOPLPUSH a b 0", ""),
    ("", "BLPOP a 0", ""),
    ("HSET h f 1", "HINCRBYFLOAT h f 1.5", "HSET h f 2.5"),
    ("HSET h f 1", "HPEXPIRE h 500 FIELDS 2 f g", "HPEXPIREAT h T+500 FIELDS 1 f"),
    ("HSET h f 1 | HPEXPIRE h 500 FIELDS 1 f", "HINCRBY h f 2", "HSETEX h KEEPTTL FIELDS 1 f 3"),
    ("HSET h f 1 | HPEXPIRE h 500 FIELDS 1 f", "HPERSIST h FIELDS 1 f", "HSET h f 1"),
    ("", "HSETEX h EX 5 FIELDS 1 f v", "HSET h f v | HPEXPIREAT h T+5000 FIELDS 1 f"),
    ("HSET h f 1 g 2", "HGETDEL h FIELDS 2 f x", "HDEL h f"),
    ("", "RESTORE k 500 P", "RESTORE k T+500 P ABSTTL"),
    ("", "RESTORE k 0 P", "RESTORE k 0 P"),
    ("SET k v", "RESTORE k 9999999999999 P REPLACE ABSTTL", "RESTORE k 9999999999999 P REPLACE ABSTTL"),
    ("", "XADD s MAXLEN ~ 0 NOMKSTREAM 5-1 f v", ""),
    ("XADD s 1-1 a b", "XADD s MAXLEN ~ 99 NOMKSTREAM 5-1 f v", "XADD s NOMKSTREAM 5-1 f v"),
    ("XADD s 1-1 a b", "XADD s MAXLEN ~ 0 LIMIT 5 5-1 f v", "XADD s 5-1 f v | XTRIM s MAXLEN = 0"),
    ("XADD s 1-1 a b | XADD s 2-1 a b", "XTRIM s MINID ~ 9", "XTRIM s MAXLEN = 0"),
    ("XADD s 1-1 a b | XADD s 2-1 a b", "XTRIM s MAXLEN 1", "XTRIM s MAXLEN 1"),
    ("XADD s 1-1 a b", "XTRIM s MAXLEN 1", ""),
    (
        "XADD s 1-1 a b | XADD s 2-1 a b | XGROUP CREATE s g 0",
        "XREADGROUP GROUP g c STREAMS s >",
        "XCLAIM s g c 0 1-1 2-1 TIME T+0 RETRYCOUNT 1 FORCE JUSTID | XGROUP SETID s g 2-1 ENTRIESREAD 2",
    ),
    (
        "XADD s 1-1 a b | XGROUP CREATE s g 0",
        "XREADGROUP GROUP g c NOACK STREAMS s >",
        "XGROUP CREATECONSUMER s g c | XGROUP SETID s g 1-1 ENTRIESREAD 1",
    ),
    (
        "XADD s 1-1 a b | XGROUP CREATE s g 0 | XREADGROUP GROUP g c STREAMS s >",
        "XAUTOCLAIM s g d 0 0",
        "XCLAIM s g d 0 1-1 TIME T+0 RETRYCOUNT 2 FORCE JUSTID",
    ),
    (
        "XADD s 1-1 a b | XGROUP CREATE s g 0 | XREADGROUP GROUP g c STREAMS s > | XDEL s 1-1",
        "XCLAIM s g d 0 1-1",
        "XGROUP CREATECONSUMER s g d | XACK s g 1-1",
    ),
    ("", "GET k", ""),
    ("", "PING", ""),
    ("RPUSH l 2 1", "SORT l", ""),
    ("RPUSH l 2 1", "SORT l STORE d", "SORT l STORE d"),
    ("RPUSH l 2 | HSET h2 f v", "SORT l BY nosort GET h*->f STORE d", "DEL d | RPUSH d v"),
    ("RPUSH l 2 | HSET h2 f v", "SORT l GET STORE STORE d BY x->y GET h*->f", "DEL d | RPUSH d '' v"),
    ("GEOADD g 1 1 m", "GEORADIUS g 1 1 5 km", ""),
    ("PFADD p a b", "PFCOUNT p", "PFCOUNT p"),
    ("PFADD p a b", "PFCOUNT p q", ""),
    ("", "FUNCTION FLUSH", "FUNCTION FLUSH"),
    ("", "SCRIPT FLUSH", ""),
]

#: DUMP of the string ``v`` by Redis 7.0.
PAYLOAD = b"\x00\x01v\n\x00"


def argv_of(line: str, payload: bytes) -> list[bytes]:
    words = []
    for word in words_of(line):
        if word.startswith(b"T+"):
            words.append(b"%d" % (T + int(word[2:])))
        else:
            words.append(payload if word == b"P" else word)
    return words


@pytest.fixture
def payload() -> bytes:
    return PAYLOAD + crc64(PAYLOAD).to_bytes(8, "little")


@pytest.mark.parametrize(("before", "line", "logged"), CASES, ids=[f"{case[1]}{i}" for i, case in enumerate(CASES)])
def test_the_form_in_the_log(tmp_path: Path, payload: bytes, before: str, line: str, logged: str) -> None:
    clock = Clock()
    with AppendLog(tmp_path / "log", Engine(rules="redis-8.0"), clock=clock) as log:
        for setup in filter(None, before.split(" | ")):
            log.execute(*argv_of(setup, payload))
        log.rewrite()
        log.execute(*argv_of(line, payload))
        held = {record.key: record for record in log.engine.records()}
    with open_aof(tmp_path / "log") as reader:
        written = [list(command.argv) for command in reader.commands()]
    wanted = [argv_of(part, payload) for part in filter(None, logged.split(" | "))]
    if wanted:
        wanted.insert(0, [b"SELECT", b"0"])
    if len(wanted) > 2:
        wanted = [[b"MULTI"], *wanted, [b"EXEC"]]
    assert written == wanted
    after = replayed(tmp_path / "log", clock.now_ms)
    assert {record.key: record for record in after.records()} == held


@pytest.mark.parametrize(
    ("rules", "line", "words"),
    [
        ("redis-7.2", "EVAL x 0", "scripts are not executed"),
        ("redis-7.2", "FCALL x 0", "scripts are not executed"),
        ("redis-7.2", "SPOP s", "random"),
        ("redis-7.2", "XADD x * f v", "clock"),
        ("redis-7.2", "HPEXPIRE h 5 FIELDS 1 f", "unknown command 'hpexpire' on redis-7.2"),
        ("valkey-8.0", "HSETEX h EX 5 FIELDS 1 f v", "unknown command"),
        ("redis-7.2", "MULTI", "unknown command"),
        ("redis-7.2", "NOSUCH", "unknown command"),
        ("redis-7.2", "APPEND s a b", "wrong number of arguments"),
        ("redis-7.2", "SET s", "wrong number of arguments"),
        ("redis-7.2", "INCR s", "WRONGTYPE"),
    ],
)
def test_what_no_log_could_tell_is_refused(tmp_path: Path, rules: str, line: str, words: str) -> None:
    with AppendLog(tmp_path / "log", Engine(rules=rules), clock=Clock()) as log:
        log.execute(b"SADD", b"s", b"a", b"b")
        size = log.counters().log_size
        with pytest.raises(CommandError, match=words):
            log.execute(*words_of(line))
        assert log.counters().log_size == size
        assert list(log.engine.db.keys) == [b"s"]


def test_an_unknown_command_is_unknown(tmp_path: Path) -> None:
    with AppendLog(tmp_path / "log", Engine(), clock=Clock()) as log, pytest.raises(UnknownCommandError):
        log.execute(b"NOSUCH")


@pytest.mark.parametrize("rules", ["redis-6.2", "redis-2.8"])
def test_servers_without_such_logs_have_none(tmp_path: Path, rules: str) -> None:
    with pytest.raises(UnsupportedError):
        AppendLog(tmp_path / "log", Engine(rules=rules))
    assert not (tmp_path / "log").exists()


def test_a_stream_of_an_older_payload_is_counted_at_once(tmp_path: Path) -> None:
    """As Redis 5 dumps a stream: without counters, which every later command would give it."""
    with open_rdb(FIXTURES / "redis-5.0.14" / "default.rdb") as reader:
        old = next(record for record in reader if isinstance(record.value, StreamValue) and record.value.groups)
    engine = Engine(rules="redis-5.0")
    engine.put(old)
    save(engine, tmp_path / "old.rdb")
    data = (tmp_path / "old.rdb").read_bytes()
    start = data.index(old.key) + len(old.key)
    value = b"\x0f" + data[start : -len(b"\xff") - 8] + b"\x09\x00"
    payload = value + crc64(value).to_bytes(8, "little")
    with AppendLog(tmp_path / "log", Engine(rules="redis-7.2"), clock=Clock()) as log:
        log.execute(b"RESTORE", b"s", b"0", payload)
    with AppendLog.open(tmp_path / "log", clock=Clock()) as again:
        assert list(again.engine.records()) == list(log.engine.records())
    late = forget_consumer_times(replayed(tmp_path / "log", 5 * T))
    assert list(late.records()) == list(forget_consumer_times(log.engine).records())
