"""What happened to all bytes of an RDB, or to one of them, is put right where its checksum or its lengths prove it."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import pytest
from codec.driving import make
from command import FIXTURES, run
from sampling import sample

from rdbtool.core.errors import RdbToolError, UnsupportedError
from rdbtool.io.source import crc64
from rdbtool.operations.repair.run import repair
from rdbtool.operations.salvage.one_byte import find_damaged_byte
from rdbtool.operations.validate.run import validate

DAMAGE = FIXTURES / "cases" / "damage"
WHOLE = DAMAGE / "text-mode.rdb"

CONVERSIONS = {
    "unix2dos": lambda data: data.replace(b"\n", b"\r\n"),
    "latin-1 to UTF-8": lambda data: data.decode("latin-1").encode(),
    "both": lambda data: data.replace(b"\n", b"\r\n").decode("latin-1").encode(),
    "UTF-8 with a BOM": lambda data: data.decode("latin-1").encode("utf-8-sig"),
    "a BOM alone": lambda data: b"\xef\xbb\xbf" + data,
    "cp437 to UTF-16": lambda data: data.decode("cp437").replace("\n", "\r\n").encode("utf-16"),
    "cp1252 to UTF-8": lambda data: "".join(
        bytes([byte]).decode("cp1252") if byte not in {0x81, 0x8D, 0x8F, 0x90, 0x9D} else chr(byte) for byte in data
    ).encode(),
    "cp850 to UTF-8": lambda data: data.decode("cp850").encode(),
}


def repaired(data: bytes, directory: Path) -> tuple[list[str], bytes]:
    source, result = directory / "in.rdb", directory / "out.rdb"
    source.write_bytes(data)
    done = repair(str(source), str(result))
    assert source.read_bytes() == data
    return [lost.code for lost in done.lost], result.read_bytes()


def without_checksum(data: bytes) -> bytes:
    return data[:-8] + bytes(8)


@pytest.mark.parametrize("name", CONVERSIONS)
def test_a_conversion_is_undone(name: str, tmp_path: Path) -> None:
    for whole in (WHOLE.read_bytes(), without_checksum(WHOLE.read_bytes())):
        damaged = CONVERSIONS[name](whole)
        assert validate(damaged).answer != "valid"
        assert repaired(damaged, tmp_path) == (["REP014"], whole)
        (tmp_path / "out.rdb").unlink()


def test_the_cause_is_named(tmp_path: Path) -> None:
    (tmp_path / "in.rdb").write_bytes(WHOLE.read_bytes().replace(b"\n", b"\r\n"))
    ran = run("repair", "in.rdb", "-o", "out.rdb", cwd=tmp_path)
    assert ran.code == 0
    assert b"each LF became CR LF, as in a transfer in text mode; this was undone, as the checksum proves" in ran.out


def test_what_a_conversion_lost_is_beyond_repair(tmp_path: Path) -> None:
    for damaged, words in (
        (WHOLE.read_bytes().decode(errors="replace").encode(), "U+FFFD"),
        (bytes(byte & 0x7F for byte in WHOLE.read_bytes()), "7-bit channel"),
    ):
        (tmp_path / "in.rdb").write_bytes(damaged)
        done = repair(str(tmp_path / "in.rdb"), None)
        assert done.lost[0].code == "REP016"
        assert words in done.lost[0].message
        assert "cannot be undone" in done.lost[0].message


def test_what_nothing_proves_is_damage(tmp_path: Path) -> None:
    """Undone, the file would be damaged too."""
    damaged = bytearray(WHOLE.read_bytes().replace(b"\n", b"\r\n"))
    damaged[60:64] = b"\xff\xff\xff\xff"
    damaged[600:604] = b"\xff\xff\xff\xff"
    (tmp_path / "in.rdb").write_bytes(damaged)
    done = repair(str(tmp_path / "in.rdb"), None)
    assert done.lost[0].code == "REP016"
    assert done.lost[0].message.endswith("or so it seems: nothing proves it")


def test_line_ends_that_belong_to_a_valid_file_stay(tmp_path: Path) -> None:
    record = b"\x00\x01k\x10" + b"GET / HTTP/1.1\r\n"
    for begin in (b"REDIS0003", b"REDIS0009\xfe\x00"):
        data = begin + record + b"\xff"
        data += b"" if begin.endswith(b"3") else crc64(data).to_bytes(8, "little")
        assert repaired(data, tmp_path) == ([], data)
        (tmp_path / "out.rdb").unlink()


def test_one_damaged_byte_is_corrected(tmp_path: Path) -> None:
    """Wherever it is: in the header, in a value that can still be read, in the checksum."""
    whole = (DAMAGE / "embedded.rdb").read_bytes()
    rng = random.Random(2)
    for at in (0, 4, 5, 7, 8, 9, len(whole) - 9, len(whole) - 1, 0x155A, *rng.sample(range(len(whole)), 20)):
        damaged = bytearray(whole)
        damaged[at] ^= 1 << rng.randrange(8)
        codes, data = repaired(bytes(damaged), tmp_path)
        assert (codes, data) == (["REP015"], whole), at
        (tmp_path / "out.rdb").unlink()


def test_two_damaged_bytes_are_not_guessed(tmp_path: Path) -> None:
    changed = WHOLE.read_bytes().replace(b"used-mem", b"vsed-nem")
    assert repaired(changed, tmp_path)[0] == ["REP007"]


@pytest.mark.parametrize("size", [9, 300, 70_000, 3_000_000])
def test_the_place_of_a_byte_is_found(size: int) -> None:
    rng = random.Random(size)
    data = bytearray(rng.randbytes(size))
    right = crc64(data)
    for at in (0, size - 1, rng.randrange(size)):
        change = rng.randrange(1, 256)
        data[at] ^= change
        assert find_damaged_byte(crc64(data) ^ right, size) == (at, change)
        data[at] ^= change
    for other in (size // 2, size // 3):
        data[other] ^= 1
    assert find_damaged_byte(crc64(data) ^ right, size) is None


def test_a_corrected_byte_is_copied_from_a_file_with_more_faults(tmp_path: Path) -> None:
    """Everything that is kept is written anew, because a key is there twice; the byte is the corrected one."""
    keys = [b"\x00" + make.string(b"key:%d" % number) + make.string(b"value %d" % number) for number in range(50)]
    body = b"REDIS0011" + make.select(0) + b"".join([*keys, keys[7], b"\xff"])
    data = bytearray(body + crc64(body).to_bytes(8, "little"))
    data[data.index(b"value 30") + 2] ^= 4
    codes, result = repaired(bytes(data), tmp_path)
    assert sorted(codes) == ["REP004", "REP015"]
    assert all(key in result for key in keys)


def test_other_products_and_versions_are_no_damage(tmp_path: Path) -> None:
    dragonfly = (FIXTURES / "cases" / "dragonfly" / "dump-0000.dfs").read_bytes()
    newer = b"REDIS0099\xfe\x00\x00\x01k\x01v\xff"
    for data in (dragonfly, newer + crc64(newer).to_bytes(8, "little"), newer + bytes(8)):
        (tmp_path / "in.rdb").write_bytes(data)
        with pytest.raises(UnsupportedError) as caught:
            repair(str(tmp_path / "in.rdb"), str(tmp_path / "out.rdb"))
        assert caught.value.exit_code == 4
        assert not (tmp_path / "out.rdb").exists()


def test_every_flipped_bit_of_a_type_or_an_opcode_is_damage(tmp_path: Path) -> None:
    for name in ("redis-5.0-stream-lru-lfu.rdb", "redis-2.6-plain-types.rdb"):
        path = FIXTURES / "small" / name
        whole = path.read_bytes()
        for at, bit in sample(itertools.product(range(9, len(whole)), range(0, 8, 3)), 60):
            damaged = bytearray(whole)
            damaged[at] ^= 1 << bit
            assert validate(bytes(damaged)).answer != "unsupported", (at, bit)
            try:
                repair(bytes(damaged), None)
            except RdbToolError as error:
                pytest.fail(f"{at:#x}, bit {bit}: {error}")
