"""The stream of a master: whole commands, wherever it is cut, without what is for replicas alone."""

import random

import pytest

from rdbtool._codec.decode.replication import Splitter, StreamDamagedError

LARGEST = 1 << 30


def command(*words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


KEPT = [
    command(b"SELECT", b"12"),
    command(b"set", b"k", b"v\r\n*1\r\n"),
    command(b"MULTI"),
    command(b"RPUSH", b"l", *[b"x" * n for n in range(40)]),
    command(b"EXEC"),
    command(b"SET", b"big", bytes(100_000)),
]
DROPPED = [
    command(b"PING"),
    command(b"REPLCONF", b"GETACK", b"*"),
    command(b"publish", b"c", b"m"),
    b"\n",
    command(b"SPUBLISH", b"c", b"m"),
]
STREAM = b"".join(dropped + kept for kept, dropped in zip(KEPT, [*DROPPED, b""], strict=True))


@pytest.mark.parametrize("piece", [1, 7, 100, 5000, 1 << 20])
def test_commands_come_out_whole_wherever_the_stream_is_cut(piece):
    splitter = Splitter(100)
    out = []
    for at in range(0, len(STREAM), piece):
        out.append(splitter.split(STREAM[at : at + piece], LARGEST))
        assert splitter.offset + splitter.held == 100 + min(len(STREAM), at + piece)
    assert b"".join(out) == b"".join(KEPT)
    assert (splitter.offset, splitter.held) == (100 + len(STREAM), 0)
    assert (splitter.db, splitter.changes, splitter.asked, splitter.is_open) == (12, 3, 1, False)


def test_every_piece_ends_with_a_whole_command():
    chance = random.Random(7)
    splitter = Splitter()
    kept = b""
    ends = {sum(map(len, KEPT[:count])) for count in range(len(KEPT) + 1)}
    at = 0
    while at < len(STREAM):
        size = chance.choice([1, 3, 60, 3000])
        kept += splitter.split(STREAM[at : at + size], LARGEST)
        at += size
        assert len(kept) in ends
        begun, ended = sum(map(len, KEPT[:2])), sum(map(len, KEPT[:5]))
        assert splitter.is_open == (begun < len(kept) < ended)
        assert (
            splitter.safe_kept
            == (begun if splitter.is_open else len(kept))
            == splitter.kept - len(kept[splitter.safe_kept :])
        )


@pytest.mark.parametrize(
    "data",
    [b"+OK\r\n", b"*0\r\n", b"*x\r\n", b"*1\r\n$1\r\naXX", b"*1\n$1\r\na\r\n", b"*1\r\n*1\r\n",
     b"*99999999999999999999\r\n", b"\r\r", b"*1\r\n$-1\r\n",
     command(b"SELECT", b"x"), command(b"SELECT", b"1234567890")],
)  # fmt: skip
def test_what_servers_do_not_send_is_refused(data):
    with pytest.raises(StreamDamagedError):
        Splitter().split(data + b"*1\r\n", LARGEST)


def test_a_lying_length_is_refused_before_it_is_held():
    with pytest.raises(StreamDamagedError, match="more than 1,000 bytes"):
        Splitter().split(b"*2\r\n$3\r\nSET\r\n$999999999\r\n", 1000)
