"""The shorter ways to what contextlib and functools have, beside those."""

import contextlib
import functools
from contextvars import ContextVar

import pytest

from rdbtool.core import light_tools
from rdbtool.core.light_tools import Applied


@pytest.mark.parametrize("of", [light_tools, contextlib])
def test_suppress_leaves_the_block_at_errors_of_the_classes_only(of):
    steps = []
    with of.suppress(KeyError, OSError):
        steps.append("before")
        raise FileNotFoundError
    with pytest.raises(ValueError, match="other"), of.suppress(KeyError):
        raise ValueError("other")
    with of.suppress():
        steps.append("after")
    assert steps == ["before", "after"]


@pytest.mark.parametrize("of", [light_tools, contextlib])
def test_nullcontext_gives_what_it_was_given(of):
    with of.nullcontext() as nothing, of.nullcontext(1) as one:
        assert (nothing, one) == (None, 1)
    with pytest.raises(KeyError), of.nullcontext():
        raise KeyError


@pytest.mark.parametrize("of", [light_tools, functools])
def test_cache_calls_once_for_the_same_arguments(of):
    calls = []

    @of.cache
    def keep(*arguments):
        calls.append(arguments)
        if arguments == ("bad",):
            raise ValueError
        return len(calls)

    assert [keep(), keep(1), keep(1, 2), keep(), keep(1)] == [1, 2, 3, 1, 2]
    for _ in range(2):
        with pytest.raises(ValueError):
            keep("bad")
    assert calls == [(), (1,), (1, 2), ("bad",), ("bad",)]


def test_applied_values_hold_in_the_block_only():
    first, second = ContextVar("first", default=0), ContextVar("second", default=0)

    def seen():
        return first.get(), second.get()

    block = Applied((first, 1), (second, 2))
    with pytest.raises(KeyError), block:
        assert seen() == (1, 2)
        with Applied((first, 3)), block:
            assert seen() == (1, 2)
        assert seen() == (1, 2)
        raise KeyError
    assert seen() == (0, 0)
