"""What all tests share: the budget of property tests, and a real server to ask.

Tests that need a server are skipped without one, and counted at the end of the run. Where the server has to be
there (continuous integration), REQUIRE_SERVER=1 turns those skips into failures.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import cache, partial
from pathlib import Path

import pytest
import sampling
import server
from hypothesis import settings

from rdbtool.reader import backends

settings.register_profile("default", deadline=None, derandomize=True, max_examples=60)
settings.register_profile("deep", deadline=None, derandomize=False, max_examples=5_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

backends.default_backend = os.environ.get("RDBTOOL_BACKEND", backends.default_backend)

WITHOUT_SERVER = "without a server: "


def pytest_configure(config: pytest.Config) -> None:
    """Listen to all messages where somebody wants them collected: see ``messages``."""
    if "COLLECT_MESSAGES" in os.environ:
        import messages  # noqa: PLC0415 - it brings the command line

        collector = messages.Collector(Path(os.environ["COLLECT_MESSAGES"]))
        collector.listen()
        config.pluginmanager.register(collector)


def pytest_report_header() -> str:
    """Say which samples of large matrices are tried today."""
    return sampling.header()


@cache
def _tools() -> server.Tools | str:
    # A server that inherits the libraries of the sanitizers would be what is tested.
    return "this is a build with sanitizers" if "RDBTOOL_SANITIZED" in os.environ else server.find_tools()


@pytest.fixture(scope="session")
def redis_tools() -> server.Tools:
    """The programs of an installed Redis."""
    tools = _tools()
    if isinstance(tools, str):
        if os.environ.get("REQUIRE_SERVER") == "1":
            pytest.fail(f"REQUIRE_SERVER=1, but {tools}")
        pytest.skip(WITHOUT_SERVER + tools)
    return tools


@pytest.fixture
def start_server(redis_tools: server.Tools) -> Callable[..., AbstractContextManager[server.Server]]:
    """``with start_server(files={...}, config={...}) as running:`` — a server of one's own."""
    return partial(server.run_server, redis_tools)


@pytest.fixture
def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture(scope="module")
def shared_server(redis_tools: server.Tools) -> Iterator[server.Server]:
    """One server for the tests of a module; see ``redis_server``."""
    with server.run_server(redis_tools) as running:
        yield running


@pytest.fixture
def redis_server(shared_server: server.Server) -> server.Server:
    """A server that holds nothing."""
    shared_server.client("FLUSHALL")
    shared_server.client("FUNCTION", "FLUSH")
    shared_server.client("SELECT", 0)
    return shared_server


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many tests no server was asked for, and why."""
    skipped = [
        report
        for report in terminalreporter.stats.get("skipped", [])
        if isinstance(report.longrepr, tuple) and WITHOUT_SERVER in report.longrepr[2]
    ]
    if skipped:
        reason = skipped[0].longrepr[2].partition(WITHOUT_SERVER)[2]
        terminalreporter.section("server tests", sep="=", yellow=True)
        terminalreporter.line(f"{len(skipped)} tests that need a real redis-server were skipped: {reason}")
        for report in skipped:
            terminalreporter.line(f"  {report.nodeid}")
