"""Error replies: each is one that a server gives while it loads an AOF, and only where the engine gives it.

``replies.txt`` has the commands, family by family. A server loads all commands of a family as one AOF; what it answered
is in its log, in order (since 7.0). Other servers than the one that is installed are asked by hand:

    RDBTOOL_SERVERS=/path/to/redis-8.0/server,/path/to/valkey-server pytest tests/differential/test_replies.py

Of those the words may differ, and the first difference of a family ends its test.
"""

from __future__ import annotations

import os
import re
import time
from itertools import zip_longest
from pathlib import Path

import pytest
import server
from aof.logs import command
from duel import digest_of

from rdbtool.engine import CommandError, Engine
from rdbtool.engine.command_errors import UnknownEffectError, UnknownOrderError

pytestmark = pytest.mark.server

SERVERS = [path for path in os.environ.get("RDBTOOL_SERVERS", "").split(",") if path]
ANSWER = re.compile(r"AOF-loading-client: '(.*)' after processing the command '")
MANIFEST = "file appendonly.aof.1.incr.aof seq 1 type i\n"

Argv = list[bytes]


def read_families() -> dict[str, list[Argv]]:
    """Return the commands of ``replies.txt`` by family."""
    families: dict[str, list[Argv]] = {}
    commands: list[Argv] = []
    for line in Path(__file__).with_name("replies.txt").read_text().splitlines():
        if line.startswith("["):
            commands = families.setdefault(line.strip("[]"), [])
        elif line and not line.startswith("# "):
            words = [word.strip('"').encode().decode("unicode_escape").encode("latin-1") for word in line.split(" ")]
            commands.append(words)
    return families


FAMILIES = read_families()


@pytest.fixture(params=SERVERS or [""], ids=lambda path: path or "installed")
def tools(request: pytest.FixtureRequest) -> server.Tools:
    """The programs of a server that was named, or of the one that is installed."""
    if request.param:
        return server.tools_of(request.param)
    found = request.getfixturevalue("redis_tools")
    assert isinstance(found, server.Tools)
    return found


def execute(engine: Engine, argv: Argv) -> str | None:
    """Execute a command and return its error, None without one. Raises UnknownEffectError."""
    before = digest_of(engine, str(engine.rules))
    try:
        engine.execute(*argv)
    except UnknownOrderError:
        return None
    except UnknownEffectError:
        raise
    except CommandError as error:
        assert digest_of(engine, str(engine.rules)) == before, argv
        return plain(str(error))
    return None


def plain(text: str) -> str:
    """Return a reply as servers log it: with one blank for each line end, and without what only some begin with."""
    return re.sub(r"\s+", " ", text.removeprefix("-").removeprefix("ERR "))


def is_known(engine: Engine, argv: Argv) -> bool:
    row = engine.find(argv)
    since = row.valkey if engine.rules.family == "valkey" else row.redis
    if since is None or len(argv) < abs(row.arity):
        return False
    major, minor = since.split(".")[:2]
    return (engine.rules.major, engine.rules.minor) >= (int(major), int(minor))


@pytest.mark.parametrize("family", FAMILIES)
def test_replies_are_those_of_a_loading_server(family: str, tools: server.Tools, tmp_path: Path) -> None:
    engine = Engine(rules=tools.rules, now_ms=int(time.time() * 1000))
    executed: list[Argv] = []
    replies: list[tuple[str, Argv]] = []
    for argv in FAMILIES[family]:
        try:
            if not is_known(engine, argv):
                continue
            error = execute(engine, argv)
        except UnknownEffectError:
            continue
        executed.append(argv)
        if error is not None:
            replies.append((error, argv))
    assert executed or not SERVERS
    aof = b"".join(command(*argv) for argv in executed)
    files: dict[str, Path] = {}
    if tools.version >= (7, 0):
        directory = tmp_path / "appendonlydir"
        directory.mkdir()
        (directory / "appendonly.aof.1.incr.aof").write_bytes(aof)
        (directory / "appendonly.aof.manifest").write_text(MANIFEST)
        files["appendonlydir"] = directory
    else:
        (tmp_path / "appendonly.aof").write_bytes(aof)
        files["appendonly.aof"] = tmp_path / "appendonly.aof"
    with server.run_server(tools, files=files, config={"appendonly": "yes"}) as running:
        log = (running.directory / "server.log").read_text(errors="backslashreplace")
        answers = [plain(text) for text in ANSWER.findall(log)]
        if tools.version >= (7, 0):
            for reply, answer in zip_longest(replies, answers):
                assert reply is not None, f"only the server answers: {answer}"
                assert answer is not None, f"only the engine answers {reply}"
                # Servers of other versions word some of them in other ways.
                assert SERVERS or answer == reply[0], reply[1]
        assert running.digest() == digest_of(engine, tools.rules)
