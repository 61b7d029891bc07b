"""Joints of AOF records: the size of one value stands before another one, or before whole records."""

from __future__ import annotations

from pathlib import Path

import pytest

from rdbtool.operations.repair.run import repair

PLAIN = [b"*3\r\n$3\r\nSET\r\n$5\r\nk%04d\r\n$3\r\nabc\r\n" % at for at in range(300)]


def repaired(data: bytes, directory: Path) -> bytes:
    source, result = directory / "in.aof", directory / "out.aof"
    source.write_bytes(data)
    repair(str(source), str(result))
    return result.read_bytes()


def test_a_size_beyond_the_end_of_the_file(tmp_path: Path) -> None:
    joint = b"*3\r\n$3\r\nSET\r\n$444800330\r\n"
    data = b"".join(PLAIN[:200]) + joint + b"".join(PLAIN[200:])
    assert repaired(data, tmp_path) == b"".join(PLAIN)


@pytest.mark.parametrize("size", [6000, 9000])
def test_a_size_that_ends_within_a_record(size: int, tmp_path: Path) -> None:
    """Records lead across the place where the value would end, behind more damage."""
    joint = b"*3\r\n$3\r\nSET\r\n$%d\r\n" % size
    data = b"".join(PLAIN[:20]) + joint + b"".join(PLAIN[20:100]) + b"\0" * 50 + b"".join(PLAIN[100:])
    assert repaired(data, tmp_path) == b"".join(PLAIN)


@pytest.mark.parametrize("removed", [1, 40, 500])
@pytest.mark.parametrize("count", [50, 200])
def test_a_value_that_is_an_aof(count: int, removed: int, tmp_path: Path) -> None:
    """Nothing of a damaged value is taken for a command, even if its size is no longer right."""
    value = b"".join(PLAIN[:count])
    at = len(value) // 3 + 5
    damaged = value[:at] + value[at + removed :]
    record = b"*3\r\n$3\r\nSET\r\n$1\r\nv\r\n$%d\r\n%b\r\n" % (len(value), damaged)
    data = b"".join(PLAIN[200:]) + record + b"".join(PLAIN[200:])
    assert repaired(data, tmp_path) == b"".join(PLAIN[200:]) * 2


@pytest.mark.parametrize(
    ("wrong", "is_kept"),
    [
        (b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$6\r$6\r\npear14\r\n", False),
        (b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$6\r\npear\xff\xff\xff\xff", False),
        (b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$6\r\npear14\r\x1a", True),
        (b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$6\r\npear14\x1d\n", True),
        (b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$6\r\r\npear14\r\n", True),
    ],
)
def test_what_stands_for_a_line_end(wrong: bytes, is_kept: bool, tmp_path: Path) -> None:
    """Servers skip all of it; but more than a flipped bit is no line end."""
    right = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$6\r\npear14\r\n" if is_kept else b""
    assert repaired(b"".join(PLAIN[:9]) + wrong, tmp_path) == b"".join(PLAIN[:9]) + right
