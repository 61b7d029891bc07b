"""Logs made to exhaust whoever reads them: an answer soon, in little memory, and never another exception than ours."""

from __future__ import annotations

import gzip
import json
import pickle
import subprocess
import sys
import textwrap

import pytest
from aof.logs import command, sets

pytestmark = pytest.mark.memory

#: Reads logs in a child with little memory: prints what came of each and the peak of resident memory.
CHILD = """
    import io, json, pickle, resource, sys, time
    from rdbtool.core.errors import FormatError, RdbToolError
    from rdbtool.reader.aof.reader import open_aof
    import rdbtool.grammar

    class Pipe(io.RawIOBase):
        def __init__(self, data):
            self.inner = io.BytesIO(data)
        def readable(self):
            return True
        def readinto(self, view):
            return self.inner.readinto(view[:4096])

    data, lax = pickle.load(sys.stdin.buffer)
    resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]) << 20,) * 2)
    rows = {}
    for way in ("commands", "pipe", "check", "skip"):
        began = time.process_time()
        reader = open_aof(Pipe(data) if way == "pipe" else data, lax=lax)
        error = None
        try:
            if way in ("commands", "pipe"):
                for _ in reader.commands():
                    pass
            else:
                reader.check(on_fault="raise" if way == "check" else "skip")
        except RdbToolError as raised:
            error = getattr(raised, "code", type(raised).__name__)
        tail = reader.tail
        rows[way] = [error, reader.count, tail and tail.state, tail and tail.at, time.process_time() - began]
    with open("/proc/self/status") as status:
        peak = next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM:"))
    print(json.dumps([rows, peak]))
"""


def read(data: bytes, *, address_space_mb: int = 400, lax: bool = False):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(CHILD), str(address_space_mb)],
        input=pickle.dumps((data, lax)),
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    return json.loads(done.stdout)


SOUND = sets(20)
LIES = {
    "count of 18 digits": b"*999999999999999999\r\n",
    "count that fits no memory": b"*100000000\r\n" + b"$1\r\nx\r\n" * 50_000,
    "size of 18 digits": b"*1\r\n$999999999999999999\r\n",
    "size of a terabyte": b"*2\r\n$3\r\nSET\r\n$1099511627776\r\nx",
    "size of 2 GB": b"*2\r\n$3\r\nSET\r\n$2147483647\r\nx",
    "size below zero": b"*2\r\n$3\r\nSET\r\n$-1\r\n",
    "endless digits": b"*" + b"1" * 3_000_000,
    "endless annotation": b"#" * 3_000_000,
    "endless line": b"x" * 3_000_000,
    "endless marks": b"*" * 3_000_000,
    "endless beginnings": b"*1\r\n$" * 600_000,
    "NUL": bytes(3_000_000),
}

#: Servers read some of these as many records.
TAKEN_BY_SERVERS = {"endless annotation", "endless beginnings"}


@pytest.mark.parametrize("lax", [False, True])
@pytest.mark.parametrize("name", LIES)
def test_lies(name, lax):
    rows, peak = read(SOUND + LIES[name], lax=lax)
    for way, (error, count, _, at, seconds) in rows.items():
        assert seconds < 10
        if lax and name in TAKEN_BY_SERVERS:
            continue
        assert error is None if way == "skip" else error.startswith("AOF1")
        assert (count, at) == (20, len(SOUND))
    assert peak < 150


def test_a_bomb_in_gzip():
    """A size that lies makes the reader look for its end only as far as a value may be large."""
    for inside in (b"*2\r\n$3\r\nSET\r\n$999999999999\r\n" + bytes(1 << 28), b"*1\r\n$1073741824\r\n" + bytes(1 << 28)):
        rows, peak = read(gzip.compress(inside, 1), address_space_mb=800)
        assert {row[0] for row in rows.values()} <= {"AOF101", "LimitError"}
        assert peak < 512 + 100


def test_a_million_multi():
    data = command("MULTI") * 1_000_000
    rows, peak = read(data + command("EXEC"))
    assert [row[:4] for row in rows.values()] == [[None, 1_000_001, "clean", len(data) + 14]] * 4
    rows, _ = read(command("MULTI") * 200_000)
    assert [row[2:4] for row in rows.values()] == [["truncated-in-multi", 0]] * 4
    assert peak < 150


def test_a_search_that_was_made_to_be_endless():
    """Commands in arguments whose own arguments are the ones of the outer command, all of them, up to the end."""
    inner = b"$17\r\n*1000000\r\n$3\r\nSET\r\n" * 100_000
    rows, _ = read(b"*1000000\r\n$3\r\nSET\r\n" + inner)
    for way, (error, count, state, at, seconds) in rows.items():
        assert error == (None if way == "skip" else "AOF101")
        # A cut tail in truth, but nobody may say so who has not looked at everything.
        assert (count, state, at) == (0, "damaged", 0)
        assert seconds < 10


def test_a_large_command_is_read():
    """From a pipe too, where nobody knows that it ends."""
    data = command("SET", "big", b"x" * (50 << 20)) + command("RPUSH", "l", *(["e"] * 1_000_000)) + SOUND
    rows, peak = read(data, address_space_mb=1500)
    assert [row[:3] for row in rows.values()] == [[None, 22, "clean"]] * 4
    assert peak < 800
