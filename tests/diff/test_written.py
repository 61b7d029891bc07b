"""What is compared and written without making records is the same as what the records say."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from command import FIXTURES, run
from diff import data
from hypothesis import given, settings
from hypothesis import strategies as st
from sampling import sample

from rdbtool._codec.filters.selection import Selection
from rdbtool._codec.replay_record import feed_record
from rdbtool._codec.sink import Sink
from rdbtool.core.servers import Target
from rdbtool.model import HashValue, KeyRecord, ListValue, SetValue, StringValue, Value, ZSetValue
from rdbtool.operations.diff import compare as module
from rdbtool.operations.diff.compare import Comparison, DiffOptions, open_diff
from rdbtool.report import diff as report
from rdbtool.report.formatting import show_time

EIGHT = Target.parse("redis-8.0")
FORMS = ("text", "brief", "json")
FILES = sorted(FIXTURES.glob("*/default.rdb")) + sorted(FIXTURES.glob("small/*.rdb"))

OPTIONS = (
    DiffOptions(),
    DiffOptions(tolerance_ms=-1),
    DiffOptions(tolerance_ms=2),
    DiffOptions(matching=Selection(kinds=["string", "set"])),
    DiffOptions(matching=Selection(expired=True, now_ms=data.LATER + 1)),
    DiffOptions(names=Selection(dbs=[0, 9])),
)


def written(first: bytes | str, second: bytes | str, options: DiffOptions, form: str) -> tuple[bytes, tuple]:
    pieces: list[bytes] = []
    with open_diff(first, second, options) as comparison:
        if form == "json":
            report.write_json(comparison, pieces.append)
        else:
            report.write_text(comparison, pieces.append, brief=form == "brief")
        return b"".join(pieces), comparison.counts


def check(first: bytes | str, second: bytes | str, options: DiffOptions, form: str) -> None:
    found = written(first, second, options, form)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report, "_is_compiled", lambda _: False)
        assert found == written(first, second, options, form)


@st.composite
def pairs(draw) -> tuple[bytes, bytes]:
    """Two data sets of all types that have much in common."""
    random = draw(st.randoms(use_true_random=False))
    records = data.make_records(random, EIGHT)
    return data.to_rdb(records, EIGHT), data.to_rdb(data.make_records(random, EIGHT, records), EIGHT)


@settings(max_examples=200)
@given(pairs(), st.sampled_from(OPTIONS), st.sampled_from(FORMS))
def test_of_all_types(pair: tuple[bytes, bytes], options: DiffOptions, form: str) -> None:
    check(*pair, options, form)


@settings(max_examples=50)
@given(pairs(), st.sampled_from(FORMS))
def test_in_rounds(pair: tuple[bytes, bytes], form: str) -> None:
    """When little may be held, keys are brought together in many rounds, in the same order."""
    with pytest.MonkeyPatch.context() as patch:
        for most in (1, 500):
            patch.setattr(module, "_MOST_HELD", most)
            check(*pair, DiffOptions(), form)


TEXTS = st.one_of(
    st.binary(max_size=90),
    st.text(max_size=90).map(str.encode),
    st.text('ab"\\\x7f\n\t\x1b é…\u200b\u2028\U0001f600', min_size=30, max_size=90).map(str.encode),
    st.sampled_from([b"x" * 59, b"x" * 60, b"x" * 61, b"y" * 1500, b"\xff" * 70, "é".encode() * 40]),
)
TIMES = st.one_of(
    st.none(),
    st.integers(-(1 << 62), 1 << 62),
    st.integers(-62_135_596_800_001, -62_135_596_799_999),
    st.integers(253_402_300_799_999, 253_402_300_800_001),
    st.integers(0, 4_102_444_800_000),
    st.integers(0, 3),
)


@st.composite
def strings(draw) -> tuple[bytes, bytes]:
    """Two values, of which one may be the other with a change anywhere."""
    first = draw(TEXTS)
    if draw(st.booleans()):
        return first, draw(TEXTS)
    first += draw(TEXTS)
    at = draw(st.integers(0, len(first)))
    return first, first[:at] + draw(st.binary(max_size=2)) + first[at + draw(st.integers(0, 1)) :]


@settings(max_examples=300)
@given(
    st.lists(st.tuples(TEXTS, strings(), TIMES, TIMES), min_size=1, max_size=4, unique_by=lambda row: row[0]),
    st.sampled_from(OPTIONS[:3]),
    st.sampled_from(FORMS),
)
def test_of_strings(rows: list, options: DiffOptions, form: str) -> None:
    sides = [
        data.to_rdb(
            [
                KeyRecord(db=number, key=key, value=StringValue(values[side]), expire_at_ms=times[side])
                for number, (key, values, *times) in enumerate(rows)
            ],
            EIGHT,
        )
        for side in (0, 1)
    ]
    check(*sides, options, form)


@pytest.mark.parametrize("size", [300, (1 << 18) + 7, 3 << 20])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("letter", [b"v", b"\xff", "é".encode()])
def test_long_strings(letter: bytes, form: str, size: int) -> None:
    """Those of megabytes come in pieces, and compressed ones as they are unpacked."""
    random = Random(size)
    noise = random.randbytes(size) if letter == b"\xff" else letter * (size // len(letter))
    for one, other in ((noise, noise[:-1] + b"!"), (noise, b"short"), (noise, None)):
        sides = [
            data.to_rdb([] if value is None else [KeyRecord(db=0, key=b"k", value=StringValue(value))], EIGHT)
            for value in (one, other)
        ]
        check(*sides, DiffOptions(), form)
        check(*reversed(sides), DiffOptions(), form)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("change", ["meta", "type", "piece"])
def test_of_strings_and_others(change: str, form: str) -> None:
    """A side that needs a record, and one that is held as a string, in either order."""
    new = Target.parse("redis-8.8")
    plain = KeyRecord(db=3, key=b"k", value=StringValue(b"v"), expire_at_ms=5)
    others = {
        "meta": KeyRecord(db=3, key=b"k", value=StringValue(b"v"), expire_at_ms=5, meta=b"\x00"),
        "type": KeyRecord(db=3, key=b"k", value=data.make_value(Random(1), EIGHT, "hash")),
        "piece": KeyRecord(db=3, key=b"k", value=StringValue(b"w" * (3 << 20))),
    }
    target = new if change == "meta" else EIGHT
    sides = [data.to_rdb([record], target) for record in (plain, others[change])]
    check(*sides, DiffOptions(), form)
    check(*reversed(sides), DiffOptions(), form)


def pairs_of_files() -> Iterator[tuple[Path, Path]]:
    for first in FILES:
        for second in FILES:
            if first != second:
                yield first, second


@pytest.mark.parametrize(
    ("first", "second"),
    sample(pairs_of_files(), 40),
    ids=lambda path: f"{path.parent.name}-{path.stem}",
)
def test_of_files(first: Path, second: Path) -> None:
    for form in FORMS:
        check(str(first), str(second), DiffOptions(), form)


def test_the_order_of_keys_means_nothing() -> None:
    """Keys that are there in the same order are found without the table: with gaps, with others between them."""
    random = Random(7)
    keys = [
        KeyRecord(db=0, key=b"key:%d" % number, value=StringValue(b"%d" % random.randrange(9))) for number in range(600)
    ]
    first = data.to_rdb(keys, EIGHT)
    for _ in range(12):
        mine = list(keys)
        for _ in range(random.randrange(40)):
            at = random.randrange(len(mine))
            match random.randrange(4):
                case 0:
                    del mine[at : at + random.choice([1, 1, 2, 6, 40])]
                case 1:
                    mine.insert(at, KeyRecord(db=0, key=b"new:%d" % random.getrandbits(60), value=StringValue(b"new")))
                case 2:
                    mine[at] = KeyRecord(db=0, key=mine[at].key, value=StringValue(b"other"))
                case _:
                    stop = min(at + random.choice([2, 50]), len(mine))
                    mine[at:stop] = random.sample(mine[at:stop], stop - at)
        ours, theirs = ({record.key: record.value for record in side} for side in (keys, mine))
        with open_diff(first, data.to_rdb(mine, EIGHT)) as comparison:
            rows = {(row.sign, row.record.key) for row in comparison.differences()}
            assert comparison.counts.same == sum(theirs.get(key) == value for key, value in ours.items())
        assert rows == {
            *(("-", key) for key in ours.keys() - theirs.keys()),
            *(("+", key) for key in theirs.keys() - ours.keys()),
            *(("~", key) for key in ours.keys() & theirs.keys() if ours[key] != theirs[key]),
        }


@given(TIMES.filter(lambda time: time is not None), TIMES)
def test_times(first: int, second: int | None) -> None:
    sides = [
        data.to_rdb([KeyRecord(db=0, key=b"k", value=StringValue(b"v"), expire_at_ms=time)], EIGHT)
        for time in (first, second)
    ]
    text, counts = written(*sides, DiffOptions(), "text")
    if counts.differs:
        assert f"    ~ expires: {show_time(first)} -> " in text.decode()


def test_a_reader_that_goes_away(tmp_path: Path) -> None:
    """Output that nobody reads ends the command, wherever it is written."""
    first, second = tmp_path / "a.rdb", tmp_path / "b.rdb"
    keys = [b"key:%d" % number for number in range(4000)]
    for path, value in ((first, StringValue(b"1" * 60)), (second, StringValue(b"2" * 60))):
        path.write_bytes(data.to_rdb([KeyRecord(db=0, key=key, value=value) for key in keys], EIGHT))

    def fail(piece: bytes) -> None:
        raise OSError("nobody reads")

    with open_diff(str(first), str(second)) as comparison, pytest.raises(OSError, match="nobody reads"):
        report.write_text(comparison, fail, brief=False)
    found = run("diff", "--json", first, second)
    assert found.code == 1
    assert len(json.loads(found.out)["keys"]) == 4000


FAR = data.LATER + 7
TWO = [(b"f", b"1", None), (b"g", b"2", data.LATER)]
VALUES: dict[str, tuple[Value, Value]] = {
    "a field": (HashValue(TWO), HashValue([(b"f", b"3", None), TWO[1]])),
    "expiries of fields": (HashValue(TWO), HashValue([(b"f", b"1", FAR), (b"g", b"2", None)])),
    "other fields with expiries": (HashValue([(b"h", b"", FAR), *TWO]), HashValue([(b"i", b"\xff", FAR), *TWO])),
    "the order of fields": (HashValue(TWO), HashValue(TWO[::-1])),
    "a field twice": (HashValue([*TWO, TWO[0]]), HashValue(TWO)),
    "many fields": (
        HashValue([(b"%d" % number, b"x", None) for number in range(30)]),
        HashValue([(b"%d" % number, b"y", None) for number in range(1500)]),
    ),
    "members": (SetValue([b"a", b"b", b"\x00"]), SetValue([b"b", b"c", "é".encode()])),
    "a member twice": (SetValue([b"a", b"a"]), SetValue([b"a"])),
    "21 members": (SetValue([b"x"]), SetValue([b"%d" % number for number in range(20)])),
    "20 members": (SetValue([b"x"]), SetValue([b"x", *(b"%d" % number for number in range(20))])),
    "scores": (
        ZSetValue([(b"a", 0.0), (b"b", 1.0), (b"c", math.inf), (b"d", math.nan), (b"e", 2.0**53)]),
        ZSetValue([(b"a", -0.0), (b"b", 1.5), (b"c", -math.inf), (b"d", math.nan), (b"e", 1e22), (b"f", math.nan)]),
    ),
    "a member and another": (ZSetValue([(b"a", 0.1)]), ZSetValue([(b"b", -0.0)])),
    "a member with two scores": (ZSetValue([(b"a", 1.0), (b"a", 2.0)]), ZSetValue([(b"a", 2.0)])),
    "elements": (ListValue([b"a", b"b", b"c"]), ListValue([b"a", b"x", b"c"])),
    "a longer list": (ListValue([b"a", b"b"]), ListValue([b"a", b"n", b"m", b"b"])),
    "a shorter list": (ListValue([b"a", b"b", b"b", b"b"]), ListValue([b"a", b"b"])),
    "an empty list": (ListValue([b"a"]), ListValue([])),
    "a moved element": (ListValue([b"a", b"b", b"c", b"d"]), ListValue([b"b", b"c", b"a", b"e", b"d"])),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("expiry", [None, FAR])
@pytest.mark.parametrize("what", VALUES)
def test_of_values(what: str, expiry: int | None, form: str) -> None:
    """Also such values as only damaged files have, which are not written: the records come from memory."""
    sides = [
        RecordSide([KeyRecord(db=0, key=b"k", value=value, expire_at_ms=time)])
        for value, time in zip(VALUES[what], (None, expiry), strict=True)
    ]
    for tolerance in (0, 7, -1):
        for one, other in (sides, sides[::-1]):
            results = []
            for is_compiled in (True, False):
                pieces: list[bytes] = []
                comparison = Comparison(one, other, DiffOptions(tolerance_ms=tolerance))
                comparison.read()
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr(report, "_is_compiled", lambda _, answer=is_compiled: answer)
                    if form == "json":
                        report.write_json(comparison, pieces.append)
                    else:
                        report.write_text(comparison, pieces.append, brief=form == "brief")
                results.append((b"".join(pieces), comparison.counts))
            assert results[0] == results[1]


class RecordSide:
    """A data set of records in memory, of any form."""

    kind, name, size, extent, remarks, aux, functions = "file", "memory", 0, None, (), (), ()

    def __init__(self, rows: list[KeyRecord]) -> None:
        self.rows = rows

    def records(self, *, selection: Selection | None = None, progress: object = None) -> Iterator[KeyRecord]:
        return (row for row in self.rows if selection is None or selection.take(row))

    def feed(self, sink: Sink, *, selection: Selection | None = None, progress: object = None) -> None:
        for row in self.records(selection=selection):
            feed_record(row, sink)

    def close(self) -> None:
        pass
