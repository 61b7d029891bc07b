"""CRC-64 and LZF: published check values, server-made data, and declared sizes that lie."""

import os
import subprocess
import sys
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from required import required_module, skip_without

from rdbtool.core.errors import LimitError
from rdbtool.io import lzf, own_crc64, own_lzf
from rdbtool.io.lzf import LzfError, deflate, inflate
from rdbtool.io.source import crc64

# What servers wrote for 21 and for 300 times the letter a.
A21 = bytes.fromhex("01 6161 E00A00")
A300 = bytes.fromhex("01 6161 E0FF00 E01700 01 6161")


@pytest.fixture(params=["python-lzf", "own"], autouse=True)
def implementation(request, monkeypatch):
    """Every test here runs with python-lzf, where it is installed, and without."""
    if request.param == "own":
        monkeypatch.setattr(lzf, "compress", own_lzf.compress)
        monkeypatch.setattr(lzf, "decompress", own_lzf.decompress)
    elif lzf.decompress is own_lzf.decompress:
        skip_without("python-lzf is not installed")
    return request.param


def test_check_value():
    assert crc64(b"123456789") == 0xE9C6D914C4B8D9CA


def _crc64_by_bits(data: bytes, total: int) -> int:
    for byte in data:
        total ^= byte
        for _ in range(8):
            total = total >> 1 ^ (0x95AC9329AC4BC9B5 if total & 1 else 0)
    return total


def test_folds_and_rows_give_the_same_sum():
    random = Random(1)
    data = memoryview(random.randbytes(5000))
    for size in [*range(300), *random.sample(range(300, 5000), 100)]:
        start, total = random.randrange(5001 - size), random.getrandbits(64)
        piece = data[start : start + size]
        expected = _crc64_by_bits(piece, total)
        assert own_crc64.crc64(piece, total) == expected
        assert own_crc64.crc64_by_rows(piece, total) == expected
        assert crc64(piece, total) == expected


@given(st.binary(max_size=200), st.integers(0, 200))
def test_a_sum_can_be_continued(data, cut):
    assert crc64(data[cut:], crc64(data[:cut])) == crc64(data)


def test_buffers_need_no_copy():
    assert crc64(memoryview(b"x123456789")[1:]) == crc64(bytearray(b"123456789")) == 0xE9C6D914C4B8D9CA


def test_streams_of_a_server():
    assert inflate(A21, 21, limit=21) == b"a" * 21
    assert inflate(A300, 300, limit=300) == b"a" * 300


@given(st.binary(min_size=21, max_size=400).map(lambda data: data * 3))
def test_what_is_deflated_inflates_again(data):
    small = deflate(data)
    assert small is not None
    assert len(small) <= len(data) - 4
    assert inflate(small, len(data), limit=len(data)) == data


@pytest.mark.parametrize("data", [b"", b"a", b"a" * 20, bytes(range(256))])
def test_what_a_server_leaves_alone(data):
    assert deflate(data) is None


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (b"", 5),
        (A21, 0),
        (A21, -1),
        (A21, 20),
        (A21, 22),
        (A21, 88 * len(A21) + 1),
        (A21, (1 << 40) + 8),
        (A21, 1 << 64),
        (A21[:-1], 21),
        (b"\0A" * 3, 4),
        (b"\x20\xff", 3),
        (b"\0A\x20\x05", 4),
    ],
)
def test_lies_are_refused(data, size):
    with pytest.raises(LzfError) as caught:
        inflate(data, size, limit=1 << 66)
    assert caught.value.expected
    assert caught.value.found


def test_the_limit_is_not_damage():
    with pytest.raises(LimitError, match="300 bytes is above the limit of 299"):
        inflate(A300, 300, limit=299)


@given(st.binary(max_size=60), st.integers(-5, 6000))
def test_any_bytes_give_a_result_or_our_error(data, size):
    try:
        result = inflate(data, size, limit=4096)
    except (LzfError, LimitError):
        return
    assert len(result) == size <= 4096


def test_both_say_the_same_of_any_stream():
    """Also of streams that are damaged, or inflate to less or more than was said."""
    other = required_module("lzf")

    def outcome(module, data, size):
        try:
            return module.decompress(data, size)
        except ValueError:
            return "damaged"

    random = Random(5)
    seen = set()
    for _ in range(3000):
        data = bytes(random.choices(range(256), [8] * 32 + [1] * 224, k=random.randrange(1, 40)))
        size = random.randrange(1, 300)
        found = outcome(own_lzf, data, size)
        assert found == outcome(other, data, size), (data, size)
        seen.add(type(found))
    assert seen == {bytes, str, type(None)}


def _same(data: bytes, before: int, at: int) -> int:
    length = 3
    while length < min(264, len(data) - at) and data[before + length] == data[at + length]:
        length += 1
    return length


def _deflate_by_bytes(data: bytes, room: int) -> bytes | None:
    """LZF as rdbtool compresses: at every position the last place of its three bytes, if that is in reach."""
    seen: dict[int, int] = {}
    out = bytearray()
    literals = bytearray()
    at = 0

    def end_run() -> None:
        out.extend((len(literals) - 1, *literals) if literals else ())
        literals.clear()

    while at < len(data):
        three = data[at : at + 3]
        before = -1
        if len(three) == 3:
            # Places are forgotten where other bytes have the same slot of the table.
            slot = (int.from_bytes(three, "little") << 8) * 2654435761 % (1 << 32) >> 18
            before = seen.get(slot, -1)
            seen[slot] = at
            if data[before : before + 3] != three or at - before > 8192:
                before = -1
        made = len(out) + (1 + len(literals) if literals else 0)
        if before < 0:
            if made + (0 if literals else 1) + 1 > room:
                return None
            literals.append(data[at])
            at += 1
            if len(literals) == 32:
                end_run()
            continue
        if len(out) + 1 + len(literals) + 4 > room:
            return None
        end_run()
        length = _same(data, before, at)
        offset, code = at - before - 1, length - 2
        out.extend([offset >> 8 | min(code, 7) << 5, *([code - 7] if code >= 7 else []), offset & 255])
        at += length
    end_run()
    return bytes(out) if len(out) <= room else None


def test_deflating_finds_the_matches_that_a_search_byte_by_byte_finds():
    random = Random(9)
    outcomes = []
    for number in range(300):
        size = random.choice([random.randrange(4, 80), random.randrange(4, 600), random.randrange(4, 600), 9000])
        if number % 50 and size == 9000:
            size = 1000
        letters = random.choice([b"a", b"ab", b"abcd", bytes(range(16)), bytes(range(256))])
        words = [bytes(random.choices(letters, k=random.randrange(1, 40))) for _ in range(random.randrange(1, 60))]
        data = b"".join(random.choices(words, k=size))[:size].ljust(4, b"-")
        for room in {len(data), max(4, len(data) - 4), random.randrange(4, len(data) + 1)}:
            expected = _deflate_by_bytes(data, room)
            assert own_lzf.compress(data, room) == expected, (data, room)
            assert expected is None or own_lzf.decompress(expected, len(data)) == data
            outcomes.append(expected is None)
    assert 50 < sum(outcomes) < len(outcomes) - 50


def test_a_module_of_that_name_may_have_nothing(tmp_path):
    (tmp_path / "lzf.py").write_text("")
    script = "import rdbtool.io.lzf as m; print(m.decompress.__module__, m.inflate(m.deflate(b'a' * 99), 99, limit=99))"
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=True)
    assert ran.stdout.split() == ["rdbtool.io.own_lzf", repr(b"a" * 99)]


@pytest.mark.memory
def test_no_memory_is_a_limit(implementation):
    """python-lzf would write through a null pointer here."""
    script = (
        ("" if implementation == "python-lzf" else "import sys; sys.modules['lzf'] = None\n")
        + "import resource, rdbtool.io.lzf as m\n"
        "from rdbtool.core.errors import LimitError\n"
        "data = b'\\0a' + b'\\xe0\\xff\\x00' * 3_000_000\n"
        "resource.setrlimit(resource.RLIMIT_AS, (300 << 20, 300 << 20))\n"
        "try:\n    m.inflate(data, 1 + 264 * 3_000_000, limit=1 << 40)\n"
        "except LimitError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "not enough memory for a compressed string of 792000001 bytes" in done.stdout
