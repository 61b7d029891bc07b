"""Pipes get larger buffers, once it is known that much goes through them."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys

import pytest

from rdbtool.io.pipes import SIZE, widen
from rdbtool.io.source import open_source
from rdbtool.writer.atomic.output import open_output

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such call")


def size_of(descriptor: int) -> int:
    return fcntl.fcntl(descriptor, fcntl.F_GETPIPE_SZ)


@pytest.mark.parametrize(("octets", "size"), [(1 << 16, 1 << 16), (3 << 20, SIZE)])
def test_an_input(octets, size):
    with subprocess.Popen(["head", "-c", str(octets), "/dev/zero"], stdout=subprocess.PIPE) as process:
        view = memoryview(bytearray(1 << 16))
        with open_source(f"/dev/fd/{process.stdout.fileno()}") as source:
            while source.readinto(view):
                pass
        assert size_of(process.stdout.fileno()) == size


@pytest.mark.parametrize(("octets", "size"), [(1 << 16, 1 << 16), (3 << 20, SIZE)])
def test_an_output(octets, size):
    with subprocess.Popen(["wc", "-c"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        with open_output(f"/dev/fd/{process.stdin.fileno()}") as output:
            for _ in range(octets >> 16):
                output.write(bytes(1 << 16))
        assert size_of(process.stdin.fileno()) == size
        process.stdin.close()
        assert int(process.stdout.read()) == octets


def test_what_is_no_pipe(tmp_path):
    with (tmp_path / "x").open("wb") as file:
        widen(file.fileno())
    widen(os.pipe()[1])
