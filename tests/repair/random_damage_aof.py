"""Random damage of AOFs, and what a repair has to make of it.

    python -m tests.repair.random_damage_aof FILE... [--count N] [--seed N] [--server PROGRAM]

The damages are those of ``random_damage``. An AOF has no checksum: what a repair keeps has to be commands of the original,
in their order, or such of which bytes were hit that no size and no name depends on. The result has to be valid, and what
was valid has to come out as it is. Prints a line of JSON a kind of damage.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from server import run_server, tools_of

from rdbtool.core.errors import RdbToolError
from rdbtool.operations.repair.run import repair
from rdbtool.operations.validate.run import validate
from rdbtool.reader.aof.batches import CommandBatch
from rdbtool.reader.aof.reader import open_aof
from repair.random_damage import CHECKS, KINDS, Damaged

Argv = tuple[bytes, ...]


class Log(NamedTuple):
    """An AOF: its name, its bytes, and its commands with where they begin; ``begin`` is where the first one does."""

    name: str
    data: bytes
    commands: list[tuple[Argv, int]]
    begin: int


class Result(NamedTuple):
    """What a repair left: ``wrong`` is what it should not have done."""

    hit: int
    lost: int
    wrong: list[str]


def commands_of(data: bytes) -> list[tuple[Argv, int]]:
    """Return the commands of an AOF, with their offsets."""
    with open_aof(data) as reader:
        return [
            each
            for batch in reader.batches()
            if isinstance(batch, CommandBatch)
            for each in zip(batch.argvs, batch.offsets, strict=True)
        ]


def load(path: Path) -> Log:
    """Read an original."""
    data = path.read_bytes()
    commands = commands_of(data)
    return Log(str(path), data, commands, commands[0][1] if commands else len(data))


def is_changed(one: Argv, other: Argv) -> bool:
    """Whether a command may be another one of which bytes were hit."""
    return len(one) == len(other) and all(len(a) == len(b) for a, b in zip(one, other, strict=True))


def judge(log: Log, damaged: Damaged, directory: Path) -> Result:
    """Repair a damaged AOF and look at the result, which is left in ``out.aof``."""
    source, result = directory / "in.aof", directory / "out.aof"
    source.write_bytes(damaged.data)
    result.unlink(missing_ok=True)
    stops = [at for _, at in log.commands[1:]] + [len(log.data)]
    hit = {
        index
        for index, ((_, at), stop) in enumerate(zip(log.commands, stops, strict=True))
        if any(at < last and first < stop for first, last in damaged.hit)
    }
    try:
        done = repair(str(source), str(result))
    except RdbToolError as error:
        return Result(len(hit), len(log.commands), [f"refused: {error}"])
    if not done.is_saved:
        return Result(len(hit), len(log.commands), [] if not result.exists() else ["nothing is saved, and written"])
    data = result.read_bytes()
    verdict = validate(data, CHECKS)
    unknown = {"CMD201"}
    wrong = [
        f"invalid: {row.code} {row.message}"
        for row in verdict.findings
        if row.severity == "error" and row.code not in unknown
    ]
    if validate(damaged.data, CHECKS).answer == "valid" and data != damaged.data:
        wrong.append("it was valid, and is not what it was")
    places: dict[Argv, list[int]] = defaultdict(list)
    for index, (argv, _) in enumerate(log.commands):
        places[argv].append(index)
    kept = set()
    for argv, _ in commands_of(data):
        index = next((index for index in places.get(argv, ()) if index not in kept), -1)
        if index < 0:
            index = next((at for at in hit - kept if is_changed(argv, log.commands[at][0])), -1)
        if index >= 0:
            kept.add(index)
        # A doubled block doubles commands: nothing says that they were not given twice.
        elif argv not in places:
            wrong.append(f"a command that was not there: {argv!r}"[:200])
    return Result(len(hit), len(log.commands) - len(kept), wrong)


def main() -> None:
    """Run so many damages by hand."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--server", help="a program that has to load every result")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    logs = [load(path) for path in options.files]
    rng = random.Random(options.seed)
    kinds = list(KINDS)
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0, 0])
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        for number in range(options.count):
            kind = kinds[number % len(kinds)]
            log = logs[number // len(kinds) % len(logs)]
            damaged = KINDS[kind](log.data, rng)
            found = judge(log, damaged, directory)
            row = counts[kind]
            if options.server and (directory / "out.aof").exists():
                files = {"appendonly.aof": directory / "out.aof"}
                with run_server(tools_of(options.server), "--appendonly", "yes", files=files):
                    row[4] += 1
            for index, value in enumerate((1, found.hit, found.lost, len(found.wrong))):
                row[index] += value
            if options.verbose and (found.lost > found.hit + 3 or found.wrong):
                print(log.name, kind, damaged.hit, f"hit {found.hit}, lost {found.lost}", *found.wrong[:3], sep="; ")
    for kind, (times, hit, lost, wrong, loaded) in counts.items():
        print(json.dumps({"kind": kind, "damages": times, "hit": hit, "lost": lost, "wrong": wrong, "loaded": loaded}))


if __name__ == "__main__":
    main()
