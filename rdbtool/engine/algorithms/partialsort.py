"""The order in which servers leave elements that compare as equal.

A sort of everything is the C library's, which is stable. Where only a part is wanted (LIMIT, COUNT), servers
run Bentley and McIlroy's quicksort ("Engineering a Sort Function", 1993) and skip the partitions outside of
that part. It is not stable, so what it does with equal elements is repeated here move by move.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from rdbtool.core.light_typing import Final, TypeVar

Key = float | tuple[float, bytes]

_T = TypeVar("_T")

_INSERTION_SIZE: Final = 7
_NINTHER_SIZE: Final = 40


def sort_part(items: Sequence[_T], key: Callable[[_T], Key], first: int, last: int, *, reverse: bool) -> list[_T]:
    """Return ``items[first:last + 1]`` as they stand after a server sorted that part."""
    ranks = _ranks([key(item) for item in items], reverse=reverse)
    order = list(range(len(items)))
    if _has_ties(ranks, first, last):
        _Quicksort(order, ranks, first, last).run()
    else:
        order.sort(key=ranks.__getitem__)
    return [items[at] for at in order[first : last + 1]]


def sort_all(items: Sequence[_T], key: Callable[[_T], Key], *, reverse: bool) -> list[_T]:
    """Return all items, sorted, with equal ones in their present order."""
    ranks = _ranks([key(item) for item in items], reverse=reverse)
    return [items[at] for at in sorted(range(len(items)), key=ranks.__getitem__)]


def _ranks(keys: list[Key], *, reverse: bool) -> list[int]:
    """Return a number for each key that orders as the keys do, the same for equal ones."""
    places: dict[Key, int] = {}
    for key in sorted(set(keys), reverse=reverse):
        places[key] = len(places)
    return [places[key] for key in keys]


def _has_ties(ranks: list[int], first: int, last: int) -> bool:
    """Whether equal elements decide what is in the part, or in which order."""
    ordered = sorted(ranks)[max(first - 1, 0) : last + 2]
    return any(one == other for one, other in pairwise(ordered))


class _Quicksort:
    """Sorts ``order`` by ``ranks``, as far as positions ``first`` to ``last`` need it."""

    def __init__(self, order: list[int], ranks: list[int], first: int, last: int) -> None:
        self.order = order
        self.ranks = ranks
        self.first = first
        self.last = last

    def run(self) -> None:
        """Sort. Partitions do not touch each other, so it does not matter which comes first."""
        waiting = [(0, len(self.order))]
        while waiting:
            start, stop = waiting.pop()
            if stop - start < _INSERTION_SIZE:
                self._insert(start, stop)
                continue
            lower, upper = self._partition(start, stop)
            parts = ((start, lower), (upper, stop))
            waiting += [(low, high) for low, high in parts if high - low > 1 and self._wants(low, high)]

    def _wants(self, start: int, stop: int) -> bool:
        return self.last >= start and self.first < stop

    def _compare(self, one: int, other: int) -> int:
        return self.ranks[self.order[one]] - self.ranks[self.order[other]]

    def _swap(self, one: int, other: int) -> None:
        self.order[one], self.order[other] = self.order[other], self.order[one]

    def _insert(self, start: int, stop: int) -> None:
        for at in range(start + 1, stop):
            while at > start and self._compare(at - 1, at) > 0:
                self._swap(at, at - 1)
                at -= 1  # noqa: PLW2901 - the element moves down

    def _median(self, one: int, two: int, three: int) -> int:
        if self._compare(one, two) < 0:
            if self._compare(two, three) < 0:
                return two
            return three if self._compare(one, three) < 0 else one
        if self._compare(two, three) > 0:
            return two
        return one if self._compare(one, three) < 0 else three

    def _pivot(self, start: int, stop: int) -> int:
        size = stop - start
        middle = start + size // 2
        if size <= _INSERTION_SIZE:
            return middle
        low, high = start, stop - 1
        if size > _NINTHER_SIZE:
            step = size // 8
            low = self._median(low, low + step, low + 2 * step)
            middle = self._median(middle - step, middle, middle + step)
            high = self._median(high - 2 * step, high - step, high)
        return self._median(low, middle, high)

    def _partition(self, start: int, stop: int) -> tuple[int, int]:
        """Split into less, equal, greater; return where less ends and where greater begins."""
        self._swap(start, self._pivot(start, stop))
        # Elements equal to the pivot gather at both ends, then move to the middle.
        equal_left = left = start + 1
        equal_right = right = stop - 1
        while True:
            while left <= right and (compared := self._compare(left, start)) <= 0:
                if compared == 0:
                    self._swap(equal_left, left)
                    equal_left += 1
                left += 1
            while left <= right and (compared := self._compare(right, start)) >= 0:
                if compared == 0:
                    self._swap(right, equal_right)
                    equal_right -= 1
                right -= 1
            if left > right:
                break
            self._swap(left, right)
            left += 1
            right -= 1
        self._swap_blocks(start, left, min(equal_left - start, left - equal_left))
        self._swap_blocks(left, stop, min(equal_right - right, stop - equal_right - 1))
        return start + left - equal_left, stop - (equal_right - right)

    def _swap_blocks(self, start: int, stop: int, size: int) -> None:
        """Swap the ``size`` elements from ``start`` with those before ``stop``."""
        if size > 0:
            front, back = slice(start, start + size), slice(stop - size, stop)
            self.order[front], self.order[back] = self.order[back], self.order[front]
