"""Policies by numbers alone: the conditions of a server's ``save`` and ``auto-aof-rewrite-*``."""

import pytest

from rdbtool.engine.persistence import Any, Counters, LogGrowth, Manual, MemoryThreshold, SavePoint

MB = 1 << 20
T0 = 1_790_000_000_500


@pytest.mark.parametrize(
    ("passed_ms", "changes", "due"),
    [
        (0, 10**9, False),
        (900_000, 1, False),  # more than 900 seconds, not 900
        (900_499, 1, False),
        (900_500, 1, True),  # whole seconds are counted: 901 of them began
        (901_000, 1, True),
        (901_000, 0, False),
        (-5_000_000, 5, False),
    ],
)
def test_a_save_point_needs_changes_and_more_than_its_seconds(passed_ms, changes, due):
    assert SavePoint(seconds=900, changes=1).is_due(Counters(T0 + passed_ms, T0, changes)) is due


def test_the_default_save_points_of_a_server():
    policy = Any(SavePoint(3600, 1), SavePoint(300, 100), SavePoint(60, 10_000))
    assert not policy.is_due(Counters(T0 + 61_000, T0, 9_999))
    assert policy.is_due(Counters(T0 + 61_000, T0, 10_000))
    assert not policy.is_due(Counters(T0 + 300_000, T0, 9_999))
    assert policy.is_due(Counters(T0 + 301_000, T0, 100))
    assert not policy.is_due(Counters(T0 + 3_600_000, T0, 99))
    assert policy.is_due(Counters(T0 + 3_601_000, T0, 1))


@pytest.mark.parametrize(
    ("percentage", "minimum", "base", "size", "due"),
    [
        (100, 64 * MB, 10 * MB, 64 * MB, False),  # more than the minimum
        (100, 64 * MB, 10 * MB, 64 * MB + 1, True),
        (100, 64 * MB, 40 * MB, 80 * MB - 1, False),
        (100, 64 * MB, 40 * MB, 80 * MB, True),
        (100, 0, 0, 1, False),  # where nothing was, a server reckons with 1 byte
        (100, 0, 0, 2, True),
        (100, 0, 0, 0, False),
        (50, 0, 1000, 1499, False),
        (50, 0, 1000, 1500, True),
        (0, 0, 1, 10**12, False),
        (100, 0, 100, 50, False),
    ],
)
def test_growth_is_reckoned_from_the_last_rewrite(percentage, minimum, base, size, due):
    counters = Counters(T0, log_size=size, base_size=base)
    assert LogGrowth(percentage, minimum).is_due(counters) is due


def test_memory_counts_only_with_changes():
    assert MemoryThreshold(1000).is_due(Counters(T0, changes=1, memory=1000))
    assert not MemoryThreshold(1000).is_due(Counters(T0, changes=1, memory=999))
    assert not MemoryThreshold(1000).is_due(Counters(T0, changes=0, memory=10**9))


def test_by_hand_is_never():
    assert not Manual().is_due(Counters(T0, 0, 10**9, 10**15, 10**15, 1))


def test_policies_are_values():
    assert SavePoint() == SavePoint(seconds=900, changes=1)
    assert LogGrowth() == LogGrowth(percentage=100, minimum=67_108_864)
    assert Any(SavePoint(), Manual()) == Any(SavePoint(900, 1), Manual())
    assert hash(Any(SavePoint())) == hash(Any(SavePoint()))
    assert Any(Manual()) != Any(SavePoint())
    assert repr(Any(SavePoint(), Manual())) == "Any(SavePoint(seconds=900, changes=1), Manual())"
    assert not Any().is_due(Counters(T0, 0, 10**9))
