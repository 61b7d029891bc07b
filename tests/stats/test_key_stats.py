"""What KeyStats counts is what a plain count in Python gives, on keys that are others each day."""

import os
import random
import time
from collections import Counter

import pytest

from rdbtool._codec.sinks.key_stats import LOOK, NEW, OLD, KeyStats
from rdbtool.core.rdb_types import KINDS

SEED = int(os.environ.get("RDBTOOL_SEED", int(time.time()) // 86_400 * 1000))

PARENT, DEPTH, PATH, TOKEN, FOLDED, LATE, KEYS, MEMORY, ALLOCATED, NO_TTL, NO_TTL_MEMORY, P99, MAX = range(13)
OLD_KEYS, OLD_MEMORY, CHILDREN, FOLDED_NAMES, OWN = range(13, 18)


def make_keys(rng, number):
    """Yield rows (db, key, kind, memory, elements, largest, expiry) of keys as people name them, and as they do not."""
    words = ["user", "session", "cart", "cache", "img", "feed", "v1", "a", "", "ключ", "x y"]
    makers = [
        lambda: f"user:{rng.randrange(1000)}:{rng.choice(words)}",
        lambda: f"session:{rng.getrandbits(64):016x}",
        lambda: f"cache/{rng.choice(words)}/{rng.randrange(50)}.png",
        lambda: f"host{rng.randrange(100)}.{rng.choice(words)}",
        lambda: (
            f"id:{rng.getrandbits(32):08x}-{rng.getrandbits(16):04x}-4{rng.getrandbits(12):03x}-"
            f"a{rng.getrandbits(12):03x}-{rng.getrandbits(48):012x}:x"
        ),
        lambda: rng.choice(":/|._-*").join(rng.choices(words, k=rng.randrange(1, 6))),
        lambda: "".join(rng.choices(":/|._-ab1*", k=rng.randrange(12))),
    ]
    for _ in range(number):
        key = rng.choice(makers)().encode()
        if rng.random() < 0.02:
            key = rng.randbytes(rng.randrange(30))
        memory = max(1, int(rng.paretovariate(0.6) * 40) % (1 << 30))
        expiry = -1 if rng.random() < 0.5 else rng.randrange(2_000_000)
        yield rng.randrange(3), key, rng.randrange(len(KINDS)), memory, rng.randrange(500), rng.randrange(500), expiry


def fill(stats, rows):
    for db, key, kind, memory, elements, largest, expiry in rows:
        stats.add(db, key, kind, kind, memory, memory + 8, memory // 2, elements, largest, expiry)


def matches(path, token, own, keys):
    """Return the keys that a node without a folded token stands for: those that begin so, or are so."""
    return [row for row in keys if row[1] == path or (row[1].startswith(path) and path[-1:] in b":/|._-" and path)]


@pytest.mark.parametrize("seed", range(SEED, SEED + 4))
def test_prefixes_equal_an_exact_count(seed):
    rng = random.Random(seed)
    rows = list(make_keys(rng, rng.choice([1, 30, 3000])))
    stats = KeyStats()
    fill(stats, rows)
    nodes = stats.branches(1 << 30)
    root = nodes[0]
    assert root[KEYS] == len(rows)
    assert root[MEMORY] == sum(row[3] for row in rows)
    assert root[ALLOCATED] == sum(row[3] + 8 for row in rows)
    checked = 0
    for index, node in enumerate(nodes):
        below = [other for other in nodes if other[PARENT] == index]
        assert len(below) == node[CHILDREN]
        assert node[KEYS] == node[OWN] + sum(other[KEYS] for other in below)
        path = node[PATH]
        # What is folded says so: a node without one is judged by how keys begin.
        above, folded = node, False
        while above[PARENT] >= 0:
            folded |= above[FOLDED]
            above = nodes[above[PARENT]]
        if folded or not path or node[LATE]:
            continue
        found = matches(path, node[TOKEN], node[OWN], rows)
        if not below and path[-1:] not in b":/|._-":
            found = [row for row in rows if row[1] == path]
        elif any(row[1] == path[:-1] for row in rows) and not below:
            continue
        assert (node[KEYS], node[MEMORY]) == (len(found), sum(row[3] for row in found)), path
        assert node[NO_TTL] == sum(row[6] == -1 for row in found)
        assert node[NO_TTL_MEMORY] == sum(row[3] for row in found if row[6] == -1)
        assert node[MAX] == max(row[3] for row in found)
        exact = sorted(row[3] for row in found)[-(-len(found) * 99 // 100) - 1]
        assert exact <= node[P99] <= min(exact * 17 / 16, node[MAX])
        checked += 1
    assert checked or len(rows) == 1


def test_what_is_folded_is_the_rest():
    stats = KeyStats()
    names = [f"user:{''.join(random.Random(n).choices('abcdefgh', k=9))}:profile" for n in range(500)]
    for name in names:
        stats.add(0, name.encode(), memory=10)
    for number in range(100):
        stats.add(0, b"user:root:%d" % number, memory=10)
    nodes = {node[PATH]: node for node in stats.branches()}
    assert nodes[b"user:*:profile"][KEYS] == 500
    assert nodes[b"user:root:"][KEYS] == 100
    assert nodes[b"user:"][FOLDED_NAMES] == len(set(names))
    assert not any(node[LATE] for node in nodes.values())


def test_the_tree_keeps_its_budget_and_stays_exact():
    rng = random.Random(SEED)
    stats = KeyStats(budget=1 << 20)
    heavy, whole = Counter(), 0
    for number in range(80_000):
        if rng.random() < 0.2:
            name = rng.choice(["user", "cart", "feed"])
            heavy[name] += 1
        else:
            name = "".join(rng.choices("abcdefghijklm", k=7))
        memory = rng.randrange(50, 90)
        whole += memory
        stats.add(0, f"{name}:{number}:{rng.choice('xyz')}".encode(), memory=memory)
        if number % 20_000 == 0:
            assert stats.tree_counts()[1] <= 1 << 20
    nodes = stats.branches(1 << 30)
    by_path = {node[PATH]: node for node in nodes}
    assert len(nodes) == len(by_path)
    assert (nodes[0][KEYS], nodes[0][MEMORY]) == (80_000, whole)
    assert nodes[0][FOLDED_NAMES] > 1000
    for name, count in heavy.items():
        node = by_path[f"{name}:".encode()]
        assert node[KEYS] == count
        assert not node[LATE]
    assert sum(node[KEYS] for node in nodes if node[DEPTH] == 1) == 80_000
    assert by_path[b"*:"][KEYS] == 80_000 - sum(heavy.values())


def test_a_prefix_that_comes_late_is_shown_and_said_to_be_partial():
    rng = random.Random(1)
    stats = KeyStats(budget=1 << 20)
    for number in range(60_000):
        stats.add(0, "".join(rng.choices("abcdefghijklm", k=7)).encode() + b":%d" % number, memory=50)
    for number in range(30_000):
        stats.add(0, b"late:%d" % number, memory=50)
    nodes = stats.branches()
    late = next(node for node in nodes if node[PATH] == b"late:")
    assert late[LATE]
    assert 29_000 < late[KEYS] < 30_000
    assert nodes[0][KEYS] == 90_000


def test_separators_depth_and_prefix():
    keys = [b"a:b:c", b"a:b:d", b"a:c", b"b|x", b"b|y:z"]

    def paths(**options):
        stats = KeyStats(**options)
        for key in keys:
            stats.add(0, key, memory=10)
        return {node[PATH]: node[KEYS] for node in stats.branches()}

    assert paths(separators=b"|") == {b"": 5, b"a:b:c": 1, b"a:b:d": 1, b"a:c": 1, b"b|": 2, b"b|x": 1, b"b|y:z": 1}
    assert paths(separators=b":", depth=1) == {b"": 5, b"a:": 3, b"b|x": 1, b"b|y:": 1}
    assert paths(separators=b":", prefix=b"a:b") == {b"": 2, b":": 2, b":c": 1, b":d": 1}
    assert paths(separators=b"") == {b"": 5} | dict.fromkeys(keys, 1)


def test_a_separator_is_one_where_it_leaves_few_names():
    stats = KeyStats()
    for number in range(2000):
        # A dash within an id is none, a dot behind a host is.
        name = "".join(random.Random(number).choices("mnopqrst", k=9))
        stats.add(0, f"job:{name[:4]}-{name[4:]}".encode(), memory=1)
        stats.add(0, b"eu.west.%d" % number, memory=1)
    paths = {node[PATH]: node[KEYS] for node in stats.branches(1 << 30)}
    assert paths[b"eu.west.*"] == 2000
    assert paths[b"job:"] == 2000
    assert not any(path.endswith(b"-") for path in paths)


@pytest.mark.parametrize("seed", range(SEED, SEED + 2))
def test_everything_else_equals_a_count(seed):
    rng = random.Random(seed)
    rows = list(make_keys(rng, 2000))
    now = 1_000_000
    stats = KeyStats(now_ms=now, top=25, slots=True)
    fill(stats, rows)
    for by, column in enumerate((3, 4, 5)):
        wanted = sorted((row[column] for row in rows), reverse=True)[:25]
        assert [row[(5, 8, 9)[by]] for row in stats.largest(by)] == wanted
    never = [row for row in rows if row[6] == -1]
    past = [row for row in rows if -1 != row[6] <= now]
    hour = [row for row in rows if row[6] > now]
    counted = stats.expiry_counts()
    assert counted[:3] == [(len(part), sum(row[3] for row in part)) for part in (never, past, hour)]
    assert counted[3:] == [(0, 0)] * 4
    by_db = Counter(row[0] for row in rows)
    assert {row[0]: row[1] for row in stats.db_counts()} == by_db
    assert sum(keys for _, keys, _ in stats.slot_counts()) == len(rows)
    ordered = sorted(row[3] for row in rows)
    for share in (0.5, 0.9, 0.99):
        exact = ordered[int(-(-len(rows) * share // 1)) - 1]
        assert exact <= stats.quantile(share, ordered[-1]) <= min(exact * 17 / 16, ordered[-1])
    sizes = Counter(row[3].bit_length() - 1 for row in rows)
    assert {power: keys for power, keys, _ in stats.size_counts()} == sizes
    kinds = Counter(row[2] for row in rows)
    assert {kind: cell["keys"] for kind, _, cell in stats.cells_of()} == kinds


@pytest.mark.parametrize("seed", range(SEED, SEED + 2))
def test_growth_is_exact_by_prefix_and_for_large_keys(seed):
    rng = random.Random(seed)
    before = {f"{rng.choice('abc')}:{n}".encode(): rng.randrange(1, 200) for n in range(800)}
    after = {key: size + rng.choice([0, 0, 50, -size // 2]) for key, size in before.items() if rng.random() < 0.8}
    after |= {f"{rng.choice('cd')}:new{n}x".encode(): rng.randrange(1, 200) for n in range(200)}
    stats = KeyStats(big_bytes=120)
    for side, keys in ((NEW, after), (OLD, before), (LOOK, after)):
        if side == OLD:
            stats.end_side()
        stats.side = side
        for key, size in keys.items():
            stats.add(0, key, memory=size)
    nodes = {node[PATH]: node for node in stats.branches(1 << 30)}
    for letter in "abcd":
        path = f"{letter}:".encode()
        new = [size for key, size in after.items() if key.startswith(path)]
        old = [size for key, size in before.items() if key.startswith(path)]
        node = nodes[path]
        assert (node[KEYS], node[MEMORY], node[OLD_KEYS], node[OLD_MEMORY]) == (len(new), sum(new), len(old), sum(old))
    wanted = {
        (key, after.get(key, 0), before.get(key, 0))
        for key in before | after
        if max(after.get(key, 0), before.get(key, 0)) >= 120 and after.get(key) != before.get(key)
    }
    assert {(row[1], row[4], row[5]) for row in stats.changed()} == wanted


def test_a_wrong_order_of_equal_keys_changes_no_sum():
    rows = list(make_keys(random.Random(SEED), 500))
    one, other = KeyStats(), KeyStats()
    fill(one, rows)
    fill(other, rows[::-1])
    assert {node[PATH]: node[KEYS:FOLDED_NAMES] for node in one.branches()} == {
        node[PATH]: node[KEYS:FOLDED_NAMES] for node in other.branches()
    }
