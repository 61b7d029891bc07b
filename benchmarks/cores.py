#!/usr/bin/env python3
"""Measure how much sooner commands end with two cores: wall-clock time with --jobs 2 over that with --jobs 1.

    python benchmarks/cores.py [--cache DIRECTORY] [--scale 4] [--runs 7]

On the data set of ``gen_commands.py``, four times: about 500 MB. The median of interleaved runs, as a Markdown table.
A machine that does something else shows nothing: the CPU time, of all processes, says what two cores could do at best.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from run import cache_directory, make_data

#: What is measured, on the file or its zstd form, and the most that two cores may take of what one takes.
ROWS = {
    "dump -f json": ("rdb", 0.6),
    "validate": ("rdb", 0.6),
    "digest": ("rdb", 0.55),
    "dump -f csv": ("rdb", None),
    "dump -f resp": ("rdb", None),
    "stats": ("rdb", None),
    "dump -f json (zstd)": ("zst", 0.65),
}


class Took(NamedTuple):
    """Seconds on the clock, and of CPU time."""

    wall: float
    cpu: float


def measure(words: list[str], jobs: int, file: Path, environment: dict[str, str]) -> Took:
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", "rdbtool", *words, "--jobs", str(jobs), str(file)]
    subprocess.run(command, stdout=subprocess.DEVNULL, env=environment, check=True)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Took(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def packed(file: Path) -> Path:
    """Return the zstd form of a file."""
    target = file.with_suffix(".rdb.zst")
    if not target.exists():
        subprocess.run(["zstd", "-q", str(file), "-o", str(target)], check=True)
    return target


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure how much sooner commands end with two cores.")
    parser.add_argument("--cache", type=Path, help="keep the data here for the next time")
    parser.add_argument("--scale", type=int, default=4)
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    took: dict[tuple[str, int], list[Took]] = {}
    with cache_directory(options.cache) as directory:
        data = make_data(directory, options.scale)
        files = {"rdb": data, "zst": packed(data)}
        # The first round brings files and programs into the page cache.
        for run in range(options.runs + 1):
            for row, (form, _) in ROWS.items():
                for jobs in (1, 2):
                    one = measure(row.removesuffix(" (zstd)").split(), jobs, files[form], environment)
                    if run:
                        took.setdefault((row, jobs), []).append(one)
    print("| command | one core, s | two cores, s | ratio | bound | CPU time, two over one |")
    print("|---|---|---|---|---|---|")
    for row, (_, bound) in ROWS.items():
        walls = [statistics.median(each.wall for each in took[row, jobs]) for jobs in (1, 2)]
        work = [statistics.median(each.cpu for each in took[row, jobs]) for jobs in (1, 2)]
        cells = (*map("{:.2f}".format, (*walls, walls[1] / walls[0])), bound or "", f"{work[1] / work[0]:.2f}")
        print(f"| {row} | {' | '.join(map(str, cells))} |")


if __name__ == "__main__":
    main()
