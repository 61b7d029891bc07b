"""Samples of large matrices, other ones each day, so that in time every cell is tried.

The seed stands in pytest's header. ``RDBTOOL_SEED`` names it, to see the same again; ``RDBTOOL_SAMPLES=all`` asks for
every cell.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Hashable, Iterable
from random import Random
from typing import TypeVar

Row = TypeVar("Row")

# Kept in the environment: the workers of pytest-xdist collect for themselves, and may do it after midnight.
SEED = int(os.environ.setdefault("RDBTOOL_SEED", str(int(time.time()) // 86_400 * 1000)))
IS_WHOLE = os.environ.get("RDBTOOL_SAMPLES") == "all"


def sample(rows: Iterable[Row], count: int, *, each: Callable[[Row], Hashable] | None = None) -> list[Row]:
    """Return ``count`` of the rows, in their order; with ``each``, at least one of everything that it returns."""
    every = list(rows)
    if IS_WHOLE or len(every) <= count:
        return every
    random = Random(f"{SEED} {len(every)} {count}")
    chosen: set[int] = set()
    if each is not None:
        kinds: dict[Hashable, list[int]] = {}
        for number, row in enumerate(every):
            kinds.setdefault(each(row), []).append(number)
        chosen.update(random.choice(numbers) for numbers in kinds.values())
    rest = [number for number in range(len(every)) if number not in chosen]
    chosen.update(random.sample(rest, max(0, count - len(chosen))))
    return [every[number] for number in sorted(chosen)]


def header() -> str:
    """Return the line for pytest's header."""
    return f"samples: {'all' if IS_WHOLE else 'a choice'}, RDBTOOL_SEED={SEED}"
