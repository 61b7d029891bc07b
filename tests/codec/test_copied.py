"""Stored values are copied into an RDB where its version has their type; a value that is changed is encoded."""

from __future__ import annotations

from pathlib import Path

import pytest
from codec.driving import make
from codec.driving import rdb as whole_rdb

from rdbtool._codec.encode.rdb import NotCopiedError, Rdb
from rdbtool._codec.filters.target import TargetFilter
from rdbtool._codec.filters.tee import Tee
from rdbtool._codec.sinks.fingerprint import Fingerprint
from rdbtool.operations.repair.run import repair
from rdbtool.reader.rdb import open_rdb

KEYDB = Path(__file__).parents[2] / "fixtures/cases/keydb/subexpire.rdb"

#: A hash of one field that no server would store as a table, a set of integers as one of strings, a string that could
#: be compressed, and one that could be an integer.
ODD = [
    b"\x04" + make.string(b"hash") + b"\x01" + make.string(b"f") + make.string(b"v"),
    b"\x02" + make.string(b"set") + b"\x02" + make.string(b"1") + make.string(b"2"),
    b"\x00" + make.string(b"text") + make.string(b"a" * 60),
    b"\x00" + make.string(b"number") + make.string(b"12345"),
]


def copy(path: str, version: int) -> tuple[bytes, int]:
    """Write a file anew; return the bytes, and how many records had to come twice."""
    data = bytearray()
    sums = Fingerprint()
    sink = TargetFilter(
        Tee(Rdb(data.extend, version=version, copies=True), sums), magic="REDIS", version=version, allow_loss=True
    )
    again = 0
    with open_rdb(path) as reader:
        reader.read_preamble()
        while True:
            try:
                reader.feed(sink)
                break
            except NotCopiedError:
                again += 1
    sink.close()
    read = Fingerprint()
    with open_rdb(bytes(data)) as reader:
        reader.feed(read)
    assert read.hexdigest() == sums.hexdigest()
    assert read.keys == sums.keys
    return bytes(data), again


@pytest.mark.parametrize("version", [9, 10, 11, 12])
def test_stored_values_are_copied(tmp_path, version):
    path = tmp_path / "dump.rdb"
    path.write_bytes(whole_rdb(make.select(0), *ODD, magic=b"REDIS%04d" % version))
    data, again = copy(str(path), version)
    assert again == 0
    assert all(record in data for record in ODD)


def test_a_type_that_the_version_lacks_is_encoded(tmp_path):
    path = tmp_path / "dump.rdb"
    # A set in a listpack, which version 11 introduced.
    packed = b"\x0b\x00\x00\x00\x02\x00\x81a\x02\x81b\x02\xff"
    packed = len(packed).to_bytes(4, "little") + packed[4:]
    record = b"\x14" + make.string(b"set") + make.string(packed)
    path.write_bytes(whole_rdb(make.select(0), record, magic=b"REDIS0011"))
    assert record in copy(str(path), 11)[0]
    assert record not in copy(str(path), 10)[0]


def test_a_value_that_is_changed_comes_twice():
    data, again = copy(str(KEYDB), 9)
    assert again > 0
    assert b"keydb-subexpire" not in data


def test_repair_copies_what_is_intact(tmp_path):
    source, result = tmp_path / "in.rdb", tmp_path / "out.rdb"
    damaged = b"\x10" + make.string(b"bad") + make.string(b"\xff" * 20)
    source.write_bytes(whole_rdb(make.select(0), *ODD[:2], damaged, *ODD[2:], magic=b"REDIS0010"))
    done = repair(str(source), str(result))
    assert done.keys == len(ODD)
    assert len(done.lost) == 1
    written = result.read_bytes()
    assert all(record in written for record in ODD)
