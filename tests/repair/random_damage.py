"""Random damage of RDB files, and what a repair has to make of it.

    python -m tests.repair.random_damage FILE... [--count N] [--seed N] [--server FILE=PROGRAM]...

Each of so many damages hits one of the files. What is repaired has to be valid, to hold no key that the original has
not, and no value that no record of that key in the original has; what is valid before has to come out as it is. Bytes
of a string that were hit can be anything, and where only the checksum knows, the repair has to say so. Prints a line of
JSON a kind of damage: how many there were, how many records they hit, and how many were lost.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from server import run_server, tools_of

from rdbtool.core.errors import RdbToolError
from rdbtool.model import KeyRecord, StreamValue
from rdbtool.operations.repair.run import repair
from rdbtool.operations.validate.run import validate
from rdbtool.operations.validate.verdict import Checks
from rdbtool.reader.rdb import open_rdb

PAGE = 4096
#: Kinds with values of which every byte can be anything.
IN_PLACE = {"string", "list", "set", "zset", "hash", "stream"}

CHECKS = Checks(databases=1 << 64)


class Damaged(NamedTuple):
    """Data, and the ranges of the original that are not in it as they were, or not where they were."""

    data: bytes
    hit: list[tuple[int, int]]


def flip(data: bytes, rng: random.Random) -> Damaged:
    """Flip up to four bits."""
    changed = bytearray(data)
    places = sorted(rng.sample(range(len(data)), rng.randrange(1, 5)))
    for at in places:
        changed[at] ^= 1 << rng.randrange(8)
    return Damaged(bytes(changed), [(at, at + 1) for at in places])


def overwrite(data: bytes, rng: random.Random, byte: bytes) -> Damaged:
    """Overwrite a page, or a piece of one in a small file."""
    size = min(PAGE, max(1, len(data) // 8))
    at = rng.randrange(0, len(data), size)
    stop = min(len(data), at + size)
    return Damaged(data[:at] + byte * (stop - at) + data[stop:], [(at, stop)])


def cut(data: bytes, rng: random.Random) -> Damaged:
    """Cut off the end, or a piece out of the middle."""
    at = rng.randrange(len(data))
    stop = len(data) if rng.random() < 0.5 else min(len(data), at + rng.randrange(1, PAGE))
    return Damaged(data[:at] + data[stop:], [(at, stop)])


def _blocks(data: bytes, rng: random.Random) -> tuple[int, int, int]:
    """Return the size of blocks, and where two of them begin."""
    size = min(PAGE, max(1, len(data) // 8))
    first, second = sorted(rng.sample(range(0, len(data) - size + 1, size), 2))
    return size, first, second


def swap(data: bytes, rng: random.Random) -> Damaged:
    """Swap two blocks."""
    size, a, b = _blocks(data, rng)
    first, second = data[a : a + size], data[b : b + size]
    changed = data[:a] + second + data[a + size : b] + first + data[b + size :]
    return Damaged(changed, [(a, a + size), (b, b + size)])


def double(data: bytes, rng: random.Random) -> Damaged:
    """Write a block twice, one after the other."""
    size, a, _ = _blocks(data, rng)
    return Damaged(data[: a + size] + data[a:], [(a + size - 1, a + size + 1)])


def text_mode(data: bytes, rng: random.Random) -> Damaged:
    """Write CR LF for each LF, or UTF-8 for Latin-1."""
    is_utf8 = rng.random() < 0.5
    return Damaged(data.decode("latin-1").encode() if is_utf8 else data.replace(b"\n", b"\r\n"), [])


KINDS: dict[str, Callable[[bytes, random.Random], Damaged]] = {
    "flips": flip,
    "NULs": lambda data, rng: overwrite(data, rng, b"\0"),
    "0xff": lambda data, rng: overwrite(data, rng, b"\xff"),
    "cut": cut,
    "swapped": swap,
    "doubled": double,
    "text mode": text_mode,
}


class Original:
    """A file and what it holds. ``values``: what a record of a key says."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self.data = path.read_bytes()
        self.records = read(self.data)
        self.values: dict[tuple[int, bytes], list[object]] = defaultdict(list)
        for record in self.records:
            self.values[record.db, record.key].append(said_by(record))

    def hit(self, ranges: list[tuple[int, int]]) -> set[tuple[int, bytes]]:
        """Return the keys of records that lie in ranges which are damaged."""
        return {
            (record.db, record.key)
            for record in self.records
            if any((record.start or 0) < stop and start < (record.stop or 0) for start, stop in ranges)
        }


class Result(NamedTuple):
    """What a repair left: ``wrong`` is what it should not have done."""

    lost: int
    wrong: list[str]


def read(data: bytes) -> list[KeyRecord]:
    """Return all records of an RDB."""
    with open_rdb(data) as reader:
        return list(reader)


def said_by(record: KeyRecord) -> object:
    """Return what a record says of its key, in whatever form."""
    value = record.value
    said = (value.entries, value.last_id) if isinstance(value, StreamValue) else value
    return said, record.expire_at_ms


def compare(original: Original, damaged: Damaged, directory: Path) -> Result:
    """Repair damaged data and look at the result, which is left in ``out.rdb``."""
    source, result = directory / "in.rdb", directory / "out.rdb"
    source.write_bytes(damaged.data)
    result.unlink(missing_ok=True)
    try:
        done = repair(str(source), str(result))
    except RdbToolError as error:
        return Result(len(original.records), [f"refused: {error}"])
    if not done.is_saved:
        return Result(len(original.records), [] if not result.exists() else ["nothing is saved, and it was written"])
    data = result.read_bytes()
    verdict = validate(data, CHECKS)
    wrong = [f"invalid: {row.code} {row.message}" for row in verdict.findings if row.severity == "error"]
    if validate(damaged.data, CHECKS).answer == "valid" and data != damaged.data:
        wrong.append("it was valid, and is not what it was")
    is_said = any(row.code in {"REP007", "REP018"} for row in done.lost)
    hit = original.hit(damaged.hit)
    kept = set()
    for record in read(data):
        name = record.db, record.key
        values = original.values.get(name)
        if values is None and not (is_said and any(are_alike(name, one) for one in hit - kept)):
            wrong.append(f"a key that was not there: {name}")
        elif values is None:
            continue
        elif said_by(record) not in values and not (is_said and name in hit and record.kind in IN_PLACE):
            wrong.append(f"a value that was not there: {name}")
        else:
            kept.add(name)
    return Result(len(original.values) - len(kept), wrong)


def are_alike(name: tuple[int, bytes], other: tuple[int, bytes]) -> bool:
    """Whether keys differ by a few bytes: only the checksum knows that a key was hit."""
    different = sum(a != b for a, b in zip(name[1], other[1], strict=False))
    return name[0] == other[0] and len(name[1]) == len(other[1]) and different <= 2


def make(count: int, originals: list[Original], seed: int) -> Iterator[tuple[str, Original, Damaged]]:
    """Make so many damages, of all kinds and files in turn."""
    rng = random.Random(seed)
    kinds = list(KINDS)
    for index in range(count):
        kind = kinds[index % len(kinds)]
        original = originals[index // len(kinds) % len(originals)]
        yield kind, original, KINDS[kind](original.data, rng)


def main() -> None:
    """Run so many damages by hand."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--server", action="append", default=[], help="FILE=PROGRAM: load what became of it there")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    servers = dict(pair.split("=", 1) for pair in options.server)
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0, 0])
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        for kind, original, damaged in make(options.count, [Original(path) for path in options.files], options.seed):
            lost, wrong = compare(original, damaged, directory)
            row = counts[kind]
            hit = len(original.hit(damaged.hit))
            result = directory / "out.rdb"
            if original.name in servers and result.exists():
                with run_server(tools_of(servers[original.name]), files={"dump.rdb": result}):
                    row[4] += 1
            for index, number in enumerate((1, hit, lost, len(wrong))):
                row[index] += number
            if options.verbose and (lost > hit + 3 or wrong):
                print(original.name, kind, damaged.hit, f"hit {hit}, lost {lost}", *wrong[:3], sep="; ")
    for kind, (times, hit, lost, wrong, loaded) in counts.items():
        print(json.dumps({"kind": kind, "damages": times, "hit": hit, "lost": lost, "wrong": wrong, "loaded": loaded}))


if __name__ == "__main__":
    main()
