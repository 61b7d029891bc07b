"""Count the instructions of short jobs and compare them with recorded counts, so that a loss of speed shows.

    python benchmarks/instructions.py [--only TEXT] [--tolerance 5] [--record]

A count does not depend on what else runs on the machine, so it can be compared where a time cannot. valgrind counts
(cachegrind without caches), in one process (``--jobs 1``), with ``PYTHONHASHSEED=0``: the order of Python's sets moves
a count by a few percent. Each job also runs on a tiny input; that is its start, which is compared too, and subtracted
from the count of the job.

Counts depend on the compiler and on the version of Python: ``instructions.json`` has one set per environment, and
counts without a recorded one are only printed. ``--record`` writes those of this environment. valgrind's processor has
neither SHA-1 instructions nor AVX-512: the digest counts as where these are missing. The exit code is 1 if a count is
higher than recorded by more than the tolerance in percent. If one is lower by as much, it should be recorded.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from data import HERE, RDBTOOL
from gen_changing import KINDS
from rows import DECODE, REPLAY

RECORDED: Final = HERE / "instructions.json"

#: The scales of the data that is counted, and of that which shows the start.
_WHOLE, _START = "0.02", "0.0005"

#: Words in capitals stand for files: an RDB, the AOF with the same data, an AOF that changes what it holds.
JOBS: Final = {
    "decode": ["-c", DECODE, "RDB"],
    "json": [RDBTOOL, "dump", "-f", "json", "RDB"],
    "jsonl": [RDBTOOL, "dump", "-f", "jsonl", "RDB"],
    "resp": [RDBTOOL, "dump", "-f", "resp", "RDB"],
    "validate": [RDBTOOL, "validate", "-q", "RDB"],
    "digest": [RDBTOOL, "digest", "RDB"],
    "diff": [RDBTOOL, "diff", "RDB", "RDB"],
    "framing": [RDBTOOL, "validate", "-q", "--no-replay", "AOF"],
    "replay": ["-c", REPLAY, "AOF"],
    "replay of changes": ["-c", REPLAY, "CHANGES"],
    "aof-rewrite": [RDBTOOL, "aof-rewrite", "-q", "--force", "AOF", "-o", "OUT"],
}


def environment_name() -> str:
    """Return what the counts depend on."""
    compiler = shlex.split(os.environ.get("CC", "cc"))[-1]
    told = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=True).stdout
    number = re.search(r"\d+\.\d+", told)
    family = "clang" if "clang" in told else "gcc"
    major = number[0].partition(".")[0] if number else "?"
    return f"{platform.machine()}, Python {platform.python_version()}, {family} {major}"


def make_inputs(directory: Path, scale: str) -> dict[str, str]:
    """Write the inputs, and return their paths by the words that stand for them."""
    paths = {name: str(directory / name.lower()) for name in ("RDB", "AOF", "CHANGES", "OUT")}
    made = [("AOF", "gen_commands.py", [scale])]
    made += [("CHANGES", "gen_changing.py", [kind, scale]) for kind in KINDS]
    for name, generator, words in made:
        with open(paths[name], "ab") as file:
            subprocess.run([sys.executable, str(HERE / generator), *words], stdout=file, check=True)
    words = ["convert", "-q", paths["AOF"], paths["RDB"], "--to", "rdb", "--target", "redis-7.0"]
    subprocess.run([RDBTOOL, *words], check=True)
    return paths


def count(words: list[str], paths: dict[str, str], directory: Path) -> int:
    """Return the number of instructions of a job."""
    command = [paths.get(word, word) for word in words]
    if command[0] == RDBTOOL:
        command[2:2] = ["--jobs", "1"]
    counted = directory / "counted"
    tool = ["valgrind", "--tool=cachegrind", "--cache-sim=no", f"--cachegrind-out-file={counted}", "--quiet"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment |= {"PYTHONHASHSEED": "0", "PYTHONPYCACHEPREFIX": str(directory / "pycache")}
    with open(os.devnull, "r+b") as null:
        done = subprocess.run(
            [*tool, sys.executable, *command],
            check=False,
            stdin=null,
            stdout=null,
            stderr=subprocess.PIPE,
            env=environment,
        )
    if done.returncode:
        sys.exit(f"exit code {done.returncode}: {' '.join(command)}\n{done.stderr.decode()}")
    summary = re.search(r"^summary: (\d+)", counted.read_text(), re.MULTILINE)
    assert summary is not None
    return int(summary[1])


def count_all(only: str) -> dict[str, int]:
    """Return the counts by job: of its start, and of the rest."""
    found = {}
    with tempfile.TemporaryDirectory(prefix="rdbtool-instructions-") as name:
        directory = Path(name)
        inputs = []
        for scale in (_START, _WHOLE):
            (directory / scale).mkdir()
            inputs.append(make_inputs(directory / scale, scale))
        for job, words in JOBS.items():
            if only in job:
                # The first run compiles modules.
                _, start, whole = (count(words, paths, directory) for paths in (inputs[0], *inputs))
                found |= {f"{job}: start": start, job: whole - start}
                print(f"{job:20} {start / 1e6:10.1f} {(whole - start) / 1e6:10.1f}", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Count the instructions of short jobs.")
    parser.add_argument("--only", default="", help="only jobs whose name holds this text")
    parser.add_argument("--tolerance", type=float, default=5.0, help="how many percent more are allowed (5)")
    parser.add_argument("--record", action="store_true", help="record the counts")
    options = parser.parse_args()
    recorded = json.loads(RECORDED.read_text()) if RECORDED.exists() else {}
    name = environment_name()
    print(f"{name}\n{'million instructions':20} {'start':>10} {'the rest':>10}")
    found = count_all(options.only)
    before = recorded.get(name, {})
    if options.record:
        recorded[name] = before | found
        RECORDED.write_text(json.dumps(recorded, indent=2) + "\n")
        return
    if not before:
        print("no counts are recorded for this environment")
    more = False
    for job, number in found.items():
        change = 100 * (number / before[job] - 1) if job in before else 0.0
        if abs(change) > options.tolerance:
            more = more or change > 0
            print(f"{job}: {before[job]:,} recorded, now {number:,}: {change:+.1f} %")
    sys.exit(1 if more else 0)


if __name__ == "__main__":
    main()
