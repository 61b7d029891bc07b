"""Commands about the connection or the server, and commands that are known but not executed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import server
from aof.logs import command
from duel import digest_of, replay, words_of

from rdbtool.engine import CommandError, Engine
from rdbtool.engine.command_errors import UnknownEffectError
from rdbtool.engine.commands.strings import MAX_STRING
from rdbtool.model import KeyRecord, OpaqueValue

StartServer = Callable[..., AbstractContextManager[server.Server]]

#: What a server executes without a change to its data, and without a word about it.
SILENT = """
    DEBUG SLEEP 0|DEBUG SET-ACTIVE-EXPIRE 0|CLIENT REPLY OFF|CLIENT PAUSE 1|QUIT|HELLO 3|REPLCONF listening-port 1
    WAIT 0 1
    REPLICAOF NO ONE|SAVE|CONFIG SET hash-max-listpack-entries 1|OBJECT HELP|MODULE LIST|ACL WHOAMI|LATENCY RESET
    MEMORY PURGE|XINFO HELP|XGROUP HELP|COMMAND COUNT|PUBSUB CHANNELS|SLOWLOG LEN|LOLWUT|WATCH k|UNWATCH|PUBLISH a b
    EVAL_RO return(1) 0|UNSUBSCRIBE
"""


@pytest.mark.server
def test_a_loading_server_agrees(start_server: StartServer, tmp_path: Path) -> None:
    silent = [line.strip() for line in SILENT.replace("\n", "|").split("|") if line.strip()]
    lines = ["SET k v", *silent, "SELECT 3", "SET x 1", "RESET", "SET y 1"]
    engine = replay(*lines)
    assert [len(engine.dbs[index].keys) for index in (0, 3)] == [2, 1]
    aof = tmp_path / "appendonly.aof"
    aof.write_bytes(b"".join(command(*words_of(line)) for line in lines))
    with start_server(files={"appendonly.aof": aof}, config={"appendonly": "yes"}) as running:
        assert running.digest() == digest_of(engine, "redis-7.0")
        assert "AOF-loading-client" not in (running.directory / "server.log").read_text()


@pytest.mark.server
@pytest.mark.parametrize("line", ["SHUTDOWN NOW", "WAIT 1 1", "PSYNC ? -1", "DEBUG SEGFAULT"])
def test_a_loading_server_ends(line: str, start_server: StartServer, tmp_path: Path) -> None:
    with pytest.raises(UnknownEffectError):
        replay(line)
    aof = tmp_path / "appendonly.aof"
    aof.write_bytes(command("SET", "k", "v") + command(*words_of(line)))
    with (
        pytest.raises(RuntimeError, match="did not start"),
        start_server(files={"appendonly.aof": aof}, config={"appendonly": "yes", "crash-log-enabled": "no"}),
    ):
        pass


@pytest.mark.parametrize(
    ("line", "rules"),
    [
        ("REPLICAOF 127.0.0.1 1", "redis-7.0"),
        ("SLAVEOF 127.0.0.1 1", "valkey-9.0"),
        ("SHUTDOWN NOSAVE", "redis-6.2"),
        ("SUBSCRIBE ch", "redis-6.0"),
        ("MONITOR", "redis-5.0"),
        ("BLPOP missing 0", "redis-6.0"),
        ("BRPOPLPUSH missing d 0", "redis-5.0"),
        ("BZPOPMAX missing 0", "redis-5.0"),
        ("DEBUG POPULATE 3", "redis-7.0"),
        ("CLUSTER REPLICATE node", "redis-7.0"),
        ("VADD vs VALUES 2 1 2 e", "redis-8.0"),
        ("ARSET a 0 v", "redis-8.8"),
        ("INCREX n", "redis-8.8"),
        ("HIMPORT SET a b c", "redis-8.10"),
    ],
)
def test_the_effect_is_unknown(line: str, rules: str) -> None:
    engine = Engine(rules=rules)
    with pytest.raises(UnknownEffectError):
        engine.execute(*words_of(line))
    assert not engine.db.keys


def test_vector_sets_that_are_not_there() -> None:
    engine = replay("VREM vs e", "VSETATTR vs e {}", "SET s v", rules="redis-8.0")
    for line in ("VADD s VALUES 2 1 2 e", "VREM s e", "VSETATTR s e {}"):
        with pytest.raises(CommandError, match="WRONGTYPE"):
            engine.execute(*words_of(line))
    engine.put(KeyRecord(db=0, key=b"vs", value=OpaqueValue("vectorset", b"")))
    for line in ("VREM vs e", "VSETATTR vs e {}"):
        with pytest.raises(UnknownEffectError):
            engine.execute(*words_of(line))


@pytest.mark.parametrize(
    "line", [f"SETRANGE s {MAX_STRING} v", f"SETBIT s {MAX_STRING * 8} 1", f"BITFIELD s SET u8 {MAX_STRING * 8} 1"]
)
def test_longer_strings_than_are_kept(line: str) -> None:
    """A loading server bounds offsets since 7.0 no more: seen on 7.0 to 8.6, and on Valkey 8.1 and 9.1."""
    for rules in ("redis-7.0", "redis-8.6", "valkey-8.1"):
        with pytest.raises(UnknownEffectError, match="512 MB"):
            replay(line, rules=rules)
    for rules in ("redis-2.8", "redis-6.2"):
        with pytest.raises(CommandError, match="ERR"):
            replay(line, rules=rules)
    assert replay(f"BITFIELD s GET u8 {MAX_STRING * 8}").db.keys == {}


def test_slots_that_were_migrated_are_trimmed() -> None:
    """As Redis 8.6 in cluster mode does: ``a`` is in slot 15495."""
    engine = replay("SET a 1", "SET b 1", "TRIMSLOTS RANGES 2 0 5 15495 15495", rules="redis-8.4")
    assert list(engine.db.keys) == [b"b"]
    for line, words in (
        ("TRIMSLOTS RANGES 2 0 5 5 8", "Slot 5 specified multiple times"),
        ("TRIMSLOTS RANGES 1 9 5", "start slot number 9 is greater than end slot number 5"),
        ("TRIMSLOTS FOO 1 0 5", "missing ranges argument"),
        ("TRIMSLOTS RANGES 2 0 5", "invalid number of ranges"),
        ("TRIMSLOTS RANGES 1 0 99999", "Invalid or out of range slot"),
    ):
        with pytest.raises(CommandError, match=words):
            engine.execute(*words_of(line))
