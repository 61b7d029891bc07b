"""Differences of two lists, at a bounded cost."""

from collections.abc import Sequence

def find_hunks(
    first: Sequence[bytes], second: Sequence[bytes], most_edits: int, most_steps: int
) -> list[tuple[int, int, int, int]]:
    """Return (start, stop, at, end) of each hunk: ``first[start:stop]`` is replaced by ``second[at:end]``.

    The shortest edit script is looked for up to ``most_edits`` deletions and insertions and ``most_steps`` comparisons;
    beyond them elements are compared index by index.
    """
