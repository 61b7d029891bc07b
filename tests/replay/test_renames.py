"""Commands under the names that a server's rename-command gave them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command import run

import rdbtool
from rdbtool.dataset.loading import open_keys
from rdbtool.engine.replay.replay_options import Renames

AOF = Path(__file__).parents[2] / "fixtures/cases/renamed/renamed-command.aof"
RENAMED = ("--rename-command", "sethidden=set")


def resp(*argv: bytes) -> bytes:
    return b"*%d\r\n" % len(argv) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in argv)


@pytest.mark.parametrize(
    "words",
    [
        ("info",),
        ("dump",),
        ("digest",),
        ("replay",),
        ("validate", "--strict"),
        ("repair", "--dry-run"),
        ("convert", "-", "--to", "jsonl"),
        ("aof-rewrite", "-o", "-"),
        ("diff", str(AOF)),
        ("history", "a"),
    ],
    ids=lambda words: words[0],
)
def test_every_command_that_reads_an_aof_takes_it(words):
    command, *rest = words
    ran = run(command, str(AOF), *rest, *RENAMED)
    assert ran.code == 0, ran.err


def test_a_renamed_command_is_executed():
    ran = run("dump", str(AOF), *RENAMED)
    rows = {row["key"]: row["value"] for row in map(json.loads, ran.out.splitlines()) if "key" in row}
    assert rows == {"a": "1", "b": "2", "c": "3"}
    assert run("dump", str(AOF)).code == 1


def test_validation_knows_the_name():
    assert "no findings" not in run("validate", str(AOF)).out.decode()
    assert run("validate", str(AOF)).code == 1
    ran = run("validate", "-", *RENAMED, stdin=AOF.read_bytes())
    assert ran.code == 0
    assert "3 keys" in ran.out.decode()
    digest = run("digest", str(AOF), *RENAMED).out.decode().strip()
    assert run("validate", str(AOF), *RENAMED, "--expect-digest", digest).code == 0


def test_arguments_are_counted_as_those_of_the_command(tmp_path):
    source = tmp_path / "x.aof"
    source.write_bytes(resp(b"XG", b"CREATE", b"s", b"g", b"0", b"MKSTREAM") + resp(b"HIDDEN", b"k"))
    ran = run("validate", str(source), "--rename-command", "xg=xgroup", "--rename-command", "hidden=set")
    assert ran.code == 1
    assert "CMD202" in ran.out.decode()
    assert "CMD201" not in ran.out.decode()


def test_repair_keeps_and_finds_renamed_commands(tmp_path):
    """A renamed command is where reading goes on behind damage, however rare it is."""
    damaged = AOF.read_bytes().replace(b"$9\r\nSETHIDDEN\r\n$1\r\na", b"$9\r\nSETHIDDEN\r\n$x\r\na")
    source, done = tmp_path / "x.aof", tmp_path / "y.aof"
    source.write_bytes(damaged)
    ran = run("repair", str(source), "-o", str(done), *RENAMED)
    assert ran.code == 0
    ran = run("dump", "-f", "keys", str(done), *RENAMED)
    assert ran.out.split() == [b"b", b"c"]


def test_a_place_is_named_as_servers_name_the_command(tmp_path):
    source = tmp_path / "x.aof"
    source.write_bytes(resp(b"SET", b"a", b"1") + resp(b"WIPE") + resp(b"WIPE"))
    for option in ("--before", "--before-last"):
        ran = run("replay", str(source), option, "flushall", "--rename-command", "WIPE=FLUSHALL", "--json")
        assert json.loads(ran.out)["stopped"]["number"] == (2 if option == "--before" else 3)


def test_commands_that_are_written_have_the_names_of_servers(tmp_path):
    done = tmp_path / "x.aof"
    ran = run("aof-rewrite", str(AOF), "-o", str(done), *RENAMED)
    assert ran.code == 0
    assert "a server that renames SET" in ran.err
    assert b"SETHIDDEN" not in done.read_bytes()
    ran = run("aof-rewrite", str(AOF), "-o", str(tmp_path / "y.aof"), "--preamble", "--target", "redis-7.0", *RENAMED)
    assert "renames" not in ran.err


@pytest.mark.parametrize(
    "text", ["SETHIDDEN", "=SET", "SETHIDDEN=", "SETHIDDEN=NOSUCH", "X=XGROUP CREATE", "SETHIDDEN=SET,GET"]
)
def test_what_names_no_command_is_a_usage_error(text):
    ran = run("dump", str(AOF), "--rename-command", text)
    assert ran.code == 2
    assert "--rename-command" in ran.err


def test_a_name_is_one_command():
    assert run("dump", str(AOF), *RENAMED, "--rename-command", "SETHIDDEN=GET").code == 2


def test_in_python():
    report = rdbtool.replay(str(AOF), rename_commands={"SetHidden": "set"})
    assert [record.key for record in report.engine.records()] == [b"a", b"b", b"c"]
    with open_keys(str(AOF), rename_commands={"SETHIDDEN": "SET"}) as keys:
        assert len(list(keys)) == 3
    with pytest.raises(ValueError, match="NOSUCH"):
        rdbtool.replay(str(AOF), rename_commands={"SETHIDDEN": "NOSUCH"})
    with pytest.raises(ValueError, match="empty"):
        Renames({"": "SET"})
