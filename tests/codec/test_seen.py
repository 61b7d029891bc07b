"""Duplicate members in collections of every size: in the list of few, in blocks, in the crowd."""

from __future__ import annotations

import random

import pytest
from codec.driving import make, rdb, read_into

from rdbtool._codec.sinks.check import Check

SIZES = [1, 2, 3, 4, 5, 8, 31, 32, 33, 34, 127, 128, 129, 130, 511, 512, 513, 2049, 32_767, 32_768, 32_769, 70_000]


def set_of(name: bytes, members: list[int]) -> bytes:
    return make.key(2, name, make.counted(*(make.string(b"member:%d" % member) for member in members)))


def flagged_in(data: bytes) -> list[tuple[str, bytes, int]]:
    sink = Check()
    read_into(data, sink)
    assert len(sink.flagged) == sum(sink.counts.values())
    return [(row.flag, row.key, row.at) for row in sink.flagged]


@pytest.mark.parametrize("size", SIZES)
def test_duplicates_of_the_first_the_last_and_one_between(size: int) -> None:
    dice = random.Random(size)
    expected = []
    records = []
    for number, copied in enumerate({0, size - 1, dice.randrange(size)}):
        name = b"set %d" % number
        place = dice.randrange(copied + 1, size + 1)
        members = list(range(size))
        members.insert(place, copied)
        # What the set before it left behind is no member of this one.
        records += [set_of(name, members), set_of(name + b" after", list(range(size, 2 * size)))]
        expected.append(("duplicate-member", name, place))
    assert flagged_in(rdb(*records)) == expected


def test_no_member_is_taken_for_another() -> None:
    sizes = [size for size in SIZES if size < 1000]
    assert flagged_in(rdb(*(set_of(b"%d" % size, list(range(size))) for size in sizes + sizes[::-1]))) == [
        ("duplicate-key", b"%d" % size, -1) for size in sizes[::-1]
    ]


@pytest.mark.parametrize("share", [None, 0, 1, 50, 100, 101, 800, 10**9])
def test_a_wrong_size_of_the_input_changes_no_finding(share: int | None) -> None:
    """What the size says of how many keys will come only decides when their table grows."""
    names = [b"key %d" % number for number in range(60_000)]
    again = [names[number] for number in (0, 7_499, 7_500, 30_000, 59_999)]
    data = rdb(*(make.key(0, name, make.string(b"")) for name in [*names, *again]))
    sink = Check(size=None if share is None else len(data) * share // 100)
    read_into(data, sink)
    assert [(row.flag, row.key, row.number) for row in sink.flagged] == [
        ("duplicate-key", name, len(names) + place) for place, name in enumerate(again, 1)
    ]
    assert sink.keys == len(names) + len(again)
