"""Every single-bit flip and every truncation of forty small sources: an answer, in bounded time and memory.

What has a checksum hides nothing: all flips are reported there. A log has none; there the promise is an answer.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from validate.sources import LOGS, OLD_TARGETS, SMALL, STREAM_TARGETS, make_sources

PEAK_MB = 192 if "RDBTOOL_SANITIZED" not in os.environ else 1 << 20

NAMES = [
    *(path.stem for path in SMALL),
    "plain-jsonl",
    *(f"plain-{target}" for target in OLD_TARGETS),
    *(f"stream-{target}" for target in STREAM_TARGETS),
    *LOGS,
    "preamble",
    "parts-rdb",
    "parts-plain",
]

#: RDB versions below 5 have no checksum.
WITHOUT_CHECKSUM = {"redis-2.4-without-checksum", "plain-jsonl", "plain-rdb-1", "plain-rdb-2"}


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return dict(make_sources(tmp_path_factory.mktemp("sources")))


def test_forty_of_every_kind(sources: dict[str, Path]) -> None:
    assert list(sources) == NAMES
    assert len(NAMES) >= 40


@pytest.mark.parametrize("name", NAMES)
def test_any_damage_is_answered(name: str, sources: dict[str, Path], tmp_path: Path) -> None:
    source = sources[name]
    if source.is_dir():
        copy = shutil.copytree(source, tmp_path / "log")
        arguments = [copy, *sorted(path for path in copy.iterdir() if path.stat().st_size)]
    else:
        arguments = [source, source]
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("damage_child.py"), *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["wrong"] == []
    assert report["peak"] <= PEAK_MB
    assert set(report["answers"]["cut"]) | set(report["answers"]["flip"]) <= {
        "valid",
        "invalid",
        "unsupported",
        "unanswered",
    }
    if source.suffix == ".rdb":
        # Nothing that is cut is whole.
        assert set(report["answers"]["cut"]) <= {"invalid", "unsupported"}
        if name not in WITHOUT_CHECKSUM:
            assert report["unreported"] == []
