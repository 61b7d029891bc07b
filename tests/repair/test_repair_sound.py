"""What repair gives its name to is valid: every corrupt payload, every cut and many flips of small sources."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sampling import IS_WHOLE, SEED, sample
from validate.payloads import KEY, PAYLOADS, Payload
from validate.sources import make_sources

from rdbtool.model import KeyRecord, StreamValue
from rdbtool.operations.repair.report import Repaired
from rdbtool.operations.repair.run import repair
from rdbtool.operations.validate.run import validate
from rdbtool.operations.validate.verdict import Checks
from rdbtool.reader.rdb import open_rdb
from tests.validate.builders import rdb, string

PEAK_MB = 192 if "RDBTOOL_SANITIZED" not in os.environ else 1 << 20

#: Ten kinds: old and new RDBs, streams, functions, plain and annotated logs, transactions, a preamble, directories.
NAMES = [
    "plain-rdb-2",
    "plain-rdb-8",
    "stream-rdb-12",
    "stream-valkey-9",
    "redis-7.0-rc-function",
    "transaction",
    "annotated",
    "function",
    "preamble",
    "parts-rdb",
]

CHECKS = Checks(replay=False, databases=1 << 64)

#: Payloads whose key can stay: elements are left out, or the value is built anew.
MENDED = {"RDB311", "RDB312", "RDB313", "RDB314", "RDB315", "RDB316", "RDB323", "RDB324"}


def repaired(data: bytes, directory: Path) -> tuple[Repaired, bytes]:
    source, result = directory / "in", directory / "out"
    source.write_bytes(data)
    done = repair(str(source), str(result))
    assert source.read_bytes() == data
    return done, result.read_bytes()


def read(data: bytes) -> dict[bytes, KeyRecord]:
    with open_rdb(data) as reader:
        return {record.key: record for record in reader}


@pytest.mark.parametrize("payload", sample(PAYLOADS, 60), ids=lambda payload: payload.name)
def test_a_corrupt_value_costs_its_key_only(payload: Payload, tmp_path: Path) -> None:
    done, data = repaired(payload.file, tmp_path)
    verdict = validate(data, CHECKS)
    assert (verdict.answer, verdict.counts["error"]) == ("valid", 0)
    kept = read(data)
    assert kept.keys() - {KEY} == {b"before", b"after"}
    if payload.code is None:
        assert data == payload.file
        return
    [lost] = done.lost
    assert (lost.key, lost.is_kept) == (KEY, KEY in kept)
    assert payload.code in MENDED or KEY not in kept or lost.is_kept


def test_a_stream_with_inconsistent_pending_entries_is_named(tmp_path: Path) -> None:
    for code in ("RDB335", "RDB336"):
        payload = next(payload for payload in PAYLOADS if payload.code == code)
        done, data = repaired(payload.file, tmp_path)
        assert read(data).keys() == {b"before", b"after"}
        assert [(lost.code, lost.key, lost.start, lost.stop) for lost in done.lost] == [
            (code, KEY, payload.start, payload.start + len(payload.record))
        ]
        (tmp_path / "out").unlink()


def test_a_length_that_lies_is_counted_anew(tmp_path: Path) -> None:
    payload = next(payload for payload in PAYLOADS if payload.name == "stream of more entries than there are")
    done, data = repaired(payload.file, tmp_path)
    value = read(data)[KEY].value
    assert isinstance(value, StreamValue)
    assert value.length == len(value.entries) > 0
    assert [(lost.code, lost.is_kept) for lost in done.lost] == [("RDB323", True)]


def test_more_refused_streams_than_are_told_at_once(tmp_path: Path) -> None:
    """Each round names a part of them, and none is left."""
    payload = next(payload for payload in PAYLOADS if payload.code == "RDB336")
    value = payload.record[payload.record.index(KEY) + len(KEY) :]
    records = [payload.record[:1] + string(b"s%d" % index) + value for index in range(1500)]
    done, data = repaired(rdb(*records, b"\x00" + string(b"k") + string(b"v")), tmp_path)
    assert read(data).keys() == {b"k"}
    assert len(done.lost) == 1500
    assert done.keys == 1


def test_functions_count_as_saved(tmp_path: Path) -> None:
    library = b"\xf5" + string(b"#!lua name=f\nredis.register_function('g', function() return 1 end)")
    broken = b"#!lua name=f\n"
    done, data = repaired(rdb(library, b"\xf5" + string(broken))[:-9] + b"\x00\x03ab", tmp_path)
    assert done.is_saved
    assert (done.functions, done.keys) == (1, 0)
    assert validate(data, CHECKS).answer == "valid"
    assert [lost.code for lost in done.lost] == ["REP003", "RDB342", "REP018"]


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return dict(make_sources(tmp_path_factory.mktemp("sources")))


@pytest.mark.parametrize("name", NAMES)
def test_any_damage_is_repaired_or_answered(name: str, sources: dict[str, Path], tmp_path: Path) -> None:
    original = sources[name]
    if original.is_dir():
        source = shutil.copytree(original, tmp_path / "log")
        damaged = [path for path in sorted(source.iterdir()) if path.stat().st_size]
    else:
        source = Path(shutil.copy(original, tmp_path / original.name))
        damaged = [source]
    child = Path(__file__).with_name("repair_child.py")
    done = subprocess.run(
        [sys.executable, child, str(0 if IS_WHOLE else SEED), tmp_path / f"out{source.suffix}", source, *damaged],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["wrong"] == []
    assert report["peak"] <= PEAK_MB
    assert report["saved"] > report["refused"]
