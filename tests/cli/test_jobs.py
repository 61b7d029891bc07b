"""--jobs: how many cores, and that it shows in nothing but time. See also tests/reader/test_ranges.py."""

from __future__ import annotations

import os

import pytest
from support.command import FIXTURES, run

from rdbtool.operations.validate import batch


def test_how_many(tmp_path):
    assert run("digest", FIXTURES / "redis-7.0.15/default.rdb", "--jobs", "0").code == 2
    assert run("digest", FIXTURES / "redis-7.0.15/default.rdb", "--jobs", "100").code == 0


@pytest.mark.parametrize("form", ["text", "json", "github", "junit"])
def test_several_files(monkeypatch, tmp_path, form):
    monkeypatch.setattr(batch, "_LARGE", 1)
    files = [
        FIXTURES / "redis-7.0.15/default.rdb",
        tmp_path / "missing.rdb",
        FIXTURES / "damaged/cut-tail.aof",
        FIXTURES / "cases/damage/pages.rdb",
        FIXTURES / "valkey-9.1.2/default.rdb",
    ]
    alone, beside = (run("validate", "--format", form, *files, "--jobs", jobs) for jobs in "13")
    assert beside == alone
    assert beside.code == 1


def test_they_are_read_in_other_processes(monkeypatch):
    monkeypatch.setattr(batch, "_LARGE", 1)
    monkeypatch.setattr(batch, "validate_input", lambda *_, **__: os.getpid())
    files = [str(FIXTURES / "redis-7.0.15/default.rdb"), "-", str(FIXTURES / "valkey-9.1.2/default.rdb")]
    with batch.at_most(2):
        one, two, three = batch.validate_all(files, None, progress=pytest.MonkeyPatch.context)
    assert two == os.getpid()
    assert os.getpid() not in {one, three}
