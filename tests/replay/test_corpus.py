"""Logs that servers wrote, replayed by the rules of those servers: their digest, and what they said of their data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from aof.logs import LOGS, name_of
from duel import digest_of
from state import FIXTURES, assert_state, load_expected

from rdbtool.core.servers import Rules
from rdbtool.engine import Engine
from rdbtool.engine.replay.loader import Loaded, replay_log
from rdbtool.engine.replay.replay_options import Options
from rdbtool.model import StreamValue
from rdbtool.reader.open.dispatch import open_any

BACKENDS = ("codec", "grammar")
DIGESTS: dict[str, dict[str, str]] = json.loads((FIXTURES / "digests.json").read_text())

#: What a live server knew of how many entries a group had read, by db and key, and its log does not say: a server that
#: loads the log does not know it either.
FORGETFUL = FIXTURES / "redis-7.0.15" / "aof-preamble"
FORGOTTEN = {(1, "x:10"): 1, (2, "x:0"): 3, (2, "x:6"): 3, (2, "x:9"): 4, (2, "x:11"): 2}


def load(path: Path, monkeypatch: pytest.MonkeyPatch, backend: str) -> Loaded:
    monkeypatch.setattr("rdbtool.reader.backends.default_backend", backend)
    with open_any(path) as reader:
        assert reader.backend == backend
        return replay_log(reader, Options(rules=Rules.parse(rules_of(path))))


def rules_of(path: Path) -> str:
    return path.parent.name.rpartition(".")[0]


def forget(engine: Engine, expected: dict[str, Any]) -> None:
    """Check the one thing that a log does not say, and take it out of what is expected of the replay."""
    found = {(record.db, record.key.decode("latin-1")): record.value for record in engine.records()}
    for row in expected["keys"]:
        place = row["db"], row["key"]
        if place in FORGOTTEN:
            (group,) = row["value"]["groups"]
            assert group["entries_read"] == FORGOTTEN[place]
            stream = found[place]
            assert isinstance(stream, StreamValue)
            assert [group.entries_read for group in stream.groups] == [None]
            group["entries_read"] = None


def test_every_log_has_a_digest() -> None:
    assert {name_of(path) for path in LOGS} == {
        f"{server}/{name.removesuffix('.aof')}"
        for server, files in DIGESTS.items()
        for name in files
        if name.startswith("aof-")
    }


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("path", LOGS, ids=name_of)
def test_the_state_is_the_servers(path: Path, backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = load(path, monkeypatch, backend)
    assert loaded.fault is None
    assert loaded.tail is not None
    assert loaded.tail.state == "clean"
    # Old servers logged scripts; these are plain, and each is carried out and told of.
    assert {finding.code for finding in loaded.replay.findings} <= {"CMD207"}
    assert bool(loaded.replay.findings) == (rules_of(path) in ("redis-2.8", "redis-4.0"))
    engine = loaded.replay.engine
    assert digest_of(engine, rules_of(path)) == DIGESTS[path.parent.name][path.name]
    expected = load_expected(path.parent / f"{path.stem}.expected.json.gz")
    if path == FORGETFUL:
        forget(engine, expected)
    assert_state(engine.records(), expected)


@pytest.mark.server
def test_a_server_forgets_it_too(start_server: Any) -> None:
    with start_server(files={"appendonlydir": FORGETFUL}, config={"appendonly": "yes"}) as running:
        for db, key in FORGOTTEN:
            running.client("SELECT", db)
            (group,) = running.client("XINFO", "GROUPS", key)
            assert dict(zip(group[::2], group[1::2], strict=True))[b"entries-read"] is None
