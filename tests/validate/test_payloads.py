"""Every class of corrupt value is validated, and named: by us on both backends, and by redis-check-rdb beside us."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from sampling import sample
from server import Tools
from validate.payloads import DB, KEY, PAYLOADS, Payload

from rdbtool.core.rdb_types import BACKENDS
from rdbtool.operations.validate.run import validate

#: What redis-check-rdb 7.0 lets pass, and why that is not good enough.
PASSED_BY_CHECK_RDB = {
    "zset listpack: score NaN": "it does not look at the scores of packed sorted sets (redis #15414)",
    "zset ziplist: score NaN": "as above",
    "zset listpack: score that is text": "as above: the member gets a score of 0",
    "zset ziplist: score that is text": "as above",
    "zset listpack: score in base 16": "it reads it; no server writes such a score, and other readers take 0",
    "old zset: number with text behind it": "it reads the number and passes over the rest",
    "zset listpack: scores that fall": "it does not look at the order: range commands answer wrongly",
    "zset listpack: names that fall": "as above",
    "stream listpack of another count": "it does not compare the count of a stream's listpack",
    "stream node with a live entry too many and a deleted one too few": "it compares the sum of both",
    "stream back length that the byte before completes": "it reads on to the left; no server writes a wider length",
    "stream of more entries than there are": "it looks at the length of streams without nodes only",
    "stream of fewer entries than there are": "as above",
    "stream of deleted entries only": "such nodes are refused since 2026",
    "stream ids that fall": "it does not compare ids: range commands answer wrongly",
    "stream entry behind the last id": "as above: the server will give the id again",
    "more entries added than a server can count": "counters are compared since 2026",
    "group that read more than a server can count": "as above",
}

#: The newest version that the installed redis-check-rdb reads.
_READ = 10


def test_there_are_enough() -> None:
    assert len(PAYLOADS) >= 95
    assert len({payload.name for payload in PAYLOADS}) == len(PAYLOADS)
    numbers = {payload.of for payload in PAYLOADS}
    classes = ["02", "01", "09", "11", "15", "30", "32", "03", "13", "45", "44", "33", "68", "26", "04", "31"]
    assert numbers.issuperset(classes)
    assert sum(name.startswith("2026") for name in numbers) + sum(name.startswith("CVE") for name in numbers) >= 12
    assert {"#15413", "#15414", "#15415"} <= numbers


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: payload.name)
def test_the_payload_is_named(payload: Payload, backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rdbtool.reader.backends.default_backend", backend)
    verdict = validate(payload.file, name="dump.rdb")
    if payload.code is None:
        assert (verdict.answer, verdict.findings, verdict.keys) == ("valid", (), 3)
        return
    assert verdict.answer == "invalid"
    # That values of modules are not validated in full, and need their module, is noted as well.
    [finding] = [row for row in verdict.findings if row.code not in {"RDB353", "RDB357"}]
    assert (finding.code, finding.severity, finding.path) == (payload.code, "error", payload.path)
    assert (finding.db, finding.key, finding.part) == (DB, KEY, "dump.rdb")
    stop = payload.start + len(payload.record)
    if payload.code == "RDB101":
        assert finding.offset == len(payload.file)
    else:
        assert payload.start <= finding.offset <= stop
    assert finding.kind is not None
    assert finding.server


@pytest.mark.parametrize("payload", sample(PAYLOADS, 40), ids=lambda payload: payload.name)
def test_redis_check_rdb_agrees(payload: Payload, redis_tools: Tools, tmp_path: Path) -> None:
    path = tmp_path / "dump.rdb"
    path.write_bytes(payload.file)
    done = subprocess.run([redis_tools.check_rdb, str(path)], capture_output=True, timeout=60, check=False)
    if payload.version > _READ:
        # It says so before it looks at the value: no judge of this one.
        assert done.returncode == 1
        assert b"Can't handle RDB format version" in done.stdout + done.stderr
        return
    is_bad = payload.code is not None and payload.name not in PASSED_BY_CHECK_RDB
    assert (done.returncode == 1) == is_bad, done.stdout.decode(errors="replace")


def test_the_table_of_disagreements_is_about_payloads() -> None:
    assert set(PASSED_BY_CHECK_RDB) <= {payload.name for payload in PAYLOADS if payload.code is not None}


def test_what_follows_a_damaged_blob_is_judged_too() -> None:
    """The string around it says where it ends."""
    damaged = [payload for payload in PAYLOADS if payload.code in {"RDB201", "RDB202", "RDB203", "RDB204"}]
    assert len(damaged) > 10
    for payload in damaged:
        verdict = validate(payload.file)
        assert (verdict.keys, verdict.checksum) == (3, "correct"), payload.name
