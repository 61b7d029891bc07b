"""Calls in processes: results in order, and what goes wrong there is done here."""

from __future__ import annotations

import os

import pytest

from rdbtool.core.cores import at_most, processes
from rdbtool.core.forks import map_forked


def test_results_are_in_order():
    found = map_forked(lambda number: (number * number, os.getpid()), range(20), 3)
    assert [square for square, _ in found] == [number * number for number in range(20)]
    assert os.getpid() not in {process for _, process in found}


@pytest.mark.parametrize(("given", "count"), [([], 3), ([1], 3), ([1, 2], 1)])
def test_no_process_for_one_call(given, count):
    assert map_forked(lambda _: os.getpid(), given, count) == [os.getpid()] * len(given)


def test_a_call_that_fails_is_made_here():
    here = os.getpid()

    def call(number: int) -> int:
        if number == 3 and os.getpid() != here:
            os._exit(1)
        return number

    assert map_forked(call, range(6), 2) == list(range(6))
    with pytest.raises(ValueError, match="bad number"):
        map_forked(_refuse, range(6), 2)


def _refuse(number: int) -> int:
    if number == 4:
        raise ValueError("bad number")
    return number


def test_no_processes_to_be_had(monkeypatch):
    def fail() -> int:
        raise OSError(11, "no more")

    monkeypatch.setattr(os, "fork", fail)
    assert map_forked(str, [1, 2], 2) == ["1", "2"]


def test_a_program_is_not_copied_unasked():
    assert processes() == 1
    with at_most(3):
        assert processes() == 3
    assert processes() == 1
