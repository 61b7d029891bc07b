"""Random damage of six kinds, and text mode, to AOFs that servers wrote: what repair makes of it.

A small sample is drawn anew each time; the seed is part of what a failure says. DAMAGES is how often each kind is
tried on each file, DAMAGE_SEED draws the same sample again.
"""

from __future__ import annotations

import os
import random
import re
import statistics
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

import pytest
import server
from aof.logs import FIXTURES, write_log

from rdbtool.core.errors import UnsupportedError
from rdbtool.operations.repair.report import RepairOptions
from rdbtool.operations.repair.run import repair
from rdbtool.operations.validate.run import validate
from rdbtool.operations.validate.verdict import Checks
from rdbtool.reader.aof.reader import open_aof

TIMES = int(os.environ.get("DAMAGES", "1"))
SEED = int(os.environ.get("DAMAGE_SEED", str(time.time_ns() % 1_000_000)))

#: Damages of a file from which on a mean is one.
_MANY = 4

CHECKS = Checks(replay=False, databases=1 << 64)
OPTIONS = RepairOptions(drop_unknown=True)

Argv = tuple[bytes, ...]

#: AOFs of servers without an RDB in front, whose own damage is another matter.
FILES = {
    path.relative_to(FIXTURES).as_posix(): path
    for path in sorted(FIXTURES.glob("*-[0-9]*/**/*.aof"))
    if path.stat().st_size > 1000 and path.read_bytes()[:5] != b"REDIS"
}

#: Those that the server of continuous integration can read.
LOADABLE = [name for name in FILES if name.startswith(("redis-2.8", "redis-7.0.15"))]


class Damage(NamedTuple):
    """Damaged bytes, and the ranges of the original that were hit."""

    data: bytes
    hit: list[tuple[int, int]]


def flips(data: bytes, rng: random.Random) -> Damage:
    changed, hit = bytearray(data), []
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(data))
        changed[at] ^= 1 << rng.randrange(8)
        hit.append((at, at + 1))
    return Damage(bytes(changed), hit)


def page(byte: bytes) -> Callable[[bytes, random.Random], Damage]:
    def damage(data: bytes, rng: random.Random) -> Damage:
        size = rng.choice([64, 512, 4096])
        at = rng.randrange(len(data))
        stop = min(len(data), at + size)
        return Damage(data[:at] + byte * (stop - at) + data[stop:], [(at, stop)])

    return damage


def cut(data: bytes, rng: random.Random) -> Damage:
    at = rng.randrange(len(data))
    return Damage(data[:at], [(at, len(data))])


def hole(data: bytes, rng: random.Random) -> Damage:
    at = rng.randrange(len(data))
    stop = min(len(data), at + rng.choice([1, 16, 512]))
    return Damage(data[:at] + data[stop:], [(at, stop)])


def swapped(data: bytes, rng: random.Random) -> Damage:
    size = min(512, len(data) // 4)
    first = rng.randrange(len(data) - 2 * size)
    second = rng.randrange(first + size, len(data) - size + 1)
    edges = [first, first + size, second, second + size]
    a, b = data[first : first + size], data[second : second + size]
    whole = data[:first] + b + data[first + size : second] + a + data[second + size :]
    return Damage(whole, [(edge - 1, edge + 1) for edge in edges])


def doubled(data: bytes, rng: random.Random) -> Damage:
    size = rng.choice([16, 512])
    at = rng.randrange(len(data) - size)
    stop = at + size
    return Damage(data[:stop] + data[at:stop] + data[stop:], [(at - 1, at + 1), (stop - 1, stop + 1)])


KINDS: dict[str, Callable[[bytes, random.Random], Damage]] = {
    "flips": flips,
    "zeros": page(b"\0"),
    "ones": page(b"\xff"),
    "cut": cut,
    "hole": hole,
    "swapped": swapped,
    "doubled": doubled,
}


def read(path: Path) -> list[tuple[int, Argv]]:
    with open_aof(str(path)) as reader:
        return [(command.offset, command.argv) for command in reader.commands()]


def encode(argv: Argv) -> bytes:
    return b"*%d\r\n" % len(argv) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in argv)


def spelled(argv: Argv) -> bytes:
    """Return a pattern for a command as a server reads it."""
    parts = [rb"\$%d\r*\n%b\r\n" % (len(word), re.escape(word)) for word in argv]
    return rb"\*%d\r*\n" % len(argv) + b"".join(parts)


def is_mended(argv: Argv, data: bytes) -> bool:
    """Whether data has a command but for one byte."""
    record = encode(argv)
    half = len(record) // 2
    for part, back in ((record[:half], 0), (record[half:], half)):
        for match in re.finditer(re.escape(part), data):
            start = match.start() - back
            there = data[max(0, start) : start + len(record)]
            if len(there) == len(record) and sum(map(int.__ne__, there, record)) == 1:
                return True
    return False


def hit_by(damage: Damage, rows: list[tuple[int, Argv]]) -> int:
    """Count the commands that damage touches."""
    spans = [(at, at + len(encode(argv))) for at, argv in rows]
    return sum(any(start < b and a < stop for a, b in damage.hit) for start, stop in spans)


def compare(damage: Damage, rows: list[tuple[int, Argv]], directory: Path) -> int:
    """Repair, check what came of it, and return how many commands more are lost than those that were hit.

    A transaction that is cut is lost as a whole.
    """
    source, result = directory / "in.aof", directory / "out.aof"
    result.unlink(missing_ok=True)
    source.write_bytes(damage.data)
    valid = validate(str(source), CHECKS)
    done = repair(str(source), str(result), OPTIONS)
    if not done.is_saved:
        return len(rows) - hit_by(damage, rows)
    again = validate(str(result), CHECKS)
    assert (again.answer, again.counts["error"]) == ("valid", 0)
    is_cut = any(finding.code == "CMD206" for finding in valid.findings)
    if valid.answer == "valid" and not is_cut:
        assert result.read_bytes() == damage.data
    kept = [argv for _, argv in read(result)]
    assert done.commands == len(kept)
    original = {argv for _, argv in rows}
    for argv in set(kept) - original:
        # A value that was hit and is framed soundly: nobody can tell. It is what the damaged file says to a server,
        # which accepts other line ends after a count or a size; another byte of its framing may be mended, too.
        assert re.search(spelled(argv), damage.data) is not None or is_mended(argv, damage.data)
    missing = Counter(argv for _, argv in rows) - Counter(kept)
    cuts = [(lost.start, lost.stop) for lost in done.lost if lost.code == "REP008"]
    return sum(missing.values()) - hit_by(damage._replace(hit=[*damage.hit, *cuts]), rows)


@pytest.mark.parametrize("kind", KINDS)
def test_no_more_than_a_neighbour_is_lost(kind: str, tmp_path: Path) -> None:
    """On average over the files, beside the commands that are damaged, and for each place of damage."""
    lost, places = {}, 0
    for name, path in FILES.items():
        data, rows = path.read_bytes(), read(path)
        for index in range(TIMES):
            rng = random.Random(f"{SEED} {name} {kind} {index}")
            damage = KINDS[kind](data, rng)
            lost[name, index] = compare(damage, rows, tmp_path)
            places += len(damage.hit)
    said = f"DAMAGE_SEED={SEED}: {lost}"
    assert statistics.median(lost.values()) <= places / len(lost), said
    if TIMES >= _MANY:
        # The mean of a few says nothing: where two places of damage are near each other, what is between them is lost.
        assert sum(lost.values()) <= places, said


def is_undecided(argv: Argv, *, to_lf: bool) -> bool:
    """Whether a value has line ends of both kinds, of which text mode changes one."""
    values = [value.replace(b"\r\n", b"") for value in argv if b"\r\n" in value]
    return any(b"\n" in value for value in values) or (not to_lf and any(b"\r\n" in value for value in argv))


@pytest.mark.parametrize("kind", ["dos2unix", "unix2dos", "Latin-1"])
@pytest.mark.parametrize("name", FILES)
def test_text_mode_is_undone(name: str, kind: str, tmp_path: Path) -> None:
    data, rows = FILES[name].read_bytes(), read(FILES[name])
    changed = {
        "dos2unix": lambda: data.replace(b"\r\n", b"\n"),
        "unix2dos": lambda: data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"),
        "Latin-1": lambda: data.decode("latin-1").encode(),
    }[kind]()
    (tmp_path / "in.aof").write_bytes(changed)
    repair(str(tmp_path / "in.aof"), str(tmp_path / "out.aof"), OPTIONS)
    kept = Counter(argv for _, argv in read(tmp_path / "out.aof"))
    original = Counter(argv for _, argv in rows)
    assert not kept - original
    decided = original
    if kind != "Latin-1":
        decided = Counter(argv for _, argv in rows if not is_undecided(argv, to_lf=kind == "dos2unix"))
    assert sum((decided - kept).values()) <= 2 * sum((original - decided).values())
    if decided == original:
        assert (tmp_path / "out.aof").read_bytes() == data


@pytest.mark.parametrize("mark", range(1, 256, 6))
def test_what_is_between_two_damages_is_kept(mark: int, tmp_path: Path) -> None:
    """Also if the mark of the record after it was hit: the rest of its head says what it is."""
    rows: list[Argv] = [(b"SET", b"k%d" % at, b"v" * at) for at in range(40)]
    data = bytearray(b"".join(encode(row) for row in rows))
    first, second = (data.index(encode(rows[at])) for at in (10, 30))
    data[first + 4 : first + 30] = b"?" * 26
    data[second] ^= mark
    (tmp_path / "in.aof").write_bytes(data)
    repair(str(tmp_path / "in.aof"), str(tmp_path / "out.aof"), OPTIONS)
    kept = [argv for _, argv in read(tmp_path / "out.aof")]
    assert kept == [*rows[:10], *rows[11:30], *rows[31:]]


@pytest.mark.parametrize("hit", [5, 7, 9, 11])
def test_long_arguments_beside_damage_are_kept(hit: int, tmp_path: Path) -> None:
    """Those before it, those after it, and one whose own end is damaged is lost alone."""
    long = b"v" * ((1 << 20) + 7)
    rows: list[Argv] = [(b"SET", b"k%d" % at, b"v" * at) for at in range(16)]
    rows[6], rows[8], rows[11] = (
        (b"RPUSH", b"k", long, b""),
        (b"HSET", b"h", b"f", long, b"g", b""),
        (b"SET", b"s", long),
    )
    starts = [sum(len(encode(row)) for row in rows[:at]) for at in range(17)]
    data = bytearray(b"".join(map(encode, rows)))
    at = starts[hit] + 1 if hit != 11 else starts[hit + 1] - 2
    data[at : at + 2] = b"??"
    (tmp_path / "in.aof").write_bytes(data)
    repair(str(tmp_path / "in.aof"), str(tmp_path / "out.aof"), OPTIONS)
    kept = [argv for _, argv in read(tmp_path / "out.aof")]
    assert kept == [row for index, row in enumerate(rows) if index != hit]


@pytest.mark.parametrize("byte", [b"\0", b"\xff"])
def test_the_first_page_is_blank(byte: bytes, tmp_path: Path) -> None:
    data = b"".join(encode((b"SET", b"k%d" % at, b"v")) for at in range(600))
    (tmp_path / "in.aof").write_bytes(byte * 4096 + data[4096:])
    done = repair(str(tmp_path / "in.aof"), str(tmp_path / "out.aof"), OPTIONS)
    assert len(done.lost) == 1
    assert (tmp_path / "out.aof").read_bytes() == data[data.index(b"*3\r\n", 4096) :]
    # What has no command anywhere is no AOF.
    (tmp_path / "in.aof").write_bytes(byte * 9000)
    with pytest.raises(UnsupportedError):
        repair(str(tmp_path / "in.aof"), str(tmp_path / "none.aof"), OPTIONS)


@pytest.mark.server
def test_a_server_loads_the_result(
    start_server: Callable[..., AbstractContextManager[server.Server]], tmp_path: Path
) -> None:
    part = "appendonly.aof.1.incr.aof"
    empty = {"appendonly.aof.1.base.aof": b"", part: b""}
    with start_server(
        files={"appendonlydir": write_log(tmp_path / "log", empty).parent},
        config={"appendonly": "yes", "aof-load-truncated": "no"},
    ) as running:
        for name in LOADABLE:
            data = FILES[name].read_bytes()
            for kind, damage in KINDS.items():
                for index in range(TIMES):
                    rng = random.Random(f"{SEED} {name} {kind} {index}")
                    (tmp_path / "in.aof").write_bytes(damage(data, rng).data)
                    (tmp_path / "out.aof").unlink(missing_ok=True)
                    if repair(str(tmp_path / "in.aof"), str(tmp_path / "out.aof"), OPTIONS).is_saved:
                        result = (tmp_path / "out.aof").read_bytes()
                        (running.directory / "appendonlydir" / part).write_bytes(result)
                        assert running.client("DEBUG", "LOADAOF") == b"OK", (
                            f"DAMAGE_SEED={SEED}: {name}: {kind} {index}"
                        )
