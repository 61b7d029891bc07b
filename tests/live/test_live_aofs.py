"""AOFs that live servers wrote: rdbtool reads in them what the server does, or says that it does not know.

Each run gives a server a random workload, stops it, and lets the same server load what it left. Other servers than the
one that is installed, and more runs, are asked for by hand:

    RDBTOOL_SERVERS=/path/to/redis-8.0/server,/path/to/valkey-server RDBTOOL_RUNS=40 pytest -s tests/live

The seeds are other ones each day; RDBTOOL_SEED names the first.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import server
from live.oracle import Oracle
from live.running import Run
from sampling import SEED

pytestmark = pytest.mark.server

RUNS = int(os.environ.get("RDBTOOL_RUNS", "5"))
FIRST = SEED
SERVERS = [path for path in os.environ.get("RDBTOOL_SERVERS", "").split(",") if path]
OUTCOMES = ("DIFFERENCE", "doubt", "not rewritten", "doubt without rules")
FORMS = [(), ("--preamble",), ("--no-preamble",)]


@pytest.fixture(params=SERVERS or [""])
def tools(request: pytest.FixtureRequest) -> server.Tools:
    """The programs of a server that was named, or of the one that is installed."""
    if request.param:
        return server.tools_of(request.param)
    found = request.getfixturevalue("redis_tools")
    assert isinstance(found, server.Tools)
    return found


@pytest.mark.parametrize("seed", range(FIRST, FIRST + RUNS))
def test_what_a_live_server_wrote(seed: int, tools: server.Tools, tmp_path: Path) -> None:
    (tmp_path / "server").mkdir()
    (tmp_path / "copy").mkdir()
    run = Run(tools, tmp_path / "server", seed)
    aof = run.execute()
    forms = FORMS if tools.version >= (4, 0) else FORMS[::2]
    form = (*forms[seed % len(forms)], "--rules", tools.rules, "--target", tools.rules)
    oracle = Oracle(tools, aof)
    verdict = oracle.compare(tmp_path / "copy", form=form)
    shown = [*verdict.differences, *verdict.doubts, *verdict.guesses, verdict.refusal]
    outcome = next(
        (
            word
            for word, reason in zip(
                OUTCOMES, (verdict.differences, verdict.doubts, verdict.refusal, verdict.guesses), strict=True
            )
            if reason
        ),
        "equal",
    )
    keys = len(oracle.served.dataset.records)
    print(f"\n{tools.rules} seed {seed}: {outcome} ({run.commands} commands, {keys} keys, {', '.join(run.traits)})")
    print("".join(f"  {line}\n" for line in shown if line), end="")
    assert not verdict.differences, "\n".join(verdict.differences)
