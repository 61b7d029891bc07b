"""Differences of two lists, at a bounded cost.

The common beginning and end are skipped. For the rest, the shortest edit script is computed with the greedy algorithm
of E. W. Myers (1986), if that is cheap; lists that differ in too much, or are too long, are compared index by index.
Either way the hunks turn the first list into the second one.
"""

from __future__ import annotations

from collections.abc import Sequence

from rdbtool._codec.sinks import list_hunks
from rdbtool.core.light_typing import Final, NamedTuple

#: Limits on deletions and insertions, and on comparisons.
MOST_EDITS: Final = 400
MOST_STEPS: Final = 1_000_000


class Hunk(NamedTuple):
    """``first[start:stop]`` is replaced by ``second[at:end]``; one of the two may be empty."""

    start: int
    stop: int
    at: int
    end: int


def find_hunks(first: Sequence[bytes], second: Sequence[bytes]) -> list[Hunk]:
    """Return the hunks that turn ``first`` into ``second``, in ascending order, with common elements between hunks."""
    return [Hunk(*row) for row in list_hunks.find_hunks(first, second, MOST_EDITS, MOST_STEPS)]
