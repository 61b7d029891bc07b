"""Logs made to exhaust whoever replays them: each ends soon, in memory that its size justifies, and never badly.

They run in a child whose address space is bounded.
"""

from __future__ import annotations

import json
import pickle
import struct
import subprocess
import sys
import textwrap
from collections.abc import Iterator

import pytest
from aof.logs import command
from corruption.damage import maker

pytestmark = pytest.mark.memory

ADDRESS_SPACE_MB = 700

#: Replays the logs on standard input; prints codes, the fault, the keys, and the peak of resident memory until then in
#: MiB, a line for each.
CHILD = """
    import json, pickle, resource, sys, time
    from rdbtool.engine.replay.loader import replay_log
    from rdbtool.engine.replay.replay_options import Options
    from rdbtool.engine.handlers import load_families
    from rdbtool.core.errors import RdbToolError
    from rdbtool.reader.aof.reader import open_aof
    from rdbtool.core.servers import Rules
    import rdbtool.grammar, rdbtool.reader.payload, rdbtool.engine.export.key_records

    def peak():
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM:"))

    load_families()
    logs = pickle.load(sys.stdin.buffer)
    resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]) << 20,) * 2)
    before = peak()
    for data in logs:
        began, error, counts, keys = time.process_time(), None, {}, -1
        try:
            with open_aof(data) as reader:
                loaded = replay_log(reader, Options(rules=Rules.parse("redis-7.0")))
            error = loaded.fault and loaded.fault.code
            counts, keys = dict(loaded.replay.counts), len(loaded.replay.engine.dbs[0].keys)
            del loaded
        except RdbToolError as raised:
            error = type(raised).__name__
        print(json.dumps([counts, error, keys, peak() - before, time.process_time() - began]), flush=True)
"""

#: Counts of findings, the code of the fault, the number of keys, and the MiB that this replay and those before took.
Replayed = tuple[dict[str, int], str | None, int, float]


def replay(data: bytes) -> Replayed:
    """Return what came of a log in a process of its own."""
    [(_, result)] = replay_each({"": data})
    return result


def replay_each(logs: dict[str, bytes]) -> Iterator[tuple[str, Replayed]]:
    """Replay logs one after the other in one process, and give the name of each and what came of it."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(CHILD), str(ADDRESS_SPACE_MB)],
        input=pickle.dumps(list(logs.values())),
        capture_output=True,
        timeout=200,
        check=False,
    )
    lines = done.stdout.splitlines()
    last = list(logs)[min(len(lines), len(logs) - 1)]
    assert done.returncode == 0, f"{last}: {done.stderr.decode()[-2000:]}"
    for name, line in zip(logs, lines, strict=True):
        counts, error, keys, peak, seconds = json.loads(line)
        assert seconds < 60, name
        yield name, (counts, error, keys, peak)


SOUND = command("SET", "a", "1")


def payload(body: bytes, version: int = 10) -> bytes:
    """Return a value as DUMP writes it."""
    data = body + struct.pack("<H", version)
    checksum: int = maker().crc64(data)
    return data + checksum.to_bytes(8, "little")


def long_length(number: int) -> bytes:
    return b"\x81" + struct.pack(">Q", number)


#: Values whose counts and sizes lie, by what they are.
LIES = {
    "string": b"\x00" + long_length(1 << 40),
    "compressed string": b"\x00\xc3\x05" + long_length(1 << 40) + b"\x00a\xe0\xff\x00",
    "string that inflates a lot": b"".join(
        (b"\x00\xc3", long_length(300_000), long_length(26_000_000), b"\x00a", b"\xe0\xff\x00" * 99_999, b"\x00")
    ),
    "list": b"\x01" + long_length(1 << 40) + b"\x01x",
    "set": b"\x02" + long_length(1 << 40) + b"\x01x",
    "hash": b"\x04" + long_length(1 << 40) + b"\x01x\x01y",
    "sorted set": b"\x05" + long_length(1 << 40) + b"\x01x" + bytes(8),
    "quicklist": b"\x12" + long_length(1 << 40) + b"\x02\x01x",
    "listpack": b"\x10\x07" + struct.pack("<IH", 0xFFFFFFFF, 0xFFFF) + b"\xff",
    "ziplist": b"\x0a\x0b" + struct.pack("<IIH", 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFF) + b"\xff",
    "intset": b"\x0b\x08" + struct.pack("<II", 8, 0xFFFFFFFF),
    "stream": b"\x13" + long_length(1 << 40),
    "no type of ours": b"\xf0" + bytes(100),
    "nothing": b"",
}  # fmt: skip


def test_restore() -> None:
    logs = {
        name: SOUND + command("RESTORE", "k", "0", payload(lie)) * 20 + command("SET", "b", "1")
        for name, lie in LIES.items()
    }
    for name, (counts, error, keys, peak) in replay_each(logs):
        assert (counts, error, keys) == ({"CMD203": 20}, None, 2), name
        # One at a time may inflate to the 26 MB that it says.
        assert peak < 100, name


def test_restore_of_no_payload() -> None:
    data = b"".join(command("RESTORE", "k", "0", b"x" * size) for size in range(300))
    assert replay(data)[:3] == ({"CMD203": 300}, None, 0)


FRAMING = {
    "count": b"*999999999999999999\r\n",
    "count, and some of them": b"*100000000\r\n" + b"$1\r\nx\r\n" * 50_000,
    "size": b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$999999999999999999\r\n",
    "negative size": b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$-1\r\n",
    "negative count": b"*-1\r\n",
    "no arguments": b"*0\r\n",
    "line without end": b"*" * 1_000_000,
}


def test_framing() -> None:
    for name, (counts, error, keys, peak) in replay_each({name: SOUND + lie for name, lie in FRAMING.items()}):
        assert (counts, keys) == ({}, 1), name
        assert error is not None, name
        assert error.startswith("AOF1"), name
        assert peak < 40, name


def test_nothing_but_multi() -> None:
    data = command("MULTI") * 200_000
    counts, error, keys, peak = replay(SOUND + data)
    assert (counts, error, keys) == ({"CMD206": 199_999}, "AOF110", 1)
    # An object kept of each would be 200,000 of them.
    assert peak < 10
    some = command("MULTI") * 1_000
    assert replay(SOUND + some + command("SET", "b", "1") + command("EXEC"))[:3] == ({"CMD206": 999}, None, 2)


def test_a_transaction_as_long_as_the_log() -> None:
    data = command("MULTI") + command("SET", "k", "v") * 300_000
    counts, error, keys, peak = replay(data)
    assert (counts, error, keys) == ({}, "AOF110", 0)
    assert peak < 30 * len(data) / (1 << 20)


GREEDY = {
    "SETBIT": ("SETBIT", "k", "9223372036854775807", "1"),
    "SETRANGE": ("SETRANGE", "k", "9223372036854775807", "x"),
    "BITFIELD": ("BITFIELD", "k", "SET", "u8", "9223372036854775807", "1"),
    "LPOP": ("LPOP", "k", "9223372036854775807"),
    "number of keys": ("ZUNIONSTORE", "k", "9223372036854775807", "a"),
    "number of digits": ("INCRBY", "k", "9" * 100_000),
    "exponent": ("INCRBYFLOAT", "k", "1e999999999"),
    "digits of a score": ("ZADD", "k", "9" * 100_000, "m"),
    "stream id": ("XADD", "k", "9" * 100_000 + "-1", "f", "v"),
    "entries added": ("XSETID", "k", "1-1", "ENTRIESADDED", "9" * 100_000),
    "database": ("SELECT", "9" * 100_000),
    "unknown": ("FROB" * 10_000, "x"),
}


def test_arguments() -> None:
    logs = {name: SOUND + command(*words) * 20 + command("SET", "b", "1") for name, words in GREEDY.items()}
    for name, (counts, error, keys, peak) in replay_each(logs):
        assert error is None, name
        assert keys == 2, name
        assert counts.keys() <= {"CMD201", "CMD203", "CMD204", "CMD208"}, name
        assert peak < 60, name


def test_a_bitmap_grows_once() -> None:
    """Half a million changes of a large bitmap do not copy it each time."""
    data = command("SETBIT", "k", "80000000", "1") + command("SETBIT", "k", "9", "1") * 200_000
    counts, error, keys, peak = replay(data)
    assert (counts, error, keys) == ({}, None, 1)
    assert peak < 60


def test_scripts_do_not_run() -> None:
    loop = command("EVAL", "while true do redis.call('RPUSH', 'l', 'x') end", "0")
    many = command("EVAL", "redis.call('SET', 'k', 1)\n" * 100_000, "0")
    counts, error, keys, peak = replay(loop + many + command("EVAL", "redis.call(" * 100_000, "0"))
    assert (counts, error, keys) == ({"CMD205": 3}, None, 1)
    assert peak < 200
