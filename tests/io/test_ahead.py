"""Inflating in a process or a thread: what is read, and what goes wrong, is the same as without one."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import random
import signal
import sys
import threading
from pathlib import Path

import pytest

from rdbtool.core.cores import at_most, jobs
from rdbtool.core.errors import FormatError, InputError
from rdbtool.io import source as sources
from rdbtool.io.source import open_source

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

#: As the program of that name does it.
ZSTD = {zstd.CompressionParameter.compression_level: 1, zstd.CompressionParameter.checksum_flag: 1}

PACKERS = {
    "gz": lambda data: gzip.compress(data, 1),
    "bz2": lambda data: bz2.compress(data, 1),
    "xz": lambda data: lzma.compress(data, preset=0),
    "zst": lambda data: zstd.compress(data, options=ZSTD),
}


def made(size: int) -> bytes:
    """Bytes that can be packed, but not to nothing."""
    chance = random.Random(size)
    block = chance.randbytes(1 << 16)
    return b"".join(block[: chance.randrange(1 << 16)] + chance.randbytes(40) for _ in range(size >> 15))[:size]


DATA = made(7 << 20)


@pytest.fixture(params=["process", "thread"])
def kind(request, monkeypatch):
    """What inflates: a process, or a thread where there can be none."""
    if request.param == "thread":
        monkeypatch.setattr(sources, "processes", lambda: 1)
    return request.param


def read(path, cores: int, size: int = 300_000) -> tuple[bytes, list[int | None], str]:
    """Return what was read, the compressed bytes read at each step, and the error."""
    view = memoryview(bytearray(size))
    pieces, places, error = [], [], ""
    with at_most(cores), open_source(path) as source:
        try:
            while count := source.readinto(view):
                pieces.append(bytes(view[:count]))
                places.append(source.compressed_read)
            # The end, and a failure, stay what they are.
            assert source.readinto(view) == 0
        except FormatError as caught:
            error = str(caught)
            with pytest.raises(FormatError):
                source.readinto(view)
        assert (source._ahead is not None) == (cores > 1 and source.position > sources._LONG)
    return b"".join(pieces), places, error


@pytest.mark.parametrize("suffix", PACKERS)
def test_sound_data(tmp_path, kind, suffix):
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(PACKERS[suffix](DATA))
    alone, beside = read(path, 1), read(path, 2)
    assert alone == beside
    assert beside[0] == DATA
    assert beside[2] == ""


@pytest.mark.parametrize("suffix", ["gz", "xz", "zst"])
@pytest.mark.parametrize("how", ["cut", "flipped", "rest"])
def test_damage(tmp_path, kind, suffix, how):
    packed = bytearray(PACKERS[suffix](DATA))
    if how == "cut":
        del packed[len(packed) * 5 // 6 :]
    elif how == "rest":
        packed += b"this is no frame, and too long for one"
    else:
        packed[len(packed) * 5 // 6] ^= 0x55
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(packed)
    alone, beside = read(path, 1), read(path, 2)
    assert alone == beside
    assert beside[2]


def test_closing_ends_what_inflates(tmp_path, kind):
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(made(20 << 20), 1))
    before = threading.active_count()
    view = memoryview(bytearray(1 << 20))
    with at_most(2), open_source(path) as source:
        while source.position <= sources._LONG:
            assert source.readinto(view)
        source.readinto(view)
        assert threading.active_count() == before + (kind == "thread")
        process = source._ahead._process if kind == "process" else None
        assert process is None or Path(f"/proc/{process}").exists()
    assert process is None or not Path(f"/proc/{process}").exists()
    assert threading.active_count() == before


def test_a_process_that_is_killed_is_said(tmp_path):
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(made(20 << 20), 1))
    view = memoryview(bytearray(1 << 20))
    with at_most(2), open_source(path) as source:
        while source.position <= sources._LONG:
            assert source.readinto(view)
        source.readinto(view)
        os.kill(source._ahead._process, signal.SIGKILL)
        for _ in range(2):
            with pytest.raises(InputError, match="the process that decompresses it was ended"):
                while source.readinto(view):
                    pass


def test_small_files_start_no_thread(tmp_path):
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(b"x" * (1 << 20)))
    with at_most(4), open_source(path) as source:
        view = memoryview(bytearray(1 << 19))
        while source.readinto(view):
            pass
        assert source._ahead is None


def test_cores():
    assert 1 <= jobs() <= 4
    with at_most(9):
        assert jobs() == 9
        with at_most(None):
            assert jobs() <= 4
    with pytest.raises(ValueError, match="at least 1 core"), at_most(0):
        pass
