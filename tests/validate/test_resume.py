"""Validation tells every damage of an RDB, and where it went on reading: the places are those of ``repair``."""

from __future__ import annotations

import gc
import gzip
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from command import run

from rdbtool._codec.decode.window import Window
from rdbtool.core.errors import Finding
from rdbtool.operations.repair.run import repair
from rdbtool.operations.validate.run import validate
from rdbtool.operations.validate.verdict import KEPT, Checks, Verdict
from tests.validate.builders import rdb, string

_RESUMED = re.compile(r"; reading resumed at (0x[0-9a-f]+) \(([\d,]+) bytes skipped\)")


def record(index: int) -> bytes:
    return b"\x00" + string(b"user:%06d" % index) + string(b"value %06d" % index)


SIZE = len(record(0))
KEY = 13
BROKEN = b"\xee" * (SIZE - KEY)  # in place of a value: no string begins like that


def starts(data: bytes) -> list[int]:
    return [match.start() - 2 for match in re.finditer(rb"user:\d{6}", data)]


def damaged(count: int = 300, hits: tuple[int, ...] = (50, 120, 121, 250)) -> bytes:
    """Return an RDB in which the values of the records ``hits`` are damaged."""
    return hit(rdb(*map(record, range(count))), *hits)


def hit(data: bytes, *indexes: int) -> bytes:
    broken = bytearray(data)
    places = starts(data)
    for index in indexes:
        broken[places[index] + KEY : places[index] + SIZE] = BROKEN
    return bytes(broken)


def resumed(verdict: Verdict) -> list[tuple[int, int]]:
    found = [_RESUMED.search(finding.message) for finding in verdict.findings]
    return [(int(match[1], 16), int(match[2].replace(",", ""))) for match in found if match is not None]


def errors(verdict: Verdict) -> list[Finding]:
    return [finding for finding in verdict.findings if finding.severity == "error"]


def test_every_damage_is_told_with_where_reading_resumed(tmp_path: Path) -> None:
    whole = rdb(*map(record, range(300)))
    places = starts(whole)
    source = tmp_path / "in.rdb"
    source.write_bytes(damaged())
    verdict = validate(str(source))
    assert (verdict.answer, verdict.keys, verdict.by_db) == ("invalid", 296, {0: (296, 0)})
    assert [(row.code, row.offset, row.key) for row in errors(verdict)] == [
        ("RDB103", places[50] + KEY, b"user:000050"),
        ("RDB103", places[120] + KEY, b"user:000120"),
        ("RDB103", places[250] + KEY, b"user:000250"),
    ]
    assert resumed(verdict) == [(places[51], SIZE), (places[122], 2 * SIZE), (places[251], SIZE)]
    done = repair(str(source), None)
    assert [(lost.stop, lost.size) for lost in done.lost if not lost.is_kept] == resumed(verdict)
    assert done.keys == verdict.keys


def test_what_follows_damage_is_checked(tmp_path: Path) -> None:
    records = [*map(record, range(300)), record(20), b"\x02" + string(b"user:set") + b"\x02\x01a\x01a", record(400)]
    data = hit(rdb(*records), 100)
    verdict = validate(data)
    assert [row.code for row in errors(verdict)] == ["RDB103", "RDB301", "RDB311"]
    assert [row.key for row in errors(verdict)[1:]] == [b"user:000020", b"user:set"]
    # Offsets are those of the file.
    assert errors(verdict)[2].offset == data.index(b"user:set") - 2


def test_a_server_does_not_get_that_far() -> None:
    records = [*map(record, range(300)), record(20)]
    verdict = validate(hit(rdb(*records), 50, 200), Checks(level="server"))
    [error] = errors(verdict)
    assert verdict.answer == "invalid"
    assert verdict.counts["error"] == 1
    assert error.key == b"user:000050"
    assert "refuses the file" in error.server
    beyond = [row for row in verdict.findings if "does not get that far" in row.server]
    assert [(row.code, row.severity) for row in beyond] == [("RDB103", "note"), ("RDB301", "note")]


def test_the_length_of_a_record_that_takes_in_what_follows() -> None:
    data = bytearray(rdb(*map(record, range(300))))
    places = starts(data)
    # The size of its value: it ends within the next record.
    data[places[100] + 2 + 11] += 9
    verdict = validate(bytes(data))
    assert resumed(verdict) == [(places[101], SIZE)]
    assert verdict.keys == 299


@pytest.mark.parametrize("form", ["path", "bytes", "gzip"])
def test_whatever_can_be_read_again(form: str, tmp_path: Path) -> None:
    path = tmp_path / "in.rdb"
    path.write_bytes(gzip.compress(damaged()) if form == "gzip" else damaged())
    verdict = validate(damaged() if form == "bytes" else str(path))
    assert len(resumed(verdict)) == 3


def test_a_stream_is_read_once() -> None:
    verdict = validate(io.BytesIO(damaged()))
    [error] = errors(verdict)
    assert error.message.endswith("; what follows was not examined: the input can be read only once")
    assert verdict.keys == 50


def test_nothing_intact_follows() -> None:
    data = damaged(20, (10,))
    verdict = validate(data[: starts(data)[10] + SIZE])
    assert [row.message.partition("; ")[2] for row in errors(verdict)] == ["no intact record follows"]
    # Of a file that ends early, that goes without saying.
    verdict = validate(damaged(20, ())[:-20])
    assert [(row.code, ";" in row.message) for row in errors(verdict)] == [("RDB101", False)]


def test_a_wrong_checksum_only_is_no_reason_to_read_again() -> None:
    data = bytearray(damaged(20, ()))
    data[-8:] = bytes(range(1, 9))
    verdict = validate(bytes(data))
    assert [(row.code, ";" in row.message) for row in errors(verdict)] == [("RDB004", False)]
    assert verdict.is_whole


def test_a_file_full_of_damage_is_given_up() -> None:
    count = 8 * (KEPT + 100)
    verdict = validate(damaged(count, tuple(range(4, count, 8))))
    assert len(errors(verdict)) == verdict.counts["error"] == KEPT
    assert len(resumed(verdict)) == KEPT - 1
    assert errors(verdict)[-1].message.endswith("; the search for what follows was given up")
    assert verdict.keys == KEPT * 8 - 4 - (KEPT - 1)


def test_damage_holds_no_memory() -> None:
    """Each search has a window, of half a megabyte in large files: it goes without the garbage collector."""
    counts = []

    def count(_: int) -> None:
        counts.append(sum(isinstance(thing, Window) for thing in gc.get_objects()))

    gc.collect()
    # What was there before is none of ours to count, and in a process that ran other tests it is a lot.
    gc.freeze()
    gc.disable()
    try:
        validate(damaged(400, tuple(range(4, 400, 8))), progress=count)
    finally:
        gc.enable()
        gc.unfreeze()
    assert len(counts) >= 50
    assert max(counts) <= 10


def test_the_base_of_a_log(tmp_path: Path) -> None:
    (tmp_path / "appendonly.aof.1.base.rdb").write_bytes(damaged())
    (tmp_path / "appendonly.aof.1.incr.aof").write_bytes(b"*1\r\n$8\r\nFLUSHALL\r\n*x\r\n")
    (tmp_path / "appendonly.aof.manifest").write_text(
        "file appendonly.aof.1.base.rdb seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n"
    )
    verdict = validate(str(tmp_path))
    assert [(row.part, row.code) for row in errors(verdict)] == [
        *[("appendonly.aof.1.base.rdb", "RDB103")] * 3,
        ("appendonly.aof.1.incr.aof", "AOF103"),
    ]
    assert len(resumed(verdict)) == 3


def test_the_command(tmp_path: Path) -> None:
    (tmp_path / "in.rdb").write_bytes(damaged())
    ran = run("validate", "in.rdb", cwd=tmp_path)
    assert ran.code == 1
    assert b"296 readable keys" in ran.out
    [source] = json.loads(run("validate", "in.rdb", "--format", "json", cwd=tmp_path).out)["sources"]
    assert (source["keys"], source["counts"]["error"]) == (296, 3)
    assert all("reading resumed at 0x" in finding["message"] for finding in source["findings"][:3])


def test_a_valid_file_is_read_once(tmp_path: Path) -> None:
    """The walk is not even imported."""
    path = tmp_path / "in.rdb"
    path.write_bytes(damaged(20, ()))
    code = (
        "import sys; from rdbtool.operations.validate.run import validate\n"
        "assert validate(sys.argv[1]).answer == 'valid'\n"
        "assert not any('salvage' in name or 'rdb_damage' in name for name in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, path], check=True)
