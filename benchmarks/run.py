"""Measure rdbtool beside the tools of Redis on the same data, and print a table with the bounds.

    python benchmarks/run.py [--cache DIRECTORY] [--runs 7] [--group NAME]... [--only TEXT] [--markdown FILE]
                             [--peer rdb-cli=PATH] [--peer hdt3213-rdb=PATH] [--peer rdbtools-rdb=PATH]

The data is made once, by a redis-server of this machine. The runs of all rows of a group are interleaved, so that a
busy moment hits all of them. Every figure is CPU time (user and system) of the child processes as the kernel counts it,
the median of the runs; of a server that loads a log, its own count when it answers. The exit code is 1 when a bound is
not held.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from data import (
    cache_directory,
    make_changed,
    make_compressed,
    make_damaged,
    make_jsonl,
    make_log,
    make_old,
    make_other,
    make_rdb,
)
from gen_changing import KINDS
from gen_shapes import SHAPES
from measuring import Usage, measure
from rows import GROUPS, PEERS, Row

HERE = Path(__file__).parent


class Result(NamedTuple):
    """A row and what it took: the median in ms, the smallest and the largest, the ratio, the peak of memory in MiB.

    ``bounds`` are the bounds in words, and whether each is held.
    """

    row: Row
    median: float
    low: float
    high: float
    ratio: float | None
    memory: float
    bounds: tuple[tuple[str, bool], ...]


def path_of(word: str, directory: Path) -> str:
    """Return the path that a word of a command stands for, whose file is made unless it is there; else the word."""
    makers = {
        "FILE": lambda: make_rdb(directory / "mixed-1.rdb", "gen_commands.py", 1),
        "FOUR": lambda: make_rdb(directory / "mixed-4.rdb", "gen_commands.py", 4),
        "FOUR-ZST": lambda: make_compressed(Path(path_of("FOUR", directory))),
        "OTHER": lambda: make_other(Path(path_of("FILE", directory))),
        "CHANGED-1": lambda: make_changed(Path(path_of("FILE", directory)), 1),
        "CHANGED-50": lambda: make_changed(Path(path_of("FILE", directory)), 50),
        "DAMAGED": lambda: make_damaged(Path(path_of("FILE", directory))),
        "OLD": lambda: make_old(Path(path_of("FILE", directory))),
        "JSONL": lambda: make_jsonl(Path(path_of("FILE", directory))),
        "LOG": lambda: make_log(directory / "mixed-1.aof", "gen_commands.py", 1),
        "TINY": lambda: HERE.parent / "fixtures/small/redis-7.0-listpacks-stream-function.rdb",
        "OUT": lambda: directory / "out",
    }
    name, _, kind = word.partition("-")
    if name == "LOG" and kind in KINDS:
        return str(make_log(directory / f"{kind}-1.aof", "gen_changing.py", kind, 1))
    if name == "SHAPE" and kind in SHAPES:
        return str(make_rdb(directory / f"shape-{kind}.rdb", "gen_shapes.py", kind))
    return str(makers[word]()) if word in makers else word


def run_group(rows: Sequence[Row], directory: Path, runs: int, programs: Mapping[str, str]) -> list[Result]:
    """Measure the rows in turn, after one round that is not counted."""
    # Modules are compiled once, as those of an installed package are, whatever this process was told.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(directory / "pycache")
    commands = {row.name: [programs.get(word) or path_of(word, directory) for word in row.command] for row in rows}
    found: dict[str, list[Usage]] = {row.name: [] for row in rows}
    for run in range(runs + 1):
        for row in rows:
            usage = measure(commands[row.name], environment, row.accepted)
            if run:
                found[row.name].append(usage)
    (directory / "out").unlink(missing_ok=True)
    return [judge(row, found) for row in rows]


def judge(row: Row, found: dict[str, list[Usage]]) -> Result:
    """Compare what a row took with its bounds."""
    usages = found[row.name]
    times = [usage.wall if row.by_clock else usage.cpu for usage in usages]
    median = statistics.median(times)
    memory = max(usage.memory for usage in usages)
    others = found[row.ratio_to] if row.ratio_to else []
    peer = statistics.median(usage.wall if row.by_clock else usage.cpu for usage in others) if others else None
    ratio = median / peer if peer and row.max_ms is None else None
    compared = median - peer if peer and row.max_ms is not None else median
    most_mb = row.max_mb
    if row.max_of_peer is not None:
        most_mb = row.max_of_peer * max(usage.memory for usage in others)
    bounds = []
    if row.max_ratio is not None and ratio is not None:
        bounds.append((f"{row.max_ratio}", ratio <= row.max_ratio))
    if row.max_ms is not None:
        bounds.append((f"{'+' if peer else ''}{row.max_ms:.0f} ms", compared * 1000 <= row.max_ms))
    if most_mb is not None:
        bounds.append((f"{most_mb:.0f} MiB", memory <= most_mb))
    return Result(row, median * 1000, min(times) * 1000, max(times) * 1000, ratio, memory, tuple(bounds))


def text_of(results: Sequence[Result]) -> str:
    """Return the table of a group for a terminal."""
    width = max(len(result.row.name) for result in results)
    lines = [f"{'':{width}} {'ms':>7} {'spread':>13} {'ratio':>7} {'MiB':>6}  bounds"]
    for row, median, low, high, ratio, memory, bounds in results:
        spread = f"{low:.0f}–{high:.0f}"
        shown = "" if ratio is None else f"{ratio:.3f}"
        words = ", ".join(f"{text} {'held' if fine else 'BROKEN'}" for text, fine in bounds)
        lines.append(f"{row.name:{width}} {median:7.0f} {spread:>13} {shown:>7} {memory:6.0f}  {words}".rstrip())
    return "\n".join(lines)


def markdown_of(title: str, results: Sequence[Result]) -> str:
    """Return the table of a group as Markdown."""
    lines = [f"## {title}", "", "| job | ms | ratio | to | MiB | bound |", "|---|---:|---:|---|---:|---|"]
    for row, median, _, _, ratio, memory, bounds in results:
        shown = "" if ratio is None else f"{ratio:.3f}"
        words = ", ".join(text if fine else f"**{text}: not held**" for text, fine in bounds)
        lines.append(f"| {row.name} | {median:.0f} | {shown} | {row.ratio_to or ''} | {memory:.0f} | {words} |")
    return "\n".join(lines) + "\n"


#: What stands above the tables.
_PREFACE = """# Performance

Made by `python benchmarks/run.py --markdown docs/performance.md`; how it is measured stands in `benchmarks/README.md`.
CPU time, user and system, of whole processes, start included; medians of {runs} runs that took turns. Ratios compare
between machines, times do not. `bound` is what the project wants to hold.

{cores} cores, {machine}, Python {python}. The RDB has 882,060 keys and 125 MB; the AOF is the same as 921,200 commands
in 202 MB.
"""


def chosen_groups(
    names: Sequence[str] | None, only: str | None, peers: Mapping[str, str]
) -> Iterator[tuple[str, list[Row]]]:
    """Yield the titles and rows to measure; with a row always what it is compared with."""
    groups = [(title, rows) for name, (title, rows) in GROUPS.items() if not names or name in names]
    groups += [(f"Beside {name}", PEERS[name]) for name in peers]
    for title, rows in groups:
        chosen = [row for row in rows if not only or only in row.name]
        others = {row.ratio_to for row in chosen}
        chosen = [row for row in rows if row in chosen or row.name in others]
        if chosen:
            yield title, chosen


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure rdbtool beside the tools of Redis.")
    parser.add_argument("--cache", type=Path, help="keep the data here for the next time")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--group", action="append", choices=list(GROUPS), help="only these parts of the table")
    parser.add_argument("--only", help="only rows whose name holds this text, and what they are compared with")
    parser.add_argument(
        "--peer", action="append", default=[], metavar="NAME=PATH", help=f"also measure one of: {', '.join(PEERS)}"
    )
    parser.add_argument("--markdown", type=Path, help="write the tables to a file, too")
    options = parser.parse_args()
    peers = dict(word.partition("=")[::2] for word in options.peer)
    if unknown := peers.keys() - PEERS.keys():
        parser.error(f"--peer: {', '.join(unknown)}: not one of {', '.join(PEERS)}")
    facts = {"runs": options.runs, "cores": os.cpu_count(), "machine": platform.machine()}
    pages = [_PREFACE.format(python=platform.python_version(), **facts)]
    is_held = True
    with cache_directory(options.cache) as directory:
        for title, rows in chosen_groups(options.group, options.only, peers):
            results = run_group(rows, directory, options.runs, peers)
            print(f"{title}\n{text_of(results)}\n", flush=True)
            pages.append(markdown_of(title, results))
            is_held = is_held and all(fine for result in results for _, fine in result.bounds)
    if options.markdown is not None:
        options.markdown.write_text("\n".join(pages))
    sys.exit(0 if is_held else 1)


if __name__ == "__main__":
    main()
