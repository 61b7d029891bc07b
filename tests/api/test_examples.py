"""The scripts of ``examples/`` run, and print what they promise; .ci/run checks their types."""

import subprocess
import sys

import pytest
from command import FIXTURES, ROOT, environment

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
SEVEN = FIXTURES / "redis-7.0.15"
EIGHT = FIXTURES / "redis-8.0.6" / "default.rdb"

#: Arguments, exit code, and what is printed somewhere.
RUNS = {
    "iterate": ([SEVEN / "default.rdb"], 0, "the largest hash is b'h:big' with 600 fields"),
    "filter": ([SEVEN / "default.rdb", "h:sm"], 0, '"fields": {"f1": "v1", "f2": "2", "": "empty-field", "e": ""}'),
    "replay_to_moment": ([SEVEN / "aof-preamble", "flushdb", "saved.rdb"], 0, "saved.rdb: 311 keys, digest "),
    "convert": ([EIGHT, "old.rdb", "redis-6.2"], 0, "redis-6.2 loads it: valid"),
    "compare": ([SEVEN / "default.rdb", EIGHT], 1, "60 keys are the same"),
}


def test_every_example_is_run():
    assert {path.stem for path in EXAMPLES} == set(RUNS)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_run(path, tmp_path):
    arguments, code, printed = RUNS[path.stem]
    done = subprocess.run(
        [sys.executable, "-W", "error", path, *arguments],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment(),
        check=False,
    )
    assert (done.returncode, done.stderr) == (code, "")
    assert printed in done.stdout
    assert path.name in (ROOT / "examples" / "README.md").read_text()
