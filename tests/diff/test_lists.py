"""The edit script of two lists leads from one to the other, is short where that is cheap, and is never dear."""

from __future__ import annotations

import time
from random import Random

import pytest
from diff import list_reference
from hypothesis import given
from hypothesis import strategies as st

from rdbtool.operations.diff import lists as diff_lists
from rdbtool.operations.diff.lists import find_hunks

elements = st.lists(st.sampled_from([b"a", b"b", b"c"]), max_size=30)


def follow(first: list[bytes], second: list[bytes]) -> list[bytes]:
    """Carry the hunks out, and check that they are in order and have something in common between them."""
    made: list[bytes] = []
    place = 0
    for number, (start, stop, at, end) in enumerate(find_hunks(first, second)):
        assert stop > start or end > at
        assert start > place or number == 0
        made += first[place:start]
        assert len(made) == at
        made += second[at:end]
        place = stop
    return made + first[place:]


@given(elements, elements)
def test_the_script_leads_from_one_to_the_other(first, second):
    assert follow(first, second) == second


@given(elements, elements)
def test_place_by_place_too(first, second):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(diff_lists, "MOST_EDITS", 1)
        assert follow(first, second) == second


@given(elements, elements, st.sampled_from([0, 1, 2, 5, 400]), st.sampled_from([1, 20, 1_000_000]))
def test_compiled_code_finds_what_the_reference_finds(first, second, edits, steps):
    with pytest.MonkeyPatch.context() as patch:
        for module, prefix in ((diff_lists, ""), (list_reference, "_")):
            patch.setattr(module, f"{prefix}MOST_EDITS", edits)
            patch.setattr(module, f"{prefix}MOST_STEPS", steps)
        assert find_hunks(first, second) == list_reference.find_hunks(first, second)


def common(first: list[bytes], second: list[bytes]) -> int:
    """Return the length of the longest common subsequence, by the table."""
    row = [0] * (len(second) + 1)
    for a in first:
        above = row
        row = [0]
        for place, b in enumerate(second):
            row.append(above[place] + 1 if a == b else max(row[place], above[place + 1]))
    return row[-1]


@given(elements, elements)
def test_it_is_the_shortest(first, second):
    edits = sum(stop - start + end - at for start, stop, at, end in find_hunks(first, second))
    assert edits == len(first) + len(second) - 2 * common(first, second)


@pytest.mark.parametrize(
    ("first", "second", "hunks"),
    [
        ("", "", []),
        ("", "ab", [(0, 0, 0, 2)]),
        ("ab", "", [(0, 2, 0, 0)]),
        ("abc", "abc", []),
        ("abc", "axc", [(1, 2, 1, 2)]),
        ("abcdef", "cdefgh", [(0, 2, 0, 0), (6, 6, 4, 6)]),
        ("aaaa", "aa", [(2, 4, 2, 2)]),
    ],
)
def test_examples(first, second, hunks):
    assert find_hunks([bytes([c]) for c in first.encode()], [bytes([c]) for c in second.encode()]) == hunks


def test_the_cost_is_bounded():
    random = Random(1)
    first, second = ([b"%d" % random.randrange(50) for _ in range(100_000)] for _ in range(2))
    began = time.process_time()
    assert follow(first, second) == second
    assert time.process_time() - began < 10


def test_a_few_edits_of_a_long_list_are_found():
    first = [b"%d" % number for number in range(100_000)]
    second = [b"new", *first[:50_000], *first[50_010:], b"end"]
    assert find_hunks(first, second) == [
        (0, 0, 0, 1),
        (50_000, 50_010, 50_001, 50_001),
        (100_000, 100_000, 99_991, 99_992),
    ]
