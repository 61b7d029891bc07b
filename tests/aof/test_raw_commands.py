"""Batches of the scanner: sequences of tuples that are made late, from bytes that the window has long let go."""

from __future__ import annotations

import io
import os

import pytest
from aof.logs import command
from hypothesis import given
from hypothesis import strategies as some

from rdbtool._codec.decode.aof_scanner import DECLINED, ENDED, Scanner
from rdbtool._codec.decode.raw_commands import RawCommands
from rdbtool._codec.decode.window import Window

WORDS = some.one_of(
    some.binary(max_size=40),
    some.sampled_from([b"", b"SET", b"XADD", b"xadd", b"field", b"MULTI", b"EXEC", b"\r\n$3\r\n"]),
)
LOGS = some.lists(some.lists(WORDS, min_size=1, max_size=12), max_size=40)


def scanner_of(data: bytes, batch: int, piece: int = 1 << 20) -> Scanner:
    """Return a scanner to which an input is handed in pieces."""
    file = io.BytesIO(data)
    window = Window(lambda view: file.readinto(view[:piece]), lambda *_: 0, lambda: 1 << 30, len(data))
    return Scanner(window, batch)


def read(scanner: Scanner) -> list[RawCommands]:
    batches = []
    status = -1
    while status != ENDED:
        status = scanner.run()
        assert status != DECLINED
        batches.append(scanner.take()[0])
    return batches


@given(LOGS, some.integers(1, 7), some.integers(1, 300))
def test_kept_batches_hold_what_was_written(log: list[list[bytes]], size: int, piece: int) -> None:
    """All of them are asked only when the scanner is done and gone."""
    batches = read(scanner_of(b"".join(command(*words) for words in log), size, piece))
    found = [argv for batch in batches for argv in batch]
    assert found == [tuple(words) for words in log]


@given(LOGS, some.integers(1, 7), some.data())
def test_batches_that_are_used_again(log: list[list[bytes]], size: int, data: some.DataObject) -> None:
    """Some are kept while others are let go, and are filled again."""
    scanner = scanner_of(b"".join(command(*words) for words in log), size)
    kept: list[tuple[int, RawCommands]] = []
    status, at = -1, 0
    while status != ENDED:
        status = scanner.run()
        batch = scanner.take()[0]
        assert batch[:] == [tuple(words) for words in log[at : at + len(batch)]]
        if data.draw(some.booleans()):
            kept.append((at, batch))
        at += len(batch)
        del batch
    for start, batch in kept:
        assert list(batch) == [tuple(words) for words in log[start : start + len(batch)]]


def test_a_batch_is_a_sequence() -> None:
    log = [[b"SET", b"k%d" % number, b"v"] for number in range(5)]
    (batch,) = read(scanner_of(b"".join(command(*words) for words in log), 10))
    rows = [tuple(words) for words in log]
    assert len(batch) == 5
    assert batch[0] is batch[0]
    assert batch[-1] == rows[-1]
    assert batch[1:4:2] == rows[1:4:2]
    assert batch[7:] == []
    batch[2] = (b"DEL", b"other")
    rows[2] = (b"DEL", b"other")
    assert list(batch) == rows
    for index in (5, -6):
        with pytest.raises(IndexError):
            batch[index]
        with pytest.raises(IndexError):
            batch[index] = (b"PING",)


@pytest.mark.parametrize("size", [(1 << 20) - 100, 1 << 20, (1 << 21) - 40, 1 << 21, 3 << 20])
def test_long_words_beside_short_ones(size: int) -> None:
    """What does not fit into the copy of a batch is made at once."""
    long = os.urandom(1 << 10) * (size >> 10) + b"x" * (size & 1023)
    log = [
        [b"SET", b"a", b"1"],
        [b"SET", b"b", long],
        [b"SET", b"c", b"1"],
        [b"RPUSH", b"d", long, b"", long],
        [b"PING"],
    ]
    batches = read(scanner_of(b"".join(command(*words) for words in log), 100))
    assert [argv for batch in batches for argv in batch] == [tuple(words) for words in log]


def test_many_words() -> None:
    """More of them than a batch that is used again keeps room for."""
    words = [b"RPUSH", b"k", *[b""] * 400_000]
    log = [words, [b"PING"], words]
    batches = read(scanner_of(b"".join(command(*words) for words in log), 100))
    assert [argv for batch in batches for argv in batch] == [tuple(words) for words in log]
