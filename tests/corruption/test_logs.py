"""Damaged logs of several files: every cut, every bit turned over, and lengths that lie, read and replayed.

The promise: a result or one of our errors; what precedes the damage is not lost; commands that stand behind it are
never taken for a cut tail; and a last part that is cut at its last good offset is a log that a server loads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

import pytest
import sampling
import server
from aof.logs import command, parse, write_log
from corruption.damage import flips, truncations
from duel import digest_of

from rdbtool.core.codes import BY_CODE
from rdbtool.core.errors import FormatError, LimitError, RdbToolError, UnsupportedError
from rdbtool.core.servers import Rules
from rdbtool.engine.replay.loader import Loaded, replay_log
from rdbtool.engine.replay.replay_options import Options
from rdbtool.reader.aof.reader import AofReader, open_aof

BASE, FIRST, LAST = "appendonly.aof.1.base.rdb", "appendonly.aof.1.incr.aof", "appendonly.aof.2.incr.aof"
BACKENDS = ("codec", "grammar")

#: Without a checksum, which would betray every flip.
SNAPSHOT = Path(__file__).parents[2] / "fixtures/small/redis-2.4-without-checksum.rdb"
COMMANDS = (
    command("SET", "b", "base"),
    command("RPUSH", "l", "1", "2", "3"),
)
MIDDLE = (
    command("SELECT", "1"),
    command("SET", "k", "v"),
    command("HSET", "h", "f", "v", "g", "w"),
)
TAIL = (
    command("SET", "a", "1"),
    command("MULTI"),
    command("INCR", "a"),
    command("SADD", "s", "x", "y"),
    command("EXEC"),
    b"#TS:1700000000\r\n",
    command("ZADD", "z", "1.5", "m"),
    command("XADD", "x", "1-1", "f", "v"),
    command("DEL", "s"),
)
STATES = {"clean", "truncated", "truncated-in-multi", "nul-padding", "damaged"}


def parts() -> dict[str, bytes]:
    return {BASE: SNAPSHOT.read_bytes() + b"".join(COMMANDS), FIRST: b"".join(MIDDLE), LAST: b"".join(TAIL)}


class Read(NamedTuple):
    """What came of a log: the commands, how it ended, and which error of ours a snapshot raised."""

    commands: list[tuple[int, int, tuple[bytes, ...]]]
    reader: AofReader
    error: RdbToolError | None


def read(path: Path, backend: str = "codec") -> Read:
    commands: list[tuple[int, int, tuple[bytes, ...]]] = []
    error = None
    with open_aof(path, backend=backend) as reader:
        try:
            commands.extend((row.part, row.offset, row.argv) for row in reader.commands(on_fault="stop"))
        except RdbToolError as raised:
            error = raised
    return Read(commands, reader, error)


def replay(path: Path) -> Loaded | RdbToolError:
    with open_aof(path) as reader:
        try:
            return replay_log(reader, Options(rules=Rules.parse("redis-7.0")))
        except RdbToolError as error:
            return error


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """The log as it was written."""
    return write_log(tmp_path / "appendonlydir", parts())


def check(path: Path, sound: list[tuple[int, int, tuple[bytes, ...]]], part: int, at: int) -> tuple[str, int]:
    """Read and replay a log with damage at an offset of a part; return how it ends, and where it was still good."""
    seen = [read(path, backend) for backend in BACKENDS]
    first, second = seen
    assert first.commands == second.commands
    assert first.reader.tail == second.reader.tail
    before = [row for row in sound if row[0] < part or (row[0] == part and row[1] + len_of(row[2]) <= at)]
    assert first.commands[: len(before)] == before, "what precedes the damage is lost"
    loaded = replay(path)
    if first.error is not None:
        assert isinstance(loaded, RdbToolError)
        assert isinstance(first.error, (FormatError, LimitError, UnsupportedError))
        assert not isinstance(first.error, FormatError) or first.error.code in BY_CODE
        return "snapshot", 0
    assert isinstance(loaded, Loaded)
    tail, fault = first.reader.tail, first.reader.fault
    assert tail is not None
    assert loaded.tail == tail
    assert tail.state in STATES
    assert (fault is None) == (tail.state == "clean")
    assert loaded.replay.commands == len(first.commands)
    if fault is not None:
        assert fault.code in BY_CODE
        assert fault.readable_up_to == tail.at
        size = (path.parent / (BASE, FIRST, LAST)[tail.part]).stat().st_size
        assert tail.at + (tail.size or 0) == size
        starts = {offset for index, offset, _ in first.commands if index == tail.part}
        ends = {offset + len_of(argv) for index, offset, argv in first.commands if index == tail.part}
        assert tail.at in {0, *starts, *ends} or tail.part in (0, 2), "not the end of a record"
    return tail.state, tail.at if tail.part == part else 0


def len_of(argv: tuple[bytes, ...]) -> int:
    return len(command(*argv))


@pytest.mark.parametrize("name", [BASE, FIRST, LAST])
def test_every_cut(name: str, whole: Path) -> None:
    sound = read(whole).commands
    part = (BASE, FIRST, LAST).index(name)
    data = parts()[name]
    resp_at = len(SNAPSHOT.read_bytes()) if part == 0 else 0
    boundaries = {resp_at, *(resp_at + at for at, _ in parse(data[resp_at:]))}
    states = set()
    for case in truncations(data):
        (whole.parent / name).write_bytes(case.data)
        state, good = check(whole, sound, part, case.at)
        states.add(state)
        # A part without a byte is one that a server has just begun.
        clean = case.at in boundaries and b"MULTI" not in case.data[case.data.rfind(b"EXEC") + 1 :]
        if state != "snapshot":
            assert (state == "clean") == (clean or case.at == 0), case.label
            assert good <= case.at
            # What begins like an RDB and has not even its first word is taken for commands, and is none.
            is_word_cut = part == 0 and 0 < case.at < len(b"REDIS")
            assert (state == "damaged") == is_word_cut, case.label
        else:
            assert case.at < resp_at
    assert states >= {"clean", "truncated"}
    assert ("truncated-in-multi" in states) == (name == LAST)
    assert ("snapshot" in states) == (name == BASE)


@pytest.mark.parametrize("name", [BASE, FIRST, LAST])
def test_every_bit(name: str, whole: Path) -> None:
    """Of a day's choice."""
    sound = read(whole).commands
    part = (BASE, FIRST, LAST).index(name)
    data = parts()[name]
    last_at = len(data) - len((COMMANDS, MIDDLE, TAIL)[part][-1])
    states: set[str] = set()
    for case in sampling.sample(flips(data), 300):
        (whole.parent / name).write_bytes(case.data)
        state, _ = check(whole, sound, part, case.at)
        states.add(state)
        # All of the last command is there whatever happened to those before, unless a size that grew took it in.
        if case.at < last_at and state != "snapshot":
            assert state in ("clean", "damaged") or b"MULTI" in data, f"{case.label}: {state}"
            assert state != "truncated", f"{case.label}: commands behind the damage would be cut off"
    assert states >= {"clean", "damaged"}


def lies() -> Iterator[tuple[str, bytes, int]]:
    """Lengths and counts in the middle of the last part that lie: what, the bytes, where the record begins.

    None of them is sound by itself, as a size is that happens to end in front of a line end.
    """
    data = b"".join(TAIL)
    start = 0
    for record in TAIL[:-1]:
        stop = start + len(record)
        if record[:1] == b"*":
            count_end = record.index(b"\r\n")
            size_at = record.index(b"$")
            size_end = record.index(b"\r\n", size_at)
            for number in (9, 100, 999_999, 99_999_999_999):
                wrong = data[:start] + b"*%d" % number + record[count_end:] + data[stop:]
                yield f"count {number} at {start}", wrong, start
            for size in (8, 10, 50, len(data) - stop - 3, len(data) - stop, 999_999, 99_999_999_999):
                head = data[:start] + record[: size_at + 1] + b"%d" % size
                wrong = head + record[size_end:] + data[stop:]
                if wrong[len(head) + 2 + size :][:2] != b"\r\n":
                    yield f"size {size} at {start}", wrong, start
        start = stop


@pytest.mark.parametrize(("label", "data", "start"), list(lies()), ids=[label for label, _, _ in lies()])
def test_a_lie_in_the_middle_is_no_cut_tail(label: str, data: bytes, start: int, whole: Path) -> None:
    """However much it swallows, even all that follows."""
    sound = read(whole).commands
    (whole.parent / LAST).write_bytes(data)
    state, good = check(whole, sound, 2, start)
    assert state == "damaged", label
    assert good <= start
    tail = read(whole).reader.tail
    assert tail is not None
    assert tail.next_good is not None
    assert tail.next_good > start


def sample() -> list[tuple[str, bytes]]:
    """Damaged last parts: cuts, flips, and zeros behind a cut, spread over the file."""
    data = b"".join(TAIL)
    cuts = [(case.label, case.data) for case in truncations(data)][3::17]
    turned = [(case.label, case.data) for case in flips(data)][5::151]
    padded = [(f"zeros from {at}", data[:at] + bytes(200)) for at in range(10, len(data), 41)]
    return [*cuts, *turned, *padded]


@pytest.mark.server
def test_a_server_loads_what_is_left(
    start_server: Callable[..., AbstractContextManager[server.Server]], tmp_path: Path
) -> None:
    """The last part cut at the offset that is told: it needs no repair by the server, and leads to the same data."""
    faults = 0
    with start_server(
        files={"appendonlydir": write_log(tmp_path / "log", parts()).parent},
        config={"appendonly": "yes", "aof-load-truncated": "no"},
    ) as running:
        running.client("DEBUG", "SET-ACTIVE-EXPIRE", "0")
        for label, damaged in sample():
            path = write_log(tmp_path / "log", {**parts(), LAST: damaged})
            loaded = replay(path)
            assert isinstance(loaded, Loaded)
            assert loaded.tail is not None
            if {"CMD201"} & loaded.replay.counts.keys():
                # A name that is no command any more: no server starts with it.
                continue
            faults += loaded.fault is not None
            left = damaged[: loaded.tail.at]
            (running.directory / "appendonlydir" / LAST).write_bytes(left)
            running.client("DEBUG", "LOADAOF")
            assert digest_of(loaded.replay.engine, "redis-7.0") == running.digest(), label
            # Also alone, and whole: there is nothing that it would have to pass over.
            write_log(tmp_path / "log", {**parts(), LAST: left})
            again = replay(path)
            assert isinstance(again, Loaded)
            assert again.fault is None
    assert faults >= 30
