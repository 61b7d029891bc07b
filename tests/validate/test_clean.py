"""No false alarm: what servers wrote, and what we write for them, is clean at the deep level."""

from __future__ import annotations

from pathlib import Path

import pytest

from rdbtool.core.rdb_types import BACKENDS
from rdbtool.core.servers import Target
from rdbtool.operations.convert.convert import ConvertOptions, convert
from rdbtool.operations.validate.run import validate
from rdbtool.operations.validate.verdict import Checks, Verdict
from rdbtool.reader.rdb import open_rdb

FIXTURES = Path(__file__).parents[2] / "fixtures"
FILES = sorted(FIXTURES.glob("*/*.rdb"))

#: What is to be said of some of them.
WITHOUT_CHECKSUM = {"nocrc", "redis-2.4-without-checksum"}
REFUSED_BY_RELEASES = {"redis-7.0-rc-function"}

NOW_MS = 1_800_000_000_000


def alarms(verdict: Verdict) -> list[tuple[str, str]]:
    """Everything that is more than a note."""
    return [(finding.code, finding.severity) for finding in verdict.findings if finding.severity != "note"]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_fixtures_are_clean(path: Path, backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rdbtool.reader.backends.default_backend", backend)
    verdict = validate(path, Checks(now_ms=NOW_MS))
    expected = [("RDB361", "warning")] if path.stem in WITHOUT_CHECKSUM else []
    if path.stem in REFUSED_BY_RELEASES:
        expected = [("RDB343", "error")] * 2
    assert alarms(verdict) == expected
    assert verdict.answer == ("invalid" if path.stem in REFUSED_BY_RELEASES else "valid")
    with open_rdb(path) as reader:
        assert verdict.keys == sum(1 for _ in reader)
    assert verdict.bytes == path.stat().st_size


@pytest.mark.parametrize("target", ["redis-2.8", "redis-4.0", "redis-5.0", "redis-7.0", "redis-8.0", "valkey-9.0"])
@pytest.mark.parametrize("source", ["redis-7.0.15", "redis-8.0.6", "valkey-9.1.2"])
def test_what_we_write_is_clean(source: str, target: str, tmp_path: Path) -> None:
    path = tmp_path / "out.rdb"
    options = ConvertOptions(target=Target.parse(target), allow_loss=True)
    convert(str(FIXTURES / source / "default.rdb"), str(path), options)
    assert alarms(validate(path, Checks(now_ms=NOW_MS))) == []
