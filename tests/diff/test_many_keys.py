"""Tables of keys in bounded memory: the same differences, in the same order, whatever the memory."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import FIXTURES, run
from many_keys import TINY, run_with_full_disk, snapshot
from peak import measure, needs_proc

from rdbtool.core.limits import limited
from rdbtool.operations.diff.compare import DiffOptions, open_diff

COUNT = 5000
MEMORY = (TINY, "400KiB")


SIDES = {
    "the same": snapshot(COUNT),
    "a few others": snapshot(COUNT, {7: 90_000, 3000: 90_001, 4999: 90_002}, values={100: b"w", 2600: b"x"}),
    "many others": snapshot(COUNT, {number: 80_000 + number for number in range(0, COUNT, 3)}),
    "shorter": snapshot(COUNT // 3),
    "longer": snapshot(2 * COUNT, values=dict.fromkeys(range(0, 2 * COUNT, 5), b"other")),
    "empty": snapshot(0),
}


@pytest.mark.parametrize("memory", MEMORY)
@pytest.mark.parametrize("second", SIDES)
@pytest.mark.parametrize("first", ["the same", "longer", "empty"])
def test_the_differences_are_the_same(first: str, second: str, memory: str) -> None:
    with open_diff(SIDES[first], SIDES[second]) as comparison:
        expected = comparison.result()
    assert expected.are_same == (first == second)
    with limited(memory=memory), open_diff(SIDES[first], SIDES[second]) as comparison:
        assert comparison.result() == expected


@pytest.mark.parametrize("form", [["--json"], [], ["-f", "resp"], ["--db", "1", "--limit", "5"], ["--type", "string"]])
def test_the_command(form: list[str], tmp_path: Path) -> None:
    first, second = tmp_path / "a.rdb", tmp_path / "b.rdb"
    first.write_bytes(SIDES["the same"])
    second.write_bytes(SIDES["a few others"])
    expected = run("diff", *form, first, second)
    assert run("diff", *form, first, second, "--memory", TINY) == expected
    assert run("diff", *form, first, "-", "--memory", TINY, stdin=second.read_bytes()).code == expected.code


def test_streams_without_their_counters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the same data by several servers, of which old ones do not store all counters."""
    oldest, *others = sorted(FIXTURES.glob("*/default.rdb"))
    options = DiffOptions(functions=False)
    for other in others:
        for first, second in ((oldest, other), (other, oldest)):
            with open_diff(str(first), str(second), options) as comparison:
                expected = comparison.result()
            with monkeypatch.context() as patched:
                # From the second key on.
                patched.setattr("rdbtool._codec.sinks.key_table.table_memory", lambda: 128)
                with open_diff(str(first), str(second), options) as comparison:
                    assert comparison.result() == expected


@pytest.mark.parametrize("memory", [None, *MEMORY])
@pytest.mark.parametrize("announced", [0, 7, COUNT // 4, COUNT // 2, COUNT, 40 * COUNT, 10**9, 2**64 - 1])
def test_a_wrong_number_of_keys_changes_nothing(announced: int, memory: str | None) -> None:
    """What a file says of its keys only decides when their table grows."""
    first = snapshot(COUNT, announced=announced)
    for name in ("the same", "a few others", "longer"):
        with open_diff(SIDES["the same"], SIDES[name]) as comparison:
            expected = comparison.result()
        with limited(memory=memory), open_diff(first, SIDES[name]) as comparison:
            assert comparison.result() == expected


DUPLICATES = {
    "in both": ({4000: 3000, 4500: 5}, {3500: 3499}),
    "in the first": ({4999: 4998, 4500: 2501}, {}),
    "in the second": ({}, {4999: 4998, 4997: 2600}),
}


@pytest.mark.parametrize("damaged", [False, True], ids=["", "the second is damaged"])
@pytest.mark.parametrize("where", DUPLICATES)
def test_a_key_that_is_there_twice(where: str, damaged: bool, tmp_path: Path) -> None:
    paths = tmp_path / "a.rdb", tmp_path / "b.rdb"
    for path, again in zip(paths, DUPLICATES[where], strict=True):
        path.write_bytes(snapshot(COUNT, again))
    if damaged:
        paths[1].write_bytes(paths[1].read_bytes()[:-3000])
    expected = run("diff", *paths)
    assert expected.code == 3
    assert ("occurs twice" in expected.err) == (not damaged or where != "in the second")
    assert run("diff", *paths, "--memory", TINY) == expected


def test_a_full_disk_is_no_answer(tmp_path: Path) -> None:
    source, room = tmp_path / "a.rdb", tmp_path / "room"
    source.write_bytes(SIDES["longer"])
    room.mkdir()
    code, said = run_with_full_disk("diff", source, source, "--memory", TINY, room=room)
    assert code == 3
    assert "TMPDIR" in said
    assert "--memory" in said
    assert not list(room.iterdir())


@pytest.mark.memory
@needs_proc
def test_many_keys_take_no_more_memory(tmp_path: Path) -> None:
    first, second = tmp_path / "a.rdb", tmp_path / "b.rdb"
    first.write_bytes(snapshot(400_000))
    second.write_bytes(snapshot(400_000, {399_999: 400_000}))
    code, most = measure("diff", first, second)
    bounded, least = measure("diff", "--memory", "2MiB", first, second)
    assert (code, bounded) == (1, 1)
    assert least < most - (14 << 20)
