"""Commands read back: as the server executes them that they are for, which has to have them."""

from __future__ import annotations

from pathlib import Path

import pytest
from convert import logs

from rdbtool._codec.sinks.fingerprint import Fingerprint
from rdbtool.core.errors import ReplayError
from rdbtool.core.servers import Rules
from rdbtool.engine.replay.streaming import CommandsFile

STREAM = logs.command("XADD", "s", "1-1", "f", "v")


@pytest.mark.parametrize(
    ("commands", "rules", "has"),
    [
        (STREAM, "redis-4.0", False),
        (STREAM, "redis-5.0", True),
        (STREAM + logs.command("XGROUP", "CREATE", "s", "g", "0", "ENTRIESREAD", 0), "redis-6.2", False),
        (STREAM + logs.command("XGROUP", "CREATE", "s", "g", "0", "ENTRIESREAD", 0), "redis-7.0", True),
        (
            STREAM
            + logs.command("XGROUP", "CREATE", "s", "g", "0")
            + logs.command("XGROUP", "CREATECONSUMER", "s", "g", "c"),
            "redis-6.0",
            False,
        ),
        (logs.FIELD_EXPIRY, "redis-7.2", False),
        (logs.FIELD_EXPIRY, "valkey-8.1", False),
        (logs.FIELD_EXPIRY, "valkey-9.0", True),
        (logs.FIELD_EXPIRY, "redis-7.4", True),
    ],
)
def test_a_server_has_all_commands(tmp_path: Path, commands: bytes, rules: str, has: bool) -> None:
    path = logs.write(tmp_path / "x.aof", commands)
    hashed = Fingerprint()
    if has:
        CommandsFile(str(path), Rules.parse(rules)).feed(hashed)
        assert hashed.keys > 0
        return
    with pytest.raises(ReplayError):
        CommandsFile(str(path), Rules.parse(rules)).feed(hashed)
