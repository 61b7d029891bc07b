"""Measure the replay of AOFs that change what they hold, beside redis-server loading the same files.

    python benchmarks/changing.py [--cache DIRECTORY] [--scale 1] [--runs 7] [--only KIND]

For each kind of ``gen_changing.py``, and ``mixed`` (``gen_commands.py``, which only adds): CPU time until the dataset
stands, the median of interleaved runs, its ratio to the server's, and the peak of the replay's own memory over
``used_memory``.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from pathlib import Path

from run import HERE, REPLAY, Usage, cache_directory, make_log, measure

KINDS = ("counters", "transactions", "leaderboards", "queues", "streams", "hashes")


def make(directory: Path, kind: str, scale: int) -> Path:
    """Return the AOF of a kind; it is written unless it is there."""
    if kind == "mixed":
        return make_log(directory, scale)
    target = directory / f"{kind}-{scale}.aof"
    if not target.exists():
        with target.open("wb") as file:
            subprocess.run([sys.executable, str(HERE / "gen_changing.py"), kind, str(scale)], stdout=file, check=True)
    return target


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the replay of AOFs that change what they hold.")
    parser.add_argument("--cache", type=Path, help="keep the data here for the next time")
    parser.add_argument("--scale", type=int, default=1)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--only", help="only this kind")
    options = parser.parse_args()
    kinds = [kind for kind in ("mixed", *KINDS) if options.only in (None, kind)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with cache_directory(options.cache) as directory:
        files = {kind: make(directory, kind, options.scale) for kind in kinds}
        ours: dict[str, list[Usage]] = {kind: [] for kind in kinds}
        servers: dict[str, list[Usage]] = {kind: [] for kind in kinds}
        # The first round brings files and programs into the page cache.
        for run in range(options.runs + 1):
            for kind, file in files.items():
                one = measure([sys.executable, "-c", REPLAY, str(file)], environment)
                other = measure(["server", "load", str(file)], environment)
                if run:
                    ours[kind].append(one)
                    servers[kind].append(other)
    print(f"{'':14} {'server ms':>9} {'replay ms':>9} {'ratio':>6} {'MiB':>6} {'× used_memory':>13}")
    for kind in kinds:
        server = statistics.median(usage.cpu for usage in servers[kind])
        replay = statistics.median(usage.cpu for usage in ours[kind])
        memory, used = max(u.memory for u in ours[kind]), max(u.memory for u in servers[kind])
        times = f"{server * 1000:9.0f} {replay * 1000:9.0f} {replay / server:6.2f}"
        print(f"{kind:14} {times} {memory:6.0f} {memory / used:13.2f}")


if __name__ == "__main__":
    main()
