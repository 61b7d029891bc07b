"""Values whose payloads are longer than servers take an argument are told by plain commands."""

import json

import pytest
from codec.commands import read_commands
from command import FIXTURES

from rdbtool.core.servers import Target
from rdbtool.dataset.loading import open_keys
from rdbtool.operations.dump.command_output import write_commands
from rdbtool.operations.dump.report import DumpOptions
from rdbtool.report.convert import dumped_lines

LARGEST = 200


def written(path, form):
    pieces = []
    with open_keys(str(path)) as keys:
        dumped = write_commands(keys, pieces.append, form, largest=LARGEST)
    return b"".join(map(bytes, pieces)), dumped


FORMS = {
    "stored": DumpOptions("resp", restore=True, replace=True),
    "for a target": DumpOptions("resp", restore=True, replace=True, target=Target.parse("redis-7.0"), allow_loss=True),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("name", ["redis-7.0.15/default.rdb", "redis-7.0.15/aof-plain"])
def test_large_values(form, name):
    data, dumped = written(FIXTURES / name, form)
    commands = list(read_commands(data))
    restored = [row for row in commands if row[0] == b"RESTORE"]
    assert restored
    assert all(len(row[3]) <= LARGEST for row in restored)
    large = {value.key for value in dumped.large}
    assert len(large) >= 2
    assert all(value.size > LARGEST for value in dumped.large)
    assert large <= {row[1] for row in commands if row[0] in {b"DEL", b"SET", b"XADD", b"XGROUP"}}


@pytest.mark.parametrize("target", [None, Target.parse("redis-7.0")])
def test_long_strings_are_named(target):
    name = "redis-7.0.15/default.rdb"
    data, dumped = written(FIXTURES / name, DumpOptions("resp", target=target, allow_loss=target is not None))
    long = {row[1] for row in read_commands(data) if max(map(len, row)) > LARGEST}
    kinds = {row[0] for row in read_commands(data) if max(map(len, row)) > LARGEST}
    assert {note.key for note in dumped.losses if "proto-max-bulk-len" in note.what} == long
    assert {b"SET", b"RPUSH"} <= kinds, kinds
    shown = ["".join(map(str, line)) for line in dumped_lines(dumped)]
    assert any("longer than servers take from clients unless proto-max-bulk-len is raised" in line for line in shown)


@pytest.mark.server
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("name", ["redis-7.0.15/default.rdb", "redis-7.0.15/aof-preamble"])
def test_a_server_has_the_same_data(redis_server, form, name):
    data, _ = written(FIXTURES / name, form)
    redis_server.client.pipeline(data, len(list(read_commands(data))))
    server, _, file = name.partition("/")
    assert redis_server.digest() == json.loads((FIXTURES / "digests.json").read_text())[server][file]
