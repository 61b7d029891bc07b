"""Single-bit flips and truncations of forty small sources, a choice of the day: an answer, in bounded time and memory.

What has a checksum hides nothing: all flips are reported there. A log has none; there the promise is an answer.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sampling import IS_WHOLE, SEED
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


#: What one process judges. A sample takes less time than the start of a process.
GROUPS = [[name] for name in NAMES] if IS_WHOLE else [NAMES[start::6] for start in range(6)]


@pytest.mark.parametrize("names", GROUPS, ids=lambda names: names[0])
def test_any_damage_is_answered(names: list[str], sources: dict[str, Path], tmp_path: Path) -> None:
    copies = [copy_of(sources[name], tmp_path) for name in names]
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("damage_child.py"), str(0 if IS_WHOLE else SEED), *copies],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for name, line in zip(names, done.stdout.splitlines(), strict=True):
        check_report(name, json.loads(line), is_rdb=sources[name].suffix == ".rdb")


def copy_of(source: Path, directory: Path) -> Path:
    copy = directory / source.name
    if source.is_dir():
        return shutil.copytree(source, copy)
    return Path(shutil.copyfile(source, copy))


def check_report(name: str, report: dict[str, Any], *, is_rdb: bool) -> None:
    assert report["wrong"] == [], name
    assert report["peak"] <= PEAK_MB, name
    answers = report["answers"]
    assert set(answers["cut"]) | set(answers["flip"]) <= {"valid", "invalid", "unsupported", "unanswered"}, name
    if is_rdb:
        # Nothing that is cut is whole.
        assert set(answers["cut"]) <= {"invalid", "unsupported"}, name
        if name not in WITHOUT_CHECKSUM:
            assert report["unreported"] == [], name
