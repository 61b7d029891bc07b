"""Packed values behave as Python's containers do: random changes of both, around sizes at which their form changes."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable

import pytest

from rdbtool.engine.values import HashData, ListData, SetData, ZSetData

#: Another choice each day.
SEED = int(time.time()) // 86_400

#: Names of every size class: one byte, three and nine bytes of length, and the empty one.
SIZES = (0, 1, 7, 8, 9, 16, 17, 40, 253, 254, 300)


def name(chance: random.Random, count: int) -> bytes:
    """Return one of ``count`` names."""
    number = chance.randrange(count)
    size = SIZES[number % len(SIZES)]
    return b"%d" % number if number % 3 else (b"%d" % number) + b"x" * size


def text(chance: random.Random) -> bytes:
    """Return a value."""
    return bytes([chance.randrange(256)]) * chance.choice(SIZES)


@pytest.mark.parametrize("count", [5, 40, 700])
@pytest.mark.parametrize("removes", [1, 3])
def test_hash(count: int, removes: int) -> None:
    """A hash is a dict: order, replaced values, removed fields."""
    chance = random.Random(SEED + count + removes)
    data, plain = HashData(), dict[bytes, bytes]()
    for step in range(4000):
        field, value = name(chance, count), text(chance)
        if chance.randrange(4) < removes:
            assert data.pop(field) == plain.pop(field, None)
        else:
            data[field] = plain[field] = value
        other = name(chance, count)
        assert (other in data) == (other in plain)
        assert data.get(other) == plain.get(other)
        assert len(data) == len(plain)
        if step % 100 == 0:
            assert list(data.items()) == list(plain.items())
    assert list(data) == list(plain)


@pytest.mark.parametrize("count", [5, 40, 700])
def test_set(count: int) -> None:
    """A set keeps the order in which its members came."""
    chance = random.Random(SEED + count)
    data, plain = SetData(), dict[bytes, None]()
    for step in range(4000):
        member = name(chance, count)
        if chance.randrange(5) < (1 if step % 1000 < 500 else 4):
            assert data.discard(member) == (member in plain)
            plain.pop(member, None)
        else:
            data.update([member])
            plain[member] = None
        assert len(data) == len(plain)
        if step % 100 == 0:
            assert list(data) == list(plain)
    assert list(SetData(data)) == list(plain)


@pytest.mark.parametrize("count", [5, 40, 1500])
def test_sorted_set(count: int) -> None:
    """A sorted set has an order by score and member, and finds ranks in it."""
    chance = random.Random(SEED + count)
    data, plain = ZSetData(), dict[bytes, float]()
    for step in range(6000):
        member, score = name(chance, count), float(chance.choice([chance.randrange(-3, 3), chance.randrange(10**9)]))
        what = chance.randrange(10)
        # It grows and shrinks by turns.
        if what < (2 if step % 2000 < 1200 else 7):
            assert data.discard(member) == (plain.pop(member, None) is not None)
        elif what < 9 or not plain:
            data.put(member, score)
            plain[member] = score
        else:
            start = chance.randrange(len(plain))
            stop = min(start + chance.choice([1, 2, 70]), len(plain))
            order = sorted((score, member) for member, score in plain.items())
            assert data.discard_slice(start, stop) == order[start:stop]
            for _, gone in order[start:stop]:
                del plain[gone]
        assert len(data) == len(plain)
        assert data.get(member) == plain.get(member)
        if step % 100 == 0:
            order = sorted((score, member) for member, score in plain.items())
            assert list(data.order) == order
            assert data.order[::-1] == order[::-1]
            assert not order or data.order[len(order) // 2] == order[len(order) // 2]
            assert list(data.items()) == list(plain.items())


def test_sorted_set_of_many() -> None:
    """Trees of several levels: added in order, against the order, and at random; then emptied from all sides."""
    for scores in (range(30_000), range(30_000, 0, -1), random.Random(SEED).sample(range(30_000), 30_000)):
        data = ZSetData()
        data.update((b"m%d" % number, float(score)) for number, score in enumerate(scores))
        assert data.order[0][0] == min(scores)
        data.update((b"n%d" % number, float(score)) for number, score in enumerate(scores))
        expected = sorted(
            [(float(score), b"%c%d" % (kind, number)) for number, score in enumerate(scores) for kind in b"mn"]
        )
        assert list(data.order) == expected
        while len(expected) > 10:
            size = len(expected)
            for start, stop in ((0, size // 7), (size // 2, size // 2 + size // 9), (size - size // 8, size)):
                bounds = min(start, len(expected)), min(stop, len(expected))
                assert data.discard_slice(*bounds) == expected[slice(*bounds)]
                del expected[slice(*bounds)]
            if size == len(expected):
                break
        assert list(data.order) == expected


@pytest.mark.parametrize("grows", [3, 6])
def test_list(grows: int) -> None:
    """A list is a deque."""
    chance = random.Random(SEED + grows)
    data, plain = ListData(), deque[bytes]()
    for step in range(6000):
        element = name(chance, 60)
        what = chance.randrange(10)
        if what < grows:
            left = chance.randrange(2)
            (data.extendleft if left else data.extend)([element, b"more"])
            (plain.extendleft if left else plain.extend)([element, b"more"])
        elif not plain:
            continue
        elif what < 8:
            left = chance.randrange(2)
            assert (data.popleft() if left else data.pop()) == (plain.popleft() if left else plain.pop())
        else:
            at = chance.randrange(len(plain))
            value = text(chance)
            if step % 4 == 0:
                data[at] = plain[at] = value
            elif step % 4 == 1:
                data.insert(at, value)
                plain.insert(at, value)
            elif step % 4 == 2:
                stop = min(at + len(plain) * 3 // 4, len(plain))
                data.keep(at, stop)
                plain = deque(list(plain)[at:stop])
            else:
                count, back = chance.choice([1, 2, len(plain)]), bool(chance.randrange(2))
                kept = list(plain)[:: -1 if back else 1]
                gone = 0
                while gone < count and element in kept:
                    kept.remove(element)
                    gone += 1
                assert data.drop(element, count, from_tail=back) == gone
                plain = deque(kept[:: -1 if back else 1])
        assert len(data) == len(plain)
        if step % 50 == 0:
            assert list(data) == list(plain)
            assert list(reversed(data)) == list(reversed(plain))
    assert list(data) == list(plain)


def new_list() -> ListData:
    """Return a list that has had no element."""
    return ListData()


def cut_list() -> ListData:
    """Return a list that has given back its memory."""
    data = ListData([b"a", b"b"])
    data.keep(1, 1)
    return data


def drained_list() -> ListData:
    """Return a list that has kept its memory."""
    data = ListData([b"a"])
    data.pop()
    return data


@pytest.mark.parametrize("make", [new_list, cut_list, drained_list])
@pytest.mark.parametrize("count", [1, 2, 300])
def test_push_to_the_head_of_an_empty_list(make: Callable[[], ListData], count: int) -> None:
    """An empty list may have no memory to copy: what C leaves undefined then shows in a build with sanitizers."""
    words = [b"%d" % number for number in range(count)]
    data = make()
    data.extendleft(words)
    assert list(data) == words[::-1]
    data = make()
    data.insert(0, b"one")
    data.appendleft(b"two")
    assert list(data) == [b"two", b"one"]


def test_long_elements() -> None:
    """Offsets get wider as a collection grows."""
    data, plain = ListData(), deque[bytes]()
    fields, mapping = HashData(), dict[bytes, bytes]()
    for number in range(300):
        value = b"%d" % number * (100 if number % 10 else 30_000)
        data.append(value)
        data.appendleft(value)
        plain.append(value)
        plain.appendleft(value)
        fields[b"%d" % (number % 40)] = mapping[b"%d" % (number % 40)] = value
    assert list(data) == list(plain)
    assert list(fields.items()) == list(mapping.items())


def test_what_is_missing() -> None:
    """Errors as those of Python's containers."""
    with pytest.raises(IndexError):
        ListData().pop()
    with pytest.raises(IndexError):
        ListData()[0]
    with pytest.raises(KeyError):
        HashData()[b"a"]
    with pytest.raises(KeyError):
        del SetData()[b"a"]
    with pytest.raises(ValueError, match="no such"):
        ListData([b"b"]).index(b"a")
