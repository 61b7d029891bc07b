"""Tables of keys in bounded memory: the same findings, in the same order, whatever the memory."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import time
from contextlib import nullcontext
from pathlib import Path

import pytest
from command import COMMAND, environment, run
from many_keys import TINY, run_with_full_disk, snapshot
from peak import measure, needs_proc

import rdbtool
from rdbtool.core.cores import at_most
from rdbtool.core.limits import limited, table_memory
from rdbtool.operations.validate import batch
from rdbtool.operations.validate.run import validate
from rdbtool.operations.validate.verdict import Checks
from rdbtool.reader import ranges, rdb

COUNT = 12_000
NEAR_AND_FAR = {COUNT - 1: COUNT - 2, COUNT - 3: 6007, 40: 39, 6000: 5999, 5000: 7, 11_000: 6001, 107: 7}
MANY = {number: number // 7 for number in range(300, 5000)}
SHAPES = {"sound": {}, "near and far": NEAR_AND_FAR, "many": MANY, "one key": dict.fromkeys(range(6000), 5)}
MEMORY = (TINY, "300KiB")


@pytest.mark.parametrize("memory", MEMORY)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_findings_are_the_same(shape: str, memory: str) -> None:
    data = snapshot(COUNT, SHAPES[shape])
    expected = validate(data)
    # A key of another database is another key.
    keys = {(number < COUNT // 2, SHAPES[shape].get(number, number)) for number in range(COUNT)}
    assert expected.counts["error"] == COUNT - len(keys)
    with limited(memory=memory):
        assert validate(data) == expected
        assert validate(gzip.compress(data, 1))._replace(bytes=expected.bytes) == expected


#: What a file says of its keys, which may be wrong.
ANNOUNCED = {"the truth": 1, "too few": 1 / 7, "too many": 5, "far too many": 2.0**40, "no number of keys": 2.0**50}


@pytest.mark.parametrize("memory", [*MEMORY, "1MiB", None])
@pytest.mark.parametrize("announced", ANNOUNCED)
@pytest.mark.parametrize("shape", ["near and far", "many"])
def test_numbers_of_keys_that_a_file_announces(shape: str, announced: str, memory: str | None) -> None:
    expected = validate(snapshot(COUNT, SHAPES[shape], announced=0))
    with limited(memory=memory):
        found = validate(snapshot(COUNT, SHAPES[shape], announced=int(COUNT // 2 * ANNOUNCED[announced])))
    assert found.counts["error"] == expected.counts["error"] > 0
    assert [row for row in found.findings if row.code == "RDB301"] == [
        row for row in expected.findings if row.code == "RDB301"
    ]


@pytest.mark.parametrize("announced", [75_000, 300_000, 40_000])
def test_a_large_table(announced: int) -> None:
    again = {149_999: 75_000, 74_999: 1, 100_000: 99_999, 120_000: 75_001}
    verdict = validate(snapshot(150_000, again, announced=announced))
    assert verdict.counts["error"] == len(again)


@pytest.mark.parametrize("memory", MEMORY)
@pytest.mark.parametrize("shape", SHAPES)
def test_ranges(shape: str, memory: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.rdb"
    path.write_bytes(snapshot(COUNT, SHAPES[shape]))
    expected = validate(path)
    monkeypatch.setattr(rdb, "_LARGE", 0)
    for name, size in {"_LEAST": 1, "_SHORT_PAUSE": 1, "_LONG_PAUSE": 1, "_RANGE": 4096}.items():
        monkeypatch.setattr(ranges, name, size)
    added = []
    monkeypatch.setattr(ranges.RangeReading, "_add", _counting(ranges.RangeReading._add, added))
    with at_most(2), limited(memory=memory):
        assert validate(path) == expected
    # Copies that were made before go on only until the table is full.
    assert added.count(True) > len(added) // 2 or shape != "sound"
    assert "outdated" in added or memory != TINY


def _counting(add, added):
    def counted(self, ranged):
        try:
            added.append(add(self, ranged))
        except ranges.OutdatedCopyError:
            added.append("outdated")
            raise
        return added[-1]

    return counted


@pytest.mark.parametrize("damage", [100, 30_000, 90_000])
def test_damage(damage: int, tmp_path: Path) -> None:
    data = bytearray(snapshot(COUNT, NEAR_AND_FAR | MANY))
    data[damage : damage + 400] = b"\xfe" * 400
    path = tmp_path / "a.rdb"
    path.write_bytes(data)
    expected = validate(path)
    assert expected.keys < COUNT
    with limited(memory=TINY):
        assert validate(path) == expected


@pytest.mark.parametrize("level", ["deep", "server"])
def test_a_pipe(level: str) -> None:
    data = snapshot(COUNT, NEAR_AND_FAR)
    words = ("validate", "--level", level, "--json", "-")
    expected = run(*words, stdin=data)
    assert expected.code == 1
    assert run(*words, "--memory", TINY, stdin=data) == expected


def test_the_rdb_of_an_aof(tmp_path: Path) -> None:
    path = tmp_path / "a.aof"
    path.write_bytes(snapshot(COUNT, NEAR_AND_FAR) + b"*2\r\n$3\r\nDEL\r\n$1\r\na\r\n")
    expected = run("validate", "--json", path)
    assert b"RDB301" in expected.out
    assert run("validate", "--json", path, "--memory", TINY) == expected


@pytest.mark.parametrize("shape", ["sound", "near and far"])
def test_lines(shape: str, tmp_path: Path) -> None:
    source, lines = tmp_path / "a.rdb", tmp_path / "a.jsonl"
    source.write_bytes(snapshot(COUNT, {}))
    rdbtool.convert(source, lines)
    text = lines.read_bytes().splitlines(keepends=True)
    for number, key in SHAPES[shape].items():
        text[number] = text[key]
    lines.write_bytes(b"".join(text))
    expected = run("validate", "--json", lines)
    assert expected.code == (shape != "sound")
    assert run("validate", "--json", lines, "--memory", TINY) == expected


@pytest.mark.parametrize("damaged", [False, True], ids=["", "damaged after it"])
@pytest.mark.parametrize("suffix", [".rdb", ".jsonl"])
def test_the_first_duplicate_ends_a_conversion(suffix: str, damaged: bool, tmp_path: Path) -> None:
    source, target = tmp_path / f"a{suffix}", tmp_path / "b.rdb"
    data = snapshot(COUNT, NEAR_AND_FAR if suffix == ".rdb" else {})
    if suffix == ".jsonl":
        (tmp_path / "a.rdb").write_bytes(data)
        rdbtool.convert(tmp_path / "a.rdb", source)
        text = source.read_bytes().splitlines(keepends=True)
        text[5000] = text[20]
        data = b"".join(text)
    source.write_bytes(data[: -3000 if damaged else None])
    expected = run("convert", source, target)
    assert expected.code not in {0, 3}
    got = run("convert", source, target, "--memory", TINY)
    assert got == expected
    assert "twice" in got.err or "line 5001" in got.err
    assert not target.exists()


@pytest.mark.parametrize("shape", SHAPES)
def test_repair(shape: str, tmp_path: Path) -> None:
    source, first, second = tmp_path / "a.rdb", tmp_path / "b.rdb", tmp_path / "c.rdb"
    data = bytearray(snapshot(COUNT, SHAPES[shape]))
    data[60_000:60_400] = b"\xfe" * 400
    source.write_bytes(data)
    expected = run("repair", source, "-o", first)
    got = run("repair", source, "-o", second, "--memory", TINY)
    assert got.code == expected.code
    assert got.out.replace(b"c.rdb", b"b.rdb") == expected.out
    assert second.read_bytes() == first.read_bytes()


@pytest.mark.parametrize("words", [["validate"], ["convert"], ["repair"]], ids=" ".join)
def test_a_full_disk_is_no_verdict(words: list[str], tmp_path: Path) -> None:
    source, room = tmp_path / "a.rdb", tmp_path / "room"
    source.write_bytes(snapshot(COUNT))
    room.mkdir()
    target = {"convert": [tmp_path / "b.rdb"], "repair": ["-o", tmp_path / "b.rdb"]}.get(words[0], [])
    code, said = run_with_full_disk(*words, source, *target, "--memory", TINY, room=room)
    assert code == 3
    assert "TMPDIR" in said
    assert "--memory" in said
    assert str(room) in said
    assert not list(room.iterdir())
    assert not (tmp_path / "b.rdb").exists()


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    room = tmp_path / "room"
    room.mkdir()
    words = [*COMMAND, "validate", "-q", "-", "--memory", TINY]
    with subprocess.Popen(words, stdin=subprocess.PIPE, env=environment(TMPDIR=os.fspath(room))) as process:
        assert process.stdin is not None
        process.stdin.write(snapshot(5 * COUNT)[:-100])
        process.stdin.flush()
        descriptors = Path(f"/proc/{process.pid}/fd")
        until = time.monotonic() + 20
        while time.monotonic() < until:
            if any(os.readlink(entry).startswith(os.fspath(room)) for entry in descriptors.iterdir()):
                break
            time.sleep(0.02)
        else:
            pytest.fail("no temporary file")
        assert not list(room.iterdir())
        process.send_signal(signal.SIGKILL)
        process.stdin.close()
    assert not list(room.iterdir())


def test_processes_share_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [tmp_path / "a.rdb", tmp_path / "b.rdb"]
    for path in paths:
        path.write_bytes(snapshot(10))
    verdict = validate(paths[0])
    monkeypatch.setattr(batch, "_LARGE", 1)
    monkeypatch.setattr(batch, "validate", lambda *_: verdict._replace(error=str(table_memory())))
    with at_most(2), limited(memory="8MiB"):
        done = batch.validate_all([str(path) for path in paths], Checks(), progress=nullcontext)
    assert [row.verdict.error for row in done] == [str(4 << 20)] * 2


def test_sizes() -> None:
    usual = table_memory()
    assert (64 << 10) <= usual <= (1 << 30)
    with limited(memory="2GiB"):
        assert table_memory() == 2 << 30
        with limited(max_value="1MiB"):
            assert table_memory() == 2 << 30
        with limited(memory=1):
            assert table_memory() == 64 << 10
    assert table_memory() == usual
    refused = run("validate", "-", "--memory", "much", stdin=b"")
    assert refused.code == 2
    assert "--memory" in refused.err


@pytest.mark.memory
@needs_proc
def test_announced_keys_take_no_memory_before_they_come(tmp_path: Path) -> None:
    path = tmp_path / "a.rdb"
    found = []
    for announced in (10_000, 10_000_000):
        path.write_bytes(snapshot(20_000, announced=announced))
        found.append(measure("validate", "-q", "--jobs", "1", path)[1])
    assert found[1] < found[0] + (4 << 20)


@pytest.mark.memory
@needs_proc
def test_many_keys_take_no_more_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.rdb"
    path.write_bytes(snapshot(700_000, {699_999: 350_000}))
    code, most = measure("validate", "-q", "--jobs", "1", path)
    bounded, least = measure("validate", "-q", "--jobs", "1", "--memory", "1MiB", path)
    assert (code, bounded) == (1, 1)
    assert least < most - (9 << 20)
