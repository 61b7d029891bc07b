"""Two files that are read side by side: the same result as if they are read one after the other, or the same error."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest
from command import FIXTURES
from diff import data
from many_keys import TINY, snapshot

from rdbtool._codec.filters.selection import Selection
from rdbtool._codec.sinks.key_pairs import OutOfStepError
from rdbtool.core.errors import RdbToolError
from rdbtool.core.limits import limited
from rdbtool.core.servers import Target
from rdbtool.model import (
    HashValue,
    KeyRecord,
    ListValue,
    SetValue,
    StringValue,
    Value,
    ZSetValue,
)
from rdbtool.operations.diff.compare import Comparison, DiffOptions, open_diff
from rdbtool.reader.rdb import RdbReader

SEVEN, EIGHT = Target.parse("redis-7.0"), Target.parse("redis-8.0")
OTHER = Target.parse("valkey-9.0")
LATER: Final = 4102444800000


FIXTURE_FILES = sorted(FIXTURES.glob("*/default.rdb"))
MODULE_FILES = sorted(path for path in FIXTURES.rglob("*.rdb") if "module" in path.stem)


def random_files(seed: str) -> Iterator[Path]:
    yield from Random(seed).sample(FIXTURE_FILES, min(4, len(FIXTURE_FILES)))


def value_of(random: Random, number: int) -> Value:
    size = random.choice([1, 3, 40])
    match number % 6:
        case 0:
            return StringValue(random.choice([b"%d" % number, b"text " * size, random.randbytes(size)]))
        case 1:
            return ListValue([b"%d" % at for at in range(size)])
        case 2:
            return SetValue([b"%d" % (at * number) for at in range(size)] if number else [b"m"])
        case 3:
            return HashValue([(b"f%d" % at, b"v%d" % number) for at in range(size)])
        case 4:
            return ZSetValue([(b"m%d" % at, at + number / 4) for at in range(size)])
        case _:
            return data.make_value(random, SEVEN, "stream")


def records_of(count: int, seed: int = 1) -> list[KeyRecord]:
    random = Random(seed)
    return [
        KeyRecord(
            db=0 if number < count // 2 else 3,
            # Some are longer than those that wait for their look-up.
            key=b"key:%d" % number + b"-" * (200 if number % 100 == 7 else 0),
            value=value_of(random, number),
            expire_at_ms=LATER + number if number % 7 == 0 else None,
        )
        for number in range(count)
    ]


COUNT: Final = 3000
RECORDS: Final = records_of(COUNT)


def changed(every: int) -> list[KeyRecord]:
    return [
        KeyRecord(db=row.db, key=row.key, value=StringValue(b"changed")) if at % every == every // 2 else row
        for at, row in enumerate(RECORDS)
    ]


def later(by: int) -> list[KeyRecord]:
    return [
        row
        if row.expire_at_ms is None
        else KeyRecord(db=row.db, key=row.key, value=row.value, expire_at_ms=row.expire_at_ms + by)
        for row in RECORDS
    ]


def added(every: int) -> list[KeyRecord]:
    rows = []
    for at, row in enumerate(RECORDS):
        if at % every == 0:
            rows.append(KeyRecord(db=row.db, key=b"new:%d" % at, value=StringValue(b"v" * (at % 300))))
        rows.append(row)
    return rows


def moved(far: int, every: int = 10) -> list[KeyRecord]:
    rows = list(RECORDS)
    for at in range(0, COUNT // 2 - far, every):
        rows.insert(at + far, rows.pop(at))
    return rows


def shuffled(seed: int = 3) -> list[KeyRecord]:
    rows = list(RECORDS)
    Random(seed).shuffle(rows)
    return rows


SIDES: Final[dict[str, Callable[[], list[KeyRecord]]]] = {
    "the same": lambda: RECORDS,
    "a few changed": lambda: changed(50),
    "many changed": lambda: changed(2),
    "all changed": lambda: changed(1),
    "expire later": lambda: later(3),
    "a few added": lambda: added(40),
    "many added": lambda: added(2),
    "a few removed": lambda: [row for at, row in enumerate(RECORDS) if at % 40],
    "many removed": lambda: [row for at, row in enumerate(RECORDS) if at % 3 == 0],
    "a stretch removed": lambda: RECORDS[:500] + RECORDS[600:2500] + RECORDS[2530:],
    "one database": lambda: RECORDS[COUNT // 2 :],
    "moved near": lambda: moved(3),
    "moved far": lambda: moved(1000, 100),
    "shuffled": shuffled,
    "empty": list,
}
FILES: Final[dict[str, bytes]] = {}


def file_of(name: str, target: Target = SEVEN) -> bytes:
    if name not in FILES:
        FILES[name] = data.to_rdb(SIDES[name](), target)
    return FILES[name]


def outcome(first: Any, second: Any, options: DiffOptions | None = None) -> object:
    """Return the result, or the error in words."""
    try:
        with open_diff(first, second, options or DiffOptions()) as comparison:
            return comparison.result()
    except RdbToolError as error:
        return type(error), str(error)


@pytest.fixture
def in_turn(monkeypatch: pytest.MonkeyPatch) -> Callable[..., object]:
    """Return what is found if both are read one after the other."""

    def compare(*arguments: Any) -> object:
        with monkeypatch.context() as patched:
            patched.setattr(Comparison, "_read_together", lambda *_: None)
            return outcome(*arguments)

    return compare


@pytest.fixture
def side_by_side(monkeypatch: pytest.MonkeyPatch) -> Callable[..., object]:
    """Return what is found without reading one after the other."""

    def refuse(*_: object) -> None:
        raise AssertionError("read in turn")

    def compare(*arguments: Any) -> object:
        with monkeypatch.context() as patched:
            patched.setattr(Comparison, "_read_in_turn", refuse)
            return outcome(*arguments)

    return compare


OPTIONS: Final = {
    "": DiffOptions(),
    "encodings": DiffOptions(encodings=True),
    "tolerance": DiffOptions(tolerance_ms=2),
    "without expiries": DiffOptions(tolerance_ms=-1),
}


@pytest.mark.parametrize("memory", [None, TINY, "200KiB"])
@pytest.mark.parametrize("second", SIDES)
@pytest.mark.parametrize("first", ["the same", "many changed", "a few removed", "empty"])
def test_the_result_is_the_same(
    first: str,
    second: str,
    memory: str | None,
    in_turn: Callable[..., object],
    side_by_side: Callable[..., object],
) -> None:
    sides = file_of(first), file_of(second)
    expected = in_turn(*sides)
    with limited(memory=memory):
        assert side_by_side(*sides) == expected


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("second", ["expire later", "moved near", "many changed"])
def test_with_options(
    second: str, options: DiffOptions, in_turn: Callable[..., object], side_by_side: Callable[..., object]
) -> None:
    sides = file_of("the same"), file_of(second)
    assert side_by_side(*sides, options) == in_turn(*sides, options)
    assert side_by_side(*sides[::-1], options) == in_turn(*sides[::-1], options)


AGAIN: Final[dict[str, dict[int, int]]] = {
    "none": {},
    "soon": {4000: 3999, 4500: 5},
    "late": {4999: 0, 4998: 4997},
    "many": dict.fromkeys(range(2600, 5000, 7), 2550),
    "of two": {3000: 2600, 3001: 2500, 3500: 2501},
}


@pytest.mark.parametrize("memory", [None, TINY])
@pytest.mark.parametrize("second", AGAIN)
@pytest.mark.parametrize("first", AGAIN)
def test_duplicates_are_found(first: str, second: str, memory: str | None, in_turn: Callable[..., object]) -> None:
    sides = snapshot(5000, AGAIN[first]), snapshot(5000, AGAIN[second], values={100: b"w", 3999: b"x", 2600: b"y"})
    with limited(memory=memory):
        expected = in_turn(*sides)
        assert outcome(*sides) == expected
    assert isinstance(expected, tuple) or first == second == "none"


def test_any_damage_is_reported_in_the_same_words(in_turn: Callable[..., object]) -> None:
    random = Random(4)
    whole = data.to_rdb(RECORDS[:200] + RECORDS[1500:1600], SEVEN)
    differs = data.to_rdb(changed(20)[:200] + RECORDS[1500:1600], SEVEN)
    for _ in range(120):
        at = random.randrange(len(whole) - 8)
        damaged = random.choice([whole[:at], whole[:at] + bytes([random.randrange(256)]) + whole[at + 1 :]])
        for sides in ((damaged, whole), (differs, damaged), (damaged, damaged)):
            assert outcome(*sides) == in_turn(*sides)


@pytest.mark.parametrize("name", ["a string", "a packed string", "a set", "a hash"])
def test_large_values(name: str, in_turn: Callable[..., object], side_by_side: Callable[..., object]) -> None:
    large = {
        "a string": StringValue(Random(5).randbytes(3 << 20)),
        "a packed string": StringValue(b"text and " * 300_000),
        "a set": SetValue([b"member:%d" % at for at in range(300_000)]),
        "a hash": HashValue([(b"field:%d" % at, b"v" * 30) for at in range(150_000)]),
    }[name]
    one, other = (
        [*RECORDS[:100], KeyRecord(db=0, key=b"large", value=value), *RECORDS[100:200]]
        for value in (large, StringValue(b"small"))
    )
    files = [data.to_rdb(records, SEVEN) for records in (one, one[::-1], other, one[:100] + other[101:])]
    for second in files:
        assert side_by_side(files[0], second) == in_turn(files[0], second)


@pytest.mark.parametrize("first", FIXTURE_FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_files_of_servers(first: Path, in_turn: Callable[..., object]) -> None:
    options = DiffOptions(functions=True, aux=True)
    for second in random_files(str(first)):
        assert outcome(str(first), str(second), options) == in_turn(str(first), str(second), options)


def test_module_data_outside_the_keys(side_by_side: Callable[..., object], in_turn: Callable[..., object]) -> None:
    for path in MODULE_FILES:
        assert side_by_side(str(path), str(path)) == in_turn(str(path), str(path))


def test_files_that_are_read_in_turn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of another product, the same bytes can be something else; what is compressed is read ahead by itself."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("read side by side")

    packed = tmp_path / "x.rdb.gz"
    packed.write_bytes(gzip.compress(file_of("the same")))
    monkeypatch.setattr(RdbReader, "feed_with", refuse)
    for sides in ((file_of("the same"), data.to_rdb(RECORDS, OTHER)), (str(packed), file_of("the same"))):
        assert outcome(*sides).counts.same == COUNT  # type: ignore[attr-defined]
    for options in (DiffOptions(names=Selection(dbs=[3])), DiffOptions(matching=Selection(dbs=[3]))):
        found = outcome(file_of("the same"), file_of("the same"), options)
        assert found.counts.same == COUNT // 2  # type: ignore[attr-defined]


def test_what_changes_while_it_is_read_is_read_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """A record that is not what it seemed to be: nothing that was found so far counts."""
    feed_with = RdbReader.feed_with

    def interrupted(*arguments: Any, **options: Any) -> None:
        feed_with(*arguments, **options)
        raise OutOfStepError

    monkeypatch.setattr(RdbReader, "feed_with", interrupted)
    assert outcome(file_of("the same"), file_of("the same")).counts.same == COUNT  # type: ignore[attr-defined]


def test_progress(tmp_path: Path) -> None:
    told: list[object] = []

    class Shown:
        def __call__(self, done: int) -> None:
            told.append(done)

        def begin_pass(self, action: str, name: str, total: int | None, left: int | None) -> None:
            told.append((action, Path(name).name, total, left))

    text = Random(6).randbytes(3000)
    rows = [KeyRecord(db=0, key=b"%d" % at, value=StringValue(text)) for at in range(1000)]
    paths = tmp_path / "a.rdb", tmp_path / "b.rdb"
    for path in paths:
        path.write_bytes(data.to_rdb(rows, SEVEN))
    size = paths[0].stat().st_size
    open_diff(str(paths[0]), str(paths[1]), progress=Shown()).close()
    passes = [one for one in told if isinstance(one, tuple)]
    assert passes == [("reading", "a.rdb", size, 1), ("reading", "b.rdb", size, 0)]
    of_first = told[1 : told.index(passes[1])]
    assert len(of_first) > 3
    assert of_first == sorted(of_first, key=int)  # type: ignore[call-overload]
