"""A, with the commands of ``diff --as-commands A B``, is B: on a real server."""

from __future__ import annotations

import itertools

import pytest
from command import FIXTURES, SERVERS, run
from diff import data
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sampling import sample

from rdbtool.core.servers import Target
from rdbtool.operations.diff.compare import open_diff
from rdbtool.reader.aof.reader import open_aof
from rdbtool.report.diff_commands import write_commands

SEVEN = Target.parse("redis-7.0")

pytestmark = pytest.mark.server


def commands(first: bytes, second: bytes) -> bytes:
    pieces: list[bytes] = []
    with open_diff(first, second) as comparison:
        write_commands(comparison, pieces.append)
    return b"".join(pieces)


def differences(first: bytes, second: bytes) -> list[object]:
    with open_diff(first, second) as comparison:
        return [*comparison.items, *comparison.differences()]


def load(running, rdb: bytes) -> None:
    (running.directory / "dump.rdb").write_bytes(rdb)
    running.client("DEBUG", "RELOAD", "NOSAVE")


def check(running, first: bytes, second: bytes) -> None:
    load(running, second)
    wanted = running.digest()
    load(running, first)
    text = commands(first, second)
    running.client.pipeline(text, open_aof(text).check() if text else 0)
    assert differences(second, running.save().read_bytes()) == []
    assert running.digest() == wanted


@settings(max_examples=settings.default.max_examples // 3, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.randoms(use_true_random=False))
def test_random_data(redis_server, random):
    records = data.make_records(random, SEVEN)
    others = data.make_records(random, SEVEN, records)
    first, second = (data.to_rdb(keys, SEVEN, data.make_functions(random)) for keys in (records, others))
    check(redis_server, first, second)


@pytest.fixture(scope="module")
def converted(tmp_path_factory) -> dict[str, bytes]:
    """What each fixture has that Redis 7.0 can hold."""
    place = tmp_path_factory.mktemp("converted")
    for name in SERVERS:
        source = FIXTURES / name / "default.rdb"
        done = run("convert", source, place / f"{name}.rdb", "--target", "redis-7.0", "--allow-loss", "--no-progress")
        assert done.code == 0, done.err
    return {name: (place / f"{name}.rdb").read_bytes() for name in SERVERS}


@pytest.mark.parametrize(("first", "second"), sample(itertools.permutations(SERVERS, 2), 16, each=lambda row: row[0]))
def test_fixtures(redis_server, converted, first, second):
    check(redis_server, converted[first], converted[second])
