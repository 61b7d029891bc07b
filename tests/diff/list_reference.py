"""Differences of two lists, at a bounded cost: the reference for the compiled form.

The common beginning and end are skipped. For the rest, the shortest edit script is computed with the greedy algorithm
of E. W. Myers (1986), if that is cheap; lists that differ in too much, or are too long, are compared index by index.
Either way the hunks turn the first list into the second one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rdbtool.operations.diff.lists import Hunk

#: Limits on deletions and insertions, and on comparisons.
_MOST_EDITS: Final = 400
_MOST_STEPS: Final = 1_000_000


def find_hunks(first: Sequence[bytes], second: Sequence[bytes]) -> list[Hunk]:
    """Return the hunks that turn ``first`` into ``second``, in ascending order, with common elements between hunks."""
    shorter = min(len(first), len(second))
    head = 0
    while head < shorter and first[head] == second[head]:
        head += 1
    tail = 0
    while tail < shorter - head and first[-1 - tail] == second[-1 - tail]:
        tail += 1
    middle, wanted = first[head : len(first) - tail], second[head : len(second) - tail]
    if not middle and not wanted:
        return []
    if not middle or not wanted:
        hunks = [Hunk(0, len(middle), 0, len(wanted))]
    else:
        hunks = _shortest(middle, wanted) or _by_place(middle, wanted)
    return [Hunk(*(head + place for place in hunk)) for hunk in hunks]


def _by_place(first: Sequence[bytes], second: Sequence[bytes]) -> list[Hunk]:
    """Compare elements of the same index; the longer list's rest follows."""
    hunks: list[Hunk] = []
    begun = -1
    both = min(len(first), len(second))
    for place in range(both):
        if first[place] != second[place]:
            begun = place if begun < 0 else begun
        elif begun >= 0:
            hunks.append(Hunk(begun, place, begun, place))
            begun = -1
    if begun >= 0 or len(first) != len(second):
        begun = both if begun < 0 else begun
        hunks.append(Hunk(begun, len(first), begun, len(second)))
    return hunks


def _shortest(first: Sequence[bytes], second: Sequence[bytes]) -> list[Hunk]:
    """Return the hunks of a shortest edit script; none if computing it would cost too much."""
    size, wanted = len(first), len(second)
    reach = {1: 0}
    before: list[dict[int, int]] = []
    steps = 0
    for edits in range(min(size + wanted, _MOST_EDITS) + 1):
        before.append(reach.copy())
        # Diagonals outside both lists are useless.
        low = 2 * max(0, edits - wanted) - edits
        high = edits - 2 * max(0, edits - size)
        for diagonal in range(low, high + 1, 2):
            x = _step(reach, diagonal, size, wanted)
            if x < 0:
                reach.pop(diagonal, None)
                continue
            begun = x
            while x < size and x - diagonal < wanted and first[x] == second[x - diagonal]:
                x += 1
            steps += x - begun + 1
            reach[diagonal] = x
            if x == size and x - diagonal == wanted:
                return _walk_back(before, size, wanted)
        if steps > _MOST_STEPS:
            break
    return []


def _step(reach: dict[int, int], diagonal: int, size: int, wanted: int) -> int:
    """Return how far one more edit gets on a diagonal, -1 if it leaves the lists."""
    inserted = reach.get(diagonal + 1, -1)
    if inserted - diagonal > wanted:
        inserted = -1
    deleted = reach.get(diagonal - 1, -2) + 1
    if deleted > size:
        deleted = -1
    return max(inserted, deleted)


def _walk_back(before: list[dict[int, int]], x: int, y: int) -> list[Hunk]:
    """Collect the edits from the end to the beginning, and join adjacent ones."""
    hunks: list[Hunk] = []
    size, wanted = x, y
    for edits in range(len(before) - 1, 0, -1):
        reach, diagonal = before[edits], x - y
        x = _step(reach, diagonal, size, wanted)
        y = x - diagonal
        # Common elements follow the edit; it was an insertion if that gets as far.
        inserted = reach.get(diagonal + 1, -1)
        edit = Hunk(x, x, y - 1, y) if inserted == x else Hunk(x - 1, x, y, y)
        if hunks and (edit.stop, edit.end) == (hunks[-1].start, hunks[-1].at):
            hunks[-1] = Hunk(edit.start, hunks[-1].stop, edit.at, hunks[-1].end)
        else:
            hunks.append(edit)
        x, y = edit.start, edit.at
    hunks.reverse()
    return hunks
